/** The long search: 10⁵ inputs at the edge of sound balls. */
import { expect, test } from 'vitest';
import { useDevice } from '../device.ts';
import { searchNeighbours } from './neighbours.ts';

const gpu = useDevice({ prefer: 'software' });

const NETWORKS = [
  'network Net {\n input x[48]\n head 3\n}',
  'network Net by sll {\n input x[24]\n residual dense hidden = 32\n head 4\n}',
  'network Net {\n input x[32]\n dense 32 by orthogonal(cayley)\n dense 32 by orthogonal(cayley)\n head 3\n}',
  'network Net by sll {\n input image[1, 8, 8]\n pad channels to 3\n residual conv hidden = 4, kernel = 3\n avgpool 2\n flatten\n head 3\n}',
];

test.each(NETWORKS.map((source, i) => [i, source] as const))(
  'network %i: no sound certificate is broken',
  async (seed, source) => {
    const { tries, broken } = await searchNeighbours(gpu(), source, {
      seed: 900 + seed,
      centres: 250,
      tries: 40_000,
      scale: 30,
    });
    console.info(`network ${seed}: ${JSON.stringify({ tries, broken })}`);
    expect(tries.sound).toBeGreaterThan(25_000);
    expect(broken).toMatchObject({ sound: 0, measured: 0 });
    // The two linear ones, whose naive radii have no room for rounding.
    if (seed % 2 === 0) expect(broken.naive).toBeGreaterThan(0.1 * tries.naive);
  },
);
