/** The statements of a `network` block: one rule per layer, which checks arguments and shapes and says what comes out. */
import type { Span } from '../../diagnostics.ts';
import type {
  Activation,
  Initializer,
  Layer,
  LayerOp,
  Network,
  Param,
  Shape,
  SubBudget,
  Twist,
  ValueId,
} from '../../ir/network.ts';
import { elements } from '../../ir/network.ts';
import type { Rational } from '../../ir/rational.ts';
import * as q from '../../ir/rational.ts';
import type { Arg, ClauseWord, Definition, Expr, Statement } from '../../parser/ast.ts';
import { shorten, suggest } from '../../parser/suggest.ts';
import type { Step } from './decompose.ts';
import type { NamedValue } from './resolve-branches.ts';
import { sandwich } from './resolve-contraction.ts';
import {
  type Bound,
  bindArgs,
  choiceOf,
  integerOf,
  rationalOf,
  rationalsOf,
  representable,
  type Scope,
  type Signature,
  show,
} from './resolve-scope.ts';
import { exampleOf } from './usage.ts';

/** Entries of one tensor: 1 GiB in f32. */
const MAX_ELEMENTS = 2 ** 28;

/** A `layer` definition, and whether all of its text could be read. */
export interface KnownDefinition {
  readonly definition: Definition;
  readonly whole: boolean;
  /** Of the standard library, not of the file. */
  readonly library?: true;
}

/** A network under construction. `shape` is undefined once a shape could not be told; later shape errors would only echo that one. */
export interface Chain {
  readonly scope: Scope;
  readonly defaultBy: Expr | undefined;
  /** Layers defined in the file, by name. */
  readonly definitions: ReadonlyMap<string, KnownDefinition>;
  readonly layers: Layer[];
  readonly counters: Map<string, number>;
  /** Places of the source that could not be read. */
  readonly broken: readonly Span[];
  /** The value so far, and its shape. */
  current: ValueId;
  shape: Shape | undefined;
  /** What has a name here. */
  names: Map<string, NamedValue>;
  readonly subBudgets: SubBudget[];
  input: Network['input'] | undefined;
  inputSeen: boolean;
  headSeen: boolean;
  budget: { readonly value: Rational; readonly span: Span } | undefined;
  nextId: ValueId;
  /** Statements visited, repetitions included: bounds the work even when nothing is added. */
  visited: number;
  /** Set when a limit is hit: nothing more is added. */
  stopped: boolean;
}

export interface Rule {
  readonly signature: Signature;
  readonly clauses?: readonly ClauseWord[];
  /** Adds to the chain. Undefined: an error was reported, or the shape before it is not known. */
  readonly apply: (chain: Chain, st: Statement, args: Bound) => Made | undefined;
}

/** What a statement makes: a layer, or `before` it others that lead to it. */
export interface Made {
  readonly before?: readonly Step[];
  /** What it reads: 0, the value before the statement (as when left out), or 1 + the place of a layer in `before`. */
  readonly inputs?: readonly number[];
  readonly op: LayerOp;
  readonly shape: Shape;
  readonly path: string;
  readonly twist?: Twist;
}

export const describeShape = (s: Shape): string =>
  s.length === 1 ? `a vector of ${s[0]}` : `an image of ${s.join('×')}`;

export const nextPath = (chain: Chain, form: string): string => {
  const n = chain.counters.get(form) ?? 0;
  chain.counters.set(form, n + 1);
  return `${form}[${n}]`;
};

export const imageShape = (
  chain: Chain,
  st: Statement,
  what: string,
): readonly [number, number, number] | undefined => {
  const s = chain.shape;
  if (!s) return undefined;
  if (s.length === 3) return [s[0], s[1], s[2]];
  return chain.scope.report(
    'L0120',
    st.name.span,
    `${what} needs an image [channels, height, width], but gets ${describeShape(s)}`,
    'put it before `flatten`, or declare `input image[…]`',
  );
};

export const vectorShape = (chain: Chain, st: Statement, what: string): readonly [number] | undefined => {
  const s = chain.shape;
  if (!s) return undefined;
  if (s.length === 1) return [s[0]];
  return chain.scope.report(
    'L0120',
    st.name.span,
    `${what} needs a vector, but gets ${describeShape(s)}`,
    'put `flatten` before it',
  );
};

/** False after reporting that a tensor would be too large. */
export const fits = (chain: Pick<Chain, 'scope'>, span: Span, what: string, shape: readonly number[]): boolean => {
  if (elements(shape) <= MAX_ELEMENTS) return true;
  chain.scope.report(
    'L0115',
    span,
    `${what} would have ${shape.join(' × ')} = ${elements(shape).toPrecision(3)} entries; at most ${MAX_ELEMENTS} are possible`,
  );
  return false;
};

export const uniformBias = (path: string, length: number, fanIn: number): Param => ({
  path: `${path}.b`,
  shape: [length],
  init: { kind: 'uniform', bound: 1 / Math.sqrt(fanIn) },
});

