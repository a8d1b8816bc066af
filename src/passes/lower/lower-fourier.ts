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

/** cos and sin of 2π·a·b/n for a < rows, b < columns, side by side: [rows, 2·columns]. The integer product is reduced first, exactly. */
const waves = (b: GraphBuilder, n: number, rows: number, columns: number): TensorId => {
  const angle = (at: number): number => {
    const [row, column] = [Math.floor(at / (2 * columns)), at % columns];
    return (2 * Math.PI * ((row * column) % n)) / n;
  };
  const data = Array.from({ length: rows * 2 * columns }, (_, at) =>
    at % (2 * columns) < columns ? Math.cos(angle(at)) : Math.sin(angle(at)),
  );
  return b.literal(data, [rows, 2 * columns]);
};

/** Entries [from, to) of the last axis. */
const last = (b: GraphBuilder, x: TensorId, from: number, to: number): TensorId => {
  const shape = b.shape(x);
  const lead = shape.slice(0, -1);
  return b.slice(x, [...lead.map(() => 0), from], [...lead, to]);
};

/** x [.., n] times a table [n, 2m]: the products with its two halves, [.., m] each. */
const withBoth = (b: GraphBuilder, x: TensorId, table: TensorId): readonly [TensorId, TensorId] => {
  const shape = b.shape(x);
  const [n, both] = b.shape(table);
  const rows = shape.slice(0, -1);
  const flat = b.matmul(b.reshape(x, [rows.reduce((p, d) => p * d, 1), n]), table);
  const y = b.reshape(flat, [...rows, both]);
  return [last(b, y, 0, both / 2), last(b, y, both / 2, both)];
};

/** The transform Σ x e^(−iθδ) of images [N, C, h, w], as a real vector (re, im) of channels at each frequency: [P, 2C, N]. */
export const toSpectrum = (b: GraphBuilder, x: TensorId): TensorId => {
  const [n, c, h, w] = b.shape(x);
  const half = halfOf(w);
  // Along the rows: cosine and sine sums, [N, C, half, h].
  const [cosine, sine] = withBoth(b, x, waves(b, w, w, half)).map(t => b.transpose(t, [0, 1, 3, 2]));
  const columns = waves(b, h, h, h);
  const [cc, cs] = withBoth(b, cosine, columns);
  const [sc, ss] = withBoth(b, sine, columns);
  // (cos − i sin)(cos − i sin), then [h, half, C, N].
  const place = (t: TensorId): TensorId => b.reshape(b.transpose(t, [3, 2, 1, 0]), [h * half, c, n]);
  return b.concat([place(b.sub(cc, ss)), b.unary('neg', place(b.add(cs, sc)))], 1);
};

/** The inverse of `toSpectrum`: [P, 2C, N] → [N, C, h, w]. Imaginary parts of what is its own conjugate are dropped, as they are 0. */
export const fromSpectrum = (b: GraphBuilder, y: TensorId, [h, w]: Size): TensorId => {
  const [points, both, n] = b.shape(y);
  const [c, half] = [both / 2, halfOf(w)];
  const part = (from: number): TensorId =>
    b.transpose(b.reshape(b.slice(y, [0, from, 0], [points, from + c, n]), [h, half, c, n]), [3, 2, 1, 0]);
  const columns = waves(b, h, h, h);
  const [rc, rs] = withBoth(b, part(0), columns);
  const [ic, is] = withBoth(b, part(c), columns);
  // [N, C, half, h] → [N, C, h, half]
  const re = b.transpose(b.sub(rc, is), [0, 1, 3, 2]);
  const im = b.transpose(b.add(rs, ic), [0, 1, 3, 2]);
  // Each kept frequency stands for itself and its conjugate, but for v = 0 and, w even, v = w/2.
  const weight = (v: number): number => (v === 0 || 2 * v === w ? 1 : 2) / (h * w);
  const data = Array.from({ length: 2 * half * w }, (_, at) => {
    const [row, column] = [Math.floor(at / w), at % w];
    const v = row % half;
    const angle = (2 * Math.PI * ((v * column) % w)) / w;
    return weight(v) * (row < half ? Math.cos(angle) : -Math.sin(angle));
  });
  const flat = b.reshape(b.concat([re, im], 3), [n * c * h, 2 * half]);
  return b.reshape(b.matmul(flat, b.literal(data, [2 * half, w])), [n, c, h, w]);
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
