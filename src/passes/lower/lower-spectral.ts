/**
 * Upper bounds λ ≥ ‖W‖² by Gram iteration (Delattre, Barthélemy, Araujo, Allauzen, ICML 2023): for symmetric positive semidefinite G,
 * ‖G^p‖_F^(1/p) ≥ ‖G‖, with quadratic convergence when p doubles. Gradients flow through the iteration.
 */
import { attrsOf, type ConvMap, overlap, phaseTaps, samplingDegree, torusSize } from '../../ir/conv-geometry.ts';
import type { LinearMap, SpectralMethod } from '../../ir/network.ts';
import type { GraphBuilder, TensorId } from '../../ir/tensor.ts';
import { polyphaseKernel } from './lower-polyphase.ts';

/** Hermitian matrices re + i·im [B…, m, m] (re symmetric, im antisymmetric); real ones have no `im`. */
interface Hermitian {
  readonly re: TensorId;
  readonly im?: TensorId;
}

const parts = (h: Hermitian): readonly TensorId[] => (h.im === undefined ? [h.re] : [h.re, h.im]);

const minusTranspose = (b: GraphBuilder, a: TensorId): TensorId => {
  const axes = b.shape(a).map((_, i) => i);
  return b.sub(a, b.transpose(a, [...axes.slice(0, -2), axes.length - 1, axes.length - 2]));
};

/**
 * A A* (`rows`) or A* A of A = re + i·im [B…, r, c], by three real products. Also the square of a Hermitian matrix, being H H*.
 * Written as Gram matrices, whose gradients take one product each instead of two.
 */
const gramMatrix = (b: GraphBuilder, a: Hermitian, rows: boolean): Hermitian => {
  const side = rows ? { b: true } : { a: true };
  const re = b.matmul(a.re, a.re, side);
  if (a.im === undefined) return { re };
  const cross = rows ? b.matmul(a.im, a.re, side) : b.matmul(a.re, a.im, side);
  return { re: b.add(re, b.matmul(a.im, a.im, side)), im: minusTranspose(b, cross) };
};

/**
 * ‖G^p‖_F^(1/p), p = 2^(steps − 1), for G [B…, m, m] positive semidefinite: [B…].
 *
 * The iterate is divided by its largest entry before each squaring, and the logarithms are collected: with H₀ = G and
 * H_{i+1} = (H_i/s_i)², log λ = Σ_i 2^(−i) log s_i + 2^(−(steps−1)) log ‖H_last/s_last‖_F. This is the same number whatever the s_i
 * are, so they pass no gradient, and the gradient is still exact.
 */
const gramIteration = (b: GraphBuilder, gram: Hermitian, steps: number): TensorId => {
  if (!(steps >= 1)) throw new Error(`lower: Gram iteration of ${steps} steps`);
  const shape = b.shape(gram.re);
  const rank = shape.length;
  const batch = shape.slice(0, -2);
  const batchAxes = batch.map((_, i) => i);
  const matrixAxes = [rank - 2, rank - 1];
  const normalise = (h: Hermitian): { unit: Hermitian; scale: TensorId; present: TensorId } => {
    const each = parts(h).map(p => b.maximum(b.unary('abs', p), matrixAxes));
    const largest = b.detach(each.reduce((p, q) => b.binary('max', p, q)));
    const present = b.binary('greater', largest, b.constant(0, batch));
    const scale = b.select(present, largest, b.constant(1, batch));
    const inverse = b.broadcast(b.unary('reciprocal', scale), shape, batchAxes);
    const re = b.mul(h.re, inverse);
    return { unit: h.im === undefined ? { re } : { re, im: b.mul(h.im, inverse) }, scale, present };
  };
  const first = normalise(gram);
  let unit = first.unit;
  let log = b.constant(0, batch);
  for (let i = 1; i < steps; i++) {
    const next = normalise(gramMatrix(b, unit, true));
    log = b.add(log, b.scale(b.unary('log', next.scale), 2 ** -i));
    unit = next.unit;
  }
  const squares = parts(unit)
    .map(p => b.sum(b.mul(p, p), matrixAxes))
    .reduce(b.add);
  // ½ log Σ = log ‖·‖_F; at G = 0 the logarithm is of 1 and the result is replaced below.
  const safe = b.select(first.present, squares, b.constant(1, batch));
  log = b.add(log, b.scale(b.unary('log', safe), 0.5 * 2 ** -(steps - 1)));
  // The first scale stays outside the exponential, whose argument is then small: f32 keeps its digits.
  return b.select(first.present, b.mul(first.scale, b.unary('exp', log)), b.constant(0, batch));
};

/** λ ≥ ‖A‖² for matrices A [B…, r, c], through their smaller Gram matrices: [B…]. */
export const matrixBounds = (b: GraphBuilder, a: TensorId, steps: number): TensorId => {
  const [r, c] = b.shape(a).slice(-2);
  return gramIteration(b, gramMatrix(b, { re: a }, r <= c), steps);
};

