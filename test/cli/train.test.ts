import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { register as certify } from '../../src/cli/commands/certify.ts';
import { register as start } from '../../src/cli/commands/start.ts';
import { register as train } from '../../src/cli/commands/train.ts';
import { readSafetensors, writeSafetensors } from '../../src/train/safetensors.ts';
import { runCaptured } from './capture.ts';

const SOURCE = `
network Tiny(width = 2) by sll {
  input image[1, 4, 4] in [0, 1]
  center 0.5
  pad channels to width
  residual conv hidden = 3, kernel = 3
  avgpool 2
  flatten
  residual dense hidden = 8
  head 3
}
train Tiny on npy("x.npy", "y.npy") {
  loss cross_entropy(offset = 1, temperature = 1/2)
  optimizer adam(rate = 0.02, betas = [0.5, 0.9])
  schedule constant
  epochs 4, batch 8, seed 1
}
certify Tiny on npy("x.npy", "y.npy") at [36/255, 1]
`;

const npy = (descr: string, shape: readonly number[], data: Uint8Array): Uint8Array => {
  const header =
    `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape.map(d => `${d},`).join('')}), }`.padEnd(117);
  return Uint8Array.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, 118, 0, ...Buffer.from(`${header}\n`), ...data]);
};

/** Three classes told apart by which row is bright. */
const writeData = (dir: string, count: number, side = 4): void => {
  const pixels = new Uint8Array(count * side * side);
  for (let i = 0; i < count; i++) {
    for (let p = 0; p < side * side; p++) {
      pixels[i * side * side + p] = ((i * 31 + p * 17) % 60) + (Math.floor(p / side) === i % 3 ? 180 : 0);
    }
  }
  writeFileSync(join(dir, 'x.npy'), npy('|u1', [count, side, side], pixels));
  writeFileSync(
    join(dir, 'y.npy'),
    npy(
      '|u1',
      [count],
      Uint8Array.from({ length: count }, (_, i) => i % 3),
    ),
  );
};

let root: string;
let dir: string;
let folders = 0;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'lip-train-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));
beforeEach(() => {
  process.exitCode = undefined;
  dir = join(root, `${folders++}`);
  mkdirSync(dir);
  writeFileSync(join(dir, 'tiny.lip'), SOURCE);
  writeData(dir, 50);
  return () => {
    process.exitCode = undefined;
  };
});
const at = (name: string) => join(dir, name);
const lip = (...args: string[]) => runCaptured(args, [train, certify, start]);
const trainTo = (out: string, ...args: string[]) => lip('train', at('tiny.lip'), '-o', at(out), ...args);
const sha = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');

