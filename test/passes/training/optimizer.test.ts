import { describe, expect, it } from 'vitest';
import { interpret } from '../../../src/ir/interpret.ts';
import { rational } from '../../../src/ir/rational.ts';
import type { Optimizer } from '../../../src/ir/recipe.ts';
import { GraphBuilder } from '../../../src/ir/tensor.ts';
import { differentiate } from '../../../src/passes/training/differentiate.ts';
import { lowerLoss } from '../../../src/passes/training/loss.ts';
import {
  lowerOptimizer,
  optimizerState,
  stepScalarCount,
  stepScalars,
} from '../../../src/passes/training/optimizer.ts';
import { rateAt } from '../../../src/train/schedule.ts';
import { fixtureNames, readFixture } from '../../fixture.ts';

const maxError = (got: Float64Array, want: ArrayLike<number>): number => {
  expect(got.length).toBe(want.length);
  return Math.max(...got.map((v, i) => Math.abs(v - want[i])));
};

describe('optimiser trajectories of the original code in float64', () => {
  const names = fixtureNames('optim').filter(n => !n.startsWith('triangular'));
  it.each(names)('%s', name => {
    const f = readFixture('optim', name);
    const a = f.attrs as Record<string, number>;
    const opt: Optimizer =
      f.attrs.optimizer === 'adam'
        ? { kind: 'adam', rate: a.lr, betas: [a.beta1, a.beta2], eps: a.eps, weightDecay: a.weight_decay }
        : { kind: 'sgd', rate: a.lr, momentum: a.momentum, nesterov: false, weightDecay: a.weight_decay };
    const shapes = { W: [10, 6], b: [10] };
    const b = new GraphBuilder();
    const W = b.param('W', shapes.W);
    const bias = b.param('b', shapes.b);
    const logits = b.add(b.matmul(b.input('X', [12, 6]), W, { b: true }), b.broadcast(bias, [12, 10], [1]));
    const reference = { kind: 'cross_entropy', offset: 1.5 * Math.SQRT2, temperature: 0.25 } as const;
    const loss = lowerLoss(b, reference, logits, b.input('labels', [12]));
    const [gW, gb] = differentiate(b, loss, b.constant(1), [W, bias]);
    const scalars = b.input('step', [stepScalarCount(opt)]);
    lowerOptimizer(b, opt, 'W', W, gW!, scalars);
    lowerOptimizer(b, opt, 'b', bias, gb!, scalars);
    b.output('loss', loss);
    b.output('grad_W', gW!);
    b.output('grad_b', gb!);
    const graph = b.finish();

    const params = new Map<string, Float64Array>([
      ['W', f.tensors.get('param.W')!.data],
      ['b', f.tensors.get('param.b')!.data],
    ]);
    for (const [path, shape] of Object.entries(shapes)) {
      for (const suffix of optimizerState(opt))
        params.set(path + suffix, new Float64Array(shape.reduce((p, d) => p * d, 1)));
    }
    const at = (key: string, t: number) => {
      const { data, shape } = f.tensors.get(key)!;
      const n = data.length / shape[0];
      return data.slice(t * n, (t + 1) * n);
    };
    const lr = f.tensors.get('step.lr')!.data;
    for (let t = 0; t < lr.length; t++) {
      const inputs = new Map<string, ArrayLike<number>>([
        ['X', f.tensors.get('X')!.data],
        ['labels', f.tensors.get('labels')!.data],
        ['step', stepScalars(opt, lr[t], t + 1)],
      ]);
      const { outputs, updates } = interpret(graph, { inputs, params });
      for (const key of ['loss', 'grad_W', 'grad_b'])
        expect(maxError(outputs.get(key)!, at(`step.${key}`, t))).toBeLessThanOrEqual(f.tolerance(`step.${key}`)!);
      for (const [path, value] of updates) params.set(path, value);
      for (const path of ['W', 'b']) {
        expect(maxError(params.get(path)!, at(`step.${path}`, t))).toBeLessThanOrEqual(f.tolerance(`step.${path}`)!);
        for (const moment of ['m', 'v']) {
          const key = `step.${moment}_${path}`;
          if (!f.tensors.has(key)) continue;
          expect(maxError(params.get(`${path}#${moment}`)!, at(key, t))).toBeLessThanOrEqual(f.tolerance(key)!);
        }
      }
    }
  });
});

