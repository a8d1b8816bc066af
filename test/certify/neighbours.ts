/**
 * Neighbouring-float search (Jin et al., 2022): inputs at the very edge of a certified ball, moved by single units in the last place, until the executed
 * network changes its mind inside the ball. Shared by a quick test and a long one.
 */

import { createOracle } from '../../src/attack/oracle.ts';
import { certifiedRadius, predict } from '../../src/certify/radii.ts';
import type { RoundingModel } from '../../src/certify/rounding.ts';
import { type Evidence, soundRadius } from '../../src/certify/sound.ts';
import { soundNetwork } from '../../src/certify/sound-claims.ts';
import { inputNorms } from '../../src/certify/sound-inputs.ts';
import type { Dataset } from '../../src/data/dataset.ts';
import { DEFAULT_LIMITS } from '../../src/ir/kernel.ts';
import { elements, networkParams } from '../../src/ir/network.ts';
import type { ProvenNetwork } from '../../src/passes/prove/prove.ts';
import { freeze } from '../../src/passes/tensors/freeze.ts';
import type { Gpu } from '../../src/runtime/node-device.ts';
import { type Random, randomFrom } from '../random-network.ts';

/**
 * Radii at whose edge is searched: the naive one, those of executions in any order and in the order written, and that of logits measured in f64 with
 * executions in any order in the ball.
 */
const KINDS = ['naive', 'sound', 'structured', 'measured'] as const;
type PerKind = { readonly [K in (typeof KINDS)[number]]: number };

export interface SearchResult {
  /** Inputs tried, each inside its ball. */
  readonly tries: PerKind;
  /** Those that the network, as executed, puts in another class than the centre of the ball. */
  readonly broken: PerKind;
}

/** ‖a − b‖ ≤ r for certain: differences of f32 numbers of like size are exact in f64, and the sum's roundings are allowed for. */
const inside = (a: Float32Array, b: Float32Array, r: number): boolean => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sum * (1 + 2 ** -40) <= r * r * (1 - 2 ** -40);
};

const neighbour = (x: number, up: boolean): number => {
  const value = Float32Array.of(x);
  const bits = new Int32Array(value.buffer);
  if (x !== 0) bits[0] += up === x > 0 ? 1 : -1;
  return value[0];
};

const TARGET = { profile: 'software', limits: DEFAULT_LIMITS } as const;
const BATCH = 64;

/** Normal numbers as weights. */
export const normalWeights = (proven: ProvenNetwork, seed: number): Map<string, Float32Array> => {
  const r = randomFrom(seed);
  return new Map(
    networkParams(proven.network).map(p => [
      p.path,
      Float32Array.from({ length: elements(p.shape) }, () => r.normal()),
    ]),
  );
};

export interface SearchOptions {
  readonly seed: number;
  readonly centres: number;
  /** Inputs for each kind of radius, about. */
  readonly tries: number;
  /** Centres lie on segments between two inputs of different classes, drawn by this. */
  readonly draw: (r: Random, n: number) => readonly [Float32Array, Float32Array];
  /** How near to the boundary, as a share of the segment: 10 to the power of a number between these. */
  readonly near: readonly [number, number];
}

/** From an input of normal numbers of size `scale` to about its opposite. */
export const across =
  (scale: number): SearchOptions['draw'] =>
  (r, n) => {
    const from = new Float32Array(n).map(() => scale * r.normal());
    return [from, from.map(v => -v + 0.1 * scale * r.normal())];
  };

