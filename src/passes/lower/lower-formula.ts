/** Layers written in the language, as tensor graph: generic over their formulas. */

import { overlap } from '../../ir/conv-geometry.ts';
import {
  type Atom,
  type DiagExpr,
  type Gram,
  gramSize,
  type Leaf,
  type NormBound,
  type Positive,
  sameExpr,
  type Term,
  type VectorExpr,
  writtenOut,
} from '../../ir/formula.ts';
import type { LayerOp, Param, Shape } from '../../ir/network.ts';
import { absolute, equal, ONE, toNumber, ZERO } from '../../ir/rational.ts';
import type { GraphBuilder, TensorId } from '../../ir/tensor.ts';
import { lowerActivation } from './lower-activation.ts';
import { applyAdjoint, applyMap } from './lower-map.ts';
import { orthogonalMatrices } from './lower-orthogonal.ts';
import { powerDiagonal } from './lower-power.ts';
import {
  along,
  clampedExponent,
  filled,
  inverseOrZero,
  inverseRootOrZero,
  rowSums,
  scaleWeight,
} from './lower-rescaling.ts';
import { spectralBound } from './lower-spectral.ts';

/**
 * What a weight of the layer is multiplied as; the multipliers t behind an activation, and e before it; the tables of a Fourier transform
 * around the weight.
 */
export type Emit = (
  weight: TensorId,
  t?: TensorId,
  e?: TensorId,
  tables?: { readonly rows: TensorId; readonly columns: TensorId },
) => void;

interface Lowering {
  readonly b: GraphBuilder;
  /** [N, …]. */
  readonly x: TensorId;
  readonly mode: 'train' | 'inference';
  readonly emit: Emit;
}

/** Without the batch. */
const imageOf = ({ b, x }: Lowering): Shape => b.shape(x).slice(1);

const weightOf = (b: GraphBuilder, { map }: Gram): TensorId => b.param(map.weight.path, map.weight.shape);

/** p and 1/p: [m]. */
const positive = (b: GraphBuilder, { q, shift }: Positive, m: number): { p: TensorId; inverse: TensorId } => {
  const offset = toNumber(shift);
  if (!q) return { p: b.constant(offset, [m]), inverse: b.constant(1 / offset, [m]) };
  const exponent = clampedExponent(b, q);
  const p = b.unary('exp', exponent);
  if (equal(shift, ZERO)) return { p, inverse: b.unary('exp', b.unary('neg', exponent)) };
  const shifted = b.offset(p, offset);
  return { p: shifted, inverse: b.unary('reciprocal', shifted) };
};

/** λ ≥ ‖W‖²: []. */
const normBound = (l: Lowering, gram: Gram, bound: NormBound): TensorId => {
  const { b } = l;
  const weight = weightOf(b, gram);
  const axes = gram.map.weight.shape.map((_, i) => i);
  switch (bound.kind) {
    case 'frobenius': {
      const taps = gram.map.kind === 'dense' ? 1 : overlap(gram.map);
      return b.scale(b.sum(b.mul(weight, weight), axes), taps);
    }
    case 'schur': {
      const sizes = b.unary('abs', weight);
      const largest = (kept: number): TensorId =>
        b.maximum(
          b.sum(
            sizes,
            axes.filter(a => a !== kept),
          ),
          [0],
        );
      return b.mul(largest(0), largest(1));
    }
    case 'gram':
    case 'circulant':
    case 'operator':
    case 'reshaped':
      return spectralBound(b, gram.map, weight, [gram.map.in, ...imageOf(l).slice(1)], bound);
    default:
      return bound satisfies never;
  }
};

