/** What docs/certificate.md says of the trusted files is so. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const root = new URL('../../', import.meta.url);
const lines = (file: string): number => readFileSync(new URL(file, root), 'utf8').split('\n').length - 1;

it('the page on certificates lists every file of the checkers, with its lines, rounded up to tens', () => {
  const page = readFileSync(new URL('docs/certificate.md', root), 'utf8');
  const listed = [...page.matchAll(/^\| `([^`]+\.(?:ts|py))` \| (\d+) \|/gm)].map(m => [m[1], Number(m[2])] as const);
  const folder = 'src/proof/verify/';
  const files = [...readdirSync(new URL(folder, root)).map(f => folder + f), 'verify/lip_verify.py'];
  expect(listed.map(([file]) => file).sort()).toEqual(files.sort());
  for (const [file, stated] of listed) expect(stated, file).toBe(Math.ceil(lines(file) / 10) * 10);
  const total = listed.filter(([file]) => file.startsWith(folder)).reduce((n, [, stated]) => n + stated, 0);
  expect(page).toContain(`${total} lines`);
});
