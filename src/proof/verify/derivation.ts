/** The derivation for all weights: one function for each rule, which recomputes its conclusion from the layer it is about. */
import { type Json, type Layer, list, type Network, object, record, text } from './network.ts';
import { abs, add, compare, format, largest, mul, need, ONE, parseQ, type Q, q, refuse, ZERO } from './numbers.ts';

type Judgement =
  | { readonly kind: 'lipschitz'; readonly squared: Q }
  | { readonly kind: 'pairwise'; readonly squared: Q }
  | { readonly kind: 'dominates'; readonly weight: string; readonly side: string }
  | { readonly kind: 'slope'; readonly low: Q; readonly high: Q };

interface Step {
  readonly rule: string;
  readonly layer: Layer | undefined;
  readonly net: Network;
  readonly premises: readonly Judgement[];
  readonly constants: Readonly<Record<string, Q>>;
  readonly about: Readonly<Record<string, string>>;
}

const take = (s: Step, premises: number, ...constants: string[]): void => {
  need(s.premises.length === premises, `${s.rule} takes ${premises} premises`);
  need(
    Object.keys(s.constants).sort().join() === constants.sort().join(),
    `${s.rule} takes the constants ${constants}`,
  );
};
const layerOf = (s: Step, kind: string): Layer =>
  s.layer?.kind === kind ? s.layer : refuse(`${s.rule} does not apply to a ${s.layer?.kind} layer`);
const mapOf = (s: Step) => s.layer?.map ?? refuse(`${s.rule} needs a layer with a weight`);
const equal = (s: Step, name: string, value: Q | number): void => {
  const wanted = typeof value === 'number' ? q(BigInt(value)) : value;
  need(compare(s.constants[name], wanted) === 0, `${s.rule}: ${name} must be ${format(wanted)}`);
};
const atLeast = (s: Step, name: string, value: Q): void =>
  need(compare(s.constants[name], value) >= 0, `${s.rule}: ${name} must be at least ${format(value)}`);
const premise = <K extends Judgement['kind']>(s: Step, n: number, kind: K): Extract<Judgement, { kind: K }> => {
  const j = s.premises[n];
  return j?.kind === kind
    ? (j as Extract<Judgement, { kind: K }>)
    : refuse(`${s.rule}: premise ${n + 1} must be ${kind}`);
};
const lipschitz = (squared: Q): Judgement => ({ kind: 'lipschitz', squared });

const dominates = (s: Step): Judgement => {
  const { weight, side } = s.about;
  need(weight === mapOf(s).weight, `${s.rule} is about ${weight}, the layer's weight is ${mapOf(s).weight}`);
  need(side === 'rows' || side === 'columns', `${s.rule}: unknown side ${side}`);
  return { kind: 'dominates', weight, side };
};
const kernel = (s: Step): void => {
  need(mapOf(s).conv, `${s.rule} is for convolutions`);
  equal(s, 'kh', mapOf(s).kernel[0]);
  equal(s, 'kw', mapOf(s).kernel[1]);
};
const sameDominance = (s: Step): Judgement => {
  const first = premise(s, 0, 'dominates');
  const sides = s.premises.map((_, n) => premise(s, n, 'dominates').side);
  need(
    sides.every(side => side === first.side),
    `${s.rule}: the sides differ`,
  );
  return first;
};
const isometry =
  (kind: string) =>
  (s: Step): Judgement => {
    take(s, 0);
    layerOf(s, kind);
    return lipschitz(ONE);
  };

/** Slope intervals of the elementwise functions. */
export const slopeOf = (name: string, a: Q | undefined): readonly [low: Q, high: Q] => {
  switch (name) {
    case 'relu':
    case 'tanh':
      return [ZERO, ONE];
    case 'sigmoid':
      return [ZERO, q(1n, 4n)];
    case 'abs':
      return [q(-1n), ONE];
    case 'leaky_relu':
      return compare(a!, ONE) <= 0 ? [a!, ONE] : [ONE, a!];
    default:
      return refuse(`no slope is known for ${name}`);
  }
};

/** Squared bound of an activation between layers. */
export const activationBound = (act: NonNullable<Layer['act']>): Q => {
  if (act.function === 'maxmin' || act.function === 'groupsort') return ONE;
  const [low, high] = slopeOf(act.function, act.slope);
  const most = largest([abs(low), abs(high)]);
  return mul(most, most);
};

