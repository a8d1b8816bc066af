/** `lip check --fix`: mends that a machine can make, and those it must not. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { register } from '../../src/cli/commands/check.ts';
import { applyFixes } from '../../src/cli/fixes.ts';
import { diagnose } from '../../src/cli/load-program.ts';
import { run } from '../../src/cli/run.ts';
import { DIAGNOSTIC_CODES, type DiagnosticPage } from '../../src/diagnostic-codes.ts';

let folder: string;
let err: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'lip-fix-'));
});
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  err = '';
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  vi.spyOn(process.stderr, 'write').mockImplementation(text => {
    err += text;
    return true;
  });
  return () => vi.restoreAllMocks();
});

const fixed = async (source: string, ...options: string[]): Promise<readonly [code: number, text: string]> => {
  const file = join(folder, 'net.lip');
  writeFileSync(file, source);
  const code = await run(['check', file, '--fix', ...options], [register]);
  return [code, readFileSync(file, 'utf8')];
};

const net = (...lines: string[]): string => `network Net(width = 4) {\n${lines.map(l => `  ${l}\n`).join('')}}\n`;

describe('lip check --fix', () => {
  it('writes what a misspelt layer, option, method and parameter were meant to be, and says so', async () => {
    const wrong = net('input x[8]', 'dens 4 by cayley', 'linear widht by aol', 'head 10, epss = 0');
    const right = net('input x[8]', 'dense 4 by orthogonal(cayley)', 'dense width by aol', 'head 10, eps = 0');
    expect(await fixed(wrong)).toEqual([0, right]);
    expect(err).toContain('net.lip:3:3: L0101: `dens` is now `dense`\n');
  });

  it.each([
    ['sll-old-eps.lip', 'let T = gershgorin(Wᵀ * W, exp(q))\n'],
    ['sll-tiny-q.lip', 'let T = gershgorin(Wᵀ * W, exp(q)) + 1/1000000\n'],
    ['untied.lip', 'relu(Wᵀ * x)'],
    ['reflect-padding.lip', 'padding = same by aol'],
    ['bjorck-any-norm.lip', 'orthogonal(bjorck, steps = 3, scale = clip)'],
  ])('makes a provable layer of %s', async (file, text) => {
    const source = readFileSync(join(import.meta.dirname, '../../examples/refused', file), 'utf8');
    const [code, after] = await fixed(source);
    expect(code).toBe(0);
    expect(after).toContain(text);
  });

  it('removes the line of a parameter that nothing depends on', async () => {
    const own = (param: string): string =>
      `layer own(x: vec[n]) {\n  param b: vec[n] = zeros\n${param}  return x + b\n}\n\n${net('input x[8]', 'own', 'head 2')}`;
    expect(await fixed(own('  param c: vec[n] = zeros  // why?\n'))).toEqual([0, own('    // why?\n')]);
    expect(await fixed(own('  param c: vec[n] = zeros\n'))).toEqual([0, own('')]);
    expect(err).toContain('L0142: `param c: vec[n] = zeros` is removed\n');
  });

  it('leaves a file alone that has nothing obvious to mend', async () => {
    const source = net('input x[8]', 'scale 1/2', 'head 10');
    expect(await fixed(source)).toEqual([1, source]);
  });

  it('does not write into the file what was wrong on the command line', async () => {
    const source = 'network Net by aol {\n  input x[8]\n  dense 4\n  head 10\n}\n';
    expect(await fixed(source, '--by', 'spectrl')).toEqual([1, source]);
    expect(err).toContain('did you mean `spectral`?');
  });

  it('says with --set what it expected', async () => {
    const source = net('input x[8]', 'dense width by aol', 'head 10');
    expect(await fixed(source, '--set', 'width=abc')).toEqual([1, source]);
    expect(err).toContain('--set width: expected a number, found `abc`');
  });
});

it('never makes two fixes at one place', () => {
  const span = { start: 0, end: 3 };
  const d = diagnose(net('input x[8]', 'dens 4 by aol'), {})[0];
  const twice = [
    { ...d, fix: { span, from: 'abc', to: 'x' } },
    { ...d, fix: { span: { start: 2, end: 4 }, to: 'y' } },
    { ...d, fix: { span: { start: 3, end: 4 }, from: 'z', to: 'w' } },
  ];
  expect(applyFixes('abcd', twice).text).toBe('xd');
});

describe('the fix of a wrong example', () => {
  const fixable = Object.entries<DiagnosticPage>(DIAGNOSTIC_CODES).filter(([, { wrong }]) =>
    diagnose(wrong.source, wrong.options ?? {}).some(d => d.fix),
  );
  it('exists for several pages', () => expect(fixable.length).toBeGreaterThanOrEqual(5));
  it.each(fixable)('of %s takes its finding away and brings no other', (_, { wrong }) => {
    const { text, made } = applyFixes(wrong.source, diagnose(wrong.source, wrong.options ?? {}));
    if (made.length > 0) expect(diagnose(text, wrong.options ?? {})).toEqual([]);
    else expect(text).toBe(wrong.source);
  });
});
