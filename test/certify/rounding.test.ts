import { describe, expect, test } from 'vitest';
import { measureImages } from '../../src/certify/measure.ts';
import { type InputNorm, NoRoundingBound, roundingModel } from '../../src/certify/rounding.ts';
import { anyOrder } from '../../src/certify/rounding-arithmetic.ts';
import { norm } from '../../src/certify/rounding-norms.ts';
import { referenceLogits } from '../../src/certify/sound-inputs.ts';
import { elements } from '../../src/ir/network.ts';
import { compileGraph } from '../../src/passes/kernels/compile-graph.ts';
import type { ProvenNetwork } from '../../src/passes/prove/prove.ts';
import { emittedWeights, foldInference } from '../../src/passes/tensors/freeze.ts';
import { createExecutor, createParamStore } from '../../src/runtime/executor.ts';
import { useDevice } from '../device.ts';
import { provenFrom } from '../proof/certified.ts';
import { randomFrom } from '../random-network.ts';
import { BATCH, everything, logitBound, NETWORKS, normals, randomWeights, SOFTWARE } from './rounding-networks.ts';

const gpu = useDevice({ prefer: 'software' });

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
  const wide = Math.fround(2 * Math.PI - 0.24);

  test('are executed to within the bound of what was certified, beside every line of a border, whatever the angles', async () => {
    const r = randomFrom(11);
    // And b₂ opposite to b₀ in every bit, by angles that say it lies a little before or behind.
    const opposite = [-1e-8, 1e-8, -1e-7].map(less => [2 * Math.PI - wide + less, wide]);
    const angles = DEGENERATE.flatMap(a => DEGENERATE.map(b => [a, b]))
      .concat(opposite)
      .flatMap(([a, b]) => [0, 1, 2].map(t => [t, a, b]));
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
            const angle = line + r.pick([0, 1]) * r.normal() * 10 ** -r.integer(5, 8);
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
