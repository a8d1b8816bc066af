/**
 * Rounding of the layers with a weight matrix. What a state means, and why errors add, is said in `rounding.ts`; formulas and their reasons in
 * docs/rounding.md.
 */
import { outputShape, sumTerms } from '../ir/conv-geometry.ts';
import { type Activation, elements, isElementwise, type LayerOp, type LinearMap, type Shape } from '../ir/network.ts';
import type { EmittedWeight } from '../passes/tensors/freeze.ts';
import type { Near, Step } from './rounding.ts';
import type { Arithmetic } from './rounding-arithmetic.ts';
import type { RoundingContext } from './rounding-layers.ts';
import { aliveNorm, norm, spreadNorm, up, weightNorms } from './rounding-norms.ts';
import { sandwichNorms } from './rounding-sandwich.ts';

/** ‖W√t‖ ≤ √2 is what a residual is certified by (t_i T_i ≤ 2); a little more, for free. */
const ROOT_TWO = 1.4143;

/** |σ(v)|, at most: for the bias, a single number. */
export const activationSize = (act: Activation, v: number): number => {
  // Inside a residual, slopes are within [0, 1]: no other activation is ever there.
  if (!isElementwise(act)) return Math.abs(v);
  switch (act.kind) {
    case 'relu':
      return Math.max(v, 0);
    case 'sigmoid':
      return 1;
    case 'tanh':
      return Math.min(Math.abs(v), 1);
    case 'leaky_relu':
    case 'abs':
      return Math.abs(v);
    default:
      return act satisfies never;
  }
};

export interface WeightContext extends RoundingContext {
  readonly arithmetic: Arithmetic;
  /** Error of σ at arguments of norm z, in √t-weighted norm (`weight` = that of a vector of ones), and a bound of ‖σ(z)‖ likewise. */
  readonly activated: (act: Activation, z: number, weight: number) => { readonly error: number; readonly norm: number };
}

const largestOf = (values: Float32Array | undefined): number =>
  values ? values.reduce((m, v) => Math.max(m, Math.abs(v)), 0) : 0;

/**
 * What measuring an input says about the product `index` of a layer: bounds for operands at most `away` from the measured one, when the product's
 * norm is at most `slope` and that of its magnitudes at most `absolute`. +∞ where nothing was measured.
 */
const measured = (near: Near | undefined, index: number, away: number, slope: number, absolute: number) => {
  const p = near?.products[index];
  return p
    ? { input: p.input + away, value: p.value + slope * away, magnitudes: p.magnitudes + absolute * away }
    : { input: Number.POSITIVE_INFINITY, value: Number.POSITIVE_INFINITY, magnitudes: Number.POSITIVE_INFINITY };
};

/** Wx + b, or Wᵀx + b where `adjoint`; `c` bounds ‖W‖. */
export const linearStep = (
  layer: { readonly map: LinearMap; readonly adjoint: boolean; readonly from: Shape; readonly to: Shape },
  { W }: EmittedWeight,
  b: Float32Array | undefined,
  c: number,
  { gamma, extra, flushed, sum }: WeightContext,
): Step => {
  const { map, adjoint, from, to } = layer;
  const image = adjoint ? to : from;
  const norms = weightNorms(map, W, image);
  const largestRow = adjoint ? norms.largestColumn : norms.largestRow;
  const bias = b ? spreadNorm(b, to) : 0;
  const largestBias = largestOf(b);
  const terms = sumTerms(map, image);
  const n = adjoint ? terms.adjoint : terms.forward;
  const entries = elements(to);
  return (s, near) => {
    const m = measured(near, 0, (near?.away ?? 0) + s.error, c, norms.absolute);
    const x = Math.min(s.real + s.error, m.input);
    const magnitudes = Math.min(norms.absolute * x, m.magnitudes);
    const local = sum(n, 1, magnitudes, bias, Math.min(c * x, m.value) + bias);
    return {
      ...s,
      real: c * Math.min(s.real, x) + bias,
      error: c * s.error + local + flushed(n, entries, norms.largestEntry, x),
      // Sums of products are computed once; at most the addition of b to one, of norm ‖Wx̃‖ ≤ c‖x̃‖ but for its error, is repeated.
      fresh: gamma(2 + extra) * (c * x + local + 2 * bias),
      loose: magnitudes + bias,
      terms: 2,
      reduced: n,
      largest: Math.max(s.largest, 2 * (largestRow * x + largestBias), 2 * (magnitudes + bias)),
    };
  };
};

