/**
 * A layer's rescaling as tensor graph: a vector T (positive where it is used) with G ⪯ diag(T), G the layer's Gram matrix. One
 * mechanism for every layer form, dense or convolutional; the rules are those of MATH.md's table, by the names of the literature.
 */
import { overlap } from '../../ir/conv-geometry.ts';
import { type LinearMap, type Param, type Rescaling, type Side, weightShape } from '../../ir/network.ts';
import { makesKernel } from '../../ir/orthogonal.ts';
import { toNumber, ZERO } from '../../ir/rational.ts';
import type { GraphBuilder, TensorId } from '../../ir/tensor.ts';
import { orthogonalMatrices } from './lower-orthogonal.ts';
import { orthogonalKernel } from './lower-orthogonal-kernel.ts';
import { convRowSums, scaleKernel } from './lower-polyphase.ts';
import { powerDiagonal } from './lower-power.ts';
import { spectralBound } from './lower-spectral.ts';

/**
 * A T_i at or below this (2⁻⁶⁰) counts as zero: the unit is switched off (t_i = 0, which is always sound) instead of divided by,
 * so that neither 1/T nor its derivative 1/T² leaves the range of f32.
 */
const NEGLIGIBLE = 2 ** -60;

/** exp(q) is used for |q| up to this: any positive weights are valid, and these keep every product inside f32. */
export const Q_LIMIT = 20;

/** v, one entry per index of `axis`, repeated to the shape of `like`. */
export const along = (b: GraphBuilder, v: TensorId, like: TensorId, axis: number): TensorId =>
  b.broadcast(v, b.shape(like), [axis]);

/** A number repeated to [n]. */
export const filled = (b: GraphBuilder, scalar: TensorId, n: number): TensorId => b.broadcast(scalar, [n], []);

/**
 * Σ_j |G_ij| p_j, p [m] > 0 (1 where it is absent): [m], m the rows (`out`) or columns (`in`) of the map. Of a convolution the sum runs over
 * every spatial offset too, which covers zero padding at every image size.
 */
export const rowSums = (b: GraphBuilder, map: LinearMap, weight: TensorId, side: Side, p?: TensorId): TensorId => {
  if (map.kind === 'conv') return convRowSums(b, map, weight, side, p);
  const product = side === 'out' ? b.matmul(weight, weight, { b: true }) : b.matmul(weight, weight, { a: true });
  const gram = b.unary('abs', product);
  return b.sum(p === undefined ? gram : b.mul(gram, along(b, p, gram, 1)), [1]);
};

/** A weight times v along its rows (`out`) or columns (`in`); v is [out] or [in]. */
export const scaleWeight = (b: GraphBuilder, map: LinearMap, weight: TensorId, v: TensorId, side: Side): TensorId =>
  map.kind === 'conv'
    ? scaleKernel(b, map, weight, v, side)
    : b.mul(weight, along(b, v, weight, side === 'out' ? 0 : 1));

/** q [m] kept within what f32 can take the exponential of. */
export const clampedExponent = (b: GraphBuilder, { path, shape }: Param): TensorId =>
  b.binary('min', b.binary('max', b.param(path, shape), b.constant(-Q_LIMIT, shape)), b.constant(Q_LIMIT, shape));

/**
 * q [m], shifted by a constant so that its largest entry is Q_LIMIT, then kept above −Q_LIMIT. Only differences of q count, so the
 * shift changes nothing and passes no gradient.
 */
const shiftedExponent = (b: GraphBuilder, { path, shape }: Param): TensorId => {
  const q = b.param(path, shape);
  const [m] = shape;
  const below = b.sub(q, filled(b, b.detach(b.maximum(q, [0])), m));
  return b.binary('max', b.offset(below, Q_LIMIT), b.constant(-Q_LIMIT, shape));
};

