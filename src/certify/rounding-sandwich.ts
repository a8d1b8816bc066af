/** The rounding errors of a dense sandwich layer: see `rounding.ts` and docs/rounding.md. */
import type { LayerOp } from '../ir/network.ts';
import type { EmittedWeight } from '../passes/tensors/freeze.ts';
import { norm, type WeightNorms, weightNorms } from './rounding-norms.ts';

type Sandwich = Extract<LayerOp, { kind: 'sandwich' }>;

/** What the numbers of a layer say, whatever its input. */
export interface SandwichNorms {
  /** ‖√(de) ⊙ |B|‖ and ‖√(de) ⊙ |Aᵀ|‖. */
  readonly second: WeightNorms;
  readonly first: WeightNorms;
  /** p = √(d/e): the weights of the norm in which errors between the two products are measured. */
  readonly p: Float64Array;
  /** ‖p‖, ‖p ⊙ b‖ and ‖p ⊙ σ(b)‖. */
  readonly ones: number;
  readonly bias: number;
  readonly atZero: number;
  readonly largestBias: number;
  readonly largestD: number;
  readonly largestE: number;
}

/** `activation` bounds |σ(v)|. */
export const sandwichNorms = (
  op: Sandwich,
  { W, t: d, e }: EmittedWeight,
  bias: Float32Array | undefined,
  activation: (v: number) => number,
): SandwichNorms => {
  if (!d || !e) throw new Error('a sandwich layer was emitted without its multipliers');
  const { out } = op;
  const all = out + op.in;
  const part = (from: number, to: number): Float32Array =>
    Float32Array.from(
      { length: out * (to - from) },
      (_, k) => W[Math.floor(k / (to - from)) * all + from + (k % (to - from))],
    );
  const root = Float64Array.from(d, (v, i) => Math.sqrt(v * e[i]));
  const p = Float64Array.from(d, (v, i) => Math.sqrt(v / e[i]));
  const b = bias ?? new Float32Array(out);
  const largest = (values: Float32Array): number => values.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
  const matrix = (columns: number) => ({ kind: 'dense', out, in: columns, weight: op.weight }) as const;
  return {
    second: weightNorms(matrix(op.in), part(out, all), [op.in], root),
    first: weightNorms(matrix(out), part(0, out), [out], root),
    p,
    ones: norm(p),
    bias: norm(Float64Array.from(b, (v, i) => p[i] * v)),
    atZero: norm(Float64Array.from(b, (v, i) => p[i] * activation(v))),
    largestBias: largest(b),
    largestD: largest(d),
    largestE: largest(e),
  };
};
