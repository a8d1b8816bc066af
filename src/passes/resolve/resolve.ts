/** Names, constants and shapes: AST → network IR and recipes. */
import type { Diagnostic, Span } from '../../diagnostics.ts';
import type { Network } from '../../ir/network.ts';
import type { Rational } from '../../ir/rational.ts';
import * as q from '../../ir/rational.ts';
import type { CertifyRecipe, TrainRecipe } from '../../ir/recipe.ts';
import { libraryDefinitions } from '../../library.ts';
import { type Expr, type FileNode, type Item, isPipeline } from '../../parser/ast.ts';
import { parseExpression } from '../../parser/parse.ts';
import { shorten, suggest } from '../../parser/suggest.ts';
import { isLayer, resolveBlock, resolveBudget } from './resolve-block.ts';
import { refuseDead, refuseUnused } from './resolve-branches.ts';
import { checkDefinitions, definitionKey, rescalingRule } from './resolve-definition.ts';
import type { Chain, KnownDefinition } from './resolve-layers.ts';
import { resolveCertify, resolveTrain } from './resolve-recipes.ts';
import { flagFault, type RescalingRule } from './resolve-rescaling.ts';
import { createReporter, rationalOf, type Scope, show } from './resolve-scope.ts';
import { checkUnused } from './resolve-unused.ts';

export interface ResolveOptions {
  /** Values for parameters of the networks, as text: `{ width: '60' }`. */
  readonly set?: Readonly<Record<string, string>>;
  /** Rescaling method instead of the one in the header of each network, as text: `aol`. */
  readonly by?: string;
}

export interface Program {
  readonly networks: Network[];
  readonly trains: TrainRecipe[];
  readonly certifies: CertifyRecipe[];
  readonly diagnostics: Diagnostic[];
}

const START: Span = { start: 0, end: 0 };

/** Parses an option of the command line; its errors are reported at `span` of the file. */
const parseOption = (report: Scope['report'], text: string, what: string, span: Span): Expr | undefined => {
  const { expression, diagnostics } = parseExpression(text);
  if (expression) return moved(expression, span);
  return report('L0109', span, `${what}: ${diagnostics[0]?.message ?? 'not an expression'}`, diagnostics[0]?.help);
};

/** An expression that did not come from the file points at `span` in it. */
const moved = (e: Expr, span: Span): Expr => {
  switch (e.kind) {
    case 'number':
    case 'string':
    case 'name':
      return { ...e, span };
    case 'call':
      return {
        ...e,
        span,
        callee: { ...e.callee, span },
        args: e.args.map(a => ({
          ...a,
          span,
          value: moved(a.value, span),
          ...(a.name ? { name: { ...a.name, span } } : {}),
        })),
      };
    case 'tuple':
      return { ...e, span, args: e.args.map(a => ({ ...a, span, value: moved(a.value, span) })) };
    case 'typed':
      return { ...e, span, dims: e.dims.map(d => moved(d, span)) };
    case 'list':
      return { ...e, span, items: e.items.map(i => moved(i, span)) };
    case 'negate':
    case 'transpose':
      return { ...e, span, operand: moved(e.operand, span) };
    case 'binary':
      return { ...e, span, left: moved(e.left, span), right: moved(e.right, span) };
    default:
      return e satisfies never;
  }
};

/** Whether an option's value may be a number: no word that the network does not know, no text or list. */
const isNumber = (values: ReadonlyMap<string, Rational>, e: Expr): boolean =>
  e.kind === 'name' ? values.has(e.name) : !['string', 'list', 'typed', 'tuple', 'transpose'].includes(e.kind);

/** Values of the network's parameters: defaults, overridden by `--set`. A default may use the parameters before it. */
const parameterValues = (
  report: Scope['report'],
  item: Item,
  set: Readonly<Record<string, string>>,
): Map<string, Rational> => {
  const values = new Map<string, Rational>();
  const seen = new Set<string>();
  for (const p of item.params) {
    if (!p.name) {
      const help = p.value.kind === 'name' ? `write \`${p.value.name} = 1\`` : 'write `name = value`';
      report('L0110', p.span, 'a parameter of a network needs a name and a default value', help);
      continue;
    }
    const name = p.name.text;
    if (seen.has(name)) {
      report('L0106', p.span, `the parameter \`${shorten(name)}\` is defined twice`);
      continue;
    }
    seen.add(name);
    const override = Object.hasOwn(set, name) ? set[name] : undefined;
    const e = override === undefined ? p.value : parseOption(report, override, `--set ${name}`, p.span);
    const known = e && (override === undefined || isNumber(values, e));
    if (e && !known)
      report(
        'L0109',
        p.span,
        `--set ${name}: expected a number, found \`${shorten(override!)}\``,
        `write \`--set ${name}=60\``,
      );
    const value = known ? rationalOf({ report, values }, e, `the parameter \`${name}\``) : undefined;
    // A parameter in error counts as 1 from here on, so that its uses give no further errors.
    values.set(name, value ?? q.ONE);
  }
  return values;
};

