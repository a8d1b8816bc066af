/**
 * Matrices of norm at most 1 from trained numbers, in the primitives: each family's formula as the prover's rule states it, for matrices
 * r×c that may be wide or tall. `lower-orthogonal-kernel.ts` makes kernels of them.
 */
import { elements, type LinearMap } from '../../ir/network.ts';
import { type MatrixMethod, matrixSides, seriesLimit } from '../../ir/orthogonal.ts';
import { toNumber } from '../../ir/rational.ts';
import type { GraphBuilder, TensorId } from '../../ir/tensor.ts';
import { cayley, cayleyTransform, identityMatrix, skewCayley } from './lower-cayley.ts';
import { bjorck, scaled } from './lower-norm-scale.ts';

/** `f` of the tall one of w and wᵀ, turned back. */
const tall = (b: GraphBuilder, w: TensorId, f: (w: TensorId) => TensorId): TensorId => {
  const [rows, columns] = b.shape(w);
  return columns > rows ? b.transpose(f(b.transpose(w, [1, 0])), [1, 0]) : f(w);
};

const corner = (b: GraphBuilder, a: TensorId, rows: number, columns: number): TensorId => {
  const shape = b.shape(a);
  return shape[0] === rows && shape[1] === columns ? a : b.slice(a, [0, 0], [rows, columns]);
};

const toSquare = (b: GraphBuilder, w: TensorId): TensorId => {
  const [rows, columns] = b.shape(w);
  const n = Math.max(rows, columns);
  return rows === columns ? w : b.pad(w, [0, 0], [n - rows, n - columns]);
};

/** What of w [rows, columns] lies strictly below the diagonal. */
const strictlyLower = (b: GraphBuilder, w: TensorId): TensorId => {
  const shape = b.shape(w);
  return b.mul(w, b.binary('greater', b.iota(shape, 0), b.iota(shape, 1)));
};

/** L − Lᵀ of L, the part of the tall w [n, r] below the diagonal, completed by zero columns: [n, n]. */
const skewOfLower = (b: GraphBuilder, w: TensorId): TensorId => {
  const lower = toSquare(b, strictlyLower(b, w));
  return b.sub(lower, b.transpose(lower, [1, 0]));
};

/**
 * The first r columns of ∏ (I − 2uuᵀ), u the columns of v [n, r] divided by their norms, or 0. By the UT transform (Walker 1988; Joffrain et
 * al., ACM TOMS 2006) the product is I − U M⁻¹ Uᵀ with M the upper triangle of UᵀU, its diagonal halved: one inverse in place of r updates.
 */
const reflections = (b: GraphBuilder, v: TensorId): TensorId => {
  const [n, r] = b.shape(v);
  const squares = b.sum(b.mul(v, v), [0]);
  const present = b.binary('greater', squares, b.constant(0, [r]));
  const norm = b.unary('sqrt', b.select(present, squares, b.constant(1, [r])));
  const u = b.mul(v, b.broadcast(b.unary('reciprocal', norm), [n, r], [1]));
  const gram = b.matmul(u, u, { a: true });
  const upper = b.mul(gram, b.binary('greater', b.iota([r, r], 1), b.iota([r, r], 0)));
  const inverse = b.inverse(b.add(upper, b.scale(identityMatrix(b, r), 0.5)));
  const moved = b.matmul(b.matmul(u, inverse), corner(b, u, r, r), { b: true });
  return b.sub(corner(b, identityMatrix(b, n), n, r), moved);
};

/** Columns with a 1 on the diagonal over what lies below it; column c of the product times the sign of w's entry (c, c), 0 counting as 1. */
const signedReflections = (b: GraphBuilder, w: TensorId): TensorId => {
  const [n, r] = b.shape(w);
  const identity = corner(b, identityMatrix(b, n), n, r);
  const diagonal = b.sum(b.mul(w, identity), [0]);
  const negative = b.binary('greater', b.constant(0, [r]), diagonal);
  const sign = b.offset(b.scale(negative, -2), 1);
  return b.mul(reflections(b, b.add(strictlyLower(b, w), identity)), b.broadcast(sign, [n, r], [1]));
};

/** I − 2V(VᵀV + ε I)⁻¹Vᵀ of v [n, rank], ε = eps · mean diagonal of VᵀV; the identity for v = 0. */
const blockReflection = (b: GraphBuilder, v: TensorId, eps: number): TensorId => {
  const [n, rank] = b.shape(v);
  const gram = b.matmul(v, v, { a: true });
  const trace = b.sum(b.mul(v, v), [0, 1]);
  const present = b.binary('greater', trace, b.constant(0));
  const shift = b.select(present, b.scale(trace, eps / rank), b.constant(1));
  const identity = identityMatrix(b, rank);
  const inverse = b.inverse(b.add(gram, b.mul(identity, b.broadcast(shift, [rank, rank], []))));
  return b.sub(identityMatrix(b, n), b.scale(b.matmul(b.matmul(v, inverse), v, { b: true }), 2));
};

