import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import { provenFrom } from '../../src/fixtures/compile-source.ts';
import { interpret } from '../../src/ir/interpret.ts';
import { elements, networkParams } from '../../src/ir/network.ts';
import { GraphBuilder } from '../../src/ir/tensor.ts';
import { parse } from '../../src/parser/parse.ts';
import { lowerNetwork } from '../../src/passes/lower/lower.ts';
import { type ProvenNetwork, prove } from '../../src/passes/prove/prove.ts';
import { resolve } from '../../src/passes/resolve/resolve.ts';
import { freeze } from '../../src/passes/tensors/freeze.ts';
import { printDerivation } from '../../src/proof/derivation.ts';
import { fixtureNames, readFixture } from '../fixture.ts';
import { gradientError, gradientGraph, noise } from '../gradient.ts';

/** Formulas that are layers stay formulas where this is set. */
const keep = vi.hoisted(() => ({ formulas: false }));
vi.mock(import('../../src/passes/resolve/recognise.ts'), async original => {
  const found = await original();
  return { ...found, recognise: (op, anySlope) => (keep.formulas ? op : found.recognise(op, anySlope)) };
});
vi.mock(import('../../src/passes/resolve/decompose.ts'), async original => {
  const found = await original();
  return { ...found, decompose: (op, input) => (keep.formulas ? undefined : found.decompose(op, input)) };
});

const asFormula = <T>(compile: () => T): T => {
  keep.formulas = true;
  try {
    return compile();
  } finally {
    keep.formulas = false;
  }
};

const LIBRARY = new URL('../../examples/layers/', import.meta.url);

/** The `layer` definitions of a library file, without its network. */
const library = (name: string): string => {
  const source = readFileSync(new URL(`${name}.lip`, LIBRARY), 'utf8');
  return source.slice(0, source.indexOf('network '));
};

const network = (input: string, ...layers: readonly string[]): string =>
  `network N {\n  input ${input}\n${layers.map(l => `  ${l}\n`).join('')}}\n`;

const BATCH = 3;

const graphOf = (proven: ProvenNetwork, batch = BATCH) =>
  gradientGraph(b => {
    const x = b.input('x', [batch, ...proven.network.input.shape]);
    const { features } = lowerNetwork(b, proven, x, 'train');
    const params = networkParams(proven.network).map(p => [p.path, b.param(p.path, p.shape)] as const);
    return { y: features, wrt: { x, ...Object.fromEntries(params) } };
  });

/** A [r, c] by rows → its transpose. */
const transposed = (a: ArrayLike<number>, [r, c]: readonly number[]): Float64Array =>
  Float64Array.from({ length: r * c }, (_, i) => a[(i % r) * c + Math.floor(i / r)]);

const inferred = (proven: ProvenNetwork, x: Float64Array, params: ReadonlyMap<string, ArrayLike<number>>) => {
  const b = new GraphBuilder();
  const batch = x.length / elements(proven.network.input.shape);
  const { features } = lowerNetwork(b, proven, b.input('x', [batch, ...proven.network.input.shape]), 'inference');
  b.output('y', features);
  return interpret(b.finish(), { inputs: new Map([['x', x]]), params }).outputs.get('y')!;
};

const furthest = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  expect(a.length).toBe(b.length);
  return Array.from(a).reduce((worst, v, i) => Math.max(worst, Math.abs(v - b[i])), 0);
};

interface Pair {
  readonly file: string;
  readonly input: string;
  readonly own: string;
  readonly builtin: string;
  /** Whether the definition stores the weight of the built-in form transposed. */
  readonly flipped?: boolean;
  readonly names?: Readonly<Record<string, string>>;
}

const pairs: readonly Pair[] = [
  {
    file: 'sll',
    input: 'x[6]',
    own: 'residual_sll 4, act = tanh',
    builtin: 'residual dense hidden = 4, act = tanh by sll',
    flipped: true,
  },
  { file: 'sll', input: 'x[3]', own: 'residual_sll 5', builtin: 'residual dense hidden = 5 by sll', flipped: true },
  { file: 'aol', input: 'x[6]', own: 'aol 4', builtin: 'dense 4 by aol' },
  { file: 'cpl', input: 'x[6]', own: 'cpl 4', builtin: 'residual dense hidden = 4 by spectral', flipped: true },
  { file: 'spectral', input: 'x[4]', own: 'spectral_dense 6', builtin: 'dense 6 by spectral' },
  {
    file: 'sll-conv',
    input: 'image[2, 5, 4]',
    own: 'residual_sll 3',
    builtin: 'residual conv hidden = 3 by sll',
    names: { W: 'K' },
  },
  {
    file: 'aol-conv',
    input: 'image[2, 5, 4]',
    own: 'aol_conv 3, k = 5',
    builtin: 'conv 3, kernel = 5, side = out by aol',
    names: { W: 'K' },
  },
];

