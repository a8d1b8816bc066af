import { describe, expect, it } from 'vitest';
import { samplingDegree, samplingGrid } from '../../src/ir/conv-geometry.ts';
import { degree } from '../../src/proof/verify/map.ts';

describe('sampling', () => {
  it('counts as the degree what the checker counts', () => {
    for (let k = 1; k < 20; k++)
      for (let grid = 1; grid < 70; grid++) {
        const d = samplingDegree(k, grid);
        if (d === undefined) expect(() => degree(k, grid), `${k} ${grid}`).toThrow();
        else expect(degree(k, grid), `${k} ${grid}`).toBe(d);
      }
  });
  it('proposes grids on which every kernel has a degree, its own where that is affordable', () => {
    for (let kh = 1; kh < 24; kh++)
      for (let kw = 1; kw < 24; kw++)
        for (const least of [8, 32, 64]) {
          const grid = samplingGrid([kh, kw], least);
          expect(grid).toBeGreaterThanOrEqual(least);
          expect(samplingDegree(kh, grid)).toBeGreaterThanOrEqual(kh - 1);
          expect(samplingDegree(kw, grid)).toBeGreaterThanOrEqual(kw - 1);
          if (kh === kw && kh <= least) expect(samplingDegree(kh, grid)).toBe(kh - 1);
        }
    expect([1, 3, 5, 7].map(k => samplingGrid([k, k], 32))).toEqual([32, 32, 32, 36]);
  });
});
