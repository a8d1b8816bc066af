/** Linear maps of every geometry as one kernel on the infinite lattice, and G ⪯ diag(T) for emitted ones: one function for each rule. */
import { gershgorinFault, isDominated, type Kernel } from './gram.ts';
import { atMost, fromFloat, most, mul, need, ONE, parseDyadic, parseQ, type Q, q, sum, ZERO } from './numbers.ts';
import { any, listOf, lookUp, oneOf, read, text, whole } from './read.ts';

export type Shape = readonly number[];
export const size = (shape: Shape): number => shape.reduce((a, b) => a * b, 1);

export interface Mode {
  /** Integers for everything, in place of f64 with a bound of its errors. */
  readonly exact?: boolean;
  /** Called now and then with the layer that is being checked. */
  readonly progress?: (path: string) => void;
  /** Makes the check of a layer's dominance, or takes what another thread found by making it. */
  readonly dominance?: (path: string, check: () => Dominance) => Dominance;
}

/** A map from an image to an image; a dense one is a convolution with a 1×1 kernel on a 1×1 image. */
export interface LinearMap {
  readonly conv: boolean;
  readonly weight: string;
  readonly out: number;
  readonly in: number;
  readonly kernel: Shape;
  readonly stride: Shape;
  readonly padding: Shape;
  readonly dilation: Shape;
  readonly groups: number;
  readonly circular: boolean;
  /** Height and width of the input, and of the output. */
  readonly image: Shape;
  readonly made: Shape;
  /** Of the weight as stored. */
  readonly shape: Shape;
}

const DENSE = { kind: oneOf('dense'), weight: text, out: whole(1), in: whole(1) };
const pair = listOf(whole(1), 2);
const CONV = {
  ...DENSE,
  kind: oneOf('conv'),
  kernel: pair,
  stride: pair,
  padding: listOf(whole(0), 2),
  dilation: pair,
  groups: whole(1),
  mode: oneOf('zeros', 'circular'),
};
const POINT = { kernel: [1, 1], stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1, circular: false };

/** Reads the map that takes `input` ([features] or [channels, height, width]). */
export const readMap = (value: unknown, where: string, input: Shape): LinearMap => {
  const conv = input.length === 3;
  const image = conv ? input.slice(1) : [1, 1];
  const fits = (m: { readonly in: number }): void =>
    need(m.in === input[0], `${where} reads ${m.in} channels, but there are ${input[0]}`);
  if (!conv) {
    const m = read(value, where, DENSE);
    fits(m);
    return { ...POINT, ...m, conv, image, made: image, shape: [m.out, m.in] };
  }
  const m = read(value, where, CONV);
  fits(m);
  need(m.in % m.groups === 0 && m.out % m.groups === 0, `${where}: ${m.groups} groups do not divide the channels`);
  const made = image.map(
    (n, a) => Math.floor((n + 2 * m.padding[a] - m.dilation[a] * (m.kernel[a] - 1) - 1) / m.stride[a]) + 1,
  );
  need(
    made.every(n => n >= 1),
    `${where}: the kernel is larger than the padded image`,
  );
  const circular = m.mode === 'circular';
  // Then a circular convolution is rows of one that is periodic on the lattice, each at most once.
  for (const [a, n] of image.entries())
    need(
      !circular || (n % m.stride[a] === 0 && made[a] * m.stride[a] <= n),
      `${where}: ${made} positions on a circle of ${image}`,
    );
  return { ...m, conv, circular, image, made, shape: [m.out, m.in / m.groups, ...m.kernel] };
};

/** (out, in, kh, kw): the kernel of an infinite convolution with stride 1, or a matrix. */
interface Lattice {
  readonly out: number;
  readonly in: number;
  readonly kh: number;
  readonly kw: number;
  readonly data: ArrayLike<number>;
}

