import { describe, expect, it } from 'vitest';
import { evaluate, interpret } from '../../src/ir/interpret.ts';
import { type ConvAttrs, convAttrs, GraphBuilder, type TensorId } from '../../src/ir/tensor.ts';
import { noise } from '../gradient.ts';

const run = (
  inputs: Readonly<Record<string, { shape: readonly number[]; data: ArrayLike<number> }>>,
  build: (b: GraphBuilder, ids: readonly TensorId[]) => TensorId,
): number[] => {
  const b = new GraphBuilder();
  const ids = Object.entries(inputs).map(([name, t]) => b.input(name, t.shape));
  b.output('y', build(b, ids));
  const bound = new Map(Object.entries(inputs).map(([name, t]) => [name, t.data]));
  return Array.from(interpret(b.finish(), { inputs: bound, params: new Map() }).outputs.get('y')!);
};

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const count = (n: number, shape: readonly number[]) => ({ x: { shape, data: range(n) } });

describe('convolutions equal the definition', () => {
  /** c(x, k, y) of the tensor IR, entry by entry: which x, k and y meet. */
  const terms = (attrs: ConvAttrs, x: readonly number[], k: readonly number[], y: readonly number[]) => {
    const out: [number, number, number][] = [];
    const at = (s: readonly number[], i: readonly number[]) => i.reduce((sum, v, a) => sum * s[a] + v, 0);
    const place = (p: number, d: number, a: 0 | 1, extent: number): number | undefined => {
      const i = p * attrs.stride[a] - attrs.padding[a] + d * attrs.dilation[a];
      if (attrs.mode === 'circular') return ((i % extent) + extent) % extent;
      return i >= 0 && i < extent ? i : undefined;
    };
    for (const n of range(x[0]))
      for (const o of range(k[0]))
        for (const i of range(k[1]))
          for (const r of range(y[2]))
            for (const c of range(y[3]))
              for (const u of range(k[2]))
                for (const v of range(k[3])) {
                  const [h, w] = [place(r, u, 0, x[2]), place(c, v, 1, x[3])];
                  const channel = Math.floor(o / (k[0] / attrs.groups)) * k[1] + i;
                  if (h !== undefined && w !== undefined)
                    out.push([at(x, [n, channel, h, w]), at(k, [o, i, u, v]), at(y, [n, o, r, c])]);
                }
    return out;
  };
  const cases: [string, Partial<ConvAttrs>, number[], number[], number[]][] = [
    ['same', { padding: [1, 1] }, [2, 3, 5, 4], [2, 3, 3, 3], [2, 2, 5, 4]],
    ['valid, even kernel', {}, [1, 2, 5, 6], [3, 2, 2, 4], [1, 3, 4, 3]],
    ['padding wider than the kernel', { padding: [4, 0] }, [1, 1, 2, 3], [1, 1, 2, 2], [1, 1, 9, 2]],
    [
      'strided and dilated',
      { stride: [2, 3], padding: [2, 1], dilation: [2, 1] },
      [1, 2, 7, 8],
      [2, 2, 3, 2],
      [1, 2, 4, 3],
    ],
    ['grouped', { groups: 3, padding: [1, 0] }, [2, 6, 3, 3], [3, 2, 3, 1], [2, 3, 3, 3]],
    ['circular', { padding: [1, 2], mode: 'circular' }, [1, 2, 3, 4], [2, 2, 3, 5], [1, 2, 3, 4]],
    [
      'circular, padding wider than the image',
      { padding: [5, 1], mode: 'circular' },
      [1, 1, 2, 3],
      [1, 1, 3, 3],
      [1, 1, 10, 3],
    ],
  ];
  it.each(cases)('%s', (_, partial, xs, ks, ys) => {
    const attrs = convAttrs(partial);
    const size = (s: readonly number[]) => s.reduce((p, d) => p * d, 1);
    const [x, k, y] = [noise(size(xs), 1), noise(size(ks), 2), noise(size(ys), 3)];
    const want = { x: new Float64Array(x.length), k: new Float64Array(k.length), y: new Float64Array(y.length) };
    for (const [i, j, l] of terms(attrs, xs, ks, ys)) {
      want.x[i] += k[j] * y[l];
      want.k[j] += x[i] * y[l];
      want.y[l] += x[i] * k[j];
    }
    const close = (got: readonly number[], expected: Float64Array) =>
      expect(Math.max(...got.map((v, i) => Math.abs(v - expected[i])))).toBeLessThan(1e-13);
    const tensors = { x: { shape: xs, data: x }, k: { shape: ks, data: k }, y: { shape: ys, data: y } };
    close(
      run({ x: tensors.x, k: tensors.k }, (b, [p, q]) => b.conv(p, q, attrs)),
      want.y,
    );
    const image: [number, number] = [xs[2], xs[3]];
    close(
      run({ y: tensors.y, k: tensors.k }, (b, [p, q]) => b.convTranspose(p, q, image, attrs)),
      want.x,
    );
    const taps: [number, number] = [ks[2], ks[3]];
    close(
      run({ x: tensors.x, y: tensors.y }, (b, [p, q]) => b.convWeight(p, q, taps, attrs)),
      want.k,
    );
  });
});

