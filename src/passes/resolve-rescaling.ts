/** `by …`: which rescaling T a layer gets. */
import type { Span } from '../diagnostics.ts';
import type { LinearMap, Rescaling, Shape, Side, SpectralMethod, Twist } from '../ir/network.ts';
import { elements } from '../ir/network.ts';
import type { Rational } from '../ir/rational.ts';
import * as q from '../ir/rational.ts';
import type { Arg, Expr } from '../parser/ast.ts';
import { shorten, suggest } from '../parser/suggest.ts';
import { rescalingElsewhere } from './elsewhere.ts';
import { resolveOrthogonal } from './resolve-orthogonal.ts';
import { bindArgs, choiceOf, integerOf, rationalOf, type Scope, show } from './resolve-scope.ts';

/** The layer whose Gram matrix T is to dominate. */
export interface RescalingTarget {
  readonly path: string;
  readonly map: LinearMap;
  readonly form: 'linear' | 'residual';
  readonly side: Side;
  readonly input: Shape;
  /** The shape after the linear map: the output, or the hidden image of a residual layer. */
  readonly output: Shape;
  /** Told of a T that is an estimate and no bound. */
  readonly estimated: (twist: Twist) => void;
}

/** Entries of T: the Gram matrix of a linear layer is indexed by inputs (or outputs), that of a residual one by hidden units. */
const diagonalLength = (t: RescalingTarget): number =>
  t.form === 'residual' || t.side === 'out' ? t.map.out : t.map.in;

export const DEFAULT_EPS = q.rational(1n, 1_000_000n);
const DEFAULT_STEPS = 12;
const DEFAULT_GRID = 32;
/** Entries of a convolution written out as a matrix (256 MB in f32). */
const MAX_OPERATOR = 2 ** 26;

/** Methods that people know for norms but that give no upper bound. */
const ESTIMATES = ['power', 'fft'] as const;

export const METHODS = ['spectral', 'orthogonal', 'aol', 'sll', 'own'] as const;
type Method = (typeof METHODS)[number];
const COMBINATIONS = ['max', 'mix'] as const;

interface Names {
  count: number;
}

/** The name and the arguments of `aol`, `aol(eps = 1)`. */
const head = (e: Expr): { name: string; span: Span; args: readonly Arg[] } | undefined =>
  e.kind === 'name'
    ? { name: e.name, span: e.span, args: [] }
    : e.kind === 'call'
      ? { name: e.callee.text, span: e.callee.span, args: e.args }
      : undefined;

const epsOf = (scope: Scope, e: Expr | undefined): Rational | undefined => {
  if (!e) return DEFAULT_EPS;
  const eps = rationalOf(scope, e, '`eps`');
  if (!eps) return undefined;
  return eps.num >= 0n ? eps : scope.report('L0112', e.span, `\`eps\` must not be negative, found ${show(eps)}`);
};

const spectral = (scope: Scope, t: RescalingTarget, args: readonly Arg[], span: Span): Rescaling | undefined => {
  const bound = bindArgs(scope, '`by spectral`', span, args, { options: ['steps', 'method', 'grid', 'eps'] });
  if (!bound) return undefined;
  const eps = epsOf(scope, bound.get('eps'));
  const stepsExpr = bound.get('steps');
  const steps = stepsExpr ? integerOf(scope, stepsExpr, '`steps`', 1, 30) : DEFAULT_STEPS;
  const methodExpr = bound.get('method');
  const how = ESTIMATES.find(e => methodExpr?.kind === 'name' && methodExpr.name === e);
  if (methodExpr && how) t.estimated({ kind: 'estimate', how, span: methodExpr.span });
  const kind =
    methodExpr && !how
      ? choiceOf(scope, methodExpr, '`method`', ['gram', 'operator', 'reshaped'] as const)
      : ('gram' as const);
  const gridExpr = bound.get('grid');
  const grid = gridExpr ? integerOf(scope, gridExpr, '`grid`', 1, 4096) : DEFAULT_GRID;
  if (!eps || steps === undefined || !kind || grid === undefined) return undefined;
  if (gridExpr && kind !== 'gram')
    return scope.report(
      'L0129',
      gridExpr.span,
      `\`grid\` belongs to \`method = gram\`, not to \`method = ${kind}\``,
      'leave `grid` out',
    );
  // A dense layer's operator and its reshaped kernel are its weight matrix: all three methods coincide.
  if (t.map.kind === 'dense') return { by: 'spectral', method: { kind: 'gram', steps, grid }, eps };
  if (kind === 'gram') {
    const widest = Math.max(...t.map.kernel);
    // cos(πd/N) with d = (k − 1)/2 must be positive.
    if (grid < widest)
      return scope.report(
        'L0112',
        gridExpr?.span ?? span,
        `\`grid\` must be at least the kernel size ${widest}, found ${grid}`,
        `write \`grid = ${4 * widest}\``,
      );
  }
  if (kind === 'operator') {
    const entries = elements(t.input) * elements(t.output);
    if (entries > MAX_OPERATOR)
      return scope.report(
        'L0115',
        methodExpr!.span,
        `as a matrix this convolution has ${elements(t.output)} × ${elements(t.input)} entries, more than ${MAX_OPERATOR}`,
        'use `method = gram`, which does not depend on the image size',
      );
  }
  const method: SpectralMethod = kind === 'gram' ? { kind, steps, grid } : { kind, steps };
  return { by: 'spectral', method, eps };
};

