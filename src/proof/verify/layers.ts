/** Every kind of layer: its entries and shapes, the rule that bounds it for all weights, and the bound of the tensors that were emitted. */
import { type Dominance, uniform } from './dominance.ts';
import type { Bound, Branch } from './graph.ts';
import { type LinearMap, readMap, type Shape, size } from './map.ts';
import * as Q from './numbers.ts';
import { need, ONE, parseQ, refuse, TWO, ZERO } from './numbers.ts';
import { any, listOf, lookUp, object, oneOf, optional, type Parsed, read, type Schema, text, whole } from './read.ts';

type Rational = Q.Q;

/** The emitted tensors of one layer, and its derivation of dominance. */
export interface Emitted {
  /** Each may be asked for once, and all must be. */
  readonly tensor: (name: string, shape: Shape) => Float32Array;
  readonly has: (name: string) => boolean;
  readonly dominance: (map: LinearMap) => Dominance;
}

interface Made {
  /** Where it is not the input's. */
  readonly output?: Shape;
  readonly rule: string;
  readonly constants?: Readonly<Record<string, Rational>>;
  /** The weight, where a derivation that a diagonal (I where `unit`) dominates its Gram matrix is the rule's premise. */
  readonly map?: LinearMap;
  readonly unit?: true;
  /** For all weights: the layer's own squared bound, or its bound from those of several inputs. */
  readonly bound: Rational | Bound;
  /** Of the emitted tensors, where that is not the same. */
  readonly emitted?: (e: Emitted) => Rational | Bound;
  /** The channels of the input that are the value. */
  readonly slice?: readonly [start: number, end: number];
}

export interface Layer extends Made {
  readonly output: Shape;
  readonly path: string;
  /** 0 is the network's input, n the value of the nth layer. */
  readonly inputs: readonly number[];
}

/** What a layer reads and makes. */
interface About {
  readonly where: string;
  readonly inputs: readonly Shape[];
  /** The first. */
  readonly input: Shape;
  readonly channels: number;
  readonly output: Shape;
}

interface Kind {
  /** Of several inputs. */
  readonly joins?: true;
  readonly make: (value: unknown, about: About) => Made;
}

const COMMON = { path: text, kind: text, inputs: listOf(whole(0)), output: listOf(whole(1)) };
const rationals = listOf(parseQ);
const pair = listOf(whole(1), 2);

/** A kind with the entries of `schema`. */
const kind = <S extends Schema>(schema: S, make: (a: Parsed<S> & About) => Made): Kind => ({
  make: (value, about) =>
    make({ ...(read(value, about.where, { ...COMMON, ...schema }) as unknown as Parsed<S>), ...about }),
});
/** Values of one shape, or of one but for the first `free` axes, meet. */
const join = <S extends Schema>(schema: S, free: number, make: (a: Parsed<S> & About) => Made): Kind => ({
  joins: true,
  make: (value, about) => {
    const { inputs, input, where } = about;
    const alike = inputs.every(s => `${s.slice(free)}` === `${input.slice(free)}`);
    need(alike, `${where} joins different shapes`);
    return kind(schema, make).make(value, about);
  },
});
/** A layer with bound 1 for all weights. */
const one = (rule: string, emitted?: (e: Emitted) => Rational, output?: Shape): Made => {
  return { rule, bound: ONE, ...(emitted && { emitted }), ...(output && { output }) };
};

const numbers = (e: Emitted, name: string, n: number): Rational[] => Array.from(e.tensor(name, [n]), Q.fromFloat);
/** An emitted number is the exact one, rounded to f32. */
const rounded = (v: Rational, exact: Rational): Rational => {
  const close = Q.atMost(Q.abs(Q.sub(v, exact)), Q.mul(Q.abs(exact), Q.scaled(1n, -22)));
  return close ? v : refuse('an emitted number is not the one of its layer');
};
const roundedAll = (e: Emitted, name: string, exact: readonly Rational[]): Rational[] =>
  numbers(e, name, exact.length).map((v, i) => rounded(v, exact[i]));
