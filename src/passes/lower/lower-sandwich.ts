/** Sandwich layers (Wang & Manchester, ICML 2023) as tensor graph. */
import { isPointwise } from '../../ir/conv-geometry.ts';
import type { LayerOp, Param } from '../../ir/network.ts';
import type { GraphBuilder, TensorId } from '../../ir/tensor.ts';
import { lowerActivation } from './lower-activation.ts';
import { cayley } from './lower-cayley.ts';
import { fourierCayley, perPixel, pointwiseCayley } from './lower-contraction.ts';
import type { Emit } from './lower-formula.ts';
import { cut, fromSpectrum, realBlocks, symbol, toSpectrum, transformTables } from './lower-fourier.ts';
import { along, clampedExponent } from './lower-rescaling.ts';

type Sandwich = Extract<LayerOp, { kind: 'sandwich' }>;

const read = (b: GraphBuilder, p: Param): TensorId => b.param(p.path, p.shape);

/** √2·exp(psi) and √2·exp(−psi): [out]. Each is positive, and the product of a pair is 2. */
const multipliers = (b: GraphBuilder, psi: Param): { readonly d: TensorId; readonly e: TensorId } => {
  const exponent = clampedExponent(b, psi);
  return {
    d: b.scale(b.unary('exp', exponent), Math.SQRT2),
    e: b.scale(b.unary('exp', b.unary('neg', exponent)), Math.SQRT2),
  };
};

const biased = (b: GraphBuilder, op: Sandwich, z: TensorId): TensorId =>
  op.bias ? b.add(z, along(b, read(b, op.bias), z, 1)) : z;

/** Aᵀ(d ⊙ σ(e ⊙ Bx + b)), `second` and `first` being B and Aᵀ as maps. */
const between = (
  b: GraphBuilder,
  op: Sandwich,
  x: TensorId,
  second: (x: TensorId) => TensorId,
  first: (u: TensorId) => TensorId,
): TensorId => {
  const { d, e } = multipliers(b, op.psi);
  const inner = second(x);
  const u = lowerActivation(b, op.act, biased(b, op, b.mul(inner, along(b, e, inner, 1))));
  return first(b.mul(u, along(b, d, u, 1)));
};

/** One matrix for a vector, or for every pixel of an image. */
const onMatrix = (
  b: GraphBuilder,
  op: Sandwich,
  x: TensorId,
  q: TensorId,
  mode: 'train' | 'inference',
  emit: Emit,
): TensorId => {
  const { out } = op;
  const first = b.slice(q, [0, 0], [out, out]);
  const second = b.slice(q, [0, out], [out, out + op.in]);
  const { d, e } = multipliers(b, op.psi);
  if (mode === 'train') {
    // The multipliers go into the small matrices, so that no pass over activations, forward or backward, exists for them.
    const scaled = (m: TensorId, by: TensorId): TensorId => b.mul(m, along(b, by, m, 0));
    const z = biased(b, op, perPixel(b, scaled(second, e), x));
    return perPixel(b, scaled(first, d), lowerActivation(b, op.act, z), true);
  }
  emit(q, d, e);
  return between(
    b,
    op,
    x,
    v => perPixel(b, second, v),
    u => perPixel(b, first, u, true),
  );
};

/** y for x [N, in, …] → [N, out, …]; of images, the inverse transforms take them for `width` pixels wide. */
export const lowerSandwich = (
  b: GraphBuilder,
  op: Sandwich,
  x: TensorId,
  mode: 'train' | 'inference',
  emit: Emit,
  width = b.shape(x)[3],
): TensorId => {
  const { out } = op;
  const all = out + op.in;
  const weight = read(b, op.weight);
  const alpha = b.reshape(read(b, op.alpha), []);
  if (!op.kernel) return onMatrix(b, op, x, cayley(b, weight, alpha), mode, emit);
  if (isPointwise(op.kernel) && width === b.shape(x)[3])
    return onMatrix(b, op, x, pointwiseCayley(b, weight, alpha, x), mode, emit);
  const [, , h, w] = b.shape(x);
  const shift = op.kernel.map(k => Math.floor((k - 1) / 2)) as [number, number];
  const q = fourierCayley(b, symbol(b, weight, [h, w], shift, 1), alpha);
  const part = (from: number, to: number): TensorId =>
    realBlocks(b, { re: cut(b, q.re, [0, out], [from, to]), im: cut(b, q.im, [0, out], [from, to]) });
  // [A B] at every frequency as one tensor of real matrices.
  const both = b.concat([part(0, out), part(out, all)], 2);
  const [first, second] = [cut(b, both, [0, 2 * out], [0, 2 * out]), cut(b, both, [0, 2 * out], [2 * out, 2 * all])];
  const { d, e } = multipliers(b, op.psi);
  if (mode === 'inference') emit(both, d, e, transformTables(b, [h, w]));
  return between(
    b,
    op,
    x,
    v => fromSpectrum(b, b.matmul(second, toSpectrum(b, v)), [h, w], width),
    u => fromSpectrum(b, b.matmul(first, toSpectrum(b, u), { a: true }), [h, w], width),
  );
};
