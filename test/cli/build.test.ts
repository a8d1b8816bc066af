import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { hashFolded, hashWeights } from '../../src/certify/certificate.ts';
import { register } from '../../src/cli/commands/build.ts';
import { loadProgram } from '../../src/cli/load-program.ts';
import { run } from '../../src/cli/run.ts';
import type { LoadedNetwork } from '../../src/codegen/module-runtime.ts';
import { interpret } from '../../src/ir/interpret.ts';
import { networkParams } from '../../src/ir/network.ts';
import { freeze } from '../../src/passes/tensors/freeze.ts';
import { buildInference } from '../../src/passes/training/train-step.ts';
import { initializeParams } from '../../src/train/initialize.ts';
import { writeSafetensors } from '../../src/train/safetensors.ts';
import { useDevice } from '../device.ts';

const gpu = useDevice();

const SOURCE = `network Small(width = 4) by sll {
  input image[1, 8, 8] in [0, 1]
  center 1/2
  pad channels to width
  residual conv hidden = 3, kernel = 3
  avgpool 2
  flatten
  dense 12 by aol
  maxmin
  residual dense hidden = 10
  head 5
}

train Small on mnist {
  epochs 1, batch 4, seed 7
}
`;

let folder = '';
let file = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'lip-build-'));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  file = join(folder, 'small.lip');
  writeFileSync(file, SOURCE);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => vi.restoreAllMocks());

/** `lip ARGS` in this process. */
const lip = async (...args: string[]): Promise<{ code: number; out: string; err: string }> => {
  const text = { out: '', err: '' };
  const capture = (to: 'out' | 'err') => (chunk: unknown) => {
    text[to] += chunk;
    return true;
  };
  vi.spyOn(process.stdout, 'write').mockImplementation(capture('out'));
  vi.spyOn(process.stderr, 'write').mockImplementation(capture('err'));
  const code = await run(args, [register]);
  vi.restoreAllMocks();
  return { code, ...text };
};

