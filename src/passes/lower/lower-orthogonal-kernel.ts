/** Kernels whose convolution on the infinite lattice has norm at most 1, so on every image and with every stride, zeros or circular padding. */
import type { LinearMap } from '../../ir/network.ts';
import { halfOf, type OrthogonalMethod } from '../../ir/orthogonal.ts';
import { convAttrs, type GraphBuilder, type TensorId } from '../../ir/tensor.ts';
import { identityMatrix } from './lower-cayley.ts';
import { bjorck, scaled } from './lower-norm-scale.ts';

type Conv = Extract<LinearMap, { kind: 'conv' }>;
type KernelMethod = Extract<OrthogonalMethod, { family: 'bcop' | 'aoc' }>;

/** The kernel of `second` after `first`, [o, m, a, b] and [m, i, c, d] → [o, i, a + c − 1, b + d − 1]. */
const composed = (b: GraphBuilder, second: TensorId, first: TensorId): TensorId => {
  const [, , kh, kw] = b.shape(second);
  const images = b.transpose(first, [1, 0, 2, 3]);
  const full = b.conv(images, b.reverse(second, [2, 3]), convAttrs({ padding: [kh - 1, kw - 1] }));
  return b.transpose(full, [1, 0, 2, 3]);
};

/**
 * (P + (I − P)S)(Q + (I − Q)S′), S and S′ shifts by one row and one column, as a 2×2 kernel. For symmetric 0 ⪯ P ⪯ I the first factor is
 * normal with eigenvalues p + (1 − p)e^{iθ}, in the unit disc.
 */
const pairKernel = (b: GraphBuilder, p: TensorId, q: TensorId): TensorId => {
  const [c] = b.shape(p);
  const identity = identityMatrix(b, c);
  const [p1, q1] = [b.sub(identity, p), b.sub(identity, q)];
  const tap = (x: TensorId, y: TensorId): TensorId => b.reshape(b.matmul(x, y), [c, c, 1, 1]);
  const row = (x: TensorId): TensorId => b.concat([tap(x, q), tap(x, q1)], 3);
  return b.concat([row(p), row(p1)], 2);
};

const entry = (b: GraphBuilder, stack: TensorId, at: number): TensorId => {
  const [, rows, columns] = b.shape(stack);
  return b.reshape(b.slice(stack, [at, 0, 0], [at + 1, rows, columns]), [rows, columns]);
};

/** B Bᵀ of each B [n, c, m]. */
const symmetricFactors = (b: GraphBuilder, stack: TensorId): TensorId => b.matmul(stack, stack, { b: true });

/** Kernel i + ⌊n/2⌋ after kernel i, again and again: the order in which published kernels of AOC are composed. */
const composedByHalves = (b: GraphBuilder, kernels: readonly TensorId[]): TensorId | undefined => {
  let rest = kernels;
  while (rest.length > 1) {
    const half = rest.length >> 1;
    const pairs = rest.slice(0, half).map((k, i) => composed(b, rest[i + half], k));
    rest = rest.length % 2 === 0 ? pairs : [...pairs, rest[rest.length - 1]];
  }
  return rest[0];
};

/** `matrix` as a 1×1 kernel, followed by `after`, cut to [out, in, …]. */
const cut = (
  b: GraphBuilder,
  after: TensorId | undefined,
  matrix: TensorId,
  out: number,
  columns: number,
): TensorId => {
  const [c] = b.shape(matrix);
  const first = b.reshape(b.slice(matrix, [0, 0], [c, columns]), [c, columns, 1, 1]);
  const kernel = after === undefined ? first : composed(b, after, first);
  const shape = b.shape(kernel);
  return shape[0] === out ? kernel : b.slice(kernel, [0, 0, 0, 0], [out, ...shape.slice(1)]);
};

/** stored [2k − 1, c, c]: a matrix, and two for each of the k − 1 kernels 2×2. */
const bcop = (b: GraphBuilder, map: Conv, stored: TensorId, method: KernelMethod): TensorId => {
  const [count, c] = b.shape(stored);
  const all = bjorck(b, scaled(b, stored, method.scale, 2), method.steps);
  const first = b.transpose(entry(b, all, 0), [1, 0]);
  if (count === 1) return cut(b, undefined, first, map.out, map.in);
  const half = halfOf(c);
  const factors = symmetricFactors(b, b.slice(all, [1, 0, 0], [count, c, half]));
  const pairs = Array.from({ length: (count - 1) / 2 }, (_, i) =>
    pairKernel(b, entry(b, factors, 2 * i + 1), entry(b, factors, 2 * i)),
  );
  return cut(
    b,
    pairs.reduce((k, pair) => composed(b, pair, k)),
    first,
    map.out,
    map.in,
  );
};

/** stored [2k, c, ⌊c/2⌋]: two factors of the matrix, k − 1 that act on rows, k − 1 on columns. */
const aoc = (b: GraphBuilder, out: number, columns: number, stored: TensorId, method: KernelMethod): TensorId => {
  const [count, c] = b.shape(stored);
  const factors = symmetricFactors(b, bjorck(b, scaled(b, stored, method.scale, 2), method.steps));
  const reflection = (at: number): TensorId => b.sub(identityMatrix(b, c), b.scale(entry(b, factors, at), 2));
  const first = b.matmul(reflection(0), reflection(1));
  const n = count / 2 - 1;
  const pairs = Array.from({ length: n }, (_, i) =>
    pairKernel(b, entry(b, factors, 2 + i), entry(b, factors, 2 + n + i)),
  );
  return cut(b, composedByHalves(b, pairs), first, out, columns);
};

/** The kernel (out, in, kh, kw) that `method` makes of `stored`. */
export const orthogonalKernel = (b: GraphBuilder, map: Conv, method: KernelMethod, stored: TensorId): TensorId => {
  if (method.family === 'bcop') return bcop(b, map, stored, method);
  if (!method.last) return aoc(b, map.out, map.in, stored, method);
  const { path, shape } = method.last;
  const [out, middle, ...kernel] = shape;
  const matrix = b.reshape(b.param(path, shape), [out, middle * kernel[0] * kernel[1]]);
  const last = b.reshape(bjorck(b, scaled(b, matrix, method.scale, 2), method.steps), shape);
  return composed(b, last, aoc(b, middle, map.in, stored, method));
};
