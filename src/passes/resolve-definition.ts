/** `layer` definitions: each use of one is read with the sizes and options of that use, and becomes a formula in normal form. */
import type { Span } from '../diagnostics.ts';
import * as f from '../ir/formula.ts';
import type { Activation, Initializer, LinearMap, Param, Shape } from '../ir/network.ts';
import * as q from '../ir/rational.ts';
import type { Definition, Expr, Field, Statement } from '../parser/ast.ts';
import { shorten, suggest } from '../parser/suggest.ts';
import { apply } from '../proof/rules.ts';
import * as v from './formula-value.ts';
import {
  ACTIVATION_NAMES,
  activationFits,
  activationOf,
  type Chain,
  describeShape,
  fits,
  type Made,
  nextPath,
  RULES,
  type Rule,
} from './resolve-layers.ts';
import { type Bound, choiceOf, integerOf, rationalOf, realOf, type Scope, show } from './resolve-scope.ts';

/** Words of a network that are no layers but cannot be defined as ones either. */
const RESERVED: readonly string[] = ['input', 'budget', 'repeat'];

/** The definitions of a file by name, without those whose name is taken. */
export const checkDefinitions = (
  report: Scope['report'],
  definitions: readonly Definition[],
): ReadonlyMap<string, Definition> => {
  const known = new Map<string, Definition>();
  for (const d of definitions) {
    const name = d.name.text;
    if (known.has(name)) report('L0106', d.name.span, `the layer \`${shorten(name)}\` is defined twice`);
    else if (Object.hasOwn(RULES, name) || RESERVED.includes(name))
      report('L0106', d.name.span, `\`${name}\` is built in and cannot be defined again`, 'choose another name');
    else known.set(name, d);
  }
  return known;
};

/** A definition being read for one use. */
interface Body {
  readonly chain: Chain;
  /** Sizes and numeric options. */
  readonly scope: Scope;
  readonly numbers: Map<string, q.Rational>;
  readonly names: Map<string, v.Value>;
  readonly params: Param[];
  readonly path: string;
}

const define = (body: Body, name: string, span: Span, value: v.Value): void => {
  if (body.names.has(name) || Object.hasOwn(FUNCTIONS, name) || ACTIVATION_NAMES.some(a => a === name))
    body.scope.report('L0106', span, `\`${shorten(name)}\` has a meaning already`, 'choose another name');
  else {
    body.names.set(name, value);
    if (value.kind === 'scalar') body.numbers.set(name, value.value);
  }
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
  if (act.kind === 'maxmin' || act.kind === 'groupsort') return undefined;
  const constants: Readonly<Record<string, q.Rational>> = act.kind === 'leaky_relu' ? { a: act.slope } : {};
  const { conclusion } = apply('slope', act.kind, [], constants, { function: act.kind });
  return conclusion.kind === 'slope' ? [conclusion.low, conclusion.high] : undefined;
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
        : { kind: 'conv', out: rows, in: columns, kernel: [kh, kw], padding: [kh >> 1, kw >> 1], weight: param };
    const atom: f.Atom = { kind: 'weight', map, transposed: false, span: name.span };
    define(body, name.text, name.span, { kind: 'matrix', rows, columns, form: map.kind, factor: q.ONE, atoms: [atom] });
  }
  return true;
};

const settle = (body: Body, value: v.Value | v.Mismatch, span: Span): v.Value | undefined =>
  'mismatch' in value ? body.scope.report('L0141', span, value.mismatch, value.help) : value;

type Call = Extract<Expr, { kind: 'call' }>;

/** The values of unnamed arguments, `least` to `most` of them. */
const values = (body: Body, e: Call, least: number, most: number): readonly v.Value[] | undefined => {
  const unnamed = e.args.filter(a => !a.name);
  if (unnamed.length < least || unnamed.length > most)
    return body.scope.report(
      'L0110',
      e.span,
      `\`${e.callee.text}\` takes ${least === most ? least : `${least} to ${most}`} ${most === 1 ? 'argument' : 'arguments'}, found ${unnamed.length}`,
    );
  const all = unnamed.map(a => read(body, a.value));
  const known = all.filter(a => a !== undefined);
  return known.length === all.length ? known : undefined;
};

const noOptions = (body: Body, e: Call): boolean => {
  const named = e.args.find(a => a.name);
  if (named)
    body.scope.report('L0102', named.span, `\`${e.callee.text}\` has no option \`${shorten(named.name!.text)}\``);
  return !named;
};

const gramOf = (body: Body, e: Call, value: v.Value): f.Gram | undefined =>
  v.gramOf(value) ??
  body.scope.report(
    'L0141',
    e.args.find(a => !a.name)!.span,
    `\`${e.callee.text}\` takes a Gram matrix, not ${v.describe(value)}`,
    'a Gram matrix is `Wᵀ * W` or `W * Wᵀ` of one parameter W',
  );

