/** The fields of a definition, read for one use: its input, its options and its parameters. */
import type { Span } from '../../diagnostics.ts';
import { type ConvMap, circularFault, outputSize, PLAIN } from '../../ir/conv-geometry.ts';
import * as f from '../../ir/formula.ts';
import {
  type Activation,
  elements,
  type Initializer,
  type LinearMap,
  type Param,
  type Shape,
} from '../../ir/network.ts';
import * as q from '../../ir/rational.ts';
import type { Arg, Definition, Expr, Field, Statement } from '../../parser/ast.ts';
import { shorten, suggest } from '../../parser/suggest.ts';
import { proveSlope } from '../prove/prove-activation.ts';
import { type Body, type Given, given } from './formula-body.ts';
import type { Value } from './formula-value.ts';
import { CONV_OPTIONS, geometryOf, groupsDivide, misfit } from './resolve-conv.ts';
import { define } from './resolve-formula.ts';
import { activationOf, describeShape, fits } from './resolve-layers.ts';
import { booleanOf, choiceOf, integerOf, rationalOf, realOf, type Scope, show } from './resolve-scope.ts';

const SIZES = { vec: 1, mat: 2, image: 3, conv: 4, gram: 1 } as const;
type Type = keyof typeof SIZES;

const EXAMPLES: Readonly<Record<Type, string>> = {
  vec: 'vec[n]',
  mat: 'mat[m, n]',
  image: 'image[c, h, w]',
  conv: 'conv[out, c, k, k]',
  gram: 'gram[m]',
};

/** `mat[n, hidden]` as a word and its sizes' expressions. */
const typeOf = (
  scope: Scope,
  field: Field,
  allowed: readonly Type[],
): { readonly type: Type; readonly dims: readonly Expr[]; readonly span: Span } | undefined => {
  const e = field.type;
  const help = `write ${allowed.map(a => `\`${field.name.text}: ${EXAMPLES[a]}\``).join(' or ')}`;
  const type = e?.kind === 'typed' ? allowed.find(a => a === e.type.text) : undefined;
  if (e?.kind !== 'typed' || !type)
    return scope.report(
      'L0140',
      e?.span ?? field.span,
      `\`${field.name.text}\` has no type that fits here`,
      !e && field.value?.kind === 'number'
        ? `a number with a name is \`let ${field.name.text} = ${field.value.text}\`; to learn one for every entry write \`${field.name.text}: vec[n] = ${field.value.text}\``
        : help,
    );
  const sizes = SIZES[type];
  return e.dims.length === sizes
    ? { type, dims: e.dims, span: e.span }
    : scope.report('L0140', e.span, `\`${type}\` has ${sizes} sizes, found ${e.dims.length}`, help);
};

const onlyInput = (scope: Scope, definition: Definition, example: string): Field | undefined => {
  const [field, ...more] = definition.inputs;
  if (field && more.length === 0) return field;
  return scope.report(
    'L0140',
    more[0]?.span ?? definition.name.span,
    `a ${definition.form} has one input, found ${definition.inputs.length}`,
    `write \`${definition.form} name(options) ${example} { … }\``,
  );
};

/** Names a size, or compares it with a number that is known. */
const bindSize = (body: Body, e: Expr, size: number, differs: (wanted: number) => void): boolean => {
  if (e.kind === 'name' && !body.names.has(e.name)) {
    define(body, e.name, e.span, { kind: 'scalar', value: q.rational(size) });
    return true;
  }
  const wanted = integerOf(body.scope, e, 'a size of the input');
  if (wanted !== undefined && wanted !== size) differs(wanted);
  return wanted === size;
};

/** Axes of the input that a layer is defined for: 1 for a vector, 3 for an image. */
export const axesOf = (definition: Definition): number => {
  const type = definition.inputs[0]?.type;
  return type?.kind === 'typed' && type.type.text === 'image' ? 3 : 1;
};

/** The input of a layer: a vector or an image of shape `body.input`; `outer` is told at `st` where it does not fit. */
export const bindInput = (body: Body, definition: Definition, st: Statement, outer: Scope): boolean => {
  const { scope, input: shape } = body;
  const field = onlyInput(scope, definition, '(x: vec[n])');
  const typed = field && typeOf(scope, field, ['vec', 'image']);
  if (!field || !typed) return false;
  const owner = `\`${definition.residual ? 'residual ' : ''}${definition.name.text}\``;
  if (typed.dims.length !== shape.length) {
    outer.report(
      'L0120',
      st.name.span,
      `${owner} needs ${typed.type === 'vec' ? 'a vector' : 'an image [channels, height, width]'}, but gets ${describeShape(shape)}`,
      typed.type === 'vec' ? 'put `flatten` before it' : 'put it before `flatten`, or declare `input image[…]`',
    );
    return false;
  }
  const fit = typed.dims.map((d, i) =>
    bindSize(body, d, shape[i], wanted => {
      outer.report('L0120', st.name.span, `${owner} needs ${wanted} here, but gets ${describeShape(shape)}`);
    }),
  );
  define(body, field.name.text, field.name.span, {
    kind: 'vector',
    shape,
    of: f.leaf({ kind: 'input' }, field.name.span),
  });
  return !fit.includes(false);
};

