/** Every kind of layer: its entries and shapes, the rule that bounds it for all weights, and the bound of the tensors that were emitted. */
import {
  abs,
  add,
  atMost,
  format,
  fromFloat,
  inverse,
  isSquare,
  most,
  mul,
  need,
  ONE,
  parseQ,
  type Q,
  q,
  refuse,
  rootUp,
  scaled,
  square,
  sub,
  sum,
  ZERO,
} from './numbers.ts';
import { any, listOf, lookUp, oneOf, optional, type Parsed, read, text, whole } from './read.ts';
import { dominates, type LinearMap, type Mode, readMap, type Shape, size, squaredNorm } from './weight.ts';

/** What a layer's value is to the network's input: a squared bound. Every path from the input to it passes through `from`. */
export interface Value {
  readonly squared: Q;
  /** The nearest such value, with the squared bound of the map from there; the input has none. */
  readonly from?: Value;
  readonly own: Q;
  /** Such values up to the input. */
  readonly depth: number;
  /** The channels of `from` that this value is. */
  readonly slice?: readonly [start: number, end: number];
}

/** The network's input. */
export const ORIGIN: Value = { squared: ONE, own: ONE, depth: 0 };

/** What an input of a layer is to the value where all of its inputs fork: a squared bound, and the channels that it depends on, where not all. */
export interface Branch {
  readonly squared: Q;
  readonly slice?: readonly [start: number, end: number];
}

/** The emitted tensors of one layer, and its derivation of dominance. */
export interface Emitted {
  /** Each may be asked for once, and all must be. */
  readonly tensor: (name: string, shape: Shape) => Float32Array;
  readonly has: (name: string) => boolean;
  readonly dominance: unknown;
  readonly mode: Mode;
}

/** A bound from those of the inputs. */
export type Bound = (inputs: readonly Branch[]) => Q;

interface Made {
  readonly output: Shape;
  readonly rule: string;
  readonly constants?: Readonly<Record<string, Q>>;
  /** The weight, where a derivation that a diagonal dominates its Gram matrix is the rule's premise. */
  readonly map?: LinearMap;
  /** Whether the emitted tensors need such a derivation. */
  readonly dominated?: boolean;
  /** For all weights: the layer's own squared bound, or its bound from those of several inputs. */
  readonly bound: Q | Bound;
  /** Of the emitted tensors, where that is not the same. */
  readonly emitted?: (e: Emitted) => Q | Bound;
  readonly slice?: readonly [start: number, end: number];
}

export interface Layer extends Made {
  readonly path: string;
  readonly kind: string;
  /** 0 is the network's input, n the value of the nth layer. */
  readonly inputs: readonly number[];
}

interface Kind {
  readonly several?: boolean;
  readonly make: (value: unknown, where: string, inputs: readonly Shape[], output: Shape) => Made;
}

const COMMON = { path: text, kind: text, inputs: listOf(whole(0)), output: listOf(whole(1)) };
type Schema = Parameters<typeof read>[2];

const kind = <S extends Schema>(
  schema: S,
  make: (a: Parsed<S>, input: Shape, where: string, output: Shape) => Made,
): Kind => ({
  make: (value, where, [input], output) =>
    make(read(value, where, { ...COMMON, ...schema }) as unknown as Parsed<S>, input, where, output),
});
const joint = <S extends Schema>(
  schema: S,
  make: (a: Parsed<S>, inputs: readonly Shape[], where: string) => Made,
): Kind => ({
  several: true,
  make: (value, where, inputs) =>
    make(read(value, where, { ...COMMON, ...schema }) as unknown as Parsed<S>, inputs, where),
});

const rationals = listOf(parseQ);
const pair = listOf(whole(1), 2);
const image = (shape: Shape, where: string): Shape => (shape.length === 3 ? shape : refuse(`${where} needs an image`));
const perChannel = (all: readonly Q[], input: Shape, where: string): void =>
  need(all.length === 1 || all.length === input[0], `${where}: ${all.length} numbers for ${input[0]} channels`);
