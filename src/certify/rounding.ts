/**
 * A bound of how far the executed network is from the real one, per input norm. "Real" is the frozen network in real arithmetic: the f32
 * tensors and constants as emitted, so that the certificate of the emitted tensors gives its Lipschitz constants. Each layer commits a local
 * error δ_i; later layers do not blow it up: E ≤ Σ δ_i when all are 1-Lipschitz, E ← c·E + δ in general (MATH: "errors add"). Formulas and their reasons:
 * docs/rounding.md.
 *
 * Bounds are computed in f64 as `rounding-norms.ts` explains: `up` covers every chain of roundings here.
 */
import type { Activation, Layer, LayerOp, LinearMap, Shape, ValueId } from '../ir/network.ts';
import { elements } from '../ir/network.ts';
import { compare, type Rational, TWO, toNumber, ZERO } from '../ir/rational.ts';
import type { ProvenNetwork } from '../passes/prove/prove.ts';
import type { EmittedWeight } from '../passes/tensors/freeze.ts';
import { type Arithmetic, gamma, sumError } from './rounding-arithmetic.ts';
import { type JoinStep, joinStep } from './rounding-join.ts';
import {
  activationStep,
  hasOwnStep,
  layerCenterStep,
  multiplierStep,
  poolStep,
  type RoundingContext,
} from './rounding-layers.ts';
import { norm, spreadNorm, up } from './rounding-norms.ts';
import { operatorStep, sandwichOperatorStep } from './rounding-operators.ts';
import { linearStep, residualStep, sandwichStep, type WeightContext } from './rounding-weights.ts';

/** What is known after some layers, of the executed value x̃ and the real value x for the same input. */
export interface State {
  /** ‖x‖ ≤ real. */
  readonly real: number;
  /** ‖x̃ − x‖ ≤ error. */
  readonly error: number;
  /** x is slope-Lipschitz in the network's input. */
  readonly slope: number;
  /** Of the error: what a consumer that computes x̃ again, and rounds differently, may see differently. */
  readonly fresh: number;
  /** Norm of the sum of magnitudes of the terms that x̃ is the sum of, where a compiler may still reorder it with later additions. */
  readonly loose: number;
  /** How many such terms there are if the reduction below them is in memory, and how many if it is not. */
  readonly terms: number;
  readonly reduced: number;
  /** Magnitudes that occurred. */
  readonly largest: number;
  /** Set where x depends on some channels of an earlier value alone. */
  readonly share?: Share;
}

/** A value made of the channels from … to − 1 of another, `whole`, by layers that are `gain`-Lipschitz together. */
export interface Share {
  readonly of: ValueId;
  readonly whole: State;
  readonly from: number;
  readonly to: number;
  readonly gain: number;
}

/** A product of a layer with the operand x measured at an input, in f64: norms raised above the real ones but for the error of x itself. */
export interface MeasuredProduct {
  /** ‖x‖, ‖Wx‖ and ‖|W||x|‖, each in the norm that the layer's rule uses there. */
  readonly input: number;
  readonly value: number;
  readonly magnitudes: number;
}

/** The products of a layer at a measured input, in the order in which they are computed. */
export interface MeasuredLayer {
  readonly products: readonly MeasuredProduct[];
  /** Bounds of the error of the evaluation: of the layer's input, and of the operand of its second product. */
  readonly error: number;
  readonly within: number;
}

/** The same for an input near the measured one: the layer's real input there is at most `away` from what was evaluated. */
export interface Near extends MeasuredLayer {
  readonly away: number;
}

export type Step = (s: State, near: Near | undefined) => State;

/** What was measured at an input: by the path of a layer, and for the head one entry a class. */
export interface Measured {
  readonly layers: ReadonlyMap<string, MeasuredLayer>;
  readonly head?: { readonly error: number; readonly input: number; readonly classes: readonly MeasuredProduct[] };
}

