/** Statements that change the shape of a value, or shift it, without a weight matrix: poolings, truncation, copies, gains, centring. */
import type { LayerOp, Param, Shape, Twist, Window } from '../../ir/network.ts';
import * as q from '../../ir/rational.ts';
import { multiplicityOf, planeOf, pooledShape, windowsAlong, windowsCut } from '../../ir/window.ts';
import type { Expr, Statement } from '../../parser/ast.ts';
import { type Chain, describeShape, fits, type Made, nextPath, type Rule } from './resolve-layers.ts';
import {
  type Bound,
  booleanOf,
  choiceOf,
  integerOf,
  pairOf,
  rationalOf,
  representable,
  type Scope,
  type Signature,
  show,
} from './resolve-scope.ts';

type Pool = Extract<LayerOp, Window>['kind'];

/** A size or stride: one number or [height, width] for an image, one number for a vector. */
const extentOf = (scope: Scope, e: Expr, what: string, vector: boolean): readonly [number, number] | undefined => {
  if (!vector) return pairOf(scope, e, what);
  const n = integerOf(scope, e, what);
  return n === undefined ? undefined : [1, n];
};

const divisors = (n: number): readonly number[] => {
  const all: number[] = [];
  for (let d = 1; d <= n && all.length < 12; d++) if (n % d === 0) all.push(d);
  return all;
};

const describePlane = (plane: readonly [number, number], vector: boolean): string =>
  vector ? `a vector of ${plane[1]}` : `an image of ${plane.join('×')}`;

interface Windows {
  readonly window: Window;
  readonly shape: Shape;
  /** Windows cut off at the border were asked for. */
  readonly twist?: Twist;
}

/** The windows of `kind` on `shape`; without a stride they must tile it, with one the rest is dropped, as elsewhere. */
const windowOf = (chain: Chain, kind: Pool, args: Bound, shape: Shape): Windows | undefined => {
  const { scope } = chain;
  const e = args.get('size')!;
  const plane = planeOf(shape);
  const vector = shape.length === 1;
  const all = e.kind === 'name' && e.name === 'all' && !scope.values.has('all');
  const size = all ? plane : extentOf(scope, e, `the window of \`${kind}\``, vector);
  const strideExpr = args.get('stride');
  const given = strideExpr && extentOf(scope, strideExpr, `the stride of \`${kind}\``, vector);
  const ceilExpr = args.get('ceil_mode');
  const ceil = ceilExpr ? booleanOf(scope, ceilExpr, '`ceil_mode`') : false;
  if (!size || (strideExpr && !given) || ceil === undefined) return undefined;
  if (size.some((k, i) => k > plane[i]))
    return scope.report(
      'L0123',
      e.span,
      `a window of ${vector ? size[1] : size.join('×')} does not fit into ${describePlane(plane, vector)}`,
      `write \`${kind} all\` for one window over everything`,
    );
  const asked = given ?? size;
  const count = [0, 1].map(i => windowsCut(plane[i], size[i], asked[i]));
  if (ceilExpr && ceil && count.some((n, i) => n !== windowsAlong(plane[i], size[i], asked[i])))
    return {
      window: { size, stride: asked },
      shape: vector ? [count[1]] : [shape[0], ...count],
      twist: { kind: 'cut', span: ceilExpr.span },
    };
  if (!given && size.some((k, i) => plane[i] % k !== 0)) {
    const [h, w] = plane;
    return scope.report(
      'L0123',
      e.span,
      `blocks of ${vector ? size[1] : size.join('×')} do not tile ${describePlane(plane, vector)}`,
      vector
        ? `choose a divisor of ${w}: ${divisors(w).join(', ')}`
        : `choose a divisor of ${h}${h === w ? '' : ` and one of ${w}`}: ${divisors(h).join(', ')}`,
    );
  }
  const alone = (i: 0 | 1): boolean => windowsAlong(plane[i], size[i], asked[i]) === 1;
  const window = { size, stride: [alone(0) ? size[0] : asked[0], alone(1) ? size[1] : asked[1]] } as const;
  return { window, shape: pooledShape(shape, window) };
};

const POOL: Signature = { positional: ['size'], options: ['stride'], required: ['size'] };

const selectivePool = (kind: 'maxpool' | 'l2pool'): Rule => ({
  signature: kind === 'l2pool' ? { ...POOL, options: ['stride', 'ceil_mode'] } : POOL,
  apply: (chain, _, args) => {
    if (!chain.shape) return undefined;
    const found = windowOf(chain, kind, args, chain.shape);
    if (!found) return undefined;
    const { window, ...rest } = found;
    return { op: { kind, ...window }, ...rest, path: nextPath(chain, kind) };
  },
});

