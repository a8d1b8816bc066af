/** The two graphs a network is compiled to: one training step, and inference. */
import { networkParams } from '../../ir/network.ts';
import type { TrainRecipe } from '../../ir/recipe.ts';
import { GraphBuilder, prune, type TensorGraph } from '../../ir/tensor.ts';
import { lowerNetwork } from '../lower/lower.ts';
import type { ProvenNetwork } from '../prove/prove.ts';
import { simplify } from '../tensors/simplify.ts';
import { differentiate } from './differentiate.ts';
import { lowerLoss } from './loss.ts';
import { lowerOptimizer, stepScalarCount } from './optimizer.ts';

/**
 * One step of training on a batch of `batch` examples. Inputs "x" [batch, …input shape], "labels" [batch] (class indices) and "step"
 * (see `stepScalars`); outputs "loss" [] and "logits" [batch, classes], both before the update; updates for every parameter that
 * the loss depends on, and for its optimiser state. Throws for a network without a head.
 */
export const buildTrainStep = (
  proven: ProvenNetwork,
  recipe: Pick<TrainRecipe, 'loss' | 'optimizer'>,
  batch: number,
): TensorGraph => {
  const { network } = proven;
  const forward = new GraphBuilder();
  const x = forward.input('x', [batch, ...network.input.shape]);
  const labels = forward.input('labels', [batch]);
  const { logits } = lowerNetwork(forward, proven, x, 'train', (path, next) => forward.update(path, next));
  if (logits === undefined) throw new Error(`train: network ${network.name} has no head`);
  forward.origin = 'loss';
  forward.output('loss', lowerLoss(forward, recipe.loss, logits, labels));
  forward.output('logits', logits);
  // Simplified first, so that reverse mode sees the smaller graph.
  const simple = simplify(forward.finish()).graph;

  const b = GraphBuilder.from(simple);
  const params = networkParams(network).map(p => ({ path: p.path, id: b.param(p.path, p.shape) }));
  b.origin = 'loss';
  const grads = differentiate(
    b,
    simple.outputs.get('loss')!,
    b.constant(1),
    params.map(p => p.id),
  );
  const scalars = b.input('step', [stepScalarCount(recipe.optimizer)]);
  params.forEach((p, i) => {
    // The forward pass has put down the next value of a running statistic; what hands the mean on has no gradient.
    const grad = grads[i];
    b.origin = `${p.path} update`;
    if (grad !== undefined) lowerOptimizer(b, recipe.optimizer, p.path, p.id, grad, scalars);
  });
  return simplify(prune(b.finish())).graph;
};

/** The output that holds the multipliers t of the residual layer at `path`. */
export const multiplierOutput = (path: string): string => `t ${path}`;

/** The output that holds the weight the linear or residual layer at `path` multiplies with. */
export const weightOutput = (path: string): string => `W ${path}`;

/** The output that holds what the layer at `path` makes. */
export const valueOutput = (path: string): string => `value ${path}`;

/**
 * The forward graph of a batch: input "x" [batch, …input shape]; outputs "features" and, where there is a head, "logits"
 * [batch, classes] and "head" [classes, features], the normalised rows that certified radii need; and for every residual layer
 * `multiplierOutput(path)` [hidden], the witness t of its proof, and for every weight `weightOutput(path)`.
 * With `values` also `valueOutput(path)` for every layer but the head.
 */
export const buildInference = (proven: ProvenNetwork, batch: number, { values = false } = {}): TensorGraph => {
  const b = new GraphBuilder();
  const x = b.input('x', [batch, ...proven.network.input.shape]);
  const lowered = lowerNetwork(b, proven, x, 'inference');
  const { features, logits, headWeight, multipliers, weights } = lowered;
  b.output('features', features);
  if (logits !== undefined) b.output('logits', logits);
  if (headWeight !== undefined) b.output('head', headWeight);
  for (const [path, t] of multipliers) b.output(multiplierOutput(path), t);
  for (const [path, weight] of weights) b.output(weightOutput(path), weight);
  if (values) for (const [path, value] of lowered.values) b.output(valueOutput(path), value);
  return simplify(b.finish()).graph;
};
