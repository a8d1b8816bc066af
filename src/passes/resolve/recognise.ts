/**
 * Formulas that are the layer forms of the network IR: T^(−1/2)-rescaled linear maps and residual layers. These get the certificates,
 * rounding bounds and Coq files that those forms have; a formula that is neither, or whose T is none, stays a formula.
 */
import type { Span } from '../../diagnostics.ts';
import {
  type Atom,
  type DiagExpr,
  dependsOnInput,
  type Gram,
  type Positive,
  sameExpr,
  type Term,
} from '../../ir/formula.ts';
import { type LayerOp, type LinearMap, layerParams, type Param, type Rescaling } from '../../ir/network.ts';
import { commutesWithTranspose } from '../../ir/orthogonal.ts';
import { add, compare, div, equal, mul, neg, ONE, type Rational, TWO, ZERO } from '../../ir/rational.ts';
import { proveSlope } from '../prove/prove-activation.ts';

type Formula = Extract<LayerOp, { kind: 'formula' }>;
type Weight = Extract<Atom, { kind: 'weight' }>;

/** T + eps, with eps where the parts of T have theirs. */
const shifted = (r: Rescaling, eps: Rational): Rescaling | undefined => {
  if (equal(eps, ZERO)) return r;
  switch (r.by) {
    case 'spectral':
    case 'aol':
    case 'power':
    case 'frobenius':
    case 'schur':
      return { ...r, eps: add(r.eps, eps) };
    case 'sll':
      return { ...r, eps: add(r.eps ?? ZERO, eps) };
    case 'max': {
      const of = r.of.map(p => shifted(p, eps)).filter(p => p !== undefined);
      return of.length === r.of.length ? { by: 'max', of } : undefined;
    }
    case 'convex': {
      // Weights add up to 1.
      const of = r.of.map(p => ({ weight: p.weight, part: shifted(p.part, eps) }));
      const known = of.flatMap(({ weight, part }) => (part ? [{ weight, part }] : []));
      return known.length === of.length ? { by: 'convex', of: known } : undefined;
    }
    case 'scaled': {
      const of = shifted(r.of, div(eps, r.factor));
      return of && { ...r, of };
    }
    case 'orthogonal':
      return undefined;
    default:
      return r satisfies never;
  }
};

const gershgorin = (weights: Positive): Rescaling =>
  weights.q
    ? { by: 'sll', q: weights.q, ...(equal(weights.shift, ZERO) ? {} : { shift: weights.shift }) }
    : { by: 'aol', eps: ZERO };

/** T of a formula as a rescaling, where it dominates `gram` for every value of the parameters. */
export const rescalingOf = (d: DiagExpr, gram: Gram): Rescaling | undefined => {
  switch (d.kind) {
    case 'rowsum':
      return sameExpr(d.gram, gram) && sameExpr(d.weights, d.divisor) ? gershgorin(d.weights) : undefined;
    case 'power':
      return sameExpr(d.gram, gram) ? { by: 'power', steps: d.steps, eps: ZERO } : undefined;
    case 'chosen':
      return sameExpr(d.gram, gram) ? d.rescaling : undefined;
    case 'norm':
      if (!sameExpr(d.gram, gram)) return undefined;
      return d.bound.kind === 'frobenius' || d.bound.kind === 'schur'
        ? { by: d.bound.kind, eps: ZERO }
        : { by: 'spectral', method: d.bound, eps: ZERO };
    case 'max': {
      // A part that dominates is enough: the others may be scaled down.
      const dominating = d.of.map(p => rescalingOf(p, gram));
      const of = d.of.map((p, n) => dominating[n] ?? (p.kind === 'sum' ? sumOf(p, gram) : undefined));
      const known = of.filter(p => p !== undefined);
      return known.length === of.length && dominating.some(p => p !== undefined) ? { by: 'max', of: known } : undefined;
    }
    case 'sum':
      return compare(factorOf(d), ONE) < 0 ? undefined : sumOf(d, gram);
    default:
      return d satisfies never;
  }
};

type Sum = Extract<DiagExpr, { kind: 'sum' }>;