const positiveOf = (body: Body, e: Call, value: v.Value, size: number): f.Positive | undefined =>
  value.kind === 'positive' && value.size === size
    ? value.of
    : body.scope.report(
        'L0141',
        e.args[1].span,
        `this must be ${size} positive numbers, found ${v.describe(value)}`,
        'write `exp(q)` with `param q: vec[…] = zeros`',
      );

const norm = (body: Body, e: Call, bound: f.NormBound): v.Value | undefined => {
  const all = values(body, e, 1, 1);
  const gram = all && gramOf(body, e, all[0]);
  return gram && { kind: 'diagonal', size: v.gramSize(gram), of: { kind: 'norm', gram, bound, span: e.span } };
};

const spectral = (body: Body, e: Call): v.Value | undefined => {
  const option = (name: string): Expr | undefined => e.args.find(a => a.name?.text === name)?.value;
  const unknown = e.args.find(a => a.name && !['steps', 'grid'].includes(a.name.text));
  if (unknown)
    return body.scope.report(
      'L0102',
      unknown.span,
      `\`spectral\` has no option \`${shorten(unknown.name!.text)}\``,
      suggest(unknown.name!.text, ['steps', 'grid']),
    );
  const [stepsExpr, gridExpr] = [option('steps'), option('grid')];
  const steps = stepsExpr ? integerOf(body.scope, stepsExpr, '`steps`', 1, 30) : 12;
  const grid = gridExpr ? integerOf(body.scope, gridExpr, '`grid`', 1, 4096) : 32;
  if (steps === undefined || grid === undefined) return undefined;
  const value = norm(body, e, { kind: 'gram', steps, grid });
  if (value?.kind !== 'diagonal' || value.of.kind !== 'norm') return value;
  const { map } = value.of.gram;
  // cos(πd/N) with d = (k − 1)/2 must be positive.
  return map.kind === 'conv' && grid < Math.max(...map.kernel)
    ? body.scope.report(
        'L0112',
        (gridExpr ?? e).span,
        `\`grid\` must be at least the kernel size ${Math.max(...map.kernel)}, found ${grid}`,
      )
    : value;
};

/** Functions of a formula. Numbers have their own: sqrt, floor, min, max. */
const FUNCTIONS: Readonly<Record<string, (body: Body, e: Call) => v.Value | undefined>> = {
  inv: (body, e) => {
    const all = noOptions(body, e) ? values(body, e, 1, 1) : undefined;
    return all && settle(body, v.invert(all[0], false, e.span), e.span);
  },
  invsqrt: (body, e) => {
    const all = noOptions(body, e) ? values(body, e, 1, 1) : undefined;
    return all && settle(body, v.invert(all[0], true, e.span), e.span);
  },
  exp: (body, e) => {
    const all = noOptions(body, e) ? values(body, e, 1, 1) : undefined;
    if (!all) return undefined;
    const [value] = all;
    const only = value.kind === 'vector' && value.of.terms.length === 1 ? value.of.terms[0] : undefined;
    if (value.kind !== 'vector' || !only || only.of.kind !== 'param' || !q.equal(only.coefficient, q.ONE))
      return body.scope.report('L0141', e.span, `\`exp\` takes a parameter vector, not ${v.describe(value)}`);
    return { kind: 'positive', size: value.shape[0], of: { q: only.of.param, shift: q.ZERO } };
  },
  gershgorin: (body, e) => {
    const all = noOptions(body, e) ? values(body, e, 1, 2) : undefined;
    const gram = all && gramOf(body, e, all[0]);
    if (!gram) return undefined;
    const size = v.gramSize(gram);
    const weights = all[1] ? positiveOf(body, e, all[1], size) : v.ONES;
    return weights && { kind: 'diagonal', size, of: { kind: 'rowsum', gram, weights, divisor: weights, span: e.span } };
  },
  abs: (body, e) => {
    const all = noOptions(body, e) ? values(body, e, 1, 1) : undefined;
    if (all?.[0].kind === 'vector') return settle(body, v.activate({ kind: 'abs' }, all[0], e.span), e.span);
    const gram = all && gramOf(body, e, all[0]);
    return gram && { kind: 'absolute Gram matrix', gram, weights: v.ONES };
  },
  rowsum: (body, e) => {
    const all = noOptions(body, e) ? values(body, e, 1, 1) : undefined;
    if (!all) return undefined;
    const [value] = all;
    if (value.kind !== 'absolute Gram matrix')
      return body.scope.report('L0141', e.span, `\`rowsum\` takes \`abs(Wᵀ * W)\`, not ${v.describe(value)}`);
    const { gram, weights } = value;
    const of: f.DiagExpr = { kind: 'rowsum', gram, weights, divisor: v.ONES, span: e.span };
    return { kind: 'diagonal', size: v.gramSize(gram), of };
  },
  spectral,
  frobenius: (body, e) => (noOptions(body, e) ? norm(body, e, { kind: 'frobenius' }) : undefined),
  schur: (body, e) => (noOptions(body, e) ? norm(body, e, { kind: 'schur' }) : undefined),
};

