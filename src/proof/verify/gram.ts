/**
 * Gram matrices of kernels, dominated or not. All products are f64 products of floats whose sums are either exact, because the factors are
 * integers so small that nothing rounds (k·2^(2b) ≤ 2^53), or bounded with every rounding error. Relies on IEEE + − × ÷ alone.
 */
import { atMost, decompose, fromFloat, mul, need, power, type Q, scaled, toGrid } from './numbers.ts';

/** A kernel seen from the side whose Gram matrix is meant: `n` channels of (m, kh, kw) entries. A matrix is a 1×1 kernel. */
export interface Kernel {
  readonly n: number;
  readonly m: number;
  readonly kh: number;
  readonly kw: number;
  readonly data: Float64Array;
}

const U = power(-53);
/** Squares of numbers not smaller than this do not underflow. */
const TINY = power(-450);
const entries = (k: Kernel): number => k.m * k.kh * k.kw;

/** The offsets at which a kernel meets itself, each with the kernel moved by it: the products of both are g(δ). */
const moved = function* (k: Kernel, data: Float64Array): Generator<Float64Array> {
  for (let dy = 1 - k.kh; dy < k.kh; dy++)
    for (let dx = 1 - k.kw; dx < k.kw; dx++) {
      const out = new Float64Array(data.length);
      for (let c = 0, at = 0; c < k.n * k.m; c++)
        for (let y = dy; y < dy + k.kh; y++)
          for (let x = dx; x < dx + k.kw; x++, at++)
            if (y >= 0 && y < k.kh && x >= 0 && x < k.kw) out[at] = data[(c * k.kh + y) * k.kw + x];
      yield out;
    }
};

/** Rows of a block, which stays in the cache. */
const BLOCK = 32;
/** Terms added up before their sum is added to others: a sum of k terms passes through few additions. */
const CHUNK = 64;

/** Rows of `a` times rows of `b`, each of k entries; with `lower` only those with j ≤ i matter. Two by three at a time, for speed alone. */
const products = (a: Float64Array, b: Float64Array, k: number, lower: boolean): Float64Array => {
  // Whole numbers for the engine too: it then indexes twice as fast.
  const [rows, n] = [(a.length / k) | 0, (b.length / k) | 0];
  const out = new Float64Array(rows * n);
  for (let jj = 0; jj < n; jj += BLOCK)
    for (let i = lower ? jj : 0; i < rows; i += 2)
      for (let j = jj; j < Math.min(jj + BLOCK, n); j += 3) {
        // What lies beyond the last row is the last row once more.
        const [i2, j2, j3] = [Math.min(i + 1, rows - 1), Math.min(j + 1, n - 1), Math.min(j + 2, n - 1)];
        const [p, p2, r, r2, r3] = [i * k, i2 * k, j * k, j2 * k, j3 * k];
        let [s11, s12, s13, s21, s22, s23] = [0, 0, 0, 0, 0, 0];
        for (let from = 0; from < k; from += CHUNK) {
          const to = Math.min(from + CHUNK, k);
          let [c11, c12, c13, c21, c22, c23] = [0, 0, 0, 0, 0, 0];
          for (let l = from; l < to; l++) {
            // No pattern here, whose array engines do not always see through.
            const x = a[p + l];
            const x2 = a[p2 + l];
            const y = b[r + l];
            const y2 = b[r2 + l];
            const y3 = b[r3 + l];
            c11 += x * y;
            c12 += x * y2;
            c13 += x * y3;
            c21 += x2 * y;
            c22 += x2 * y2;
            c23 += x2 * y3;
          }
          [s11, s12, s13] = [s11 + c11, s12 + c12, s13 + c13];
          [s21, s22, s23] = [s21 + c21, s22 + c22, s23 + c23];
        }
        [out[i * n + j], out[i * n + j2], out[i * n + j3]] = [s11, s12, s13];
        [out[i2 * n + j], out[i2 * n + j2], out[i2 * n + j3]] = [s21, s22, s23];
      }
  return out;
};

/** What the additions of non-negative numbers below can lose, as a share of their sum. */
const lost = (k: Kernel): number => 8 * (k.n * 4 * k.kh * k.kw + entries(k) + 16) * U;

/**
 * How far Σ_{j,δ} |g_ij(δ)| q_j is at most from the true one when made of `products`, for every i: each product rounds, and each sum passes
 * through a chunk's additions and then the chunks'. Nothing underflows: the least f32 is 2⁻¹⁴⁹, the least q 2⁻⁴⁰⁰.
 */
const roundings = (k: Kernel, q: ArrayLike<number>): Float64Array => {
  const steps = Math.min(entries(k), CHUNK) + Math.ceil(entries(k) / CHUNK) + 1;
  const size = new Float64Array(k.n * k.m);
  const all = new Float64Array(k.m);
  for (let at = 0; at < k.data.length; at++) size[Math.floor(at / (k.kh * k.kw))] += Math.abs(k.data[at]);
  for (let c = 0; c < size.length; c++) all[c % k.m] += q[Math.floor(c / k.m)] * size[c];
  const absolute = (i: number): number => all.reduce((s, v, o) => s + v * size[i * k.m + o], 0);
  return Float64Array.from({ length: k.n }, (_, i) => 2 * steps * U * absolute(i) * (1 + lost(k)));
};

/** Upper bounds, rounding included, of Σ_{j,δ} |g_ij(δ)| q_j for every channel i. NaN or ∞ where f64 does not reach. */
export const gershgorinSums = (k: Kernel, q: ArrayLike<number>): Float64Array => {
  const sums = new Float64Array(k.n);
  const matrix = k.kh * k.kw === 1;
  for (const b of matrix ? [k.data] : moved(k, k.data)) {
    const g = products(k.data, b, entries(k), matrix);
    for (let i = 0; i < k.n; i++)
      for (let j = 0; j < (matrix ? i + 1 : k.n); j++) {
        sums[i] += Math.abs(g[i * k.n + j]) * q[j];
        if (matrix && j < i) sums[j] += Math.abs(g[i * k.n + j]) * q[i];
      }
  }
  const errors = roundings(k, q);
  return sums.map((s, i) => (s + errors[i]) * (1 + lost(k)));
};

