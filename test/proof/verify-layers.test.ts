/** Certificates of every kind of layer: both checkers, both number paths, mutations, and false claims. */
import { describe, expect, it } from 'vitest';
import { lipschitzLowerBound } from '../../src/certify/lipschitz-lower-bound.ts';
import { certifyAllWeights } from '../../src/passes/certificate/certify-weights.ts';
import { foldInference } from '../../src/passes/tensors/freeze.ts';
import { networkDigest, verifyCertificate } from '../../src/proof/verify/certificate.ts';
import { Refused } from '../../src/proof/verify/numbers.ts';
import { sha256, type Tensor } from '../../src/proof/verify/read.ts';
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
import { NETWORKS } from './networks.ts';

const certified = (body: string): Certified => {
  const proven = provenFrom(`network Net {\n${body}\n}`);
  return certify(proven, weightsFor(proven, randomFrom(5)));
};
const ratio = (q: { num: bigint; den: bigint }): number => Number((q.num << 60n) / q.den) / 2 ** 60;

describe.each(Object.entries(NETWORKS))('%s', (_, body) => {
  const c = certified(body);
  it('are accepted in f64 and in integers, and bound what power iteration finds', () => {
    const fast = verdictOf(c);
    expect(verdictOf(c, true)).toEqual(fast);
    const weights = weightsFor(c.proven, randomFrom(5));
    const lower = lipschitzLowerBound(foldInference(c.proven, weights, 1), { starts: 2, iterations: 4, seed: 1 });
    const emitted = Math.sqrt(ratio(fast.emitted!));
    expect(lower).toBeLessThanOrEqual(emitted * (1 + 1e-9));
    expect(emitted).toBeLessThanOrEqual(Math.sqrt(ratio(fast.squared)) * 1.01);
  });
  it('have no entry that can be changed', () => {
    const { accepted, tried } = survivors(c, false);
    expect(accepted).toEqual([]);
    expect(tried).toBeGreaterThan(150);
  });
});

/** `change` made to the certificate, its stated bounds kept, the tensors bound to the false network. */
const refusal = (
  c: Certified,
  change: (x: Mutable) => void,
  data: Readonly<Record<string, Float32Array>> = {},
): string => {
  verdictOf(c);
  const tensors = new Map<string, Tensor>(c.file.tensors);
  let text = JSON.stringify(c.certificate);
  for (const [name, values] of Object.entries(data)) {
    const { shape, sha256: old } = tensors.get(name)!;
    const hash = sha256(new Uint8Array(values.buffer));
    text = text.replaceAll(old, hash);
    tensors.set(name, { shape, data: values, sha256: hash });
  }
  const forged = forge(JSON.parse(text), change);
  try {
    verifyCertificate(forged, { tensors, network: networkDigest(forged) });
  } catch (e) {
    if (e instanceof Refused) return e.message;
    throw e;
  }
  return 'accepted';
};
const tensorOf = (c: Certified, name: string): Float32Array => Float32Array.from(c.file.tensors.get(name)!.data);

