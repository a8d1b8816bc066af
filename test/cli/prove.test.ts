import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { register as prove } from '../../src/cli/commands/prove.ts';
import { register as verify } from '../../src/cli/commands/verify.ts';
import { describeSquared } from '../../src/cli/proof-report.ts';
import { networkParams } from '../../src/ir/network.ts';
import { initializeParams } from '../../src/train/initialize.ts';
import { writeSafetensors } from '../../src/train/safetensors.ts';
import { provenFrom } from '../proof/certified.ts';
import { runCaptured } from './capture.ts';

const SOURCE = `network Net {
  input image[1, 6, 6]
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
      expect(v.out).toContain('accepted: with its 8 emitted tensors the bound is 1');
    }
  });
  it('refuse other tensors and a changed certificate with exit code 3', async () => {
    const bytes = readFileSync(file('c.safetensors'));
    bytes[bytes.length - 3] ^= 1;
    writeFileSync(file('other.safetensors'), bytes);
    const other = await lip('verify', file('c.json'), '--weights', file('other.safetensors'));
    expect(other.code).toBe(3);
    expect(other.err).toContain('refused: the hash of');
    const text = readFileSync(file('c.json'), 'utf8').replace('"budget": "1"', '"budget": "2"');
    writeFileSync(file('changed.json'), text);
    const changed = await lip('verify', file('changed.json'), '--weights', file('c.safetensors'), '--json');
    expect(changed.code).toBe(3);
    expect(JSON.parse(changed.out)).toMatchObject({ accepted: false });
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

describe('bounds in words', () => {
  it('keep the distance from 1', () => {
    expect(describeSquared('1/1')).toBe('1');
    expect(describeSquared('4/1')).toBe('2.00000000000');
    expect(describeSquared('4')).toBe('2.00000000000');
    expect(describeSquared(`${10n ** 20n + 2n}/${10n ** 20n}`)).toBe('1 + 1.00e-20');
    expect(describeSquared(`${10n ** 20n - 2n}/${10n ** 20n}`)).toBe('1 − 1.00e-20');
  });
});
