import { describe, expect, it } from 'vitest';
import { DEFAULT_LIMITS } from '../../../src/ir/kernel.ts';
import { convAttrs, GraphBuilder } from '../../../src/ir/tensor.ts';
import { fuse } from '../../../src/passes/kernels/fuse.ts';
import { schedule } from '../../../src/passes/kernels/schedule.ts';
import { runBoth } from '../../codegen/run-graph.ts';
import { useDevice } from '../../device.ts';

const gpu = useDevice();
const TARGET = { profile: 'gpu', limits: DEFAULT_LIMITS } as const;

describe('tiles for a GPU', () => {
  const product = (m: number, n: number, terms = 12) => {
    const b = new GraphBuilder();
    const y = b.matmul(b.input('x', [m, terms]), b.input('w', [n, terms]), { b: true });
    b.output('y', b.unary('relu', b.add(y, b.broadcast(b.input('b', [n]), [m, n], [1]))));
    return b.finish();
  };
  const tileOf = (m: number, n: number, terms = 12) => {
    const [k] = schedule(fuse(product(m, n, terms), DEFAULT_LIMITS), TARGET).kernels;
    return k.kind === 'reduce' ? (k.tiling.shared ?? k.tiling.tile) : {};
  };
  it('are squares where there are threads enough, none where there are not', () => {
    expect(tileOf(1024, 1024)).toEqual({ o0: 4, o1: 4 });
    expect(tileOf(256, 256)).toEqual({ o0: 2, o1: 2 });
    expect(tileOf(64, 64)).toEqual({});
  });
  it('go through workgroup memory where squares and terms are enough', () => {
    expect(tileOf(1024, 1024, 64)).toBe(64);
    expect(tileOf(256, 256, 64)).toBe(32);
    expect(tileOf(64, 64, 64)).toEqual({});
  });
  it('compute a product through workgroup memory', async () => {
    for (const [m, n, terms] of [
      [509, 521, 33],
      [250, 260, 17],
    ] as const) {
      const { error, worst } = await runBoth(gpu().device, product(m, n, terms), TARGET);
      expect(error, worst).toBeLessThan(1e-5);
    }
  });
  it('compute batched products and in-place updates through workgroup memory', async () => {
    const b = new GraphBuilder();
    const shape = [5, 128, 128];
    const [x, p] = [b.input('x', shape), b.param('p', shape)];
    b.output('y', b.matmul(x, b.transpose(p, [0, 2, 1])));
    b.update('q', b.sub(b.param('q', shape), b.matmul(x, p, { a: true })));
    const { error, worst } = await runBoth(gpu().device, b.finish(), TARGET);
    expect(error, worst).toBeLessThan(1e-5);
  });
  it('compute the same where they do not divide the extent', async () => {
    const { error, worst } = await runBoth(gpu().device, product(509, 521), TARGET);
    expect(error, worst).toBeLessThan(1e-5);
  });
  it('compute convolutions', async () => {
    const b = new GraphBuilder();
    const x = b.input('x', [24, 32, 18, 18]);
    const k = b.input('k', [34, 32, 3, 3]);
    const attrs = convAttrs({ padding: [1, 1] });
    const y = b.unary('relu', b.conv(x, k, attrs));
    b.output('y', b.sub(x, b.convTranspose(y, k, [18, 18], attrs)));
    b.output('k', b.convWeight(x, y, [3, 3], attrs));
    const { error, worst } = await runBoth(gpu().device, b.finish(), TARGET);
    expect(error, worst).toBeLessThan(1e-5);
  });
});
