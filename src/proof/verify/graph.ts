/** What is known of the values of layers: squared bounds from the input, and from where branches fork. */
import { mul, ONE, type Q } from './numbers.ts';

/** The channels from the first to before the second. */
type Slice = readonly [start: number, end: number];

/** What a layer's value is to the network's input: a squared bound. Every path from the input to it passes through `from`. */
export interface Value {
  readonly squared: Q;
  /** The nearest such value, with the squared bound of the map from there; the input has none. */
  readonly from?: Value;
  readonly own: Q;
  /** How many such values there are up to the input. */
  readonly depth: number;
  /** The channels of `from` that this value is. */
  readonly slice?: Slice | undefined;
}

/** The network's input. */
export const ORIGIN: Value = { squared: ONE, own: ONE, depth: 0 };

/** What an input of a layer is to the value where all of its inputs fork: a squared bound, and the channels that it depends on, where not all. */
export interface Branch {
  readonly squared: Q;
  readonly slice: Slice | undefined;
}

/** A bound from those of the inputs. */
export type Bound = (inputs: readonly Branch[]) => Q;

/** The last value that both depend on alone. */
const fork = (a: Value, b: Value): Value => {
  let [p, r] = [a, b];
  while (p !== r) {
    if (p.depth >= r.depth) p = p.from!;
    else r = r.from!;
  }
  return p;
};

const branch = (top: Value, to: Value): Branch => {
  let [at, squared, slice] = [to, ONE, undefined as Slice | undefined];
  for (; at !== top; at = at.from!) [squared, slice] = [mul(at.own, squared), at.slice];
  return { squared, slice };
};

/** The bound of a layer's value from those of `values`, with its own bound or its function of several, which is of the map from where they fork. */
export const follow = (
  { inputs, slice }: { readonly inputs: readonly number[]; readonly slice?: Slice },
  bound: Q | Bound,
  values: readonly Value[],
): Value => {
  const read = inputs.map(n => values[n]);
  const from = read.reduce(fork);
  const own = typeof bound === 'function' ? bound(read.map(v => branch(from, v))) : bound;
  return { squared: mul(from.squared, own), from, own, depth: from.depth + 1, slice };
};