/** Every entry of the kernel with its place, groups written out. */
const taps = (
  m: LinearMap,
  data: ArrayLike<number>,
  use: (v: number, o: number, i: number, y: number, x: number) => void,
): void => {
  const [each, kw] = [m.in / m.groups, m.kernel[1]];
  const area = m.kernel[0] * kw;
  for (let at = 0; at < data.length; at++) {
    const [o, tap] = [Math.floor(at / (each * area)), at % area];
    const i = Math.floor(o / (m.out / m.groups)) * each + (Math.floor(at / area) % each);
    use(data[at], o, i, Math.floor(tap / kw), tap % kw);
  }
};

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));
/** Phases per axis: e = stride / gcd(stride, dilation). */
const phases = (m: LinearMap): Shape => m.stride.map((s, a) => s / gcd(s, m.dilation[a]));
/** Height and width of the kernel on the lattice: ⌈k/e⌉. */
export const reach = (m: LinearMap): Shape => phases(m).map((e, a) => Math.ceil(m.kernel[a] / e));

/**
 * The map as a convolution with stride 1 on the infinite lattice. Groups are zeros. Tap e·τ + r, r < e, reads pixels that no other r reads, so
 * that the phases are channels; what dilation is left makes separate copies of the lattice. Zero padding is extension and cropping, a circle
 * only aliases: neither adds to the norm.
 */
export const lattice = (m: LinearMap, data: ArrayLike<number>): Lattice => {
  const [[eh, ew], [kh, kw]] = [phases(m), reach(m)];
  const columns = m.in * eh * ew;
  const all = new Float64Array(m.out * columns * kh * kw);
  taps(m, data, (v, o, i, y, x) => {
    const channel = (i * eh + (y % eh)) * ew + (x % ew);
    all[((o * columns + channel) * kh + Math.floor(y / eh)) * kw + Math.floor(x / ew)] = v;
  });
  return { out: m.out, in: columns, kh, kw, data: all };
};

/** The convolution at the layer's image size as one matrix. Limited to what fits in memory. */
export const operator = (m: LinearMap, data: ArrayLike<number>): Lattice => {
  const [[h, w], [oh, ow]] = [m.image, m.made];
  const [rows, columns] = [m.out * oh * ow, m.in * h * w];
  const once = m.image.every((n, a) => !m.circular || m.dilation[a] * (m.kernel[a] - 1) < n);
  need(once, 'a kernel that meets itself on a circle has no matrix of its own entries');
  need(rows * columns <= 2 ** 26, `the matrix of this convolution has ${rows} × ${columns} entries, too many`);
  const all = new Float64Array(rows * columns);
  taps(m, data, (v, o, i, ky, kx) => {
    for (let p = 0; p < oh * ow; p++) {
      let y = Math.floor(p / ow) * m.stride[0] - m.padding[0] + ky * m.dilation[0];
      let x = (p % ow) * m.stride[1] - m.padding[1] + kx * m.dilation[1];
      if (m.circular) [y, x] = [((y % h) + h) % h, ((x % w) + w) % w];
      if (y >= 0 && y < h && x >= 0 && x < w) all[(o * oh * ow + p) * columns + (i * h + y) * w + x] = v;
    }
  });
  return { out: rows, in: columns, kh: 1, kw: 1, data: all };
};

/** The kernel from `side`: channels of that side first. */
export const fromSide = (l: Lattice, side: string): Kernel => {
  const [area, rows] = [l.kh * l.kw, side === 'rows'];
  const [n, m] = rows ? [l.out, l.in] : [l.in, l.out];
  if (rows) return { n, m, kh: l.kh, kw: l.kw, data: Float64Array.from(l.data) };
  const data = new Float64Array(l.data.length);
  for (let o = 0; o < l.out; o++)
    for (let i = 0; i < l.in; i++)
      for (let s = 0; s < area; s++) data[(i * m + o) * area + s] = l.data[(o * n + i) * area + s];
  return { n, m, kh: l.kh, kw: l.kw, data };
};

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
  return [Number(parts[0] - parts[2]) * 2 ** -96, Number(parts[1] - parts[3]) * 2 ** -96];
};

/**
 * Whether ‖conv‖² ≤ bound at every image size: sup_θ ‖Σ_δ K_δ e^(iδθ)‖ is at most the maximum over grid×grid points over cos(πd/grid) per
 * axis, d = (k − 1)/2 (Ehlich & Zeller 1964). On a circle of as many points these are all there are (`circle`), and no factor is needed.
 */
