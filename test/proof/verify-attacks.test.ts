/** Weights that are hard on arithmetic, and false claims that published code has made. */
import { describe, expect, it } from 'vitest';
import { lipschitzLowerBound } from '../../src/certify/lipschitz-lower-bound.ts';
import { foldInference } from '../../src/passes/tensors/freeze.ts';
import { networkDigest, verifyCertificate } from '../../src/proof/verify/certificate.ts';
import { symbolBelow, turn } from '../../src/proof/verify/dominance.ts';
import { exactGershgorinSums, gershgorinSums, isDominated, type Kernel } from '../../src/proof/verify/gram.ts';
import { degree, fromSide } from '../../src/proof/verify/map.ts';
import { atMost, decompose, fromFloat, mul, Refused, scaled, toGrid } from '../../src/proof/verify/numbers.ts';
import { sha256, type Tensor } from '../../src/proof/verify/read.ts';

import { randomFrom } from '../random-network.ts';
import { type Certified, certify, forge, type Mutable, provenFrom, verdictOf, weightsFor } from './certified.ts';
import { FUZZ, fill, noise } from './fuzz.ts';

const dyadic = (x: number): [number, number] => {
  const [m, e] = decompose(x);
  return [Number(m), e];
};

describe('hard weights', () => {
  const LAYERS = [
    ['residual dense hidden = 6', 'dense[0]', 6, 8],
    ['dense 6', 'dense[0]', 6, 8],
    ['dense 6, side = out', 'dense[0]', 6, 8],
    ['residual conv hidden = 3, kernel = 3', 'conv[0]', 3, 18],
    ['conv 3, kernel = 3, padding = 1', 'conv[0]', 3, 18],
    // Larger than its image.
    ['residual conv hidden = 3, kernel = 5, padding = 3', 'conv[0]', 3, 50],
  ] as const;
  const METHODS = ['sll', 'aol', 'spectral', 'spectral(method = circulant)', 'orthogonal(cayley)'];
  for (const by of [...METHODS, 'own(max(aol, sll))', 'own(mix(aol, sll, 1/3))']) {
    it(`are certified by ${by}, alike in f64 and in integers, above what power iteration finds`, () => {
      let count = 0;
      for (const [layer, path, rows, columns] of LAYERS) {
        const input = path === 'conv[0]' ? 'image[2, 2, 2]' : 'x[8]';
        const method = by === 'spectral' && path === 'conv[0]' ? 'spectral(steps = 6, grid = 8)' : by;
        const proven = provenFrom(`network Net {\n input ${input}\n ${layer} by ${method}\n}`);
        for (const [name, entry] of Object.entries(FUZZ)) {
          // Tiny and huge q as well: e^±20.
          const hidden = proven.network.layers[0].op;
          const n =
            'map' in hidden ? (hidden.kind === 'linear' && hidden.side === 'in' ? hidden.map.in : hidden.map.out) : 0;
          const special = {
            [`${path}.W`]: fill(entry, rows, columns),
            [`${path}.q`]: Array.from({ length: n }, (_, i) => (i % 3 === 0 ? -30 : i)),
            [`${path}.alpha`]: [1],
          };
          const weights = weightsFor(proven, randomFrom(1), special);
          const c = certify(proven, weights);
          const verdict = verdictOf(c);
          expect(verdictOf(c, true), `${layer} ${name}`).toEqual(verdict);
          const squared = Number((verdict.emitted!.num << 60n) / verdict.emitted!.den) / 2 ** 60;
          expect(squared, `${layer} ${name}`).toBeLessThan(1.1);
          const lower = lipschitzLowerBound(foldInference(proven, weights, 1), { starts: 1, iterations: 3 });
          expect(lower, `${layer} ${name}`).toBeLessThanOrEqual(Math.sqrt(squared) * (1 + 1e-9));
          count += 1;
        }
      }
      expect(count).toBe(LAYERS.length * Object.keys(FUZZ).length);
    });
  }
});

