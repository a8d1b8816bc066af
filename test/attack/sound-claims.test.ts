import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';
import type { AttackedImage } from '../../src/attack/search.ts';
import { brokenClaims, squaredDistance, squaredNorms, survivors } from '../../src/attack/sound-claims.ts';
import type { SoundAccuracy } from '../../src/certify/sound.ts';
import { attackProgram } from '../../src/cli/attack-program.ts';
import { CliError } from '../../src/cli/errors.ts';
import { networkParams } from '../../src/ir/network.ts';
import { format, rational } from '../../src/ir/rational.ts';
import { parse } from '../../src/parser/parse.ts';
import { prove } from '../../src/passes/prove/prove.ts';
import { resolve } from '../../src/passes/resolve/resolve.ts';
import { initializeParams } from '../../src/train/initialize.ts';
import { useDevice } from '../device.ts';
import { images } from './networks.ts';

/** What sound radii are multiplied with before they are attacked. */
const forgery = vi.hoisted(() => ({ factor: 1 }));
vi.mock('../../src/certify/sound-claims.ts', async original => {
  const real = await original<typeof import('../../src/certify/sound-claims.ts')>();
  return {
    ...real,
    soundRows: (...args: Parameters<typeof real.soundRows>): SoundAccuracy[] =>
      real.soundRows(...args).map(row => ({ ...row, radii: row.radii.map(r => forgery.factor * r) })),
  };
});

const gpu = useDevice({ prefer: 'software' });
const folder = mkdtempSync(join(tmpdir(), 'lip-sound-attack-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('norms are exact', () => {
  test('what f64 rounds away counts', () => {
    const a = Float32Array.of(1, 2 ** -40, 0);
    const b = Float32Array.of(0, 0, 2 ** -149);
    expect(format(squaredDistance(a, b))).toBe(format(rational((1n << 298n) + (1n << 218n) + 1n, 1n << 298n)));
    expect(format(squaredDistance(a, a))).toBe('0');
    const largest = Float32Array.of(3.4028234663852886e38);
    expect(
      squaredDistance(
        largest,
        largest.map(v => -v),
      ).num,
    ).toBe(4n * BigInt(largest[0]) ** 2n);
  });
});

describe('claims under attack', () => {
  const at = [{ radius: rational(1, 2), certified: 1 }];
  const row = (claim: 'executed' | 'real', radii: number[]): SoundAccuracy => ({
    mode: 'measured',
    claim,
    at,
    radii: Float64Array.from(radii),
    errors: new Float64Array(radii.length),
    medianError: 0,
  });
  // Of norms 1/2 and 1/4; the third is wrong without an attack.
  const attacked: AttackedImage[] = [
    { certified: 1, smallest: 0.5, found: { x: Float32Array.of(0.5, 0), by: '' } },
    { certified: 1, smallest: 0.25, found: { x: Float32Array.of(0, 0.25), by: '' } },
    { certified: -1, smallest: 0 },
    { certified: 1, smallest: Number.POSITIVE_INFINITY },
  ];
  const squared = squaredNorms(attacked, new Float32Array(8));
  test('a radius equal to the norm of an attack is broken, one below is not', () => {
    const broken = brokenClaims([row('executed', [0.5, 0.25 - 2 ** -54, 0, 9])], squared, () => false);
    expect(broken.map(b => b.index)).toEqual([0]);
  });
  test('what is claimed in real arithmetic is broken in real arithmetic only', () => {
    const rows = [row('real', [1, 1, 1, 1])];
    expect(brokenClaims(rows, squared, () => false)).toEqual([]);
    expect(brokenClaims(rows, squared, i => i === 1).map(b => b.index)).toEqual([1]);
  });
  test('an attack of exactly the radius counts against accuracy there', () => {
    expect(survivors(attacked, squared, rational(1, 2))).toBe(1);
    expect(survivors(attacked, squared, rational(49, 100))).toBe(2);
    expect(survivors(attacked, squared, rational(1, 5))).toBe(3);
  });
});

test('forged sound radii are broken: exit code 3, with the evidence; honest ones are not', async () => {
  const source = `network Tiny by sll {
    input image[1, 3, 3]
    residual conv hidden = 3, kernel = 3
    flatten
    head 4
  }
  certify Tiny on mnist at [1/100, 1/4]`;
  const { networks, certifies } = resolve(parse(source).file, {});
  const result = prove(networks[0]);
  if (!('proven' in result)) throw new Error('not proven');
  const run = {
    proven: result.proven,
    recipe: certifies[0],
    params: initializeParams(networkParams(networks[0]), 2),
    data: { ...images(9, new Int32Array(24)), shape: [1, 3, 3] },
    gpu: gpu(),
    images: 24,
    clip: false,
    effort: { steps: 15, restarts: 1, rounds: 3, seed: 0 },
    origin: { source },
    folder,
  };
  const honest = await attackProgram(run);
  const { sound } = honest;
  if (typeof sound === 'string') throw new Error(sound);
  expect(sound).toHaveLength(4);
  expect(sound[0].radii.some(r => r > 0)).toBe(true);
  expect(existsSync(join(folder, 'attack-violation.json'))).toBe(false);
  forgery.factor = 3;
  const thrown = await attackProgram(run).catch((e: unknown) => e);
  forgery.factor = 1;
  expect(thrown).toBeInstanceOf(CliError);
  expect((thrown as CliError).exitCode).toBe(3);
  expect((thrown as CliError).message).toContain('SOUND CERTIFICATE BROKEN');
  const { broken } = JSON.parse(readFileSync(join(folder, 'attack-violation.json'), 'utf8'));
  expect(broken.some((b: { claim: string }) => b.claim === 'executed')).toBe(true);
  expect(broken.some((b: { claim: string }) => b.claim === 'real')).toBe(true);
});
