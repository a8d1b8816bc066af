/** Keeps recursion over the tree of a program, here and in every later pass, within the stack. */
import type { IToken, TokenType } from 'chevrotain';
import type { Diagnostic, Span } from '../diagnostics.ts';
import * as t from './tokens.ts';

/** Brackets and braces open at one place. */
const MAX_DEPTH = 200;
/** Operators on one path from the root of an expression to a leaf. */
const MAX_OPERATORS = 1000;

const OPENING: readonly TokenType[] = [t.LBrace, t.LParen, t.LBracket];
const CLOSING: readonly TokenType[] = [t.RBrace, t.RParen, t.RBracket];
const OPERATORS: readonly TokenType[] = [t.Plus, t.Minus, t.Times, t.Divide];

/** What is known of the innermost open bracket. A chain `a + b + c` is as deep as it has operators, and deepest in `a`. */
interface Level {
  /** Operators of the chain that is being read. */
  operators: number;
  /** Depth of the deepest bracket in that chain. */
  inside: number;
  /** Depth of the deepest of the chains before it, which commas or line ends closed. */
  before: number;
}

const level = (): Level => ({ operators: 0, inside: 0, before: 0 });
const depthOf = (l: Level): number => Math.max(l.before, l.operators + l.inside);

/** The first place where brackets are nested deeper, or expressions are longer, than recursion may follow. */
export const findExcess = (tokens: readonly IToken[]): Diagnostic | undefined => {
  const open: Level[] = [level()];
  const refuse = (token: IToken, message: string, help: string): Diagnostic => {
    const span: Span = { start: token.startOffset, end: token.endOffset! + 1 };
    return { code: 'L0004', severity: 'error', message, span, help };
  };
  for (const token of tokens) {
    const type = token.tokenType;
    const innermost = open[open.length - 1];
    if (OPENING.includes(type)) open.push(level());
    else if (CLOSING.includes(type)) {
      if (open.length > 1) {
        open.pop();
        const outer = open[open.length - 1];
        outer.inside = Math.max(outer.inside, depthOf(innermost));
      }
    } else if (OPERATORS.includes(type)) innermost.operators++;
    else if (type === t.Comma || type === t.Newline) {
      innermost.before = depthOf(innermost);
      innermost.operators = 0;
      innermost.inside = 0;
    }
    if (open.length - 1 > MAX_DEPTH)
      return refuse(
        token,
        `more than ${MAX_DEPTH} brackets are open here`,
        'flatten the nesting: `repeat N { … }` says the same thing many times',
      );
    // A block is no part of an expression: its own statements were measured.
    const last = open[open.length - 1];
    if (type === t.RBrace) last.inside = 0;
    if (last.operators + last.inside > MAX_OPERATORS)
      return refuse(
        token,
        `more than ${MAX_OPERATORS} operators in one expression`,
        'write the result of the computation instead',
      );
  }
  return undefined;
};
