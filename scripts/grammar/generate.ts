import { toEbnf } from './ebnf.ts';
import { toRailroad } from './railroad.ts';
import { readRules } from './rules.ts';
import { toTextMate } from './textmate.ts';

/** The files of grammar/ by name, from the parser and the tokens of the compiler. */
export const generateGrammar = (): Readonly<Record<string, string>> => {
  const grammar = readRules();
  return {
    'lip.ebnf': toEbnf(grammar),
    'railroad.html': toRailroad(grammar),
    'lip.tmLanguage.json': toTextMate(),
  };
};
