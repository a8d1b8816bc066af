/** `layer` definitions: each use of one is read with the sizes and options of that use, and becomes a formula in normal form. */
import type { Span } from '../diagnostics.ts';
import { PLAIN } from '../ir/conv-geometry.ts';
import * as f from '../ir/formula.ts';
import type { Activation, Initializer, LinearMap, Param, Shape } from '../ir/network.ts';
import * as q from '../ir/rational.ts';
import type { Definition, Expr, Field, FileNode, Statement } from '../parser/ast.ts';
import { shorten } from '../parser/suggest.ts';
import * as v from './formula-value.ts';
import { proveSlope } from './prove-activation.ts';
import { recognise } from './recognise.ts';
import { type Body, define, read } from './resolve-formula.ts';
import {
  activationOf,
  type Chain,
  describeShape,
  fits,
  type KnownDefinition,
  type Made,
  nextPath,
  type Rule,
} from './resolve-layers.ts';
import { type Bound, choiceOf, integerOf, rationalOf, realOf, type Scope, show } from './resolve-scope.ts';
import { LAYER_STATEMENTS } from './resolve-statements.ts';

/** Words of a network that are no layers but cannot be defined as ones either. */
const RESERVED: readonly string[] = ['input', 'budget', 'repeat'];

/** The definitions of a file by name, without those whose name is taken. */
export const checkDefinitions = (report: Scope['report'], file: FileNode): ReadonlyMap<string, KnownDefinition> => {
  const known = new Map<string, KnownDefinition>();
  const starts = [...file.items, ...file.definitions].map(i => i.span.start);
  for (const d of file.definitions) {
    const name = d.name.text;
    if (known.has(name)) report('L0106', d.name.span, `the layer \`${shorten(name)}\` is defined twice`);
    else if (Object.hasOwn(LAYER_STATEMENTS, name) || RESERVED.includes(name))
      report('L0106', d.name.span, `\`${name}\` is built in and cannot be defined again`, 'choose another name');
    else {
      // Recovery may have cut the definition short: it reaches to whatever comes next.
      const end = Math.min(file.span.end, ...starts.filter(at => at > d.span.start));
      const whole = !file.broken.some(b => b.start >= d.span.start && b.start < end);
      known.set(name, { definition: d, whole });
    }
  }
  return known;
};

const TYPES = ['vec', 'mat', 'image', 'conv'] as const;

/** `mat[n, hidden]` as a word and its sizes' expressions. */
const typeOf = (
  body: Body,
  field: Field,
  allowed: readonly (typeof TYPES)[number][],
): { readonly type: (typeof TYPES)[number]; readonly dims: readonly Expr[]; readonly span: Span } | undefined => {
  const e = field.type;
  const wanted = { vec: 'vec[n]', mat: 'mat[m, n]', image: 'image[c, h, w]', conv: 'conv[out, c, k, k]' };
  const help = `write ${allowed.map(a => `\`${field.name.text}: ${wanted[a]}\``).join(' or ')}`;
  const type = e?.kind === 'typed' ? allowed.find(a => a === e.type.text) : undefined;
  if (e?.kind !== 'typed' || !type)
    return body.scope.report('L0140', e?.span ?? field.span, `\`${field.name.text}\` has no type that fits here`, help);
  const sizes = { vec: 1, mat: 2, image: 3, conv: 4 }[type];
  return e.dims.length === sizes
    ? { type, dims: e.dims, span: e.span }
    : body.scope.report('L0140', e.span, `\`${type}\` has ${sizes} sizes, found ${e.dims.length}`, help);
};

/** Names the sizes of the input, or compares them with numbers that are known. */
const bindInput = (body: Body, definition: Definition, st: Statement, shape: Shape): boolean => {
  const { scope } = body;
  const [field, ...more] = definition.inputs;
  if (!field || more.length > 0) {
    scope.report(
      'L0140',
      more[0]?.span ?? definition.name.span,
      `a layer has one input, found ${definition.inputs.length}`,
      'write `layer name(options) (x: vec[n]) { … }`',
    );
    return false;
  }
  const typed = typeOf(body, field, ['vec', 'image']);
  if (!typed) return false;
  if (typed.dims.length !== shape.length) {
    scope.report(
      'L0120',
      st.name.span,
      `\`${definition.name.text}\` needs ${typed.type === 'vec' ? 'a vector' : 'an image'}, but gets ${describeShape(shape)}`,
      typed.type === 'vec' ? 'put `flatten` before it' : 'put it before `flatten`, or declare `input image[…]`',
    );
    return false;
  }
  let ok = true;
  typed.dims.forEach((d, i) => {
    if (d.kind === 'name' && !body.names.has(d.name)) {
      define(body, d.name, d.span, { kind: 'scalar', value: q.rational(shape[i]) });
      return;
    }
    const size = integerOf(scope, d, 'a size of the input');
    if (size !== undefined && size !== shape[i])
      scope.report(
        'L0120',
        st.name.span,
        `\`${definition.name.text}\` needs ${size} here, but gets ${describeShape(shape)}`,
      );
    ok &&= size === shape[i];
  });
  define(body, field.name.text, field.name.span, {
    kind: 'vector',
    shape,
    of: f.leaf({ kind: 'input' }, field.name.span),
  });
  return ok;
};

/** Slopes of an elementwise activation. */
const slopesOf = (act: Activation): readonly [q.Rational, q.Rational] | undefined => {
  const conclusion = proveSlope(act)?.conclusion;
  return conclusion?.kind === 'slope' ? [conclusion.low, conclusion.high] : undefined;
};