/** A multiplier m with m²·d = 1 but for its rounding, in front of sums of squares `times` as large at most. */
const multiplier = (d: Rational, times: Rational) => (e: Emitted) => {
  const m2 = Q.square(numbers(e, 'm', 1)[0]);
  rounded(Q.mul(m2, d), ONE);
  return Q.mul(m2, times);
};
const steepest = (slopes: readonly Rational[]): Rational => Q.square(Q.most(slopes.map(Q.abs)));
/** Directions b₀, b₁, b₂ for each pair, none more than half a turn from the one before: they are those of some angles, which give bound 1. */
const sectors = (v: Float32Array, pairs: number, where: string): Rational => {
  for (let i = 0; i < pairs; i++)
    for (const k of [0, 2, 4]) {
      const [c, s, nextC, nextS] = [0, 1, 2, 3].map(n => v[(k + n) * pairs + i]);
      // Products of two f32 numbers are exact in f64.
      need(k === 4 || c * nextS >= s * nextC, `${where}: direction ${k / 2 + 1} lies before direction ${k / 2}`);
      need(c !== 0 || s !== 0, `${where}: direction ${k / 2} is none`);
    }
  return ONE;
};
/** h·x ∓ Wᵀ(t ⊙ σ(Wx + b)) with σ slope[0, 1]: differences pass through h·I − WᵀDW, whose eigenvalues lie between h and h − c, c = ±max t_i T_i. */
const between = (h: Rational, c: Rational): Rational => Q.most([Q.square(h), Q.square(Q.sub(h, c))]);
const halves = ({ channels, where }: About): number =>
  channels % 2 === 0 ? channels / 2 : refuse(`${where}: ${channels} channels have no halves`);

type Slopes = readonly [low: Rational, high: Rational];
/** Slope intervals of elementwise functions: every difference quotient lies in [low, high]. */
const UNIT: Slopes = [ZERO, ONE];
const SLOPES: Record<string, Slopes> = { relu: UNIT, tanh: UNIT, sigmoid: [ZERO, Q.q(1, 4n)], abs: [Q.q(-1), ONE] };
const leaky = (a: Rational): Slopes => (Q.atMost(a, ONE) ? [a, ONE] : [ONE, a]);
const readSlopes = (value: unknown, where: string): { readonly slopes: Slopes; readonly a?: Rational } => {
  const { function: name, slope } = read(value, where, { function: text, slope: optional(parseQ) });
  need((name === 'leaky_relu') === (slope !== undefined), `${where}: leaky_relu, and only it, has a slope`);
  return slope ? { slopes: leaky(slope), a: slope } : { slopes: lookUp(SLOPES, name, 'activation') };
};
/** Of the activation inside a residual or sandwich layer. */
const inside = (value: unknown, where: string): Slopes => {
  const { slopes } = readSlopes(value, where);
  const [low, high] = slopes;
  need(Q.atMost(ZERO, low) && Q.atMost(high, ONE), `${where}: the activation inside must have slope in [0, 1]`);
  return slopes;
};
const sloped = ([low, high]: Slopes, rule: string): Made => {
  return { rule, constants: { low, high }, bound: steepest([low, high]) };
};

/** How many windows of `size`, `stride` apart, one position lies in at most. */
const overlap = (a: { size: Shape; stride: Shape }): number => size(a.size.map((k, n) => Math.ceil(k / a.stride[n])));
/** Whole windows only; a vector is an image of one row. */
const pooled = (a: { size: Shape; stride: Shape }, input: Shape): Shape => {
  const image = input.length === 1 ? [1, ...input] : input.slice(1);
  const made = image.map((n, k) => Math.floor((n - a.size[k]) / a.stride[k]) + 1);
  return input.length === 1 ? made.slice(1) : [input[0], ...made];
};
const pool = (rule: string): Kind =>
  kind({ size: pair, stride: pair }, a => {
    const times = Q.q(overlap(a));
    return { output: pooled(a, a.input), rule, constants: { overlap: times }, bound: times };
  });

/** The same numbers in other places; `fits` says which shapes these may have. */
const reindex = (fits: (input: Shape, output: Shape) => boolean): Kind =>
  kind({}, ({ where, input, output }) => {
    need(size(input) === size(output) && fits(input, output), `${where} does not make [${output}] of [${input}]`);
    return one('reindex', undefined, output);
  });