const RULES: Readonly<Record<string, (s: Step) => Judgement>> = {
  gershgorin: s => {
    take(s, 0);
    need(!mapOf(s).conv, 'gershgorin is for matrices');
    return dominates(s);
  },
  'gershgorin-lattice': s => {
    take(s, 0);
    need(mapOf(s).conv, 'gershgorin-lattice is for convolutions');
    return dominates(s);
  },
  'gram-iteration': s => {
    take(s, 0, 'steps');
    atLeast(s, 'steps', ONE);
    need(!mapOf(s).conv, 'gram-iteration is for matrices');
    return dominates(s);
  },
  'gram-iteration-symbol': s => {
    take(s, 0, 'steps', 'grid', 'kh', 'kw');
    atLeast(s, 'steps', ONE);
    kernel(s);
    for (const k of mapOf(s).kernel) atLeast(s, 'grid', q(BigInt(k)));
    return dominates(s);
  },
  'gram-iteration-operator': s => {
    take(s, 0, 'steps');
    atLeast(s, 'steps', ONE);
    need(mapOf(s).conv, 'gram-iteration-operator is for convolutions');
    return dominates(s);
  },
  'gram-iteration-reshaped': s => {
    take(s, 0, 'steps', 'kh', 'kw', 'factor');
    atLeast(s, 'steps', ONE);
    kernel(s);
    equal(s, 'factor', mapOf(s).kernel[0] * mapOf(s).kernel[1]);
    return dominates(s);
  },
  'orthogonal-cayley': s => {
    take(s, 0);
    need(!mapOf(s).conv, 'orthogonal-cayley is for matrices');
    return dominates(s);
  },
  'orthogonal-reshaped': s => {
    take(s, 0, 'kh', 'kw', 'factor');
    kernel(s);
    equal(s, 'factor', mapOf(s).kernel[0] * mapOf(s).kernel[1]);
    return dominates(s);
  },
  'dominance-shift': s => {
    take(s, 1, 'eps');
    atLeast(s, 'eps', ZERO);
    return sameDominance(s);
  },
  'dominance-scale': s => {
    take(s, 1, 'factor');
    atLeast(s, 'factor', ONE);
    return sameDominance(s);
  },
  'dominance-max': s => {
    take(s, s.premises.length);
    return sameDominance(s);
  },
  'dominance-convex': s => {
    const names = s.premises.map((_, n) => `a${n + 1}`);
    take(s, names.length, ...names);
    for (const name of names) atLeast(s, name, ZERO);
    need(compare(names.map(n => s.constants[n]).reduce(add, ZERO), ONE) === 0, 'the weights of a mix must add up to 1');
    return sameDominance(s);
  },
  slope: s => {
    const act = s.layer?.act ?? refuse('slope needs a layer with an activation');
    take(s, 0, ...(act.slope ? ['a'] : []));
    if (act.slope) equal(s, 'a', act.slope);
    need(s.about.function === act.function, `the slope of ${s.about.function} was given for ${act.function}`);
    const [low, high] = slopeOf(act.function, act.slope);
    return { kind: 'slope', low, high };
  },
  linear: s => {
    take(s, 1);
    const { side } = layerOf(s, 'linear');
    need(s.about.side === side, 'the derivation rescales the other side');
    need(
      premise(s, 0, 'dominates').side === (side === 'in' ? 'columns' : 'rows'),
      'the Gram matrix is of the other side',
    );
    return lipschitz(ONE);
  },
  residual: s => {
    take(s, 2);
    layerOf(s, 'residual');
    need(premise(s, 0, 'dominates').side === 'rows', 'the Gram matrix must be that of the hidden units');
    const { low, high } = premise(s, 1, 'slope');
    need(
      compare(low, ZERO) >= 0 && compare(high, ONE) <= 0,
      'the activation inside a residual must have slope in [0, 1]',
    );
    return lipschitz(ONE);
  },
  elementwise: s => {
    take(s, 1);
    premise(s, 0, 'slope');
    return lipschitz(activationBound(layerOf(s, 'activation').act!));
  },
  sort: s => {
    take(s, 0, 'group');
    const act = layerOf(s, 'activation').act!;
    need(act.function === 'maxmin' || act.function === 'groupsort', `${act.function} does not sort`);
    equal(s, 'group', act.group ?? 2);
    need(s.about.pairs === act.pairs, 'the pairs differ');
    return lipschitz(ONE);
  },
  translate: isometry('center'),
  'zero-pad': isometry('pad'),
  reindex: isometry('flatten'),
  divide: s => {
    take(s, 0, 'least');
    const divisors = layerOf(s, 'scale').constants!.map(abs);
    const least = divisors.reduce((a, b) => (compare(a, b) <= 0 ? a : b));
    need(compare(least, ZERO) > 0, 'a divisor is 0');
    equal(s, 'least', least);
    return lipschitz(q(least.den * least.den, least.num * least.num));
  },
  'block-average': s => {
    take(s, 0, 'kh', 'kw');
    const { size } = layerOf(s, 'avgpool');
    equal(s, 'kh', size![0]);
    equal(s, 'kw', size![1]);
    return lipschitz(ONE);
  },
  identity: s => {
    take(s, 0);
    need(s.net.body.length === 0, 'the network has layers');
    return lipschitz(ONE);
  },
  compose: s => {
    take(s, s.net.body.length);
    need(s.net.body.length > 0, 'there are no layers to compose');
    return lipschitz(s.premises.map((_, n) => premise(s, n, 'lipschitz').squared).reduce(mul, ONE));
  },
  weaken: s => {
    take(s, 1, 'to');
    equal(s, 'to', s.net.budget);
    need(compare(s.net.budget, ZERO) > 0, 'the budget is not positive');
    const to = mul(s.net.budget, s.net.budget);
    need(compare(premise(s, 0, 'lipschitz').squared, to) <= 0, 'the bound is above the budget');
    return lipschitz(to);
  },
  'pairwise-head': s => {
    take(s, 1);
    need(s.net.head !== undefined, 'the network has no head');
    return { kind: 'pairwise', squared: premise(s, 0, 'lipschitz').squared };
  },
};