/** The emitted tensor is the exact numbers, each rounded to f32. */
const rounded = (data: Float32Array, exact: readonly Q[], share = scaled(1n, -23)): Q[] =>
  Array.from(data, fromFloat).map((v, i) => {
    need(
      atMost(abs(sub(v, exact[i])), mul(abs(exact[i]), share)),
      `an emitted number is not the ${i + 1}. of its layer`,
    );
    return v;
  });
/** A number that f32 rounding alone can have made of 1. */
const nearOne = (v: Q, where: string): Q => {
  need(atMost(abs(sub(v, ONE)), scaled(1n, -21)), `${where}: its multiplier is not the layer's`);
  return v;
};
/** The square of an emitted number. */
const scalar = (e: Emitted, name: string): Q => square(fromFloat(e.tensor(name, [1])[0]));
const isometry = (rule: string, output: Shape): Made => ({ output, rule, bound: ONE });
const biased = (e: Emitted, n: number): void => {
  if (e.has('b')) e.tensor('b', [n]);
};

/** Slope intervals of elementwise functions: every difference quotient lies in [low, high]. */
const SLOPES: Readonly<Record<string, readonly [low: Q, high: Q]>> = {
  relu: [ZERO, ONE],
  tanh: [ZERO, ONE],
  sigmoid: [ZERO, q(1, 4n)],
  abs: [q(-1), ONE],
};
const slopesOf = (a: Q): readonly [low: Q, high: Q] => (atMost(a, ONE) ? [a, ONE] : [ONE, a]);
const steepest = (slopes: readonly Q[]): Q => square(most(slopes.map(abs)));

interface Activation {
  readonly slopes?: readonly [low: Q, high: Q];
  readonly channels?: number;
  readonly made: Omit<Made, 'output'>;
}

/** An elementwise function; with `rule` channelwise, one for each channel. */
const sloped = (slopes: readonly [Q, Q], emitted?: (e: Emitted) => Q, rule = 'elementwise'): Activation => ({
  slopes,
  made: {
    rule,
    constants: { low: slopes[0], high: slopes[1] },
    bound: steepest(slopes),
    ...(emitted ? { emitted } : {}),
  },
});
const channelwise = (emitted?: (e: Emitted) => Q): Activation => ({
  made: sloped([q(-1), ONE], emitted, 'channelwise').made,
});
const sorted = (group: number): Activation => ({ made: { rule: 'sort', constants: { group: q(group) }, bound: ONE } });
const FUNCTION = { function: text };
const TRAINED = { ...FUNCTION, weight: text };
const halves = (channels: number, where: string): number =>
  channels % 2 === 0 ? channels / 2 : refuse(`${where}: ${channels} channels have no halves`);
/** Differences pass through I − 2d·vvᵀ, 0 ≤ d ≤ 1, on each pair: v [2, pairs]. */
const reflections = (v: Float32Array): Q => {
  const [p, r] = [v.slice(0, v.length / 2), v.slice(v.length / 2)].map(half => Array.from(half, fromFloat));
  return between(ONE, mul(q(2), most(p.map((x, i) => add(square(x), square(r[i]))))));
};

