import { describe, expect, it } from 'vitest';
import { ONE, type Rational, rational, ZERO } from '../../src/ir/rational.ts';
import { formatBound, formatJudgement, printDerivation } from '../../src/proof/derivation.ts';
import { apply, type Derivation, RuleError, type RuleName, ruleNames, ruleOf } from '../../src/proof/rules.ts';

const rows = apply('gershgorin', 'W', [], {}, { weight: 'W', side: 'rows', q: '1' });
const columns = apply('gershgorin', 'W', [], {}, { weight: 'W', side: 'columns', q: '1' });
const otherRows = apply('gershgorin', 'V', [], {}, { weight: 'V', side: 'rows', q: '1' });
const slope = (name: string, a?: Rational) => apply('slope', name, [], a ? { a } : {}, { function: name });
const relu = slope('relu');
const lipschitz = (divisor: Rational) => apply('divide', 'scale', [], { least: divisor });

type Use = readonly [
  string,
  RuleName,
  readonly Derivation[],
  Readonly<Record<string, Rational>>?,
  Readonly<Record<string, string>>?,
];

describe('rules refuse what they do not cover', () => {
  const uses: readonly Use[] = [
    ['residual on the inputs’ Gram matrix', 'residual', [columns, relu]],
    ['residual with abs', 'residual', [rows, slope('abs')]],
    ['residual with a slope of 2', 'residual', [rows, slope('leaky_relu', rational(2))]],
    ['residual with a slope of −1/10', 'residual', [rows, slope('leaky_relu', rational(-1, 10))]],
    ['residual without dominance', 'residual', [relu, relu]],
    ['residual without a slope', 'residual', [rows]],
    ['linear on the wrong side', 'linear', [rows], {}, { side: 'in' }],
    ['linear on outputs with the inputs’ Gram matrix', 'linear', [columns], {}, { side: 'out' }],
    ['linear without dominance', 'linear', [lipschitz(ONE)], {}, { side: 'in' }],
    ['max over different weights', 'dominance-max', [rows, otherRows]],
    ['max over different sides', 'dominance-max', [rows, columns]],
    ['max of nothing', 'dominance-max', []],
    ['mix with weights below 1 in sum', 'dominance-convex', [rows, rows], { a1: rational(1, 2), a2: rational(1, 3) }],
    ['mix with a negative weight', 'dominance-convex', [rows, rows], { a1: rational(2), a2: rational(-1) }],
    ['mix with a missing weight', 'dominance-convex', [rows, rows], { a1: ONE }],
    ['shift down', 'dominance-shift', [rows], { eps: rational(-1, 10n ** 30n) }],
    ['scale down', 'dominance-scale', [rows], { factor: rational(10n ** 30n - 1n, 10n ** 30n) }],
    ['an unknown activation', 'slope', [], {}, { function: 'gelu' }],
    ['division by zero', 'divide', [], { least: ZERO }],
    [
      'a grid coarser than the kernel',
      'gram-iteration-symbol',
      [],
      { steps: ONE, grid: rational(4), kh: rational(5), kw: ONE },
      { weight: 'W', side: 'rows' },
    ],
    ...[4, 7, 5].map(
      grid =>
        [
          `a grid of ${grid} points for a kernel of 4 taps`,
          'gram-iteration-symbol',
          [],
          { steps: ONE, grid: rational(grid), kh: ONE, kw: rational(4) },
          { weight: 'W', side: 'rows' },
        ] as const,
    ),
    [
      'the reshaped kernel without its factor',
      'gram-iteration-reshaped',
      [],
      { steps: ONE, factor: ONE, kh: rational(3), kw: rational(3) },
      { weight: 'W', side: 'rows' },
    ],
    [
      'the orthogonal kernel without its factor',
      'orthogonal-reshaped',
      [],
      { factor: rational(8), kh: rational(3), kw: rational(3) },
      { weight: 'W', side: 'rows' },
    ],
    ['no step', 'gram-iteration', [], { steps: ZERO }, { weight: 'W', side: 'rows' }],
    ['dominance of no weight', 'gershgorin', [], {}, { side: 'rows' }],
    ['composition with a slope', 'compose', [lipschitz(ONE), relu]],
    ['weakening to less', 'weaken', [lipschitz(rational(1, 2))], { to: rational(2n * 10n ** 30n - 1n, 10n ** 30n) }],
    ['a mix of one', 'mix', [lipschitz(ONE)], { w: ONE }],
    ['a mix with a weight above 1', 'mix', [lipschitz(ONE), lipschitz(ONE)], { w: rational(11, 10) }],
    ['a mix without a weight', 'mix', [lipschitz(ONE), lipschitz(ONE)]],
    [
      'a split of parts that overlap',
      'split',
      [lipschitz(ONE), lipschitz(ONE)],
      { start1: rational(2), length1: rational(3), start2: ZERO, length2: rational(3) },
    ],
    [
      'a split with a part of unknown length',
      'split',
      [lipschitz(ONE), lipschitz(ONE)],
      { start1: ZERO, length1: rational(3), start2: rational(3) },
    ],
    ['a gather of nothing', 'gather', [], { multiplicity: ZERO }],
    ['a sum of a slope', 'sum', [lipschitz(ONE), relu], { a1: ONE, a2: ONE }],
    ['a sum with a missing factor', 'sum', [lipschitz(ONE), lipschitz(ONE)], { a1: ONE }],
    [
      'a sum of bounds without a common measure',
      'sum',
      [apply('gather', 'g', [], { multiplicity: rational(2) }), lipschitz(ONE)],
      { a1: ONE, a2: ONE },
    ],
    ['a maximum of nothing', 'maximum', []],
    ['a part beyond its budget', 'sub-budget', [lipschitz(rational(1, 2))], { to: rational(3, 2) }],
    ['a head behind a slope', 'pairwise-head', [relu]],
    ['a translation of something', 'translate', [lipschitz(ONE)]],
  ];
  for (const [title, rule, premises, constants, about] of uses) {
    it(title, () => {
      expect(() => apply(rule, 'here', premises, constants, about)).toThrow(RuleError);
    });
  }
});

