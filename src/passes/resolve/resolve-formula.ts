/** Expressions of `layer` definitions: names, functions and arithmetic → values. */
import type { Help, Span } from '../../diagnostics.ts';
import * as f from '../../ir/formula.ts';
import type { LinearMap } from '../../ir/network.ts';
import {
  commutesWithTranspose,
  type MatrixMethod,
  makesKernel,
  ORTHOGONAL_FAMILIES,
  printOrthogonalCall,
} from '../../ir/orthogonal.ts';
import * as q from '../../ir/rational.ts';
import type { Arg, Expr } from '../../parser/ast.ts';
import { shorten, suggest } from '../../parser/suggest.ts';
import { type Body, type Call, given } from './formula-body.ts';
import { MAX_POWER_STEPS, powerFits, spectral } from './formula-norms.ts';
import * as v from './formula-value.ts';
import { diagonalOf } from './recognise.ts';
import { ACTIVATION_NAMES, activationFits, activationOf } from './resolve-layers.ts';
import { resolveOrthogonal, withStoredWeight } from './resolve-orthogonal.ts';
import { evaluate, integerOf, rationalOf } from './resolve-scope.ts';
import { exampleOf } from './usage.ts';

export const define = (body: Body, name: string, span: Span, value: v.Value): void => {
  if (
    body.names.has(name) ||
    name === body.chosen?.name ||
    Object.hasOwn(FUNCTIONS, name) ||
    ACTIVATION_NAMES.some(a => a === name)
  )
    body.scope.report('L0106', span, `\`${shorten(name)}\` has a meaning already`, 'choose another name');
  else {
    body.names.set(name, value);
    if (value.kind === 'scalar') body.numbers.set(name, value.value);
  }
};

const settle = (body: Body, value: v.Value | v.Mismatch, span: Span): v.Value | undefined =>
  'mismatch' in value ? body.scope.report('L0141', span, value.mismatch, value.help) : value;

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

/** The Gram matrix that a function of one is of. */
const gramOfOne = (body: Body, e: Call): f.Gram | undefined => {
  const all = values(body, e, 1, 1);
  return all && gramOf(body, e, all[0]);
};

const norm = (body: Body, e: Call, bound: f.NormBound): v.Value | undefined => {
  const gram = gramOfOne(body, e);
  return gram && { kind: 'diagonal', size: f.gramSize(gram), of: { kind: 'norm', gram, bound, span: e.span } };
};

/** T of the rescaling that `by` chose. */
const chosen = (body: Body, e: Call): v.Value | undefined => {
  const gram = noOptions(body, e) ? gramOfOne(body, e) : undefined;
  const rescaling = gram && body.chosen?.of(gram);
  if (!rescaling) return undefined;
  const of = diagonalOf(rescaling, gram, e.span);
  const diagonal: f.DiagExpr = { kind: 'chosen', gram, rescaling, ...(of ? { of } : {}), span: e.span };
  return { kind: 'diagonal', size: f.gramSize(gram), of: diagonal };
};

/** Families that make a matrix, each a function of a parameter. */
const MATRIX_FAMILIES: readonly string[] = ORTHOGONAL_FAMILIES.filter(f => f !== 'bcop' && f !== 'aoc');

