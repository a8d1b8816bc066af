/**
 * Neighbouring-float search (Jin et al., 2022): inputs at the very edge of a certified ball, moved by single units in the last place, until the executed
 * network changes its mind inside the ball. Shared by a quick test and a long one.
 */

import { evaluateImages } from '../../src/certify/evaluate.ts';
import { certifiedRadius, headGeometry, predict } from '../../src/certify/radii.ts';
import { roundingModel } from '../../src/certify/rounding.ts';
import { anyOrder, float64 } from '../../src/certify/rounding-arithmetic.ts';
import { type Evidence, type SoundHead, soundRadius } from '../../src/certify/sound.ts';
import { emittedBounds, inputNorms, referenceLogits } from '../../src/certify/sound-inputs.ts';
import type { Dataset } from '../../src/data/dataset.ts';
import { DEFAULT_LIMITS } from '../../src/ir/kernel.ts';
import { elements, networkParams } from '../../src/ir/network.ts';
import { ONE } from '../../src/ir/rational.ts';
import { emittedWeights, foldInference, freeze } from '../../src/passes/tensors/freeze.ts';
import type { Gpu } from '../../src/runtime/node-device.ts';
import { provenFrom } from '../proof/certified.ts';
import { randomFrom } from '../random-network.ts';

/**
 * Radii at whose edge is searched: the naive one, that of any-order execution, and that of logits measured in f64 with executions in any order in the ball.
 */
const KINDS = ['naive', 'sound', 'measured'] as const;
type PerKind = { readonly [K in (typeof KINDS)[number]]: number };

export interface SearchResult {
  /** Inputs tried, each inside its ball. */
  readonly tries: PerKind;
  /** Those that the network, as executed, puts in another class than the centre of the ball. */
  readonly broken: PerKind;
}

/** Large against a unit in the last place of an input, small against the pieces of a network. */
const DIFFERENCE = 2 ** -8;

