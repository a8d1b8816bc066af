import { describe, expect, it } from 'vitest';
import { lipschitzLowerBound } from '../../src/certify/lipschitz-lower-bound.ts';
import { networkParams } from '../../src/ir/network.ts';
import { certifyAllWeights } from '../../src/passes/certificate/certify-weights.ts';
import { foldInference } from '../../src/passes/tensors/freeze.ts';
import { networkDigest, verifyCertificate } from '../../src/proof/verify/certificate.ts';
import { Refused } from '../../src/proof/verify/numbers.ts';
import { readTensors, sha256 } from '../../src/proof/verify/read.ts';
import { readSafetensors, writeSafetensors } from '../../src/train/safetensors.ts';
import { randomFrom } from '../random-network.ts';
import {
  type Certified,
  certify,
  forge,
  type Mutable,
  provenFrom,
  survivors,
  verdictOf,
  weightsFor,
} from './certified.ts';
import { FUZZ, fill } from './fuzz.ts';

const DENSE = `network Net {
  input x[7]
  sandwich 9
  sandwich 5, act = tanh, bias = false
  dense 6 by sandwich
  dense 4 by sandwich(second)
  head 3
}`;

const scale =
  (by: number) =>
  (data: Float32Array): void => {
    for (const i of data.keys()) data[i] *= by;
  };
/** One entry, at this share of the way to the end, made larger by 2. */
const grow =
  (share: number) =>
  (data: Float32Array): void => {
    const at = Math.floor(share * data.length);
    data[at] += data[at] < 0 ? -2 : 2;
  };

