import { describe, expect, it } from 'vitest';
import { readCase, tensor } from '../../src/fixtures/case.ts';
import { type ConvMap, PLAIN } from '../../src/ir/conv-geometry.ts';
import { interpret } from '../../src/ir/interpret.ts';
import type { Rescaling, Side, SpectralMethod } from '../../src/ir/network.ts';
import { ZERO } from '../../src/ir/rational.ts';
import { GraphBuilder } from '../../src/ir/tensor.ts';
import { lowerRescaling } from '../../src/passes/lower/lower-rescaling.ts';

/** Exact norms of convolutions, and published bounds of them, by code that is not ours: test/fixtures/README.md. */
const CASES = ['conv_norms_1to1_k3_n3', 'conv_norms_3to5_k3_n8', 'conv_norms_5to4_k5_n9'];

const load = (name: string) => {
  const c = readCase(new URL(`../fixtures/norms/${name}.safetensors`, import.meta.url).pathname);
  const { shape, data } = tensor(c, 'kernel');
  const [out, inputs, kh, kw] = shape;
  const n = Number(name.slice(name.lastIndexOf('n') + 1));
  const number = (key: string): number => tensor(c, key).data[0];
  /** Bound of the operator norm: √T, the largest. */
  const bound = (rescaling: Rescaling, mode: ConvMap['mode'] = 'zeros', side: Side = 'out'): number => {
    const map: ConvMap = {
      kind: 'conv',
      out,
      in: inputs,
      kernel: [kh, kw],
      ...PLAIN,
      padding: [kh >> 1, kw >> 1],
      mode,
      weight: { path: 'W', shape, init: { kind: 'zeros' } },
    };
    const b = new GraphBuilder();
    b.output('T', lowerRescaling(b, map, [inputs, n, n], rescaling, side).T);
    const T = interpret(b.finish(), { inputs: new Map(), params: new Map([['W', data]]) }).outputs.get('T')!;
    return Math.sqrt(T.reduce((a, v) => Math.max(a, v), 0));
  };
  return { number, bound, taps: kh * kw, k: kh };
};

const spectral = (method: SpectralMethod): Rescaling => ({ by: 'spectral', method, eps: ZERO });

describe.each(CASES)('%s', name => {
  const { number, bound, taps, k } = load(name);
  const zeros = number('sigma_zero_padding');
  const circular = number('sigma_circular');

  it('the operator at this size, by Gram iteration, is the norm', () => {
    const exact = spectral({ kind: 'operator', steps: 16 });
    expect(bound(exact) / zeros).toBeCloseTo(1, 4);
    expect(bound(exact)).toBeGreaterThanOrEqual(zeros * (1 - 1e-12));
    expect(bound(exact, 'circular') / circular).toBeCloseTo(1, 4);
    expect(bound(exact, 'circular')).toBeGreaterThanOrEqual(circular * (1 - 1e-12));
  });

  it('on the torus of this size, the symbol is the norm of a circular image, and near it with zeros', () => {
    const torus = spectral({ kind: 'circulant', steps: 16 });
    expect(bound(torus, 'circular') / circular).toBeCloseTo(1, 4);
    expect(bound(torus, 'circular')).toBeGreaterThanOrEqual(circular * (1 - 1e-12));
    expect(bound(torus)).toBeGreaterThanOrEqual(zeros * (1 - 1e-12));
    expect(bound(torus)).toBeLessThanOrEqual(bound(spectral({ kind: 'gram', steps: 16, grid: 64 })) * (1 + 1e-4));
  });

  it('the sampled symbol is above the norm with either padding, by little', () => {
    const l = bound(spectral({ kind: 'gram', steps: 14, grid: 64 }));
    const largest = Math.max(zeros, circular);
    expect(l).toBeGreaterThanOrEqual(largest);
    // An image of 3×3 pixels has fewer frequencies than the lattice, whose norm is 4.
    expect(l).toBeLessThanOrEqual(name.includes('n3') ? 4.05 : 1.12 * largest);
    expect(bound(spectral({ kind: 'gram', steps: 14, grid: 64 }), 'circular')).toBe(l);
  });

  it('the reshaped kernel times its taps is the published bound, to the square root', () => {
    const l = bound(spectral({ kind: 'reshaped', steps: 16 }));
    expect(l / (Math.sqrt(taps) * number('reshape_out_x_inkk'))).toBeCloseTo(1, 4);
    expect(l).toBeGreaterThanOrEqual(Math.max(zeros, circular));
    expect(k * number('reshape_out_x_inkk')).toBeGreaterThanOrEqual(Math.max(zeros, circular));
  });

  it.each([1, 2, 4])('aol in %i steps is the published bound of rows, and above the norm on both sides', steps => {
    const by: Rescaling = steps === 1 ? { by: 'aol', eps: ZERO } : { by: 'power', steps, eps: ZERO };
    const both = [bound(by), bound(by, 'zeros', 'in')];
    const published = number(`gram_abs_bound_iter${steps}`);
    expect(Math.min(...both.map(l => Math.abs(l / published - 1)))).toBeLessThan(1e-9);
    for (const l of both) expect(l).toBeGreaterThanOrEqual(Math.max(zeros, circular));
  });
});
