import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Network } from '../../src/ir/network.ts';
import { ONE, rational, ZERO } from '../../src/ir/rational.ts';
import type { TrainRecipe } from '../../src/ir/recipe.ts';
import { architecture } from '../../src/train/architecture.ts';
import type { Checkpoint } from '../../src/train/checkpoint.ts';
import {
  checkResumable,
  loadCheckpoint,
  loadWeights,
  recipeFields,
  saveCheckpoint,
} from '../../src/train/checkpoint.ts';
import type { StoredTensor } from '../../src/train/safetensors.ts';
import { writeSafetensors } from '../../src/train/safetensors.ts';
import { prepareFolder } from '../../src/train/write-atomically.ts';

const span = { start: 0, end: 0 };
const recipe: TrainRecipe = {
  network: 'Net',
  data: { name: 'mnist', args: [], span },
  loss: { kind: 'cross_entropy', offset: 2, temperature: 0.25 },
  optimizer: { kind: 'adam', rate: 0.01, betas: [0.5, 0.9], eps: 1e-8, weightDecay: 0 },
  schedule: { kind: 'triangular', peak: rational(2, 5), knee: rational(4, 5) },
  augment: [],
  epochs: 2,
  batch: 8,
  seed: 1,
  span,
};
const network: Network = {
  name: 'Net',
  input: { id: 0, shape: [2], span },
  layers: [
    {
      id: 1,
      inputs: [0],
      shape: [2],
      path: 'head',
      span,
      op: {
        kind: 'head',
        classes: 2,
        eps: ZERO,
        weight: { path: 'head.W', shape: [2, 2], init: { kind: 'zeros' } },
        bias: { path: 'head.b', shape: [2], init: { kind: 'zeros' } },
      },
    },
  ],
  budget: ONE,
  span,
};
const value = (shape: number[], ...data: number[]) => ({ shape, data: Float32Array.from(data) });
const checkpoint = (change: Partial<Checkpoint> = {}): Checkpoint => ({
  network: 'Net',
  step: 5,
  recipe: recipeFields(recipe),
  values: new Map([
    ['head.W', value([2, 2], 1, 2, 3, 4)],
    ['head.b', value([2], 0.5, -0.5)],
    ['head.b#m', value([2], 1e-9, 0)],
  ]),
  ...change,
});

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'lip-checkpoint-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test('a checkpoint comes back as it went, its weights alone too', () => {
  const path = join(dir, 'deep', 'er', 'net.safetensors');
  saveCheckpoint(path, checkpoint());
  expect(loadCheckpoint(path)).toEqual(checkpoint());
  expect(loadWeights(path, network)).toEqual(
    new Map([
      ['head.W', Float32Array.of(1, 2, 3, 4)],
      ['head.b', Float32Array.of(0.5, -0.5)],
    ]),
  );
  expect(readdirSync(join(dir, 'deep', 'er'))).toEqual(['net.safetensors']);
});

test('NaN is not written, and the file before it stays', () => {
  const path = join(dir, 'nan.safetensors');
  saveCheckpoint(path, checkpoint());
  const bad = checkpoint({ values: new Map([['head.W', value([2, 2], 1, 2, Number.NaN, 4)]]) });
  expect(() => saveCheckpoint(path, bad)).toThrow(/entry 2 of head\.W is NaN/);
  expect(loadCheckpoint(path)).toEqual(checkpoint());
});

test('weights with NaN or infinity are refused by tensor and entry', () => {
  for (const v of [Number.NaN, Number.POSITIVE_INFINITY]) {
    const path = join(dir, 'bad.safetensors');
    const W = { dtype: 'F32', shape: [2, 2], data: Float32Array.of(1, v, 3, 4) } as const;
    const b = { dtype: 'F32', shape: [2], data: new Float32Array(2) } as const;
    writeFileSync(
      path,
      writeSafetensors(
        new Map<string, StoredTensor>([
          ['head.W', W],
          ['head.b', b],
        ]),
      ),
    );
    expect(() => loadWeights(path, network)).toThrow(`entry 1 of tensor head.W is ${v}`);
  }
});

test('a truncated checkpoint is refused', () => {
  const path = join(dir, 'cut.safetensors');
  saveCheckpoint(path, checkpoint());
  const bytes = readFileSync(path);
  writeFileSync(path, bytes.subarray(0, bytes.length - 3));
  expect(() => loadCheckpoint(path)).toThrow(/cut\.safetensors: cut short/);
  expect(() => loadWeights(path, network)).toThrow(/cut short/);
});

