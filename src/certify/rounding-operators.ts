/**
 * Rounding of operators on images, which are several products in a row: transforms with matrices at every frequency between them, and series of
 * convolutions. What a state means, and why errors add, is said in `rounding.ts`; formulas in docs/rounding.md.
 */
import { PLAIN, sumTerms } from '../ir/conv-geometry.ts';
import { type ContractionMethod, elements, type LayerOp, type LinearMap, type Shape } from '../ir/network.ts';
import { matricesBound, seriesBound } from '../passes/certificate/certify-operators.ts';
import { paddedImage } from '../passes/certificate/network-json.ts';
import type { EmittedWeight } from '../passes/tensors/freeze.ts';
import type { Step } from './rounding.ts';
import { norm, normOfNonnegative, spreadNorm, up, weightNorms } from './rounding-norms.ts';
import { activationSize, type WeightContext } from './rounding-weights.ts';

type Contraction = Extract<LayerOp, { kind: 'contraction' }>;
type Sandwich = Extract<LayerOp, { kind: 'sandwich' }>;

/** One product of a chain of them: ‖W‖ ≤ slope, ‖|W|‖ ≤ absolute, |entries| ≤ largest; sums of `terms` products, `outputs` of them. */
interface Stage {
  readonly slope: number;
  readonly absolute: number;
  readonly largest: number;
  readonly terms: number;
  readonly outputs: number;
}

/** Of matrices [.., rows, columns] that act side by side. */
const stageOf = (data: Float32Array, rows: number, columns: number, outputs: number): Stage => {
  let absolute = 0;
  for (let from = 0; from < data.length; from += rows * columns) {
    const M = Float64Array.from(data.subarray(from, from + rows * columns), Math.abs);
    absolute = Math.max(absolute, normOfNonnegative(M, rows, columns));
  }
  const largest = data.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
  const slope = Math.min(absolute, up(Math.sqrt(matricesBound(data, rows, columns))));
  return { slope, absolute, largest, terms: columns, outputs };
};

/** The stages of F*QF, Q [.., rows, columns] for each frequency of images h×w; or of one matrix at every pixel, where there is no transform. */
const chainOf = (
  { rows: R, columns: M }: EmittedWeight,
  Q: Float32Array,
  [h, w]: Shape,
  rows: number,
  columns: number,
): readonly Stage[] => {
  if (!R || !M) return [stageOf(Q, rows, columns, rows * h * w)];
  const half = Math.floor(w / 2) + 1;
  const along = stageOf(R, w, 2 * half, (columns / 2) * h * 2 * half);
  const down = stageOf(M, 2 * h, 2 * h, columns * h * half);
  const middle = stageOf(Q, rows, columns, rows * h * half);
  return [
    { ...along, terms: w },
    down,
    middle,
    { ...down, outputs: middle.outputs },
    { ...along, terms: 2 * half, outputs: (rows / 2) * h * w },
  ];
};

interface Passed {
  /** Error of the result for an operand of norm x, and norm of the computed result. */
  readonly error: number;
  readonly size: number;
  /** Norm of the magnitudes that the last product adds, and the largest of all. */
  readonly loose: number;
  readonly largest: number;
}

/** What becomes of a computed operand of norm x in products that are stored one after the other; with `start` added to the last one's. */
const pass = (chain: readonly Stage[], x: number, start: number, { sum, flushed }: WeightContext): Passed => {
  let state: Passed = { error: 0, size: x, loose: x, largest: x };
  chain.forEach(({ slope, absolute, largest, terms, outputs }, i) => {
    const added = i === chain.length - 1 ? start : 0;
    const magnitudes = absolute * state.size;
    const local =
      sum(terms, 1, magnitudes, added, slope * state.size + added) + flushed(terms, outputs, largest, state.size);
    state = {
      error: slope * state.error + local,
      size: slope * state.size + local,
      loose: magnitudes,
      largest: Math.max(state.largest, 2 * (magnitudes + added)),
    };
  });
  return state;
};

/** Qx + b for images; `c` bounds ‖Q‖. */
export const operatorStep = (
  op: Contraction,
  from: Shape,
  emitted: EmittedWeight,
  b: Float32Array | undefined,
  c: number,
  context: WeightContext,
): Step => {
  const { method, out } = op;
  if (method.family === 'skew_exponential') return seriesStep(op, method, from, emitted.W, b, c, context);
  const { gamma, extra } = context;
  const [rows, columns] = emitted.rows ? [2 * out, 2 * op.in] : [out, op.in];
  const size = paddedImage(op, from);
  const chain = chainOf(emitted, emitted.W, size, rows, columns);
  const bias = b ? spreadNorm(b, [out, ...size]) : 0;
  return s => {
    const x = s.real + s.error;
    const { error, loose, largest } = pass(chain, x, bias, context);
    return {
      ...s,
      real: c * s.real + bias,
      error: c * s.error + error,
      fresh: gamma(2 + extra) * (c * x + error + 2 * bias),
      loose: loose + bias,
      terms: 2,
      reduced: chain[chain.length - 1].terms,
      largest: Math.max(s.largest, largest),
    };
  };
};

