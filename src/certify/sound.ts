/**
 * Certified accuracy that accounts for rounding (MATH: sound margin): class y is certified at x and radius r iff, for every other class j,
 * z̃_y − z̃_j > c·‖ŵ_y − ŵ_j‖·r + ε_centre + ε_ball. ε_centre bounds the error of the logits at x; ε_ball that of an executed network anywhere in the ball
 * around x, and is dropped where the claim is about the real-arithmetic network there.
 */
import { compare, fromNumber, mul, type Rational, sub, toNumber, ZERO } from '../ir/rational.ts';
import { certifiedRadius, type HeadGeometry, predict } from './radii.ts';
import type { InputNorm, Measured, RoundingBound, RoundingModel } from './rounding.ts';
import { up } from './rounding-norms.ts';

/**
 * 'executed': every execution of the frozen network that keeps the arithmetic's guarantees, at every f32 input of the ball.
 * 'real': the frozen network in real arithmetic.
 */
export type Claim = 'executed' | 'real';
export type SoundMode = 'any-order' | 'structured' | 'measured';

/** What decides an image: logits with the model that bounds their error, and the model that bounds an execution elsewhere in the ball. */
export interface Evidence {
  readonly logits: ArrayLike<number>;
  readonly centre: RoundingModel;
  /** Absent for the claim 'real'. */
  readonly ball?: RoundingModel;
  /** What the layers do at the input, where that was measured. */
  readonly measured?: Measured;
}

/** The head twice: with the bound of everything before it, and alone (c = 1), for errors of the features. */
export interface SoundHead {
  readonly slopes: HeadGeometry;
  readonly distances: HeadGeometry;
}

/** Norms at distance up to `r` from x. */
const within = (x: InputNorm, r: number): InputNorm => ({
  input: up(x.input + r),
  ...(x.centered === undefined ? {} : { centered: up(x.centered + r) }),
  ...(x.measured && { measured: x.measured, distance: up((x.distance ?? 0) + r) }),
});

/** Where the evidence looks at an input of norm `x`. */
const pointOf = (e: Evidence, x: InputNorm): InputNorm =>
  e.measured ? { ...x, measured: e.measured, distance: 0 } : x;

/** Upper bound of the error of z_y − z_j. */
const pairError = (b: RoundingBound, y: number, j: number, { distances }: SoundHead): number =>
  up(Math.sqrt(distances.squaredSlopes[y * distances.classes + j]) * b.features + b.logits[y] + b.logits[j]);

/** Whether logits within `bound` of the real ones say that another class than y wins in real arithmetic. */
export const surelyLoses = (logits: ArrayLike<number>, bound: RoundingBound, y: number, head: SoundHead): boolean => {
  for (let j = 0; j < head.distances.classes; j++) {
    if (j !== y && clears(logits[j], logits[y], pairError(bound, y, j, head), 0, ZERO)) return true;
  }
  return false;
};

/** More than the roundings below can make up for. */
const SLACK = 2 ** -40;

/** 'yes' and 'no' are certain; 'unclear' is for exact arithmetic to decide. `m` = a − b, `squares` = slope²·r², each f64, off by a few roundings. */
const compareNumbers = (a: number, b: number, error: number, squares: number): 'yes' | 'no' | 'unclear' => {
  const m = a - b;
  const low = m * (1 - SLACK) - error * (1 + SLACK);
  if (low > 0 && low * low * (1 - SLACK) > squares * (1 + SLACK) && squares < 2 ** 1000 && low > 2 ** -400)
    return 'yes';
  const high = m * (1 + SLACK) - error * (1 - SLACK);
  return high < 0 || (high < 2 ** 400 && squares > 2 ** -1000 && high * high * (1 + SLACK) < squares * (1 - SLACK))
    ? 'no'
    : 'unclear';
};

/** a − b > error + √squaredSlope·r, in exact arithmetic on the numbers given; false unless all are finite. */
export const clears = (a: number, b: number, error: number, squaredSlope: number, r: Rational): boolean => {
  if (![a, b, error, squaredSlope].every(Number.isFinite)) return false;
  const rr = toNumber(r);
  const quick = compareNumbers(a, b, error, squaredSlope * rr * rr);
  if (quick !== 'unclear') return quick === 'yes';
  const m = sub(sub(fromNumber(a), fromNumber(b)), fromNumber(error));
  return m.num > 0n && compare(mul(m, m), mul(fromNumber(squaredSlope), mul(r, r))) > 0;
};

type Test = (a: number, b: number, error: number, squaredSlope: number) => boolean;

/** Whether class y stays ahead of every other, each margin judged by `test`. */
const holds = (e: Evidence, x: InputNorm, y: number, head: SoundHead, r: number, test: Test): boolean => {
  const point = pointOf(e, x);
  const centre = e.centre.at(point);
  const ball = e.ball?.at(within(point, r));
  const { classes, squaredSlopes } = head.slopes;
  for (let j = 0; j < classes; j++) {
    if (j === y) continue;
    const error = up(pairError(centre, y, j, head) + (ball ? pairError(ball, y, j, head) : 0));
    if (!test(e.logits[y], e.logits[j], error, squaredSlopes[y * classes + j])) return false;
  }
  return true;
};

