/**
 * The formula of a layer that is written in the language, in normal form: a sum of terms c·A₁…A_k·leaf. The constructors keep it so
 * (scalars collected, products of matrices flat, like terms added up), so equal maps are recognised by their text. Matrices are not
 * distributed over sums: `W * (x + b)` stays one product.
 */
import type { Span } from '../diagnostics.ts';
import {
  type Activation,
  activationParams,
  type LinearMap,
  type Param,
  type Rescaling,
  rescalingParams,
  type SpectralMethod,
} from './network.ts';
import { type MatrixMethod, orthogonalParams } from './orthogonal.ts';
import { add, equal, mul, ONE, type Rational, ZERO } from './rational.ts';

/** WWᵀ ('rows') or WᵀW ('columns') of a stored weight W. */
export interface Gram {
  readonly map: LinearMap;
  readonly side: 'rows' | 'columns';
}

/** How many rows the Gram matrix has. */
export const gramSize = ({ map, side }: Gram): number => (side === 'rows' ? map.out : map.in);

/** exp(q) + shift, or the constant vector `shift` without a q: one positive number per row of a Gram matrix. */
export interface Positive {
  readonly q?: Param;
  readonly shift: Rational;
}

/** How one number λ ≥ ‖W‖² is found. */
export type NormBound =
  | SpectralMethod
  /** λ = ‖W‖_F²; of a kernel, kh·kw·‖K‖_F². */
  | { readonly kind: 'frobenius' }
  /** λ = (largest row sum of |W|)·(largest column sum); of a kernel, sums over a channel and all taps. */
  | { readonly kind: 'schur' };

/** A diagonal T, one entry per row of a Gram matrix. Whether it dominates one is for the prover to say. */
export type DiagExpr =
  /** T_i = Σ_j |G_ij| weights_j / divisor_i. */
  | {
      readonly kind: 'rowsum';
      readonly gram: Gram;
      readonly weights: Positive;
      readonly divisor: Positive;
      readonly span: Span;
    }
  /** T_i = (Σ_j |(G^m)_ij|)^(1/m), m = 2^(steps − 1), steps ≥ 2. */
  | { readonly kind: 'power'; readonly gram: Gram; readonly steps: number; readonly span: Span }
  /** T of the rescaling that `by` chose; `of` is the same diagonal, absent where an orthogonal matrix takes the place of the weight. */
  | {
      readonly kind: 'chosen';
      readonly gram: Gram;
      readonly rescaling: Rescaling;
      readonly of?: DiagExpr;
      readonly span: Span;
    }
  /** T = λI. */
  | { readonly kind: 'norm'; readonly gram: Gram; readonly bound: NormBound; readonly span: Span }
  | { readonly kind: 'max'; readonly of: readonly DiagExpr[]; readonly span: Span }
  /** T = Σ factor·of + shift·I. */
  | {
      readonly kind: 'sum';
      readonly of: readonly { readonly factor: Rational; readonly part: DiagExpr }[];
      readonly shift: Rational;
      readonly span: Span;
    };

export type Atom =
  | {
      readonly kind: 'weight';
      readonly map: LinearMap;
      readonly transposed: boolean;
      /** What is made of the stored weight in its place, a matrix of norm at most 1; `map.weight` is of the family's shape. */
      readonly orthogonal?: MatrixMethod;
      readonly span: Span;
    }
  /** Columns `from` to `to` − 1 of a matrix that is made orthogonal. */
  | {
      readonly kind: 'block';
      readonly map: LinearMap;
      readonly transposed: boolean;
      readonly orthogonal: MatrixMethod;
      readonly from: number;
      readonly to: number;
      readonly span: Span;
    }
  /** √squared·diag(exp(q)), of −q where `negative`; √squared·I without a q. */
  | {
      readonly kind: 'scaling';
      readonly squared: Rational;
      readonly q?: Param;
      readonly negative: boolean;
      readonly span: Span;
    }
  /** T⁻¹, or T^(−1/2) where `root`. */
  | { readonly kind: 'inverse'; readonly root: boolean; readonly of: DiagExpr; readonly span: Span };

