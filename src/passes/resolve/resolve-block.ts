/** The block of a `network`: walks its statements, repetitions included, and builds the chain of layers. */
import type { Help, Span } from '../../diagnostics.ts';
import type { ValueId } from '../../ir/network.ts';
import type { Rational } from '../../ir/rational.ts';
import * as q from '../../ir/rational.ts';
import {
  type Clause,
  type ClauseWord,
  type Entry,
  type Expr,
  isPipeline,
  type Pipeline,
  type Statement,
} from '../../parser/ast.ts';
import { shorten, suggest } from '../../parser/suggest.ts';
import { layerElsewhere } from './elsewhere.ts';
import { IT, isCombination, isValueName, nameValue, readValue, refuseUnused, splitValues } from './resolve-branches.ts';
import { CONV_OPTIONS } from './resolve-conv.ts';
import { definitionRule } from './resolve-definition.ts';
import { type Chain, fits } from './resolve-layers.ts';
import { BUDGET, bindArgs, integerOf, rationalOf, type Scope, show } from './resolve-scope.ts';
import { LAYER_STATEMENTS } from './resolve-statements.ts';
import { exampleOf } from './usage.ts';

const MAX_LAYERS = 10_000;

const LAYER_NAMES = [...Object.keys(LAYER_STATEMENTS), 'input', 'budget', 'repeat'];

const refuseClauses = (scope: Scope, st: Statement, allowed: readonly ClauseWord[]): boolean => {
  let ok = true;
  const seen = new Set<ClauseWord>();
  for (const c of st.clauses) {
    if (!allowed.includes(c.word)) {
      ok = false;
      scope.report(
        'L0127',
        c.span,
        `\`${st.name.text}\` takes no \`${c.word}\``,
        st.name.text === 'head' && c.word === 'by'
          ? 'the rows of `head` are normalised one by one, which needs no method: leave it out'
          : allowed.length > 0
            ? `it takes ${allowed.map(a => `\`${a}\``).join(', ')}`
            : undefined,
      );
    } else if (seen.has(c.word)) {
      ok = false;
      scope.report('L0106', c.span, `\`${c.word}\` is given twice`);
    }
    seen.add(c.word);
  }
  return ok;
};

const resolveInput = (chain: Chain, st: Statement): void => {
  const { scope } = chain;
  const late = chain.layers.length > 0;
  if (chain.inputSeen || late) {
    scope.report('L0126', st.span, chain.inputSeen ? 'a network has one `input`' : '`input` comes before all layers');
    return;
  }
  chain.inputSeen = true;
  if (!refuseClauses(scope, st, ['in'])) return;
  const args = bindArgs(scope, '`input`', st.span, st.args, {
    positional: ['shape'],
    required: ['shape'],
    example: exampleOf('input'),
  });
  const e = args?.get('shape');
  if (!e) return;
  const wanted = 'write `input image[channels, height, width]` or `input x[features]`';
  if (e.kind !== 'typed') {
    scope.report('L0111', e.span, '`input` needs a shape', wanted);
    return;
  }
  const isImage = e.type.text === 'image';
  if (e.dims.length !== (isImage ? 3 : 1)) {
    scope.report(
      'L0111',
      e.span,
      isImage ? `an image has 3 sizes, found ${e.dims.length}` : `a vector has 1 size, found ${e.dims.length}`,
      wanted,
    );
    return;
  }
  const dims = e.dims.map((d, i) =>
    integerOf(scope, d, isImage ? ['the number of channels', 'the height', 'the width'][i] : 'the number of features'),
  );
  const shape = dims.filter(d => d !== undefined);
  if (shape.length < dims.length || !fits(chain, e.span, 'the input', shape)) return;
  const clause = st.clauses.find(c => c.word === 'in');
  const range = clause && rangeOf(scope, clause.value);
  if (clause && !range) return;
  chain.shape = shape;
  chain.current = chain.nextId++;
  chain.input = { id: chain.current, shape, ...(range ? { range } : {}), span: st.span };
  chain.names.set(e.type.text, { id: chain.current, shape, used: true });
};

const rangeOf = (scope: Scope, e: Expr): readonly [Rational, Rational] | undefined => {
  if (e.kind !== 'list' || e.items.length !== 2)
    return scope.report('L0111', e.span, 'the range of the input is a list of two numbers', 'write `in [0, 1]`');
  const [low, high] = e.items.map(i => rationalOf(scope, i, 'the range of the input'));
  if (!low || !high) return undefined;
  return q.compare(low, high) < 0
    ? [low, high]
    : scope.report('L0112', e.span, `the range of the input is empty: ${show(low)} is not below ${show(high)}`);
};

