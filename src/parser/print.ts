/** AST → canonical text, with its comments. `parse(print(parse(s)))` is `parse(s)` up to spans. */
import type { Span } from '../diagnostics.ts';
import {
  type Arg,
  type Clause,
  type Definition,
  type DefinitionStatement,
  type Entry,
  type Expr,
  type Field,
  type FileNode,
  type Item,
  isPipeline,
  type Pipeline,
  type Statement,
} from './ast.ts';

const INDENT = '  ';

const PRECEDENCE = { '+': 1, '-': 1, '*': 2, '/': 2 } as const;
const UNARY = 3;
const ATOM = 4;

const precedence = (e: Expr): number => (e.kind === 'binary' ? PRECEDENCE[e.op] : e.kind === 'negate' ? UNARY : ATOM);

const wrapped = (e: Expr, least: number): string => (precedence(e) < least ? `(${printExpr(e)})` : printExpr(e));

export const printExpr = (e: Expr): string => {
  switch (e.kind) {
    case 'number':
      return e.text;
    case 'string':
      return `"${e.value}"`;
    case 'name':
      return e.name;
    case 'call':
      return `${e.callee.text}(${printArgs(e.args)})`;
    case 'typed':
      return `${e.type.text}[${e.dims.map(printExpr).join(', ')}]`;
    case 'list':
      return `[${e.items.map(printExpr).join(', ')}]`;
    case 'tuple':
      return `(${printArgs(e.args)})`;
    case 'negate':
      return `-${wrapped(e.operand, ATOM)}`;
    case 'transpose':
      return `${wrapped(e.operand, ATOM)}ᵀ`;
    case 'binary': {
      const p = PRECEDENCE[e.op];
      const left = wrapped(e.left, p);
      // The grammar is left-associative, so a right operand of equal precedence keeps its brackets.
      const right = wrapped(e.right, p + 1);
      // Quotients of literals read as numbers: 36/255.
      const tight = e.op === '/' && e.left.kind === 'number' && e.right.kind === 'number';
      return tight ? `${left}/${right}` : `${left} ${e.op} ${right}`;
    }
    default:
      return e satisfies never;
  }
};

const printArg = (a: Arg): string => (a.name ? `${a.name.text} = ${printExpr(a.value)}` : printExpr(a.value));
const printArgs = (args: readonly Arg[]): string => args.map(printArg).join(', ');

const printClauses = (clauses: readonly Clause[]): string =>
  clauses.map(c => ` ${c.word} ${printExpr(c.value)}`).join('');

const printForm = (st: Statement): string => (st.residual ? 'residual ' : st.transposed ? 'transposed ' : '');

/** Statements that make a value of values are written as they are inside of sums. */
const READ_AS_CALLS: ReadonlySet<string> = new Set(['mix', 'concat', 'max', 'min', 'slice', 'split']);

/** What `{` or the end of the line follows. */
const printStatementHead = (st: Statement): string => {
  if (READ_AS_CALLS.has(st.name.text) && st.args.length > 0)
    return `${printForm(st)}${st.name.text}(${printArgs(st.args)})${printClauses(st.clauses)}`;
  // Right behind the name, `in` would be its argument.
  const none = st.clauses[0]?.word === 'in' ? ' ()' : '';
  const args = st.args.length > 0 ? ` ${printArgs(st.args)}` : none;
  return `${printForm(st)}${st.name.text}${args}${printClauses(st.clauses)}`;
};

/** The expression that the text of `e` begins with. */
const leftmost = (e: Expr): Expr => {
  const [inner, least] =
    e.kind === 'binary' ? [e.left, PRECEDENCE[e.op]] : e.kind === 'transpose' ? [e.operand, ATOM] : [undefined, 0];
  return inner && precedence(inner) >= least ? leftmost(inner) : e;
};

/** A line that begins with a call, a list or a lone name would be read as a layer. */
const readsAsLayer = (e: Expr): boolean => {
  const first = leftmost(e);
  return first.kind === 'name'
    ? first === e || first.name === 'in'
    : !['number', 'negate', 'binary', 'tuple'].includes(first.kind);
};

/** What the first `|>` follows, if there is a source. */
const printSource = ({ names, source, clauses }: Pipeline): string | undefined => {
  if (!source) return undefined;
  const value = !names && readsAsLayer(source) ? `(${printExpr(source)})` : printExpr(source);
  return `${names ? `let ${names.map(n => n.text).join(', ')} = ` : ''}${value}${printClauses(clauses)}`;
};

const printPipeline = (p: Pipeline): string => {
  const source = printSource(p);
  return [...(source === undefined ? [] : [source]), ...p.stages.map(printStatementHead)].join(' |> ');
};

const printHead = (e: Entry): string => (isPipeline(e) ? printPipeline(e) : printStatementHead(e));