describe('false claims', () => {
  const layer = (x: Mutable, n: number) => x.network.layers[n];
  it('about where a convolution is put', () => {
    const c = certified('input image[2, 4, 4]\n conv 3, kernel = 3, padding = circular by aol');
    expect(
      refusal(c, x => {
        layer(x, 0).map.padding = [2, 2];
        layer(x, 0).output = [3, 6, 6];
      }),
    ).toMatch('on a circle');
    expect(
      refusal(c, x => {
        layer(x, 0).map.mode = 'reflect';
      }),
    ).toMatch('mode is reflect');
    expect(
      refusal(c, x => {
        layer(x, 0).map.mode = 'replicate';
      }),
    ).toMatch('mode is replicate');
    const strided = certified('input image[2, 6, 6]\n conv 3, kernel = 3, stride = 2, padding = circular by aol');
    expect(
      refusal(strided, x => {
        x.network.input = [2, 5, 5];
      }),
    ).toMatch('on a circle');
    const reshaped = certified(
      'input image[2, 6, 6]\n conv 8, kernel = 2, stride = 2, padding = 1 by orthogonal(householder)',
    );
    // With stride 1 each pixel is read four times.
    expect(
      refusal(reshaped, x => {
        layer(x, 0).map.stride = [1, 1];
        layer(x, 0).output = [8, 7, 7];
      }),
    ).toMatch(/does not fit/);
    // Blocks whose pixels lie two apart overlap at stride 2.
    const blocks = certified('input image[2, 6, 6]\n conv 8, kernel = 4, stride = 2 by orthogonal(aoc)');
    expect(
      refusal(blocks, x => {
        layer(x, 0).map.dilation = [2, 2];
        layer(x, 0).map.padding = [3, 3];
        Object.assign(x.derivation[0].premises[0].constants, { dilation_h: '2', dilation_w: '2' });
      }),
    ).toMatch('stride = 2 does not fit orthogonal-strided');
    const grouped = certified('input image[4, 3, 3]\n conv 4, kernel = 3, groups = 2 by sll');
    expect(
      refusal(grouped, x => {
        layer(x, 0).map.groups = 1;
      }),
    ).not.toBe('accepted');
    const adjoint = certified('input image[2, 3, 3]\n transposed conv 3, kernel = 3, stride = 2 by aol');
    expect(
      refusal(adjoint, x => {
        delete layer(x, 0).adjoint;
      }),
    ).not.toBe('accepted');
    expect(
      refusal(adjoint, x => {
        layer(x, 0).output = [3, 8, 8];
      }),
    ).toMatch('the map makes');
  });
  it('about windows that overlap', () => {
    for (const kind of ['maxpool', 'l2pool', 'avgpool']) {
      const c = certified(`input image[2, 4, 4]\n budget 4\n ${kind} 2`);
      expect(
        refusal(c, x => {
          layer(x, 0).stride = [1, 1];
          layer(x, 0).output = [2, 3, 3];
        }),
      ).toMatch(/the derivation of .*: found/);
      const claimed = (x: Mutable) => {
        layer(x, 0).stride = [1, 1];
        layer(x, 0).output = [2, 3, 3];
        x.derivation[0].rule = kind === 'avgpool' ? 'average-pool' : x.derivation[0].rule;
        x.derivation[0].constants.overlap = '4';
      };
      expect(refusal(c, claimed)).toMatch('"squared":"4"');
    }
  });
  it('about values that meet', () => {
    const body = (join: string) => `input x[4]\n budget 3\n let a = it |> abs\n let b = it |> relu\n ${join}`;
    for (const [join, bound] of [
      ['a + b', '4'],
      ['concat(a, b)', '2'],
      ['max(a, b)', '2'],
    ] as const) {
      const c = certified(body(join));
      expect(
        refusal(c, x => {
          for (const d of x.derivation) d.squared = '1';
        }),
      ).toMatch(`"squared":"${bound}"`);
      // A network that keeps a smaller budget than its bound.
      expect(
        refusal(c, x => {
          x.network.budget = '1';
        }),
      ).toMatch('above the budget');
    }
    const split = certified('input x[4]\n let a, b = split(it)\n let c = b |> abs\n concat(a, c)');
    expect(
      refusal(split, x => {
        layer(x, 1).start = 1;
      }),
    ).toMatch('"squared":"2"');
    expect(
      refusal(split, x => {
        layer(x, 3).inputs = [1, 1];
        layer(x, 3).output = [4];
      }),
    ).not.toBe('accepted');
    // Where both inputs of a concat come from one slice, or one goes around it, the parts are not disjoint.
    const nested = certified(
      'input x[4]\n let a, b = split(it)\n let c = mix(a, a, 1/2)\n concat(c, b)\n let d = it |> relu\n max(it, d)\n avgpool 2, divisor = 2',
    );
    expect(
      refusal(nested, x => {
        layer(x, 3).inputs = [3, 3];
        layer(x, 1).inputs = [1];
        layer(x, 1).start = 0;
      }),
    ).not.toBe('accepted');
    expect(
      refusal(nested, x => {
        layer(x, 2).inputs = [1, 2];
      }),
    ).toMatch('"squared":"2"');
    const mix = certified(body('mix(a, b, 1/2)'));
    expect(
      refusal(mix, x => {
        layer(x, 2).weight = '3/2';
      }),
    ).toMatch('not between 0 and 1');
    const learnt = certified(body('mix(a, b)'));
    expect(refusal(learnt, () => {}, { 'mix[0].w': Float32Array.of(1.25) })).toMatch('not between 0 and 1');
  });
  it('about parameters of activations, gains and multipliers', () => {
    const own = /the weights of .*: found/;
    const c = certified('input x[4]\n prelu\n householder\n gain\n scale 2\n tile features to 8\n layercenter');
    expect(refusal(c, () => {}, { 'prelu[0].a': Float32Array.of(0, -1.5, 0, 0) })).toMatch(own);
    expect(refusal(c, () => {}, { 'householder[0].v': Float32Array.of(1, 0, 0.5, 1) })).toMatch(own);
    expect(refusal(c, () => {}, { 'gain[0].m': Float32Array.of(0, 1.001, 0, 0) })).toMatch(own);
    for (const [name, value] of [
      ['scale[0].m', 0.6],
      ['tile[0].m', 1],
      ['layercenter[0].m', 0.5],
    ] as const)
      expect(refusal(c, () => {}, { [name]: Float32Array.of(value) })).toMatch('not the one of its layer');
    expect(
      refusal(c, x => {
        layer(x, 1).order = 2;
      }),
    ).toMatch('order');
  });
  it('about sectors of order 2', () => {
    const proven = provenFrom('network Net {\n input x[6]\n householder order = 2\n}');
    const [t0, t1, t2] = [
      [0.3, 6.1, 2],
      [0, 2 * Math.PI, 1],
      [4, 0, 2 * Math.PI],
    ];
    const special = { 'householder[0].theta0': t0, 'householder[0].theta1': t1, 'householder[0].theta2': t2 };
    const c = certify(proven, weightsFor(proven, randomFrom(2), special));
    expect(verdictOf(c).emitted).toEqual({ num: 1n, den: 1n });
    const v = tensorOf(c, 'householder[0].v');
    const changed = (at: number, by: (x: number) => number): string =>
      refusal(c, () => {}, { 'householder[0].v': v.map((x, i) => (i === at ? by(x) : x)) });
    // Of the first pair b₀ and b₁ are one direction, of the second b₁ and b₂.
    expect(changed(3, x => x * 1.001)).toMatch('direction 1 lies before direction 0');
    expect(changed(13, x => x - 0.01)).toMatch('direction 2 lies before direction 1');
    expect(refusal(c, () => {}, { 'householder[0].v': v.map((x, i) => (i % 3 === 0 && i < 6 ? 0 : x)) })).toMatch(
      'direction 0 is none',
    );
    expect(refusal(c, () => {}, { 'householder[0].v': v.map((x, i) => (i >= 12 ? -x : x)) })).toMatch('lies before');
  });
  it('about sandwich layers and series', () => {
    const c = certified('input x[4]\n sandwich 3');
    const d = tensorOf(c, 'sandwich[0].d').map(v => v * 1.001);
    expect(refusal(c, () => {}, { 'sandwich[0].d': d })).toMatch('must lie in [0, 2]');
    const W = tensorOf(c, 'sandwich[0].W').map(v => v * 1.001);
    expect(refusal(c, () => {}, { 'sandwich[0].W': W })).toMatch('positive semidefinite');
    expect(
      refusal(c, x => {
        layer(x, 0).act = { function: 'abs' };
      }),
    ).toMatch('slope in [0, 1]');
    const soc = provenFrom(
      'network Net {\n input image[2, 4, 4]\n conv 2, kernel = 3 by skew_exponential(degree = 12)\n}',
    );
    const all = certifyAllWeights(soc).certificate as Mutable;
    verifyCertificate(all, undefined);
    const change = (f: (x: Mutable) => void) => () => verifyCertificate(forge(all, f), undefined);
    const set = (x: Mutable, name: string, value: number | string) => {
      x.derivation[0].premises[0].constants[name] = `${value}`;
    };
    expect(change(x => set(x, 'degree', 5))).toThrow('does not fit');
    expect(change(x => set(x, 'norm', '7/2'))).toThrow('norm = 7/2 does not fit');
    const series = certify(soc, weightsFor(soc, randomFrom(1)));
    const K = tensorOf(series, 'conv[0].W').map((v, i) => (i === 1 ? v + 2 ** -20 : v));
    expect(refusal(series, () => {}, { 'conv[0].W': K })).toMatch('negative of its adjoint');
  });
});
