/** The editor grammar (TextMate, as VS Code and others read it), from the tokens. */
import type { TokenType } from 'chevrotain';
import * as t from '../../src/parser/tokens.ts';
import { fixedText, regexSource } from './rules.ts';

/** Editors use Oniguruma, which writes code points in another way. */
const oniguruma = (type: TokenType): string => regexSource(type).replace(/\\u([\dA-Fa-f]{4})/g, '\\x{$1}');

const NAME = oniguruma(t.Identifier);

const words = (types: readonly TokenType[]): string => types.map(k => fixedText(k)!).join('|');
/** A keyword is no part of a longer name. */
const keyword = (types: readonly TokenType[]): string => `(?<![\\p{L}\\p{N}_])(?:${words(types)})(?![\\p{L}\\p{N}_])`;

const isPunctuation = (type: TokenType): boolean => {
  const text = fixedText(type) ?? '';
  return text !== '' && !/[\p{L}]/u.test(text);
};
const BRACKETS: ReadonlySet<TokenType> = new Set([t.LBrace, t.RBrace, t.LParen, t.RParen, t.LBracket, t.RBracket]);
const VALUES: ReadonlySet<TokenType> = new Set([
  t.Identifier,
  t.NumberLiteral,
  t.StringLiteral,
  t.OpenString,
  t.Stray,
  t.Newline,
]);
const escapeRegex = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');

export const toTextMate = (): string => {
  const definitions = t.ITEM_KEYWORDS;
  const others = t.KEYWORDS.filter(k => !definitions.includes(k));
  /** Names elsewhere, keywords at the beginning of a line. */
  const contextual = t.ALL_TOKENS.filter(k => k.CATEGORIES?.includes(t.Identifier));
  const operators = t.ALL_TOKENS.filter(k => isPunctuation(k) && !BRACKETS.has(k) && k !== t.Comma)
    .map(k => escapeRegex(fixedText(k)!))
    .sort((a, b) => b.length - a.length);
  // The other tokens without a fixed text that are no names and no values.
  const signs = t.ALL_TOKENS.filter(k => fixedText(k) === undefined && k.GROUP === undefined && !VALUES.has(k));
  const pattern = (name: string, match: string): object => ({ name: `${name}.lip`, match });
  const grammar = {
    $schema: 'https://raw.githubusercontent.com/martinring/tmlanguage/master/tmlanguage.json',
    comment: 'Generated from the tokens by `npm run grammar`.',
    name: 'lip',
    scopeName: 'source.lip',
    fileTypes: ['lip'],
    patterns: [
      pattern('comment.line.double-slash', '//.*$'),
      pattern('string.quoted.double', oniguruma(t.StringLiteral)),
      {
        match: `(${keyword(definitions)})\\s+(${NAME})`,
        captures: { 1: { name: 'keyword.declaration.lip' }, 2: { name: 'entity.name.type.lip' } },
      },
      pattern('keyword.declaration', keyword(definitions.filter(k => !contextual.includes(k)))),
      pattern('keyword.other', keyword(others)),
      pattern('keyword.other', `^\\s*${keyword(contextual)}`),
      pattern('constant.numeric', `(?<![\\p{L}_])${oniguruma(t.NumberLiteral)}`),
      pattern('variable.parameter', `${NAME}(?=\\s*=)`),
      pattern('support.function', `(?:(?<=[{,]|^)\\s*|(?<=residual|transposed)\\s+)${NAME}|${NAME}(?=[(\\[])`),
      pattern('variable.other', NAME),
      pattern('keyword.operator', [...operators, ...signs.map(oniguruma)].join('|')),
    ],
  };
  return `${JSON.stringify(grammar, null, 2)}\n`;
};