/** y₀ + b with y_{m−1} = x + c_m·Ay_m and y_degree = x, for images. */
const seriesStep = (
  op: Contraction,
  method: Extract<ContractionMethod, { family: 'skew_exponential' }>,
  from: Shape,
  W: Float32Array,
  b: Float32Array | undefined,
  c: number,
  { gamma, extra, merged, flushed, sum }: WeightContext,
): Step => {
  const n = Math.max(op.out, op.in);
  const image = [n, ...from.slice(1)];
  const kernel = op.kernel!;
  const padding = [(kernel[0] - 1) / 2, (kernel[1] - 1) / 2] as const;
  const map: LinearMap = {
    kind: 'conv',
    ...PLAIN,
    out: n,
    in: n,
    kernel,
    padding,
    mode: method.padding,
    weight: op.weight,
  };
  const { absolute, largestRow, largestEntry } = weightNorms(map, W, image);
  const slope = Math.min(absolute, up(Math.sqrt(seriesBound(op, method, from, W))));
  const terms = sumTerms(map, image).forward;
  const entries = elements(image);
  const bias = b ? spreadNorm(b, [op.out, ...from.slice(1)]) : 0;
  return s => {
    const x = s.real + s.error;
    let [error, size, loose, largest] = [0, x, x, x];
    for (let m = method.degree; m >= 1; m--) {
      const factor = Math.fround(1 / m);
      const start = m === 1 ? x + bias : x;
      const [value, magnitudes] = [factor * slope * size, factor * absolute * size];
      // A product carries two roundings, its own and that of the factor.
      const products =
        sum(terms, 2, magnitudes, start, value + start) +
        merged * magnitudes +
        flushed(terms, entries, largestEntry, size);
      // x and the bias are two additions.
      const local = products + (m === 1 && b ? gamma(1) * (magnitudes + start + products) : 0);
      error = factor * slope * error + local;
      largest = Math.max(largest, 2 * (largestRow * size + absolute * size + start));
      loose = magnitudes + start;
      size = value + x + local;
    }
    return {
      ...s,
      real: c * s.real + bias,
      error: c * s.error + error,
      fresh: gamma(3 + extra) * (loose + error + bias),
      loose,
      terms: 3,
      reduced: terms,
      largest: Math.max(s.largest, largest),
    };
  };
};

/** Aᵀ(d ⊙ σ(e ⊙ Bx + b)) for images; `c` bounds it. */
export const sandwichOperatorStep = (
  op: Sandwich,
  [, h, w]: Shape,
  emitted: EmittedWeight,
  bias: Float32Array | undefined,
  c: number,
  context: WeightContext,
): Step => {
  const { gamma, extra, activated, flushed } = context;
  const { out } = op;
  const { W, t: d, e, rows: R } = emitted;
  if (!d || !e) throw new Error('a sandwich layer was emitted without its multipliers');
  const each = R ? 2 : 1;
  const [height, all, first] = [each * out, each * (out + op.in), each * out];
  const part = (from: number, to: number): Float32Array => W.filter((_, at) => at % all >= from && at % all < to);
  const transposed = (data: Float32Array, n: number): Float32Array =>
    data.map((_, at) => {
      const [block, i, j] = [at - (at % (n * n)), Math.floor((at % (n * n)) / n), at % n];
      return data[block + j * n + i];
    });
  const before = chainOf(emitted, part(first, all), [h, w], height, all - first);
  const behind = chainOf(emitted, transposed(part(0, first), first), [h, w], height, height);
  const p = Float64Array.from(d, (v, i) => Math.sqrt(v / e[i]));
  const pixels = Math.sqrt(h * w);
  const b = bias ?? new Float32Array(out);
  const weighted = (f: (v: number) => number): number => pixels * norm(Float64Array.from(b, (v, i) => p[i] * f(v)));
  const [ones, biased] = [weighted(() => 1), weighted(v => v)];
  const atZero = weighted(v => activationSize(op.act, v));
  const largest = (values: Float32Array): number => values.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
  const [largestD, largestE, largestBias] = [d, e, b].map(largest);
  // ‖p ⊙ e ⊙ v‖ and ‖d ⊙ v‖ in terms of ‖v‖ and ‖p ⊙ v‖: √(d_i e_i) at most.
  const inner = up(Math.sqrt(d.reduce((m, v, i) => Math.max(m, v * e[i]), 0)));
  // d_i e_i T_i ≤ 2c is what the layer is certified by, so p = √(d/e) weighs both operators to a norm of at most this.
  const root = up(Math.sqrt(2 * c));
  return s => {
    const x = s.real + s.error;
    const one = pass(before, x, 0, context);
    // e ⊙ · and the bias: two roundings of each entry, reordered with the terms of the last sums.
    const last = before[before.length - 1].terms;
    const moved = gamma(last + 3 + extra) * (inner * one.loose + biased);
    const e1 = inner * one.error + moved;
    const e2 = activated(op.act, root * x + biased + e1, ones).error;
    const v = op.act.kind === 'sigmoid' ? ones : atZero + root * x + e1;
    const e3 = gamma(2 + extra) * (v + e2);
    const u = v + e2 + e3;
    const two = pass(behind, inner * u, 0, context);
    const reach = (one.size + 1) * (1 + largestE) + largestBias;
    const tiny = flushed(last, out * h * w, largestE, largestD, reach, inner);
    const local = root * (e1 + e2 + e3) + two.error + tiny;
    return {
      ...s,
      real: c * s.real + root * atZero,
      error: c * s.error + local,
      fresh: gamma(2 + extra) * (root * u + local),
      loose: two.loose,
      terms: 2,
      reduced: behind[behind.length - 1].terms,
      largest: Math.max(s.largest, one.largest * (1 + largestE), 2 * reach * (1 + largestD), two.largest),
    };
  };
};
