/**
 * Sums over Gram matrices of float tensors. Fast: f64 with a bound of every rounding error. Products of f32 values are exact in f64, so
 * only additions round; where all values lie on a grid so coarse that no sum can round (MATH: n·2^(2b) ≤ 2^53), the error is 0. Exact: BigInt.
 * Relies on IEEE addition and multiplication, nothing else.
 */
import { type Q, scaled, toGrid } from './numbers.ts';

/** Unit round-off of f64. */
export const U = 2 ** -53;

/** A kernel seen from the side whose Gram matrix is meant: `n` channels of (m, kh, kw) entries each. A matrix has kh = kw = 1. */
export interface Kernel {
  readonly n: number;
  readonly m: number;
  readonly kh: number;
  readonly kw: number;
  readonly data: Float64Array;
}

const entries = (k: Kernel): number => k.m * k.kh * k.kw;

/** The kernel with its channels moved by one offset, zeros where it leaves its support: its products with the kernel are the autocorrelation. */
const shift = <T extends number | bigint>(
  k: Kernel,
  data: ArrayLike<T>,
  out: T[] | Float64Array,
  dy: number,
  dx: number,
  zero: T,
): void => {
  for (let c = 0, at = 0; c < k.n * k.m; c++)
    for (let y = 0; y < k.kh; y++)
      for (let x = 0; x < k.kw; x++, at++) {
        const [v, h] = [y + dy, x + dx];
        const inside = v >= 0 && v < k.kh && h >= 0 && h < k.kw;
        (out as T[])[at] = inside ? data[(c * k.kh + v) * k.kw + h] : zero;
      }
};

const offsets = (k: Kernel): (readonly [number, number])[] => {
  const all: (readonly [number, number])[] = [];
  for (let dy = 1 - k.kh; dy < k.kh; dy++) for (let dx = 1 - k.kw; dx < k.kw; dx++) all.push([dy, dx]);
  return all;
};

/** Terms that `products` adds up before it adds their sum to others: a sum of k terms then passes through few additions. */
const CHUNK = 64;

/** A·Bᵀ for row-major a, b [n, k], each product handed to `use`; B's rows in blocks that stay in the cache. `lower`: only i ≥ j. */
export const products = (
  a: Float64Array,
  b: Float64Array,
  n: number,
  k: number,
  lower: boolean,
  use: (i: number, j: number, dot: number) => void,
): void => {
  const BLOCK = 32;
  for (let jj = 0; jj < n; jj += BLOCK) {
    const end = Math.min(jj + BLOCK, n);
    for (let i = lower ? jj : 0; i < n; i += 2) {
      const i2 = Math.min(i + 1, n - 1);
      for (let j = jj; j < end; j += 3) {
        const [j2, j3] = [Math.min(j + 1, end - 1), Math.min(j + 2, end - 1)];
        const [p, p2, r, r2, r3] = [i * k, i2 * k, j * k, j2 * k, j3 * k];
        let [s11, s12, s13, s21, s22, s23] = [0, 0, 0, 0, 0, 0];
        for (let from = 0; from < k; from += CHUNK) {
          const to = Math.min(from + CHUNK, k);
          let [c11, c12, c13, c21, c22, c23] = [0, 0, 0, 0, 0, 0];
          for (let l = from; l < to; l++) {
            const [x, x2, y, y2, y3] = [a[p + l], a[p2 + l], b[r + l], b[r2 + l], b[r3 + l]];
            c11 += x * y;
            c12 += x * y2;
            c13 += x * y3;
            c21 += x2 * y;
            c22 += x2 * y2;
            c23 += x2 * y3;
          }
          s11 += c11;
          s12 += c12;
          s13 += c13;
          s21 += c21;
          s22 += c22;
          s23 += c23;
        }
        use(i, j, s11);
        if (j2 > j) use(i, j2, s12);
        if (j3 > j2) use(i, j3, s13);
        if (i2 > i) {
          use(i2, j, s21);
          if (j2 > j) use(i2, j2, s22);
          if (j3 > j2) use(i2, j3, s23);
        }
      }
    }
  }
};

