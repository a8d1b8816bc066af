import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { CliError } from '../../src/cli/errors.ts';
import { addProgramOptions, invalidUtf8At, loadProgram, readSource } from '../../src/cli/load-program.ts';
import type { Register } from '../../src/cli/run.ts';
import { runCaptured } from './capture.ts';

const dir = mkdtempSync(join(tmpdir(), 'lip-load-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const file = (name: string, content: string | Uint8Array): string => {
  const path = join(dir, name);
  writeFileSync(path, content);
  return path;
};

const good = 'network N(w = 3) by sll {\n  input x[2]\n  dense w\n  head 2\n}\n';

const failure = (f: () => unknown): CliError => {
  try {
    f();
  } catch (e) {
    expect(e).toBeInstanceOf(CliError);
    return e as CliError;
  }
  throw new Error('did not fail');
};

describe('files', () => {
  test('a good one', () => {
    const program = loadProgram(file('good.lip', good));
    expect(program.networks.map(n => n.network.name)).toEqual(['N']);
    expect(program.networks[0].proven.network).toBe(program.networks[0].network);
  });
  test('a parameter that no result depends on is named, where it stands', () => {
    const own = (...body: string[]) => `layer own(x: vec[n]) {\n${body.join('\n')}\n  return x + b\n}\n`;
    const warnings = (source: string): string => {
      const written = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
      try {
        loadProgram(file('unused.lip', `${source}network N {\n  input x[2]\n  own\n  head 2\n}\n`));
        return written.mock.calls.map(c => c[0]).join('');
      } finally {
        written.mockRestore();
      }
    };
    const b = '  param b: vec[n] = zeros';
    expect(warnings(own(b))).toBe('');
    expect(warnings(own(b, '  param q: vec[n] = zeros', '  let y = x + q'))).toMatch(
      /^warning\[L0142\]: what `own` returns does not depend on the parameter `q`.*\n.*unused\.lip:3:9\n/,
    );
  });
  test('missing', () => {
    const e = failure(() => readSource(join(dir, 'none.lip')));
    expect([e.exitCode, e.message]).toEqual([2, `there is no file ${join(dir, 'none.lip')}`]);
  });
  test('a directory', () => {
    expect(failure(() => readSource(dir))).toMatchObject({ exitCode: 2, message: `${dir} is a directory` });
  });
  test('10 MB', () => {
    const path = file('big.lip', new Uint8Array(10_000_000).fill(0x20));
    expect(failure(() => loadProgram(path)).message).toMatch(/10000000 bytes; at most 3000000 are read/);
  });
  test('not UTF-8: says where', () => {
    const bytes = Buffer.concat([Buffer.from('network Größe '), Buffer.from([0xff, 0xfe]), Buffer.from(' {}')]);
    const e = failure(() => readSource(file('bad.lip', bytes)));
    expect([e.exitCode, e.message]).toEqual([
      2,
      `${join(dir, 'bad.lip')} is not UTF-8: byte ${Buffer.byteLength('network Größe ')} (0xff) does not belong there`,
    ]);
  });
  test.each([
    [[], undefined],
    [[0x61, 0xc3, 0xa9], undefined],
    [[0xef, 0xbb, 0xbf, 0x61], undefined],
    [[0x61, 0x80], 1],
    [[0x61, 0xc3], 1],
    [[0xff, 0x61], 0],
    [[0xc3, 0x28, 0xff], 1],
    [[0xed, 0xa0, 0x80], 1],
  ])('the first bad byte of %j', (bytes, at) => {
    expect(invalidUtf8At(Uint8Array.from(bytes))).toBe(at);
  });
  test('a byte order mark', () => {
    expect(loadProgram(file('bom.lip', `\uFEFF${good}`)).networks.length).toBe(1);
  });
});

const load: Register = program => {
  addProgramOptions(program.command('load').argument('<file>').option('--json')).action((path: string, options) => {
    const { networks } = loadProgram(path, options);
    process.stdout.write(networks.map(n => `${n.network.name} ${n.network.layers[0].shape}`).join('\n'));
  });
};

describe('as a command', () => {
  test('options reach the program', async () => {
    const path = file('good.lip', good);
    expect(await runCaptured(['load', path], [load])).toEqual({ code: 0, out: 'N 3', err: '' });
    expect(await runCaptured(['load', path, '--set', 'w=7'], [load])).toEqual({ code: 0, out: 'N 7', err: '' });
    const wrong = await runCaptured(['load', path, '--set', 'v=7', '--set', 'w = 0', '--by', 'sl'], [load]);
    expect(wrong.code).toBe(1);
    expect(wrong.err).toMatch(/L0109.*--set v[\s\S]*L0104[\s\S]*did you mean `sll`[\s\S]*L0112[\s\S]*3 errors in/);
    expect((await runCaptured(['load', path, '--set', 'w'], [load])).code).toBe(2);
  });
  test('all diagnostics of parser and resolver, in order, on stderr', async () => {
    const { code, out, err } = await runCaptured(
      ['load', file('bad2.lip', 'network N by sll {\n  input x[2]\n  dens 3\n  dense $ 4\n  head 2 3\n}\n')],
      [load],
    );
    expect([code, out]).toEqual([1, '']);
    expect(err.match(/error\[L\d+\]/g)).toEqual(['error[L0101]', 'error[L0002]', 'error[L0003]']);
    expect(err).toContain(' 3 |   dens 3\n   |   ^^^^\n   = help: did you mean `dense`?');
  });
  test('as JSON on stdout', async () => {
    const { code, out } = await runCaptured(
      ['load', '--json', file('bad3.lip', 'network N by sll {\n  input x[2]\n  dens 3\n}\n')],
      [load],
    );
    expect(code).toBe(1);
    expect(JSON.parse(out).diagnostics).toMatchObject([
      {
        code: 'L0101',
        severity: 'error',
        start: { line: 3, column: 3 },
        end: { line: 3, column: 7 },
        help: 'did you mean `dense`?',
      },
    ]);
  });
  test('what cannot be proven is refused', async () => {
    const path = file('steep.lip', 'network N by sll {\n  input x[2]\n  leaky_relu 2\n  dense 3\n}\n');
    const { code, err } = await runCaptured(['load', path], [load]);
    expect(code).toBe(1);
    expect(err).toMatch(/error\[L02\d\d\]/);
  });
});
