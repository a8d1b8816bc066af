/** Small frozen networks to attack. */
import { type HeadGeometry, headGeometry } from '../../src/certify/radii.ts';
import type { Dataset } from '../../src/data/dataset.ts';
import { networkParams } from '../../src/ir/network.ts';
import { parse } from '../../src/parser/parse.ts';
import { prove } from '../../src/passes/prove/prove.ts';
import { resolve } from '../../src/passes/resolve/resolve.ts';
import { type FrozenNetwork, freeze } from '../../src/passes/tensors/freeze.ts';
import { initializeParams } from '../../src/train/initialize.ts';
import { stream } from '../../src/train/random.ts';

export const LINEAR = `network Linear {
  input vector[6] in [0, 1]
  head 4
}`;

export const DEEP = `network Deep by sll {
  input image[1, 4, 4] in [0, 1]
  center 0.5
  residual conv hidden = 4, kernel = 3
  flatten
  dense 10 by aol
  maxmin
  residual dense hidden = 6
  head 4
}`;

export const frozen = (
  source: string,
  batch: number,
): { readonly network: FrozenNetwork; readonly head: HeadGeometry } => {
  const result = prove(resolve(parse(source).file, {}).networks[0]);
  if (!('proven' in result)) throw new Error('not proven');
  const { proven } = result;
  const network = freeze(proven, initializeParams(networkParams(proven.network), 3), batch);
  return { network, head: headGeometry(network.head!.rows, network.head!.classes, proven.squared) };
};

/** `count` random images of `n` entries in [0, 1), each with the label that `labels` gives it. */
export const images = (n: number, labels: Int32Array, seed = 1): Dataset & { readonly images: Float32Array } => {
  const random = stream(seed, 'images');
  const pixels = Float32Array.from({ length: labels.length * n }, () => random.uniform());
  return { name: 'random', shape: [n], classes: 4, classesKnown: true, images: pixels, labels };
};
