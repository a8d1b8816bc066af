/** The rules by which T dominates the Gram matrix of a weight, whatever the weight is: one row for each. Why they are true: src/proof/rules.ts. */
import { degree, type LinearMap, reach, size } from './map.ts';
import { atMost, equal, format, mul, need, ONE, parseQ, type Q, q, square, sum, TWO, within, ZERO } from './numbers.ts';
import { any, listOf, lookUp, object, optional, read, text } from './read.ts';

type Constants = Readonly<Record<string, Q>>;
/** What a constant must be, for this map, beside the others. */
type Test = (v: Q, m: LinearMap, all: Constants) => boolean;

interface Rule {
  /** The kind of map; without it, matrices and kernels. */
  readonly of?: LinearMap['kind'];
  readonly constants?: Readonly<Record<string, Test>>;
  /** Whether T = I. */
  readonly unit?: true;
  /** What the one premise speaks of; without it there is none. */
  readonly premise?: (m: LinearMap) => LinearMap;
  /** Whether the premise needs T = I. */
  readonly unitPremise?: true;
}

/** Squares w² for which |Σ_{m ≤ degree} (iy)ᵐ/m!| ≤ 1 on |y| ≤ w; of other degrees up to 14 there is no w > 0. */
export const WINDOWS: Constants = {
  3: q(3),
  4: q(8),
  7: q(311, 100n),
  8: q(288, 25n),
  11: q(289, 100n),
  12: q(571, 50n),
};
const window: Test = (v, _, { degree }) => {
  const most = WINDOWS[format(degree)];
  return v.num >= 0n && most !== undefined && atMost(square(v), most);
};
const atLeast = (least: number) => (v: Q) => atMost(q(least), v);
const is = (value: (m: LinearMap) => number) => (v: Q, m: LinearMap) => equal(v, q(value(m)));
const above0: Test = v => v.num > 0n;
const steps = atLeast(1);
/** ‖W‖ before Björck's first step. */
const bjorck = { steps, start: (v: Q) => within(ZERO, v, TWO) };
const reached = { kh: is(m => reach(m)[0]), kw: is(m => reach(m)[1]) };
const reshaped = { ...reached, factor: is(m => size(reach(m))) };
const exponential = { degree: atLeast(1), squarings: atLeast(0), window };
const area: Test = (v, _, { kh, kw }) => equal(v, mul(kh, kw));
const skew = { degree: atLeast(1), norm: window, steps, kh: atLeast(1), kw: atLeast(1), factor: area };
/** One square kernel for all channels. */
const square2: Test = (v, m) => m.groups === 1 && m.kernel.every(k => equal(v, q(k)));
/** Blocks of s×s pixels that are disjoint, as a dilation or a kernel smaller than them would not leave them. */
const blocks: Test = (v, m) => m.stride.every((s, a) => equal(v, q(s)) && m.dilation[a] === 1 && m.kernel[a] >= s);
/** What has a degree for the lattice kernel's sides. */
const grid: Test = (v, m) =>
  v.den === 1n && within(ONE, v, q(4096)) && reach(m).every(k => degree(k, Number(v.num)) >= 0);
const geometry = {
  stride_h: is(m => m.stride[0]),
  stride_w: is(m => m.stride[1]),
  dilation_h: is(m => m.dilation[0]),
  dilation_w: is(m => m.dilation[1]),
};
const same = (m: LinearMap): LinearMap => m;
const asMatrix = (m: LinearMap): LinearMap => ({ ...m, kind: 'dense' });

