import { describe, expect, it } from 'vitest';
import { DEFAULT_LIMITS, type ReduceKernel } from '../../../src/ir/kernel.ts';
import { convAttrs, GraphBuilder, type TensorId } from '../../../src/ir/tensor.ts';
import { fuse } from '../../../src/passes/kernels/fuse.ts';
import { schedule } from '../../../src/passes/kernels/schedule.ts';
import { tileForSoftware } from '../../../src/passes/kernels/tile-software.ts';

const reduces = (make: (b: GraphBuilder) => TensorId): ReduceKernel[] => {
  const b = new GraphBuilder();
  b.output('y', make(b));
  const { kernels } = schedule(fuse(b.finish(), DEFAULT_LIMITS), { profile: 'software', limits: DEFAULT_LIMITS });
  return kernels.flatMap(k => (k.kind === 'reduce' ? [k] : []));
};

const product = (r: Readonly<Record<string, number>>): number => Object.values(r).reduce((a, b) => a * b, 1);

describe('tiles for the software adapter', () => {
  it('shares loads of a convolution between neighbouring pixels and channels, and unrolls the taps', () => {
    const [k] = reduces(b =>
      b.conv(b.input('x', [64, 16, 28, 28]), b.input('k', [16, 16, 3, 3]), convAttrs({ padding: [1, 1] })),
    );
    expect(k.tiling.tile).toEqual({ o1: 4, o2: 4, o3: 4 });
    expect(k.tiling.unroll).toEqual({ r1: 3, r2: 3 });
  });

  it('tiles a matrix product in both directions', () => {
    const [k] = reduces(b => b.matmul(b.input('a', [64, 784]), b.input('w', [784, 256])));
    expect(Math.min(k.tiling.tile.o0, k.tiling.tile.o1)).toBeGreaterThanOrEqual(8);
  });

  it('splits the gradient of a kernel over the batch', () => {
    const [pieces, sum] = reduces(b =>
      b.convWeight(
        b.input('x', [64, 16, 28, 28]),
        b.input('y', [64, 16, 28, 28]),
        [3, 3],
        convAttrs({ padding: [1, 1] }),
      ),
    );
    expect(pieces.out[0]).toEqual({ name: 'piece', extent: 4 });
    expect(sum.over).toEqual([{ name: 'piece', extent: 4 }]);
    expect(product(pieces.tiling.tile)).toBeGreaterThanOrEqual(36);
  });

  it('keeps bodies small whatever the extents, and unrolls only by divisors', () => {
    for (const [m, k, n] of [
      [1, 1, 1],
      [1, 4096, 1],
      [7, 13, 11],
      [97, 89, 101],
      [1000, 30, 3],
    ]) {
      for (const r of reduces(b => b.matmul(b.input('a', [m, k]), b.input('w', [k, n])))) {
        expect(product(r.tiling.tile)).toBeLessThanOrEqual(144);
        expect(product(r.tiling.tile) * product(r.tiling.unroll)).toBeLessThanOrEqual(640);
        for (const v of r.over) expect(v.extent % (r.tiling.unroll[v.name] ?? 1)).toBe(0);
        for (const v of r.out) expect(r.tiling.tile[v.name] ?? 1).toBeLessThanOrEqual(v.extent);
        expect(tileForSoftware(r)).toEqual(r.tiling);
      }
    }
  });
});