describe('data movement', () => {
  it('broadcasts, transposes, slices, pads, reverses and concatenates', () => {
    expect(run(count(2, [2]), (b, [x]) => b.broadcast(x, [2, 3], [0]))).toEqual([0, 0, 0, 1, 1, 1]);
    expect(run(count(2, [2]), (b, [x]) => b.broadcast(x, [3, 2], [1]))).toEqual([0, 1, 0, 1, 0, 1]);
    expect(run(count(6, [2, 3]), (b, [x]) => b.transpose(x, [1, 0]))).toEqual([0, 3, 1, 4, 2, 5]);
    expect(run(count(12, [3, 4]), (b, [x]) => b.slice(x, [0, 1], [3, 4], [2, 2]))).toEqual([1, 3, 9, 11]);
    expect(run(count(2, [2]), (b, [x]) => b.pad(b.offset(x, 1), [1], [2], [1]))).toEqual([0, 1, 0, 2, 0, 0]);
    expect(run(count(6, [2, 3]), (b, [x]) => b.reverse(x, [1]))).toEqual([2, 1, 0, 5, 4, 3]);
    expect(run(count(4, [2, 2]), (b, [x]) => b.concat([x, x], 1))).toEqual([0, 1, 0, 1, 2, 3, 2, 3]);
    expect(run({}, b => b.iota([2, 3], 1))).toEqual([0, 1, 2, 0, 1, 2]);
    expect(run({}, b => b.iota([2, 3], 0))).toEqual([0, 0, 0, 1, 1, 1]);
  });
  it('reduces by sum and maximum, over any axes', () => {
    expect(run(count(6, [2, 3]), (b, [x]) => b.sum(x, [0]))).toEqual([3, 5, 7]);
    expect(run(count(6, [2, 3]), (b, [x]) => b.maximum(x, [1]))).toEqual([2, 5]);
    expect(run(count(6, [2, 3]), (b, [x]) => b.sum(x, [0, 1]))).toEqual([15]);
    expect(run({ x: { shape: [2], data: [-3, -4] } }, (b, [x]) => b.maximum(x, [0]))).toEqual([-3]);
  });
  it('sorts groups, ties by position, and permutes back', () => {
    const x = { shape: [6], data: [3, 1, 2, 5, 5, 4] };
    const v = { shape: [6], data: [0, 1, 2, 3, 4, 5] };
    expect(run({ x }, (b, [p]) => b.sort(p, 0, 3))).toEqual([1, 2, 3, 4, 5, 5]);
    const permute = (inverse: boolean) =>
      run({ x, v }, (b, [p, q]) => b.make({ kind: 'sortPermute', axis: 0, group: 3, inverse }, [p, q]));
    expect(permute(false)).toEqual([1, 2, 0, 5, 3, 4]);
    expect(permute(true)).toEqual([2, 0, 1, 4, 5, 3]);
  });
});

