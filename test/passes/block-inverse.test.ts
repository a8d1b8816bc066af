import { describe, expect, it } from 'vitest';
import { interpret } from '../../src/ir/interpret.ts';
import { GraphBuilder } from '../../src/ir/tensor.ts';
import { blockInverses } from '../../src/passes/block-inverse.ts';
import { stream } from '../../src/train/random.ts';

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
  }
});