/** `budget 1`, as a statement or in the header of a network. */
export const resolveBudget = (chain: Chain, e: Expr, span: Span): void => {
  if (chain.budget) {
    chain.scope.report('L0106', span, 'the budget is given twice');
    return;
  }
  const value = rationalOf(chain.scope, e, BUDGET);
  if (!value) return;
  if (value.num <= 0n) chain.scope.report('L0112', e.span, `the budget must be positive, found ${show(value)}`);
  else chain.budget = { value, span };
};

/** Whether the text between two offsets could not be read in full. */
const brokenIn = (chain: Chain, from: number, to: number): boolean =>
  chain.broken.some(b => b.start >= from && b.start < to);

const resolveRepeat = (chain: Chain, st: Statement, until: number): void => {
  const { scope } = chain;
  const body = st.body ?? [];
  // A header that could not be read has its own diagnostic.
  const readable = !brokenIn(chain, st.span.start, body[0]?.span.start ?? until);
  const args = readable
    ? bindArgs(scope, '`repeat`', st.span, st.args, {
        positional: ['count'],
        required: ['count'],
        example: exampleOf('repeat'),
      })
    : undefined;
  const count = args && integerOf(scope, args.get('count')!, 'the count of `repeat`', 0, MAX_LAYERS);
  if (readable && refuseClauses(scope, st, []) && !st.body)
    scope.report('L0110', st.span, '`repeat` needs a block', 'write `repeat N { … }`');
  // With an unknown count the block is still read once, for its own errors.
  for (let i = 0; i < (count ?? 1) && body.length > 0 && !chain.stopped; i++) {
    // What is named inside is known inside.
    const outside = chain.names;
    chain.names = new Map(outside);
    resolveBlock(chain, body, st.span.end);
    refuseUnused(chain, outside);
    chain.names = outside;
  }
  if (count === undefined) chain.shape = undefined;
};

/** Resolves the entries of a block that ends at `end`. */
export const resolveBlock = (chain: Chain, entries: readonly Entry[], end: number): void => {
  for (const [i, entry] of entries.entries()) {
    if (chain.stopped) return;
    resolveEntry(chain, entry, entries[i + 1]?.span.start ?? end);
  }
};

/** `until`: where the next entry begins. */
const resolveEntry = (chain: Chain, entry: Entry, until: number): void => {
  chain.visited++;
  const repeats = !isPipeline(entry) && entry.name.text === 'repeat';
  if (!repeats && brokenIn(chain, entry.span.start, until)) {
    // Its syntax error is reported; what is left of it would only mislead.
    if (!isPipeline(entry)) chain.inputSeen ||= entry.name.text === 'input';
    for (const { text } of (isPipeline(entry) && entry.names) || [])
      chain.names.set(text, { id: chain.current, shape: undefined, used: true });
    if (!isPipeline(entry) || !entry.names) chain.shape = undefined;
    return;
  }
  if (chain.layers.length >= MAX_LAYERS || chain.visited > 4 * MAX_LAYERS) {
    chain.scope.report(
      'L0115',
      entry.span,
      `the network has more than ${MAX_LAYERS} layers here`,
      'lower the counts of `repeat`',
    );
    chain.stopped = true;
    return;
  }
  if (isPipeline(entry)) resolvePipeline(chain, entry);
  else if (entry.name.text === 'repeat') resolveRepeat(chain, entry, until);
  else if (makesValue(chain, entry)) resolvePipeline(chain, { ...entry, stages: [entry] });
  else resolveStatement(chain, entry);
};

const layerNames = (chain: Chain): readonly string[] => [...LAYER_NAMES, ...chain.definitions.keys()];
export const isLayer = (definitions: Chain['definitions'], name: string): boolean =>
  LAYER_NAMES.includes(name) || definitions.get(name)?.definition.form === 'layer';

/** Whether a statement, as `a` or `mix(a, b, 1/2)`, is a value and no layer. */
const makesValue = (chain: Chain, { name: { text } }: Statement): boolean =>
  !isLayer(chain.definitions, text) && (isValueName(chain, text) || isCombination(text));

/** A statement that makes a value, as an expression. */
const valueExpr = (chain: Chain, st: Statement): Expr | undefined => {
  const { name, args } = st;
  const form = st.residual ?? st.transposed;
  if (form) return chain.scope.report('L0128', form, `there is no such form of \`${shorten(name.text)}\``);
  if (isCombination(name.text)) return { kind: 'call', callee: name, args, span: st.span };
  if (args.length === 0) return { kind: 'name', name: name.text, span: name.span };
  return chain.scope.report(
    'L0110',
    st.span,
    `\`${shorten(name.text)}\` is a value and takes no arguments`,
    'in a sum, put spaces on both sides of the sign: `a - b`',
  );
};

