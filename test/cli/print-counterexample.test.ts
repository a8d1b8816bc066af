import { describe, expect, it } from 'vitest';
import { printCounterexample } from '../../src/cli/print-counterexample.ts';
import type { Counterexample } from '../../src/ir/counterexample.ts';

const base: Counterexample = {
  network: 'N',
  layers: ['dense[0]'],
  allowed: 1,
  ratio: 2.7671,
  inputShape: [2],
  params: [
    { path: 'dense[0].W', shape: [2, 2], values: [0.71234, 0, 1, -2] },
    { path: 'dense[0].q', shape: [4], values: [-18.1, 0, 1, 2] },
    { path: 'dense[0].b', shape: [2], values: [0, 0] },
  ],
  x: [1, 0],
  y: [0, 0],
  fx: [2.7671, 0],
  fy: [0, 0],
};

describe('a counterexample in one line', () => {
  it('names the weights of a layer without its path', () => {
    expect(printCounterexample(base)).toBe(
      'W = [[0.712, 0], …], q = [-18.1, 0, 1, …], b = 0: |f(x) − f(y)| / |x − y| = 2.77, more than 1',
    );
  });

  it('says when the numbers are for a smaller instance', () => {
    expect(printCounterexample({ ...base, params: [], shrunkFrom: [784] })).toBe(
      '|f(x) − f(y)| / |x − y| = 2.77, more than 1, in a smaller instance of the layer (input 2 instead of 784)',
    );
  });

  it('shows as many digits as tell the ratio from what is allowed', () => {
    expect(printCounterexample({ ...base, params: [], ratio: 1.0004 })).toMatch(/ = 1\.0004, more than 1$/);
    expect(printCounterexample({ ...base, params: [], ratio: Math.SQRT2, allowed: 1.41 })).toMatch(
      / = 1\.414, more than 1\.41$/,
    );
  });

  it('shows the largest entry of a kernel', () => {
    const params = [{ path: 'dense[0].W', shape: [1, 2, 1, 3], values: [0, 0, 0, 0, -7, 1] }];
    expect(printCounterexample({ ...base, params })).toMatch(/^W = -7 at \[0, 1, 0, 1\], …: /);
  });

  it('does not take a search without success for a proof', () => {
    expect(printCounterexample('none found')).toBe(
      'none found by a short search, which does not mean that there is none',
    );
  });
});
