/** Activations as tensor graph. */
import type { Activation } from '../../ir/network.ts';
import { toNumber } from '../../ir/rational.ts';
import type { GraphBuilder, TensorId } from '../../ir/tensor.ts';
import { along } from './lower-rescaling.ts';

/**
 * act(x) for x [N, channels, …]; sorting activations act along the channel axis. `emit` is told what is computed of an activation's parameters
 * alone and multiplied with.
 */
export const lowerActivation = (
  b: GraphBuilder,
  act: Activation,
  x: TensorId,
  emit: (constants: TensorId) => void = () => undefined,
): TensorId => {
  switch (act.kind) {
    case 'relu':
    case 'tanh':
    case 'sigmoid':
    case 'abs':
      return b.unary(act.kind, x);
    case 'leaky_relu': {
      // slope·x + (1 − slope)·relu(x): one formula for every slope in [0, 1].
      const slope = toNumber(act.slope);
      return b.add(b.scale(x, slope), b.scale(b.unary('relu', x), 1 - slope));
    }
    case 'maxmin':
      return act.pairs === 'halves' ? maxminHalves(b, x) : maxminAdjacent(b, x);
    case 'groupsort':
      return b.sort(x, 1, act.group);
    case 'halfabs': {
      const [p, q] = halves(b, x);
      return b.concat([p, b.unary('abs', q)], 1);
    }
    case 'rabs': {
      const [p, q] = halves(b, b.scale(b.unary('abs', x), Math.SQRT1_2));
      return b.concat([b.add(p, q), b.sub(p, q)], 1);
    }
    case 'crelu':
      return b.concat([b.unary('relu', x), b.unary('relu', b.unary('neg', x))], 1);
    case 'prelu': {
      const slope = clamp(b, b.param(act.slope.path, act.slope.shape), -1, 1);
      emit(slope);
      // relu(x) − slope·relu(−x): the slope is used once, as it is emitted.
      const below = b.unary('relu', b.unary('neg', x));
      return b.sub(b.unary('relu', x), b.mul(below, along(b, slope, x, 1)));
    }
    case 'householder':
      return lowerHouseholder(b, b.param(act.theta.path, act.theta.shape), x, emit);
    case 'householder2':
      return lowerHouseholder2(
        b,
        act.theta.map(p => b.param(p.path, p.shape)),
        x,
        emit,
      );
    default:
      return act satisfies never;
  }
};

/** Channels [from, to) of x. */
const channels = (b: GraphBuilder, x: TensorId, from: number, to: number): TensorId => {
  const shape = b.shape(x);
  return b.slice(
    x,
    shape.map((_, i) => (i === 1 ? from : 0)),
    shape.map((d, i) => (i === 1 ? to : d)),
  );
};

const halves = (b: GraphBuilder, x: TensorId): readonly [TensorId, TensorId] => {
  const c = b.shape(x)[1];
  return [channels(b, x, 0, c / 2), channels(b, x, c / 2, c)];
};

const clamp = (b: GraphBuilder, x: TensorId, low: number, high: number): TensorId => {
  const shape = b.shape(x);
  return b.binary('max', b.binary('min', x, b.constant(high, shape)), b.constant(low, shape));
};

/**
 * z − 2v·relu(vᵀz) with v = (sin θ/2, −cos θ/2): the reflection by θ where vᵀz > 0, written so that it is continuous, and 1-Lipschitz, for
 * every v of norm at most 1, rounded ones included.
 */
const lowerHouseholder = (
  b: GraphBuilder,
  theta: TensorId,
  x: TensorId,
  emit: (constants: TensorId) => void,
): TensorId => {
  const [p, q] = halves(b, x);
  const half = b.scale(theta, 0.5);
  const [pairs] = b.shape(half);
  const row = (v: TensorId): TensorId => b.reshape(v, [1, pairs]);
  const normal = b.concat([row(b.unary('sin', half)), row(b.unary('neg', b.unary('cos', half)))], 0);
  emit(normal);
  const part = (i: number): TensorId => along(b, b.reshape(b.slice(normal, [i, 0], [i + 1, pairs]), [pairs]), p, 1);
  const [s, c] = [part(0), part(1)];
  const twice = b.scale(b.unary('relu', b.add(b.mul(p, s), b.mul(q, c))), 2);
  return b.concat([b.sub(p, b.mul(twice, s)), b.sub(q, b.mul(twice, c))], 1);
};

/**
 * With directions b₀, b₁, b₂ at the angles θ₀/2, (θ₀ + θ₁)/2 and (θ₀ + θ₁ + θ₂)/2, which are emitted: from b₀ on z ↦ z, from b₁ on the reflection
 * at b₁, from b₂ on the rotation after which it fits, from b₃ = −b₀b̄₁b₂ on the reflection at b₀. The sector of z = (p, q) is found by the signs of
 * products, never by an angle, and so that a wrong sign, of a z beside the line of a border, on either side of the origin, chooses a map that
 * nearly agrees there (docs/rounding.md): b₂'s line has two sides in a half plane, and what lies on the other one is told by the sign of b₀ᵀz.
 */
