import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { readTar, unpackSoftwareDriver } from '../../src/runtime/swiftshader.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lip-swiftshader-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

describe.runIf(process.platform === 'linux' && process.arch === 'x64')('the packaged driver', () => {
  test('is unpacked once', () => {
    vi.stubEnv('XDG_CACHE_HOME', folder);
    const first = unpackSoftwareDriver();
    expect(first.directory.startsWith(join(folder, 'lip'))).toBe(true);
    const before = statSync(first.loader).mtimeMs;
    expect(statSync(unpackSoftwareDriver().loader).mtimeMs).toBe(before);
    expect(readdirSync(join(folder, 'lip'))).toHaveLength(1);
  });

  test('a damaged cache is mended', () => {
    vi.stubEnv('XDG_CACHE_HOME', folder);
    const { icd } = unpackSoftwareDriver();
    unlinkSync(icd);
    expect(statSync(unpackSoftwareDriver().icd).size).toBeGreaterThan(50);
    expect(readdirSync(join(folder, 'lip'))).toHaveLength(1);
  });

  test('a cache that cannot be written falls back to the temporary folder', () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    vi.stubEnv('XDG_CACHE_HOME', join(file, 'below'));
    vi.stubEnv('TMPDIR', folder);
    expect(unpackSoftwareDriver().directory.startsWith(join(folder, 'lip-'))).toBe(true);
  });

  test('with nowhere to write it says where it tried', () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    vi.stubEnv('XDG_CACHE_HOME', join(file, 'below'));
    vi.stubEnv('TMPDIR', join(file, 'tmp'));
    expect(() => unpackSoftwareDriver()).toThrow(/cannot unpack the software GPU: .*file\/below/);
  });

  test('processes that unpack at the same moment do not disturb each other', async () => {
    const script = new URL('../../scripts/run.mjs', import.meta.url).pathname;
    const entry = join(folder, 'unpack.ts');
    const module = new URL('../../src/runtime/swiftshader.ts', import.meta.url).pathname;
    writeFileSync(
      entry,
      `import { unpackSoftwareDriver } from ${JSON.stringify(module)};\nconsole.log(unpackSoftwareDriver().directory);\n`,
    );
    const one = () =>
      new Promise<{ code: number | null; text: string }>(resolve => {
        const child = spawn(process.execPath, [script, entry], { env: { ...process.env, XDG_CACHE_HOME: folder } });
        let text = '';
        child.stdout.on('data', d => (text += d));
        child.stderr.on('data', d => (text += d));
        child.on('close', code => resolve({ code, text }));
      });
    const results = await Promise.all([one(), one(), one()]);
    expect(results.map(r => r.code)).toEqual([0, 0, 0]);
    expect(new Set(results.map(r => r.text)).size).toBe(1);
    expect(readdirSync(join(folder, 'lip'))).toHaveLength(1);
  });
});

test('a truncated tar archive is refused', () => {
  const header = Buffer.alloc(512);
  header.write('a', 0);
  header.write('00000001000', 124);
  header[156] = 0x30;
  expect(() => readTar(header)).toThrow('damaged tar archive');
  const whole = Buffer.concat([header, Buffer.alloc(512, 7)]);
  expect(readTar(whole).get('a')).toHaveLength(512);
});