describe('arithmetic', () => {
  it('multiplies matrices, transposed and batched', () => {
    const a = { shape: [1, 2, 3], data: [1, 2, 3, 4, 5, 6] };
    const c = { shape: [1, 2, 3], data: [1, 0, 1, 0, 1, 0] };
    expect(run({ a, c }, (b, [x, y]) => b.matmul(x, y, { b: true }))).toEqual([4, 2, 10, 5]);
    expect(run({ a, c }, (b, [x, y]) => b.matmul(x, y, { a: true }))).toEqual([1, 4, 1, 2, 5, 2, 3, 6, 3]);
  });
  it('inverts each matrix of a batch', () => {
    const data = [2, 0, 0, 4, 1, 1, -1, 1];
    expect(run({ a: { shape: [2, 2, 2], data } }, (b, [x]) => b.inverse(x))).toEqual([
      0.5, 0, 0, 0.25, 0.5, -0.5, 0.5, 0.5,
    ]);
  });
  it('inverts the Cholesky factor of each matrix, and leaves out what depends on what comes before', () => {
    const data = [4, 2, 2, 5, 1, 1, 1, 1];
    // LLᵀ = [[4, 2], [2, 5]] with L = [[2, 0], [1, 2]]; the second matrix has rank 1.
    expect(run({ a: { shape: [2, 2, 2], data } }, (b, [x]) => b.inverseCholesky(x))).toEqual([
      0.5, 0, -0.25, 0.5, 1, 0, 0, 0,
    ]);
    // Row 2 is row 1 again: the third row is what it would be without it.
    const rank2 = [1, 1, 0.5, 1, 1, 0.5, 0.5, 0.5, 1];
    const [...m] = run({ a: { shape: [3, 3], data: rank2 } }, (b, [x]) => b.inverseCholesky(x));
    expect(m.slice(0, 6)).toEqual([1, 0, 0, 0, 0, 0]);
    expect(m[6]).toBeCloseTo(-0.5 / Math.sqrt(0.75), 15);
    expect(m[7]).toBeCloseTo(0, 15);
    expect(m[8]).toBeCloseTo(1 / Math.sqrt(0.75), 15);
  });
  it('does not look at the branch a select leaves out', () => {
    const c = { shape: [2], data: [0, 1] };
    const x = { shape: [2], data: [Number.NaN, 1] };
    const y = { shape: [2], data: [2, Number.NaN] };
    expect(run({ c, x, y }, (b, ids) => b.select(ids[0], ids[1], ids[2]))).toEqual([2, 1]);
  });
  it('keeps sigmoid finite in both tails and passes NaN through relu', () => {
    expect(run({ x: { shape: [2], data: [-1000, 1000] } }, (b, [x]) => b.unary('sigmoid', x))).toEqual([0, 1]);
    expect(run({ x: { shape: [1], data: [Number.NaN] } }, (b, [x]) => b.unary('relu', x))).toEqual([Number.NaN]);
  });
});

describe('bindings', () => {
  const graph = () => {
    const b = new GraphBuilder();
    b.output('y', b.add(b.input('x', [2]), b.param('w', [2])));
    b.output('unrelated', b.input('z', [1]));
    return b.finish();
  };
  it('names what is missing and what has the wrong size', () => {
    const inputs = new Map([['x', [1, 2]]]);
    expect(() => evaluate(graph(), { inputs, params: new Map() }, [2])).toThrow('no value for parameter "w"');
    const params = new Map([['w', [1]]]);
    expect(() => evaluate(graph(), { inputs, params }, [2])).toThrow('parameter "w" has 1 entries, not [2]');
  });
  it('evaluates only what is asked for', () => {
    const values = evaluate(graph(), { inputs: new Map([['x', [1, 2]]]), params: new Map([['w', [3, 4]]]) }, [2, 0]);
    expect([...values].map(([id, v]) => [id, [...v]])).toEqual([
      [2, [4, 6]],
      [0, [1, 2]],
    ]);
  });
});
