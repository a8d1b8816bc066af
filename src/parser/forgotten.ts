/** What was probably meant where the grammar has no place for a token: a missing comma, `let`, list or name. */
import { type IToken, tokenMatcher } from 'chevrotain';
import type { Fix, Help, Span } from '../diagnostics.ts';
import type { Surplus } from './build-ast.ts';
import * as t from './tokens.ts';

export const spanOf = (token: IToken): Span => ({ start: token.startOffset, end: token.endOffset! + 1 });

const MAX_BEFORE = 80;

/** The text before a token, on its line. */
const lineBefore = (token: IToken, source: string): string => {
  const at = token.startOffset;
  return source.slice(Math.max(source.lastIndexOf('\n', at - 1) + 1, at - MAX_BEFORE), at);
};

/** `WᵀW`: what could be multiplied stands side by side. */
const followsTranspose = (token: IToken, source: string): boolean =>
  /(?:ᵀ|\^T)\s*$/.test(source.slice(Math.max(0, token.startOffset - MAX_BEFORE), token.startOffset));

export const TIMES = 'products are written with `*`: `Wᵀ * W`';

/** Help for a token at which the rule of that name could not go on. */
export const meant = (token: IToken, rule: string | undefined, source: string): Help | undefined => {
  if (followsTranspose(token, source)) return TIMES;
  const before = lineBefore(token, source);
  const behind = source.slice(token.endOffset! + 1, token.endOffset! + 21);
  if (rule === 'formula' && tokenMatcher(token, t.Identifier) && /^\s*=/.test(behind))
    return {
      text: `to name a value write \`let ${token.image} = …\``,
      from: token.image,
      to: `let ${token.image}`,
    };
  if (/(^|[\s{,])residual\s*$/.test(before))
    return '`residual` is the form of a layer: write `residual conv hidden = 8, kernel = 3`, or `residual dense hidden = 64`';
  if (tokenMatcher(token, t.Pipe) && /[(,]/.test(before))
    return 'a branch inside brackets needs a name: write `let a = it |> …` on a line before, and `a` here';
  if (tokenMatcher(token, t.By) && /,\s*$/.test(before)) return 'no comma stands before `by`: write `dense 64 by sll`';
  return undefined;
};

/** The last keyword that opens a part of the file before an offset. */
const itemAt = (source: string, offset: number): string | undefined =>
  [...source.slice(0, offset).matchAll(/^[^\S\n]*(network|train|certify|layer|rescaling)\b/gm)].at(-1)?.[1];

const SIZES = /^(\d+)[x×](\d+)$/;
/** `kernel = 3`, `kernel 3`, `bias = false`, with what stands behind it on the line. */
const OPTION =
  /^([\p{L}_][\p{L}\p{N}_]*)(\s*=\s*|[^\S\n]+)([\p{L}\p{N}_."/×-]+)(?=[^\S\n]*(?:,|\n|\r|\}|\/\/|by\b|$))/u;

/** What is missing before a surplus token: a comma, a `let`, the brackets of a list. */
export const forgotten = ({ token, behind }: Surplus, source: string): { help: string; fix?: Fix } | undefined => {
  const start = token.startOffset;
  const line = source.slice(source.lastIndexOf('\n', start - 1) + 1, start);
  const rest = source.slice(start, start + 200);
  const setting = itemAt(source, start) === 'train';
  if (tokenMatcher(token, t.Equals)) {
    const name = /^\s*([\p{L}_][\p{L}\p{N}_]*)\s*$/u.exec(line)?.[1];
    if (name === undefined || behind !== 'statement') return undefined;
    if (setting)
      return {
        help: `settings take no \`=\`: write \`${name} …\``,
        fix: { span: spanOf(token), from: '=', to: '' },
      };
    return { help: `to name a value write \`let ${name} = …\`, as \`let ${name} = it |> dense 64\`` };
  }
  const before = /(\d+)$/.exec(line)?.[1];
  const sizes = before === undefined ? null : /^[x×](\d+)(?![\p{L}\p{N}_])/u.exec(rest);
  if (before !== undefined && sizes) {
    const to = `[${before}, ${sizes[1]}]`;
    const span = { start: start - before.length, end: start + sizes[0].length };
    return { help: `two sizes are a list: write \`${to}\``, fix: { span, from: before + sizes[0], to } };
  }
  const named =
    tokenMatcher(token, t.NumberLiteral) && ['statement', 'stage'].includes(behind)
      ? /([\p{L}_]+)[^\S\n]+([\p{L}_]+)[^\S\n]+$/u.exec(line)
      : null;
  if (named) {
    // `pad channels 8` and `residual conv hidden 8`.
    const to = ['channels', 'features'].includes(named[2]) ? 'to' : '=';
    const span = { start, end: spanOf(token).end };
    return {
      help: `write \`${named[2]} ${to} ${token.image}\``,
      fix: { span, from: token.image, to: `${to} ${token.image}` },
    };
  }
  const option =
    ['statement', 'stage'].includes(behind) && tokenMatcher(token, t.Identifier) ? OPTION.exec(rest) : null;
  if (!option) return undefined;
  const [text, name, between, given] = option;
  const gap = /[^\S\n]*$/.exec(line)![0];
  const size = SIZES.exec(given);
  const value = size ? `[${size[1]}, ${size[2]}]` : given;
  if (setting && between.includes('=')) return undefined;
  const to = setting ? `, ${name} ${value}` : `, ${name} = ${value}`;
  return {
    help: `write \`${to}\``,
    fix: { span: { start: start - gap.length, end: start + text.length }, from: gap + text, to },
  };
};

export const surplusHelp = ({ token, behind }: Surplus, source: string): string | undefined =>
  followsTranspose(token, source)
    ? TIMES
    : tokenMatcher(token, t.Equals)
      ? 'options come before clauses: `dense 64, bias = false by sll`'
      : behind === 'value'
        ? 'layers follow a value, which `|>` hands on: `it |> dense 64`'
        : undefined;
