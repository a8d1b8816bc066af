import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleCli } from '../../scripts/bundle-cli.mjs';
import { verifyInThreads } from '../../src/cli/check-in-threads.ts';
import { register as verify } from '../../src/cli/commands/verify.ts';
import { networkParams } from '../../src/ir/network.ts';
import { digest, verifyCertificate } from '../../src/proof/verify/certificate.ts';
import { Refused } from '../../src/proof/verify/numbers.ts';
import { readTensors } from '../../src/proof/verify/read.ts';
import { initializeParams } from '../../src/train/initialize.ts';
import { writeSafetensors } from '../../src/train/safetensors.ts';
import { provenFrom } from '../proof/certified.ts';
import { runCaptured } from './capture.ts';

const SOURCE = `network Net {
  input image[2, 6, 6]
  residual conv hidden = 3, kernel = 3 by sll
  conv 3, kernel = 3 by spectral(grid = 8)
  maxmin
  avgpool 3
  flatten
  residual dense hidden = 5 by spectral
  dense 4 by orthogonal(cayley)
  head 3
}`;

const root = join(import.meta.dirname, '../..');
// As the command line is bundled for use; inside the project, so that its dependencies are found.
const dist = mkdtempSync(join(root, 'node_modules/.lip-threads-'));
const folder = mkdtempSync(join(tmpdir(), 'lip-threads-'));
const file = (name: string) => join(folder, name);
afterAll(() => {
  rmSync(dist, { recursive: true, force: true });
  rmSync(folder, { recursive: true, force: true });
});
const lip = (...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(dist, 'lip.js'), ...args], { encoding: 'utf8' });
  return { code: status, out: stdout, err: stderr };
};
const proveWith = (name: string, threads: string) =>
  lip('prove', file('net.lip'), '--weights', file('w.safetensors'), '-o', file(`${name}.json`), '--threads', threads);

beforeAll(async () => {
  await bundleCli(dist);
  writeFileSync(join(dist, 'package.json'), '{"type": "module"}');
  writeFileSync(file('net.lip'), SOURCE);
  const params = networkParams(provenFrom(SOURCE).network);
  for (const [seed, name] of ['w', 'others'].entries()) {
    const values = initializeParams(params, seed + 1);
    const tensors = params.map(
      p => [p.path, { dtype: 'F32' as const, shape: p.shape, data: values.get(p.path)! }] as const,
    );
    writeFileSync(file(`${name}.safetensors`), writeSafetensors(new Map(tensors)));
  }
});

/** The verdict, or why it was refused, on one thread and on two. */
const verdicts = (certificate: unknown) => {
  const tensors = readTensors(readFileSync(file('1.safetensors')));
  const worker = pathToFileURL(join(dist, 'proof-worker.js'));
  return Promise.all(
    [1, 2].map(threads =>
      verifyInThreads(certificate, tensors, {}, { threads, worker }).catch(e => {
        if (e instanceof Refused) return e.message;
        throw e;
      }),
    ),
  );
};
const proven = () => JSON.parse(readFileSync(file('1.json'), 'utf8'));