/** `householder(W)`, `bjorck(W, steps = 20)`, …: options and defaults as after `by orthogonal`, but `cayley` has its scale `alpha` where it is asked for. */
const orthogonalised = (body: Body, e: Call): v.Value | undefined => {
  const { text: family, span } = e.callee;
  const all = values(body, e, 1, 1);
  if (!all) return undefined;
  const weight = v.matrixParameter(all[0], family);
  if ('mismatch' in weight) return settle(body, weight, e.span);
  // An option of the definition stands for the word that was given for it.
  const options = e.args
    .filter(a => a.name)
    .map((a): Arg => {
      const word = a.value.kind === 'name' ? body.names.get(a.value.name) : undefined;
      return word?.kind === 'word' ? { ...a, value: { kind: 'name', name: word.text, span: a.value.span } } : a;
    });
  const name = (text: string): Expr => ({ kind: 'name', name: text, span });
  const plain = family === 'cayley' && !options.some(a => a.name?.text === 'alpha');
  const args: readonly Arg[] = [
    { value: name(family), span },
    ...options,
    ...(plain ? [{ name: { text: 'alpha', span }, value: name('false'), span }] : []),
  ];
  // The parameter as it was declared, whatever has been made of it before.
  const target = { path: body.path, map: weight.map };
  const rescaling = resolveOrthogonal(body.scope, target, args, e.span);
  if (!rescaling || makesKernel(rescaling.method)) return undefined;
  const { method } = rescaling;
  if (weight.transposed && !commutesWithTranspose(method))
    return body.scope.report(
      'L0141',
      e.span,
      `what \`${family}\` makes of a transpose is not the transpose of what it makes`,
      `write \`${family}(…)ᵀ\``,
    );
  const key = printOrthogonalCall(method, weight.map.weight.path);
  const known = body.orthogonal.get(key) ?? storeOrthogonal(body, weight.map, method, e.span);
  if (!known) return undefined;
  body.orthogonal.set(key, known);
  const { rows, columns } = all[0] as Extract<v.Value, { kind: 'matrix' }>;
  const atom: f.Atom = { kind: 'weight', ...known, transposed: weight.transposed, span: e.span };
  return { kind: 'matrix', rows, columns, form: 'dense', factor: q.ONE, atoms: [atom] };
};

/** Puts what the matrix is made from in the place of the parameter, and its scale beside it. */
const storeOrthogonal = (
  body: Body,
  declared: LinearMap,
  method: MatrixMethod,
  span: Span,
): { readonly map: LinearMap; readonly orthogonal: MatrixMethod } | undefined => {
  const map = withStoredWeight(declared, { by: 'orthogonal', method });
  const at = body.params.indexOf(declared.weight);
  if (at >= 0) body.params[at] = map.weight;
  if (method.family !== 'cayley' || !method.alpha) return { map, orthogonal: method };
  const taken = (name: string): boolean => body.params.some(p => p.path === `${body.path}.${name}`);
  let name = 'alpha';
  for (let n = 1; taken(name); n++) name = `alpha${n}`;
  const alpha = { ...method.alpha, path: `${body.path}.${name}` };
  body.params.push(alpha);
  define(body, name, span, {
    kind: 'vector',
    shape: alpha.shape,
    of: f.leaf({ kind: 'param', param: alpha }, span),
  });
  return { map, orthogonal: { ...method, alpha } };
};

