/** `by orthogonal(FAMILY, …)`: options and defaults of the families, and the shape of what each is made from. */
import type { Span } from '../../diagnostics.ts';
import type { LinearMap, Param, Rescaling } from '../../ir/network.ts';
import {
  type MatrixForm,
  makesKernel,
  matrixSides,
  type NormScale,
  ORTHOGONAL_FAMILIES,
  type OrthogonalFamily,
  type OrthogonalMethod,
  storedShape,
} from '../../ir/orthogonal.ts';
import * as q from '../../ir/rational.ts';
import type { Arg, Expr } from '../../parser/ast.ts';
import { suggest } from '../../parser/suggest.ts';
import { type Bound, bindArgs, booleanOf, choiceOf, integerOf, rationalOf, type Scope, show } from './resolve-scope.ts';

/** The layer whose weight is to be orthogonal; `map.weight` still has the shape of the weight itself. */
export interface OrthogonalTarget {
  readonly path: string;
  readonly map: LinearMap;
}

const DEFAULTS = { bjorckSteps: 15, normSteps: 12, degree: 12, squarings: 4, eps: q.rational(1n, 100_000n) } as const;

const SCALE = ['scale', 'norm_steps', 'scale_eps'] as const;

const OPTIONS: Readonly<Record<OrthogonalFamily, readonly string[]>> = {
  cayley: ['parameter', 'alpha'],
  householder: ['parameter'],
  bro: ['rank', 'eps'],
  bjorck: ['steps', ...SCALE],
  exponential: ['parameter', 'degree', 'squarings', ...SCALE],
  cholesky: ['eps'],
  qr: [],
  bcop: ['steps', ...SCALE],
  aoc: ['steps', ...SCALE],
};

const integer = (
  scope: Scope,
  args: Bound,
  name: string,
  fallback: number,
  least: number,
  most: number,
): number | undefined => {
  const e = args.get(name);
  return e ? integerOf(scope, e, `\`${name}\``, least, most) : fallback;
};

const nonNegative = (scope: Scope, args: Bound, name: string, fallback: q.Rational): q.Rational | undefined => {
  const e = args.get(name);
  const value = e ? rationalOf(scope, e, `\`${name}\``) : fallback;
  if (!value || value.num >= 0n) return value;
  return scope.report('L0112', e!.span, `\`${name}\` must not be negative, found ${show(value)}`);
};

const formOf = (scope: Scope, args: Bound): MatrixForm | undefined => {
  const e = args.get('parameter');
  return e ? choiceOf(scope, e, '`parameter`', ['full', 'lower'] as const) : 'full';
};

/** Options that a scale has no use for. */
const FOREIGN: Readonly<Record<NormScale['kind'], readonly string[]>> = {
  gram: [],
  frobenius: ['norm_steps'],
  clip: ['scale_eps'],
  none: ['norm_steps', 'scale_eps'],
};

const scaleOf = (scope: Scope, args: Bound, fallback: NormScale['kind']): NormScale | undefined => {
  const e = args.get('scale');
  const kind = e ? choiceOf(scope, e, '`scale`', ['gram', 'frobenius', 'clip', 'none'] as const) : fallback;
  const steps = integer(scope, args, 'norm_steps', DEFAULTS.normSteps, 1, 30);
  const eps = nonNegative(scope, args, 'scale_eps', q.ZERO);
  if (!kind || steps === undefined || !eps) return undefined;
  const foreign = FOREIGN[kind].find(name => args.has(name));
  if (foreign)
    return scope.report(
      'L0129',
      args.get(foreign)!.span,
      `\`${foreign}\` has no meaning with \`scale = ${kind}\``,
      `leave \`${foreign}\` out`,
    );
  switch (kind) {
    case 'gram':
      return { kind, steps, eps };
    case 'frobenius':
      return { kind, eps };
    case 'clip':
      return { kind, steps };
    case 'none':
      return { kind, ...(e ? { span: e.span } : {}) };
    default:
      return kind satisfies never;
  }
};

