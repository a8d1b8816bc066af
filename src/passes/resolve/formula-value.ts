/** What an expression in a `layer` definition stands for, and its arithmetic. Errors are returned as text; the caller knows the place. */
import type { Span } from '../../diagnostics.ts';
import * as f from '../../ir/formula.ts';
import type { Activation, LinearMap, Shape } from '../../ir/network.ts';
import { printAtom } from '../../ir/print-formula.ts';
import * as q from '../../ir/rational.ts';
import type { BinaryOperator } from '../../parser/ast.ts';

/** Rows and columns count features ('dense') or channels ('conv'); a diagonal fits both. */
type Form = LinearMap['kind'] | 'any';
type Pair = readonly [number, number];

export type Value =
  | { readonly kind: 'scalar'; readonly value: q.Rational }
  /** [n] or [channels, height, width]; a parameter of one number per channel is [channels]. */
  | { readonly kind: 'vector'; readonly shape: Shape; readonly of: f.VectorExpr }
  | {
      readonly kind: 'matrix';
      readonly rows: number;
      readonly columns: number;
      readonly form: Form;
      /** Of a convolution: height and width of the images it makes and reads. */
      readonly sizes?: { readonly rows: Pair; readonly columns: Pair };
      readonly factor: q.Rational;
      readonly atoms: readonly f.Atom[];
    }
  | { readonly kind: 'diagonal'; readonly size: number; readonly of: f.DiagExpr }
  /** √squared, which no rational is. */
  | { readonly kind: 'root'; readonly squared: q.Rational }
  /** √squared·exp(±q): a diagonal matrix. */
  | { readonly kind: 'scaling'; readonly size: number; readonly of: Scaling }
  /** Entries above 0: exp(q), exp(q) + 1. */
  | { readonly kind: 'positive'; readonly size: number; readonly of: f.Positive }
  /** |G|, its columns multiplied by `weights`. */
  | { readonly kind: 'absolute Gram matrix'; readonly gram: f.Gram; readonly weights: f.Positive }
  | { readonly kind: 'activation'; readonly act: Activation }
  /** The choice of an option, one of several. */
  | { readonly kind: 'word'; readonly text: string; readonly of: readonly string[] };

type Scaling = Extract<f.Atom, { kind: 'scaling' }>;

export interface Mismatch {
  readonly mismatch: string;
  readonly help?: string;
}

export const ONES: f.Positive = { shift: q.ONE };

const mismatch = (text: string, help?: string): Mismatch => ({ mismatch: text, ...(help ? { help } : {}) });

export const describe = (v: Value): string => {
  switch (v.kind) {
    case 'scalar':
      return `the number ${q.format(v.value)}`;
    case 'vector':
      return v.shape.length === 1 ? `a vec[${v.shape[0]}]` : `an image[${v.shape.join(', ')}]`;
    case 'matrix':
      return v.form === 'conv'
        ? `a convolution from ${v.columns} to ${v.rows} channels`
        : `a mat[${v.rows}, ${v.columns}]`;
    case 'diagonal':
      return `a diagonal of ${v.size}`;
    case 'root':
      return `the irrational number sqrt(${q.format(v.squared)})`;
    case 'scaling':
    case 'positive':
      return `${v.size} positive numbers`;
    case 'absolute Gram matrix':
    case 'activation':
      return `an ${v.kind}`;
    case 'word':
      return `the word \`${v.text}\``;
    default:
      return v satisfies never;
  }
};

/** WᵀW or WWᵀ, as a product of two matrices. */
export const gramOf = (v: Value): f.Gram | undefined => {
  if (v.kind !== 'matrix' || v.atoms.length !== 2 || !q.equal(v.factor, q.ONE)) return undefined;
  const [a, b] = v.atoms;
  if (a.kind !== 'weight' || b.kind !== 'weight' || a.map.weight.path !== b.map.weight.path) return undefined;
  return a.transposed === b.transposed || a.orthogonal || b.orthogonal
    ? undefined
    : { map: a.map, side: a.transposed ? 'columns' : 'rows' };
};