const bodyOf = (e: Entry): readonly Entry[] | undefined => (isPipeline(e) ? undefined : e.body);

const printItemHead = (item: Item): string =>
  `${item.keyword} ${item.name.text}${item.params.length > 0 ? `(${printArgs(item.params)})` : ''}${printClauses(item.clauses)}`;

const printField = (f: Field): string =>
  `${f.name.text}${f.type ? `: ${printExpr(f.type)}` : ''}${f.value ? ` = ${printExpr(f.value)}` : ''}`;

const printFields = (fields: readonly Field[]): string => `(${fields.map(printField).join(', ')})`;

const printDefinitionHead = ({ form, residual, by, name, options, inputs }: Definition): string =>
  `${form} ${residual ? 'residual ' : ''}${name.text}${options.length > 0 ? `${printFields(options)} ` : ''}${printFields(inputs)}${by ? ` by ${by.text}` : ''} {`;

const printCondition = ({ when }: DefinitionStatement): string =>
  when ? ` when ${when.option.text}${when.value ? ` = ${when.value.text}` : ''}` : '';

const printFormula = (st: DefinitionStatement): string => {
  switch (st.kind) {
    case 'param':
      return `param ${printField(st.field)}${printCondition(st)}`;
    case 'let':
      return `let ${st.name.text} = ${printExpr(st.value)}${printCondition(st)}`;
    case 'return':
      return `return ${printExpr(st.value)}${printCondition(st)}`;
    default:
      return st satisfies never;
  }
};

/** Columns. Longer statements are broken after a comma. */
const MAX_WIDTH = 100;

/** A line of output; one without code is a comment of its own, or empty. */
interface Line {
  readonly depth: number;
  readonly code: string;
  comment: string;
}

/** Aligns the comments behind neighbouring lines of one block. */
const layOut = (lines: readonly Line[]): string => {
  const text = (l: Line): string => `${INDENT.repeat(l.depth)}${l.code}`;
  const out: string[] = [];
  for (let i = 0; i < lines.length; ) {
    let end = i + 1;
    if (lines[i].code !== '')
      while (end < lines.length && lines[end].code !== '' && lines[end].depth === lines[i].depth) end++;
    const section = lines.slice(i, end);
    const column = Math.max(0, ...section.map(l => (l.comment === '' ? 0 : [...text(l)].length)));
    for (const l of section) {
      if (l.code === '') out.push(l.comment === '' ? '' : `${INDENT.repeat(l.depth)}${l.comment}`);
      else if (l.comment === '') out.push(text(l));
      else out.push(`${text(l)}${' '.repeat(column - [...text(l)].length)}  ${l.comment}`);
    }
    i = end;
  }
  return out.map(l => `${l}\n`).join('');
};

/** Where a line of code may end: after the commas outside of strings, with the number of brackets open there. */
const breaks = (code: string): readonly { readonly at: number; readonly depth: number }[] => {
  const found: { at: number; depth: number }[] = [];
  let depth = 0;
  let quoted = false;
  for (let i = 0; i < code.length; i++) {
    const c = code[i];
    if (c === '"') quoted = !quoted;
    else if (quoted) continue;
    else if (c === '(' || c === '[') depth++;
    else if (c === ')' || c === ']') depth--;
    else if (c === ',') found.push({ at: i + 1, depth });
  }
  return found;
};

/** Breaks code after the outermost comma that keeps its first line within `width`, and what follows within `restWidth`. */
const wrap = (code: string, width: number, restWidth: number): readonly string[] => {
  if (code.length <= width) return [code];
  const all = breaks(code).filter(b => b.at < code.length);
  const fitting = all.filter(b => b.at <= width);
  const least = Math.min(...fitting.map(b => b.depth));
  const cut = fitting.findLast(b => b.depth === least) ?? all[0];
  if (!cut) return [code];
  return [code.slice(0, cut.at), ...wrap(code.slice(cut.at).trimStart(), restWidth, restWidth)];
};

/** True when a line ends between the two places. */
const apartIn = (source: string, from: number, to: number): boolean => /[\r\n]/.test(source.slice(from, to));

/** True when the last line above `offset` that is not the one it stands in is empty. */
const blankAbove = (source: string, offset: number): boolean => {
  let ends = 0;
  for (let i = offset - 1; i >= 0 && /\s/.test(source[i]); i--)
    if (source[i] === '\n' || (source[i] === '\r' && source[i + 1] !== '\n')) ends++;
  return ends > 1;
};

/** Offset where the line of `offset` ends. */
const lineEnd = (source: string, offset: number): number => {
  const length = source.slice(offset).search(/[\r\n]/);
  return length < 0 ? source.length : offset + length;
};

