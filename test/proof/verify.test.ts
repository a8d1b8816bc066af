import { describe, expect, it } from 'vitest';
import { lipschitzLowerBound } from '../../src/certify/lipschitz-lower-bound.ts';
import type { TensorGraph } from '../../src/ir/tensor.ts';
import { certifyAllWeights } from '../../src/passes/certificate/certify-weights.ts';
import { NotCertifiable } from '../../src/passes/certificate/network-json.ts';
import { foldInference } from '../../src/passes/tensors/freeze.ts';
import { verifyCertificate } from '../../src/proof/verify/certificate.ts';
import { Refused } from '../../src/proof/verify/numbers.ts';
import { randomFrom, randomSource } from '../random-network.ts';
import {
  at,
  certify,
  forge,
  leaves,
  type Mutable,
  provenFrom,
  replace,
  survivors,
  verdictOf,
  weightsFor,
  wrong,
} from './certified.ts';

const ratio = (q: { num: bigint; den: bigint }): number => Number((q.num << 60n) / q.den) / 2 ** 60;

/** Constants as kernels contain them. */
const emittedConstants = (graph: TensorGraph): TensorGraph => ({
  ...graph,
  nodes: graph.nodes.map(n =>
    n.op.kind === 'constant' ? { ...n, op: { ...n.op, value: Math.fround(n.op.value) } } : n,
  ),
});

const certifiable = <T>(make: () => T): T | undefined => {
  try {
    return make();
  } catch (e) {
    if (e instanceof NotCertifiable) return undefined;
    throw e;
  }
};

describe('certificates of random networks', () => {
  it('are accepted in f64 and in integers, and bound what power iteration finds', () => {
    let accepted = 0;
    for (let seed = 0; seed < 120; seed++) {
      const r = randomFrom(seed + 700);
      const proven = provenFrom(randomSource(r, { branches: seed % 2 === 0, geometries: true, structures: true }));
      const weights = weightsFor(proven, r);
      const c = certifiable(() => certify(proven, weights));
      // Householder activations of order 2 have no certificate of weights.
      if (!c) continue;
      const fast = verdictOf(c);
      expect(verdictOf(c, true)).toEqual(fast);
      const lower = lipschitzLowerBound(emittedConstants(foldInference(proven, weights, 1)), {
        starts: 1,
        iterations: 3,
        seed,
      });
      expect(lower).toBeLessThanOrEqual(Math.sqrt(ratio(fast.emitted!)) * (1 + 1e-9));
      accepted += 1;
    }
    expect(accepted).toBeGreaterThan(100);
  });
  it('are accepted without weights, and refused with tensors they do not speak of', () => {
    for (let seed = 0; seed < 40; seed++) {
      const proven = provenFrom(randomSource(randomFrom(seed + 300)));
      const { certificate } = certifyAllWeights(proven);
      const { num, den } = verifyCertificate(certificate, undefined).squared;
      expect([num, den]).toEqual([proven.squared.num, proven.squared.den]);
      expect(() => verifyCertificate(certificate, { tensors: new Map(), network: undefined })).toThrow(Refused);
    }
  });
  it('with branches state the bound that was proven; sums of irrational bounds may be rounded up', () => {
    let exact = 0;
    for (let seed = 0; seed < 40; seed++) {
      const { squared, ...proven } = provenFrom(randomSource(randomFrom(seed + 300), { branches: true }));
      const { certificate } = certifyAllWeights({ squared, ...proven });
      const stated = verifyCertificate(certificate, undefined).squared;
      const over = stated.num * squared.den - squared.num * stated.den;
      if (over === 0n) exact += 1;
      // The prover rounds bounds without a common measure up by less than 2⁻¹⁹, the checker every irrational one in a sum by less than 2⁻⁴⁰.
      else expect(Math.abs(Number(over) / Number(squared.num * stated.den))).toBeLessThan(2 ** -17);
    }
    expect(exact).toBeGreaterThan(30);
  });
});

const SOURCE = `network Net {
  input image[2, 6, 6]
  center [1/3, 1/2]
  scale 2
  pad channels to 3
  residual conv hidden = 4, kernel = 3 by sll
  conv 4, kernel = 3, padding = 1 by spectral(steps = 6, grid = 8)
  maxmin
  avgpool 2
  flatten
  residual dense hidden = 6, act = leaky_relu(1/4) by own(mix(aol, spectral(steps = 9), 1/3))
  dense 9 by sll
  abs
  dense 8 by orthogonal(cayley)
  groupsort 4
  head 3
}`;
const example = certify(
  provenFrom(SOURCE),
  weightsFor(provenFrom(SOURCE), randomFrom(1), {
    'conv[0].W': Array.from({ length: 108 }, (_, i) => Math.sin(7 * i + 1)),
    'conv[1].W': Array.from({ length: 108 }, (_, i) => Math.sin(5 * i + 2)),
    'dense[0].W': Array.from({ length: 216 }, (_, i) => Math.sin(3 * i * i + 1)),
    'dense[1].W': Array.from({ length: 324 }, (_, i) => Math.sin(i * i + 4)),
    'dense[2].W': Array.from({ length: 72 }, (_, i) => Math.sin(11 * i + 5)),
    'conv[0].q': [0.5, -0.25, 0, 0.125],
    'dense[1].q': Array.from({ length: 36 }, (_, i) => Math.sin(i) / 2),
    'head.W': Array.from({ length: 24 }, (_, i) => Math.sin(i + 3)),
  }),
);
const refused = (certificate: Mutable): boolean => {
  try {
    verifyCertificate(certificate, example.file);
    return false;
  } catch (e) {
    if (e instanceof Refused) return true;
    throw e;
  }
};

