import { describe, expect, it } from 'vitest';
import { DEFAULT_LIMITS, printKernels, type Target } from '../../../src/ir/kernel.ts';
import { GraphBuilder, type TensorId } from '../../../src/ir/tensor.ts';
import { compileGraph } from '../../../src/passes/kernels/compile-graph.ts';
import { fuse } from '../../../src/passes/kernels/fuse.ts';
import { schedule } from '../../../src/passes/kernels/schedule.ts';

const GPU: Target = { profile: 'gpu', limits: DEFAULT_LIMITS };

const scheduled = (make: (b: GraphBuilder) => TensorId, target: Target = GPU) => {
  const b = new GraphBuilder();
  b.output('y', make(b));
  return schedule(fuse(b.finish(), target.limits), target);
};

describe('scheduling', () => {
  it('merges loops that every index treats as one', () => {
    const f = scheduled(b => b.add(b.input('x', [2, 3, 4]), b.broadcast(b.input('v', [3]), [2, 3, 4], [1])));
    expect(f.kernels.map(k => k.kind === 'map' && k.out.map(v => v.extent))).toEqual([[2, 3, 4]]);
    const g = scheduled(b => b.add(b.input('x', [2, 3, 4]), b.broadcast(b.input('v', [3, 4]), [2, 3, 4], [1, 2])));
    expect(g.kernels.map(k => k.kind === 'map' && k.out.map(v => v.extent))).toEqual([[2, 12]]);
  });

  it('cuts a long sum with few results in pieces, added in a fixed order', () => {
    const f = scheduled(b => b.sum(b.input('x', [16, 4, 32, 32]), [0, 2, 3]));
    expect(f.kernels.length).toBe(2);
    const extents = f.kernels.map(k =>
      k.kind === 'reduce' ? [...k.out, ...k.over].reduce((p, v) => p * v.extent, 1) : 0,
    );
    expect(extents[0]).toBe(16 * 4 * 32 * 32);
    expect(extents[1]).toBeLessThan(extents[0] / 16);
  });

  it('leaves a short sum alone', () => {
    expect(scheduled(b => b.sum(b.input('x', [8, 16]), [1])).kernels.length).toBe(1);
  });

  it('gives layers of equal shape one module', () => {
    const b = new GraphBuilder();
    let x = b.input('x', [8, 8]);
    for (let i = 0; i < 5; i++) x = b.unary('relu', b.matmul(x, b.param(`w${i}`, [8, 8])));
    b.output('y', x);
    const { plan } = compileGraph(b.finish(), { profile: 'software', limits: DEFAULT_LIMITS });
    expect([plan.steps.length, plan.kernels.length]).toEqual([5, 1]);
  });

  it('is deterministic', () => {
    const make = (b: GraphBuilder) => b.matmul(b.input('x', [40, 30]), b.input('w', [30, 50]));
    for (const profile of ['software', 'gpu'] as const) {
      const target = { profile, limits: DEFAULT_LIMITS };
      expect(printKernels(scheduled(make, target).kernels)).toBe(printKernels(scheduled(make, target).kernels));
    }
  });
});
