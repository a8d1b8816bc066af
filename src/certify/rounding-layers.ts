/**
 * Rounding of the layers without a weight matrix beyond those in `rounding.ts`: poolings, copies, gains, centring, and the activations with
 * parameters or of halves. What a state means, and why errors add, is said there; formulas in docs/rounding.md.
 */
import { type Activation, elements, type LayerOp, type Shape, type Window } from '../ir/network.ts';
import { toNumber } from '../ir/rational.ts';
import { tiles } from '../ir/window.ts';
import type { State, Step } from './rounding.ts';

/** What the arithmetic and the rest of the network contribute. */
export interface RoundingContext {
  /** γ_k. */
  readonly gamma: (k: number) => number;
  /** Whether sums may be reordered across layers. */
  readonly free: boolean;
  /** Roundings that multipliers of single entries add to a product. */
  readonly extra: number;
  /** Relative error of two constants merged into one. */
  readonly merged: number;
  /** Roundings of a sum of n products. */
  readonly roundings: (n: number) => number;
  /** `sumError` in rounding-arithmetic.ts, with the roundings that multipliers add to every product. */
  readonly sum: (n: number, products: number, magnitudes: number, start: number, value: number) => number;
  /** Flushes in sums of n products, for this many outputs. */
  readonly flushed: (n: number, outputs: number, ...magnitudes: number[]) => number;
  /** Smallest normal number: squares below it are flushed. */
  readonly underflow: number;
  readonly after: (s: State, c: number, local: number, change: Partial<State>) => State;
}

type Pool = Extract<LayerOp, Window>;

/** Whether an entry may belong to two windows, and so be computed twice with different roundings. */
const shares = ({ size, stride }: Window): boolean => size.some((k, i) => stride[i] < k);

/**
 * √ is what inverseSqrt (2 ULP) and a quotient (2.5 ULP) make of it, or the other way round: below 8 units. A sum of squares has no
 * cancellation, so its relative error is halved by the root.
 */
const ROOT = 8;

/** Poolings; `factor` bounds the emitted layer, and that of a pooling with entries ≥ 0 is also the norm of what it makes of magnitudes. */
export const poolStep = (op: Pool, outputs: number, factor: number, ctx: RoundingContext): Step => {
  const { gamma, free, extra, merged, roundings, sum, flushed, after } = ctx;
  const count = op.size[0] * op.size[1];
  const again = shares(op) ? factor : 0;
  // Windows that do not tile are added up one entry after another, along rows and then columns, in no kernel's sum: no depth is reported of them.
  const chained = free || tiles(op) ? 0 : op.size[0] + op.size[1] - 2;
  switch (op.kind) {
    case 'avgpool': {
      const multiplier = Math.fround(1 / Math.sqrt(toNumber(op.divisorSquared)));
      // Disjoint sums are reductions, whose results are in memory or the kernel's own; overlapping ones are additions like any other.
      const summed = (n: number): number => (shares(op) ? n : 1);
      return s => {
        const n = free ? count * s.terms : count;
        const size = factor * (free ? s.loose : s.real + s.error);
        const local =
          sum(n, 2 + chained, size, 0, factor * (s.real + s.error)) + merged * size + flushed(n, outputs, multiplier);
        const largest = Math.max(s.largest, Math.sqrt(count) * s.loose);
        return after(s, factor, local + again * s.fresh, { loose: size, terms: summed(n), reduced: n, largest });
      };
    }
    case 'maxpool':
      // A choice among numbers that are there: nothing is rounded.
      return s => after(s, factor, again * s.fresh + flushed(1, outputs), { loose: factor * s.loose });
    case 'l2pool':
      return s => {
        const x = s.real + s.error;
        // |√(s + δ) − √s| ≤ √δ, δ the squares that were flushed.
        const lost = Math.sqrt(8 * (count + 8) * outputs * ctx.underflow);
        const local =
          (gamma(roundings(count) + chained + ROOT + 2 * extra) + 2 * merged) * factor * x +
          lost +
          flushed(count, outputs);
        return after(s, factor, local + again * s.fresh, {
          loose: factor * (s.loose + x) + local,
          terms: 1,
          reduced: count,
          largest: Math.max(s.largest, (factor * (s.loose + x)) ** 2 * 2),
        });
      };
    default:
      return op satisfies never;
  }
};

