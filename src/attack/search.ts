/** The smallest perturbation found for each image: attacks at radii chosen by bisection, successes drawn back towards the image. */
import { certifiedRadius, type HeadGeometry, predict } from '../certify/radii.ts';
import { stream } from '../train/random.ts';
import { type Attack, climb, type Goal, type Method } from './apgd.ts';
import { type Box, distance, randomPoint } from './ball.ts';
import type { Oracle } from './oracle.ts';

export interface AttackOptions {
  /** Gradient steps of each attempt. */
  readonly steps: number;
  /** Attempts of each method at each radius; the first starts at the image, the others anywhere in the ball. */
  readonly restarts: number;
  /** Radii tried per image. */
  readonly rounds: number;
  readonly seed: number;
  /** Perturbed images stay in this box; without one, anything in the ball goes. */
  readonly box?: Box;
  /** Radii that are tried before others when they lie in the interval of the search, ascending. */
  readonly radii: readonly number[];
}

export interface AttackedImage {
  /** Radius certified for the label; not positive where the network is wrong or undecided. */
  readonly certified: number;
  /** Norm of the smallest perturbation found; 0 where the network is wrong without one, +∞ where none was found. */
  readonly smallest: number;
  /** The perturbed image of that norm, and how it was found. */
  readonly found?: { readonly x: Float32Array; readonly by: string };
}

const METHODS: readonly { readonly method: Method; readonly loss: Goal['loss'] }[] = [
  { method: 'apgd', loss: 'difference' },
  { method: 'apgd', loss: 'cross entropy' },
  { method: 'pgd', loss: 'cross entropy' },
];

/** Halvings of the segment from an image to a point of another class: the norm is within 2⁻¹⁴ of the border's. */
const HALVINGS = 14;
/** Bounds this close are close enough. */
const CLOSE = 1.01;
const GROWTH = 2;

/** State of the search: no attack was found at `low`, one of norm `high` was. */
interface Search {
  readonly image: number;
  readonly x: Float32Array;
  readonly label: number;
  readonly certified: number;
  /** Other classes, the one nearest by its certified distance first. */
  readonly targets: readonly number[];
  low: number;
  high: number;
  found?: { x: Float32Array; by: string };
}

/** Other classes by (z_y − z_j) / slope, the smallest first. */
export const nearestClasses = (logits: Float32Array, y: number, head: HeadGeometry): number[] => {
  const far = (j: number) => {
    const slope = head.squaredSlopes[y * head.classes + j];
    return slope > 0 ? (logits[y] - logits[j]) / Math.sqrt(slope) : Number.MAX_VALUE;
  };
  return Array.from({ length: head.classes }, (_, j) => j)
    .filter(j => j !== y)
    .sort((i, j) => far(i) - far(j));
};

/** The radius to try next. The certified one comes first: that is the claim under attack. */
const nextRadius = (s: Search, round: number, options: AttackOptions): number | undefined => {
  const { radii } = options;
  if (round === 0 && s.certified > 0 && Number.isFinite(s.certified)) return s.certified;
  if (s.high <= s.low * CLOSE) return undefined;
  if (s.high === Number.POSITIVE_INFINITY) {
    const least = radii[0] ?? 2 ** -10;
    return s.low > 0 ? s.low * GROWTH : least;
  }
  const middle = (s.low + s.high) / 2;
  // A radius of the table is decided rather than stepped over.
  const inside = radii.filter(r => r > s.low && r < s.high);
  return inside.length > 0 ? inside.reduce((a, b) => (Math.abs(b - middle) < Math.abs(a - middle) ? b : a)) : middle;
};

const logitsOf = async (oracle: Oracle, points: readonly Float32Array[]): Promise<Float32Array[]> => {
  const x = new Float32Array(oracle.batch * oracle.inputs);
  points.forEach((p, i) => {
    x.set(p, i * oracle.inputs);
  });
  const z = await oracle.logits(x);
  return points.map((_, i) => z.slice(i * oracle.classes, (i + 1) * oracle.classes));
};

interface Success {
  readonly search: Search;
  /** A point that is likely of another class. */
  readonly point: Float32Array;
  readonly by: string;
}

/** Which of the points the deployed plan gives another class; such a point is kept when it beats the best so far. */
const judge = async (
  oracle: Oracle,
  some: readonly { readonly search: Search; readonly by: string }[],
  points: readonly Float32Array[],
): Promise<boolean[]> => {
  const logits = await logitsOf(oracle, points);
  return some.map(({ search, by }, i) => {
    if (predict(logits[i]) === search.label) return false;
    const norm = distance(points[i], search.x);
    if (norm < search.high) {
      search.high = norm;
      search.found = { x: points[i], by };
    }
    return true;
  });
};

