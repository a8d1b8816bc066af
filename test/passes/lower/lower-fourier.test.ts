import { describe, expect, it } from 'vitest';
import { interpret } from '../../../src/ir/interpret.ts';
import { GraphBuilder, type TensorId } from '../../../src/ir/tensor.ts';
import {
  frequencies,
  fromBlocks,
  fromSpectrum,
  realBlocks,
  symbol,
  toSpectrum,
} from '../../../src/passes/lower/lower-fourier.ts';
import { noise } from '../../gradient.ts';

const SIZES = [
  [1, 1],
  [1, 5],
  [4, 1],
  [4, 6],
  [5, 5],
  [6, 3],
  [3, 8],
] as const;

const run = (build: (b: GraphBuilder, x: TensorId) => TensorId, shape: readonly number[], x: Float64Array) => {
  const b = new GraphBuilder();
  b.output('y', build(b, b.input('x', shape)));
  return interpret(b.finish(), { inputs: new Map([['x', x]]), params: new Map() }).outputs.get('y')!;
};

const apart = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  expect(a.length).toBe(b.length);
  return Math.max(0, ...Array.from(a, (v, i) => Math.abs(v - b[i])));
};

describe('the half spectrum of images', () => {
  it.each(SIZES)('is the sum of x e^(−iθδ), scaled to keep norms, %i×%i', (h, w) => {
    const [n, c] = [2, 3];
    const x = noise(n * c * h * w, 3);
    const half = Math.floor(w / 2) + 1;
    expect(frequencies([h, w])).toBe(h * half);
    const want = new Float64Array(h * half * 2 * c * n);
    for (let u = 0; u < h; u++)
      for (let v = 0; v < half; v++)
        for (let k = 0; k < c; k++)
          for (let m = 0; m < n; m++)
            for (let i = 0; i < h; i++)
              for (let j = 0; j < w; j++) {
                const angle = -2 * Math.PI * ((u * i) / h + (v * j) / w);
                // A frequency that stands for its conjugate as well counts twice.
                const scale = Math.sqrt((v === 0 || 2 * v === w ? 1 : 2) / (h * w));
                const value = scale * x[((m * c + k) * h + i) * w + j];
                const at = (u * half + v) * 2 * c;
                want[(at + k) * n + m] += value * Math.cos(angle);
                want[(at + c + k) * n + m] += value * Math.sin(angle);
              }
    const found = run(toSpectrum, [n, c, h, w], x);
    expect(apart(found, want)).toBeLessThan(1e-12);
    const square = (v: Float64Array): number => v.reduce((sum, a) => sum + a * a, 0);
    expect(Math.abs(square(found) / square(x) - 1)).toBeLessThan(1e-12);
  });
  it.each(SIZES)('gives the images back, %i×%i', (h, w) => {
    const x = noise(2 * 3 * h * w, 4);
    const back = run((b, v) => fromSpectrum(b, toSpectrum(b, v), [h, w]), [2, 3, h, w], x);
    expect(apart(back, x)).toBeLessThan(1e-13);
  });
  it('multiplied with the symbol of a kernel about its middle is the circular convolution', () => {
    const [h, w] = [5, 6];
    const x = noise(2 * 3 * h * w, 5);
    const k = noise(4 * 3 * 9, 6);
    const y = run(
      (b, v) => {
        const q = realBlocks(b, symbol(b, b.literal([...k], [4, 3, 3, 3]), [h, w], [1, 1], 1));
        return fromSpectrum(b, b.matmul(q, toSpectrum(b, v)), [h, w]);
      },
      [2, 3, h, w],
      x,
    );
    const direct = run(
      (b, v) =>
        b.conv(v, b.literal([...k], [4, 3, 3, 3]), {
          stride: [1, 1],
          padding: [1, 1],
          dilation: [1, 1],
          groups: 1,
          mode: 'circular',
        }),
      [2, 3, h, w],
      x,
    );
    expect(apart(y, direct)).toBeLessThan(1e-12);
  });
});

describe('complex matrices as real blocks', () => {
  it('multiply like them, and transpose to the adjoint', () => {
    const x = noise(2 * 2 * 3 * 2, 7);
    const parts = (b: GraphBuilder, v: TensorId) => ({
      re: b.slice(v, [0, 0, 0], [2, 2, 3]),
      im: b.slice(v, [0, 0, 3], [2, 2, 6]),
    });
    const gram = run(
      (b, v) => {
        const m = realBlocks(b, parts(b, v));
        const { re, im } = fromBlocks(b, b.matmul(m, m, { b: true }));
        return b.concat([re, im], 2);
      },
      [2, 2, 6],
      x,
    );
    // A A* by hand.
    const want = new Float64Array(2 * 2 * 4);
    for (let p = 0; p < 2; p++)
      for (let i = 0; i < 2; i++)
        for (let j = 0; j < 2; j++)
          for (let k = 0; k < 3; k++) {
            const [ar, ai] = [x[(p * 2 + i) * 6 + k], x[(p * 2 + i) * 6 + 3 + k]];
            const [br, bi] = [x[(p * 2 + j) * 6 + k], x[(p * 2 + j) * 6 + 3 + k]];
            want[(p * 2 + i) * 4 + j] += ar * br + ai * bi;
            want[(p * 2 + i) * 4 + 2 + j] += ai * br - ar * bi;
          }
    expect(apart(gram, want)).toBeLessThan(1e-13);
  });
});
