/** Our side of the comparison: the two compiled programs. */

import { inBlocks, type Target } from '../src/ir/kernel.ts';
import { networkParams } from '../src/ir/network.ts';
import type { TrainRecipe } from '../src/ir/recipe.ts';
import type { TensorGraph } from '../src/ir/tensor.ts';
import { compileGraph } from '../src/passes/kernels/compile-graph.ts';
import type { ProvenNetwork } from '../src/passes/prove/prove.ts';
import { freeze } from '../src/passes/tensors/freeze.ts';
import { optimizerState, stepScalars } from '../src/passes/training/optimizer.ts';
import { buildTrainStep } from '../src/passes/training/train-step.ts';
import { createExecutor, createParamStore, type Executor } from '../src/runtime/executor.ts';
import type { Gpu } from '../src/runtime/node-device.ts';

/** Two programs on a batch that stays on the device. The first call of each compiles it. */
export interface Contender {
  /** Logits [batch, classes] of the frozen network. */
  infer(): Promise<Float32Array>;
  /** One training step from the state the last one left; the loss before the update. */
  step(): Promise<number>;
}

export interface Problem {
  readonly proven: ProvenNetwork;
  readonly recipe: TrainRecipe;
  readonly weights: ReadonlyMap<string, Float32Array>;
  readonly x: Float32Array;
  readonly labels: Float32Array;
  readonly batch: number;
}

export interface KernelTime {
  readonly label: string;
  readonly milliseconds: number;
}

export interface Lip extends Contender {
  /** Time of each dispatch of the two programs, by the device's time stamps. */
  profile(): Promise<{ readonly inference: KernelTime[]; readonly step: KernelTime[] }>;
}

const once = <T>(make: () => Promise<T>): (() => Promise<T>) => {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
};

export const openLip = (gpu: Gpu, problem: Problem): Lip => {
  const { proven, recipe, weights, x, labels, batch } = problem;
  const { device } = gpu;
  const target: Target = { profile: gpu.software ? 'software' : 'gpu', limits: gpu.limits };
  const store = createParamStore(device);
  for (const p of networkParams(proven.network)) {
    store.set(p.path, weights.get(p.path)!, p.shape);
    for (const suffix of optimizerState(recipe.optimizer)) store.zeros(`${p.path}${suffix}`, p.shape);
  }
  const compiled = async (graph: TensorGraph, of: Target): Promise<Executor> => {
    const executor = await createExecutor(device, compileGraph(graph, of).plan, store);
    executor.write('x', x);
    return executor;
  };
  const inference = once(() => compiled(freeze(proven, weights, batch).graph, inBlocks(target)));
  const training = once(async () => {
    const executor = await compiled(buildTrainStep(proven, recipe, batch), target);
    executor.write('labels', labels);
    return executor;
  });
  let steps = 0;
  const profile = async (executor: Executor): Promise<KernelTime[]> => {
    const times = await executor.profile();
    return times.map((ns, i) => ({ label: executor.plan.steps[i].label, milliseconds: ns / 1e6 }));
  };
  return {
    infer: async () => {
      const [logits] = await (await inference()).runAndRead(['logits']);
      return logits;
    },
    step: async () => {
      const executor = await training();
      executor.write('step', Float32Array.from(stepScalars(recipe.optimizer, recipe.optimizer.rate, ++steps)));
      const [loss] = await executor.runAndRead(['loss']);
      return loss[0];
    },
    profile: async () => ({ inference: await profile(await inference()), step: await profile(await training()) }),
  };
};