const RULES: Readonly<Record<string, Rule>> = {
  gershgorin: { of: 'dense' },
  'gershgorin-lattice': { of: 'conv' },
  frobenius: {},
  schur: {},
  'power-gershgorin': { constants: { steps: atLeast(2) } },
  'gram-iteration': { of: 'dense', constants: { steps } },
  'gram-iteration-symbol': { of: 'conv', constants: { steps, ...reached, grid } },
  'gram-iteration-circulant': { of: 'conv', constants: { steps } },
  'gram-iteration-operator': { of: 'conv', constants: { steps } },
  'gram-iteration-reshaped': { of: 'conv', constants: { steps, ...reshaped } },
  'orthogonal-cayley': { of: 'dense', unit: true },
  'orthogonal-householder': { of: 'dense', unit: true },
  'orthogonal-bro': { of: 'dense', unit: true, constants: { eps: above0 } },
  'orthogonal-exponential': { of: 'dense', unit: true, constants: exponential },
  'contraction-cholesky': { of: 'dense', unit: true, constants: { eps: atLeast(0) } },
  'contraction-bjorck': { of: 'dense', unit: true, constants: bjorck },
  'contraction-whitening': { of: 'dense', unit: true, constants: { eps: above0, steps: atLeast(0) } },
  'orthogonal-bcop': { of: 'conv', unit: true, constants: { ...bjorck, kernel: square2 } },
  'orthogonal-strided': { of: 'conv', unit: true, constants: { ...bjorck, kernel: square2, stride: blocks } },
  'orthogonal-reshaped': { of: 'conv', constants: reshaped },
  'reshaped-kernel': { of: 'conv', constants: reshaped, premise: asMatrix },
  grouped: { of: 'conv', constants: { groups: (v, m) => m.groups > 1 && equal(v, q(m.groups)) }, premise: same },
  polyphase: { of: 'conv', constants: geometry, premise: same },
  torus: { of: 'conv', premise: same },
  'dominance-shift': { constants: { eps: atLeast(0) }, premise: same },
  'dominance-scale': { constants: { factor: atLeast(1) }, premise: same },
  // W = 2AᵀB, where [A B] is the premise's matrix.
  sandwich: { of: 'dense', unit: true, premise: same, unitPremise: true },
  'contraction-fourier': { of: 'operator', unit: true, premise: asMatrix, unitPremise: true },
  'contraction-skew-exponential': { of: 'operator', unit: true, constants: skew },
};

const STEP = { rule: text, constants: optional(object), premises: optional(listOf(any)) };

/** That the T of this derivation, I where `unit`, dominates the Gram matrix of `map`'s weight, whatever the weight is. Throws Refused. */
export const checkStep = (value: unknown, where: string, map: LinearMap, unit = false): void => {
  const { rule, constants: stated = {}, premises = [] } = read(value, where, STEP);
  const constants = Object.fromEntries(Object.entries(stated).map(([k, v]) => [k, parseQ(v)]));
  const several = rule === 'dominance-max' || rule === 'dominance-convex';
  const r: Rule = several ? { premise: same } : lookUp(RULES, rule, `rule for ${where} called`);
  need(
    r.of === undefined ? map.kind !== 'operator' : r.of === map.kind,
    `${where}: ${rule} is not for ${map.kind} maps`,
  );
  need(!unit || r.unit === true, `${where}: ${rule} does not make T = I`);
  need(rule !== 'torus' || map.mode === 'circular', `${where}: torus is for circular padding`);
  const count = several ? Math.max(premises.length, 1) : r.premise ? 1 : 0;
  need(premises.length === count, `${where}: ${rule} takes ${count} premises`);
  for (const p of premises) checkStep(p, `${where}, ${rule}`, r.premise!(map), r.unitPremise);
  const weights = rule === 'dominance-convex' ? premises.map((_, n) => [`a${n + 1}`, atLeast(0)] as const) : [];
  const tests = r.constants ?? Object.fromEntries(weights);
  const names = Object.keys(tests);
  const complete = Object.keys(constants).length === names.length && names.every(n => Object.hasOwn(constants, n));
  need(complete, `${where}: ${rule} takes the constants ${names}`);
  for (const n of names)
    need(tests[n](constants[n], map, constants), `${where}: ${n} = ${format(constants[n])} does not fit ${rule}`);
  const whole = weights.length === 0 || equal(sum(Object.values(constants)), ONE);
  need(whole, `${where}: weights add up to 1`);
};