/** An upper bound of Σ_j |a_i|·|a_j| q_j summed over offsets, up to rounding: what rounding errors of row i's sums are multiples of. */
const absoluteSums = (k: Kernel, q: ArrayLike<number>): Float64Array => {
  const area = k.kh * k.kw;
  const size = new Float64Array(k.n * k.m);
  for (let c = 0; c < size.length; c++) for (let s = 0; s < area; s++) size[c] += Math.abs(k.data[c * area + s]);
  const all = new Float64Array(k.m);
  for (let i = 0; i < k.n; i++) for (let o = 0; o < k.m; o++) all[o] += q[i] * size[i * k.m + o];
  return Float64Array.from({ length: k.n }, (_, i) => all.reduce((sum, v, o) => sum + v * size[i * k.m + o], 0));
};

/** How far a sum made by `products` can be from the true one, in units of the sum of absolute values: γ of its depth, products rounded. */
export const dotError = (k: Kernel): number => {
  // Large tensors are not searched for a grid: the general bound serves them.
  const bits = k.data.length > 2 ** 20 ? 54 : toGrid(k.data).bits;
  return entries(k) * 2 ** (2 * Math.min(bits, 100)) <= 2 ** 53
    ? 0
    : 2 * (Math.min(entries(k), CHUNK) + Math.ceil(entries(k) / CHUNK) + 1) * U;
};

/** Upper bounds, rounding included, of Σ_{j,δ} |g_ij(δ)| q_j for every channel i. NaN or ∞ where f64 does not reach. */
export const gershgorinSums = (k: Kernel, q: ArrayLike<number>): Float64Array => {
  const sums = new Float64Array(k.n);
  const shifted = new Float64Array(k.data.length);
  const shifts = offsets(k);
  for (const [dy, dx] of shifts) {
    const symmetric = dy === 0 && dx === 0;
    shift(k, k.data, shifted, dy, dx, 0);
    products(k.data, shifted, k.n, entries(k), symmetric, (i, j, dot) => {
      const g = Math.abs(dot);
      if (!symmetric) sums[i] += g * q[j];
      else if (i >= j) {
        sums[i] += g * q[j];
        if (i > j) sums[j] += g * q[i];
      }
    });
  }
  const error = dotError(k);
  const absolute = error === 0 ? new Float64Array(k.n) : absoluteSums(k, q);
  const slack = 1 + 4 * (k.n * shifts.length + k.n + entries(k) + 16) * U;
  return sums.map((s, i) => (s + error * absolute[i] * slack) * slack);
};

/** Σ_{j,δ} |g_ij(δ)| q_j of channel i, exactly. */
export const exactGershgorinSums = (k: Kernel, q: ArrayLike<number>): ((i: number) => Q) => {
  const { integers, exponent } = toGrid(k.data);
  const weights = toGrid(q);
  const size = entries(k);
  const shifts = offsets(k).map(([dy, dx]) => {
    const out = new Array<bigint>(integers.length);
    shift(k, integers, out, dy, dx, 0n);
    return out;
  });
  return i => {
    let total = 0n;
    for (const b of shifts)
      for (let j = 0; j < k.n; j++) {
        let dot = 0n;
        for (let l = 0; l < size; l++) dot += integers[i * size + l] * b[j * size + l];
        total += (dot < 0n ? -dot : dot) * weights.integers[j];
      }
    return scaled(total, 2 * exponent + weights.exponent);
  };
};

/** Dot product of a's and b's entries from `from` and `at` on. */
const dot = (a: Float64Array, from: number, at: number, length: number): number => {
  let [s, t, u, v] = [0, 0, 0, 0];
  let l = 0;
  for (; l + 4 <= length; l += 4) {
    s += a[from + l] * a[at + l];
    t += a[from + l + 1] * a[at + l + 1];
    u += a[from + l + 2] * a[at + l + 2];
    v += a[from + l + 3] * a[at + l + 3];
  }
  for (; l < length; l++) s += a[from + l] * a[at + l];
  return s + t + (u + v);
};