describe('the library says what the built-in layers do: values and gradients', () => {
  it.each(pairs)('$file: $own', ({ file, input, own, builtin, flipped = false, names = {} }) => {
    const mine = provenFrom(`${library(file)}${network(input, own)}`);
    const theirs = provenFrom(network(input, builtin));
    const shape = theirs.network.input.shape;
    const x = noise(BATCH * elements(shape), 1);
    const given = new Map<string, Float64Array>();
    const taken = new Map<string, Float64Array>();
    const same: { readonly mine: string; readonly theirs: string; readonly shape: readonly number[] }[] = [];
    for (const [i, p] of networkParams(theirs.network).entries()) {
      const value = noise(elements(p.shape), 2 + i);
      const last = p.path.split('.').at(-1)!;
      const path = `${mine.network.layers[0].path}.${names[last] ?? last}`;
      given.set(p.path, value);
      taken.set(path, flipped && last === 'W' ? transposed(value, p.shape) : value);
      same.push({ mine: path, theirs: p.path, shape: flipped && last === 'W' ? p.shape : [] });
    }
    expect([...taken.keys()].sort()).toEqual(
      networkParams(mine.network)
        .map(p => p.path)
        .sort(),
    );

    const [a, b] = [graphOf(mine), graphOf(theirs)];
    expect(a.missing).toEqual([]);
    const seed = noise(a.seedLength, 9);
    const inputs = new Map([
      ['x', x],
      ['seed', seed],
    ]);
    const [ours, reference] = [
      interpret(a.graph, { inputs, params: taken }).outputs,
      interpret(b.graph, { inputs, params: given }).outputs,
    ];
    expect(furthest(ours.get('value')!, reference.get('value')!)).toBeLessThan(1e-12);
    expect(furthest(ours.get('grad x')!, reference.get('grad x')!)).toBeLessThan(1e-12);
    for (const s of same) {
      const expected = reference.get(`grad ${s.theirs}`)!;
      const turned = s.shape.length > 0 ? transposed(expected, s.shape) : expected;
      expect(furthest(ours.get(`grad ${s.mine}`)!, turned), s.mine).toBeLessThan(1e-12);
    }
    expect(furthest(inferred(mine, x, taken), inferred(theirs, x, given))).toBeLessThan(1e-12);
  });

  it.each([
    ['rotate 4', 'dense 4 by orthogonal(cayley)', [4, 6]],
    ['rotate 8', 'dense 8 by orthogonal(cayley)', [8, 6]],
    ['orthogonal_residual 4', 'residual dense hidden = 4 by orthogonal(cayley)', [4, 6]],
  ] as const)('orthogonal: %s', (own, builtin, shape) => {
    const mine = provenFrom(`${library('orthogonal')}${network('x[6]', own)}`);
    const theirs = provenFrom(network('x[6]', builtin));
    const W = noise(shape[0] * shape[1], 1);
    const b = noise(shape[0], 2);
    const { path } = mine.network.layers[0];
    const residual = path.includes('residual');
    // The built-in form scales the weight to the norm alpha.
    const given = new Map<string, ArrayLike<number>>([
      ['dense[0].W', W],
      ['dense[0].b', b],
      ['dense[0].alpha', [Math.hypot(...W)]],
    ]);
    const taken = new Map([
      [`${path}.W`, residual ? transposed(W, shape) : W],
      [`${path}.b`, b],
    ]);
    const x = noise(BATCH * 6, 3);
    expect(furthest(inferred(mine, x, taken), inferred(theirs, x, given))).toBeLessThan(1e-12);
  });

  it.each(fixtureNames('sll').filter(n => n.startsWith('sll_dense')))('the authors’ %s', name => {
    const f = readFixture('sll', name);
    const stored = f.tensors.get('param.weights') ?? f.tensors.get('param.weight')!;
    const [hidden, n] = stored.shape;
    const proven = provenFrom(`${library('sll')}${network(`x[${n}]`, `residual_sll ${hidden}`)}`);
    const params = new Map([
      ['residual_sll[0].W', transposed(stored.data, stored.shape)],
      ['residual_sll[0].b', f.tensors.get('param.bias')!.data],
      ['residual_sll[0].q', f.tensors.get('param.q')!.data],
    ]);
    const x = f.tensors.get('x')!;
    const { graph } = graphOf(proven, x.shape[0]);
    const inputs = new Map([
      ['x', x.data],
      ['seed', f.tensors.get('gy')!.data],
    ]);
    const { outputs } = interpret(graph, { inputs, params });
    let compared = 0;
    // A case need not state every gradient.
    const compare = (tensor: string, got: ArrayLike<number>): void => {
      const wanted = f.tensors.get(tensor);
      if (!wanted) return;
      expect(furthest(got, wanted.data), tensor).toBeLessThanOrEqual(f.tolerance(tensor)!);
      compared++;
    };
    compare('y', inferred(proven, x.data, params));
    compare('grad.x', outputs.get('grad x')!);
    const weight = f.tensors.has('param.weights') ? 'weights' : 'weight';
    compare(`grad.${weight}`, transposed(outputs.get('grad residual_sll[0].W')!, [n, hidden]));
    compare('grad.bias', outputs.get('grad residual_sll[0].b')!);
    compare('grad.q', outputs.get('grad residual_sll[0].q')!);
    expect(compared).toBe([...f.tensors.keys()].filter(k => k === 'y' || k.startsWith('grad.')).length);
  });
});

