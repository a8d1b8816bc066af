import { describe, expect, it } from 'vitest';
import { DEFAULT_LIMITS } from '../../src/ir/kernel.ts';
import { convAttrs, GraphBuilder } from '../../src/ir/tensor.ts';
import { fuse } from '../../src/passes/fuse.ts';
import { schedule } from '../../src/passes/schedule.ts';
import { runBoth } from '../codegen/run-graph.ts';
import { useDevice } from '../device.ts';

const gpu = useDevice();
const TARGET = { profile: 'gpu', limits: DEFAULT_LIMITS } as const;

describe('tiles for a GPU', () => {
  const product = (m: number, n: number) => {
    const b = new GraphBuilder();
    b.output('y', b.matmul(b.input('x', [m, 12]), b.input('w', [n, 12]), { b: true }));
    return b.finish();
  };
  const tileOf = (m: number, n: number) => {
    const [k] = schedule(fuse(product(m, n), DEFAULT_LIMITS), TARGET).kernels;
    return k.kind === 'reduce' ? k.tiling.tile : {};
  };
  it('are squares where there are threads enough, none where there are not', () => {
    expect(tileOf(1024, 1024)).toEqual({ o0: 4, o1: 4 });
    expect(tileOf(256, 256)).toEqual({ o0: 2, o1: 2 });
    expect(tileOf(64, 64)).toEqual({});
  });
  it('compute the same where they do not divide the extent', async () => {
    const { error, worst } = await runBoth(gpu().device, product(509, 521), TARGET);
    expect(error, worst).toBeLessThan(1e-5);
  });
  it('compute convolutions', async () => {
    const b = new GraphBuilder();
    const x = b.input('x', [8, 6, 18, 18]);
    const k = b.input('k', [14, 6, 3, 3]);
    const attrs = convAttrs({ padding: [1, 1] });
    const y = b.unary('relu', b.conv(x, k, attrs));
    b.output('y', b.sub(x, b.convTranspose(y, k, [18, 18], attrs)));
    b.output('k', b.convWeight(x, y, [3, 3], attrs));
    const { error, worst } = await runBoth(gpu().device, b.finish(), TARGET);
    expect(error, worst).toBeLessThan(1e-5);
  });
});
