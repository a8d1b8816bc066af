import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

it('the checker imports nothing of the compiler', () => {
  const folder = new URL('../../src/proof/verify/', import.meta.url);
  const files = readdirSync(folder);
  expect(files).toContain('certificate.ts');
  for (const name of files) {
    const from = [...readFileSync(new URL(name, folder), 'utf8').matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(
      m => m[1],
    );
    for (const source of from) expect(source, name).toMatch(/^(\.\/[a-z]+\.ts|node:crypto)$/);
  }
});
