/** AST → canonical text, with its comments. `parse(print(parse(s)))` is `parse(s)` up to spans and comments. */
import type { Span } from '../diagnostics.ts';
import type { Arg, Clause, Expr, FileNode, Item, Statement } from './ast.ts';

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
    case 'binary': {
      const p = PRECEDENCE[e.op];
      const left = wrapped(e.left, p);
      // The grammar is left-associative, so a right operand of equal precedence keeps its brackets.
      const right = wrapped(e.right, p + 1);
      // Quotients of literals read as numbers: 36/255.
      const tight = e.op === '/' && e.left.kind !== 'binary' && e.right.kind !== 'binary';
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

const printStatementHead = (st: Statement): string =>
  `${st.residual ? 'residual ' : ''}${st.name.text}${st.args.length > 0 ? ` ${printArgs(st.args)}` : ''}${printClauses(st.clauses)}`;

const printItemHead = (item: Item): string =>
  `${item.keyword} ${item.name.text}${item.params.length > 0 ? `(${printArgs(item.params)})` : ''}${printClauses(item.clauses)}`;

/** `repeat N { residual conv hidden = 5 }` stays on one line up to this width. */
const MAX_INLINE = 100;

/**
 * The file in canonical form: two spaces a level, one statement a line. A comment keeps its place: behind the line it stands in, or on a
 * line of its own before what follows it. Empty lines between statements become one. `file` must be what `parse(source)` gave, without
 * diagnostics.
 */
export const print = (file: FileNode, source: string): string => {
  const { comments } = file;
  const lines: string[] = [];
  let next = 0;

  const line = (indent: number, text: string): number => lines.push(`${INDENT.repeat(indent)}${text}`);
  const blank = (): void => {
    if (lines.length > 0 && lines.at(-1) !== '') lines.push('');
  };
  const blankBefore = (offset: number): boolean =>
    /(?:\r\n|\r|\n)[ \t]*(?:\r\n|\r|\n)\s*$/.test(source.slice(Math.max(0, offset - 500), offset));

  /** Prints the comments that begin before `offset`, each on its own line. */
  const commentsBefore = (indent: number, offset: number, mayBeApart: boolean): void => {
    for (let apart = mayBeApart; next < comments.length && comments[next].span.start < offset; apart = true) {
      const c = comments[next++];
      if (apart && blankBefore(c.span.start)) blank();
      line(indent, c.text.trimEnd());
    }
  };

  /** Puts the next comment behind the last line, if it stands in the line of the source where that ended and before `limit`. */
  const commentBehind = (limit: number): void => {
    const c = comments[next];
    if (!c || c.ownLine || c.span.start >= limit) return;
    next++;
    lines[lines.length - 1] += `  ${c.text.trimEnd()}`;
  };

  const restOfLine = (offset: number): number => {
    const end = source.slice(offset).search(/[\r\n]/);
    return end < 0 ? source.length : offset + end;
  };

  const finish = (indent: number, text: string, end: number): void => {
    commentsBefore(indent, end, false);
    line(indent, text);
    commentBehind(restOfLine(end));
  };

  const block = (indent: number, header: string, body: readonly Statement[], span: Span): void => {
    line(indent, `${header} {`);
    commentBehind(body[0]?.span.start ?? span.end);
    body.forEach((st, i) => {
      commentsBefore(indent + 1, st.span.start, i > 0);
      if (i > 0 && blankBefore(st.span.start)) blank();
      statement(indent + 1, st);
    });
    commentsBefore(indent + 1, span.end, body.length > 0);
    line(indent, '}');
    commentBehind(restOfLine(span.end));
  };

  const statement = (indent: number, st: Statement): void => {
    const head = printStatementHead(st);
    if (!st.body) {
      finish(indent, head, st.span.end);
      return;
    }
    const [only, ...more] = st.body;
    const inline = only && !only.body && more.length === 0 ? `${head} { ${printStatementHead(only)} }` : undefined;
    const commented = next < comments.length && comments[next].span.start < st.span.end;
    if (inline !== undefined && !commented && 2 * indent + inline.length <= MAX_INLINE)
      finish(indent, inline, st.span.end);
    else block(indent, head, st.body, st.span);
  };

  file.items.forEach((item, i) => {
    if (i > 0) blank();
    commentsBefore(0, item.span.start, i > 0);
    if (blankBefore(item.span.start)) blank();
    const head = printItemHead(item);
    if (item.body) block(0, head, item.body, item.span);
    else finish(0, head, item.span.end);
  });
  commentsBefore(0, source.length + 1, true);
  return lines.length > 0 ? `${lines.join('\n')}\n` : '';
};
