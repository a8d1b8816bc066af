/** The fields of a definition, read for one use: its input, its options and its parameters. */
import type { Span } from '../diagnostics.ts';
import { PLAIN } from '../ir/conv-geometry.ts';
import * as f from '../ir/formula.ts';
import type { Activation, Initializer, LinearMap, Param, Shape } from '../ir/network.ts';
import * as q from '../ir/rational.ts';
import type { Definition, Expr, Field, Statement } from '../parser/ast.ts';
import { proveSlope } from './prove-activation.ts';
import { type Body, define, type Given } from './resolve-formula.ts';
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
    return scope.report('L0140', e?.span ?? field.span, `\`${field.name.text}\` has no type that fits here`, help);
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
  const first: f.Atom = { kind: 'weight', map, transposed: side === 'columns', orthogonal: false, span };
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
 * `slope[low, high]`, or `word`, which is only passed on.
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
    case 'word':
      return true;
    default:
      body.scope.report(
        'L0140',
        type.span,
        `${what} has no type that fits an option`,
        'an option is a number (without a type), `count`, `nonnegative`, `bool`, `choice[in, out]`, or an activation: `act: slope[0, 1] = relu`',
      );
      return false;
  }
};

const INITIALIZERS = ['zeros', 'xavier', 'uniform'] as const;

/** `zeros`, `xavier`, `uniform(bound)` or a number. */
const initializerOf = (body: Body, field: Field, shape: readonly number[]): Initializer | undefined => {
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
      return { kind, fanIn: (shape[1] ?? 1) * taps, fanOut: shape[0] * taps };
    case 'uniform':
      return body.scope.report('L0110', e.span, '`uniform` needs its bound', 'write `uniform(1/10)`');
    default:
      return kind satisfies never;
  }
};

/**
 * A parameter: a vector, a matrix, or a convolution with zero padding that keeps the size of the image. `present` is false where a
 * condition leaves it out: a vector is then 0. `nameOf` gives the last part of its path.
 */
export const declareParam = (body: Body, field: Field, present: boolean, nameOf: (name: string) => string): boolean => {
  const typed = typeOf(body.scope, field, ['vec', 'mat', 'conv']);
  if (!typed) return false;
  const dims = typed.dims.map(d => integerOf(body.scope, d, 'a size'));
  const shape = dims.filter(d => d !== undefined);
  if (shape.length < dims.length || !fits(body, typed.span, `\`${field.name.text}\``, shape)) return false;
  const { name } = field;
  if (!present) {
    if (typed.type === 'vec') define(body, name.text, name.span, { kind: 'vector', shape, of: { terms: [] } });
    return true;
  }
  if (shape.slice(2).some(k => k % 2 === 0)) {
    body.scope.report(
      'L0121',
      typed.span,
      `a ${shape.slice(2).join('×')} kernel has no centre: the image would change its size`,
      'use odd kernel sizes',
    );
    return false;
  }
  const init = initializerOf(body, field, shape);
  if (!init) return false;
  const param: Param = { path: `${body.path}.${nameOf(name.text)}`, shape, init };
  body.params.push(param);
  if (typed.type === 'vec') {
    const of = f.leaf({ kind: 'param', param }, name.span);
    define(body, name.text, name.span, { kind: 'vector', shape, of });
    return true;
  }
  const map = mapOf(param);
  const atom: f.Atom = { kind: 'weight', map, transposed: false, orthogonal: false, span: name.span };
  define(body, name.text, name.span, {
    kind: 'matrix',
    rows: map.out,
    columns: map.in,
    form: map.kind,
    factor: q.ONE,
    atoms: [atom],
  });
  return true;
};

const mapOf = (weight: Param): LinearMap => {
  const [out, columns, ...kernel] = weight.shape;
  const [kh, kw] = kernel;
  return kernel.length === 0
    ? { kind: 'dense', out, in: columns, weight }
    : { kind: 'conv', out, in: columns, kernel: [kh, kw], ...PLAIN, padding: [kh >> 1, kw >> 1], weight };
};

/** Shape for what is not known: options are checked all the same, and nothing is made from it. */
export const unknownShape = (axes: number): Shape => (axes === 3 ? [1, 16, 16] : [1]);
