/**
 * Fourier transforms of images and complex matrices at every frequency, in the primitives of the tensor IR. Only half of the spectrum is
 * kept: images are real, so the rest is conjugate. Frequencies (u, v), 0 ≤ u < h and 0 ≤ v ≤ w/2, are numbered u·(⌊w/2⌋ + 1) + v.
 */
import type { GraphBuilder, TensorId } from '../../ir/tensor.ts';

/** Matrices re + i·im, both [P, rows, columns]: one for each of P frequencies. */
export interface Complex {
  readonly re: TensorId;
  readonly im: TensorId;
}

type Size = readonly [number, number];

const halfOf = (w: number): number => Math.floor(w / 2) + 1;

/** How many frequencies are kept of an image. */
export const frequencies = ([h, w]: Size): number => h * halfOf(w);

/** cos and sin of 2π·k/n. */
const turn = (k: number, n: number): readonly [cos: number, sin: number] => {
  const angle = (2 * Math.PI * (k % n)) / n;
  return [Math.cos(angle), Math.sin(angle)];
};

/** What a kept frequency v of n stands for, itself and its conjugate: 2; but 1 for v = 0 and, n even, v = n/2. */
const multiplicity = (v: number, n: number): number => (v === 0 || 2 * v === n ? 1 : 2);

/** [rows, columns] by a function of both. */
const table = (
  b: GraphBuilder,
  rows: number,
  columns: number,
  entry: (row: number, column: number) => number,
): TensorId =>
  b.literal(
    Array.from({ length: rows * columns }, (_, at) => entry(Math.floor(at / columns), at % columns)),
    [rows, columns],
  );

/**
 * The transform of real rows of w: x ↦ xR, R [w, 2·half], gives real parts and then imaginary parts of Σ x e^(−iθδ), times √(multiplicity/w).
 * R Rᵀ = I.
 */
const rowTable = (b: GraphBuilder, w: number): TensorId =>
  table(b, w, 2 * halfOf(w), (x, at) => {
    const v = at % halfOf(w);
    const [c, s] = turn(x * v, w);
    return Math.sqrt(multiplicity(v, w) / w) * (at < halfOf(w) ? c : -s);
  });

/** The transform of complex columns (re, im) of h: z ↦ zM, M [2h, 2h] orthogonal. */
const columnTable = (b: GraphBuilder, h: number): TensorId =>
  table(b, 2 * h, 2 * h, (from, to) => {
    const [c, s] = turn((from % h) * (to % h), h);
    return (from < h === to < h ? c : from < h ? -s : s) / Math.sqrt(h);
  });

/** The two tables that the transform of images [.., h, w] multiplies with. */
export const transformTables = (
  b: GraphBuilder,
  [h, w]: Size,
): { readonly rows: TensorId; readonly columns: TensorId } => ({ rows: rowTable(b, w), columns: columnTable(b, h) });

/** x [.., n] times a matrix, or its transpose. */
const times = (b: GraphBuilder, x: TensorId, m: TensorId, transposed = false): TensorId => {
  const shape = b.shape(x);
  const [lead, n] = [shape.slice(0, -1), shape[shape.length - 1]];
  const flat = b.matmul(b.reshape(x, [lead.reduce((p, d) => p * d, 1), n]), m, { b: transposed });
  return b.reshape(flat, [...lead, b.shape(flat)[1]]);
};

/**
 * The transform of images [N, C, h, w], as a real vector (re, im) of channels at each frequency: [P, 2C, N]. It is scaled to keep norms: a
 * product with R for every row, then one with M for every column.
 */
export const toSpectrum = (b: GraphBuilder, x: TensorId): TensorId => {
  const [n, c, h, w] = b.shape(x);
  const half = halfOf(w);
  const { rows, columns } = transformTables(b, [h, w]);
  const alongRows = b.reshape(times(b, x, rows), [n, c, h, 2, half]);
  const z = b.reshape(b.transpose(alongRows, [0, 1, 4, 3, 2]), [n, c, half, 2 * h]);
  const both = b.reshape(times(b, z, columns), [n, c, half, 2, h]);
  return b.reshape(b.transpose(both, [4, 2, 3, 1, 0]), [h * half, 2 * c, n]);
};

