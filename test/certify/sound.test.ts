import { describe, expect, test } from 'vitest';
import { headGeometry } from '../../src/certify/radii.ts';
import type { RoundingModel } from '../../src/certify/rounding.ts';
import {
  clears,
  type Evidence,
  isSound,
  type SoundImages,
  soundAccuracy,
  soundRadius,
  undecided,
} from '../../src/certify/sound.ts';
import { fromNumber, ONE, rational, sub, ZERO } from '../../src/ir/rational.ts';
import { useDevice } from '../device.ts';
import { provenFrom } from '../proof/certified.ts';
import { randomFrom } from '../random-network.ts';
import { across, normalWeights, searchNeighbours } from './neighbours.ts';

const gpu = useDevice({ prefer: 'software' });

/** A model whose features are off by `features`, plus `perNorm` times the input's norm. */
const model = (features: number, perNorm = 0): RoundingModel => ({
  arithmetic: { name: 'test', unit: 0, underflow: 0, largest: 1, tanh: 0, sigmoid: 0 },
  at: x => ({ features: features + perNorm * x.input, logits: new Float64Array(2) }),
  layers: () => [],
});
// ‖ŵ_0 − ŵ_1‖ = 1 in exact arithmetic; squaredSlopes is a little above.
const unit = headGeometry(Float64Array.of(1, 0, 0, 0), 2, ONE);
const head = { slopes: unit, distances: unit };

describe('the comparison is exact', () => {
  test('a margin equal to error plus slope times radius is refused, the next number accepted', () => {
    const third = rational(1, 3);
    expect(clears(1, 0.5, 0.25, 1, rational(1, 4))).toBe(false);
    expect(clears(1 + 2 ** -52, 0.5, 0.25, 1, rational(1, 4))).toBe(true);
    expect(clears(1, 0.5, 0.25, 1, sub(rational(1, 4), rational(1n, 1n << 200n)))).toBe(true);
    expect(clears(1, 0.5, 0.25, 1, rational((1n << 198n) + 1n, 1n << 200n))).toBe(false);
    // fl(1/3) < 1/3: the number is just short of the rational.
    expect(clears(1 / 3, 0, 0, 1, third)).toBe(false);
    expect(clears(1 / 3 + 2 ** -54, 0, 0, 1, third)).toBe(true);
  });
  test('a margin whose f64 difference would round upwards is refused', () => {
    // 1 − 2⁻⁶⁰ rounds to 1.
    expect(1 - 2 ** -60).toBe(1);
    expect(clears(1, 2 ** -60, 0, 1, ONE)).toBe(false);
    expect(clears(1, -(2 ** -60), 0, 1, ONE)).toBe(true);
  });
  test('what is not finite certifies nothing', () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(clears(bad, 0, 0, 1, ZERO)).toBe(false);
      expect(clears(1, 0, bad, 1, ZERO)).toBe(false);
      expect(clears(1, 0, 0, bad, ZERO)).toBe(false);
    }
  });
  test('agrees with exact arithmetic near the edge', () => {
    const r = randomFrom(21);
    for (let i = 0; i < 300; i++) {
      const [error, slope, radius] = [r.uniform() * 10 ** -r.integer(0, 8), Math.fround(1 + r.uniform()), r.uniform()];
      const a = error + slope * radius + r.integer(-3, 3) * 2 ** -52 * (error + slope * radius);
      const lhs = sub(fromNumber(a), fromNumber(error));
      const want =
        lhs.num > 0n &&
        lhs.num * lhs.num * fromNumber(radius).den ** 2n >
          (fromNumber(slope * slope).num * fromNumber(radius).num ** 2n * lhs.den * lhs.den) /
            fromNumber(slope * slope).den;
      expect(clears(a, 0, error, slope * slope, fromNumber(radius))).toBe(want);
    }
  });
});

