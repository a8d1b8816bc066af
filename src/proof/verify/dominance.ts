/** G ⪯ diag(T) for one emitted weight, by witnesses: one function for each rule. */
import { exactGershgorinSums, gershgorinSums, isDominated, isDominatedExactly, type Kernel } from './gram.ts';
import { counts, type LinearMap, list, object, text } from './network.ts';
import {
  add,
  compare,
  fromFloat,
  largest,
  mul,
  need,
  ONE,
  parseDyadic,
  parseQ,
  type Q,
  q,
  refuse,
  ZERO,
} from './numbers.ts';
import { symbolBelow } from './symbol.ts';

export type Side = 'rows' | 'columns';

/** G ⪯ diag(T), G the Gram matrix of `side`: of the outputs ('rows') or the inputs ('columns') of the linear map. */
interface Dominance {
  readonly side: Side;
  readonly T: readonly Q[];
}

export interface Mode {
  /** BigInt for everything, in place of f64 with a bound of its errors. */
  readonly exact?: boolean;
  /** Called now and then with a line on what is going on. */
  readonly progress?: (path: string) => void;
}

interface Weight {
  readonly path: string;
  readonly map: LinearMap;
  /** (out, in, kh, kw), f32 values. */
  readonly data: Float32Array;
  readonly mode: Mode;
}

/** The kernel from `side`: channels of that side first. */
export const kernelOf = (map: LinearMap, data: ArrayLike<number>, side: Side): Kernel => {
  const [kh, kw] = map.kernel;
  const area = kh * kw;
  if (side === 'rows') return { n: map.out, m: map.in, kh, kw, data: Float64Array.from(data) };
  const swapped = new Float64Array(data.length);
  for (let o = 0; o < map.out; o++)
    for (let i = 0; i < map.in; i++)
      for (let s = 0; s < area; s++) swapped[(i * map.out + o) * area + s] = data[(o * map.in + i) * area + s];
  return { n: map.in, m: map.out, kh, kw, data: swapped };
};

/** The kernel as an out × in·kh·kw matrix, as a linear map of its own. */
export const reshaped = (map: LinearMap): LinearMap => ({
  ...map,
  conv: false,
  in: map.in * map.kernel[0] * map.kernel[1],
  kernel: [1, 1],
  padding: [0, 0],
  image: [1, 1],
});

/** The zero-padded convolution at the layer's image size as one matrix. Limited to what fits in memory. */
export const operator = (
  map: LinearMap,
  data: ArrayLike<number>,
): { readonly map: LinearMap; readonly data: Float32Array } => {
  const [[kh, kw], [h, w]] = [map.kernel, map.image];
  const [oh, ow] = [h + 2 * map.padding[0] - kh + 1, w + 2 * map.padding[1] - kw + 1];
  const [rows, columns] = [map.out * oh * ow, map.in * h * w];
  need(rows * columns <= 2 ** 26, `the matrix of this convolution has ${rows} × ${columns} entries, too many`);
  const matrix = new Float32Array(rows * columns);
  for (let o = 0; o < map.out; o++)
    for (let i = 0; i < map.in; i++)
      for (let p = 0; p < oh * ow; p++)
        for (let s = 0; s < kh * kw; s++) {
          const y = Math.floor(p / ow) - map.padding[0] + Math.floor(s / kw);
          const x = (p % ow) - map.padding[1] + (s % kw);
          if (y >= 0 && y < h && x >= 0 && x < w)
            matrix[(o * oh * ow + p) * columns + (i * h + y) * w + x] = data[(o * map.in + i) * kh * kw + s];
        }
  return { map: { ...reshaped(map), out: rows, in: columns }, data: matrix };
};

const sideOf = (value: unknown): Side =>
  value === 'rows' || value === 'columns' ? value : refuse(`unknown side ${value}`);
const witness = (value: unknown, where: string, n: number): number[] => {
  const all = list(value, where).map(parseDyadic);
  need(all.length === n, `${where} has ${all.length} entries, ${n} are needed`);
  return all;
};

/** Σ_{j,δ} |g_ij(δ)| q_j ≤ T_i q_i with q > 0. */
const gershgorin = (o: Readonly<Record<string, unknown>>, w: Weight): Dominance => {
  const side = sideOf(o.side);
  const k = kernelOf(w.map, w.data, side);
  const weights = witness(o.q, `${w.path}, q`, k.n);
  const T = witness(o.T, `${w.path}, T`, k.n);
  need(
    weights.every(v => v > 0),
    `${w.path}: q must be positive`,
  );
  const sums = w.mode.exact ? undefined : gershgorinSums(k, weights);
  let exact: ((i: number) => Q) | undefined;
  for (let i = 0; i < k.n; i++) {
    if (sums && sums[i] <= T[i] * weights[i] * (1 - 2 ** -50)) continue;
    // Too close for f64, or false: decide it exactly.
    exact ??= exactGershgorinSums(k, weights);
    need(
      compare(exact(i), mul(fromFloat(T[i]), fromFloat(weights[i]))) <= 0,
      `${w.path}: Σ|G_${i}j| q_j is above T_${i} q_${i}`,
    );
  }
  return { side, T: T.map(fromFloat) };
};

