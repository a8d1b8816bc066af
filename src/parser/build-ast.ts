/** Concrete syntax tree → AST. Recovery may leave any child out, so every child is optional here; a node that lacks its core is dropped. */
import type { CstElement, CstNode, IToken } from 'chevrotain';
import type { Span } from '../diagnostics.ts';
import { parseDecimal, ZERO } from '../ir/rational.ts';
import type {
  Arg,
  BinaryOperator,
  Clause,
  ClauseWord,
  Condition,
  Definition,
  DefinitionStatement,
  Entry,
  Expr,
  Field,
  Item,
  ItemKeyword,
  Name,
  Statement,
} from './ast.ts';

const isNode = (e: CstElement): e is CstNode => 'children' in e;
const nodes = (c: CstNode, key: string): CstNode[] => (c.children[key] ?? []).filter(isNode);
const tokens = (c: CstNode, key: string): IToken[] =>
  (c.children[key] ?? []).filter((e): e is IToken => !isNode(e) && !e.isInsertedInRecovery && e.image !== '');

const tokenSpan = (t: IToken): Span => ({ start: t.startOffset, end: t.endOffset! + 1 });
const nameOf = (t: IToken): Name => ({ text: t.image, span: tokenSpan(t) });
const join = (a: Span, b: Span): Span => ({ start: Math.min(a.start, b.start), end: Math.max(a.end, b.end) });
const joinAll = (first: Span, rest: readonly (Span | undefined)[]): Span =>
  rest.reduce<Span>((a, b) => (b ? join(a, b) : a), first);

const present = <T>(x: T | undefined): x is T => x !== undefined;

/** From the first to the last token of a node that recovery left whole. */
const nodeSpan = (c: CstNode): Span | undefined => {
  const l = c.location;
  return l && Number.isFinite(l.startOffset) && Number.isFinite(l.endOffset)
    ? { start: l.startOffset, end: l.endOffset! + 1 }
    : undefined;
};

/** Left-associative chain of operands and operators, in order of their text. */
const chain = (c: CstNode, build: (n: CstNode) => Expr | undefined): Expr | undefined => {
  const operands = nodes(c, 'operand');
  const operators = tokens(c, 'operator');
  let left = operands[0] && build(operands[0]);
  for (let i = 0; left && i < operators.length; i++) {
    const right = operands[i + 1] && build(operands[i + 1]);
    if (!right) return left;
    const op = (operators[i].image === '\u2212' ? '-' : operators[i].image) as BinaryOperator;
    left = { kind: 'binary', op, left, right, span: join(left.span, right.span) };
  }
  return left;
};

export const buildExpression = (c: CstNode): Expr | undefined => chain(c, product);
const product = (c: CstNode): Expr | undefined => chain(c, factor);

const factor = (c: CstNode): Expr | undefined => {
  let e = atom(c);
  const transposes = tokens(c, 'Transpose');
  if (e && transposes.length % 2 === 1)
    e = { kind: 'transpose', operand: e, span: join(e.span, tokenSpan(transposes[transposes.length - 1])) };
  const minuses = tokens(c, 'Minus');
  // An even number of signs cancels; one node per pair would only make the tree deep.
  if (e && minuses.length % 2 === 1) e = { kind: 'negate', operand: e, span: join(tokenSpan(minuses[0]), e.span) };
  return e;
};

const atom = (c: CstNode): Expr | undefined => {
  const number = tokens(c, 'Number')[0];
  if (number)
    // A number that is too long to read has its own diagnostic.
    return { kind: 'number', value: parseDecimal(number.image) ?? ZERO, text: number.image, span: tokenSpan(number) };
  const string = tokens(c, 'String')[0];
  if (string) return { kind: 'string', value: string.image.slice(1, -1), span: tokenSpan(string) };
  const reference = nodes(c, 'reference')[0];
  if (reference) return buildReference(reference);
  const list = nodes(c, 'list')[0];
  if (list) {
    const span = nodeSpan(list);
    return span && { kind: 'list', items: listItems(list), span };
  }
  const tuple = nodes(c, 'tuple')[0];
  if (!tuple) return undefined;
  const args = tupleArgs(tuple);
  const span = nodeSpan(tuple);
  if (!span) return undefined;
  if (args.length !== 1 || args[0].name) return { kind: 'tuple', args, span };
  // What is replaced is replaced with its parentheses.
  return { ...args[0].value, span };
};