/** Attacks the network with weights `params` around `centres` inputs. */
export const searchNeighbours = async (
  gpu: Gpu,
  proven: ProvenNetwork,
  params: ReadonlyMap<string, Float32Array>,
  options: SearchOptions,
): Promise<SearchResult> => {
  const r = randomFrom(options.seed);
  const { network } = proven;
  const frozen = freeze(proven, params, BATCH);
  const models = soundNetwork(proven, params, frozen, TARGET);
  const { head, free, ordered, f64 } = models;
  const { classes } = head.slopes;
  const n = elements(network.input.shape);
  const dataset = (images: Float32Array): Dataset => ({
    name: 'search',
    shape: network.input.shape,
    classes,
    classesKnown: true,
    images,
    labels: new Int32Array(images.length / n),
  });
  const oracle = await createOracle(gpu.device, TARGET, frozen);
  try {
    const inBatches = async (images: Float32Array, use: (x: Float32Array, first: number) => Promise<void>) => {
      for (let first = 0; first * n < images.length; first += BATCH) {
        const x = new Float32Array(BATCH * n);
        x.set(images.subarray(first * n, (first + BATCH) * n));
        await use(x, first);
      }
    };
    /** (inputs, classes), as executed. */
    const evaluate = async (images: Float32Array): Promise<Float32Array> => {
      const z = new Float32Array((images.length / n) * classes);
      await inBatches(images, async (x, first) => {
        const found = await oracle.logits(x);
        z.set(found.subarray(0, Math.min(found.length, z.length - first * classes)), first * classes);
      });
      return z;
    };
    const rowOf = (z: Float32Array, i: number) => z.subarray(i * classes, (i + 1) * classes);
    const classesOf = async (images: Float32Array): Promise<number[]> => {
      const z = await evaluate(images);
      return Array.from({ length: images.length / n }, (_, i) => predict(rowOf(z, i)));
    };

    // Small margins, where rounding errors matter: segments between inputs of different classes, cut near the boundary.
    const ends = Array.from({ length: options.centres }, () => options.draw(r, n));
    const from = new Float32Array(options.centres * n);
    const to = new Float32Array(options.centres * n);
    ends.forEach(([a, b], c) => {
      from.set(a, c * n);
      to.set(b, c * n);
    });
    const own = await classesOf(from);
    const mix = (t: readonly number[]) => from.map((v, k) => v + t[Math.floor(k / n)] * (to[k] - v));
    const low = own.map(() => 0);
    const high = own.map(() => 1);
    for (let i = 0; i < 24; i++) {
      const middle = low.map((l, c) => (l + high[c]) / 2);
      (await classesOf(mix(middle))).forEach((y, c) => {
        (y === own[c] ? low : high)[c] = middle[c];
      });
    }
    const centres = mix(low.map(l => l - 10 ** (options.near[0] + (options.near[1] - options.near[0]) * r.uniform())));
    const logits = await evaluate(centres);
    const norms = inputNorms(dataset(centres), network);
    const known = models.measure(dataset(centres), norms, [...norms.keys()]);

    // Where the margin to the nearest class falls fastest.
    const pairs = norms.map((_, c) => {
      const z = rowOf(logits, c);
      const y = predict(z);
      const distance = (j: number) => (z[y] - z[j]) / Math.sqrt(head.slopes.squaredSlopes[y * classes + j]);
      const others = Array.from({ length: classes }, (_, j) => j).filter(j => j !== y);
      return { y, j: others.reduce((p, q) => (distance(q) < distance(p) ? q : p)) };
    });
    const gradients = new Float32Array(centres.length);
    await inBatches(centres, async (x, first) => {
      const direction = new Float32Array(BATCH * classes);
      pairs.slice(first, first + BATCH).forEach(({ y, j }, i) => {
        direction[i * classes + y] = -1;
        direction[i * classes + j] = 1;
      });
      const { gradient } = await oracle.gradient(x, new Float32Array(BATCH), direction);
      gradients.set(gradient.subarray(0, Math.min(gradient.length, gradients.length - first * n)), first * n);
    });

    const each = Math.ceil(options.tries / options.centres);
    const tries = { naive: 0, sound: 0, structured: 0, measured: 0 };
    const broken = { naive: 0, sound: 0, structured: 0, measured: 0 };
    for (let c = 0; c < options.centres; c++) {
      const x = centres.subarray(c * n, (c + 1) * n);
      const z = rowOf(logits, c);
      const { y } = pairs[c];
      const found = known.get(c)!;
      const best = (...some: readonly Evidence[]) => Math.max(...some.map(e => soundRadius(e, norms[c], y, head)));
      const inOrder = (model: RoundingModel) => {
        const plain = { logits: z, centre: model, ball: model };
        return best(plain, { ...plain, measured: found.measured });
      };
      const radii = {
        naive: certifiedRadius(z, y, head.slopes),
        sound: inOrder(free),
        structured: inOrder(ordered),
        measured: best({ logits: found.logits, centre: f64, ball: free, measured: found.measured }),
      };
      const direction = gradients.subarray(c * n, (c + 1) * n);
      const size = Math.sqrt(direction.reduce((s, v) => s + v * v, 0));
      if (!(size > 0)) continue;
      for (const kind of KINDS) {
        const radius = radii[kind];
        if (!(radius > 0)) continue;
        const points: Float32Array[] = [];
        for (let turn = 0; turn < 8 * each && points.length < each; turn++) {
          const step = radius * (1 - 1e-6 * r.uniform());
          const p = Float32Array.from(x, (v, k) => v + (step * direction[k]) / size);
          // One unit in the last place, in a few coordinates.
          for (let k = r.integer(0, 6); k > 0; k--) {
            const at = r.integer(0, n - 1);
            p[at] = neighbour(p[at], r.uniform() < 0.5);
          }
          if (inside(p, x, radius)) points.push(p);
        }
        const images = new Float32Array(points.length * n);
        points.forEach((p, i) => {
          images.set(p, i * n);
        });
        tries[kind] += points.length;
        broken[kind] += (await classesOf(images)).filter(other => other !== y).length;
      }
    }
    return { tries, broken };
  } finally {
    oracle.destroy();
  }
};