/** What a parameter that is no size causes wherever it is used as one. */
const OUT_OF_RANGE: readonly Diagnostic['code'][] = ['L0112', 'L0115'];

/** Every name in an expression or statement, with its place. */
const namePlaces = (node: unknown, found: { readonly name: string; readonly span: Span }[] = []) => {
  if (typeof node !== 'object' || node === null) return found;
  if ('kind' in node && node.kind === 'name') found.push(node as Extract<Expr, { kind: 'name' }>);
  for (const value of Object.values(node)) namePlaces(value, found);
  return found;
};

/**
 * Of findings about numbers out of range, those that come from one parameter that is no whole number above 0: `known` for all but the
 * first of each parameter, which says all that there is to say.
 */
const blamer = (
  item: Item,
  values: ReadonlyMap<string, Rational>,
  set: Readonly<Record<string, string>>,
): ((span: Span) => { readonly known: boolean; readonly help: string } | undefined) => {
  const odd = new Set(
    [...values].filter(([, v]) => !q.isInteger(v) || v.num <= 0n || v.num > MAX_PLAUSIBLE).map(([n]) => n),
  );
  const places = odd.size > 0 ? namePlaces(item.body).filter(p => odd.has(p.name)) : [];
  const seen = new Map<string, Span>();
  return span => {
    const name = places.find(p => p.span.start >= span.start && p.span.end <= span.end)?.name;
    if (name === undefined) return undefined;
    const first = seen.get(name) ?? span;
    seen.set(name, first);
    const value = `\`${name}\` is ${show(values.get(name)!)}`;
    const help = Object.hasOwn(set, name)
      ? `${value} by \`--set\`: give it another value`
      : `${value} in the header of the network`;
    return { known: first !== span && (first.start !== span.start || first.end !== span.end), help };
  };
};

/** Larger ones are sizes of nothing. */
const MAX_PLAUSIBLE = 2n ** 28n;

let known: ReadonlyMap<string, KnownDefinition> | undefined;

const library = (): ReadonlyMap<string, KnownDefinition> => {
  known ??= new Map(
    libraryDefinitions().map(({ definition }) => [
      definitionKey(definition),
      { definition, whole: true, library: true },
    ]),
  );
  return known;
};

const rescalingsOf = (definitions: Chain['definitions']): ReadonlyMap<string, RescalingRule> =>
  new Map(
    [...definitions.values()]
      .filter(d => d.definition.form === 'rescaling')
      .map(d => [d.definition.name.text, rescalingRule(d)]),
  );

