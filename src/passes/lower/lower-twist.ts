/**
 * Layers that published code has and no rule covers, as tensor graph for the refuter's interpreter alone. A proven network has none.
 */
import { attrsOf, middleTap } from '../../ir/conv-geometry.ts';
import type { LayerOp, LinearMap, Param, Shape, Twist } from '../../ir/network.ts';
import { TWO, toNumber } from '../../ir/rational.ts';
import type { GraphBuilder, TensorId } from '../../ir/tensor.ts';
import { windowsCut } from '../../ir/window.ts';
import { lowerActivation } from './lower-activation.ts';
import { cayleyConvolution, exponentialSeries, skewPart } from './lower-contraction.ts';
import { applyAdjoint, applyMap } from './lower-map.ts';
import { windowSums } from './lower-pool.ts';
import {
  along,
  filled,
  inverseOrZero,
  inverseRootOrZero,
  lowerRescaling,
  rowSums,
  scaleWeight,
} from './lower-rescaling.ts';
import { lowerSandwich } from './lower-sandwich.ts';
import { matrixBound } from './lower-spectral.ts';

type Border = Extract<Twist, { kind: 'border' }>['mode'];

/** x with `size` entries more at both ends of `axis`, copied from the image. */
const extend = (b: GraphBuilder, x: TensorId, axis: number, size: number, mode: Border): TensorId => {
  if (size === 0) return x;
  const shape = b.shape(x);
  const [start, limit] = [shape.map(() => 0), [...shape]];
  const part = (from: number, to: number): TensorId => b.slice(x, start.with(axis, from), limit.with(axis, to));
  const n = shape[axis];
  if (mode === 'replicate') {
    const repeat = (one: TensorId): readonly TensorId[] => Array.from({ length: size }, () => one);
    return b.concat([...repeat(part(0, 1)), x, ...repeat(part(n - 1, n))], axis);
  }
  return b.concat([b.reverse(part(1, size + 1), [axis]), x, b.reverse(part(n - 1 - size, n - 1), [axis])], axis);
};

/** A convolution that sees copies of the image around it. */
const applyBordered = (b: GraphBuilder, map: LinearMap, weight: TensorId, x: TensorId, mode: Border): TensorId => {
  if (map.kind === 'dense') throw new Error('lower: a matrix has no border');
  const [ph, pw] = map.padding;
  return b.conv(extend(b, extend(b, x, 2, ph, mode), 3, pw, mode), weight, {
    ...attrsOf(map),
    padding: [0, 0],
  });
};

/** The largest ‖Wv‖² that one power step from a fixed start meets, or ‖·‖² of the circular convolution at this image size: []. */
const estimate = (b: GraphBuilder, map: LinearMap, weight: TensorId, image: Shape, how: 'power' | 'fft'): TensorId => {
  if (how === 'fft' && map.kind === 'conv') {
    const n = image.reduce((p, d) => p * d, 1);
    const identity = b.binary('equal', b.iota([n, n], 0), b.iota([n, n], 1));
    const images = b.conv(b.reshape(identity, [n, ...image]), weight, { ...attrsOf(map), mode: 'circular' });
    return matrixBound(
      b,
      b.reshape(images, [
        n,
        b
          .shape(images)
          .slice(1)
          .reduce((p, d) => p * d, 1),
      ]),
      STEPS,
    );
  }
  const start = b.constant(1, [1, ...image]);
  const norm = (v: TensorId): TensorId =>
    b.sum(
      b.mul(v, v),
      b.shape(v).map((_, i) => i),
    );
  const next = applyAdjoint(b, map, weight, applyMap(b, map, weight, start), [...image]);
  const length = b.unary('sqrt', b.offset(norm(next), Number.MIN_VALUE));
  const unit = b.mul(next, b.broadcast(b.unary('reciprocal', length), b.shape(next), []));
  return norm(applyMap(b, map, weight, unit));
};

/** Gram iteration's overestimate is then below 1e-4. */
const STEPS = 16;

const addBias = (b: GraphBuilder, v: TensorId, bias: Param | undefined): TensorId =>
  bias ? b.add(v, along(b, b.param(bias.path, bias.shape), v, 1)) : v;

/** Every row of the skew kernel divided by √(Σ |S Sᵀ|) of that row. */
const rowScaled = (b: GraphBuilder, { weight, kernel }: Contraction): TensorId => {
  const skew = skewPart(b, weight);
  const [c] = weight.shape;
  const map: LinearMap = {
    kind: 'conv',
    out: c,
    in: c,
    kernel: kernel!,
    stride: [1, 1],
    padding: middleTap(kernel!),
    dilation: [1, 1],
    groups: 1,
    mode: 'circular',
    weight,
  };
  return scaleWeight(b, map, skew, inverseRootOrZero(b, rowSums(b, map, skew, 'out')), 'out');
};

