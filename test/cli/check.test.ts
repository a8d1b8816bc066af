import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { breakCell, formatCount } from '../../src/cli/check-report.ts';
import { register } from '../../src/cli/commands/check.ts';
import { run } from '../../src/cli/run.ts';
import { cpuTime } from '../cpu-time.ts';

const XLARGE = `network SllXLarge(convs = 70, denses = 15, width = 120) by sll {
  input image[3, 32, 32] in [0, 1]
  center [0.4913, 0.4821, 0.4465]
  pad channels to width
  repeat convs { residual conv hidden = 5, kernel = 3 }
  avgpool 4
  flatten
  repeat denses { residual dense hidden = 2048 }
  head 10
}
`;

let folder: string;
let out: string;
let err: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'lip-check-'));
});
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  out = '';
  err = '';
  vi.spyOn(process.stdout, 'write').mockImplementation(text => {
    out += text;
    return true;
  });
  vi.spyOn(process.stderr, 'write').mockImplementation(text => {
    err += text;
    return true;
  });
  return () => vi.restoreAllMocks();
});

const check = (source: string, ...options: string[]): Promise<number> => {
  const file = join(folder, 'net.lip');
  writeFileSync(file, source);
  return run(['check', file, ...options], [register]);
};

describe('lip check', () => {
  it('says in full what a line reads where that is not the line above, and nothing where it is', async () => {
    const net =
      'network B by aol {\n  input x[16]\n  dense 16\n  let a = it\n  maxmin\n  let longer_name = it\n  let y = mix(a, longer_name)\n  y\n  head 3\n}\n';
    expect(await check(net)).toBe(0);
    expect(out).toMatch(/^ +mix\[0\] +dense\[0\], maxmin\[0\] +mix/m);
    expect(out).toMatch(/^ +maxmin\[0\] +maxmin +–/m);
  });
  it('points out a dense layer whose Gram matrix is huge, and the side on which it is not', async () => {
    const net = (side: string) => `network W by aol {\n  input x[24000]\n  dense 4${side}\n  head 3\n}\n`;
    expect(await check(net(''))).toBe(0);
    expect(out).toMatch(
      /dense\[0\]: T needs a Gram matrix of 24000×24000, 2197 MiB in f32, whatever the batch; with\s+`side = out` it has 4×4/,
    );
    out = '';
    expect(await check(net(', side = out'))).toBe(0);
    expect(out).not.toContain('Gram matrix of');
  });
  it("reports the paper's X-Large network in 100 columns and its parameter count", async () => {
    const start = cpuTime();
    expect(await check(XLARGE)).toBe(0);
    expect(cpuTime() - start).toBeLessThan(2000);
    const lines = out.split('\n');
    expect(lines[0]).toBe('SllXLarge: 1-Lipschitz up to its head for every value of its weights (budget 1: proven)');
    expect(Math.max(...lines.map(l => [...l].length))).toBeLessThanOrEqual(100);
    const conv = 5 * 120 * 3 * 3 + 5 + 5;
    const dense = 2048 * 7680 + 2048 + 2048;
    const parameters = 70 * conv + 15 * dense + 10 * 7680 + 10;
    expect(out).toContain(`parameters ${parameters.toLocaleString('en')};`);
    const row = lines.find(l => l.includes('conv[0…69] ×70'))!;
    expect(row.trim().split(/\s{2,}/)).toEqual([
      'conv[0…69] ×70',
      'residual 5, 3×3',
      'sll',
      '120×32×32',
      '5410',
      '22.3 M',
      '486 k',
      '1',
      expect.any(String),
    ]);
    expect(out).toContain('residual: WᵀW ⪯ T and σ slope[0, 1]');
  });

  it('shows repeated blocks of several layers once, with a bracket', async () => {
    await check('network N {\n  input x[8]\n  repeat 5 {\n    dense 8 by aol\n    maxmin\n  }\n  head 3\n}\n');
    expect(out).toMatch(/┌dense\[0…4\] ×5 .*\n {2}└maxmin\[0…4\] ×5/);
  });

  it('--json is complete: every layer, every rule used, the derivation', async () => {
    expect(await check(XLARGE, '--json', '--set', 'convs=2', '--set', 'denses=1')).toBe(0);
    const { networks } = JSON.parse(out);
    const [net] = networks;
    expect(net.layers.map((l: { path: string }) => l.path)).toEqual([
      'center[0]',
      'pad[0]',
      'conv[0]',
      'conv[1]',
      'avgpool[0]',
      'flatten[0]',
      'dense[0]',
      'head',
    ]);
    expect(net).toMatchObject({ bound: '1', squaredBound: '1', budget: '1' });
    const rules = new Set(net.theorems.map((t: { rule: string }) => t.rule));
    for (const l of net.layers) for (const r of l.rules) expect(rules).toContain(r);
    expect(net.derivation.rule).toBe('pairwise-head');
    const total = net.layers.reduce((s: number, l: { params: number }) => s + l.params, 0);
    expect(net.total.params).toBe(total);
  });

  it('--by changes the method of every layer that follows the header', async () => {
    expect(await check(XLARGE, '--by', 'aol', '--set', 'convs=1', '--set', 'denses=1', '--json')).toBe(0);
    const [net] = JSON.parse(out).networks;
    expect(net.layers.flatMap((l: { rescaling?: string }) => l.rescaling ?? [])).toEqual([
      'aol(eps = 1/1000000)',
      'aol(eps = 1/1000000)',
    ]);
  });

  it('refuses what cannot be proven, with the chain of factors, exit 1, nothing on stdout', async () => {
    const source =
      'network N {\n  input x[8]\n  dense 8 by aol\n  leaky_relu 2\n  residual dense hidden = 4 by sll\n  head 3\n}\n';
    expect(await check(source)).toBe(1);
    expect(out).toBe('');
    expect(err).toContain('L0201');
    expect(err).toContain('the composed bound of N is 2, more than its budget 1');
    expect(err).toContain('dense[0]: 1');
    expect(await check(source.replace('network N {', 'network N {\n  budget 2'))).toBe(0);
  });

  it('a bound that is no rational number is shown as the root it is', async () => {
    expect(formatCount(9999)).toBe('9999');
    expect(formatCount(1_234_567)).toBe('1.23 M');
    expect(await check('network N {\n  input x[4]\n  scale 2\n  sigmoid\n}\n')).toBe(0);
    expect(out).toContain('N: 1/8-Lipschitz for every value of its weights');
  });
});

