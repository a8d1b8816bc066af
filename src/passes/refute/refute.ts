/**
 * The refuter: for layers that the prover refuses, weights and two inputs that it maps farther apart than the budget allows. A search of
 * bounded length in float64; to find nothing says nothing. The same program gives the same numbers, whatever the machine's speed.
 */
import type { Diagnostic } from '../../diagnostics.ts';
import type { Counterexample } from '../../ir/counterexample.ts';
import { interpret } from '../../ir/interpret.ts';
import {
  elements,
  type Layer,
  layerParams,
  type Network,
  type Param,
  type Shape,
  type ValueId,
} from '../../ir/network.ts';
import { rational, toNumber } from '../../ir/rational.ts';
import { GraphBuilder, type TensorGraph } from '../../ir/tensor.ts';
import { type Random, stream } from '../../train/random.ts';
import { layerCost } from '../cost.ts';
import { lowerUnproven } from '../lower/lower.ts';
import { prove } from '../prove/prove.ts';
import { simplify } from '../tensors/simplify.ts';
import { differentiate } from '../training/differentiate.ts';
import { refuteAngle } from './refute-angle.ts';
import { type Weights, weightFamilies } from './refute-families.ts';
import { exponentsOf, type Instance, shrink } from './shrink.ts';

/** Pairs of inputs looked at together. */
const PAIRS = 4;
/** Power steps for each family of weights. */
const POWER_STEPS = 6;
/** Families whose weights are moved as well, and how far each is. */
const CLIMBS = 3;
const CLIMB_STEPS = 60;
/** Evaluations of the whole search, at most, and the operations they may take together: a few seconds on a slow core. */
const MAX_EVALUATIONS = 1500;
const MAX_OPERATIONS = 6e8;
/** What an evaluation costs besides its operations, counted in operations. */
const OVERHEAD = 4e4;
/** What an entry of an intermediate result costs, likewise: much of the work is to copy. */
const ENTRY = 3;
/** Layers or instances above this are not searched: one evaluation would take too long. */
const LARGEST = 2e7;
/** Beyond this a worse ratio teaches nothing more. */
const ENOUGH = 1000;
/** A violation is believed only where it exceeds the allowed ratio by more than rounding can. */
const MARGIN = 1 + 1e-6;

interface Probe {
  readonly instance: Instance;
  readonly params: readonly Param[];
  readonly search: TensorGraph;
  /** Lowered another way, without derivatives: what a pair found is checked with. */
  readonly check: TensorGraph;
  readonly size: number;
}

/** f on a batch of pairs (x₁ … x_P, y₁ … y_P), r = ‖f(x) − f(y)‖² / ‖x − y‖², and the gradient of Σ w log r. */
const probe = (instance: Instance): Probe => {
  const { input, layers } = instance;
  const params = layers.flatMap(l => layerParams(l.op));
  const b = new GraphBuilder();
  const z = b.input('z', [2 * PAIRS, ...input]);
  const f = lowerUnproven(b, layers, z, 'train');
  const squaredDistance = (of: number): number => {
    const shape = b.shape(of);
    const flat = b.reshape(of, [2 * PAIRS, elements(shape.slice(1))]);
    const [, n] = b.shape(flat);
    const d = b.sub(b.slice(flat, [0, 0], [PAIRS, n]), b.slice(flat, [PAIRS, 0], [2 * PAIRS, n]));
    return b.sum(b.mul(d, d), [1]);
  };
  const [near, far] = [squaredDistance(z), squaredDistance(f)];
  b.output('near', near);
  b.output('far', far);
  const tiny = Number.MIN_VALUE * 2 ** 60;
  const value = b.sub(b.unary('log', b.offset(far, tiny)), b.unary('log', b.offset(near, tiny)));
  const ids = params.map(p => b.param(p.path, p.shape));
  const gradients = differentiate(b, value, b.input('w', [PAIRS]), [z, ...ids]);
  gradients.forEach((g, i) => {
    if (g !== undefined) b.output(i === 0 ? 'grad z' : `grad ${params[i - 1].path}`, g);
  });
  const c = new GraphBuilder();
  c.output('f', lowerUnproven(c, layers, c.input('z', [2, ...input]), 'inference'));
  return { instance, params, search: simplify(b.finish()).graph, check: c.finish(), size: elements(input) };
};

