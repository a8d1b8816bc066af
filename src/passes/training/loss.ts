/** Losses as tensor graph, means over the batch. */
import type { Loss } from '../../ir/recipe.ts';
import type { GraphBuilder, TensorId } from '../../ir/tensor.ts';
import { along } from '../lower/lower-rescaling.ts';

/** 1 at the label of each example, else 0: labels [N] of class indices → [N, C]. */
const oneHot = (b: GraphBuilder, labels: TensorId, like: TensorId): TensorId =>
  b.binary('equal', b.iota(b.shape(like), 1), along(b, labels, like, 0));

/** z − log Σ_j exp z_j per row, through the row maximum, which cancels and passes no gradient. */
const logSoftmax = (b: GraphBuilder, z: TensorId): TensorId => {
  const shifted = b.sub(z, along(b, b.detach(b.maximum(z, [1])), z, 0));
  const log = b.unary('log', b.sum(b.unary('exp', shifted), [1]));
  return b.sub(shifted, along(b, log, z, 0));
};

const total = (b: GraphBuilder, x: TensorId): TensorId => b.sum(x, [0, 1]);

/** The loss of logits [N, C] at `labels` [N] (class indices as floats): []. */
export const lowerLoss = (b: GraphBuilder, loss: Loss, logits: TensorId, labels: TensorId): TensorId => {
  const [n, classes] = b.shape(logits);
  const target = oneHot(b, labels, logits);
  const others = () => b.sub(b.constant(1, [n, classes]), target);
  switch (loss.kind) {
    case 'cross_entropy': {
      const margin = loss.offset === 0 ? logits : b.sub(logits, b.scale(target, loss.offset));
      const scaled = loss.temperature === 1 ? margin : b.scale(margin, 1 / loss.temperature);
      return b.scale(total(b, b.mul(logSoftmax(b, scaled), target)), -loss.temperature / n);
    }
    case 'multi_margin': {
      const own = b.sum(b.mul(logits, target), [1]);
      const gap = b.offset(b.sub(logits, along(b, own, logits, 0)), loss.margin);
      return b.scale(total(b, b.mul(b.unary('relu', gap), others())), 1 / (n * classes));
    }
    case 'margin_boosting': {
      const crossEntropy = b.scale(total(b, b.mul(logSoftmax(b, logits), target)), -1 / n);
      const opposite = logSoftmax(b, b.unary('neg', logits));
      const push = b.scale(total(b, b.mul(opposite, others())), -1 / (n * classes * (classes - 1)));
      return b.add(crossEntropy, push);
    }
    case 'sum':
      return loss.of.map(p => b.scale(lowerLoss(b, p.loss, logits, labels), p.weight)).reduce(b.add);
    default:
      return loss satisfies never;
  }
};
