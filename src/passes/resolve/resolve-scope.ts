/** What every part of name resolution shares: reporting, names in scope, evaluation of constants, reading of arguments. */
import { advice, type Diagnostic, type Help, type Span } from '../../diagnostics.ts';
import type { Rational } from '../../ir/rational.ts';
import * as q from '../../ir/rational.ts';
import type { Arg, Expr } from '../../parser/ast.ts';
import { shorten, suggest, suggestFunction } from '../../parser/suggest.ts';
import { optionElsewhere } from './elsewhere.ts';
import type { RescalingRule } from './resolve-rescaling.ts';

export interface Scope {
  readonly report: (
    code: Diagnostic['code'],
    span: Span,
    message: string,
    help?: Help,
    more?: Pick<Diagnostic, 'labels' | 'refused' | 'suspect'>,
  ) => undefined;
  /** Compile-time parameters of the network. */
  readonly values: ReadonlyMap<string, Rational>;
  /** Numbers that are functions of what else has a name here. */
  readonly functions?: ReadonlyMap<string, (args: readonly Arg[]) => Rational | undefined>;
  /** What may stand after `by`, from the library and the file. */
  /** Whether a layer has this name. */
  readonly isLayer?: (name: string) => boolean;
  readonly rescalings?: ReadonlyMap<string, RescalingRule>;
}

/** After this many findings the rest is not worth reading. */
const MAX_DIAGNOSTICS = 100;

/** Collects diagnostics; the same finding at the same place (a repeated block) counts once. */
export const createReporter = (diagnostics: Diagnostic[]): Scope['report'] => {
  const seen = new Set<string>();
  return (code, span, message, help, more) => {
    const key = `${code} ${span.start} ${span.end}`;
    if (!seen.has(key) && diagnostics.length < MAX_DIAGNOSTICS) {
      seen.add(key);
      diagnostics.push({
        code,
        severity: 'error',
        message,
        span,
        ...more,
        ...advice(help, span),
      });
    }
    return undefined;
  };
};

/** A rational for a message: exact when short. */
export const show = (r: Rational): string => {
  const text = q.format(r);
  return text.length <= 24 ? text : q.toNumber(r).toPrecision(6);
};

/** A constant: exact where the arithmetic allows it, else its nearest f64 (`sqrt(2)`). */
export interface Value {
  readonly exact?: Rational;
  readonly approx: number;
}

/** Numerators and denominators longer than this are a mistake, and exact arithmetic with them would take long. */
const MAX_BITS = 4096;
const MAX_HEX = MAX_BITS / 4;

const exactly = (r: Rational): Value => ({ exact: r, approx: q.toNumber(r) });

const FUNCTIONS: Readonly<
  Record<string, { readonly arity: number; readonly apply: (...v: Value[]) => Value | string }>
> = {
  sqrt: {
    arity: 1,
    apply: v => {
      if (v.approx < 0) return 'the square root of a negative number';
      const root = v.exact && q.exactSqrt(v.exact);
      return root ? exactly(root) : { approx: Math.sqrt(v.approx) };
    },
  },
  floor: {
    arity: 1,
    apply: ({ exact, approx }) => {
      if (!exact) return { exact: q.fromNumber(Math.floor(approx)), approx: Math.floor(approx) };
      const n = exact.num / exact.den;
      return exactly(q.rational(exact.num < 0n && n * exact.den !== exact.num ? n - 1n : n));
    },
  },
  min: {
    arity: 2,
    apply: (a, b) => (a.exact && b.exact ? (q.compare(a.exact, b.exact) <= 0 ? a : b) : a.approx <= b.approx ? a : b),
  },
  max: {
    arity: 2,
    apply: (a, b) => (a.exact && b.exact ? (q.compare(a.exact, b.exact) >= 0 ? a : b) : a.approx >= b.approx ? a : b),
  },
};

const KIND: Readonly<Record<Expr['kind'], string>> = {
  number: 'a number',
  string: 'a string',
  name: 'a name',
  call: 'a call',
  typed: 'a shape',
  list: 'a list',
  tuple: 'a list of arguments',
  negate: 'a number',
  transpose: 'a transposed matrix',
  binary: 'a number',
};