/** One factor an entry: copies divided by √times, or a gain. `most` is the largest |multiplier|. */
export const multiplierStep = (
  outputs: number,
  most: number,
  factor: number,
  copied: boolean,
  { gamma, merged, flushed, after }: RoundingContext,
): Step => {
  return s => {
    const local = (gamma(1) + merged) * factor * (s.real + s.error) + flushed(1, outputs, most);
    return after(s, factor, local + (copied ? factor * s.fresh : 0), {
      loose: factor * s.loose,
      largest: Math.max(s.largest, factor * s.loose),
    });
  };
};

/** x − (mean of the entries of x). */
export const layerCenterStep = (
  shape: Shape,
  { gamma, free, extra, merged, roundings, flushed, after }: RoundingContext,
): Step => {
  const n = elements(shape);
  return s => {
    // ‖mean·1‖ ≤ ‖x‖, of magnitudes too; the mean is one reduction, its difference from x one more rounding of every term.
    const terms = free ? n * s.terms : n;
    const size = 2 * (free ? s.loose : s.real + s.error);
    const reordered = free ? s.reduced + s.terms : 0;
    const local = (gamma(roundings(terms) + reordered + extra + 2) + merged) * size + flushed(n, n);
    return after(s, 1, local + s.fresh, {
      loose: 2 * s.loose,
      terms: s.terms + 1,
      reduced: Math.max(s.reduced, terms),
      largest: Math.max(s.largest, n * s.loose),
    });
  };
};

type Plain = Extract<Activation, { kind: 'halfabs' | 'rabs' | 'crelu' | 'prelu' | 'householder' | 'householder2' }>;

export const hasOwnStep = (act: Activation): act is Plain =>
  ['halfabs', 'rabs', 'crelu', 'prelu', 'householder', 'householder2'].includes(act.kind);

/**
 * Activations of halves and with parameters, as emitted: slopes |s| ≤ 1, normal vectors ‖v‖ ≤ 1. For each: how its output's error and
 * magnitudes compare with its input's.
 */
export const activationStep = (
  act: Plain,
  outputs: number,
  factor: number,
  { gamma, free, extra, merged, flushed, after }: RoundingContext,
): Step => {
  const none = flushed(1, outputs);
  switch (act.kind) {
    case 'halfabs':
      return s => after(s, factor, none, { loose: factor * s.loose });
    case 'crelu':
      // Each entry is looked at twice.
      return s => after(s, factor, s.fresh + none, { loose: s.loose });
    case 'prelu':
      // relu(x) − s·relu(−x): one of the two is 0.
      return s => {
        const local = (gamma(2 + extra) + merged) * (s.real + s.error) + s.fresh + none;
        return after(s, factor, local, { loose: 2 * s.loose, terms: 2 * s.terms });
      };
    case 'rabs':
      // (|p| ± |q|)·c with 2c² ≤ 1: magnitudes of norm √2·‖x‖ at most.
      return s => {
        const local = (gamma(2 + extra) + merged) * 1.4143 * (s.real + s.error) + 2 * s.fresh + none;
        return after(s, factor, local, { loose: 1.4143 * s.loose, terms: 2 * s.terms });
      };
    case 'householder':
      // d = vᵀz is off by γ₂|v|ᵀ|z| ≤ γ₂‖z‖ and enters twice; then γ₃ of z and of 2v·relu(d), of norm 3‖z‖ together.
      return s => {
        const x = s.real + s.error;
        const local = (2 * gamma(2 + extra) + 3 * gamma(3 + extra) + 5 * merged) * x;
        const reordered = free ? gamma(s.reduced + 2 * s.terms + extra + 4) * 5 * s.loose : 0;
        return after(s, factor, local + reordered + 4 * s.fresh + flushed(2, outputs, 2), {
          loose: 3 * s.loose,
          terms: s.terms + 2,
          largest: Math.max(s.largest, 4 * s.loose),
        });
      };
    case 'householder2':
      return s => {
        const x = s.real + s.error;
        const reordered = free ? gamma(s.reduced + 2 * s.terms + extra + 4) * s.loose : 0;
        // Of the five products whose signs choose a map; b₃ and the maps follow from the emitted directions and are rounded on their own.
        const sign = (gamma(2 + extra) + merged + 2 ** -21) * x + reordered + 3 * s.fresh;
        const chosen = 1.5 * (gamma(2 + extra) + merged + 2 ** -20) * x + 2 * reordered + 3 * s.fresh;
        return after(s, factor, 24 * sign + 2 ** -20 * x + chosen + flushed(48, outputs), {
          loose: 1.5 * s.loose,
          terms: 2 * s.terms,
          largest: Math.max(s.largest, 2 * s.loose),
        });
      };
    default:
      return act satisfies never;
  }
};