/** Unequal sides of a kernel or a stride. */
const square = (scope: Scope, span: Span, family: string, what: string, [h, w]: readonly [number, number]): boolean => {
  if (h === w) return true;
  scope.report('L0112', span, `\`${family}\` makes square kernels: the ${what} is ${h}×${w}`, 'write one number');
  return false;
};

const kernelMethod = (
  scope: Scope,
  family: 'bcop' | 'aoc',
  { path, map }: OrthogonalTarget,
  args: Bound,
  span: Span,
): OrthogonalMethod | undefined => {
  if (map.kind === 'dense')
    return scope.report(
      'L0129',
      span,
      `\`${family}\` makes kernels of convolutions; ${path} is a matrix`,
      'write `orthogonal(bjorck)`, or another family',
    );
  const steps = integer(scope, args, 'steps', DEFAULTS.bjorckSteps, 1, 100);
  const scale = scaleOf(scope, args, 'gram');
  if (!square(scope, span, family, 'kernel', map.kernel) || !square(scope, span, family, 'stride', map.stride))
    return undefined;
  if (map.groups > 1)
    return scope.report(
      'L0112',
      span,
      `\`${family}\` makes one kernel for all channels; ${path} has ${map.groups} groups`,
      'leave out `groups`, or use a family of matrices, which makes one for each group',
    );
  if (steps === undefined || !scale) return undefined;
  const [stride] = map.stride;
  const [size] = map.kernel;
  if (family === 'bcop') return { family, steps, scale };
  const middle = Math.max(map.in, Math.ceil(map.out / stride ** 2));
  if (stride === 1) return { family, steps, scale };
  if (size < stride)
    return scope.report(
      'L0112',
      span,
      `\`aoc\` with stride ${stride} needs a kernel of at least ${stride}×${stride}, found ${size}×${size}`,
      `write \`kernel = ${stride}\``,
    );
  if (map.dilation.some(d => d !== 1))
    return scope.report('L0112', span, '`aoc` with a stride is not dilated', 'leave out `dilation`');
  const shape = [map.out, middle, stride, stride];
  const last: Param = {
    path: `${path}.last`,
    shape,
    init: { kind: 'xavier', fanIn: middle * stride ** 2, fanOut: map.out },
  };
  return { family, steps, scale, last };
};

const exponential = (scope: Scope, args: Bound): OrthogonalMethod | undefined => {
  const form = formOf(scope, args);
  const degree = integer(scope, args, 'degree', DEFAULTS.degree, 1, 64);
  const squarings = integer(scope, args, 'squarings', DEFAULTS.squarings, 0, 16);
  const scale = scaleOf(scope, args, 'clip');
  if (!form || degree === undefined || squarings === undefined || !scale) return undefined;
  return { family: 'exponential', form, degree, squarings, scale };
};

const cayley = (scope: Scope, { path, map }: OrthogonalTarget, args: Bound): OrthogonalMethod | undefined => {
  const form = formOf(scope, args);
  const alphaExpr = args.get('alpha');
  const withAlpha = alphaExpr ? booleanOf(scope, alphaExpr, '`alpha`') : form === 'full';
  if (!form || withAlpha === undefined) return undefined;
  if (form === 'lower' && withAlpha)
    return scope.report(
      'L0129',
      alphaExpr!.span,
      'the scale `alpha` belongs to `parameter = full`: a triangle is not divided by its norm',
      'leave `alpha` out',
    );
  if (!withAlpha) return { family: 'cayley', form };
  const alpha = { path: `${path}.alpha`, shape: [1], init: { kind: 'normOf', path: map.weight.path } } as const;
  return { family: 'cayley', form, alpha };
};