/** The value of a constant expression, or undefined after reporting why there is none. `what` names it in messages. */
export const evaluate = (scope: Scope, e: Expr, what: string): Value | undefined => {
  const bounded = (v: Value): Value | undefined =>
    v.exact && (v.exact.num.toString(16).length > MAX_HEX || v.exact.den.toString(16).length > MAX_HEX)
      ? scope.report('L0116', e.span, `${what} has more than ${MAX_BITS} bits`, 'write it with fewer digits')
      : v;
  switch (e.kind) {
    case 'number':
      return bounded(exactly(e.value));
    case 'name': {
      const r = scope.values.get(e.name);
      if (r) return exactly(r);
      return scope.report(
        'L0103',
        e.span,
        `\`${shorten(e.name)}\` is not a parameter of this network`,
        suggest(e.name, [...scope.values.keys()]),
      );
    }
    case 'negate': {
      const v = evaluate(scope, e.operand, what);
      return v && (v.exact ? exactly(q.neg(v.exact)) : { approx: -v.approx });
    }
    case 'binary': {
      const a = evaluate(scope, e.left, what);
      const b = evaluate(scope, e.right, what);
      if (!a || !b) return undefined;
      if (e.op === '/' && (b.exact ? b.exact.num === 0n : b.approx === 0))
        return scope.report('L0113', e.span, `${what} divides by zero`);
      const { rational, real } = ARITHMETIC[e.op];
      return bounded(a.exact && b.exact ? exactly(rational(a.exact, b.exact)) : { approx: real(a.approx, b.approx) });
    }
    case 'call': {
      const own = scope.functions?.get(e.callee.text)?.(e.args);
      if (own) return exactly(own);
      const f = Object.hasOwn(FUNCTIONS, e.callee.text) ? FUNCTIONS[e.callee.text] : undefined;
      if (!f)
        return scope.report(
          'L0103',
          e.callee.span,
          `there is no function \`${shorten(e.callee.text)}\` for constants`,
          suggestFunction(e.callee.text, Object.keys(FUNCTIONS)),
        );
      if (e.args.length !== f.arity || e.args.some(a => a.name))
        return scope.report(
          'L0110',
          e.span,
          `\`${e.callee.text}\` takes ${f.arity} ${f.arity === 1 ? 'number' : 'numbers'}`,
        );
      const args = e.args.map(a => evaluate(scope, a.value, what));
      const known = args.filter(a => a !== undefined);
      if (known.length < args.length) return undefined;
      const result = f.apply(...known);
      return typeof result === 'string' ? scope.report('L0112', e.span, `${what} takes ${result}`) : bounded(result);
    }
    case 'string':
    case 'typed':
    case 'list':
    case 'tuple':
    case 'transpose':
      return scope.report('L0111', e.span, `${what} must be a number, found ${KIND[e.kind]}`);
    default:
      return e satisfies never;
  }
};

const ARITHMETIC = {
  '+': { rational: q.add, real: (a: number, b: number) => a + b },
  '-': { rational: q.sub, real: (a: number, b: number) => a - b },
  '*': { rational: q.mul, real: (a: number, b: number) => a * b },
  '/': { rational: q.div, real: (a: number, b: number) => a / b },
};

/** An exact rational: constants that a proof depends on. */
export const rationalOf = (scope: Scope, e: Expr, what: string): Rational | undefined => {
  const v = evaluate(scope, e, what);
  if (!v) return undefined;
  if (v.exact) return representable(scope, v.exact, e.span, what) ? v.exact : undefined;
  const thousandths = (round: (x: number) => number): string => `\`${round(v.approx * 1000)}/1000\``;
  return scope.report(
    'L0114',
    e.span,
    `${what} must be an exact rational; this is irrational, about ${v.approx}`,
    what === BUDGET
      ? `the proof is in exact arithmetic: round it up yourself, e.g. ${thousandths(Math.ceil)}`
      : `the proof is in exact arithmetic: round it yourself to the safe side, ${thousandths(Math.floor)} or ${thousandths(Math.ceil)}`,
  );
};

