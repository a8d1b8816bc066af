/** Sums in blocks: what they compute, and that the depth reported for them is that of the loops as written. */
import { describe, expect, it } from 'vitest';
import { DEFAULT_LIMITS, inBlocks } from '../../src/ir/kernel.ts';
import { convAttrs, GraphBuilder, type TensorGraph } from '../../src/ir/tensor.ts';
import { compileGraph } from '../../src/passes/kernels/compile-graph.ts';
import { useDevice } from '../device.ts';
import { runBoth } from './run-graph.ts';
import { writtenSum } from './sum-depth.ts';

const gpu = useDevice();

const product = (m: number, k: number, n: number): TensorGraph => {
  const b = new GraphBuilder();
  b.output('y', b.matmul(b.input('x', [m, k]), b.input('w', [n, k]), { b: true }));
  return b.finish();
};

const convolution = (
  x: readonly number[],
  k: readonly number[],
  attrs: Parameters<typeof convAttrs>[0],
): TensorGraph => {
  const b = new GraphBuilder();
  const kernel = b.input('k', k);
  const y = b.conv(b.input('x', x), kernel, convAttrs(attrs));
  b.output('y', y);
  b.output('adjoint', b.convTranspose(y, kernel, [x[2], x[3]], convAttrs(attrs)));
  return b.finish();
};

const GRAPHS: readonly (readonly [string, TensorGraph])[] = [
  ['product of 784 terms', product(64, 784, 256)],
  ['product of a prime number of terms', product(33, 997, 40)],
  ['product of many terms', product(3, 4099, 5)],
  ['product large enough for workgroup memory', product(256, 500, 256)],
  ['convolution', convolution([4, 16, 14, 15], [24, 16, 3, 3], { padding: [1, 1] })],
  ['strided convolution', convolution([3, 12, 23, 19], [10, 12, 5, 3], { stride: [2, 2], padding: [2, 1] })],
];

describe.each(['software', 'gpu'] as const)('%s', profile => {
  const target = { profile, limits: DEFAULT_LIMITS };
  it.each(GRAPHS)('%s: agrees with the oracle', async (_, graph) => {
    const { error, worst } = await runBoth(gpu().device, graph, inBlocks(target));
    expect(error, worst).toBeLessThan(1e-5);
  });

  it.each(GRAPHS)('%s: as deep as reported, and much less deep than long', (_, graph) => {
    for (const t of [target, inBlocks(target)]) {
      const { plan, sums } = compileGraph(graph, t);
      let seen = 0;
      plan.steps.forEach(({ kernel }, i) => {
        const written = writtenSum(plan.kernels[kernel].wgsl);
        expect(written === undefined).toBe(sums[i] === undefined);
        if (!written || !sums[i]) return;
        seen++;
        expect(written.depth).toBe(sums[i].depth);
        // What workgroup memory is filled up with is zero.
        expect(written.terms).toBeGreaterThanOrEqual(sums[i].terms);
        expect(written.terms).toBeLessThan(sums[i].terms + 16);
        if (t !== target && written.terms > 100) expect(written.depth).toBeLessThan(0.4 * written.terms);
        if (t !== target && written.terms > 400) expect(written.depth).toBeLessThan(0.15 * written.terms);
      });
      expect(seen).toBeGreaterThan(0);
    }
  });
});

describe('what reads the loops', () => {
  it('counts groups, parts and the sum of parts', () => {
    const wgsl = `fn main() {
      var acc0 = 0.0f;
      for (var r_block = 0u; r_block < 4u; r_block++) {
        var part0 = 0.0f;
        for (var r = r_block * 3u; r < min(r_block * 3u + 3u, 10u); r++) {
          part0 += v1 * v2 + v3 * v4;
        }
        acc0 += part0;
      }
    }`;
    expect(writtenSum(wgsl)).toEqual({ terms: 20, depth: 1 + 3 + 4 });
    expect(writtenSum('fn main() {\n var acc0 = 0.0f;\n}')).toBeUndefined();
  });
});
