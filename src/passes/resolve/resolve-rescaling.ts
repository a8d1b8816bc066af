/** `by …`: which rescaling T a layer gets. */
import type { Help, Span } from '../../diagnostics.ts';
import { isScaledDown, type LinearMap, type Rescaling, type Shape, type Side, type Twist } from '../../ir/network.ts';
import * as q from '../../ir/rational.ts';
import type { Arg, Expr } from '../../parser/ast.ts';
import { shorten, suggest } from '../../parser/suggest.ts';
import { rescalingElsewhere } from './elsewhere.ts';
import { OPERATOR_METHODS } from './resolve-contraction.ts';
import { resolveOrthogonal } from './resolve-orthogonal.ts';
import { bindArgs, callOf, rationalOf, type Scope, show } from './resolve-scope.ts';

/** The layer whose Gram matrix T is to dominate. */
export interface RescalingTarget {
  readonly path: string;
  readonly map: LinearMap;
  readonly form: 'linear' | 'residual';
  readonly side: Side;
  readonly input: Shape;
  /** The shape after the linear map: the output, or the hidden image of a residual layer. */
  readonly output: Shape;
  /** Names of the layer's own parameters: those of a rescaling get other ones. */
  readonly taken: Iterable<string>;
  /** Told of what makes the layer another one than its bound is for: a T that is an estimate. */
  readonly twisted: (twist: Twist) => void;
}

/** Combinations of rescalings, inside `own(…)`. */
const COMBINATIONS = ['max', 'mix'] as const;

/** Ways that are no `rescaling` definitions: an orthogonal matrix in the place of the weight, and combinations. */
export const PRIMITIVE_METHODS = ['orthogonal', 'own'] as const;

/** The last part of the paths of a layer's parameters that are in use. */
export type Taken = Set<string>;

/** A `rescaling` definition: the T that it gives `t` with the arguments of one use. */
export type RescalingRule = (
  scope: Scope,
  t: RescalingTarget,
  taken: Taken,
  args: readonly Arg[],
  span: Span,
) => Rescaling | undefined;

/** A rescaling by its name, or undefined after reporting why there is none. */
const named = (
  scope: Scope,
  t: RescalingTarget,
  taken: Taken,
  name: string,
  args: readonly Arg[],
  span: Span,
): Rescaling | undefined =>
  name === 'orthogonal'
    ? resolveOrthogonal(scope, t, args, span)
    : scope.rescalings?.get(name)?.(scope, t, taken, args, span);

const isRescaling = (scope: Scope, name: string): boolean => name === 'orthogonal' || !!scope.rescalings?.has(name);

/** The expression inside `own(…)`: sums, maxima and multiples of dominating diagonals that dominate again. */
const combine = (
  scope: Scope,
  t: RescalingTarget,
  taken: Taken,
  e: Expr,
  /** Beside another part of a maximum, T may be scaled down. */
  least: 'one' | 'zero' = 'one',
): Rescaling | undefined => {
  if (e.kind === 'binary' && e.op === '*') {
    const [factorExpr, partExpr] = isConstant(scope, e.left) ? [e.left, e.right] : [e.right, e.left];
    const factor = rationalOf(scope, factorExpr, 'the factor of T');
    const of = combine(scope, t, taken, partExpr);
    if (!factor || !of) return undefined;
    if (least === 'zero' && q.compare(factor, q.ZERO) > 0) return { by: 'scaled', factor, of };
    return q.compare(factor, q.ONE) < 0
      ? scope.report(
          'L0112',
          factorExpr.span,
          `T may only be scaled up: the factor must be at least 1, found ${show(factor)}`,
          'a smaller T need not dominate the Gram matrix',
        )
      : { by: 'scaled', factor, of };
  }
  const h = callOf(e);
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
    const of = h.args.map(a => combine(scope, t, taken, a.value, 'zero'));
    const known = of.filter(r => r !== undefined);
    if (known.length < of.length) return undefined;
    return known.some(r => !isScaledDown(r))
      ? { by: 'max', of: known }
      : scope.report(
          'L0112',
          e.span,
          'every part of this maximum is scaled down, so none need dominate the Gram matrix',
          'leave the factor of one of them out: a maximum is at least as large as that part',
        );
  }
  if (h.name === 'mix') {
    if (h.args.length !== 3 || h.args.some(a => a.name))
      return scope.report(
        'L0110',
        e.span,
        '`mix` takes two diagonals and a weight',
        '`mix(a, b, w)` is (1 − w) a + w b',
      );
    const a = combine(scope, t, taken, h.args[0].value);
    const b = combine(scope, t, taken, h.args[1].value);
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
  if (!isRescaling(scope, h.name))
    return scope.report(
      'L0104',
      h.span,
      `there is no diagonal \`${shorten(h.name)}\``,
      suggest(h.name, [...(scope.rescalings?.keys() ?? []), 'orthogonal', ...COMBINATIONS]),
    );
  return named(scope, t, taken, h.name, h.args, e.span);
};

const isConstant = (scope: Scope, e: Expr): boolean => {
  switch (e.kind) {
    case 'number':
      return true;
    case 'negate':
      return isConstant(scope, e.operand);
    case 'binary':
      return isConstant(scope, e.left) && isConstant(scope, e.right);
    case 'name':
      return !isRescaling(scope, e.name);
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

const methodHelp = (scope: Scope, e: Expr): Help => {
  const h = callOf(e);
  const methods = [...(scope.rescalings?.keys() ?? []), ...PRIMITIVE_METHODS, ...OPERATOR_METHODS];
  if (!h) return `write one of ${methods.join(', ')}`;
  if (COMBINATIONS.some(c => c === h.name)) return 'write `own(…)` around it';
  return rescalingElsewhere(h.name) ?? suggest(h.name, methods);
};

/** What to say of a `--by` that names no method; undefined where it names one. */
export const flagFault = (scope: Scope, e: Expr): { readonly message: string; readonly help: string } | undefined => {
  const name = callOf(e)?.name;
  const methods: readonly string[] = [...PRIMITIVE_METHODS, ...OPERATOR_METHODS];
  if (name !== undefined && (methods.includes(name) || scope.rescalings?.has(name))) return undefined;
  const help = methodHelp(scope, e);
  return {
    message: `--by${name === undefined ? '' : ` ${shorten(name)}`}: this is not a way to rescale a layer`,
    help: typeof help === 'string' ? help : help.text,
  };
};

/** The rescaling that `by e` asks for, or undefined after reporting why there is none. */
export const resolveRescaling = (scope: Scope, e: Expr, t: RescalingTarget): Rescaling | undefined => {
  const taken: Taken = new Set(t.taken);
  const h = callOf(e);
  if (!h || (h.name !== 'own' && !isRescaling(scope, h.name))) {
    const text = h ? `\`${shorten(h.name)}\`` : 'this';
    return scope.report('L0104', h ? h.span : e.span, `${text} is not a way to rescale a layer`, methodHelp(scope, e));
  }
  if (h.name === 'own' && h.args.length > 1 && h.args.every(a => !a.name))
    return scope.report(
      'L0110',
      e.span,
      `\`own\` takes one diagonal, found ${h.args.length}`,
      'join them: `own(max(a, b))`, or `own(mix(a, b, 1/2))`',
    );
  if (h.name !== 'own') return named(scope, t, taken, h.name, h.args, e.span);
  const bound = bindArgs(scope, '`by own`', e.span, h.args, { positional: ['T'], required: ['T'] });
  return bound && combine(scope, t, taken, bound.get('T')!);
};
