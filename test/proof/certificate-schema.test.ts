import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { certifyAllWeights } from '../../src/passes/certificate/certify-weights.ts';
import { ruleNames } from '../../src/proof/rules.ts';
import { randomFrom, randomSource } from '../random-network.ts';
import { certify, type Mutable, provenFrom, weightsFor } from './certified.ts';
import { NETWORKS } from './networks.ts';

const read = (name: string) => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');
const schema: Mutable = JSON.parse(read('certificate.schema.json'));

/** What `value` breaks of `s`: the keywords this schema uses, and an error for any other. */
const faults = (value: Mutable, s: Mutable, where = '$'): string[] => {
  const no = (keyword: string) => [`${where}: ${keyword}`];
  return Object.entries<Mutable>(s).flatMap(([keyword, rule]): string[] => {
    switch (keyword) {
      case '$schema':
      case 'title':
      case '$defs':
        return [];
      case '$ref':
        return faults(value, schema.$defs[rule.replace('#/$defs/', '')], where);
      case 'const':
        return value === rule ? [] : no(keyword);
      case 'enum':
        return rule.includes(value) ? [] : no(keyword);
      case 'type': {
        const type = Array.isArray(value) ? 'array' : Number.isInteger(value) ? 'integer' : typeof value;
        return type === rule ? [] : no(keyword);
      }
      case 'pattern':
        return new RegExp(rule).test(value) ? [] : no(keyword);
      case 'minimum':
        return value >= rule ? [] : no(keyword);
      case 'minItems':
        return value.length >= rule ? [] : no(keyword);
      case 'maxItems':
        return value.length <= rule ? [] : no(keyword);
      case 'items':
        return value.flatMap((v: Mutable, i: number) => faults(v, rule, `${where}.${i}`));
      case 'required':
        return rule.every((k: string) => Object.hasOwn(value, k)) ? [] : no(keyword);
      case 'properties':
        return Object.keys(rule).flatMap(k =>
          Object.hasOwn(value, k) ? faults(value[k], rule[k], `${where}.${k}`) : [],
        );
      case 'additionalProperties': {
        const others = Object.keys(value).filter(k => !Object.hasOwn(s.properties ?? {}, k));
        if (rule === false) return others.map(k => `${where}: unknown ${k}`);
        return others.flatMap(k => faults(value[k], rule, `${where}.${k}`));
      }
      default:
        throw new Error(`keyword ${keyword}`);
    }
  });
};

describe('the schema of certificates', () => {
  it('fits certificates of random networks', () => {
    for (let seed = 0; seed < 40; seed++) {
      const r = randomFrom(seed + 8000);
      const proven = provenFrom(randomSource(r));
      expect(faults(certify(proven, weightsFor(proven, r)).certificate, schema)).toEqual([]);
      expect(faults(certifyAllWeights(proven).certificate, schema)).toEqual([]);
    }
  });
  it.each(Object.entries(NETWORKS))('fits %s', (_, body) => {
    const proven = provenFrom(`network Net {\n${body}\n}`);
    expect(faults(certify(proven, weightsFor(proven, randomFrom(5))).certificate, schema)).toEqual([]);
  });
  it('does not fit what is no certificate', () => {
    const { certificate } = certifyAllWeights(provenFrom('network Net {\n input x[2]\n relu\n}'));
    expect(faults({ ...certificate, more: 1 }, schema)).toEqual(['$: unknown more']);
    expect(faults({ ...certificate, squared: 1 }, schema)).not.toEqual([]);
    expect(faults({ ...certificate, sha256: 'x' }, schema)).toEqual(['$.sha256: pattern']);
  });
  it('and the page name the rules of the prover', () => {
    const page = read('certificate.md');
    for (const rule of schema.$defs.step.properties.rule.enum) {
      expect(ruleNames).toContain(rule);
      expect(page).toContain(`\`${rule}\``);
    }
    for (const kind of ['layerStep', 'dominance'])
      for (const rule of schema.$defs[kind].properties.rule.enum) expect(page).toContain(`\`${rule}\``);
    for (const kind of schema.$defs.layer.properties.kind.enum) expect(page).toContain(`\`${kind}\``);
  });
});
