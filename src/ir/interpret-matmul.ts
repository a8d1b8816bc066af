/** Matrix products in float64, tight enough for layers of thousands of units. */
import { type Dims, type Op, size } from './tensor.ts';

/** [rows, columns] → [columns, rows], in blocks that stay in the cache. */
const transposed = (m: Float64Array, rows: number, columns: number): Float64Array => {
  const out = new Float64Array(m.length);
  const side = 32;
  for (let ii = 0; ii < rows; ii += side)
    for (let jj = 0; jj < columns; jj += side)
      for (let i = ii; i < Math.min(ii + side, rows); i++)
        for (let j = jj; j < Math.min(jj + side, columns); j++) out[j * rows + i] = m[i * columns + j];
  return out;
};

/** Rows of the right factor that stay in the cache while all of the left pass by. */
const BLOCK = 30;

/** out[i, j] = Σ_l a[i, l] b[j, l], three rows by three; with `symmetric`, a being b, half of it is copied. */
const rowProducts = (a: Float64Array, b: Float64Array, k: number, out: Float64Array, symmetric: boolean): void => {
  const rows = (a.length / k) | 0;
  const n = (b.length / k) | 0;
  for (let jj = 0; jj < n; jj += BLOCK) {
    const end = Math.min(jj + BLOCK, n);
    for (let i = symmetric ? jj : 0; i < rows; i += 3) {
      // At the edge the last row stands for those that are missing: the same number is stored again.
      const [i2, i3] = [Math.min(i + 1, rows - 1), Math.min(i + 2, rows - 1)];
      for (let j = jj; j < end; j += 3) {
        const [j2, j3] = [Math.min(j + 1, end - 1), Math.min(j + 2, end - 1)];
        const [p, p2, p3, r, r2, r3] = [i * k, i2 * k, i3 * k, j * k, j2 * k, j3 * k];
        let [s11, s12, s13, s21, s22, s23, s31, s32, s33] = [0, 0, 0, 0, 0, 0, 0, 0, 0];
        for (let l = 0; l < k; l++) {
          // No pattern here: engines do not always see through the array.
          const x = a[p + l];
          const x2 = a[p2 + l];
          const x3 = a[p3 + l];
          const y = b[r + l];
          const y2 = b[r2 + l];
          const y3 = b[r3 + l];
          s11 += x * y;
          s12 += x * y2;
          s13 += x * y3;
          s21 += x2 * y;
          s22 += x2 * y2;
          s23 += x2 * y3;
          s31 += x3 * y;
          s32 += x3 * y2;
          s33 += x3 * y3;
        }
        const [o, o2, o3] = [i * n, i2 * n, i3 * n];
        [out[o + j], out[o + j2], out[o + j3]] = [s11, s12, s13];
        [out[o2 + j], out[o2 + j2], out[o2 + j3]] = [s21, s22, s23];
        [out[o3 + j], out[o3 + j2], out[o3 + j3]] = [s31, s32, s33];
      }
    }
  }
  if (symmetric) for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) out[i * n + j] = out[j * n + i];
};

/** out[i, :] = Σ_l a[i, l] b[l, :], four rows of b at a time: no chain of dependent additions, a quarter of the stores. */
const rowSums = (a: Float64Array, b: Float64Array, k: number, n: number, out: Float64Array): void => {
  const rows = (a.length / k) | 0;
  for (let i = 0; i < rows; i++) {
    const [p, o] = [i * k, i * n];
    let l = 0;
    for (; l + 4 <= k; l += 4) {
      const w = l * n;
      const [v0, v1, v2, v3] = [a[p + l], a[p + l + 1], a[p + l + 2], a[p + l + 3]];
      for (let j = 0; j < n; j++) {
        out[o + j] += v0 * b[w + j] + v1 * b[w + n + j] + v2 * b[w + 2 * n + j] + v3 * b[w + 3 * n + j];
      }
    }
    for (; l < k; l++) {
      const v = a[p + l];
      for (let j = 0; j < n; j++) out[o + j] += v * b[l * n + j];
    }
  }
};

/** [B…, M, K] × [B…, K, N] → [B…, M, N], either transposed as `op` says. */
export const matmul = (
  op: Extract<Op, { kind: 'matmul' }>,
  a: Float64Array,
  aShape: Dims,
  b: Float64Array,
  bShape: Dims,
  shape: Dims,
): Float64Array => {
  const r = shape.length;
  const [m, n] = [shape[r - 2], shape[r - 1]];
  const k = op.transposeA ? aShape[r - 2] : aShape[r - 1];
  const batch = size(shape.slice(0, -2));
  const [aSize, bSize] = [size(aShape.slice(-2)), size(bShape.slice(-2))];
  const out = new Float64Array(batch * m * n);
  const isGram = a === b && op.transposeA !== op.transposeB;
  for (let t = 0; t < batch; t++) {
    const left = a.subarray(t * aSize, (t + 1) * aSize);
    const right = b.subarray(t * bSize, (t + 1) * bSize);
    const to = out.subarray(t * m * n, (t + 1) * m * n);
    const rows = op.transposeA ? transposed(left, k, m) : left;
    if (isGram) rowProducts(rows, rows, k, to, true);
    else if (op.transposeB) rowProducts(rows, right, k, to, false);
    // Of few rows a product costs no more than a transpose.
    else if (m > 8) rowProducts(rows, transposed(right, k, n), k, to, false);
    else rowSums(rows, right, k, n, to);
  }
  return out;
};
