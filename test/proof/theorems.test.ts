import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ruleNames, ruleOf } from '../../src/proof/rules.ts';

const folder = new URL('../../proofs/theories/', import.meta.url);
const theorems = new Set(
  readdirSync(folder)
    .filter(file => file.endsWith('.v'))
    .flatMap(file => [
      ...readFileSync(new URL(file, folder), 'utf8').matchAll(/^\s*(?:Theorem|Lemma|Corollary)\s+([\w']+)/gm),
    ])
    .map(([, name]) => name),
);
const nameOf = (rule: string): string => rule.replaceAll('-', '_');

describe('the theory', () => {
  it.each(ruleNames)('has a theorem that is named like the rule %s', rule => {
    expect(ruleOf(rule).coq).toBe(nameOf(rule));
    expect(theorems).toContain(nameOf(rule));
  });
});
