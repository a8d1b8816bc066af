/** What `lip build` writes besides code: the plans and where each tensor lies in the weights file. JSON; read by module-runtime.ts. */
import type { Plan } from '../runtime/plan.ts';

/** A range of the weights file, in bytes. */
export interface Segment {
  readonly offset: number;
  readonly length: number;
}

/** A plan whose literals lie in the weights file, as little-endian f32. */
export interface StoredPlan extends Omit<Plan, 'literals' | 'params'> {
  readonly literals: readonly (Segment & { readonly buffer: number })[];
}

export type Profile = 'software' | 'gpu';

export interface Artifact {
  readonly name: string;
  /** Of one example: [features] or [channels, height, width]. */
  readonly inputShape: readonly number[];
  /** Examples per submission. */
  readonly batch: number;
  /** The plan's output: "logits", or "features" for a network without a head. */
  readonly output: string;
  /** Entries of the output per example. */
  readonly outputSize: number;
  /** The proven Lipschitz bound up to the head, exact: "1", "3/2", "√(2)". */
  readonly bound: string;
  /** SHA-256 of the weights file, hexadecimal. */
  readonly sha256: string;
  /** Kernels for CPU adapters and for GPUs; the same function. */
  readonly plans: Readonly<Record<Profile, StoredPlan>>;
  /** f64, classes × classes: upper bounds of c²‖ŵ_i − ŵ_j‖², see `HeadGeometry`. Absent without a head. */
  readonly squaredSlopes?: Segment;
}
