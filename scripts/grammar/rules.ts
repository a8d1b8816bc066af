/** The rules of the parser as a small tree, without chevrotain's numbering and without what is there only to recover from errors. */
import {
  Alternation,
  Alternative,
  type IProduction,
  NonTerminal,
  Option,
  type Rule as ParserRule,
  Repetition,
  RepetitionMandatory,
  Terminal,
  type TokenType,
} from 'chevrotain';
import { LipParser } from '../../src/parser/grammar.ts';
import { CONTINUES, Newline } from '../../src/parser/tokens.ts';

export type Production =
  | { readonly kind: 'sequence' | 'choice'; readonly parts: readonly Production[] }
  | { readonly kind: 'optional' | 'repeat'; readonly part: Production }
  /** One or more parts with a separator between them. */
  | { readonly kind: 'list'; readonly part: Production; readonly separator: Production }
  /** A rule, or a token that is no fixed text. */
  | { readonly kind: 'reference'; readonly name: string }
  | { readonly kind: 'literal'; readonly text: string };

export interface GrammarRule {
  readonly name: string;
  readonly body: Production;
  /** What the rule alone does not say. */
  readonly note?: string;
}

export interface Grammar {
  readonly rules: readonly GrammarRule[];
  /** Tokens that are no fixed text: a regular expression, or words. */
  readonly tokens: readonly { readonly name: string; readonly regex?: string; readonly words?: string }[];
}

/** Error productions: what they read is reported, never accepted. */
const RECOVERY: ReadonlySet<string> = new Set(['surplus']);

/** Decisions that the parser takes by looking ahead. */
const NOTES: Readonly<Record<string, string>> = {
  args: 'Outside of brackets, a comma before `residual` or `transposed`, or before a name that a name, a number or a string follows, begins the next statement.',
};

/** The text of a token that is always the same. */
export const fixedText = (type: TokenType): string | undefined =>
  typeof type.PATTERN === 'string' && type !== Newline ? type.PATTERN : undefined;

/** The regular expression of any other token. */
export const regexSource = (type: TokenType): string => {
  const { PATTERN } = type;
  if (PATTERN && typeof PATTERN === 'object' && 'source' in PATTERN && typeof PATTERN.source === 'string')
    return PATTERN.source;
  throw new Error(`the token ${type.name} has no regular expression`);
};

const isRecovery = (p: IProduction): boolean =>
  p instanceof NonTerminal
    ? RECOVERY.has(p.nonTerminalName)
    : p instanceof Option && p.definition.length === 1 && isRecovery(p.definition[0]);

const same = (a: Production, b: Production): boolean => JSON.stringify(a) === JSON.stringify(b);

const sequence = (definition: readonly IProduction[]): Production => {
  const parts: Production[] = [];
  for (const p of definition.filter(d => !isRecovery(d))) {
    const part = convert(p);
    const before = parts.at(-1);
    // X (S X)* is a list of X.
    if (before && part.kind === 'repeat' && part.part.kind === 'sequence' && part.part.parts.length === 2) {
      const [separator, again] = part.part.parts;
      if (same(again, before)) {
        parts[parts.length - 1] = { kind: 'list', part: before, separator };
        continue;
      }
    }
    parts.push(part);
  }
  return parts.length === 1 ? parts[0] : { kind: 'sequence', parts };
};

const convert = (p: IProduction): Production => {
  if (p instanceof Terminal) {
    const text = fixedText(p.terminalType);
    return text === undefined ? { kind: 'reference', name: p.terminalType.name } : { kind: 'literal', text };
  }
  if (p instanceof NonTerminal) return { kind: 'reference', name: p.nonTerminalName };
  if (p instanceof Alternation) return { kind: 'choice', parts: p.definition.map(convert) };
  if (p instanceof Alternative) return sequence(p.definition);
  if (p instanceof Option) return { kind: 'optional', part: sequence(p.definition) };
  if (p instanceof Repetition) return { kind: 'repeat', part: sequence(p.definition) };
  if (p instanceof RepetitionMandatory) {
    const part = sequence(p.definition);
    return { kind: 'sequence', parts: [part, { kind: 'repeat', part }] };
  }
  throw new Error(`grammar generators do not know ${p.constructor.name}`);
};

const tokensOf = (rules: readonly ParserRule[]): readonly TokenType[] => {
  const found = new Set<TokenType>();
  const visit = (p: IProduction): void => {
    if (p instanceof Terminal) found.add(p.terminalType);
    else if (!(p instanceof NonTerminal) && 'definition' in p) for (const d of p.definition as IProduction[]) visit(d);
  };
  for (const r of rules) for (const d of r.definition) visit(d);
  return [...found];
};

/** Reads the rules off an instance of the parser. */
export const readRules = (): Grammar => {
  const silent = (): string => '';
  const parser = new LipParser({
    buildMismatchTokenMessage: silent,
    buildNotAllInputParsedMessage: silent,
    buildNoViableAltMessage: silent,
    buildEarlyExitMessage: silent,
  });
  const rules = Object.values(parser.getGAstProductions()).filter(r => !RECOVERY.has(r.name));
  const continues = [...CONTINUES].map(t => (t.PATTERN instanceof RegExp ? '-' : String(t.PATTERN))).join('  ');
  return {
    rules: rules.map(r => ({
      name: r.name,
      body: sequence(r.definition),
      ...(NOTES[r.name] !== undefined && { note: NOTES[r.name] }),
    })),
    tokens: tokensOf(rules)
      .filter(t => fixedText(t) === undefined)
      .map(t =>
        t === Newline
          ? {
              name: t.name,
              words: `the end of a line inside { } that does not end in one of  ${continues}`,
            }
          : { name: t.name, regex: regexSource(t) },
      ),
  };
};
