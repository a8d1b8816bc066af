/**
 * Definitions of the language, those of the library and those of the file. Each use of one is read with the sizes and options of that
 * use and becomes a formula in normal form, and that a layer of the network IR where it has the form of one.
 */
import type { Span } from '../../diagnostics.ts';
import { outputShape } from '../../ir/conv-geometry.ts';
import {
  type Atom,
  atomsOf,
  type DiagExpr,
  formulaParams,
  type Gram,
  gramsOf,
  type VectorExpr,
} from '../../ir/formula.ts';
import {
  type LayerOp,
  type Param,
  type Rescaling,
  rescalingParams,
  type Shape,
  type Twist,
  weightShape,
} from '../../ir/network.ts';
import { printGram } from '../../ir/print-formula.ts';
import type * as q from '../../ir/rational.ts';
import type { Condition, Definition, DefinitionStatement, FileNode, Statement } from '../../parser/ast.ts';
import { shorten, suggest } from '../../parser/suggest.ts';
import { isGap, proveDominance } from '../prove/prove-formula.ts';
import { refuseTwist } from '../prove/refuse-twist.ts';
import { decompose } from './decompose.ts';
import { axesOf, bindGram, bindInput, bindOption, declareParam, fanIn, unknownShape } from './definition-fields.ts';
import type { Body } from './formula-body.ts';
import * as v from './formula-value.ts';
import { hasPlainAdjoint, mapOf, recognise, rescalingOf } from './recognise.ts';
import { contraction, operatorBy } from './resolve-contraction.ts';
import { define, read } from './resolve-formula.ts';
import { type Chain, type KnownDefinition, type Made, nextPath, type Rule } from './resolve-layers.ts';
import { withStoredWeight } from './resolve-orthogonal.ts';
import { PRIMITIVE_METHODS, type RescalingRule, resolveRescaling, type Taken } from './resolve-rescaling.ts';
import { type Bound, bindArgs, type Scope, type Signature } from './resolve-scope.ts';
import { LAYER_STATEMENTS } from './resolve-statements.ts';
import { layerWith } from './suspect-layer.ts';

/** Words of a network that are no layers but cannot be defined as ones either. */
const RESERVED: readonly string[] = ['input', 'budget', 'repeat'];

/** What stands after `by` and is no definition. */
const TAKEN_METHODS: readonly string[] = [...PRIMITIVE_METHODS, 'max', 'mix', 'min', 'sqrt', 'floor'];

/** A layer, its residual form and a rescaling may have the same name. */
export const definitionKey = (d: Pick<Definition, 'form' | 'residual' | 'name'>): string =>
  `${d.form === 'rescaling' ? 'by ' : d.residual ? 'residual ' : ''}${d.name.text}`;

/** The definitions of the library and of a file by their keys, without those whose name is taken. */
export const checkDefinitions = (
  report: Scope['report'],
  file: FileNode,
  library: ReadonlyMap<string, KnownDefinition>,
): ReadonlyMap<string, KnownDefinition> => {
  const known = new Map(library);
  const starts = [...file.items, ...file.definitions].map(i => i.span.start);
  for (const d of file.definitions) {
    const key = definitionKey(d);
    const name = d.name.text;
    const builtin =
      d.form === 'rescaling'
        ? TAKEN_METHODS.includes(name)
        : Object.hasOwn(LAYER_STATEMENTS, name) || RESERVED.includes(name);
    if (builtin || library.has(key))
      report('L0106', d.name.span, `\`${name}\` is built in and cannot be defined again`, 'choose another name');
    else if (known.has(key)) report('L0106', d.name.span, `the ${d.form} \`${shorten(name)}\` is defined twice`);
    else {
      // Recovery may have cut the definition short: it reaches to whatever comes next.
      const end = Math.min(file.span.end, ...starts.filter(at => at > d.span.start));
      const whole = !file.broken.some(b => b.start >= d.span.start && b.start < end);
      known.set(key, { definition: d, whole });
    }
  }
  return known;
};

/** Whether a line counts; undefined after reporting that this cannot be told. */
const holds = (body: Body, when: Condition | undefined): boolean | undefined => {
  if (!when) return true;
  const { option, value } = when;
  const choice = body.names.get(option.text);
  if (choice?.kind !== 'word')
    return body.scope.report(
      'L0141',
      option.span,
      `\`when\` asks for the choice of an option, not ${choice ? v.describe(choice) : `\`${shorten(option.text)}\``}`,
      'declare the option as `bool` or `choice[…]`',
    );
  const wanted = value?.text ?? 'true';
  if (!choice.of.includes(wanted))
    return body.scope.report(
      'L0105',
      value?.span ?? option.span,
      `\`${option.text}\` is never \`${shorten(wanted)}\``,
      suggest(wanted, choice.of),
    );
  return choice.text === wanted;
};