export const transpose = (v: Value): Value | Mismatch => {
  if (v.kind === 'scalar') return v;
  if (v.kind !== 'matrix') return mismatch(`only a matrix has a transpose, not ${describe(v)}`);
  const atoms = [...v.atoms]
    .reverse()
    .map((a): f.Atom => (a.kind === 'weight' || a.kind === 'block' ? { ...a, transposed: !a.transposed } : a));
  const sizes = v.sizes && { sizes: { rows: v.sizes.columns, columns: v.sizes.rows } };
  return { ...v, rows: v.columns, columns: v.rows, ...sizes, atoms };
};

/** inv(T) and invsqrt(T). */
export const invert = (v: Value, root: boolean, span: Span): Value | Mismatch => {
  if (v.kind !== 'diagonal')
    return mismatch(
      `\`${root ? 'invsqrt' : 'inv'}\` takes a diagonal, not ${describe(v)}`,
      'a diagonal is gershgorin(…), spectral(…), frobenius(…), schur(…), or made of those',
    );
  const atom: f.Atom = { kind: 'inverse', root, of: v.of, span };
  return { kind: 'matrix', rows: v.size, columns: v.size, form: 'any', factor: q.ONE, atoms: [atom] };
};

export type Weight = Extract<f.Atom, { kind: 'weight' }>;

/** W where `v` is a parameter of type mat, or its transpose; an orthogonal matrix is made of it. */
export const matrixParameter = (v: Value, family: string): Weight | Mismatch => {
  const only = v.kind === 'matrix' && v.atoms.length === 1 && q.equal(v.factor, q.ONE) ? v.atoms[0] : undefined;
  if (only?.kind !== 'weight' || only.orthogonal || only.map.kind !== 'dense')
    return mismatch(
      `\`${family}\` takes a parameter of type mat, not ${describe(v)}`,
      v.kind === 'matrix' && v.form === 'conv'
        ? 'an orthogonal kernel is chosen where the layer is used: `conv … by orthogonal(…)`'
        : undefined,
    );
  return only;
};

/** first(Q, size) and last(Q, size): columns of a matrix that is made orthogonal. */
export const columnsOf = (v: Value, part: 'first' | 'last', size: number, span: Span): Value | Mismatch => {
  const only = v.kind === 'matrix' && v.atoms.length === 1 && q.equal(v.factor, q.ONE) ? v.atoms[0] : undefined;
  if (v.kind !== 'matrix' || only?.kind !== 'weight' || !only.orthogonal || only.transposed)
    return mismatch(
      `\`${part}\` takes columns of an orthogonal matrix, not of ${describe(v)}`,
      'write `first(cayley(W, alpha = true), out)`',
    );
  if (size > v.columns) return mismatch(`${describe(v)} has ${v.columns} columns, not ${size}`);
  const [from, to] = part === 'first' ? [0, size] : [v.columns - size, v.columns];
  const { map, orthogonal } = only;
  return { ...v, columns: size, atoms: [{ kind: 'block', map, transposed: false, orthogonal, from, to, span }] };
};

/** √squared, and exp(±q). */
const scalingOf = (v: Value, span: Span): Scaling | undefined => {
  if (v.kind === 'root') return { kind: 'scaling', squared: v.squared, negative: false, span };
  if (v.kind === 'scaling') return v.of;
  return v.kind === 'positive' && v.of.q && q.equal(v.of.shift, q.ZERO)
    ? { kind: 'scaling', squared: q.ONE, q: v.of.q, negative: false, span }
    : undefined;
};