/** A network of one layer whose body is given; W and V are [n, 4]. */
const own = (...body: readonly string[]): string => `layer own(act: slope[0, 1] = relu) (x: vec[n]) {
  param W: mat[n, 4] = xavier
  param V: mat[n, 4] = xavier
  param b: vec[4] = zeros
  param q: vec[4] = zeros
  param s: vec[n] = zeros
${body.map(l => `  ${l}\n`).join('')}}
${network('x[5]', 'own')}`;

const accepted: readonly (readonly [string, string])[] = [
  ['an orthogonal matrix', own('return cayley(V) * maxmin(cayley(W)ᵀ * x + b)')],
  ['an orthogonal residual', own('return x - 2 * cayley(W) * act(cayley(W)ᵀ * x + b)')],
  [
    'orthogonal and rescaled branches',
    own('return x - cayley(W) * tanh(cayley(W)ᵀ * x + b) - V * inv(schur(Vᵀ * V)) * act(Vᵀ * x)'),
  ],
  ['a residual', own('return x - 2 * W * inv(gershgorin(Wᵀ * W)) * act(Wᵀ * x + b)')],
  ['a smaller factor', own('return x - 1/2 * W * inv(gershgorin(Wᵀ * W)) * act(Wᵀ * x + b)')],
  [
    'a residual of the columns',
    own('return s + x - 2 * Wᵀ * inv(gershgorin(W * Wᵀ)) * act(W * x)')
      .replaceAll('mat[n, 4]', 'mat[4, n]')
      .replaceAll('vec[n] = zeros', 'vec[n] = 0'),
  ],
  ['T by weights', own('return x - 2 * W * inv(gershgorin(Wᵀ * W, exp(q) + 1/3)) * tanh(Wᵀ * x + b)')],
  [
    'T written out',
    own('let T = rowsum(abs(Wᵀ * W) * exp(q)) / exp(q)', 'return x - 2 * W * inv(T) * tanh(Wᵀ * x + b)'),
  ],
  [
    'the largest of three',
    own(
      'let T = max(frobenius(Wᵀ * W), schur(Wᵀ * W), gershgorin(Wᵀ * W)) + 1/100',
      'return x - 2 * W * inv(T) * sigmoid(Wᵀ * x + b)',
    ),
  ],
  [
    'a mix',
    own(
      'let T = 1/4 * (frobenius(Wᵀ * W) + 3 * spectral(Wᵀ * W, steps = 4))',
      'return x - 2 * W * inv(T) * act(Wᵀ * x + b)',
    ),
  ],
  [
    'both forms, composed',
    own(
      'let y = x - 2 * W * inv(schur(Wᵀ * W)) * act(Wᵀ * x)',
      'return y - 2 * V * inv(gershgorin(Vᵀ * V)) * act(Vᵀ * y + b) + s',
    ),
  ],
  [
    'an average of residuals',
    own(
      'let T = gershgorin(Wᵀ * W)',
      'let S = gershgorin(Vᵀ * V)',
      'return 1/2 * (x - 2 * W * inv(T) * act(Wᵀ * x)) + 1/2 * (x - 2 * V * inv(S) * act(Vᵀ * x))',
    ),
  ],
  [
    'an average of a residual and a linear map',
    own(
      'return 1/2 * (x - 2 * W * inv(gershgorin(Wᵀ * W)) * act(Wᵀ * x)) + 1/2 * V * inv(gershgorin(Vᵀ * V)) * Vᵀ * x',
    ),
  ],
  ['a projection', own('return W * inv(gershgorin(Wᵀ * W)) * Wᵀ * x')],
  [
    'a two-layer network',
    own('return V * invsqrt(gershgorin(Vᵀ * V)) * maxmin(invsqrt(gershgorin(Wᵀ * W)) * Wᵀ * x + b) + s'),
  ],
  ['the negative of a residual', own('return 2 * W * inv(gershgorin(Wᵀ * W)) * act(Wᵀ * x) - x')],
  ['what cancels', own('return x + W * Vᵀ * x - W * (Vᵀ * x)')],
];

