/**
 * Upper bounds of norms, in f64. Everything here and in `rounding.ts` is built from numbers ≥ 0 by sums, products, quotients and roots,
 * which never cancel: after k operations in a row the result is off by a factor of at most (1 + 2⁻⁵²)^k, roots included (2⁻⁵² covers what
 * ECMAScript leaves to implementations). No chain is longer than 2²⁰, so one factor at the end makes it an upper bound.
 */
import { phases, tapsPerPixel } from '../ir/conv-geometry.ts';
import { elements, type LinearMap, type Shape } from '../ir/network.ts';

/** Raises a result of at most 2²⁰ roundings in a row above the real number it stands for: (1 + 2⁻⁵²)^(2²⁰) < 1 + 2⁻³⁰. */
export const up = (x: number): number => x * (1 + 2 ** -30);

/** ‖v‖, unrounded: see `up`. */
export const norm = (v: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < v.length; i++) sum += v[i] * v[i];
  return Math.sqrt(sum);
};

/** ‖v‖ for a vector with `values` per channel, repeated over an image; or one value for all. */
export const spreadNorm = (values: Float32Array, shape: Shape): number =>
  norm(values) * Math.sqrt(values.length === 1 ? elements(shape) : elements(shape) / shape[0]);

/** Improvements of the test vector; each costs two products with the matrix. */
const TURNS = 12;

/**
 * ‖M‖ ≤ √max_i (MᵀMv)_i / v_i for every v > 0 (Schur test with weights): M (rows, columns) has entries ≥ 0. v is improved by power iteration,
 * so the bound is nearly exact. Any v proves it, so nothing depends on convergence.
 */
export const normOfNonnegative = (M: Float64Array, rows: number, columns: number): number => {
  let v = new Float64Array(columns).fill(1);
  let best = Number.POSITIVE_INFINITY;
  for (let turn = 0; turn < TURNS; turn++) {
    const image = new Float64Array(columns);
    for (let i = 0; i < rows; i++) {
      let sum = 0;
      for (let j = 0; j < columns; j++) sum += M[i * columns + j] * v[j];
      if (sum > 0) for (let j = 0; j < columns; j++) image[j] += M[i * columns + j] * sum;
    }
    let ratio = 0;
    let largest = 0;
    for (let j = 0; j < columns; j++) {
      ratio = Math.max(ratio, image[j] / v[j]);
      largest = Math.max(largest, image[j]);
    }
    best = Math.min(best, ratio);
    if (!(largest > 0)) break;
    // Kept away from 0, where the quotients would blow up.
    v = image.map(x => Math.max(x / largest, 1e-9));
  }
  return up(Math.sqrt(best));
};

export interface WeightNorms {
  /** ‖diag(s)·|W|‖ as a map on images, and of its transpose: no size of image and no padding makes it larger. */
  readonly absolute: number;
  /** ‖|W|‖. */
  readonly unscaled: number;
  /** Bounds an entry of Wx by ‖x‖ times this. */
  readonly largestRow: number;
  /** Bounds an entry of Wᵀx by ‖x‖ times this. */
  readonly largestColumn: number;
  readonly largestEntry: number;
}

/** Largest ‖·‖ of the parts of `squares` (rows, columns), its entries already squared, along each axis. */
const largestLines = (squares: Float64Array, columns: number): { readonly row: number; readonly column: number } => {
  const rows = squares.length / columns;
  const [byRow, byColumn] = [new Float64Array(rows), new Float64Array(columns)];
  squares.forEach((v, k) => {
    byRow[Math.floor(k / columns)] += v;
    byColumn[k % columns] += v;
  });
  const root = (v: Float64Array): number => Math.sqrt(v.reduce((a, b) => Math.max(a, b), 0));
  return { row: root(byRow), column: root(byColumn) };
};

/**
 * `W` is stored (out, in/groups, …taps). A convolution with |K| has norm ‖Σ_taps |P|‖, P the polyphase kernel, attained at frequency 0: its
 * symbol is nowhere larger in any entry. `s` (out) defaults to 1. `input` is the shape of the map's input.
 */
export const weightNorms = (map: LinearMap, W: Float32Array, input: Shape, s?: Float64Array): WeightNorms => {
  const conv = map.kind === 'conv';
  const [kh, kw] = conv ? map.kernel : [1, 1];
  const [eh, ew] = conv ? phases(map) : [1, 1];
  const groups = conv ? map.groups : 1;
  const [outs, ins] = [map.out / groups, map.in / groups];
  const each = eh * ew;
  const columns = map.in * each;
  const M = new Float64Array(map.out * columns);
  const squares = new Float64Array(map.out * map.in);
  let largestEntry = 0;
  let at = 0;
  for (let o = 0; o < map.out; o++) {
    const first = Math.floor(o / outs) * ins;
    for (let i = first; i < first + ins; i++) {
      for (let y = 0; y < kh; y++) {
        for (let x = 0; x < kw; x++) {
          const a = Math.abs(W[at++]);
          M[o * columns + i * each + (y % eh) * ew + (x % ew)] += a;
          squares[o * map.in + i] += a * a;
          if (a > largestEntry) largestEntry = a;
        }
      }
    }
  }
  const { row, column } = largestLines(squares, map.in);
  // Taps that fall on one pixel add up: ‖Σ of m of them‖ ≤ √m of their norms.
  const fold = Math.sqrt(tapsPerPixel(map, input));
  const unscaled = normOfNonnegative(M, map.out, columns);
  const known = { unscaled, largestRow: fold * row, largestColumn: fold * column, largestEntry };
  if (s === undefined) return { absolute: unscaled, ...known };
  const scaled = M.map((v, k) => v * s[Math.floor(k / columns)]);
  return { absolute: normOfNonnegative(scaled, map.out, columns), ...known };
};

/**
 * ‖s ⊙ b‖ over the units that an input of norm x can switch on, as a function of x. With ReLU, a unit with b_i < −‖W_i‖x is off wherever it looks, in real
 * arithmetic and, 2 % apart, in any other: it gives 0 and no error. Other activations are never off.
 */
export const aliveNorm = (
  map: LinearMap,
  W: Float32Array,
  b: Float32Array,
  s: Float64Array,
  input: Shape,
  relu: boolean,
): ((x: number) => number) => {
  const fan = W.length / map.out;
  const fold = Math.sqrt(tapsPerPixel(map, input));
  const units = Array.from(b, (v, i) => {
    const row = fold * norm(W.subarray(i * fan, (i + 1) * fan));
    return { from: relu && v < 0 ? (0.98 * -v) / row : 0, square: (s[i] * v) ** 2 };
  }).sort((p, q) => p.from - q.from);
  let sum = 0;
  const sums = units.map(u => {
    sum += u.square;
    return Math.sqrt(sum);
  });
  return x => {
    let [low, high] = [0, units.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (units[middle].from <= x) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? 0 : sums[low - 1];
  };
};
