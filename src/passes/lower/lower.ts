/**
 * Proven network → tensor graph. Every layer is written in the primitives; T is inserted here, by one mechanism for both layer
 * forms. Only a proven network is accepted.
 */

import { elements, isJoin, type Join, type Layer, type LayerOp, type Shape, type ValueId } from '../../ir/network.ts';
import { type Rational, TWO, toNumber } from '../../ir/rational.ts';
import type { GraphBuilder, TensorId } from '../../ir/tensor.ts';
import type { ProvenNetwork } from '../prove/prove.ts';
import { lowerActivation } from './lower-activation.ts';
import { lowerContraction } from './lower-contraction.ts';
import { type Emit, lowerFormula } from './lower-formula.ts';
import { lowerJoin } from './lower-join.ts';
import { applyAdjoint, applyMap } from './lower-map.ts';
import { lowerPool } from './lower-pool.ts';
import { along, inverseOrZero, inverseRootOrZero, lowerRescaling, scaleWeight } from './lower-rescaling.ts';
import { lowerSandwich } from './lower-sandwich.ts';
import { lowerTwisted } from './lower-twist.ts';

/**
 * 'train': a residual layer scales the small weight (y = x + (−2W/T) σ(Wᵀx + b)), so T costs one product with the weight and ∂/∂T
 * nothing per example. 'inference': it scales the activations (y = x − W (t ⊙ σ(Wᵀx + b))), so both uses of W are one tensor,
 * as the proof for rounded numbers requires. Equal over ℝ.
 */
export type LoweringMode = 'train' | 'inference';

export interface LoweredNetwork {
  /** What enters the head, or the output of a network without one: [N, …]. */
  readonly features: TensorId;
  /** [N, classes]. */
  readonly logits?: TensorId;
  /** The head's normalised rows: [classes, features]. */
  readonly headWeight?: TensorId;
  /**
   * 'inference' only: the vector t [hidden] of each residual layer, by its path (`path/n` in a layer defined in the language). Any 0 ≤ t with t_i T_i ≤ 2 (|c| for a branch of factor c) proves the layer, so t is a
   * witness that may be rounded down, never up. Likewise d of each sandwich layer by its path and e by `path/e`: any positive d, e with
   * d_i e_i ≤ 2 prove it.
   */
  readonly multipliers: ReadonlyMap<string, TensorId>;
  /**
   * The weight that each linear, residual and operator layer multiplies with, by its path ('inference' only but for a linear one; [A B] of a sandwich); T is already in a linear one. Of
   * an operator in the spectrum [P, 2·out, 2·in], with the tables of its transform by `path/rows` and `path/columns`. Of layers with
   * other parameters, what is computed of these alone: slopes, gains, the normal vectors of reflections.
   */
  readonly weights: ReadonlyMap<string, TensorId>;
  /** What each layer but the head makes, by its path: [N, …]. */
  readonly values: ReadonlyMap<string, TensorId>;
}

/** Takes the next value of a running statistic. */
export type Observer = (path: string, next: TensorId) => void;

const addBias = (b: GraphBuilder, x: TensorId, bias: { path: string; shape: Shape } | undefined): TensorId =>
  bias === undefined ? x : b.add(x, along(b, b.param(bias.path, bias.shape), x, 1));

/** One number per channel, or one for all, repeated to the shape of x. */
const perChannel = (b: GraphBuilder, values: readonly Rational[], f: (v: number) => number, x: TensorId): TensorId => {
  const numbers = values.map(v => f(toNumber(v)));
  return numbers.length === 1
    ? b.constant(numbers[0], b.shape(x))
    : along(b, b.literal(numbers, [numbers.length]), x, 1);
};

/** x minus a mean per channel; of the batch where `observe` takes it. */
const batchCenter = (
  b: GraphBuilder,
  { mean, momentum }: Extract<LayerOp, { kind: 'batchcenter' }>,
  x: TensorId,
  observe: Observer | undefined,
): TensorId => {
  const running = b.param(mean.path, mean.shape);
  if (!observe) return b.sub(x, along(b, running, x, 1));
  const axes = b.shape(x).flatMap((_, i) => (i === 1 ? [] : [i]));
  const count = axes.reduce((p, i) => p * b.shape(x)[i], 1);
  const batch = b.scale(b.sum(x, axes), 1 / count);
  const m = toNumber(momentum);
  observe(mean.path, b.add(b.scale(running, 1 - m), b.scale(b.detach(batch), m)));
  return b.sub(x, along(b, batch, x, 1));
};

