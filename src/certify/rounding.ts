/**
 * A bound of how far the executed network is from the real one, per input norm. "Real" is the frozen network in real arithmetic: the f32
 * tensors and constants as emitted, so that the certificate of the emitted tensors gives its Lipschitz constants. Each layer commits a local
 * error δ_i; later layers do not blow it up: E ≤ Σ δ_i when all are 1-Lipschitz, E ← c·E + δ in general (MATH: "errors add"). Formulas and their reasons:
 * docs/rounding.md.
 *
 * Bounds are computed in f64 as `rounding-norms.ts` explains: `up` covers every chain of roundings here.
 */
import { outputShape, sumTerms } from '../ir/conv-geometry.ts';
import type { Activation, Layer, LayerOp, LinearMap, Shape, ValueId } from '../ir/network.ts';
import { elements, isElementwise } from '../ir/network.ts';
import { printActivation } from '../ir/print-activation.ts';
import { compare, type Rational, TWO, toNumber, ZERO } from '../ir/rational.ts';
import type { ProvenNetwork } from '../passes/prove/prove.ts';
import type { EmittedWeight } from '../passes/tensors/freeze.ts';
import { type Arithmetic, gamma } from './rounding-arithmetic.ts';
import { type JoinStep, joinStep } from './rounding-join.ts';
import {
  activationStep,
  hasOwnStep,
  layerCenterStep,
  multiplierStep,
  poolStep,
  type RoundingContext,
} from './rounding-layers.ts';
import { aliveNorm, norm, up, weightNorms } from './rounding-norms.ts';
import { sandwichNorms } from './rounding-sandwich.ts';

/** What is known after some layers, of the executed value x̃ and the real value x for the same input. */
export interface State {
  /** ‖x‖ ≤ real. */
  readonly real: number;
  /** ‖x̃ − x‖ ≤ error. */
  readonly error: number;
  /** Of the error: what a consumer that computes x̃ again, and rounds differently, may see differently. */
  readonly fresh: number;
  /** Norm of the sum of magnitudes of the terms that x̃ is the sum of, where a compiler may still reorder it with later additions. */
  readonly loose: number;
  /** How many such terms there are if the reduction below them is in memory, and how many if it is not. */
  readonly terms: number;
  readonly reduced: number;
  /** Magnitudes that occurred. */
  readonly largest: number;
}

export type Step = (s: State) => State;

/** Norms that the bound at an input depends on. */
export interface InputNorm {
  /** ‖x‖. */
  readonly input: number;
  /** ‖x − offset‖, where the network begins with `center`; sharper than ‖x‖ + ‖offset‖. */
  readonly centered?: number;
}

export interface RoundingBound {
  /** ‖executed − real features‖; ∞ where overflow cannot be excluded. */
  readonly features: number;
  /** Per class, |executed logit − (ŵ_i·f̃ + b_i)| for the executed features f̃. */
  readonly logits: Float64Array;
}

/** δ of every layer, with the bound after it: what `lip certify --sound` explains itself with. */
export interface LayerRounding {
  readonly path: string;
  readonly local: number;
  readonly total: number;
  readonly norm: number;
}

export interface RoundingModel {
  readonly arithmetic: Arithmetic;
  readonly at: (x: InputNorm) => RoundingBound;
  readonly layers: (x: InputNorm) => readonly LayerRounding[];
}

/** A layer for which no bound of rounding is known. */
export class NoRoundingBound extends Error {}

/** |σ(v)|, at most: for the bias, a single number. */
const activationSize = (act: Activation, v: number): number => {
  // Inside a residual, slopes are within [0, 1]: no other activation is ever there.
  if (!isElementwise(act)) return Math.abs(v);
  switch (act.kind) {
    case 'relu':
      return Math.max(v, 0);
    case 'sigmoid':
      return 1;
    case 'tanh':
      return Math.min(Math.abs(v), 1);
    case 'leaky_relu':
    case 'abs':
      return Math.abs(v);
    default:
      return act satisfies never;
  }
};

/** ‖W√t‖ ≤ √2 is what a residual is certified by (t_i T_i ≤ 2); a little more, for free. */
const ROOT_TWO = 1.4143;

/** One factor per channel, or one for all. */
const emittedConstants = (values: readonly Rational[], f: (v: number) => number): Float32Array =>
  Float32Array.from(values, v => f(toNumber(v)));

