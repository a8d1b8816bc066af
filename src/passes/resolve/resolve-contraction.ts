/** Operator layers: `by fourier(…)`, `by skew_exponential(…)`, `by sandwich(…)`, and the statement `sandwich`. */
import type { Span } from '../../diagnostics.ts';
import { isPointwise } from '../../ir/conv-geometry.ts';
import type { Activation, ContractionMethod, LayerOp, Param, Shape, Twist } from '../../ir/network.ts';
import type { Rational } from '../../ir/rational.ts';
import * as q from '../../ir/rational.ts';
import type { Arg, Expr, Statement } from '../../parser/ast.ts';
import {
  activationFits,
  activationOf,
  type Chain,
  fits,
  imageShape,
  type Made,
  nextPath,
  uniformBias,
  vectorShape,
  xavier,
} from './resolve-layers.ts';
import {
  type Bound,
  bindArgs,
  booleanOf,
  choiceOf,
  integerOf,
  pairOf,
  rationalOf,
  type Scope,
  type Signature,
} from './resolve-scope.ts';

/** Ways to make a linear layer that replace its matrix or kernel by an operator of norm at most 1. */
export const OPERATOR_METHODS = ['fourier', 'skew_exponential', 'sandwich'] as const;
type OperatorMethod = (typeof OPERATOR_METHODS)[number];

/** Longest axis of an image whose Fourier transform is taken, by products with tables. */
const MAX_AXIS = 512;

const ARGUMENTS: Readonly<Record<OperatorMethod, Signature>> = {
  fourier: { positional: ['family'], options: ['rank', 'steps', 'eps', 'inverse'], required: ['family'] },
  skew_exponential: { options: ['degree', 'norm', 'steps'] },
  sandwich: { positional: ['part'] },
};

/** The operator that `by e` asks for, if it asks for one. */
export const operatorBy = (
  e: Expr | undefined,
): { readonly method: OperatorMethod; readonly args: readonly Arg[]; readonly span: Span } | undefined => {
  const name = e?.kind === 'name' ? e.name : e?.kind === 'call' ? e.callee.text : undefined;
  const method = OPERATOR_METHODS.find(m => m === name);
  return method && e ? { method, args: e.kind === 'call' ? e.args : [], span: e.span } : undefined;
};

const alphaOf = (path: string): Param => ({
  path: `${path}.alpha`,
  shape: [1],
  init: { kind: 'normOf', path: `${path}.W` },
});

const rationalOr = (scope: Scope, e: Expr | undefined, what: string, otherwise: Rational): Rational | undefined =>
  e ? rationalOf(scope, e, what) : otherwise;
const integerOr = (scope: Scope, e: Expr | undefined, what: string, otherwise: number): number | undefined =>
  e ? integerOf(scope, e, what, 1, 100) : otherwise;

/** Options of one family given to another. */
const surplus = (scope: Scope, bound: Bound, family: string, allowed: readonly string[]): boolean => {
  const [extra] = [...bound].filter(([name]) => name !== 'family' && !allowed.includes(name));
  if (!extra) return false;
  scope.report(
    'L0129',
    extra[1].span,
    `\`fourier(${family})\` has no \`${extra[0]}\``,
    allowed.length > 0 ? `it takes ${allowed.map(a => `\`${a}\``).join(' and ')}` : `leave \`${extra[0]}\` out`,
  );
  return true;
};

/** The method, and the shape of the parameter it starts from. */
interface Family {
  readonly method: ContractionMethod;
  readonly weight: Shape;
}

interface Sizes {
  readonly path: string;
  readonly out: number;
  readonly in: number;
  readonly kernel: readonly [number, number];
  readonly circular: boolean;
}

