/** The Cayley transform of a rectangular matrix (Trockman & Kolter, ICLR 2021). */
import type { GraphBuilder, TensorId } from '../../ir/tensor.ts';

export const identityMatrix = (b: GraphBuilder, n: number): TensorId =>
  b.binary('equal', b.iota([n, n], 0), b.iota([n, n], 1));

/** ‖a‖_F > 0 or 1: the norm to divide by, safe at a = 0. */
export const frobeniusOrOne = (b: GraphBuilder, a: TensorId): TensorId => {
  const squares = b.sum(
    b.mul(a, a),
    b.shape(a).map((_, i) => i),
  );
  const one = b.constant(1);
  return b.unary('sqrt', b.select(b.binary('greater', squares, b.constant(0)), squares, one));
};

/**
 * Orthogonal rows or columns from any w [out, in] and scale alpha []: with w' = alpha·w/‖w‖_F = [U; V], U square, and
 * A = U − Uᵀ + VᵀV, the columns of [(I + A)⁻¹(I − A); −2V(I + A)⁻¹] are orthonormal. A matrix wider than tall is transposed first.
 */
export const cayley = (b: GraphBuilder, w: TensorId, alpha: TensorId): TensorId => {
  const [out, columns] = b.shape(w);
  const scaled = b.mul(w, b.broadcast(b.div(alpha, frobeniusOrOne(b, w)), [out, columns], []));
  return cayleyTransform(b, scaled);
};

/** The same of w [out, in] itself, without a scale. */
export const cayleyTransform = (b: GraphBuilder, w: TensorId): TensorId => {
  const [out, columns] = b.shape(w);
  return columns > out ? b.transpose(tall(b, b.transpose(w, [1, 0])), [1, 0]) : tall(b, w);
};

/** (I + A)⁻¹(I − A) of a skew A [n, n]. */
export const skewCayley = (b: GraphBuilder, skew: TensorId): TensorId => {
  const identity = identityMatrix(b, b.shape(skew)[0]);
  return b.matmul(b.inverse(b.add(identity, skew)), b.sub(identity, skew));
};

const tall = (b: GraphBuilder, w: TensorId): TensorId => {
  const [rows, n] = b.shape(w);
  const u = rows === n ? w : b.slice(w, [0, 0], [n, n]);
  const skew = b.sub(u, b.transpose(u, [1, 0]));
  if (rows === n) return skewCayley(b, skew);
  const identity = identityMatrix(b, n);
  const v = b.slice(w, [n, 0], [rows, n]);
  const a = b.add(skew, b.matmul(v, v, { a: true }));
  const inverse = b.inverse(b.add(identity, a));
  return b.concat([b.matmul(inverse, b.sub(identity, a)), b.scale(b.matmul(v, inverse), -2)], 0);
};
