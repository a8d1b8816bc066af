import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { register as prove } from '../../src/cli/commands/prove.ts';
import { register as verify } from '../../src/cli/commands/verify.ts';
import { checkGaps, describeSquared, printGaps } from '../../src/cli/proof-report.ts';
import { networkParams } from '../../src/ir/network.ts';
import { initializeParams } from '../../src/train/initialize.ts';
import { writeSafetensors } from '../../src/train/safetensors.ts';
import { provenFrom } from '../proof/certified.ts';
import { runCaptured } from './capture.ts';

const SOURCE = `network Net {
  input image[1, 6, 6]
  center 1/3
  pad channels to 2
  residual conv hidden = 3, kernel = 3 by sll
  avgpool 3
  flatten
  dense 4 by orthogonal(cayley)
  head 3
}`;

let folder: string;
const file = (name: string) => join(folder, name);
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'lip-prove-'));
  writeFileSync(file('net.lip'), SOURCE);
  const params = networkParams(provenFrom(SOURCE).network);
  const values = initializeParams(params, 1);
  const tensors = new Map(
    params.map(p => [p.path, { dtype: 'F32' as const, shape: p.shape, data: values.get(p.path)! }]),
  );
  writeFileSync(file('w.safetensors'), writeSafetensors(tensors));
});
afterAll(() => rmSync(folder, { recursive: true }));

const lip = (...args: string[]) => runCaptured(args, [prove, verify]);

describe('lip prove and lip verify', () => {
  it('write and accept a certificate for all weights', async () => {
    const p = await lip('prove', file('net.lip'), '-o', file('all.json'));
    expect(p).toMatchObject({ code: 0, err: '' });
    expect(p.out).toBe(`certificate  ${file('all.json')}\nbound        1 for all weights\n`);
    const v = await lip('verify', file('all.json'));
    expect(v).toMatchObject({ code: 0, out: 'accepted: Net is 1-Lipschitz up to its head, for all weights\n' });
  });
  it('write and accept one for the tensors that ship, and say how far it is from a lower bound', async () => {
    const p = await lip('prove', file('net.lip'), '--weights', file('w.safetensors'), '-o', file('c.json'), '--json');
    expect(p.code).toBe(0);
    const report = JSON.parse(p.out);
    expect(report.tensors).toBe(file('c.safetensors'));
    expect(report.squaredBound).toBe('1/1');
    expect(report.lowerBound).toBeGreaterThan(0.01);
    const [num, den] = report.emittedSquaredBound.split('/').map(Number);
    expect(num / den).toBeLessThan(1 + 1e-6);
    expect(report.lowerBound).toBeLessThan(Math.sqrt(num / den));
    for (const exact of [[], ['--exact']]) {
      const v = await lip('verify', file('c.json'), ...exact);
      expect(v.code).toBe(0);
      expect(v.out).toContain('accepted: with its 9 emitted tensors the bound is 1');
    }
  });
  it('say how far each layer with a weight is from a lower bound', async () => {
    const options = ['--weights', file('w.safetensors'), '-o', file('gaps.json')];
    const { layers } = JSON.parse((await lip('prove', file('net.lip'), ...options, '--json')).out);
    expect(layers.map((l: { path: string }) => l.path)).toEqual(['conv[0]', 'dense[0]']);
    for (const { squaredBound, lowerBound } of layers) {
      const [num, den] = squaredBound.split('/').map(Number);
      expect(lowerBound).toBeGreaterThan(0.9);
      expect(lowerBound).toBeLessThan(Math.sqrt(num / (den ?? 1)) * (1 + 1e-9));
    }
    const { out } = await lip('prove', file('net.lip'), ...options);
    expect(out).toMatch(/found by power iteration on Jacobians: the bound is \d+\.\d+ times as large\n/);
    expect(out).toMatch(/\nlayer +certified +at least +ratio\nconv\[0\] +1 .*\ndense\[0\] .*\n$/);
  });
  it('take no rounding beside a large bias for a lower bound', async () => {
    const params = networkParams(provenFrom(SOURCE).network);
    const values = initializeParams(params, 1);
    const dense = [...values.keys()].find(k => k === 'dense[0].b')!;
    values.set(
      dense,
      Float32Array.from(values.get(dense)!, (_, i) => 1e12 / (i + 0.7)),
    );
    const tensors = params.map(
      p => [p.path, { dtype: 'F32' as const, shape: p.shape, data: values.get(p.path)! }] as const,
    );
    writeFileSync(file('bias.safetensors'), writeSafetensors(new Map(tensors)));
    const { code, err } = await lip(
      ...['prove', file('net.lip'), '--weights', file('bias.safetensors'), '-o', file('biased.json')],
    );
    expect([code, err]).toEqual([0, '']);
  });
  it('do not write over the weights, and make sure of the folder before the work', async () => {
    const before = readFileSync(file('w.safetensors'));
    const over = await lip('prove', file('net.lip'), '--weights', file('w.safetensors'), '-o', file('w.json'));
    expect(over.code).toBe(2);
    expect(over.err).toContain('would be written over the weights');
    expect(readFileSync(file('w.safetensors'))).toEqual(before);
    const same = await lip('prove', file('net.lip'), '--weights', file('w.safetensors'), '-o', file('w.safetensors'));
    expect(same).toMatchObject({ code: 2, out: '' });
    expect(same.err).toContain('the certificate would be written over the weights');
    expect(readFileSync(file('w.safetensors'))).toEqual(before);
    const program = readFileSync(file('net.lip'), 'utf8');
    for (const more of [[], ['--coq'], ['--weights', file('w.safetensors')]]) {
      const lost = await lip('prove', file('net.lip'), ...more, '-o', file('net.lip'));
      expect(lost.code).toBe(2);
      expect(lost.err).toContain('would be written over the program');
      expect(readFileSync(file('net.lip'), 'utf8')).toBe(program);
    }
    const there = readdirSync(folder);
    const inPlace = await lip('prove', file('net.lip'), '--weights', file('w.safetensors'), '-o', folder);
    expect(inPlace).toMatchObject({ code: 2, out: '' });
    expect(inPlace.err).toContain('it is a folder, not a file');
    expect(readdirSync(folder)).toEqual(there);
    expect(existsSync(`${folder}.safetensors`)).toBe(false);
    const into = join(file('w.safetensors'), 'c.json');
    const no = await lip('prove', file('net.lip'), '--weights', file('w.safetensors'), '-o', into);
    expect(no).toMatchObject({ code: 2, out: '' });
    expect(no.err).toContain('it is a file, not a folder');
  });
  it('refuse other tensors and a changed certificate with exit code 3', async () => {
    const bytes = readFileSync(file('c.safetensors'));
    bytes[bytes.length - 3] ^= 1;
    writeFileSync(file('other.safetensors'), bytes);
    const other = await lip('verify', file('c.json'), '--weights', file('other.safetensors'));
    expect(other.code).toBe(3);
    expect(other.err).toContain('refused: hashes of tensors');
    const text = readFileSync(file('c.json'), 'utf8').replace('"budget": "1"', '"budget": "2"');
    writeFileSync(file('changed.json'), text);
    const changed = await lip('verify', file('changed.json'), '--weights', file('c.safetensors'), '--json');
    expect(changed.code).toBe(3);
    expect(JSON.parse(changed.out)).toMatchObject({ accepted: false });
  });
  it('do not fill the stack with a certificate that is nested without end', async () => {
    const deep = JSON.parse(readFileSync(file('c.json'), 'utf8'));
    deep.derivation[0].premises = ['@'];
    const nested = `${'{"premises":['.repeat(20000)}${']}'.repeat(20000)}`;
    writeFileSync(file('deep.json'), JSON.stringify(deep).replace('"@"', nested));
    const no = await lip('verify', file('deep.json'));
    expect(no.code).toBe(2);
    expect(no.err).toContain('nested more than 200 deep');
  });
  it('say what is missing with exit code 2', async () => {
    rmSync(file('c.safetensors'));
    const lost = await lip('verify', file('c.json'));
    expect(lost.code).toBe(2);
    expect(lost.err).toContain('name them with --weights');
    expect((await lip('verify', file('none.json'))).code).toBe(2);
    expect((await lip('verify', file('net.lip'))).code).toBe(2);
    expect((await lip('prove', file('net.lip'), '--network', 'Other')).err).toContain('choose one with --network: Net');
    expect(existsSync(file('none.json'))).toBe(false);
  });
});