/** Activations on `channels` channels that are more than a name. */
const ACTIVATIONS: Readonly<Record<string, (value: unknown, where: string, channels: number) => Activation>> = {
  maxmin: (value, where, channels) => {
    const { pairs } = read(value, where, { ...FUNCTION, pairs: oneOf('adjacent', 'halves') });
    if (pairs === 'halves') halves(channels, where);
    return sorted(2);
  },
  groupsort: (value, where, channels) => {
    const { group } = read(value, where, { ...FUNCTION, group: whole(1) });
    need(channels % group === 0, `${where}: groups of ${group} do not divide ${channels} channels`);
    return sorted(group);
  },
  leaky_relu: (value, where) => {
    const { slope } = read(value, where, { ...FUNCTION, slope: parseQ });
    return sloped(slopesOf(slope), e => steepest(slopesOf(rounded(e.tensor('a', [1]), [slope])[0])));
  },
  prelu: (value, where, channels) => {
    read(value, where, TRAINED);
    return channelwise(e => steepest([ONE, ...Array.from(e.tensor('a', [channels]), fromFloat)]));
  },
  halfabs: (value, where) => {
    read(value, where, FUNCTION);
    return channelwise();
  },
  rabs: (value, where, channels) => {
    read(value, where, FUNCTION);
    halves(channels, where);
    // Twice the square of what (p ± q) is multiplied with.
    return { made: { rule: 'rotate-halves', bound: ONE, emitted: e => nearOne(mul(q(2), scalar(e, 'm')), where) } };
  },
  crelu: (value, where, channels) => {
    read(value, where, FUNCTION);
    return { channels: 2 * channels, made: { rule: 'concatenated-relu', bound: ONE } };
  },
  householder: (value, where, channels) => {
    read(value, where, TRAINED);
    const pairs = halves(channels, where);
    const made = { rule: 'householder-activation', constants: { order: ONE }, bound: ONE };
    return { made: { ...made, emitted: e => reflections(e.tensor('v', [2, pairs])) } };
  },
  householder2: (value, where, channels) => {
    read(value, where, TRAINED);
    halves(channels, where);
    const made = { rule: 'householder-activation', constants: { order: q(2) }, bound: ONE };
    return { made: { ...made, emitted: () => refuse(`${where}: rounded sectors of order 2 are not continuous`) } };
  },
};

/** Reads an activation on `channels` channels. */
const activation = (value: unknown, where: string, channels: number): Activation => {
  const name = (value as { function?: unknown } | null)?.function;
  if (typeof name === 'string' && Object.hasOwn(ACTIVATIONS, name)) return ACTIVATIONS[name](value, where, channels);
  read(value, where, FUNCTION);
  return sloped(lookUp(SLOPES, name, 'activation'));
};
/** Reads the activation inside a residual or sandwich layer. */
const inside = (value: unknown, where: string, channels: number): readonly [low: Q, high: Q] => {
  const { slopes } = activation(value, where, channels);
  return slopes && atMost(ZERO, slopes[0]) && atMost(slopes[1], ONE)
    ? slopes
    : refuse(`${where}: the activation inside must have slope in [0, 1]`);
};

/** h·x ∓ Wᵀ(t ⊙ σ(Wx + b)) with σ slope[0, 1]: differences pass through h·I − WᵀDW, whose eigenvalues lie between h and h − c, c = ±max t_i T_i. */
const between = (h: Q, c: Q): Q => most([square(h), square(sub(h, c))]);

/** How many windows of `size`, `stride` apart, one position lies in at most. */
const overlap = (window: Shape, stride: Shape): number => size(window.map((k, a) => Math.ceil(k / stride[a])));
/** Whole windows only; a vector is an image of one row. */
const pooled = (input: Shape, window: Shape, stride: Shape): Shape => {
  const made = (input.length === 3 ? input.slice(1) : [1, ...input]).map(
    (n, a) => Math.floor((n - window[a]) / stride[a]) + 1,
  );
  return input.length === 3 ? [input[0], ...made] : made.slice(1);
};
const pool = (rule: string): Kind =>
  kind({ size: pair, stride: pair }, (a, input) => ({
    output: pooled(input, a.size, a.stride),
    rule,
    constants: { overlap: q(overlap(a.size, a.stride)) },
    bound: q(overlap(a.size, a.stride)),
  }));