/** ‖v‖ for a vector with `values` per channel, repeated over an image. */
const spreadNorm = (values: Float32Array, shape: Shape): number =>
  norm(values) * Math.sqrt(values.length === 1 ? elements(shape) : elements(shape) / shape[0]);

/** Multipliers of single entries, which kernels may combine with neighbouring products: (w·s)·x for w·(s·x). */
const multiplies = ({ op }: Layer): boolean => MULTIPLYING.includes(op.kind === 'activation' ? op.act.kind : op.kind);
const MULTIPLYING: readonly string[] = [
  'scale',
  'avgpool',
  'sandwich',
  'tile',
  'gain',
  'layercenter',
  'leaky_relu',
  'prelu',
  'rabs',
  'householder',
  'sum',
  'mix',
];

/** The matrix that a contraction of vectors was emitted as. */
const operatorMatrix = (op: Extract<LayerOp, { kind: 'contraction' }>, path: string): LinearMap => {
  if (op.kernel)
    throw new NoRoundingBound(`${path}: no bound of the rounding errors of an operator on images is known`);
  return { kind: 'dense', out: op.out, in: op.in, weight: op.weight };
};

/** Squared Lipschitz bound of each layer with its emitted tensors, by path; the head needs none. */
export type LayerBounds = ReadonlyMap<string, Rational>;

/**
 * The bound for a network whose emitted tensors are `emitted`, biases and head bias from `params`. Throws NoRoundingBound for layers it does not know. Source: Higham,
 * Accuracy and Stability, §3.1 (γ_n), with flushing to zero as in Tobler, Syeda, Murray (CAV 2025) §5 and WGSL's §15.7.
 */