/** A layer's operation with its twist, applied to x [N, …]. */
export const lowerTwisted = (b: GraphBuilder, op: LayerOp, twist: Twist, x: TensorId, output: Shape): TensorId => {
  if (op.kind === 'linear' || op.kind === 'residual') return lowerTwistedMap(b, op, twist, x, output);
  if (twist.kind === 'cut' && (op.kind === 'avgpool' || op.kind === 'l2pool')) return lowerCut(b, op, x);
  const even = b.shape(x)[3] & ~1;
  if (twist.kind === 'unsized' && op.kind === 'sandwich')
    return lowerSandwich(b, op, x, 'inference', () => undefined, even);
  if (op.kind === 'contraction') {
    const { method } = op;
    if (twist.kind === 'unsized' && method.family === 'cayley')
      return addBias(
        b,
        cayleyConvolution(b, op, method.alpha, x, () => undefined, even),
        op.bias,
      );
    if (twist.kind === 'unskewed' && method.family === 'skew_exponential')
      return addBias(b, exponentialSeries(b, op, method, rowScaled(b, op), x), op.bias);
  }
  throw new Error(`lower: no ${op.kind} is known with ${twist.kind}`);
};

/** Means over what there is of each window, times the size of a whole one; x [N, C, H, W] or [N, n]. */
const lowerCut = (b: GraphBuilder, op: Extract<LayerOp, { kind: 'avgpool' | 'l2pool' }>, x: TensorId): TensorId => {
  const [n, ...rest] = b.shape(x);
  const image = rest.length === 3 ? rest : [1, 1, ...rest];
  const values = b.reshape(op.kind === 'l2pool' ? b.mul(x, x) : x, [n, ...image]);
  const missing = [0, 1].map(i => windowsCut(image[1 + i], op.size[i], op.stride[i]) * op.stride[i] - image[1 + i]);
  const whole = (of: TensorId): TensorId => {
    const high = missing.map((m, i) => Math.max(0, m + op.size[i] - op.stride[i]));
    return windowSums(b, b.pad(of, [0, 0, 0, 0], [0, 0, ...high]), op);
  };
  const count = whole(b.constant(1, [n, ...image]));
  const means = b.scale(b.div(whole(values), count), op.size[0] * op.size[1]);
  const pooled =
    op.kind === 'l2pool' ? b.unary('sqrt', means) : b.scale(means, 1 / Math.sqrt(toNumber(op.divisorSquared)));
  const shape = b.shape(pooled);
  return rest.length === 3 ? pooled : b.reshape(pooled, [n, shape[3]]);
};

type Contraction = Extract<LayerOp, { kind: 'contraction' }>;

const lowerTwistedMap = (
  b: GraphBuilder,
  op: Extract<LayerOp, { kind: 'linear' | 'residual' }>,
  twist: Twist,
  x: TensorId,
  output: Shape,
): TensorId => {
  const { map, rescaling, bias } = op;
  const adjoint = op.kind === 'linear' && op.adjoint === true;
  // Of an adjoint the map goes from the layer's output to its input, and so do its sides.
  const image = adjoint ? output : b.shape(x).slice(1);
  const side = op.kind === 'residual' || (op.side === 'out') !== adjoint ? 'out' : 'in';
  const exact = lowerRescaling(b, map, image, rescaling, side);
  const { weight } = exact;
  const eps = rescaling.by === 'spectral' ? toNumber(rescaling.eps) : 0;
  const T =
    twist.kind === 'estimate'
      ? filled(b, b.offset(estimate(b, map, weight, image, twist.how), eps), b.shape(exact.T)[0])
      : exact.T;
  const apply = (w: TensorId): TensorId =>
    twist.kind === 'border'
      ? applyBordered(b, map, w, x, twist.mode)
      : adjoint
        ? applyAdjoint(b, map, w, x, image)
        : applyMap(b, map, w, x);
  const biased = (v: TensorId): TensorId => addBias(b, v, bias);
  if (op.kind === 'linear') return biased(apply(scaleWeight(b, map, weight, inverseRootOrZero(b, T), side)));
  const u = lowerActivation(b, op.act, biased(apply(weight)));
  const t = b.scale(inverseOrZero(b, T), toNumber(op.factor ?? TWO));
  const kept = op.identity ? b.scale(x, toNumber(op.identity)) : x;
  return b.sub(kept, applyAdjoint(b, map, weight, b.mul(u, along(b, t, u, 1)), image));
};
