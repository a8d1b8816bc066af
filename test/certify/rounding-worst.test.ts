import { describe, expect, test } from 'vitest';
import { anyOrder, gamma, sumError } from '../../src/certify/rounding-arithmetic.ts';
import { norm } from '../../src/certify/rounding-norms.ts';
import { elements, networkParams } from '../../src/ir/network.ts';
import { provenFrom } from '../proof/certified.ts';
import { randomFrom } from '../random-network.ts';
import { everything, randomWeights } from './rounding-networks.ts';

describe('a machine that does its worst', () => {
  const NEXT = new Float32Array(1);
  const BITS = new Uint32Array(NEXT.buffer);
  /** The f32 next to x ≥ 0, above it. */
  const nextUp = (x: number): number => {
    NEXT[0] = x;
    BITS[0] += 1;
    return NEXT[0];
  };
  /** The upper of the two neighbours that WGSL allows, for x > 0; exact results must stay. */
  const roundUp = (x: number): number => {
    const near = Math.fround(x);
    return near >= x ? near : nextUp(near);
  };
  const n = 512;
  const source = `network Net { input x[${n}]\n head 2\n}`;

  test('sums of n equal terms rounded upwards reach a good part of the bound, and never pass it', () => {
    const r = randomFrom(9);
    const proven = provenFrom(source);
    const params = new Map([
      ['head.W', Float32Array.from({ length: 2 * n }, () => 1 + 0.1 * r.uniform())],
      ['head.b', Float32Array.of(0.3, 0.1)],
    ]);
    const { free, emitted } = everything(proven, params);
    const rows = emitted.head!;
    const x = Float32Array.from({ length: n }, () => 1 + 0.1 * r.uniform());
    let executed = 0;
    let exact = 0;
    for (let k = 0; k < n; k++) {
      executed = roundUp(executed + roundUp(rows[k] * x[k]));
      exact += rows[k] * x[k];
    }
    executed = roundUp(executed + params.get('head.b')![0]);
    exact += params.get('head.b')![0];
    const { logits } = free.at({ input: norm(x) * (1 + 1e-9) });
    expect(executed - exact).toBeLessThanOrEqual(logits[0]);
    // A sum rounded upwards is off by 2⁻²³ of half the partial sums' average, on average.
    expect(executed - exact).toBeGreaterThan(logits[0] / 12);
  });

  /** W x + start, term by term, each operation rounded by `round`. */
  const product = (
    W: Float32Array,
    x: Float32Array,
    transposed: boolean,
    round: (v: number) => number,
  ): Float32Array => {
    const out = W.length / x.length;
    return Float32Array.from({ length: out }, (_, i) => {
      let sum = 0;
      for (let k = 0; k < x.length; k++)
        sum = round(sum + round(W[transposed ? k * out + i : i * x.length + k] * x[k]));
      return sum;
    });
  };

  test('residual layers of positive weights rounded upwards reach a visible part of the bound, and never pass it', () => {
    const m = 64;
    const hidden = 96;
    const proven = provenFrom(`network Net by sll { input x[${m}]\n residual dense hidden = ${hidden}\n head 2 }`);
    const r = randomFrom(13);
    const params = new Map(
      networkParams(proven.network).map(p => [
        p.path,
        Float32Array.from({ length: elements(p.shape) }, () => (p.path.endsWith('.q') ? 0 : 1 + 0.1 * r.uniform())),
      ]),
    );
    const { free, emitted } = everything(proven, params);
    const { W, t } = emitted.layers.get('dense[0]')!;
    const b = params.get('dense[0].b')!;
    const x = Float32Array.from({ length: m }, () => 1 + 0.1 * r.uniform());
    // Upwards everywhere but in the last subtraction, rounded to nearest: all large errors have the same sign.
    const u = product(W, x, false, roundUp).map((z, i) => roundUp(t![i] * roundUp(z + b[i])));
    const acc = product(W, u, true, roundUp);
    const executed = x.map((v, i) => v - acc[i]);
    const z = Float64Array.from({ length: hidden }, (_, i) => x.reduce((sum, v, k) => sum + W[i * m + k] * v, b[i]));
    const real = Float64Array.from(x, (v, k) => z.reduce((y, zi, i) => y - W[i * m + k] * t![i] * zi, v));
    const error = norm(real.map((v, k) => v - executed[k]));
    const { features } = free.at({ input: norm(x) * (1 + 1e-9) });
    expect(error).toBeLessThanOrEqual(features);
    expect(error).toBeGreaterThan(features / 40);
  });

  test('the bound of one dot product, and that of a network without layers nothing else', () => {
    const proven = provenFrom(source);
    const params = new Map([
      ['head.W', new Float32Array(2 * n).fill(1)],
      ['head.b', Float32Array.of(2, -3)],
    ]);
    const { free, ordered, f64, emitted } = everything(proven, params);
    const w = norm(emitted.head!.subarray(0, n));
    const classical = (k: number, u: number) => (k * u) / (1 - k * u);
    for (const [model, u] of [
      [free, 2 ** -23],
      [f64, 2 ** -53],
    ] as const) {
      const { logits, features } = model.at({ input: 10 });
      // A logit may be as large as its magnitudes: nothing cancels, and the bound is the classical one.
      expect(logits[0] / (classical(n + 2, u) * (10 * w + 2))).toBeCloseTo(1, 4);
      expect(logits[1] / (classical(n + 2, u) * (10 * w + 3))).toBeCloseTo(1, 4);
      expect(features).toBeLessThan(1e-30);
    }
    // Terms in order, then the bias.
    const [k, u] = [ordered.arithmetic.depth!(n) + 1, 2 ** -23];
    expect(ordered.at({ input: 10 }).logits[1] / (classical(k, u) * 10 * w + u * (10 * w + 3))).toBeCloseTo(1, 4);
  });

  test('where a sum cancels the bound in any order is half the classical one, and an adversary comes near it', () => {
    const m = 400;
    const a = anyOrder;
    const magnitudes = m;
    const bound = sumError(a, m, 1, magnitudes, 0, 0);
    expect(bound / (gamma(a, m + 1) * magnitudes)).toBeCloseTo(0.5, 1);
    // All positive terms first, each sum rounded upwards: partial sums are as large as subsets get.
    let sum = 0;
    for (let k = 0; k < m; k++) {
      const next = sum + (k < m / 2 ? 1 : -1) + (k % 2) * 1e-9;
      sum = next + a.unit * Math.abs(next);
    }
    expect(Math.abs(sum)).toBeLessThanOrEqual(bound);
    expect(Math.abs(sum)).toBeGreaterThan(bound / 3);
  });

  test('where overflow cannot be excluded there is no bound', () => {
    const proven = provenFrom('network Net by sll { input x[4]\n residual dense hidden = 4\n head 2 }');
    const params = randomWeights(proven, randomFrom(3));
    const { free } = everything(proven, params);
    expect(free.at({ input: 1e30 }).features).toBeLessThan(1e30);
    expect(free.at({ input: 1e38 }).features).toBe(Number.POSITIVE_INFINITY);
  });
});
