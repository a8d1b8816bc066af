/** Tensor IR → kernels → plan. */
import type { EmittedSum } from '../../codegen/bindings.ts';
import { kernelModule } from '../../codegen/wgsl.ts';
import { type Kernel, type StorageId, type Target, workOf } from '../../ir/kernel.ts';
import type { TensorGraph } from '../../ir/tensor.ts';
import type { Plan, PlanKernel, PlanStep, PlanTensor } from '../../runtime/plan.ts';
import { blockInverses } from '../tensors/block-inverse.ts';
import { fuse } from './fuse.ts';
import { planMemory } from './plan-memory.ts';
import { schedule } from './schedule.ts';

export interface CompiledGraph {
  readonly plan: Plan;
  /** The scheduled kernels, one a step. */
  readonly kernels: readonly Kernel[];
  /** The sum that each step computes, if any. */
  readonly sums: readonly (EmittedSum | undefined)[];
}

/**
 * Compiles a tensor graph for a target: block inverses → fuse → schedule → plan memory → WGSL. Every input, param and output of the graph is in the plan, used or not.
 */
export const compileGraph = (graph: TensorGraph, target: Target): CompiledGraph => {
  const fused = schedule(fuse(blockInverses(graph), target.limits), target);
  const { buffers, bufferOf } = planMemory(fused.kernels, fused.storages);
  const kernels: PlanKernel[] = [];
  /** By what a kernel does: the index of its module, and for each binding the position of its storage in the kernel's text. */
  const known = new Map<
    string,
    { kernel: number; slots: readonly number[]; workgroups: PlanStep['workgroups']; sum?: EmittedSum }
  >();
  const sums: (EmittedSum | undefined)[] = [];
  const byText = new Map<string, number>();
  const steps = fused.kernels.map((k): PlanStep => {
    const work = workOf(k);
    let made = known.get(work.text);
    if (!made) {
      const { wgsl, access, bindings, workgroups, sum } = kernelModule(k, target.limits);
      const kernel = byText.get(wgsl) ?? kernels.push({ wgsl, access }) - 1;
      byText.set(wgsl, kernel);
      made = { kernel, slots: bindings.map(s => work.storages.indexOf(s)), workgroups, ...(sum && { sum }) };
      known.set(work.text, made);
    }
    sums.push(made.sum);
    const bindings = made.slots.map(slot => bufferOf.get(work.storages[slot])!);
    return { kernel: made.kernel, bindings, workgroups: made.workgroups, label: k.label };
  });
  const tensor = (storage: StorageId, shape = fused.storages.get(storage)!.shape): PlanTensor => ({
    buffer: bufferOf.get(storage)!,
    shape,
  });
  const record = (m: ReadonlyMap<string, StorageId>) =>
    Object.fromEntries([...m].map(([name, storage]) => [name, tensor(storage)]));
  const literals = [...fused.storages.values()].flatMap(s =>
    s.data ? [{ buffer: bufferOf.get(s.id)!, data: s.data }] : [],
  );
  const outputs = Object.fromEntries([...fused.outputs].map(([name, o]) => [name, tensor(o.storage, o.shape)]));
  const plan: Plan = {
    version: 1,
    buffers,
    kernels,
    steps,
    inputs: record(fused.inputs),
    params: record(fused.params),
    outputs,
    literals,
  };
  return { plan, kernels: fused.kernels, sums };
};