describe('train, resume, certify', () => {
  test('a run, the same run again, and one in two parts give the same file', async () => {
    const first = await trainTo('a', '--json');
    expect(first).toMatchObject({ code: 0 });
    expect(JSON.parse(first.out)).toMatchObject({ status: 'finished', network: 'Tiny', step: 24 });
    expect(first.err).toMatch(/training Tiny on 50 images of npy, 4 epochs, batch 8/);
    // Off a terminal: one plain line an epoch, no cursor movements.
    expect(first.err.match(/^epoch \d\/4 .* 100 % .* images\/s {2}.* left$/gm)).toHaveLength(4);
    expect(first.err.includes('\r') || first.err.includes('\x1b')).toBe(false);
    expect((await trainTo('b')).code).toBe(0);
    expect(sha(at('b/checkpoint.safetensors'))).toBe(sha(at('a/checkpoint.safetensors')));
    expect((await trainTo('c', '--epochs', '2')).code).toBe(0);
    expect(sha(at('c/checkpoint.safetensors'))).not.toBe(sha(at('a/checkpoint.safetensors')));
    expect((await trainTo('c', '--resume', at('c/checkpoint.safetensors'))).code).toBe(0);
    expect(sha(at('c/checkpoint.safetensors'))).toBe(sha(at('a/checkpoint.safetensors')));
  });

  test('start takes another method, and prints the certificate as JSON', async () => {
    const { code, out, err } = await lip('start', at('tiny.lip'), '-o', at('aol'), '--by', 'aol', '--json');
    expect({ code, network: JSON.parse(out).network }).toEqual({ code: 0, network: 'Tiny' });
    expect(JSON.parse(out)).toEqual(JSON.parse(readFileSync(at('aol/certificate.json'), 'utf8')));
    // sll has one more vector a layer.
    const parameters = (text: string): number => Number(/(\d+) parameters/.exec(text)?.[1]);
    expect(parameters(err)).toBeLessThan(parameters((await lip('start', at('tiny.lip'), '-o', at('sll'))).err));
  });

  test('start ends in the table and leaves checkpoint, certificate and picture', async () => {
    const { code, out, err } = await lip('start', at('tiny.lip'), '-o', at('out'));
    expect(code).toBe(0);
    expect(err).toMatch(/proven 1-Lipschitz for every value of its weights/);
    expect(out).toMatch(
      /accuracy in % of 50 images\n +natural +r = 36\/255 +r = 1\n +\d+\.\d\d +\d+\.\d\d +\d+\.\d\d\n/,
    );
    const made = JSON.parse(readFileSync(at('out/certificate.json'), 'utf8'));
    expect(made).toMatchObject({
      format: 'lip-certificate-1',
      network: 'Tiny',
      bound: { value: '1', squared: '1' },
      data: { images: 50 },
    });
    // Guessing gets 17 of 50.
    expect(made.natural.correct).toBeGreaterThan(30);
    // The table can be recomputed from the radii in the certificate.
    for (const { radius, certified } of made.certified) {
      const [num, den] = radius.split('/').map(Number);
      expect(made.images.radii.filter((r: number) => r > num / (den ?? 1)).length).toBe(certified);
    }
    expect(made.weights.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(readFileSync(at('out/certified-accuracy.svg'), 'utf8')).toMatch(/^<\?xml.*\n<svg /);

    const again = await lip(
      'certify',
      at('tiny.lip'),
      '--weights',
      at('out/checkpoint.safetensors'),
      '-o',
      at('again'),
      '--json',
    );
    expect(again.code).toBe(0);
    expect(JSON.parse(again.out)).toEqual(made);
    expect(sha(at('again/certificate.json'))).toBe(sha(at('out/certificate.json')));
  });
});

test('weights trained by another method are refused by name, and taken on demand', async () => {
  expect((await trainTo('out', '--epochs', '1')).code).toBe(0);
  const other = [
    'certify',
    at('tiny.lip'),
    '--weights',
    at('out/checkpoint.safetensors'),
    '-o',
    at('o'),
    '--by',
    'aol',
  ];
  const refused = await lip(...other);
  expect(refused.code).toBe(2);
  expect(refused.err).toMatch(/trained as another network than Tiny: .* was `.* by sll.*`, is `.* by aol.*`/);
  expect(refused.err).toMatch(/--by as in training; --any-network takes/);
  expect((await lip(...other, '--any-network')).code).toBe(0);
  const resume = ['--epochs', '2', '--resume', at('out/checkpoint.safetensors')];
  expect((await trainTo('out', ...resume, '--by', 'aol')).err).toMatch(/trained as another network than Tiny/);
});

describe('bad input exits with 2 and says what is wrong', () => {
  const refused = async (message: RegExp, ...args: string[]) => {
    const { code, out, err } = await lip(...args);
    expect(err).toMatch(message);
    expect([code, out]).toEqual([2, '']);
  };
  test('data that are missing, of the wrong shape or too few', async () => {
    rmSync(at('y.npy'));
    await refused(/cannot read labels .*y\.npy: there is no such file/, 'train', at('tiny.lip'));
    await refused(/cannot read images .*absent/, 'train', at('tiny.lip'), '--data', at('absent'));
    writeData(dir, 50, 5);
    await refused(
      /images of npy have shape \[1, 5, 5\], but the input of Tiny has shape \[1, 4, 4\]\n {2}help: /,
      'train',
      at('tiny.lip'),
    );
    writeData(dir, 7);
    await refused(/npy has 7 images, fewer than one batch of 8/, 'train', at('tiny.lip'), '-o', at('o'));
  });
  test('weights that are missing, cut short, not finite or of another network', async () => {
    await trainTo('w', '--epochs', '1');
    const path = at('w/checkpoint.safetensors');
    const certifyWith = (file: string) => ['certify', at('tiny.lip'), '--weights', file, '-o', at('o')];
    await refused(/cannot read weights .*none: there is no such file/, ...certifyWith(at('none')));
    const bytes = readFileSync(path);
    writeFileSync(at('cut'), bytes.subarray(0, bytes.length - 100));
    await refused(/cut: cut short/, ...certifyWith(at('cut')));
    await refused(/cut: cut short/, 'train', at('tiny.lip'), '--resume', at('cut'));
    const { tensors, metadata } = readSafetensors(bytes, path);
    (tensors.get('head.W')!.data as Float32Array)[7] = Number.NaN;
    writeFileSync(at('nan'), writeSafetensors(tensors, metadata));
    await refused(/nan: entry 7 of tensor head\.W is NaN/, ...certifyWith(at('nan')));
    await refused(/nan: entry 7 of tensor head\.W is NaN/, 'train', at('tiny.lip'), '--resume', at('nan'));
    await refused(
      /trained as another network than Tiny: pad\[0\] was `pad to 2 .*`, is `pad to 4 /,
      ...certifyWith(path),
      '--set',
      'width=4',
    );
    await refused(/another recipe: seed was 1, is 2/, 'train', at('tiny.lip'), '--resume', path, '--seed', '2');
  });
  test('a folder that cannot be written, before any work is done', async () => {
    writeFileSync(at('file'), '');
    await refused(
      /cannot write .*file\/out: .*\n {2}help: name a folder with -o/,
      'train',
      at('tiny.lip'),
      '-o',
      at('file/out'),
    );
  });
  test('options and blocks that are not there', async () => {
    await refused(/expected a whole number of at least 1/, 'train', at('tiny.lip'), '--epochs', '0');
    await refused(/required option '--weights <file>' not specified/, 'certify', at('tiny.lip'));
    await refused(/has no train block for Other/, 'train', at('tiny.lip'), '--network', 'Other');
    writeFileSync(at('bare.lip'), SOURCE.slice(0, SOURCE.indexOf('train Tiny')));
    await refused(/bare\.lip has no train block\n {2}help: add/, 'start', at('bare.lip'));
  });
});

test('divergence exits with 3 and keeps the checkpoint before it', async () => {
  await trainTo('d', '--epochs', '1');
  const before = sha(at('d/checkpoint.safetensors'));
  writeFileSync(at('tiny.lip'), SOURCE.replace('adam(rate = 0.02, betas = [0.5, 0.9])', 'sgd(rate = 1e38)'));
  const { code, err } = await trainTo('d');
  expect(code).toBe(3);
  expect(err).toMatch(/training diverged: .* (NaN|Infinity).*\n {2}help: lower the rate/);
  expect(sha(at('d/checkpoint.safetensors'))).toBe(before);
});

test('no adapter exits with 4', async () => {
  const before = process.env.LIP_ADAPTER;
  process.env.LIP_ADAPTER = 'none';
  try {
    expect(await trainTo('n')).toMatchObject({ code: 4, err: expect.stringContaining('no usable GPU adapter') });
  } finally {
    if (before === undefined) delete process.env.LIP_ADAPTER;
    else process.env.LIP_ADAPTER = before;
  }
});

test.each(['SIGINT', 'SIGTERM'] as const)(
  '%s: finishes the step, saves, says how to go on, and exits with 130; resumed, the bits are those of one run',
  async signal => {
    const source = SOURCE.replace('epochs 4', 'epochs 60');
    writeFileSync(at('tiny.lip'), source);
    expect((await trainTo('whole')).code).toBe(0);
    const repository = new URL('../..', import.meta.url).pathname;
    symlinkSync(join(repository, 'node_modules'), at('node_modules'));
    await build({
      absWorkingDir: repository,
      entryPoints: { lip: 'src/cli/main.ts' },
      loader: { '.lip': 'text' },
      outdir: dir,
      outExtension: { '.js': '.mjs' },
      bundle: true,
      platform: 'node',
      format: 'esm',
      packages: 'external',
    });
    const child = spawn(process.execPath, [at('lip.mjs'), 'train', at('tiny.lip'), '-o', at('parts')]);
    let err = '';
    let sent = false;
    child.stderr.on('data', text => {
      err += text;
      // Once: a second one ends the process at once.
      if (!sent && /^epoch +2\//m.test(err)) sent = child.kill(signal);
    });
    const code = await new Promise(resolve => child.on('exit', resolve));
    expect(err).toMatch(
      /stopped after step \d+, saved in .*checkpoint\.safetensors; to go on: lip train .*tiny\.lip --resume /,
    );
    expect(code).toBe(130);
    const { metadata } = readSafetensors(readFileSync(at('parts/checkpoint.safetensors')), 'parts');
    expect(Number(metadata.step)).toBeGreaterThanOrEqual(12);
    expect(Number(metadata.step)).toBeLessThan(360);
    expect((await trainTo('parts', '--resume', at('parts/checkpoint.safetensors'))).code).toBe(0);
    expect(sha(at('parts/checkpoint.safetensors'))).toBe(sha(at('whole/checkpoint.safetensors')));
  },
);
