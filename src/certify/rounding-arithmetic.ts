/** The arithmetics that networks are executed in, as far as their standards promise anything. */

/** What an executing machine guarantees. */
export interface Arithmetic {
  readonly name: string;
  /** Relative error of one + − ×. */
  readonly unit: number;
  /** Absolute error of an operation whose result, or an operand, is below the smallest normal number. */
  readonly underflow: number;
  /** No overflow below this magnitude. */
  readonly largest: number;
  /** Absolute errors. */
  readonly tanh: number;
  readonly sigmoid: number;
  /** Additions in a row for a sum of n terms as written; undefined: terms may be added in any order, across the layers that one kernel computes. */
  readonly depth?: (terms: number) => number;
}

/**
 * WGSL's guarantees for f32: + − × off by at most one neighbour, subnormals flushed anywhere, tanh 1e-5 absolute (clamped to |x| ≤ 15, where the quotient
 * of exponentials is no worse), 1/(1 + exp(−x)) from exp 3 + 2|x| ULP, + and ÷ 2.5 ULP: below 6u.
 */
const WGSL = {
  unit: 2 ** -23,
  underflow: 2 ** -126,
  largest: 2 ** 127,
  tanh: 1.0001e-5,
  sigmoid: 6 * 2 ** -23,
} as const;

export const anyOrder: Arithmetic = { name: 'any-order', ...WGSL };
/** Declared assumption: kernels add in the order in which they are written. */
export const structured = (depth: (terms: number) => number): Arithmetic => ({ name: 'structured', ...WGSL, depth });
/**
 * f64 as ECMAScript has it, sums in any order. Math.exp and Math.tanh are left to implementations by the standard; an absolute error of 2⁻⁴⁰ (some 4000
 * times that of every engine in use) is assumed of them.
 */
export const float64: Arithmetic = {
  name: 'f64',
  unit: 2 ** -53,
  underflow: 2 ** -1022,
  largest: 2 ** 1022,
  tanh: 2 ** -40,
  sigmoid: 2 ** -40,
};

/** γ_k = k·u/(1 − k·u): the worst relative error of k roundings in a row. ∞ when k·u ≥ 1/2, where it says nothing. */
export const gamma = (a: Arithmetic, k: number): number =>
  k * a.unit < 0.5 ? (k * a.unit) / (1 - k * a.unit) : Number.POSITIVE_INFINITY;

/**
 * Error, in any norm that is monotone in the magnitudes, of computed sums of n products and a start: `magnitudes` is the norm of Σ|w_k x_k|, `start` that of
 * what is added besides, `value` that of the exact sum, and every product carries `products` roundings. In any order a partial sum, a subset
 * of the terms, is at most (magnitudes + start + value)/2: the larger of the positive and the negative part. Each of the n + 1 additions errs by u times
 * one (docs/rounding.md; theorem sum_error_partial). With a known depth the start comes last, as kernels are written.
 */
export const sumError = (
  a: Arithmetic,
  n: number,
  products: number,
  magnitudes: number,
  start: number,
  value: number,
): number => {
  const all = magnitudes + start;
  const total = Math.min(value, all);
  const anyOrder = (1 + gamma(a, n + 1)) * (gamma(a, products) * all + ((n + 1) * a.unit * (all + total)) / 2);
  if (!a.depth) return anyOrder;
  const inOrder = gamma(a, products + a.depth(n)) * magnitudes;
  return Math.min(anyOrder, inOrder + gamma(a, 1) * (total + inOrder));
};
