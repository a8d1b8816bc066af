import { describe, expect, it } from 'vitest';
import { interpret } from '../../../src/ir/interpret.ts';
import { convAttrs, GraphBuilder, type TensorId } from '../../../src/ir/tensor.ts';
import { differentiate } from '../../../src/passes/training/differentiate.ts';
import { gradientError, gradientGraph, noise } from '../../gradient.ts';

type Case = readonly [
  name: string,
  shapes: readonly (readonly number[])[],
  build: (b: GraphBuilder, x: readonly TensorId[]) => TensorId,
  /** Maps the noise to where the primitive is smooth. */
  place?: (v: number, i: number) => number,
];

const positive = (v: number): number => 1.5 + v;
/** Away from the kink at 0. */
const apart = (v: number): number => v + Math.sign(v) * 0.1;
/** Diagonally dominant. */
const dominant =
  (n: number) =>
  (v: number, i: number): number =>
    v + ((i % (n * n)) % (n + 1) === 0 ? n + 1 : 0);

const STRIDED = convAttrs({ stride: [2, 1], padding: [1, 2], dilation: [1, 2] });
const GROUPED = convAttrs({ padding: [1, 1], groups: 2 });
const CIRCULAR = convAttrs({ padding: [1, 1], mode: 'circular' });
const CIRCULAR_WIDE = convAttrs({ padding: [5, 1], stride: [2, 2], mode: 'circular' });

const CASES: readonly Case[] = [
  ...(['neg', 'abs', 'relu', 'exp', 'tanh', 'sigmoid', 'cos', 'sin'] as const).map(
    (op): Case => [op, [[3, 4]], (b, [x]) => b.unary(op, x), apart],
  ),
  ...(['log', 'sqrt', 'reciprocal'] as const).map((op): Case => [op, [[3, 4]], (b, [x]) => b.unary(op, x), positive]),
  ...(['add', 'sub', 'mul', 'max', 'min'] as const).map(
    (op): Case => [
      op,
      [
        [3, 4],
        [3, 4],
      ],
      (b, [x, y]) => b.binary(op, x, y),
    ],
  ),
  [
    'div',
    [
      [3, 4],
      [3, 4],
    ],
    (b, [x, y]) => b.div(x, y),
    positive,
  ],
  ['the same operand twice', [[5]], (b, [x]) => b.mul(x, b.add(x, x))],
  ['select', [[6], [6], [6]], (b, [c, x, y]) => b.select(b.binary('greater', c, b.constant(0, [6])), x, y)],
  ['broadcast', [[3, 2]], (b, [x]) => b.broadcast(x, [4, 3, 5, 2], [1, 3])],
  ['broadcast of a scalar', [[]], (b, [x]) => b.broadcast(x, [2, 3], [])],
  ['reshape', [[3, 4]], (b, [x]) => b.reshape(x, [2, 6])],
  ['transpose', [[2, 3, 4]], (b, [x]) => b.transpose(x, [2, 0, 1])],
  ['slice', [[7, 6]], (b, [x]) => b.slice(x, [1, 0], [6, 6], [2, 4])],
  ['pad', [[2, 3]], (b, [x]) => b.pad(x, [1, 0], [0, 2], [2, 1])],
  ['reverse', [[2, 3, 2]], (b, [x]) => b.reverse(x, [0, 1])],
  [
    'concat',
    [
      [2, 3],
      [2, 1],
      [2, 2],
    ],
    (b, parts) => b.concat(parts, 1),
  ],
  ['reduce sum', [[2, 3, 4]], (b, [x]) => b.sum(x, [0, 2])],
  ['reduce max', [[2, 3, 4]], (b, [x]) => b.maximum(x, [0, 2])],
  ...[false, true].flatMap(ta =>
    [false, true].map((tb): Case => {
      const [a, c] = [ta ? [2, 4, 3] : [2, 3, 4], tb ? [2, 5, 4] : [2, 4, 5]];
      return [`matmul transposed ${ta} ${tb}`, [a, c], (b, [x, y]) => b.matmul(x, y, { a: ta, b: tb })];
    }),
  ),
  ['Gram matrix of rows', [[2, 3, 4]], (b, [x]) => b.matmul(x, x, { b: true })],
  ['Gram matrix of columns', [[3, 4]], (b, [x]) => b.matmul(x, x, { a: true })],
  [
    'conv',
    [
      [2, 3, 5, 4],
      [2, 3, 3, 3],
    ],
    (b, [x, k]) => b.conv(x, k, convAttrs({ padding: [1, 1] })),
  ],
  [
    'conv strided, dilated',
    [
      [2, 2, 6, 5],
      [3, 2, 3, 3],
    ],
    (b, [x, k]) => b.conv(x, k, STRIDED),
  ],
  [
    'conv grouped',
    [
      [2, 4, 4, 4],
      [6, 2, 3, 3],
    ],
    (b, [x, k]) => b.conv(x, k, GROUPED),
  ],
  [
    'conv circular',
    [
      [1, 2, 4, 5],
      [3, 2, 3, 3],
    ],
    (b, [x, k]) => b.conv(x, k, CIRCULAR),
  ],
  [
    'conv circular, padding wider than the image',
    [
      [1, 2, 3, 4],
      [2, 2, 3, 2],
    ],
    (b, [x, k]) => b.conv(x, k, CIRCULAR_WIDE),
  ],
  [
    'convTranspose',
    [
      [2, 3, 4, 7],
      [3, 2, 3, 3],
    ],
    (b, [y, k]) => b.convTranspose(y, k, [7, 7], STRIDED),
  ],
  [
    'convTranspose grouped',
    [
      [2, 6, 4, 4],
      [6, 2, 3, 3],
    ],
    (b, [y, k]) => b.convTranspose(y, k, [4, 4], GROUPED),
  ],
  [
    'convTranspose circular',
    [
      [1, 3, 4, 5],
      [3, 2, 3, 3],
    ],
    (b, [y, k]) => b.convTranspose(y, k, [4, 5], CIRCULAR),
  ],
  [
    'convWeight',
    [
      [2, 2, 7, 7],
      [2, 3, 4, 7],
    ],
    (b, [x, y]) => b.convWeight(x, y, [3, 3], STRIDED),
  ],
  [
    'convWeight grouped',
    [
      [2, 4, 4, 4],
      [2, 6, 4, 4],
    ],
    (b, [x, y]) => b.convWeight(x, y, [3, 3], GROUPED),
  ],
  [
    'convWeight circular',
    [
      [1, 2, 4, 5],
      [1, 3, 4, 5],
    ],
    (b, [x, y]) => b.convWeight(x, y, [3, 3], CIRCULAR),
  ],
  ['sort', [[2, 6, 3]], (b, [x]) => b.sort(x, 1, 3)],
  [
    'inverse permutation',
    [
      [2, 6],
      [2, 6],
    ],
    (b, [x, v]) => b.make({ kind: 'sortPermute', axis: 1, group: 3, inverse: true }, [x, v]),
  ],
  ['inverse', [[2, 4, 4]], (b, [x]) => b.inverse(x), dominant(4)],
  // Of x xᵀ and a diagonal: the derivative of a Cholesky factor is that along symmetric matrices.
  [
    'inverse of a Cholesky factor',
    [[2, 4, 3]],
    (b, [x]) => {
      const identity = b.binary('equal', b.iota([2, 4, 4], 1), b.iota([2, 4, 4], 2));
      return b.inverseCholesky(b.add(b.matmul(x, x, { b: true }), b.scale(identity, 0.5)));
    },
  ],
];

