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
interface Enumerated {
  readonly properties: { readonly rule: { readonly enum: readonly string[] } };
}
/** All rules that a certificate may name. */
const schema = JSON.parse(readFileSync(new URL('../../docs/certificate.schema.json', import.meta.url), 'utf8')) as {
  readonly $defs: Readonly<Record<'step' | 'layerStep' | 'dominance', Enumerated>>;
};
const { step, layerStep, dominance } = schema.$defs;
const certified = new Set([step, layerStep, dominance].flatMap(d => d.properties.rule.enum));
const nameOf = (rule: string): string => rule.replaceAll('-', '_');

describe('the theory', () => {
  it.each(ruleNames)('has a theorem that is named like the rule %s', rule => {
    expect(ruleOf(rule).coq).toBe(nameOf(rule));
    expect(theorems).toContain(nameOf(rule));
  });
  it.each([...certified])('has a theorem that is named like the rule %s of certificates', rule => {
    expect(theorems).toContain(nameOf(rule));
  });
});