describe('sums in f64', () => {
  it('are above the exact ones, and close', () => {
    for (const [name, entry] of Object.entries(FUZZ)) {
      for (const [kh, kw] of [
        [1, 1],
        [3, 2],
      ]) {
        const k: Kernel = { n: 5, m: 7, kh, kw, data: Float64Array.from(fill(entry, 5, 7 * kh * kw)) };
        const q = [1, 0.5, 3, 2 ** -28, 2 ** 28];
        const sums = gershgorinSums(k, q);
        const exact = exactGershgorinSums(k, q, [...q.keys()]);
        sums.forEach((s, i) => {
          expect(atMost(exact[i], fromFloat(s)), `${name} ${i}`).toBe(true);
          if (name === 'noise') expect(atMost(fromFloat(s), mul(exact[i], fromFloat(1 + 2 ** -20)))).toBe(true);
        });
      }
    }
  });
  it('are compared with sums in integers from the entries, which the grid of small integers gives to the last bit', () => {
    for (const [name, entry] of Object.entries(FUZZ))
      for (const [kh, kw] of [
        [1, 1],
        [2, 3],
      ]) {
        const [n, m] = [4, 5];
        const k: Kernel = { n, m, kh, kw, data: Float64Array.from(fill(entry, n, m * kh * kw)) };
        const q = [1, 2 ** -28, 3, 2 ** 28];
        const [values, weights] = [toGrid(k.data), toGrid(q)];
        const at = (i: number, o: number, y: number, x: number): bigint =>
          y >= 0 && y < kh && x >= 0 && x < kw ? values.integers[((i * m + o) * kh + y) * kw + x] : 0n;
        const sum = (i: number): bigint => {
          let total = 0n;
          for (let j = 0; j < n; j++)
            for (let dy = 1 - kh; dy < kh; dy++)
              for (let dx = 1 - kw; dx < kw; dx++) {
                let g = 0n;
                for (let o = 0; o < m; o++)
                  for (let y = 0; y < kh; y++)
                    for (let x = 0; x < kw; x++) g += at(i, o, y, x) * at(j, o, y + dy, x + dx);
                total += (g < 0n ? -g : g) * weights.integers[j];
              }
          return total;
        };
        const exact = exactGershgorinSums(k, q, [...q.keys()]);
        for (const i of q.keys())
          expect(exact[i], `${name} ${i}`).toEqual(scaled(sum(i), 2 * values.exponent + weights.exponent));
      }
  });
  it('hold for long sums of wide matrices', () => {
    const k: Kernel = { n: 7, m: 3001, kh: 1, kw: 1, data: Float64Array.from(fill(noise, 7, 3001)) };
    const q = [1, 2, 3, 4, 5, 6, 7];
    const exact = exactGershgorinSums(k, q, [...q.keys()]);
    gershgorinSums(k, q).forEach((s, i) => {
      expect(atMost(exact[i], fromFloat(s))).toBe(true);
      expect(atMost(fromFloat(s), mul(exact[i], fromFloat(1 + 2 ** -30)))).toBe(true);
    });
  });
});

/** Whether diag(T) − MMᵀ ⪰ 0 for a matrix, by elimination without fractions. */
const isPositive = (k: Kernel, T: readonly number[]): boolean => {
  const [values, bound] = [toGrid(k.data), toGrid(T)];
  const unit = Math.min(2 * values.exponent, bound.exponent);
  const scale = BigInt(2 * values.exponent - unit);
  const row = (i: number) => values.integers.slice(i * k.m, (i + 1) * k.m);
  const A = T.map((_, i) =>
    T.map((_, j) => {
      const g = row(i).reduce((s, v, l) => s + v * row(j)[l], 0n) << scale;
      return (i === j ? bound.integers[i] << BigInt(bound.exponent - unit) : 0n) - g;
    }),
  );
  let previous = 1n;
  for (let p = 0; p < k.n; p++) {
    const pivot = A[p][p];
    if (pivot < 0n || (pivot === 0n && A[p].some((v, j) => j > p && v !== 0n))) return false;
    if (pivot === 0n) continue;
    for (let i = p + 1; i < k.n; i++) {
      for (let j = p + 1; j < k.n; j++) A[i][j] = (pivot * A[i][j] - A[i][p] * A[p][j]) / previous;
      A[i][p] = 0n;
    }
    previous = pivot;
  }
  return true;
};

