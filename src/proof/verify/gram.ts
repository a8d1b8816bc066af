/**
 * Gram matrices of kernels, dominated or not. All products are f64 products of floats whose sums are either exact, because the factors are
 * integers so small that nothing rounds (k·2^(2b) ≤ 2^53), or bounded with every rounding error. Relies on IEEE + and × alone.
 */
import { atMost, decompose, fromFloat, mul, need, type Q, scaled, toGrid } from './numbers.ts';

/** A kernel seen from the side whose Gram matrix is meant: `n` channels of (m, kh, kw) entries. A matrix is a 1×1 kernel. */
export interface Kernel {
  readonly n: number;
  readonly m: number;
  readonly kh: number;
  readonly kw: number;
  readonly data: Float64Array;
}

const U = 2 ** -53;
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

/** Rows of a block. */
const BLOCK = 32;

/** Terms added up before their sum is added to others: a sum of k terms passes through few additions. */
const CHUNK = 64;

/** Rows of `a` times rows of `b`, each of k entries, in blocks that stay in the cache; with `lower` only those with j ≤ i matter. */
const products = (
  a: Float64Array,
  b: Float64Array,
  k: number,
  lower: boolean,
  use: (i: number, j: number, dot: number) => void,
): void => {
  // Whole numbers for the engine too: it then indexes twice as fast.
  const rows = (a.length / k) | 0;
  const n = (b.length / k) | 0;
  for (let jj = 0; jj < n; jj += BLOCK) {
    const end = Math.min(jj + BLOCK, n);
    for (let i = lower ? jj : 0; i < rows; i += 2) {
      const i2 = Math.min(i + 1, rows - 1);
      for (let j = jj; j < end; j += 3) {
        const [j2, j3] = [Math.min(j + 1, end - 1), Math.min(j + 2, end - 1)];
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
        if (i2 === i) continue;
        use(i2, j, s21);
        if (j2 > j) use(i2, j2, s22);
        if (j3 > j2) use(i2, j3, s23);
      }
    }
  }
};

/** Upper bounds, up to rounding, of Σ_j |k_i|·|k_j| q_j summed over offsets: what the errors of `products` are multiples of. */
const absoluteSums = (k: Kernel, q: ArrayLike<number>): Float64Array => {
  const area = k.kh * k.kw;
  const size = new Float64Array(k.n * k.m);
  const all = new Float64Array(k.m);
  for (let at = 0; at < k.data.length; at++) size[Math.floor(at / area)] += Math.abs(k.data[at]);
  for (let c = 0; c < size.length; c++) all[c % k.m] += q[Math.floor(c / k.m)] * size[c];
  return Float64Array.from({ length: k.n }, (_, i) => all.reduce((s, v, o) => s + v * size[i * k.m + o], 0));
};

/** How far a sum made by `products` is from the true one at most, in units of the sum of absolute values; each product rounds, too. */
const dotError = (k: Kernel): number => 2 * (Math.min(entries(k), CHUNK) + Math.ceil(entries(k) / CHUNK) + 1) * U;

/** `data` as Σ_p limbs[p]·unit·2^(−bits·p), the limbs integers below 2^bits. */
const limbsOf = (data: Float64Array, bits: number): { readonly limbs: Float64Array[]; readonly top: number } => {
  const largest = data.reduce((a, v) => Math.max(a, Math.abs(v)), 0);
  const [m, e] = decompose(largest);
  const top = e + m.toString(2).length - bits;
  const limbs: Float64Array[] = [];
  // Every step is exact: a division by a power of two, a truncation, and a difference that only drops leading bits.
  for (let rest = data, unit = 2 ** top; rest.some(v => v !== 0); unit *= 2 ** -bits) {
    need(unit > 2 ** -1000, 'the exponents of a weight are too far apart');
    const [limb, before] = [rest.map(v => Math.trunc(v / unit)), rest];
    rest = before.map((v, i) => v - limb[i] * unit);
    limbs.push(limb);
  }
  return { limbs, top };
};

