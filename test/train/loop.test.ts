import { expect, test } from 'vitest';
import type { Dataset } from '../../src/data/dataset.ts';
import { InputFileError } from '../../src/data/input-file-error.ts';
import type { TrainRecipe } from '../../src/ir/recipe.ts';
import { parse } from '../../src/parser/parse.ts';
import { type ProvenNetwork, prove } from '../../src/passes/prove/prove.ts';
import { resolve } from '../../src/passes/resolve/resolve.ts';
import type { Checkpoint } from '../../src/train/checkpoint.ts';
import { DivergedError, runTraining, type TrainOptions, type TrainProgress } from '../../src/train/loop.ts';
import { stream } from '../../src/train/random.ts';
import { useDevice } from '../device.ts';

const gpu = useDevice({ prefer: 'software' });

const SOURCE = `
network Tiny by sll {
  input image[1, 6, 6] in [0, 1]
  center 0.5
  pad channels to 2
  residual conv hidden = 3, kernel = 3
  avgpool 2
  flatten
  residual dense hidden = 8
  head 3
}
train Tiny on mnist {
  loss cross_entropy(offset = 1, temperature = 1/2)
  optimizer adam(rate = 0.02, betas = [0.5, 0.9])
  schedule triangular(peak = 2/5, knee = 4/5)
  augment crop(1, zeros), flip
  epochs 3, batch 8, seed 1
}`;

const load = (): { proven: ProvenNetwork; recipe: TrainRecipe } => {
  const parsed = parse(SOURCE);
  const program = resolve(parsed.file, {});
  expect([...parsed.diagnostics, ...program.diagnostics]).toEqual([]);
  const result = prove(program.networks[0]);
  if (!('proven' in result)) throw new Error('not proven');
  return { proven: result.proven, recipe: program.trains[0] };
};
const { proven, recipe } = load();

/** Three classes told apart by which third of the rows is bright; 43 images, so that 3 are left out of every epoch. */
const data: Dataset = (() => {
  const random = stream(9, 'data');
  const labels = Int32Array.from({ length: 43 }, (_, i) => i % 3);
  const images = new Float32Array(43 * 36);
  labels.forEach((l, i) => {
    for (let p = 0; p < 36; p++) images[i * 36 + p] = 0.3 * random.uniform() + (Math.floor(p / 12) === l ? 0.6 : 0);
  });
  return { name: 'stripes', shape: [1, 6, 6], classes: 3, classesKnown: true, images, labels };
})();

const train = (change: Partial<TrainOptions> = {}) => {
  const { device, limits } = gpu();
  return runTraining({ device, target: { profile: 'software', limits }, proven, recipe, data, ...change });
};
const bits = (c: Checkpoint) =>
  new Map(
    [...c.values].map(([path, v]) => [
      path,
      [...new Uint32Array(v.data.buffer, v.data.byteOffset, v.data.length)].join(),
    ]),
  );

test('it learns, reports every reading and ends with the whole state', async () => {
  const seen: TrainProgress[] = [];
  const constant = { ...recipe, epochs: 8, schedule: { kind: 'constant' } } as const;
  const { status, checkpoint } = await train({ recipe: constant, onProgress: p => seen.push(p) });
  expect(status).toBe('finished');
  expect(checkpoint.step).toBe(40);
  expect(seen.length).toBe(40);
  expect(seen.filter(p => p.step === p.stepsPerEpoch).map(p => p.epoch)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  expect(seen.at(-1)!.loss).toBeLessThan(0.7 * seen[4].loss);
  const paths = ['conv[0].W', 'conv[0].b', 'conv[0].q', 'dense[0].W', 'dense[0].b', 'dense[0].q', 'head.W', 'head.b'];
  expect([...checkpoint.values.keys()].sort()).toEqual(paths.flatMap(p => [p, `${p}#m`, `${p}#v`]).sort());
});

test('same seed, same bits; another seed, other bits', async () => {
  const first = bits((await train()).checkpoint);
  expect(bits((await train()).checkpoint)).toEqual(first);
  expect(bits((await train({ recipe: { ...recipe, seed: 2 } })).checkpoint)).not.toEqual(first);
});

test('stopped in the middle of an epoch and resumed: the same bits as in one go', async () => {
  const whole = bits((await train()).checkpoint);
  const stop = new AbortController();
  let saved: Checkpoint | undefined;
  const first = await train({
    signal: stop.signal,
    onProgress: p => {
      if (p.epoch === 2 && p.step === 2) stop.abort();
    },
    save: c => {
      saved = c;
    },
  });
  expect(first.status).toBe('interrupted');
  expect(saved).toBe(first.checkpoint);
  expect(first.checkpoint.step).toBeGreaterThanOrEqual(7);
  expect(first.checkpoint.step).toBeLessThan(10);
  const second = await train({ resume: { checkpoint: first.checkpoint, path: 'c' } });
  expect(second.status).toBe('finished');
  expect(bits(second.checkpoint)).toEqual(whole);
});

test('with a constant rate two epochs are one and one more', async () => {
  const constant: TrainRecipe = { ...recipe, schedule: { kind: 'constant' } };
  const two = await train({ recipe: { ...constant, epochs: 2 } });
  const one = await train({ recipe: { ...constant, epochs: 1 } });
  const more = await train({ recipe: { ...constant, epochs: 2 }, resume: { checkpoint: one.checkpoint, path: 'c' } });
  expect(bits(more.checkpoint)).toEqual(bits(two.checkpoint));
});

test('states are saved between epochs, at most as often as asked', async () => {
  const saved: number[] = [];
  await train({ save: c => saved.push(c.step), saveEvery: 0 });
  expect(saved).toEqual([5, 10, 15]);
  saved.length = 0;
  await train({ save: c => saved.push(c.step) });
  expect(saved).toEqual([15]);
});

test('divergence is reported and nothing of it is saved', async () => {
  const wild = {
    ...recipe,
    optimizer: { kind: 'sgd', rate: 1e38, momentum: 0, nesterov: false, weightDecay: 0 },
  } as const;
  const saved: number[] = [];
  const run = train({ recipe: { ...wild, schedule: { kind: 'constant' } }, save: c => saved.push(c.step) });
  await expect(run).rejects.toThrow(DivergedError);
  expect(saved).toEqual([]);
});

test('fewer images than a batch, or a checkpoint of another recipe, are refused', async () => {
  await expect(train({ recipe: { ...recipe, batch: 44 } })).rejects.toThrow(
    /stripes has 43 images, fewer than one batch of 44/,
  );
  const { checkpoint } = await train({ recipe: { ...recipe, epochs: 1 } });
  const resumed = train({ resume: { checkpoint, path: 'old.safetensors' } });
  await expect(resumed).rejects.toThrow(InputFileError);
  await expect(resumed).rejects.toThrow(
    /old\.safetensors was written by a run with another recipe: epochs was 1, is 3/,
  );
});