/** An option: a number, or an activation where its type is `slope[low, high]`. */
const bindOption = (body: Body, field: Field, given: Expr | undefined): boolean => {
  const e = given ?? field.value;
  const { name, type } = field;
  if (!e) return false;
  // What stands at the use is in terms of the network, a default in terms of the definition.
  const scope = given ? body.chain.scope : body.scope;
  if (!type) {
    const value = rationalOf(scope, e, `\`${name.text}\``);
    if (value) define(body, name.text, name.span, { kind: 'scalar', value });
    return value !== undefined;
  }
  if (type.kind !== 'typed' || type.type.text !== 'slope' || type.dims.length !== 2) {
    body.scope.report(
      'L0140',
      type.span,
      `\`${name.text}\` has no type that fits an option`,
      'an option is a number (without a type) or an activation: `act: slope[0, 1] = relu`',
    );
    return false;
  }
  const [low, high] = type.dims.map(d => rationalOf(body.scope, d, 'a slope'));
  const act = activationOf(scope, e);
  if (!low || !high || !act) return false;
  const slopes = slopesOf(act);
  if (!slopes || q.compare(slopes[0], low) < 0 || q.compare(slopes[1], high) > 0) {
    const found = slopes ? `has slopes from ${show(slopes[0])} to ${show(slopes[1])}` : 'mixes units and has no slopes';
    body.scope.report(
      'L0202',
      e.span,
      `\`${name.text}\` takes slopes within [${show(low)}, ${show(high)}]; \`${act.kind}\` ${found}`,
      'relu, tanh, sigmoid and leaky_relu with a slope in [0, 1] have slopes within [0, 1]',
    );
    return false;
  }
  define(body, name.text, name.span, { kind: 'activation', act });
  return true;
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

/** A parameter: a vector, a matrix, or a convolution with zero padding that keeps the size of the image. */
const declareParam = (body: Body, field: Field): boolean => {
  const typed = typeOf(body, field, ['vec', 'mat', 'conv']);
  if (!typed) return false;
  const dims = typed.dims.map(d => integerOf(body.scope, d, 'a size'));
  const shape = dims.filter(d => d !== undefined);
  if (shape.length < dims.length || !fits(body.chain, typed.span, `\`${field.name.text}\``, shape)) return false;
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
  const { name } = field;
  const param: Param = { path: `${body.path}.${name.text}`, shape, init };
  body.params.push(param);
  if (typed.type === 'vec')
    define(body, name.text, name.span, {
      kind: 'vector',
      shape,
      of: f.leaf({ kind: 'param', param }, name.span),
    });
  else {
    const [rows, columns, kh, kw] = shape;
    const map: LinearMap =
      typed.type === 'mat'
        ? { kind: 'dense', out: rows, in: columns, weight: param }
        : {
            kind: 'conv',
            out: rows,
            in: columns,
            kernel: [kh, kw],
            ...PLAIN,
            padding: [kh >> 1, kw >> 1],
            weight: param,
          };
    const atom: f.Atom = { kind: 'weight', map, transposed: false, orthogonal: false, span: name.span };
    define(body, name.text, name.span, { kind: 'matrix', rows, columns, form: map.kind, factor: q.ONE, atoms: [atom] });
  }
  return true;
};

/** The value of `return`. */
const readBody = (body: Body, definition: Definition): Extract<v.Value, { kind: 'vector' }> | undefined => {
  const { scope } = body;
  const { body: statements, name } = definition;
  const last = statements.at(-1);
  const early = statements.find((st, i) => st.kind === 'return' && i < statements.length - 1);
  if (last?.kind !== 'return' || early)
    return scope.report(
      'L0140',
      early?.span ?? name.span,
      early ? '`return` must be the last line of a layer' : `\`${shorten(name.text)}\` returns nothing`,
      'end the definition with `return` and a formula of its input',
    );
  let ok = true;
  for (const st of statements) {
    switch (st.kind) {
      case 'param':
        ok = declareParam(body, st.field) && ok;
        break;
      case 'let': {
        const value = read(body, st.value);
        if (value) define(body, st.name.text, st.name.span, value);
        ok &&= value !== undefined;
        break;
      }
      case 'return': {
        const value = ok ? read(body, st.value) : undefined;
        if (!value) return undefined;
        return value.kind === 'vector'
          ? value
          : scope.report('L0141', st.value.span, `a layer returns a vector or an image, not ${v.describe(value)}`);
      }
      default:
        st satisfies never;
    }
    // What follows an error would mostly repeat it.
    if (!ok) return undefined;
  }
  return undefined;
};

/** How a layer defined in the file is used: its options by position or by name. */
export const definitionRule = ({ definition, whole }: KnownDefinition): Rule => {
  const names = definition.options.map(o => o.name.text);
  return {
    signature: {
      positional: names,
      required: whole ? definition.options.filter(o => !o.value).map(o => o.name.text) : [],
    },
    apply: (chain: Chain, st: Statement, args: Bound): Made | undefined => {
      const path = nextPath(chain, definition.name.text);
      // What could not be read has its own diagnostic.
      if (!chain.shape || !whole) return undefined;
      const numbers = new Map<string, q.Rational>();
      const scope: Scope = { report: chain.scope.report, values: numbers };
      const body: Body = { chain, scope, numbers, names: new Map(), params: [], path };
      const options = definition.options.map(o => bindOption(body, o, args.get(o.name.text)));
      if (options.includes(false) || !bindInput(body, definition, st, chain.shape)) return undefined;
      const value = readBody(body, definition);
      return (
        value && {
          op: recognise({ kind: 'formula', name: definition.name.text, params: body.params, body: value.of }),
          shape: value.shape,
          path,
        }
      );
    },
  };
};
