/** Values of a network that have names, and what is made of several: sums, mixes, concatenations, parts, maxima. */
import type { Span } from '../../diagnostics.ts';
import type { Join, LayerOp, MixWeight, Shape, ValueId } from '../../ir/network.ts';
import type { Rational } from '../../ir/rational.ts';
import * as q from '../../ir/rational.ts';
import type { Expr, Name } from '../../parser/ast.ts';
import { shorten, suggest } from '../../parser/suggest.ts';
import { type Chain, describeShape, fits, nextPath } from './resolve-layers.ts';
import { integerOf, rationalOf, representable, show } from './resolve-scope.ts';

/** A value; its shape is undefined after an error, which later ones would only echo. */
export interface Value {
  readonly id: ValueId;
  readonly shape: Shape | undefined;
}

/** A value with a name. */
export interface NamedValue extends Value {
  /** Where it was named; absent for the input, which may go unnamed. */
  readonly named?: Span;
  used: boolean;
}

/** The value so far: what the line above made. */
export const IT = 'it';

type Call = Extract<Expr, { kind: 'call' }>;

/** Adds a layer that reads `inputs`. */
const combine = (
  chain: Chain,
  op: LayerOp,
  form: string,
  inputs: readonly Value[],
  shape: Shape,
  span: Span,
): Value | undefined => {
  if (!fits(chain, span, 'the value', shape)) return undefined;
  const id = chain.nextId++;
  chain.layers.push({ id, inputs: inputs.map(v => v.id), op, shape, path: nextPath(chain, form), span });
  return { id, shape };
};

const unknown = (chain: Chain): Value => ({ id: chain.current, shape: undefined });

export const isValueName = (chain: Chain, name: string): boolean => name === IT || chain.names.has(name);

const lookUp = (chain: Chain, name: string): Value | undefined => {
  if (name === IT) return { id: chain.current, shape: chain.shape };
  const value = chain.names.get(name);
  if (value) value.used = true;
  return value;
};

/** `center - 1/2` reads as a difference. */
const LAYERS_WITH_SIGN = ['center', 'scale', 'leaky_relu'];

/** Σ factor·value + constant. */
interface Linear {
  readonly terms: readonly { readonly value: Value; readonly factor: Rational }[];
  readonly constant: Rational;
}

const scaled = (a: Linear, by: Rational): Linear => ({
  terms: a.terms.map(t => ({ ...t, factor: q.mul(by, t.factor) })),
  constant: q.mul(by, a.constant),
});

const plus = (a: Linear, b: Linear): Linear => {
  const terms = [...a.terms];
  for (const t of b.terms) {
    const at = terms.findIndex(o => o.value.id === t.value.id);
    if (at < 0) terms.push(t);
    else terms[at] = { ...terms[at], factor: q.add(terms[at].factor, t.factor) };
  }
  return { terms, constant: q.add(a.constant, b.constant) };
};

const isNumber = (a: Linear): boolean => a.terms.length === 0;

/** Whether a value is named anywhere in `e`; if not, it is a number. */
const mentionsValue = (chain: Chain, e: Expr): boolean => {
  switch (e.kind) {
    case 'name':
      return isValueName(chain, e.name);
    case 'negate':
    case 'transpose':
      return mentionsValue(chain, e.operand);
    case 'binary':
      return mentionsValue(chain, e.left) || mentionsValue(chain, e.right);
    case 'call':
      return e.args.some(a => mentionsValue(chain, a.value));
    case 'number':
    case 'string':
    case 'typed':
    case 'list':
    case 'tuple':
      return false;
    default:
      return e satisfies never;
  }
};