describe('lower bounds beside certified ones', () => {
  it('above them are a bug', () => {
    const gap = (squaredBound: string, lowerBound: number) => ({ path: 'dense[0]', squaredBound, lowerBound });
    expect(() => checkGaps([gap('1', 1), gap('4/9', 0.6666), gap('1/4', 0)])).not.toThrow();
    expect(() => checkGaps([gap('1', 0.5), gap('4/9', 0.6667)])).toThrow('dense[0] is certified to be 0.666');
    expect(() => checkGaps([gap('1', Number.NaN)])).toThrow('power iteration found NaN');
    // Rationals of frozen weights have thousands of digits.
    const huge = 10n ** 2000n;
    expect(() => checkGaps([gap(`${huge + 1n}/${huge}`, 1)])).not.toThrow();
    expect(() => checkGaps([gap(`${huge + 1n}/${huge}`, 1.0001)])).toThrow('1.0001');
  });
  it('make a table of the widest gaps, in order', () => {
    const gaps = Array.from({ length: 20 }, (_, n) => ({
      path: `dense[${n}]`,
      squaredBound: '1',
      lowerBound: n === 3 ? 0 : 1 / (1 + n / 4),
    }));
    const lines = printGaps(gaps).split('\n');
    expect(lines).toHaveLength(16);
    expect(lines[2]).toMatch(/^dense\[3\] +1 +0.00000 +–$/);
    expect(lines[13]).toMatch(/^dense\[19\] +1 +0.173913 +5.750$/);
    expect(lines[14]).toBe('and 8 more with smaller ratios');
    expect(printGaps([])).toBe('');
  });
});

describe('bounds in words', () => {
  it('keep the distance from 1', () => {
    expect(describeSquared('1/1')).toBe('1');
    expect(describeSquared('4/1')).toBe('2.00000000000');
    expect(describeSquared('4')).toBe('2.00000000000');
    expect(describeSquared(`${10n ** 20n + 2n}/${10n ** 20n}`)).toBe('1 + 1.00e-20');
    expect(describeSquared(`${10n ** 20n - 2n}/${10n ** 20n}`)).toBe('1 − 1.00e-20');
  });
});