/** How messages speak of a budget, which rounds up. */
export const BUDGET = 'the budget';

/** False after reporting a number that f32 turns into infinity: what multiplies with it would be no number. */
export const representable = (scope: Scope, value: Rational, span: Span, what: string): boolean => {
  if (Number.isFinite(Math.fround(q.toNumber(value)))) return true;
  scope.report('L0116', span, `${what} is too large for a 32-bit floating-point number`, 'stay below 10^38');
  return false;
};

/** A finite f64: settings of the training loop. */
export const realOf = (scope: Scope, e: Expr, what: string): number | undefined => {
  const v = evaluate(scope, e, what);
  if (!v) return undefined;
  return Number.isFinite(v.approx)
    ? v.approx
    : scope.report('L0116', e.span, `${what} is too large for a floating-point number`);
};

/** An integer between `least` and `most`. */
export const integerOf = (
  scope: Scope,
  e: Expr,
  what: string,
  least = 1,
  most = Number.MAX_SAFE_INTEGER,
): number | undefined => {
  const r = rationalOf(scope, e, what);
  if (!r) return undefined;
  if (!q.isInteger(r))
    return scope.report(
      'L0112',
      e.span,
      `${what} must be a whole number, found ${show(r)}`,
      e.kind === 'binary' ? 'use `floor(…)` to round down' : undefined,
    );
  if (r.num < BigInt(least))
    return scope.report('L0112', e.span, `${what} must be at least ${least}, found ${show(r)}`);
  if (r.num > BigInt(most)) return scope.report('L0115', e.span, `${what} is ${show(r)}; at most ${most} is possible`);
  return Number(r.num);
};

/** One number or a list of two: (height, width). */
export const pairOf = (scope: Scope, e: Expr, what: string, least = 1): readonly [number, number] | undefined => {
  if (e.kind === 'tuple') {
    const numbers = e.args.every(a => !a.name && a.value.kind === 'number')
      ? e.args.map(a => (a.value.kind === 'number' ? q.format(a.value.value) : ''))
      : [];
    const text = 'lists stand in square brackets: write `[1, 2]`';
    return scope.report(
      'L0111',
      e.span,
      `${what} is one number or [height, width], found a list in parentheses`,
      numbers.length === 2 ? { text, from: `(${numbers.join(', ')})`, to: `[${numbers.join(', ')}]` } : text,
    );
  }
  if (e.kind !== 'list') {
    const n = integerOf(scope, e, what, least);
    return n === undefined ? undefined : [n, n];
  }
  if (e.items.length !== 2)
    return scope.report('L0111', e.span, `${what} is one number or [height, width], found a list of ${e.items.length}`);
  const [h, w] = e.items.map(i => integerOf(scope, i, what, least));
  return h === undefined || w === undefined ? undefined : [h, w];
};

/** A non-empty list of exact rationals; one number is a list of one. */
export const rationalsOf = (scope: Scope, e: Expr, what: string): readonly Rational[] | undefined => {
  const items = e.kind === 'list' ? e.items : [e];
  if (items.length === 0)
    return scope.report('L0111', e.span, `${what} needs at least one number, found an empty list`);
  const values = items.map(i => rationalOf(scope, i, what));
  const known = values.filter(v => v !== undefined);
  return known.length === values.length ? known : undefined;
};

/** `"same"` where the word `same` is meant. */
const unquoted = (e: Expr, choices: readonly string[]): Help | undefined =>
  e.kind === 'string' && choices.includes(e.value)
    ? { text: `words have no quotes: write \`${e.value}\``, from: `"${e.value}"`, to: e.value }
    : undefined;