const linear = (chain: Chain, e: Expr): Linear | undefined => {
  const { scope } = chain;
  const number = (): Linear | undefined => {
    const constant = rationalOf(scope, e, 'a factor');
    return constant && { terms: [], constant };
  };
  const single = (value: Value | undefined): Linear | undefined =>
    value && { terms: [{ value, factor: q.ONE }], constant: q.ZERO };
  switch (e.kind) {
    case 'number':
      return number();
    case 'name': {
      if (isValueName(chain, e.name)) return single(lookUp(chain, e.name));
      if (scope.values.has(e.name)) return number();
      return scope.report(
        'L0152',
        e.span,
        `there is no value \`${shorten(e.name)}\``,
        LAYERS_WITH_SIGN.includes(e.name)
          ? `before a negative argument, and not behind its sign, there is a space: \`${e.name} -1/2\``
          : suggest(e.name, [...chain.names.keys(), IT]),
      );
    }
    case 'negate': {
      const a = linear(chain, e.operand);
      return a && scaled(a, q.neg(q.ONE));
    }
    case 'binary': {
      const [a, b] = [linear(chain, e.left), linear(chain, e.right)];
      if (!a || !b) return undefined;
      switch (e.op) {
        case '+':
        case '-':
          if (isNumber(a) !== isNumber(b))
            return scope.report(
              'L0111',
              e.span,
              'a number cannot be added to a value',
              'to move every entry, put `center` before or behind it',
            );
          return plus(a, e.op === '+' ? b : scaled(b, q.neg(q.ONE)));
        case '*':
          if (isNumber(a)) return scaled(b, a.constant);
          if (isNumber(b)) return scaled(a, b.constant);
          return scope.report(
            'L0111',
            e.span,
            'a product of two values has no Lipschitz bound',
            'values are multiplied by numbers only',
          );
        case '/':
          if (!isNumber(b)) return scope.report('L0111', e.span, 'a value can be divided by a number only');
          if (b.constant.num === 0n) return scope.report('L0113', e.span, 'this divides by zero');
          return scaled(a, q.div(q.ONE, b.constant));
        default:
          return e.op satisfies never;
      }
    }
    case 'call':
      if (Object.hasOwn(COMBINATIONS, e.callee.text) && (!isFunction(e.callee.text) || mentionsValue(chain, e)))
        return single(COMBINATIONS[e.callee.text].make(chain, e));
      return isFunction(e.callee.text)
        ? number()
        : scope.report(
            'L0152',
            e.callee.span,
            `\`${shorten(e.callee.text)}\` makes no value of values`,
            chain.names.has(e.callee.text)
              ? 'a value takes no arguments'
              : scope.isLayer?.(e.callee.text)
                ? `layers follow a value: name the branch on a line before, \`let a = ${IT} |> ${e.callee.text}\`, and write \`a\` here`
                : suggest(e.callee.text, combinationNames),
          );
    case 'string':
    case 'typed':
    case 'list':
    case 'tuple':
    case 'transpose':
      return scope.report('L0111', e.span, 'this is neither a value nor a number', 'write a sum such as `1/2 * a - b`');
    default:
      return e satisfies never;
  }
};

/** Functions of numbers, some of which are also combinations of values. */
const isFunction = (name: string): boolean => ['min', 'max', 'floor', 'sqrt'].includes(name);

/** The value of a sum, a combination or a name; adds the layers that make it. Undefined after an error. */
export const readValue = (chain: Chain, e: Expr): Value | undefined => {
  const { scope } = chain;
  const sum = linear(chain, e);
  if (!sum) return undefined;
  if (isNumber(sum))
    return scope.report(
      'L0111',
      e.span,
      'a number is no value of the network',
      `values are \`${IT}\`, the input, and what \`let\` names`,
    );
  const nothing = sum.terms.find(t => t.factor.num === 0n);
  if (nothing) return scope.report('L0112', e.span, 'this multiplies a value by 0', 'leave it out');
  if (!sum.terms.every(t => representable(scope, t.factor, e.span, 'a factor'))) return undefined;
  const [{ value, factor }] = sum.terms;
  if (sum.terms.length === 1 && q.equal(factor, q.ONE)) return value;
  const values = sum.terms.map(t => t.value);
  const shape = sameShapes(chain, e, 'a sum', values);
  return shape
    ? combine(chain, { kind: 'sum', factors: sum.terms.map(t => t.factor) }, 'sum', values, shape, e.span)
    : unknown(chain);
};

/** Their shape, if it is one. */
const sameShapes = (chain: Chain, e: Expr, what: string, values: readonly Value[]): Shape | undefined => {
  const [first] = values;
  const other = values.find(v => v.shape && first.shape && `${v.shape}` !== `${first.shape}`);
  if (other?.shape && first.shape)
    return chain.scope.report(
      'L0150',
      e.span,
      `${what} of values of different shapes: ${describeShape(first.shape)} and ${describeShape(other.shape)}`,
      'bring the branches to one shape, e.g. by `dense`, `conv`, `avgpool`, `pad` or `flatten` at the end of one',
    );
  return values.every(v => v.shape) ? first.shape : undefined;
};

/** The values among the arguments of a combination; undefined after an error. */
const operands = (chain: Chain, e: Call, least: number, most: number, form: string): readonly Value[] | undefined => {
  const named = e.args.find(a => a.name);
  if (named?.name)
    return chain.scope.report(
      'L0102',
      named.name.span,
      `\`${e.callee.text}\` has no option \`${shorten(named.name.text)}\``,
      `write \`${form}\``,
    );
  if (e.args.length < least || e.args.length > most)
    return chain.scope.report(
      'L0110',
      e.span,
      `\`${e.callee.text}\` takes ${least === most ? least : `${least} or more`} arguments, found ${e.args.length}`,
      `write \`${form}\``,
    );
  const values = e.args.map(a => a.value).map(a => readValue(chain, a));
  const known = values.filter(v => v !== undefined);
  return known.length === values.length ? known : undefined;
};