const factorOf = (d: Sum): Rational => d.of.reduce((s, p) => add(s, p.factor), ZERO);

/** A sum of positive multiples of rescalings that dominate: a multiple of a mix of them. */
const sumOf = (d: Sum, gram: Gram): Rescaling | undefined => {
  const factor = factorOf(d);
  const falls = d.of.some(p => compare(p.factor, ZERO) < 0) || compare(factor, ZERO) <= 0;
  if (falls || compare(d.shift, ZERO) < 0) return undefined;
  const parts = d.of.flatMap(p => {
    const part = rescalingOf(p.part, gram);
    return part ? [{ weight: div(p.factor, factor), part }] : [];
  });
  if (parts.length < d.of.length) return undefined;
  const mixed: Rescaling = parts.length === 1 ? parts[0].part : { by: 'convex', of: parts };
  return shifted(equal(factor, ONE) ? mixed : { by: 'scaled', factor, of: mixed }, d.shift);
};

/** `rescaling` of a Gram matrix as a diagonal; undefined where an orthogonal matrix takes the place of the weight. */
export const diagonalOf = (rescaling: Rescaling, gram: Gram, span: Span): DiagExpr | undefined => {
  const plus = (part: DiagExpr, shift: Rational): DiagExpr =>
    equal(shift, ZERO) ? part : { kind: 'sum', of: [{ factor: ONE, part }], shift, span };
  const rowsum = (weights: Positive): DiagExpr => ({ kind: 'rowsum', gram, weights, divisor: weights, span });
  switch (rescaling.by) {
    case 'spectral':
      return plus({ kind: 'norm', gram, bound: rescaling.method, span }, rescaling.eps);
    case 'frobenius':
    case 'schur':
      return plus({ kind: 'norm', gram, bound: { kind: rescaling.by }, span }, rescaling.eps);
    case 'power':
      return plus({ kind: 'power', gram, steps: rescaling.steps, span }, rescaling.eps);
    case 'aol':
      return plus(rowsum({ shift: ONE }), rescaling.eps);
    case 'sll':
      return plus(rowsum({ q: rescaling.q, shift: rescaling.shift ?? ZERO }), rescaling.eps ?? ZERO);
    case 'max': {
      const of = rescaling.of.map(p => diagonalOf(p, gram, span)).filter(p => p !== undefined);
      return of.length === rescaling.of.length ? { kind: 'max', of, span } : undefined;
    }
    case 'convex': {
      const of = rescaling.of.flatMap(({ weight, part }) => {
        const d = diagonalOf(part, gram, span);
        return d ? [{ factor: weight, part: d }] : [];
      });
      return of.length === rescaling.of.length ? { kind: 'sum', of, shift: ZERO, span } : undefined;
    }
    case 'scaled': {
      const part = diagonalOf(rescaling.of, gram, span);
      return part && { kind: 'sum', of: [{ factor: rescaling.factor, part }], shift: ZERO, span };
    }
    case 'orthogonal':
      return undefined;
    default:
      return rescaling satisfies never;
  }
};

/** Whether the adjoint of a map is one of the same geometry, its weight in another order. */
export const hasPlainAdjoint = (map: LinearMap): boolean =>
  map.kind === 'dense' ||
  (map.groups === 1 &&
    [0, 1].every(a => map.stride[a] === 1 && map.dilation[a] === 1 && 2 * map.padding[a] === map.kernel[a] - 1));

/** The map of a weight as it is used, stored either way; a transposed one has a plain adjoint. */
export const mapOf = ({ map, transposed }: Pick<Weight, 'map' | 'transposed'>): LinearMap => {
  if (!transposed) return map;
  const { transposed: already, ...rest } = map;
  const turned = { ...rest, out: map.in, in: map.out };
  return already ? turned : { ...turned, transposed: true };
};

const rowsOf = (w: Weight): Gram => ({ map: w.map, side: w.transposed ? 'columns' : 'rows' });
const columnsOf = (w: Weight): Gram => ({ map: w.map, side: w.transposed ? 'rows' : 'columns' });

