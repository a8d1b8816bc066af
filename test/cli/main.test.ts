import { spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bundleCli } from '../../scripts/bundle-cli.mjs';

const root = join(import.meta.dirname, '../..');
// Inside the project, so that its dependencies are found.
const dir = mkdtempSync(join(root, 'node_modules/.lip-main-'));
const scratch = mkdtempSync(join(tmpdir(), 'lip-main-'));
afterAll(() => {
  rmSync(dir, { recursive: true, force: true });
  rmSync(scratch, { recursive: true, force: true });
});

beforeAll(async () => {
  writeFileSync(join(dir, 'package.json'), '{"type": "module"}');
  await bundleCli(dir);
});

const lip = (args: readonly string[], close: readonly ('stdout' | 'stderr')[] = []) =>
  new Promise<{ code: number | null; out: string; err: string }>((done, fail) => {
    const child = spawn(process.execPath, [join(dir, 'lip.js'), ...args], { cwd: root });
    let out = '';
    let err = '';
    for (const stream of close) child[stream].destroy();
    child.stdout.on('data', chunk => {
      out += chunk;
    });
    child.stderr.on('data', chunk => {
      err += chunk;
    });
    child.on('error', fail);
    child.on('close', code => done({ code, out, err }));
  });

test('the program itself: exit codes and streams', async () => {
  const bad = join(scratch, 'bad.lip');
  writeFileSync(bad, 'network N by sll {\n  input x[2]\n  dens 3\n}\n');
  const [help, unknown, wrong, missing, good] = await Promise.all([
    lip([]),
    lip(['chekc']),
    lip(['check', bad]),
    lip(['check', join(scratch, 'none.lip')]),
    lip(['check', 'examples/mnist.lip']),
  ]);
  expect(help).toMatchObject({ code: 0, err: '' });
  expect(unknown).toMatchObject({ code: 2, out: '', err: expect.stringContaining('Did you mean check?') });
  expect(wrong).toMatchObject({ code: 1, out: '', err: expect.stringContaining('error[L0101]') });
  expect(missing).toMatchObject({ code: 2, out: '', err: expect.stringContaining('there is no file') });
  expect(good).toMatchObject({ code: 0, err: '', out: expect.stringContaining('1-Lipschitz') });
});

test('a reader that goes away is no failure', async () => {
  expect(await lip(['explain'], ['stdout'])).toMatchObject({ code: 0, err: '' });
  expect(await lip(['check', join(scratch, 'none.lip')], ['stdout', 'stderr'])).toMatchObject({ code: 2 });
});

test.runIf(existsSync('/dev/full'))(
  'a full disk behind the streams is a failure of its own, and loses no work',
  async () => {
    const full = openSync('/dev/full', 'w');
    const to = (stdout: 'ignore' | number, stderr: 'pipe' | number, ...args: string[]) =>
      spawnSync(process.execPath, [join(dir, 'lip.js'), ...args], { cwd: root, stdio: ['ignore', stdout, stderr] });
    const results = to(full, 'pipe', 'explain');
    expect(results.status).toBe(2);
    expect(`${results.stderr}`).toMatch(/^lip: cannot write the results: .*no space left/);
    expect(to('ignore', full, 'check', join(scratch, 'none.lip')).status).toBe(2);
    closeSync(full);
  },
);
