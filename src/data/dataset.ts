import type { Network } from '../ir/network.ts';
import { elements } from '../ir/network.ts';
import { toNumber } from '../ir/rational.ts';
import { InputFileError } from './input-file-error.ts';

/** Labelled images in memory. */
export interface Dataset {
  /** For messages, e.g. `mnist test`. */
  readonly name: string;
  /** [channels, height, width], or [features]. */
  readonly shape: readonly number[];
  /** Labels lie in 0 … classes − 1. */
  readonly classes: number;
  /** True when the data set is known to have this many classes, false when it was read off the labels. */
  readonly classesKnown: boolean;
  /** (count, ...shape) row-major. A byte b stands for b/255, so byte images take a quarter of the memory. */
  readonly images: Uint8Array | Float32Array;
  readonly labels: Int32Array;
}

export interface Splits {
  readonly train: Dataset;
  readonly test: Dataset;
}

const BYTE = Float32Array.from({ length: 256 }, (_, b) => b / 255);

/** Copies image `index` of `data` to `out` at `offset`, in the units of the network input. */
export const copyImage = (data: Dataset, index: number, out: Float32Array, offset: number): void => {
  const n = elements(data.shape);
  const { images } = data;
  if (images instanceof Float32Array) {
    out.set(images.subarray(index * n, (index + 1) * n), offset);
    return;
  }
  for (let i = 0, at = index * n; i < n; i++, at++) out[offset + i] = BYTE[images[at]];
};

const extremes = (data: Dataset): readonly [number, number] => {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const v of data.images) {
    if (v < low) low = v;
    if (v > high) high = v;
  }
  return data.images instanceof Uint8Array ? [low / 255, high / 255] : [low, high];
};

/**
 * Throws InputFileError unless there are images, they have the shape of the network's input (or as many entries, when that is a vector), lie in
 * its declared range, and every label is a class of its head.
 */
export const checkAgainstNetwork = (data: Dataset, network: Network): void => {
  if (data.labels.length === 0) throw new InputFileError(`${data.name} holds no images`, 'name data that has some');
  const wanted = network.input.shape;
  const same = wanted.length === data.shape.length && wanted.every((d, i) => d === data.shape[i]);
  const flattened = wanted.length === 1 && wanted[0] === elements(data.shape);
  if (!same && !flattened) {
    throw new InputFileError(
      `the images of ${data.name} have shape [${data.shape.join(', ')}], but the input of ${network.name} has shape [${wanted.join(', ')}]`,
      `write \`input image[${data.shape.join(', ')}]\` in ${network.name}, or use other data`,
    );
  }
  const head = network.layers.at(-1)?.op;
  if (head?.kind !== 'head') {
    throw new InputFileError(
      `${network.name} does not end in a head, so it has no classes to compare with the labels of ${data.name}`,
      `end the network with \`head ${data.classes}\``,
    );
  }
  if (data.classes > head.classes || (data.classesKnown && data.classes !== head.classes)) {
    throw new InputFileError(
      `${data.name} has ${data.classes} classes, but the head of ${network.name} has ${head.classes}`,
      `write \`head ${data.classes}\` in ${network.name}`,
    );
  }
  const range = network.input.range;
  if (range && data.labels.length > 0) {
    const [low, high] = extremes(data);
    // Compared in f32, the precision of the images: a declared 0.1 is met by the f32 next to it.
    if (low < Math.fround(toNumber(range[0])) || high > Math.fround(toNumber(range[1]))) {
      throw new InputFileError(
        `the values of ${data.name} run from ${low} to ${high}, outside the declared input range [${toNumber(range[0])}, ${toNumber(range[1])}] of ${network.name}`,
        'rescale the data, or declare the range it really has: radii are in the units of the input',
      );
    }
  }
};