test('weights of another network are refused', () => {
  const path = join(dir, 'other.safetensors');
  saveCheckpoint(path, checkpoint({ values: new Map([['head.W', value([2, 2], 1, 2, 3, 4)]]) }));
  expect(() => loadWeights(path, network)).toThrow(/lacks 1 of the 2 parameters of Net: head\.b/);
  saveCheckpoint(
    path,
    checkpoint({
      values: new Map([
        ['head.W', value([4], 1, 2, 3, 4)],
        ['head.b', value([2], 0, 0)],
      ]),
    }),
  );
  expect(() => loadWeights(path, network)).toThrow(/head\.W has shape \[4\], but Net needs \[2, 2\]/);
  expect(() => loadWeights(join(dir, 'absent'), network)).toThrow(/there is no such file/);
  expect(() => loadWeights(dir, network)).toThrow(/it is a folder/);
});

test('surplus tensors are refused, unless any network will do', () => {
  const path = join(dir, 'surplus.safetensors');
  saveCheckpoint(path, checkpoint({ values: new Map([...checkpoint().values, ['head.q', value([1], 0)]]) }));
  expect(() => loadWeights(path, network)).toThrow(/has 1 tensor that Net does not: head\.q$/);
  expect(loadWeights(path, network, { anyNetwork: true }).size).toBe(2);
});

test('weights of other layers with the same shapes are refused, and not resumed', () => {
  const path = join(dir, 'layers.safetensors');
  const [head] = network.layers;
  const act = (kind: 'tanh' | 'sigmoid'): Network => ({
    ...network,
    layers: [{ id: 2, inputs: [0], shape: [2], path: 'act[0]', span, op: { kind: 'activation', act: { kind } } }, head],
  });
  const trained = checkpoint({ architecture: architecture(act('tanh')) });
  saveCheckpoint(path, trained);
  expect(loadCheckpoint(path)).toEqual(trained);
  expect(loadWeights(path, act('tanh')).size).toBe(2);
  const message = /another network than Net: act\[0\] was `tanh \(input\) -> \[2\]`, is `sigmoid \(input\) -> \[2\]`/;
  expect(() => loadWeights(path, act('sigmoid'))).toThrow(message);
  expect(loadWeights(path, act('sigmoid'), { anyNetwork: true }).size).toBe(2);
  expect(() => checkResumable(trained, path, recipe, act('sigmoid'), new Map())).toThrow(message);
  expect(() => loadWeights(path, network)).toThrow(/act\[0\] is not there any more/);
  // Names, budgets and initial values make no other function.
  const input = { ...network.input, range: [ZERO, ONE] } as const;
  const renamed = { ...act('tanh'), name: 'Other', budget: rational(2), input };
  expect(loadWeights(path, renamed).size).toBe(2);
});

test('weights that are no checkpoint cannot be resumed', () => {
  const path = join(dir, 'plain.safetensors');
  writeFileSync(path, writeSafetensors(new Map()));
  expect(() => loadCheckpoint(path)).toThrow(/not a checkpoint of a training run/);
});

test('a recipe that is no object is refused', () => {
  const path = join(dir, 'recipe.safetensors');
  for (const recipe of ['null', '3', '{']) {
    const metadata = { format: 'lip-checkpoint-1', network: 'Net', step: '1', recipe };
    writeFileSync(path, writeSafetensors(new Map(), metadata));
    expect(() => loadCheckpoint(path)).toThrow(/the recipe in its metadata is not a JSON object/);
  }
});

test('folders that cannot be made are refused, without waiting for ever', () => {
  writeFileSync(join(dir, 'file'), '');
  expect(() => prepareFolder(join(dir, 'file'))).toThrow(/it is a file, not a folder/);
  expect(() => prepareFolder(join(dir, 'file', 'sub', 'deeper'))).toThrow(/it is a file, not a folder/);
  if (existsSync('/proc/self')) expect(() => prepareFolder('/proc/lip/out')).toThrow(/cannot write \/proc\/lip\/out/);
});

test('a run resumes only under its own recipe', () => {
  const needed = new Map([['head.b#m', [2]]]);
  const check =
    (r: TrainRecipe, c = checkpoint(), n: Map<string, number[]> = needed) =>
    () =>
      checkResumable(c, 'c', r, network, n);
  expect(check(recipe)).not.toThrow();
  expect(check({ ...recipe, seed: 2 })).toThrow(/seed was 1, is 2/);
  expect(check({ ...recipe, epochs: 3 })).toThrow(/epochs was 2, is 3/);
  const constant = { ...recipe, schedule: { kind: 'constant' } } as const;
  expect(check({ ...constant, epochs: 3 }, checkpoint({ recipe: recipeFields(constant) }))).not.toThrow();
  expect(check({ ...recipe, network: 'Other' })).toThrow(/checkpoint of Net, but the recipe trains Other/);
  expect(check(recipe, checkpoint(), new Map([['head.b#v', [2]]]))).toThrow(/head\.b#v is missing/);
  expect(check(recipe, checkpoint(), new Map([['head.b#m', [1, 2]]]))).toThrow(
    /head\.b#m is \[2\], but the run needs \[1, 2\]/,
  );
});
