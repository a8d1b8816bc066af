/**
 * Optimisers as tensor graph, as PyTorch defines them. Numbers that change from step to step (learning rate, bias corrections) are
 * computed on the CPU in float64 and arrive as one small input tensor, so that one graph serves every step.
 */
import type { Optimizer } from '../../ir/recipe.ts';
import type { GraphBuilder, TensorId } from '../../ir/tensor.ts';

/** Suffixes of the state tensors kept beside a parameter, all of its shape, all zero before the first step. */
export const optimizerState = (opt: Optimizer): readonly string[] => {
  switch (opt.kind) {
    case 'adam':
      return ['#m', '#v'];
    case 'sgd':
      return opt.momentum === 0 ? [] : ['#m'];
    default:
      return opt satisfies never;
  }
};

/** The entries of the input "step" at step t (1, 2, …) with learning rate `rate`. */
export const stepScalars = (opt: Optimizer, rate: number, t: number): readonly number[] => {
  switch (opt.kind) {
    case 'adam':
      return [rate / (1 - opt.betas[0] ** t), 1 / Math.sqrt(1 - opt.betas[1] ** t)];
    case 'sgd':
      return [rate];
    default:
      return opt satisfies never;
  }
};

/** How many entries `stepScalars` has. */
export const stepScalarCount = (opt: Optimizer): number => stepScalars(opt, 0, 1).length;

/**
 * Registers the new value of parameter `path` and of its state, given its gradient (same shape) and `scalars` [k] from
 * `stepScalars`.
 *
 * Adam (Kingma & Ba, ICLR 2015), with decay·p added to the gradient (not decoupled): g ← g + decay·p; m ← β₁m + (1 − β₁)g; v ← β₂v + (1 − β₂)g²; p ← p − rate/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) + eps).
 * SGD: the same g; m ← momentum·m + g; p ← p − rate·m, or p − rate·(g + momentum·m) with Nesterov's momentum.
 */
export const lowerOptimizer = (
  b: GraphBuilder,
  opt: Optimizer,
  path: string,
  param: TensorId,
  grad: TensorId,
  scalars: TensorId,
): void => {
  const shape = b.shape(param);
  const scalar = (i: number): TensorId => b.broadcast(b.reshape(b.slice(scalars, [i], [i + 1]), []), shape, []);
  const state = (suffix: string): TensorId => b.param(`${path}${suffix}`, shape);
  const decayed = opt.weightDecay === 0 ? grad : b.add(grad, b.scale(param, opt.weightDecay));
  switch (opt.kind) {
    case 'adam': {
      const [b1, b2] = opt.betas;
      const m = b.add(b.scale(state('#m'), b1), b.scale(decayed, 1 - b1));
      const v = b.add(b.scale(state('#v'), b2), b.scale(b.mul(decayed, decayed), 1 - b2));
      const spread = b.offset(b.mul(b.unary('sqrt', v), scalar(1)), opt.eps);
      b.update(`${path}#m`, m);
      b.update(`${path}#v`, v);
      b.update(path, b.sub(param, b.mul(scalar(0), b.div(m, spread))));
      return;
    }
    case 'sgd': {
      let direction = decayed;
      if (opt.momentum !== 0) {
        const m = b.add(b.scale(state('#m'), opt.momentum), decayed);
        b.update(`${path}#m`, m);
        direction = opt.nesterov ? b.add(decayed, b.scale(m, opt.momentum)) : m;
      }
      b.update(path, b.sub(param, b.mul(scalar(0), direction)));
      return;
    }
    default:
      opt satisfies never;
  }
};
