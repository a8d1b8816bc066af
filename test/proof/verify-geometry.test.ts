import { describe, expect, it } from 'vitest';
import { networkParams } from '../../src/ir/network.ts';
import { Refused } from '../../src/proof/verify/numbers.ts';
import { randomFrom, randomSource } from '../random-network.ts';
import { type Certified, certify, forge, type Mutable, provenFrom, verdictOf, weightsFor } from './certified.ts';

const certified = (source: string, seed: number): Certified => {
  const proven = provenFrom(source);
  return certify(proven, weightsFor(proven, randomFrom(seed)));
};

describe('certificates of convolutions of every geometry', () => {
  it.each(Array.from({ length: 8 }, (_, i) => i))('random networks, seed %i', seed => {
    for (let k = 0; k < 5; k++) {
      const source = randomSource(randomFrom(31_000 + 10 * seed + k), { geometries: true });
      expect(verdictOf(certified(source, seed)).emitted, source).toBeDefined();
    }
  });
  it('a kernel that meets itself on its circle, where its taps add up', () => {
    const body = (layer: string) => `network Net {\n input image[2, 3, 2]\n ${layer}\n flatten\n head 2\n}`;
    for (const layer of [
      'conv 2, kernel = 5, padding = circular by spectral(method = operator, steps = 10)',
      'residual conv hidden = 3, kernel = [3, 5], padding = circular by spectral(method = operator, steps = 10)',
    ]) {
      const c = certified(body(layer), 3);
      const { emitted } = verdictOf(c);
      expect(verdictOf(c, true).emitted).toEqual(emitted);
      expect(Number(emitted!.num) / Number(emitted!.den)).toBeLessThanOrEqual(1 + 1e-3);
      const lower = forge(c.certificate, m => {
        m.weights.layers[0].dominance.premise.T[0][1] -= 1;
      });
      expect(() => verdictOf({ ...c, certificate: lower })).toThrow(Refused);
    }
  });
  it('large residual ones by aol in several steps, whose channels have their own T', () => {
    const proven = provenFrom(
      'network Net {\n input image[2, 70, 70]\n residual conv hidden = 3, kernel = 3 by aol(steps = 3)\n}',
    );
    const [weight] = networkParams(proven.network);
    // Channels of different sizes: the T of small ones is up to 91 times as large as their norm, and no witness is refused that is true.
    const W = Float32Array.from({ length: 54 }, (_, i) => Math.sin(i + 1) * 4 ** (Math.floor(i / 18) - 1));
    const c = certify(proven, weightsFor(proven, randomFrom(4), { [weight.path]: W }));
    const { dominance } = c.certificate.weights.layers[0];
    expect(dominance).toMatchObject({ rule: 'gram-iteration-symbol', grid: 64 });
    expect(dominance.T).toHaveLength(3);
    const { emitted } = verdictOf(c);
    expect(Number(emitted!.num) / Number(emitted!.den)).toBeLessThanOrEqual(1.05);
    for (const channel of [0, 1, 2])
      expect(() =>
        verdictOf({
          ...c,
          certificate: forge(c.certificate, m => {
            m.weights.layers[0].dominance.T[channel][1] -= 5;
          }),
        }),
      ).toThrow(Refused);
    const fewer = forge(c.certificate, m => m.weights.layers[0].dominance.T.pop());
    expect(() => verdictOf({ ...c, certificate: fewer })).toThrow('one for each of 3 outputs');
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