/** The certificate with an emitted tensor changed, its digests made right again; and with `more` done to it. */
const withTensor = (
  c: Certified,
  name: string,
  change: (data: Float32Array) => void,
  more: (m: Mutable) => void = () => {},
): (() => unknown) => {
  const { tensors, metadata } = readSafetensors(c.bytes, 'tensors');
  const copies = new Map([...tensors].map(([k, t]) => [k, { ...t, data: Float32Array.from(t.data as Float32Array) }]));
  const data = copies.get(name)!.data;
  change(data);
  const bytes = writeSafetensors(new Map([...copies].map(([k, t]) => [k, { ...t, dtype: 'F32' as const }])), metadata);
  const certificate = forge(c.certificate, (m: Mutable) => {
    m.weights.tensors[name] = sha256(new Uint8Array(data.buffer));
    more(m);
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

const source = (layer: string, image = '2, 4, 5'): string =>
  `network Net {\n input image[${image}]\n ${layer}\n flatten\n head 2\n}`;

const IMAGES = [
  'conv 3 by fourier(cayley)',
  'conv 2, kernel = [2, 3] by fourier(cayley)',
  'conv 1 by fourier(cayley)',
  'conv 4, kernel = 1 by fourier(cayley)',
  'conv 3 by fourier(bro)',
  'conv 2, kernel = [1, 3] by fourier(bro, rank = 1)',
  'conv 3 by fourier(lot)',
  'conv 1, kernel = 1 by fourier(lot, steps = 2)',
  'conv 3, padding = circular by skew_exponential(degree = 8)',
  'conv 3 by skew_exponential(degree = 12)',
  'conv 1, kernel = [1, 3] by skew_exponential(degree = 3)',
  'conv 2, bias = false by skew_exponential(degree = 4, norm = 14/5)',
  'sandwich 3, kernel = 3',
  'sandwich 2, kernel = [3, 2], act = tanh',
  'sandwich 3, kernel = 1',
];

const certifiedLayer = (layer: string, seed: number, special: Record<string, ArrayLike<number>> = {}): Certified => {
  const proven = provenFrom(source(layer));
  return certify(proven, weightsFor(proven, randomFrom(seed), special));
};

const size = ({ num, den }: { readonly num: bigint; readonly den: bigint }): number => Number(num) / Number(den);

describe('operator layers of images', () => {
  it.each(IMAGES)('%s is certified for all weights, and with its tensors, alike in f64 and in integers', layer => {
    const proven = provenFrom(source(layer));
    const { certificate } = certifyAllWeights(proven);
    expect(verifyCertificate(certificate, undefined).squared).toEqual({ num: 1n, den: 1n });
    for (let seed = 0; seed < 3; seed++) {
      const weights = weightsFor(proven, randomFrom(seed));
      const c = certify(proven, weights);
      const { emitted } = verdictOf(c);
      expect(verdictOf(c, true).emitted).toEqual(emitted);
      expect(size(emitted!)).toBeLessThan(1 + 1e-6);
      const found = lipschitzLowerBound(foldInference(proven, weights, 1), { starts: 1, iterations: 6, seed });
      expect(found).toBeLessThanOrEqual(Math.sqrt(size(emitted!)) * (1 + 1e-9));
      // Linear layers are isometries of some inputs, or nearly; an activation may be flat where it was looked at.
      expect(found).toBeGreaterThan(layer.startsWith('conv') ? 0.3 : 0);
    }
  });
  it.each(Object.entries(FUZZ))('are certified with %s as their weights', (_, entry) => {
    for (const layer of IMAGES) {
      const proven = provenFrom(source(layer));
      const [weight] = networkParams(proven.network);
      const n = weight.shape.reduce((a, b) => a * b, 1);
      const rows = weight.shape[0];
      const c = certifiedLayer(layer, 3, { [weight.path]: fill(entry, rows, n / rows) });
      expect(size(verdictOf(c).emitted!), layer).toBeLessThan(1 + 1e-6);
    }
  });
  it.each(IMAGES)('%s: every change of the certificate is refused', layer => {
    const c = certifiedLayer(layer, 1);
    const { accepted, tried } = survivors(c, false);
    expect(accepted).toEqual([]);
    expect(tried).toBeGreaterThan(60);
    // What the tensors say alone, the false network named in their file: another kernel's shape may be one of the same matrices.
    const free =
      /^network\.name$|\.kernel\.\d$|\.(budget|eps|steps|norm|side|degree|mode|kind)$|form\.image\.\d$|\.act\.function$/;
    expect(survivors(c, true).accepted.filter(name => !free.test(name))).toEqual([]);
  });
  it('are refused when a table, a matrix at one frequency, a kernel or a constant grows, or a multiplier', () => {
    const changes: readonly (readonly [layer: string, tensor: string, change: (data: Float32Array) => void])[] = [
      ...[
        'conv 3 by fourier(cayley)',
        'conv 3 by fourier(bro)',
        'conv 3 by fourier(lot)',
        'sandwich 3, kernel = 3',
      ].flatMap(layer =>
        ['R', 'M', 'W'].flatMap(name => [
          // Steps that have not converged leave norms below 1.
          [layer, name, scale(name === 'W' && layer.endsWith('lot)') ? 4 : 1.001)] as const,
          // Of W, a frequency in the middle of them alone.
          [layer, name, grow(name === 'W' ? 0.6 : 0)] as const,
        ]),
      ),
      ['conv 3 by skew_exponential(degree = 8)', 'W', scale(8)],
      ['conv 3 by skew_exponential(degree = 8)', 'W', grow(0.1)],
      ['conv 3 by skew_exponential(degree = 8)', 'c', scale(1.001)],
      ['conv 3, padding = circular by skew_exponential(degree = 8)', 'c', grow(0.9)],
      ['sandwich 3, kernel = 3', 'd', scale(1.0001)],
      ['sandwich 3, kernel = 3', 'e', scale(1.0001)],
      ['sandwich 3, kernel = 3', 'd', scale(-1)],
      ['sandwich 3, kernel = 1', 'W', scale(1.001)],
    ];
    for (const [layer, tensor, change] of changes) {
      const c = certifiedLayer(layer, 2, { 'sandwich[0].psi': [0, 0.5, -1] });
      const name = `${c.certificate.network.layers[0].path}.${tensor}`;
      expect(
        withTensor(c, name, () => {}),
        layer,
      ).not.toThrow();
      expect(withTensor(c, name, change), `${layer}: ${tensor}`).toThrow(Refused);
    }
  });
  it('are refused when a witness shrinks, or one of another layer or stage is given', () => {
    const c = certifiedLayer('conv 3 by fourier(lot)', 4);
    for (const change of [
      (d: Mutable) => (d.T[0] = [1, 0]),
      (d: Mutable) => (d.T[1] = [1, 0]),
      (d: Mutable) => (d.T[2] = [1, -1]),
      (d: Mutable) => (d.T[2][0] *= -1),
      (d: Mutable) => d.T.reverse(),
      (d: Mutable) => d.T.pop(),
      (d: Mutable) => d.T.push([1, 0]),
      (d: Mutable) => (d.rule = 'psd-witness'),
      (d: Mutable) => (d.side = 'rows'),
    ]) {
      const forged = forge(c.certificate, m => change(m.weights.layers[0].dominance));
      expect(() => verifyCertificate(forged, c.file), `${change}`).toThrow(Refused);
    }
  });
  it('are refused when their network says another form', () => {
    const c = certifiedLayer('conv 3 by fourier(lot)', 4);
    for (const form of [
      { kind: 'spectrum', image: [4, 5] },
      { kind: 'spectrum', image: [5, 7] },
      { kind: 'spectrum', image: [6, 7], degree: 3 },
      { kind: 'pixelwise' },
      { kind: 'series', degree: 8, kernel: [3, 3], mode: 'zeros' },
      { kind: 'transform' },
      null,
    ]) {
      const forged = forge(c.certificate, m => {
        m.network.layers[0].map.form = form;
      });
      expect(() => verifyCertificate(forged, { ...c.file, network: networkDigest(forged) }), `${form}`).toThrow(
        Refused,
      );
    }
    const series = certifiedLayer('conv 3 by skew_exponential(degree = 12)', 4);
    for (const degree of [3, 5, 8, 13]) {
      const forged = forge(series.certificate, m => {
        m.network.layers[0].map.form.degree = degree;
      });
      expect(() => verifyCertificate(forged, { ...series.file, network: networkDigest(forged) })).toThrow(Refused);
    }
  });
  it('a series beyond its window is refused', () => {
    const { certificate } = certifyAllWeights(provenFrom(source('conv 3 by skew_exponential(degree = 12)')));
    const forged = forge(certificate, m => {
      m.derivation[0].premises[0].constants.norm = '7/2';
    });
    expect(() => verifyCertificate(forged, undefined)).toThrow('norm = 7/2 does not fit');
  });
  it.each([
    [
      'T that is not I, at every frequency',
      'conv 3 by fourier(cayley)',
      (p: Mutable) => ({ ...p, premises: [{ rule: 'gershgorin' }] }),
    ],
    ['T that is not I, of an operator', 'conv 3 by fourier(cayley)', () => ({ rule: 'frobenius' })],
    ['a kernel in place of an operator', 'conv 3 by fourier(cayley)', () => ({ rule: 'gershgorin-lattice' })],
    [
      'a regularisation of 0',
      'conv 3 by fourier(lot)',
      (p: Mutable) => {
        p.premises[0].constants.eps = '0';
        return p;
      },
    ],
    ['rows of [A B] that are not orthogonal', 'sandwich 3, kernel = 3', () => ({ rule: 'frobenius' })],
  ])('%s is refused', (_, layer, change) => {
    const { certificate } = certifyAllWeights(provenFrom(source(layer)));
    const forged = forge(certificate, m => {
      m.derivation[0].premises = [change(m.derivation[0].premises[0])];
    });
    expect(() => verifyCertificate(forged, undefined)).toThrow(Refused);
  });

  it('a kernel that is larger than the window of its degree is refused, whatever the stated norm', () => {
    const c = certifiedLayer('conv 2 by skew_exponential(degree = 8)', 5);
    const grown = (by: number) =>
      withTensor(c, 'conv[0].W', scale(by), m => {
        m.weights.layers[0].dominance = { rule: 'gram-iteration-symbol', grid: 32, T: [[11.5 * 2, -1]] };
      });
    expect(grown(1.2)).toThrow(/the weights of conv\[0\]: found/);
    expect(grown(6)).toThrow(/symbol|window/);
    const wide = forge(c.certificate, m => {
      m.weights.layers[0].dominance = { rule: 'gram-iteration-symbol', grid: 32, T: [[12, 0]] };
    });
    expect(() => verifyCertificate(wide, c.file)).toThrow(/window/);
  });
});