describe('mutated certificates', () => {
  const { certificate } = example;
  it('starts from one that is accepted', () => {
    expect(refused(certificate)).toBe(false);
    expect(verdictOf(example, true)).toEqual(verdictOf(example));
  });
  it('refuses every change of every entry, and every missing or added one', () => {
    let count = 0;
    for (const path of leaves(certificate)) {
      for (const value of wrong(at(certificate, path))) {
        const copy = structuredClone(certificate);
        replace(copy, path, value);
        expect(refused(copy), `${path.join('.')} = ${value}`).toBe(true);
        count += 1;
      }
    }
    expect(count).toBeGreaterThan(2000);
  });
  it('refuses them by their content and by what the tensors say they belong to, when the certificate is sealed again', () => {
    const { accepted, tried } = survivors(example, false);
    expect(accepted).toEqual([]);
    expect(tried).toBeGreaterThan(300);
  });
  it('refuses them by their content alone, but for what is true of another network', () => {
    // Names; what is subtracted, how a residual kernel is placed, how many steps an iteration takes: of these any value gives a network with the same bound.
    const free =
      /^network\.name$|layers\.3\.map\.(padding|stride|dilation)\.\d$|\.constants\.(steps|grid|eps)$|\.(pairs|side)$|\.budget$/;
    expect(survivors(example, true).accepted.filter(name => !free.test(name))).toEqual([]);
  });
  it('refuses every witness T that is halved or doubled, and every q at the scale of another', () => {
    let count = 0;
    for (const path of leaves(certificate)) {
      const name = path.join('.');
      // Of the orthogonal layer, 11, any q will do: its Gram matrix is nearly diagonal.
      if (!/\.(q|T)\.\d+\.1$/.test(name) || /layers\.11\.dominance\.q/.test(name)) continue;
      for (const by of [-1, 1]) {
        // A larger T of a linear layer makes its bound larger, which is then stated wrongly.
        const copy = forge(certificate, c => replace(c, path, at(c, path) + by));
        expect(refused(copy), `${name} ${by}`).toBe(true);
        count += 1;
      }
    }
    expect(count).toBeGreaterThan(60);
  });
  it('refuses layers, derivations and entries that are left out, doubled, swapped or added', () => {
    const changes: ((c: Mutable) => void)[] = [
      c => c.network.layers.pop(),
      c => c.network.layers.splice(3, 1),
      c => c.network.layers.push(c.network.layers[0]),
      c => c.weights.layers.pop(),
      c => c.weights.layers.push(c.weights.layers[0]),
      c => c.weights.layers.reverse(),
      c => c.derivation.pop(),
      c => c.derivation[3].premises.pop(),
      c => c.derivation.reverse(),
      c => {
        c.derivation[0].premises = c.derivation[3].premises;
      },
      c => {
        c.note = 'trust me';
      },
      c => {
        c.weights.tensors['conv[0].V'] = c.weights.tensors['conv[0].W'];
      },
      c => {
        c.weights.tensors['conv[0].t'] = undefined;
      },
      c => {
        c.weights.layers[0].dominance = c.weights.layers[3].dominance;
      },
      c => {
        c.weights.layers[3].dominance = undefined;
      },
      c => c.weights.squaredDistances.pop(),
      c => {
        c.network.head = undefined;
      },
      c => {
        c.weights = undefined;
      },
    ];
    changes.forEach((change, n) => {
      expect(refused(forge(certificate, change)), `change ${n + 1}`).toBe(true);
    });
  });
  it('refuses objects and lists that are something else', () => {
    const inner = (value: Mutable, path: readonly string[] = []): string[][] =>
      typeof value === 'object' && value !== null
        ? [[...path], ...Object.keys(value).flatMap(k => inner(value[k], [...path, k]))]
        : [];
    let count = 0;
    for (const path of inner(certificate).slice(1)) {
      const was = JSON.stringify(at(certificate, path));
      for (const value of [null, 1, 'x', [], {}, [null], [[]], { a: 1 }]) {
        if (JSON.stringify(value) === was) continue;
        expect(refused(forge(certificate, c => replace(c, path, value))), `${path.join('.')} ${value}`).toBe(true);
        count += 1;
      }
    }
    expect(count).toBeGreaterThan(1000);
    for (const value of [null, 1, 'x', [], {}]) expect(refused(value)).toBe(true);
  });
  it('refuses tensors that differ in one bit, and ones that are missing or more', () => {
    const { tensors, network } = example.file;
    for (const [name, t] of tensors) {
      const data = Float32Array.from(t.data);
      const bits = new Uint32Array(data.buffer);
      bits[bits.length >> 1] ^= 1;
      const other = new Map(tensors).set(name, { ...t, data, sha256: 'differs' });
      expect(() => verifyCertificate(certificate, { tensors: other, network }), name).toThrow(Refused);
      other.delete(name);
      expect(() => verifyCertificate(certificate, { tensors: other, network }), name).toThrow(Refused);
    }
    const more = new Map(tensors).set('extra', [...tensors.values()][0]);
    expect(() => verifyCertificate(certificate, { tensors: more, network })).toThrow(Refused);
    for (const other of [undefined, '0'.repeat(64)])
      expect(() => verifyCertificate(certificate, { tensors, network: other })).toThrow('another network');
  });
});