const join = (chain: Chain, e: Call, op: Join, form: string, values: readonly Value[], what: string): Value => {
  const shape = sameShapes(chain, e, what, values);
  return (shape && combine(chain, op, form, values, shape, e.span)) ?? unknown(chain);
};

const mix = (chain: Chain, e: Call): Value | undefined => {
  const form = 'mix(a, b, 1/2)';
  const weightExpr = e.args.length === 3 && !e.args[2].name ? e.args[2].value : undefined;
  const values = operands(chain, weightExpr ? { ...e, args: e.args.slice(0, 2) } : e, 2, 2, form);
  let weight: MixWeight;
  if (weightExpr) {
    const value = rationalOf(chain.scope, weightExpr, 'the weight of `mix`');
    if (!value) return undefined;
    if (q.compare(value, q.ZERO) < 0 || q.compare(value, q.ONE) > 0)
      return chain.scope.report(
        'L0112',
        weightExpr.span,
        `the weight of \`mix\` must lie in [0, 1], found ${show(value)}`,
        '`mix(a, b, w)` is (1 − w) a + w b',
      );
    weight = { kind: 'constant', value };
  } else {
    const at = chain.counters.get('mix') ?? 0;
    weight = { kind: 'sigmoid', of: { path: `mix[${at}].w`, shape: [1], init: { kind: 'zeros' } } };
  }
  return values && join(chain, e, { kind: 'mix', weight }, 'mix', values, 'a mix');
};

const concat = (chain: Chain, e: Call): Value | undefined => {
  const values = operands(chain, e, 2, Number.POSITIVE_INFINITY, 'concat(a, b)');
  if (!values) return undefined;
  const known = values.filter(v => v.shape !== undefined);
  if (known.length < values.length) return unknown(chain);
  const [first] = known;
  const other = known.find(v => `${v.shape!.slice(1)}` !== `${first.shape!.slice(1)}`);
  if (other) {
    chain.scope.report(
      'L0150',
      e.span,
      `${describeShape(first.shape!)} and ${describeShape(other.shape!)} do not stand side by side`,
      'images need one height and width; `flatten` makes a vector of an image',
    );
    return unknown(chain);
  }
  const channels = known.reduce((s, v) => s + v.shape![0], 0);
  return (
    combine(chain, { kind: 'concat' }, 'concat', known, [channels, ...first.shape!.slice(1)], e.span) ?? unknown(chain)
  );
};

const cut = (chain: Chain, value: Value, start: number, length: number, span: Span): Value =>
  combine(chain, { kind: 'slice', start, length }, 'slice', [value], [length, ...value.shape!.slice(1)], span) ??
  unknown(chain);

const slice = (chain: Chain, e: Call): Value | undefined => {
  if (e.args.length !== 3 || e.args.some(a => a.name))
    return chain.scope.report(
      'L0110',
      e.span,
      '`slice` takes a value, where the part starts, and how long it is',
      'write `slice(a, 0, 32)` for the first 32 channels (or features)',
    );
  const [valueExpr, startExpr, lengthExpr] = e.args.map(a => a.value);
  const value = readValue(chain, valueExpr);
  const start = integerOf(chain.scope, startExpr, 'the start of `slice`', 0);
  const length = integerOf(chain.scope, lengthExpr, 'the length of `slice`');
  if (!value || start === undefined || length === undefined) return undefined;
  if (!value.shape) return unknown(chain);
  if (start + length > value.shape[0]) {
    chain.scope.report(
      'L0150',
      e.span,
      `a part of ${length} from ${start} on does not fit into ${describeShape(value.shape)}`,
      `start and length add up to at most ${value.shape[0]}`,
    );
    return unknown(chain);
  }
  return cut(chain, value, start, length, e.span);
};

const extremum =
  (of: 'largest' | 'smallest') =>
  (chain: Chain, e: Call): Value | undefined => {
    const form = e.callee.text;
    const values = operands(chain, e, 2, Number.POSITIVE_INFINITY, `${form}(a, b)`);
    return (
      values && join(chain, e, { kind: 'maximum', of }, form, values, `a ${of === 'largest' ? 'maximum' : 'minimum'}`)
    );
  };

