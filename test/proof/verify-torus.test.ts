import { describe, expect, it } from 'vitest';
import { symbolBelow } from '../../src/proof/verify/dominance.ts';
import { fitsTorus, type Lattice, lattice, operator, readMap } from '../../src/proof/verify/map.ts';
import { Refused } from '../../src/proof/verify/numbers.ts';
import { randomFrom } from '../random-network.ts';
import { certify, forge, type Mutable, provenFrom, verdictOf, weightsFor } from './certified.ts';

/** A lower bound of ‖M‖², by power iteration. */
const norm2 = ({ out, in: columns, data }: Lattice, r: ReturnType<typeof randomFrom>): number => {
  let v = Float64Array.from({ length: columns }, () => r.normal());
  let found = 0;
  for (let i = 0; i < 60; i++) {
    const size = Math.hypot(...v);
    v = v.map(x => x / size);
    const image = Float64Array.from({ length: out }, (_, o) => v.reduce((s, x, j) => s + data[o * columns + j] * x, 0));
    found = image.reduce((s, x) => s + x * x, 0);
    v = Float64Array.from({ length: columns }, (_, j) => image.reduce((s, x, o) => s + data[o * columns + j] * x, 0));
  }
  return found;
};

const conv = (more: object, input: readonly number[]) =>
  readMap(
    {
      ...{ kind: 'conv', out: 1, in: 1, kernel: [1, 3], stride: [1, 1], padding: [0, 1], dilation: [1, 1] },
      ...{ groups: 1, mode: 'zeros', ...more },
    },
    'conv',
    input,
  );

const leastTorus = (m: ReturnType<typeof conv>): number => {
  for (let side = 1; ; side++) if (fitsTorus(m, side)) return side;
};

describe('the symbol on a torus', () => {
  it('is that of 4 places for [1, -2, 1] on an image of 3, whose norm is 3.41, not of 3, which see 3', () => {
    const m = conv({}, [1, 1, 3]);
    const l = lattice(m, [1, -2, 1]);
    expect([2, 3, 4, 5, 6].map(side => fitsTorus(m, side))).toEqual([false, false, true, true, true]);
    for (const exact of [false, true]) {
      expect(symbolBelow(l, 3, [9.001], exact, true)).toBe(true);
      expect(symbolBelow(l, 4, [16.001], exact, true)).toBe(true);
      expect(symbolBelow(l, 4, [15.999], exact, true)).toBe(false);
      // Without the torus the sampling costs a factor.
      expect(symbolBelow(l, 4, [16.001], exact)).toBe(false);
    }
  });
  it('is on a circle that of every torus with its frequencies', () => {
    const m = conv({ kernel: [3, 3], padding: [1, 1], stride: [2, 1], mode: 'circular' }, [1, 8, 6]);
    expect([4, 6, 8, 12, 18, 24].map(side => fitsTorus(m, side))).toEqual([false, false, false, true, false, true]);
  });
  it('is above the norm at this size for kernels of every geometry', () => {
    const r = randomFrom(5);
    let tried = 0;
    while (tried < 150) {
      const two = (least: number, most: number) => [r.integer(least, most), r.integer(least, most)];
      const geometry = { kernel: two(1, 4), stride: two(1, 3), padding: two(0, 3), dilation: two(1, 3), out: 2, in: 2 };
      const mode = tried % 3 === 0 ? 'circular' : 'zeros';
      let m: ReturnType<typeof conv>;
      try {
        m = conv({ ...geometry, mode }, [2, ...two(1, 6)]);
      } catch (e) {
        if (e instanceof Refused) continue;
        throw e;
      }
      const W = Float64Array.from({ length: 4 * m.kernel[0] * m.kernel[1] }, () => r.normal());
      if (mode === 'circular' && m.image.some((n, a) => m.dilation[a] * (m.kernel[a] - 1) >= n)) continue;
      const below = norm2(operator(m, W), r);
      expect(symbolBelow(lattice(m, W), leastTorus(m), [below * (1 - 1e-9)], false, true), `${JSON.stringify(m)}`).toBe(
        below === 0,
      );
      tried += 1;
    }
  });
});

const NEAR = `network Net {
  input image[4, 6, 6]
  conv 4, kernel = 3, bias = false by orthogonal(bcop, steps = 2)
  residual conv hidden = 4, kernel = 3 by spectral(method = circulant)
  conv 3, kernel = 3, padding = circular by spectral(method = circulant, steps = 9)
  transposed conv 4, kernel = 3, stride = 2 by spectral(method = circulant)
}`;

describe('certificates by tori', () => {
  const source = NEAR;
  const proven = provenFrom(source);
  const c = certify(proven, weightsFor(proven, randomFrom(2)));
  const dominance = (m: Mutable, n: number) => m.weights.layers[n].dominance;

  it('say so for all weights, and have a norm of 1 for these, in f64 and in integers', () => {
    const rules = c.certificate.derivation.map((d: Mutable) => d.premises[0].premises?.[0].rule);
    expect(rules.slice(1)).toEqual([
      'gram-iteration-circulant',
      'gram-iteration-circulant',
      'gram-iteration-circulant',
    ]);
    const verdict = verdictOf(c);
    expect(verdictOf(c, true)).toEqual(verdict);
    expect(Number((verdict.emitted!.num << 60n) / verdict.emitted!.den) / 2 ** 60).toBeLessThan(1 + 1e-6);
  });
  it('are refused on smaller tori', () => {
    for (const n of [0, 1, 2, 3]) {
      const { rule, grid } = dominance(c.certificate, n);
      if (n > 0) expect(rule).toBe('gram-iteration-symbol');
      if (rule !== 'gram-iteration-symbol') continue;
      expect(
        fitsTorus(
          readMap(
            c.certificate.network.layers[n].map,
            'conv',
            n === 3 ? c.certificate.network.layers[n].output : [4, 6, 6],
          ),
          grid,
        ),
      ).toBe(true);
      const forged = forge(c.certificate, m => {
        dominance(m, n).grid = grid - 1;
      });
      expect(() => verdictOf({ ...c, certificate: forged }), `layer ${n}`).toThrow(Refused);
    }
  });
});
