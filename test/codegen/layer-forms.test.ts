/** The translation check for whole training steps: every layer form with every rescaling, forward, backward and update. */
import { describe, expect, it } from 'vitest';
import type { LayerOp, LinearMap, Rescaling, Shape } from '../../src/ir/network.ts';
import type { OrthogonalMethod } from '../../src/ir/orthogonal.ts';
import { rational, ZERO } from '../../src/ir/rational.ts';
import type { Optimizer } from '../../src/ir/recipe.ts';
import { withStoredWeight } from '../../src/passes/resolve/resolve-orthogonal.ts';
import { stepScalars } from '../../src/passes/training/optimizer.ts';
import { buildInference, buildTrainStep } from '../../src/passes/training/train-step.ts';
import { useDevice } from '../device.ts';
import { aol, cayley, chain, combined, conv, dense, head, linear, residual, sll, spectral } from '../networks.ts';
import { runBoth, SOFTWARE } from './run-graph.ts';

const gpu = useDevice();
const LOSS = { kind: 'cross_entropy', offset: 1, temperature: 0.5 } as const;
// Linear in the gradient, so that errors of the gradient are seen as they are.
const SGD: Optimizer = { kind: 'sgd', rate: 0.1, momentum: 0.9, nesterov: false, weightDecay: 0.01 };

const FORMS: readonly {
  readonly name: string;
  readonly input: Shape;
  readonly map: () => LinearMap;
  readonly residual: boolean;
}[] = [
  { name: 'linear dense', input: [6, 1, 1], map: () => dense('a', 5, 6), residual: false },
  { name: 'residual dense', input: [6, 1, 1], map: () => dense('a', 8, 6), residual: true },
  { name: 'linear conv', input: [3, 5, 6], map: () => conv('a', 4, 3), residual: false },
  { name: 'residual conv', input: [3, 5, 6], map: () => conv('a', 5, 3), residual: true },
];

const orthogonal = (method: OrthogonalMethod): Rescaling => ({ by: 'orthogonal', method });
const BCOP: OrthogonalMethod = { family: 'bcop', steps: 3, scale: { kind: 'gram', steps: 5, eps: ZERO } };

/** `side` is the extent T has: hidden units of a residual layer, inputs of a linear one. */
const RESCALINGS: { readonly [name: string]: (side: number, isConv: boolean) => Rescaling } = {
  aol: () => aol(),
  sll: side => sll('a', side),
  'spectral gram': () => spectral('gram', 6),
  'spectral, reshaped or gram': (_side, isConv) => spectral(isConv ? 'reshaped' : 'gram', 5),
  'orthogonal cayley': () => cayley('a'),
  'orthogonal householder or bcop': (_side, isConv) =>
    orthogonal(isConv ? BCOP : { family: 'householder', form: 'full' }),
  'orthogonal qr or bro': (_side, isConv) =>
    orthogonal(isConv ? { family: 'qr' } : { family: 'bro', rank: 2, eps: rational(1, 1000) }),
  'orthogonal exponential': () =>
    orthogonal({ family: 'exponential', form: 'full', degree: 8, squarings: 1, scale: { kind: 'clip', steps: 5 } }),
  'max and convex': side => combined('a', side),
};

const networkOf = (form: (typeof FORMS)[number], rescaling: Rescaling) => {
  const map = withStoredWeight(form.map(), rescaling);
  const first: LayerOp = form.residual ? residual('a', map, rescaling) : linear('a', map, rescaling);
  const act: LayerOp = { kind: 'activation', act: { kind: 'maxmin', pairs: 'adjacent' } };
  const flat: readonly LayerOp[] =
    map.kind === 'dense' ? [{ kind: 'flatten' }, first, act] : [first, act, { kind: 'flatten' }];
  const channels = form.residual ? form.input[0] : map.out;
  return chain(form.input, [...flat, head(3, channels * form.input[1] * form.input[2])]);
};

describe.each(FORMS)('$name', form => {
  it.each(Object.keys(RESCALINGS))('%s', async name => {
    const map = form.map();
    const rescaling = RESCALINGS[name](form.residual ? map.out : map.in, map.kind === 'conv');
    const proven = networkOf(form, rescaling);
    const step = stepScalars(SGD, 0.1, 1);
    const train = buildTrainStep(proven, { loss: LOSS, optimizer: SGD }, 4);
    const values = { labels: [0, 2, 1, 2], step, 'a.alpha': [0.8] };
    const trained = await runBoth(gpu().device, train, SOFTWARE, values);
    expect(trained.error, trained.worst).toBeLessThan(2e-5);
    const inferred = await runBoth(gpu().device, buildInference(proven, 4), SOFTWARE, values);
    expect(inferred.error, inferred.worst).toBeLessThan(2e-5);
  });
});
