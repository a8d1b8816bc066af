import { describe, expect, it } from 'vitest';
import { lipschitzLowerBound } from '../../src/certify/lipschitz-lower-bound.ts';
import { certifyAllWeights } from '../../src/passes/certificate/certify-weights.ts';
import { NotCertifiable } from '../../src/passes/certificate/network-json.ts';
import { foldInference } from '../../src/passes/tensors/freeze.ts';
import { verifyCertificate } from '../../src/proof/verify/certificate.ts';
import { Refused } from '../../src/proof/verify/numbers.ts';
import { readTensors, sha256 } from '../../src/proof/verify/read.ts';
import { readSafetensors, writeSafetensors } from '../../src/train/safetensors.ts';
import { randomFrom } from '../random-network.ts';
import { type Certified, certify, forge, type Mutable, provenFrom, verdictOf, weightsFor } from './certified.ts';

const DENSE = `network Net {
  input x[7]
  sandwich 9
  sandwich 5, act = tanh, bias = false
  dense 6 by sandwich
  dense 4 by sandwich(second)
  head 3
}`;

/** The certificate with an emitted tensor changed, its digests made right again. */
const withTensor = (c: Certified, name: string, change: (data: Float32Array) => void): (() => unknown) => {
  const { tensors, metadata } = readSafetensors(c.bytes, 'tensors');
  const copies = new Map([...tensors].map(([k, t]) => [k, { ...t, data: Float32Array.from(t.data as Float32Array) }]));
  const data = copies.get(name)!.data;
  change(data);
  const bytes = writeSafetensors(new Map([...copies].map(([k, t]) => [k, { ...t, dtype: 'F32' as const }])), metadata);
  const certificate = forge(c.certificate, (m: Mutable) => {
    for (const layer of m.weights.layers)
      for (const entry of Object.values<Mutable>(layer.tensors ?? {}))
        if (entry.name === name) entry.sha256 = sha256(new Uint8Array(data.buffer));
  });
  return () => verdictOf({ certificate, file: readTensors(bytes) });
};

describe('operator layers of vectors', () => {
  it('are certified with their tensors, alike in f64 and in integers, and no Jacobian exceeds the bound', () => {
    for (let seed = 0; seed < 12; seed++) {
      const proven = provenFrom(DENSE);
      const weights = weightsFor(proven, randomFrom(600 + seed));
      const c = certify(proven, weights);
      const { emitted } = verdictOf(c);
      expect(verdictOf(c, true).emitted).toEqual(emitted);
      const bound = Math.sqrt(Number(emitted!.num) / Number(emitted!.den));
      expect(bound).toBeLessThan(1 + 1e-6);
      expect(
        lipschitzLowerBound(foldInference(proven, weights, 1), { starts: 1, iterations: 5, seed }),
      ).toBeLessThanOrEqual(bound * (1 + 1e-9));
    }
  });
  it('are refused when a multiplier, a matrix or a witness grows', () => {
    const proven = provenFrom(DENSE);
    const c = certify(proven, weightsFor(proven, randomFrom(5)));
    expect(withTensor(c, 'sandwich[0].W', () => {})).not.toThrow();
    for (const name of ['sandwich[0].d', 'sandwich[0].e', 'sandwich[1].d'])
      expect(
        withTensor(c, name, data => {
          for (const i of data.keys()) data[i] *= 1.0001;
        }),
        name,
      ).toThrow(Refused);
    expect(
      withTensor(c, 'sandwich[0].d', data => {
        data[0] *= -1;
      }),
    ).toThrow(Refused);
    // A product of the two factors may be well below 1.
    for (const [name, factor] of [
      ['sandwich[0].W', 1.001],
      ['dense[0].W', 8],
      ['dense[1].W', 8],
    ] as const)
      expect(
        withTensor(c, name, data => {
          for (const i of data.keys()) data[i] *= factor;
        }),
        name,
      ).toThrow(Refused);
    const more = forge(c.certificate, m => {
      m.weights.layers[0].dominance.T[0][0] += 2;
    });
    expect(() => verifyCertificate(more, c.file)).toThrow(Refused);
  });
});

describe('operator layers of images', () => {
  const source = (layer: string): string => `network Net {\n input image[2, 4, 5]\n ${layer}\n flatten\n head 2\n}`;

  it.each([
    'conv 3 by fourier(cayley)',
    'conv 3 by fourier(bro)',
    'conv 3 by fourier(lot)',
    'conv 3, padding = circular by skew_exponential(degree = 8)',
    'sandwich 3, kernel = 3',
  ])('%s is certified for all weights, and its tensors are refused by name', layer => {
    const proven = provenFrom(source(layer));
    const { certificate } = certifyAllWeights(proven);
    expect(verifyCertificate(certificate, undefined).squared).toEqual({ num: 1n, den: 1n });
    expect(() => certify(proven, weightsFor(proven, randomFrom(3)))).toThrow(NotCertifiable);
  });
  it('a series beyond its window is refused', () => {
    const { certificate } = certifyAllWeights(provenFrom(source('conv 3 by skew_exponential(degree = 12)')));
    const forged = forge(certificate, m => {
      m.network.layers[0].method.norm = '7/2';
      m.derivation[0].constants.norm = '7/2';
    });
    expect(() => verifyCertificate(forged, undefined)).toThrow(/window/);
  });
});
