/** Shapes large and odd enough that tiles overlap, loops are unrolled and sums are split, against the oracle. */
import { describe, expect, it } from 'vitest';
import { DEFAULT_LIMITS } from '../../src/ir/kernel.ts';
import { type ConvAttrs, convAttrs, GraphBuilder } from '../../src/ir/tensor.ts';
import { useDevice } from '../device.ts';
import { runBoth } from './run-graph.ts';

const gpu = useDevice();
const PROFILES = ['software', 'gpu'] as const;

const PRODUCTS = [
  [131, 67, 101],
  [1, 300, 257],
  [257, 1, 31],
  [10, 784, 64],
  [3, 4099, 5],
] as const;

const CONVS: readonly {
  readonly x: readonly number[];
  readonly k: readonly number[];
  readonly attrs: Partial<ConvAttrs>;
}[] = [
  { x: [5, 7, 29, 31], k: [11, 7, 3, 3], attrs: { padding: [1, 1] } },
  { x: [3, 6, 23, 19], k: [5, 6, 5, 3], attrs: { stride: [2, 2], padding: [2, 1] } },
  { x: [2, 6, 17, 13], k: [9, 2, 3, 5], attrs: { groups: 3, padding: [0, 4], dilation: [1, 2] } },
  { x: [4, 5, 13, 17], k: [7, 5, 3, 3], attrs: { padding: [1, 1], mode: 'circular' } },
  { x: [64, 1, 14, 14], k: [8, 1, 3, 3], attrs: { padding: [1, 1] } },
];

describe.each(PROFILES)('tiles, %s', profile => {
  const target = { profile, limits: DEFAULT_LIMITS };
  it.each(PRODUCTS)('product %i x %i x %i with an epilogue', async (m, k, n) => {
    const b = new GraphBuilder();
    const y = b.matmul(b.input('x', [m, k]), b.param('w', [n, k]), { b: true });
    b.output('y', b.unary('relu', b.add(y, b.broadcast(b.param('b', [n]), [m, n], [1]))));
    b.update('w', b.sub(b.param('w', [n, k]), b.scale(b.matmul(y, b.input('x', [m, k]), { a: true }), 1 / 64)));
    const { error, worst } = await runBoth(gpu().device, b.finish(), target);
    expect(error, worst).toBeLessThan(1e-5);
  });
  it.each(CONVS)('convolution of [$x] with [$k]', async ({ x, k, attrs }) => {
    const b = new GraphBuilder();
    const a = convAttrs(attrs);
    const [image, kernel] = [b.input('x', x), b.param('k', k)];
    const y = b.unary('relu', b.conv(image, kernel, a));
    b.output('y', b.sub(image, b.convTranspose(y, kernel, [x[2], x[3]], a)));
    b.output('k', b.convWeight(image, y, [k[2], k[3]], a));
    b.output('b', b.sum(y, [0, 2, 3]));
    const { error, worst } = await runBoth(gpu().device, b.finish(), target);
    expect(error, worst).toBeLessThan(1e-5);
  });
});

it('runs twice to the same bits', async () => {
  const b = new GraphBuilder();
  const x = b.input('x', [16, 6, 20, 20]);
  b.output('k', b.convWeight(x, x, [3, 3], convAttrs({ padding: [1, 1] })));
  const target = { profile: 'software', limits: DEFAULT_LIMITS } as const;
  const first = await runBoth(gpu().device, b.finish(), target);
  const second = await runBoth(gpu().device, b.finish(), target);
  expect(second.found).toEqual(first.found);
});
