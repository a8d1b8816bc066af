import { describe, expect, test } from 'vitest';
import { register as explain, explainPage } from '../../src/cli/commands/explain.ts';
import { CliError, EXIT } from '../../src/cli/errors.ts';
import type { Register } from '../../src/cli/run.ts';
import { InputFileError } from '../../src/data/input-file-error.ts';
import { DIAGNOSTIC_CODES } from '../../src/diagnostic-codes.ts';
import { format } from '../../src/parser/format.ts';
import { NoAdapterError } from '../../src/runtime/errors.ts';
import { runCaptured } from './capture.ts';

const lip = (...args: string[]) => runCaptured(args, [explain]);

const failing =
  (error: unknown): Register =>
  program =>
    void program.command('fail').action(() => {
      throw error;
    });

describe('the shell', () => {
  test('help on stdout, for a newcomer', async () => {
    for (const args of [[], ['--help'], ['help']]) {
      const { code, out, err } = await lip(...args);
      expect([code, err]).toEqual([0, '']);
      expect(out).toMatch(/^Usage: lip/);
      expect(out).toContain('lip check examples/mnist.lip');
      expect(out).toContain('explain');
    }
  });
  test('help for a command', async () => {
    expect((await lip('explain', '--help')).out).toMatch(/^Usage: lip explain/);
    expect((await lip('help', 'explain')).out).toMatch(/^Usage: lip explain/);
  });
  test('version', async () => {
    expect(await lip('--version')).toMatchObject({ code: 0, out: '0.1.0\n' });
  });
  test('wrong usage exits with 2 and says what was meant', async () => {
    expect(await lip('explian')).toMatchObject({
      code: 2,
      out: '',
      err: "error: unknown command 'explian'\n(Did you mean explain?)\n",
    });
    expect(await lip('explain', '--jsn')).toMatchObject({
      code: 2,
      err: expect.stringContaining('Did you mean --json?'),
    });
    expect((await lip('explain', 'L0101', 'L0102')).code).toBe(2);
  });
  test.each([
    [new CliError('no', EXIT.negative, 'try'), 3, 'lip: no\n  help: try\n'],
    [new InputFileError('bad file'), 2, 'lip: bad file\n'],
    [new NoAdapterError(['a'], 'do this'), 4, 'lip: no usable GPU adapter\n  a\n  help: do this\n'],
  ])('failures of the user: %s', async (error, code, err) => {
    expect(await runCaptured(['fail'], [failing(error)])).toEqual({ code, out: '', err });
  });
  test.each([new TypeError('x is undefined'), 'a string'])('anything else is a bug: %s', async error => {
    const { code, err } = await runCaptured(['fail'], [failing(error)]);
    expect(code).toBe(70);
    expect(err).toMatch(/^lip: this is a bug in lip, not in your program\.\n/);
    expect(err).toContain(error instanceof Error ? 'x is undefined' : 'a string');
  });
});

describe('explain', () => {
  test('a page, in any case of letters', async () => {
    const { code, out } = await lip('explain', 'l0123');
    expect(code).toBe(0);
    expect(out).toBe(explainPage('L0123', DIAGNOSTIC_CODES.L0123));
    expect(out).toContain('Wrong:\n\n    network Net by sll {\n      input image[1, 28, 28]\n      avgpool 3\n    }\n');
  });
  test('every page fits a terminal', () => {
    for (const [code, page] of Object.entries(DIAGNOSTIC_CODES))
      for (const line of explainPage(code, page).split('\n'))
        expect(line.length, `${code}: ${line}`).toBeLessThanOrEqual(140);
  });
  test('the options that an example needs are shown', async () => {
    expect((await lip('explain', 'L0109')).out).toContain('Wrong (with --set widht=8):');
  });
  test('all codes', async () => {
    const { out } = await lip('explain');
    expect(out.match(/^L\d{4} {2}\S/gm)!.length).toBe(Object.keys(DIAGNOSTIC_CODES).length);
    expect(out).toMatch(/Words of the language\n\n {4}abs, .*\n(.*\n)*\nDefinitions of the library\n\n {4}spectral/);
    expect(out).toMatch(/\nRules of the prover\n\n {4}gram-iteration,/);
    expect(JSON.parse((await lip('explain', '--json')).out)[0]).toEqual({
      code: 'L0001',
      title: 'the file is too large',
    });
  });
  test('a layer of the library: its definitions, which are formatted source', async () => {
    const { code, out } = await lip('explain', 'conv');
    expect(code).toBe(0);
    expect(format(out)).toEqual({ text: out });
    expect(out.match(/^layer .*\(/gm)!.map(l => l.split('(')[0])).toEqual(['layer conv', 'layer residual conv']);
    expect(JSON.parse((await lip('explain', 'sll', '--json')).out)).toMatchObject({
      name: 'sll',
      definitions: [{ file: 'rescalings.lip' }],
    });
  });
  test('a word, with the rules that it rests on', async () => {
    const { code, out } = await lip('explain', 'maxmin');
    expect(code).toBe(0);
    expect(out).toMatch(/^maxmin: an activation\n\n\(max, min\) of each pair/);
    expect(out).toContain('    maxmin pairs = halves\n');
    expect(out).toContain('Rule sort: ');
    expect(out).toContain('[Coq sort]');
    expect(JSON.parse((await lip('explain', 'sort', '--json')).out)).toMatchObject({ rule: { name: 'sort' } });
    expect((await lip('explain', 'residual', 'conv')).out).toContain('layer residual conv(');
  });
  test('a rule', async () => {
    expect((await lip('explain', 'dominance-max')).out).toMatch(/^Rule dominance-max: G ⪯ T gives .*\n\n {4}order/);
  });
  test('a word of other tools, and one that is misspelt', async () => {
    expect(await lip('explain', 'gelu')).toMatchObject({ code: 2, err: expect.stringContaining('not 1-Lipschitz') });
    expect((await lip('explain', 'maxmi')).err).toContain('did you mean maxmin?');
  });
  test('an unknown code', async () => {
    expect(await lip('explain', 'L0999')).toMatchObject({ code: 2, out: '' });
    expect((await lip('explain', 'L010')).err).toContain('did you mean L0101?');
  });
});
