/** Tensor IR → kernels → plan. */
import { kernelModule } from '../codegen/wgsl.ts';
import type { Kernel, StorageId, Target } from '../ir/kernel.ts';
import type { TensorGraph } from '../ir/tensor.ts';
import type { Plan, PlanKernel, PlanStep, PlanTensor } from '../runtime/plan.ts';
import { fuse } from './fuse.ts';
import { planMemory } from './plan-memory.ts';
import { schedule } from './schedule.ts';

/**
 * Compiles a tensor graph for a target: fuse → schedule → plan memory → WGSL. `kernels` are the scheduled kernels, one a step, for
 * printing. Every input, param and output of the graph is in the plan, used or not.
 */
export const compileGraph = (graph: TensorGraph, target: Target): { plan: Plan; kernels: readonly Kernel[] } => {
  const fused = schedule(fuse(graph, target.limits), target);
  const { buffers, bufferOf } = planMemory(fused.kernels, fused.storages);
  const kernels: PlanKernel[] = [];
  const known = new Map<string, number>();
  const steps = fused.kernels.map((k): PlanStep => {
    const { wgsl, access, bindings, workgroups } = kernelModule(k, target.limits);
    let kernel = known.get(wgsl);
    if (kernel === undefined) {
      kernel = kernels.length;
      known.set(wgsl, kernel);
      kernels.push({ wgsl, access });
    }
    return { kernel, bindings: bindings.map(s => bufferOf.get(s)!), workgroups, label: k.label };
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
  return { plan, kernels: fused.kernels };
};