const squares = (inputs: readonly Branch[]): Q => sum(inputs.map(v => v.squared));
/** (Σ |a_n| c_n)²: √2 + 2√2 is known as 3√2, other irrational c_n are rounded up. */
const weighted =
  (factors: readonly Q[]): Bound =>
  inputs => {
    const known = inputs.map(v => v.squared);
    const first = known.find(s => s.num > 0n) ?? ONE;
    const unit = known.every(s => isSquare(mul(s, inverse(first)))) ? first : ONE;
    return mul(unit, square(sum(known.map((s, n) => mul(abs(factors[n]), rootUp(mul(s, inverse(unit))))))));
  };
const same = (inputs: readonly Shape[], where: string): Shape => {
  need(
    inputs.every(s => `${s}` === `${inputs[0]}`),
    `${where} joins values of different shapes`,
  );
  return inputs[0];
};

/** Squares w² for which |Σ_{m ≤ degree} (iy)ᵐ/m!| ≤ 1 on |y| ≤ w; of other degrees up to 14 there is no w > 0. */
export const WINDOWS: Readonly<Record<number, Q>> = {
  3: q(3),
  4: q(8),
  7: q(311, 100n),
  8: q(288, 25n),
  11: q(289, 100n),
  12: q(571, 50n),
};

const FAMILY = { family: text };
/** Ways to make an operator of norm at most 1 of every weight, with their constants. */
const CONTRACTIONS: Readonly<Record<string, (value: unknown, where: string) => Readonly<Record<string, Q>>>> = {
  cayley: (value, where) => {
    read(value, where, FAMILY);
    return {};
  },
  bro: (value, where) => {
    const { eps } = read(value, where, { ...FAMILY, eps: parseQ });
    need(eps.num > 0n, `${where}: eps must be positive`);
    return { eps };
  },
  lot: (value, where) => {
    const { eps, steps } = read(value, where, { ...FAMILY, eps: parseQ, steps: whole(0) });
    need(eps.num > 0n, `${where}: eps must be positive`);
    return { eps, steps: q(steps) };
  },
  skew_exponential: (value, where) => {
    const padding = oneOf('zeros', 'circular');
    const schema = { ...FAMILY, degree: whole(1), norm: parseQ, steps: whole(1), padding };
    const { degree, norm, steps } = read(value, where, schema);
    const window = WINDOWS[degree] ?? refuse(`${where}: the series of degree ${degree} is no contraction`);
    need(atMost(ZERO, norm) && atMost(square(norm), window), `${where}: the norm is outside the window of its degree`);
    return { degree: q(degree), norm, steps: q(steps) };
  },
  sandwich: (value, where) => {
    read(value, where, { ...FAMILY, part: oneOf('product', 'second') });
    return {};
  },
};

/** A number for each channel is added. */
const moved = (rule: string, input: Shape): Made => ({
  ...isometry(rule, input),
  emitted: e => {
    e.tensor('c', [input[0]]);
    return ONE;
  },
});