export const roundingModel = (
  proven: ProvenNetwork,
  emitted: { readonly layers: ReadonlyMap<string, EmittedWeight>; readonly head?: Float32Array },
  params: ReadonlyMap<string, Float32Array>,
  bounds: LayerBounds,
  arithmetic: Arithmetic,
): RoundingModel => {
  const a = arithmetic;
  const { network } = proven;
  const free = a.depth === undefined;
  const g = (k: number): number => gamma(a, k);
  const multipliers = network.layers.filter(multiplies).length;
  /** Roundings that reordering may add to a sum: one a multiplier of single entries. */
  const extra = free ? multipliers : 0;
  /** Two constants may have been merged into one, rounded anew. */
  const merged = multipliers > 1 ? 2 ** -22 : 0;
  /** Roundings of a sum of n products. */
  const roundings = (n: number): number => 1 + extra + (a.depth ? a.depth(n) : n);
  /**
   * Flushes and underflows in a sum of n products of entries up to w, S (and t): at each of at most 4n + 8 operations, `underflow` times what
   * it is multiplied with afterwards.
   */
  const flushed = (n: number, outputs: number, ...magnitudes: number[]): number =>
    8 * (n + 8) * Math.sqrt(outputs) * a.underflow * magnitudes.reduce((p, m) => p * (1 + m), 1);

  const steps: { readonly layer: Layer; readonly step: JoinStep }[] = [];
  const shapes = new Map<ValueId, Shape>([[network.input.id, network.input.shape]]);
  let head: { readonly rowNorms: Float64Array; readonly bias: Float32Array; readonly features: number } | undefined;

  /** The rule of a layer that adds: (real norm, local error) → the state after it. */
  const after = (s: State, c: number, local: number, change: Partial<State>): State => ({
    ...s,
    real: c * s.real,
    error: c * s.error + local,
    fresh: c * s.fresh + local,
    ...change,
  });

  /** Error of σ at arguments of norm z, in √t-weighted norm (`weight` = that of a vector of ones), and a bound of ‖σ(z)‖ likewise. */
  const activated = (act: Activation, z: number, weight: number): { readonly error: number; readonly norm: number } => {
    switch (act.kind) {
      case 'relu':
      case 'abs':
      case 'maxmin':
      case 'groupsort':
        return { error: 0, norm: z };
      case 'leaky_relu': {
        const slope = Math.abs(toNumber(act.slope));
        const size = (slope + Math.abs(1 - slope)) * z;
        // The emitted 1 − slope is rounded, where the certified function has 1 minus the emitted slope: 2⁻²³ between them, in every arithmetic.
        return { error: g(3 + extra) * size + (2 ** -23 + merged) * (1 + slope) * z, norm: size };
      }
      case 'tanh':
        return { error: a.tanh * weight, norm: z };
      case 'sigmoid':
        return { error: a.sigmoid * weight, norm: weight };
      case 'halfabs':
      case 'rabs':
      case 'crelu':
      case 'prelu':
      case 'householder':
      case 'householder2':
        throw new Error(`${act.kind} is no elementwise function`);
      default:
        return act satisfies never;
    }
  };

  const context = {
    gamma: g,
    free,
    extra,
    merged,
    roundings,
    flushed,
    underflow: a.underflow,
    after,
  } satisfies RoundingContext;

  for (const layer of network.layers) {
    const { op, path } = layer;
    const push = (step: Step): void => {
      steps.push({ layer, step: ([s]) => step(s) });
    };
    const entries = elements(layer.shape);
    const [from, to] = [shapes.get(layer.inputs[0])!, layer.shape];
    const squared = bounds.get(path);
    const c = (): number => {
      if (!squared) throw new Error(`no Lipschitz bound for ${path}`);
      return up(Math.sqrt(toNumber(squared)));
    };
    switch (op.kind) {
      case 'center':
      case 'translate':
      case 'batchcenter': {
        const constants =
          op.kind === 'center'
            ? emittedConstants(op.offset, v => v)
            : params.get(op.kind === 'translate' ? op.by.path : op.mean.path)!;
        const offset = spreadNorm(constants, from);
        push(s => {
          const loose = s.loose + offset;
          const local = free
            ? g(s.reduced + s.terms + 1 + extra) * loose
            : g(1) * (s.real + s.error + offset) + flushed(1, entries);
          return after(s, 1, local + flushed(1, entries), { real: s.real + offset, loose, terms: s.terms + 1 });
        });
        break;
      }
      case 'scale': {
        const most = emittedConstants(op.divisor, v => 1 / v).reduce((m, v) => Math.max(m, Math.abs(v)), 0);
        const factor = c();
        push(s => {
          const executed = s.real + s.error;
          const local = (g(1) + merged) * most * executed + flushed(1, entries, most);
          return after(s, factor, local, { loose: most * s.loose, largest: Math.max(s.largest, most * s.loose) });
        });
        break;
      }
      case 'pad':
      case 'flatten':
      case 'slice':
      case 'space_to_depth':
      case 'depth_to_space':
        push(s => after(s, 1, flushed(1, entries), {}));
        break;
      case 'avgpool':
      case 'maxpool':
      case 'l2pool':
        push(poolStep(op, entries, c(), context));
        break;
      case 'tile':
        push(multiplierStep(entries, 1, c(), true, context));
        break;
      case 'gain':
        push(multiplierStep(entries, 1, c(), false, context));
        break;
      case 'layercenter':
        push(layerCenterStep(from, context));
        break;
      case 'activation': {
        const factor = c();
        if (hasOwnStep(op.act)) {
          push(activationStep(op.act, entries, factor, context));
          break;
        }
        if (op.act.kind === 'householder2')
          throw new NoRoundingBound(
            `${path}: no bound of the rounding errors of \`${printActivation(op.act)}\` is known`,
          );
        // A consumer of both outputs of a pair may compute each input twice.
        const again = op.act.kind === 'maxmin' ? 1 : 0;
        push(s => {
          const { error, norm: size } = activated(op.act, s.real + s.error, Math.sqrt(entries));
          const start = op.act.kind === 'sigmoid' ? Math.sqrt(entries) : factor * s.real;
          const reordered =
            free && op.act.kind === 'leaky_relu' ? g(s.reduced + 2 * s.terms + extra) * 3 * factor * s.loose : 0;
          return after(s, factor, error + reordered + again * s.fresh + flushed(1, entries), {
            real: Math.min(start, size),
            // |a| + |1 − a| ≤ 3·max(1, |a|) for a leaky ReLU of any slope a.
            loose: Math.max(size, (op.act.kind === 'leaky_relu' ? 3 : 1) * factor * s.loose),
            terms: op.act.kind === 'leaky_relu' ? 2 * s.terms : s.terms,
          });
        });
        break;
      }
      case 'sandwich': {
        if (op.kernel)
          throw new NoRoundingBound(`${path}: no bound of the rounding errors of a Fourier transform is known`);
        const b = op.bias && params.get(op.bias.path);
        const norms = sandwichNorms(op, emitted.layers.get(path)!, b, v => activationSize(op.act, v));
        const factor = c();
        // d_i e_i T_i ≤ 2·factor is what the layer is certified by, so p = √(d/e) weighs both products to a norm of at most this.
        const root = up(Math.sqrt(2 * factor));
        const [k1, k2] = [roundings(op.in), roundings(op.out)];
        push(s => {
          const x = s.real + s.error;
          const first = norms.second.absolute * x;
          const e1 = g(k1 + 2) * (first + norms.bias);
          const e2 = activated(op.act, root * x + norms.bias + e1, norms.ones).error;
          const v = op.act.kind === 'sigmoid' ? norms.ones : norms.atZero + root * x + e1;
          const e3 = g(2) * (v + e2);
          const u = v + e2 + e3;
          const second = norms.first.absolute * u;
          const preactivation = (norms.second.largestRow * x + 1) * (1 + norms.largestE) + norms.largestBias;
          const tiny =
            flushed(op.in, op.out, norms.second.largestEntry, x, norms.largestE, norms.largestD, norms.first.unscaled) +
            flushed(op.out, entries, norms.first.largestEntry, preactivation, norms.largestD, norms.first.unscaled);
          const local = root * (e1 + e2 + e3) + g(k2 + 1) * second + tiny;
          return {
            real: factor * s.real + root * norms.atZero,
            error: factor * s.error + local,
            fresh: g(2 + extra) * (root * u + local),
            loose: second,
            terms: 2,
            reduced: op.out,
            largest: Math.max(s.largest, 2 * preactivation * (1 + norms.largestD), 2 * second),
          };
        });
        break;
      }
      case 'contraction':
      case 'linear': {
        const { map, adjoint } = op.kind === 'linear' ? op : { map: operatorMatrix(op, path), adjoint: false };
        const { W } = emitted.layers.get(path)!;
        const image = adjoint ? to : from;
        const norms = weightNorms(map, W, image);
        const largestRow = adjoint ? norms.largestColumn : norms.largestRow;
        const bias = op.bias ? spreadNorm(params.get(op.bias.path)!, to) : 0;
        const largestBias = op.bias ? params.get(op.bias.path)!.reduce((m, v) => Math.max(m, Math.abs(v)), 0) : 0;
        const factor = c();
        const terms = sumTerms(map, image);
        const n = adjoint ? terms.adjoint : terms.forward;
        const k = roundings(n);
        push(s => {
          const x = s.real + s.error;
          const sum = norms.absolute * x;
          const local = free ? g(k + 1) * (sum + bias) : g(k) * sum + g(1) * (2 * sum + bias);
          return {
            real: factor * s.real + bias,
            error: factor * s.error + local + flushed(n, entries, norms.largestEntry, x),
            // Sums of products are computed once; at most the addition of b to one, of norm ‖Wx̃‖ ≤ c‖x̃‖ but for its error, is repeated.
            fresh: g(2 + extra) * (factor * x + local + 2 * bias),
            loose: sum + bias,
            terms: 2,
            reduced: n,
            largest: Math.max(s.largest, 2 * (largestRow * x + largestBias), 2 * (sum + bias)),
          };
        });
        break;
      }
      case 'residual': {
        const { W, t } = emitted.layers.get(path)!;
        const { map, act, identity, factor: branch = TWO } = op;
        // All that follows needs ‖W√t‖² ≤ 2.
        if (identity || compare(branch, ZERO) < 0 || compare(branch, TWO) > 0)
          throw new NoRoundingBound(`${path}: no bound of the rounding errors of a residual of this form is known`);
        const hidden = elements(outputShape(map, from).slice(1));
        const root = Float64Array.from(t!, Math.sqrt);
        const norms = weightNorms(map, W, from, root);
        const b = op.bias ? params.get(op.bias.path)! : new Float32Array(map.out);
        const factor = c();

        /** √t-weighted norm of a vector of ones. */
        const ones = norm(root) * Math.sqrt(hidden);
        const largestBias = b.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
        const largestT = t!.reduce((m, v) => Math.max(m, v), 0);
        const { forward: n1, adjoint: n2 } = sumTerms(map, from);
        const [k1, k2] = [roundings(n1), roundings(n2)];
        const bias = aliveNorm(map, W, b, root, from, act.kind === 'relu' && g(k1 + 1) < 0.005);
        /** ‖√t ⊙ σ(b)‖ at every place of an image; ‖W (t ⊙ σ(b))‖, the layer at 0, is at most √2 of it. */
        const atZero = norm(Float64Array.from(b, (v, i) => root[i] * activationSize(act, v))) * Math.sqrt(hidden);
        const units = map.out * hidden;
        // Errors before the second product are measured in the norm ‖√t ⊙ ·‖, in which it amplifies by at most ‖W√t‖ ≤ √2.
        push(s => {
          const x = s.real + s.error;
          const first = norms.absolute * x;
          const alive = bias(x) * Math.sqrt(hidden);
          const e1 = free ? g(k1 + 1) * (first + alive) : g(k1) * first + g(1) * (2 * first + alive);
          const e2 = activated(act, ROOT_TWO * x + alive + e1, ones).error;
          // σ has slopes in [0, 1].
          const v = act.kind === 'sigmoid' ? ones : atZero + ROOT_TWO * x + e1;
          const e3 = g(2) * (v + e2);
          const u = v + e2 + e3;
          const second = norms.absolute * u;
          const sum = free ? g(k2 + 1) * (x + second) : g(k2) * second + g(1) * (x + 2 * second);
          const tiny =
            flushed(n1, units, norms.largestEntry, x, largestT, norms.unscaled, Math.sqrt(largestT)) +
            flushed(
              n2,
              entries,
              norms.largestEntry,
              u,
              largestT,
              Math.sqrt(largestT),
              norms.unscaled,
              norms.largestRow * x + largestBias,
            );
          const local = ROOT_TWO * (e1 + e2 + e3) + sum + tiny;
          const preactivation = 2 * (norms.largestRow * x + largestBias) + 1;
          return {
            real: factor * s.real + ROOT_TWO * atZero,
            error: factor * s.error + local,
            fresh: g(2 + extra) * (x + ROOT_TWO * u + local),
            loose: x + second,
            terms: 2,
            reduced: n2,
            largest: Math.max(
              s.largest,
              preactivation,
              preactivation * largestT,
              norms.largestEntry * largestT,
              2 * (x + second),
            ),
          };
        });
        break;
      }
      case 'sum':
      case 'mix':
      case 'concat':
      case 'maximum':
        steps.push({ layer, step: joinStep(op, entries, emitted.layers.get(path)?.W[0], context) });
        break;
      case 'head': {
        const rows = emitted.head!;
        const features = rows.length / op.classes;
        const rowNorms = Float64Array.from({ length: op.classes }, (_, i) =>
          norm(rows.subarray(i * features, (i + 1) * features)),
        );
        head = { rowNorms, bias: params.get(op.bias.path)!, features };
        break;
      }
      default:
        throw new NoRoundingBound(`${path}: no bound of the rounding errors of layers of this kind is known`);
    }
    shapes.set(layer.id, layer.shape);
  }

  const start = (x: InputNorm): State => {
    const real = up(x.input);
    // A subnormal input may be read as zero.
    const error = flushed(1, elements(network.input.shape));
    return { real, error, fresh: 0, loose: real, terms: 1, reduced: 0, largest: real };
  };
  const centered = network.layers[0]?.op.kind === 'center';
  const run = (x: InputNorm, visit: (path: string, before: readonly State[], s: State) => void): State => {
    let last = start(x);
    const states = new Map<ValueId, State>([[network.input.id, last]]);
    steps.forEach(({ layer, step }, i) => {
      const inputs = layer.inputs.map(id => states.get(id)!);
      const next = step(inputs);
      const known = i === 0 && centered && x.centered !== undefined ? up(x.centered) : Number.POSITIVE_INFINITY;
      last = { ...next, real: Math.min(next.real, known), largest: Math.max(next.largest, next.loose) };
      states.set(layer.id, last);
      visit(layer.path, inputs, last);
    });
    return last;
  };
  return {
    arithmetic,
    at: x => {
      const s = run(x, () => {});
      const size = s.real + s.error;
      const k = head ? roundings(head.features) + 1 : 0;
      let largest = Math.max(s.largest, size);
      const logits = new Float64Array(head?.rowNorms.length ?? 0);
      head?.rowNorms.forEach((w, i) => {
        const magnitudes = w * size + Math.abs(head.bias[i]);
        largest = Math.max(largest, 2 * magnitudes);
        logits[i] = up(g(k) * magnitudes + flushed(head.features, 1, w, size));
      });
      return up(largest) < a.largest
        ? { features: up(s.error), logits }
        : { features: Number.POSITIVE_INFINITY, logits };
    },
    layers: x => {
      const all: LayerRounding[] = [];
      run(x, (path, before, s) => {
        all.push({
          path,
          local: up(s.error - Math.max(...before.map(b => b.error))),
          total: up(s.error),
          norm: s.real + s.error,
        });
      });
      return all;
    },
  };
};
