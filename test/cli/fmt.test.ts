import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { register } from '../../src/cli/commands/fmt.ts';
import { type Captured, runCaptured } from './capture.ts';

const UGLY = 'network   N{ // net\n input x[8]\r\n\n\n\n dense  64 by   aol\n// end\n}';
const PRETTY = 'network N {  // net\n  input x[8]\n\n  dense 64 by aol\n  // end\n}\n';
const BROKEN = 'network N {\n input  x[8\n}\n';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'lip-fmt-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const file = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};
const read = (path: string): string => readFileSync(path, 'utf8');
const fmt = (...args: string[]): Promise<Captured> => runCaptured(['fmt', ...args], [register]);

describe('lip fmt', () => {
  it('rewrites what differs, names it, and leaves the rest untouched', async () => {
    const [ugly, pretty] = [file('ugly.lip', UGLY), file('pretty.lip', PRETTY)];
    const before = statSync(pretty).mtimeMs;
    expect(await fmt(ugly, pretty, ugly)).toEqual({ code: 0, out: `${ugly}\n`, err: '' });
    expect(read(ugly)).toBe(PRETTY);
    expect(statSync(pretty).mtimeMs).toBe(before);
    expect(await fmt(ugly)).toEqual({ code: 0, out: '', err: '' });
  });

  it('keeps permissions, and writes through links', async () => {
    const ugly = file('mode.lip', UGLY);
    chmodSync(ugly, 0o640);
    const link = join(folder, 'link.lip');
    symlinkSync(ugly, link);
    expect((await fmt(link)).code).toBe(0);
    expect(read(ugly)).toBe(PRETTY);
    expect(statSync(ugly).mode & 0o777).toBe(0o640);
  });

  it('--check changes nothing and exits 3 when a file differs', async () => {
    const [ugly, pretty] = [file('ugly.lip', UGLY), file('pretty.lip', PRETTY)];
    const result = await fmt('--check', pretty, ugly);
    expect(result).toMatchObject({ code: 3, out: `${ugly}\n` });
    expect(result.err).toContain('1 file of 2 not formatted');
    expect(read(ugly)).toBe(UGLY);
    expect((await fmt('--check', pretty)).code).toBe(0);
  });

  it('reports files with syntax errors, leaves them alone and formats the others', async () => {
    const [broken, ugly] = [file('broken.lip', BROKEN), file('ugly.lip', UGLY)];
    const result = await fmt(broken, ugly);
    expect(result).toMatchObject({ code: 1, out: `${ugly}\n` });
    expect(result.err).toContain('error[L0003]');
    expect(read(broken)).toBe(BROKEN);
    expect(read(ugly)).toBe(PRETTY);
  });

  it('takes the .lip files of a folder, and speaks JSON', async () => {
    const inner = mkdtempSync(join(folder, 'inner-'));
    const paths = ['a.lip', 'b.lip', 'c.txt'].map(n => join(inner, n));
    [UGLY, BROKEN, UGLY].forEach((text, i) => {
      writeFileSync(paths[i], text);
    });
    const { code, out } = await fmt('--json', inner);
    expect(code).toBe(1);
    expect(JSON.parse(out).files).toMatchObject([
      { path: paths[0], state: 'changed' },
      { path: paths[1], state: 'refused', diagnostics: [{ code: 'L0003' }] },
    ]);
    expect(read(paths[2])).toBe(UGLY);
  });

  it('asks for files when there are none', async () => {
    expect((await fmt()).code).toBe(2);
    expect((await fmt('--stdin', 'x.lip')).code).toBe(2);
    expect((await fmt(join(folder, 'absent.lip'))).code).toBe(2);
  });
});