const KINDS: Readonly<Record<string, Kind>> = {
  center: kind({ offset: rationals }, (a, input, where) => {
    perChannel(a.offset, input, where);
    const emitted = (e: Emitted): Q => {
      rounded(e.tensor('c', [a.offset.length]), a.offset);
      return ONE;
    };
    return { ...isometry('translate', input), emitted };
  }),
  batchcenter: kind({ mean: text }, (_, input) => moved('batch-center', input)),
  translate: kind({ by: text }, (_, input) => moved('translate', input)),
  scale: kind({ divisor: rationals }, (a, input, where) => {
    perChannel(a.divisor, input, where);
    need(
      a.divisor.every(d => d.num !== 0n),
      `${where} divides by 0`,
    );
    const factors = a.divisor.map(inverse);
    return {
      output: input,
      rule: 'divide',
      constants: { least: inverse(most(factors.map(abs))) },
      bound: steepest(factors),
      emitted: e => steepest(rounded(e.tensor('m', [factors.length]), factors, scaled(1n, -21))),
    };
  }),
  pad: kind({ to: whole(1) }, (a, input, where) => {
    need(a.to >= input[0], `${where} pads ${input[0]} channels to ${a.to}`);
    return isometry('zero-pad', [a.to, ...input.slice(1)]);
  }),
  slice: kind({ start: whole(0), length: whole(1) }, (a, input, where) => {
    need(a.start + a.length <= input[0], `${where} takes channels beyond ${input[0]}`);
    return { ...isometry('channel-truncate', [a.length, ...input.slice(1)]), slice: [a.start, a.start + a.length] };
  }),
  flatten: kind({}, (_, input) => isometry('reindex', [size(input)])),
  space_to_depth: kind({ block: pair }, ({ block }, input, where) => {
    const [c, h, w] = image(input, where);
    need(h % block[0] === 0 && w % block[1] === 0, `${where}: ${block} blocks do not divide ${h}×${w}`);
    return isometry('reindex', [c * size(block), h / block[0], w / block[1]]);
  }),
  depth_to_space: kind({ block: pair }, ({ block }, input, where) => {
    const [c, h, w] = image(input, where);
    need(c % size(block) === 0, `${where}: ${block} blocks do not divide ${c} channels`);
    return isometry('reindex', [c / size(block), h * block[0], w * block[1]]);
  }),
  activation: kind({ act: any }, (a, input, where) => {
    const { made, channels } = activation(a.act, where, input[0]);
    return { ...made, output: [channels ?? input[0], ...input.slice(1)] };
  }),
  tile: kind({ times: whole(1) }, ({ times }, input, where) => ({
    output: [times * input[0], ...input.slice(1)],
    rule: 'copies',
    constants: { n: q(times) },
    bound: ONE,
    emitted: e => nearOne(mul(scalar(e, 'm'), q(times)), where),
  })),
  gain: kind({ angle: text }, (_, input) => ({
    ...isometry('bounded-gain', input),
    emitted: e => steepest(Array.from(e.tensor('m', [input[0]]), fromFloat)),
  })),
  layercenter: kind({}, (_, input, where) => ({
    ...isometry('layer-center', input),
    // x − m·Σx, m about 1/n: eigenvalues 1 and 1 − m·n.
    emitted: e => {
      const times = mul(fromFloat(e.tensor('m', [1])[0]), q(size(input)));
      return between(ONE, nearOne(times, where));
    },
  })),
  avgpool: kind({ size: pair, stride: pair, divisorSquared: parseQ }, (a, input, where) => {
    const { size: window, stride, divisorSquared } = a;
    need(divisorSquared.num > 0n, `${where} divides by 0`);
    const times = q(size(window) * overlap(window, stride));
    const disjoint = `${window}` === `${stride}` && format(divisorSquared) === `${size(window)}`;
    return {
      output: pooled(input, window, stride),
      rule: disjoint ? 'block-average' : 'average-pool',
      constants: { overlap: q(overlap(window, stride)), divisorSquared },
      bound: mul(times, inverse(divisorSquared)),
      emitted: e => {
        const m = scalar(e, 'm');
        nearOne(mul(m, divisorSquared), where);
        return mul(m, times);
      },
    };
  }),
  maxpool: pool('max-pool'),
  l2pool: pool('l2-pool'),
  linear: kind({ map: any, side: oneOf('in', 'out'), adjoint: optional(any) }, (a, input, where, output) => {
    need(a.adjoint === undefined || a.adjoint === true, `${where}: adjoint is true or left out`);
    const map = readMap(a.map, where, a.adjoint ? output : input);
    const made = map.conv ? [map.out, ...map.made] : [map.out];
    need(!a.adjoint || `${made}` === `${input}`, `${where}: the map makes [${made}] of [${output}], not [${input}]`);
    return {
      output: a.adjoint ? output : made,
      rule: a.adjoint ? 'linear-adjoint' : 'linear',
      map,
      bound: ONE,
      emitted: e => {
        biased(e, a.adjoint ? map.in : map.out);
        return squaredNorm(e.dominance, where, map, e.tensor('W', map.shape), e.mode);
      },
    };
  }),
  residual: kind({ map: any, act: any, identity: parseQ, factor: parseQ }, (a, input, where) => {
    const map = readMap(a.map, where, input);
    const slopes = inside(a.act, where, map.out);
    return {
      output: input,
      rule: 'residual',
      constants: { low: slopes[0], high: slopes[1], h: a.identity, c: a.factor },
      map,
      bound: between(a.identity, a.factor),
      emitted: e => {
        biased(e, map.out);
        const [h] = e.has('h') ? rounded(e.tensor('h', [1]), [a.identity]) : [ONE];
        need(e.has('h') || atMost(abs(sub(a.identity, ONE)), ZERO), `${where}: h was not emitted`);
        const t = Array.from(e.tensor('t', [map.out]), fromFloat);
        need(
          t.every(v => atMost(ZERO, v)),
          `${where}: t must not be negative`,
        );
        const T = dominates(e.dominance, where, map, e.tensor('W', map.shape), e.mode);
        const top = most(t.map((v, i) => mul(v, T[i])));
        return between(h, atMost(ZERO, a.factor) ? top : sub(ZERO, top));
      },
    };
  }),
  contraction: kind({ method: any, out: whole(1), in: whole(1), weight: text }, (a, input, where) => {
    const family = (a.method as { family?: unknown } | null)?.family;
    const constants = lookUp(CONTRACTIONS, family, 'contraction')(a.method, where);
    const { out, weight } = a;
    const matrix = input.length === 1;
    need(a.in === input[0] && matrix === (family === 'sandwich'), `${where} does not fit ${input}`);
    return {
      output: [out, ...input.slice(1)],
      rule: 'contraction',
      constants,
      bound: ONE,
      dominated: matrix,
      emitted: e => {
        need(matrix, `${where}: an operator in the spectrum, or a series, has no emitted kernel or matrix`);
        biased(e, out);
        const map = readMap({ kind: 'dense', weight, out, in: a.in }, where, input);
        return squaredNorm(e.dominance, where, map, e.tensor('W', map.shape), e.mode);
      },
    };
  }),
  sandwich: kind({ out: whole(1), in: whole(1), weight: text, psi: text, act: any }, (a, input, where) => {
    const [low, high] = inside(a.act, where, a.out);
    need(a.in === input[0], `${where} reads ${a.in} channels, but there are ${input[0]}`);
    const map = readMap({ kind: 'dense', weight: a.weight, out: a.out, in: a.out + a.in }, where, [a.out + a.in]);
    return {
      output: [a.out, ...input.slice(1)],
      rule: 'sandwich',
      constants: { low, high },
      bound: ONE,
      dominated: input.length === 1,
      // Aᵀ(d ⊙ σ(e ⊙ Bx + b)), W = [Aᵀ B]: with AAᵀ + BBᵀ ⪯ diag(T), d_i e_i T_i ≤ 2 is enough.
      emitted: e => {
        need(input.length === 1, `${where}: its tensors are not those of a matrix`);
        biased(e, a.out);
        const T = dominates(e.dominance, where, map, e.tensor('W', map.shape), e.mode);
        const [d, f] = ['d', 'e'].map(n => Array.from(e.tensor(n, [a.out]), fromFloat));
        const inner = d.map((v, i) => mul(v, f[i]));
        need(
          d.every(v => v.num >= 0n) && f.every(v => v.num >= 0n) && inner.every((v, i) => atMost(mul(v, T[i]), q(2))),
          `${where}: d_i e_i T_i must lie in [0, 2]`,
        );
        return ONE;
      },
    };
  }),
  sum: joint({ factors: rationals }, (a, inputs, where) => {
    need(a.factors.length === inputs.length, `${where} has ${a.factors.length} factors for ${inputs.length} inputs`);
    return {
      output: same(inputs, where),
      rule: 'sum',
      constants: Object.fromEntries(a.factors.map((f, n) => [`a${n + 1}`, f])),
      bound: weighted(a.factors),
      emitted: e => weighted(rounded(e.tensor('m', [inputs.length]), a.factors)),
    };
  }),
  mix: joint({ weight: optional(parseQ), trained: optional(text) }, ({ weight, trained }, inputs, where) => {
    need(inputs.length === 2 && !weight === (trained !== undefined), `${where} mixes two values by one weight`);
    const between01 = (w: Q): void =>
      need(atMost(ZERO, w) && atMost(w, ONE), `${where}: the weight is not between 0 and 1`);
    if (weight) between01(weight);
    const bound: Bound = values => most(values.map(v => v.squared));
    return {
      output: same(inputs, where),
      rule: 'mix',
      ...(weight ? { constants: { w: weight } } : {}),
      bound,
      emitted: e => {
        const data = e.tensor('w', [1]);
        const w = weight ? rounded(data, [weight])[0] : fromFloat(data[0]);
        between01(w);
        return bound;
      },
    };
  }),
  concat: joint({}, (_, inputs, where) => {
    same(
      inputs.map(s => s.slice(1)),
      where,
    );
    return {
      output: [inputs.reduce((n, s) => n + s[0], 0), ...inputs[0].slice(1)],
      rule: 'concat',
      // Functions of disjoint parts of one value act side by side.
      bound: branches => {
        const slices = branches.flatMap(b => (b.slice ? [b.slice] : [])).sort(([a], [b]) => a - b);
        const apart =
          slices.length === branches.length && slices.every(([start], n) => n === 0 || slices[n - 1][1] <= start);
        return apart ? most(branches.map(b => b.squared)) : squares(branches);
      },
    };
  }),
  maximum: joint({ of: oneOf('largest', 'smallest') }, (_, inputs, where) => ({
    output: same(inputs, where),
    rule: 'maximum',
    bound: squares,
  })),
};