const lowerHouseholder2 = (
  b: GraphBuilder,
  [t0, ...rest]: readonly TensorId[],
  x: TensorId,
  emit: (constants: TensorId) => void,
): TensorId => {
  const [p, q] = halves(b, x);
  const full = 2 * Math.PI;
  const [theta0, theta1, theta2] = [t0, ...rest].map(t => clamp(b, t, 0, full));
  const [pairs] = b.shape(theta0);
  const spread = (v: TensorId): TensorId => along(b, v, p, 1);
  const [zero, one] = [b.constant(0, b.shape(p)), b.constant(1, b.shape(p))];

  const middle = b.scale(theta0, 0.5);
  const angle1 = b.add(middle, b.scale(theta1, 0.5));
  const angles = [middle, angle1, b.add(angle1, b.scale(theta2, 0.5))];
  const row = (v: TensorId): TensorId => b.reshape(v, [1, pairs]);
  const directions = b.concat(
    angles.flatMap(a => [row(b.unary('cos', a)), row(b.unary('sin', a))]),
    0,
  );
  emit(directions);
  const [c0, s0, c1, s1, c2, s2] = Array.from({ length: 6 }, (_, i) =>
    spread(b.reshape(b.slice(directions, [i, 0], [i + 1, pairs]), [pairs])),
  );
  const turned = (angle: TensorId): { readonly c: TensorId; readonly s: TensorId } => ({
    c: spread(b.unary('cos', angle)),
    s: spread(b.unary('sin', angle)),
  });
  /** Whether z comes before the direction (c, s), within half a turn. */
  const before = (c: TensorId, s: TensorId): TensorId => b.binary('greater', b.sub(b.mul(p, s), b.mul(q, c)), zero);
  const border3 = turned(b.offset(b.add(middle, b.scale(theta2, 0.5)), Math.PI));
  // In the half plane of angles (π, 2π) from b₀ on.
  const late = before(c0, s0);
  const [below1, below2, below3] = [before(c1, s1), before(c2, s2), before(border3.c, border3.s)];
  /** Whether b₂ lies more than `angle` from b₀ on. */
  const beyond = (angle: number): TensorId =>
    spread(b.binary('greater', b.add(theta1, theta2), b.constant(2 * angle, b.shape(theta1))));
  const ahead = b.binary('greater', b.add(b.mul(p, c0), b.mul(q, s0)), zero);

  const reflected = (angle: TensorId): readonly [TensorId, TensorId] => {
    const { c, s } = turned(angle);
    return [b.add(b.mul(p, c), b.mul(q, s)), b.sub(b.mul(p, s), b.mul(q, c))];
  };
  /** By −angle. */
  const rotated = (angle: TensorId): readonly [TensorId, TensorId] => {
    const { c, s } = turned(angle);
    return [b.add(b.mul(p, c), b.mul(q, s)), b.sub(b.mul(q, c), b.mul(p, s))];
  };
  const [first, second, third] = [reflected(b.add(theta0, theta1)), rotated(theta2), reflected(theta0)];
  const wide = beyond(Math.PI);
  const early = b.select(wide, one, b.select(beyond(Math.PI / 2), b.binary('max', below2, ahead), below2));
  const later = b.select(wide, b.select(beyond((3 * Math.PI) / 2), below2, b.select(ahead, zero, below2)), zero);
  const chosen = [p, q].map((same, i) =>
    b.select(
      late,
      b.select(later, first[i], b.select(below3, second[i], third[i])),
      b.select(early, b.select(below1, same, first[i]), second[i]),
    ),
  );
  return b.concat(chosen, 1);
};

const maxminHalves = (b: GraphBuilder, x: TensorId): TensorId => {
  const [p, q] = halves(b, x);
  return b.concat([b.binary('max', p, q), b.binary('min', p, q)], 1);
};

/** (max, min) of channels 2i and 2i + 1; an odd last channel passes through. */
const maxminAdjacent = (b: GraphBuilder, x: TensorId): TensorId => {
  const [n, c, ...rest] = b.shape(x);
  if (c === 1) return x;
  if (c % 2 === 1) return b.concat([maxminAdjacent(b, channels(b, x, 0, c - 1)), channels(b, x, c - 1, c)], 1);
  const paired = b.reshape(x, [n, c / 2, 2, ...rest]);
  const shape = b.shape(paired);
  const member = (i: number) =>
    b.slice(
      paired,
      shape.map((_, a) => (a === 2 ? i : 0)),
      shape.map((d, a) => (a === 2 ? i + 1 : d)),
    );
  const [p, q] = [member(0), member(1)];
  return b.reshape(b.concat([b.binary('max', p, q), b.binary('min', p, q)], 2), [n, c, ...rest]);
};