const fourier = (scope: Scope, bound: Bound, sizes: Sizes): Family | undefined => {
  const family = choiceOf(scope, bound.get('family')!, 'the family of `fourier`', ['cayley', 'bro', 'lot'] as const);
  if (!family) return undefined;
  const plain = [sizes.out, sizes.in, ...sizes.kernel];
  switch (family) {
    case 'cayley':
      return surplus(scope, bound, family, ['inverse'])
        ? undefined
        : { method: { family, alpha: alphaOf(sizes.path) }, weight: plain };
    case 'bro': {
      if (surplus(scope, bound, family, ['rank', 'eps'])) return undefined;
      const [less, more] = [Math.min(sizes.out, sizes.in), Math.max(sizes.out, sizes.in)];
      const rankExpr = bound.get('rank');
      const rank = rankExpr
        ? integerOf(scope, rankExpr, '`rank`', 1, more)
        : less < more
          ? less
          : Math.max(1, Math.floor(more / 2));
      const eps = rationalOr(scope, bound.get('eps'), '`eps`', q.rational(1n, 100_000n));
      if (rank === undefined || !eps) return undefined;
      return { method: { family, eps }, weight: [more, rank, ...sizes.kernel] };
    }
    case 'lot': {
      if (surplus(scope, bound, family, ['steps', 'eps'])) return undefined;
      const steps = integerOr(scope, bound.get('steps'), '`steps`', 10);
      const eps = rationalOr(scope, bound.get('eps'), '`eps`', q.rational(1n, 10_000n));
      return steps === undefined || !eps ? undefined : { method: { family, steps, eps }, weight: plain };
    }
    default:
      return family satisfies never;
  }
};

/** `norm = rows`, which some code has and no theorem. */
const byRows = (bound: Bound): boolean => {
  const e = bound.get('norm');
  return e?.kind === 'name' && e.name === 'rows';
};

/** `inverse = unsized`, which some code has; of an even width it is as good as `sized`. */
const unsized = (scope: Scope, e: Expr | undefined, width: number): Twist | undefined =>
  e && choiceOf(scope, e, 'the `inverse` transform', ['sized', 'unsized'] as const) === 'unsized' && width % 2 === 1
    ? { kind: 'unsized', span: e.span }
    : undefined;

const skewExponential = (scope: Scope, bound: Bound, sizes: Sizes): Family | undefined => {
  const degree = integerOr(scope, bound.get('degree'), '`degree`', 12);
  // 2.1 is what the authors' 0.7·3 comes to for 3×3 kernels; the windows of these degrees end before.
  const standard = q.rational(degree !== undefined && [3, 7, 11].includes(degree) ? 17n : 21n, 10n);
  const norm = rationalOr(scope, byRows(bound) ? undefined : bound.get('norm'), '`norm`', standard);
  const stepsExpr = bound.get('steps');
  const steps = stepsExpr ? integerOf(scope, stepsExpr, '`steps`', 1, 30) : 12;
  if (degree === undefined || !norm || steps === undefined) return undefined;
  const c = Math.max(sizes.out, sizes.in);
  const padding = sizes.circular ? 'circular' : 'zeros';
  return { method: { family: 'skew_exponential', degree, norm, steps, padding }, weight: [c, c, ...sizes.kernel] };
};

/** A `conv` that is a contraction keeps the size of the image, so that only two paddings are left, if any. */
const paddingFits = (
  scope: Scope,
  e: Expr | undefined,
  method: OperatorMethod,
  family: string,
): boolean | undefined => {
  if (!e) return family === 'cayley';
  const word = e.kind === 'name' ? e.name : undefined;
  const free = method === 'skew_exponential';
  if (word === 'circular' && (free || family === 'cayley')) return true;
  if (word === 'same' && family !== 'cayley') return false;
  return scope.report(
    'L0129',
    e.span,
    free
      ? '`by skew_exponential` keeps the size of the image: its padding is `same` (zeros) or `circular`'
      : `\`fourier(${family})\` ${family === 'cayley' ? 'wraps around: its padding is `circular`' : 'surrounds the image with zeros: its padding is `same`'}`,
    'leave `padding` out',
  );
};

/** Options of `conv` that choose a geometry which operators do not have. */
const GEOMETRY = ['stride', 'dilation', 'groups', 'side'];

const noGeometry = (scope: Scope, args: Bound, method: OperatorMethod): boolean => {
  for (const name of GEOMETRY) {
    const e = args.get(name);
    if (!e) continue;
    scope.report('L0129', e.span, `a layer \`by ${method}\` has no \`${name}\``, `leave \`${name}\` out`);
    return false;
  }
  return true;
};