/** T: [m]. */
const diagonal = (l: Lowering, d: DiagExpr): TensorId => {
  const { b } = l;
  switch (d.kind) {
    case 'rowsum': {
      const m = gramSize(d.gram);
      const sums = (p?: TensorId): TensorId =>
        rowSums(b, d.gram.map, weightOf(b, d.gram), d.gram.side === 'rows' ? 'out' : 'in', p);
      // Constant weights cancel.
      if (!d.weights.q && sameExpr(d.weights, d.divisor)) return sums();
      return b.mul(sums(positive(b, d.weights, m).p), positive(b, d.divisor, m).inverse);
    }
    case 'power':
      return powerDiagonal(b, d.gram.map, weightOf(b, d.gram), d.gram.side === 'rows' ? 'out' : 'in', d.steps);
    case 'norm':
      return filled(b, normBound(l, d.gram, d.bound), gramSize(d.gram));
    case 'chosen':
      return diagonal(l, writtenOut(d));
    case 'max':
      return d.of.map(p => diagonal(l, p)).reduce((p, q) => b.binary('max', p, q));
    case 'sum': {
      const total = d.of
        .map(({ factor, part }) => {
          const T = diagonal(l, part);
          return equal(factor, ONE) ? T : b.scale(T, toNumber(factor));
        })
        .reduce((p, q) => b.add(p, q));
      return equal(d.shift, ZERO) ? total : b.offset(total, toNumber(d.shift));
    }
    default:
      return d satisfies never;
  }
};

/** exp(q), or exp(−q): [m]. */
const exponential = (b: GraphBuilder, q: Param, negative: boolean): TensorId => {
  const exponent = clampedExponent(b, q);
  return b.unary('exp', negative ? b.unary('neg', exponent) : exponent);
};

const inverse = (l: Lowering, atom: Extract<Atom, { kind: 'inverse' }>): TensorId => {
  const T = diagonal(l, atom.of);
  return atom.root ? inverseRootOrZero(l.b, T) : inverseOrZero(l.b, T);
};

/** A leaf as a batch: [N, …]. */
const leafValue = (l: Lowering, of: Leaf): TensorId => {
  const { b, x } = l;
  switch (of.kind) {
    case 'input':
      return x;
    case 'param': {
      const [n, , ...spatial] = b.shape(x);
      return b.broadcast(b.param(of.param.path, of.param.shape), [n, of.param.shape[0], ...spatial], [1]);
    }
    case 'act':
      return lowerActivation(b, of.act, vector(l, of.of));
    case 'sum':
      return vector(l, of.of);
    default:
      return of satisfies never;
  }
};

type Matrix = Extract<Atom, { kind: 'weight' | 'block' }>;

/** The matrix that an atom multiplies with, as it is stored: not transposed. */
const atomWeight = ({ b }: Lowering, atom: Matrix): TensorId => {
  const { map, orthogonal } = atom;
  const stored = b.param(map.weight.path, map.weight.shape);
  const whole = orthogonal ? orthogonalMatrices(b, map, orthogonal, stored) : stored;
  return atom.kind === 'block' ? b.slice(whole, [0, atom.from], [map.out, atom.to]) : whole;
};

const applyWeight = (l: Lowering, atom: Matrix, weight: TensorId, v: TensorId): TensorId =>
  atom.transposed ? applyAdjoint(l.b, atom.map, weight, v, imageOf(l)) : applyMap(l.b, atom.map, weight, v);

/** c·A·T⁻¹·v with T⁻¹ on the units, so that the layer's uses of A stay one tensor; t = |c|/T is a witness that may be rounded down. */
const tiedBranch = (
  l: Lowering,
  t: Term,
  weight: Extract<Atom, { kind: 'weight' }>,
  units: Extract<Atom, { kind: 'inverse' }>,
): TensorId => {
  const { b } = l;
  const stored = b.param(weight.map.weight.path, weight.map.weight.shape);
  const multiplier = b.scale(inverse(l, units), toNumber(absolute(t.coefficient)));
  l.emit(stored, multiplier);
  const u = leafValue(l, t.of);
  return applyWeight(l, weight, stored, b.mul(u, along(b, multiplier, u, 1)));
};