export const symbolBelow = (l: Lattice, grid: number, bound: number, exact: boolean, circle = false): boolean => {
  const { out, in: columns, kh, kw, data } = l;
  need(
    grid <= 4096 && (circle || grid >= Math.max(kh, kw)),
    `a grid of ${grid} points does not fit a ${kh}×${kw} kernel`,
  );
  const turns = Array.from({ length: grid }, (_, k) => turn(k, grid));
  // d/N turns of π are (k − 1)/(4N) turns of 2π.
  const cosine = (k: number) => (circle ? 1 : turn(k - 1, 4 * grid)[0]);
  const least = bound * (cosine(kh) * cosine(kw)) ** 2 * (1 - 2 ** -48);
  const area = kh * kw;
  const sizes = new Float64Array(out * columns);
  for (let at = 0; at < data.length; at++) sizes[Math.floor(at / area)] += Math.abs(data[at]);
  const squares = sizes.reduce((s, v) => s + v * v, 0);
  // Real and imaginary parts err by at most this share of Σ|K_δ|; (√μ + e)² ≤ μ(1 + ε) + e²(1 + 1/ε) with ε = 2⁻³⁵.
  const error = 2 * (2 * (area + 4) * 2 ** -53) ** 2 * squares * (1 + 2 ** -20);
  const limit = least * (1 - 2 ** -34);
  if (!(limit > 0) || !(error * 2 ** 36 <= least * 2 ** -36)) return squares === 0 && bound >= 0;
  // K(θ) as a real matrix of twice the size, [[Re, −Im], [Im, Re]]; K(−θ) is its conjugate, so half of the points are enough.
  const real = new Float64Array(4 * out * columns);
  const point: Lattice = { out: 2 * out, in: 2 * columns, kh: 1, kw: 1, data: real };
  const side = out <= columns ? 'rows' : 'columns';
  const T = new Array<number>(2 * Math.min(out, columns)).fill(limit);
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
      if (!isDominated(fromSide(point, side), T, exact)) return false;
    }
  return true;
};

/** G ⪯ diag(T), G the Gram matrix of the lattice's outputs ('rows') or inputs ('columns'). */
export interface Dominance {
  readonly side: string;
  readonly T: readonly Q[];
}

interface Emitted {
  readonly where: string;
  readonly map: LinearMap;
  readonly data: ArrayLike<number>;
  readonly lattice: Lattice;
  readonly mode: Mode;
}

/** The least uniform T, valid on either side: GGᵀ and GᵀG have one norm. */
const uniform = (T: readonly Q[], n: number): Q[] => new Array<Q>(n).fill(most(T));

const SIDE = { side: oneOf('rows', 'columns') };
const NAME = { rule: text };
const witness = listOf(parseDyadic);

const gershgorin = (value: unknown, e: Emitted): Dominance => {
  const { side, q, T } = read(value, e.where, { ...NAME, ...SIDE, q: witness, T: witness });
  const k = fromSide(e.lattice, side);
  need(q.length === k.n && T.length === k.n, `${e.where} needs ${k.n} entries of q and T`);
  need(
    q.every(v => v > 0),
    `${e.where}: q must be positive`,
  );
  const i = gershgorinFault(k, q, T, e.mode.exact ?? false);
  need(i === undefined, `${e.where}: Σ|G_${i}j| q_j is above T_${i} q_${i}`);
  return { side, T: T.map(fromFloat) };
};

