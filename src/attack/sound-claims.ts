/** Sound radii under attack: no executed perturbation of exactly that norm or less may change the class, nor one in real arithmetic where that is claimed. */

import type { Claim, SoundAccuracy, SoundMode } from '../certify/sound.ts';
import { compare, fromNumber, mul, type Rational, rational } from '../ir/rational.ts';
import type { AttackedImage } from './search.ts';

/** The unit of all f32 numbers is 2⁻¹⁴⁹. */
const UNIT = 149;

/** ‖a − b‖² of two finite f32 vectors, exactly. */
export const squaredDistance = (a: Float32Array, b: Float32Array): Rational => {
  // A power of two scales without rounding.
  const whole = (x: number): bigint => BigInt(x * 2 ** UNIT);
  let sum = 0n;
  for (let i = 0; i < a.length; i++) {
    if (a[i] === b[i]) continue;
    const d = whole(a[i]) - whole(b[i]);
    sum += d * d;
  }
  return rational(sum, 1n << BigInt(2 * UNIT));
};

/** Per image, the exact squared norm of the smallest attack found; undefined where there is none. */
export const squaredNorms = (attacked: readonly AttackedImage[], images: Float32Array): (Rational | undefined)[] => {
  const n = images.length / attacked.length;
  return attacked.map(({ found }, i) => found && squaredDistance(found.x, images.subarray(i * n, (i + 1) * n)));
};

/** A sound claim that an attack contradicts. */
export interface BrokenClaim {
  readonly mode: SoundMode;
  readonly claim: Claim;
  readonly index: number;
  readonly radius: number;
}

/**
 * Claims of `sound` that attacks contradict: by the exact norm, at the radius of the image. `changesInReal(i)` says whether the attack on image i certainly
 * changes the class in real arithmetic too; attacks are found on the executed network, so for the other claims that is known.
 */
export const brokenClaims = (
  sound: readonly SoundAccuracy[],
  squared: readonly (Rational | undefined)[],
  changesInReal: (index: number) => boolean,
): BrokenClaim[] =>
  sound.flatMap(({ mode, claim, radii }) =>
    squared.flatMap((norm, index): BrokenClaim[] => {
      const radius = radii[index];
      if (norm === undefined || !(radius > 0)) return [];
      const r = fromNumber(radius);
      const reached = compare(norm, mul(r, r)) <= 0;
      return reached && (claim === 'executed' || changesInReal(index)) ? [{ mode, claim, index, radius }] : [];
    }),
  );

/** How many images are right at the start and have no attack of norm ≤ `radius`, norms compared exactly. */
export const survivors = (
  attacked: readonly AttackedImage[],
  squared: readonly (Rational | undefined)[],
  radius: Rational,
): number =>
  attacked.filter(({ smallest }, i) => {
    const norm = squared[i];
    return smallest > 0 && (norm === undefined || compare(norm, mul(radius, radius)) > 0);
  }).length;