const AVERAGE = accepted.find(([name]) => name === 'an average of residuals')![1];

describe('what the prover accepts is 1-Lipschitz, has gradients, and means the same in both lowerings', () => {
  it.each(accepted)('%s', (_, source) => {
    const proven = provenFrom(source);
    expect(proven.squared).toEqual({ num: 1n, den: 1n });
    const params = new Map(
      networkParams(proven.network).map((p, i) => [p.path, noise(elements(p.shape), 20 + i)] as const),
    );
    const { graph, seedLength, missing } = graphOf(proven);
    const x = noise(BATCH * 5, 7);
    const inputs = new Map([
      ['x', x],
      ['seed', noise(seedLength, 8)],
    ]);
    const used = [...params.keys()].filter(p => !missing.includes(p));
    for (const p of used)
      expect(gradientError(graph, { inputs, params }, 'params', p, [...params.get(p)!.keys()], 1e-6), p).toBeLessThan(
        2e-7,
      );
    expect(gradientError(graph, { inputs, params }, 'inputs', 'x', [...x.keys()], 1e-6)).toBeLessThan(2e-7);

    const y = inferred(proven, x, params);
    const seed = inputs.get('seed')!;
    const value = interpret(graph, { inputs, params }).outputs.get('value')![0];
    expect(y.reduce((sum, v, i) => sum + v * seed[i], 0)).toBeCloseTo(value, 10);

    // Pairs of inputs, near and far, with weights of every size.
    for (let trial = 0; trial < 40; trial++) {
      const weights = new Map(
        networkParams(proven.network).map((p, i) => {
          const size = 10 ** ((trial % 5) - 2);
          return [p.path, noise(elements(p.shape), 100 * trial + i).map(v => v * size)] as const;
        }),
      );
      const a = noise(5, 3 * trial).map(v => 3 * v);
      const d = noise(5, 3 * trial + 1).map(v => v * 10 ** ((trial % 7) - 4));
      const both = inferred(proven, Float64Array.from([...a, ...a.map((v, i) => v + d[i])]), weights);
      const m = both.length / 2;
      const moved = Math.hypot(...both.slice(0, m).map((v, i) => v - both[m + i]));
      expect(moved / Math.hypot(...d)).toBeLessThan(1 + 1e-9);
    }
  });

  it('is frozen with t rounded down and linear weights inward', () => {
    const proven = provenFrom(AVERAGE);
    const params = new Map(
      networkParams(proven.network).map((p, i) => [p.path, noise(elements(p.shape), 30 + i)] as const),
    );
    const frozen = freeze(proven, params, BATCH);
    const x = Float64Array.from(noise(BATCH * 5, 7), Math.fround);
    const got = interpret(frozen.graph, { inputs: new Map([['x', x]]), params: new Map() }).outputs.get('features')!;
    const exact = inferred(proven, x, new Map([...params].map(([k, v]) => [k, v.map(Math.fround)])));
    expect(furthest(got, exact)).toBeLessThan(1e-6);
  });

  it('shows which rules it used', () => {
    const text = printDerivation(asFormula(() => provenFrom(AVERAGE)).derivation);
    expect(text.slice(0, text.indexOf('\nRules'))).toBe(`N : 1-Lipschitz   by weaken (to = 1)
  N : 1-Lipschitz   by compose
    own[0] : 1-Lipschitz   by sum (a1 = 1/2, a2 = 1/2)
      own[0] : 1-Lipschitz   by scaled-residual (hidden = columns, T = gershgorin(Wᵀ * W), c = 2)
        own[0].W : own[0].Wᵀ·own[0].W ⪯ T   by gershgorin (side = columns, q = 1)
        relu : slope[0, 1]   by slope (function = relu)
      own[0] : 1-Lipschitz   by scaled-residual (hidden = columns, T = gershgorin(Vᵀ * V), c = 2)
        own[0].V : own[0].Vᵀ·own[0].V ⪯ T   by gershgorin (side = columns, q = 1)
        relu : slope[0, 1]   by slope (function = relu)
`);
  });
});