const RULES: Readonly<Record<string, (value: unknown, e: Emitted) => Dominance>> = {
  gershgorin: (value, e) => {
    need(e.lattice.kh * e.lattice.kw === 1, `${e.where}: gershgorin is for matrices`);
    return gershgorin(value, e);
  },
  'gershgorin-lattice': gershgorin,
  'psd-witness': (value, e) => {
    const { side, T } = read(value, e.where, { ...NAME, ...SIDE, T: witness });
    need(e.lattice.kh * e.lattice.kw === 1, `${e.where}: psd-witness is for matrices`);
    const k = fromSide(e.lattice, side);
    const all = T.length === 1 ? new Array<number>(k.n).fill(T[0]) : T;
    need(all.length === k.n, `${e.where} needs ${k.n} entries of T`);
    need(
      isDominated(k, all, e.mode.exact ?? false),
      `${e.where}: diag(T) − G could not be shown to be positive semidefinite`,
    );
    return { side, T: all.map(fromFloat) };
  },
  'reshaped-kernel': (value, e) => {
    const { out, in: columns, kh, kw, data } = e.lattice;
    const premise = { out, in: columns * kh * kw, kh: 1, kw: 1, data };
    const d = checkDominance(read(value, e.where, { ...NAME, premise: any }).premise, { ...e, lattice: premise });
    // Rows of the kernel are the convolution's outputs; its columns are not channels.
    const T = d.T.map(t => mul(t, q(kh * kw)));
    return { side: d.side, T: d.side === 'rows' ? T : uniform(T, columns) };
  },
  'operator-matrix': (value, e) => {
    const matrix = operator(e.map, e.data);
    const d = checkDominance(read(value, e.where, { ...NAME, premise: any }).premise, { ...e, lattice: matrix });
    const [channels, n] = d.side === 'rows' ? [e.map.out, e.lattice.out] : [e.map.in, e.lattice.in];
    const each = d.T.length / channels;
    const T = Array.from({ length: n }, (_, c) => Math.floor((c * channels) / n)).map(c =>
      most(d.T.slice(c * each, (c + 1) * each)),
    );
    return { side: d.side, T };
  },
  'gram-iteration-symbol': (value, e) => {
    const { grid, T } = read(value, e.where, { ...NAME, grid: whole(1), T: listOf(parseDyadic, 1) });
    const circle = e.map.circular && e.map.image.every((n, a) => n === grid * e.map.stride[a]);
    need(
      symbolBelow(e.lattice, grid, T[0], e.mode.exact ?? false, circle),
      `${e.where}: the symbol could not be shown to stay below T`,
    );
    return { side: 'rows', T: uniform([fromFloat(T[0])], e.lattice.out) };
  },
  'dominance-convex': (value, e) => {
    const { weights, premises } = read(value, e.where, { ...NAME, weights: listOf(parseQ), premises: listOf(any) });
    const parts = premises.map(p => checkDominance(p, e));
    need(weights.length === parts.length && parts.length > 0, `${e.where}: as many weights as premises are needed`);
    need(
      weights.every(a => atMost(ZERO, a)) && atMost(sum(weights), ONE) && atMost(ONE, sum(weights)),
      `${e.where}: weights must be ≥ 0 and add up to 1`,
    );
    // Where one part speaks of outputs, all are put in those terms.
    const { side, T } = parts.find(p => p.side === 'rows') ?? parts[0];
    const same = parts.map(p => (p.side === side ? p.T : uniform(p.T, T.length)));
    return { side, T: T.map((_, i) => sum(same.map((t, n) => mul(weights[n], t[i])))) };
  },
};

const checkDominance = (value: unknown, e: Emitted): Dominance => {
  const rule = (value as { rule?: unknown } | null)?.rule;
  return lookUp(RULES, rule, `rule for ${e.where} called`)(value, { ...e, where: `${e.where}, ${rule}` });
};

const layerDominance = (
  value: unknown,
  where: string,
  map: LinearMap,
  data: ArrayLike<number>,
  mode: Mode,
): Dominance => {
  const check = () => checkDominance(value, { where, map, data, mode, lattice: lattice(map, data) });
  return mode.dominance ? mode.dominance(where, check) : check();
};

/** T on the output channels of an emitted weight, by a derivation from its entries. Throws Refused. */
export const dominates = (
  value: unknown,
  where: string,
  map: LinearMap,
  data: ArrayLike<number>,
  mode: Mode,
): readonly Q[] => {
  const d = layerDominance(value, where, map, data, mode);
  return d.side === 'rows' ? d.T : uniform(d.T, map.out);
};

/** A bound of the squared norm of an emitted weight. Throws Refused. */
export const squaredNorm = (value: unknown, where: string, map: LinearMap, data: ArrayLike<number>, mode: Mode): Q =>
  most(layerDominance(value, where, map, data, mode).T);
