import { describe, expect, it } from 'vitest';
import { evaluate, interpret } from '../../../src/ir/interpret.ts';
import { GraphBuilder, printTensorGraph } from '../../../src/ir/tensor.ts';
import { fold } from '../../../src/passes/tensors/fold.ts';
import { buildInference, multiplierOutput } from '../../../src/passes/training/train-step.ts';
import { noise } from '../../gradient.ts';
import { chain, dense, residual, sll } from '../../networks.ts';

it('rounds multipliers down, never up, so that t·T ≤ 2 exactly', () => {
  const m = 24;
  const proven = chain([16], [residual('l', dense('l', m, 16), sll('l', m))]);
  const t = multiplierOutput('l');
  for (let seed = 0; seed < 20; seed++) {
    const W = noise(m * 16, seed).map(Math.fround);
    const q = noise(m, seed + 100).map(Math.fround);
    const graph = buildInference(proven, 1);
    const params = new Map([
      ['l.W', W],
      ['l.b', new Float64Array(m)],
      ['l.q', q],
    ]);
    const exact = evaluate(graph, { inputs: new Map(), params }, [graph.outputs.get(t)!]).get(graph.outputs.get(t)!)!;
    const folded = fold(graph, params, { downward: [t] });
    const stored = interpret(folded, { inputs: new Map([['x', new Float64Array(16)]]), params: new Map() }).outputs.get(
      t,
    )!;
    stored.forEach((v, i) => {
      expect(Math.fround(v)).toBe(v);
      expect(v).toBeLessThan(exact[i]);
      expect(v).toBeGreaterThan(exact[i] * (1 - 2 ** -22));
    });
  }
});

describe('fold', () => {
  it('evaluates what depends on parameters alone and rounds it once', () => {
    const b = new GraphBuilder();
    const w = b.param('w', [2]);
    const third = b.div(w, b.constant(3, [2]));
    b.output('y', b.mul(b.input('x', [2]), b.add(third, third)));
    const folded = fold(b.finish(), new Map([['w', [1, 2]]]));
    expect(printTensorGraph(folded)).toMatchInlineSnapshot(`
      "%0 = input "x" [2]
      %1 = literal [2] data=(2)
      %2 = mul [2] %0 %1
      output "y" %2
      "
    `);
    const literal = folded.nodes.find(n => n.op.kind === 'literal')!;
    if (literal.op.kind !== 'literal') throw new Error('a literal');
    expect([...literal.op.data]).toEqual([Math.fround(2 / 3), Math.fround(4 / 3)]);
  });
  it('keeps a repeated vector small', () => {
    const b = new GraphBuilder();
    const bias = b.broadcast(b.unary('exp', b.param('b', [3])), [64, 3], [1]);
    b.output('y', b.add(b.input('x', [64, 3]), bias));
    const folded = fold(b.finish(), new Map([['b', [0, 1, 2]]]));
    expect(folded.nodes.map(n => [n.op.kind, n.shape])).toEqual([
      ['literal', [3]],
      ['broadcast', [64, 3]],
      ['input', [64, 3]],
      ['binary', [64, 3]],
    ]);
  });
  it('makes a constant of equal entries', () => {
    const b = new GraphBuilder();
    b.output('y', b.add(b.input('x', [3]), b.param('b', [3])));
    const folded = fold(b.finish(), new Map([['b', [0.5, 0.5, 0.5]]]));
    expect(folded.nodes.some(n => n.op.kind === 'constant')).toBe(true);
  });
  it('folds an output that depends on parameters alone', () => {
    const b = new GraphBuilder();
    b.output('rows', b.scale(b.param('w', [2]), 2));
    const folded = fold(b.finish(), new Map([['w', [1, 3]]]));
    expect([...interpret(folded, { inputs: new Map(), params: new Map() }).outputs.get('rows')!]).toEqual([2, 6]);
  });
  it('names a missing parameter and refuses values that are not finite', () => {
    const b = new GraphBuilder();
    b.origin = 'dense[0]';
    b.output('y', b.add(b.input('x', [1]), b.unary('exp', b.param('dense[0].b', [1]))));
    const graph = b.finish();
    expect(() => fold(graph, new Map())).toThrow('no value for parameter "dense[0].b"');
    expect(() => fold(graph, new Map([['dense[0].b', [1000]]]))).toThrow(
      expect.objectContaining({ name: 'NotFoldable', message: expect.stringContaining('dense[0] has entries') }),
    );
    expect(() => fold(graph, new Map([['dense[0].b', [Number.NaN]]]))).toThrow('not finite');
  });
});