export const xavier = (fanIn: number, fanOut: number): Initializer => ({ kind: 'xavier', fanIn, fanOut });

export const byOf = (chain: Chain, st: Statement): Expr | undefined =>
  st.clauses.find(c => c.word === 'by')?.value ??
  chain.defaultBy ??
  chain.scope.report(
    'L0130',
    st.name.span,
    `nothing says how \`${st.name.text}\` is rescaled`,
    'write `by sll` (or spectral, aol, orthogonal) here or after the name of the network',
  );

/** Those that neither have parameters nor change the number of channels: they may stand wherever an activation is an option. */
type PlainActivation = Exclude<Activation['kind'], 'crelu' | 'prelu' | 'householder' | 'householder2'>;

const ACTIVATIONS: Readonly<
  Record<
    PlainActivation,
    { readonly signature: Signature; readonly build: (scope: Scope, args: Bound) => Activation | undefined }
  >
> = {
  relu: { signature: {}, build: () => ({ kind: 'relu' }) },
  tanh: { signature: {}, build: () => ({ kind: 'tanh' }) },
  sigmoid: { signature: {}, build: () => ({ kind: 'sigmoid' }) },
  abs: { signature: {}, build: () => ({ kind: 'abs' }) },
  halfabs: { signature: {}, build: () => ({ kind: 'halfabs' }) },
  rabs: { signature: {}, build: () => ({ kind: 'rabs' }) },
  leaky_relu: {
    signature: { positional: ['slope'], required: ['slope'] },
    build: (scope, args) => {
      const slope = rationalOf(scope, args.get('slope')!, 'the slope of `leaky_relu`');
      return slope && { kind: 'leaky_relu', slope };
    },
  },
  maxmin: {
    signature: { options: ['pairs'] },
    build: (scope, args) => {
      const e = args.get('pairs');
      const pairs = e ? choiceOf(scope, e, '`pairs`', ['adjacent', 'halves'] as const) : ('adjacent' as const);
      return pairs && { kind: 'maxmin', pairs };
    },
  },
  groupsort: {
    signature: { positional: ['group'], required: ['group'] },
    build: (scope, args) => {
      const group = integerOf(scope, args.get('group')!, 'the group size of `groupsort`');
      return group === undefined ? undefined : { kind: 'groupsort', group };
    },
  },
};

export const ACTIVATION_NAMES = Object.keys(ACTIVATIONS) as PlainActivation[];

/** Reports channel counts that sorting activations cannot divide. */
export const activationFits = (scope: Scope, act: Activation, channels: number, span: Span): boolean => {
  if (act.kind === 'groupsort' && channels % act.group !== 0) {
    scope.report(
      'L0125',
      span,
      `\`groupsort ${act.group}\` does not divide ${channels} channels into whole groups`,
      `choose a divisor of ${channels}`,
    );
    return false;
  }
  const halves = (act.kind === 'maxmin' && act.pairs === 'halves') || act.kind === 'halfabs' || act.kind === 'rabs';
  if (halves && channels % 2 !== 0) {
    scope.report(
      'L0125',
      span,
      `\`${act.kind}\` by halves needs an even number of channels, found ${channels}`,
      act.kind === 'maxmin'
        ? 'use `pairs = adjacent`, which lets an odd last channel through'
        : 'pad to an even number before it',
    );
    return false;
  }
  return true;
};

/** The others. */
const STATEMENTS_ONLY: readonly string[] = ['crelu', 'prelu', 'householder'];

/** `act = leaky_relu(1/10)`; `example` is what to write where an argument is missing. */
export const activationOf = (scope: Scope, e: Expr, example?: string): Activation | undefined => {
  const name = e.kind === 'name' ? e.name : e.kind === 'call' ? e.callee.text : undefined;
  const args: readonly Arg[] = e.kind === 'call' ? e.args : [];
  const kind = ACTIVATION_NAMES.find(k => k === name);
  if (name !== undefined && STATEMENTS_ONLY.includes(name))
    return scope.report(
      'L0202',
      e.span,
      `\`${name}\` inside a residual or a formula: it has no slope in [0, 1]`,
      `put \`${name}\` between layers, as a statement of its own, and use relu, tanh, sigmoid or leaky_relu with a slope in [0, 1] inside`,
    );
  if (!kind)
    return scope.report(
      'L0105',
      e.span,
      name === undefined ? 'this is not an activation' : `there is no activation \`${shorten(name)}\``,
      suggest(name ?? '', ACTIVATION_NAMES),
    );
  const bound = bindArgs(scope, `\`${kind}\``, e.span, args, {
    ...ACTIVATIONS[kind].signature,
    example: example ?? exampleOf(kind)?.replace(/ (.*)/, '($1)'),
  });
  return bound && ACTIVATIONS[kind].build(scope, bound);
};

