/**
 * Two ways up a loss inside an ℓ2 ball: projected gradient descent with a fixed step (Madry et al., ICLR 2018) and Auto-PGD (Croce &
 * Hein, ICML 2020, Algorithm 1), which has momentum and halves its step when progress stalls. Both go up, so "loss" is what grows.
 */
import { predict } from '../certify/radii.ts';
import { type Box, project } from './ball.ts';
import type { Oracle } from './oracle.ts';

/** What is climbed: cross-entropy at the label, or the logit of `target` minus that of the label. */
export type Goal = { readonly loss: 'cross entropy' } | { readonly loss: 'difference'; readonly target: number };

export type Method = 'pgd' | 'apgd';

/** One image to be attacked; `start` lies in the ball of `radius` around `centre`. */
export interface Attack {
  readonly centre: Float32Array;
  readonly start: Float32Array;
  readonly label: number;
  readonly radius: number;
  readonly goal: Goal;
}

const MOMENTUM = 0.75;
/** The share of steps since the last checkpoint that must have raised the loss. */
const RISING = 0.75;

/** Steps after which Auto-PGD reviews its step size: shares 0.22, 0.41, 0.57, … of all steps. */
export const checkpoints = (steps: number): number[] => {
  // In hundredths, so that sums are exact.
  const shares = [0, 22];
  while (shares[shares.length - 1] < 100) {
    const [before, last] = shares.slice(-2);
    shares.push(last + Math.max(last - before - 3, 6));
  }
  return [...new Set(shares.map(p => Math.ceil((p * steps) / 100)))].filter(w => w > 0 && w <= steps);
};

const lossOf = (z: Float32Array, label: number, goal: Goal): number => {
  switch (goal.loss) {
    case 'difference':
      return z[goal.target] - z[label];
    case 'cross entropy': {
      const top = z.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
      return top - z[label] + Math.log(z.reduce((sum, v) => sum + Math.exp(v - top), 0));
    }
    default:
      return goal satisfies never;
  }
};

/** A climber at work on one image; positions are f32, what the network sees. */
interface Climber {
  readonly attack: Attack;
  x: Float32Array;
  before: Float32Array;
  step: number;
  best: { x: Float32Array; gradient: Float32Array; loss: number };
  rises: number;
  last: number;
  review: { step: number; loss: number };
  /** The first point of another class. */
  found?: Float32Array;
}

const climber = (attack: Attack, step: number): Climber => ({
  attack,
  x: attack.start.slice(),
  before: attack.start.slice(),
  step,
  best: { x: attack.start, gradient: new Float32Array(0), loss: Number.NEGATIVE_INFINITY },
  rises: 0,
  last: Number.NEGATIVE_INFINITY,
  review: { step, loss: Number.NEGATIVE_INFINITY },
});

/** Moves along `gradient`, of length one, by `c.step`; with momentum, mixed with the previous move. */
const move = (c: Climber, gradient: Float32Array, momentum: number, box: Box | undefined): void => {
  const { centre, radius } = c.attack;
  let squares = 0;
  for (const g of gradient) squares += g * g;
  // Without a direction, because the gradient is zero or overflowed, it stays where it is.
  const scale = squares > 0 && Number.isFinite(squares) ? c.step / Math.sqrt(squares) : 0;
  const next = new Float32Array(centre.length);
  const point = Float64Array.from(c.x, (v, i) => (scale > 0 ? v + scale * gradient[i] : v));
  project(point, centre, radius, box, next);
  if (momentum > 0) {
    for (let i = 0; i < point.length; i++)
      point[i] = c.x[i] + (1 - momentum) * (c.x[i] - c.before[i]) + momentum * (next[i] - c.x[i]);
    project(point, centre, radius, box, next);
  }
  c.before = c.x;
  c.x = next;
};

/** Step of Auto-PGD after the `k`-th evaluation, which gave `loss` and `gradient` at c.x. */
const autoStep = (
  c: Climber,
  k: number,
  sinceReview: number,
  isReview: boolean,
  loss: number,
  gradient: Float32Array,
  box: Box | undefined,
): void => {
  if (loss > c.last) c.rises++;
  c.last = loss;
  if (loss > c.best.loss) c.best = { x: c.x, gradient: gradient.slice(), loss };
  let from = gradient;
  if (isReview) {
    const stalled = c.rises < RISING * sinceReview;
    const stuck = c.review.step === c.step && c.review.loss === c.best.loss;
    c.review = { step: c.step, loss: c.best.loss };
    c.rises = 0;
    if (stalled || stuck) {
      c.step /= 2;
      c.x = c.best.x;
      c.before = c.best.x;
      c.last = c.best.loss;
      from = c.best.gradient;
    }
  }
  move(c, from, k === 0 ? 1 : MOMENTUM, box);
};

/**
 * Runs `method` for `steps` gradient steps on up to `oracle.batch` images at once. Per image, the first point met that the network does
 * not give the label, or undefined. Every image is treated alike whatever else is in the batch.
 */
export const climb = async (
  oracle: Oracle,
  method: Method,
  attacks: readonly Attack[],
  steps: number,
  box: Box | undefined,
): Promise<(Float32Array | undefined)[]> => {
  const { batch, classes, inputs } = oracle;
  if (attacks.length > batch) throw new Error(`${attacks.length} attacks for a batch of ${batch}`);
  const x = new Float32Array(batch * inputs);
  const partition = new Float32Array(batch);
  const direction = new Float32Array(batch * classes);
  // Madry's step reaches the border from anywhere in the ball; Auto-PGD starts with the ball's diameter.
  const climbers = attacks.map(a => climber(a, a.radius * (method === 'pgd' ? 2.5 / steps : 2)));
  attacks.forEach(({ label, goal }, i) => {
    direction[i * classes + label] = -1;
    if (goal.loss === 'difference') direction[i * classes + goal.target] = 1;
    else partition[i] = 1;
  });
  const reviews = checkpoints(steps);
  for (let k = 0; k <= steps && climbers.some(c => !c.found); k++) {
    climbers.forEach((c, i) => {
      x.set(c.x, i * inputs);
    });
    const { logits, gradient } = await oracle.gradient(x, partition, direction);
    const previous = reviews.filter(w => w < k).at(-1) ?? 0;
    climbers.forEach((c, i) => {
      if (c.found) return;
      const z = logits.subarray(i * classes, (i + 1) * classes);
      if (predict(z) !== c.attack.label) {
        c.found = c.x;
        return;
      }
      const g = gradient.subarray(i * inputs, (i + 1) * inputs);
      if (method === 'pgd') move(c, g, 0, box);
      else autoStep(c, k, k - previous, reviews.includes(k), lossOf(z, c.attack.label, c.attack.goal), g, box);
    });
  }
  return climbers.map(c => c.found);
};