/** Reads a layer, which takes some of `values`, the shapes before it. Throws Refused. */
export const readLayer = (value: unknown, where: string, values: readonly Shape[]): Layer => {
  const about = (value ?? {}) as Readonly<Record<string, unknown>>;
  const {
    path,
    kind: name,
    inputs,
    output,
  } = read(Object.fromEntries(Object.keys(COMMON).map(k => [k, about[k]])), where, COMMON);
  const { several, make } = lookUp(KINDS, name, 'layer kind');
  need(
    inputs.every(n => n < values.length) && (several ? inputs.length > 0 : inputs.length === 1),
    `${path}: wrong inputs`,
  );
  const made = make(
    value,
    path,
    inputs.map(n => values[n]),
    output,
  );
  need(`${made.output}` === `${output}`, `${path} makes [${made.output}], not [${output}]`);
  return { ...made, path, kind: name, inputs };
};

/** The last value that both depend on alone. */
const fork = (a: Value, b: Value): Value => {
  let [p, r] = [a, b];
  while (p !== r) {
    if (p.depth >= r.depth) p = p.from!;
    else r = r.from!;
  }
  return p;
};

const branch = (top: Value, to: Value): Branch => {
  let [at, squared, slice] = [to, ONE, undefined as Value['slice']];
  for (; at !== top; at = at.from!) [squared, slice] = [mul(at.own, squared), at.slice];
  return { squared, ...(slice && { slice }) };
};

/** The bound of a layer's value from those of `values`, with its own bound or its function of several, which is of the map from where they fork. */
export const follow = (layer: Layer, bound: Q | Bound, values: readonly Value[]): Value => {
  const inputs = layer.inputs.map(n => values[n]);
  const from = inputs.reduce(fork);
  const own = typeof bound === 'function' ? bound(inputs.map(v => branch(from, v))) : bound;
  const { slice } = layer;
  return { squared: mul(from.squared, own), from, own, depth: from.depth + 1, ...(slice && { slice }) };
};
