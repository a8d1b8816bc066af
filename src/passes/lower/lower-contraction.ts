/** Linear maps of norm at most 1 that are applied as operators: convolutions by Fourier transform, and by the exponential of a skew kernel. */
import { isPointwise, middleTap } from '../../ir/conv-geometry.ts';
import type { ContractionMethod, LayerOp, Param } from '../../ir/network.ts';
import { toNumber } from '../../ir/rational.ts';
import { convAttrs, type GraphBuilder, type TensorId } from '../../ir/tensor.ts';
import { cayley, frobeniusOrOne } from './lower-cayley.ts';
import type { Emit } from './lower-formula.ts';
import {
  type Complex,
  cut,
  frequencies,
  fromBlocks,
  fromSpectrum,
  identities,
  realBlocks,
  symbol,
  toSpectrum,
  transformTables,
  transposed,
} from './lower-fourier.ts';
import { matrixBound } from './lower-spectral.ts';

type Contraction = Extract<LayerOp, { kind: 'contraction' }>;
type Pair = readonly [number, number];

/** A number to [P, …], the entries repeated. */
const spread = (b: GraphBuilder, perPoint: TensorId, like: TensorId): TensorId =>
  b.broadcast(perPoint, b.shape(like), [0]);

/**
 * Orthonormal rows or columns at every frequency from alpha·w/‖w‖_F = [U; V], U square: with A = U − Uᴴ + VᴴV, the columns of
 * [(I + A)⁻¹(I − A); −2V(I + A)⁻¹]. Matrices wider than tall are transposed first, without conjugation.
 */
export const fourierCayley = (b: GraphBuilder, w: Complex, alpha: TensorId): Complex => {
  const [, rows, columns] = b.shape(w.re);
  const norm = frobeniusOrOne(b, b.concat([w.re, w.im], 0));
  const scale = b.broadcast(b.div(alpha, norm), b.shape(w.re), []);
  const scaled = { re: b.mul(w.re, scale), im: b.mul(w.im, scale) };
  return columns > rows ? transposed(b, tall(b, transposed(b, scaled))) : tall(b, scaled);
};

const tall = (b: GraphBuilder, w: Complex): Complex => {
  const [points, rows, n] = b.shape(w.re);
  const part = (from: number, to: number): TensorId =>
    realBlocks(b, { re: cut(b, w.re, [from, to], [0, n]), im: cut(b, w.im, [from, to], [0, n]) });
  const identity = identities(b, points, 2 * n);
  const u = rows === n ? realBlocks(b, w) : part(0, n);
  const skew = b.sub(u, b.transpose(u, [0, 2, 1]));
  if (rows === n) return fromBlocks(b, b.matmul(b.inverse(b.add(identity, skew)), b.sub(identity, skew)));
  const v = part(n, rows);
  const a = b.add(skew, b.matmul(v, v, { a: true }));
  const inverse = b.inverse(b.add(identity, a));
  const top = fromBlocks(b, b.matmul(inverse, b.sub(identity, a)));
  const bottom = fromBlocks(b, b.scale(b.matmul(v, inverse), -2));
  return { re: b.concat([top.re, bottom.re], 1), im: b.concat([top.im, bottom.im], 1) };
};

/** The first rows and columns of I − 2V(VᴴV + eps·m·I)⁻¹Vᴴ, m the mean diagonal entry of VᴴV; where V = 0, of I. */
const reflections = (b: GraphBuilder, v: Complex, eps: number, [out, columns]: Pair): Complex => {
  const [points, c, rank] = b.shape(v.re);
  const blocks = realBlocks(b, v);
  const gram = b.matmul(blocks, blocks, { a: true });
  const mean = b.scale(b.sum(b.mul(blocks, blocks), [1, 2]), 1 / (2 * rank));
  const present = b.binary('greater', mean, b.constant(0, [points]));
  const shift = b.select(present, b.scale(mean, eps), b.constant(1, [points]));
  const regular = b.add(gram, b.mul(identities(b, points, 2 * rank), spread(b, shift, gram)));
  const projection = b.matmul(b.matmul(blocks, b.inverse(regular)), blocks, { b: true });
  const q = b.sub(identities(b, points, 2 * c), b.scale(projection, 2));
  return fromBlocks(b, q, out, columns);
};

/**
 * (WWᴴ + eps·I)^(−1/2)·W by coupled Newton–Schulz steps. With S = WWᴴ + eps·I, f = ‖S‖_F + eps, y₀ = S/f, z₀ = I, each step is
 * t = (3 − zy)/2, y ← yt, z ← tz; the result is zW/√f. All of it commutes with S, so eigenvalue by eigenvalue z = y/y₀ and ω = zy
 * goes to ω(3 − ω)²/4, which maps [0, 1] into itself; ω₀ = y₀ ≤ 1 as f ≥ ‖S‖. The squared singular values of the result are
 * z²(s − eps)/f ≤ z²y₀ = ω ≤ 1, after any number of steps and for every W: it need not converge.
 */