/** A map of the input, and at most one parameter that is added to it. */
const affine = (terms: readonly Term[]): { readonly variable: readonly Term[]; readonly bias?: Param } | undefined => {
  const variable = terms.filter(t => dependsOnInput(t.of));
  const [constant, ...more] = terms.filter(t => !dependsOnInput(t.of));
  if (more.length > 0) return undefined;
  if (!constant) return { variable };
  const plain = constant.of.kind === 'param' && constant.atoms.length === 0 && equal(constant.coefficient, ONE);
  return plain && constant.of.kind === 'param' ? { variable, bias: constant.of.param } : undefined;
};

/** The layer's map and rescaling for an orthogonal matrix in the place of the weight, where the one made of Wᵀ is the transpose. */
const orthogonalMap = (w: Weight): { readonly map: LinearMap; readonly rescaling: Rescaling } | undefined => {
  const { map, transposed, orthogonal: method } = w;
  if (!method || (transposed && map.out === map.in && !commutesWithTranspose(method))) return undefined;
  const rescaling: Rescaling = { by: 'orthogonal', method };
  // What is made is a corner of a symmetric matrix, whatever its sides are called.
  if (method.family === 'bro') return { map: transposed ? { ...map, out: map.in, in: map.out } : map, rescaling };
  return { map: mapOf(w), rescaling };
};

const rescaledMap = (w: Weight, T: DiagExpr): ReturnType<typeof orthogonalMap> => {
  const rescaling = rescalingOf(T, rowsOf(w));
  return rescaling && (!w.transposed || hasPlainAdjoint(w.map)) ? { map: mapOf(w), rescaling } : undefined;
};

/** A weight with its T^(−1/2) on one side, or an orthogonal one. */
export const linear = (atoms: readonly Atom[], bias: Param | undefined): LayerOp | undefined => {
  const [a, b, ...more] = atoms;
  if (a?.kind === 'weight' && a.orthogonal && !b) {
    const made = orthogonalMap(a);
    return made && { kind: 'linear', ...made, side: 'in', ...(bias ? { bias } : {}) };
  }
  if (!a || !b || more.length > 0) return undefined;
  const side = a.kind === 'weight' ? 'in' : 'out';
  const [weight, inverse] = side === 'in' ? [a, b] : [b, a];
  if (weight.kind !== 'weight' || weight.orthogonal || inverse.kind !== 'inverse' || !inverse.root) return undefined;
  const rescaling = rescalingOf(inverse.of, side === 'in' ? columnsOf(weight) : rowsOf(weight));
  if (!rescaling) return undefined;
  const rest = { side, rescaling, ...(bias ? { bias } : {}) } as const;
  return weight.transposed && !hasPlainAdjoint(weight.map)
    ? { kind: 'linear', adjoint: true, map: weight.map, ...rest }
    : { kind: 'linear', map: mapOf(weight), ...rest };
};

/** h·x − c·A T⁻¹ σ(Aᵀx + b). */
export const residual = (terms: readonly Term[], anySlope: boolean): LayerOp | undefined => {
  const branch = terms.find(t => t.of.kind === 'act');
  const [skip, ...more] = terms.filter(t => t !== branch);
  const [outer, inverse, ...rest] = branch?.atoms ?? [];
  if (branch?.of.kind !== 'act' || more.length > 0 || rest.length > 0) return undefined;
  if (outer?.kind !== 'weight') return undefined;
  if (outer.orthogonal ? inverse : inverse?.kind !== 'inverse' || inverse.root) return undefined;
  if (skip && (skip.of.kind !== 'input' || skip.atoms.length > 0)) return undefined;
  const { act, of } = branch.of;
  const slope = proveSlope(act)?.conclusion;
  const within = slope?.kind === 'slope' && compare(slope.low, ZERO) >= 0 && compare(slope.high, ONE) <= 0;
  if (!within && !anySlope) return undefined;
  const inner = affine(of.terms);
  const [read, ...others] = inner?.variable ?? [];
  const weight: Weight = { ...outer, transposed: !outer.transposed };
  if (!read || others.length > 0 || read.of.kind !== 'input' || !equal(read.coefficient, ONE)) return undefined;
  if (read.atoms.length !== 1 || !sameExpr(read.atoms[0], weight)) return undefined;
  const made = inverse?.kind === 'inverse' ? rescaledMap(weight, inverse.of) : orthogonalMap(weight);
  if (!made) return undefined;
  const h = skip ? skip.coefficient : ZERO;
  const c = neg(branch.coefficient);
  return {
    kind: 'residual',
    ...(equal(h, ONE) ? {} : { identity: h }),
    ...(equal(c, TWO) ? {} : { factor: c }),
    ...made,
    act,
    ...(inner?.bias ? { bias: inner.bias } : {}),
  };
};