const norm = (v: ArrayLike<number>, from = 0, length = v.length): number => {
  let s = 0;
  for (let i = from; i < from + length; i++) s += v[i] * v[i];
  return Math.sqrt(s);
};

interface Candidate {
  readonly weights: Weights;
  /** x and y of the pair. */
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly ratio: number;
}

/** Counts evaluations down; the search ends with them. */
interface Allowance {
  left: number;
}

const evaluate = (p: Probe, weights: Weights, z: Float64Array, w: Float64Array, allowance: Allowance) => {
  allowance.left -= 1;
  return interpret(p.search, {
    inputs: new Map([
      ['z', z],
      ['w', w],
    ]),
    params: weights,
  }).outputs;
};

const pairOf = (p: Probe, weights: Weights, z: Float64Array, k: number, ratio: number): Candidate => ({
  weights: new Map(weights),
  x: z.slice(k * p.size, (k + 1) * p.size),
  y: z.slice((PAIRS + k) * p.size, (PAIRS + k + 1) * p.size),
  ratio,
});

/** Moves one end of every pair to where its distance grows most: a power step on JᵀJ, with differences in place of derivatives. */
const powerStep = (p: Probe, z: Float64Array, grad: Float64Array, end: 0 | 1, random: Random): void => {
  const n = p.size;
  for (let k = 0; k < PAIRS; k++) {
    const moved = (end === 0 ? k : PAIRS + k) * n;
    const fixed = (end === 0 ? PAIRS + k : k) * n;
    const d = Float64Array.from({ length: n }, (_, i) => z[moved + i] - z[fixed + i]);
    const length = norm(d);
    // The gradient of log r is 2 (JᵀΔf/‖Δf‖² − d/‖d‖²).
    let next = d.map((v, i) => grad[moved + i] / 2 + v / (length * length));
    if (!(norm(next) > 1e-9 / length)) next = d.map(() => random.normal());
    const scale = length / norm(next);
    for (let i = 0; i < n; i++) z[moved + i] = z[fixed + i] + scale * next[i];
  }
};

const best = (p: Probe, weights: Weights, z: Float64Array, near: Float64Array, far: Float64Array): Candidate => {
  let at = 0;
  let ratio = 0;
  for (let k = 0; k < PAIRS; k++) {
    const r = Math.sqrt(far[k] / near[k]);
    if (Number.isFinite(r) && r > ratio) [at, ratio] = [k, r];
  }
  return pairOf(p, weights, z, at, ratio);
};

/** The worst pair for given weights. */
const worstPair = (p: Probe, weights: Weights, random: Random, allowance: Allowance): Candidate => {
  const z = new Float64Array(2 * PAIRS * p.size);
  for (let k = 0; k < PAIRS; k++) {
    const apart = [0.1, 1, 1, 10][k];
    for (let i = 0; i < p.size; i++) {
      // One pair lies on both sides of 0, where activations have their kinks; one is apart by a constant, which averages do not lessen.
      z[k * p.size + i] = random.normal();
      const x = z[k * p.size + i];
      z[(PAIRS + k) * p.size + i] = k === 2 ? -x : x + apart * (k === 3 ? 1 : random.normal());
    }
  }
  const w = new Float64Array(PAIRS).fill(1);
  let found: Candidate | undefined;
  for (let step = 0; step <= POWER_STEPS; step++) {
    const out = evaluate(p, weights, z, w, allowance);
    const here = best(p, weights, z, out.get('near')!, out.get('far')!);
    if (!found || here.ratio > found.ratio) found = here;
    const grad = out.get('grad z');
    if (!grad || grad.some(v => !Number.isFinite(v))) break;
    powerStep(p, z, grad, step % 3 === 2 ? 0 : 1, random);
  }
  return found!;
};

