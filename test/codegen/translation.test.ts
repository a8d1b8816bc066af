/** The translation check: after all passes, device and oracle agree, for every primitive and for what fusion makes of them. */
import { describe, expect, it } from 'vitest';
import { DEFAULT_LIMITS } from '../../src/ir/kernel.ts';
import {
  type BinaryOp,
  type ConvAttrs,
  convAttrs,
  GraphBuilder,
  type TensorId,
  type UnaryOp,
} from '../../src/ir/tensor.ts';
import { compileGraph } from '../../src/passes/kernels/compile-graph.ts';
import { useDevice } from '../device.ts';
import { runBoth, SOFTWARE } from './run-graph.ts';

const gpu = useDevice();

const agrees = async (
  make: (b: GraphBuilder) => TensorId | readonly TensorId[],
  tolerance = 1e-6,
  values: Readonly<Record<string, ArrayLike<number>>> = {},
) => {
  const b = new GraphBuilder();
  const made = make(b);
  const ids = typeof made === 'number' ? [made] : made;
  ids.forEach((id, i) => {
    b.output(`y${i}`, id);
  });
  const { error, worst } = await runBoth(gpu().device, b.finish(), SOFTWARE, values);
  expect(error, worst).toBeLessThanOrEqual(tolerance);
};

/** Values a kink apart from 0, and positive. */
const positive = Float32Array.from({ length: 70 }, (_, i) => 0.1 + i / 20);

describe('elementwise primitives', () => {
  const unary: { readonly [K in UnaryOp]: true } = {
    neg: true,
    abs: true,
    sign: true,
    step: true,
    relu: true,
    exp: true,
    log: true,
    sqrt: true,
    reciprocal: true,
    tanh: true,
    sigmoid: true,
    cos: true,
    sin: true,
  };
  for (const op of Object.keys(unary) as UnaryOp[]) {
    const values = op === 'log' || op === 'sqrt' || op === 'reciprocal' ? { x: positive } : {};
    // WGSL grants tanh, sin and cos an absolute error only: 1e-5 and 2^-11.
    const tolerance = 2e-5;
    it(op, () => agrees(b => b.unary(op, b.input('x', [7, 10])), tolerance, values));
  }
  const binary: { readonly [K in BinaryOp]: true } = {
    add: true,
    sub: true,
    mul: true,
    div: true,
    max: true,
    min: true,
    greater: true,
    equal: true,
  };
  for (const op of Object.keys(binary) as BinaryOp[]) {
    it(op, () =>
      agrees(
        b => b.binary(op, b.input('x', [7, 10]), b.input('y', [7, 10])),
        1e-6,
        op === 'div' ? { y: positive } : {},
      ),
    );
  }
  it('select looks at the chosen branch only', () =>
    agrees(
      b => {
        const x = b.input('x', [70]);
        return b.select(b.unary('step', x), b.unary('log', x), b.constant(-1, [70]));
      },
      1e-5,
      { x: Float32Array.from({ length: 70 }, (_, i) => (i % 3) - 1) },
    ));
  it('saturates tanh and sigmoid', () =>
    agrees(b => [b.unary('tanh', b.input('x', [4])), b.unary('sigmoid', b.input('x', [4]))], 1e-6, {
      x: [-1e4, -100, 100, 1e4],
    }));
});

describe('views', () => {
  it('iota, constant, literal', () =>
    agrees(b => [
      b.iota([3, 5], 1),
      b.iota([3, 5], 0),
      b.constant(0.5, [3]),
      b.literal([1, 2, 3, 4], [2, 2]),
      b.literal([2], []),
    ]));
  it('broadcast, reshape, transpose', () =>
    agrees(b => {
      const x = b.input('x', [4, 6]);
      const wide = b.broadcast(x, [4, 3, 6], [0, 2]);
      return [
        wide,
        b.reshape(x, [2, 12]),
        b.transpose(b.reshape(wide, [12, 6]), [1, 0]),
        b.reshape(b.transpose(x, [1, 0]), [3, 8]),
      ];
    }));
  it('slice, pad, reverse, concat', () =>
    agrees(b => {
      const x = b.input('x', [5, 7]);
      const s = b.slice(x, [1, 0], [5, 7], [2, 3]);
      const p = b.pad(s, [1, 2], [0, 1], [2, 1]);
      return [
        s,
        p,
        b.reverse(x, [1]),
        b.reverse(p, [0, 1]),
        b.concat([s, b.unary('exp', s), s], 0),
        b.concat([x, x], 1),
      ];
    }));
  it('pads a reshape of a concat, then transposes', () =>
    agrees(b => {
      const x = b.input('x', [3, 4]);
      const c = b.reshape(b.concat([x, b.reverse(x, [0])], 1), [2, 12]);
      return b.transpose(b.pad(c, [1, 1], [1, 0], [0, 1]), [1, 0]);
    }));
});