/** (Σ_{m ≤ degree} (a/2^s)^m/m!)^(2^s), the sum by Horner's rule. */
const exponentialSeries = (b: GraphBuilder, a: TensorId, degree: number, squarings: number): TensorId => {
  const identity = identityMatrix(b, b.shape(a)[0]);
  const small = b.scale(a, 2 ** -squarings);
  let sum = b.add(identity, b.scale(small, 1 / degree));
  for (let m = degree - 1; m >= 1; m--) sum = b.add(identity, b.scale(b.matmul(small, sum), 1 / m));
  for (let i = 0; i < squarings; i++) sum = b.matmul(sum, sum);
  return sum;
};

/**
 * L⁻¹W, LLᵀ = WWᵀ + eps I, of the wide one of w and wᵀ: with D the diagonal of LLᵀ it is K⁻¹D^(−1/2)W, KKᵀ = D^(−1/2)LLᵀD^(−1/2) of
 * diagonal 1. A row that is 0, or depends on the rows before it, becomes 0.
 */
const whitened = (b: GraphBuilder, w: TensorId, eps: number): TensorId =>
  tall(b, w, columns => {
    const [n, r] = b.shape(columns);
    const squares = b.offset(b.sum(b.mul(columns, columns), [0]), eps);
    const present = b.binary('greater', squares, b.constant(0, [r]));
    const root = b.unary('sqrt', b.select(present, squares, b.constant(1, [r])));
    const scale = b.unary('reciprocal', root);
    const unit = b.mul(columns, b.broadcast(scale, [n, r], [1]));
    const gram = b.matmul(unit, unit, { a: true });
    const shift = b.broadcast(b.scale(b.mul(scale, scale), eps), [r, r], [0]);
    const shifted = eps === 0 ? gram : b.add(gram, b.mul(identityMatrix(b, r), shift));
    return b.matmul(unit, b.inverseCholesky(shifted), { b: true });
  });

/** The matrix of each group of `map`, one below the other, from what is stored for it. */
export const orthogonalMatrices = (
  b: GraphBuilder,
  map: LinearMap,
  method: MatrixMethod,
  stored: TensorId,
): TensorId => {
  const sides = matrixSides(map);
  const size = elements(b.shape(stored));
  const width = method.family === 'bro' ? method.rank : sides[1];
  const flat = b.reshape(stored, [size / width, width]);
  const groups = map.kind === 'dense' ? 1 : map.groups;
  const rows = size / width / groups;
  const each = Array.from({ length: groups }, (_, g) => {
    const own = groups === 1 ? flat : b.slice(flat, [g * rows, 0], [(g + 1) * rows, width]);
    return orthogonalMatrix(b, method, own, sides);
  });
  return b.concat(each, 0);
};

/** The matrix [rows, columns] of norm at most 1 that `method` makes of `stored`: of that shape too, but for `bro` ([n, rank]). */
const orthogonalMatrix = (
  b: GraphBuilder,
  method: MatrixMethod,
  stored: TensorId,
  [rows, columns]: readonly [number, number],
): TensorId => {
  switch (method.family) {
    case 'cayley':
      if (method.form === 'lower')
        return tall(b, stored, w => corner(b, skewCayley(b, b.scale(skewOfLower(b, w), -0.5)), ...sides(b, w)));
      return method.alpha
        ? cayley(b, stored, b.reshape(b.param(method.alpha.path, method.alpha.shape), []))
        : cayleyTransform(b, stored);
    case 'householder':
      return tall(b, stored, w => (method.form === 'lower' ? signedReflections(b, w) : reflections(b, w)));
    case 'bro':
      return corner(b, blockReflection(b, stored, toNumber(method.eps)), rows, columns);
    case 'bjorck':
      return bjorck(b, scaled(b, stored, method.scale, 2), method.steps);
    case 'exponential': {
      const { scale, degree, squarings } = method;
      const limit = seriesLimit(degree, squarings);
      if (method.form === 'lower')
        return tall(b, stored, w => {
          const a = scaled(b, skewOfLower(b, w), scale, limit);
          return corner(b, exponentialSeries(b, a, degree, squarings), ...sides(b, w));
        });
      const square = toSquare(b, scale.kind === 'clip' ? stored : scaled(b, stored, scale, 1));
      const skew = b.scale(b.sub(square, b.transpose(square, [1, 0])), 0.5);
      const a = scale.kind === 'clip' ? scaled(b, skew, scale, limit) : skew;
      return corner(b, exponentialSeries(b, a, degree, squarings), rows, columns);
    }
    case 'cholesky':
      return whitened(b, stored, toNumber(method.eps));
    case 'qr':
      return whitened(b, stored, 0);
    default:
      return method satisfies never;
  }
};

const sides = (b: GraphBuilder, w: TensorId): readonly [number, number] => {
  const [rows, columns] = b.shape(w);
  return [rows, columns];
};