/** The atoms but for √r·I, and the product of all r, which stands for the coefficient too. */
const withoutRoots = (t: Term): { readonly squared: Rational; readonly atoms: readonly Atom[] } => {
  let squared = mul(t.coefficient, t.coefficient);
  const atoms = t.atoms.flatMap((a): readonly Atom[] => {
    if (a.kind !== 'scaling') return [a];
    squared = mul(squared, a.squared);
    return a.q ? [{ ...a, squared: ONE }] : [];
  });
  return { squared, atoms };
};

/** √2 Aᵀ Ψ σ(√2 Ψ⁻¹ B x + b) with [A B] one Cayley transform, Ψ = diag(exp(q)). */
const sandwich = (variable: readonly Term[]): LayerOp | undefined => {
  const [outer, ...more] = variable;
  if (outer?.of.kind !== 'act' || more.length > 0) return undefined;
  const { act, of } = outer.of;
  const inner = affine(of.terms);
  const [read, ...others] = inner?.variable ?? [];
  if (read?.of.kind !== 'input' || others.length > 0) return undefined;
  const [behind, before] = [withoutRoots(outer), withoutRoots(read)];
  const [a, d, ...rest] = behind.atoms;
  const [e, b, ...left] = before.atoms;
  if (rest.length > 0 || left.length > 0) return undefined;
  if (a?.kind !== 'block' || b?.kind !== 'block' || d?.kind !== 'scaling' || e?.kind !== 'scaling') return undefined;
  const positive = [outer, read].every(t => compare(t.coefficient, ZERO) > 0);
  if (!positive || !equal(behind.squared, TWO) || !equal(before.squared, TWO)) return undefined;
  if (!d.q || !e.q || !sameExpr(d.q, e.q) || d.negative || !e.negative) return undefined;
  const { map, orthogonal } = a;
  if (!sameExpr(map, b.map) || !sameExpr(orthogonal, b.orthogonal)) return undefined;
  if (orthogonal.family !== 'cayley' || orthogonal.form !== 'full' || !orthogonal.alpha) return undefined;
  const split = a.transposed && !b.transposed && a.from === 0 && a.to === map.out && b.from === map.out;
  if (!split || b.to !== map.in) return undefined;
  const slope = proveSlope(act)?.conclusion;
  if (slope?.kind !== 'slope' || compare(slope.low, ZERO) < 0 || compare(slope.high, ONE) > 0) return undefined;
  return {
    kind: 'sandwich',
    out: map.out,
    in: map.in - map.out,
    weight: map.weight,
    alpha: orthogonal.alpha,
    psi: d.q,
    act,
    ...(inner?.bias ? { bias: inner.bias } : {}),
  };
};

/** Every parameter of the formula must be one of the layer's, and the other way round. */
const sameParams = (op: Formula, params: readonly Param[]): boolean =>
  op.params.length === params.length && op.params.every(p => params.includes(p));

/** The layer that `op` is, or `op` itself. With `anySlope`, σ of a residual may be any activation: the prover will refuse it. */
export const recognise = (op: Formula, anySlope = false): LayerOp => {
  const outer = affine(op.body.terms);
  if (!outer) return op;
  const { variable, bias } = outer;
  const [only, ...more] = variable;
  const plain = more.length === 0 && only?.of.kind === 'input' && equal(only.coefficient, ONE);
  const found = plain ? linear(only.atoms, bias) : undefined;
  const layer = found ?? (bias ? undefined : (residual(variable, anySlope) ?? sandwich(variable)));
  return layer && sameParams(op, layerParams(layer)) ? layer : op;
};