const newtonWhitening = (b: GraphBuilder, w: Complex, steps: number, eps: number): Complex => {
  const blocks = realBlocks(b, w);
  const [points, rows] = b.shape(blocks);
  const identity = identities(b, points, rows);
  const s = b.add(b.matmul(blocks, blocks, { b: true }), b.scale(identity, eps));
  // Real blocks hold every number of the complex matrix twice.
  const f = b.offset(b.unary('sqrt', b.scale(b.sum(b.mul(s, s), [1, 2]), 1 / 2)), eps);
  let y = b.mul(s, spread(b, b.unary('reciprocal', f), s));
  let z: TensorId | undefined;
  for (let i = 0; i < steps; i++) {
    const product = z === undefined ? y : b.matmul(z, y);
    const t = b.scale(b.sub(b.scale(identity, 3), product), 1 / 2);
    z = z === undefined ? t : b.matmul(t, z);
    if (i + 1 < steps) y = b.matmul(y, t);
  }
  const q = z === undefined ? blocks : b.matmul(z, blocks);
  return fromBlocks(b, b.mul(q, spread(b, b.unary('reciprocal', b.unary('sqrt', f)), q)));
};

/** y = Qx at every frequency of x [N, C, h, w], Q by `make` from the size (h, w); the inverse takes images for `width` pixels wide. */
const inSpectrum = (
  b: GraphBuilder,
  x: TensorId,
  make: (size: Pair) => Complex,
  emit: Emit,
  width?: number,
): TensorId => {
  const [, , h, w] = b.shape(x);
  const q = realBlocks(b, make([h, w]));
  emit(q, undefined, undefined, transformTables(b, [h, w]));
  return fromSpectrum(b, b.matmul(q, toSpectrum(b, x)), [h, w], width);
};

/** The same on x surrounded by `margin` zeros, cut to the size of x after. */
const inPaddedSpectrum = (
  b: GraphBuilder,
  x: TensorId,
  [mh, mw]: Pair,
  make: (size: Pair) => Complex,
  emit: Emit,
): TensorId => {
  const y = inSpectrum(b, b.pad(x, [0, 0, mh, mw], [0, 0, mh, mw]), make, emit);
  const [n, c, h, w] = b.shape(y);
  return b.slice(y, [0, 0, mh, mw], [n, c, h - mh, w - mw]);
};

/**
 * λ, √λ ≥ the norm of a skew convolution S [c, c, kh, kw], from two of its four reshapings (the others have the same norms, S being skew): at
 * every frequency the symbol is U*MV for M the kernel as a matrix, U and V of norms √kh·√kw together (Singla & Feizi, ICLR 2021).
 */
const skewBound = (b: GraphBuilder, s: TensorId, steps: number): TensorId => {
  const [c, , kh, kw] = b.shape(s);
  const rows = matrixBound(b, b.reshape(s, [c, c * kh * kw]), steps);
  const mixed = matrixBound(b, b.reshape(b.transpose(s, [0, 2, 1, 3]), [c * kh, c * kw]), steps);
  return b.scale(b.binary('min', rows, mixed), kh * kw);
};

/** P minus its adjoint, halved: of the same kernel shape [c, c, kh, kw]. */
export const skewPart = (b: GraphBuilder, { path, shape }: Param): TensorId => {
  const p = b.param(path, shape);
  return b.scale(b.sub(p, b.reverse(b.transpose(p, [1, 0, 2, 3]), [2, 3])), 1 / 2);
};

/** Σ_{m ≤ degree} Aᵐx/m! by Horner's rule, A the convolution with `kernel`. */
export const exponentialSeries = (
  b: GraphBuilder,
  op: Contraction,
  method: Extract<ContractionMethod, { family: 'skew_exponential' }>,
  kernel: TensorId,
  x: TensorId,
): TensorId => {
  const attrs = convAttrs({ padding: middleTap(op.kernel!), mode: method.padding });
  const [n, channels, h, w] = b.shape(x);
  const start = b.pad(x, [0, 0, 0, 0], [0, Math.max(op.out - channels, 0), 0, 0]);
  let y = start;
  for (let m = method.degree; m >= 1; m--) y = b.add(start, b.scale(b.conv(y, kernel, attrs), 1 / m));
  return op.out < channels ? b.slice(y, [0, 0, 0, 0], [n, op.out, h, w]) : y;
};