describe('rules conclude', () => {
  const root = (squared: number) => apply('gather', 'g', [], { multiplicity: rational(squared) });
  const bound = (rule: RuleName, premises: readonly Derivation[], constants: Readonly<Record<string, Rational>> = {}) =>
    formatJudgement(apply(rule, 'here', premises, constants).conclusion);
  it('what branches make together', () => {
    const half = rational(1, 2);
    expect(bound('sum', [root(9), root(4)], { a1: half, a2: rational(-1) })).toBe('7/2-Lipschitz');
    expect(bound('sum', [root(8), root(2)], { a1: half, a2: rational(-1) })).toBe('√(8)-Lipschitz');
    expect(bound('mix', [root(9), root(4)], { w: rational(9, 10) })).toBe('3-Lipschitz');
    expect(bound('concat', [root(9), root(16)])).toBe('5-Lipschitz');
    expect(bound('maximum', [root(1), root(1)])).toBe('√(2)-Lipschitz');
    const parts = { start1: rational(4), length1: rational(2), start2: ZERO, length2: rational(4) };
    expect(bound('split', [root(9), root(16)], parts)).toBe('4-Lipschitz');
    expect(bound('sub-budget', [root(9)], { to: rational(7, 2) })).toBe('7/2-Lipschitz');
  });
  it('exact products of irrational bounds', () => {
    // 1/√2 cannot be written as a divisor, but its square can be a bound: √(1/2)·√(1/2)… stays exact.
    const half = lipschitz(rational(2));
    expect(apply('compose', 'two', [half, half]).conclusion).toEqual({ kind: 'lipschitz', squared: rational(1, 16) });
    expect(formatBound(rational(1, 2))).toBe('√(1/2)');
    expect(formatBound(rational(9, 4))).toBe('3/2');
    expect(formatJudgement({ kind: 'lipschitz', squared: rational(2) })).toBe('√(2)-Lipschitz');
  });

  it('slope intervals, exactly', () => {
    const interval = (d: Derivation) => formatJudgement(d.conclusion);
    expect(interval(relu)).toBe('slope[0, 1]');
    expect(interval(slope('sigmoid'))).toBe('slope[0, 1/4]');
    expect(interval(slope('abs'))).toBe('slope[-1, 1]');
    expect(interval(slope('leaky_relu', rational(3)))).toBe('slope[1, 3]');
    expect(interval(slope('leaky_relu', rational(-3)))).toBe('slope[-3, 1]');
  });

  it('composition of nothing is the identity’s bound', () => {
    expect(apply('compose', 'none', []).conclusion).toEqual(apply('identity', 'none').conclusion);
  });
});

it('every rule states its theorem and its source', () => {
  for (const name of ruleNames) {
    expect(ruleOf(name).statement, name).not.toBe('');
    expect(ruleOf(name).source, name).not.toBe('');
  }
});

it('a printed derivation explains each rule it uses once', () => {
  const d = apply('compose', 'net', [apply('residual', 'a', [rows, relu]), apply('residual', 'b', [rows, relu])]);
  const [tree, rules] = printDerivation(d).split('\n\nRules\n');
  expect(tree.split('\n')).toHaveLength(7);
  expect(rules.match(/^ {2}\S+:/gm)).toEqual(['  compose:', '  residual:', '  gershgorin:', '  slope:']);
});