/** Statements that share a line of the source, `epochs 5, batch 64`, stay together. A statement with a block stands alone. */
const sharedLines = (body: readonly Entry[], source: string): readonly (readonly Entry[])[] => {
  const groups: Entry[][] = [];
  body.forEach((st, i) => {
    const before = body[i - 1];
    const joined = before && !bodyOf(before) && !bodyOf(st) && !apartIn(source, before.span.end, st.span.start);
    if (joined) groups.at(-1)!.push(st);
    else groups.push([st]);
  });
  return groups;
};

/** A piece of a statement or header that gets a line of its own when comments stand between the pieces. */
interface Piece {
  readonly code: string;
  readonly span: Span;
  readonly depth: number;
}

/** True when the author began a line with `|>`, or ended one. */
const brokenAtPipe = (e: Entry, source: string): boolean =>
  isPipeline(e) &&
  e.stages.some((stage, i) => {
    const before = i > 0 ? e.stages[i - 1].span : (e.clauses.at(-1) ?? e.source)?.span;
    return before !== undefined && apartIn(source, before.end, stage.span.start);
  });

/** A pipeline by its stages. */
const stagePieces = (p: Pipeline, depth: number): readonly Piece[] => {
  const source = printSource(p);
  const first = p.stages[0];
  const start = { start: p.span.start, end: (p.clauses.at(-1) ?? p.source ?? first).span.end };
  const rest = source === undefined ? p.stages.slice(1) : p.stages;
  return [
    { code: source ?? printStatementHead(first), span: start, depth },
    ...rest.map(st => ({ code: `|> ${printStatementHead(st)}`, span: st.span, depth: depth + 1 })),
  ];
};

/** A statement by its arguments. */
const piecesOf = (st: Entry, depth: number): readonly Piece[] => {
  if (isPipeline(st)) return stagePieces(st, depth);
  if (st.args.length < 2) return [{ code: printStatementHead(st), span: st.span, depth }];
  const last = st.args.length - 1;
  const name = `${printForm(st)}${st.name.text}`;
  return st.args.map((a, i) => ({
    code: `${i === 0 ? `${name} ` : ''}${printArg(a)}${i < last ? ',' : printClauses(st.clauses)}`,
    span: { start: i === 0 ? st.span.start : a.span.start, end: i === last ? st.span.end : a.span.end },
    depth: i === 0 ? depth : depth + 1,
  }));
};

/**
 * The file in canonical form: two spaces a level, lines of at most 100 columns where commas allow, comments behind neighbouring lines
 * aligned. Line breaks between statements are the author's, and so are empty lines, but for more than one. A comment stays behind or above
 * what it stands behind or above. `file` must be what `parse(source)` gave, without diagnostics.
 */