/** The series of the skew kernel at its norm. */
const exponential = (
  b: GraphBuilder,
  op: Contraction,
  method: Extract<ContractionMethod, { family: 'skew_exponential' }>,
  x: TensorId,
  emit: Emit,
): TensorId => {
  const s = skewPart(b, op.weight);
  const squared = skewBound(b, s, method.steps);
  // Selected before the root, whose derivative at 0 is not a number.
  const present = b.binary('greater', squared, b.constant(0));
  const size = b.unary('sqrt', b.select(present, squared, b.constant(1)));
  const scaled = b.mul(s, b.broadcast(b.scale(b.unary('reciprocal', size), toNumber(method.norm)), b.shape(s), []));
  emit(scaled);
  return exponentialSeries(b, op, method, scaled, x);
};

const number = (b: GraphBuilder, p: { readonly path: string; readonly shape: readonly number[] }): TensorId =>
  b.reshape(b.param(p.path, p.shape), []);

/** m·x, or mᵀ·x where `adjoint`, of a matrix m [out, in] for vectors x [N, in] or every pixel of images [N, in, h, w]. */
export const perPixel = (b: GraphBuilder, m: TensorId, x: TensorId, adjoint = false): TensorId => {
  if (b.shape(x).length === 2) return b.matmul(x, m, { b: !adjoint });
  const matrix = adjoint ? b.transpose(m, [1, 0]) : m;
  return b.conv(x, b.reshape(matrix, [...b.shape(matrix), 1, 1]), convAttrs({}));
};

/**
 * `fourierCayley` of a 1×1 kernel [out, in, 1, 1] on images x: its symbol is the same matrix at each of P frequencies, so its norm over
 * them is √P times that of the matrix, and so is the result.
 */
export const pointwiseCayley = (b: GraphBuilder, weight: TensorId, alpha: TensorId, x: TensorId): TensorId => {
  const [out, columns] = b.shape(weight);
  const [, , h, w] = b.shape(x);
  return cayley(b, b.reshape(weight, [out, columns]), b.scale(alpha, 1 / Math.sqrt(frequencies([h, w]))));
};

/** The Cayley convolution; with `width`, by an inverse transform that takes images for so many pixels wide. */
export const cayleyConvolution = (
  b: GraphBuilder,
  op: Contraction,
  alpha: Param,
  x: TensorId,
  emit: Emit,
  width?: number,
): TensorId => {
  const weight = b.param(op.weight.path, op.weight.shape);
  if (isPointwise(op.kernel!) && width === undefined) {
    const matrix = pointwiseCayley(b, weight, number(b, alpha), x);
    emit(matrix);
    return perPixel(b, matrix, x);
  }
  return inSpectrum(
    b,
    x,
    size => fourierCayley(b, symbol(b, weight, size, middleTap(op.kernel!), 1), number(b, alpha)),
    emit,
    width,
  );
};

/** Qx for x [N, in, …] → [N, out, …], without the bias. */
export const lowerContraction = (
  b: GraphBuilder,
  op: Contraction,
  x: TensorId,
  mode: 'train' | 'inference',
  emit: Emit,
): TensorId => {
  const { method } = op;
  const weight = b.param(op.weight.path, op.weight.shape);
  switch (method.family) {
    case 'cayley':
      return cayleyConvolution(b, op, method.alpha, x, emit);
    case 'bro':
      return inPaddedSpectrum(
        b,
        x,
        middleTap(op.kernel!),
        size => reflections(b, symbol(b, weight, size, [0, 0], -1), toNumber(method.eps), [op.out, op.in]),
        emit,
      );
    case 'lot':
      return inPaddedSpectrum(
        b,
        x,
        middleTap(op.kernel!),
        size =>
          newtonWhitening(b, symbol(b, weight, size, middleTap(op.kernel!), 1), method.steps, toNumber(method.eps)),
        emit,
      );
    case 'skew_exponential':
      return exponential(b, op, method, x, emit);
    case 'sandwich': {
      const q = cayley(b, weight, number(b, method.alpha));
      const first = b.slice(q, [0, 0], [op.out, op.out]);
      const second = b.slice(q, [0, op.out], [op.out, op.out + op.in]);
      if (method.part === 'product' && mode === 'train')
        return b.scale(b.matmul(b.matmul(x, second, { b: true }), first), 2);
      // One matrix, which is what a certificate can speak of.
      const whole = method.part === 'second' ? second : b.scale(b.matmul(first, second, { a: true }), 2);
      emit(whole);
      return b.matmul(x, whole, { b: true });
    }
    default:
      return method satisfies never;
  }
};
