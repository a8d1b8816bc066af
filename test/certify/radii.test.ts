import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { certifiedAccuracy } from '../../src/certify/accuracy.ts';
import { certifiedRadius, headGeometry, isCertified, predict } from '../../src/certify/radii.ts';
import { add, compare, fromNumber, mul, ONE, rational, sub, toNumber, ZERO } from '../../src/ir/rational.ts';
import { readSafetensors } from '../../src/train/safetensors.ts';

const folder = new URL('../fixtures/certify/', import.meta.url).pathname;

const normalise = (w: Float32Array, classes: number): Float64Array => {
  const d = w.length / classes;
  const out = new Float64Array(w.length);
  for (let i = 0; i < classes; i++) {
    const norm = Math.hypot(...w.subarray(i * d, (i + 1) * d));
    for (let k = 0; k < d; k++) out[i * d + k] = w[i * d + k] / norm;
  }
  return out;
};

describe('the cases of the reference implementations', () => {
  for (const file of readdirSync(folder)) {
    test(file, () => {
      const { tensors, metadata } = readSafetensors(readFileSync(folder + file), file);
      const get = (name: string) => tensors.get(name)!.data as Float32Array;
      const [images, classes] = tensors.get('logits')!.shape;
      const head = headGeometry(normalise(get('head_weight'), classes), classes, ONE);
      const logits = get('logits');
      const expected = get('radius_lln');
      const tolerance = JSON.parse(metadata.tolerance).radius_lln.f64_abs;
      for (let i = 0; i < images; i++) {
        const row = logits.subarray(i * classes, (i + 1) * classes);
        expect(Math.abs(certifiedRadius(row, predict(row), head) - expected[i])).toBeLessThan(tolerance);
      }
      const at = (JSON.parse(metadata.attrs).radii_x255 as number[]).map(r => rational(r, 255));
      const result = certifiedAccuracy(logits, tensors.get('labels')!.data as Int32Array, head, at);
      result.at.forEach((a, k) => {
        expect(a.certified / images).toBeCloseTo(get('certified_lln')[k], 12);
      });
      // Which of two tied classes argmax picks is not defined, so accuracy is compared where there is no tie.
      if (file !== 'certify_edge_ties.safetensors') expect(result.correct / images).toBeCloseTo(get('accuracy')[0], 12);
    });
  }
});

// ‖ŵ_0 − ŵ_1‖ = 1 in exact arithmetic.
const unit = headGeometry(Float64Array.of(1, 0, 0, 0), 2, ONE);

describe('strictness', () => {
  test('a margin exactly at the radius is refused, one above it accepted', () => {
    expect(isCertified([1, 0], 0, unit, ONE)).toBe(false);
    expect(isCertified([1 + 2 ** -40, 0], 0, unit, ONE)).toBe(true);
    expect(isCertified([1 - 2 ** -40, 0], 0, unit, ONE)).toBe(false);
  });
  test('ties and wrong classes are refused, even at radius 0', () => {
    expect(isCertified([2, 2], 0, unit, rational(0))).toBe(false);
    expect(isCertified([2, 2], 1, unit, rational(0))).toBe(false);
    expect(isCertified([1, 2], 0, unit, rational(0))).toBe(false);
    expect(certifiedRadius([2, 2], 0, unit)).toBe(0);
    expect(certifiedRadius([1, 2], 0, unit)).toBeLessThan(0);
  });
  test('NaN and infinite logits certify nothing, wherever they stand', () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      expect(isCertified([5, bad], 0, unit, rational(0))).toBe(false);
      expect(isCertified([bad, 5], 0, unit, rational(0))).toBe(false);
      expect(certifiedRadius([5, bad], 0, unit)).toBeNaN();
      expect(certifiedRadius([bad, 5], 0, unit)).toBeNaN();
      expect(predict([5, bad])).toBe(-1);
    }
    const bad = certifiedAccuracy(Float32Array.of(Number.NaN, 0, 3, 0), [0, 0], unit, [ONE]);
    expect(bad.correct).toBe(1);
    expect(bad.at[0].certified).toBe(1);
  });
  test('an unbounded margin between equal rows', () => {
    const same = headGeometry(Float64Array.of(1, 0, 1, 0), 2, ONE);
    expect(certifiedRadius([1, 0], 0, same)).toBe(Number.POSITIVE_INFINITY);
    expect(certifiedRadius([0, 1], 0, same)).toBe(Number.NEGATIVE_INFINITY);
    expect(certifiedRadius([1, 1], 0, same)).toBe(0);
  });
});

test('the bound of the network divides the radius', () => {
  const rows = Float64Array.of(1, 0, 0, 1);
  const tight = certifiedRadius([1, 0], 0, headGeometry(rows, 2, ONE));
  const loose = certifiedRadius([1, 0], 0, headGeometry(rows, 2, rational(9, 4)));
  expect(tight / loose).toBeCloseTo(1.5, 12);
});

test('the pairwise distance is never rounded down', () => {
  for (let seed = 1; seed < 50; seed++) {
    const d = 7 * seed;
    const rows = Float64Array.from({ length: 2 * d }, (_, k) => Math.sin(seed * 1000 + k * k));
    let exact = ZERO;
    for (let k = 0; k < d; k++) {
      const e = sub(fromNumber(rows[k]), fromNumber(rows[d + k]));
      exact = add(exact, mul(e, e));
    }
    const bound = headGeometry(rows, 2, ONE).squaredSlopes[1];
    expect(compare(fromNumber(bound), exact)).toBe(1);
    expect(bound).toBeLessThan(toNumber(exact) * (1 + 1e-12));
  }
});
