/** Notation of other languages: comments, strings, transposes, and blocks around which a skip connection goes. Reported whole, and dropped. */
import { type IToken, tokenMatcher } from 'chevrotain';
import type { Diagnostic, Fix, Span } from '../diagnostics.ts';
import * as t from './tokens.ts';

interface Foreign {
  readonly span: Span;
  readonly message: string;
  readonly help: string;
  readonly fix?: Fix;
  /** Where the text begins that is no longer part of the notation. */
  readonly end: number;
}

const lineEnd = (source: string, from: number): number => {
  const at = source.indexOf('\n', from);
  return at < 0 ? source.length : at;
};

const COMMENTS = 'comments begin with `//` and end with their line';

const hashComment = (source: string, start: number): Foreign => {
  const span = { start, end: start + 1 };
  return {
    span,
    message: '`#` is not part of the language',
    help: COMMENTS,
    fix: { span, from: '#', to: '//' },
    end: lineEnd(source, start),
  };
};

const blockComment = (source: string, start: number): Foreign => {
  const close = source.indexOf('*/', start + 2);
  const end = close < 0 ? lineEnd(source, start) : close + 2;
  const from = source.slice(start, end);
  const last = source.slice(end, lineEnd(source, end)).trim() === '';
  const span = { start, end };
  return {
    span: { start, end: start + 2 },
    message: '`/*` is not part of the language',
    help: COMMENTS,
    ...(close >= 0 && last && !from.includes('\n') && { fix: { span, from, to: `// ${from.slice(2, -2).trim()}` } }),
    end,
  };
};

/** `'same'`, which is a word or a string. */
const quoted = (source: string, start: number, text: string): Foreign => {
  const inner = text.slice(1, -1);
  const word = /^[\p{L}_]+$/u.test(inner) && /=\s*$/.test(source.slice(Math.max(0, start - 20), start));
  const span = { start, end: start + text.length };
  const to = word ? inner : `"${inner}"`;
  const option = word ? /([\p{L}_]+)\s*=\s*$/u.exec(source.slice(Math.max(0, start - 80), start))?.[1] : undefined;
  return {
    span,
    message: `\`${text.length > 40 ? `${text.slice(0, 39)}…` : text}\` is not part of the language`,
    help: word
      ? `words have no quotes: write \`${option ? `${option} = ` : ''}${inner}\``
      : 'strings are written with `"`',
    fix: { span, from: text, to },
    end: span.end,
  };
};

const transposed = (source: string, start: number, from: string): Foreign => {
  const span = { start, end: start + from.length };
  const times = /^\s*[\p{L}(]/u.test(source.slice(span.end, span.end + 20)) ? ' * ' : '';
  return {
    span,
    message: `\`${from}\` is not part of the language`,
    help: `the transpose is written \`ᵀ\` or \`^T\`${times ? ', and products with `*`: `Wᵀ * x`' : ': `Wᵀ` or `W^T`'}`,
    fix: { span, from, to: `ᵀ${times}` },
    end: span.end,
  };
};

/** `residual { conv 4  relu }`: up to the bracket that closes it, or to the end of the line where none does. */
const skipBlock = (source: string, tokens: readonly IToken[], at: number): Foreign | undefined => {
  const [word, open] = [tokens[at], tokens[at + 1]];
  if (!tokenMatcher(word, t.Residual) || !open || !tokenMatcher(open, t.LBrace)) return undefined;
  let depth = 0;
  const close = tokens.slice(at + 1).find(token => {
    if (tokenMatcher(token, t.LBrace)) depth++;
    if (tokenMatcher(token, t.RBrace)) depth--;
    return depth === 0;
  });
  return {
    span: { start: word.startOffset, end: open.endOffset! + 1 },
    message: '`residual` takes a layer, not a block',
    help: 'write `residual conv hidden = 8, kernel = 3`; around several layers a skip connection is a sum: `let f = it |> conv 8 |> relu |> conv 8` on a line, and on the next `1/2 * it + 1/2 * f`',
    end: close ? close.endOffset! + 1 : lineEnd(source, open.startOffset),
  };
};

const ENDS_MATRIX = [t.Identifier, t.RParen, t.Transpose];

const foreignAt = (source: string, token: IToken, previous: IToken | undefined): Foreign | undefined => {
  const start = token.startOffset;
  if (tokenMatcher(token, t.Divide)) return source[start + 1] === '*' ? blockComment(source, start) : undefined;
  if (!tokenMatcher(token, t.Stray)) return undefined;
  if (token.image === '#') return hashComment(source, start);
  const adjacent =
    previous && previous.endOffset! + 1 === start && ENDS_MATRIX.some(type => tokenMatcher(previous, type));
  if (token.image === "'" || token.image === '’') {
    if (adjacent) return transposed(source, start, token.image);
    const text = /^'[^'\r\n]*'/.exec(source.slice(start, lineEnd(source, start)))?.[0];
    return text === undefined ? undefined : quoted(source, start, text);
  }
  const dotted = adjacent ? /^\.T(?![\p{L}\p{N}_])/u.exec(source.slice(start, start + 4))?.[0] : undefined;
  return dotted === undefined ? undefined : transposed(source, start, dotted);
};

/** The tokens without foreign notation, and one error for each piece of it. */
export const dropForeign = (
  tokens: readonly IToken[],
  source: string,
): { readonly tokens: IToken[]; readonly diagnostics: Diagnostic[] } => {
  const kept: IToken[] = [];
  const diagnostics: Diagnostic[] = [];
  let until = 0;
  let previous: IToken | undefined;
  for (const [at, token] of tokens.entries()) {
    if (token.startOffset < until) continue;
    const foreign = skipBlock(source, tokens, at) ?? foreignAt(source, token, previous);
    previous = token;
    if (!foreign) {
      kept.push(token);
      continue;
    }
    const { span, message, help, fix, end } = foreign;
    diagnostics.push({
      code: tokenMatcher(token, t.Residual) ? 'L0003' : 'L0002',
      severity: 'error',
      message,
      span,
      help,
      ...(fix && { fix }),
    });
    until = end;
  }
  return { tokens: kept, diagnostics };
};