describe('errors at the centre and in the ball count', () => {
  const x = { input: 2 };
  test("the radius shrinks by both, and by the ball's growth with the radius", () => {
    const logits = Float32Array.of(1, 0);
    const e = (ball?: RoundingModel): Evidence => ({ logits, centre: model(0.1), ...(ball ? { ball } : {}) });
    expect(soundRadius(e(), x, 0, head)).toBeCloseTo(0.9, 6);
    expect(soundRadius(e(model(0.2)), x, 0, head)).toBeCloseTo(0.7, 6);
    // 1 = 0.1 + 0.1·(2 + r) + r
    expect(soundRadius(e(model(0, 0.1)), x, 0, head)).toBeCloseTo(0.7 / 1.1, 6);
    expect(soundRadius(e(model(Number.POSITIVE_INFINITY)), x, 0, head)).toBe(0);
    expect(soundRadius(e(), x, 1, head)).toBe(0);
  });
  test('a radius found is certified, and one a little larger is not', () => {
    const e: Evidence = { logits: Float32Array.of(1, 0), centre: model(0.1), ball: model(0.01, 0.1) };
    const radius = soundRadius(e, x, 0, head);
    expect(isSound(e, x, 0, head, fromNumber(radius * (1 - 1e-6)))).toBe(true);
    expect(isSound(e, x, 0, head, fromNumber(radius * (1 + 1e-6)))).toBe(false);
  });
});

test('accuracy counts what any evidence proves, but nothing that the execution got wrong', () => {
  const images: SoundImages = {
    labels: [0, 0, 1, 0],
    norms: [1, 1, 1, 1].map(input => ({ input })),
    logits: Float32Array.of(1, 0, 0.55, 0, 0, 0.2, 0, 1),
    head,
    radii: [rational(1, 2)],
  };
  const rough = model(0.1);
  const fine = model(0);
  expect(undecided(images, rough)).toEqual([1]);
  const row = (i: number) => images.logits.subarray(2 * i, 2 * i + 2);
  const coarse = soundAccuracy('any-order', 'executed', images, i => [{ logits: row(i), centre: rough, ball: rough }]);
  expect(coarse.at.map(a => a.certified)).toEqual([1]);
  const measured = soundAccuracy('measured', 'real', images, i => [
    { logits: row(i), centre: rough, ball: rough },
    // The last image: right in f64, but the execution at hand says otherwise.
    { logits: i === 3 ? Float64Array.of(1, 0) : row(i), centre: fine },
  ]);
  expect(measured.at.map(a => a.certified)).toEqual([2]);
  expect(measured.radii[3]).toBe(0);
  expect(measured.radii[1]).toBeCloseTo(0.55, 6);
});

describe('neighbouring floats at the edge of certified balls', () => {
  const LINEAR = 'network Net {\n input x[48]\n head 3\n}';
  const DEEP = `network Net by sll {
    input x[24]
    residual dense hidden = 32
    dense 16 by orthogonal(cayley)
    maxmin
    head 3
  }`;
  const search = (source: string, seed: number, scale: number) => {
    const proven = provenFrom(source);
    return searchNeighbours(gpu(), proven, normalWeights(proven, seed), {
      seed,
      centres: 60,
      tries: 3000,
      draw: across(scale),
      near: [-5, -1],
    });
  };
  const unbroken = { sound: 0, structured: 0, measured: 0 };
  const BRANCHING = `network Net by sll {
    input x[24]
    let a = it |> residual dense hidden = 32
    let b = it |> dense 24 by orthogonal(cayley) |> maxmin
    mix(a, b)
    let kept, rest = split(it)
    let bent = rest |> dense 12 by aol |> abs
    concat(kept, bent)
    head 3
  }`;
  test('break the naive certificate of a linear network, and no sound one', async () => {
    const { tries, broken } = await search(LINEAR, 31, 100);
    expect(Math.min(tries.sound, tries.structured, tries.measured)).toBeGreaterThan(1000);
    expect(broken.naive).toBeGreaterThan(0);
    expect(broken).toMatchObject(unbroken);
  });
  test('break no sound certificate of a deep network, nor of one with branches', async () => {
    for (const [source, seed] of [
      [DEEP, 32],
      [BRANCHING, 33],
    ] as const) {
      const { tries, broken } = await search(source, seed, 30);
      expect(Math.min(tries.sound, tries.structured, tries.measured)).toBeGreaterThan(1000);
      expect(broken).toMatchObject(unbroken);
    }
  });
});