/** `first(Q, out)`, `last(Q, n)`. */
const columns = (body: Body, e: Call, part: 'first' | 'last'): v.Value | undefined => {
  const all = noOptions(body, e) ? values(body, e, 2, 2) : undefined;
  if (!all) return undefined;
  const size = integerOf(body.scope, e.args[1].value, 'the number of columns');
  return size === undefined ? undefined : settle(body, v.columnsOf(all[0], part, size, e.span), e.span);
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
  ...Object.fromEntries(MATRIX_FAMILIES.map(family => [family, orthogonalised])),
  exp: (body, e) => {
    const all = noOptions(body, e) ? values(body, e, 1, 1) : undefined;
    if (!all) return undefined;
    const [value] = all;
    const only = value.kind === 'vector' && value.of.terms.length === 1 ? value.of.terms[0] : undefined;
    const negative = only !== undefined && q.equal(only.coefficient, q.rational(-1));
    if (value.kind !== 'vector' || only?.of.kind !== 'param' || !(negative || q.equal(only.coefficient, q.ONE)))
      return body.scope.report('L0141', e.span, `\`exp\` takes a parameter vector, not ${v.describe(value)}`);
    const { param } = only.of;
    if (negative)
      return {
        kind: 'scaling',
        size: value.shape[0],
        of: { kind: 'scaling', squared: q.ONE, q: param, negative, span: e.span },
      };
    return { kind: 'positive', size: value.shape[0], of: { q: only.of.param, shift: q.ZERO } };
  },
  first: (body, e) => columns(body, e, 'first'),
  last: (body, e) => columns(body, e, 'last'),
  gershgorin: (body, e) => {
    const option = e.args.find(a => a.name?.text === 'steps');
    const all = noOptions(body, option ? { ...e, args: e.args.filter(a => a !== option) } : e)
      ? values(body, e, 1, 2)
      : undefined;
    const gram = all && gramOf(body, e, all[0]);
    if (!gram) return undefined;
    const size = f.gramSize(gram);
    const from = option && given(body, option.value);
    const steps = from ? integerOf(from.scope, from.expr, '`steps`', 1, MAX_POWER_STEPS) : 1;
    if (steps === undefined || (steps > 1 && !powerFits(gram, steps, from!))) return undefined;
    if (steps > 1)
      return all[1]
        ? from!.scope.report(
            'L0129',
            from!.expr.span,
            'powers of a Gram matrix take no weights',
            'leave one of them out',
          )
        : { kind: 'diagonal', size, of: { kind: 'power', gram, steps, span: e.span } };
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
    return { kind: 'diagonal', size: f.gramSize(gram), of };
  },
  spectral: (body, e) => spectral(body, e, () => gramOfOne(body, e)),
  frobenius: (body, e) => (noOptions(body, e) ? norm(body, e, { kind: 'frobenius' }) : undefined),
  schur: (body, e) => (noOptions(body, e) ? norm(body, e, { kind: 'schur' }) : undefined),
};

/** Why a smaller one of two diagonals, or a product of them, is no T. */
const NOT_DOMINATING: Readonly<Record<string, string>> = {
  min: 'the smaller of two diagonals need not dominate: use `max`, or a mixture `1/2 * a + 1/2 * b`',
  sqrt: 'a geometric mean of two diagonals need not dominate: use `max`, or a mixture `1/2 * a + 1/2 * b`',
};

/** Reports a function of numbers that is applied to diagonals or vectors; false where its arguments are numbers. */
const refusesNumeric = (body: Body, e: Call): boolean => {
  const name = e.callee.text;
  const inner = e.args.map(a => a.value);
  if (inner.some(a => isDiagonal(a)) && Object.hasOwn(NOT_DOMINATING, name)) {
    body.scope.report('L0141', e.span, `\`${name}\` takes numbers, and these are diagonals`, NOT_DOMINATING[name]);
    return true;
  }
  if (!inner.some(a => isVector(body, a))) return false;
  body.scope.report(
    'L0141',
    e.span,
    `\`${name}\` takes numbers, and this is a vector`,
    `elementwise functions are ${ACTIVATION_NAMES.join(', ')}`,
  );
  return true;
};

/** Whether diagonals are named in an expression. */
const isDiagonal = (e: Expr): boolean =>
  e.kind === 'binary'
    ? isDiagonal(e.left) || isDiagonal(e.right)
    : e.kind === 'call' && ['gershgorin', 'schur', 'spectral', 'frobenius', 'rowsum'].includes(e.callee.text);

/** The use of a function, as in `groupsort(4, x)`. */
const applied = (name: string): string => {
  const [, own] = exampleOf(name)?.split(' ') ?? [];
  return ACTIVATION_NAMES.some(a => a === name) ? `${name}(${own === undefined ? '' : `${own}, `}x)` : `${name}(…)`;
};

const isVector = (body: Body, e: Expr): boolean =>
  e.kind === 'name'
    ? body.names.get(e.name)?.kind === 'vector'
    : e.kind === 'call' && ACTIVATION_NAMES.some(a => a === e.callee.text);

