/** The threat model: an ℓ2 ball around an image, cut with the box of valid inputs where that is asked for. */
import type { Random } from '../train/random.ts';

/** Lowest and highest value of an input entry. */
export type Box = readonly [number, number];

/** Relative room for rounding a point to f32 after the projection. */
const INSIDE = 1 - 2 ** -20;

/** ‖a − b‖ of two f32 vectors, summed in f64. */
export const distance = (a: Float32Array, b: Float32Array): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) {
    const d = a[i] - b[i];
    sum += d * d;
  }
  return Math.sqrt(sum);
};

/** Writes into `out` the projection of `point` onto the box, then towards `centre` onto the ball, which holds for the rounded numbers; centre lies in the box. */
export const project = (
  point: Float64Array,
  centre: Float32Array,
  radius: number,
  box: Box | undefined,
  out: Float32Array,
): void => {
  let sum = 0;
  for (let i = 0; i < point.length; i++) {
    if (box) point[i] = Math.min(Math.max(point[i], box[0]), box[1]);
    const d = point[i] - centre[i];
    sum += d * d;
  }
  const norm = Math.sqrt(sum);
  let shrink = norm > radius * INSIDE ? (radius * INSIDE) / norm : 1;
  for (;;) {
    for (let i = 0; i < point.length; i++) out[i] = centre[i] + shrink * (point[i] - centre[i]);
    const rounded = distance(out, centre);
    if (!(rounded > radius)) return;
    // In a ball hardly larger than the spacing of f32 rounding may still lead out of it; in the end the point is the centre.
    shrink *= Math.min(radius / rounded, 1 - 2 ** -6);
  }
};

/** A point drawn uniformly from the ball, then projected onto the box. */
export const randomPoint = (
  centre: Float32Array,
  radius: number,
  box: Box | undefined,
  random: Random,
  out: Float32Array,
): void => {
  const n = centre.length;
  const direction = Float64Array.from({ length: n }, () => random.normal());
  const norm = Math.sqrt(direction.reduce((s, d) => s + d * d, 0));
  const length = radius * random.uniform() ** (1 / n);
  project(
    direction.map((d, i) => centre[i] + (norm > 0 ? (d / norm) * length : 0)),
    centre,
    radius,
    box,
    out,
  );
};