const activationRule = (kind: PlainActivation): Rule => ({
  signature: ACTIVATIONS[kind].signature,
  apply: (chain, st, args) => {
    const act = ACTIVATIONS[kind].build(chain.scope, args);
    if (!act || !chain.shape || !activationFits(chain.scope, act, chain.shape[0], st.span)) return undefined;
    return { op: { kind: 'activation', act }, shape: chain.shape, path: nextPath(chain, kind) };
  },
});

const perChannel = (chain: Chain, st: Statement, e: Expr): readonly Rational[] | undefined => {
  const values = rationalsOf(chain.scope, e, `the argument of \`${st.name.text}\``);
  if (!values || !chain.shape) return undefined;
  if (values.length === 1 || values.length === chain.shape[0]) return values;
  return chain.scope.report(
    'L0122',
    e.span,
    `\`${st.name.text}\` gets ${values.length} numbers for ${chain.shape[0]} channels`,
    'give one number, or one per channel',
  );
};

const SANDWICH: Signature = { positional: ['out'], options: ['kernel', 'act', 'bias', 'inverse'], required: ['out'] };

/** Layer statements but those of `resolve-conv.ts`, by name. `input`, `budget` and `repeat` are not layers and are handled in `resolve-block.ts`. */
export const RULES: Readonly<Record<string, Rule>> = {
  center: {
    signature: { positional: ['offset'], required: ['offset'] },
    apply: (chain, st, args) => {
      const offset = perChannel(chain, st, args.get('offset')!);
      return (
        offset && chain.shape && { op: { kind: 'center', offset }, shape: chain.shape, path: nextPath(chain, 'center') }
      );
    },
  },
  scale: {
    signature: { positional: ['divisor'], required: ['divisor'] },
    apply: (chain, st, args) => {
      const e = args.get('divisor')!;
      const divisor = perChannel(chain, st, e);
      if (!divisor || !chain.shape) return undefined;
      if (divisor.some(d => d.num === 0n)) return chain.scope.report('L0113', e.span, '`scale` divides by zero');
      if (!divisor.every(d => representable(chain.scope, q.div(q.ONE, d), e.span, 'the factor 1/d of `scale`')))
        return undefined;
      return { op: { kind: 'scale', divisor }, shape: chain.shape, path: nextPath(chain, 'scale') };
    },
  },
  pad: {
    signature: { positional: ['axis'], required: ['axis'] },
    clauses: ['to'],
    apply: (chain, st, args) => {
      const { scope } = chain;
      const axis = choiceOf(scope, args.get('axis')!, 'what `pad` enlarges', ['channels', 'features'] as const);
      const clause = st.clauses.find(c => c.word === 'to');
      if (!clause) return scope.report('L0110', st.span, '`pad` needs a size', 'write `pad channels to N`');
      const to = integerOf(scope, clause.value, `the number of ${axis ?? 'channels'}`);
      const shape =
        axis === 'features' ? vectorShape(chain, st, '`pad features`') : imageShape(chain, st, '`pad channels`');
      if (!axis || to === undefined || !shape) return undefined;
      if (to < shape[0])
        return scope.report(
          'L0124',
          clause.value.span,
          `\`pad\` cannot shrink: there are ${shape[0]} ${axis} already, more than ${to}`,
          `pad to ${shape[0]} or more`,
        );
      const padded = [to, ...shape.slice(1)];
      if (!fits(chain, st.span, 'the padded value', padded)) return undefined;
      return { op: { kind: 'pad', to }, shape: padded, path: nextPath(chain, 'pad') };
    },
  },
  sandwich: {
    signature: SANDWICH,
    apply: (chain, st, args) => sandwich(chain, st, args),
  },
  flatten: {
    signature: {},
    apply: (chain, st) => {
      const input = imageShape(chain, st, '`flatten`');
      return input && { op: { kind: 'flatten' }, shape: [elements(input)], path: nextPath(chain, 'flatten') };
    },
  },
  head: {
    signature: { positional: ['classes'], options: ['eps'], required: ['classes'] },
    apply: (chain, st, args) => {
      const { scope } = chain;
      const classes = integerOf(scope, args.get('classes')!, 'the number of classes of `head`', 2);
      const epsExpr = args.get('eps');
      const eps = epsExpr ? rationalOf(scope, epsExpr, '`eps`') : q.ZERO;
      const input = vectorShape(chain, st, '`head`');
      if (classes === undefined || !eps || !input) return undefined;
      if (eps.num < 0n) return scope.report('L0112', epsExpr!.span, `\`eps\` must not be negative, found ${show(eps)}`);
      if (!fits(chain, st.span, 'the weight', [classes, input[0]])) return undefined;
      const weight: Param = { path: 'head.W', shape: [classes, input[0]], init: xavier(input[0], classes) };
      return {
        op: { kind: 'head', classes, eps, weight, bias: uniformBias('head', classes, input[0]) },
        shape: [classes],
        path: 'head',
      };
    },
  },
  ...Object.fromEntries(ACTIVATION_NAMES.map(k => [k, activationRule(k)])),
};