export type Leaf =
  | { readonly kind: 'input' }
  /** One number per feature or channel. */
  | { readonly kind: 'param'; readonly param: Param }
  | { readonly kind: 'act'; readonly act: Activation; readonly of: VectorExpr; readonly span: Span }
  /** Two or more terms under a matrix. */
  | { readonly kind: 'sum'; readonly of: VectorExpr };

/** coefficient·(product of atoms)·of; the coefficient is not 0. */
export interface Term {
  readonly coefficient: Rational;
  readonly atoms: readonly Atom[];
  readonly of: Leaf;
  readonly span: Span;
}

/** A sum of terms, no two of which differ in their coefficient alone; the empty sum is 0. */
export interface VectorExpr {
  readonly terms: readonly Term[];
}

const textOf = (value: unknown): string =>
  JSON.stringify(value, (key, v) => (key === 'span' ? undefined : typeof v === 'bigint' ? `${v}` : v));

/** True when both are the same expression, wherever they are written. */
export const sameExpr = <T>(a: T, b: T): boolean => textOf(a) === textOf(b);

const likeTerms = (a: Term, b: Term): boolean => sameExpr([a.atoms, a.of], [b.atoms, b.of]);

/** `leaf` alone; a sum under no matrix is its terms. */
export const leaf = (of: Leaf, span: Span): VectorExpr =>
  of.kind === 'sum' ? of.of : { terms: [{ coefficient: ONE, atoms: [], of, span }] };

export const sum = (a: VectorExpr, b: VectorExpr): VectorExpr => {
  const terms: Term[] = [...a.terms];
  for (const t of b.terms) {
    const at = terms.findIndex(o => likeTerms(o, t));
    if (at < 0) terms.push(t);
    else terms[at] = { ...terms[at], coefficient: add(terms[at].coefficient, t.coefficient) };
  }
  return { terms: terms.filter(t => !equal(t.coefficient, ZERO)) };
};

/** factor·v; `span` is the place of the product. */
export const scale = (factor: Rational, v: VectorExpr, span?: Span): VectorExpr => ({
  terms: equal(factor, ZERO)
    ? []
    : v.terms.map(t => ({ ...t, coefficient: mul(factor, t.coefficient), span: span ?? t.span })),
});

/** T^(−1/2)·T^(−1/2) is T⁻¹. */
const joinRoots = (atoms: readonly Atom[]): readonly Atom[] => {
  const out: Atom[] = [];
  for (const atom of atoms) {
    const last = out.at(-1);
    if (atom.kind === 'inverse' && atom.root && last?.kind === 'inverse' && last.root && sameExpr(atom.of, last.of))
      out[out.length - 1] = { ...last, root: false };
    else out.push(atom);
  }
  return out;
};

/** factor·(product of atoms)·v. */
export const product = (factor: Rational, atoms: readonly Atom[], v: VectorExpr, span: Span): VectorExpr => {
  if (v.terms.length === 0 || equal(factor, ZERO)) return { terms: [] };
  if (atoms.length === 0) return scale(factor, v, span);
  const [only, ...more] = v.terms;
  return more.length > 0
    ? { terms: [{ coefficient: factor, atoms: joinRoots(atoms), of: { kind: 'sum', of: v }, span }] }
    : {
        terms: [
          {
            coefficient: mul(factor, only.coefficient),
            atoms: joinRoots([...atoms, ...only.atoms]),
            of: only.of,
            span,
          },
        ],
      };
};

/** False for a sum of parameters. */
export const dependsOnInput = (of: Leaf): boolean => {
  switch (of.kind) {
    case 'input':
      return true;
    case 'param':
      return false;
    case 'act':
    case 'sum':
      return of.of.terms.some(t => dependsOnInput(t.of));
    default:
      return of satisfies never;
  }
};

/** Every atom, those inside activations and sums included. */
export const atomsOf = (v: VectorExpr): readonly Atom[] =>
  v.terms.flatMap(t => [...t.atoms, ...(t.of.kind === 'act' || t.of.kind === 'sum' ? atomsOf(t.of.of) : [])]);