/** The input of a rescaling: the Gram matrix of `map` on one side, WWᵀ or WᵀW. */
export const bindGram = (body: Body, definition: Definition, gram: f.Gram, span: Span): boolean => {
  const field = onlyInput(body.scope, definition, '(G: gram[m])');
  const typed = field && typeOf(body.scope, field, ['gram']);
  if (!field || !typed) return false;
  const { map, side } = gram;
  const size = side === 'rows' ? map.out : map.in;
  const first: f.Atom = { kind: 'weight', map, transposed: side === 'columns', span };
  const second: f.Atom = { ...first, transposed: !first.transposed };
  define(body, field.name.text, field.name.span, {
    kind: 'matrix',
    rows: size,
    columns: size,
    form: map.kind,
    factor: q.ONE,
    atoms: [first, second],
  });
  return bindSize(body, typed.dims[0], size, wanted => {
    body.scope.report('L0120', typed.span, `this rescaling is for ${wanted} units, here there are ${size}`);
  });
};

/** Slopes of an elementwise activation. */
const slopesOf = (act: Activation): readonly [q.Rational, q.Rational] | undefined => {
  const conclusion = proveSlope(act)?.conclusion;
  return conclusion?.kind === 'slope' ? [conclusion.low, conclusion.high] : undefined;
};

/** An activation with slopes in an interval; with `anySlope`, whether it has them is left to the prover. */
const bindActivation = (body: Body, field: Field, dims: readonly Expr[], e: Given, anySlope: boolean): boolean => {
  const { name } = field;
  const [low, high] = dims.map(d => rationalOf(body.scope, d, 'a slope'));
  const act = activationOf(e.scope, e.expr);
  if (!low || !high || !act) return false;
  const slopes = slopesOf(act);
  if (!anySlope && (!slopes || q.compare(slopes[0], low) < 0 || q.compare(slopes[1], high) > 0)) {
    const found = slopes ? `has slopes from ${show(slopes[0])} to ${show(slopes[1])}` : 'mixes units and has no slopes';
    e.scope.report(
      'L0202',
      e.expr.span,
      `\`${name.text}\` takes slopes within [${show(low)}, ${show(high)}]; \`${act.kind}\` ${found}`,
      'relu, tanh, sigmoid and leaky_relu with a slope in [0, 1] have slopes within [0, 1]',
    );
    return false;
  }
  define(body, name.text, name.span, { kind: 'activation', act });
  return true;
};

const wordsOf = (body: Body, dims: readonly Expr[]): readonly string[] | undefined => {
  const words = dims.flatMap(d => (d.kind === 'name' ? [d.name] : []));
  return words.length === dims.length && words.length > 0
    ? words
    : body.scope.report(
        'L0140',
        dims.find(d => d.kind !== 'name')?.span ?? { start: 0, end: 0 },
        'a choice is one of several words',
        'write `choice[in, out]`',
      );
};

/**
 * An option, by its type: a number (no type), `count` (a whole number from 1), `nonnegative`, `bool`, `choice[in, out]`, an activation
 * `slope[low, high]`, or what is only passed on: `pair`, `padding`, `word`.
 */