const blocks = (coarse: Shape, fine: Shape): boolean =>
  coarse.length === 3 && fine.length === 3 && fine[1] % coarse[1] === 0 && fine[2] % coarse[2] === 0;

const squares = (inputs: readonly Branch[]): Rational => Q.sum(inputs.map(v => v.squared));
const largest = (inputs: readonly Branch[]): Rational => Q.most(inputs.map(v => v.squared));
/** (Σ |a_n| c_n)²: √2 + 2√2 is known as 3√2, other irrational c_n are rounded up. */
const weighted =
  (factors: readonly Rational[]): Bound =>
  inputs => {
    const known = inputs.map(v => v.squared);
    const first = known.find(s => s.num > 0n) ?? ONE;
    const unit = known.every(s => Q.isSquare(Q.mul(s, Q.inverse(first)))) ? first : ONE;
    const roots = known.map((s, n) => Q.mul(Q.abs(factors[n]), Q.rootUp(Q.mul(s, Q.inverse(unit)))));
    return Q.mul(unit, Q.square(Q.sum(roots)));
  };
/** Functions of disjoint parts of one value act side by side. */
const sideBySide: Bound = branches => {
  const slices = branches.flatMap(b => (b.slice ? [b.slice] : [])).sort(([a], [b]) => a - b);
  const apart = slices.every(([start], n) => n === 0 || slices[n - 1][1] <= start);
  return apart && slices.length === branches.length ? largest(branches) : squares(branches);
};
const biased = (e: Emitted, n: number): void => {
  if (e.has('b')) e.tensor('b', [n]);
};
/** T on the outputs of the layer's map. */
const onRows = (e: Emitted, map: LinearMap): readonly Rational[] => {
  const { side, T } = e.dominance(map);
  return side === 'rows' ? T : uniform(T, map.out);
};
/** A tensor of multipliers, none of them negative. */
const multipliers = (e: Emitted, name: string, n: number, where: string): Rational[] => {
  const all = numbers(e, name, n);
  for (const v of all) need(v.num >= 0n, `${where}: ${name} must not be negative`);
  return all;
};