const basic = (
  scope: Scope,
  t: RescalingTarget,
  names: Names,
  method: Exclude<Method, 'own'>,
  args: readonly Arg[],
  span: Span,
): Rescaling | undefined => {
  switch (method) {
    case 'spectral':
      return spectral(scope, t, args, span);
    case 'orthogonal':
      return resolveOrthogonal(scope, t, args, span);
    case 'aol': {
      const bound = bindArgs(scope, '`by aol`', span, args, { options: ['eps'] });
      const eps = bound && epsOf(scope, bound.get('eps'));
      return eps && { by: 'aol', eps };
    }
    case 'sll': {
      if (!bindArgs(scope, '`by sll`', span, args, {})) return undefined;
      // Several sll parts of one `own` expression each have their own weights.
      const suffix = names.count === 0 ? 'q' : `q${names.count}`;
      names.count++;
      return { by: 'sll', q: { path: `${t.path}.${suffix}`, shape: [diagonalLength(t)], init: { kind: 'zeros' } } };
    }
    default:
      return method satisfies never;
  }
};

/** The expression inside `own(…)`: sums, maxima and multiples of dominating diagonals that dominate again. */
const combine = (scope: Scope, t: RescalingTarget, names: Names, e: Expr): Rescaling | undefined => {
  if (e.kind === 'binary' && e.op === '*') {
    const [factorExpr, partExpr] = isConstant(e.left) ? [e.left, e.right] : [e.right, e.left];
    const factor = rationalOf(scope, factorExpr, 'the factor of T');
    const of = combine(scope, t, names, partExpr);
    if (!factor || !of) return undefined;
    return q.compare(factor, q.ONE) < 0
      ? scope.report(
          'L0112',
          factorExpr.span,
          `T may only be scaled up: the factor must be at least 1, found ${show(factor)}`,
          'a smaller T need not dominate the Gram matrix',
        )
      : { by: 'scaled', factor, of };
  }
  const h = head(e);
  if (!h)
    return scope.report(
      'L0104',
      e.span,
      'this is not a diagonal that is known to dominate the Gram matrix',
      'write `aol`, `sll`, `spectral`, `max(a, b)`, `mix(a, b, 1/2)` or `3/2 * a`',
    );
  if (h.name === 'max') {
    if (h.args.length < 2 || h.args.some(a => a.name))
      return scope.report('L0110', e.span, '`max` takes two or more diagonals');
    const of = h.args.map(a => combine(scope, t, names, a.value));
    const known = of.filter(r => r !== undefined);
    return known.length === of.length ? { by: 'max', of: known } : undefined;
  }
  if (h.name === 'mix') {
    if (h.args.length !== 3 || h.args.some(a => a.name))
      return scope.report(
        'L0110',
        e.span,
        '`mix` takes two diagonals and a weight',
        '`mix(a, b, w)` is (1 − w) a + w b',
      );
    const a = combine(scope, t, names, h.args[0].value);
    const b = combine(scope, t, names, h.args[1].value);
    const w = rationalOf(scope, h.args[2].value, 'the weight of `mix`');
    if (!a || !b || !w) return undefined;
    if (w.num < 0n || q.compare(w, q.ONE) > 0)
      return scope.report('L0112', h.args[2].value.span, `the weight of \`mix\` must lie in [0, 1], found ${show(w)}`);
    return {
      by: 'convex',
      of: [
        { weight: q.sub(q.ONE, w), part: a },
        { weight: w, part: b },
      ],
    };
  }
  const method = METHODS.find(m => m === h.name);
  if (!method || method === 'own')
    return scope.report(
      'L0104',
      h.span,
      `there is no diagonal \`${shorten(h.name)}\``,
      suggest(h.name, [...METHODS.filter(m => m !== 'own'), ...COMBINATIONS]),
    );
  return basic(scope, t, names, method, h.args, e.span);
};

const isConstant = (e: Expr): boolean => {
  switch (e.kind) {
    case 'number':
      return true;
    case 'negate':
      return isConstant(e.operand);
    case 'binary':
      return isConstant(e.left) && isConstant(e.right);
    case 'name':
      return !METHODS.some(m => m === e.name);
    case 'call':
      return ['sqrt', 'floor', 'min'].includes(e.callee.text);
    case 'string':
    case 'typed':
    case 'list':
    case 'tuple':
    case 'transpose':
      return false;
    default:
      return e satisfies never;
  }
};

/** The rescaling that `by e` asks for, or undefined after reporting why there is none. */
export const resolveRescaling = (scope: Scope, e: Expr, t: RescalingTarget): Rescaling | undefined => {
  const names: Names = { count: 0 };
  const h = head(e);
  const method = h && METHODS.find(m => m === h.name);
  if (!h || !method) {
    const text = h ? `\`${shorten(h.name)}\`` : 'this';
    const help = h ? (rescalingElsewhere(h.name) ?? suggest(h.name, METHODS)) : `write one of ${METHODS.join(', ')}`;
    return scope.report(
      'L0104',
      h ? h.span : e.span,
      `${text} is not a way to rescale a layer`,
      h && COMBINATIONS.some(c => c === h.name) ? 'write `own(…)` around it' : help,
    );
  }
  if (method !== 'own') return basic(scope, t, names, method, h.args, e.span);
  const bound = bindArgs(scope, '`by own`', e.span, h.args, { positional: ['T'], required: ['T'] });
  return bound && combine(scope, t, names, bound.get('T')!);
};