/** `data` as sums of integers below 2^bits times 2^exponent: divisions by powers of two, truncations and dropped leading bits are exact. */
const limbsOf = (data: Float64Array, bits: number): { readonly data: Float64Array; readonly exponent: number }[] => {
  const [m, e] = decompose(data.reduce((a, v) => Math.max(a, Math.abs(v)), 0));
  const limbs: { data: Float64Array; exponent: number }[] = [];
  let rest = data;
  for (let exponent = e + m.toString(2).length - bits; rest.some(v => v !== 0); exponent -= bits) {
    need(exponent > -1000, 'the exponents of a weight are too far apart');
    const limb = rest.map(v => Math.trunc(v / power(exponent)));
    rest = rest.map((v, i) => v - limb[i] * power(exponent));
    limbs.push({ data: limb, exponent });
  }
  return limbs;
};

/** Σ_{j,δ} |g_ij(δ)| q_j for the channels `rows`, exactly. */
export const exactGershgorinSums = (k: Kernel, q: ArrayLike<number>, rows: readonly number[]): Q[] => {
  const size = entries(k);
  const bits = Math.floor((53 - size.toString(2).length) / 2);
  need(bits >= 8, `sums of ${size} products are too long`);
  const limbs = limbsOf(k.data, bits);
  const least = limbs.length === 0 ? 0 : limbs[limbs.length - 1].exponent;
  const chosen = limbs.map(l => Float64Array.from(rows.flatMap(i => [...l.data.subarray(i * size, (i + 1) * size)])));
  const shifted = limbs.map(l => moved(k, l.data));
  const weights = toGrid(q);
  const total = rows.map(() => 0n);
  for (let offset = 0; offset < (2 * k.kh - 1) * (2 * k.kw - 1); offset++) {
    const g = new Array<bigint>(rows.length * k.n).fill(0n);
    for (const [s, moves] of shifted.entries()) {
      const b = moves.next().value as Float64Array;
      for (const [p, a] of chosen.entries()) {
        const shift = BigInt(limbs[p].exponent + limbs[s].exponent - 2 * least);
        products(a, b, size, false).forEach((dot, at) => {
          if (dot !== 0) g[at] += BigInt(dot) << shift;
        });
      }
    }
    for (const [at, v] of g.entries()) total[Math.floor(at / k.n)] += (v < 0n ? -v : v) * weights.integers[at % k.n];
  }
  return total.map(v => scaled(v, 2 * least + weights.exponent));
};

/** A channel i where Σ_{j,δ} |g_ij(δ)| q_j ≤ T_i q_i is false. In f64, and in integers where that is too close, or `exact`. */
export const gershgorinFault = (
  k: Kernel,
  q: readonly number[],
  T: readonly number[],
  exact: boolean,
): number | undefined => {
  const sums = exact ? undefined : gershgorinSums(k, q);
  const open = [...T.keys()].filter(i => !(sums && sums[i] <= T[i] * q[i] * (1 - 4 * U)));
  for (let from = 0; from < open.length; from += CHUNK) {
    const rows = open.slice(from, from + CHUNK);
    const totals = exactGershgorinSums(k, q, rows);
    const fault = rows.find((i, row) => !atMost(totals[row], mul(fromFloat(T[i]), fromFloat(q[i]))));
    if (fault !== undefined) return fault;
  }
  return undefined;
};

/**
 * Whether MMᵀ ⪯ diag(T) can be shown for the matrix M of `k`: whatever L is, diag(T) − MMᵀ = LLᵀ + E is positive semidefinite if E is diagonally
 * dominant with a diagonal that is not negative, which is Gershgorin's test of [M L]. Nothing else depends on how L is found: it is Cholesky's
 * factor of diag(T) − MMᵀ less a little of T, in f64.
 */
export const isDominated = (k: Kernel, T: readonly number[], exact: boolean): boolean => {
  const { n, m } = k;
  const wide = m + n;
  const both = { n, m: wide, kh: 1, kw: 1, data: new Float64Array(n * wide) };
  for (let i = 0; i < n; i++) both.data.set(k.data.subarray(i * m, (i + 1) * m), i * wide);
  const G = products(k.data, k.data, m, true);
  const ones = new Array<number>(n).fill(1);
  const [own, roots] = [roundings(k, ones), T.reduce((s, v) => s + Math.sqrt(v), 0)];
  // As much as the test will lose, and more: see `roundings` and `lost`, with rows of L no longer than √T.
  const less = (i: number): number =>
    T[i] * (power(-34) + 2 * lost(both)) + 4 * own[i] + power(-43) * Math.sqrt(T[i]) * roots;
  for (let i = 0; i < n; i++)
    for (let j = 0, p = i * wide + m; j <= i; j++) {
      const r = j * wide + m;
      let dot = 0;
      for (let l = 0; l < j; l++) dot += both.data[p + l] * both.data[r + l];
      const rest = (i === j ? T[i] - less(i) : 0) - G[i * n + j] - dot;
      if (i === j && !(rest >= 0)) return false;
      const entry = i === j ? Math.sqrt(rest) : both.data[r + j] > 0 ? rest / both.data[r + j] : 0;
      both.data[p + j] = Math.abs(entry) < TINY ? 0 : entry;
    }
  return gershgorinFault(both, ones, T, exact) === undefined;
};