/** The largest of them: []. */
export const matrixBound = (b: GraphBuilder, a: TensorId, steps: number): TensorId => {
  const each = matrixBounds(b, a, steps);
  const batch = b.shape(each).map((_, i) => i);
  return batch.length === 0 ? each : b.maximum(each, batch);
};

/** The largest ‖K̂(θ)‖² over grid[0]×grid[1] equidistant θ, by Gram iteration at each: see `symbolBound`. */
const largestSymbol = (
  b: GraphBuilder,
  map: ConvMap,
  kernel: TensorId,
  steps: number,
  grid: readonly [number, number],
): TensorId => {
  const points: (readonly [number, number])[] = [];
  for (let u = 0; u < grid[0]; u++) for (let v = 0; 2 * v <= grid[1]; v++) points.push([u, v]);
  const [kh, kw] = phaseTaps(map);
  const taps = kh * kw;
  const table = (f: (angle: number) => number): TensorId => {
    const data = Array.from({ length: taps * points.length }, (_, at) => {
      const [tap, [u, v]] = [Math.floor(at / points.length), points[at % points.length]];
      const turns = ((Math.floor(tap / kw) * u) % grid[0]) / grid[0] + (((tap % kw) * v) % grid[1]) / grid[1];
      return f(2 * Math.PI * turns);
    });
    return b.literal(data, [taps, points.length]);
  };
  const phase = polyphaseKernel(b, map, kernel);
  const columns = b.shape(phase)[1];
  const flat = b.reshape(phase, [map.out * columns, taps]);
  const { groups } = map;
  const out = map.out / groups;
  // [P, groups, out, in]: one matrix per grid point and group.
  const component = (f: (angle: number) => number): TensorId =>
    groups === 1
      ? b.transpose(b.reshape(b.matmul(flat, table(f)), [out, columns, points.length]), [2, 0, 1])
      : b.transpose(b.reshape(b.matmul(flat, table(f)), [groups, out, columns, points.length]), [3, 0, 1, 2]);
  const symbol = { re: component(Math.cos), im: component(Math.sin) };
  return b.maximum(gramIteration(b, gramMatrix(b, symbol, out <= columns), steps), groups === 1 ? [0] : [0, 1]);
};

/**
 * λ ≥ ‖conv‖² at every image size from the symbol K̂(θ) = Σ_δ K[·,·,δ] e^{iδ·θ} on an N×N grid: a trigonometric polynomial of degree
 * k − 1 per axis, so its maximum is at most the maximum on N equidistant points divided by cos(πD/2N) per axis, D the degree or a larger
 * proper divisor of N (Ehlich & Zeller 1964; `gram_iteration_symbol` in proofs/). Real kernels have K̂(−θ) = conj K̂(θ), so half of the
 * grid is enough. K is the polyphase kernel, k its taps; of groups the largest counts.
 */
const symbolBound = (b: GraphBuilder, map: ConvMap, kernel: TensorId, steps: number, grid: number): TensorId => {
  const [kh, kw] = phaseTaps(map);
  const [dh, dw] = [kh, kw].map(k => samplingDegree(k, grid));
  if (dh === undefined || dw === undefined)
    throw new Error(`lower: a grid of ${grid} points is too coarse for ${kh}×${kw}`);
  const cosine = (degree: number) => Math.cos((Math.PI * degree) / 2 / grid);
  return b.scale(largestSymbol(b, map, kernel, steps, [grid, grid]), 1 / (cosine(dh) * cosine(dw)) ** 2);
};

/** The convolution as a matrix [in·H·W, out·H'·W']: row = image of one unit input. */
const operatorMatrix = (b: GraphBuilder, map: ConvMap, kernel: TensorId, image: readonly number[]): TensorId => {
  const n = image.reduce((p, d) => p * d, 1);
  const identity = b.binary('equal', b.iota([n, n], 0), b.iota([n, n], 1));
  const images = b.conv(b.reshape(identity, [n, ...image]), kernel, attrsOf(map));
  const [, ...rest] = b.shape(images);
  return b.reshape(images, [n, rest.reduce((p, d) => p * d, 1)]);
};

/**
 * λ ≥ ‖W‖² as a scalar: []. `image` [channels, height, width] is the input of a convolution. A dense map has one method: Gram
 * iteration on its matrix.
 */
export const spectralBound = (
  b: GraphBuilder,
  map: LinearMap,
  weight: TensorId,
  image: readonly number[],
  method: SpectralMethod,
): TensorId => {
  if (map.kind === 'dense') return matrixBound(b, weight, method.steps);
  switch (method.kind) {
    case 'gram':
      return symbolBound(b, map, weight, method.steps, method.grid);
    case 'circulant':
      return largestSymbol(b, map, weight, method.steps, torusSize(map, [image[1], image[2]]));
    case 'operator':
      return matrixBound(b, operatorMatrix(b, map, weight, image), method.steps);
    case 'reshaped': {
      const columns = (map.in / map.groups) * map.kernel[0] * map.kernel[1];
      const shape = map.groups === 1 ? [map.out, columns] : [map.groups, map.out / map.groups, columns];
      return b.scale(matrixBound(b, b.reshape(weight, shape), method.steps), overlap(map));
    }
    default:
      return method satisfies never;
  }
};