describe('positivity', () => {
  it('is never found where elimination in integers denies it, and is found a little above the norm', () => {
    for (const [name, entry] of Object.entries(FUZZ)) {
      const k: Kernel = { n: 6, m: 9, kh: 1, kw: 1, data: Float64Array.from(fill(entry, 6, 9)) };
      const trace = k.data.reduce((s, v) => s + v * v, 0);
      if (!(trace > 0)) continue;
      // The norm by bisection with the exact test.
      let [low, high] = [0, 2 * trace];
      for (let i = 0; i < 60; i++) {
        const middle = low + (high - low) / 2;
        if (isPositive(k, new Array(6).fill(middle))) high = middle;
        else low = middle;
      }
      for (const exact of [false, true]) {
        for (const f of [0.5, 0.99, 1 - 2 ** -20, 1 - 2 ** -30, 1])
          expect(isDominated(k, new Array(6).fill(low * f), exact), `${name} ${f}`).toBe(false);
        expect(isDominated(k, new Array(6).fill(high * (1 + 2 ** -28)), exact), name).toBe(true);
      }
    }
  });
  it('takes diagonals that are not constant, and denies those a little too small', () => {
    const k: Kernel = { n: 6, m: 9, kh: 1, kw: 1, data: Float64Array.from(fill(noise, 6, 9)) };
    const T = Array.from(gershgorinSums(k, [1, 2, 3, 4, 5, 6]), (s, i) => s / (i + 1));
    for (const exact of [false, true]) expect(isDominated(k, T, exact)).toBe(true);
    expect(isPositive(k, T)).toBe(true);
    const row = k.data.subarray(27, 36).reduce((s, v) => s + v * v, 0);
    const less = T.map((v, i) => (i === 3 ? row * (1 - 2 ** -40) : 1e9 * v));
    expect(isPositive(k, less)).toBe(false);
    for (const exact of [false, true]) expect(isDominated(k, less, exact)).toBe(false);
  });
});

describe('the sampled symbol', () => {
  it('knows cosines to the last bit but one', () => {
    for (let n = 1; n < 40; n++)
      for (let k = 0; k < n; k++) {
        const [c, s] = turn(k, n);
        expect(Math.abs(c - Math.cos((2 * Math.PI * k) / n))).toBeLessThan(2e-15);
        expect(Math.abs(s - Math.sin((2 * Math.PI * k) / n))).toBeLessThan(2e-15);
        expect(Math.abs(c * c + s * s - 1)).toBeLessThan(2 ** -51);
      }
  });
  it('sees the norm 4 of [1, −2, 1] on the line, where the transform at n = 3 sees 3', () => {
    const line = { out: 1, in: 1, kh: 1, kw: 3, data: [1, -2, 1] };
    for (const exact of [false, true]) {
      expect(symbolBelow(line, 64, [16.05], exact)).toBe(true);
      expect(symbolBelow(line, 64, [15.999], exact)).toBe(false);
      expect(symbolBelow(line, 6, [15.999], exact)).toBe(false);
      expect(() => symbolBelow(line, 3, [15.999], exact)).toThrow(Refused);
      // On a circle of three pixels the transform there is the whole truth.
      expect(symbolBelow(line, 3, [9.001], exact, true)).toBe(true);
      expect(symbolBelow(line, 3, [8.999], exact, true)).toBe(false);
    }
    // Proper divisors of the grid from the degree 2 on: none of 2, of 3 and of any prime.
    for (const grid of [1, 2, 3, 7, 31])
      expect(() => symbolBelow(line, grid, [100], false), `${grid}`).toThrow(Refused);
  });
  it('counts the least proper divisor of the grid as the degree', () => {
    expect([3, 4, 5, 7, 17].map(k => degree(k, 32))).toEqual([2, 4, 4, 8, 16]);
    expect([1, 2].map(k => degree(k, 31))).toEqual([0, 1]);
    for (const [k, grid] of [
      [18, 32],
      [40, 32],
      [3, 31],
      [2, 1],
    ])
      expect(() => degree(k, grid), `${k}, ${grid}`).toThrow(Refused);
  });
  // 1 − e^{iDt}: |…|² = 4 sin²(D·t/2), whose maxima lie halfway between points of the grid where grid/D is odd. The factor is then exact.
  it.each([
    [1, 3],
    [2, 6],
    [2, 10],
    [3, 9],
    [4, 12],
    [5, 25],
  ])('needs the whole factor for a kernel of degree %i on %i points', (d, grid) => {
    const data = Float64Array.from({ length: d + 1 }, (_, j) => (j === 0 ? 1 : j === d ? -1 : 0));
    for (const [kh, kw] of [
      [1, d + 1],
      [d + 1, 1],
    ]) {
      const line = { out: 1, in: 1, kh, kw, data };
      expect(symbolBelow(line, grid, [4 * (1 + 1e-9)], false)).toBe(true);
      expect(symbolBelow(line, grid, [4 * (1 - 1e-9)], false)).toBe(false);
    }
  });
});

