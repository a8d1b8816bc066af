import { describe, expect, it } from 'vitest';
import { interpret } from '../../../src/ir/interpret.ts';
import { networkParams } from '../../../src/ir/network.ts';
import type { Optimizer } from '../../../src/ir/recipe.ts';
import { fold } from '../../../src/passes/tensors/fold.ts';
import { optimizerState, stepScalars } from '../../../src/passes/training/optimizer.ts';
import { buildInference, buildTrainStep } from '../../../src/passes/training/train-step.ts';
import { type Fixture, fixtureNames, readFixture } from '../../fixture.ts';
import { noise } from '../../gradient.ts';
import { aol, avgpool, chain, conv, dense, head, linear, residual, sll } from '../../networks.ts';

/** The small network of a fixture, with the names of its parameters there. */
const networkOf = (f: Fixture) => {
  const a = f.attrs as Record<string, number>;
  const names = new Map<string, string>();
  const by = (path: string, hidden: number) => (f.name.endsWith('as_published') ? aol() : sll(path, hidden));
  const convs = Array.from({ length: a.conv_layers }, (_, i) => {
    for (const [p, n] of [
      ['W', 'kernel'],
      ['b', 'bias'],
      ['q', 'q'],
    ])
      names.set(`conv[${i}].${p}`, `conv${i}.${n}`);
    return residual(`conv[${i}]`, conv(`conv[${i}]`, a.conv_inner, a.channels), by(`conv[${i}]`, a.conv_inner));
  });
  const denses = Array.from({ length: a.dense_layers }, (_, i) => {
    for (const [p, n] of [
      ['W', 'weight'],
      ['b', 'bias'],
      ['q', 'q'],
    ])
      names.set(`dense[${i}].${p}`, `dense${i}.${n}`);
    return residual(`dense[${i}]`, dense(`dense[${i}]`, a.dense_inner, a.features), sll(`dense[${i}]`, a.dense_inner));
  });
  names.set('head.W', 'head.weight').set('head.b', 'head.bias');
  const proven = chain(f.tensors.get('x')!.shape.slice(1), [
    { kind: 'pad', to: a.channels },
    ...convs,
    avgpool(4),
    { kind: 'flatten' },
    ...denses,
    head(a.classes, a.features),
  ]);
  return { proven, names };
};

const ADAM: Optimizer = { kind: 'adam', rate: 0.01, betas: [0.5, 0.9], eps: 1e-8, weightDecay: 0 };
const LOSS = { kind: 'cross_entropy', offset: 1.5 * Math.SQRT2, temperature: 0.25 } as const;

const worst = (got: ArrayLike<number>, want: Float64Array): number => {
  expect(got.length).toBe(want.length);
  return Math.max(...want.map((w, i) => Math.abs(w - got[i])));
};

describe('whole networks of the original authors in float64', () => {
  it.each(fixtureNames('network'))('%s', name => {
    const f = readFixture('network', name);
    const { proven, names } = networkOf(f);
    const x = f.tensors.get('x')!;
    const graph = buildTrainStep(proven, { loss: LOSS, optimizer: ADAM }, x.shape[0]);
    const params = new Map<string, Float64Array>();
    for (const p of networkParams(proven.network)) {
      const { data } = f.tensors.get(`param.${names.get(p.path)}`)!;
      params.set(p.path, data);
      for (const s of optimizerState(ADAM)) params.set(p.path + s, new Float64Array(data.length));
    }
    const labels = f.tensors.get('labels')!.data;

    const inference = fold(buildInference(proven, x.shape[0]), params);
    const logits = interpret(inference, { inputs: new Map([['x', x.data]]), params: new Map() }).outputs.get('logits')!;
    // Folding rounds every constant to f32, so the tolerance is that of f32.
    expect(worst(logits, f.tensors.get('y')!.data)).toBeLessThan(1e-6);

    for (let t = 1; t <= 3; t++) {
      const inputs = new Map<string, ArrayLike<number>>([
        ['x', x.data],
        ['labels', labels],
        ['step', stepScalars(ADAM, 0.01, t)],
      ]);
      const { outputs, updates } = interpret(graph, { inputs, params });
      if (t === 1) {
        expect(worst(outputs.get('logits')!, f.tensors.get('y')!.data)).toBeLessThanOrEqual(f.tolerance('y')!);
        expect(worst(outputs.get('loss')!, f.tensors.get('loss')!.data)).toBeLessThanOrEqual(f.tolerance('loss')!);
      }
      for (const [path, value] of updates) params.set(path, value);
      if (t > 1) continue;
      // After one step from m = 0 the gradient can be read off the state: m = (1 − β₁)·g.
      for (const [path, n] of names) {
        const want = f.tensors.get(`grad.${n}`);
        const allowed = f.tolerance(`grad.${n}`);
        if (want === undefined || allowed === undefined || !params.has(`${path}#m`)) continue;
        expect(
          worst(
            params.get(`${path}#m`)!.map(v => 2 * v),
            want.data,
          ),
        ).toBeLessThanOrEqual(allowed);
      }
    }
    for (const [path, n] of names) {
      const want = f.tensors.get(`adam3.${n}`);
      if (want === undefined || !params.has(path)) continue;
      // The stored values were rounded to f32; a few entries with gradients at the rounding level may move apart.
      const far = want.data.filter((w, i) => Math.abs(w - params.get(path)![i]) > 1e-6).length;
      expect(far / want.data.length).toBeLessThanOrEqual(0.001);
    }
  });
});