describe('lip build --emit', () => {
  test.each([
    ['network', /residual conv 4 -> 3[\s\S]*head/],
    ['tensor', /%0 = input "x" \[64,1,8,8\][\s\S]*output "logits"/],
    ['kernels', /reduce sum \(/],
    ['wgsl', /\/\/ kernel 0: steps 0 [\s\S]*@compute/],
    ['plan', /output "logits" \[64,5\][\s\S]*step 0: kernel 0 /],
    ['proof', /by compose[\s\S]*by residual/],
  ])('%s', async (what, expected) => {
    const { code, out } = await lip('build', file, '--emit', what);
    expect(code).toBe(0);
    expect(out).toMatch(expected);
  });

  test('shows the training step with --of train, parameters and all', async () => {
    const { out } = await lip('build', file, '--emit', 'tensor', '--of', 'train', '--batch', '4');
    expect(out).toMatch(/param "conv\[0\]\.W"[\s\S]*output "loss"[\s\S]*update "conv\[0\]\.W"/);
  });

  test('plans and proofs have a JSON form', async () => {
    const plan = JSON.parse((await lip('build', file, '--emit', 'plan', '--json')).out);
    expect(plan).toMatchObject({ version: 1, inputs: { x: { shape: [64, 1, 8, 8] } } });
    expect(plan.literals.every((l: { data: unknown }) => Array.isArray(l.data))).toBe(true);
    expect(JSON.parse((await lip('build', file, '--emit', 'proof', '--json')).out)).toHaveProperty('rule');
  });
});

describe('lip build', () => {
  test('a module computes what the network does, on both profiles', async () => {
    const { proven, network } = loadProgram(file).networks[0];
    const params = initializeParams(networkParams(network), 5);
    const shapes = new Map(networkParams(network).map(p => [p.path, p.shape]));
    const weights = join(folder, 'weights.safetensors');
    const tensors = [...params].map(
      ([path, data]) => [path, { dtype: 'F32', shape: shapes.get(path)!, data }] as const,
    );
    writeFileSync(weights, writeSafetensors(new Map(tensors)));

    const out = join(folder, 'built');
    const result = await lip('build', file, '-o', out, '--weights', weights, '--batch', '2', '--json');
    expect(result).toMatchObject({ code: 0, err: '' });
    expect(readdirSync(out).sort()).toEqual(['Small.bin', 'Small.d.ts', 'Small.js', 'Small.proof.json']);
    const report = JSON.parse(result.out);
    expect(report.files).toHaveLength(4);
    const proof = JSON.parse(readFileSync(join(out, 'Small.proof.json'), 'utf8'));
    const bytes = readFileSync(join(out, 'Small.bin'));
    expect(proof).toMatchObject({
      bound: { text: '1', squared: '1' },
      weights: { sha256: hashWeights(params), fileSha256: createHash('sha256').update(bytes).digest('hex') },
      derivation: { rule: 'pairwise-head' },
    });
    // The folded tensors are the same whatever the batch.
    expect(proof.weights.foldedSha256).toBe(hashFolded(freeze(proven, params, 64).graph));

    const x = Float32Array.from({ length: 3 * 64 }, (_, i) => 0.5 + 0.5 * Math.sin(i * i));
    const oracle = interpret(buildInference(proven, 3), { inputs: new Map([['x', x]]), params }).outputs.get('logits')!;
    const module = await import(pathToFileURL(join(out, 'Small.js')).href);
    for (const profile of ['software', 'gpu']) {
      const net: LoadedNetwork = await module.load(gpu().device, { profile });
      const logits = await net.run(x);
      expect(logits).toHaveLength(15);
      for (const [i, z] of oracle.entries()) expect(Math.abs(logits[i] - z)).toBeLessThan(1e-5);
      const certificates = net.certify(logits);
      for (const [n, { label, radius }] of certificates.entries()) {
        const row = [...oracle.subarray(5 * n, 5 * n + 5)];
        expect(label).toBe(row.indexOf(Math.max(...row)));
        // Distances between unit rows are at most 2, so the radius is at least half the margin.
        const margin = row[label] - Math.max(...row.filter((_, i) => i !== label));
        expect(radius).toBeGreaterThan(margin / 2 - 1e-5);
      }
      net.destroy();
    }
  });

  test('is the same bit for bit when built again', async () => {
    const built = async (name: string) => {
      const out = join(folder, name);
      const { err } = await lip('build', file, '-o', out);
      expect(err).toMatch(/untrained initial weights \(seed 7\)/);
      return readdirSync(out).map(f => readFileSync(join(out, f)).toString('latin1'));
    };
    expect(await built('once')).toEqual(await built('twice'));
  });

  test('the example program runs with a module and nothing else', async () => {
    const source = join(folder, 'mnist.lip');
    writeFileSync(source, SOURCE.replaceAll('Small', 'Mnist').replace('[1, 8, 8]', '[1, 28, 28]'));
    const out = join(folder, 'mnist');
    expect((await lip('build', source, '-o', out)).code).toBe(0);
    // What the package exports as lip/device.
    await build({
      entryPoints: [new URL('../../src/runtime/node-device.ts', import.meta.url).pathname],
      outfile: new URL('../../node_modules/.cache/lip-test/device.mjs', import.meta.url).pathname,
      bundle: true,
      platform: 'node',
      format: 'esm',
      packages: 'external',
    });
    const script = readFileSync(new URL('../../examples/classify.mjs', import.meta.url), 'utf8')
      .replace(
        "'lip/device'",
        JSON.stringify(new URL('../../node_modules/.cache/lip-test/device.mjs', import.meta.url).href),
      )
      .replace('../out/Mnist/', './mnist/');
    writeFileSync(join(folder, 'classify.mjs'), script);
    const child = spawnSync(process.execPath, [join(folder, 'classify.mjs')], { encoding: 'utf8', timeout: 60_000 });
    expect(child.stderr).toBe('');
    expect(child.stdout).toMatch(/^label \d: no change of norm below \d+\.\d{4} makes it another\n$/);
    expect(child.status).toBe(0);
  });
});

describe('lip build refuses', () => {
  test.each([
    ['a batch that is no number', ['--batch', 'many'], 2, /whole number from 1/],
    ['an empty batch', ['--batch', '0'], 2, /whole number from 1/],
    ['an unknown representation', ['--emit', 'asm'], 2, /network, tensor, kernels/],
    ['an unknown network', ['--network', 'Large'], 2, /has no network Large[\s\S]*choose one with --network: Small/],
    ['an unknown parameter', ['--set', 'depth=3'], 1, /depth/],
    ['weights that are not there', ['--weights', '/nonexistent.safetensors'], 2, /nonexistent/],
    ['a folder that cannot be made', ['-o', '/dev/null/out'], 2, /cannot write \/dev\/null\/out[\s\S]*another folder/],
  ])('%s', async (_, args, code, message) => {
    const result = await lip('build', file, ...args);
    expect(result.err + result.out).toMatch(message);
    expect(result.code).toBe(code);
  });

  test('a program that is not proven, and writes nothing', async () => {
    const bad = join(folder, 'bad.lip');
    writeFileSync(bad, SOURCE.replace('center 1/2', 'scale 1/2'));
    const out = join(folder, 'bad');
    const { code, err } = await lip('build', bad, '-o', out);
    expect(code).toBe(1);
    expect(err).toMatch(/L02\d\d/);
    expect(existsSync(out)).toBe(false);
  });

  test('a name that cannot be declared', async () => {
    const bad = join(folder, 'taken.lip');
    writeFileSync(bad, SOURCE.replaceAll('Small', 'Certificate'));
    expect(await lip('build', bad, '-o', join(folder, 'taken'))).toMatchObject({ code: 2 });
  });

  test('a file of two networks without --network', async () => {
    const two = join(folder, 'two.lip');
    writeFileSync(two, `${SOURCE}\n${SOURCE.split('\n\n')[0].replace('Small', 'Other')}\n`);
    const { code, err } = await lip('build', two, '--emit', 'network');
    expect(code).toBe(2);
    expect(err).toMatch(/choose one with --network: Small, Other/);
    expect((await lip('build', two, '--emit', 'network', '--network', 'Other')).out).toMatch(/^network Other/);
  });
});