describe('lip check on a refused program', () => {
  const REFUSED = 'network N {\n  input x[6]\n  residual dense hidden = 4, act = abs by aol\n  head 2\n}\n';

  it('shows a counterexample, and writes it only where it is told to', async () => {
    const before = readdirSync(folder);
    expect(await check(REFUSED)).toBe(1);
    expect(err).toMatch(/= counterexample: W = .*\|f\(x\) − f\(y\)\|/);
    expect(err).toContain('--counterexample FILE');
    expect(readdirSync(folder).filter(f => f !== 'net.lip')).toEqual(before.filter(f => f !== 'net.lip'));

    const path = join(folder, 'abs.counterexample.json');
    expect(await check(REFUSED, '--counterexample', path)).toBe(1);
    expect(err).toContain(`counterexample written to ${path}`);
    const { counterexamples } = JSON.parse(readFileSync(path, 'utf8'));
    const [{ network, layers, ratio, x, y, fx, fy }] = counterexamples;
    expect([network, layers]).toEqual(['N', ['dense[0]']]);
    const distance = (a: number[], b: number[]) => Math.hypot(...a.map((v, i) => v - b[i]));
    expect(distance(fx, fy) / distance(x, y)).toBeCloseTo(ratio, 6);
    expect(ratio).toBeGreaterThan(2.9);
  });

  it('says where it cannot be written', async () => {
    const path = join(folder, 'net.lip', 'inside.json');
    expect(await check(REFUSED, '--counterexample', path)).toBe(2);
    expect(err).toContain('help: `--counterexample` takes a file');
  });

  it('puts it into the JSON', async () => {
    expect(await check(REFUSED, '--json')).toBe(1);
    const [{ code, counterexample }] = JSON.parse(out).diagnostics;
    expect(code).toBe('L0202');
    expect(counterexample.ratio).toBeGreaterThan(2.9);
  });

  it('writes nothing for a program that is proven', async () => {
    const path = join(folder, 'none.json');
    expect(await check(REFUSED.replace('abs', 'relu'), '--counterexample', path)).toBe(0);
    expect(existsSync(path)).toBe(false);
  });
});

it.each([
  ['residual 96, tanh', 11, ['residual', '96, tanh']],
  ['max(aol, mix(sll, schur))', 13, ['max(aol,', 'mix(sll,', 'schur))']],
  ['a,b,c', 4, ['a,b,', 'c']],
  ['unbreakable', 4, ['unbr', 'eaka', 'ble']],
  ['fits', 4, ['fits']],
])('a cell of several lines: %s in %i columns', (text, width, lines) => {
  expect(breakCell(text, width)).toEqual(lines);
  expect(breakCell(text, width).every(l => l.length <= width)).toBe(true);
});
