import { describe, expect, it } from 'vitest';
import { interpret } from '../../../src/ir/interpret.ts';
import { GraphBuilder } from '../../../src/ir/tensor.ts';
import { blockInverses } from '../../../src/passes/tensors/block-inverse.ts';
import { stream } from '../../../src/train/random.ts';

describe('block inverse', () => {
  for (const n of [65, 128, 150]) {
    it(`inverts ${n}×${n} matrices with a positive definite symmetric part`, () => {
      const b = new GraphBuilder();
      const shape = [2, n, n];
      b.output('inverse', b.inverse(b.input('m', shape)));
      const graph = blockInverses(b.finish());
      expect(Math.max(...graph.nodes.filter(d => d.op.kind === 'inverse').map(d => d.shape[1]))).toBeLessThanOrEqual(
        64,
      );
      // Identity plus a skew matrix: what the Cayley transform inverts.
      const random = stream(3, `inverse ${n}`);
      const m = new Float64Array(2 * n * n);
      for (let p = 0; p < 2; p++)
        for (let i = 0; i < n; i++) {
          m[(p * n + i) * n + i] = 1;
          for (let j = 0; j < i; j++) {
            const v = random.normal();
            m[(p * n + i) * n + j] = v;
            m[(p * n + j) * n + i] = -v;
          }
        }
      const inverse = interpret(graph, { inputs: new Map([['m', m]]), params: new Map() }).outputs.get('inverse')!;
      let worst = 0;
      for (let p = 0; p < 2; p++)
        for (let i = 0; i < n; i++)
          for (let j = 0; j < n; j++) {
            let s = i === j ? -1 : 0;
            for (let k = 0; k < n; k++) s += m[(p * n + i) * n + k] * inverse[(p * n + k) * n + j];
            worst = Math.max(worst, Math.abs(s));
          }
      expect(worst).toBeLessThan(1e-11);
    });

    it(`inverts the Cholesky factor of ${n}×${n} matrices, some of low rank`, () => {
      const b = new GraphBuilder();
      b.output('inverse', b.inverseCholesky(b.input('m', [2, n, n])));
      const whole = b.finish();
      const graph = blockInverses(whole);
      expect(graph.nodes.every(d => d.op.kind !== 'inverse' || d.shape[1] <= 64)).toBe(true);
      const random = stream(4, `factor ${n}`);
      const m = new Float64Array(2 * n * n);
      for (let p = 0; p < 2; p++) {
        // The second matrix has rank 70: rows after that depend on those before.
        const rank = p === 0 ? 2 * n : 70;
        const rows = Array.from({ length: n }, () => {
          const row = Array.from({ length: rank }, () => random.normal());
          const length = Math.hypot(...row);
          return row.map(v => v / length);
        });
        for (let i = 0; i < n; i++)
          for (let j = 0; j < n; j++) m[(p * n + i) * n + j] = rows[i].reduce((s, v, k) => s + v * rows[j][k], 0);
      }
      const bindings = { inputs: new Map([['m', m]]), params: new Map() };
      const [blocks, direct] = [graph, whole].map(g => interpret(g, bindings).outputs.get('inverse')!);
      const largest = direct.reduce((s, v) => Math.max(s, Math.abs(v)), 0);
      expect(blocks.every((v, i) => Math.abs(v - direct[i]) < 1e-9 * largest)).toBe(true);
      const zeroRows = Array.from({ length: n }, (_, i) => i).filter(i =>
        direct.subarray(n * n + i * n, n * n + (i + 1) * n).every(v => v === 0),
      );
      expect(zeroRows).toEqual(Array.from({ length: Math.max(0, n - 70) }, (_, i) => 70 + i));
    });
  }
});