/** g_ij(δ) for the channels i in `rows` and every j, offset by offset, as integers times 2^exponent, exactly. */
const exactGram = (
  k: Kernel,
  rows: readonly number[],
  use: (row: number, j: number, g: bigint) => void,
): { readonly exponent: number } => {
  const size = entries(k);
  const bits = Math.floor((53 - Math.ceil(Math.log2(size + 1))) / 2);
  need(bits >= 8, `sums of ${size} products are too long`);
  const { limbs, top } = limbsOf(k.data, bits);
  const chosen = limbs.map(l =>
    Float64Array.from({ length: rows.length * size }, (_, at) => l[rows[Math.floor(at / size)] * size + (at % size)]),
  );
  const last = 2 * Math.max(limbs.length - 1, 0);
  const shifted = limbs.map(l => moved(k, l));
  for (let offset = 0; offset < (2 * k.kh - 1) * (2 * k.kw - 1); offset++) {
    const g = new Array<bigint>(rows.length * k.n).fill(0n);
    for (const [s, moves] of shifted.entries()) {
      const b = moves.next().value as Float64Array;
      for (const [p, a] of chosen.entries())
        products(a, b, size, false, (row, j, dot) => {
          if (dot !== 0) g[row * k.n + j] += BigInt(dot) << BigInt(bits * (last - p - s));
        });
    }
    g.forEach((v, at) => {
      use(Math.floor(at / k.n), at % k.n, v);
    });
  }
  return { exponent: 2 * top - bits * last };
};

/** Upper bounds, rounding included, of Σ_{j,δ} |g_ij(δ)| q_j for every channel i. NaN or ∞ where f64 does not reach. */
export const gershgorinSums = (k: Kernel, q: ArrayLike<number>): Float64Array => {
  const sums = new Float64Array(k.n);
  const matrix = k.kh * k.kw === 1;
  for (const b of matrix ? [k.data] : moved(k, k.data))
    products(k.data, b, entries(k), matrix, (i, j, dot) => {
      if (matrix && j > i) return;
      sums[i] += Math.abs(dot) * q[j];
      if (matrix && j < i) sums[j] += Math.abs(dot) * q[i];
    });
  const absolute = absoluteSums(k, q);
  const slack = 1 + 8 * (k.n * 4 * k.kh * k.kw + entries(k) + 16) * U;
  return sums.map((s, i) => (s + dotError(k) * absolute[i] * slack) * slack);
};

/** Σ_{j,δ} |g_ij(δ)| q_j for the channels `rows`, exactly. */
export const exactGershgorinSums = (k: Kernel, q: ArrayLike<number>, rows: readonly number[]): Q[] => {
  const weights = toGrid(q);
  const total = rows.map(() => 0n);
  const { exponent } = exactGram(k, rows, (row, j, g) => {
    total[row] += (g < 0n ? -g : g) * weights.integers[j];
  });
  return total.map(v => scaled(v, exponent + weights.exponent));
};

/** A channel i where Σ_{j,δ} |g_ij(δ)| q_j ≤ T_i q_i is false. In f64, and in integers where that is too close, or `exact`. */
export const gershgorinFault = (
  k: Kernel,
  q: readonly number[],
  T: readonly number[],
  exact: boolean,
): number | undefined => {
  const sums = exact ? undefined : gershgorinSums(k, q);
  const open = Array.from(T.keys()).filter(i => !(sums && sums[i] <= T[i] * q[i] * (1 - 2 ** -50)));
  for (let from = 0; from < open.length; from += CHUNK) {
    const rows = open.slice(from, from + CHUNK);
    const totals = exactGershgorinSums(k, q, rows);
    const fault = rows.find((i, row) => !atMost(totals[row], mul(fromFloat(T[i]), fromFloat(q[i]))));
    if (fault !== undefined) return fault;
  }
  return undefined;
};

