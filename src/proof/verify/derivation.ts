/** The derivation for all weights: what each layer's rule must say, and the rules by which T dominates the Gram matrix of any weight. */
import { WINDOWS } from './contractions.ts';
import type { Layer } from './made.ts';
import { atMost, format, need, ONE, parseQ, type Q, q, square, sum, ZERO } from './numbers.ts';
import { any, listOf, lookUp, optional, read, recordOf, text } from './read.ts';
import { follow, ORIGIN, type Value } from './values.ts';
import { type LinearMap, reach, size } from './weight.ts';

const equal = (a: Q, b: Q): boolean => format(a) === format(b);
type Constants = Readonly<Record<string, Q>>;
type Test = (v: Q, m: LinearMap, all: Constants) => boolean;
const positive: Test = v => atMost(ONE, v);
const kh: Test = (v, m) => equal(v, q(reach(m)[0]));
const kw: Test = (v, m) => equal(v, q(reach(m)[1]));
/** What the reshaped kernel's norm is multiplied with. */
const factor: Test = (v, m) => equal(v, q(size(reach(m))));
/** ‖W‖ before Björck's first step. */
const start: Test = v => v.num >= 0n && atMost(v, q(2));
/** That the series of this degree is a contraction on the window. */
const window: Test = (v, _, { degree }) => {
  const most = WINDOWS[Number(format(degree))];
  return v.num >= 0n && most !== undefined && atMost(square(v), most);
};
/** One square kernel for all channels. */
const sides: Test = (v, m) => m.groups === 1 && m.kernel.every(k => equal(v, q(k)));
/** Blocks of s×s pixels that are disjoint, as a dilation or a kernel smaller than them would not leave them. */
const stride: Test = (v, m) => m.stride.every((s, a) => equal(v, q(s)) && m.dilation[a] === 1 && m.kernel[a] >= s);

const entry =
  (what: 'stride' | 'dilation', axis: number): Test =>
  (v, m) =>
    equal(v, q(m[what][axis]));
const grid: Test = (v, m) => atMost(q(Math.max(...reach(m))), v);

interface Rule {
  readonly conv?: boolean;
  readonly premises?: number;
  readonly constants?: Readonly<Record<string, Test>>;
}

const DOMINANCE: Readonly<Record<string, Rule>> = {
  gershgorin: { conv: false },
  'gershgorin-lattice': { conv: true },
  frobenius: {},
  schur: {},
  'gram-iteration': { conv: false, constants: { steps: positive } },
  'gram-iteration-symbol': { conv: true, constants: { steps: positive, grid, kh, kw } },
  'gram-iteration-operator': { conv: true, constants: { steps: positive } },
  'gram-iteration-reshaped': { conv: true, constants: { steps: positive, kh, kw, factor } },
  'orthogonal-cayley': { conv: false },
  'orthogonal-householder': { conv: false },
  'orthogonal-bro': { conv: false, constants: { eps: v => v.num > 0n } },
  'orthogonal-exponential': { conv: false, constants: { degree: positive, squarings: v => v.num >= 0n, window } },
  'contraction-cholesky': { conv: false, constants: { eps: v => v.num >= 0n } },
  'contraction-bjorck': { conv: false, constants: { steps: positive, start } },
  'orthogonal-bcop': { conv: true, constants: { steps: positive, start, kernel: sides } },
  'orthogonal-strided': { conv: true, constants: { steps: positive, start, kernel: sides, stride } },
  'reshaped-kernel': { conv: true, premises: 1, constants: { kh, kw, factor } },
  'orthogonal-reshaped': { conv: true, constants: { kh, kw, factor } },
  'power-gershgorin': { constants: { steps: v => atMost(q(2), v) } },
  grouped: { conv: true, premises: 1, constants: { groups: (v, m) => m.groups > 1 && equal(v, q(m.groups)) } },
  polyphase: {
    conv: true,
    premises: 1,
    constants: {
      stride_h: entry('stride', 0),
      stride_w: entry('stride', 1),
      dilation_h: entry('dilation', 0),
      dilation_w: entry('dilation', 1),
    },
  },
  torus: { conv: true, premises: 1, constants: {} },
  'dominance-shift': { premises: 1, constants: { eps: v => atMost(ZERO, v) } },
  'dominance-scale': { premises: 1, constants: { factor: positive } },
};