/** Draws each point of another class back along the segment to its image. The plan with gradients may disagree with the deployed one: its word counts. */
const drawBack = async (oracle: Oracle, candidates: readonly Success[]): Promise<void> => {
  if (candidates.length === 0) return;
  const broken = await judge(
    oracle,
    candidates,
    candidates.map(c => c.point),
  );
  const some = candidates.filter((_, i) => broken[i]).map(c => ({ ...c, low: 0, high: 1 }));
  for (let k = 0; k < HALVINGS && some.length > 0; k++) {
    const points = some.map(({ search: { x }, point, low, high }) =>
      Float32Array.from(x, (v, i) => v + ((low + high) / 2) * (point[i] - v)),
    );
    (await judge(oracle, some, points)).forEach((is, i) => {
      const middle = (some[i].low + some[i].high) / 2;
      if (is) some[i].high = middle;
      else some[i].low = middle;
    });
  }
};

const goalOf = (s: Search, loss: Goal['loss'], restart: number): Goal =>
  loss === 'difference' ? { loss, target: s.targets[restart % s.targets.length] } : { loss };

/** Attacks each search at its radius with every method, until one succeeds. */
const attackAt = async (
  oracle: Oracle,
  tasks: readonly { readonly search: Search; readonly radius: number }[],
  round: number,
  options: AttackOptions,
  onProgress: (attempts: number) => void,
): Promise<void> => {
  let done = 0;
  const { steps, restarts, seed, box } = options;
  let open = tasks;
  for (let restart = 0; restart < restarts; restart++) {
    for (const { method, loss } of METHODS) {
      for (let from = 0; from < open.length; from += oracle.batch) {
        const some = open.slice(from, from + oracle.batch);
        const attacks = some.map(({ search, radius }): Attack => {
          const start = search.x.slice();
          if (restart > 0) {
            const random = stream(seed, `attack ${search.image} ${round} ${method} ${loss} ${restart}`);
            randomPoint(search.x, radius, box, random, start);
          }
          return { centre: search.x, start, label: search.label, radius, goal: goalOf(search, loss, restart) };
        });
        const points = await climb(oracle, method, attacks, steps, box);
        const by = `${method === 'pgd' ? 'PGD' : 'APGD'}, ${loss}`;
        await drawBack(
          oracle,
          some.flatMap(({ search }, i): Success[] => {
            const point = points[i];
            return point ? [{ search, point, by }] : [];
          }),
        );
        done += some.length;
        onProgress(done);
      }
      open = open.filter(({ search, radius }) => search.high > radius);
    }
  }
  for (const { search, radius } of open) search.low = Math.max(search.low, radius);
};

/**
 * Attacks the images x (count, inputs) f32 with `labels`; `ids` name them in the random streams, so that the result for an image does
 * not depend on the others. Deterministic on one device. `onProgress` hears of the round, how many attempts on an image it may take, and how many are done.
 */
export const attackImages = async (
  oracle: Oracle,
  head: HeadGeometry,
  images: { readonly x: Float32Array; readonly labels: ArrayLike<number>; readonly ids: ArrayLike<number> },
  options: AttackOptions,
  onProgress: (round: number, open: number, done: number) => void = () => {},
): Promise<AttackedImage[]> => {
  const { inputs, batch, classes } = oracle;
  const searches: Search[] = [];
  const wrong = new Set<Search>();
  for (let from = 0; from < images.labels.length; from += batch) {
    const count = Math.min(batch, images.labels.length - from);
    const points = Array.from({ length: count }, (_, i) =>
      images.x.subarray((from + i) * inputs, (from + i + 1) * inputs),
    );
    const logits = await logitsOf(oracle, points);
    points.forEach((x, i) => {
      const label = images.labels[from + i];
      const s: Search = {
        image: images.ids[from + i],
        x,
        label,
        certified: certifiedRadius(logits[i], label, head),
        targets: classes > 1 ? nearestClasses(logits[i], label, head) : [],
        low: 0,
        high: Number.POSITIVE_INFINITY,
      };
      searches.push(s);
      if (predict(logits[i]) !== label) wrong.add(s);
    });
  }
  if (classes > 1) {
    for (let round = 0; round < options.rounds; round++) {
      const tasks = searches.flatMap(search => {
        const radius = wrong.has(search) ? undefined : nextRadius(search, round, options);
        return radius === undefined ? [] : [{ search, radius }];
      });
      const attempts = tasks.length * METHODS.length * options.restarts;
      await attackAt(oracle, tasks, round, options, done => onProgress(round, attempts, done));
    }
  }
  return searches.map(s => ({
    certified: s.certified,
    smallest: wrong.has(s) ? 0 : s.high,
    ...(s.found ? { found: s.found } : {}),
  }));
};