/** A judgement as a certificate writes it. */
const written = (j: Judgement): string =>
  JSON.stringify(j, (_, v) => (typeof v === 'object' && v !== null && 'den' in v ? format(v as Q) : v));

const ABOUT = ['weight', 'side', 'q', 'function', 'pairs', 'T'];

/**
 * Recomputes `value`, a derivation that `net` is budget-Lipschitz for all weights, and returns the squared bound of the layers' product
 * before it was weakened. Throws Refused.
 */
export const checkDerivation = (value: unknown, net: Network): Q => {
  let composed: Q | undefined;
  const check = (node: unknown, layer: Layer | undefined, top: readonly string[]): Judgement => {
    const o = object(node, 'derivation', ['rule', 'subject', 'conclusion', 'constants', 'about', 'premises']);
    const rule = text(o.rule, 'rule');
    const subject = text(o.subject, 'subject');
    const where = `${subject}, ${rule}`;
    const run = Object.hasOwn(RULES, rule) ? RULES[rule] : refuse(`there is no rule ${rule}`);
    need(top.length === 0 || top.includes(rule), `${where}: expected ${top.join(' or ')}`);
    const premises = list(o.premises, where);
    const next = { 'pairwise-head': ['weaken'], weaken: ['compose', 'identity'] }[rule] ?? [];
    const read = (p: unknown, n: number): Judgement => {
      if (rule !== 'compose') return check(p, layer, next);
      const of = net.body[n] ?? refuse('more factors than layers');
      need((p as Json | null)?.subject === of.path, `the derivation of ${of.path} is missing`);
      return check(p, of, []);
    };
    const conclusion = run({
      rule,
      layer,
      net,
      premises: premises.map(read),
      constants: Object.fromEntries(Object.entries(record(o.constants, where)).map(([k, v]) => [k, parseQ(v)])),
      about: Object.fromEntries(
        Object.entries(record(o.about, where)).map(([k, v]) => [
          ABOUT.includes(k) ? k : refuse(`${where}: unknown word ${k}`),
          text(v, where),
        ]),
      ),
    });
    if (rule === 'compose' || rule === 'identity') composed = (conclusion as { squared: Q }).squared;
    need(JSON.stringify(o.conclusion) === written(conclusion), `${where}: the conclusion is ${written(conclusion)}`);
    return conclusion;
  };
  check(value, undefined, net.head ? ['pairwise-head'] : ['weaken']);
  return composed!;
};