const isReturn = (st: DefinitionStatement | undefined): boolean => st?.kind === 'return';

/** The value of `return`: of the first one whose condition holds. */
const readBody = (body: Body, definition: Definition, nameOf: (name: string) => string): v.Value | undefined => {
  const { scope } = body;
  const { body: statements, name } = definition;
  const early = statements.find((st, i) => isReturn(st) && statements.slice(i).some(later => !isReturn(later)));
  if (!isReturn(statements.at(-1)) || early)
    return scope.report(
      'L0140',
      early?.span ?? name.span,
      early ? `\`return\` must be the last line of a ${definition.form}` : `\`${shorten(name.text)}\` returns nothing`,
      'end the definition with `return` and a formula of its input',
    );
  for (const st of statements) {
    const counts = holds(body, st.when);
    if (counts === undefined) return undefined;
    switch (st.kind) {
      case 'param':
        // What follows an error would mostly repeat it.
        if (!declareParam(body, st.field, counts, nameOf)) return undefined;
        break;
      case 'let': {
        if (!counts) break;
        const value = read(body, st.value);
        if (!value) return undefined;
        define(body, st.name.text, st.name.span, value);
        break;
      }
      case 'return':
        if (counts) return read(body, st.value);
        break;
      default:
        st satisfies never;
    }
  }
  return scope.report('L0140', name.span, `\`${shorten(name.text)}\` returns nothing for these options`);
};

/** Options with a default are given by name; in a residual layer all are, for none of them is the size of its output. */
const signatureOf = ({ definition, whole }: KnownDefinition): Signature => {
  const required = definition.options.filter(o => !o.value).map(o => o.name.text);
  const names = definition.options.map(o => o.name.text);
  const positional = definition.residual ? [] : required;
  return {
    positional,
    options: names.filter(n => !positional.includes(n)),
    required: whole ? required : [],
  };
};

const bindOptions = (body: Body, { definition, library }: KnownDefinition, outer: Scope, args: Bound): boolean =>
  definition.options
    .map(field => {
      const expr = args.get(field.name.text);
      // What stands at the use is in terms of the network, a default in terms of the definition.
      if (expr) return bindOption(body, field, { expr, scope: outer, isDefault: false }, library === true);
      const { value } = field;
      return value !== undefined && bindOption(body, field, { expr: value, scope: body.scope, isDefault: true }, false);
    })
    .every(ok => ok);

/** A library's text is not the user's: what is wrong with a use of it is reported at that use. */
const reporterOf = (known: KnownDefinition, outer: Scope, st: Pick<Statement, 'span'>): Scope['report'] =>
  known.library ? (code, _, message, help, more) => outer.report(code, st.span, message, help, more) : outer.report;

/** Findings that depend on sizes. */
const OF_SIZES: readonly string[] = ['L0115', 'L0120', 'L0121', 'L0123', 'L0125', 'L0133', 'L0141'];

/** A layer for which a rescaling is read for its errors alone. */
const SAMPLE = {
  map: { kind: 'dense', out: 1, in: 1, weight: { path: 'W', shape: [1, 1], init: { kind: 'zeros' } } },
  form: 'linear',
  side: 'in',
  input: [1],
  output: [1],
  taken: [],
} as const;

const withoutSizes = (scope: Scope): Scope => ({
  ...scope,
  report: (code, ...rest) => (OF_SIZES.includes(code) ? undefined : scope.report(code, ...rest)),
});

/** What an orthogonal matrix is made from is stored, in place of the matrix. */
const stored = (op: LayerOp): LayerOp => {
  if ((op.kind !== 'linear' && op.kind !== 'residual') || op.rescaling.by !== 'orthogonal') return op;
  const { transposed: _, ...map } = op.map;
  const weight = { ...map.weight, shape: weightShape(op.map) };
  return { ...op, map: withStoredWeight({ ...map, weight }, op.rescaling) };
};

/** Whether T stands for an orthogonal matrix in the place of the weight. */
const replacesWeight = (d: DiagExpr): boolean => {
  switch (d.kind) {
    case 'chosen':
      return d.of === undefined;
    case 'max':
      return d.of.some(replacesWeight);
    case 'sum':
      return d.of.some(p => replacesWeight(p.part));
    case 'rowsum':
    case 'power':
    case 'norm':
      return false;
    default:
      return d satisfies never;
  }
};