interface Candidate {
  readonly p: Float32Array;
  readonly y: number;
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

/** Attacks `source` with random weights around `centres` inputs whose entries are of size `scale`; about `tries` inputs for each kind of radius. */
export const searchNeighbours = async (
  gpu: Gpu,
  source: string,
  options: { readonly seed: number; readonly centres: number; readonly tries: number; readonly scale: number },
): Promise<SearchResult> => {
  const r = randomFrom(options.seed);
  const proven = provenFrom(source);
  const { network } = proven;
  const params = new Map(
    networkParams(network).map(p => [p.path, Float32Array.from({ length: elements(p.shape) }, () => r.normal())]),
  );
  const frozen = freeze(proven, params, 256);
  const folded = foldInference(proven, params, 1);
  const emitted = emittedWeights(proven, folded);
  const bounds = emittedBounds(proven, params, folded);
  const { classes, rows } = frozen.head!;
  const head: SoundHead = {
    slopes: headGeometry(rows, classes, bounds.squared),
    distances: headGeometry(rows, classes, ONE),
  };
  const free = roundingModel(proven, emitted, params, bounds.layers, anyOrder);
  const f64 = roundingModel(proven, emitted, params, bounds.layers, float64);
  const n = elements(network.input.shape);
  const dataset = (images: Float32Array): Dataset => ({
    name: 'search',
    shape: network.input.shape,
    classes,
    classesKnown: true,
    images,
    labels: new Int32Array(images.length / n),
  });
  const target = { profile: 'software', limits: DEFAULT_LIMITS } as const;
  const evaluate = (images: Float32Array) =>
    evaluateImages({ device: gpu.device, target, frozen, data: dataset(images) });

  // Small margins far out, where rounding errors are large: segments between random inputs of different classes, cut near the boundary.
  const classesOf = (images: Float32Array): number[] => {
    const found = referenceLogits(frozen, dataset(images), [...Array(images.length / n).keys()]);
    return [...found.values()].map(predict);
  };
  const from = new Float32Array(options.centres * n).map(() => options.scale * r.normal());
  const to = from.map(v => -v + 0.1 * options.scale * r.normal());
  const own = classesOf(from);
  const mix = (t: readonly number[]) => from.map((v, k) => v + t[Math.floor(k / n)] * (to[k] - v));
  const low = own.map(() => 0);
  const high = own.map(() => 1);
  for (let i = 0; i < 24; i++) {
    const middle = low.map((l, c) => (l + high[c]) / 2);
    classesOf(mix(middle)).forEach((y, c) => {
      (y === own[c] ? low : high)[c] = middle[c];
    });
  }
  const centres = mix(low.map(l => l - 10 ** (-1 - 4 * r.uniform())));
  const logits = await evaluate(centres);
  const data = dataset(centres);
  const norms = inputNorms(data, network);
  const exact = referenceLogits(frozen, data, [...norms.keys()]);
  const each = Math.ceil(options.tries / options.centres);
  const candidates = { naive: [] as Candidate[], sound: [] as Candidate[], measured: [] as Candidate[] };
  for (let c = 0; c < options.centres; c++) {
    const x = centres.subarray(c * n, (c + 1) * n);
    const z = logits.subarray(c * classes, (c + 1) * classes);
    const y = predict(z);
    const executed: Evidence = { logits: z, centre: free, ball: free };
    const radii = {
      naive: certifiedRadius(z, y, head.slopes),
      sound: soundRadius(executed, norms[c], y, head),
      measured: soundRadius({ logits: exact.get(c)!, centre: f64, ball: free }, norms[c], y, head),
    };
    const others = Array.from({ length: classes }, (_, j) => j).filter(j => j !== y);
    const distance = (j: number) => (z[y] - z[j]) / Math.sqrt(head.slopes.squaredSlopes[y * classes + j]);
    const j = others.reduce((p, q) => (distance(q) < distance(p) ? q : p));
    // Where the margin falls fastest, by differences in f64.
    const steps = new Float32Array(2 * n * n);
    for (let k = 0; k < 2 * n; k++) {
      steps.set(x, k * n);
      steps[k * n + (k >> 1)] += k % 2 === 0 ? DIFFERENCE : -DIFFERENCE;
    }
    const margins = [...referenceLogits(frozen, dataset(steps), [...Array(2 * n).keys()]).values()].map(
      v => v[y] - v[j],
    );
    const direction = Float64Array.from({ length: n }, (_, k) => margins[2 * k + 1] - margins[2 * k]);
    const size = Math.sqrt(direction.reduce((s, v) => s + v * v, 0));
    for (const kind of KINDS) {
      const radius = radii[kind];
      if (!(radius > 0)) continue;
      let kept = 0;
      for (let turn = 0; turn < 8 * each && kept < each; turn++) {
        const step = radius * (1 - 1e-6 * r.uniform());
        const p = Float32Array.from(x, (v, k) => v + (step * direction[k]) / size);
        // One unit in the last place, in a few coordinates.
        for (let k = r.integer(0, 6); k > 0; k--) {
          const at = r.integer(0, n - 1);
          p[at] = neighbour(p[at], r.uniform() < 0.5);
        }
        if (!inside(p, x, radius)) continue;
        candidates[kind].push({ p, y });
        kept++;
      }
    }
  }
  const broken = { naive: 0, sound: 0, measured: 0 };
  for (const kind of KINDS) {
    const images = new Float32Array(candidates[kind].length * n);
    candidates[kind].forEach(({ p }, i) => {
      images.set(p, i * n);
    });
    const seen = await evaluate(images);
    candidates[kind].forEach(({ y }, i) => {
      if (predict(seen.subarray(i * classes, (i + 1) * classes)) !== y) broken[kind]++;
    });
  }
  return {
    tries: { naive: candidates.naive.length, sound: candidates.sound.length, measured: candidates.measured.length },
    broken,
  };
};
