/** Windows of pooling: how many there are, and how many share an entry. */
import type { Shape, Window } from './network.ts';
import { equal, type Rational, rational } from './rational.ts';

/** Number of whole windows along an axis of `n` entries. */
export const windowsAlong = (n: number, size: number, stride: number): number => Math.floor((n - size) / stride) + 1;

/** The same with windows that begin inside and that the end cuts off ("ceil mode"). */
export const windowsCut = (n: number, size: number, stride: number): number => {
  const count = Math.ceil((n - size) / stride) + 1;
  return (count - 1) * stride < n ? count : count - 1;
};

/** (height, width) of an image; a vector is one row. */
export const planeOf = (shape: Shape): readonly [number, number] =>
  shape.length === 3 ? [shape[1], shape[2]] : [1, shape[0]];

/** One entry a window and channel. */
export const pooledShape = (shape: Shape, { size, stride }: Window): Shape => {
  const plane = planeOf(shape);
  const [h, w] = [0, 1].map(i => windowsAlong(plane[i], size[i], stride[i]));
  return shape.length === 3 ? [shape[0], h, w] : [w];
};

/** At most how many windows share an entry, over both axes. */
export const multiplicityOf = ({ size, stride }: Window): number =>
  Math.ceil(size[0] / stride[0]) * Math.ceil(size[1] / stride[1]);

/** True where the stride is the size: windows that share nothing and leave nothing between them. */
export const tiles = ({ size, stride }: Window): boolean => size.every((k, i) => k === stride[i]);

/** Sums of disjoint blocks divided by √(block size): what the rule 'block-average' is about. */
export const isBlockAverage = (op: Window & { readonly divisorSquared: Rational }): boolean =>
  tiles(op) && equal(op.divisorSquared, rational(op.size[0] * op.size[1]));
