import { describe, expect, it } from 'vitest';
import type { Layer, LayerOp, Network, SubBudget } from '../../../src/ir/network.ts';
import { ONE, type Rational, rational } from '../../../src/ir/rational.ts';
import { prove } from '../../../src/passes/prove/prove.ts';
import { formatBound, printDerivation } from '../../../src/proof/derivation.ts';

/** [inputs, layer]: values are numbered from the input, 0, on. */
type Row = readonly [readonly number[], LayerOp];

const scale = (divisor: Rational): LayerOp => ({ kind: 'scale', divisor: [divisor] });
/** √n-Lipschitz where n is no square: only a list of divisors and concat give such bounds. */
const twice = scale(rational(1, 2));
const half = scale(rational(2));
const relu: LayerOp = { kind: 'activation', act: { kind: 'relu' } };
const sum = (...factors: number[]): LayerOp => ({ kind: 'sum', factors: factors.map(f => rational(f)) });
const mix: LayerOp = { kind: 'mix', weight: { kind: 'constant', value: rational(1, 2) } };
const slice = (start: number, length: number): LayerOp => ({ kind: 'slice', start, length });
const concat: LayerOp = { kind: 'concat' };
const largest: LayerOp = { kind: 'maximum', of: 'largest' };

const network = (
  rows: readonly Row[],
  budget = rational(1_000_000),
  subBudgets: readonly SubBudget[] = [],
): Network => ({
  name: 'Net',
  input: { id: 0, shape: [8], span: { start: 0, end: 1 } },
  layers: rows.map(
    ([inputs, op], i): Layer => ({
      id: i + 1,
      inputs,
      op,
      shape: [8],
      path: `${op.kind}[${i}]`,
      span: { start: 10 * (i + 1), end: 10 * (i + 1) + 5 },
    }),
  ),
  budget,
  subBudgets,
  span: { start: 0, end: 1 },
});

const bound = (...rows: Row[]): string => {
  const result = prove(network(rows));
  if (!('proven' in result)) throw new Error(JSON.stringify(result.diagnostics));
  return formatBound(result.proven.squared);
};