describe('vector-Jacobian products agree with central differences', () => {
  it.each(CASES.map(c => [c[0], c] as const))('%s', (_, [, shapes, build, place = (v: number) => v]) => {
    const names = shapes.map((__, i) => `x${i}`);
    const { graph, seedLength, missing } = gradientGraph(b => {
      const leaves = shapes.map((s, i) => b.input(names[i], s));
      return { y: build(b, leaves), wrt: Object.fromEntries(leaves.map((id, i) => [names[i], id])) };
    });
    const inputs = new Map<string, Float64Array>([['seed', noise(seedLength, 99)]]);
    shapes.forEach((s, i) => {
      inputs.set(
        names[i],
        noise(
          s.reduce((p, d) => p * d, 1),
          i + 1,
        ).map(place),
      );
    });
    const smooth = names.filter(n => !missing.includes(n));
    expect(smooth.length).toBeGreaterThan(0);
    for (const name of smooth) {
      const entries = Array.from(inputs.get(name)!, (__, i) => i);
      expect(gradientError(graph, { inputs, params: new Map() }, 'inputs', name, entries)).toBeLessThan(1e-7);
    }
  });
});

describe('conventions', () => {
  const gradient = (data: readonly number[], build: (b: GraphBuilder, x: TensorId) => TensorId): number[] => {
    const b = new GraphBuilder();
    const x = b.input('x', [data.length]);
    const y = build(b, x);
    const [g] = differentiate(b, y, b.constant(1, b.shape(y)), [x]);
    b.output('g', g ?? b.constant(0, [data.length]));
    return Array.from(interpret(b.finish(), { inputs: new Map([['x', data]]), params: new Map() }).outputs.get('g')!);
  };

  it('takes 0 as the derivative of relu and abs at 0', () => {
    expect(gradient([0, -0, 1], (b, x) => b.unary('relu', x))).toEqual([0, 0, 1]);
    expect(gradient([0, 2], (b, x) => b.unary('abs', x))).toEqual([0, 1]);
  });
  it('gives a tie of max and min to the first operand', () => {
    expect(gradient([1, 1], (b, x) => b.binary('max', x, b.constant(1, [2])))).toEqual([1, 1]);
    expect(gradient([1, 1], (b, x) => b.binary('min', b.constant(1, [2]), x))).toEqual([0, 0]);
  });
  it('shares the gradient of a maximum among tied entries', () => {
    expect(gradient([3, 1, 3], (b, x) => b.maximum(x, [0]))).toEqual([0.5, 0, 0.5]);
  });
  it('passes nothing through detach and comparisons', () => {
    expect(gradient([2, 3], (b, x) => b.mul(b.detach(x), x))).toEqual([2, 3]);
    expect(gradient([2], (b, x) => b.unary('step', x))).toEqual([0]);
  });
  it('makes no NaN where select hides a square root of 0', () => {
    const root = (b: GraphBuilder, x: TensorId): TensorId => {
      const some = b.binary('greater', x, b.constant(0, [2]));
      return b.select(some, b.unary('sqrt', b.select(some, x, b.constant(1, [2]))), b.constant(0, [2]));
    };
    expect(gradient([0, 4], root)).toEqual([0, 0.25]);
  });
  it('writes the gradient of relu from its output alone', () => {
    const b = new GraphBuilder();
    const x = b.input('x', [2]);
    const y = b.unary('relu', x);
    const [g] = differentiate(b, y, b.input('g', [2]), [x]);
    const seen = new Set<TensorId>();
    const visit = (id: TensorId): void => {
      seen.add(id);
      b.node(id).inputs.forEach(visit);
    };
    visit(g!);
    expect(seen.has(y)).toBe(true);
    expect([...seen].filter(id => b.node(id).inputs.includes(x))).toEqual([y]);
  });
});