/** One of a few words. */
export const choiceOf = <C extends string>(
  scope: Scope,
  e: Expr,
  what: string,
  choices: readonly C[],
  /** What else may stand there. */
  others: readonly string[] = [],
): C | undefined => {
  const found = e.kind === 'name' ? e.name : undefined;
  const choice = choices.find(c => c === found);
  return (
    choice ??
    scope.report(
      'L0105',
      e.span,
      `${what} is ${[...choices.map(c => `\`${c}\``), ...others].join(' or ')}, found ${found === undefined ? KIND[e.kind] : `\`${shorten(found)}\``}`,
      found === undefined ? unquoted(e, choices) : suggest(found, choices),
    )
  );
};

export const booleanOf = (scope: Scope, e: Expr, what: string): boolean | undefined => {
  const c = choiceOf(scope, e, what, ['true', 'false']);
  return c === undefined ? undefined : c === 'true';
};

/** The arguments something takes: `positional` ones may also be given by name, `required` ones must be there. */
export interface Signature {
  readonly positional?: readonly string[];
  readonly options?: readonly string[];
  readonly required?: readonly string[];
  /** A use of it, as the language writes it. */
  readonly example?: string | undefined;
}

export type Bound = ReadonlyMap<string, Expr>;

const plural = (n: number, word: string): string => `${n === 0 ? 'no' : n} ${word}${n === 1 ? '' : 's'}`;

/** A number or a name as it is written. */
const textOf = (e: Expr): string | undefined => (e.kind === 'number' ? e.text : e.kind === 'name' ? e.name : undefined);

/** The name and the arguments of `aol` or `aol(eps = 1)`. */
export const callOf = (
  e: Expr,
): { readonly name: string; readonly span: Span; readonly args: readonly Arg[] } | undefined =>
  e.kind === 'name'
    ? { name: e.name, span: e.span, args: [] }
    : e.kind === 'call'
      ? { name: e.callee.text, span: e.callee.span, args: e.args }
      : undefined;

/** Matches arguments with a signature; undefined after reporting unknown, doubled, missing or surplus ones. */
export const bindArgs = (
  scope: Scope,
  owner: string,
  span: Span,
  args: readonly Arg[],
  { positional = [], options = [], required = [], example }: Signature,
): Bound | undefined => {
  const bound = new Map<string, Expr>();
  const names = [...positional, ...options];
  let ok = true;
  const refuse = (code: Diagnostic['code'], at: Span, message: string, help?: Help): void => {
    ok = false;
    scope.report(code, at, message, help);
  };
  let next = 0;
  for (const arg of args) {
    const name = arg.name ? arg.name.text : positional[next++];
    if (name === undefined) {
      const word = arg.value.kind === 'name' ? arg.value.name : arg.value.kind === 'call' ? arg.value.callee.text : '';
      const [missing, ...others] = required.filter(r => !positional.includes(r) && !args.some(a => a.name?.text === r));
      const text = missing !== undefined && others.length === 0 ? textOf(arg.value) : undefined;
      const help: Help | undefined = scope.isLayer?.(word)
        ? `\`${word}\` is a layer: put it on its own line`
        : text !== undefined
          ? { text: `write \`${missing} = ${text}\``, from: text, to: `${missing} = ${text}` }
          : options.length > 0
            ? `options are given by name: ${options.map(o => `${o} = …`).join(', ')}`
            : undefined;
      refuse(
        'L0110',
        arg.span,
        `${owner} takes ${plural(positional.length, 'unnamed argument')}${positional.length > 0 ? '; this is one too many' : ''}`,
        help,
      );
    } else if (!names.includes(name))
      refuse(
        'L0102',
        arg.name!.span,
        `${owner} has no option \`${shorten(name)}\``,
        optionElsewhere(name, names) ?? suggest(name, names),
      );
    else if (bound.has(name)) refuse('L0106', arg.span, `\`${name}\` of ${owner} is given twice`);
    else bound.set(name, arg.value);
  }
  // After another mistake the missing argument may well be the one that was meant.
  for (const name of ok ? required : [])
    if (!bound.has(name)) {
      const form = positional.includes(name) ? `a value for \`${name}\`` : `\`${name} = …\``;
      refuse('L0110', span, `${owner} needs ${form}`, example === undefined ? undefined : `write \`${example}\``);
    }
  return ok ? bound : undefined;
};
