/** G ⪯ diag(T) for emitted weights, from witnesses: one function for each rule. */
import { gershgorinFault, isDominated } from './gram.ts';
import { degree, fitsTorus, fromSide, type Lattice, type LinearMap, normBelow, operator } from './map.ts';
import * as Q from './numbers.ts';
import { need, parseDyadic, parseQ, power } from './numbers.ts';
import { any, listOf, lookUp, oneOf, read, text, whole } from './read.ts';

export interface Mode {
  /** Integers for everything, in place of f64 with a bound of its errors. */
  readonly exact?: boolean;
  /** Called now and then with the layer that is being checked. */
  readonly progress?: (path: string) => void;
  /** Makes the check of a layer's dominance, or takes what another thread found by making it. */
  readonly dominance?: (path: string, check: () => Dominance) => Dominance;
}

/** G ⪯ diag(T), G the Gram matrix of the lattice's outputs ('rows') or inputs ('columns'). */
export interface Dominance {
  readonly side: string;
  readonly T: readonly Q.Q[];
}

/** 96 bits behind the point: more than any f64 in [2⁻⁴⁰, 1] tells apart. */
const FIXED = 1n << 96n;
/** π to 29 digits. */
const PI = (31415926535897932384626433833n * FIXED) / 10n ** 28n;

/** cos and sin of 2π·k/n, |error| ≤ 2⁻⁵³: Taylor series in integers, since Math.cos promises nothing. */
export const turn = (k: number, n: number): readonly [cos: number, sin: number] => {
  const angle = (2n * PI * BigInt(((k % n) + n) % n)) / BigInt(n);
  const parts = [0n, 0n, 0n, 0n];
  for (let [i, term] = [0, FIXED]; i < 80; i++) {
    parts[i % 4] += term;
    term = (term * angle) / (FIXED * BigInt(i + 1));
  }
  return [Number(parts[0] - parts[2]) * power(-96), Number(parts[1] - parts[3]) * power(-96)];
};

/**
 * Whether G ⪯ diag(T) at every image size, T one for each output or one for all. ‖T^(−1/2) conv‖ ≤ 1: of any kernel sup_θ ‖Σ_δ K_δ e^(iδθ)‖ is
 * at most the maximum over grid×grid points over cos(πd/2grid) per axis, d the `degree` (Ehlich & Zeller 1964). For a part of a circular
 * convolution of as many points (`torus`) no factor is needed.
 */
export const symbolBelow = (l: Lattice, grid: number, T: readonly number[], exact: boolean, torus = false): boolean => {
  const { out, in: columns, kh, kw, data } = l;
  need(grid <= 4096, `a grid of ${grid} points is more than 4096`);
  const turns = Array.from({ length: grid }, (_, k) => turn(k, grid));
  // π·d/2N is d/4N of a turn.
  const cosine = (k: number) => (torus ? 1 : turn(degree(k, grid), 4 * grid)[0]);
  const least = (cosine(kh) * cosine(kw)) ** 2 * (1 - power(-48));
  const area = kh * kw;
  const sizes = new Float64Array(out * columns);
  for (let at = 0; at < data.length; at++) sizes[Math.floor(at / area)] += Math.abs(data[at]);
  const ofRow = (o: number): number => (T.length === 1 ? T[0] : T[o]);
  // Σ (Σ|K_δ|)²/T, nothing for rows of zeros.
  const shares = sizes.reduce((s, v, at) => (v === 0 ? s : s + (v * v) / ofRow(Math.floor(at / columns))), 0);
  // Real and imaginary parts err by at most this share of Σ|K_δ|; (√μ + e)² ≤ μ(1 + ε) + e²(1 + 1/ε) with ε = 2⁻³⁵.
  const error = 2 * (2 * (area + 4) * power(-53)) ** 2 * shares * (1 + power(-20));
  if (!T.every(t => t >= 0) || !(error * power(36) <= least * power(-36))) return false;
  if (shares === 0) return true;
  // K(θ) as a real matrix of twice the size, [[Re, −Im], [Im, Re]]; K(−θ) is its conjugate, so half of the points are enough.
  const real = new Float64Array(4 * out * columns);
  const point: Lattice = { out: 2 * out, in: 2 * columns, kh: 1, kw: 1, data: real };
  const limits = [...T, ...T].map(t => t * least * (1 - power(-34)));
  const dominated = () =>
    T.length === 1 ? normBelow(point, limits[0], exact) : isDominated(fromSide(point, 'rows'), limits, exact);
  for (let u = 0; u < grid; u++)
    for (let v = 0; 2 * v <= grid; v++) {
      for (let at = 0; at < out * columns; at++) {
        let [re, im] = [0, 0];
        for (let s = 0; s < area; s++) {
          const [c, z] = turns[(Math.floor(s / kw) * u + (s % kw) * v) % grid];
          re += data[at * area + s] * c;
          im += data[at * area + s] * z;
        }
        const o = Math.floor(at / columns) * 2 * columns + (at % columns);
        const below = o + 2 * out * columns;
        [real[o], real[o + columns], real[below], real[below + columns]] = [re, -im, im, re];
      }
      if (!dominated()) return false;
    }
  return true;
};