/** The first diagnostic of a refused program: its code, what it underlines, and its message. */
const refusal = (source: string): readonly [string, string, string] => {
  const parsed = parse(source);
  const program = resolve(parsed.file);
  const found = [...parsed.diagnostics, ...program.diagnostics];
  const proof = found.length === 0 ? prove(program.networks[0]) : undefined;
  const [first] = proof && 'diagnostics' in proof ? proof.diagnostics : found;
  if (!first) throw new Error(`proven, though it must be refused:\n${source}`);
  return [first.code, source.slice(first.span.start, first.span.end), first.message];
};

const T = 'let T = gershgorin(Wᵀ * W)';

const refused: readonly (readonly [string, string, string, string, string])[] = [
  [
    'an orthogonal residual of factor 3',
    own('return x - 3 * cayley(W) * relu(cayley(W)ᵀ * x)'),
    'L0203',
    '3 * cayley(W) * relu(cayley(W)ᵀ * x)',
    'at most 2',
  ],
  ['an orthogonal matrix and its bare weight', own('return cayley(V) * relu(Wᵀ * x)'), 'L0204', 'Wᵀ', 'any norm'],
  ['the transform of a product', own('return cayley(W * Wᵀ) * x'), 'L0141', 'cayley(W * Wᵀ)', 'type mat'],

  [
    'weights that do not match',
    own('let T = rowsum(abs(Wᵀ * W) * (exp(q) + 1/1000000)) / exp(q)', 'return x - 2 * W * inv(T) * relu(Wᵀ * x + b)'),
    'L0203',
    'inv(T)',
    'for every value',
  ],
  [
    'the Gram matrix of the other side',
    own('return x - 2 * W * inv(gershgorin(W * Wᵀ)) * relu(Wᵀ * x + b)')
      .replaceAll('[n, 4]', '[n, n]')
      .replace('b: vec[4]', 'b: vec[n]'),
    'L0203',
    'inv(gershgorin(W * Wᵀ))',
    'needs T ⪰ Wᵀ * W',
  ],
  [
    'the Gram matrix of another weight',
    own('return x - 2 * W * inv(gershgorin(Vᵀ * V)) * relu(Wᵀ * x + b)'),
    'L0203',
    'inv(gershgorin(Vᵀ * V))',
    'made from Vᵀ * V',
  ],
  [
    'factor 3',
    own(T, 'return x - 3 * W * inv(T) * relu(Wᵀ * x + b)'),
    'L0203',
    '3 * W * inv(T) * relu(Wᵀ * x + b)',
    'at most 2',
  ],
  [
    'two branches of factor 2',
    own(T, 'return x - 2 * W * inv(T) * relu(Wᵀ * x) - 2 * V * inv(gershgorin(Vᵀ * V)) * relu(Vᵀ * x)'),
    'L0203',
    '2 * W * inv(T) * relu(Wᵀ * x)',
    'add up to 4',
  ],
  [
    'a branch that is added',
    own(T, 'return x + 2 * W * inv(T) * relu(Wᵀ * x + b)'),
    'L0203',
    '2 * W * inv(T) * relu(Wᵀ * x + b)',
    'added',
  ],
  ['an untied weight', own(T, 'return x - 2 * W * inv(T) * relu(Vᵀ * x + b)'), 'L0203', 'Vᵀ', 'one tensor'],
  ['a scaled argument', own(T, 'return x - 2 * W * inv(T) * relu(2 * Wᵀ * x + b)'), 'L0203', '2 * Wᵀ * x', '2 times'],
  [
    'a branch alone',
    own(T, 'return 2 * W * inv(T) * relu(Wᵀ * x + b)'),
    'L0203',
    '2 * W * inv(T) * relu(Wᵀ * x + b)',
    'no residual',
  ],
  [
    'T scaled down',
    own('return x - 2 * W * inv(9/10 * gershgorin(Wᵀ * W)) * relu(Wᵀ * x + b)'),
    'L0203',
    'inv(9/10 * gershgorin(Wᵀ * W))',
    'may be smaller',
  ],
  [
    'a number taken from T',
    own(`${T} - 1/1000`, 'return x - 2 * W * inv(T) * relu(Wᵀ * x + b)'),
    'L0203',
    'inv(T)',
    'may be smaller',
  ],
  [
    'weights of a mix below 1',
    own('let T = 1/3 * schur(Wᵀ * W) + 1/2 * frobenius(Wᵀ * W)', 'return x - 2 * W * inv(T) * relu(Wᵀ * x + b)'),
    'L0203',
    'inv(T)',
    'may be smaller',
  ],
  ['abs inside', own(T, 'return x - 2 * W * inv(T) * abs(Wᵀ * x + b)'), 'L0202', 'abs(Wᵀ * x + b)', '[-1, 1]'],
  ['maxmin inside', own(T, 'return x - 2 * W * inv(T) * maxmin(Wᵀ * x + b)'), 'L0202', 'maxmin(Wᵀ * x + b)', 'mixes'],
  [
    'an option with other slopes',
    own('return act(x)').replace('  own\n', '  own act = abs\n'),
    'L0202',
    'abs',
    'slopes within [0, 1]',
  ],
  ['a bare weight', own('return W * relu(Wᵀ * x)'), 'L0204', 'W', 'any norm'],
  [
    'the root on the wrong side',
    own('return invsqrt(gershgorin(Wᵀ * W)) * Wᵀ * W * x').replaceAll('[n, 4]', '[n, n]'),
    'L0204',
    'W',
    'any norm',
  ],
  ['no input', own('return s'), 'L0204', 's', 'does not depend'],
  ['more than 1', own('return x + relu(x)'), 'L0201', 'own', 'bound of N is 2'],
  ['a matrix of the wrong size', own('return W * x'), 'L0141', 'W * x', 'cannot be applied'],
  ['no Gram matrix', own('return x - W * inv(gershgorin(Wᵀ * V)) * relu(Wᵀ * x)'), 'L0141', 'Wᵀ * V', 'Gram matrix'],
  ['T itself', own('return gershgorin(W * Wᵀ) * x'), 'L0141', 'gershgorin(W * Wᵀ) * x', 'cannot be multiplied'],
  ['an unknown name', own('return x + p'), 'L0103', 'p', 'not defined'],
  ['an unknown function', own('return gelu(x)'), 'L0103', 'gelu', 'no function'],
  ['nothing returned', own('let y = x'), 'L0140', 'own', 'returns nothing'],
  ['a name that is taken', own('return x').replaceAll('own', 'dense'), 'L0106', 'dense', 'built in'],
  ['a name defined twice', own('let W = x', 'return x'), 'L0106', 'W', 'meaning already'],
  ['a missing option', own('return x').replace('act: slope[0, 1] = relu', 'hidden'), 'L0110', 'own', 'hidden'],
  [
    'an image for a vector',
    own('return x').replace('input x[5]', 'input image[1, 2, 3]'),
    'L0120',
    'own',
    'needs a vector',
  ],
];