/** x − W(t ⊙ σ(Wᵀx + b)) with t_i T_i ≤ 2; `c` bounds it. */
export const residualStep = (
  { map, act }: Extract<LayerOp, { kind: 'residual' }>,
  from: Shape,
  { W, t }: EmittedWeight,
  bias: Float32Array | undefined,
  c: number,
  { gamma, extra, flushed, sum, activated }: WeightContext,
): Step => {
  const entries = elements(from);
  const hidden = elements(outputShape(map, from).slice(1));
  const root = Float64Array.from(t!, Math.sqrt);
  const norms = weightNorms(map, W, from, root);
  const b = bias ?? new Float32Array(map.out);
  /** √t-weighted norm of a vector of ones. */
  const ones = norm(root) * Math.sqrt(hidden);
  const largestBias = largestOf(b);
  const largestT = t!.reduce((m, v) => Math.max(m, v), 0);
  const { forward: n1, adjoint: n2 } = sumTerms(map, from);
  const aliveBias = aliveNorm(map, W, b, root, from, act.kind === 'relu' && gamma(n1 + extra + 3) < 0.005);
  /** ‖√t ⊙ σ(b)‖ at every place of an image; ‖W (t ⊙ σ(b))‖, the layer at 0, is at most √2 of it. */
  const atZero = norm(Float64Array.from(b, (v, i) => root[i] * activationSize(act, v))) * Math.sqrt(hidden);
  const units = map.out * hidden;
  // Errors before the second product are measured in the norm ‖√t ⊙ ·‖, in which it amplifies by at most ‖W√t‖ ≤ √2.
  return (s, near) => {
    const away = (near?.away ?? 0) + s.error;
    const m1 = measured(near, 0, away, ROOT_TWO, norms.absolute);
    const x = Math.min(s.real + s.error, m1.input);
    const alive = aliveBias(x) * Math.sqrt(hidden);
    const e1 = sum(n1, 1, Math.min(norms.absolute * x, m1.magnitudes), alive, Math.min(ROOT_TWO * x, m1.value) + alive);
    const e2 = activated(act, ROOT_TWO * x + alive + e1, ones).error;
    // σ has slopes in [0, 1].
    const m2 = measured(near, 1, ROOT_TWO * away + (near?.within ?? 0) + e1 + e2, ROOT_TWO, norms.absolute);
    const v = Math.min(act.kind === 'sigmoid' ? ones : atZero + ROOT_TWO * x + e1, m2.input);
    const e3 = gamma(2) * (v + e2);
    const u = v + e2 + e3;
    const second = Math.min(norms.absolute * u, m2.magnitudes + norms.absolute * e3);
    const added = sum(n2, 1, second, x, x + Math.min(ROOT_TWO * u, m2.value + ROOT_TWO * e3));
    const reach = norms.largestRow * x + largestBias;
    const tiny =
      flushed(n1, units, norms.largestEntry, x, largestT, norms.unscaled, Math.sqrt(largestT)) +
      flushed(n2, entries, norms.largestEntry, u, largestT, Math.sqrt(largestT), norms.unscaled, reach);
    const local = ROOT_TWO * (e1 + e2 + e3) + added + tiny;
    const preactivation = 2 * reach + 1;
    return {
      ...s,
      real: c * Math.min(s.real, x) + ROOT_TWO * atZero,
      error: c * s.error + local,
      fresh: gamma(2 + extra) * (x + ROOT_TWO * u + local),
      loose: x + second,
      terms: 2,
      reduced: n2,
      largest: Math.max(
        s.largest,
        preactivation,
        preactivation * largestT,
        norms.largestEntry * largestT,
        2 * (x + second),
      ),
    };
  };
};

/** Aᵀ(d ⊙ σ(e ⊙ Bx + b)) of vectors; `c` bounds it. */
export const sandwichStep = (
  op: Extract<LayerOp, { kind: 'sandwich' }>,
  emitted: EmittedWeight,
  bias: Float32Array | undefined,
  entries: number,
  c: number,
  { gamma, extra, flushed, sum, activated }: WeightContext,
): Step => {
  const norms = sandwichNorms(op, emitted, bias, v => activationSize(op.act, v));
  // d_i e_i T_i ≤ 2c is what the layer is certified by, so p = √(d/e) weighs both products to a norm of at most this.
  const root = up(Math.sqrt(2 * c));
  return s => {
    const x = s.real + s.error;
    const first = norms.second.absolute * x;
    const e1 = sum(op.in, 2, first, norms.bias, root * x + norms.bias);
    const e2 = activated(op.act, root * x + norms.bias + e1, norms.ones).error;
    const v = op.act.kind === 'sigmoid' ? norms.ones : norms.atZero + root * x + e1;
    const e3 = gamma(2) * (v + e2);
    const u = v + e2 + e3;
    const second = norms.first.absolute * u;
    const preactivation = (norms.second.largestRow * x + 1) * (1 + norms.largestE) + norms.largestBias;
    const tiny =
      flushed(op.in, op.out, norms.second.largestEntry, x, norms.largestE, norms.largestD, norms.first.unscaled) +
      flushed(op.out, entries, norms.first.largestEntry, preactivation, norms.largestD, norms.first.unscaled);
    const local = root * (e1 + e2 + e3) + sum(op.out, 1, second, 0, root * u) + tiny;
    return {
      ...s,
      real: c * s.real + root * norms.atZero,
      error: c * s.error + local,
      fresh: gamma(2 + extra) * (root * u + local),
      loose: second,
      terms: 2,
      reduced: op.out,
      largest: Math.max(s.largest, 2 * preactivation * (1 + norms.largestD), 2 * second),
    };
  };
};
