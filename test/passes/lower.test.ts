import { describe, expect, it } from 'vitest';
import { interpret } from '../../src/ir/interpret.ts';
import { type LayerOp, layerParams, networkParams } from '../../src/ir/network.ts';
import { fromNumber, rational } from '../../src/ir/rational.ts';
import { GraphBuilder } from '../../src/ir/tensor.ts';
import { lowerNetwork } from '../../src/passes/lower.ts';
import type { ProvenNetwork } from '../../src/passes/prove.ts';
import { simplify } from '../../src/passes/simplify.ts';
import { type Fixture, fixtureNames, readFixture } from '../fixture.ts';
import { gradientError, gradientGraph, noise } from '../gradient.ts';
import { aol, cayley, chain, combined, conv, dense, head, linear, residual, sll, spectral } from '../networks.ts';

const graphOf = (proven: ProvenNetwork, batch: number) =>
  gradientGraph(b => {
    const x = b.input('x', [batch, ...proven.network.input.shape]);
    const { features, logits } = lowerNetwork(b, proven, x, 'train');
    const params = networkParams(proven.network).map(p => [p.path, b.param(p.path, p.shape)] as const);
    return { y: logits ?? features, wrt: { x, ...Object.fromEntries(params) } };
  });

/** The layer of a fixture and how its tensors are called there. */
interface Setting {
  readonly op: LayerOp;
  readonly names: Readonly<Record<string, string>>;
}

const size = (f: Fixture, ...keys: string[]): number => {
  const key = keys.find(k => k in f.attrs);
  if (key === undefined) throw new Error(`${f.name}: no attribute ${keys.join(' or ')}`);
  return f.attrs[key] as number;
};

const settingOf = (group: string, f: Fixture): Setting | undefined => {
  const is2d = f.tensors.get('x')!.shape.length === 4;
  const weight = ['weight', 'weights', 'kernel'].find(n => f.tensors.has(`param.${n}`))!;
  const shape = f.tensors.get(`param.${weight}`)!.shape;
  const map = is2d ? conv('l', shape[0], shape[1], shape[2], size(f, 'padding')) : dense('l', shape[0], shape[1]);
  const names = { 'l.W': weight, 'l.b': 'bias' };
  const eps = () => fromNumber(size(f, 'eps'));
  switch (group) {
    case 'sll': {
      const published = f.name.endsWith('as_published');
      const rescaling = published ? aol() : sll('l', shape[0]);
      return { op: residual('l', map, rescaling), names: published ? names : { ...names, 'l.q': 'q' } };
    }
    case 'aol':
      if (f.attrs.padding_mode === 'circular' || 'niter' in f.attrs) return undefined;
      return { op: linear('l', map, aol(eps()), f.name.includes('transpose') ? 'out' : 'in'), names };
    case 'cpl':
      return { op: residual('l', map, spectral(is2d ? 'operator' : 'gram', 24, eps())), names };
    case 'spectral': {
      const reshaped = f.name.includes('rko');
      return { op: linear('l', map, spectral(reshaped ? 'reshaped' : is2d ? 'operator' : 'gram', 24)), names };
    }
    default:
      return { op: linear('l', map, cayley('l')), names: { ...names, 'l.alpha': 'alpha' } };
  }
};

const runFixture = (f: Fixture, proven: ProvenNetwork, names: Readonly<Record<string, string>>): number => {
  const [batch] = f.tensors.get('x')!.shape;
  const { graph, missing } = graphOf(proven, batch);
  expect(missing).toEqual([]);
  const params = new Map(Object.entries(names).map(([path, n]) => [path, f.tensors.get(`param.${n}`)!.data]));
  const inputs = new Map([
    ['x', f.tensors.get('x')!.data],
    ['seed', f.tensors.get('gy')!.data],
  ]);
  let worst = 0;
  const compare = (tensor: string, got: Float64Array): void => {
    const allowed = f.tolerance(tensor);
    const want = f.tensors.get(tensor)?.data;
    if (allowed === undefined || want === undefined) return;
    expect(got.length).toBe(want.length);
    // A NaN must not pass for a small error.
    got.forEach((v, i) => {
      const error = Math.abs(v - want[i]) / allowed;
      worst = error > worst || Number.isNaN(error) ? error : worst;
    });
  };
  const { outputs } = interpret(simplify(graph).graph, { inputs, params });
  compare('grad.x', outputs.get('grad x')!);
  for (const [path, n] of Object.entries(names)) compare(`grad.${n}`, outputs.get(`grad ${path}`)!);
  const b = new GraphBuilder();
  const x = b.input('x', f.tensors.get('x')!.shape);
  const { features, logits } = lowerNetwork(b, proven, x, 'inference');
  b.output('y', logits ?? features);
  compare('y', interpret(b.finish(), { inputs, params }).outputs.get('y')!);
  return worst;
};