/** A root or a diagonal of exponentials times something, or undefined where that is no product of matrices. */
const scaling = (a: Value, b: Value, span: Span): Value | Mismatch | undefined => {
  if (a.kind !== 'root' && b.kind === 'root') return scaling(b, a, span);
  const left = scalingOf(a, span);
  if (!left) return undefined;
  if (a.kind === 'root') {
    const right = scalingOf(b, span);
    if (b.kind === 'root') return { kind: 'root', squared: q.mul(a.squared, b.squared) };
    if ((b.kind === 'positive' || b.kind === 'scaling') && right)
      return { kind: 'scaling', size: b.size, of: { ...right, squared: q.mul(a.squared, right.squared) } };
    if (b.kind === 'matrix') return { ...b, atoms: [left, ...b.atoms] };
    if (b.kind === 'vector') return { ...b, of: f.product(q.ONE, [left], b.of, span) };
    return undefined;
  }
  if ((b.kind !== 'vector' && b.kind !== 'matrix') || (a.kind !== 'positive' && a.kind !== 'scaling')) return undefined;
  return applied(diagonalMatrix(a.size, left), b, span);
};

const diagonalMatrix = (size: number, atom: f.Atom): Extract<Value, { kind: 'matrix' }> => ({
  kind: 'matrix',
  rows: size,
  columns: size,
  form: 'any',
  factor: q.ONE,
  atoms: [atom],
});

export const activate = (act: Activation, v: Value, span: Span): Value | Mismatch =>
  v.kind === 'vector'
    ? { ...v, of: f.leaf({ kind: 'act', act, of: v.of, span }, span) }
    : mismatch(`an activation takes a vector, not ${describe(v)}`);

/** Sums of sums are kept flat, so that the factors of the parts can be added up. */
const summands = (d: f.DiagExpr): Pick<Extract<f.DiagExpr, { kind: 'sum' }>, 'of' | 'shift'> =>
  d.kind === 'sum' ? d : { of: [{ factor: q.ONE, part: d }], shift: q.ZERO };

const scaled = (factor: q.Rational, v: Value, span: Span): Value | Mismatch => {
  switch (v.kind) {
    case 'scalar':
      return { kind: 'scalar', value: q.mul(factor, v.value) };
    case 'vector':
      return { ...v, of: f.scale(factor, v.of, span) };
    case 'matrix':
      return { ...v, factor: q.mul(factor, v.factor) };
    case 'diagonal': {
      const { of, shift } = summands(v.of);
      const times = of.map(p => ({ ...p, factor: q.mul(factor, p.factor) }));
      return { ...v, of: { kind: 'sum', of: times, shift: q.mul(factor, shift), span } };
    }
    case 'root':
      return q.compare(factor, q.ZERO) > 0
        ? { kind: 'root', squared: q.mul(q.mul(factor, factor), v.squared) }
        : mismatch(`${describe(v)} cannot be multiplied by ${q.format(factor)}`, 'subtract the product instead');
    case 'scaling':
    case 'positive':
    case 'absolute Gram matrix':
    case 'activation':
    case 'word':
      return mismatch(`${describe(v)} cannot be multiplied by a number`);
    default:
      return v satisfies never;
  }
};

/** A matrix times a matrix or a vector. */
const applied = (m: Extract<Value, { kind: 'matrix' }>, v: Value, span: Span): Value | Mismatch => {
  if (v.kind === 'matrix') {
    const different = m.sizes && v.sizes && `${m.sizes.columns}` !== `${v.sizes.rows}`;
    if (m.columns !== v.rows || (m.form !== 'any' && v.form !== 'any' && m.form !== v.form) || different)
      return mismatch(`${describe(m)} cannot be multiplied with ${describe(v)}`, 'the inner sizes must be equal');
    const form = m.form === 'any' ? v.form : m.form;
    const factor = q.mul(m.factor, v.factor);
    const [rows, columns] = [m.sizes?.rows ?? v.sizes?.rows, v.sizes?.columns ?? m.sizes?.columns];
    const sizes = rows && columns && { sizes: { rows, columns } };
    const atoms = [...m.atoms, ...v.atoms];
    return { kind: 'matrix', rows: m.rows, columns: v.columns, form, ...sizes, factor, atoms };
  }
  if (v.kind !== 'vector') return mismatch(`${describe(m)} cannot be multiplied with ${describe(v)}`);
  const wanted = m.form === 'any' ? v.shape.length : m.form === 'conv' ? 3 : 1;
  const fits = !m.sizes || `${m.sizes.columns}` === `${v.shape.slice(1)}`;
  if (m.columns !== v.shape[0] || v.shape.length !== wanted || !fits) {
    const help =
      m.columns === m.rows || m.rows !== v.shape[0]
        ? undefined
        : `\`${m.atoms.map(printAtom).join(' * ')}\` may lack a \`ᵀ\``;
    return mismatch(`${describe(m)} cannot be applied to ${describe(v)}`, help);
  }
  return {
    kind: 'vector',
    shape: [m.rows, ...(m.sizes?.rows ?? v.shape.slice(1))],
    of: f.product(m.factor, m.atoms, v.of, span),
  };
};

