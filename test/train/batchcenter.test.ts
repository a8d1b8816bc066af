/** Centring by the mean of the batch: the running mean is state of the training step, and no optimiser's. */
import { describe, expect, it } from 'vitest';
import type { Dataset } from '../../src/data/dataset.ts';
import { provenFrom } from '../../src/fixtures/compile-source.ts';
import { interpret } from '../../src/ir/interpret.ts';
import { networkParams } from '../../src/ir/network.ts';
import { parse } from '../../src/parser/parse.ts';
import { layerCost } from '../../src/passes/cost.ts';
import { resolve } from '../../src/passes/resolve/resolve.ts';
import { stepScalars } from '../../src/passes/training/optimizer.ts';
import { buildInference, buildTrainStep } from '../../src/passes/training/train-step.ts';
import type { Checkpoint } from '../../src/train/checkpoint.ts';
import { initializeParams } from '../../src/train/initialize.ts';
import { runTraining, type TrainOptions } from '../../src/train/loop.ts';
import { stream } from '../../src/train/random.ts';
import { useDevice } from '../device.ts';

const gpu = useDevice({ prefer: 'software' });

const SOURCE = `
network Tiny {
  input image[2, 3, 3]
  batchcenter momentum = 1/4
  flatten
  head 2
}
train Tiny on mnist {
  loss cross_entropy
  optimizer adam(rate = 0.01)
  epochs 2, batch 4, seed 1
}`;

const proven = provenFrom(SOURCE.slice(0, SOURCE.indexOf('train Tiny')));
const [recipe] = resolve(parse(SOURCE).file, {}).trains;
const MEAN = 'batchcenter[0].mean';

/** Two classes; the channels have means 3 and −1. */
const data: Dataset = (() => {
  const random = stream(9, 'data');
  const labels = Int32Array.from({ length: 16 }, (_, i) => i % 2);
  const images = new Float32Array(16 * 18);
  labels.forEach((l, i) => {
    for (let p = 0; p < 18; p++)
      images[i * 18 + p] = (p < 9 ? 3 : -1) + random.uniform() - 0.5 + (l === 0 ? 0.5 : -0.5);
  });
  return { name: 'pairs', shape: [2, 3, 3], classes: 2, classesKnown: true, images, labels };
})();

const train = (change: Partial<TrainOptions> = {}) => {
  const { device, limits } = gpu();
  return runTraining({ device, target: { profile: 'software', limits }, proven, recipe, data, ...change });
};

describe('one step', () => {
  const params = new Map<string, ArrayLike<number>>(initializeParams(networkParams(proven.network), 1));
  for (const [path, v] of [...params]) for (const s of ['#m', '#v']) params.set(path + s, new Float64Array(v.length));
  params.set(MEAN, [4, 8]);
  const x = data.images.subarray(0, 4 * 18);
  const inputs = new Map<string, ArrayLike<number>>([
    ['x', x],
    ['labels', data.labels.subarray(0, 4)],
    ['step', stepScalars(recipe.optimizer, 0.01, 1)],
  ]);
  const { outputs, updates } = interpret(buildTrainStep(proven, recipe, 4), { inputs, params });
  const batchMean = [0, 1].map(c => {
    let sum = 0;
    for (let i = 0; i < 4; i++) for (let p = 0; p < 9; p++) sum += x[i * 18 + c * 9 + p];
    return sum / 36;
  });

  it('moves the running mean towards that of the batch, without an optimiser', () => {
    expect([...updates.get(MEAN)!]).toEqual([4, 8].map((m, c) => expect.closeTo(0.75 * m + 0.25 * batchMean[c], 10)));
    expect([...updates.keys()].sort()).toEqual(
      [MEAN, ...['head.W', 'head.b'].flatMap(p => [p, `${p}#m`, `${p}#v`])].sort(),
    );
  });

  it('subtracts the mean of the batch, where inference subtracts the stored one', () => {
    const infer = (mean: readonly number[]) =>
      interpret(buildInference(proven, 4), {
        inputs: new Map([['x', x]]),
        params: new Map([...params, [MEAN, mean]]),
      }).outputs.get('logits')!;
    const [trained, same, stored] = [outputs.get('logits')!, infer(batchMean), infer([4, 8])];
    expect([...trained]).toEqual([...same].map(z => expect.closeTo(z, 10)));
    expect(Math.max(...trained.map((z, i) => Math.abs(z - stored[i])))).toBeGreaterThan(0.1);
  });

  it('is counted as a layer without trainable numbers', () => {
    expect(layerCost(proven.network.layers[0], [2, 3, 3]).params).toBe(0);
  });
});

describe('a run', () => {
  it('ends with the mean of the data, and resumed with the same bits', async () => {
    const long = { ...recipe, epochs: 12 };
    const { checkpoint } = await train({ recipe: long });
    const mean = checkpoint.values.get(MEAN)!.data;
    expect(mean[0]).toBeCloseTo(3, 0);
    expect(mean[1]).toBeCloseTo(-1, 0);
    expect(checkpoint.values.has(`${MEAN}#m`)).toBe(false);

    const stop = new AbortController();
    let saved: Checkpoint | undefined;
    const first = await train({
      recipe: long,
      signal: stop.signal,
      onProgress: p => {
        if (p.epoch === 5) stop.abort();
      },
      save: c => {
        saved = c;
      },
    });
    expect(first.status).toBe('interrupted');
    const second = await train({ recipe: long, resume: { checkpoint: saved!, path: 'here' } });
    expect([...second.checkpoint.values.get(MEAN)!.data]).toEqual([...mean]);
    expect([...second.checkpoint.values.get('head.W')!.data]).toEqual([...checkpoint.values.get('head.W')!.data]);
  });
});
