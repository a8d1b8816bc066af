/** Attacks that succeed inside a certified ball: what rounding explains, and what nothing explains but a wrong certificate. */
import { certifiedRadius, type HeadGeometry } from '../certify/radii.ts';
import { referenceLogits } from '../certify/sound-inputs.ts';
import type { Dataset } from '../data/dataset.ts';
import type { FrozenNetwork } from '../passes/tensors/freeze.ts';
import type { AttackedImage } from './search.ts';

/** An image of the attack by its position, with the f64 logits of the image and of the perturbed image. */
export interface Suspect {
  readonly index: number;
  readonly norm: number;
  readonly certified: number;
  readonly logits: { readonly image: Float64Array; readonly perturbed: Float64Array };
  /** The certified radius of the f64 logits at the image. */
  readonly exact: number;
}

export interface Judgement {
  /** Contradict the theorem: in f64, too, the perturbed image has another class and lies inside the certified ball. */
  readonly violations: readonly Suspect[];
  /** Succeed only because logits are rounded to f32, at the image or at the perturbed one. */
  readonly rounding: readonly Suspect[];
}

/** Allowed for the f64 evaluation, relative to the largest logit; it is off by far less. */
const F64 = 2 ** -36;

/** Largest logit of another class minus that of y. */
const lead = (z: Float64Array, y: number): number =>
  z.reduce((most, v, j) => (j === y ? most : Math.max(most, v)), Number.NEGATIVE_INFINITY) - z[y];

/**
 * Judges every attack on `data` (the images attacked, f32) that is no larger than the radius certified for its image: both ends are
 * evaluated again in f64. `head` is the geometry the radii were computed with.
 */
export const judgeAttacks = (
  frozen: FrozenNetwork,
  data: Dataset,
  attacked: readonly AttackedImage[],
  head: HeadGeometry,
): Judgement => {
  const which = attacked.flatMap((a, i) => (a.found && a.smallest <= a.certified ? [i] : []));
  const n = data.images.length / attacked.length;
  const perturbed = new Float32Array(which.length * n);
  which.forEach((index, k) => {
    perturbed.set(attacked[index].found!.x, k * n);
  });
  const order = which.map((_, k) => k);
  const before = referenceLogits(frozen, data, which);
  const after = referenceLogits(
    frozen,
    { ...data, images: perturbed, labels: Int32Array.from(which, i => data.labels[i]) },
    order,
  );
  const violations: Suspect[] = [];
  const rounding: Suspect[] = [];
  which.forEach((index, k) => {
    const label = data.labels[index];
    const logits = { image: before.get(index)!, perturbed: after.get(k)! };
    const exact = certifiedRadius(logits.image, label, head);
    const { smallest: norm, certified } = attacked[index];
    const suspect = { index, norm, certified, logits, exact };
    const scale = F64 * logits.perturbed.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
    const isReal = lead(logits.perturbed, label) > scale && norm < exact * (1 - F64);
    (isReal ? violations : rounding).push(suspect);
  });
  return { violations, rounding };
};