/** Tensors with one replaced, and the certificate that names its hash. */
const withTensor = (c: Certified, name: string, data: Float32Array): Pick<Certified, 'certificate' | 'file'> => {
  const hash = sha256(new Uint8Array(data.buffer));
  const old = c.file.tensors.get(name)!;
  const tensors = new Map<string, Tensor>(c.file.tensors).set(name, { ...old, data, sha256: hash });
  const text = JSON.stringify(c.certificate).replaceAll(old.sha256, hash);
  return { certificate: forge(JSON.parse(text), () => {}), file: { ...c.file, tensors } };
};
const nextUp = (x: number): number => {
  const bits = new Uint32Array(Float32Array.of(x).buffer);
  bits[0] += 1;
  return new Float32Array(bits.buffer)[0];
};

describe('false claims of published code', () => {
  const W = Float32Array.from({ length: 32 }, (_, k) => noise(Math.floor(k / 8), k % 8));
  const dense = (by: string, layer = 'residual dense hidden = 4', q = [0.3, -0.2, 0.1, 0]) => {
    const proven = provenFrom(`network Net {\n input x[8]\n ${layer} by ${by}\n head 3\n}`);
    return certify(
      proven,
      weightsFor(proven, randomFrom(3), { 'dense[0].W': W, 'dense[0].q': q, 'dense[0].b': [0, 0, 0, 0] }),
    );
  };
  const K = Float32Array.from({ length: 54 }, (_, k) => noise(Math.floor(k / 18), k % 18));
  const conv = (by: string, layer = 'residual conv hidden = 3, kernel = 3') => {
    const proven = provenFrom(`network Net {\n input image[2, 4, 4]\n ${layer} by ${by}\n}`);
    return certify(proven, weightsFor(proven, randomFrom(3), { 'conv[0].W': K, 'conv[0].q': [0.1, 0, -0.1] }));
  };
  const refused = (c: Certified, change: (c: Mutable) => void, why: RegExp) => {
    verdictOf(c);
    const forged = forge(c.certificate, change);
    // The forger names the false network in the tensors file as well.
    const file = { ...c.file, network: networkDigest(forged) };
    expect(() => verifyCertificate(forged, file)).toThrow(Refused);
    expect(() => verifyCertificate(forged, file)).toThrow(why);
  };

  it('t one float higher', () => {
    const c = dense('sll');
    const t = Float32Array.from(c.file.tensors.get('dense[0].t')!.data, nextUp);
    const d = withTensor(c, 'dense[0].t', t);
    expect(() => verifyCertificate(d.certificate, d.file)).toThrow(/the weights of dense\[0\]: found/);
  });
  it('the T of the old SLL, which divides by q and multiplies by q + ε', () => {
    // For tiny q, T = Σ |G_ij| (q_j + ε) / (q_i + ε) is AOL's, claimed with the weights q.
    const c = dense('sll', undefined, [0, 0, 0, -18]);
    const k: Kernel = { n: 4, m: 8, kh: 1, kw: 1, data: Float64Array.from(W) };
    const q = [1, 1, 1, Math.exp(-18)];
    const mixed = gershgorinSums(k, q).map((s, i) => s / (q[i] + 1e-3));
    const t = Float32Array.from(mixed, v => 1.999 / v);
    const d = withTensor(c, 'dense[0].t', t);
    const forged = forge(d.certificate, x => {
      x.weights.layers[0].dominance.T = Array.from(mixed, dyadic);
    });
    expect(() => verifyCertificate(forged, d.file)).toThrow('is above T_');
    expect(() => verifyCertificate(d.certificate, d.file)).toThrow(/the weights of dense\[0\]: found/);
  });
  it('power iteration as a bound of the norm', () => {
    const c = dense('spectral', 'dense 4');
    const k = fromSide({ out: 4, in: 8, kh: 1, kw: 1, data: c.file.tensors.get('dense[0].W')!.data }, 'rows');
    let v = [1, 1, 1, 1];
    let norm = 0;
    for (let i = 0; i < 5; i++) {
      const u = Array.from({ length: 8 }, (_, j) => v.reduce((s, x, r) => s + x * k.data[r * 8 + j], 0));
      const next = v.map((_, r) => u.reduce((s, x, j) => s + x * k.data[r * 8 + j], 0));
      norm = Math.hypot(...next) / Math.hypot(...v);
      v = next.map(x => x / Math.hypot(...next));
    }
    refused(
      c,
      x => {
        x.weights.layers[0].dominance.T = [dyadic(norm)];
      },
      /positive semidefinite/,
    );
  });
  it('the norm of the reshaped kernel without its factor', () => {
    const c = conv('spectral(method = reshaped, steps = 8)');
    const inner = c.certificate.weights.layers[0].dominance.premise;
    refused(
      c,
      x => {
        x.weights.layers[0].dominance = inner;
      },
      /psd-witness is for matrices/,
    );
    const t = c.file.tensors.get('conv[0].t')!.data.map(v => v * 8);
    const d = withTensor(c, 'conv[0].t', Float32Array.from(t));
    expect(() => verifyCertificate(d.certificate, d.file)).toThrow(/the weights of conv\[0\]: found/);
  });
  it('the operator at one image size for another', () => {
    const c = conv('spectral(method = operator, steps = 9)', 'residual conv hidden = 3, kernel = 3, padding = 0');
    refused(
      c,
      x => {
        x.network.input = [2, 9, 9];
        x.network.layers[0].output = [2, 9, 9];
      },
      /positive semidefinite/,
    );
  });
  it('a lattice bound without the offsets, or with the roles of the channels exchanged', () => {
    const c = conv('sll');
    refused(
      c,
      x => {
        const { side, q, T } = x.weights.layers[0].dominance;
        const premise = { rule: 'gershgorin', side, q, T };
        x.weights.layers[0].dominance = { rule: 'reshaped-kernel', premise };
      },
      /the weights of conv\[0\]: found/,
    );
    refused(
      c,
      x => {
        x.weights.layers[0].dominance.side = 'columns';
      },
      /entries/,
    );
  });
  it('MaxMin, GroupSort, abs or a steep slope inside a residual', () => {
    for (const act of [
      { function: 'maxmin' },
      { function: 'groupsort' },
      { function: 'abs' },
      { function: 'leaky_relu', slope: '-1/8' },
      { function: 'leaky_relu', slope: '9/8' },
      { function: 'gelu' },
    ])
      refused(
        dense('sll'),
        x => {
          x.network.layers[0].act = act;
          const constants = x.derivation[0].constants;
          if (act.slope) [constants.low, constants.high] = [act.slope, '1'];
          if (act.function === 'abs') constants.low = '-1';
          if (act.slope === '9/8') [constants.low, constants.high] = ['1', '9/8'];
        },
        /slope|no activation (gelu|maxmin|groupsort)/,
      );
  });
  it('a second, rounded copy of W, other padding, groups, or anything the format does not have', () => {
    refused(
      dense('sll'),
      x => {
        x.weights.tensors['dense[0].V'] = x.weights.tensors['dense[0].W'];
      },
      /hashes of tensors/,
    );
    const twice = dense('sll');
    const tensors = new Map<string, Tensor>(twice.file.tensors).set(
      'dense[0].V',
      twice.file.tensors.get('dense[0].W')!,
    );
    const forged = forge(twice.certificate, x => {
      x.weights.tensors['dense[0].V'] = x.weights.tensors['dense[0].W'];
    });
    expect(() => verifyCertificate(forged, { ...twice.file, tensors })).toThrow('no layer uses tensor dense[0].V');
    refused(
      conv('sll'),
      x => {
        x.network.layers[0].map.mode = 'reflect';
      },
      /mode is reflect/,
    );
    refused(
      conv('sll'),
      x => {
        x.network.layers[0].map.groups = 2;
      },
      /must have shape|groups do not divide/,
    );
  });
  it('an unknown layer or rule that counts as 1', () => {
    refused(
      dense('sll'),
      x => {
        x.network.layers[0].kind = 'batchnorm';
      },
      /there is no layer kind batchnorm/,
    );
    refused(
      dense('sll'),
      x => {
        x.weights.layers[0].dominance.rule = 'assume';
      },
      /no rule for .* called assume/,
    );
    refused(
      dense('sll'),
      x => {
        x.derivation[0].premises[0].rule = 'toString';
      },
      /no rule for .* called toString/,
    );
  });
  it('unit rows of the head as a bound of √2 for every pair', () => {
    refused(
      dense('sll'),
      x => {
        x.weights.squaredDistances = x.weights.squaredDistances.map(() => '2');
      },
      /squared distances of the classes/,
    );
  });
  it('a head that counts as 1-Lipschitz layer', () => {
    refused(
      dense('sll'),
      x => {
        const { path, classes } = x.network.head;
        x.network.layers.push({ path, kind: 'translate', inputs: [1], output: [classes] });
        delete x.network.head;
        x.derivation.push({ path, squared: '1', rule: 'translate' });
      },
      /head makes \[8\], not \[3\]/,
    );
  });
  it('t below 0, q not above 0, weights that are not numbers', () => {
    const c = dense('sll');
    const t = Float32Array.from(c.file.tensors.get('dense[0].t')!.data, v => -v);
    const d = withTensor(c, 'dense[0].t', t);
    expect(() => verifyCertificate(d.certificate, d.file)).toThrow('must not be negative');
    for (const q of [
      [0, 0],
      [-1, 0],
    ])
      refused(
        c,
        x => {
          x.weights.layers[0].dominance.q[2] = q;
        },
        /q must be positive/,
      );
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const e = withTensor(
        c,
        'dense[0].W',
        Float32Array.from(W, (v, i) => (i === 5 ? bad : v)),
      );
      expect(() => verifyCertificate(e.certificate, e.file)).toThrow(Refused);
    }
  });
  it('weights trained on after the proof, under the hash of the new ones', () => {
    const c = dense('sll');
    const d = withTensor(
      c,
      'dense[0].W',
      Float32Array.from(W, v => v * 1.001),
    );
    expect(() => verifyCertificate(d.certificate, d.file)).toThrow('is above T_');
    const linear = dense('aol', 'dense 4');
    const w = linear.file.tensors.get('dense[0].W')!.data;
    const e = withTensor(
      linear,
      'dense[0].W',
      Float32Array.from(w, v => v * 1.001),
    );
    expect(() => verifyCertificate(e.certificate, e.file)).toThrow('is above T_');
  });
});
