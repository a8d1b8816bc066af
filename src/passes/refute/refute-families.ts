/** Weights that are hard on a wrong bound, to start a search from. */
import { elements, type Param } from '../../ir/network.ts';
import type { Random } from '../../train/random.ts';

export type Weights = Map<string, Float64Array>;

type Pattern = (i: number, size: number) => number;

const ONES: Pattern = () => 1;
const FIRST: Pattern = i => (i === 0 ? 1 : 0);
const ALTERNATING: Pattern = i => (i % 2 === 0 ? 1 : -1);
const HALVES: Pattern = (i, size) => (2 * i < size ? 1 : -1);
/** The ends alone: a pair of units under a sort. */
const PAIR: Pattern = (i, size) => (i === 0 ? 1 : i === Math.ceil(size / 2) ? -1 : 0);

/** Rank one: every unit reads one direction, which is what T weighs most; the simplest come first. */
const RANK_ONE: readonly (readonly [Pattern, Pattern])[] = [
  [FIRST, FIRST],
  [ONES, FIRST],
  [FIRST, ONES],
  [ALTERNATING, FIRST],
  [FIRST, ALTERNATING],
  [HALVES, FIRST],
  [FIRST, HALVES],
  [PAIR, FIRST],
  [FIRST, PAIR],
  [ONES, ONES],
];

type Matrix = (p: Param, r: Random) => Float64Array;

/** Rows and columns, and whether the entry lies on the middle tap of a kernel. */
const fill = (p: Param, entry: (row: number, column: number, middle: boolean) => number): Float64Array => {
  const [, columns = 1, ...taps] = p.shape;
  const area = elements(taps);
  return Float64Array.from({ length: elements(p.shape) }, (_, k) => {
    const tap = k % area;
    const column = Math.floor(k / area) % columns;
    return entry(Math.floor(k / (area * columns)), column, tap === (area - 1) / 2 || area === 1);
  });
};

/** One kernel, from the channel `from` to the first one. */
interface Taps {
  readonly from: 0 | 1;
  readonly tap: (row: number, column: number, height: number, width: number) => number;
}

/**
 * Hard on borders: one tap in a corner; the second difference along the middle row. Hard on scales that count taps, and the skew part is as
 * large: all taps alike, from another channel.
 */
const TAPS: readonly Taps[] = [
  { from: 0, tap: (row, column) => (row === 0 && column === 0 ? 1 : 0) },
  { from: 0, tap: (row, column, height, width) => (2 * row !== height - 1 ? 0 : 2 * column === width - 1 ? -2 : 1) },
  { from: 1, tap: () => 1 },
];

const tapKernel =
  ({ from, tap }: Taps): Matrix =>
  p => {
    const [height = 1, width = 1] = p.shape.slice(2);
    const area = height * width;
    const start = Math.min(from, p.shape[1] - 1) * area;
    return Float64Array.from({ length: elements(p.shape) }, (_, k) =>
      k < start || k >= start + area ? 0 : tap(Math.floor((k - start) / width), (k - start) % width, height, width),
    );
  };

const MATRICES: readonly Matrix[] = [
  ...RANK_ONE.map(
    ([rows, columns]): Matrix =>
      p =>
        fill(p, (i, j, middle) => (middle ? rows(i, p.shape[0]) * columns(j, p.shape[1]) : 0)),
  ),
  p => fill(p, (i, j, middle) => (middle && i === j ? 1 : 0)),
  p => fill(p, () => 1),
  ...[1, 0.01, 100].map(
    (scale): Matrix =>
      (p, r) =>
        fill(p, () => scale * r.normal()),
  ),
  (p, r) => fill(p, () => (r.uniform() < 0.5 ? 1 : -1)),
];

/** exp(q) from 1 down to far below any ε that is added to it. */
const EXPONENTS: readonly ((size: number, r: Random) => Float64Array)[] = [
  size => new Float64Array(size),
  size => new Float64Array(size).fill(-16),
  size => Float64Array.from({ length: size }, (_, i) => (i === 0 ? 10 : -10)),
  (size, r) => Float64Array.from({ length: size }, () => 3 * r.normal()),
];

/** ‖w‖_F, and 1 of nothing. */
const frobenius = (w: Float64Array | undefined): number => Math.sqrt(w?.reduce((s, v) => s + v * v, 0) ?? 1);

/** How a further matrix of the same shape relates to the first: independent of it, equal to it, its negative. */
const RELATIONS = ['independent', 'equal', 'negative'] as const;

/** All families, the simplest first; `exponents` are the parameters q of exp(q). */
export const weightFamilies = (
  params: readonly Param[],
  exponents: ReadonlySet<string>,
  random: Random,
): readonly Weights[] => {
  const matrices = params.filter(p => p.shape.length >= 2);
  const repeated = matrices.some((p, i) => i > 0 && `${p.shape}` === `${matrices[0].shape}`);
  const kernels = matrices.some(p => p.shape.length === 4 && elements(p.shape.slice(2)) > 1);
  const shapes = EXPONENTS.slice(0, exponents.size > 0 ? EXPONENTS.length : 1);
  return RELATIONS.slice(0, repeated ? RELATIONS.length : 1).flatMap(relation =>
    shapes.flatMap(exponent =>
      [...(kernels ? TAPS.map(tapKernel) : []), ...MATRICES].map(matrix => {
        const weights: Weights = new Map();
        for (const p of params) {
          const first = matrices[0];
          if (p.shape.length === 0) weights.set(p.path, Float64Array.of(1));
          else if (p.init.kind === 'normOf') weights.set(p.path, Float64Array.of(frobenius(weights.get(p.init.path))));
          else if (exponents.has(p.path)) weights.set(p.path, exponent(p.shape[0], random));
          else if (p.shape.length === 1) weights.set(p.path, new Float64Array(p.shape[0]));
          else if (p !== first && relation !== 'independent' && `${p.shape}` === `${first.shape}`)
            weights.set(
              p.path,
              weights.get(first.path)!.map(v => (relation === 'equal' ? v : -v)),
            );
          else weights.set(p.path, matrix(p, random));
        }
        return weights;
      }),
    ),
  );
};
