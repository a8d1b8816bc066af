/** Networks with every layer there is a bound of rounding for, and the models of their arithmetics. */
import { type InputNorm, type RoundingModel, roundingModel } from '../../src/certify/rounding.ts';
import { anyOrder, float64, structured } from '../../src/certify/rounding-arithmetic.ts';
import { summationDepth } from '../../src/certify/rounding-depth.ts';
import { emittedBounds } from '../../src/certify/sound-inputs.ts';
import { DEFAULT_LIMITS, inBlocks, type Target } from '../../src/ir/kernel.ts';
import { elements, networkParams } from '../../src/ir/network.ts';
import { compileGraph } from '../../src/passes/kernels/compile-graph.ts';
import type { ProvenNetwork } from '../../src/passes/prove/prove.ts';
import { emittedWeights, foldInference, freeze } from '../../src/passes/tensors/freeze.ts';
import type { Random } from '../random-network.ts';

export const SOFTWARE: Target = inBlocks({ profile: 'software', limits: DEFAULT_LIMITS });
export const BATCH = 4;

export const normals = (r: Random, n: number, scale: number): Float32Array =>
  Float32Array.from({ length: n }, () => scale * r.normal());

/** Biases of every size: units that are always off, always on, or neither. */
export const randomWeights = (proven: ProvenNetwork, r: Random): Map<string, Float32Array> =>
  new Map(
    networkParams(proven.network).map(p => [
      p.path,
      normals(r, elements(p.shape), 1).map(v => (p.path.endsWith('.b') ? v * 10 ** r.integer(-2, 2) : v)),
    ]),
  );

export const everything = (proven: ProvenNetwork, params: ReadonlyMap<string, Float32Array>) => {
  const folded = foldInference(proven, params, 1);
  const emitted = emittedWeights(proven, folded);
  const { layers } = emittedBounds(proven, params, folded);
  const frozen = freeze(proven, params, BATCH);
  const compiled = compileGraph(frozen.graph, SOFTWARE);
  const model = (arithmetic: typeof anyOrder) => roundingModel(proven, emitted, params, layers, arithmetic);
  return {
    frozen,
    compiled,
    emitted,
    free: model(anyOrder),
    ordered: model(structured(summationDepth(compiled))),
    f64: model(float64),
  };
};

/** |executed − real logit i|, bounded. */
export const logitBound = (m: RoundingModel, x: InputNorm, i: number, rowNorm: number): number => {
  const b = m.at(x);
  return b.logits[i] + rowNorm * b.features;
};

