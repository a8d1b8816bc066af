import { describe, expect, it } from 'vitest';
import { interpret } from '../../../src/ir/interpret.ts';
import { convAttrs, GraphBuilder, printTensorGraph, type TensorId } from '../../../src/ir/tensor.ts';
import { simplify } from '../../../src/passes/tensors/simplify.ts';
import { noise } from '../../gradient.ts';

/** Simplifies a graph of inputs x and k; checks that its value stays, and returns its text and the rewrites that were used. */
const run = (
  xs: readonly number[],
  ks: readonly number[],
  build: (b: GraphBuilder, x: TensorId, k: TensorId) => TensorId,
) => {
  const b = new GraphBuilder();
  b.output('y', build(b, b.input('x', xs), b.input('k', ks)));
  const graph = b.finish();
  const size = (s: readonly number[]) => s.reduce((p, d) => p * d, 1);
  const inputs = new Map([
    ['x', noise(size(xs), 1)],
    ['k', noise(size(ks), 2)],
  ]);
  const { graph: simple, applied } = simplify(graph);
  const [want, got] = [graph, simple].map(g => interpret(g, { inputs, params: new Map() }).outputs.get('y')!);
  expect(Math.max(...want.map((v, i) => Math.abs(v - got[i])))).toBeLessThan(1e-14);
  return { text: printTensorGraph(simple), applied: Object.fromEntries(applied) };
};

describe('product-of-pad', () => {
  it('drops padded channels from a convolution', () => {
    const { text, applied } = run([2, 2, 4, 4], [3, 5, 3, 3], (b, x, k) =>
      b.conv(b.pad(x, [0, 1, 0, 0], [0, 2, 0, 0]), k, convAttrs({ padding: [1, 1] })),
    );
    expect(applied).toEqual({ 'product-of-pad': 1 });
    expect(text).toMatchInlineSnapshot(`
      "%0 = input "x" [2,2,4,4]
      %1 = input "k" [3,5,3,3]
      %2 = slice [3,2,3,3] %1 start=[0,1,0,0] limit=[3,3,3,3] stride=[1,1,1,1]   # (product-of-pad)
      %3 = conv [2,3,4,4] %0 %2 stride=[1,1] padding=[1,1] dilation=[1,1] groups=1 mode=zeros   # (product-of-pad)
      output "y" %3
      "
    `);
  });
  it('drops padded features from a matrix product, transposed or not', () => {
    const padded = (b: GraphBuilder, x: TensorId) => b.pad(x, [0, 0], [0, 3]);
    expect(run([2, 2], [4, 5], (b, x, k) => b.matmul(padded(b, x), k, { b: true })).applied).toEqual({
      'product-of-pad': 1,
    });
    expect(run([2, 2], [5, 4], (b, x, k) => b.matmul(padded(b, x), k)).applied).toEqual({ 'product-of-pad': 1 });
  });
  it('leaves padding of rows, columns and batches alone', () => {
    const attrs = convAttrs({ padding: [1, 1] });
    const conv = (low: number[], high: number[]) =>
      run([1, 2, 3, 3], [2, 2, 3, 3], (b, x, k) => b.conv(b.pad(x, low, high), k, attrs)).applied;
    expect(conv([0, 0, 1, 0], [0, 0, 0, 0])).toEqual({});
    expect(conv([0, 0, 0, 0], [1, 0, 0, 0])).toEqual({});
  });
});

describe('constants', () => {
  it('clears products with 1 and 0, sums with 0, and moved constants', () => {
    const { text } = run([2, 3], [2, 3], (b, x, k) => {
      const one = b.broadcast(b.constant(1), [2, 3], []);
      const zero = b.reshape(b.constant(0, [3, 2]), [2, 3]);
      return b.add(b.mul(b.add(x, zero), one), b.mul(k, zero));
    });
    expect(text).toBe('%0 = input "x" [2,3]\noutput "y" %0\n');
  });
  it('multiplies nested scales', () => {
    const { text } = run([2], [1], (b, x) => b.scale(b.scale(b.unary('neg', b.unary('neg', x)), 3), 0.5));
    expect(text).toMatchInlineSnapshot(`
      "%0 = input "x" [2]
      %1 = constant [2] value=1.5   # (nested-scale)
      %2 = mul [2] %0 %1   # (nested-scale)
      output "y" %2
      "
    `);
  });
});

it('joins nested reshapes, broadcasts and transposes', () => {
  const { applied, text } = run([2, 3], [1], (b, x) => {
    const moved = b.transpose(b.transpose(b.reshape(b.reshape(x, [6]), [3, 2, 1]), [1, 2, 0]), [2, 0, 1]);
    return b.broadcast(b.broadcast(moved, [3, 4, 2, 1], [0, 2, 3]), [5, 3, 4, 2, 1], [1, 2, 3, 4]);
  });
  expect(applied['nested-movement']).toBeGreaterThanOrEqual(3);
  expect(text).toMatchInlineSnapshot(`
    "%0 = input "x" [2,3]
    %1 = reshape [3,2,1] %0   # (nested-movement)
    %2 = broadcast [5,3,4,2,1] %1 axes=[1,3,4]   # (nested-movement)
    output "y" %2
    "
  `);
});

it('keeps names, updates and origins', () => {
  const b = new GraphBuilder();
  b.origin = 'dense[0]';
  const w = b.param('w', [2]);
  b.update('w', b.sub(w, b.scale(b.input('g', [2]), 1)));
  const { graph } = simplify(b.finish());
  expect([...graph.updates.keys()]).toEqual(['w']);
  expect(graph.nodes.every(n => n.origin === 'dense[0]')).toBe(true);
});