const kernelOf = (
  scope: Scope,
  e: Expr | undefined,
  at: Span,
  image: readonly [number, number, number],
  odd: boolean,
): readonly [number, number] | undefined => {
  const kernel = e ? pairOf(scope, e, '`kernel`') : ([3, 3] as const);
  if (!kernel) return undefined;
  const span = e?.span ?? at;
  if (odd && kernel.some(k => k % 2 === 0))
    return scope.report(
      'L0112',
      span,
      `the kernel must have a middle here: both sizes odd, found ${kernel.join('×')}`,
      'use 3 or 5',
    );
  if (kernel[0] > image[1] || kernel[1] > image[2])
    return scope.report(
      'L0121',
      span,
      `a ${kernel.join('×')} kernel does not fit into ${image[1]}×${image[2]}`,
      'use a smaller kernel',
    );
  return kernel;
};

/** False after reporting an image whose transform, or the matrices at its frequencies, would be too large. */
const spectrumFits = (
  chain: Chain,
  span: Span,
  [h, w]: readonly [number, number],
  rows: number,
  columns: number,
): boolean => {
  if (Math.max(h, w) <= MAX_AXIS)
    return fits(chain, span, 'the operator, a matrix of complex numbers at each frequency,', [
      h * (Math.floor(w / 2) + 1),
      2 * rows,
      2 * columns,
    ]);
  chain.scope.report('L0115', span, `images of up to ${MAX_AXIS}×${MAX_AXIS} can be transformed, found ${h}×${w}`);
  return false;
};

const biasOf = (scope: Scope, args: Bound): boolean | undefined => {
  const e = args.get('bias');
  return e ? booleanOf(scope, e, '`bias`') : true;
};

const weightParam = (path: string, shape: Shape): Param => {
  const taps = shape.slice(2).reduce((p, n) => p * n, 1);
  return { path: `${path}.W`, shape, init: xavier(shape[1] * taps, shape[0] * taps) };
};

const bias = (path: string, out: number, weight: Param): { readonly bias: Param } => ({
  bias: uniformBias(
    path,
    out,
    weight.shape.slice(1).reduce((p, n) => p * n, 1),
  ),
});

