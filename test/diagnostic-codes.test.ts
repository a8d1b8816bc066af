import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DIAGNOSTIC_CODES, type DiagnosticPage } from '../src/diagnostic-codes.ts';
import type { Example } from '../src/diagnostic-pages/page.ts';
import { parse } from '../src/parser/parse.ts';
import { prove } from '../src/passes/prove/prove.ts';
import { resolve } from '../src/passes/resolve/resolve.ts';
import { unusedParams } from '../src/passes/resolve/unused-params.ts';

const codesOf = ({ source, options }: Example): string[] => {
  const parsed = parse(source);
  const program = resolve(parsed.file, options);
  const found = [...parsed.diagnostics, ...program.diagnostics];
  if (found.length > 0) return found.map(d => d.code);
  const refused = program.networks.flatMap(n => {
    const result = prove(n);
    return 'diagnostics' in result ? result.diagnostics : [];
  });
  const warnings = parsed.file.definitions.flatMap(unusedParams);
  return [...refused, ...warnings].map(d => d.code);
};

const pages = Object.entries<DiagnosticPage>(DIAGNOSTIC_CODES);

describe.each(pages)('%s', (code, page) => {
  test('its wrong example gives this code and no other', () => {
    expect([...new Set(codesOf(page.wrong))]).toEqual([code]);
  });
  test('its right example has no diagnostics', () => {
    expect(codesOf(page.right)).toEqual([]);
  });
  test('its page has a title and a reason', () => {
    expect(page.title.length).toBeGreaterThan(5);
    expect(page.why.length).toBeGreaterThan(20);
  });
});

test('every code in the source has a page, and every page is of a code in the source', () => {
  const root = join(import.meta.dirname, '../src');
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(
    f => f.endsWith('.ts') && !f.startsWith('diagnostic-'),
  );
  const used = new Set(files.flatMap(f => readFileSync(join(root, f), 'utf8').match(/(?<=')L0\d{3}(?=')/g) ?? []));
  expect([...used].sort()).toEqual(pages.map(([code]) => code).sort());
});
