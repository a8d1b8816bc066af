/** Learning rate schedules. */
import { mul, type Rational, rational } from '../ir/rational.ts';
import type { Schedule } from '../ir/recipe.ts';

/** ⌊fraction · n⌋ for a fraction ≥ 0, exactly. */
const floorOf = (fraction: Rational, n: number): number => {
  const p = mul(fraction, rational(n));
  return Number(p.num / p.den);
};

/**
 * The learning rate at `step` (0, 1, … of `totalSteps`), `rate` being the optimiser's. Triangular: linear between (0, 0),
 * (⌊peak·n⌋, rate), (⌊knee·n⌋, rate/20) and (n, 0), constant outside, as in the reference code of SLL (whose trainer asks for it one
 * step late).
 */
export const rateAt = (schedule: Schedule, rate: number, step: number, totalSteps: number): number => {
  switch (schedule.kind) {
    case 'constant':
      return rate;
    case 'triangular': {
      const knots = [
        [0, 0],
        [floorOf(schedule.peak, totalSteps), rate],
        [floorOf(schedule.knee, totalSteps), rate / 20],
        [totalSteps, 0],
      ] as const;
      // Of knots at one step, the last counts: runs of one or two steps have no rise.
      const i = knots.findLastIndex(([x]) => x <= step);
      if (i < 0 || i === knots.length - 1) return 0;
      const [[x0, y0], [x1, y1]] = [knots[i], knots[i + 1]];
      return y0 + ((step - x0) / (x1 - x0)) * (y1 - y0);
    }
    default:
      return schedule satisfies never;
  }
};