/** Adam on the weights of one pair, with power steps between, which keep the pair the worst for them. */
const climb = (p: Probe, start: Candidate, random: Random, allowance: Allowance): Candidate => {
  const weights: Weights = new Map([...start.weights].map(([k, v]) => [k, v.slice()]));
  const state = new Map(
    [...weights].map(([k, v]) => [k, { m: new Float64Array(v.length), v: new Float64Array(v.length) }]),
  );
  const z = new Float64Array(2 * PAIRS * p.size);
  for (let k = 0; k < PAIRS; k++) {
    // The others start beside it.
    z.set(
      start.x.map(v => (k === 0 ? v : v + 0.3 * random.normal())),
      k * p.size,
    );
    z.set(
      start.y.map(v => (k === 0 ? v : v + 0.3 * random.normal())),
      (PAIRS + k) * p.size,
    );
  }
  let found = start;
  for (let step = 1; step <= CLIMB_STEPS && allowance.left > 0 && found.ratio < ENOUGH; step++) {
    const out = evaluate(p, weights, z, new Float64Array(PAIRS).fill(1 / PAIRS), allowance);
    const here = best(p, weights, z, out.get('near')!, out.get('far')!);
    if (here.ratio > found.ratio) found = { ...here, weights: new Map([...weights].map(([k, v]) => [k, v.slice()])) };
    const grad = out.get('grad z');
    if (!grad || grad.some(v => !Number.isFinite(v))) break;
    for (const [path, value] of weights) {
      const g = out.get(`grad ${path}`);
      if (!g || g.some(v => !Number.isFinite(v))) continue;
      const { m, v } = state.get(path)!;
      const rate = 0.05 * Math.max(norm(value) / Math.sqrt(value.length), 0.1);
      for (let i = 0; i < value.length; i++) {
        m[i] = 0.9 * m[i] + 0.1 * g[i];
        v[i] = 0.99 * v[i] + 0.01 * g[i] * g[i];
        value[i] += (rate * m[i]) / (Math.sqrt(v[i] / (1 - 0.99 ** step)) + 1e-12);
      }
    }
    powerStep(p, z, grad, step % 3 === 2 ? 0 : 1, random);
  }
  return found;
};

/** ‖f(x) − f(y)‖ / ‖x − y‖ by the other lowering, less what rounding may have added. */
const recompute = (p: Probe, c: Candidate) => {
  const f = interpret(p.check, { inputs: new Map([['z', [...c.x, ...c.y]]]), params: c.weights }).outputs.get('f')!;
  const half = f.length / 2;
  const [fx, fy] = [f.slice(0, half), f.slice(half)];
  const rounding = 1e-13 * (norm(fx) + norm(fy));
  const apart = norm(c.x.map((v, i) => v - c.y[i]));
  return { fx, fy, ratio: (norm(fx.map((v, i) => v - fy[i])) - rounding) / apart };
};

const rounded = (c: Candidate, round: (v: number) => number): Candidate => ({
  ...c,
  weights: new Map([...c.weights].map(([k, v]) => [k, v.map(round)])),
  x: c.x.map(round),
  y: c.y.map(round),
});

/** Numbers with few digits where they do as well, else the nearest of 32 bits: what is shown is what was checked. */
const presentable = (p: Probe, c: Candidate): Candidate => {
  const wanted = 0.99 * recompute(p, c).ratio;
  for (const digits of [2, 3, 4]) {
    const short = rounded(c, v => Number(v.toPrecision(digits)));
    if (recompute(p, short).ratio >= wanted) return short;
  }
  return rounded(c, Math.fround);
};

const operations = ({ input, layers }: Instance): number => {
  const shapes = new Map<ValueId, Shape>();
  return layers.reduce((sum, layer) => {
    const cost = layerCost(layer, shapes.get(layer.inputs[0]) ?? input);
    shapes.set(layer.id, layer.shape);
    return sum + 2 * PAIRS * cost.flops + cost.rescalingFlops;
  }, 0);
};

/** The worst pair of inputs, with its weights, that the search meets; undefined where the layers are too large for one. */
const worst = (instance: Instance): { readonly probe: Probe; readonly candidate: Candidate } | undefined => {
  const cost = 3 * operations(instance) + OVERHEAD * instance.layers.length;
  if (cost > LARGEST) return undefined;
  const p = probe(instance);
  const random = stream(0, 'refute');
  const touched = p.search.nodes.reduce((sum, n) => sum + elements(n.shape), 0);
  const allowance: Allowance = { left: Math.min(MAX_EVALUATIONS, MAX_OPERATIONS / (cost + ENTRY * touched)) };
  const reserve = Math.min(allowance.left / 2, CLIMBS * CLIMB_STEPS);
  const candidates: Candidate[] = [];
  for (const weights of weightFamilies(p.params, exponentsOf(instance.layers), random)) {
    if (allowance.left < reserve && candidates.length > 0) break;
    candidates.push(worstPair(p, weights, random, allowance));
  }
  // Stable: of equals the simplest stays first.
  candidates.sort((a, b) => (b.ratio > a.ratio * (1 + 1e-3) ? 1 : a.ratio > b.ratio * (1 + 1e-3) ? -1 : 0));
  let found = candidates[0];
  for (const start of candidates.slice(0, CLIMBS)) {
    const top = climb(p, start, random, allowance);
    // Simple weights are worth a little: a climb that gains less than 5 % is not.
    if (top.ratio > 1.05 * found.ratio) found = top;
  }
  return { probe: p, candidate: found };
};

