import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { attackProgram, drawImages } from '../../src/cli/attack-program.ts';
import { register } from '../../src/cli/commands/attack.ts';
import { CliError } from '../../src/cli/errors.ts';
import { networkParams } from '../../src/ir/network.ts';
import { rational } from '../../src/ir/rational.ts';
import { parse } from '../../src/parser/parse.ts';
import { prove } from '../../src/passes/prove/prove.ts';
import { resolve } from '../../src/passes/resolve/resolve.ts';
import { type Gpu, openDevice } from '../../src/runtime/node-device.ts';
import { initializeParams } from '../../src/train/initialize.ts';
import { writeSafetensors } from '../../src/train/safetensors.ts';
import { runCaptured } from '../cli/capture.ts';
import { images } from './networks.ts';

const SOURCE = `network Tiny by sll {
  input image[1, 3, 3] in [0, 1]
  residual conv hidden = 3, kernel = 3
  flatten
  head 4
}
certify Tiny on npy("x.npy", "y.npy") at [1/100, 1/4]
`;

const npy = (descr: string, shape: readonly number[], data: Uint8Array): Uint8Array => {
  const header = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape.map(d => `${d},`).join('')}), }`;
  const start = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, 118, 0];
  return Uint8Array.from([...start, ...Buffer.from(`${header.padEnd(117)}\n`), ...data]);
};

let folder: string;
const at = (name: string) => join(folder, name);

const load = () => {
  const { networks, certifies } = resolve(parse(SOURCE).file, {});
  const result = prove(networks[0]);
  if (!('proven' in result)) throw new Error('not proven');
  const params = initializeParams(networkParams(networks[0]), 2);
  return { proven: result.proven, recipe: certifies[0], params };
};

const COUNT = 24;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'lip-attack-'));
  writeFileSync(at('tiny.lip'), SOURCE);
  const pixels = Uint8Array.from({ length: COUNT * 9 }, (_, i) => (i * i * 37 + i * 11) % 256);
  writeFileSync(at('x.npy'), npy('|u1', [COUNT, 3, 3], pixels));
  const labels = Uint8Array.from({ length: COUNT }, (_, i) => i % 4);
  writeFileSync(at('y.npy'), npy('|u1', [COUNT], labels));
  const { proven, params } = load();
  const tensors = new Map(
    networkParams(proven.network).map(p => [
      p.path,
      { dtype: 'F32' as const, shape: p.shape, data: params.get(p.path)! },
    ]),
  );
  writeFileSync(at('w.safetensors'), writeSafetensors(tensors, {}));
});
beforeEach(() => {
  process.exitCode = undefined;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const lip = (...args: string[]) =>
  runCaptured(['attack', at('tiny.lip'), '--weights', at('w.safetensors'), '-o', at('out'), ...args], [register]);

interface Json {
  readonly images: number;
  readonly correct: number;
  readonly at: readonly { readonly radius: string; readonly certified: number; readonly attacked: number }[];
  readonly ratio: { readonly least: number };
  readonly perImage: readonly { readonly image: number; readonly smallest: number | null }[];
}

test('table and JSON agree, attacked accuracy lies between certified and natural, and a seed repeats itself', async () => {
  const table = await lip('--images', '16');
  expect(table.code).toBe(0);
  expect(table.out).toMatch(/natural +r = 1\/100 +r = 1\/4/);
  expect(table.out).toContain('entries beyond the range of images included');
  expect(table.err).toContain('attacking 16 images of');
  const written = readFileSync(at('out/attack.json'), 'utf8');
  const again = await lip('--images', '16', '--json');
  expect(again.out).toBe(written);
  const json = JSON.parse(again.out) as Json;
  expect(json.images).toBe(16);
  expect(json.perImage).toHaveLength(16);
  for (const { radius, certified, attacked } of json.at) {
    expect(attacked).toBeGreaterThanOrEqual(certified);
    expect(attacked).toBeLessThanOrEqual(json.correct);
    const [num, den] = radius.split('/').map(Number);
    expect(attacked).toBe(json.perImage.filter(p => p.smallest === null || p.smallest > num / den).length);
  }
  expect(json.ratio.least).toBeGreaterThan(1);
  expect(table.out).toContain(((100 * json.at[1].attacked) / 16).toFixed(2));
});

test('with --clip the threat model is the range of images; more images than there are means all', async () => {
  const { code, out } = await lip('--clip', '--images', '1000', '--rounds', '2');
  expect(code).toBe(0);
  expect(out).toContain('keeps every entry in [0, 1]');
  expect(out).toContain(`accuracy in % of ${COUNT} images`);
});

test.each([
  ['--images', '0'],
  ['--steps', '1.5'],
  ['--seed', '-1'],
])('%s %s is wrong usage', async (option, value) => {
  expect((await lip(option, value)).code).toBe(2);
});

test('a network proven by a lie is broken: exit code 70, with the evidence in a file', async () => {
  const { proven, recipe, params } = load();
  // As if the body before the head were 1/3-Lipschitz, where an identity plus a small residual is close to 1.
  const lie = { ...proven, squared: rational(1, 9) };
  const labels = new Int32Array(COUNT);
  const data = { ...images(9, labels), shape: [1, 3, 3] };
  const gpu: Gpu = await openDevice({ prefer: 'software' });
  const effort = { steps: 15, restarts: 1, rounds: 3, seed: 0 };
  const run = { recipe, params, data, gpu, images: COUNT, clip: false, effort, origin: { source: SOURCE } };
  try {
    const honest = await attackProgram({ ...run, proven, folder: at('honest') });
    expect(honest.summary.correct).toBeGreaterThan(0);
    expect(existsSync(at('honest/attack-violation.json'))).toBe(false);
    const thrown = await attackProgram({ ...run, proven: lie, folder: at('lie') }).catch((e: unknown) => e);
    expect(thrown).toBeInstanceOf(CliError);
    expect((thrown as CliError).exitCode).toBe(70);
  } finally {
    gpu.destroy();
  }
  const saved = JSON.parse(readFileSync(at('lie/attack-violation.json'), 'utf8'));
  expect(saved.source).toBe(SOURCE);
  expect(saved.violations.length).toBeGreaterThan(0);
  for (const v of saved.violations) {
    const floats = (text: string) => new Float32Array(Uint8Array.from(Buffer.from(text, 'base64')).buffer);
    const [x, perturbed] = [floats(v.x), floats(v.perturbed)];
    expect(x).toEqual(data.images.slice(9 * v.image, 9 * (v.image + 1)));
    expect(Math.sqrt(perturbed.reduce((s, p, i) => s + (p - x[i]) ** 2, 0))).toBeCloseTo(v.norm, 12);
    expect(v.norm).toBeLessThan(v.certified.float64);
  }
});

test('images are drawn by the seed, in order, without repetition', () => {
  const data = images(
    2,
    Int32Array.from({ length: 50 }, (_, i) => i % 4),
  );
  const { ids, data: some } = drawImages(data, 20, 3);
  expect(new Set(ids).size).toBe(20);
  expect([...ids]).toEqual([...ids].sort((a, b) => a - b));
  expect(drawImages(data, 20, 3).ids).toEqual(ids);
  expect(drawImages(data, 20, 4).ids).not.toEqual(ids);
  ids.forEach((id, i) => {
    expect(some.labels[i]).toBe(data.labels[id]);
    expect(some.images.slice(2 * i, 2 * i + 2)).toEqual(data.images.slice(2 * id, 2 * id + 2));
  });
});