interface Emitted {
  readonly where: string;
  readonly map: LinearMap;
  readonly data: ArrayLike<number>;
  readonly lattice: Lattice;
  readonly exact: boolean;
}

/** `n` times the largest T: valid on either side, since GGᵀ and GᵀG have one norm. */
export const uniform = (T: readonly Q.Q[], n: number): Q.Q[] => new Array<Q.Q>(n).fill(Q.most(T));

const NAME = { rule: text };
const SIDE = { ...NAME, side: oneOf('rows', 'columns') };
const witness = listOf(parseDyadic);
/** What the one premise of `value` says, of the map that `e` speaks of. */
const premiseOf = (value: unknown, e: Emitted): Dominance =>
  checkDominance(read(value, e.where, { ...NAME, premise: any }).premise, e);

const RULES: Readonly<Record<string, (value: unknown, e: Emitted) => Dominance>> = {
  gershgorin: (value, e) => {
    const { side, q, T } = read(value, e.where, { ...SIDE, q: witness, T: witness });
    const k = fromSide(e.lattice, side);
    need(q.length === k.n && T.length === k.n, `${e.where} needs ${k.n} entries of q and T`);
    for (const v of q) need(v > 0, `${e.where}: q must be positive`);
    const i = gershgorinFault(k, q, T, e.exact);
    need(i === undefined, `${e.where}: Σ|G_${i}j| q_j is above T_${i} q_${i}`);
    return { side, T: T.map(Q.fromFloat) };
  },
  'psd-witness': (value, e) => {
    const { side, T } = read(value, e.where, { ...SIDE, T: witness });
    need(e.lattice.kh * e.lattice.kw === 1, `${e.where}: psd-witness is for matrices`);
    const k = fromSide(e.lattice, side);
    const all = T.length === 1 ? Array.from({ length: k.n }, () => T[0]) : T;
    need(all.length === k.n, `${e.where} needs ${k.n} entries of T`);
    need(isDominated(k, all, e.exact), `${e.where}: diag(T) − G could not be shown to be positive semidefinite`);
    return { side, T: all.map(Q.fromFloat) };
  },
  'reshaped-kernel': (value, e) => {
    const { out, in: columns, kh, kw, data } = e.lattice;
    const matrix = { out, in: columns * kh * kw, kh: 1, kw: 1, data };
    const { side, T } = premiseOf(value, { ...e, lattice: matrix });
    // Rows of the kernel are the convolution's outputs; its columns are not channels.
    const times = T.map(t => Q.mul(t, Q.q(kh * kw)));
    return { side, T: side === 'rows' ? times : uniform(times, columns) };
  },
  'operator-matrix': (value, e) => {
    const matrix = operator(e.map, e.data);
    const { side, T } = premiseOf(value, { ...e, lattice: matrix });
    const [channels, n] = side === 'rows' ? [e.map.out, e.lattice.out] : [e.map.in, e.lattice.in];
    const each = T.length / channels;
    const ofChannel = (c: number) => Q.most(T.slice(c * each, (c + 1) * each));
    return { side, T: Array.from({ length: n }, (_, k) => ofChannel(Math.floor((k * channels) / n))) };
  },
  'gram-iteration-symbol': (value, e) => {
    const { grid, T } = read(value, e.where, { ...NAME, grid: whole(1), T: witness });
    const { out } = e.lattice;
    need(T.length === 1 || T.length === out, `${e.where} needs one T, or one for each of ${out} outputs`);
    const below = symbolBelow(e.lattice, grid, T, e.exact, fitsTorus(e.map, grid));
    need(below, `${e.where}: the symbol could not be shown to stay below T`);
    return { side: 'rows', T: T.length === 1 ? uniform(T.map(Q.fromFloat), out) : T.map(Q.fromFloat) };
  },
  'dominance-convex': (value, e) => {
    const { weights, premises } = read(value, e.where, { ...NAME, weights: listOf(parseQ), premises: listOf(any) });
    const parts = premises.map(p => checkDominance(p, e));
    need(weights.length === parts.length && parts.length > 0, `${e.where}: as many weights as premises are needed`);
    const convex = weights.every(a => Q.atMost(Q.ZERO, a)) && Q.equal(Q.sum(weights), Q.ONE);
    need(convex, `${e.where}: weights must be ≥ 0 and add up to 1`);
    // Where one part speaks of outputs, all are put in those terms.
    const { side, T } = parts.find(p => p.side === 'rows') ?? parts[0];
    const same = parts.map(p => (p.side === side ? p.T : uniform(p.T, T.length)));
    return { side, T: T.map((_, i) => Q.sum(same.map((t, n) => Q.mul(weights[n], t[i])))) };
  },
};

/** By a derivation from the entries of the weight. Throws Refused. */
export const checkDominance = (value: unknown, e: Emitted): Dominance => {
  const rule = (value as { rule?: unknown } | null | undefined)?.rule;
  return lookUp(RULES, rule, `rule for ${e.where} called`)(value, { ...e, where: `${e.where}, ${rule}` });
};