/** The shape of the one value that enters `layers`, if there is one only. */
const inputOf = (net: Network, layers: readonly Layer[]): Shape | undefined => {
  const made = new Set(layers.map(l => l.id));
  const [first, ...more] = new Set(layers.flatMap(l => l.inputs).filter(id => !made.has(id)));
  if (first === undefined || more.length > 0) return undefined;
  return first === net.input.id ? net.input.shape : net.layers.find(l => l.id === first)?.shape;
};

/** Budget over the product of the proven bounds of the other layers: what is left for `layer`. Among branches, the budget. */
const share = (net: Network, layer: Layer): number => {
  if (net.layers.some(l => l.inputs.length > 1)) return toNumber(net.budget);
  let others = 1;
  for (const other of net.layers) {
    if (other === layer || other.op.kind === 'head') continue;
    const shape = inputOf(net, [other]);
    if (!shape) continue;
    const input = { ...net.input, id: other.inputs[0], shape };
    const alone = prove({ ...net, input, layers: [other], budget: rational(1_000_000_000) });
    // One that is refused as well counts as what it ought to be.
    if ('proven' in alone) others *= Math.sqrt(toNumber(alone.proven.squared));
  }
  return toNumber(net.budget) / others;
};

const refuteLayers = (
  net: Network,
  paths: readonly string[],
  stated: number | undefined,
): Counterexample | 'none found' | undefined => {
  const layers = net.layers.filter(l => paths.includes(l.path));
  const input = inputOf(net, layers);
  if (!input || layers.some(l => l.op.kind === 'head')) return undefined;
  if (layers[0]?.twist?.kind === 'angle') return refuteAngle(net, layers[0], input, share(net, layers[0]));
  const instance = shrink({ input, layers }) ?? { input, layers };
  const result = worst(instance);
  if (!result) return undefined;
  const allowed = stated ?? (layers.length === 1 ? share(net, layers[0]) : toNumber(net.budget));
  const shown = presentable(result.probe, result.candidate);
  const { fx, fy, ratio } = recompute(result.probe, shown);
  if (!(ratio > allowed * MARGIN) || !Number.isFinite(ratio)) return 'none found';
  const smaller =
    `${instance.input}` !== `${input}` ||
    `${result.probe.params.map(p => p.shape)}` !== `${layers.flatMap(l => layerParams(l.op)).map(p => p.shape)}`;
  return {
    network: net.name,
    layers: instance.layers.map(l => l.path),
    allowed,
    ratio,
    ...(smaller && { shrunkFrom: input }),
    inputShape: instance.input,
    params: result.probe.params.map(p => ({
      path: p.path,
      shape: p.shape,
      values: [...shown.weights.get(p.path)!],
    })),
    x: [...shown.x],
    y: [...shown.y],
    fx: [...fx],
    fy: [...fy],
  };
};

/** Findings that are searched; more take too long, and one that is mended may mend others. */
const MAX_REFUTATIONS = 2;

const PROOF_CODES: ReadonlySet<Diagnostic['code']> = new Set([
  'L0123',
  'L0132',
  'L0201',
  'L0202',
  'L0203',
  'L0204',
  'L0205',
  'L0212',
  'L0214',
  'L0213',
]);

/**
 * The diagnostics that `prove` gave for `net`, the first of them with a counterexample (or 'none found'). Only the layers of a finding
 * are looked at, in a smaller instance where they are large.
 */
export const refute = (net: Network, diagnostics: readonly Diagnostic[]): readonly Diagnostic[] => {
  let searched = 0;
  return diagnostics.map(d => {
    if (!d.refused || !PROOF_CODES.has(d.code) || searched >= MAX_REFUTATIONS) return d;
    searched += 1;
    const paths = d.code === 'L0201' ? d.refused.layers : d.refused.layers.slice(0, 1);
    const counterexample = refuteLayers(net, paths, d.refused.budget);
    return counterexample === undefined ? d : { ...d, counterexample };
  });
};