/** Rows of `weight` divided by their norm + eps; a zero row stays zero. */
const normaliseRows = (b: GraphBuilder, weight: TensorId, eps: number): TensorId => {
  const squares = b.sum(b.mul(weight, weight), [1]);
  const shape = b.shape(squares);
  const present = b.binary('greater', squares, b.constant(0, shape));
  const norm = b.unary('sqrt', b.select(present, squares, b.constant(1, shape)));
  const scale = b.select(present, b.unary('reciprocal', b.offset(norm, eps)), b.constant(0, shape));
  return b.mul(weight, along(b, scale, weight, 0));
};

type Affine = Exclude<LayerOp, Join | { kind: 'head' }>;

/** One layer but the head; x [N, …image] → [N, …output]. */
const lowerLayer = (
  b: GraphBuilder,
  op: Affine,
  x: TensorId,
  image: Shape,
  output: Shape,
  mode: LoweringMode,
  emit: Emit,
  observe?: Observer,
): TensorId => {
  switch (op.kind) {
    case 'center':
      return b.sub(
        x,
        perChannel(b, op.offset, v => v, x),
      );
    case 'translate':
      return addBias(b, x, op.by);
    case 'scale':
      return b.mul(
        x,
        perChannel(b, op.divisor, v => 1 / v, x),
      );
    case 'pad': {
      const shape = b.shape(x);
      const none = shape.map(() => 0);
      return b.pad(
        x,
        none,
        shape.map((d, i) => (i === 1 ? op.to - d : 0)),
      );
    }
    case 'linear': {
      // Of an adjoint the map goes from the layer's output to its input, and so do its sides.
      const side = (op.side === 'in') !== (op.adjoint === true) ? 'in' : 'out';
      const { weight, T } = lowerRescaling(b, op.map, op.adjoint ? output : image, op.rescaling, side);
      const scaled = scaleWeight(b, op.map, weight, inverseRootOrZero(b, T), side);
      emit(scaled);
      const y = op.adjoint ? applyAdjoint(b, op.map, scaled, x, output) : applyMap(b, op.map, scaled, x);
      return addBias(b, y, op.bias);
    }
    case 'residual': {
      const { weight, T } = lowerRescaling(b, op.map, image, op.rescaling, 'out');
      const inverse = inverseOrZero(b, T);
      const u = lowerActivation(b, op.act, addBias(b, applyMap(b, op.map, weight, x), op.bias));
      const factor = toNumber(op.factor ?? TWO);
      const kept = op.identity ? b.scale(x, toNumber(op.identity)) : x;
      if (mode === 'train') {
        // The sign goes into the small weight too, so that no pass over activations, forward or backward, exists for it.
        const scaled = b.mul(weight, along(b, b.scale(inverse, -factor), weight, 0));
        return b.add(kept, applyAdjoint(b, op.map, scaled, u, image));
      }
      const t = b.scale(inverse, Math.abs(factor));
      emit(weight, t);
      const branch = applyAdjoint(b, op.map, weight, b.mul(u, along(b, t, u, 1)), image);
      return factor < 0 ? b.add(kept, branch) : b.sub(kept, branch);
    }
    case 'contraction':
      return addBias(b, lowerContraction(b, op, x, mode, emit), op.bias);
    case 'sandwich':
      return lowerSandwich(b, op, x, mode, emit);
    case 'formula':
      return lowerFormula(b, op, x, mode, emit);
    case 'activation':
      return lowerActivation(b, op.act, x, emit);
    case 'avgpool':
    case 'maxpool':
    case 'l2pool':
      return lowerPool(b, op, x, mode);
    case 'tile':
      return b.scale(b.concat(Array<TensorId>(op.times).fill(x), 1), 1 / Math.sqrt(op.times));
    case 'gain': {
      const factor = b.unary('sin', b.param(op.angle.path, op.angle.shape));
      emit(factor);
      return b.mul(x, along(b, factor, x, 1));
    }
    case 'batchcenter':
      return batchCenter(b, op, x, observe);
    case 'layercenter': {
      const [n, ...rest] = b.shape(x);
      const axes = rest.map((_, i) => i + 1);
      const mean = b.scale(b.sum(x, axes), 1 / elements(rest));
      return b.sub(x, b.broadcast(mean, [n, ...rest], [0]));
    }
    case 'flatten': {
      const [n, ...rest] = b.shape(x);
      return b.reshape(x, [n, rest.reduce((p, d) => p * d, 1)]);
    }
    case 'space_to_depth': {
      const [n, c, h, w] = b.shape(x);
      const [bh, bw] = op.block;
      const blocks = b.transpose(b.reshape(x, [n, c, h / bh, bh, w / bw, bw]), [0, 1, 3, 5, 2, 4]);
      return b.reshape(blocks, [n, c * bh * bw, h / bh, w / bw]);
    }
    case 'depth_to_space': {
      const [n, c, h, w] = b.shape(x);
      const [bh, bw] = op.block;
      const channels = c / (bh * bw);
      const blocks = b.transpose(b.reshape(x, [n, channels, bh, bw, h, w]), [0, 1, 4, 2, 5, 3]);
      return b.reshape(blocks, [n, channels, h * bh, w * bw]);
    }
    case 'slice': {
      const shape = b.shape(x);
      return b.slice(
        x,
        shape.map((_, i) => (i === 1 ? op.start : 0)),
        shape.map((d, i) => (i === 1 ? op.start + op.length : d)),
      );
    }
    default:
      return op satisfies never;
  }
};

