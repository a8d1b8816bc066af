/** The long search: 10⁵ inputs at the edge of sound balls, of small networks and of two examples on digits. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadProgram } from '../../src/cli/load-program.ts';
import { provenOf } from '../../src/cli/train-program.ts';
import { copyImage } from '../../src/data/dataset.ts';
import { loadMnist } from '../../src/data/mnist.ts';
import { networkParams } from '../../src/ir/network.ts';
import { loadWeights } from '../../src/train/checkpoint.ts';
import { initializeParams } from '../../src/train/initialize.ts';
import { useDevice } from '../device.ts';
import { provenFrom } from '../proof/certified.ts';
import type { Random } from '../random-network.ts';
import { across, normalWeights, searchNeighbours } from './neighbours.ts';

const gpu = useDevice({ prefer: 'software' });

const NETWORKS = [
  'network Net {\n input x[48]\n head 3\n}',
  'network Net by sll {\n input x[24]\n residual dense hidden = 32\n head 4\n}',
  'network Net {\n input x[32]\n dense 32 by orthogonal(cayley)\n dense 32 by orthogonal(cayley)\n head 3\n}',
  'network Net by sll {\n input image[1, 8, 8]\n pad channels to 3\n residual conv hidden = 4, kernel = 3\n avgpool 2\n flatten\n head 3\n}',
  'network Net {\n input x[32]\n let a, b = split(it)\n let u = a |> dense 16 by orthogonal(cayley)\n let v = b |> dense 16 by orthogonal(cayley)\n concat(u, v)\n dense 32 by orthogonal(cayley)\n head 3\n}',
];
const UNBROKEN = { sound: 0, structured: 0, measured: 0 };

describe('small networks with random weights, far out', { timeout: 600_000 }, () => {
  test.each(NETWORKS.map((source, i) => [i, source] as const))('network %i', async (seed, source) => {
    const proven = provenFrom(source);
    const { tries, broken } = await searchNeighbours(gpu(), proven, normalWeights(proven, 900 + seed), {
      seed: 900 + seed,
      centres: 250,
      tries: 40_000,
      draw: across(30),
      near: [-5, -1],
    });
    console.info(`network ${seed}: ${JSON.stringify({ tries, broken })}`);
    expect(Math.min(tries.sound, tries.structured, tries.measured)).toBeGreaterThan(25_000);
    expect(broken).toMatchObject(UNBROKEN);
    // The three linear ones, whose naive radii have no room for rounding.
    if (seed % 2 === 0) expect(broken.naive).toBeGreaterThan(0.1 * tries.naive);
  });
});

/** Two digits of different classes. */
const digits = (): ((r: Random, n: number) => readonly [Float32Array, Float32Array]) => {
  const { test: data } = loadMnist();
  return (r, n) => {
    const draw = () => r.integer(0, data.labels.length - 1);
    const [a, first] = [new Float32Array(n), draw()];
    let second = draw();
    while (data.labels[second] === data.labels[first]) second = draw();
    const b = new Float32Array(n);
    copyImage(data, first, a, 0);
    copyImage(data, second, b, 0);
    return [a, b];
  };
};

describe('examples, between digits', { timeout: 3_600_000 }, () => {
  const root = join(import.meta.dirname, '../..');
  test.each(['mnist', 'branches'])('examples/%s.lip', async name => {
    const program = loadProgram(join(root, `examples/${name}.lip`));
    const proven = provenOf(program, program.certifies[0].network);
    const { network } = proven;
    // What `lip train` leaves, where it has run.
    const trained = join(root, 'out', network.name, 'checkpoint.safetensors');
    const params = existsSync(trained)
      ? loadWeights(trained, network, {})
      : initializeParams(networkParams(network), 1);
    const { tries, broken } = await searchNeighbours(gpu(), proven, params, {
      seed: 950,
      centres: 320,
      tries: 100_000,
      draw: digits(),
      near: [-2.2, -1],
    });
    console.info(`${name}, ${existsSync(trained) ? 'trained' : 'untrained'}: ${JSON.stringify({ tries, broken })}`);
    // Where the margin is smaller than the bound of the errors there is no sound ball to search.
    expect(Math.min(tries.sound, tries.structured, tries.measured)).toBeGreaterThan(25_000);
    expect(broken).toMatchObject(UNBROKEN);
  });
});