/** The functions that there are; one of them in place of the name only where one letter differs, for another function is another map. */
const functionHelp = (name: string): Help => {
  const known = [...new Set([...Object.keys(FUNCTIONS), ...ACTIVATION_NAMES, 'max', ...NUMERIC])];
  const near = suggest(name, known);
  if (typeof near !== 'string' && name.length > 3 && Math.abs(near.to.length - name.length) <= 1) return near;
  if (['sin', 'cos'].includes(name))
    return `its slopes are [−1, 1]; the elementwise functions are ${ACTIVATION_NAMES.join(', ')}`;
  const own = Object.keys(FUNCTIONS).filter(f => f !== 'abs');
  return `elementwise functions are ${ACTIVATION_NAMES.join(', ')}; of matrices ${own.join(', ')}; of numbers max, ${NUMERIC.join(', ')}`;
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
    const act = option?.kind === 'activation' ? option.act : activationOf(body.scope, own, applied(name));
    const value = read(body, vectorArg.value);
    if (!act || !value) return undefined;
    const source = body.options.get(name);
    const [scope, at] = source && !source.isDefault ? [source.scope, source.expr.span] : [body.scope, e.span];
    if (value.kind === 'vector' && !activationFits(scope, act, value.shape[0], at)) return undefined;
    return settle(body, v.activate(act, value, e.span), e.span);
  }
  if (name === body.chosen?.name) return chosen(body, e);
  if (Object.hasOwn(FUNCTIONS, name)) return FUNCTIONS[name](body, e);
  if (name === 'max') {
    const all = values(body, e, 2, 16);
    if (!all || all.some(a => a.kind !== 'scalar')) return all && settle(body, v.largest(all, e.span), e.span);
  }
  if (NUMERIC.includes(name) && refusesNumeric(body, e)) return undefined;
  if (name === 'sqrt' && e.args.length === 1 && !e.args[0].name) {
    const of = evaluate(body.scope, e.args[0].value, 'this number');
    if (!of) return undefined;
    if (of.exact && of.exact.num > 0n && !q.exactSqrt(of.exact)) return { kind: 'root', squared: of.exact };
  }
  if (NUMERIC.includes(name) || name === 'max') {
    const value = rationalOf(body.scope, e, 'this number');
    return value && { kind: 'scalar', value };
  }
  if (ORTHOGONAL_FAMILIES.some(family => family === name))
    return body.scope.report(
      'L0103',
      e.callee.span,
      `\`${name}\` makes kernels, for which formulas have no function`,
      `write \`conv … by orthogonal(${name})\` where the layer is used`,
    );
  const [arg] = e.args;
  if (['transpose', 't'].includes(name.toLowerCase()) && e.args.length === 1) {
    const text = 'the transpose is written `ᵀ` or `^T`: `Wᵀ`, `W^T`';
    const help =
      arg.value.kind === 'name' ? { text, from: `${name}(${arg.value.name})`, to: `${arg.value.name}ᵀ` } : text;
    return body.scope.report('L0103', e.span, `there is no function \`${shorten(name)}\``, help);
  }
  return body.scope.report('L0103', e.callee.span, `there is no function \`${shorten(name)}\``, functionHelp(name));
};

/** Nodes of one formula. Those of papers have a few dozen. */
const MAX_SIZE = 1000;

/** The value of an expression, or undefined after reporting why it has none. */
export const read = (body: Body, e: Expr): v.Value | undefined => {
  const value = readAny(body, e);
  if (!value || v.sizeOf(value) <= MAX_SIZE) return value;
  return body.scope.report(
    'L0115',
    e.span,
    `written out, this formula has more than ${MAX_SIZE} parts`,
    'a `let` that uses the one before it twice doubles the formula: make several layers of it',
  );
};

const readAny = (body: Body, e: Expr): v.Value | undefined => {
  const { scope } = body;
  switch (e.kind) {
    case 'number': {
      const value = rationalOf(scope, e, 'this number');
      return value && { kind: 'scalar', value };
    }
    case 'name': {
      const value = body.names.get(e.name);
      if (value) return moved(value, e.span);
      if (Object.hasOwn(FUNCTIONS, e.name) || ACTIVATION_NAMES.some(a => a === e.name))
        return scope.report(
          'L0141',
          e.span,
          `\`${e.name}\` is a function, found without what it is of`,
          `write \`${applied(e.name)}\``,
        );
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
