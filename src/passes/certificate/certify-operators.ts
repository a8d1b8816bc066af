/** Operator layers as they were emitted: matrices, alone or between the tables of a Fourier transform, and skew kernels. */
import { samplingGrid } from '../../ir/conv-geometry.ts';
import { type ContractionMethod, elements, type LayerOp, type Shape } from '../../ir/network.ts';
import { toNumber } from '../../ir/rational.ts';
import { isDominated } from '../../proof/verify/gram.ts';
import { fromSide, readMap } from '../../proof/verify/map.ts';
import { Refused } from '../../proof/verify/numbers.ts';
import { dominance } from '../../proof/verify/operators.ts';
import type { EmittedWeight } from '../tensors/freeze.ts';
import { dyadic, normWitness } from './certify-weights-witness.ts';
import { paddedImage } from './network-json.ts';

type Contraction = Extract<LayerOp, { kind: 'contraction' }>;
type Exponential = Extract<ContractionMethod, { family: 'skew_exponential' }>;
type Sandwich = Extract<LayerOp, { kind: 'sandwich' }>;

interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** The tensors of a layer by their names in the certificate, but for its bias, and derivations of dominance to try. */
export interface OperatorParts {
  readonly tensors: Readonly<Record<string, Tensor>>;
  readonly witnesses: Iterable<object>;
}

/** A bound of the squared norms of all matrices [.., rows, columns]: 1 and a little more, or what is needed. */
export const matricesBound = (data: Float32Array, rows: number, columns: number): number => {
  let T = 1 + 2 ** -22;
  for (let from = 0; from < data.length; from += rows * columns) {
    const matrix = { out: rows, in: columns, kh: 1, kw: 1, data: data.subarray(from, from + rows * columns) };
    const k = fromSide(matrix, rows <= columns ? 'rows' : 'columns');
    while (!isDominated(k, new Array<number>(k.n).fill(T), false)) T = 1 + 4 * (T - 1);
  }
  return T;
};

/** `wanted`: squared norms to claim of the whole, the best first. */
const spectrum = (
  { W, rows: R, columns: M }: EmittedWeight,
  [h, w]: Shape,
  [out, columns]: Shape,
  wanted: readonly number[],
): OperatorParts => {
  const half = Math.floor(w / 2) + 1;
  const tables = [matricesBound(R!, w, 2 * half), matricesBound(M!, 2 * h, 2 * h)];
  const around = (tables[0] * tables[1]) ** 2;
  return {
    tensors: {
      R: { shape: [w, 2 * half], data: R! },
      M: { shape: [2 * h, 2 * h], data: M! },
      W: { shape: [h * half, 2 * out, 2 * columns], data: W },
    },
    witnesses: wanted.map(T => ({ rule: 'spectrum', T: [...tables, (T / around) * (1 - 2 ** -40)].map(dyadic) })),
  };
};

const matrix = (W: Float32Array, out: number, columns: number, wanted: readonly number[]): OperatorParts => ({
  tensors: { W: { shape: [out, columns], data: W } },
  witnesses: wanted.map(T => normWitness(out, columns, T)),
});

/** Points an axis at which the symbol of a skew kernel is sampled: its norm is mostly far below what it was scaled to. */
const GRIDS = [8, 16, 32, 64];

const series = (op: Contraction, method: Exponential, W: Float32Array): OperatorParts => {
  const { degree } = method;
  const n = Math.max(op.out, op.in);
  const kernel = op.kernel!;
  const T = toNumber(method.norm) ** 2;
  const norms = [
    { rule: 'reshaped-kernel', premise: normWitness(n, n * elements(kernel), (T / elements(kernel)) * (1 - 2 ** -50)) },
    ...GRIDS.map(grid => ({
      rule: 'gram-iteration-symbol',
      grid: samplingGrid([kernel[0], kernel[1]], grid),
      T: [dyadic(T)],
    })),
  ];
  return {
    tensors: {
      W: { shape: [n, n, ...kernel], data: W },
      c: { shape: [degree], data: Float32Array.from({ length: degree }, (_, m) => 1 / (m + 1)) },
    },
    witnesses: norms,
  };
};

/** ‖A‖² ≤ this for the convolution with the emitted kernel; ∞ where none is found. */
export const seriesBound = (op: Contraction, method: Exponential, input: Shape, W: Float32Array): number => {
  const [n, kernel] = [Math.max(op.out, op.in), op.kernel!];
  const padding = kernel.map(k => (k - 1) / 2);
  const plain = { kind: 'conv', stride: [1, 1], dilation: [1, 1], groups: 1, mode: method.padding };
  const map = readMap({ ...plain, out: n, in: n, kernel, padding }, op.weight.path, [n, ...input.slice(1)]);
  for (const witness of series(op, method, W).witnesses) {
    try {
      dominance(witness, op.weight.path, map, () => W, {});
      return toNumber(method.norm) ** 2;
    } catch (e) {
      if (!(e instanceof Refused)) throw e;
    }
  }
  return Number.POSITIVE_INFINITY;
};

/** For x of shape `input`; `wanted` as the squared norms to try. */
export const contractionParts = (
  op: Contraction,
  emitted: EmittedWeight,
  input: Shape,
  wanted: readonly number[],
): OperatorParts => {
  const { method, kernel, out } = op;
  if (method.family === 'skew_exponential') return series(op, method, emitted.W);
  if (!kernel || !emitted.rows) return matrix(emitted.W, out, op.in, wanted);
  return spectrum(emitted, paddedImage(op, input), [out, op.in], wanted);
};

/** With [A B] as W: the largest T for which d_i e_i T ≤ 2. */
export const sandwichParts = (op: Sandwich, emitted: EmittedWeight, input: Shape): OperatorParts => {
  const { W, t: d, e, rows } = emitted;
  const inner = d!.reduce((most, v, i) => Math.max(most, v * e![i]), 1);
  const wanted = [(2 / inner) * (1 - 2 ** -50)];
  const shape = [op.out, op.out + op.in];
  const { tensors, witnesses } = rows
    ? spectrum(emitted, input.slice(1), shape, wanted)
    : matrix(W, shape[0], shape[1], wanted);
  const vector = (data: Float32Array): Tensor => ({ shape: [data.length], data });
  return { tensors: { ...tensors, d: vector(d!), e: vector(e!) }, witnesses };
};