const NUMERIC: readonly string[] = ['sqrt', 'floor', 'min'];

const call = (body: Body, e: Call): v.Value | undefined => {
  const name = e.callee.text;
  const option = body.names.get(name);
  const builtin = ACTIVATION_NAMES.find(a => a === name);
  if (option?.kind === 'activation' || (builtin && builtin !== 'abs')) {
    // The last argument is the vector; those before it are the activation's own: `leaky_relu(1/10, x)`.
    const vectorArg = e.args.at(-1);
    if (!vectorArg) return body.scope.report('L0110', e.span, `\`${name}\` takes a vector`);
    const own = { ...e, args: e.args.slice(0, -1) };
    const act = option?.kind === 'activation' ? option.act : activationOf(body.scope, own);
    const value = read(body, vectorArg.value);
    if (!act || !value) return undefined;
    if (value.kind === 'vector' && !activationFits(body.scope, act, value.shape[0], e.span)) return undefined;
    return settle(body, v.activate(act, value, e.span), e.span);
  }
  if (Object.hasOwn(FUNCTIONS, name)) return FUNCTIONS[name](body, e);
  if (name === 'max') {
    const all = values(body, e, 2, 16);
    if (!all || all.some(a => a.kind !== 'scalar')) return all && settle(body, v.largest(all, e.span), e.span);
  }
  if (NUMERIC.includes(name) || name === 'max') {
    const value = rationalOf(body.scope, e, 'this number');
    return value && { kind: 'scalar', value };
  }
  const known = [...Object.keys(FUNCTIONS), ...ACTIVATION_NAMES, 'max', ...NUMERIC];
  return body.scope.report('L0103', e.callee.span, `there is no function \`${shorten(name)}\``, suggest(name, known));
};

/** The value of an expression, or undefined after reporting why it has none. */
const read = (body: Body, e: Expr): v.Value | undefined => {
  const { scope } = body;
  switch (e.kind) {
    case 'number': {
      const value = rationalOf(scope, e, 'this number');
      return value && { kind: 'scalar', value };
    }
    case 'name': {
      const value = body.names.get(e.name);
      if (value) return moved(value, e.span);
      return scope.report(
        'L0103',
        e.span,
        `\`${shorten(e.name)}\` is not defined in this layer`,
        suggest(e.name, [...body.names.keys()]),
      );
    }
    case 'negate': {
      const value = read(body, e.operand);
      return value && settle(body, v.negate(value, e.span), e.span);
    }
    case 'transpose': {
      const value = read(body, e.operand);
      const result = value && settle(body, v.transpose(value), e.span);
      return result && moved(result, e.span);
    }
    case 'binary': {
      const [a, b] = [read(body, e.left), read(body, e.right)];
      return a && b && settle(body, v.combine(e.op, a, b, e.span), e.span);
    }
    case 'call':
      return call(body, e);
    case 'string':
    case 'typed':
    case 'list':
    case 'tuple':
      return scope.report('L0141', e.span, 'this is no part of a formula');
    default:
      return e satisfies never;
  }
};

/** A weight points at the place of its use. */
const moved = (value: v.Value, span: Span): v.Value =>
  value.kind === 'matrix' && value.atoms.length === 1 && value.atoms[0].kind === 'weight'
    ? { ...value, atoms: [{ ...value.atoms[0], span }] }
    : value;

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
export const definitionRule = (definition: Definition): Rule => {
  const names = definition.options.map(o => o.name.text);
  return {
    signature: { positional: names, required: definition.options.filter(o => !o.value).map(o => o.name.text) },
    apply: (chain: Chain, st: Statement, args: Bound): Made | undefined => {
      const path = nextPath(chain, definition.name.text);
      if (!chain.shape) return undefined;
      const numbers = new Map<string, q.Rational>();
      const scope: Scope = { report: chain.scope.report, values: numbers };
      const body: Body = { chain, scope, numbers, names: new Map(), params: [], path };
      const options = definition.options.map(o => bindOption(body, o, args.get(o.name.text)));
      if (options.includes(false) || !bindInput(body, definition, st, chain.shape)) return undefined;
      const value = readBody(body, definition);
      return (
        value && {
          op: { kind: 'formula', name: definition.name.text, params: body.params, body: value.of },
          shape: value.shape,
          path,
        }
      );
    },
  };
};