/**
 * Whether diag(T) − MMᵀ ⪰ 0 can be shown in f64: with A = LLᵀ + E, E symmetric and diagonally dominant with a nonnegative diagonal,
 * A is positive semidefinite whatever L is. L is the Cholesky factor of A less a little of T; E is bounded with every rounding error.
 */
export const isDominated = (k: Kernel, T: ArrayLike<number>): boolean => {
  const { n } = k;
  const A = new Float64Array(n * n);
  products(k.data, k.data, n, entries(k), true, (i, j, g) => {
    if (i >= j) A[i * n + j] = (i === j ? T[i] : 0) - g;
  });
  const gamma = dotError(k);
  const gram = absoluteSums(k, new Float64Array(n).fill(1));
  const L = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      const rest = A[i * n + j] - (i === j ? T[i] * 2 ** -36 + 2 * gamma * gram[i] : 0) - dot(L, i * n, j * n, j);
      // NaN and negative pivots end here: no factor, no proof. The root need not be exact, L is arbitrary.
      if (i === j && !(rest >= 0)) return false;
      L[i * n + j] = i === j ? Math.sqrt(rest) : L[j * n + j] > 0 ? rest / L[j * n + j] : 0;
    }
  }
  // Row sums of |E| off the diagonal, and of what bounds the rounding errors of A (γ |M||M|ᵀ + u|A|) and of LLᵀ (γ |L||L|ᵀ + underflow).
  const off = new Float64Array(n);
  const diagonal = new Float64Array(n);
  const columns = new Float64Array(n);
  const rowsA = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      const e = A[i * n + j] - dot(L, i * n, j * n, j + 1);
      columns[j] += Math.abs(L[i * n + j]);
      rowsA[i] += Math.abs(A[i * n + j]);
      if (i === j) diagonal[i] = e;
      else {
        rowsA[j] += Math.abs(A[i * n + j]);
        off[i] += Math.abs(e);
        off[j] += Math.abs(e);
      }
    }
  }
  return off.every((sum, i) => {
    let factor = 0;
    for (let j = 0; j <= i; j++) factor += Math.abs(L[i * n + j]) * columns[j];
    const error =
      gamma * gram[i] +
      2 * (n + 4) * U * factor +
      4 * U * (rowsA[i] + Math.abs(diagonal[i]) + sum) +
      4 * U * T[i] +
      n * 2 ** -1060;
    return diagonal[i] >= (sum + error) * (1 + 8 * (n + entries(k) + 16) * U);
  });
};

/** Whether diag(T) − MMᵀ ⪰ 0, decided exactly by elimination without fractions. For small matrices. */
export const isDominatedExactly = (k: Kernel, T: ArrayLike<number>): boolean => {
  const { n } = k;
  const size = entries(k);
  const grid = toGrid(k.data);
  const bound = toGrid(T);
  const exponent = Math.min(2 * grid.exponent, bound.exponent);
  const A = Array.from({ length: n }, (_, i) =>
    Array.from({ length: n }, (_, j) => {
      let g = 0n;
      for (let l = 0; l < size; l++) g += grid.integers[i * size + l] * grid.integers[j * size + l];
      const t = i === j ? bound.integers[i] << BigInt(bound.exponent - exponent) : 0n;
      return t - (g << BigInt(2 * grid.exponent - exponent));
    }),
  );
  let previous = 1n;
  for (let p = 0; p < n; p++) {
    const pivot = A[p][p];
    if (pivot < 0n) return false;
    if (pivot === 0n) {
      if (A[p].some((v, j) => j > p && v !== 0n)) return false;
      continue;
    }
    for (let i = p + 1; i < n; i++)
      for (let j = p + 1; j < n; j++) A[i][j] = (pivot * A[i][j] - A[i][p] * A[p][j]) / previous;
    for (let i = p + 1; i < n; i++) A[i][p] = 0n;
    previous = pivot;
  }
  return true;
};