describe('reductions', () => {
  it('sum and max over some and all axes', () =>
    agrees(b => {
      const x = b.input('x', [3, 8, 5]);
      return [
        b.sum(x, [1]),
        b.sum(x, [0, 2]),
        b.sum(x, [0, 1, 2]),
        b.maximum(x, [2]),
        b.maximum(x, [0]),
        b.sum(b.mul(x, x), [1, 2]),
      ];
    }));
  it('splits a long sum', () => agrees(b => b.sum(b.input('x', [16, 9, 20, 20]), [0, 2, 3]), 1e-5));
  it('splits a long maximum', () => agrees(b => b.maximum(b.input('x', [50, 100]), [0, 1])));
});

describe('products', () => {
  for (const [ta, tb] of [
    [false, false],
    [false, true],
    [true, false],
    [true, true],
  ] as const) {
    it(`matmul ${ta ? 'T' : 'N'}${tb ? 'T' : 'N'}`, () =>
      agrees(b => {
        const x = b.input('x', ta ? [37, 19] : [19, 37]);
        const y = b.input('y', tb ? [23, 37] : [37, 23]);
        return b.matmul(x, y, { a: ta, b: tb });
      }, 1e-5));
  }
  it('batched, with operands seen through views', () =>
    agrees(b => {
      const x = b.input('x', [2, 3, 4, 5]);
      const y = b.transpose(b.input('y', [2, 3, 6, 5]), [0, 1, 3, 2]);
      return b.matmul(x, y);
    }));
  it('a Gram matrix of large extent, by pieces', () =>
    agrees(b => b.matmul(b.input('x', [4, 3000]), b.input('x', [4, 3000]), { b: true }), 1e-4));
});

const CASES: readonly {
  readonly name: string;
  readonly attrs: Partial<ConvAttrs>;
  readonly k: readonly number[];
  readonly x: readonly number[];
}[] = [
  { name: 'same 3x3', attrs: { padding: [1, 1] }, k: [6, 4, 3, 3], x: [2, 4, 8, 8] },
  { name: 'valid 2x3', attrs: {}, k: [3, 2, 2, 3], x: [2, 2, 6, 7] },
  { name: 'stride 2, padding', attrs: { stride: [2, 2], padding: [1, 2] }, k: [3, 2, 3, 3], x: [2, 2, 7, 8] },
  { name: 'dilation', attrs: { dilation: [2, 1], padding: [2, 0] }, k: [3, 2, 3, 2], x: [1, 2, 9, 6] },
  { name: 'groups', attrs: { groups: 2, padding: [1, 1] }, k: [6, 2, 3, 3], x: [2, 4, 5, 5] },
  { name: 'circular', attrs: { padding: [1, 1], mode: 'circular' }, k: [3, 2, 3, 3], x: [2, 2, 5, 6] },
  {
    name: 'circular, wide kernel and stride',
    attrs: { padding: [3, 2], stride: [1, 2], mode: 'circular' },
    k: [3, 2, 5, 5],
    x: [1, 2, 4, 6],
  },
  { name: 'autocorrelation', attrs: { padding: [2, 2] }, k: [5, 4, 3, 3], x: [5, 4, 3, 3] },
];

describe('convolutions', () => {
  for (const c of CASES) {
    it(c.name, () =>
      agrees(b => {
        const attrs = convAttrs(c.attrs);
        const x = b.input('x', c.x);
        const k = b.input('k', c.k);
        const y = b.conv(x, k, attrs);
        const v = b.input('v', b.shape(y));
        return [y, b.convTranspose(v, k, [c.x[2], c.x[3]], attrs), b.convWeight(x, v, [c.k[2], c.k[3]], attrs)];
      }, 1e-5),
    );
  }
  it('a residual layer is two kernels', async () => {
    const b = new GraphBuilder();
    const x = b.input('x', [2, 4, 8, 8]);
    const k = b.param('k', [6, 4, 3, 3]);
    const t = b.broadcast(b.param('t', [6]), [2, 6, 8, 8], [1]);
    const bias = b.broadcast(b.param('b', [6]), [2, 6, 8, 8], [1]);
    const attrs = convAttrs({ padding: [1, 1] });
    const u = b.mul(t, b.unary('relu', b.add(b.conv(x, k, attrs), bias)));
    b.output('y', b.sub(x, b.convTranspose(u, k, [8, 8], attrs)));
    const graph = b.finish();
    expect(compileGraph(graph, SOFTWARE).plan.steps.length).toBe(2);
    const { error, worst } = await runBoth(gpu().device, graph);
    expect(error, worst).toBeLessThan(1e-5);
  });
});