/** Dot product of the entries from `from` and `at` on. */
const dotOf = (a: Float64Array, from: number, at: number, length: number): number => {
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
 * Whether diag(T) − MMᵀ ⪰ 0 can be shown in f64: A = LLᵀ + E with E symmetric and diagonally dominant is positive semidefinite whatever L
 * is. L is the Cholesky factor of A less a little of T; E is bounded with every rounding error.
 */
const isDominatedInF64 = (k: Kernel, T: readonly number[]): boolean => {
  const { n, m } = k;
  const A = new Float64Array(n * n);
  products(k.data, k.data, m, true, (i, j, g) => {
    if (i >= j) A[i * n + j] = (i === j ? T[i] : 0) - g;
  });
  const gram = absoluteSums(k, new Float64Array(n).fill(1)).map(v => v * dotError(k));
  const L = new Float64Array(n * n);
  // Of E: row sums off the diagonal, and the diagonal. Of L: column sums. Of A: row sums.
  const [off, diagonal, columns, rows] = [0, 1, 2, 3].map(() => new Float64Array(n));
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      const a = A[i * n + j];
      const before = dotOf(L, i * n, j * n, j);
      const rest = a - (i === j ? T[i] * 2 ** -36 + 2 * gram[i] : 0) - before;
      // NaN and negative pivots end here: no factor, no proof. The root need not be exact, L is arbitrary.
      if (i === j && !(rest >= 0)) return false;
      const l = i === j ? Math.sqrt(rest) : L[j * n + j] > 0 ? rest / L[j * n + j] : 0;
      L[i * n + j] = l;
      const e = a - (before + l * L[j * n + j]);
      columns[j] += Math.abs(l);
      rows[i] += Math.abs(a);
      if (i === j) diagonal[i] = e;
      else {
        rows[j] += Math.abs(a);
        off[i] += Math.abs(e);
        off[j] += Math.abs(e);
      }
    }
  }
  return off.every((sum, i) => {
    let factor = 0;
    for (let j = 0; j <= i; j++) factor += Math.abs(L[i * n + j]) * columns[j];
    const rounding = 4 * (rows[i] + Math.abs(diagonal[i]) + sum + T[i]) + 2 * (n + 4) * factor;
    const error = gram[i] + rounding * U + n * 2 ** -1060;
    return diagonal[i] >= (sum + error) * (1 + 8 * (n + m + 16) * U);
  });
};

/** Whether diag(T) − MMᵀ ⪰ 0, decided by elimination without fractions. For small matrices. */
const isDominatedExactly = (k: Kernel, T: readonly number[]): boolean => {
  const channels = Array.from(T.keys());
  const gram = channels.map(() => new Array<bigint>(k.n).fill(0n));
  const { exponent } = exactGram(k, channels, (i, j, g) => {
    gram[i][j] = g;
  });
  const bound = toGrid(T);
  const unit = Math.min(exponent, bound.exponent);
  const A = gram.map((row, i) =>
    row.map(
      (g, j) => (i === j ? bound.integers[i] << BigInt(bound.exponent - unit) : 0n) - (g << BigInt(exponent - unit)),
    ),
  );
  let previous = 1n;
  for (let p = 0; p < k.n; p++) {
    const pivot = A[p][p];
    if (pivot < 0n || (pivot === 0n && A[p].some((v, j) => j > p && v !== 0n))) return false;
    if (pivot === 0n) continue;
    for (let i = p + 1; i < k.n; i++) {
      for (let j = p + 1; j < k.n; j++) A[i][j] = (pivot * A[i][j] - A[i][p] * A[p][j]) / previous;
      A[i][p] = 0n;
    }
    previous = pivot;
  }
  return true;
};

/** Whether diag(T) − MMᵀ ⪰ 0 can be shown for the matrix M of `k` (n × m). */
export const isDominated = (k: Kernel, T: readonly number[], exact: boolean): boolean =>
  exact ? isDominatedExactly(k, T) : isDominatedInF64(k, T);