export const bindOption = (body: Body, field: Field, e: Given, anySlope: boolean): boolean => {
  const { name, type } = field;
  const what = `\`${name.text}\``;
  body.options.set(name.text, e);
  const number = (value: q.Rational | undefined): boolean => {
    if (value) define(body, name.text, name.span, { kind: 'scalar', value });
    return value !== undefined;
  };
  const word = (text: string | undefined, of: readonly string[]): boolean => {
    if (text !== undefined) define(body, name.text, name.span, { kind: 'word', text, of });
    return text !== undefined;
  };
  if (!type) return number(rationalOf(e.scope, e.expr, what));
  if (type.kind === 'typed' && type.type.text === 'slope' && type.dims.length === 2)
    return bindActivation(body, field, type.dims, e, anySlope);
  if (type.kind === 'typed' && type.type.text === 'choice') {
    const words = wordsOf(body, type.dims);
    return words ? word(choiceOf(e.scope, e.expr, what, words), words) : false;
  }
  switch (type.kind === 'name' ? type.name : undefined) {
    case 'count': {
      const n = integerOf(e.scope, e.expr, what);
      return number(n === undefined ? undefined : q.rational(n));
    }
    case 'nonnegative': {
      const value = rationalOf(e.scope, e.expr, what);
      if (!value || value.num >= 0n) return number(value);
      e.scope.report('L0112', e.expr.span, `${what} must not be negative, found ${show(value)}`);
      return false;
    }
    case 'bool': {
      const value = booleanOf(e.scope, e.expr, what);
      return word(value === undefined ? undefined : `${value}`, ['true', 'false']);
    }
    case 'pair':
    case 'padding':
    case 'word':
      return true;
    default:
      body.scope.report(
        'L0140',
        type.span,
        `${what} has no type that fits an option`,
        'an option is a number (without a type), `count`, `nonnegative`, `bool`, `choice[in, out]`, `pair`, `padding`, or an activation: `act: slope[0, 1] = relu`',
      );
      return false;
  }
};

const INITIALIZERS = ['zeros', 'xavier', 'uniform'] as const;

/** `zeros`, `xavier`, `uniform(bound)` or a number. */
const initializerOf = (body: Body, field: Field, shape: readonly number[], groups: number): Initializer | undefined => {
  const e = field.value;
  const what = `the initial value of \`${field.name.text}\``;
  if (!e)
    return body.scope.report(
      'L0110',
      field.span,
      `\`${field.name.text}\` has no initial value`,
      'write `= zeros`, `= xavier`, `= uniform(1/10)` or a number',
    );
  if (e.kind === 'call' && e.callee.text === 'uniform' && e.args.length === 1) {
    const bound = realOf(body.scope, e.args[0].value, what);
    return bound === undefined ? undefined : { kind: 'uniform', bound: Math.abs(bound) };
  }
  if (e.kind !== 'name' && e.kind !== 'call') {
    const value = realOf(body.scope, e, what);
    return value === undefined ? undefined : { kind: 'constant', value };
  }
  const kind = choiceOf(body.scope, e, what, INITIALIZERS);
  const taps = shape.slice(2).reduce((a, b) => a * b, 1);
  switch (kind) {
    case undefined:
      return undefined;
    case 'zeros':
      return { kind };
    case 'xavier':
      return { kind, fanIn: (shape[1] ?? 1) * taps, fanOut: (shape[0] * taps) / groups };
    case 'uniform':
      return body.scope.report('L0110', e.span, '`uniform` needs its bound', 'write `uniform(1/10)`');
    default:
      return kind satisfies never;
  }
};

/** What a parameter is: its shape, and the linear map that has it as weight. */
interface Declared {
  readonly shape: Shape;
  readonly groups: number;
  readonly map?: (weight: Param) => LinearMap;
}

/** `conv(out, c, kernel = 3, stride = 2, padding = same, dilation = 1, groups = 1)`. */
const declareConv = (body: Body, e: Extract<Expr, { kind: 'call' }>): Declared | undefined => {
  const channels = e.args.filter(a => !a.name).map(a => integerOf(body.scope, a.value, 'a size'));
  const [out, read] = channels;
  if (channels.length !== 2)
    return body.scope.report(
      'L0140',
      e.span,
      `\`conv\` has 2 sizes, found ${channels.length}`,
      'write `conv(out, c, kernel = 3, stride = 2)`',
    );
  const option = (name: string): Given | undefined => {
    const value = e.args.find(a => a.name?.text === name)?.value;
    return value && given(body, value);
  };
  const unknown = e.args.find(a => a.name && !CONV_OPTIONS.includes(a.name.text));
  if (unknown)
    return body.scope.report(
      'L0102',
      unknown.name!.span,
      `\`conv\` has no option \`${shorten(unknown.name!.text)}\``,
      suggest(unknown.name!.text, CONV_OPTIONS),
    );
  const geometry = geometryOf(option);
  const [, height, width] = body.input;
  if (!geometry || out === undefined || read === undefined) return undefined;
  const { same: _, border, ...rest } = geometry;
  const { kernel, groups } = rest;
  if (!groupsDivide(option('groups'), groups, read, out)) return undefined;
  const at = (name: string): { readonly scope: Scope; readonly span: Span } => {
    const o = option(name);
    return o && !o.isDefault ? { scope: o.scope, span: o.expr.span } : { scope: body.scope, span: e.span };
  };
  if (border) {
    const { scope, span } = at('padding');
    if (!body.twisted)
      return scope.report('L0132', span, `\`${border}\` padding shows pixels to the kernel several times`);
    body.twisted({ kind: 'border', mode: border, span });
  }
  const shape = [out, Math.max(1, Math.floor(read / groups)), ...kernel];
  const map = (weight: Param): ConvMap => ({ kind: 'conv', out, in: read, ...rest, weight });
  const trial = map({ path: '', shape, init: { kind: 'zeros' } });
  const size = outputSize(trial, [height, width]);
  if (size[0] < 1 || size[1] < 1) {
    const { scope, span } = at('kernel');
    return scope.report('L0121', span, misfit(trial, [height, width]), 'use a smaller kernel or more padding');
  }
  const fault = circularFault(trial, [height, width]);
  if (fault) {
    const { scope, span } = at('padding');
    return scope.report('L0133', span, fault.message, fault.help);
  }
  return fits(body, e.span, 'the image', [out, ...size]) ? { shape, groups, map } : undefined;
};

