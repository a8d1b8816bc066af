import { describe, expect, test } from 'vitest';
import { measureImages } from '../../src/certify/measure.ts';
import { type InputNorm, NoRoundingBound, type RoundingModel, roundingModel } from '../../src/certify/rounding.ts';
import { anyOrder, float64, gamma, structured, sumError } from '../../src/certify/rounding-arithmetic.ts';
import { summationDepth } from '../../src/certify/rounding-depth.ts';
import { norm, normOfNonnegative, weightNorms } from '../../src/certify/rounding-norms.ts';
import { emittedBounds, referenceLogits } from '../../src/certify/sound-inputs.ts';
import { PLAIN, sumTerms } from '../../src/ir/conv-geometry.ts';
import { interpret } from '../../src/ir/interpret.ts';
import { DEFAULT_LIMITS, inBlocks, type Target } from '../../src/ir/kernel.ts';
import { elements, type Layer, networkParams, type Shape } from '../../src/ir/network.ts';
import { convAttrs, GraphBuilder } from '../../src/ir/tensor.ts';
import { compileGraph } from '../../src/passes/kernels/compile-graph.ts';
import type { ProvenNetwork } from '../../src/passes/prove/prove.ts';
import { emittedWeights, foldInference, freeze } from '../../src/passes/tensors/freeze.ts';
import { createExecutor, createParamStore } from '../../src/runtime/executor.ts';
import { writtenSum } from '../codegen/sum-depth.ts';
import { useDevice } from '../device.ts';
import { provenFrom } from '../proof/certified.ts';
import { type Random, randomFrom } from '../random-network.ts';

const gpu = useDevice({ prefer: 'software' });
const SOFTWARE: Target = inBlocks({ profile: 'software', limits: DEFAULT_LIMITS });
const BATCH = 4;

const normals = (r: Random, n: number, scale: number): Float32Array =>
  Float32Array.from({ length: n }, () => scale * r.normal());

/** Biases of every size: units that are always off, always on, or neither. */
const randomWeights = (proven: ProvenNetwork, r: Random): Map<string, Float32Array> =>
  new Map(
    networkParams(proven.network).map(p => [
      p.path,
      normals(r, elements(p.shape), 1).map(v => (p.path.endsWith('.b') ? v * 10 ** r.integer(-2, 2) : v)),
    ]),
  );

