import type { Rational } from '../ir/rational.ts';
import { toNumber } from '../ir/rational.ts';

/**
 * The head as the certificate sees it: logit difference i − j is ‖ŵ_i − ŵ_j‖·c-Lipschitz in the network's input, where ŵ are the
 * head's rows as deployed and c bounds the Lipschitz constant of everything before the head (MATH.md §2).
 */
export interface HeadGeometry {
  readonly classes: number;
  /** (classes, classes): an upper bound of c²·‖ŵ_i − ŵ_j‖², rounding included. */
  readonly squaredSlopes: Float64Array;
}

/** Unit round-off of f64. */
const U = 2 ** -53;

/**
 * `rows` (classes, features) are the normalised rows exactly as the network multiplies with them; `squaredBound` is c². The f64 sums
 * are raised by their worst rounding error, so the result is an upper bound of the real number.
 */
export const headGeometry = (
  rows: Float32Array | Float64Array,
  classes: number,
  squaredBound: Rational,
): HeadGeometry => {
  const d = rows.length / classes;
  if (!Number.isInteger(d)) throw new Error(`${rows.length} head weights do not make ${classes} rows`);
  const c2 = toNumber(squaredBound);
  // Per term: difference, square (2 × the difference's error) and at most d additions; then the product with c², itself rounded.
  const inflate = 1 + (d + 8) * 2 * U;
  const squaredSlopes = new Float64Array(classes * classes);
  for (let i = 0; i < classes; i++) {
    for (let j = 0; j < i; j++) {
      let sum = 0;
      for (let k = 0; k < d; k++) {
        const e = rows[i * d + k] - rows[j * d + k];
        sum += e * e;
      }
      const bound = sum * c2 * inflate;
      squaredSlopes[i * classes + j] = bound;
      squaredSlopes[j * classes + i] = bound;
    }
  }
  return { classes, squaredSlopes };
};

/**
 * Certified ℓ2 radius of class `y`: min over j ≠ y of (z_y − z_j) / (c·‖ŵ_y − ŵ_j‖) for one row of logits. Positive where the network
 * predicts y alone; 0 on a tie; negative (the signed distance bound) where another class wins; NaN when a logit is not finite, which
 * certifies nothing. Class pairs with equal rows never change order: +∞ when y is ahead, else 0 or −∞.
 */
export const certifiedRadius = (logits: ArrayLike<number>, y: number, head: HeadGeometry): number => {
  let radius = Number.POSITIVE_INFINITY;
  for (let j = 0; j < head.classes; j++) {
    if (!Number.isFinite(logits[j])) return Number.NaN;
    if (j === y) continue;
    const margin = logits[y] - logits[j];
    const slope = head.squaredSlopes[y * head.classes + j];
    const r = margin === 0 ? 0 : slope === 0 ? margin * Number.POSITIVE_INFINITY : margin / Math.sqrt(slope);
    if (r < radius) radius = r;
  }
  return radius;
};

/**
 * True when no perturbation of norm ≤ r can take the prediction away from `y`: for every j ≠ y, m > 0 and m² > c²·r²·‖ŵ_y − ŵ_j‖².
 * Free of roots, strict, and conservative: products that round are compared with a margin for it, so an exact tie is refused, as are
 * NaN and infinite logits.
 */
export const isCertified = (logits: ArrayLike<number>, y: number, head: HeadGeometry, r: Rational): boolean => {
  const rr = toNumber(r);
  const squared = rr * rr;
  for (let j = 0; j < head.classes; j++) {
    if (!Number.isFinite(logits[j])) return false;
    if (j === y) continue;
    const m = logits[y] - logits[j];
    if (!(m > 0)) return false;
    if (!(m * m * (1 - 8 * U) > squared * head.squaredSlopes[y * head.classes + j] * (1 + 8 * U))) return false;
  }
  return true;
};

/** Index of the largest logit, the first of equals; −1 when a logit is not finite. */
export const predict = (logits: ArrayLike<number>): number => {
  let best = 0;
  for (let j = 0; j < logits.length; j++) {
    if (!Number.isFinite(logits[j])) return -1;
    if (logits[j] > logits[best]) best = j;
  }
  return best;
};