/** Norms that the bound at an input depends on. */
export interface InputNorm {
  /** ‖x‖. */
  readonly input: number;
  /** ‖x − offset‖, where the network begins with `center`; sharper than ‖x‖ + ‖offset‖. */
  readonly centered?: number;
  /** What was measured at a point, and how far from it, at most, x is. */
  readonly measured?: Measured;
  readonly distance?: number;
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
  /** Of its input (the largest, of several), added by it, and of its output. */
  readonly before: number;
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

/** One factor per channel, or one for all. */
const emittedConstants = (values: readonly Rational[], f: (v: number) => number): Float32Array =>
  Float32Array.from(values, v => f(toNumber(v)));

/** Multipliers of single entries, which kernels may combine with neighbouring products: (w·s)·x for w·(s·x). */
const multiplies = ({ op }: Layer): boolean =>
  (op.kind === 'contraction' && op.method.family === 'skew_exponential') ||
  MULTIPLYING.includes(op.kind === 'activation' ? op.act.kind : op.kind);
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
  'householder2',
  'sum',
  'mix',
];

/** The matrix that a contraction of vectors was emitted as. */
const matrixOf = (op: Extract<LayerOp, { kind: 'contraction' }>): LinearMap => ({
  kind: 'dense',
  out: op.out,
  in: op.in,
  weight: op.weight,
});

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

  /** `slope` bounds the Lipschitz constant of a layer with one input. */
  const steps: (
    | { readonly layer: Layer; readonly step: Step; readonly slope: number }
    | { readonly layer: Layer; readonly join: JoinStep }
  )[] = [];
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

  const weights = {
    arithmetic: a,
    sum: (n, products, magnitudes, start, value) => sumError(a, n, products + extra, magnitudes, start, value),
    activated,
    gamma: g,
    free,
    extra,
    merged,
    roundings,
    flushed,
    underflow: a.underflow,
    after,
  } satisfies WeightContext;
  const context: RoundingContext = weights;

  for (const layer of network.layers) {
    const { op, path } = layer;
    const push = (step: Step, slope: number): void => {
      steps.push({ layer, step, slope });
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
            ? weights.sum(s.reduced + s.terms, 1, loose, 0, s.real + s.error + offset)
            : g(1) * (s.real + s.error + offset) + flushed(1, entries);
          return after(s, 1, local + flushed(1, entries), { real: s.real + offset, loose, terms: s.terms + 1 });
        }, 1);
        break;
      }
      case 'scale': {
        const most = emittedConstants(op.divisor, v => 1 / v).reduce((m, v) => Math.max(m, Math.abs(v)), 0);
        const factor = c();
        push(s => {
          const executed = s.real + s.error;
          const local = (g(1) + merged) * most * executed + flushed(1, entries, most);
          return after(s, factor, local, { loose: most * s.loose, largest: Math.max(s.largest, most * s.loose) });
        }, factor);
        break;
      }
      case 'pad':
      case 'flatten':
      case 'slice':
      case 'space_to_depth':
      case 'depth_to_space':
        push(s => after(s, 1, flushed(1, entries), {}), 1);
        break;
      case 'avgpool':
      case 'maxpool':
      case 'l2pool':
        push(poolStep(op, entries, c(), context), c());
        break;
      case 'tile':
        push(multiplierStep(entries, 1, c(), true, context), c());
        break;
      case 'gain':
        push(multiplierStep(entries, 1, c(), false, context), c());
        break;
      case 'layercenter':
        push(layerCenterStep(from, context), 1);
        break;
      case 'activation': {
        const factor = c();
        if (hasOwnStep(op.act)) {
          push(activationStep(op.act, entries, factor, context), factor);
          break;
        }
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
        }, factor);
        break;
      }
      case 'sandwich': {
        const b = op.bias && params.get(op.bias.path);
        const tensors = emitted.layers.get(path)!;
        const step = op.kernel
          ? sandwichOperatorStep(op, from, tensors, b, c(), weights)
          : sandwichStep(op, tensors, b, entries, c(), weights);
        push(step, c());
        break;
      }
      case 'contraction':
      case 'linear': {
        const b = op.bias && params.get(op.bias.path);
        if (op.kind === 'contraction' && op.kernel) {
          push(operatorStep(op, from, emitted.layers.get(path)!, b, c(), weights), c());
          break;
        }
        const { map, adjoint } = op.kind === 'linear' ? op : { map: matrixOf(op), adjoint: false };
        push(linearStep({ map, adjoint: adjoint === true, from, to }, emitted.layers.get(path)!, b, c(), weights), c());
        break;
      }
      case 'residual': {
        const { identity, factor: branch = TWO } = op;
        // The step needs ‖W√t‖² ≤ 2.
        if (identity || compare(branch, ZERO) < 0 || compare(branch, TWO) > 0)
          throw new NoRoundingBound(`${path}: no bound of the rounding errors of a residual of this form is known`);
        const b = op.bias && params.get(op.bias.path);
        push(residualStep(op, from, emitted.layers.get(path)!, b, c(), weights), c());
        break;
      }
      case 'sum':
      case 'mix':
      case 'concat':
      case 'maximum':
        steps.push({ layer, join: joinStep(op, entries, emitted.layers.get(path)?.W[0], context) });
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
    return { real, error, slope: 1, fresh: 0, loose: real, terms: 1, reduced: 0, largest: real };
  };
  const centered = network.layers[0]?.op.kind === 'center';
  const nearOf = (x: InputNorm, path: string, s: State): Near | undefined => {
    const m = x.measured?.layers.get(path);
    return m && { ...m, away: s.slope * (x.distance ?? 0) + m.error };
  };
  const shareOf = ({ op, inputs }: Layer, s: State, slope: number): Share | undefined => {
    if (op.kind === 'slice') return { of: inputs[0], whole: s, from: op.start, to: op.start + op.length, gain: slope };
    return s.share && { ...s.share, gain: slope * s.share.gain };
  };
  const run = (x: InputNorm, visit: (path: string, before: readonly State[], s: State) => void): State => {
    let last = start(x);
    const states = new Map<ValueId, State>([[network.input.id, last]]);
    steps.forEach((made, i) => {
      const { layer } = made;
      const inputs = layer.inputs.map(id => states.get(id)!);
      const next = ((): State => {
        if ('join' in made) return made.join(inputs);
        const [s] = inputs;
        const { share: _, ...after } = made.step(s, nearOf(x, layer.path, s));
        const share = shareOf(layer, s, made.slope);
        return { ...after, slope: made.slope * s.slope, ...(share && { share }) };
      })();
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
      const found = x.measured?.head;
      /** How far the features are from the measured ones. */
      const away = found ? s.slope * (x.distance ?? 0) + found.error + s.error : Number.POSITIVE_INFINITY;
      const size = Math.min(s.real + s.error, found ? found.input + away : Number.POSITIVE_INFINITY);
      let largest = Math.max(s.largest, size);
      const logits = new Float64Array(head?.rowNorms.length ?? 0);
      head?.rowNorms.forEach((w, i) => {
        const bias = Math.abs(head.bias[i]);
        const near = found?.classes[i];
        const magnitudes = Math.min(w * size, near ? near.magnitudes + w * away : Number.POSITIVE_INFINITY);
        const value = Math.min(magnitudes, near ? near.value + w * away : Number.POSITIVE_INFINITY);
        largest = Math.max(largest, 2 * (magnitudes + bias));
        const local = weights.sum(head.features, 1, magnitudes, bias, value + bias);
        logits[i] = up(local + flushed(head.features, 1, w, size));
      });
      return up(largest) < a.largest
        ? { features: up(s.error), logits }
        : { features: Number.POSITIVE_INFINITY, logits };
    },
    layers: x => {
      const all: LayerRounding[] = [];
      run(x, (path, before, s) => {
        const most = Math.max(...before.map(b => b.error));
        all.push({
          path,
          before: up(most),
          local: up(Math.max(0, s.error - most)),
          total: up(s.error),
          norm: s.real + s.error,
        });
      });
      return all;
    },
  };
};