/** The type of a parameter: a vector, a matrix or a convolution, which reads images of the size of the layer's input. */
const declared = (body: Body, field: Field): Declared | undefined => {
  if (field.type?.kind === 'call' && field.type.callee.text === 'conv') return declareConv(body, field.type);
  const typed = typeOf(body.scope, field, ['vec', 'mat', 'conv']);
  if (!typed) return undefined;
  const dims = typed.dims.map(d => integerOf(body.scope, d, 'a size'));
  const shape = dims.filter(d => d !== undefined);
  if (shape.length < dims.length) return undefined;
  if (shape.slice(2).some(k => k % 2 === 0))
    return body.scope.report(
      'L0121',
      typed.span,
      `a ${shape.slice(2).join('×')} kernel has no centre: the image would change its size`,
      'use odd kernel sizes, or write `conv(out, c, kernel = …, padding = …)`',
    );
  const [out, read, kh, kw] = shape;
  switch (typed.type) {
    case 'mat':
      return { shape, groups: 1, map: weight => ({ kind: 'dense', out, in: read, weight }) };
    case 'conv': {
      const padding = [kh >> 1, kw >> 1] as const;
      return {
        shape,
        groups: 1,
        map: weight => ({ kind: 'conv', out, in: read, kernel: [kh, kw], ...PLAIN, padding, weight }),
      };
    }
    default:
      return { shape, groups: 1 };
  }
};

/**
 * A parameter. `present` is false where a condition leaves it out: a vector is then 0. `nameOf` gives the last part of its path.
 */
export const declareParam = (body: Body, field: Field, present: boolean, nameOf: (name: string) => string): boolean => {
  const type = declared(body, field);
  if (!type || !fits(body, field.span, `\`${field.name.text}\``, type.shape)) return false;
  const { shape, groups } = type;
  const { name } = field;
  if (!present) {
    if (!type.map) define(body, name.text, name.span, { kind: 'vector', shape, of: { terms: [] } });
    return true;
  }
  const init = initializerOf(body, field, shape, groups);
  if (!init) return false;
  const param: Param = { path: `${body.path}.${nameOf(name.text)}`, shape, init };
  body.params.push(param);
  if (!type.map) {
    const of = f.leaf({ kind: 'param', param }, name.span);
    define(body, name.text, name.span, { kind: 'vector', shape, of });
    return true;
  }
  const map = type.map(param);
  const atom: f.Atom = { kind: 'weight', map, transposed: false, span: name.span };
  const columns: readonly [number, number] = [body.input[1], body.input[2]];
  define(body, name.text, name.span, {
    kind: 'matrix',
    rows: map.out,
    columns: map.in,
    form: map.kind,
    ...(map.kind === 'conv' ? { sizes: { rows: outputSize(map, columns), columns } } : {}),
    factor: q.ONE,
    atoms: [atom],
  });
  return true;
};

/** `fan_in(W)`: how many numbers one unit of W reads. */
export const fanIn =
  (names: ReadonlyMap<string, Value>) =>
  (args: readonly Arg[]): q.Rational | undefined => {
    const [only] = args;
    const value = args.length === 1 && only.value.kind === 'name' ? names.get(only.value.name) : undefined;
    const atom = value?.kind === 'matrix' && value.atoms.length === 1 ? value.atoms[0] : undefined;
    return atom?.kind === 'weight' ? q.rational(elements(atom.map.weight.shape.slice(1))) : undefined;
  };

/** Shape for what is not known: options are checked all the same, and nothing is made from it. */
export const unknownShape = (axes: number): Shape => (axes === 3 ? [1, 16, 16] : [1]);