describe('fixtures of the original authors, values and gradients in float64', () => {
  const cases = [
    ...['sll', 'aol', 'cpl', 'spectral'].flatMap(g => fixtureNames(g).map(n => [g, n] as const)),
    ...fixtureNames('orthogonal')
      .filter(n => n.startsWith('cayley_dense'))
      .map(n => ['orthogonal', n] as const),
  ];
  const supported = cases.filter(([g, n]) => settingOf(g, readFixture(g, n)) !== undefined);
  it('knows all but the circular and the multi-step cases', () => {
    expect(supported.length).toBe(cases.length - 5);
  });
  it.each(supported)('%s/%s', (group, name) => {
    const f = readFixture(group, name);
    const setting = settingOf(group, f)!;
    const proven = chain(f.tensors.get('x')!.shape.slice(1), [setting.op]);
    expect(runFixture(f, proven, setting.names)).toBeLessThanOrEqual(1);
  });
  it('heads/unit_norm_linear', () => {
    const f = readFixture('heads', 'unit_norm_linear');
    const proven = chain([24], [head(10, 24, rational(1, 10n ** 8n))]);
    expect(runFixture(f, proven, { 'head.W': 'weight', 'head.b': 'bias' })).toBeLessThanOrEqual(1);
  });
});

describe('gradients of every layer form agree with central differences', () => {
  const forms = (path: string, map: ReturnType<typeof dense>) => {
    const rescalings = [
      aol(rational(1, 100)),
      sll(path, map.out),
      cayley(path),
      combined(path, map.out),
      ...(map.kind === 'dense'
        ? [spectral('gram', 6)]
        : (['gram', 'operator', 'reshaped'] as const).map(k => spectral(k, 5))),
    ];
    return rescalings.flatMap(r => {
      const label = r.by === 'spectral' ? `${r.by} ${r.method.kind}` : r.by;
      return [
        [`linear ${map.kind} by ${label}`, linear(path, map, r, 'out')] as const,
        [`residual ${map.kind} by ${label}`, residual(path, map, r)] as const,
        ...(r.by === 'sll' || r.by === 'max'
          ? []
          : [[`linear ${map.kind} by ${label}, in`, linear(path, map, r)] as const]),
      ];
    });
  };
  const cases = [
    ...forms('l', dense('l', 5, 4)).map(([n, op]) => [n, [4], op] as const),
    ...forms('l', conv('l', 3, 2)).map(([n, op]) => [n, [2, 4, 3], op] as const),
  ];
  it.each(cases)('%s', (_, shape, op) => {
    const proven = chain(shape, [op]);
    const { graph, seedLength, missing } = graphOf(proven, 2);
    expect(missing).toEqual([]);
    const inputs = new Map([
      ['x', noise(2 * shape.reduce((p, d) => p * d, 1), 3)],
      ['seed', noise(seedLength, 4)],
    ]);
    const params = new Map(
      layerParams(op).map((p, i) => [
        p.path,
        noise(
          p.shape.reduce((q, d) => q * d, 1),
          10 + i,
        ),
      ]),
    );
    const check = (kind: 'inputs' | 'params', name: string, n: number) =>
      expect(gradientError(graph, { inputs, params }, kind, name, [...Array(n).keys()], 1e-6)).toBeLessThan(2e-7);
    check('inputs', 'x', inputs.get('x')!.length);
    for (const [path, v] of params) check('params', path, v.length);
  });
});
