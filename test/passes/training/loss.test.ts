import { describe, expect, it } from 'vitest';
import { interpret } from '../../../src/ir/interpret.ts';
import type { Loss } from '../../../src/ir/recipe.ts';
import { GraphBuilder } from '../../../src/ir/tensor.ts';
import { differentiate } from '../../../src/passes/training/differentiate.ts';
import { lowerLoss } from '../../../src/passes/training/loss.ts';
import { fixtureNames, readFixture } from '../../fixture.ts';

const run = (loss: Loss, shape: readonly number[], logits: ArrayLike<number>, labels: ArrayLike<number>) => {
  const b = new GraphBuilder();
  const z = b.input('z', shape);
  const y = lowerLoss(b, loss, z, b.input('labels', [shape[0]]));
  b.output('loss', y);
  b.output('grad', differentiate(b, y, b.constant(1), [z])[0]!);
  const inputs = new Map([
    ['z', logits],
    ['labels', labels],
  ]);
  return interpret(b.finish(), { inputs, params: new Map() }).outputs;
};

const REFERENCE: Loss = { kind: 'cross_entropy', offset: 1.5 * Math.SQRT2, temperature: 0.25 };

const lossOf = (name: string, attrs: Readonly<Record<string, number | string>>): Loss => {
  if (name.startsWith('margin_boosting')) return { kind: 'margin_boosting' };
  if (name.startsWith('multi_margin'))
    return { kind: 'multi_margin', margin: attrs.margin ? Number(attrs.margin) : 0.7 };
  if (name.startsWith('tau')) return { kind: 'cross_entropy', offset: 0, temperature: 1 / Number(attrs.tau) };
  if (name.startsWith('xent_plus_margin')) {
    const margin: Loss = { kind: 'multi_margin', margin: 0.7 };
    return {
      kind: 'sum',
      of: [
        { weight: 1, loss: REFERENCE },
        { weight: 1, loss: margin },
      ],
    };
  }
  return { kind: 'cross_entropy', offset: Number(attrs.offset), temperature: Number(attrs.temperature) };
};

describe('losses of the original authors, values and gradients in float64', () => {
  it.each(fixtureNames('loss'))('%s', name => {
    const f = readFixture('loss', name);
    const x = f.tensors.get('x')!;
    const out = run(lossOf(name, f.attrs), x.shape, x.data, f.tensors.get('labels')!.data);
    expect(Math.abs(out.get('loss')![0] - f.tensors.get('y')!.data[0])).toBeLessThanOrEqual(f.tolerance('y')!);
    const want = f.tensors.get('grad.x')!.data;
    const worst = Math.max(...out.get('grad')!.map((v, i) => Math.abs(v - want[i])));
    expect(worst).toBeLessThanOrEqual(f.tolerance('grad.x')!);
  });
});

it('does not overflow on large logits', () => {
  const out = run({ kind: 'cross_entropy', offset: 0, temperature: 1 }, [1, 3], [1e4, 0, -1e4], [1]);
  expect(out.get('loss')![0]).toBeCloseTo(1e4, 6);
  expect(Array.from(out.get('grad')!)).toEqual([1, -1, 0]);
});
