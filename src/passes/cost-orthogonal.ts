/** Floating-point operations that make a matrix or kernel of norm at most 1, once a training step. */
import { elements, type LinearMap } from '../ir/network.ts';
import { matrixSides, type NormScale, type OrthogonalMethod, storedShape } from '../ir/orthogonal.ts';

const sorted = (rows: number, columns: number): readonly [short: number, long: number] => [
  Math.min(rows, columns),
  Math.max(rows, columns),
];

/** The product of a matrix with its transpose, and the squarings of Gram iteration on the smaller side. */
export const gramIterationCost = (rows: number, columns: number, steps: number): number => {
  const [r, m] = sorted(rows, columns);
  return 2 * r * r * m + (steps - 1) * 2 * r ** 3;
};

/** VᵀV, the inverse, and two products with it. */
export const cayleyCost = (rows: number, columns: number): number => {
  const [n, m] = sorted(rows, columns);
  return 2 * (m - n) * n * n + 2 * n ** 3 + 2 * m * n * n;
};

const scaleCost = (scale: NormScale, rows: number, columns: number): number => {
  if (scale.kind === 'none') return 0;
  return rows * columns + (scale.kind === 'frobenius' ? rows * columns : gramIterationCost(rows, columns, scale.steps));
};

/** Two products a step, with the smaller Gram matrix between. */
const bjorckCost = (steps: number, scale: NormScale, rows: number, columns: number): number => {
  const [r, m] = sorted(rows, columns);
  return scaleCost(scale, rows, columns) + steps * 4 * r * r * m;
};

/** Growing kernels c×c, each composed with one of 2×2 taps. */
const compositionCost = (c: number, size: number): number => {
  let flops = 0;
  for (let k = 1; k < size; k++) flops += 2 * c ** 3 * (4 * k * k + 4);
  return flops;
};

export const orthogonalCost = (map: LinearMap, method: OrthogonalMethod): number =>
  (map.kind === 'dense' ? 1 : map.groups) * groupCost(map, method);

/** Of a kernel, or of the matrix of one group. */
const groupCost = (map: LinearMap, method: OrthogonalMethod): number => {
  const [rows, columns] = matrixSides(map);
  const [r, m] = sorted(rows, columns);
  switch (method.family) {
    case 'cayley':
      return method.form === 'full' ? cayleyCost(rows, columns) : 4 * m ** 3;
    // UᵀU, the inverse of its triangle, and two products.
    case 'householder':
      return 2 * m * r * r + 2 * r ** 3 + 4 * m * r * r;
    case 'bro': {
      const { rank } = method;
      return 2 * m * rank * rank + 2 * rank ** 3 + 2 * m * rank * rank + 2 * m * m * rank;
    }
    case 'bjorck':
      return bjorckCost(method.steps, method.scale, rows, columns);
    case 'exponential':
      return scaleCost(method.scale, m, m) + (method.degree - 1 + method.squarings) * 2 * m ** 3;
    case 'cholesky':
    case 'qr':
      return 3 * r * r * m + Math.ceil((2 * r ** 3) / 3);
    case 'bcop':
    case 'aoc': {
      const [count, c, half] = storedShape(map, method);
      const last = method.family === 'aoc' ? method.last : undefined;
      const kernel = map.kind === 'conv' ? map.kernel[0] - (last ? last.shape[2] - 1 : 0) : 1;
      const factors = count * (bjorckCost(method.steps, method.scale, c, half) + 2 * c * c * half);
      const down = last
        ? bjorckCost(method.steps, method.scale, last.shape[0], elements(last.shape.slice(1))) +
          2 * last.shape[0] * c * elements(last.shape.slice(2)) * kernel * kernel * map.in
        : 0;
      return factors + compositionCost(c, kernel) + down;
    }
    default:
      return method satisfies never;
  }
};
