/** Source text → AST with diagnostics. Never throws. */
import {
  EOF,
  type IParserErrorMessageProvider,
  type IRecognitionException,
  type IToken,
  type TokenType,
  tokenMatcher,
} from 'chevrotain';
import { advice, type Diagnostic, type Help, type Span } from '../diagnostics.ts';
import { parseDecimal } from '../ir/rational.ts';
import type { Comment, Definition, Expr, FileNode, Item } from './ast.ts';
import { buildDefinition, buildExpression, buildItem, findSurplus, type Surplus } from './build-ast.ts';
import { dropForeign } from './foreign.ts';
import { forgotten, meant, spanOf, surplusHelp, TIMES } from './forgotten.ts';
import { LipParser } from './grammar.ts';
import { findExcess } from './nesting.ts';
import { suggest } from './suggest.ts';
import * as t from './tokens.ts';

/** UTF-16 units of source text. The largest network of the paper is written in 600. */
export const MAX_SOURCE = 1_000_000;
/** After this many findings the rest is not worth reading. */
const MAX_DIAGNOSTICS = 50;

const failure = (code: Diagnostic['code'], span: Span, message: string, help?: Help): Diagnostic => ({
  code,
  severity: 'error',
  message,
  span,
  ...advice(help, span),
});

const label = (type: TokenType): string => type.LABEL ?? type.name;

/** What each rule begins with, for a reader who doesn't know the grammar. */
const EXPECTED: Readonly<Record<string, string>> = {
  file: '`network`, `layer`, `rescaling`, `train` or `certify`',
  item: '`network`, `train` or `certify`',
  statement: 'a layer or a setting',
  block: '`,` or the end of the line',
  line: 'a layer or a setting',
  entry: 'a layer or a setting',
  naming: 'a name',
  value: '`|>` or the end of the line',
  stage: 'a layer',
  definition: '`layer`',
  fields: '`,` or `)`',
  field: 'a name',
  formulas: '`param`, `let`, `return` or `}`',
  formula: '`param`, `let` or `return`',
  clause: '`by`, `on`, `at`, `in`, `to` or `budget`',
  args: 'a value',
  arg: 'a value',
  expression: 'a value',
  product: 'a value',
  factor: 'a value',
  reference: 'a name',
  tuple: '`,` or `)`',
  list: '`,` or `]`',
};

/** The message is what was expected; `describe` adds what was found. */
const expectation: IParserErrorMessageProvider = {
  buildMismatchTokenMessage: ({ expected, ruleName }) =>
    expected === EOF || expected === t.RBrace || expected === t.RParen || expected === t.RBracket
      ? EXPECTED[ruleName]
      : label(expected),
  buildNotAllInputParsedMessage: () => EXPECTED.file,
  buildNoViableAltMessage: ({ ruleName }) => EXPECTED[ruleName],
  buildEarlyExitMessage: ({ ruleName }) => EXPECTED[ruleName],
};

const parser = new LipParser(expectation);

const MAX_QUOTED = 40;
const quote = (text: string): string => `\`${text.length <= MAX_QUOTED ? text : `${text.slice(0, MAX_QUOTED - 1)}…`}\``;

const found = (token: IToken): string =>
  tokenMatcher(token, EOF)
    ? 'the end of the file'
    : tokenMatcher(token, t.Newline)
      ? 'the end of the line'
      : quote(token.image);

const CLOSING: readonly TokenType[] = [t.RBrace, t.RParen, t.RBracket];

const describe = (e: IRecognitionException, source: string): Diagnostic => {
  const atEnd = tokenMatcher(e.token, EOF);
  const span = atEnd ? { start: source.length, end: source.length } : spanOf(e.token);
  const rule = e.context.ruleStack.at(-1);
  // At a new definition, or at the end, the block before it was not closed.
  const unclosed =
    ['block', 'line', 'entry', 'statement'].includes(rule ?? '') &&
    (atEnd || t.ITEM_KEYWORDS.includes(e.token.tokenType));
  const expected = unclosed ? '`}`' : e.message;
  const message = `expected ${expected}, found ${found(e.token)}`;
  if (rule === 'file' && tokenMatcher(e.token, t.Identifier))
    return failure(
      'L0108',
      span,
      message,
      suggest(e.token.image, ['network', 'layer', 'rescaling', 'train', 'certify']),
    );
  const help: Help | undefined = unclosed
    ? 'a `{` before this is never closed: add `}`'
    : rule === 'file' && CLOSING.includes(e.token.tokenType)
      ? 'this closes nothing: remove it, or look for the bracket that should have opened before'
      : atEnd
        ? undefined
        : meant(e.token, rule, source);
  return failure('L0003', span, message, help);
};

/** What may stand where a rule of the grammar was read to its end. */
const AFTER: Readonly<Record<string, string>> = {
  item: 'a clause or `{`',
  formula: 'the end of the line',
  value: EXPECTED.value,
  stage: EXPECTED.value,
};

const describeSurplus = (surplus: Surplus, source: string): Diagnostic => {
  const { token, behind } = surplus;
  const message = `expected ${AFTER[behind] ?? EXPECTED.block}, found ${found(token)}`;
  const mend = forgotten(surplus, source);
  const diagnostic = failure('L0003', spanOf(token), message, mend?.help ?? surplusHelp(surplus, source));
  return mend?.fix ? { ...diagnostic, fix: mend.fix } : diagnostic;
};

const tokenize = (source: string): { tokens: IToken[]; comments: Comment[] } => {
  const lexed = t.lexer.tokenize(source);
  const comments = (lexed.groups.comments ?? []).map((c): Comment => {
    const lineStart = source.lastIndexOf('\n', c.startOffset - 1) + 1;
    return { text: c.image, span: spanOf(c), ownLine: source.slice(lineStart, c.startOffset).trim() === '' };
  });
  return { tokens: lexed.tokens, comments };
};

