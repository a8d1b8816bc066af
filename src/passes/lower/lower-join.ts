/** Layers with several inputs, in the primitives. */
import type { Join } from '../../ir/network.ts';
import { equal, neg, ONE, toNumber } from '../../ir/rational.ts';
import type { GraphBuilder, TensorId } from '../../ir/tensor.ts';

/** x₁ + w (x₂ − x₁): whatever w in [0, 1] rounding makes of the weight, it stays a convex mix. */
const lowerMix = (
  b: GraphBuilder,
  op: Extract<Join, { kind: 'mix' }>,
  [x1, x2]: readonly TensorId[],
  emit: (weight: TensorId) => void,
): TensorId => {
  const apart = b.sub(x2, x1);
  if (op.weight.kind === 'constant') return b.add(x1, b.scale(apart, toNumber(op.weight.value)));
  const { path, shape } = op.weight.of;
  const weight = b.reshape(b.unary('sigmoid', b.param(path, shape)), []);
  emit(weight);
  return b.add(x1, b.mul(apart, b.broadcast(weight, b.shape(apart), [])));
};

/** Operands [N, channels, …image]. `emit` is told a learnt weight in [0, 1]. */
export const lowerJoin = (
  b: GraphBuilder,
  op: Join,
  operands: readonly TensorId[],
  emit: (weight: TensorId) => void,
): TensorId => {
  switch (op.kind) {
    case 'sum': {
      // The sign goes into a subtraction, not into another multiplication.
      let total: TensorId | undefined;
      operands.forEach((x, i) => {
        const factor = op.factors[i];
        if (total === undefined) total = equal(factor, ONE) ? x : b.scale(x, toNumber(factor));
        else if (equal(factor, ONE)) total = b.add(total, x);
        else if (equal(factor, neg(ONE))) total = b.sub(total, x);
        else total = b.add(total, b.scale(x, toNumber(factor)));
      });
      return total!;
    }
    case 'mix':
      return lowerMix(b, op, operands, emit);
    case 'concat':
      return operands.length === 1 ? operands[0] : b.concat([...operands], 1);
    case 'maximum':
      return operands.reduce((a, x) => b.binary(op.of === 'largest' ? 'max' : 'min', a, x));
    default:
      return op satisfies never;
  }
};
