/**
 * `let` and pipelines in networks are words of a language to come. Each is taken out as a whole before parsing, so that it gives one
 * diagnostic and no cascade.
 */
import type { IToken } from 'chevrotain';
import type { Diagnostic, Span } from '../diagnostics.ts';
import * as t from './tokens.ts';

/** Index after the statement that `from` stands in: at its Newline, or at the brace that closes its block. */
const statementEnd = (tokens: readonly IToken[], from: number): number => {
  let depth = 0;
  let i = from;
  for (; i < tokens.length; i++) {
    const type = tokens[i].tokenType;
    if (depth === 0 && (type === t.Newline || type === t.RBrace)) break;
    if (type === t.LBrace) depth++;
    if (type === t.RBrace) depth--;
  }
  return i;
};

/** Index after the block of the definition at `from`. */
const definitionEnd = (tokens: readonly IToken[], from: number): number => {
  let depth = 0;
  for (let i = from; i < tokens.length; i++) {
    if (tokens[i].tokenType === t.LBrace) depth++;
    if (tokens[i].tokenType === t.RBrace && --depth <= 0) return i + 1;
  }
  return tokens.length;
};

const startsStatement = (previous: IToken | undefined): boolean =>
  previous === undefined || [t.Newline, t.LBrace, t.RBrace].includes(previous.tokenType);

/** `tokens` (with Newlines) without the constructs that are not yet in the language, and one L0005 for each. */
export const removeUnsupported = (tokens: readonly IToken[]): { tokens: IToken[]; diagnostics: Diagnostic[] } => {
  const kept: IToken[] = [];
  const diagnostics: Diagnostic[] = [];
  const report = (what: string, span: Span, help: string): void => {
    diagnostics.push({ code: 'L0005', severity: 'error', message: `${what} not yet in the language`, span, help });
  };
  let i = 0;
  while (i < tokens.length) {
    const token = tokens[i];
    const span = { start: token.startOffset, end: token.endOffset! + 1 };
    if ((token.tokenType === t.LayerWord || token.tokenType === t.RescalingWord) && startsStatement(kept.at(-1))) {
      const end = definitionEnd(tokens, i);
      kept.push(...tokens.slice(i, end));
      i = end;
    } else if (token.tokenType === t.Let && startsStatement(kept.at(-1))) {
      report('`let` is', span, 'write the network as one chain, one layer per line');
      i = statementEnd(tokens, i);
    } else if (token.tokenType === t.Pipe) {
      report('pipelines (`|>`) are', span, 'write the network as one chain, one layer per line');
      while (!startsStatement(kept.at(-1))) kept.pop();
      i = statementEnd(tokens, i);
    } else {
      // What stood between two Newlines may be gone.
      if (token.tokenType !== t.Newline || !startsStatement(kept.at(-1)) || kept.at(-1)?.tokenType === t.RBrace)
        kept.push(token);
      i++;
    }
  }
  return {
    tokens: kept.filter((k, j) => k.tokenType !== t.Newline || kept[j + 1]?.tokenType !== t.RBrace),
    diagnostics,
  };
};