const lowerAny = (
  b: GraphBuilder,
  op: Affine | Join,
  operands: readonly TensorId[],
  output: Shape,
  mode: LoweringMode,
  emit: Emit,
  observe?: Observer,
): TensorId =>
  isJoin(op)
    ? lowerJoin(b, op, operands, emit)
    : lowerLayer(b, op, operands[0], b.shape(operands[0]).slice(1), output, mode, emit, observe);

/**
 * The network applied to x [N, …input shape]. With `observe`, layers that centre take the mean of this batch and hand over the next running
 * mean, as training does; without it each example is mapped alone, by the proven function.
 */
export const lowerNetwork = (
  b: GraphBuilder,
  proven: ProvenNetwork,
  x: TensorId,
  mode: LoweringMode,
  observe?: Observer,
): LoweredNetwork => {
  const { network } = proven;
  const values = new Map<number, TensorId>([[network.input.id, x]]);
  const origin = b.origin;
  const multipliers = new Map<string, TensorId>();
  const weights = new Map<string, TensorId>();
  const made = new Map<string, TensorId>();
  let features = x;
  for (const layer of network.layers) {
    b.origin = layer.path;
    if (layer.twist) throw new Error(`${layer.path}: a layer that cannot be proven reached the code generator`);
    const operands = layer.inputs.map(id => values.get(id)!);
    if (layer.op.kind === 'head') {
      const [value] = operands;
      const weight = normaliseRows(b, b.param(layer.op.weight.path, layer.op.weight.shape), toNumber(layer.op.eps));
      const logits = addBias(b, b.matmul(value, weight, { b: true }), layer.op.bias);
      b.origin = origin;
      return { features: value, logits, headWeight: weight, multipliers, weights, values: made };
    }
    let uses = 0;
    const emit: Emit = (weight, t, e, tables) => {
      // A formula may have several weights.
      const name = layer.op.kind === 'formula' ? `${layer.path}/${uses++}` : layer.path;
      weights.set(name, weight);
      if (t !== undefined) multipliers.set(name, t);
      if (e !== undefined) multipliers.set(`${name}/e`, e);
      if (tables !== undefined) weights.set(`${name}/rows`, tables.rows).set(`${name}/columns`, tables.columns);
    };
    features = lowerAny(b, layer.op, operands, layer.shape, mode, emit, observe);
    values.set(layer.id, features);
    made.set(layer.path, features);
  }
  b.origin = origin;
  return { features, multipliers, weights, values: made };
};

/**
 * Layers that nobody proved, whose input is x [N, …]. For the interpreter, where counterexamples are sought: no kernel is ever
 * made from it.
 */
export const lowerUnproven = (b: GraphBuilder, layers: readonly Layer[], x: TensorId, mode: LoweringMode): TensorId => {
  const values = new Map<ValueId, TensorId>();
  let last = x;
  for (const { op, path, id, inputs, shape, twist } of layers) {
    if (op.kind === 'head') throw new Error(`${path}: a head is no part of what is refuted`);
    const operands = inputs.map(i => values.get(i) ?? x);
    if (twist) last = lowerTwisted(b, op, twist, operands[0], shape);
    else last = lowerAny(b, op, operands, shape, mode, () => undefined);
    values.set(id, last);
  }
  return last;
};