/**
 * The inverse of `toSpectrum`, by the transposes of its tables: [P, 2C, N] → [N, C, h, w]. Imaginary parts of what is its own conjugate are
 * dropped, as they are 0. With `read`, what an inverse that takes images for `read` pixels wide makes of the spectrum of wider ones.
 */
export const fromSpectrum = (b: GraphBuilder, y: TensorId, [h, w]: Size, read = w): TensorId => {
  const [, both, n] = b.shape(y);
  const [c, half] = [both / 2, halfOf(w)];
  const spectrum = b.transpose(b.reshape(y, [h, half, 2, c, n]), [4, 3, 1, 2, 0]);
  const z = times(b, b.reshape(spectrum, [n, c, half, 2 * h]), columnTable(b, h), true);
  const rows = b.reshape(b.transpose(b.reshape(z, [n, c, half, 2, h]), [0, 1, 4, 3, 2]), [n, c, h, 2 * half]);
  if (read === w) return times(b, rows, rowTable(b, w), true);
  const misread = table(b, 2 * half, read, (at, x) => {
    const v = at % half;
    const [cos, sin] = turn(x * v, read);
    const weight = (multiplicity(v, read) / read) * Math.sqrt(w / multiplicity(v, w));
    return weight * (at < half ? cos : -sin);
  });
  return times(b, rows, misread);
};

/** Σ_δ K[·,·,δ] e^(i·sign·(δ − shift)·θ) of a kernel [rows, columns, kh, kw] at the frequencies of an image: P matrices. */
export const symbol = (b: GraphBuilder, kernel: TensorId, [h, w]: Size, shift: Size, sign: 1 | -1): Complex => {
  const [rows, columns, kh, kw] = b.shape(kernel);
  const [points, half, taps] = [frequencies([h, w]), halfOf(w), kh * kw];
  const flat = b.reshape(kernel, [rows * columns, taps]);
  const component = (f: (angle: number) => number): TensorId => {
    const data = Array.from({ length: taps * points }, (_, at) => {
      const [tap, point] = [Math.floor(at / points), at % points];
      const du = (Math.floor(tap / kw) - shift[0]) * Math.floor(point / half);
      const dv = ((tap % kw) - shift[1]) * (point % half);
      return f(2 * Math.PI * ((du % h) / h + (dv % w) / w));
    });
    const table = b.literal(data, [taps, points]);
    return b.transpose(b.reshape(b.matmul(flat, table), [rows, columns, points]), [2, 0, 1]);
  };
  return { re: component(Math.cos), im: component(angle => sign * Math.sin(angle)) };
};

/** Rows [from, to) and columns [left, right). */
export const cut = (b: GraphBuilder, m: TensorId, [from, to]: Size, [left, right]: Size): TensorId =>
  b.slice(m, [0, from, left], [b.shape(m)[0], to, right]);

/** The same linear map on real vectors (re, im): [[re, −im], [im, re]], [P, 2·rows, 2·columns]. Its transpose is that of the adjoint. */
export const realBlocks = (b: GraphBuilder, { re, im }: Complex): TensorId =>
  b.concat([b.concat([re, b.unary('neg', im)], 2), b.concat([im, re], 2)], 1);

/** The matrices that `realBlocks` writes as `blocks`; all rows and columns, or the first ones. */
export const fromBlocks = (b: GraphBuilder, blocks: TensorId, rows?: number, columns?: number): Complex => {
  const [, r2, c2] = b.shape(blocks);
  const [r, right] = [rows ?? r2 / 2, columns ?? c2 / 2];
  return {
    re: cut(b, blocks, [0, r], [0, right]),
    im: cut(b, blocks, [r2 / 2, r2 / 2 + r], [0, right]),
  };
};

/** I, once for each frequency: [P, n, n]. */
export const identities = (b: GraphBuilder, points: number, n: number): TensorId =>
  b.broadcast(b.binary('equal', b.iota([n, n], 0), b.iota([n, n], 1)), [points, n, n], [1, 2]);

/** Without conjugation. */
export const transposed = (b: GraphBuilder, { re, im }: Complex): Complex => ({
  re: b.transpose(re, [0, 2, 1]),
  im: b.transpose(im, [0, 2, 1]),
});