describe('formulas that double with each line are refused soon', () => {
  const lines = (first: string, next: (i: number) => string): readonly string[] => [
    `let a0 = ${first}`,
    ...Array.from({ length: 60 }, (_, i) => `let a${i + 1} = ${next(i)}`),
    'return x',
  ];
  it.each([
    ['vectors', lines('x', i => `a${i} + relu(a${i})`)],
    ['matrices', lines('W * Wᵀ', i => `a${i} * a${i}`)],
    ['diagonals', lines('schur(Wᵀ * W)', i => `max(a${i}, a${i})`)],
    ['numbers', lines('3', i => `a${i} * a${i}`)],
  ])('%s', (_, body) => {
    const [code, , message] = refusal(own(...body));
    expect([code, message]).toEqual(['L0115', 'written out, this formula has more than 1000 parts']);
  });
});

describe('what no rule justifies is refused where it stands', () => {
  it.each(refused)('%s', (_, source, code, place, message) => {
    const [c, p, m] = asFormula(() => refusal(source));
    expect([c, p]).toEqual([code, place]);
    expect(m).toContain(message);
  });
});

it('every library file is tested against its built-in layer, here or by a test of its own', () => {
  const files = readdirSync(LIBRARY).map(f => f.replace(/\.lip$/, ''));
  expect(files.filter(f => !pairs.some(p => p.file === f))).toEqual([
    'invented',
    'orthogonal',
    'rescaling',
    'sandwich',
  ]);
});
