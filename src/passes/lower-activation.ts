/** Activations as tensor graph. */
import type { Activation } from '../ir/network.ts';
import { toNumber } from '../ir/rational.ts';
import type { GraphBuilder, TensorId } from '../ir/tensor.ts';

/** act(x) for x [N, channels, …]; sorting activations act along the channel axis. */
export const lowerActivation = (b: GraphBuilder, act: Activation, x: TensorId): TensorId => {
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

const maxminHalves = (b: GraphBuilder, x: TensorId): TensorId => {
  const c = b.shape(x)[1];
  const [p, q] = [channels(b, x, 0, c / 2), channels(b, x, c / 2, c)];
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
