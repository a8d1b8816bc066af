/** Certificates of every kind of layer: both checkers, both number paths, mutations, and false claims. */
import { describe, expect, it } from 'vitest';
import { lipschitzLowerBound } from '../../src/certify/lipschitz-lower-bound.ts';
import { foldInference } from '../../src/passes/freeze.ts';
import { randomFrom } from '../random-network.ts';
import { type Certified, certify, provenFrom, survivors, verdictOf, weightsFor } from './certified.ts';
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
    expect(tried).toBeGreaterThan(200);
  });
});
