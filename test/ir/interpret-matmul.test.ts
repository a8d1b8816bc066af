import { describe, expect, it } from 'vitest';
import { matmul } from '../../src/ir/interpret-matmul.ts';
import { stream } from '../../src/train/random.ts';

const random = stream(1, 'matmul');
const numbers = (n: number) => Float64Array.from({ length: n }, () => random.normal());

/** By the definition, with indices of either layout. */
const byDefinition = (
  [transposeA, transposeB]: readonly [boolean, boolean],
  a: Float64Array,
  b: Float64Array,
  [batch, m, k, n]: readonly number[],
): number[] => {
  const out: number[] = [];
  for (let t = 0; t < batch; t++)
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let l = 0; l < k; l++) {
          const x = a[t * m * k + (transposeA ? l * m + i : i * k + l)];
          sum += x * b[t * k * n + (transposeB ? j * k + l : l * n + j)];
        }
        out.push(sum);
      }
  return out;
};

const SIZES = [
  [1, 1, 1, 1],
  [1, 1, 7, 40],
  [2, 2, 5, 3],
  [1, 9, 4, 31],
  [3, 4, 3, 4],
  [1, 34, 70, 65],
];
const SIDES = [false, true].flatMap(p => [false, true].map(q => [p, q] as const));

describe('matmul', () => {
  it.each(SIDES)('is the product, transposed as it says (%s, %s), for sizes on and beyond its blocks', (p, q) => {
    for (const [batch, m, k, n] of SIZES) {
      const [a, b] = [numbers(batch * m * k), numbers(batch * k * n)];
      const [aShape, bShape] = [p ? [batch, k, m] : [batch, m, k], q ? [batch, n, k] : [batch, k, n]];
      const c = matmul({ kind: 'matmul', transposeA: p, transposeB: q }, a, aShape, b, bShape, [batch, m, n]);
      const wanted = byDefinition([p, q], a, b, [batch, m, k, n]);
      expect(c).toHaveLength(wanted.length);
      for (const [i, v] of c.entries()) expect(v).toBeCloseTo(wanted[i], 10);
    }
  });
  it.each([
    [false, true],
    [true, false],
  ])('makes symmetric Gram matrices of one operand (%s, %s)', (p, q) => {
    for (const [batch, rows, columns] of [
      [2, 35, 6],
      [1, 3, 61],
      [3, 1, 2],
    ]) {
      const a = numbers(batch * rows * columns);
      const [m, k] = p ? [columns, rows] : [rows, columns];
      const shape = [batch, rows, columns];
      const c = matmul({ kind: 'matmul', transposeA: p, transposeB: q }, a, shape, a, shape, [batch, m, m]);
      const wanted = byDefinition([p, q], a, a, [batch, m, k, m]);
      for (const [i, v] of c.entries()) expect(v).toBeCloseTo(wanted[i], 10);
      for (let t = 0; t < batch; t++)
        for (let i = 0; i < m; i++)
          for (let j = 0; j < m; j++) expect(c[(t * m + i) * m + j]).toBe(c[(t * m + j) * m + i]);
    }
  });
});