describe('bounds of branches', () => {
  it('add up, are mixed, stand side by side, or compete', () => {
    const branches: readonly Row[] = [
      [[0], twice],
      [[0], half],
    ];
    expect(bound(...branches, [[1, 2], sum(1, -3)])).toBe('7/2');
    expect(bound(...branches, [[1, 2], mix])).toBe('2');
    expect(bound(...branches, [[1, 2], concat])).toBe('√(17/4)');
    expect(bound(...branches, [[1, 2], largest])).toBe('√(17/4)');
    expect(bound(...branches, [[2, 2], largest])).toBe('√(1/2)');
    expect(bound([[0], relu], [[1], sum(-3)])).toBe('3');
  });
  it('a residual layer x + f(x) written out is a sum', () => {
    expect(bound([[0], relu], [[0, 1], sum(1, 1)])).toBe('2');
  });
  it('parts that do not overlap count once, others each time', () => {
    const parts = (a: LayerOp, b: LayerOp): readonly Row[] => [
      [[0], twice],
      [[1], a],
      [[1], b],
      [[2], half],
      [[3], relu],
      [[4, 5], concat],
    ];
    expect(bound(...parts(slice(4, 4), slice(0, 4)))).toBe('2');
    expect(bound(...parts(slice(0, 4), slice(3, 4)))).toBe('√(5)');
    // One branch sees the whole value.
    expect(bound([[0], slice(0, 4)], [[1, 0], concat])).toBe('√(2)');
  });
  it('a common prefix counts once, before and behind the branches', () => {
    expect(bound([[0], twice], [[1], relu], [[2], relu], [[1, 2], sum(1, 1)], [[4], twice])).toBe('8');
    expect(bound([[0], twice], [[1], relu], [[1], relu], [[2, 3], concat])).toBe('√(8)');
  });
  it('branches inside of branches', () => {
    // 1 + (1/2)(1 + 2) from the same fork.
    expect(bound([[0], half], [[1], relu], [[1], twice], [[2, 3], sum(1, 1)], [[0, 4], sum(1, 1)])).toBe('5/2');
  });
  it('bounds without a common measure are rounded up', () => {
    const result = prove(
      network([
        [[0], relu],
        [[0, 1], concat],
        [[2], slice(0, 8)],
        [[0, 3], sum(1, 1)],
      ]),
    );
    if (!('proven' in result)) throw new Error('refused');
    const value = Number(result.proven.squared.num) / Number(result.proven.squared.den);
    expect(value).toBeGreaterThan((1 + Math.SQRT2) ** 2);
    expect(value).toBeLessThan((1 + Math.SQRT2) ** 2 * (1 + 1e-5));
  });
  it('the proof speaks of a shared prefix once', () => {
    const result = prove(
      network([
        [[0], twice],
        [[1], relu],
        [[1], half],
        [[2, 3], mix],
        [[4], relu],
      ]),
    );
    if (!('proven' in result)) throw new Error('refused');
    expect(
      printDerivation(result.proven.derivation)
        .split('\nRules')[0]
        .replaceAll(/ {2,}by .*/g, ''),
    ).toBe(
      `Net : 1000000-Lipschitz
  Net : 2-Lipschitz
    scale[0] : 2-Lipschitz
    mix[3] : 1-Lipschitz
      mix[3] : 1-Lipschitz
        activation[1] : 1-Lipschitz
          relu : slope[0, 1]
      mix[3] : 1/2-Lipschitz
        scale[2] : 1/2-Lipschitz
    activation[4] : 1-Lipschitz
      relu : slope[0, 1]
`,
    );
  });
  it('a proof that would grow beyond all bounds is refused', () => {
    // Every value reads both values before it, so no two branches share a fork but the input.
    const rows: Row[] = [
      [[0], relu],
      [[0], half],
    ];
    for (let i = 0; i < 30; i++) rows.push([[2 * i + 1, 2 * i + 2], mix], [[2 * i + 1, 2 * i + 2], mix]);
    const result = prove(network([...rows, [[61, 62], mix]]));
    expect('diagnostics' in result && result.diagnostics[0].code).toBe('L0115');
  });
});

describe('sub-budgets', () => {
  const rows: readonly Row[] = [
    [[0], twice],
    [[1], half],
    [[2], relu],
    [[1, 3], mix],
  ];
  const part = (bound: Rational): SubBudget => ({ name: 'a', from: 1, to: 3, bound, span: { start: 1, end: 2 } });
  it('hold for the part they are stated of', () => {
    const result = prove(network(rows, rational(2), [part(rational(1, 2))]));
    if (!('proven' in result)) throw new Error('refused');
    expect(result.proven.subBudgets.map(p => [p.part.name, formatBound(p.squared), p.derivation.rule])).toEqual([
      ['a', '1/2', 'sub-budget'],
    ]);
  });
  it('or are refused with the factors of that part', () => {
    const result = prove(network(rows, rational(2), [part(rational(1, 3))]));
    const [d, ...more] = 'diagnostics' in result ? result.diagnostics : [];
    expect(more).toEqual([]);
    expect([d.code, d.message, d.notes, d.refused?.layers]).toEqual([
      'L0201',
      'the bound of `a` from scale[0] on is 1/2, more than its budget 1/3',
      ['chain of factors, from scale[0] on:', '  scale[1]: 1/2', '  activation[2]: 1', '  product: 1/2'],
      ['scale[1]', 'activation[2]'],
    ]);
  });
});

it('a refusal draws the branches', () => {
  const result = prove(
    network(
      [
        [[0], twice],
        [[1], relu],
        [[1, 2], sum(1, 1)],
        [[3], relu],
      ],
      ONE,
    ),
  );
  expect('diagnostics' in result && result.diagnostics[0].notes).toEqual([
    'chain of factors, from the input on:',
    '  scale[0]: 2',
    '  sum[2]: 2',
    '    branch 1: 1, nothing in between',
    '    branch 2:',
    '      activation[1]: 1',
    '  activation[3]: 1',
    '  product of the outermost factors: 4',
  ]);
});