/** The premise about another matrix `inner`, whose dominances each stand for `factor` times as much of the convolution. */
const premise = (o: Readonly<Record<string, unknown>>, w: Weight): Dominance => checkDominance(o.premise, w);

/** The least uniform T, valid on either side: GGᵀ and GᵀG have one norm. */
const uniform = (d: Dominance, side: Side, n: number): Dominance => ({ side, T: new Array(n).fill(largest(d.T)) });

type Rule = (value: unknown, w: Weight) => Dominance;

const RULES: Readonly<Record<string, Rule>> = {
  gershgorin: (value, w) => {
    need(!w.map.conv, `${w.path}: gershgorin is for matrices`);
    return gershgorin(object(value, w.path, ['rule', 'side', 'q', 'T']), w);
  },
  'gershgorin-lattice': (value, w) => {
    need(w.map.conv, `${w.path}: gershgorin-lattice is for convolutions`);
    return gershgorin(object(value, w.path, ['rule', 'side', 'q', 'T']), w);
  },
  'psd-witness': (value, w) => {
    const o = object(value, w.path, ['rule', 'side', 'T']);
    need(!w.map.conv, `${w.path}: psd-witness is for matrices`);
    const side = sideOf(o.side);
    const k = kernelOf(w.map, w.data, side);
    const T =
      list(o.T, w.path).length === 1
        ? new Array<number>(k.n).fill(parseDyadic((o.T as unknown[])[0]))
        : witness(o.T, w.path, k.n);
    const holds = w.mode.exact ? isDominatedExactly(k, T) : isDominated(k, T);
    need(holds, `${w.path}: diag(T) − G could not be shown to be positive semidefinite`);
    return { side, T: T.map(fromFloat) };
  },
  'reshaped-kernel': (value, w) => {
    const o = object(value, w.path, ['rule', 'premise']);
    need(w.map.conv, `${w.path}: reshaped-kernel is for convolutions`);
    const d = premise(o, { ...w, map: reshaped(w.map) });
    const factor = q(BigInt(w.map.kernel[0] * w.map.kernel[1]));
    const T = d.T.map(t => mul(t, factor));
    // Rows of the kernel are the convolution's output channels; its columns are not channels.
    return d.side === 'rows' ? { side: 'rows', T } : uniform({ side: 'columns', T }, 'columns', w.map.in);
  },
  'gram-iteration-symbol': (value, w) => {
    const o = object(value, w.path, ['rule', 'grid', 'T']);
    need(w.map.conv, `${w.path}: gram-iteration-symbol is for convolutions`);
    const [T] = witness(o.T, w.path, 1);
    const shape = [w.map.out, w.map.in, ...w.map.kernel];
    const [grid] = counts([o.grid], `${w.path}, grid`);
    need(
      symbolBelow(shape, w.data, grid, T, w.mode.exact ?? false),
      `${w.path}: the symbol could not be shown to stay below T`,
    );
    return uniform({ side: 'rows', T: [fromFloat(T)] }, 'rows', w.map.out);
  },
  'operator-matrix': (value, w) => {
    const o = object(value, w.path, ['rule', 'premise']);
    need(w.map.conv, `${w.path}: operator-matrix is for convolutions`);
    const matrix = operator(w.map, w.data);
    const d = premise(o, { ...w, ...matrix });
    const channels = d.side === 'rows' ? w.map.out : w.map.in;
    const each = d.T.length / channels;
    return {
      side: d.side,
      T: Array.from({ length: channels }, (_, c) => largest(d.T.slice(c * each, (c + 1) * each))),
    };
  },
  'dominance-convex': (value, w) => {
    const o = object(value, w.path, ['rule', 'weights', 'premises']);
    const weights = list(o.weights, w.path).map(parseQ);
    const parts = list(o.premises, w.path).map(p => checkDominance(p, w));
    need(weights.length === parts.length && parts.length > 0, `${w.path}: as many weights as premises are needed`);
    need(
      weights.every(a => compare(a, ZERO) >= 0) && compare(weights.reduce(add, ZERO), ONE) === 0,
      `${w.path}: weights must be ≥ 0 and add up to 1`,
    );
    // Where one part speaks of hidden units, all are put in those terms.
    const { side, T } = parts.find(p => p.side === 'rows') ?? parts[0];
    const same = parts.map(p => (p.side === side ? p : uniform(p, side, T.length)));
    return { side, T: T.map((_, i) => same.map((p, n) => mul(weights[n], p.T[i])).reduce(add, ZERO)) };
  },
};

const checkDominance = (value: unknown, w: Weight): Dominance => {
  const rule = text((value as { rule?: unknown } | null)?.rule, `${w.path}, rule`);
  return Object.hasOwn(RULES, rule)
    ? RULES[rule](value, w)
    : refuse(`${w.path}: there is no rule ${rule} for a weight`);
};

/** T on the rows (hidden units) of a weight. Throws Refused. */
export const checkRows = (value: unknown, w: Weight): readonly Q[] => {
  const d = checkDominance(value, w);
  return d.side === 'rows' ? d.T : uniform(d, 'rows', w.map.out).T;
};

/** A bound of the squared norm of a weight. Throws Refused. */
export const checkNorm = (value: unknown, w: Weight): Q => largest(checkDominance(value, w).T);