const weightsOf = (a: Atom): readonly Param[] => {
  switch (a.kind) {
    case 'weight':
    case 'block':
      return [a.map.weight];
    case 'scaling':
      return [];
    case 'inverse':
      return gramsOf(a.of).map(g => g.map.weight);
    default:
      return a satisfies never;
  }
};

/** False after reporting a parameter that is used in two shapes, or two parameters of one name. */
const oneOfEach = (body: Body, value: VectorExpr): boolean => {
  const { scope, params } = body;
  for (const a of atomsOf(value)) {
    const weights = weightsOf(a);
    const other = weights.find(w => !params.includes(w));
    if (!other) continue;
    const name = other.path.slice(body.path.length + 1);
    scope.report(
      'L0141',
      a.span,
      `\`${name}\` is stored as what an orthogonal matrix is made from, so it can stand for nothing else`,
      'give the other use a parameter of its own',
    );
    return false;
  }
  const twice = params.find((p, i) => params.findIndex(o => o.path === p.path) < i);
  if (!twice || value.terms.length === 0) return true;
  scope.report(
    'L0106',
    value.terms[0].span,
    `this layer has two parameters \`${twice.path.slice(body.path.length + 1)}\``,
    'a scale `alpha` belongs to one orthogonal matrix: leave one of them out with `alpha = false`',
  );
  return false;
};

/** A definition at a use of it, before anything is read: no name stands for a thing yet. */
const unread = (
  known: KnownDefinition,
  outer: Scope,
  use: Pick<Statement, 'span'>,
  about: Pick<Body, 'path' | 'input' | 'chosen' | 'twisted'>,
): Body => {
  const numbers = new Map<string, q.Rational>();
  const names = new Map<string, v.Value>();
  const scope: Scope = {
    ...outer,
    report: reporterOf(known, outer, use),
    values: numbers,
    functions: new Map([['fan_in', fanIn(names)]]),
  };
  return { scope, numbers, names, options: new Map(), params: [], orthogonal: new Map(), ...about };
};

/** How a layer of the library or of the file is used. */
export const definitionRule = (known: KnownDefinition): Rule => {
  const { definition, whole, library } = known;
  const apply = (chain: Chain, st: Statement, args: Bound): Made | undefined => {
    const by = definition.by && (st.clauses.find(c => c.word === 'by')?.value ?? chain.defaultBy);
    const operator = library && definition.by ? operatorBy(by) : undefined;
    if (operator) return contraction(chain, st, args, operator);
    const path = nextPath(chain, definition.name.text);
    // What could not be read has its own diagnostic.
    if (!whole) return undefined;
    if (definition.by && !by)
      chain.scope.report(
        'L0130',
        st.name.span,
        `nothing says how \`${st.name.text}\` is rescaled`,
        'write `by sll` (or spectral, aol, orthogonal) here or after the name of the network',
      );
    const axes = axesOf(definition);
    const input: Shape = chain.shape ?? unknownShape(axes);
    const outer = chain.shape ? chain.scope : withoutSizes(chain.scope);
    let twist: Twist | undefined;
    const twisted = (t: Twist): void => {
      twist = t;
    };
    const rescalings = new Map<string, Rescaling | undefined>();
    const body: Body = unread(known, outer, st, {
      path,
      input,
      ...(library && { twisted }),
      ...(definition.by && {
        chosen: {
          name: definition.by.text,
          of: gram => {
            const at = JSON.stringify([gram.map.weight.path, gram.side]);
            if (!rescalings.has(at)) rescalings.set(at, by && choose(gram));
            return rescalings.get(at);
          },
        },
      }),
    });
    const choose = (gram: Gram): Rescaling | undefined => {
      const residual = definition.residual !== undefined;
      // The hidden units of a residual layer are the rows of its map.
      const turned = residual && gram.side === 'columns' && hasPlainAdjoint(gram.map);
      const map = mapOf({ map: gram.map, transposed: turned });
      const rescaling = resolveRescaling(outer, by!, {
        path,
        map,
        form: turned || (residual && gram.side === 'rows') ? 'residual' : 'linear',
        side: turned || gram.side === 'rows' ? 'out' : 'in',
        input,
        output: outputShape(map, input),
        taken: body.params.map(p => p.path.slice(path.length + 1)),
        twisted,
      });
      body.params.push(...(rescaling ? rescalingParams(rescaling) : []));
      return rescaling;
    };
    if (!bindOptions(body, known, outer, args) || !bindInput(body, definition, st, outer)) {
      // What `by` says is read all the same.
      if (by) resolveRescaling(withoutSizes(outer), by, { ...SAMPLE, path, twisted });
      return undefined;
    }
    const value = readBody(body, definition, name => name);
    if (!value || !chain.shape) return undefined;
    if (value.kind !== 'vector')
      return body.scope.report(
        'L0141',
        definition.body.at(-1)!.span,
        `a layer returns a vector or an image, not ${v.describe(value)}`,
      );
    if (!oneOfEach(body, value.of)) return undefined;
    // A parameter that the formula does not read, for these options, is none of the layer.
    const reads = new Set(formulaParams(value.of).map(p => p.path));
    const params = body.params.filter(p => reads.has(p.path));
    const recognised = recognise({ kind: 'formula', name: definition.name.text, params, body: value.of }, library);
    // A matrix that the definition itself makes orthogonal is stored as its family needs it already.
    const fromBy = 'rescaling' in recognised && [...rescalings.values()].includes(recognised.rescaling);
    const op = fromBy ? stored(recognised) : recognised;
    if (by && op.kind === 'formula' && atomsOf(op.body).some(a => a.kind === 'inverse' && replacesWeight(a.of)))
      return outer.report(
        'L0104',
        by.span,
        `an orthogonal matrix takes the place of a weight W only in W T^(-1/2) x + b and in x - 2 W T⁻¹ σ(Wᵀ x + b)`,
        'choose another rescaling, or write `cayley(W)` in the definition',
      );
    if (twist && op.kind === 'formula') {
      // No instance of it is known that could be searched for a counterexample.
      const { code, span, message, help } = refuseTwist(twist);
      return outer.report(code, span, message, help);
    }
    const steps = op.kind === 'formula' ? decompose(op, input) : undefined;
    const last = steps?.at(-1);
    if (steps && last)
      return { op: last.op, inputs: last.inputs, before: steps.slice(0, -1), shape: value.shape, path };
    return { op, shape: value.shape, path, ...(twist ? { twist } : {}) };
  };
  return { signature: signatureOf(known), ...(definition.by ? { clauses: ['by'] as const } : {}), apply };
};

