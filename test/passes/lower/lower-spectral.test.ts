import { describe, expect, it } from 'vitest';
import { interpret } from '../../../src/ir/interpret.ts';
import type { LinearMap, SpectralMethod } from '../../../src/ir/network.ts';
import { convAttrs, GraphBuilder } from '../../../src/ir/tensor.ts';
import { spectralBound } from '../../../src/passes/lower/lower-spectral.ts';
import { noise } from '../../gradient.ts';
import { conv, dense } from '../../networks.ts';

const size = (s: readonly number[]) => s.reduce((p, d) => p * d, 1);

const bound = (
  map: LinearMap,
  weight: ArrayLike<number>,
  method: SpectralMethod,
  image: readonly number[] = [],
): number => {
  const b = new GraphBuilder();
  b.output('l', spectralBound(b, map, b.param('l.W', map.weight.shape), image, method));
  return interpret(b.finish(), { inputs: new Map(), params: new Map([['l.W', weight]]) }).outputs.get('l')![0];
};

/** ‖conv‖² on images of `image`, from below, by power iteration. */
const lowerBound = (
  map: Extract<LinearMap, { kind: 'conv' }>,
  weight: ArrayLike<number>,
  image: readonly number[],
  mode: 'zeros' | 'circular' = 'zeros',
): number => {
  const b = new GraphBuilder();
  const attrs = convAttrs({ padding: map.padding, mode });
  const [x, k] = [b.input('x', [1, ...image]), b.param('l.W', map.weight.shape)];
  b.output('y', b.convTranspose(b.conv(x, k, attrs), k, [image[1], image[2]], attrs));
  const graph = b.finish();
  let v: Float64Array = noise(size(image), 5);
  let norm = 0;
  for (let i = 0; i < 150; i++) {
    norm = Math.hypot(...v);
    v = interpret(graph, {
      inputs: new Map([['x', v.map(a => a / norm)]]),
      params: new Map([['l.W', weight]]),
    }).outputs.get('y')!;
  }
  return Math.hypot(...v);
};

describe('dense', () => {
  it('is exact on a diagonal matrix, from above, and tightens with each step', () => {
    const map = dense('l', 3, 3);
    const diagonal = [3, 0, 0, 0, -2, 0, 0, 0, 1];
    const at = (steps: number) => bound(map, diagonal, { kind: 'gram', steps, grid: 0 });
    expect(at(1)).toBeCloseTo(Math.sqrt(81 + 16 + 1), 12);
    expect(at(2)).toBeCloseTo((3 ** 8 + 2 ** 8 + 1) ** 0.25, 12);
    for (let s = 1; s < 5; s++) expect(at(s + 1)).toBeLessThan(at(s));
    expect(at(8)).toBeCloseTo(9, 10);
  });
  it('holds for tall, wide, zero and tiny matrices', () => {
    for (const [r, c] of [
      [4, 7],
      [7, 4],
    ]) {
      const w = noise(r * c, 3);
      const l = bound(dense('l', r, c), w, { kind: 'gram', steps: 20, grid: 0 });
      const small = bound(
        dense('l', r, c),
        w.map(v => v * 1e-100),
        { kind: 'gram', steps: 20, grid: 0 },
      );
      expect(small / l / 1e-200).toBeCloseTo(1, 9);
      const quotient = (v: Float64Array) => {
        const image = Array.from({ length: r }, (_, i) => v.reduce((s, x, j) => s + w[i * c + j] * x, 0));
        return Math.hypot(...image) ** 2 / Math.hypot(...v) ** 2;
      };
      for (let s = 0; s < 50; s++) expect(quotient(noise(c, 20 + s))).toBeLessThanOrEqual(l);
    }
    expect(bound(dense('l', 2, 3), new Float64Array(6), { kind: 'gram', steps: 5, grid: 0 })).toBe(0);
  });
});