export const NETWORKS = [
  `input x[12]
   residual dense hidden = 20
   residual dense hidden = 9, act = leaky_relu(1/10)
   head 4`,
  `input x[40]
   scale 3
   scale 1/3
   dense 30 by orthogonal(cayley)
   maxmin
   dense 20 by aol
   leaky_relu 1/5
   maxmin
   head 3`,
  `input x[9]
   center 1/3
   dense 7 by sll
   tanh
   residual dense hidden = 12, act = sigmoid
   residual dense hidden = 5, act = tanh
   groupsort 7
   head 5`,
  `input image[2, 6, 6]
   center [1/3, 0.2]
   scale [2, 3]
   pad channels to 5
   residual conv hidden = 6, kernel = 3
   residual conv hidden = 4, kernel = 3 by spectral
   avgpool 2
   maxmin
   conv 4, kernel = 3 by aol
   abs
   flatten
   residual dense hidden = 10
   head 4`,
  `input image[1, 6, 9]
   residual conv hidden = 3, kernel = 3
   avgpool 3
   flatten
   sigmoid
   head 3`,
  `input image[2, 7, 8]
   batchcenter
   residual conv hidden = 4, kernel = 3
   avgpool 3, stride = 2
   tile channels to 8
   householder
   maxpool [2, 2], stride = 1
   prelu
   flatten
   dense 12 by aol
   layercenter
   l2pool 2
   head 3`,
  `input x[24]
   scale 1/2
   crelu
   gain
   residual dense hidden = 9
   rabs
   halfabs
   avgpool 4, divisor = 3
   tile features to 24
   truncate features to 20
   layercenter
   maxpool 2
   dense 8 by sll
   householder
   head 4`,
  `input x[30]
   center 1/4
   sandwich 24
   sandwich 17, act = leaky_relu(1/10)
   dense 20 by sandwich
   sandwich 12, act = tanh, bias = false
   dense 15 by sandwich(second)
   sandwich 9, act = sigmoid
   head 4`,
  `input image[4, 6, 6]
   let a = image |> residual conv hidden = 4, kernel = 3 |> center 1/3
   let b = image |> conv 4, kernel = 3 by aol |> abs |> scale 2
   let m = mix(a, b)
   let p, q = split(it - 1/3 * m, [1, 3])
   let r = q |> maxmin |> conv 3, kernel = 1 by aol
   concat(r, p)
   max(it, 1/2 * a - b, image) |> avgpool 2
   mix(it, min(it, -it), 1/3)
   flatten
   head 3`,
  `input x[40]
   center 1/4
   repeat 3 {
     let skip = it
     residual dense hidden = 20
     tanh
     mix(skip, it)
   }
   let u = it |> dense 16 |> maxmin
   let v = it |> dense 16 by aol |> leaky_relu 1/10
   1/3 * u + 2/3 * v - 5/7 * u
   concat(it, v)
   head 4`,
  `input image[3, 6, 6]
   l2pool 2, stride = 1
   conv 4, kernel = 3 by aol
   l2pool all
   flatten
   gain
   head 3`,
  `input image[2, 6, 8]
   conv 4, stride = 2 by aol
   maxmin
   residual conv hidden = 6, groups = 2, kernel = 2, stride = 2, padding = valid
   transposed conv 4, stride = 2, kernel = 4, groups = 2, side = out by aol
   tanh
   residual conv hidden = 3, kernel = 5, padding = circular
   transposed conv 2, dilation = 2 by spectral
   space_to_depth [3, 2]
   conv 4, groups = 4, padding = circular by sll
   depth_to_space 2
   flatten
   head 3`,
  `input image[2, 4, 5]
   conv 3 by fourier(cayley)
   avgpool 2, stride = 1
   conv 2, kernel = [1, 3] by fourier(bro)
   maxmin
   conv 3 by fourier(lot)
   leaky_relu 1/3
   sandwich 2, kernel = 3
   sandwich 3, kernel = 1, act = tanh
   conv 2, kernel = 1 by fourier(cayley)
   flatten
   residual dense hidden = 30
   residual dense hidden = 30
   head 3`,
  `input x[12]
   scale 1/2
   householder order = 2
   residual dense hidden = 9
   residual dense hidden = 9
   householder order = 2
   head 3`,
  `input image[3, 6, 8]
   scale 2/3
   conv 3 by skew_exponential(degree = 12)
   avgpool 2
   maxmin
   conv 2, padding = circular by skew_exponential(degree = 3)
   abs
   conv 4, kernel = [1, 1] by skew_exponential(degree = 8, norm = 3)
   flatten
   residual dense hidden = 30
   residual dense hidden = 30
   head 3`,
]
  .map(body => `network Net by sll { budget 100\n${body}\n}`)
  .concat(`layer bent(k) (x: image[c, h, w]) {
  param K: conv[c, k, 3, 3] = xavier
  param L: conv[c, k, 3, 3] = xavier
  param b: vec[k] = zeros
  param s: vec[c] = zeros
  let T = gershgorin(Kᵀ * K)
  return x - K * inv(T) * tanh(Kᵀ * x + b) - 1/2 * L * inv(schur(Lᵀ * L)) * relu(Lᵀ * x) + s
}
layer narrow(m) (x: vec[n]) {
  param W: mat[n, m] = xavier
  param V: mat[n, m] = xavier
  param b: vec[m] = zeros
  return V * invsqrt(frobenius(Vᵀ * V)) * abs(invsqrt(gershgorin(Wᵀ * W)) * Wᵀ * x + b)
}
network Net by sll {
  input image[3, 5, 6]
  bent 4
  flatten
  narrow 12
  head 3
}`);