/** The diagonal of one rule: [m]. */
const diagonal = (
  b: GraphBuilder,
  map: LinearMap,
  weight: TensorId,
  image: readonly number[],
  rescaling: Exclude<Rescaling, { by: 'orthogonal' }>,
  side: Side,
): TensorId => {
  const m = side === 'out' ? map.out : map.in;
  const part = (r: Rescaling): TensorId => {
    if (r.by === 'orthogonal') throw new Error('lower: an orthogonal weight cannot be combined with another rescaling');
    return diagonal(b, map, weight, image, r, side);
  };
  switch (rescaling.by) {
    case 'spectral':
      return filled(b, b.offset(spectralBound(b, map, weight, image, rescaling.method), toNumber(rescaling.eps)), m);
    case 'power':
      return b.offset(powerDiagonal(b, map, weight, side, rescaling.steps), toNumber(rescaling.eps));
    case 'aol':
      return b.offset(rowSums(b, map, weight, side), toNumber(rescaling.eps));
    case 'frobenius': {
      const taps = map.kind === 'dense' ? 1 : overlap(map);
      const squares = b.scale(
        b.sum(
          b.mul(weight, weight),
          b.shape(weight).map((_, i) => i),
        ),
        taps,
      );
      return filled(b, b.offset(squares, toNumber(rescaling.eps)), m);
    }
    case 'schur': {
      const sizes = b.unary('abs', weight);
      const largest = (kept: number): TensorId => {
        const others = b.shape(weight).flatMap((_, i) => (i === kept ? [] : [i]));
        return b.maximum(b.sum(sizes, others), [0]);
      };
      return filled(b, b.offset(b.mul(largest(0), largest(1)), toNumber(rescaling.eps)), m);
    }
    case 'sll': {
      const eps = toNumber(rescaling.eps ?? ZERO);
      if (rescaling.shift) {
        // What is added to exp(q) does not shift with it.
        const p = b.offset(b.unary('exp', clampedExponent(b, rescaling.q)), toNumber(rescaling.shift));
        return b.offset(b.mul(rowSums(b, map, weight, side, p), b.unary('reciprocal', p)), eps);
      }
      // Σ_j |G_ij| exp(q_j − q_i) as a matrix-vector product, so that no m×m matrix of exponentials exists.
      const exponent = shiftedExponent(b, rescaling.q);
      const sums = rowSums(b, map, weight, side, b.unary('exp', exponent));
      const T = b.mul(sums, b.unary('exp', b.unary('neg', exponent)));
      return rescaling.eps ? b.offset(T, eps) : T;
    }
    case 'max':
      return rescaling.of.map(part).reduce((x, y) => b.binary('max', x, y));
    case 'convex':
      return rescaling.of.map(p => b.scale(part(p.part), toNumber(p.weight))).reduce(b.add);
    case 'scaled':
      return b.scale(part(rescaling.of), toNumber(rescaling.factor));
    default:
      return rescaling satisfies never;
  }
};

/** The weight as the map multiplies with it: (out, in) or (out, in, kh, kw), whichever way it is stored. */
const storedWeight = (b: GraphBuilder, map: LinearMap): TensorId => {
  const stored = b.param(map.weight.path, map.weight.shape);
  if (!map.transposed) return stored;
  return map.kind === 'dense' ? b.transpose(stored, [1, 0]) : b.reverse(b.transpose(stored, [1, 0, 2, 3]), [2, 3]);
};

/**
 * The weight a layer really uses, and its T: [out] (`side` 'out', Gram matrix W Wᵀ of the stored weight) or [in] (`side` 'in',
 * WᵀW). `image` is the shape of the map's input, which only the operator norm of a convolution depends on.
 */
export const lowerRescaling = (
  b: GraphBuilder,
  map: LinearMap,
  image: readonly number[],
  rescaling: Rescaling,
  side: Side,
): { readonly weight: TensorId; readonly T: TensorId } => {
  const stored = storedWeight(b, map);
  if (rescaling.by !== 'orthogonal') return { weight: stored, T: diagonal(b, map, stored, image, rescaling, side) };
  const m = side === 'out' ? map.out : map.in;
  const { method } = rescaling;
  if (makesKernel(method)) {
    if (map.kind === 'dense') throw new Error(`lower: ${method.family} of a matrix`);
    return { weight: orthogonalKernel(b, map, method, stored), T: b.constant(1, [m]) };
  }
  // A kernel whose reshaped matrix has norm 1 is a convolution of norm at most √(outputs that read one input).
  const T = b.constant(map.kind === 'dense' ? 1 : overlap(map), [m]);
  return { weight: b.reshape(orthogonalMatrices(b, map, method, stored), weightShape(map)), T };
};

/** 1/T, and 0 where T is negligible. */
export const inverseOrZero = (b: GraphBuilder, T: TensorId): TensorId => {
  const { used, safe, zero } = guard(b, T);
  return b.select(used, b.unary('reciprocal', safe), zero);
};

/** 1/√T, and 0 where T is negligible. */
export const inverseRootOrZero = (b: GraphBuilder, T: TensorId): TensorId => {
  const { used, safe, zero } = guard(b, T);
  return b.select(used, b.unary('reciprocal', b.unary('sqrt', safe)), zero);
};

/** The select comes before the reciprocal, so that no infinity is made and no gradient is 0·∞. */
const guard = (b: GraphBuilder, T: TensorId): { used: TensorId; safe: TensorId; zero: TensorId } => {
  const shape = b.shape(T);
  const used = b.binary('greater', T, b.constant(NEGLIGIBLE, shape));
  return { used, safe: b.select(used, T, b.constant(1, shape)), zero: b.constant(0, shape) };
};