const KINDS: Readonly<Record<string, Kind>> = {
  translate: kind({}, ({ channels }) => one('translate', e => e.tensor('c', [channels]) && ONE)),
  scale: kind({ factors: rationals }, ({ factors, channels, where }) => {
    const fits = factors.length === 1 || factors.length === channels;
    need(fits, `${where}: ${factors.length} numbers for ${channels} channels`);
    const least = Q.inverse(Q.most(factors.map(Q.abs)));
    const emitted = (e: Emitted) => steepest(roundedAll(e, 'm', factors));
    return { rule: 'divide', constants: { least }, bound: steepest(factors), emitted };
  }),
  gain: kind({}, ({ channels }) => one('bounded-gain', e => steepest(numbers(e, 'm', channels)))),
  // x − m·Σx, m about 1/n: eigenvalues 1 and 1 − m·n.
  layercenter: kind({}, ({ input }) =>
    one('layer-center', e => between(ONE, rounded(Q.mul(numbers(e, 'm', 1)[0], Q.q(size(input))), ONE))),
  ),
  pad: kind({}, ({ where, channels, input, output }) => {
    need(output[0] >= channels, `${where} pads ${channels} channels to ${output[0]}`);
    return one('zero-pad', undefined, [output[0], ...input.slice(1)]);
  }),
  slice: kind({ start: whole(0) }, ({ start, where, channels, input, output }) => {
    const end = start + output[0];
    need(end <= channels, `${where} takes channels beyond ${channels}`);
    return { ...one('channel-truncate', undefined, [output[0], ...input.slice(1)]), slice: [start, end] };
  }),
  tile: kind({}, ({ where, channels, input, output }) => {
    const n = Q.q(Math.floor(output[0] / channels));
    need(output[0] % channels === 0, `${where} makes ${output[0]} channels of ${channels}`);
    return { ...one('copies', multiplier(n, n), [output[0], ...input.slice(1)]), constants: { n } };
  }),
  flatten: reindex((_, output) => output.length === 1),
  space_to_depth: reindex((input, output) => blocks(output, input)),
  depth_to_space: reindex((input, output) => blocks(input, output)),
  avgpool: kind({ size: pair, stride: pair, divisorSquared: parseQ }, a => {
    const { where, input } = a;
    need(a.divisorSquared.num > 0n, `${where}: the square of a divisor is positive`);
    const disjoint = `${a.size}` === `${a.stride}` && Q.format(a.divisorSquared) === `${size(a.size)}`;
    const times = Q.q(size(a.size) * overlap(a));
    return {
      output: pooled(a, input),
      rule: disjoint ? 'block-average' : 'average-pool',
      constants: { overlap: Q.q(overlap(a)), divisorSquared: a.divisorSquared },
      bound: Q.mul(times, Q.inverse(a.divisorSquared)),
      emitted: multiplier(a.divisorSquared, times),
    };
  }),
  maxpool: pool('max-pool'),
  l2pool: pool('l2-pool'),
  elementwise: kind({ act: any }, ({ act, where }) => {
    const { slopes, a } = readSlopes(act, where);
    const made = sloped(slopes, 'elementwise');
    return a ? { ...made, emitted: e => steepest([ONE, ...roundedAll(e, 'a', [a])]) } : made;
  }),
  halfabs: kind({}, () => sloped([Q.q(-1), ONE], 'channelwise')),
  prelu: kind({}, ({ channels }) => ({
    ...sloped([Q.q(-1), ONE], 'channelwise'),
    emitted: e => steepest([ONE, ...numbers(e, 'a', channels)]),
  })),
  maxmin: kind({ pairs: oneOf('adjacent', 'halves') }, about => {
    if (about.pairs === 'halves') halves(about);
    return { ...one('sort'), constants: { group: TWO } };
  }),
  groupsort: kind({ group: whole(1) }, ({ group, channels, where }) => {
    need(channels % group === 0, `${where}: groups of ${group} do not divide ${channels} channels`);
    return { ...one('sort'), constants: { group: Q.q(group) } };
  }),
  // (p ± q)·m for the halves.
  rabs: kind({}, about => {
    halves(about);
    return one('rotate-halves', multiplier(TWO, TWO));
  }),
  crelu: kind({}, ({ channels, input }) => one('concatenated-relu', undefined, [2 * channels, ...input.slice(1)])),
  householder: kind({ order: whole(1) }, about => {
    const { order } = about;
    need(order <= 2, `${about.where}: there is no order ${order}`);
    const pairs = halves(about);
    const emitted = (e: Emitted) => {
      if (order === 2) return sectors(e.tensor('v', [3, 2, pairs]), pairs, about.where);
      // Differences pass through I − 2d·vvᵀ, 0 ≤ d ≤ 1, on each pair: v [2, pairs].
      const v = Array.from(e.tensor('v', [2, pairs]), x => Q.square(Q.fromFloat(x)));
      const norms = v.slice(0, pairs).map((p, i) => Q.add(p, v[pairs + i]));
      return between(ONE, Q.mul(TWO, Q.most(norms)));
    };
    return { ...one('householder-activation', emitted), constants: { order: Q.q(order) } };
  }),
  linear: kind({ map: any, side: oneOf('in', 'out'), adjoint: optional(oneOf(true)) }, a => {
    const { where, input, output } = a;
    const map = readMap(a.map, where, a.adjoint ? output : input);
    const fits = !a.adjoint || `${map.output}` === `${input}`;
    need(fits, `${where}: the map makes [${map.output}] of [${output}], not [${input}]`);
    const emitted = (e: Emitted) => {
      biased(e, a.adjoint ? map.in : map.out);
      return Q.most(e.dominance(map).T);
    };
    const [made, rule] = a.adjoint ? [output, 'linear-adjoint'] : [map.output, 'linear'];
    return { ...one(rule, emitted, made), map };
  }),
  residual: kind({ map: any, act: any, identity: parseQ, factor: parseQ }, a => {
    const { where, input } = a;
    const map = readMap(a.map, where, input);
    const [low, high] = inside(a.act, where);
    const emitted = (e: Emitted) => {
      biased(e, map.out);
      need(e.has('h') || Q.equal(a.identity, ONE), `${where}: h was not emitted`);
      const [h] = e.has('h') ? roundedAll(e, 'h', [a.identity]) : [ONE];
      const t = multipliers(e, 't', map.out, where);
      const T = onRows(e, map);
      const top = Q.most(t.map((v, i) => Q.mul(v, T[i])));
      return between(h, Q.atMost(ZERO, a.factor) ? top : Q.sub(ZERO, top));
    };
    const constants = { low, high, h: a.identity, c: a.factor };
    return { rule: 'residual', constants, map, bound: between(a.identity, a.factor), emitted };
  }),
  // Aᵀ(d ⊙ σ(e ⊙ Bx + b)), W = [A B]: with AAᵀ + BBᵀ ⪯ diag(T), d_i e_i T_i ≤ 2 is enough.
  sandwich: kind({ map: any, act: any }, a => {
    const { where, channels, input, output } = a;
    const map = readMap(a.map, where, [output[0] + channels, ...input.slice(1)]);
    need(map.kind !== 'conv' && map.out === output[0], `${where}: [A B] is no ${map.kind} map of ${output[0]} rows`);
    const [low, high] = inside(a.act, where);
    const emitted = (e: Emitted) => {
      biased(e, map.out);
      const T = onRows(e, map);
      const [d, f] = ['d', 'e'].map(n => multipliers(e, n, map.out, where));
      const small = d.every((v, i) => Q.atMost(Q.mul(Q.mul(v, f[i]), T[i]), TWO));
      need(small, `${where}: d_i e_i T_i must lie in [0, 2]`);
      return ONE;
    };
    return { ...one('sandwich', emitted, map.output), constants: { low, high }, map, unit: true };
  }),
  sum: join({ factors: rationals }, 0, ({ factors, inputs, where }) => {
    need(factors.length === inputs.length, `${where} has ${factors.length} factors for ${inputs.length} inputs`);
    const constants = Object.fromEntries(factors.map((f, n) => [`a${n + 1}`, f]));
    return { rule: 'sum', constants, bound: weighted(factors), emitted: e => weighted(roundedAll(e, 'm', factors)) };
  }),
  mix: join({ weight: optional(parseQ) }, 0, ({ weight, inputs, where }) => {
    need(inputs.length === 2, `${where} mixes two values`);
    const inside = (w: Rational) => need(Q.within(ZERO, w, ONE), `${where}: the weight is not between 0 and 1`);
    if (weight) inside(weight);
    const emitted = (e: Emitted) => {
      inside((weight ? roundedAll(e, 'w', [weight]) : numbers(e, 'w', 1))[0]);
      return largest;
    };
    return { rule: 'mix', ...(weight && { constants: { w: weight } }), bound: largest, emitted };
  }),
  concat: join({}, 1, ({ inputs, input }) => {
    const channels = inputs.reduce((n, s) => n + s[0], 0);
    return { output: [channels, ...input.slice(1)], rule: 'concat', bound: sideBySide };
  }),
  maximum: join({ of: oneOf('largest', 'smallest') }, 0, () => ({ rule: 'maximum', bound: squares })),
};

/** Reads a layer, which takes some of `values`, the shapes before it. Throws Refused. */
export const readLayer = (value: unknown, where: string, values: readonly Shape[]): Layer => {
  const about = object(value, where);
  const common = Object.fromEntries(Object.keys(COMMON).map(k => [k, about[k]]));
  const { path, kind: name, inputs, output } = read(common, where, COMMON);
  const { joins, make } = lookUp(KINDS, name, 'layer kind');
  const known = inputs.every(n => n < values.length) && inputs.length >= 1 && (joins || inputs.length === 1);
  need(known === true, `${path}: wrong inputs`);
  const shapes = inputs.map(n => values[n]);
  const [input] = shapes;
  const made = make(value, { where: path, inputs: shapes, input, channels: input[0], output });
  const found = made.output ?? input;
  need(`${found}` === `${output}`, `${path} makes [${found}], not [${output}]`);
  return { ...made, path, inputs, output };
};