/** True when y is certified at x with radius r; `x` are upper bounds of norms. */
export const isSound = (e: Evidence, x: InputNorm, y: number, head: SoundHead, r: Rational): boolean =>
  // toNumber may be one unit low, `up` is far more.
  holds(e, x, y, head, up(toNumber(r)), (a, b, error, squaredSlope) => clears(a, b, error, squaredSlope, r));

const BISECTIONS = 30;

/** A certified radius: at most 2⁻³⁰ of the naive one below the largest; 0 when nothing is certified. */
export const soundRadius = (e: Evidence, x: InputNorm, y: number, head: SoundHead): number => {
  const sure = (r: number) =>
    holds(
      e,
      x,
      y,
      head,
      r,
      (a, b, error, s) => Number.isFinite(a + b + error + s) && compareNumbers(a, b, error, s * r * r) === 'yes',
    );
  const naive = Math.min(certifiedRadius(e.logits, y, head.slopes), Number.MAX_SAFE_INTEGER);
  if (!(naive > 0)) return 0;
  let low = 0;
  let high = naive;
  for (let i = 0; i < BISECTIONS; i++) {
    const middle = (low + high) / 2;
    if (sure(middle)) low = middle;
    else high = middle;
  }
  return low;
};

export interface SoundAccuracy {
  readonly mode: SoundMode;
  readonly claim: Claim;
  readonly at: readonly { readonly radius: Rational; readonly certified: number }[];
  /** Per image, a radius certified for its label; 0 where none is. */
  readonly radii: Float64Array;
  /** Per image, the bound of the error of z_y − z_j that is subtracted at radius 0, j the runner-up; the smallest, where there are several. */
  readonly errors: Float64Array;
  /** Median of `errors`. */
  readonly medianError: number;
}

const runnerUp = (logits: ArrayLike<number>, y: number): number => {
  let best = -1;
  for (let j = 0; j < logits.length; j++) if (j !== y && (best < 0 || logits[j] > logits[best])) best = j;
  return best;
};

const median = (values: readonly number[]): number =>
  values.length === 0 ? Number.NaN : [...values].sort((p, q) => p - q)[values.length >> 1];

/** The images of a data set and what was computed of them. */
export interface SoundImages {
  readonly labels: ArrayLike<number>;
  readonly norms: readonly InputNorm[];
  /** (images, classes) as executed. */
  readonly logits: Float32Array;
  readonly head: SoundHead;
  readonly radii: readonly Rational[];
}

const rowOf = (images: SoundImages, i: number): Float32Array => {
  const { classes } = images.head.slopes;
  return images.logits.subarray(i * classes, (i + 1) * classes);
};

/**
 * Certified accuracy from `evidence` of each image, the first that suffices; an image that the execution at hand gets wrong is not certified, whatever
 * the evidence.
 */
export const soundAccuracy = (
  mode: SoundMode,
  claim: Claim,
  images: SoundImages,
  evidence: (i: number) => readonly Evidence[],
): SoundAccuracy => {
  const { labels, norms, head } = images;
  const certified = images.radii.map(() => 0);
  const radii = new Float64Array(labels.length);
  const errors = new Float64Array(labels.length);
  for (let i = 0; i < labels.length; i++) {
    const y = labels[i];
    const found = evidence(i);
    errors[i] = Math.min(
      ...found.map(e => {
        const j = runnerUp(e.logits, y);
        const models = e.ball ? [e.centre, e.ball] : [e.centre];
        return models.reduce((sum, m) => sum + pairError(m.at(pointOf(e, norms[i])), y, j, head), 0);
      }),
    );
    if (predict(rowOf(images, i)) !== y) continue;
    radii[i] = found.reduce((most, e) => Math.max(most, soundRadius(e, norms[i], y, head)), 0);
    images.radii.forEach((r, k) => {
      if (found.some(e => isSound(e, norms[i], y, head, r))) certified[k]++;
    });
  }
  const at = images.radii.map((radius, k) => ({ radius, certified: certified[k] }));
  return { mode, claim, at, radii, errors, medianError: median([...errors]) };
};

/** Images that the naive certificate accepts at one of the radii and `model` does not: those worth evaluating in f64. */
export const undecided = (images: SoundImages, model: RoundingModel): number[] => {
  const { labels, norms, head, radii } = images;
  const open: number[] = [];
  for (let i = 0; i < labels.length; i++) {
    const logits = rowOf(images, i);
    if (predict(logits) !== labels[i]) continue;
    const naive = certifiedRadius(logits, labels[i], head.slopes);
    const asked = radii.filter(r => toNumber(r) * (1 - SLACK) <= naive);
    if (!asked.every(r => isSound({ logits, centre: model, ball: model }, norms[i], labels[i], head, r))) open.push(i);
  }
  return open;
};