const bro = (scope: Scope, { map }: OrthogonalTarget, args: Bound, span: Span): OrthogonalMethod | undefined => {
  const n = Math.max(...matrixSides(map));
  const rankExpr = args.get('rank');
  const rank = rankExpr ? integerOf(scope, rankExpr, '`rank`', 1) : Math.max(1, Math.floor(n / 4));
  const epsExpr = args.get('eps');
  const eps = epsExpr ? rationalOf(scope, epsExpr, '`eps`') : DEFAULTS.eps;
  if (rank === undefined || !eps) return undefined;
  if (rank > n)
    return scope.report(
      'L0112',
      rankExpr?.span ?? span,
      `a reflection of ${n} dimensions has rank ${n} at most, found ${rank}`,
      `write \`rank = ${Math.max(1, Math.floor(n / 2))}\``,
    );
  if (eps.num <= 0n)
    return scope.report(
      'L0112',
      epsExpr!.span,
      `\`eps\` must be positive, found ${show(eps)}: VᵀV alone need not have an inverse`,
      'leave `eps` out for 1/100000 of the mean of its diagonal',
    );
  return { family: 'bro', rank, eps };
};

const methodOf = (
  scope: Scope,
  family: OrthogonalFamily,
  t: OrthogonalTarget,
  args: Bound,
  span: Span,
): OrthogonalMethod | undefined => {
  switch (family) {
    case 'cayley':
      return cayley(scope, t, args);
    case 'householder': {
      const form = formOf(scope, args);
      return form && { family, form };
    }
    case 'bro':
      return bro(scope, t, args, span);
    case 'bjorck': {
      const steps = integer(scope, args, 'steps', DEFAULTS.bjorckSteps, 1, 100);
      const scale = scaleOf(scope, args, 'gram');
      return steps === undefined || !scale ? undefined : { family, steps, scale };
    }
    case 'exponential':
      return exponential(scope, args);
    case 'cholesky': {
      const eps = nonNegative(scope, args, 'eps', DEFAULTS.eps);
      return eps && { family, eps };
    }
    case 'qr':
      return { family };
    case 'bcop':
    case 'aoc':
      return kernelMethod(scope, family, t, args, span);
    default:
      return family satisfies never;
  }
};

const familyExpr = (args: readonly Arg[]): Expr | undefined =>
  args.find(a => (a.name ? a.name.text === 'family' : true))?.value;

/** `orthogonal(FAMILY, …)` for a layer, Cayley's where no family is named; undefined after reporting. */
export const resolveOrthogonal = (
  scope: Scope,
  t: OrthogonalTarget,
  args: readonly Arg[],
  span: Span,
): Extract<Rescaling, { by: 'orthogonal' }> | undefined => {
  const e = familyExpr(args);
  if (e?.kind === 'call' && ORTHOGONAL_FAMILIES.some(f => f === e.callee.text))
    return scope.report(
      'L0105',
      e.span,
      `the options of \`${e.callee.text}\` stand beside it, not in parentheses of their own`,
      `write \`orthogonal(${e.callee.text}, ${e.args.map(a => `${a.name ? `${a.name.text} = ` : ''}…`).join(', ')})\``,
    );
  const family = e ? orthogonalFamily(scope, e) : 'cayley';
  if (!family) return undefined;
  const bound = bindArgs(scope, `\`orthogonal(${family})\``, span, args, {
    positional: ['family'],
    options: OPTIONS[family],
  });
  const method = bound && methodOf(scope, family, t, bound, e?.span ?? span);
  return method && { by: 'orthogonal', method };
};

const orthogonalFamily = (scope: Scope, e: Expr): OrthogonalFamily | undefined => {
  const name = e.kind === 'name' ? e.name : undefined;
  const family = ORTHOGONAL_FAMILIES.find(f => f === name);
  return (
    family ??
    scope.report(
      'L0105',
      e.span,
      `the orthogonal family is one of ${ORTHOGONAL_FAMILIES.map(f => `\`${f}\``).join(', ')}`,
      suggest(name ?? '', ORTHOGONAL_FAMILIES),
    )
  );
};

/** `map` with the trained tensor of `rescaling` in the place of the weight itself. */
export const withStoredWeight = (map: LinearMap, rescaling: Rescaling): LinearMap => {
  if (rescaling.by !== 'orthogonal') return map;
  const shape = storedShape(map, rescaling.method);
  if (!makesKernel(rescaling.method) && rescaling.method.family !== 'bro') return map;
  const [rows, columns] = shape.slice(-2);
  return { ...map, weight: { ...map.weight, shape, init: { kind: 'xavier', fanIn: columns, fanOut: rows } } };
};