const times = (a: Value, b: Value, span: Span): Value | Mismatch => {
  if (a.kind === 'scalar') return scaled(a.value, b, span);
  if (b.kind === 'scalar') return scaled(b.value, a, span);
  const product = scaling(a, b, span);
  if (product) return product;
  if (a.kind === 'matrix') {
    const right = b.kind === 'positive' || b.kind === 'scaling' ? scalingOf(b, span) : undefined;
    const size = right && 'size' in b ? b.size : 0;
    return applied(a, right ? diagonalMatrix(size, right) : b, span);
  }
  if (a.kind === 'absolute Gram matrix' && b.kind === 'positive' && f.sameExpr(a.weights, ONES))
    return b.size === f.gramSize(a.gram)
      ? { ...a, weights: b.of }
      : mismatch(`a Gram matrix of ${f.gramSize(a.gram)} columns cannot take ${describe(b)}`);
  return mismatch(
    `${describe(a)} cannot be multiplied with ${describe(b)}`,
    a.kind === 'diagonal' || b.kind === 'diagonal'
      ? 'a diagonal T enters a formula as `inv(T)` or `invsqrt(T)`'
      : a.kind === 'vector' && b.kind === 'vector'
        ? 'vectors are multiplied by numbers, and by matrices on their left; a product of two that depend on the input has no Lipschitz bound (only of one with its own sigmoid, and that has slopes up to 1.10)'
        : a.kind === 'vector' && b.kind === 'matrix'
          ? 'a matrix stands on the left of its vector: `W * x`'
          : undefined,
  );
};

const divided = (a: Value, b: Value, span: Span): Value | Mismatch => {
  if (b.kind === 'scalar')
    return q.equal(b.value, q.ZERO) ? mismatch('this divides by zero') : scaled(q.div(q.ONE, b.value), a, span);
  if (a.kind === 'diagonal' && b.kind === 'positive' && a.size === b.size) {
    // Row sums, and multiples and sums of them, take a divisor once.
    const { of, shift } = summands(a.of);
    const parts = of.map(({ factor, part }) =>
      part.kind === 'rowsum' && f.sameExpr(part.divisor, ONES)
        ? { factor, part: { ...part, divisor: b.of, span } }
        : undefined,
    );
    const known = parts.filter(p => p !== undefined);
    if (known.length === parts.length && q.equal(shift, q.ZERO)) {
      const single = a.of.kind === 'rowsum' ? known[0].part : undefined;
      return { ...a, of: single ?? { kind: 'sum', of: known, shift, span } };
    }
  }
  return mismatch(`${describe(a)} cannot be divided by ${describe(b)}`, 'write `inv(T) * …` to divide by a diagonal');
};

/** True for a sum of parameters, which an image takes per channel. */
const constant = (v: f.VectorExpr): boolean => v.terms.every(t => t.of.kind === 'param' && t.atoms.length === 0);

/** What to write in place of a sum of two things that have none. */
const sumHelp = (a: Value, b: Value): string | undefined => {
  if (a.kind === 'vector' && b.kind === 'scalar')
    return `to move every entry, add a parameter: \`param b: vec[${a.shape[0]}] = ${q.format(b.value)}\`, and \`+ b\``;
  if (a.kind === 'matrix' && b.kind === 'matrix') return 'matrices are applied one by one: `A * x + B * x`';
  if (a.kind === 'vector' && b.kind === 'vector')
    return 'both must have one size; `Wᵀ * x` has as many entries as W has columns';
  if (a.kind === 'matrix' || b.kind === 'matrix') return 'a matrix is applied before it is added: `W * x + …`';
  return undefined;
};

