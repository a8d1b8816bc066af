import type { Augmentation } from '../ir/recipe.ts';
import type { Random } from '../train/random.ts';

type Image = { readonly pixels: Float32Array; readonly shape: readonly [number, number, number] };
type Transform = (image: Image, random: Random) => void;

/** Index of the source row or column, mirrored at the border without repeating it; for 0 ≤ pad < n. */
const mirror = (i: number, n: number): number => (i < 0 ? -i : i >= n ? 2 * (n - 1) - i : i);

/** Pad by `pad` on all sides, then cut out the old size at a random place: a shift by up to `pad`. */
const crop =
  (pad: number, mode: 'reflect' | 'zeros'): Transform =>
  ({ pixels, shape: [c, h, w] }, random) => {
    const dy = random.below(2 * pad + 1) - pad;
    const dx = random.below(2 * pad + 1) - pad;
    const source = pixels.slice();
    for (let k = 0, at = 0; k < c; k++) {
      for (let y = 0; y < h; y++) {
        for (let x = 0; x < w; x++, at++) {
          const sy = mode === 'reflect' ? mirror(y + dy, h) : y + dy;
          const sx = mode === 'reflect' ? mirror(x + dx, w) : x + dx;
          pixels[at] = sy < 0 || sy >= h || sx < 0 || sx >= w ? 0 : source[(k * h + sy) * w + sx];
        }
      }
    }
  };

const flip: Transform = ({ pixels, shape: [, , w] }, random) => {
  if (random.uniform() >= 0.5) return;
  for (let row = 0; row < pixels.length; row += w) pixels.subarray(row, row + w).reverse();
};

const clamp = (v: number): number => Math.min(Math.max(v, 0), 1);

/** ITU-R 601-2 luma of each pixel, as torchvision computes it; a one-channel image is its own luma. */
const luma = ({ pixels, shape: [c, h, w] }: Image): Float32Array => {
  const n = h * w;
  if (c !== 3) return pixels.slice(0, n);
  const out = new Float32Array(n);
  for (let i = 0; i < n; i++) out[i] = 0.2989 * pixels[i] + 0.587 * pixels[n + i] + 0.114 * pixels[2 * n + i];
  return out;
};

/** factor·image + (1 − factor)·other, clamped to [0, 1]. `other(i)` is the value to blend with at position i of any channel. */
const blend = (image: Image, factor: number, other: (i: number) => number): void => {
  const n = image.shape[1] * image.shape[2];
  const { pixels } = image;
  for (let i = 0; i < pixels.length; i++) pixels[i] = clamp(factor * pixels[i] + (1 - factor) * other(i % n));
};

const brightness = (image: Image, factor: number) => blend(image, factor, () => 0);

const contrast = (image: Image, factor: number) => {
  const gray = luma(image);
  const mean = gray.reduce((a, b) => a + b, 0) / gray.length;
  blend(image, factor, () => mean);
};

const saturation = (image: Image, factor: number) => {
  if (image.shape[0] !== 3) return;
  const gray = luma(image);
  blend(image, factor, i => gray[i]);
};

/** Turns the hue by `turn` of a full circle, in HSV. */
const hue = (image: Image, turn: number) => {
  if (image.shape[0] !== 3) return;
  const { pixels } = image;
  const n = image.shape[1] * image.shape[2];
  for (let i = 0; i < n; i++) {
    const [r, g, b] = [pixels[i], pixels[n + i], pixels[2 * n + i]];
    const high = Math.max(r, g, b);
    const range = high - Math.min(r, g, b);
    if (range === 0) continue;
    const sixth = high === r ? (g - b) / range : high === g ? 2 + (b - r) / range : 4 + (r - g) / range;
    const h = (((sixth / 6 + turn) % 1) + 1) % 1;
    // The channel whose phase is k: value − range · max(0, min(d, 4 − d, 1)), d = (k + 6h) mod 6.
    const channel = (k: number) => {
      const d = (k + 6 * h) % 6;
      return high - range * Math.max(0, Math.min(d, 4 - d, 1));
    };
    pixels[i] = channel(5);
    pixels[n + i] = channel(3);
    pixels[2 * n + i] = channel(1);
  }
};

/** Brightness, contrast, saturation and hue by factors drawn from their ranges, in random order (torchvision's ColorJitter). */
const jitter =
  (a: Extract<Augmentation, { kind: 'jitter' }>): Transform =>
  (image, random) => {
    const draw = ([low, high]: readonly [number, number]) => low + (high - low) * random.uniform();
    const steps = [
      [brightness, draw(a.brightness)],
      [contrast, draw(a.contrast)],
      [saturation, draw(a.saturation)],
      [hue, draw(a.hue)],
    ] as const;
    const order = [0, 1, 2, 3];
    for (let i = 3; i > 0; i--) {
      const j = random.below(i + 1);
      [order[i], order[j]] = [order[j], order[i]];
    }
    for (const k of order) steps[k][0](image, steps[k][1]);
  };

const transform = (a: Augmentation): Transform => {
  switch (a.kind) {
    case 'crop':
      return crop(a.pad, a.mode);
    case 'flip':
      return flip;
    case 'jitter':
      return jitter(a);
    default:
      return a satisfies never;
  }
};

/** Why `augmentations` cannot be applied to images of shape [channels, height, width], or undefined. */
export const augmentationProblem = (
  augmentations: readonly Augmentation[],
  shape: readonly number[],
): string | undefined => {
  if (augmentations.length === 0) return undefined;
  if (shape.length !== 3) return `augmentations need images, not vectors of shape [${shape.join(', ')}]`;
  for (const a of augmentations) {
    if (a.kind === 'crop' && a.mode === 'reflect' && a.pad >= Math.min(shape[1], shape[2])) {
      return `crop(${a.pad}, reflect) needs images larger than ${a.pad} pixels, not ${shape[1]}×${shape[2]}`;
    }
    if (a.kind === 'jitter' && shape[0] !== 1 && shape[0] !== 3) {
      return `jitter needs 1 or 3 channels, not ${shape[0]}`;
    }
  }
  return undefined;
};

/**
 * A function that augments one image (channels, height, width; values in [0, 1]) in place, drawing from `random`: the same stream gives
 * the same bits.
 */
export const augmenter = (
  augmentations: readonly Augmentation[],
  shape: readonly number[],
): ((pixels: Float32Array, random: Random) => void) => {
  const problem = augmentationProblem(augmentations, shape);
  if (problem !== undefined) throw new Error(problem);
  const transforms = augmentations.map(transform);
  return (pixels, random) => {
    for (const t of transforms) t({ pixels, shape: shape as readonly [number, number, number] }, random);
  };
};