export const print = (file: FileNode, source: string): string => {
  const { comments } = file;
  const lines: Line[] = [];
  let next = 0;

  const line = (depth: number, code: string): number => lines.push({ depth, code, comment: '' });
  const blank = (): void => {
    const last = lines.at(-1);
    if (last && (last.code !== '' || last.comment !== '')) line(0, '');
  };
  const commentedBefore = (offset: number): boolean => next < comments.length && comments[next].span.start < offset;

  /** Prints the comments that begin before `offset`, each on its own line. */
  const commentsBefore = (depth: number, offset: number, mayBeApart: boolean): void => {
    for (let apart = mayBeApart; commentedBefore(offset); apart = true) {
      const c = comments[next++];
      if (apart && blankAbove(source, c.span.start)) blank();
      lines.push({ depth, code: '', comment: c.text.trimEnd() });
    }
  };

  /** Puts the next comment behind the last line, if it begins before `limit` and stands behind something. */
  const commentBehind = (limit: number): void => {
    const c = comments[next];
    if (!c || c.ownLine || c.span.start >= limit) return;
    next++;
    lines.at(-1)!.comment = c.text.trimEnd();
  };

  const code = (depth: number, text: string): void => {
    const width = MAX_WIDTH - INDENT.length * depth;
    const [first, ...rest] = wrap(text, width, width - INDENT.length);
    line(depth, first);
    for (const part of rest) line(depth + 1, part);
  };

  /** Each on its own line, with the comments that stand above, in or behind it. */
  const pieces = (all: readonly Piece[]): void => {
    all.forEach((p, i) => {
      commentsBefore(p.depth, p.span.end, false);
      code(p.depth, p.code);
      commentBehind(Math.min(lineEnd(source, p.span.end), all[i + 1]?.span.start ?? source.length));
    });
  };

  /** A statement whose arguments get a line each where comments stand between them. `limit`: where the next one begins. */
  const alone = (depth: number, st: Entry, limit: number): void => {
    const parts = piecesOf(st, depth);
    commentsBefore(depth, parts[0].span.end, false);
    const long = isPipeline(st) && INDENT.length * depth + printPipeline(st).length > MAX_WIDTH;
    if (long || brokenAtPipe(st, source) || commentedBefore(st.span.end)) pieces(parts);
    else {
      code(depth, printHead(st));
      commentBehind(Math.min(lineEnd(source, st.span.end), limit));
    }
  };

  /** Code on one line as in the source, unless comments stand inside or it is too long. */
  const group = (depth: number, statements: readonly Entry[]): void => {
    const end = statements.at(-1)!.span.end;
    const together = statements.map(printHead).join(', ');
    const fits = INDENT.length * depth + together.length <= MAX_WIDTH;
    if (!commentedBefore(end) && fits && !statements.some(st => brokenAtPipe(st, source))) {
      code(depth, together);
      commentBehind(lineEnd(source, end));
    } else for (const [i, st] of statements.entries()) alone(depth, st, statements[i + 1]?.span.start ?? source.length);
  };

  const block = (depth: number, body: readonly Entry[], span: Span): void => {
    commentBehind(body[0]?.span.start ?? span.end);
    sharedLines(body, source).forEach((statements, i) => {
      const [first] = statements;
      commentsBefore(depth + 1, first.span.start, i > 0);
      if (i > 0 && blankAbove(source, first.span.start)) blank();
      const inner = bodyOf(first);
      if (inner) withBody(depth + 1, printHead(first), inner, first.span);
      else group(depth + 1, statements);
    });
    commentsBefore(depth + 1, span.end, body.length > 0);
    line(depth, '}');
    commentBehind(lineEnd(source, span.end));
  };

  const withBody = (depth: number, head: string, body: readonly Entry[], span: Span): void => {
    const inside = body.map(printHead).join(', ');
    const inline = body.length === 0 ? `${head} {}` : `${head} { ${inside} }`;
    const plain = !commentedBefore(span.end) && !body.some(bodyOf) && !apartIn(source, openBrace(body, span), span.end);
    if (plain && INDENT.length * depth + inline.length <= MAX_WIDTH) {
      line(depth, inline);
      commentBehind(lineEnd(source, span.end));
      return;
    }
    code(depth, `${head} {`);
    block(depth, body, span);
  };

  /** The brace before the first statement; of an empty block, the last before its end. */
  const openBrace = (body: readonly Entry[], span: Span): number =>
    source.lastIndexOf('{', body[0] ? body[0].span.start : span.end);

  const headOf = (it: Item, clauses: number): string => printItemHead({ ...it, clauses: it.clauses.slice(0, clauses) });

  const item = (it: Item): void => {
    const last = it.params.at(-1);
    if (last && commentedBefore(last.span.end)) {
      line(0, `${it.keyword} ${it.name.text}(`);
      pieces(it.params.map(p => ({ code: `${printArg(p)}${p === last ? '' : ','}`, span: p.span, depth: 1 })));
      const rest = `)${printClauses(it.clauses)}`;
      if (it.body) withBody(0, rest, it.body, it.span);
      else pieces([{ code: rest, span: it.span, depth: 0 }]);
    } else if (it.body) withBody(0, printItemHead(it), it.body, it.span);
    else {
      commentsBefore(0, it.span.end, false);
      // Outside of blocks a line may also be broken before a clause.
      const fitting = it.clauses.findLastIndex((_, k) => headOf(it, k + 1).length <= MAX_WIDTH) + 1;
      const kept = fitting > 0 || it.clauses.length === 0 ? fitting : 1;
      code(0, headOf(it, kept));
      if (kept < it.clauses.length) code(1, printClauses(it.clauses.slice(kept)).trimStart());
      commentBehind(lineEnd(source, it.span.end));
    }
  };

  const definition = (d: Definition): void => {
    const brace = source.indexOf('{', d.inputs.at(-1)?.span.end ?? d.name.span.end);
    commentsBefore(0, brace, false);
    code(0, printDefinitionHead(d));
    commentBehind(d.body[0]?.span.start ?? d.span.end);
    d.body.forEach((st, i) => {
      commentsBefore(1, st.span.start, i > 0);
      if (i > 0 && blankAbove(source, st.span.start)) blank();
      pieces([{ code: printFormula(st), span: st.span, depth: 1 }]);
    });
    commentsBefore(1, d.span.end, d.body.length > 0);
    line(0, '}');
    commentBehind(lineEnd(source, d.span.end));
  };

  const all = [...file.items, ...file.definitions].sort((a, b) => a.span.start - b.span.start);
  all.forEach((it, i) => {
    if (i > 0) blank();
    commentsBefore(0, it.span.start, i > 0);
    if (blankAbove(source, it.span.start)) blank();
    if ('keyword' in it) item(it);
    else definition(it);
  });
  commentsBefore(0, source.length + 1, true);
  return layOut(lines);
};