/** The bound that stands behind a pipeline, and what is left of its last stage. */
const budgetOf = (chain: Chain, clauses: readonly Clause[]): { readonly bound?: Rational; readonly span?: Span } => {
  for (const c of clauses)
    if (c.word !== 'budget') chain.scope.report('L0127', c.span, `a value takes no \`${c.word}\``, 'it takes `budget`');
  const [first, second] = clauses.filter(c => c.word === 'budget');
  if (second) chain.scope.report('L0106', second.span, '`budget` is given twice');
  if (!first) return {};
  const bound = rationalOf(chain.scope, first.value, BUDGET);
  if (bound && bound.num <= 0n) {
    chain.scope.report('L0112', first.value.span, `the budget must be positive, found ${show(bound)}`);
    return {};
  }
  return bound ? { bound, span: first.span } : {};
};

/** Reports what stands behind a value that goes on: a bound there would be read as one of the whole line. */
const refuseBehind = (chain: Chain, clauses: readonly Clause[], what: string, help: string): void => {
  for (const c of clauses) chain.scope.report('L0127', c.span, `${what} takes no \`${c.word}\``, help);
};

/** Goes on with the value that a pipeline makes, or names it. */
const resolvePipeline = (chain: Chain, p: Omit<Pipeline, 'span'> & { readonly span: Span }): void => {
  const { scope } = chain;
  if (needsInput(chain, p.span)) return;
  const before = { id: chain.current, shape: chain.shape };
  const fail = (): void => {
    chain.shape = undefined;
  };
  let { source, clauses } = p;
  const stages = [...p.stages];
  if (!source && makesValue(chain, stages[0])) {
    const first = stages.shift()!;
    source = valueExpr(chain, first);
    clauses = first.clauses;
    if (!source) fail();
  }
  const names = p.names ?? [];
  if (names.length > 1) {
    const [stage] = stages;
    if (stage)
      scope.report(
        'L0127',
        stage.span,
        'the parts of a split take no layers together',
        'give each part a line of its own',
      );
    refuseBehind(
      chain,
      clauses,
      'a split',
      'a part of a value keeps its bound; give a `budget` to what is made of the parts',
    );
    const parts = splitValues(chain, source!, names.length);
    for (const [i, name] of names.entries()) nameValue(chain, name, parts[i], layerNames(chain));
    return;
  }
  const value = source && readValue(chain, source);
  if (value) {
    chain.current = value.id;
    chain.shape = value.shape;
  } else if (source) fail();
  const from = startOf(chain, source) ?? before.id;
  const last = stages.at(-1);
  const own = last ? last.clauses.filter(c => c.word === 'budget') : clauses;
  if (last) {
    refuseBehind(
      chain,
      clauses,
      'a value that goes through layers',
      '`budget` stands at the end of the line; to bound the value itself, name it by a line of its own',
    );
    stages[stages.length - 1] = { ...last, clauses: last.clauses.filter(c => c.word !== 'budget') };
  }
  for (const stage of stages) {
    if (names.length > 0 && stage.name.text === 'head')
      scope.report('L0126', stage.span, '`head` must be the last layer of the network, and cannot be named');
    else if (['input', 'budget', 'repeat'].includes(stage.name.text)) {
      scope.report(
        'L0126',
        stage.span,
        `\`${stage.name.text}\` is no layer that a value goes through`,
        'write it on a line of its own',
      );
      fail();
    } else resolveStatement(chain, stage);
  }
  const { bound, span } = budgetOf(chain, own);
  if (bound && span && chain.shape)
    chain.subBudgets.push({
      name: names[0]?.text ?? chain.layers.at(-1)?.path ?? IT,
      from,
      to: chain.current,
      bound,
      span,
    });
  if (names.length === 0) return;
  nameValue(chain, names[0], { id: chain.current, shape: chain.shape }, layerNames(chain));
  chain.current = before.id;
  chain.shape = before.shape;
};

/** The value a budget counts from: the one that the pipeline begins with, or the network's input where it begins with several. */
const startOf = (chain: Chain, source: Expr | undefined): ValueId | undefined =>
  source?.kind === 'name' ? chain.current : source && chain.input?.id;

/** Reports a layer without an input. */
const needsInput = (chain: Chain, span: Span): boolean => {
  if (chain.inputSeen) return false;
  if (chain.broken.length === 0)
    chain.scope.report(
      'L0126',
      span,
      '`input` must come before the first layer',
      'write `input image[channels, height, width]` or `input x[features]` first',
    );
  return true;
};

/** Options of layers, which behind `dense 64, ` begin a statement where their `=` is missing. */
const OPTION_NAMES: readonly string[] = [...CONV_OPTIONS, 'bias', 'side', 'act', 'eps', 'pairs', 'inverse'];