describe('sorts and inverses', () => {
  it('sorts groups, with ties, both ways', () =>
    agrees(
      b => {
        const x = b.input('x', [2, 6, 3]);
        const v = b.input('v', [2, 6, 3]);
        const permute = (inverse: boolean) => b.make({ kind: 'sortPermute', axis: 1, group: 3, inverse }, [x, v]);
        return [b.sort(x, 1, 6), permute(false), permute(true), b.sort(b.unary('relu', x), 2, 3)];
      },
      1e-6,
      { x: Float32Array.from({ length: 36 }, (_, i) => (i * 7) % 5) },
    ));
  it('inverts', () =>
    agrees(b => {
      const a = b.input('a', [2, 9, 9]);
      const eye = b.binary('equal', b.iota([2, 9, 9], 1), b.iota([2, 9, 9], 2));
      return b.inverse(b.add(b.scale(eye, 9), a));
    }));
  it('inverts Cholesky factors, of singular matrices too', () =>
    agrees(b => {
      const a = b.input('a', [3, 70, 40]);
      const eye = b.binary('equal', b.iota([3, 70, 70], 1), b.iota([3, 70, 70], 2));
      const gram = b.matmul(a, a, { b: true });
      const small = b.slice(gram, [0, 0, 0], [3, 9, 9]);
      // All rows equal: rank 1, by exact arithmetic.
      return [
        b.inverseCholesky(small),
        b.inverseCholesky(b.add(eye, gram)),
        b.inverseCholesky(b.constant(1, [2, 5, 5])),
      ];
    }, 2e-5));
});

describe('updates', () => {
  it('Adam is one kernel, in place', async () => {
    const b = new GraphBuilder();
    const shape = [5, 7];
    const [p, m, v] = ['p', 'p#m', 'p#v'].map(path => b.param(path, shape));
    const step = b.input('step', [2]);
    const scalar = (i: number) => b.broadcast(b.reshape(b.slice(step, [i], [i + 1]), []), shape, []);
    const g = b.mul(p, b.input('x', shape));
    const m1 = b.add(b.scale(m, 0.5), b.scale(g, 0.5));
    const v1 = b.add(b.scale(v, 0.9), b.scale(b.mul(g, g), 0.1));
    b.update('p#m', m1);
    b.update('p#v', v1);
    b.update('p', b.sub(p, b.mul(scalar(0), b.div(m1, b.offset(b.unary('sqrt', b.mul(v1, scalar(1))), 1e-8)))));
    const graph = b.finish();
    expect(compileGraph(graph, SOFTWARE).plan.steps.length).toBe(1);
    const { error, worst } = await runBoth(gpu().device, graph, SOFTWARE, {
      'p#v': new Float32Array(35).fill(0.5),
      step: [0.1, 0.7],
    });
    expect(error, worst).toBeLessThan(1e-6);
  });
  it('old values are read before they are overwritten', async () => {
    const b = new GraphBuilder();
    const p = b.param('p', [4, 4]);
    const q = b.param('q', [4, 4]);
    b.update('p', q);
    b.update('q', b.transpose(p, [1, 0]));
    b.update('r', b.add(p, q));
    b.output('sum', b.sum(b.mul(p, q), [0, 1]));
    b.output('p', p);
    const { error, worst } = await runBoth(gpu().device, b.finish());
    expect(error, worst).toBeLessThan(1e-6);
  });
});

describe('bindings', () => {
  it('splits what needs more buffers than a dispatch may bind', async () => {
    const b = new GraphBuilder();
    const parts = Array.from({ length: 20 }, (_, i) => b.input(`x${i}`, [6]));
    const all = parts.reduce((s, x, i) => b.add(b.scale(s, 0.5 + i / 10), b.mul(x, x)));
    b.output('y', b.sum(b.add(all, b.concat(parts.map(x => b.slice(x, [0], [1])).slice(0, 6), 0)), [0]));
    const limits = { ...DEFAULT_LIMITS, maxStorageBuffersPerShaderStage: 4 };
    const { plan } = compileGraph(b.finish(), { profile: 'software', limits });
    expect(Math.max(...plan.steps.map(s => s.bindings.length))).toBeLessThanOrEqual(4);
    const { error, worst } = await runBoth(gpu().device, b.finish(), { profile: 'software', limits });
    expect(error, worst).toBeLessThan(1e-5);
  });
});