const listItems = (c: CstNode): Expr[] => nodes(c, 'expression').map(buildExpression).filter(present);
const tupleArgs = (c: CstNode): Arg[] => nodes(c, 'args').flatMap(buildArgs);

const buildReference = (c: CstNode): Expr | undefined => {
  const token = tokens(c, 'name')[0];
  if (!token) return undefined;
  const name = nameOf(token);
  const tuple = nodes(c, 'tuple')[0];
  if (tuple) return { kind: 'call', callee: name, args: tupleArgs(tuple), span: joinAll(name.span, [nodeSpan(tuple)]) };
  const list = nodes(c, 'list')[0];
  if (list) return { kind: 'typed', type: name, dims: listItems(list), span: joinAll(name.span, [nodeSpan(list)]) };
  return { kind: 'name', name: name.text, span: name.span };
};

const buildArgs = (c: CstNode): Arg[] =>
  nodes(c, 'arg')
    .map((a): Arg | undefined => {
      const value = nodes(a, 'expression').map(buildExpression)[0];
      if (!value) return undefined;
      const token = tokens(a, 'name')[0];
      if (!token) return { value, span: value.span };
      const name = nameOf(token);
      return { name, value, span: join(name.span, value.span) };
    })
    .filter(present);

const buildClauses = (c: CstNode): Clause[] =>
  nodes(c, 'clause')
    .map((cl): Clause | undefined => {
      const word = tokens(cl, 'word')[0];
      const value = nodes(cl, 'expression').map(buildExpression)[0];
      if (!word || !value) return undefined;
      const wordSpan = tokenSpan(word);
      return { word: word.image as ClauseWord, wordSpan, value, span: join(wordSpan, value.span) };
    })
    .filter(present);

const buildBlock = (c: CstNode): Entry[] =>
  nodes(c, 'line')
    .flatMap(l => nodes(l, 'entry'))
    .map(buildEntry)
    .filter(present);

const buildEntry = (c: CstNode): Entry | undefined => {
  const statement = nodes(c, 'statement')[0];
  if (statement) {
    const first = buildStatement(statement);
    const rest = buildStages(statement);
    if (!first || rest.length === 0) return first;
    return {
      clauses: [],
      stages: [first, ...rest],
      span: joinAll(
        first.span,
        rest.map(st => st.span),
      ),
    };
  }
  const naming = nodes(c, 'naming')[0];
  const value = nodes(naming ?? c, 'value')[0];
  const source = value && nodes(value, 'expression').map(buildExpression)[0];
  if (!source) return undefined;
  const names = naming ? tokens(naming, 'name').map(nameOf) : undefined;
  if (names?.length === 0) return undefined;
  const clauses = buildClauses(value);
  const stages = buildStages(value);
  const start = naming && tokens(naming, 'Let').map(tokenSpan)[0];
  const span = joinAll(start ?? source.span, [
    source.span,
    ...clauses.map(cl => cl.span),
    ...stages.map(st => st.span),
  ]);
  return { ...(names ? { names } : {}), source, clauses, stages, span };
};

const buildStages = (c: CstNode): Statement[] => nodes(c, 'stage').map(buildStatement).filter(present);

/** A statement, or a stage of a pipeline. */
const buildStatement = (c: CstNode): Statement | undefined => {
  const token = tokens(c, 'name')[0];
  if (!token) return undefined;
  const name = nameOf(token);
  const residual = tokens(c, 'Residual').map(tokenSpan)[0];
  const transposed = tokens(c, 'Transposed').map(tokenSpan)[0];
  const given = nodes(c, 'args').flatMap(buildArgs);
  // `avgpool(4, …)` is `avgpool 4, …`.
  const only = given.length === 1 && !given[0].name && given[0].value.kind === 'tuple' ? given[0].value : undefined;
  const args = only ? only.args : given;
  const clauses = buildClauses(c);
  const block = nodes(c, 'block')[0];
  const span = joinAll(name.span, [
    residual,
    transposed,
    ...given.map(a => a.span),
    ...clauses.map(cl => cl.span),
    block && nodeSpan(block),
  ]);
  return {
    ...(residual ? { residual } : {}),
    ...(transposed ? { transposed } : {}),
    name,
    args,
    clauses,
    ...(block ? { body: buildBlock(block) } : {}),
    span,
  };
};