/** `name`, or with a number behind it where that is taken. */
const untaken = (taken: Taken, name: string): string => {
  let free = name;
  for (let n = 1; taken.has(free); n++) free = `${name}${n}`;
  taken.add(free);
  return free;
};

/** How a rescaling of the library or of the file is used: what it returns must dominate the Gram matrix that it is given. */
export const rescalingRule = (known: KnownDefinition): RescalingRule => {
  const { definition, whole, library } = known;
  return (outer, t, taken, args, span) => {
    const bound = bindArgs(outer, `\`by ${definition.name.text}\``, span, args, signatureOf(known));
    if (!bound || !whole) return undefined;
    const body = unread(
      known,
      outer,
      { span },
      {
        path: t.path,
        input: t.input,
        ...(library && { twisted: t.twisted }),
      },
    );
    // The hidden units of a residual layer are the rows of its map.
    const gram: Gram = { map: t.map, side: t.form === 'residual' || t.side === 'out' ? 'rows' : 'columns' };
    if (!bindOptions(body, known, outer, bound) || !bindGram(body, definition, gram, span)) return undefined;
    const value = readBody(body, definition, name => untaken(taken, name));
    if (!value) return undefined;
    const end: Span = definition.body.at(-1)!.span;
    if (value.kind !== 'diagonal')
      return body.scope.report('L0141', end, `a rescaling returns a diagonal, not ${v.describe(value)}`);
    const rescaling = rescalingOf(value.of, gram);
    if (rescaling) return rescaling;
    const gap = proveDominance(value.of, gram, end);
    // The author gave the Gram matrix a name.
    const inTheirWords = (text: string): string => text.replaceAll(printGram(gram), definition.inputs[0].name.text);
    const labels = [{ span, text: `used here for ${t.path}` }];
    const suspect = layerWith(value.of, t, body.params, definition.name.text, span);
    const refused = { network: suspect.name, layers: [t.path] };
    return isGap(gap)
      ? body.scope.report(gap.code, gap.span, inTheirWords(gap.message), inTheirWords(gap.help), {
          labels,
          refused,
          suspect,
        })
      : body.scope.report(
          'L0203',
          end,
          'this diagonal dominates the Gram matrix, but is no maximum, mix or multiple of rescalings',
          'leave out the parts of a maximum that subtract, or that divide by other weights than they multiply with',
          { labels },
        );
  };
};