const STEP = { rule: text, constants: optional(recordOf(parseQ)), premises: optional(listOf(any)) };

/** That the T of this derivation dominates the Gram matrix of `map`'s weight, whatever the weight is. */
const checkDominance = (value: unknown, where: string, map: LinearMap): void => {
  const { rule, constants = {}, premises = [] } = read(value, where, STEP);
  const names = Object.keys(constants);
  // The kernel as a matrix has rules of its own.
  const inner = rule === 'reshaped-kernel' ? { ...map, conv: false } : map;
  for (const p of premises) checkDominance(p, `${where}, ${rule}`, inner);
  if (rule === 'dominance-max' || rule === 'dominance-convex') {
    need(premises.length > 0, `${where}: ${rule} needs premises`);
    const weights = rule === 'dominance-max' ? [] : premises.map((_, n) => `a${n + 1}`);
    need(`${names}` === `${weights}`, `${where}: ${rule} takes the constants ${weights}`);
    const all = weights.map(n => constants[n]);
    need(
      weights.length === 0 || (all.every(a => atMost(ZERO, a)) && equal(sum(all), ONE)),
      `${where}: weights are ≥ 0 and add up to 1`,
    );
    return;
  }
  const r = lookUp(DOMINANCE, rule, `rule for ${where} called`);
  need(r.conv === undefined || r.conv === map.conv, `${where}: ${rule} is for ${r.conv ? 'convolutions' : 'matrices'}`);
  need(premises.length === (r.premises ?? 0), `${where}: ${rule} takes ${r.premises ?? 0} premises`);
  need(rule !== 'torus' || map.circular, `${where}: torus is for circular padding`);
  const tests = r.constants ?? {};
  need(
    `${names.sort()}` === `${Object.keys(tests).sort()}`,
    `${where}: ${rule} takes the constants ${Object.keys(tests)}`,
  );
  for (const [n, test] of Object.entries(tests))
    need(test(constants[n], map, constants), `${where}: ${n} = ${format(constants[n])} does not fit ${rule}`);
};

/** Checks one derivation for each layer, and returns what bounds the value of the last one. Throws Refused. */
export const checkDerivation = (value: unknown, layers: readonly Layer[]): Q => {
  const steps = listOf(any, layers.length)(value, 'derivation');
  const values: Value[] = [ORIGIN];
  for (const [n, layer] of layers.entries()) {
    const { path } = layer;
    const step = read(steps[n], path, { path: text, squared: parseQ, ...STEP });
    need(step.path === path, `the derivation of ${path} is missing`);
    need(step.rule === layer.rule, `${path} follows from ${layer.rule}, not from ${step.rule}`);
    const [stated, wanted] = [step.constants ?? {}, layer.constants ?? {}];
    const words = (c: Constants): string =>
      Object.keys(c)
        .sort()
        .map(k => `${k} = ${format(c[k])}`)
        .join(', ');
    need(words(stated) === words(wanted), `${path}: ${layer.rule} takes ${words(wanted)}`);
    const premises = step.premises ?? [];
    need(premises.length === (layer.map ? 1 : 0), `${path}: ${premises.length} premises`);
    if (layer.map) checkDominance(premises[0], `${path}, ${layer.map.weight}`, layer.map);
    values.push(follow(layer, layer.bound, values));
    need(equal(step.squared, values[n + 1].squared), `${path}: the squared bound is ${format(values[n + 1].squared)}`);
  }
  return values[layers.length].squared;
};
