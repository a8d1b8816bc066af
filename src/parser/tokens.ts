/** The tokens of the language. `grammar/` and the editor grammar are derived from this list. */
import { createToken, createTokenInstance, type IToken, Lexer, type TokenType } from 'chevrotain';

const token = (name: string, pattern: RegExp | string, label: string): TokenType =>
  createToken({ name, pattern, label });

/** A pattern with Unicode classes: chevrotain's analysis of regular expressions does not know those, so it gets a function. */
const unicode = (name: string, pattern: RegExp, label: string): TokenType => {
  const sticky = new RegExp(pattern.source, 'uy');
  const match = (text: string, offset: number): RegExpExecArray | null => {
    sticky.lastIndex = offset;
    return sticky.exec(text);
  };
  // `source` is for the generated grammars.
  const custom = { exec: match, source: pattern.source };
  return createToken({ name, pattern: custom, label, line_breaks: false });
};

/** Names of anything: layers, options, parameters. `ᵀ` is the transpose, not a letter. */
export const Identifier = unicode('Identifier', /(?!ᵀ)[\p{L}_](?:(?!ᵀ)[\p{L}\p{N}_])*/u, 'a name');

const keyword = (word: string): TokenType =>
  createToken({
    name: word[0].toUpperCase() + word.slice(1),
    pattern: word,
    label: `\`${word}\``,
    longer_alt: Identifier,
  });

export const Network = keyword('network');
export const Train = keyword('train');
export const Certify = keyword('certify');
export const Residual = keyword('residual');
export const Transposed = keyword('transposed');
export const By = keyword('by');
export const On = keyword('on');
export const At = keyword('at');
export const In = keyword('in');
export const To = keyword('to');
export const Budget = keyword('budget');
export const Let = keyword('let');
export const LayerWord = keyword('layer');

/** A word of `layer` definitions alone; everywhere else it is a name like any other. */
const contextual = (word: string): TokenType =>
  createToken({
    name: word[0].toUpperCase() + word.slice(1),
    pattern: word,
    label: `\`${word}\``,
    longer_alt: Identifier,
    categories: [Identifier],
  });

export const ParamWord = contextual('param');
export const ReturnWord = contextual('return');
export const WhenWord = contextual('when');
/** Begins a definition, and is a name everywhere else. */
export const RescalingWord = contextual('rescaling');

export const NumberLiteral = token('Number', /\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/, 'a number');
export const StringLiteral = token('String', /"[^"\r\n]*"/, 'a string');
/** Stands for a string after its error is reported; it ends before a bracket, so that what follows can be read. */
export const OpenString = createToken({
  name: 'OpenString',
  pattern: /"[^"\r\n)\]},]*/,
  label: 'an unfinished string',
  categories: [StringLiteral],
});

export const LBrace = token('LBrace', '{', '`{`');
export const RBrace = token('RBrace', '}', '`}`');
export const LParen = token('LParen', '(', '`(`');
export const RParen = token('RParen', ')', '`)`');
export const LBracket = token('LBracket', '[', '`[`');
export const RBracket = token('RBracket', ']', '`]`');
export const Comma = token('Comma', ',', '`,`');
export const Equals = token('Equals', '=', '`=`');
export const Colon = token('Colon', ':', '`:`');
/** `ᵀ`, or `^T` where the keyboard has none. */
export const Transpose = unicode('Transpose', /ᵀ|\^T(?![\p{L}\p{N}_])/u, '`ᵀ`');
export const Pipe = token('Pipe', '|>', '`|>`');
export const Plus = token('Plus', '+', '`+`');
/** `-` or U+2212 MINUS SIGN. */
export const Minus = token('Minus', /[-\u2212]/, '`-`');
export const Times = token('Times', '*', '`*`');
export const Divide = token('Divide', '/', '`/`');

/** Any other character: reported, then dropped, so that parsing goes on. */
export const Stray = unicode('Stray', /[^\s]/u, 'a character that means nothing here');

/** Put between statements by `insertNewlines`; the lexer never makes one. */
export const Newline = createToken({ name: 'Newline', pattern: Lexer.NA, label: 'the end of the line' });

const Comment = createToken({ name: 'Comment', pattern: /\/\/[^\r\n]*/, group: 'comments', label: 'a comment' });
const Space = createToken({
  name: 'Space',
  pattern: /[\s\uFEFF]+/,
  group: Lexer.SKIPPED,
  line_breaks: true,
  label: 'space',
});

/** A line that begins with one of these begins a new item. */
export const ITEM_KEYWORDS: readonly TokenType[] = [Network, Train, Certify, LayerWord, RescalingWord];

export const KEYWORDS: readonly TokenType[] = [
  Network,
  Train,
  Certify,
  LayerWord,
  Residual,
  Transposed,
  By,
  On,
  At,
  In,
  To,
  Budget,
  Let,
];

export const ALL_TOKENS: TokenType[] = [
  Space,
  Comment,
  ...KEYWORDS,
  ParamWord,
  ReturnWord,
  WhenWord,
  RescalingWord,
  Identifier,
  NumberLiteral,
  StringLiteral,
  OpenString,
  LBrace,
  RBrace,
  LParen,
  RParen,
  LBracket,
  RBracket,
  Comma,
  Equals,
  Colon,
  Transpose,
  Pipe,
  Plus,
  Minus,
  Times,
  Divide,
  Stray,
  Newline,
];

export const lexer = new Lexer(ALL_TOKENS, { ensureOptimizations: false, positionTracking: 'full' });

/** A line that ends in one of these goes on in the next. */
export const CONTINUES: ReadonlySet<TokenType> = new Set([
  Comma,
  Equals,
  Colon,
  Pipe,
  Plus,
  Minus,
  Times,
  Divide,
  By,
  To,
]);

/**
 * A statement ends where its line ends, unless the line ends in a comma or an operator or inside ( ) or [ ]. Makes that explicit:
 * returns the tokens with a Newline between statements of a block. Outside of blocks line ends mean nothing.
 */
export const insertNewlines = (tokens: readonly IToken[]): IToken[] => {
  const out: IToken[] = [];
  const open: TokenType[] = [];
  let previous: IToken | undefined;
  for (const t of tokens) {
    // A definition at the beginning of a line ends whatever was left open before it.
    if (ITEM_KEYWORDS.includes(t.tokenType) && previous && t.startLine! > previous.startLine!) open.length = 0;
    const inBlock = open.at(-1) === LBrace;
    if (
      previous &&
      inBlock &&
      t.startLine! > previous.startLine! &&
      !CONTINUES.has(previous.tokenType) &&
      previous.tokenType !== LBrace &&
      t.tokenType !== RBrace &&
      t.tokenType !== LBrace &&
      t.tokenType !== Pipe
    ) {
      const end = previous.endOffset! + 1;
      const line = previous.startLine!;
      out.push(
        createTokenInstance(Newline, '\n', end, end, line, line, previous.endColumn! + 1, previous.endColumn! + 1),
      );
    }
    out.push(t);
    if (t.tokenType === LParen || t.tokenType === LBracket || t.tokenType === LBrace) open.push(t.tokenType);
    else if (t.tokenType === RParen || t.tokenType === RBracket) {
      if (open.at(-1) !== LBrace) open.pop();
    } else if (t.tokenType === RBrace) {
      // A brace closes what was left open inside it, so one missing bracket does not swallow the file.
      while (open.length > 0 && open.pop() !== LBrace);
    }
    previous = t;
  }
  return out;
};
