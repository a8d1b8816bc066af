/** Pages of words: their networks are proven, by the rules that they name, and no word of the language is without one. */
import { describe, expect, it } from 'vitest';
import { ORTHOGONAL_FAMILIES } from '../src/ir/orthogonal.ts';
import { libraryDefinitions } from '../src/library.ts';
import { parse } from '../src/parser/parse.ts';
import { prove } from '../src/passes/prove/prove.ts';
import { resolve } from '../src/passes/resolve/resolve.ts';
import { OPERATOR_METHODS } from '../src/passes/resolve/resolve-contraction.ts';
import { PRIMITIVE_METHODS } from '../src/passes/resolve/resolve-rescaling.ts';
import { LAYER_STATEMENTS } from '../src/passes/resolve/resolve-statements.ts';
import type { Derivation } from '../src/proof/rules.ts';
import { WORD_PAGES } from '../src/word-pages.ts';

const rulesOf = (d: Derivation): readonly string[] => [d.rule, ...d.premises.flatMap(rulesOf)];

const proof = (input: string, lines: readonly string[]): readonly string[] => {
  const body = [`input ${input}`, ...lines].map(l => `  ${l}\n`).join('');
  const { file, diagnostics } = parse(`network N by aol {\n${body}}\n`);
  const program = resolve(file);
  expect([...diagnostics, ...program.diagnostics]).toEqual([]);
  const result = prove(program.networks[0]);
  if ('diagnostics' in result) throw new Error(result.diagnostics[0].message);
  return [...rulesOf(result.proven.derivation), ...result.proven.subBudgets.flatMap(p => rulesOf(p.derivation))];
};

describe('pages of words', () => {
  it.each(Object.entries(WORD_PAGES))('%s', (_, { input, use, rules = [] }) => {
    // Lines are alternatives where each is a network of its own, else they stand together.
    const together = use.some(l => l.startsWith('let ') || l.startsWith('budget '));
    const used = together ? proof(input, use) : use.flatMap(l => proof(input, [l]));
    expect(used).toEqual(expect.arrayContaining([...rules]));
  });

  it('every layer, method and family has one, or is a definition of the library', () => {
    const words = [...Object.keys(LAYER_STATEMENTS), ...PRIMITIVE_METHODS, ...OPERATOR_METHODS, ...ORTHOGONAL_FAMILIES];
    const defined = libraryDefinitions().map(d => d.definition.name.text);
    expect(words.filter(w => !Object.hasOwn(WORD_PAGES, w) && !defined.includes(w))).toEqual([]);
  });
});