const resolveNetwork = (
  report: Scope['report'],
  file: FileNode,
  item: Item,
  until: number,
  options: ResolveOptions,
  definitions: Chain['definitions'],
): Network | undefined => {
  const values = parameterValues(report, item, options.set ?? {});
  const blame = blamer(item, values, options.set ?? {});
  let findings = 0;
  const counting: Scope['report'] = (code, span, message, help, more) => {
    findings++;
    const blamed = OUT_OF_RANGE.includes(code) ? blame(span) : undefined;
    if (blamed?.known) return undefined;
    return report(code, span, message, help ?? blamed?.help, more);
  };
  const scope: Scope = {
    report: counting,
    values,
    rescalings: rescalingsOf(definitions),
    isLayer: name => isLayer(definitions, name),
  };
  const header = item.clauses.find(c => c.word === 'by');
  const overridden =
    options.by === undefined ? undefined : parseOption(report, options.by, '--by', header?.span ?? item.name.span);
  const fault = overridden && flagFault(scope, overridden);
  if (fault) report('L0104', item.name.span, fault.message, fault.help);
  const chain: Chain = {
    scope,
    defaultBy: (fault ? undefined : overridden) ?? header?.value,
    definitions,
    layers: [],
    counters: new Map(),
    current: 0,
    shape: undefined,
    names: new Map(),
    subBudgets: [],
    broken: file.broken.filter(b => b.start >= item.span.start && b.start <= until),
    input: undefined,
    inputSeen: false,
    headSeen: false,
    budget: undefined,
    nextId: 0,
    visited: 0,
    stopped: false,
  };
  const words = new Set<string>();
  for (const c of item.clauses) {
    if (c.word !== 'by' && c.word !== 'budget')
      report('L0127', c.span, `\`network\` takes no \`${c.word}\``, 'it takes `by` and `budget`');
    else if (words.has(c.word)) report('L0106', c.span, `\`${c.word}\` is given twice`);
    else if (c.word === 'budget') resolveBudget(chain, c.value, c.span);
    words.add(c.word);
  }
  resolveBlock(chain, item.body ?? [], item.span.end);
  if (!chain.stopped) {
    refuseUnused(chain, new Map());
    // After other mistakes it is no news that values go unused.
    if (findings === 0 && chain.broken.length === 0) refuseDead(chain);
  }
  if (
    !chain.stopped &&
    (!chain.inputSeen || chain.layers.length === 0) &&
    chain.broken.length === 0 &&
    !(item.body ?? []).some(st => isPipeline(st) || !['input', 'budget', 'repeat'].includes(st.name.text))
  )
    report(
      'L0126',
      item.name.span,
      chain.inputSeen ? 'this network has no layers' : 'this network has no `input`',
      'a network is `input image[1, 28, 28]` and one layer per line',
    );
  if (!chain.input) return undefined;
  return {
    name: item.name.text,
    input: chain.input,
    layers: chain.layers,
    budget: chain.budget?.value ?? q.ONE,
    ...(chain.subBudgets.length > 0 && { subBudgets: chain.subBudgets }),
    span: item.name.span,
  };
};

/**
 * Gives names their meaning. `networks`, `trains` and `certifies` are in the order of the file and complete exactly when `diagnostics`
 * (codes L01xx) is empty; with diagnostics they must not be used. Never throws.
 */
export const resolve = (file: FileNode, options: ResolveOptions = {}): Program => {
  const diagnostics: Diagnostic[] = [];
  const report = createReporter(diagnostics);
  const program: Program = { networks: [], trains: [], certifies: [], diagnostics };
  // Parts were left out on purpose, and names may be missing because of that alone.
  if (file.incomplete) return program;

  const networks = new Map<string, Item>();
  for (const item of file.items) {
    if (item.keyword !== 'network') continue;
    if (networks.has(item.name.text))
      report('L0106', item.name.span, `the network \`${shorten(item.name.text)}\` is defined twice`);
    else networks.set(item.name.text, item);
  }
  const first = [...networks.values()][0];
  const where = first?.name.span ?? START;
  const parameters = [...networks.values()].flatMap(n => n.params.flatMap(p => (p.name ? [p.name.text] : [])));
  for (const name of Object.keys(options.set ?? {}))
    if (!parameters.includes(name))
      report('L0109', where, `--set ${shorten(name)}: no network has such a parameter`, suggest(name, parameters));

  const definitions = checkDefinitions(report, file, library());
  checkUnused({ report, rescalings: rescalingsOf(definitions) }, file, definitions);
  const names = [...networks.keys()];
  const hasHead = new Map<string, boolean>();
  for (const [i, item] of file.items.entries()) {
    const until = file.items[i + 1]?.span.start ?? file.span.end;
    switch (item.keyword) {
      case 'network': {
        const before = diagnostics.length;
        const network = resolveNetwork(report, file, item, until, options, definitions);
        if (network) program.networks.push(network);
        if (network && diagnostics.length === before)
          hasHead.set(network.name, network.layers.at(-1)?.op.kind === 'head');
        break;
      }
      case 'train': {
        const recipe = resolveTrain({ report, values: new Map() }, item, names, file.broken);
        if (recipe) program.trains.push(recipe);
        break;
      }
      case 'certify': {
        const recipe = resolveCertify({ report, values: new Map() }, item, names);
        if (recipe) program.certifies.push(recipe);
        break;
      }
      default:
        item.keyword satisfies never;
    }
  }
  if (networks.size === 0 && file.broken.length === 0 && diagnostics.length === 0)
    report(
      'L0007',
      START,
      'there is no network in this file',
      'begin with `network Name by sll { input image[1, 28, 28] … }`, as in examples/mnist.lip',
    );
  for (const recipe of [...program.trains, ...program.certifies])
    if (file.broken.length === 0 && hasHead.get(recipe.network) === false)
      report(
        'L0131',
        recipe.span,
        `\`${recipe.network}\` cannot be trained or certified as a classifier: it has no \`head\``,
        'end the network with `head 10`',
      );
  return program;
};