/** |c|·(product of atoms)·leaf where the sign is left out, with it where it is folded into a weight. */
const termValue = (l: Lowering, t: Term): { readonly value: TensorId; readonly negative: boolean } => {
  const { b } = l;
  const [first, second, ...more] = t.atoms;
  const negative = t.coefficient.num < 0n;
  const tied = more.length === 0 && first?.kind === 'weight' && second?.kind === 'inverse' && !second.root;
  if (l.mode === 'inference' && tied && t.of.kind === 'act')
    return { value: tiedBranch(l, t, first, second), negative };
  let value = leafValue(l, t.of);
  const scaleUnits = (v: TensorId, by: TensorId | undefined): TensorId =>
    by === undefined ? v : b.mul(v, along(b, by, v, 1));
  // The scalar goes into the first diagonal that meets a weight: that is a small tensor.
  let scalar = toNumber(t.coefficient);
  const merge = (p: TensorId | undefined, q: TensorId): TensorId => (p === undefined ? q : b.mul(p, q));
  let pending: TensorId | undefined;
  for (let i = t.atoms.length - 1; i >= 0; i--) {
    const atom = t.atoms[i];
    if (atom.kind === 'inverse') {
      pending = merge(pending, inverse(l, atom));
      continue;
    }
    if (atom.kind === 'scaling') {
      scalar *= Math.sqrt(toNumber(atom.squared));
      if (atom.q) value = scaleUnits(value, exponential(b, atom.q, atom.negative));
      continue;
    }
    let weight = atomWeight(l, atom);
    let behind: TensorId | undefined;
    for (let left = t.atoms[i - 1]; left?.kind === 'inverse'; left = t.atoms[i - 1]) {
      behind = merge(behind, inverse(l, left));
      i--;
    }
    const unscaled = pending === undefined && behind === undefined;
    if (scalar !== 1 && !unscaled) {
      if (pending !== undefined) pending = b.scale(pending, scalar);
      else behind = b.scale(behind!, scalar);
      scalar = 1;
    }
    const [inputs, outputs] = atom.transposed ? (['out', 'in'] as const) : (['in', 'out'] as const);
    if (pending !== undefined) weight = scaleWeight(b, atom.map, weight, pending, inputs);
    if (behind !== undefined) weight = scaleWeight(b, atom.map, weight, behind, outputs);
    pending = undefined;
    // Both kinds of weights have norm 1 over the reals, and are made a little smaller when they are rounded.
    if (l.mode === 'inference' && (!unscaled || atom.orthogonal)) l.emit(weight);
    value = applyWeight(l, atom, weight, value);
  }
  value = scaleUnits(value, pending);
  const left = Math.abs(scalar);
  return { value: left === 1 ? value : b.scale(value, left), negative: scalar < 0 };
};

const isConstant = (t: Term): boolean => t.of.kind === 'param' && t.atoms.length === 0;

const vector = (l: Lowering, v: VectorExpr): TensorId => {
  const { b } = l;
  const values = new Map(v.terms.filter(t => !isConstant(t)).map(t => [t, termValue(l, t)]));
  // A parameter is repeated to the image that it is added to.
  const [beside] = values.values();
  const like = beside === undefined ? l : { ...l, x: beside.value };
  const terms = v.terms.map(t => values.get(t) ?? termValue(like, t));
  // A term that is added comes first, so that the others need no negation.
  const start = Math.max(
    0,
    terms.findIndex(t => !t.negative),
  );
  const first = terms[start].negative ? b.unary('neg', terms[start].value) : terms[start].value;
  return terms
    .filter((_, i) => i !== start)
    .reduce((sum, t) => (t.negative ? b.sub(sum, t.value) : b.add(sum, t.value)), first);
};

/**
 * The layer applied to x [N, …]. In 'train' mode diagonals and scalars are folded into the weights beside them; in 'inference' mode
 * a residual branch A T⁻¹ σ(Aᵀx + b) keeps A as one tensor. Equal over ℝ. `emit` is called in 'inference' mode alone.
 */
export const lowerFormula = (
  b: GraphBuilder,
  op: Extract<LayerOp, { kind: 'formula' }>,
  x: TensorId,
  mode: 'train' | 'inference',
  emit: Emit,
): TensorId => vector({ b, x, mode, emit }, op.body);
