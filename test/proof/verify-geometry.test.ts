import { describe, expect, it } from 'vitest';
import { NotCertifiable } from '../../src/passes/certificate/network-json.ts';
import { randomFrom, randomSource } from '../random-network.ts';
import { type Certified, certify, forge, type Mutable, provenFrom, verdictOf, weightsFor } from './certified.ts';

const certified = (source: string, seed: number): Certified => {
  const proven = provenFrom(source);
  return certify(proven, weightsFor(proven, randomFrom(seed)));
};

describe('certificates of convolutions of every geometry', () => {
  it.each(Array.from({ length: 8 }, (_, i) => i))('random networks, seed %i', seed => {
    let covered = 0;
    for (let k = 0; k < 5; k++) {
      const source = randomSource(randomFrom(31_000 + 10 * seed + k), { geometries: true });
      try {
        verdictOf(certified(source, seed));
        covered += 1;
      } catch (e) {
        // A kernel that wraps around onto itself has no matrix of its own entries, which `method = operator` needs.
        if (!(e instanceof NotCertifiable && source.includes('operator'))) throw e;
      }
    }
    expect(covered).toBeGreaterThanOrEqual(4);
  });

  const STATEMENT = 'conv 4, stride = 2, groups = 2, padding = circular, bias = false by sll';
  const source = `network Net {\n  input image[4, 6, 6]\n  ${STATEMENT}\n}\n`;
  const step = (c: Mutable): Mutable => c.derivation[0].premises[0];

  it('names stride, groups and the torus in the derivation', () => {
    const { certificate } = certified(source, 1);
    expect(step(certificate)).toMatchObject({
      rule: 'torus',
      premises: [
        {
          rule: 'polyphase',
          constants: { stride_h: '2', stride_w: '2', dilation_h: '1', dilation_w: '1' },
          premises: [{ rule: 'grouped', constants: { groups: '2' }, premises: [{ rule: 'gershgorin-lattice' }] }],
        },
      ],
    });
  });

  it.each<readonly [string, (c: Mutable) => void, RegExp]>([
    ['another stride', c => (step(c).premises[0].constants.stride_h = '1'), /stride_h = 1 does not fit/],
    ['other groups', c => (step(c).premises[0].premises[0].constants.groups = '4'), /groups = 4 does not fit/],
    ['no premise', c => (step(c).premises = []), /premises/],
    ['a torus where zeros surround the image', c => (c.network.layers[0].map.mode = 'zeros'), /./],
    ['a stride that does not divide the image', c => (c.network.layers[0].map.stride = [4, 4]), /./],
  ])('refuses %s', (_, change, message) => {
    const c = certified(source, 1);
    expect(() => verdictOf({ ...c, certificate: forge(c.certificate, change) })).toThrow(message);
  });
});
