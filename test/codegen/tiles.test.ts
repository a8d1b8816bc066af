/** Kernels with the tiles that real layers get, against the oracle: tiles that divide the image, that do not, and that touch every edge. */
import { describe, expect, it } from 'vitest';
import type { ReduceKernel, Tiling } from '../../src/ir/kernel.ts';
import { convAttrs, GraphBuilder, type TensorId } from '../../src/ir/tensor.ts';
import { compileGraph } from '../../src/passes/compile-graph.ts';
import { useDevice } from '../device.ts';
import { runBoth, SOFTWARE } from './run-graph.ts';

const gpu = useDevice();
const padded = convAttrs({ padding: [1, 1] });

const check = async (make: (b: GraphBuilder) => TensorId, tolerance: number): Promise<Tiling> => {
  const b = new GraphBuilder();
  b.output('y', make(b));
  const graph = b.finish();
  const { error, worst } = await runBoth(gpu().device, graph);
  expect(error, worst).toBeLessThanOrEqual(tolerance);
  const reduce = compileGraph(graph, SOFTWARE).kernels.find((k): k is ReduceKernel => k.kind === 'reduce');
  return reduce!.tiling;
};

describe('register tiles', () => {
  it('of a residual convolution: bias, relu, the adjoint, and the subtraction', async () => {
    const tiling = await check(b => {
      const x = b.input('x', [2, 16, 28, 28]);
      const k = b.input('k', [16, 16, 3, 3]);
      const z = b.add(b.conv(x, k, padded), b.broadcast(b.input('b', [16]), [2, 16, 28, 28], [1]));
      return b.sub(x, b.convTranspose(b.unary('relu', z), b.input('t', [16, 16, 3, 3]), [28, 28], padded));
    }, 3e-6);
    expect(tiling.tile).toEqual({ o1: 4, o2: 4, o3: 4 });
  });

  it('of a convolution whose image no tile divides', async () => {
    const tiling = await check(b => b.conv(b.input('x', [3, 5, 17, 23]), b.input('k', [7, 5, 3, 3]), padded), 3e-6);
    expect(Object.values(tiling.tile).some(t => t > 1 && 17 % t !== 0 && 23 % t !== 0 && 7 % t !== 0)).toBe(true);
  });

  it('of the gradient of a kernel', async () => {
    const tiling = await check(
      b => b.convWeight(b.input('x', [8, 16, 28, 28]), b.input('y', [8, 16, 28, 28]), [3, 3], padded),
      3e-6,
    );
    expect(Object.values(tiling.tile).reduce((p, t) => p * t, 1)).toBeGreaterThanOrEqual(36);
  });

  it('of matrix products in all transpositions', async () => {
    for (const [a, t] of [
      [false, false],
      [false, true],
      [true, false],
      [true, true],
    ]) {
      const tiling = await check(
        b => b.matmul(b.input('x', a ? [196, 64] : [64, 196]), b.input('w', t ? [90, 196] : [196, 90]), { a, b: t }),
        3e-6,
      );
      expect(tiling.tile.o0).toBeGreaterThan(1);
      expect(tiling.tile.o1).toBeGreaterThan(1);
    }
  });
});