it('SGD with weight decay and Nesterov momentum follows PyTorch', () => {
  const opt: Optimizer = { kind: 'sgd', rate: 0.1, momentum: 0.9, nesterov: true, weightDecay: 0.01 };
  const b = new GraphBuilder();
  lowerOptimizer(b, opt, 'p', b.param('p', [1]), b.input('g', [1]), b.input('step', [1]));
  const graph = b.finish();
  let [p, m] = [2, 0];
  const params = new Map([
    ['p', [p]],
    ['p#m', [m]],
  ]) as Map<string, ArrayLike<number>>;
  for (const g of [0.3, -0.2, 0.5]) {
    const d = g + 0.01 * p;
    m = 0.9 * m + d;
    p -= 0.1 * (d + 0.9 * m);
    const inputs = new Map<string, ArrayLike<number>>([
      ['g', [g]],
      ['step', stepScalars(opt, 0.1, 1)],
    ]);
    for (const [k, v] of interpret(graph, { inputs, params }).updates) params.set(k, v);
    expect(params.get('p')![0]).toBeCloseTo(p, 14);
  }
});

it('Adam adds weight decay to the gradient, as PyTorch does', () => {
  const opt: Optimizer = { kind: 'adam', rate: 0.1, betas: [0.5, 0.9], eps: 1e-8, weightDecay: 0.2 };
  const b = new GraphBuilder();
  lowerOptimizer(b, opt, 'p', b.param('p', [1]), b.input('g', [1]), b.input('step', [2]));
  const graph = b.finish();
  let [p, m, v] = [2, 0, 0];
  const params = new Map<string, ArrayLike<number>>([
    ['p', [p]],
    ['p#m', [m]],
    ['p#v', [v]],
  ]);
  [0.3, -0.7, 0.5].forEach((g, i) => {
    const d = g + 0.2 * p;
    m = 0.5 * m + 0.5 * d;
    v = 0.9 * v + 0.1 * d * d;
    p -= (0.1 * (m / (1 - 0.5 ** (i + 1)))) / (Math.sqrt(v / (1 - 0.9 ** (i + 1))) + 1e-8);
    const inputs = new Map<string, ArrayLike<number>>([
      ['g', [g]],
      ['step', stepScalars(opt, 0.1, i + 1)],
    ]);
    for (const [k, x] of interpret(graph, { inputs, params }).updates) params.set(k, x);
    expect(params.get('p')![0]).toBeCloseTo(p, 14);
  });
});

describe('triangular schedule', () => {
  const schedule = { kind: 'triangular', peak: rational(2, 5), knee: rational(4, 5) } as const;
  it.each(fixtureNames('optim').filter(n => n.startsWith('triangular')))('%s', name => {
    const f = readFixture('optim', name);
    const { num_steps, lr } = f.attrs as Record<string, number>;
    const steps = f.tensors.get('step')!.data;
    const got = steps.map(s => rateAt(schedule, lr, s, num_steps));
    expect(maxError(got, f.tensors.get('lr')!.data)).toBeLessThanOrEqual(1e-15);
  });
  it('takes the last of the knots at one step when the run is shorter than they are', () => {
    expect([-1, 0, 1].map(s => rateAt(schedule, 1, s, 1))).toEqual([0, 1 / 20, 0]);
    expect([0, 1, 2].map(s => rateAt(schedule, 1, s, 2))).toEqual([1, 1 / 20, 0]);
    expect(rateAt(schedule, 1, 0, 0)).toBe(0);
  });
  it('is the optimiser’s rate when constant', () => {
    expect(rateAt({ kind: 'constant' }, 0.3, 5, 10)).toBe(0.3);
  });
});
