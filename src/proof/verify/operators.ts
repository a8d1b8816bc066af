/** Operators on images as they were emitted: matrices at every frequency between two transforms, and the series of a skew convolution. */
import { isDominated } from './gram.ts';
import type { Emitted } from './made.ts';
import { abs, atMost, fromFloat, mul, need, ONE, parseDyadic, type Q, q, rootUp, square, sub, sum } from './numbers.ts';
import { listOf, oneOf, read } from './read.ts';
import { fromSide, readMap, type Shape, size, squaredNorm } from './weight.ts';

/** Whether all matrices of `data`, [.., rows, columns] by their `shape`, have squared norms of at most T. */
const below = (data: Float32Array, shape: Shape, T: number, exact: boolean): boolean => {
  const [out, columns] = shape.slice(-2);
  for (let from = 0; from < data.length; from += out * columns) {
    const matrix = { out, in: columns, kh: 1, kw: 1, data: data.subarray(from, from + out * columns) };
    const k = fromSide(matrix, out <= columns ? 'rows' : 'columns');
    if (!isDominated(k, new Array<number>(k.n).fill(T), exact)) return false;
  }
  return true;
};

/**
 * ‖F*QF‖² for images of h×w pixels. F is a product with R for every row, giving ⌊w/2⌋ + 1 real and as many imaginary parts, then one with M
 * for every column of both; F* the same with their transposes. Q is one matrix W, `rows` × `columns`, for each of the h·(⌊w/2⌋ + 1) places
 * between: as a map on all of them it has the largest of their norms. (With more columns than Q reads, as in [A B], also of [F*AF F*BF].)
 */
export const inSpectrum = (e: Emitted, where: string, [h, w]: Shape, rows: number, columns: number): Q => {
  const half = Math.floor(w / 2) + 1;
  const { T } = read(e.dominance, where, { rule: oneOf('spectrum'), T: listOf(parseDyadic, 3) });
  const stages = Object.entries({
    R: [w, 2 * half],
    M: [2 * h, 2 * h],
    W: [h * half, rows, columns],
  }).map(([name, shape], n) => ({ name, shape, data: e.tensor(name, shape), T: T[n] }));
  const check = () => {
    for (const { name, shape, data, T } of stages)
      need(below(data, shape, T, e.mode.exact ?? false), `${where}: ${name} could not be shown to stay below T`);
    const [r, m, norm] = T.map(fromFloat);
    return { side: 'rows', T: [mul(square(mul(r, m)), norm)] };
  };
  return (e.mode.dominance ? e.mode.dominance(where, check) : check()).T[0];
};

/** The next multiple of 2^−bits above a, a ≥ 0. */
const above = (a: Q, bits: bigint): Q => q((a.num << bits) / a.den + 1n, 1n << bits);

/**
 * The squared norm of p(A) for the convolution A with the emitted kernel W and p(x) = 1 + c₁x(1 + c₂x(1 + …)). A is skew, so it is normal with
 * spectrum iy, y² ≤ ‖A‖². Where that is at most `window`, |Σ (iy)^m/m!| ≤ 1; coefficients that are not 1/m! add their difference.
 */
export const series = (
  e: Emitted,
  where: string,
  image: Shape,
  { degree, window, kernel, mode }: { degree: number; window: Q; kernel: Shape; mode: string },
): Q => {
  const [n, area] = [image[0], size(kernel)];
  const K = e.tensor('W', [n, n, ...kernel]);
  const opposite = (at: number): number => {
    const [o, i, tap] = [Math.floor(at / (n * area)), Math.floor(at / area) % n, at % area];
    return (i * n + o) * area + area - 1 - tap;
  };
  need(
    kernel.every(k => k % 2 === 1) && K.every((v, at) => v === -K[opposite(at)]),
    `${where}: the kernel is not the negative of its adjoint`,
  );
  const padding = kernel.map(k => (k - 1) / 2);
  const map = {
    kind: 'conv',
    weight: 'W',
    out: n,
    in: n,
    kernel,
    stride: [1, 1],
    padding,
    dilation: [1, 1],
    groups: 1,
  };
  const T = squaredNorm(e.dominance, where, readMap({ ...map, mode }, where, image), K, e.mode);
  need(atMost(T, window), `${where}: the norm of the kernel is not within the window of the series`);
  const y = above(rootUp(T), 8n);
  let [emitted, exact] = [ONE, ONE];
  const differences = Array.from(e.tensor('c', [degree]), (c, at) => {
    emitted = mul(emitted, mul(fromFloat(c), y));
    exact = mul(exact, mul(q(1, BigInt(at + 1)), y));
    return abs(sub(emitted, exact));
  });
  return square(above(sum([ONE, ...differences]), 40n));
};