const COMBINATIONS: Readonly<Record<string, { readonly make: (chain: Chain, e: Call) => Value | undefined }>> = {
  mix: { make: mix },
  concat: { make: concat },
  slice: { make: slice },
  max: { make: extremum('largest') },
  min: { make: extremum('smallest') },
  split: {
    make: (chain, e) =>
      chain.scope.report(
        'L0110',
        e.span,
        '`split` makes several values, which need a name each',
        'write `let a, b = split(x)`, or `slice(x, 0, 32)` for one part',
      ),
  },
};

const combinationNames = Object.keys(COMBINATIONS);

export const isCombination = (name: string): boolean => Object.hasOwn(COMBINATIONS, name);

/** The sizes of the parts: equal ones, or as listed. */
const partSizes = (chain: Chain, e: Call, channels: number, count: number): readonly number[] | undefined => {
  const sizesExpr = e.args[1]?.value;
  if (!sizesExpr) {
    if (channels % count === 0) return Array.from({ length: count }, () => channels / count);
    return chain.scope.report(
      'L0150',
      e.span,
      `${channels} channels do not split into ${count} equal parts`,
      `give the sizes: \`split(x, [${channels - count + 1}${', 1'.repeat(count - 1)}])\``,
    );
  }
  const items = sizesExpr.kind === 'list' ? sizesExpr.items : [sizesExpr];
  const sizes = items.map(i => integerOf(chain.scope, i, 'the size of a part'));
  const known = sizes.filter(s => s !== undefined);
  if (known.length < sizes.length) return undefined;
  if (known.length !== count || known.reduce((a, b) => a + b, 0) !== channels)
    return chain.scope.report(
      'L0150',
      sizesExpr.span,
      `parts of ${known.join(' + ')} for ${count} names and ${channels} channels`,
      `give ${count} sizes that add up to ${channels}`,
    );
  return known;
};

/** The parts of `let a, b = split(x)`, one for each name. */
export const splitValues = (chain: Chain, e: Expr, count: number): readonly Value[] => {
  const nothing = Array.from({ length: count }, () => unknown(chain));
  if (
    e.kind !== 'call' ||
    e.callee.text !== 'split' ||
    e.args.length < 1 ||
    e.args.length > 2 ||
    e.args.some(a => a.name)
  ) {
    chain.scope.report(
      'L0110',
      e.span,
      'several names are for the parts of one value',
      'write `let a, b = split(x)`, or `split(x, [16, 48])`',
    );
    return nothing;
  }
  const value = readValue(chain, e.args[0].value);
  if (!value?.shape) return nothing;
  const sizes = partSizes(chain, e, value.shape[0], count);
  let start = 0;
  return (
    sizes?.map(length => {
      start += length;
      return cut(chain, value, start - length, length, e.span);
    }) ?? nothing
  );
};

/** Gives `value` a name; `layers` are the names of layers, which mean something else. */
export const nameValue = (chain: Chain, name: Name, value: Value, layers: readonly string[]): void => {
  const { text, span } = name;
  const taken =
    text === IT || isCombination(text) || isFunction(text)
      ? 'has a meaning already'
      : layers.includes(text)
        ? 'is the name of a layer'
        : chain.scope.values.has(text)
          ? 'is a parameter of the network'
          : chain.names.has(text)
            ? 'is the name of another value'
            : undefined;
  if (taken) chain.scope.report('L0106', span, `\`${shorten(text)}\` ${taken}`, 'choose another name');
  chain.names.set(text, { ...value, named: span, used: taken !== undefined });
};

/** Reports the values that were named in a block and never read. */
export const refuseUnused = (chain: Chain, before: ReadonlyMap<string, NamedValue>): void => {
  // What could not be read may have used them.
  if (chain.broken.length > 0) return;
  for (const [name, value] of chain.names)
    if (!value.used && value.named && before.get(name) !== value)
      chain.scope.report(
        'L0151',
        value.named,
        `\`${shorten(name)}\` is never used`,
        'use it, e.g. in `mix` or a sum, or remove it: layers that lead nowhere are not trained',
      );
};

/** Reports layers that do not lead to the last one. */
export const refuseDead = (chain: Chain): void => {
  const live = new Set<ValueId>([chain.current]);
  for (const layer of [...chain.layers].reverse()) if (live.has(layer.id)) for (const id of layer.inputs) live.add(id);
  const dead = chain.layers.find(l => !live.has(l.id));
  if (dead)
    chain.scope.report(
      'L0151',
      dead.span,
      `what \`${dead.path}\` makes is never used: the network goes on from another value`,
      'name it with `let` and use the name, or remove it',
    );
};
