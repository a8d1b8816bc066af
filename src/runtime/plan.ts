/**
 * A plan is everything a device needs to run a compiled graph: WGSL, buffer sizes, dispatches. Plain JSON, made by the compiler,
 * read by the executor, which knows nothing else of the compiler.
 */
export interface PlanBuffer {
  /** Bytes, a multiple of 4. */
  readonly size: number;
  /**
   * 'temp' buffers are shared by values with disjoint lifetimes; 'param' buffers are shared between plans by path; 'input' and
   * 'output' are written and read from outside; 'literal' is filled once.
   */
  readonly role: 'temp' | 'param' | 'input' | 'output' | 'literal';
}

export interface PlanTensor {
  readonly buffer: number;
  readonly shape: readonly number[];
}

export interface PlanKernel {
  /** A complete WGSL module with one entry point `main`; bindings 0, 1, … of group 0 are storage buffers of f32. */
  readonly wgsl: string;
  /** Access of each binding. */
  readonly access: readonly ('read' | 'read_write')[];
}

export interface PlanStep {
  readonly kernel: number;
  /** Buffer index per binding, all distinct. */
  readonly bindings: readonly number[];
  readonly workgroups: readonly [number, number, number];
  /** For people: what it computes and which rewrites led to it. */
  readonly label: string;
}

export interface Plan {
  readonly version: 1;
  readonly buffers: readonly PlanBuffer[];
  readonly kernels: readonly PlanKernel[];
  readonly steps: readonly PlanStep[];
  readonly inputs: Readonly<Record<string, PlanTensor>>;
  readonly params: Readonly<Record<string, PlanTensor>>;
  readonly outputs: Readonly<Record<string, PlanTensor>>;
  readonly literals: readonly { readonly buffer: number; readonly data: ArrayLike<number> }[];
}