const averagePool: Rule = {
  signature: { ...POOL, options: ['stride', 'divisor', 'ceil_mode'] },
  apply: (chain, _, args) => {
    const { scope, shape } = chain;
    const e = args.get('divisor');
    const divisor = e && rationalOf(scope, e, 'the divisor of `avgpool`');
    if (!shape || (e && !divisor)) return undefined;
    if (e && divisor && divisor.num <= 0n)
      return scope.report('L0113', e.span, `the divisor of \`avgpool\` must be positive, found ${show(divisor)}`);
    if (
      e &&
      divisor &&
      !representable(scope, q.div(q.ONE, q.mul(divisor, divisor)), e.span, 'the factor 1/d² of `avgpool`')
    )
      return undefined;
    const found = windowOf(chain, 'avgpool', args, shape);
    if (!found) return undefined;
    const { window, ...rest } = found;
    const norm = q.rational(window.size[0] * window.size[1] * multiplicityOf(window));
    const divisorSquared = divisor ? q.mul(divisor, divisor) : norm;
    return {
      op: { kind: 'avgpool', ...window, divisorSquared },
      ...rest,
      path: nextPath(chain, 'avgpool'),
    };
  },
};

/** `WORD channels to N` and `WORD features to N`: the axis must be the one there is. */
const sizedAxis = (
  chain: Chain,
  st: Statement,
  args: Bound,
): { readonly to: number; readonly from: number } | undefined => {
  const { scope, shape } = chain;
  const word = st.name.text;
  const axis = choiceOf(scope, args.get('axis')!, `what \`${word}\` changes`, ['channels', 'features'] as const);
  const clause = st.clauses.find(c => c.word === 'to');
  if (!clause) return scope.report('L0110', st.span, `\`${word}\` needs a size`, `write \`${word} channels to N\``);
  const to = integerOf(scope, clause.value, `the number of ${axis ?? 'channels'}`);
  if (!axis || to === undefined || !shape) return undefined;
  const fitting = shape.length === 3 ? 'channels' : 'features';
  if (axis !== fitting)
    return scope.report(
      'L0120',
      st.name.span,
      `\`${word} ${axis}\` gets ${describeShape(shape)}`,
      `write \`${word} ${fitting} to ${to}\``,
    );
  return { to, from: shape[0] };
};

const AXIS: Pick<Rule, 'signature' | 'clauses'> = {
  signature: { positional: ['axis'], required: ['axis'] },
  clauses: ['to'],
};

const resized = (chain: Chain, to: number): Shape => [to, ...chain.shape!.slice(1)];

const truncate: Rule = {
  ...AXIS,
  apply: (chain, st, args): Made | undefined => {
    const found = sizedAxis(chain, st, args);
    if (!found) return undefined;
    const { to, from } = found;
    if (to > from)
      return chain.scope.report(
        'L0124',
        st.span,
        `\`truncate\` cannot enlarge: there are ${from}, fewer than ${to}`,
        `write \`pad channels to ${to}\` to append zeros`,
      );
    return {
      op: { kind: 'slice', start: 0, length: to },
      shape: resized(chain, to),
      path: nextPath(chain, 'truncate'),
    };
  },
};

const tile: Rule = {
  ...AXIS,
  apply: (chain, st, args): Made | undefined => {
    const found = sizedAxis(chain, st, args);
    if (!found) return undefined;
    const { to, from } = found;
    if (to % from !== 0)
      return chain.scope.report(
        'L0125',
        st.span,
        `${to} is no multiple of ${from}, so whole copies do not fill it`,
        `choose a multiple of ${from}, or append zeros with \`pad\``,
      );
    if (!fits(chain, st.span, 'the copies', resized(chain, to))) return undefined;
    return { op: { kind: 'tile', times: to / from }, shape: resized(chain, to), path: nextPath(chain, 'tile') };
  },
};

/** One number a channel; the factor begins at sin 1 = 0.84, where its derivative has not died. */
const gain: Rule = {
  signature: {},
  apply: chain => {
    if (!chain.shape) return undefined;
    const path = nextPath(chain, 'gain');
    const angle: Param = { path: `${path}.angle`, shape: [chain.shape[0]], init: { kind: 'constant', value: 1 } };
    return { op: { kind: 'gain', angle }, shape: chain.shape, path };
  },
};

const batchcenter: Rule = {
  signature: { options: ['momentum'] },
  apply: (chain, _, args) => {
    const { scope, shape } = chain;
    const e = args.get('momentum');
    const momentum = e ? rationalOf(scope, e, '`momentum`') : q.rational(1, 10);
    if (!momentum || !shape) return undefined;
    if (q.compare(momentum, q.ZERO) <= 0 || q.compare(momentum, q.ONE) > 0)
      return scope.report(
        'L0112',
        e!.span,
        `\`momentum\` is above 0 and at most 1, found ${show(momentum)}`,
        'it is the share of the new batch in the running mean, e.g. 1/10',
      );
    const path = nextPath(chain, 'batchcenter');
    const mean: Param = { path: `${path}.mean`, shape: [shape[0]], init: { kind: 'zeros' }, statistic: true };
    return { op: { kind: 'batchcenter', mean, momentum }, shape, path };
  },
};

const layercenter: Rule = {
  signature: {},
  apply: chain => {
    const { shape } = chain;
    if (!shape) return undefined;
    return { op: { kind: 'layercenter' }, shape, path: nextPath(chain, 'layercenter') };
  },
};

export const POOL_RULES: Readonly<Record<string, Rule>> = {
  avgpool: averagePool,
  maxpool: selectivePool('maxpool'),
  l2pool: selectivePool('l2pool'),
  truncate,
  tile,
  gain,
  batchcenter,
  layercenter,
};
