/** Every kind of layer: its entries and shapes, the rule that bounds it for all weights, and the bound of the tensors that were emitted. */
import { activation, inside } from './activations.ts';
import { CONTRACTIONS, WINDOWS } from './contractions.ts';
import {
  between,
  biased,
  type Emitted,
  isometry,
  type Layer,
  type Made,
  nearOne,
  rounded,
  scalar,
  steepest,
} from './made.ts';
import {
  abs,
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
import { inSpectrum, series } from './operators.ts';
import { any, listOf, lookUp, oneOf, optional, type Parsed, read, text, whole } from './read.ts';
import type { Bound, Branch } from './values.ts';
import { dominates, readMap, type Shape, size, squaredNorm } from './weight.ts';

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

const OPERATOR = { out: whole(1), in: whole(1), weight: text, kernel: optional(pair) };
const fitsOperator = (a: Parsed<typeof OPERATOR>, input: Shape, where: string): void =>
  need(a.in === input[0] && (a.kernel === undefined) === (input.length === 1), `${where} does not fit ${input}`);
/** T on the rows of the emitted matrix W, which acts on a vector or on every pixel of an image. */
const perPixel = (e: Emitted, where: string, out: number, columns: number): readonly Q[] => {
  const map = readMap({ kind: 'dense', weight: 'W', out, in: columns }, where, [columns]);
  return dominates(e.dominance, where, map, e.tensor('W', map.shape), e.mode);
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
  contraction: kind({ ...OPERATOR, method: any }, (a, input, where) => {
    const family = (a.method as { family?: unknown } | null)?.family;
    const { constants, padding } = lookUp(CONTRACTIONS, family, 'contraction')(a.method, where);
    const { out, kernel } = a;
    fitsOperator(a, input, where);
    need((kernel === undefined) === (family === 'sandwich'), `${where} does not fit ${input}`);
    return {
      output: [out, ...input.slice(1)],
      rule: 'contraction',
      constants,
      bound: ONE,
      dominated: true,
      emitted: e => {
        biased(e, out);
        if (!kernel || (family === 'cayley' && size(kernel) === 1)) return most(perPixel(e, where, out, a.in));
        const [h, w] = input.slice(1);
        if (padding)
          return series(e, where, [Math.max(out, a.in), h, w], {
            degree: Number(constants.degree.num),
            window: WINDOWS[Number(constants.degree.num)],
            kernel,
            mode: padding,
          });
        // Others than Cayley's act on the image surrounded by zeros, and what lies there is cut off.
        const [mh, mw] = kernel.map(k => (family === 'cayley' ? 0 : 2 * Math.floor((k - 1) / 2)));
        return inSpectrum(e, where, [h + mh, w + mw], 2 * out, 2 * a.in);
      },
    };
  }),
  sandwich: kind({ ...OPERATOR, psi: text, act: any }, (a, input, where) => {
    const [low, high] = inside(a.act, where, a.out);
    fitsOperator(a, input, where);
    return {
      output: [a.out, ...input.slice(1)],
      rule: 'sandwich',
      constants: { low, high },
      bound: ONE,
      dominated: true,
      // Aᵀ(d ⊙ σ(e ⊙ Bx + b)), W = [A B]: with AAᵀ + BBᵀ ⪯ diag(T), d_i e_i T_i ≤ 2 is enough.
      emitted: e => {
        biased(e, a.out);
        const all = a.out + a.in;
        const T =
          a.kernel && size(a.kernel) > 1
            ? new Array<Q>(a.out).fill(inSpectrum(e, where, input.slice(1), 2 * a.out, 2 * all))
            : perPixel(e, where, a.out, all);
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