export interface Surplus {
  readonly token: IToken;
  /** The rule of the grammar whose end it follows. */
  readonly behind: string;
}

/** The first token of each `surplus` in the tree. */
export const findSurplus = (c: CstNode): Surplus[] =>
  Object.values(c.children).flatMap(children =>
    children.filter(isNode).flatMap(child =>
      child.name === 'surplus'
        ? tokens(child, 'token')
            .slice(0, 1)
            .map(token => ({ token, behind: c.name }))
        : findSurplus(child),
    ),
  );

export const buildItem = (c: CstNode): Item | undefined => {
  const keyword = tokens(c, 'keyword')[0];
  const name = tokens(c, 'name')[0];
  if (!keyword || !name) return undefined;
  const params = nodes(c, 'args').flatMap(buildArgs);
  const clauses = buildClauses(c);
  const block = nodes(c, 'block')[0];
  const span = joinAll(tokenSpan(keyword), [
    tokenSpan(name),
    ...params.map(p => p.span),
    ...clauses.map(cl => cl.span),
    block && nodeSpan(block),
  ]);
  return {
    keyword: keyword.image as ItemKeyword,
    name: nameOf(name),
    params,
    clauses,
    ...(block ? { body: buildBlock(block) } : {}),
    span,
  };
};

const buildField = (c: CstNode): Field | undefined => {
  const token = tokens(c, 'name')[0];
  if (!token) return undefined;
  const name = nameOf(token);
  const type = nodes(c, 'type').map(buildReference)[0];
  const value = nodes(c, 'expression').map(buildExpression)[0];
  return {
    name,
    ...(type ? { type } : {}),
    ...(value ? { value } : {}),
    span: joinAll(name.span, [type?.span, value?.span]),
  };
};

const buildFormula = (c: CstNode): DefinitionStatement | undefined => {
  const token = tokens(c, 'word')[0];
  if (!token) return undefined;
  const from = tokenSpan(token);
  const condition = nodes(c, 'condition').map(buildCondition)[0];
  const when = condition && { when: condition };
  const field = nodes(c, 'field').map(buildField)[0];
  if (field) return { kind: 'param', field, ...when, span: joinAll(from, [field.span, condition?.span]) };
  const value = nodes(c, 'expression').map(buildExpression)[0];
  if (!value) return undefined;
  const span = joinAll(from, [value.span, condition?.span]);
  const name = tokens(c, 'name')[0];
  return name ? { kind: 'let', name: nameOf(name), value, ...when, span } : { kind: 'return', value, ...when, span };
};

const buildCondition = (c: CstNode): Condition | undefined => {
  const word = tokens(c, 'When')[0];
  const option = tokens(c, 'option')[0];
  if (!word || !option) return undefined;
  const value = nodes(c, 'value').flatMap(r => tokens(r, 'name'))[0];
  return {
    option: nameOf(option),
    ...(value ? { value: nameOf(value) } : {}),
    span: joinAll(tokenSpan(word), [nodeSpan(c)]),
  };
};

export const buildDefinition = (c: CstNode): Definition | undefined => {
  const name = tokens(c, 'name')[0];
  const keyword = tokens(c, 'keyword')[0];
  if (!name || !keyword) return undefined;
  const residual = tokens(c, 'Residual').map(tokenSpan)[0];
  const by = tokens(c, 'by').map(nameOf)[0];
  const groups = nodes(c, 'fields').map(g => nodes(g, 'field').map(buildField).filter(present));
  // Options may be left out, the input may not.
  const [options, inputs] = groups.length > 1 ? groups : [[], groups[0] ?? []];
  const block = nodes(c, 'formulas')[0];
  return {
    form: keyword.image as Definition['form'],
    ...(residual ? { residual } : {}),
    ...(by ? { by } : {}),
    name: nameOf(name),
    options,
    inputs,
    body: block ? nodes(block, 'formula').map(buildFormula).filter(present) : [],
    span: joinAll(tokenSpan(keyword), [tokenSpan(name), nodeSpan(c)]),
  };
};