describe('graphs', () => {
  const proven = () =>
    chain(
      [1, 8, 8],
      [
        { kind: 'pad', to: 4 },
        residual('conv[0]', conv('conv[0]', 3, 4), sll('conv[0]', 3)),
        { kind: 'flatten' },
        linear('dense[0]', dense('dense[0]', 6, 256), aol()),
        head(3, 6),
      ],
    );
  it('updates every parameter and its state, and does not compute the gradient of the input', () => {
    const graph = buildTrainStep(proven(), { loss: LOSS, optimizer: ADAM }, 2);
    const paths = networkParams(proven().network).map(p => p.path);
    expect([...graph.updates.keys()].sort()).toEqual(paths.flatMap(p => [p, `${p}#m`, `${p}#v`]).sort());
    // Convolutions of a batch: one forward, one backward in the kernel, one each for the transpose, none back to the image.
    const batch = graph.nodes.filter(n => n.op.kind.startsWith('conv') && graph.nodes[n.inputs[0]].shape[0] === 2);
    expect(batch.map(n => n.op.kind).sort()).toEqual(['conv', 'conv', 'convTranspose', 'convWeight', 'convWeight']);
  });
  it('reads only the channels of a padded image that are there', () => {
    const graph = buildTrainStep(proven(), { loss: LOSS, optimizer: ADAM }, 2);
    const first = graph.nodes.find(n => n.op.kind === 'conv' && graph.nodes[n.inputs[0]].op.kind === 'input')!;
    expect(graph.nodes[first.inputs[1]].shape).toEqual([3, 1, 3, 3]);
  });
  it('inference equals training mode, and folding leaves neither parameters nor large literals', () => {
    const p = proven();
    const params = new Map(
      networkParams(p.network).map((q, i) => [
        q.path,
        noise(
          q.shape.reduce((a, d) => a * d, 1),
          i + 1,
        ),
      ]),
    );
    for (const q of networkParams(p.network)) {
      for (const s of optimizerState(ADAM)) params.set(q.path + s, new Float64Array(params.get(q.path)!.length));
    }
    const x = noise(5 * 64, 77);
    const inputs = new Map<string, ArrayLike<number>>([
      ['x', x],
      ['labels', [0, 1, 2, 0, 1]],
      ['step', [0, 0]],
    ]);
    const train = interpret(buildTrainStep(p, { loss: LOSS, optimizer: ADAM }, 5), { inputs, params });
    const graph = buildInference(p, 5);
    const inference = interpret(graph, { inputs, params });
    expect(worst(inference.outputs.get('logits')!, train.outputs.get('logits')!)).toBeLessThan(1e-13);
    const folded = fold(graph, params);
    expect(folded.nodes.some(n => n.op.kind === 'param')).toBe(false);
    const literals = folded.nodes.reduce((sum, n) => sum + (n.op.kind === 'literal' ? n.op.data.length : 0), 0);
    // Weights, biases and t, each once; the first kernel also without its padded channels.
    expect(literals).toBeLessThan(3 * 4 * 9 + 3 * 1 * 9 + 3 + 3 + 6 * 256 + 6 + 3 * 6 + 3 + 1);
    const rounded = interpret(folded, { inputs, params: new Map() });
    expect(worst(rounded.outputs.get('logits')!, inference.outputs.get('logits')!)).toBeLessThan(1e-6);
  });
  it('refuses to fold weights that are not finite', () => {
    const p = proven();
    const params = new Map(
      networkParams(p.network).map(q => [
        q.path,
        noise(
          q.shape.reduce((a, d) => a * d, 1),
          1,
        ),
      ]),
    );
    params.get('dense[0].W')![7] = Number.NaN;
    expect(() => fold(buildInference(p, 1), params)).toThrow(/not finite/);
  });
});