describe('convolution', () => {
  const kernels = [1, 2, 3].flatMap(seed => [
    ['3×3', conv('l', 3, 2, 3), noise(3 * 2 * 9, seed)] as const,
    ['2×2', conv('l', 2, 3, 2), noise(2 * 3 * 4, seed)] as const,
    ['5×5', conv('l', 2, 2, 5), noise(2 * 2 * 25, seed)] as const,
  ]);
  it.each(kernels)('every bound of a %s kernel holds at every image size', (_, map, w) => {
    if (map.kind !== 'conv') throw new Error('a convolution');
    const symbol = bound(map, w, { kind: 'gram', steps: 10, grid: 16 });
    const reshaped = bound(map, w, { kind: 'reshaped', steps: 12 });
    for (const n of [3, 6, 11]) {
      const image = [map.in, n, n + 1];
      const below = lowerBound(map, w, image);
      expect(below).toBeLessThanOrEqual(symbol);
      expect(below).toBeLessThanOrEqual(reshaped * (1 + 1e-12));
      // An even kernel padded on both sides repeats a row of a circular image: not a circular convolution.
      if (map.kernel[0] % 2 === 1 && n >= 2 * map.kernel[0])
        expect(lowerBound(map, w, image, 'circular')).toBeLessThanOrEqual(symbol);
    }
    const operator = bound(map, w, { kind: 'operator', steps: 18 }, [map.in, 6, 7]);
    const below = lowerBound(map, w, [map.in, 6, 7]);
    const circulant = bound(map, w, { kind: 'circulant', steps: 18 }, [map.in, 6, 7]);
    expect(circulant).toBeGreaterThanOrEqual(below * (1 - 1e-12));
    expect(circulant).toBeLessThan(symbol);
    expect(operator).toBeGreaterThanOrEqual(below * (1 - 1e-12));
    expect(operator).toBeLessThan(symbol);
  });
  it('samples finely enough: no point between those of the grid exceeds the bound', () => {
    // Σ_j e^{ijθ} shifted so that its peak falls between grid points: the worst case of Ehlich and Zeller's bound.
    for (const [k, n] of [
      [3, 4],
      [4, 6],
      [5, 8],
      // No multiple of the degree: 3, 4 and 5 count as the degree.
      [3, 9],
      [4, 8],
      [5, 10],
    ]) {
      const map = conv('l', 1, 1, k);
      const kernel = noise(k * k, k + n);
      const l = bound(map, kernel, { kind: 'gram', steps: 3, grid: n });
      let peak = 0;
      for (let u = 0; u < 60; u++) {
        for (let v = 0; v < 60; v++) {
          let [re, im] = [0, 0];
          kernel.forEach((a, at) => {
            const angle = (2 * Math.PI * (Math.floor(at / k) * u + (at % k) * v)) / 60;
            re += a * Math.cos(angle);
            im += a * Math.sin(angle);
          });
          peak = Math.max(peak, re * re + im * im);
        }
      }
      expect(peak).toBeLessThanOrEqual(l * (1 + 1e-12));
    }
  });
  it('takes a torus on which the image does not meet itself: one of 3 places would be too small for [1, -2, 1] on 3', () => {
    const map = conv('l', 1, 1, 3);
    if (map.kind !== 'conv') throw new Error('a convolution');
    const row = Float64Array.of(0, 0, 0, 1, -2, 1, 0, 0, 0);
    const least = lowerBound(map, row, [1, 3, 3]);
    expect(Math.sqrt(least)).toBeCloseTo(2 + Math.SQRT2, 6);
    expect(bound(map, row, { kind: 'circulant', steps: 20 }, [1, 3, 3])).toBeCloseTo(16, 3);
    expect(bound(map, row, { kind: 'circulant', steps: 20 }, [1, 3, 3])).toBeGreaterThanOrEqual(least);
  });
  it('is within 2 % of the norm for a 3×3 kernel on a 32×32 grid', () => {
    // A symmetric positive kernel peaks at θ = 0, a grid point; its norm there is the sum of its entries.
    const l = bound(conv('l', 1, 1, 3), [1, 2, 1, 2, 4, 2, 1, 2, 1], { kind: 'gram', steps: 20, grid: 32 });
    expect(Math.sqrt(l) / 16).toBeGreaterThan(1);
    expect(Math.sqrt(l) / 16).toBeCloseTo(1 / Math.cos(Math.PI / 32) ** 2, 5);
  });
  it('covers the kernel whose zero-padded norm exceeds its DFT at the image size', () => {
    // [1, −2, 1] on 3 pixels: 3.414 with zero padding, 3.0 circular.
    const kernel = [0, 0, 0, 1, -2, 1, 0, 0, 0];
    const l = bound(conv('l', 1, 1, 3), kernel, { kind: 'gram', steps: 20, grid: 32 });
    expect(Math.sqrt(l)).toBeGreaterThan(2 + Math.SQRT2);
  });
  it('refuses a grid too coarse to prove anything', () => {
    expect(() => bound(conv('l', 1, 1, 5), noise(25, 1), { kind: 'gram', steps: 3, grid: 4 })).toThrow(/too coarse/);
    // 2 does not divide 7.
    expect(() => bound(conv('l', 1, 1, 3), noise(9, 1), { kind: 'gram', steps: 3, grid: 7 })).toThrow(/too coarse/);
  });
});
