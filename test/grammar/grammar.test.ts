import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { generateGrammar } from '../../scripts/grammar/generate.ts';
import { type Production, readRules } from '../../scripts/grammar/rules.ts';
import { lexer } from '../../src/parser/tokens.ts';

const folder = join(import.meta.dirname, '../../grammar');
const examples = join(import.meta.dirname, '../../examples');

describe('grammar/', () => {
  it.each(Object.entries(generateGrammar()))('%s is what `npm run grammar` writes', (name, text) => {
    expect(readFileSync(join(folder, name), 'utf8')).toBe(text);
  });

  it('mentions every rule that a rule refers to, and nothing that only recovers from errors', () => {
    const { rules, tokens } = readRules();
    const defined = new Set([...rules, ...tokens].map(r => r.name));
    const visit = (p: Production): string[] =>
      p.kind === 'reference'
        ? [p.name]
        : 'parts' in p
          ? p.parts.flatMap(visit)
          : p.kind === 'list'
            ? [...visit(p.part), ...visit(p.separator)]
            : 'part' in p
              ? visit(p.part)
              : [];
    const used = new Set(rules.flatMap(r => visit(r.body)));
    expect([...used].filter(u => !defined.has(u))).toEqual([]);
    expect([...defined].filter(d => d !== 'file' && !used.has(d))).toEqual([]);
    expect(defined).not.toContain('surplus');
  });

  it('gives every token of the examples a name in the editor grammar', () => {
    type Pattern = { readonly name?: string; readonly match: string };
    const { patterns } = JSON.parse(generateGrammar()['lip.tmLanguage.json']) as { patterns: readonly Pattern[] };
    // What Oniguruma writes \x{2212} is \u{2212} here.
    const regexes = patterns.map(p => new RegExp(p.match.replace(/\\x\{/g, '\\u{'), 'uy'));
    for (const name of readdirSync(examples).filter(f => f.endsWith('.lip'))) {
      for (const line of readFileSync(join(examples, name), 'utf8').split('\n')) {
        const { tokens } = lexer.tokenize(line);
        for (const t of tokens.filter(k => !/^[{}()[\],]$/.test(k.image))) {
          const hit = regexes.some(r => {
            r.lastIndex = t.startOffset;
            return r.test(line);
          });
          expect(hit, `${t.image} in ${line}`).toBe(true);
        }
      }
    }
  });
});
