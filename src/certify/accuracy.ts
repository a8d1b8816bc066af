import type { Rational } from '../ir/rational.ts';
import type { HeadGeometry } from './radii.ts';
import { certifiedRadius, isCertified, predict } from './radii.ts';

export interface CertifiedAccuracy {
  readonly images: number;
  /** Images whose largest logit is the label's (the first of equals counts as the prediction). */
  readonly correct: number;
  /** Per radius asked for: how many images are certified there. */
  readonly at: readonly { readonly radius: Rational; readonly certified: number }[];
  /** Per image: signed radius of the label's class; NaN where the logits are not finite. */
  readonly radii: Float64Array;
}

/** `logits` (images, classes) f32 against `labels`. */
export const certifiedAccuracy = (
  logits: Float32Array,
  labels: ArrayLike<number>,
  head: HeadGeometry,
  at: readonly Rational[],
): CertifiedAccuracy => {
  const images = labels.length;
  if (logits.length !== images * head.classes) {
    throw new Error(`${logits.length} logits for ${images} images of ${head.classes} classes`);
  }
  let correct = 0;
  const certified = at.map(() => 0);
  const radii = new Float64Array(images);
  for (let i = 0; i < images; i++) {
    const row = logits.subarray(i * head.classes, (i + 1) * head.classes);
    if (predict(row) === labels[i]) correct++;
    radii[i] = certifiedRadius(row, labels[i], head);
    at.forEach((r, k) => {
      if (isCertified(row, labels[i], head, r)) certified[k]++;
    });
  }
  return { images, correct, at: at.map((radius, k) => ({ radius, certified: certified[k] })), radii };
};
