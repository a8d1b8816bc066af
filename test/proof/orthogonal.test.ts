/** Certificates of orthogonal families: what is deployed is within its bound, for weights of every kind, and both number paths say so. */
import { describe, expect, it } from 'vitest';
import { networkParams } from '../../src/ir/network.ts';
import { toNumber } from '../../src/ir/rational.ts';
import { initializeParams } from '../../src/train/initialize.ts';
import { randomFrom } from '../random-network.ts';
import { certify, provenFrom, verdictOf, weightsFor } from './certified.ts';

const NETWORKS: Readonly<Record<string, string>> = {
  matrices: `network N {
    input x[12]
    dense 12 by orthogonal(bjorck)
    residual dense hidden = 8 by orthogonal(householder)
    dense 12 by orthogonal(bro, rank = 3)
    dense 10 by orthogonal(exponential)
    dense 9 by orthogonal(qr)
    residual dense hidden = 12 by orthogonal(cholesky)
    dense 8 by orthogonal(cayley, parameter = lower)
    head 3
  }`,
  kernels: `network N {
    input image[4, 8, 8]
    conv 6, kernel = 3 by orthogonal(bcop)
    residual conv hidden = 6, kernel = 3 by orthogonal(aoc)
    conv 8, kernel = 4, stride = 2, padding = circular by orthogonal(aoc)
    conv 12, kernel = 2, stride = 2, padding = 0 by orthogonal(householder)
    flatten
    head 3
  }`,
  geometry: `network N {
    input image[4, 6, 6]
    conv 8, kernel = 3, groups = 2 by orthogonal(bjorck)
    residual conv hidden = 6, kernel = 3, groups = 2 by orthogonal(cayley)
    conv 8, kernel = 3, stride = 2, padding = 1 by orthogonal(bcop)
    transposed conv 6, kernel = 2, stride = 2, padding = 0 by orthogonal(qr)
    conv 8, kernel = 2, stride = 2, groups = 2, padding = 0 by orthogonal(bro, rank = 2)
    flatten
    dense 10 by orthogonal(exponential, degree = 3, squarings = 2)
    head 3
  }`,
};

describe.each(Object.entries(NETWORKS))('%s', (_, source) => {
  const proven = provenFrom(source);

  it('as initialised, the bound is 1', () => {
    const c = certify(proven, initializeParams(networkParams(proven.network), 1));
    const verdict = verdictOf(c);
    expect(toNumber(verdict.emitted!)).toBeLessThanOrEqual(1);
    expect(verdictOf(c, true)).toEqual(verdict);
  });

  it('for weights that are hard on it, little more', () => {
    for (let seed = 0; seed < 12; seed++) {
      const verdict = verdictOf(certify(proven, weightsFor(proven, randomFrom(seed))));
      // A kernel whose iteration has not converged is bounded by its sampled symbol, up to 2 % at 32 points.
      expect(toNumber(verdict.emitted!)).toBeLessThan(1.1);
    }
  });
});