/** Digits of a number as written; reading a rational takes time quadratic in them. */
const MAX_DIGITS = 1000;

/** Reports what the lexer could not make a good token of, and drops it where the rest reads better without. */
const checkTokens = (tokens: readonly IToken[], source: string): { tokens: IToken[]; diagnostics: Diagnostic[] } => {
  const diagnostics: Diagnostic[] = [];
  const kept: IToken[] = [];
  let strayEnd = -1;
  for (const token of tokens) {
    const span = spanOf(token);
    if (tokenMatcher(token, t.Stray)) {
      // A run of such characters is one mistake.
      if (span.start !== strayEnd) {
        const message = `${quote(token.image)} is not part of the language`;
        diagnostics.push(failure('L0002', span, message, strayHelp(token, source)));
      }
      strayEnd = span.end;
      continue;
    }
    if (tokenMatcher(token, t.OpenString))
      diagnostics.push(failure('L0006', span, 'this string has no closing `"` on its line', 'write `"…"`'));
    if (tokenMatcher(token, t.NumberLiteral) && (token.image.length > MAX_DIGITS || !parseDecimal(token.image))) {
      const message = `${quote(token.image)} has more than ${MAX_DIGITS} digits, or an exponent of more than four`;
      diagnostics.push(failure('L0116', span, message, 'write the number with fewer digits'));
    }
    kept.push(token);
  }
  return { tokens: kept, diagnostics };
};

const strayHelp = ({ image, startOffset }: IToken, source: string): Help | undefined =>
  image === ';'
    ? /^;[^\S\n]*(?:\n|$|\/\/)/.test(source.slice(startOffset, startOffset + 200))
      ? { text: 'statements end with their line: leave it out', from: ';', to: '' }
      : 'statements end with their line: put each layer on a line of its own'
    : image === '@' && source[startOffset + 1] !== '@'
      ? { text: TIMES, from: '@', to: '*' }
      : image === "'"
        ? 'strings are written with `"`'
        : image === '^'
          ? 'there is no power but the transpose `^T`: write `a * a`, or `sqrt(a)`'
          : undefined;

const emptyFile = (source: string): FileNode => ({
  items: [],
  definitions: [],
  comments: [],
  broken: [],
  incomplete: true,
  span: { start: 0, end: source.length },
});

/** In order of the text, at most MAX_DIAGNOSTICS; a syntax error only if it is the first finding of its line, for the rest are its echoes. */
const tidy = (diagnostics: readonly Diagnostic[], source: string): Diagnostic[] => {
  const seen = new Set<number>();
  const kept: Diagnostic[] = [];
  for (const d of [...diagnostics].sort((a, b) => a.span.start - b.span.start)) {
    const line = source.lastIndexOf('\n', d.span.start - 1);
    if (d.code === 'L0003' && seen.has(line)) continue;
    seen.add(line);
    kept.push(d);
    if (kept.length === MAX_DIAGNOSTICS) break;
  }
  return kept;
};

/**
 * Parses a whole file. Recovers from errors: `file` holds all that could be read, `diagnostics` (codes L00xx) what could not.
 * Empty `diagnostics` means that `file` is the whole text.
 */
export const parse = (source: string): { file: FileNode; diagnostics: Diagnostic[] } => {
  if (source.length > MAX_SOURCE) {
    const message = `the file has ${source.length} characters; at most ${MAX_SOURCE} are read`;
    return {
      file: emptyFile(source),
      diagnostics: [
        failure('L0001', { start: 0, end: 0 }, message, 'a network is a few dozen lines: is this the right file?'),
      ],
    };
  }
  const { tokens, comments } = tokenize(source);
  const own = dropForeign(tokens, source);
  const clean = checkTokens(t.insertNewlines(own.tokens), source);
  const diagnostics = [...own.diagnostics, ...clean.diagnostics];
  const excess = findExcess(clean.tokens);
  if (excess) return { file: emptyFile(source), diagnostics: tidy([...diagnostics, excess], source) };

  parser.input = clean.tokens;
  const cst = parser.file();
  diagnostics.push(...parser.errors.map(e => describe(e, source)));
  if (cst) diagnostics.push(...findSurplus(cst).map(x => describeSurplus(x, source)));
  const items = (cst?.children?.item ?? []).flatMap((c): Item[] => {
    const item = 'children' in c ? buildItem(c) : undefined;
    return item ? [item] : [];
  });
  const definitions = (cst?.children?.definition ?? []).flatMap((c): Definition[] => {
    const definition = 'children' in c ? buildDefinition(c) : undefined;
    return definition ? [definition] : [];
  });
  const found = tidy(diagnostics, source);
  return {
    file: {
      items,
      definitions,
      comments,
      broken: found.map(d => d.span),
      incomplete: false,
      span: { start: 0, end: source.length },
    },
    diagnostics: found,
  };
};

/** Parses one expression, as given on the command line to `--by` and `--set`. */
export const parseExpression = (source: string): { expression?: Expr; diagnostics: Diagnostic[] } => {
  const text = source.slice(0, MAX_SOURCE);
  const { tokens, diagnostics } = checkTokens(tokenize(text).tokens, text);
  const excess = findExcess(tokens);
  if (excess) return { diagnostics: [excess] };
  parser.input = tokens;
  const cst = parser.expression();
  diagnostics.push(...parser.errors.map(e => describe(e, source)));
  const expression = diagnostics.length === 0 ? buildExpression(cst) : undefined;
  return expression ? { expression, diagnostics } : { diagnostics };
};
