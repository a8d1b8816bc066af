/** Matrices brought to a known norm, and Björck's iteration from there; [B…, rows, columns], one by one. */
import type { NormScale } from '../../ir/orthogonal.ts';
import { toNumber } from '../../ir/rational.ts';
import type { GraphBuilder, TensorId } from '../../ir/tensor.ts';
import { matrixBounds } from './lower-spectral.ts';

/**
 * w divided so that ‖w‖ ≤ 1, or ≤ `limit` where `scale` only clips. The divisor is an upper bound of the norm, so this holds for every w; a
 * zero matrix stays zero.
 */
export const scaled = (b: GraphBuilder, w: TensorId, scale: NormScale, limit: number): TensorId => {
  if (scale.kind === 'none') return w;
  const shape = b.shape(w);
  const batch = shape.slice(0, -2);
  const squared =
    scale.kind === 'frobenius'
      ? b.sum(b.mul(w, w), [shape.length - 2, shape.length - 1])
      : matrixBounds(b, w, scale.steps);
  const present = b.binary('greater', squared, b.constant(0, batch));
  const norm = b.unary('sqrt', b.select(present, squared, b.constant(1, batch)));
  const divisor =
    scale.kind === 'clip'
      ? b.binary('max', b.scale(norm, 1 / limit), b.constant(1, batch))
      : b.offset(norm, toNumber(scale.eps));
  return b.mul(
    w,
    b.broadcast(
      b.unary('reciprocal', divisor),
      shape,
      batch.map((_, i) => i),
    ),
  );
};

/**
 * `steps` times w ← (3w − wwᵀw)/2: every singular value σ becomes σ(3 − σ²)/2, which lies in [−1, 1] for σ in [0, 2]. The smaller Gram
 * matrix is used.
 */
export const bjorck = (b: GraphBuilder, w: TensorId, steps: number): TensorId => {
  const shape = b.shape(w);
  const wide = shape[shape.length - 2] <= shape[shape.length - 1];
  let at = w;
  for (let i = 0; i < steps; i++) {
    const cube = wide ? b.matmul(b.matmul(at, at, { b: true }), at) : b.matmul(at, b.matmul(at, at, { a: true }));
    at = b.sub(b.scale(at, 1.5), b.scale(cube, 0.5));
  }
  return at;
};
