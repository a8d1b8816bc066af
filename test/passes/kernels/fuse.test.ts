/** Which kernels a graph becomes, as text; that they compute the right thing is checked in test/codegen. */
import { describe, expect, it } from 'vitest';
import { DEFAULT_LIMITS, printKernels, reads, writes } from '../../../src/ir/kernel.ts';
import { convAttrs, GraphBuilder, type TensorId } from '../../../src/ir/tensor.ts';
import { fuse } from '../../../src/passes/kernels/fuse.ts';

const fused = (make: (b: GraphBuilder) => TensorId | readonly TensorId[] | undefined, limits = DEFAULT_LIMITS) => {
  const b = new GraphBuilder();
  const made = make(b);
  (typeof made === 'number' ? [made] : (made ?? [])).forEach((id, i) => {
    b.output(`y${i}`, id);
  });
  return fuse(b.finish(), limits);
};
const text = (make: Parameters<typeof fused>[0]) => `\n${printKernels(fused(make).kernels)}`;

describe('fusion', () => {
  it('makes bias and activation the epilogue of a convolution', () => {
    expect(
      text(b => {
        const y = b.conv(b.input('x', [2, 3, 8, 8]), b.param('k', [4, 3, 3, 3]), convAttrs({ padding: [1, 1] }));
        return b.unary('relu', b.add(y, b.broadcast(b.param('b', [4]), [2, 4, 8, 8], [1])));
      }),
    ).toMatchInlineSnapshot(`
      "
      reduce sum (o0<2, o1<4, o2<8, o3<8) over (r0<3, r1<3, r2<3): ((0 <= o2 + r1 - 1 < 8 and 0 <= o3 + r2 - 1 < 8 ? %0[192*o0 + 64*r0 + 8*o2 + 8*r1 + o3 + r2 - 9] : 0) * %1[27*o1 + 9*r0 + 3*r1 + r2])   # relu fused into conv
        %6[256*o0 + 64*o1 + 8*o2 + o3] = relu((acc + %3[o1]))
      "
    `);
  });

  it('goes through a reshape into an epilogue', () => {
    expect(
      text(b => {
        const y = b.reshape(b.matmul(b.input('x', [4, 5]), b.param('w', [6, 5]), { b: true }), [4, 3, 2]);
        return b.mul(y, b.param('s', [4, 3, 2]));
      }),
    ).toMatchInlineSnapshot(`
      "
      reduce sum (o0<4, o1<6) over (r0<5): (%0[5*o0 + r0] * %1[5*o1 + r0])   # mul fused into matmul
        %5[6*o0 + o1] = (acc * %4[6*o0 + o1])
      "
    `);
  });

  it('computes the terms of a sum inside it', () => {
    expect(
      text(b => {
        const g = b.matmul(b.param('a', [4, 9]), b.param('a', [4, 9]), { b: true });
        return b.sum(b.mul(b.unary('abs', g), b.broadcast(b.param('q', [4]), [4, 4], [1])), [1]);
      }),
    ).toMatchInlineSnapshot(`
      "
      reduce sum (o0<4, o1<4) over (r0<9): (%0[9*o0 + r0] * %0[9*o1 + r0])   # matmul
        %1[4*o0 + o1] = acc
      reduce sum (o0<4) over (r0<4): (abs(%1[4*o0 + r0]) * %3[r0])   # sum
        %6[o0] = acc
      "
    `);
  });

  it('loads operands of products through views', () => {
    expect(
      text(b => b.matmul(b.transpose(b.input('x', [5, 4]), [1, 0]), b.slice(b.param('w', [5, 8]), [0, 2], [5, 8]))),
    ).toMatchInlineSnapshot(`
      "
      reduce sum (o0<4, o1<6) over (r0<5): (%0[4*r0 + o0] * %2[8*r0 + o1 + 2])   # matmul
        %4[6*o0 + o1] = acc
      "
    `);
  });

  it('stores a dear value that two large kernels need, and recomputes a cheap one', () => {
    const kernels = (op: 'tanh' | 'neg') =>
      fused(b => {
        const x = b.input('x', [512, 512]);
        const v = ['sin', 'cos', 'exp'].reduce(
          (id, u) => (op === 'tanh' ? b.unary(u as 'sin', id) : id),
          b.unary(op, x),
        );
        return [b.sum(v, [0]), b.sum(v, [1])];
      }).kernels.length;
    expect(kernels('tanh')).toBe(3);
    expect(kernels('neg')).toBe(2);
  });

  it('shares storage between a tensor and its reshapes', () => {
    const f = fused(b => {
      const y = b.unary('exp', b.input('x', [4, 6]));
      return [y, b.reshape(y, [24])];
    });
    expect(f.kernels.length).toBe(1);
    expect(f.outputs.get('y0')!.storage).toBe(f.outputs.get('y1')!.storage);
  });

  it('copies an output that is an input', () => {
    expect(text(b => b.reshape(b.input('x', [2, 2]), [4]))).toMatchInlineSnapshot(`
      "
      map (o0<4)   # copy y0
        %2[o0] = %0[o0]
      "
    `);
  });

  it('never binds more buffers than allowed', () => {
    for (const most of [3, 4, 6, 8]) {
      const limits = { ...DEFAULT_LIMITS, maxStorageBuffersPerShaderStage: most };
      const f = fused(b => {
        const xs = Array.from({ length: 12 }, (_, i) => b.input(`x${i}`, [4, 4]));
        const y = b.matmul(xs[0], xs[1]);
        return [xs.reduce((s, x) => b.add(b.mul(s, x), y), y), b.sum(b.concat(xs, 0), [0])];
      }, limits);
      for (const k of f.kernels) expect(new Set([...reads(k), ...writes(k)]).size).toBeLessThanOrEqual(most);
    }
  });
});

