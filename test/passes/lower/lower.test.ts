import { describe, expect, it } from 'vitest';
import { interpret } from '../../../src/ir/interpret.ts';
import { type Activation, type LayerOp, layerParams, networkParams, rescalingParams } from '../../../src/ir/network.ts';
import { fromNumber, rational } from '../../../src/ir/rational.ts';
import { GraphBuilder } from '../../../src/ir/tensor.ts';
import { lowerNetwork } from '../../../src/passes/lower/lower.ts';
import type { ProvenNetwork } from '../../../src/passes/prove/prove.ts';
import { simplify } from '../../../src/passes/tensors/simplify.ts';
import { type Fixture, fixtureNames, readFixture } from '../../fixture.ts';
import { gradientError, gradientGraph, noise } from '../../gradient.ts';
import {
  aol,
  avgpool,
  cayley,
  chain,
  combined,
  conv,
  dense,
  head,
  linear,
  residual,
  sll,
  spectral,
} from '../../networks.ts';

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
      return { op: residual('l', map, spectral(is2d ? 'operator' : 'gram', 18, eps())), names };
    case 'spectral': {
      const reshaped = f.name.includes('rko');
      return { op: linear('l', map, spectral(reshaped ? 'reshaped' : is2d ? 'operator' : 'gram', 18)), names };
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

describe('degenerate weights keep values and gradients finite, in the range of f32', () => {
  const maps = [dense('l', 4, 3), conv('l', 3, 2)] as const;
  const rescalings = [
    ['aol', () => aol()],
    ['sll', (m: number) => sll('l', m)],
    ['spectral', () => spectral('gram', 8)],
    ['orthogonal', () => cayley('l')],
    ['max', (m: number) => combined('l', m)],
  ] as const;
  const cases = maps.flatMap(map => rescalings.map(([name, r]) => [`${map.kind} by ${name}`, map, r] as const));
  it.each(cases)('%s', (_, map, r) => {
    const rescaling = r(map.out);
    const shape = map.kind === 'dense' ? [map.in] : [map.in, 4, 4];
    const n = map.weight.shape.reduce((p, d) => p * d, 1);
    const row = n / map.out;
    const weights = {
      zero: new Float64Array(n),
      'zero row': noise(n, 1).map((v, i) => (i < row ? 0 : v)),
      'equal rows': Float64Array.from({ length: n }, (__, i) => noise(row, 1)[i % row]),
      tiny: noise(n, 1).map(v => v * 1e-15),
      large: noise(n, 1).map(v => v * 1e6),
    };
    for (const op of [linear('l', map, rescaling, 'out'), residual('l', map, rescaling)]) {
      const { graph, seedLength } = graphOf(chain(shape, [op]), 2);
      const inputs = new Map([
        ['x', noise(2 * shape.reduce((p, d) => p * d, 1), 3)],
        ['seed', noise(seedLength, 4)],
      ]);
      for (const W of Object.values(weights)) {
        for (const q of rescalingParams(rescaling).some(p => p.path === 'l.q') ? [0, 200, -1e30] : [0]) {
          const params = new Map<string, ArrayLike<number>>([
            ['l.W', W],
            ['l.b', noise(map.out, 5)],
            ['l.q', noise(map.out, 6).map((v, i) => (i === 0 ? q : v))],
            ['l.alpha', [1]],
          ]);
          const outputs = [...interpret(graph, { inputs, params }).outputs.values()];
          expect(Math.max(...outputs.flatMap(v => [...v.map(Math.abs)]))).toBeLessThan(3e38);
        }
      }
    }
  });
  it('SLL sees differences of q only: weights and gradients at q + 200 are those at q', () => {
    const map = maps[0];
    const { graph, seedLength } = graphOf(chain([map.in], [residual('l', map, sll('l', map.out))]), 2);
    const at = (shift: number) => {
      const params = new Map<string, ArrayLike<number>>([
        [
          'l.W',
          noise(
            map.weight.shape.reduce((p, d) => p * d, 1),
            1,
          ),
        ],
        ['l.b', noise(map.out, 5)],
        ['l.q', noise(map.out, 6).map(v => v + shift)],
      ]);
      const inputs = new Map([
        ['x', noise(2 * map.in, 3)],
        ['seed', noise(seedLength, 4)],
      ]);
      return [...interpret(graph, { inputs, params }).outputs.values()].flatMap(v => [...v]);
    };
    const [here, there] = [at(0), at(200)];
    expect(Math.max(...here.map((v, i) => Math.abs(v - there[i])))).toBeLessThan(1e-10);
  });
  it('a head with a zero row', () => {
    const { graph } = graphOf(chain([2], [head(2, 2)]), 1);
    const inputs = new Map([
      ['x', [1, 2]],
      ['seed', [1, 1]],
    ]);
    const { outputs } = interpret(graph, {
      inputs,
      params: new Map([
        ['head.W', [0, 0, 3, 4]],
        ['head.b', [7, 0]],
      ]),
    });
    expect([...outputs.get('value')!]).toEqual([7 + 11 / 5]);
    expect([...outputs.get('grad head.W')!].every(Number.isFinite)).toBe(true);
  });
});

describe('structure layers', () => {
  const apply = (shape: readonly number[], op: LayerOp, x: ArrayLike<number>): number[] => {
    const b = new GraphBuilder();
    const { features } = lowerNetwork(b, chain(shape, [op], rational(100)), b.input('x', [1, ...shape]), 'inference');
    b.output('y', features);
    return [...interpret(b.finish(), { inputs: new Map([['x', x]]), params: new Map() }).outputs.get('y')!];
  };
  it('centres, scales and pads channels', () => {
    const x = [1, 2, 3, 4];
    expect(apply([2, 1, 2], { kind: 'center', offset: [rational(1), rational(1, 2)] }, x)).toEqual([0, 1, 2.5, 3.5]);
    expect(apply([2, 1, 2], { kind: 'center', offset: [rational(1)] }, x)).toEqual([0, 1, 2, 3]);
    expect(apply([2, 1, 2], { kind: 'scale', divisor: [rational(2), rational(4)] }, x)).toEqual([0.5, 1, 0.75, 1]);
    expect(apply([2, 1, 2], { kind: 'pad', to: 3 }, x)).toEqual([1, 2, 3, 4, 0, 0]);
    expect(apply([2], { kind: 'pad', to: 3 }, [1, 2])).toEqual([1, 2, 0]);
  });
  it('pools disjoint blocks with norm 1 and drops the rest', () => {
    const x = [1, 2, 9, 3, 4, 9, 9, 9, 9];
    expect(apply([1, 3, 3], avgpool(2), x)).toEqual([5]);
    expect(apply([1, 2, 4], avgpool(1, 4), [1, 1, 1, 1, 2, 0, 0, 0])).toEqual([2, 1]);
  });
});

describe('activations of the original authors, values and gradients in float64', () => {
  const acts: Readonly<Record<string, (c: number) => Activation>> = {
    relu: () => ({ kind: 'relu' }),
    abs: () => ({ kind: 'abs' }),
    maxmin_pairs: () => ({ kind: 'maxmin', pairs: 'adjacent' }),
    maxmin_pairs_odd: () => ({ kind: 'maxmin', pairs: 'adjacent' }),
    maxmin_halves: () => ({ kind: 'maxmin', pairs: 'halves' }),
    maxmin_halves_dense: () => ({ kind: 'maxmin', pairs: 'halves' }),
    groupsort_halves_locuslab: () => ({ kind: 'maxmin', pairs: 'halves' }),
    groupsort_2: () => ({ kind: 'groupsort', group: 2 }),
    groupsort_3: () => ({ kind: 'groupsort', group: 3 }),
    groupsort_4_dense: () => ({ kind: 'groupsort', group: 4 }),
    groupsort_full: c => ({ kind: 'groupsort', group: c }),
  };
  it.each(Object.entries(acts))('%s', (name, act) => {
    const f = readFixture('activations', name);
    const [, ...shape] = f.tensors.get('x')!.shape;
    expect(runFixture(f, chain(shape, [{ kind: 'activation', act: act(shape[0]) }]), {})).toBeLessThanOrEqual(1);
  });
});
