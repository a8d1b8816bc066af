/** The block of a `network`: walks its statements, repetitions included, and builds the chain of layers. */
import type { Span } from '../diagnostics.ts';
import type { Rational } from '../ir/rational.ts';
import * as q from '../ir/rational.ts';
import type { ClauseWord, Expr, Statement } from '../parser/ast.ts';
import { shorten, suggest } from '../parser/suggest.ts';
import { layerElsewhere } from './elsewhere.ts';
import { RESIDUAL_CONV } from './resolve-conv.ts';
import { definitionRule } from './resolve-definition.ts';
import { type Chain, fits } from './resolve-layers.ts';
import { bindArgs, integerOf, rationalOf, type Scope, type Signature, show } from './resolve-scope.ts';
import { LAYER_STATEMENTS } from './resolve-statements.ts';

const MAX_LAYERS = 10_000;

const RESIDUAL: Readonly<Record<string, Signature>> = { conv: RESIDUAL_CONV };

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
        allowed.length > 0 ? `it takes ${allowed.map(a => `\`${a}\``).join(', ')}` : undefined,
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
  const args = bindArgs(scope, '`input`', st.span, st.args, { positional: ['shape'], required: ['shape'] });
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
  chain.input = { id: chain.nextId++, shape, ...(range ? { range } : {}), span: st.span };
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
  const value = rationalOf(chain.scope, e, 'the budget');
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
    ? bindArgs(scope, '`repeat`', st.span, st.args, { positional: ['count'], required: ['count'] })
    : undefined;
  const count = args && integerOf(scope, args.get('count')!, 'the count of `repeat`', 0, MAX_LAYERS);
  if (readable && refuseClauses(scope, st, []) && !st.body)
    scope.report('L0110', st.span, '`repeat` needs a block', 'write `repeat N { … }`');
  // With an unknown count the block is still read once, for its own errors.
  for (let i = 0; i < (count ?? 1) && body.length > 0 && !chain.stopped; i++) resolveBlock(chain, body, st.span.end);
  if (count === undefined) chain.shape = undefined;
};

/** Resolves the statements of a block that ends at `end`. */
export const resolveBlock = (chain: Chain, statements: readonly Statement[], end: number): void => {
  for (const [i, st] of statements.entries()) {
    if (chain.stopped) return;
    resolveStatement(chain, st, statements[i + 1]?.span.start ?? end);
  }
};

/** `until`: where the next statement begins. */
const resolveStatement = (chain: Chain, st: Statement, until: number): void => {
  const { scope } = chain;
  const name = st.name.text;
  chain.visited++;
  if (name !== 'repeat' && brokenIn(chain, st.span.start, until)) {
    // Its syntax error is reported; what is left of it would only mislead.
    chain.shape = undefined;
    chain.inputSeen ||= name === 'input';
    return;
  }
  if (chain.layers.length >= MAX_LAYERS || chain.visited > 4 * MAX_LAYERS) {
    scope.report(
      'L0115',
      st.span,
      `the network has more than ${MAX_LAYERS} layers here`,
      'lower the counts of `repeat`',
    );
    chain.stopped = true;
    return;
  }
  const key = st.residual ? `residual ${name}` : name;
  const definition = chain.definitions.get(key);
  const named = LAYER_NAMES.includes(name) || chain.definitions.has(name);
  if (st.residual && !definition && !Object.hasOwn(RESIDUAL, name) && named) {
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
  if (name === 'repeat') {
    resolveRepeat(chain, st, until);
    return;
  }
  if (st.body) scope.report('L0127', st.span, `\`${shorten(name)}\` takes no block`, 'only `repeat N { … }` does');
  if (name === 'input') {
    resolveInput(chain, st);
    return;
  }
  if (name === 'budget') {
    const args = bindArgs(scope, '`budget`', st.span, st.args, { positional: ['bound'], required: ['bound'] });
    if (refuseClauses(scope, st, []) && args) resolveBudget(chain, args.get('bound')!, st.span);
    return;
  }
  const rule = definition
    ? definitionRule(definition)
    : Object.hasOwn(LAYER_STATEMENTS, name)
      ? LAYER_STATEMENTS[name]
      : undefined;
  if (!rule) {
    const layers = [...chain.definitions.values()].filter(d => d.definition.form === 'layer');
    const known = [...LAYER_NAMES, ...layers.map(d => d.definition.name.text)];
    scope.report(
      'L0101',
      st.name.span,
      `there is no layer \`${shorten(name)}\``,
      layerElsewhere(name) ?? suggest(name, known),
    );
    chain.shape = undefined;
    return;
  }
  if (!chain.inputSeen && chain.broken.length === 0)
    chain.scope.report(
      'L0126',
      st.span,
      '`input` must come before the first layer',
      'write `input image[channels, height, width]` or `input x[features]` first',
    );
  if (chain.headSeen) scope.report('L0126', st.span, `\`${name}\` comes after \`head\`, which must be the last layer`);
  chain.headSeen ||= name === 'head';
  const clausesFit = refuseClauses(scope, st, rule.clauses ?? []);
  const owner = `\`${st.residual ? 'residual ' : ''}${name}\``;
  const args = bindArgs(scope, owner, st.span, st.args, st.residual && !definition ? RESIDUAL[name] : rule.signature);
  const made = clausesFit && args ? rule.apply(chain, st, args) : undefined;
  chain.shape = made?.shape;
  if (!made) return;
  const previous = chain.nextId - 1;
  chain.layers.push({
    id: chain.nextId++,
    inputs: [previous],
    op: made.op,
    shape: made.shape,
    path: made.path,
    span: st.span,
    ...(made.twist ? { twist: made.twist } : {}),
  });
};