const everything = (proven: ProvenNetwork, params: ReadonlyMap<string, Float32Array>) => {
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
const logitBound = (m: RoundingModel, x: InputNorm, i: number, rowNorm: number): number => {
  const b = m.at(x);
  return b.logits[i] + rowNorm * b.features;
};

const NETWORKS = [
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

describe('the bounds hold on the device', () => {
  test.each(NETWORKS.map((source, i) => [i, source] as const))(
    'network %i, at scales from 2⁻²⁰ to 2²⁰',
    async (seed, source) => {
      const r = randomFrom(700 + seed);
      const proven = provenFrom(source);
      const params = randomWeights(proven, r);
      const { frozen, compiled, free, ordered, f64, emitted } = everything(proven, params);
      const { plan } = compiled;
      const n = elements(proven.network.input.shape);
      const classes = frozen.output.size;
      const store = createParamStore(gpu().device);
      const executor = await createExecutor(gpu().device, plan, store);
      let largest = 0;
      let sharpest = 1;
      try {
        for (const scale of [2 ** -20, 1, 1, 32, 2 ** 20]) {
          const images = normals(r, BATCH * n, scale);
          // The second image lies near the first: within its ball.
          for (let k = 0; k < n; k++) images[n + k] = images[k] + 0.1 * images[n + k];
          executor.write('x', images);
          const [z] = await executor.runAndRead(['logits']);
          const data = {
            name: '',
            shape: proven.network.input.shape,
            classes,
            classesKnown: true,
            images,
            labels: new Int32Array(BATCH),
          };
          const exact = referenceLogits(frozen, data, [0, 1, 2, 3]);
          const norms = [0, 1, 2, 3].map(i => ({ input: norm(images.subarray(i * n, (i + 1) * n)) * (1 + 1e-9) }));
          const found = measureImages({ proven, frozen, emitted }, f64, data, norms, [0, 3]);
          expect(found.get(3)!.logits).toEqual(exact.get(3));
          const apart = norm(images.subarray(0, n).map((v, k) => v - images[n + k])) * (1 + 1e-6);
          const near = (i: number): InputNorm | undefined => {
            const from = i === 1 ? 0 : i;
            const measured = found.get(from)?.measured;
            return measured && { ...norms[i], measured, distance: i === from ? 0 : apart };
          };
          for (let i = 0; i < BATCH; i++) {
            const x = norms[i];
            const at = near(i);
            for (let c = 0; c < classes; c++) {
              const row = norm(
                emitted.head!.subarray(
                  (c * emitted.head!.length) / classes,
                  ((c + 1) * emitted.head!.length) / classes,
                ),
              );
              const error = Math.abs(z[i * classes + c] - exact.get(i)![c]);
              const slack = logitBound(f64, x, c, row);
              const bound = logitBound(ordered, x, c, row);
              expect(error).toBeLessThanOrEqual(bound + slack);
              expect(error).toBeLessThanOrEqual(logitBound(free, x, c, row) + slack);
              if (at) {
                for (const model of [free, ordered]) {
                  const sharp = logitBound(model, at, c, row);
                  expect(error).toBeLessThanOrEqual(sharp + slack);
                  expect(sharp).toBeLessThanOrEqual(logitBound(model, x, c, row));
                  if (model === free) sharpest = Math.min(sharpest, sharp / logitBound(model, x, c, row));
                }
              }
              largest = Math.max(largest, error / bound);
            }
          }
        }
      } finally {
        executor.destroy();
        store.destroy();
      }
      // Were errors not seen at all, the comparison would be of something else.
      expect(largest).toBeGreaterThan(1e-5);
      expect(sharpest).toBeLessThan(0.95);
    },
  );
});

describe('a machine that does its worst', () => {
  const NEXT = new Float32Array(1);
  const BITS = new Uint32Array(NEXT.buffer);
  /** The f32 next to x ≥ 0, above it. */
  const nextUp = (x: number): number => {
    NEXT[0] = x;
    BITS[0] += 1;
    return NEXT[0];
  };
  /** The upper of the two neighbours that WGSL allows, for x > 0; exact results must stay. */
  const roundUp = (x: number): number => {
    const near = Math.fround(x);
    return near >= x ? near : nextUp(near);
  };
  const n = 512;
  const source = `network Net { input x[${n}]\n head 2\n}`;

  test('sums of n equal terms rounded upwards reach a good part of the bound, and never pass it', () => {
    const r = randomFrom(9);
    const proven = provenFrom(source);
    const params = new Map([
      ['head.W', Float32Array.from({ length: 2 * n }, () => 1 + 0.1 * r.uniform())],
      ['head.b', Float32Array.of(0.3, 0.1)],
    ]);
    const { free, emitted } = everything(proven, params);
    const rows = emitted.head!;
    const x = Float32Array.from({ length: n }, () => 1 + 0.1 * r.uniform());
    let executed = 0;
    let exact = 0;
    for (let k = 0; k < n; k++) {
      executed = roundUp(executed + roundUp(rows[k] * x[k]));
      exact += rows[k] * x[k];
    }
    executed = roundUp(executed + params.get('head.b')![0]);
    exact += params.get('head.b')![0];
    const { logits } = free.at({ input: norm(x) * (1 + 1e-9) });
    expect(executed - exact).toBeLessThanOrEqual(logits[0]);
    // A sum rounded upwards is off by 2⁻²³ of half the partial sums' average, on average.
    expect(executed - exact).toBeGreaterThan(logits[0] / 12);
  });

  /** W x + start, term by term, each operation rounded by `round`. */
  const product = (
    W: Float32Array,
    x: Float32Array,
    transposed: boolean,
    round: (v: number) => number,
  ): Float32Array => {
    const out = W.length / x.length;
    return Float32Array.from({ length: out }, (_, i) => {
      let sum = 0;
      for (let k = 0; k < x.length; k++)
        sum = round(sum + round(W[transposed ? k * out + i : i * x.length + k] * x[k]));
      return sum;
    });
  };

  test('residual layers of positive weights rounded upwards reach a visible part of the bound, and never pass it', () => {
    const m = 64;
    const hidden = 96;
    const proven = provenFrom(`network Net by sll { input x[${m}]\n residual dense hidden = ${hidden}\n head 2 }`);
    const r = randomFrom(13);
    const params = new Map(
      networkParams(proven.network).map(p => [
        p.path,
        Float32Array.from({ length: elements(p.shape) }, () => (p.path.endsWith('.q') ? 0 : 1 + 0.1 * r.uniform())),
      ]),
    );
    const { free, emitted } = everything(proven, params);
    const { W, t } = emitted.layers.get('dense[0]')!;
    const b = params.get('dense[0].b')!;
    const x = Float32Array.from({ length: m }, () => 1 + 0.1 * r.uniform());
    // Upwards everywhere but in the last subtraction, rounded to nearest: all large errors have the same sign.
    const u = product(W, x, false, roundUp).map((z, i) => roundUp(t![i] * roundUp(z + b[i])));
    const acc = product(W, u, true, roundUp);
    const executed = x.map((v, i) => v - acc[i]);
    const z = Float64Array.from({ length: hidden }, (_, i) => x.reduce((sum, v, k) => sum + W[i * m + k] * v, b[i]));
    const real = Float64Array.from(x, (v, k) => z.reduce((y, zi, i) => y - W[i * m + k] * t![i] * zi, v));
    const error = norm(real.map((v, k) => v - executed[k]));
    const { features } = free.at({ input: norm(x) * (1 + 1e-9) });
    expect(error).toBeLessThanOrEqual(features);
    expect(error).toBeGreaterThan(features / 40);
  });

  test('the bound of one dot product, and that of a network without layers nothing else', () => {
    const proven = provenFrom(source);
    const params = new Map([
      ['head.W', new Float32Array(2 * n).fill(1)],
      ['head.b', Float32Array.of(2, -3)],
    ]);
    const { free, ordered, f64, emitted } = everything(proven, params);
    const w = norm(emitted.head!.subarray(0, n));
    const classical = (k: number, u: number) => (k * u) / (1 - k * u);
    for (const [model, u] of [
      [free, 2 ** -23],
      [f64, 2 ** -53],
    ] as const) {
      const { logits, features } = model.at({ input: 10 });
      // A logit may be as large as its magnitudes: nothing cancels, and the bound is the classical one.
      expect(logits[0] / (classical(n + 2, u) * (10 * w + 2))).toBeCloseTo(1, 4);
      expect(logits[1] / (classical(n + 2, u) * (10 * w + 3))).toBeCloseTo(1, 4);
      expect(features).toBeLessThan(1e-30);
    }
    // Terms in order, then the bias.
    const [k, u] = [ordered.arithmetic.depth!(n) + 1, 2 ** -23];
    expect(ordered.at({ input: 10 }).logits[1] / (classical(k, u) * 10 * w + u * (10 * w + 3))).toBeCloseTo(1, 4);
  });

  test('where a sum cancels the bound in any order is half the classical one, and an adversary comes near it', () => {
    const m = 400;
    const a = anyOrder;
    const magnitudes = m;
    const bound = sumError(a, m, 1, magnitudes, 0, 0);
    expect(bound / (gamma(a, m + 1) * magnitudes)).toBeCloseTo(0.5, 1);
    // All positive terms first, each sum rounded upwards: partial sums are as large as subsets get.
    let sum = 0;
    for (let k = 0; k < m; k++) {
      const next = sum + (k < m / 2 ? 1 : -1) + (k % 2) * 1e-9;
      sum = next + a.unit * Math.abs(next);
    }
    expect(Math.abs(sum)).toBeLessThanOrEqual(bound);
    expect(Math.abs(sum)).toBeGreaterThan(bound / 3);
  });

  test('where overflow cannot be excluded there is no bound', () => {
    const proven = provenFrom('network Net by sll { input x[4]\n residual dense hidden = 4\n head 2 }');
    const params = randomWeights(proven, randomFrom(3));
    const { free } = everything(proven, params);
    expect(free.at({ input: 1e30 }).features).toBeLessThan(1e30);
    expect(free.at({ input: 1e38 }).features).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('sectors of order 2', () => {
  type Complex = readonly [re: number, im: number];
  const times = ([a, b]: Complex, [c, d]: Complex): Complex => [a * c - b * d, a * d + b * c];
  const conjugate = ([a, b]: Complex): Complex => [a, -b];
  const squared = (z: Complex): Complex => {
    const [a, b] = times(z, z);
    return [a / Math.hypot(a, b), b / Math.hypot(a, b)];
  };
  const turn = (of: Complex, from: Complex): number => {
    const [a, b] = times(of, conjugate(from));
    return (Math.atan2(b, a) + 2 * Math.PI) % (2 * Math.PI);
  };
  /** As docs/certificate.md has it, by angles in f64. */
  const mapped = (z: Complex, [b0, b1, b2]: readonly Complex[]): Complex => {
    // Directions that are one, or opposite, but for rounding.
    const step = (angle: number): number => (angle > Math.PI + 1 ? 0 : Math.min(angle, Math.PI));
    const [first, second, at] = [step(turn(b1, b0)), step(turn(b2, b1)), turn(z, b0)];
    if (at < first) return z;
    if (at < first + second) return times(squared(b1), conjugate(z));
    if (at < Math.PI + second) return times(times(squared(b1), conjugate(squared(b2))), z);
    return times(squared(b0), conjugate(z));
  };
  const DEGENERATE = [0, 1e-7, 1e-6, 1, Math.PI - 1e-7, Math.PI, Math.PI + 3e-7, 5, 2 * Math.PI - 1e-6, 2 * Math.PI];

  test('are executed to within the bound of what was certified, beside every line of a border, whatever the angles', async () => {
    const r = randomFrom(11);
    const angles = DEGENERATE.flatMap(a => DEGENERATE.flatMap(b => [0, 2].map(t => [t, a, b])));
    const pairs = angles.length;
    const proven = provenFrom(`network Net { input x[${2 * pairs}]\n householder order = 2 }`);
    const params = new Map([0, 1, 2].map(k => [`householder[0].theta${k}`, Float32Array.from(angles, a => a[k])]));
    const { frozen, free, emitted } = everything(proven, params);
    const v = emitted.layers.get('householder[0]')!.W;
    const direction = (i: number, k: number): Complex => [v[2 * k * pairs + i], v[(2 * k + 1) * pairs + i]];
    const { plan } = compileGraph(frozen.graph, SOFTWARE);
    const store = createParamStore(gpu().device);
    const executor = await createExecutor(gpu().device, plan, store);
    let worst = 0;
    try {
      for (let turnOf = 0; turnOf < 24; turnOf++) {
        const images = new Float32Array(BATCH * 2 * pairs);
        angles.forEach(([t0, t1, t2], i) => {
          for (let n = 0; n < BATCH; n++) {
            const line = r.pick([t0, t0 + t1, t0 + t1 + t2, t0 + t2, t0 + Math.PI]) / 2 + r.pick([0, Math.PI]);
            const angle = line + r.normal() * 10 ** -r.integer(5, 8);
            images[2 * pairs * n + i] = Math.cos(angle);
            images[2 * pairs * n + pairs + i] = Math.sin(angle);
          }
        });
        executor.write('x', images);
        const [y] = await executor.runAndRead(['features']);
        for (let n = 0; n < BATCH; n++) {
          let total = 0;
          for (let i = 0; i < pairs; i++) {
            const at = 2 * pairs * n + i;
            const want = mapped(
              [images[at], images[at + pairs]],
              [0, 1, 2].map(k => direction(i, k)),
            );
            const error = Math.hypot(y[at] - want[0], y[at + pairs] - want[1]);
            worst = Math.max(worst, error);
            // Of a pair of norm 1 alone.
            expect(error, `${angles[i]} at ${turn([images[at], images[at + pairs]], direction(i, 0))}`).toBeLessThan(
              free.at({ input: 1 }).features,
            );
            total += error ** 2;
          }
          const x = norm(images.subarray(2 * pairs * n, 2 * pairs * (n + 1))) * (1 + 1e-9);
          expect(Math.sqrt(total)).toBeLessThan(free.at({ input: x }).features);
        }
      }
    } finally {
      executor.destroy();
      store.destroy();
    }
    expect(worst).toBeGreaterThan(1e-8);
    expect(free.at({ input: 1 }).features).toBeLessThan(5e-5);
  });
});

describe('errors add up', () => {
  test('every layer adds its own error, and an isometry changes nothing of what came before', () => {
    const proven = provenFrom(
      'network Net by sll { input x[6]\n residual dense hidden = 4\n residual dense hidden = 4\n head 2 }',
    );
    const { free, f64 } = everything(proven, randomWeights(proven, randomFrom(5)));
    for (const model of [free, f64]) {
      const layers = model.layers({ input: 2 });
      let sum = 0;
      for (const l of layers) {
        expect(l.local).toBeGreaterThan(0);
        sum += l.local;
        expect(l.total / sum).toBeCloseTo(1, 2);
      }
    }
  });
  test('a split that is put together again counts the error of what was split once', () => {
    const proven = provenFrom(`network Net by sll { budget 2
      input x[400]
      dense 200
      let kept, rest = split(it)
      let bent = rest |> relu
      concat(kept, bent)
      concat(it, it)
      head 2 }`);
    const { free } = everything(proven, randomWeights(proven, randomFrom(15)));
    const total = new Map(free.layers({ input: 2 }).map(l => [l.path, l.total]));
    expect(total.get('concat[0]')! / total.get('dense[0]')!).toBeLessThan(1.1);
    // The same channels twice are two errors.
    expect(total.get('concat[1]')! / total.get('concat[0]')!).toBeCloseTo(Math.SQRT2, 3);
  });
  test('f64 errors are 2³⁰ times smaller', () => {
    const proven = provenFrom(NETWORKS[0].replace('leaky_relu(1/10)', 'relu'));
    const { free, f64 } = everything(proven, randomWeights(proven, randomFrom(6)));
    expect(free.at({ input: 1 }).features / f64.at({ input: 1 }).features / 2 ** 30).toBeCloseTo(1, 2);
  });
  test('the depth of the schedule never makes a bound worse than any order does', () => {
    for (const [i, source] of NETWORKS.entries()) {
      const { free, ordered } = everything(provenFrom(source), randomWeights(provenFrom(source), randomFrom(40 + i)));
      expect(ordered.at({ input: 3 }).features).toBeLessThanOrEqual(free.at({ input: 3 }).features);
    }
  });
});

describe('depth of sums', () => {
  const compiled = (m: number, k: number, n: number, target: Target) => {
    const b = new GraphBuilder();
    b.output('y', b.matmul(b.input('x', [m, k]), b.input('w', [k, n])));
    return compileGraph(b.finish(), target);
  };
  test('a sum in one accumulator is as deep as it is long; one in blocks is not', () => {
    const target = { profile: 'software', limits: DEFAULT_LIMITS } as const;
    expect(summationDepth(compiled(64, 784, 256, target))(784)).toBe(784);
    const depth = summationDepth(compiled(64, 784, 256, inBlocks(target)));
    expect(depth(784)).toBeLessThan(40);
    // Nothing shorter was compiled, so nothing is known of it.
    expect(depth(700)).toBe(700);
  });
  test('a sum in pieces is as deep as a piece and the pieces', () => {
    const made = compiled(1, 4096, 4, { profile: 'gpu', limits: DEFAULT_LIMITS });
    expect(made.kernels).toHaveLength(2);
    const [pieces] = made.kernels;
    const count = pieces.kind === 'reduce' ? pieces.out[0].extent : 0;
    expect(count).toBeGreaterThan(1);
    expect(summationDepth(made)(4096)).toBe(4096 / count + count);
  });
});

/** The bound in any order takes a layer's sums to have as many terms as the layer says; what is fused, tiled and cut into pieces must not have more. */
describe('no kernel adds up more than the bound counts', () => {
  const longest = ({ op, inputs, shape }: Layer, shapes: ReadonlyMap<number, Shape>): number => {
    const from = shapes.get(inputs[0])!;
    switch (op.kind) {
      case 'linear': {
        const { forward, adjoint } = sumTerms(op.map, op.adjoint ? shape : from);
        return op.adjoint ? adjoint : forward;
      }
      case 'residual': {
        const { forward, adjoint } = sumTerms(op.map, from);
        return Math.max(forward, adjoint);
      }
      case 'contraction':
      case 'sandwich': {
        const channels = Math.max(op.in, op.out);
        if (!op.kernel) return channels;
        if (op.kind === 'contraction' && op.method.family === 'skew_exponential') return channels * elements(op.kernel);
        const margin = op.kind === 'contraction' && op.method.family !== 'cayley' ? op.kernel.map(k => k - 1) : [0, 0];
        const [h, w] = from.slice(1).map((n, axis) => n + margin[axis]);
        return Math.max(2 * channels, 2 * h, w + 2);
      }
      case 'head':
        return elements(from);
      case 'avgpool':
      case 'l2pool':
        return op.size[0] * op.size[1];
      case 'layercenter':
        return elements(from);
      default:
        return 0;
    }
  };
  test.each(NETWORKS.map((source, i) => [i, source] as const))('network %i', (seed, source) => {
    const proven = provenFrom(source);
    const { frozen } = everything(proven, randomWeights(proven, randomFrom(80 + seed)));
    const shapes = new Map([[proven.network.input.id, proven.network.input.shape]]);
    const most = new Map<string, number>();
    for (const layer of proven.network.layers) {
      most.set(layer.path, longest(layer, shapes));
      shapes.set(layer.id, layer.shape);
    }
    for (const target of [SOFTWARE, { profile: 'gpu', limits: DEFAULT_LIMITS } as const]) {
      const { plan } = compileGraph(frozen.graph, target);
      let seen = 0;
      for (const { kernel, label } of plan.steps) {
        const { wgsl } = plan.kernels[kernel];
        const sum = writtenSum(wgsl);
        if (!sum) continue;
        const path = (label.split('fused into ')[1] ?? label).split(' ')[0];
        // Zeros staged to fill up workgroup memory are no terms.
        const filling = wgsl.includes('workgroupBarrier') ? 15 : 0;
        expect(sum.terms, label).toBeLessThanOrEqual(most.get(path)! + filling);
        seen++;
      }
      expect(seen).toBeGreaterThan(0);
    }
  });
});

describe('norms are upper bounds', () => {
  test('of matrices with entries ≥ 0: above every quotient, nearly attained', () => {
    const r = randomFrom(11);
    for (let turn = 0; turn < 20; turn++) {
      const [rows, columns] = [r.integer(1, 9), r.integer(1, 9)];
      const M = Float64Array.from({ length: rows * columns }, () => (r.uniform() < 0.3 ? 0 : Math.abs(r.normal())));
      const bound = normOfNonnegative(M, rows, columns);
      let v = Float64Array.from({ length: columns }, () => r.uniform());
      let quotient = 0;
      for (let i = 0; i < 200; i++) {
        const y = Float64Array.from({ length: rows }, (_, a) =>
          v.reduce((sum, x, c) => sum + M[a * columns + c] * x, 0),
        );
        quotient = norm(v) > 0 ? norm(y) / norm(v) : 0;
        expect(quotient).toBeLessThanOrEqual(bound);
        v = Float64Array.from({ length: columns }, (_, c) => y.reduce((sum, x, a) => sum + M[a * columns + c] * x, 0));
        const size = norm(v) || 1;
        v = v.map(x => x / size);
      }
      expect(bound).toBeLessThanOrEqual(quotient * 1.5 + 1e-6);
    }
  });
  test('of convolutions with |K|, at every image size', () => {
    const r = randomFrom(12);
    const W = normals(r, 3 * 2 * 9, 1);
    const weight = { path: 'W', shape: [3, 2, 3, 3], init: { kind: 'zeros' } } as const;
    const { absolute } = weightNorms(
      { kind: 'conv', out: 3, in: 2, kernel: [3, 3], ...PLAIN, padding: [1, 1], weight },
      W,
      [2, 5, 5],
    );
    let most = 0;
    for (const size of [1, 2, 5, 30]) {
      const b = new GraphBuilder();
      const k = b.literal(W.map(Math.abs), [3, 2, 3, 3]);
      b.output('y', b.conv(b.input('x', [1, 2, size, size]), k, convAttrs({ padding: [1, 1] })));
      const x = new Float64Array(2 * size * size).fill(1);
      const y = interpret(b.finish(), { inputs: new Map([['x', x]]), params: new Map() }).outputs.get('y')!;
      most = Math.max(most, norm(y) / norm(x));
    }
    expect(most).toBeLessThanOrEqual(absolute);
    expect(most).toBeGreaterThan(0.6 * absolute);
  });
});

test('a layer without a rule is refused', () => {
  const proven = provenFrom(NETWORKS[0]);
  const params = randomWeights(proven, randomFrom(1));
  const [first, ...rest] = proven.network.layers;
  const odd = { ...proven, network: { ...proven.network, layers: [{ ...first, op: { kind: 'formula' } }, ...rest] } };
  const folded = foldInference(proven, params, 1);
  expect(() =>
    roundingModel(odd as unknown as ProvenNetwork, emittedWeights(proven, folded), params, new Map(), anyOrder),
  ).toThrow(NoRoundingBound);
});