const added = (a: Value, b: Value, span: Span): Value | Mismatch => {
  if (a.kind === 'scalar' && b.kind !== 'scalar') return added(b, a, span);
  const refuse = mismatch(`${describe(a)} and ${describe(b)} cannot be added`, sumHelp(a, b));
  switch (a.kind) {
    case 'scalar':
      return b.kind === 'scalar' ? { kind: 'scalar', value: q.add(a.value, b.value) } : refuse;
    case 'vector': {
      if (b.kind !== 'vector') return refuse;
      const [long, short] = a.shape.length >= b.shape.length ? [a, b] : [b, a];
      const perChannel = short.shape.length < long.shape.length && constant(short.of);
      const fits = perChannel ? short.shape[0] === long.shape[0] : a.shape.join() === b.shape.join();
      return fits ? { kind: 'vector', shape: long.shape, of: f.sum(a.of, b.of) } : refuse;
    }
    case 'diagonal': {
      const left = summands(a.of);
      if (b.kind === 'scalar')
        return { ...a, of: { kind: 'sum', of: left.of, shift: q.add(left.shift, b.value), span } };
      if (b.kind !== 'diagonal' || b.size !== a.size) return refuse;
      const right = summands(b.of);
      const of = [...left.of, ...right.of];
      return { ...a, of: { kind: 'sum', of, shift: q.add(left.shift, right.shift), span } };
    }
    case 'positive': {
      if (b.kind !== 'scalar') return refuse;
      if (q.compare(b.value, q.ZERO) < 0)
        return mismatch('a positive vector may only be added to, not subtracted from');
      return { ...a, of: { ...a.of, shift: q.add(a.of.shift, b.value) } };
    }
    case 'root':
    case 'scaling':
    case 'matrix':
    case 'absolute Gram matrix':
    case 'activation':
    case 'word':
      return refuse;
    default:
      return a satisfies never;
  }
};

export const combine = (op: BinaryOperator, a: Value, b: Value, span: Span): Value | Mismatch => {
  switch (op) {
    case '*':
      return times(a, b, span);
    case '/':
      return divided(a, b, span);
    case '+':
      return added(a, b, span);
    case '-': {
      const minus = scaled(q.rational(-1), b, span);
      if ('mismatch' in minus) return mismatch(`${describe(b)} cannot be subtracted from ${describe(a)}`);
      // The place of a subtracted term is that of the term.
      return added(a, b.kind === 'vector' ? { ...b, of: f.scale(q.rational(-1), b.of) } : minus, span);
    }
    default:
      return op satisfies never;
  }
};

export const negate = (v: Value, span: Span): Value | Mismatch => scaled(q.rational(-1), v, span);

/** The largest of several diagonals, entry by entry. */
export const largest = (of: readonly Value[], span: Span): Value | Mismatch => {
  const diagonals = of.filter(v => v.kind === 'diagonal');
  const size = diagonals[0]?.size;
  if (diagonals.length !== of.length || diagonals.length < 2 || diagonals.some(d => d.size !== size))
    return mismatch('`max` takes two or more diagonals of one size');
  return { kind: 'diagonal', size: size!, of: { kind: 'max', of: diagonals.map(d => d.of), span } };
};

/** How long a value is when it is written out; every use of a `let` counts again. */
export const sizeOf = (v: Value): number => {
  switch (v.kind) {
    case 'vector':
      return f.vectorSize(v.of);
    case 'matrix':
      return f.atomsSize(v.atoms);
    case 'diagonal':
      return f.diagonalSize(v.of);
    case 'scalar':
      return Math.ceil((v.value.num.toString(16).length + v.value.den.toString(16).length) / 16);
    case 'root':
    case 'scaling':
    case 'positive':
    case 'absolute Gram matrix':
    case 'activation':
    case 'word':
      return 1;
    default:
      return v satisfies never;
  }
};