/** `dense N by sandwich(…)`, `conv N by fourier(…)`, `conv N by skew_exponential(…)`. */
export const contraction = (
  chain: Chain,
  st: Statement,
  args: Bound,
  by: NonNullable<ReturnType<typeof operatorBy>>,
): Made | undefined => {
  const { scope } = chain;
  const form = st.name.text === 'conv' ? 'conv' : 'dense';
  const { method } = by;
  if (st.residual)
    return scope.report(
      'L0128',
      by.span,
      `\`${method}\` makes an operator, not a matrix that a residual layer could use twice`,
      'use `by orthogonal(…)`, or the linear layer',
    );
  if ((method === 'sandwich') !== (form === 'dense'))
    return scope.report(
      'L0104',
      by.span,
      `\`${method}\` is not a way to make a \`${form}\` layer`,
      form === 'dense'
        ? 'it is for `conv`; use `by orthogonal(…)`'
        : 'write `sandwich N, kernel = 3`, or `by fourier(…)`',
    );
  const bound = bindArgs(scope, `\`by ${method}\``, by.span, by.args, ARGUMENTS[method]);
  const out = integerOf(scope, args.get('out')!, `the size of \`${form}\``);
  const withBias = biasOf(scope, args);
  const path = nextPath(chain, form);
  if (!bound || out === undefined || withBias === undefined || !noGeometry(scope, args, method)) return undefined;
  if (form === 'dense') {
    const input = vectorShape(chain, st, '`dense`');
    const partExpr = bound.get('part');
    const part = partExpr
      ? choiceOf(scope, partExpr, 'what `sandwich` multiplies with', ['product', 'second'] as const)
      : ('product' as const);
    if (!input || !part || !fits(chain, st.span, 'the weight', [out, out + input[0]])) return undefined;
    const weight = weightParam(path, [out, out + input[0]]);
    const op: LayerOp = {
      kind: 'contraction',
      method: { family: 'sandwich', part, alpha: alphaOf(path) },
      out,
      in: input[0],
      weight,
      ...(withBias ? bias(path, out, weight) : {}),
    };
    return { op, shape: [out], path };
  }
  const image = imageShape(chain, st, '`conv`');
  if (!image) return undefined;
  const familyExpr = bound.get('family');
  const family = familyExpr?.kind === 'name' ? familyExpr.name : '';
  const kernel = kernelOf(scope, args.get('kernel'), st.name.span, image, family !== 'cayley');
  const circular = paddingFits(scope, args.get('padding'), method, family);
  if (!kernel || circular === undefined) return undefined;
  const sizes: Sizes = { path, out, in: image[0], kernel, circular };
  const made = method === 'fourier' ? fourier(scope, bound, sizes) : skewExponential(scope, bound, sizes);
  const shape = [out, image[1], image[2]];
  if (!made || !fits(chain, st.span, 'the kernel', made.weight) || !fits(chain, st.span, 'the image', shape))
    return undefined;
  if (made.method.family !== 'skew_exponential') {
    const margin = made.method.family === 'cayley' ? [0, 0] : kernel.map(k => k - 1);
    const largest = Math.max(out, image[0]);
    if (!spectrumFits(chain, st.span, [image[1] + margin[0], image[2] + margin[1]], largest, largest)) return undefined;
  }
  const weight = weightParam(path, made.weight);
  const op: LayerOp = {
    kind: 'contraction',
    method: made.method,
    out,
    in: image[0],
    kernel,
    weight,
    ...(withBias ? bias(path, out, weight) : {}),
  };
  const inverse = unsized(scope, bound.get('inverse'), image[2]);
  if (inverse) return { op, shape: [out, image[1], image[2] - 1], path, twist: inverse };
  return {
    op,
    shape,
    path,
    ...(byRows(bound) ? { twist: { kind: 'unskewed', span: bound.get('norm')!.span } } : {}),
  };
};

/** `sandwich N, act = relu`, and `sandwich N, kernel = 3` on an image. */
export const sandwich = (chain: Chain, st: Statement, args: Bound): Made | undefined => {
  const { scope } = chain;
  const out = integerOf(scope, args.get('out')!, 'the size of `sandwich`');
  const actExpr = args.get('act');
  const act: Activation | undefined = actExpr ? activationOf(scope, actExpr) : { kind: 'relu' };
  const withBias = biasOf(scope, args);
  const path = nextPath(chain, 'sandwich');
  const input = chain.shape;
  if (out === undefined || !act || withBias === undefined || !input) return undefined;
  if (!activationFits(scope, act, out, actExpr?.span ?? st.span)) return undefined;
  const kernelExpr = args.get('kernel');
  const image = input.length === 3 ? ([input[0], input[1], input[2]] as const) : undefined;
  if (!image && kernelExpr)
    return scope.report('L0129', kernelExpr.span, 'a `sandwich` of vectors has no kernel', 'leave `kernel` out');
  const kernel = image && kernelOf(scope, kernelExpr, st.name.span, image, false);
  if (image && !kernel) return undefined;
  const shape = [out, ...input.slice(1)];
  const weight = weightParam(path, [out, out + input[0], ...(kernel ?? [])]);
  if (!fits(chain, st.span, 'the weight', weight.shape) || !fits(chain, st.span, 'the image', shape)) return undefined;
  if (image && !isPointwise(kernel!) && !spectrumFits(chain, st.span, [image[1], image[2]], out, out + image[0]))
    return undefined;
  const op: LayerOp = {
    kind: 'sandwich',
    out,
    in: input[0],
    ...(kernel ? { kernel } : {}),
    weight,
    alpha: alphaOf(path),
    psi: { path: `${path}.psi`, shape: [out], init: { kind: 'zeros' } },
    act,
    ...(withBias ? bias(path, out, weight) : {}),
  };
  const inverse = unsized(scope, args.get('inverse'), shape[2]);
  return inverse ? { op, shape: [...shape.slice(0, 2), shape[2] - 1], path, twist: inverse } : { op, shape, path };
};
