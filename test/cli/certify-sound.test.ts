import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { register as certify } from '../../src/cli/commands/certify.ts';
import { networkParams } from '../../src/ir/network.ts';
import { initializeParams } from '../../src/train/initialize.ts';
import { writeSafetensors } from '../../src/train/safetensors.ts';
import { provenFrom } from '../proof/certified.ts';
import { runCaptured } from './capture.ts';

const NETWORK = `network Tiny by sll {
  input image[1, 4, 4] in [0, 1]
  center 0.5
  pad channels to 2
  residual conv hidden = 3, kernel = 3
  flatten
  residual dense hidden = 8
  head 3
}
`;
const IMAGES = 30;

const npy = (shape: readonly number[], data: Uint8Array): Uint8Array => {
  const header = `{'descr': '|u1', 'fortran_order': False, 'shape': (${shape.map(d => `${d},`).join('')}), }`;
  return Uint8Array.from([
    0x93,
    0x4e,
    0x55,
    0x4d,
    0x50,
    0x59,
    1,
    0,
    118,
    0,
    ...Buffer.from(`${header.padEnd(117)}\n`),
    ...data,
  ]);
};

let dir: string;
const at = (name: string) => join(dir, name);
const lip = (...args: string[]) =>
  runCaptured(['certify', at('tiny.lip'), '--weights', at('w'), '-o', at('out'), ...args], [certify]);

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'lip-sound-'));
  writeFileSync(at('tiny.lip'), `${NETWORK}certify Tiny on npy("x.npy", "y.npy") at [0, 1/1000000, 1/10]\n`);
  writeFileSync(
    at('x.npy'),
    npy(
      [IMAGES, 4, 4],
      Uint8Array.from({ length: IMAGES * 16 }, (_, i) => (i * i * 37) % 256),
    ),
  );
  writeFileSync(
    at('y.npy'),
    npy(
      [IMAGES],
      Uint8Array.from({ length: IMAGES }, (_, i) => i % 3),
    ),
  );
  const { network } = provenFrom(NETWORK);
  const params = initializeParams(networkParams(network), 4);
  const tensors = networkParams(network).map(
    p => [p.path, { dtype: 'F32', shape: p.shape, data: params.get(p.path)! }] as const,
  );
  writeFileSync(at('w'), writeSafetensors(new Map(tensors)));
});
afterAll(() => {
  rmSync(dir, { recursive: true, force: true });
});

test('--sound prints every mode and its cost, and writes a certified radius per image', async () => {
  const { code, out } = await lip('--sound');
  expect(code).toBe(0);
  for (const row of ['naive', 'any-order, executed', 'structured, executed', 'measured, executed', 'measured, real']) {
    expect(out).toContain(row);
  }
  const json = JSON.parse(readFileSync(at('out/sound.json'), 'utf8'));
  expect(json.sound).toHaveLength(4);
  const certificate = JSON.parse(readFileSync(at('out/certificate.json'), 'utf8'));
  // Radii of other weights, data or another adapter are told apart.
  for (const key of ['network', 'weights', 'data', 'adapter']) expect(json[key]).toEqual(certificate[key]);
  const naive = certificate.images.radii as number[];
  const radii = (k: number) => json.sound[k].radii as number[];
  let certified = 0;
  naive.forEach((r, i) => {
    // The claim weakens from row to row, so radii grow, up to the naive one but for rounding of the naive one itself.
    expect(radii(0)[i]).toBeLessThanOrEqual(radii(1)[i] * (1 + 1e-6));
    expect(radii(0)[i]).toBeLessThanOrEqual(radii(2)[i]);
    expect(radii(2)[i]).toBeLessThanOrEqual(radii(3)[i]);
    expect(radii(3)[i]).toBeLessThanOrEqual(Math.max(r, 0) + 1e-5);
    if (radii(0)[i] > 0) certified++;
  });
  expect(certified).toBeGreaterThan(3);
  const { lost, errors } = json.sound[0] as { lost: number[]; errors: number[] };
  naive.forEach((r, i) => {
    expect(lost[i]).toBeCloseTo(Math.max(r, 0) - radii(0)[i], 12);
    expect(errors[i]).toBeGreaterThan(0);
  });
  expect(out).toMatch(/where it comes from, in any order: .*\d+ %/);
  expect(json.layers.map((l: { path: string }) => l.path)).toContain('conv[0]');
});

test('one mode alone, as JSON', async () => {
  const { code, out } = await lip('--sound', 'any-order', '--json');
  expect(code).toBe(0);
  const { rounding } = JSON.parse(out);
  expect(rounding.sound.map((s: { mode: string; claim: string }) => `${s.mode} ${s.claim}`)).toEqual([
    'any-order executed',
  ]);
  expect(rounding.naive[0].certified).toBeGreaterThanOrEqual(rounding.sound[0].certified[0].certified);
});

test('an unknown mode is wrong usage', async () => {
  const { code, err } = await lip('--sound', 'guess');
  expect(code).toBe(2);
  expect(err).toContain('any-order');
});
