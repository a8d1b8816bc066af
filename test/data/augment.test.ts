import { describe, expect, test } from 'vitest';
import { augmentationProblem, augmenter } from '../../src/data/augment.ts';
import type { Augmentation } from '../../src/ir/recipe.ts';
import type { Random } from '../../src/train/random.ts';
import { stream } from '../../src/train/random.ts';

const image = (shape: readonly number[], f = (i: number) => ((i * 53) % 97) / 97): Float32Array =>
  Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => f(i));

/** A generator that returns what the test wants. */
const scripted = (below: number[], uniform: number[] = []): Random => ({
  u32: () => 0,
  normal: () => 0,
  below: () => below.shift()!,
  uniform: () => uniform.shift()!,
});

test('the same stream gives the same bits, another does not', () => {
  const shape = [3, 8, 8];
  const all: Augmentation[] = [
    { kind: 'crop', pad: 2, mode: 'reflect' },
    { kind: 'flip' },
    { kind: 'jitter', brightness: [0.9, 1.1], contrast: [0.5, 2], saturation: [0.3, 2], hue: [-0.02, 0.02] },
  ];
  const apply = augmenter(all, shape);
  const run = (name: string) => {
    const x = image(shape);
    apply(x, stream(7, name));
    return x;
  };
  expect(run('a')).toEqual(run('a'));
  expect(run('a')).not.toEqual(run('b'));
  for (const v of run('a')) expect(v >= 0 && v <= 1).toBe(true);
});

describe('crop', () => {
  const x = () => Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9);
  test('zeros', () => {
    const y = x();
    augmenter([{ kind: 'crop', pad: 1, mode: 'zeros' }], [1, 3, 3])(y, scripted([0, 2]));
    expect([...y]).toEqual([0, 0, 0, 2, 3, 0, 5, 6, 0]);
  });
  test('reflect does not repeat the border', () => {
    const y = x();
    augmenter([{ kind: 'crop', pad: 2, mode: 'reflect' }], [1, 3, 3])(y, scripted([0, 2]));
    expect([...y]).toEqual([7, 8, 9, 4, 5, 6, 1, 2, 3]);
    const z = x();
    augmenter([{ kind: 'crop', pad: 1, mode: 'reflect' }], [1, 3, 3])(z, scripted([1, 2]));
    expect([...z]).toEqual([2, 3, 2, 5, 6, 5, 8, 9, 8]);
  });
  test('reaches every shift', () => {
    const apply = augmenter([{ kind: 'crop', pad: 1, mode: 'zeros' }], [1, 3, 3]);
    const random = stream(1, 'shifts');
    const seen = new Set<string>();
    for (let i = 0; i < 300; i++) {
      const y = x();
      apply(y, random);
      seen.add(y.join());
    }
    expect(seen.size).toBe(9);
  });
});

test('flip reverses every row, half of the time', () => {
  const apply = augmenter([{ kind: 'flip' }], [2, 1, 3]);
  const y = Float32Array.of(1, 2, 3, 4, 5, 6);
  apply(y, scripted([], [0.49]));
  expect([...y]).toEqual([3, 2, 1, 6, 5, 4]);
  apply(y, scripted([], [0.5]));
  expect([...y]).toEqual([3, 2, 1, 6, 5, 4]);
});

describe('jitter', () => {
  const jitter = (change: Partial<Extract<Augmentation, { kind: 'jitter' }>>): Augmentation => ({
    kind: 'jitter',
    brightness: [1, 1],
    contrast: [1, 1],
    saturation: [1, 1],
    hue: [0, 0],
    ...change,
  });
  const run = (a: Augmentation, pixels: number[], shape: number[]) => {
    const y = Float32Array.from(pixels);
    augmenter([a], shape)(y, stream(3, 'jitter'));
    return [...y].map(v => Number(v.toFixed(5)));
  };
  test('brightness multiplies and clamps', () => {
    expect(run(jitter({ brightness: [2, 2] }), [0.1, 0.6], [1, 1, 2])).toEqual([0.2, 1]);
  });
  test('contrast moves away from the mean', () => {
    expect(run(jitter({ contrast: [0.5, 0.5] }), [0.2, 0.6], [1, 1, 2])).toEqual([0.3, 0.5]);
  });
  test('saturation 0 is the luma', () => {
    const luma = 0.2989 * 0.8 + 0.587 * 0.4 + 0.114 * 0.2;
    expect(run(jitter({ saturation: [0, 0] }), [0.8, 0.4, 0.2], [3, 1, 1])).toEqual(
      [luma, luma, luma].map(v => Number(v.toFixed(5))),
    );
  });
  test('a third of the hue circle turns red into green and green into blue; identity leaves colours alone', () => {
    expect(run(jitter({ hue: [1 / 3, 1 / 3] }), [1, 0, 0], [3, 1, 1])).toEqual([0, 1, 0]);
    expect(run(jitter({ hue: [1 / 3, 1 / 3] }), [0.25, 0.75, 0.25], [3, 1, 1])).toEqual([0.25, 0.25, 0.75]);
    expect(run(jitter({}), [0.3, 0.9, 0.1], [3, 1, 1])).toEqual([0.3, 0.9, 0.1]);
  });
});

test('what cannot be augmented is said', () => {
  expect(augmentationProblem([], [784])).toBeUndefined();
  expect(augmentationProblem([{ kind: 'flip' }], [784])).toMatch(/not vectors/);
  expect(augmentationProblem([{ kind: 'crop', pad: 4, mode: 'reflect' }], [1, 4, 9])).toMatch(/larger than 4/);
});