/** The Gram matrices a diagonal is made of. */
export const gramsOf = (d: DiagExpr): readonly Gram[] => {
  switch (d.kind) {
    case 'rowsum':
    case 'power':
    case 'norm':
    case 'chosen':
      return [d.gram];
    case 'max':
      return d.of.flatMap(gramsOf);
    case 'sum':
      return d.of.flatMap(p => gramsOf(p.part));
    default:
      return d satisfies never;
  }
};

const diagonalParams = (d: DiagExpr): readonly Param[] => {
  const { weight } = 'gram' in d ? d.gram.map : { weight: undefined };
  const own = weight ? [weight] : [];
  switch (d.kind) {
    case 'rowsum':
      return [...own, ...[d.weights.q, d.divisor.q].filter(q => q !== undefined)];
    case 'power':
    case 'norm':
      return own;
    case 'chosen':
      return [...own, ...rescalingParams(d.rescaling)];
    case 'max':
      return d.of.flatMap(diagonalParams);
    case 'sum':
      return d.of.flatMap(p => diagonalParams(p.part));
    default:
      return d satisfies never;
  }
};

const atomParams = (a: Atom): readonly Param[] => {
  switch (a.kind) {
    case 'weight':
    case 'block':
      return [a.map.weight, ...(a.orthogonal ? orthogonalParams(a.orthogonal) : [])];
    case 'scaling':
      return a.q ? [a.q] : [];
    case 'inverse':
      return diagonalParams(a.of);
    default:
      return a satisfies never;
  }
};

const leafParams = (of: Leaf): readonly Param[] => {
  switch (of.kind) {
    case 'input':
      return [];
    case 'param':
      return [of.param];
    case 'act':
      return [...activationParams(of.act), ...formulaParams(of.of)];
    case 'sum':
      return formulaParams(of.of);
    default:
      return of satisfies never;
  }
};

/** Every parameter that a formula reads, once for each time that it does. */
export const formulaParams = (v: VectorExpr): readonly Param[] =>
  v.terms.flatMap(t => [...t.atoms.flatMap(atomParams), ...leafParams(t.of)]);

/** The diagonal that `by` chose, written out. Throws where an orthogonal matrix takes the place of the weight: that is no diagonal. */
export const writtenOut = (d: Extract<DiagExpr, { kind: 'chosen' }>): DiagExpr => {
  if (!d.of) throw new Error(`${d.gram.map.weight.path}: \`by ${d.rescaling.by}\` is no diagonal of this weight`);
  return d.of;
};

const sizes = new WeakMap<DiagExpr | VectorExpr, number>();

const remembered = <T extends DiagExpr | VectorExpr>(e: T, count: (e: T) => number): number => {
  const known = sizes.get(e) ?? count(e);
  sizes.set(e, known);
  return known;
};

const total = (all: readonly number[]): number => all.reduce((a, b) => a + b, 0);

/** Nodes of a diagonal written out, shared ones each time. */
export const diagonalSize = (d: DiagExpr): number =>
  remembered(d, e => {
    switch (e.kind) {
      case 'rowsum':
      case 'power':
      case 'norm':
      case 'chosen':
        return 1;
      case 'max':
        return 1 + total(e.of.map(diagonalSize));
      case 'sum':
        return 1 + total(e.of.map(p => diagonalSize(p.part)));
      default:
        return e satisfies never;
    }
  });

export const atomsSize = (atoms: readonly Atom[]): number =>
  total(atoms.map(a => (a.kind === 'inverse' ? 1 + diagonalSize(a.of) : 1)));

/** Nodes of a formula written out, shared ones each time: what comparing and lowering it costs. */
export const vectorSize = (v: VectorExpr): number =>
  remembered(v, e =>
    total(
      e.terms.map(t => 1 + atomsSize(t.atoms) + (t.of.kind === 'act' || t.of.kind === 'sum' ? vectorSize(t.of.of) : 0)),
    ),
  );