describe('updates', () => {
  it('are written in place, last, in one kernel where they depend on each other', () => {
    expect(
      text(b => {
        const [p, m] = ['p', 'p#m'].map(path => b.param(path, [8]));
        const g = b.matmul(b.reshape(p, [1, 8]), b.input('x', [8, 8]));
        const m1 = b.add(b.scale(m, 0.5), b.reshape(g, [8]));
        b.update('p#m', m1);
        b.update('p', b.sub(p, b.scale(m1, 0.125)));
        b.output('loss', b.sum(p, [0]));
        return undefined;
      }),
    ).toMatchInlineSnapshot(`
      "
      reduce sum (o0<1, o1<8) over (r0<8): (%0[r0] * %3[8*r0 + o1])   # matmul
        %4[o1] = acc
      reduce sum () over (r0<8): %0[r0]   # sum
        %12[0] = acc
      map (o0<8)   # add; sub
        %1[o0] = ((%1[o0] * 0.5) + %4[o0])
        %0[o0] = (%0[o0] - (((%1[o0] * 0.5) + %4[o0]) * 0.125))
      "
    `);
  });

  it('swap two params through a copy', () => {
    expect(
      text(b => {
        b.update('p', b.param('q', [4]));
        b.update('q', b.param('p', [4]));
        return undefined;
      }),
    ).toMatchInlineSnapshot(`
      "
      map (o0<4)   # copy p
        %2[o0] = %0[o0]
      map (o0<4)   # copy q
        %0[o0] = %1[o0]
      map (o0<4)   # copy p
        %1[o0] = %2[o0]
      "
    `);
  });

  it('do not overwrite in place what other entries still need', () => {
    expect(
      text(b => {
        b.update('p', b.reverse(b.param('p', [4]), [0]));
        return undefined;
      }),
    ).toMatchInlineSnapshot(`
      "
      map (o0<4)   # reverse
        %1[o0] = %0[-1*o0 + 3]
      map (o0<4)   # copy p
        %0[o0] = %1[o0]
      "
    `);
  });
});
