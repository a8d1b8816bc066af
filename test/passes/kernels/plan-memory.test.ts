import { describe, expect, it } from 'vitest';
import { DEFAULT_LIMITS, reads, writes } from '../../../src/ir/kernel.ts';
import { GraphBuilder } from '../../../src/ir/tensor.ts';
import { fuse } from '../../../src/passes/kernels/fuse.ts';
import { planMemory } from '../../../src/passes/kernels/plan-memory.ts';
import { schedule } from '../../../src/passes/kernels/schedule.ts';
import { randomGraph } from '../../codegen/random-graph.ts';

describe('memory planning', () => {
  it('needs two buffers for a chain of any length', () => {
    const b = new GraphBuilder();
    let x = b.input('x', [16, 16]);
    for (let i = 0; i < 9; i++) x = b.matmul(x, b.param('w', [16, 16]));
    b.output('y', x);
    const f = fuse(b.finish(), DEFAULT_LIMITS);
    const { buffers } = planMemory(f.kernels, f.storages);
    expect(buffers.filter(p => p.role === 'temp')).toEqual([
      { role: 'temp', size: 1024 },
      { role: 'temp', size: 1024 },
    ]);
  });

  it('never gives two tensors in use the same buffer', () => {
    for (let seed = 1; seed <= 60; seed++) {
      const target = { profile: 'software', limits: DEFAULT_LIMITS } as const;
      const f = schedule(fuse(randomGraph(seed, 30), DEFAULT_LIMITS), target);
      const { buffers, bufferOf } = planMemory(f.kernels, f.storages);
      /** Which tensor a buffer holds. */
      const holds = new Map<number, number>();
      for (const s of f.storages.values())
        if (s.role === 'input' || s.role === 'param' || s.role === 'literal') holds.set(bufferOf.get(s.id)!, s.id);
      for (const k of f.kernels) {
        for (const s of reads(k)) expect(holds.get(bufferOf.get(s)!), `seed ${seed}`).toBe(s);
        const touched = [...new Set([...reads(k), ...writes(k)])];
        expect(new Set(touched.map(s => bufferOf.get(s))).size).toBe(touched.length);
        for (const s of writes(k)) {
          holds.set(bufferOf.get(s)!, s);
          expect(buffers[bufferOf.get(s)!].size).toBeGreaterThanOrEqual(
            4 * f.storages.get(s)!.shape.reduce((p, d) => p * d, 1),
          );
        }
      }
      for (const o of f.outputs.values()) expect(holds.get(bufferOf.get(o.storage)!)).toBe(o.storage);
    }
  });
});