/** Layers to remind of; `lip explain` has the others. */
const FREQUENT = 'dense, conv, residual, relu, maxmin, groupsort, center, pad, avgpool, maxpool, flatten, head';

const helpForLayer = (chain: Chain, st: Statement): Help => {
  const name = st.name.text;
  const [arg] = st.args;
  if (OPTION_NAMES.includes(name) && arg && !arg.name)
    return `\`${name}\` is an option of layers: write \`${name} = …\` behind the layer, on its line`;
  const elsewhere = layerElsewhere(name);
  if (elsewhere !== undefined) return elsewhere;
  const layers = [...chain.definitions.values()].filter(d => d.definition.form === 'layer');
  const own = [...new Set([...layers.filter(d => !d.library).map(d => d.definition.name.text), ...chain.names.keys()])];
  const known = [...new Set([...LAYER_NAMES, ...layers.map(d => d.definition.name.text), ...own])];
  const near = suggest(name, known);
  if (typeof near !== 'string') return near;
  return `the usual ones are ${FREQUENT}${own.length > 0 ? `; named in this file: ${own.join(', ')}` : ''}; README.md lists all`;
};

const resolveStatement = (chain: Chain, st: Statement): void => {
  const { scope } = chain;
  const name = st.name.text;
  const key = `${st.residual ? 'residual ' : st.transposed ? 'transposed ' : ''}${name}`;
  const definition = chain.definitions.get(key);
  if (st.residual && !definition && isLayer(chain.definitions, name)) {
    scope.report(
      'L0128',
      st.residual,
      `there is no residual form of \`${name}\``,
      'residual layers are `residual dense` and `residual conv`',
    );
    chain.shape = undefined;
    return;
  }
  if (st.transposed && name !== 'conv') {
    scope.report(
      'L0128',
      st.transposed,
      `there is no transposed form of \`${shorten(name)}\``,
      'write `transposed conv N`',
    );
    chain.shape = undefined;
    return;
  }
  if (st.body) scope.report('L0127', st.span, `\`${shorten(name)}\` takes no block`, 'only `repeat N { … }` does');
  if (name === 'input') {
    resolveInput(chain, st);
    return;
  }
  if (name === 'budget') {
    const args = bindArgs(scope, '`budget`', st.span, st.args, {
      positional: ['bound'],
      required: ['bound'],
      example: exampleOf('budget'),
    });
    if (refuseClauses(scope, st, []) && args) resolveBudget(chain, args.get('bound')!, st.span);
    return;
  }
  const rule = definition
    ? definitionRule(definition)
    : Object.hasOwn(LAYER_STATEMENTS, name)
      ? LAYER_STATEMENTS[name]
      : undefined;
  if (!rule) {
    scope.report('L0101', st.name.span, `there is no layer \`${shorten(name)}\``, helpForLayer(chain, st));
    chain.shape = undefined;
    return;
  }
  needsInput(chain, st.span);
  if (chain.headSeen)
    scope.report(
      'L0126',
      st.span,
      `\`${name}\` comes after \`head\`, which must be the last layer`,
      'move it before `head`: certified radii are about the logits that `head` makes',
    );
  chain.headSeen ||= name === 'head';
  const clausesFit = refuseClauses(scope, st, rule.clauses ?? []);
  const owner = `\`${key}\``;
  const read = st.args.find(a => !a.name && a.value.kind === 'name' && isValueName(chain, a.value.name));
  if (read?.value.kind === 'name') {
    const value = read.value.name;
    const others = st.args.length > 1 ? ' …' : '';
    scope.report(
      'L0110',
      read.span,
      `${owner} takes the value so far, not one in brackets`,
      `write \`${value} |> ${key}${others}\``,
    );
    chain.shape = undefined;
    return;
  }
  const args = bindArgs(scope, owner, st.span, st.args, { ...rule.signature, example: exampleOf(key) });
  const made = clausesFit && args ? rule.apply(chain, st, args) : undefined;
  chain.shape = made?.shape;
  if (!made) return;
  const ids = [chain.current];
  for (const [n, step] of (made.before ?? []).entries()) {
    const inner = chain.nextId++;
    const inputs = step.inputs.map(i => ids[i]);
    chain.layers.push({ ...step, id: inner, inputs, path: `${made.path}.${n + 1}`, span: st.span });
    ids.push(inner);
  }
  const id = chain.nextId++;
  chain.layers.push({
    id,
    inputs: (made.inputs ?? [0]).map(i => ids[i]),
    op: made.op,
    shape: made.shape,
    path: made.path,
    span: st.span,
    ...(made.twist ? { twist: made.twist } : {}),
  });
  chain.current = id;
};