describe('lip prove and lip verify on threads', () => {
  it('write the same certificate and tensors, and give the same verdict', () => {
    const [one, two] = ['1', '2'].map(n => proveWith(n, n));
    expect(one).toMatchObject({ code: 0, err: '' });
    expect(two).toEqual({ ...one, out: one.out.replaceAll(file('1.'), file('2.')) });
    for (const ending of ['json', 'safetensors'])
      expect(readFileSync(file(`2.${ending}`))).toEqual(readFileSync(file(`1.${ending}`)));
    const [v1, v2] = ['1', '2'].map(n => lip('verify', file('2.json'), '--threads', n));
    expect(v1).toMatchObject({ code: 0, err: '' });
    expect(v2).toEqual(v1);
  });
  it('leave the old files or the new ones when they are stopped in the middle', async () => {
    const folder = file('stopped');
    mkdirSync(folder);
    const args = (weights: string) => [
      'prove',
      file('net.lip'),
      '--weights',
      file(weights),
      '-o',
      join(folder, 'c.json'),
    ];
    const stopped = (after: number, weights: string) =>
      new Promise<NodeJS.Signals | null>(done => {
        const child = spawn(process.execPath, [join(dist, 'lip.js'), ...args(weights)], { stdio: 'ignore' });
        child.on('exit', (_, signal) => done(signal));
        setTimeout(() => child.kill('SIGINT'), after);
      });
    expect(await stopped(100, 'w.safetensors')).toBe('SIGINT');
    expect(readdirSync(folder)).toEqual([]);
    expect(lip(...args('w.safetensors')).code).toBe(0);
    // The certificate of one checkpoint does not fit the tensors of the other.
    for (const after of [300, 500, 700]) {
      await stopped(after, 'others.safetensors');
      expect(readdirSync(folder)).toEqual(['c.json', 'c.safetensors']);
      const [json, tensors] = ['c.json', 'c.safetensors'].map(name => readFileSync(join(folder, name)));
      verifyCertificate(JSON.parse(json.toString()), readTensors(tensors), {});
    }
  });
  it('refuse for the reason that comes first, with its text', async () => {
    const good = proven();
    const heavy = [0, 1, 5, 6];
    expect(good.weights.layers.flatMap((l: object, n: number) => ('dominance' in l ? [n] : []))).toEqual(heavy);
    const lessen = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(lessen);
      if (typeof value !== 'object' || value === null) return value;
      return Object.fromEntries(
        Object.entries(value).map(([k, v]) => [k, k === 'T' ? v.map(([m, e]: number[]) => [m, e - 3]) : lessen(v)]),
      );
    };
    for (const wrong of [[1], [5, 6], [6], heavy]) {
      const bad = structuredClone(good);
      for (const n of wrong) bad.weights.layers[n].dominance = lessen(bad.weights.layers[n].dominance);
      const [v1, v2] = await verdicts({ ...bad, sha256: digest(bad) });
      expect(v1).toContain(`${good.weights.layers[wrong[0]].path}, `);
      expect(v2).toBe(v1);
    }
  });
  it('refuse what no thread comes to', async () => {
    const changes: [string, (c: ReturnType<typeof proven>) => void][] = [
      ['the weights of', c => Object.assign(c.weights.layers[1], { own: '1/2' })],
      ['the weights of dense[0]', c => Object.assign(c.weights.layers[5], { more: 1 })],
      ['is not an object', c => c.weights.layers.splice(1, 1, null)],
      ['is not a list', c => Object.assign(c.weights, { layers: {} })],
      ['hashes of tensors', c => Object.assign(c.weights.tensors, { 'conv[1].X': '0' })],
    ];
    for (const [reason, change] of changes) {
      const bad = proven();
      change(bad);
      const [v1, v2] = await verdicts({ ...bad, sha256: digest(bad) });
      expect(v1).toContain(reason);
      expect(v2).toBe(v1);
    }
  });
  it('take no --threads that is not a whole number from 1', async () => {
    for (const n of ['0', '1.5', 'two'])
      expect(await runCaptured(['verify', file('1.json'), '--threads', n], [verify])).toMatchObject({ code: 2 });
  });
  it('call a thread that fails a bug, and do without it on one', async () => {
    const worker = join(dist, 'proof-worker.js');
    writeFileSync(worker, 'process.exit(0);');
    await expect(verdicts(proven())).rejects.toThrow('before its result');
    writeFileSync(worker, "throw new Error('out of order');");
    const v = lip('verify', file('1.json'), '--threads', '2');
    expect(v).toMatchObject({ code: 70, out: '' });
    expect(v.err).toContain('this is a bug in lip');
    expect(v.err).toContain('out of order');
    expect(lip('verify', file('1.json'), '--threads', '1').code).toBe(0);
    rmSync(worker);
    const [v1, v2] = await verdicts(proven());
    expect(v2).toEqual(v1);
  });
});
