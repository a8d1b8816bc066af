/** Formulas that are several layers become those: same values, same bound, and certificates. */
import { describe, expect, it, vi } from 'vitest';
import { provenFrom } from '../../../src/fixtures/compile-source.ts';
import { interpret } from '../../../src/ir/interpret.ts';
import { elements, networkParams } from '../../../src/ir/network.ts';
import { toNumber } from '../../../src/ir/rational.ts';
import { GraphBuilder } from '../../../src/ir/tensor.ts';
import { lowerNetwork } from '../../../src/passes/lower/lower.ts';
import { noise } from '../../gradient.ts';
import { certify, verdictOf } from '../../proof/certified.ts';

/** Formulas that are layers stay formulas where this is set. */
const keep = vi.hoisted(() => ({ formulas: false }));
vi.mock(import('../../../src/passes/resolve/recognise.ts'), async original => {
  const found = await original();
  return { ...found, recognise: (op, anySlope) => (keep.formulas ? op : found.recognise(op, anySlope)) };
});
vi.mock(import('../../../src/passes/resolve/decompose.ts'), async original => {
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

type Proven = ReturnType<typeof provenFrom>;

const own = (value: string): string => {
  const all = ['W: mat[n, 4]', 'V: mat[n, 4]', 'b: vec[4]', 'q: vec[4]', 's: vec[n]'];
  const params = all.filter(p => new RegExp(`\\b${p[0]}\\b`).test(value));
  return `layer own() (x: vec[n]) {
${params.map(p => `  param ${p} = 0\n`).join('')}  return ${value}
}
network N {
  input x[5]
  own
  head 3
}
`;
};

const outputOf = (proven: Proven, params: ReadonlyMap<string, Float64Array>, mode: 'train' | 'inference') => {
  const b = new GraphBuilder();
  b.output('y', lowerNetwork(b, proven, b.input('x', [3, 5]), mode).features);
  return interpret(b.finish(), { inputs: new Map([['x', noise(15, 7)]]), params }).outputs.get('y')!;
};

const T = 'gershgorin(Wᵀ * W, exp(q))';
const S = 'schur(Vᵀ * V)';

const cases: readonly (readonly [string, string, readonly string[], number])[] = [
  [
    'two branches',
    `x - 1/2 * W * inv(${T}) * relu(Wᵀ * x + b) - 3/2 * V * inv(${S}) * tanh(Vᵀ * x) + s`,
    ['residual', 'residual', 'sum', 'translate'],
    1,
  ],
  [
    'a two-layer network',
    `V * invsqrt(${S}) * maxmin(invsqrt(${T}) * Wᵀ * x + b) + s`,
    ['linear', 'activation', 'linear'],
    1,
  ],
  [
    'two residuals in a row',
    `x - 2 * W * inv(${T}) * relu(Wᵀ * x) - 2 * V * inv(${S}) * relu(Vᵀ * (x - 2 * W * inv(${T}) * relu(Wᵀ * x)) + b)`,
    ['residual', 'residual'],
    1,
  ],
  ['a difference', '1/3 * abs(x) - 2/3 * tanh(x)', ['activation', 'activation', 'sum'], 1],
  ['an orthogonal matrix between', `maxmin(cayley(V)ᵀ * relu(x) + b)`, ['activation', 'linear', 'activation'], 1],
  ['a translation alone', 'x + s', ['translate'], 1],
];

describe('formulas made of layers', () => {
  it.each(cases)('%s', (_, value, kinds, bound) => {
    const proven = provenFrom(own(value));
    const body = proven.network.layers.slice(0, -1);
    expect(body.map(l => l.op.kind)).toEqual(kinds);
    expect(body.at(-1)!.path).toBe('own[0]');
    expect(toNumber(proven.squared)).toBe(bound);
    const formula = asFormula(() => provenFrom(own(value)));
    const params = new Map(networkParams(formula.network).map((p, i) => [p.path, noise(elements(p.shape), 20 + i)]));
    expect(formula.network.layers.map(l => l.op.kind)).toEqual(['formula', 'head']);
    expect(formula.squared).toEqual(proven.squared);
    for (const mode of ['train', 'inference'] as const) {
      const expected = outputOf(formula, params, mode);
      outputOf(proven, params, mode).forEach((v, i) => {
        expect(v).toBeCloseTo(expected[i], 11);
      });
    }
    const weights = new Map([...params].map(([k, v]) => [k, Float32Array.from(v)]));
    const { emitted } = verdictOf(certify(proven, weights));
    expect(Number(emitted!.num) / Number(emitted!.den)).toBeLessThan(1.00001);
  });

  it.each([
    ['a weight of two layers', `W * inv(${T}) * Wᵀ * x`],
    ['a branch that reads something else', `1/2 * x - 1/2 * (relu(x) - 2 * W * inv(${T}) * relu(Wᵀ * relu(x)))`],
  ])('stay formulas with %s', (_, value) => {
    expect(provenFrom(own(value)).network.layers.map(l => l.op.kind)).toContain('formula');
  });
});
