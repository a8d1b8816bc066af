/**
 * The certificate of a proven network, and of the very tensors its frozen inference multiplies with. What is written here proves
 * nothing; `verifyCertificate` does, and runs on every certificate before it leaves.
 */
import {
  type Activation,
  elements,
  type Layer,
  layerParams,
  type Param,
  type Rescaling,
  type Shape,
  weightShape,
} from '../../ir/network.ts';
import { format, toNumber } from '../../ir/rational.ts';
import type { TensorGraph } from '../../ir/tensor.ts';
import type { Derivation } from '../../proof/rules.ts';
import {
  ARITHMETIC,
  digest,
  entryOf,
  FORMAT,
  networkDigest,
  pairwiseSquares,
  stepOf,
} from '../../proof/verify/certificate.ts';
import { type Bound, follow, ORIGIN, type Value } from '../../proof/verify/graph.ts';
import { type Layer as CheckedLayer, type Emitted, readLayer } from '../../proof/verify/layers.ts';
import { atMost, format as formatQ, ONE, type Q, Refused, square } from '../../proof/verify/numbers.ts';
import { dominance as checkDominance } from '../../proof/verify/operators.ts';
import { sha256 } from '../../proof/verify/read.ts';
import type { ProvenNetwork } from '../prove/prove.ts';
import { type EmittedWeight, emittedWeights } from '../tensors/freeze.ts';
import { contractionParts, sandwichParts } from './certify-operators.ts';
import {
  findWitness,
  isSmall,
  operatorWitness,
  storedDiagonal,
  type WeightContext,
} from './certify-weights-witness.ts';
import { liveLayers, NotCertifiable, networkToJson, notCertifiable } from './network-json.ts';

export interface EmittedTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export interface WrittenCertificate {
  readonly certificate: Readonly<Record<string, unknown>>;
  /** The tensors file's content by name; undefined without weights. */
  readonly tensors?: ReadonlyMap<string, EmittedTensor>;
  /** For the header of the tensors file: which network its tensors were made for. */
  readonly metadata?: Readonly<Record<string, string>>;
}

const seal = (body: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> => ({
  ...body,
  sha256: digest(body),
});

/** A derivation of dominance by its rules, their numbers and premises. */
const dominanceToJson = ({ rule, constants, premises }: Derivation): object => ({
  rule,
  ...(Object.keys(constants).length > 0 && {
    constants: Object.fromEntries(Object.entries(constants).map(([k, v]) => [k, format(v)])),
  }),
  ...(premises.length > 0 ? { premises: premises.map(dominanceToJson) } : {}),
});

/** Of a layer's derivation the part that speaks of its weight. */
const dominanceIn = (d: Derivation): Derivation | undefined =>
  d.conclusion.kind === 'dominates' ? d : d.premises.map(dominanceIn).find(p => p !== undefined);

/** The layer as the checker reads it, after layers of the shapes `before`. Throws NotCertifiable. */
const checkedLayer = (json: unknown, path: string, before: readonly Shape[]): CheckedLayer => {
  try {
    return readLayer(json, path, before);
  } catch (e) {
    if (e instanceof Refused) return notCertifiable(path, `this layer: ${e.message}`);
    throw e;
  }
};

interface Described {
  readonly json: Readonly<Record<string, unknown>>;
  /** The layers but the head. */
  readonly layers: readonly CheckedLayer[];
}

/** What a certificate says of all weights. Throws NotCertifiable. */
const allWeights = (proven: ProvenNetwork): Described => {
  const network = networkToJson(proven.network);
  const derivations = new Map(proven.layers.map(p => [p.layer.path, p.derivation]));
  const shapes: Shape[] = [proven.network.input.shape];
  const values: Value[] = [ORIGIN];
  const layers: CheckedLayer[] = [];
  const body = liveLayers(proven.network).filter(l => l.op.kind !== 'head');
  const derivation = body.map(({ op, path, shape }, n) => {
    const layer = checkedLayer(network.layers[n], path, shapes);
    layers.push(layer);
    shapes.push(shape);
    values.push(follow(layer, layer.bound, values));
    const proof = derivations.get(path);
    const dominance = proof && dominanceIn(proof);
    if (layer.map && !dominance) return notCertifiable(path, `what its proof by ${proof?.rule} rests on`);
    const premise = layer.map && dominance && dominanceToJson(dominance);
    // 2AᵀB is a matrix made of another, [A B], of which the derivation speaks.
    const product = op.kind === 'contraction' && op.method.family === 'sandwich' && op.method.part === 'product';
    const premises = product ? [{ rule: 'sandwich', premises: [premise] }] : [premise];
    return { ...stepOf(layer, values[n + 1]), ...(premise && { premises }) };
  });
  const { squared } = values[values.length - 1];
  const { name, budget } = proven.network;
  if (!atMost(squared, square(budget)))
    return notCertifiable(name, `a budget of ${format(budget)} by rules that give ${formatQ(squared)}, squared`);
  return { json: { format: FORMAT, network, squared: formatQ(squared), derivation }, layers };
};

/** The certificate that the network keeps its budget for every value of its weights. Throws NotCertifiable. */
export const certifyAllWeights = (proven: ProvenNetwork): WrittenCertificate => ({
  certificate: seal(allWeights(proven).json),
});

/** Factors T may have to grow by, from rounding or because a rule bounds all channels by one number; the first is nearly always enough. */
const GROWTH = [1, 1 + 2 ** -22, 1 + 2 ** -19, 1 + 2 ** -16, 1 + 2 ** -12, 1.003, 1.01, 1.03, 1.1, 1.5, 2, 4, 16];

/** Derivations of dominance to try, the best first. */
const linearWitnesses = function* (c: WeightContext, rescaling: Rescaling): Generator<object> {
  const T = storedDiagonal(c, rescaling);
  const d = T.map(v => (v > 2 ** -60 ? 1 / Math.sqrt(v) : 0));
  const target = (growth: number) => new Float64Array(T.length).fill(growth);
  // A kernel that is not quite orthogonal: its symbol is known up to a percent, its matrix exactly.
  if (rescaling.by === 'orthogonal' && c.map.kind === 'conv' && isSmall(c, c.map)) {
    yield findWitness({ ...c, d }, rescaling, target(1));
    yield operatorWitness({ ...c, d }, c.map, target(1));
  }
  for (const growth of GROWTH) yield findWitness({ ...c, d }, rescaling, target(growth));
};

/** The tensors that one layer multiplies with, by their names in the certificate, and derivations of dominance to try. */
interface Parts {
  readonly tensors: Readonly<Record<string, EmittedTensor>>;
  readonly witnesses?: Iterable<object>;
  /** Known without a check of the first witness. */
  readonly own?: Q;
}

const vector = (values: ArrayLike<number>): EmittedTensor => ({
  shape: [values.length],
  data: Float32Array.from(values),
});

const bias = (op: { readonly bias?: Param }, weights: ReadonlyMap<string, Float32Array>): Parts['tensors'] =>
  op.bias ? { b: { shape: op.bias.shape, data: weights.get(op.bias.path)! } } : {};

const activationParts = (act: Activation, emitted: EmittedWeight | undefined): Parts['tensors'] => {
  switch (act.kind) {
    case 'leaky_relu':
      return { a: vector([toNumber(act.slope)]) };
    case 'rabs':
      return { m: vector([Math.SQRT1_2]) };
    case 'prelu':
      return { a: vector(emitted!.W) };
    case 'householder':
      return { v: { shape: [2, ...act.theta.shape], data: emitted!.W } };
    case 'householder2':
      return { v: { shape: [3, 2, ...act.theta[0].shape], data: emitted!.W } };
    default:
      return {};
  }
};

/** What `layer`, which reads a value of shape `image`, was emitted as. */
const partsOf = (
  layer: Layer,
  image: Shape,
  weights: ReadonlyMap<string, Float32Array>,
  emitted: EmittedWeight | undefined,
): Parts => {
  const { op } = layer;
  switch (op.kind) {
    case 'center':
      return {
        tensors: { c: vector(Array.from({ length: image[0] }, (_, i) => toNumber(op.offset[i] ?? op.offset[0]))) },
      };
    case 'translate':
      return { tensors: { c: vector(weights.get(op.by.path)!) } };
    case 'batchcenter':
      return { tensors: { c: vector(weights.get(op.mean.path)!) } };
    case 'scale':
      return { tensors: { m: vector(op.divisor.map(v => 1 / toNumber(v))) } };
    case 'avgpool':
      return { tensors: { m: vector([1 / Math.sqrt(toNumber(op.divisorSquared))]) } };
    case 'tile':
      return { tensors: { m: vector([1 / Math.sqrt(op.times)]) } };
    case 'layercenter':
      return { tensors: { m: vector([1 / elements(image)]) } };
    case 'gain':
      return { tensors: { m: vector(emitted!.W) } };
    case 'sum':
      return { tensors: { m: vector(op.factors.map(toNumber)) } };
    case 'mix':
      return { tensors: { w: vector(op.weight.kind === 'constant' ? [toNumber(op.weight.value)] : emitted!.W) } };
    case 'activation':
      return { tensors: activationParts(op.act, emitted) };
    case 'contraction':
    case 'sandwich': {
      const { tensors, witnesses } =
        op.kind === 'sandwich' ? sandwichParts(op, emitted!, image) : contractionParts(op, emitted!, image, GROWTH);
      return { tensors: { ...tensors, ...bias(op, weights) }, witnesses };
    }
    case 'linear':
    case 'residual': {
      const { W, t } = emitted!;
      const weight = { W: { shape: weightShape(op.map), data: W }, ...bias(op, weights) };
      if (op.kind === 'linear') {
        // Of an adjoint the map goes from the layer's output to its input, and so do its sides.
        const side = (op.side === 'in') !== (op.adjoint === true) ? 'in' : 'out';
        const context = { map: op.map, image: op.adjoint ? layer.shape : image, side, W, params: weights } as const;
        return { tensors: weight, witnesses: linearWitnesses(context, op.rescaling) };
      }
      // The largest T that t allows.
      const factor = Math.abs(op.factor ? toNumber(op.factor) : 2);
      const T = Float64Array.from(t!, v => (v > 0 ? (factor / v) * (1 - 2 ** -50) : Number.POSITIVE_INFINITY));
      const context = { map: op.map, image, side: 'out', W, params: weights } as const;
      const identity = op.identity && { h: vector([toNumber(op.identity)]) };
      const { by } = op.rescaling;
      // Of these a bound at every image size may be out of reach where one at this size is not.
      const { map } = op;
      const small = function* (): Generator<object> {
        // Sampled a symbol has to be a little smaller than the T of its layer.
        const growth = map.kind === 'conv' && by === 'power' ? GROWTH : [1];
        for (const more of growth)
          yield findWitness(
            context,
            op.rescaling,
            T.map(v => v * more),
          );
        if (map.kind === 'conv' && by === 'orthogonal' && isSmall(context, map)) yield operatorWitness(context, map, T);
      };
      return {
        tensors: { ...weight, t: { shape: [op.map.out], data: t! }, ...identity },
        witnesses: small(),
        // The plain form has bound 1 or is refused: the check of what was written will tell.
        ...(op.identity || op.factor || by === 'orthogonal' || by === 'power' ? {} : { own: ONE }),
      };
    }
    default:
      return { tensors: {} };
  }
};

export interface Own {
  readonly own: Q | Bound;
  readonly dominance?: object;
}

/** The bound that the checker will find for a layer, with the first derivation that it accepts. */
const ownBound = (layer: CheckedLayer, { tensors, witnesses, own }: Parts): Own => {
  let problem = '';
  for (const dominance of witnesses ?? [undefined]) {
    const witness = dominance ? { dominance } : {};
    if (own) return { own, ...witness };
    const tensor: Emitted['tensor'] = name => tensors[name].data;
    const e: Emitted = {
      tensor,
      has: name => name in tensors,
      dominance: map => checkDominance(dominance, layer.path, map, tensor, {}),
    };
    try {
      const found = layer.emitted?.(e) ?? layer.bound;
      return { own: found, ...witness };
    } catch (refused) {
      if (!(refused instanceof Refused)) throw refused;
      problem = refused.message;
    }
  }
  return notCertifiable(layer.path, `its emitted tensors: ${problem}`);
};

/** The search for the witnesses of one layer: plain data, for other threads. */
export interface WitnessTask {
  readonly path: string;
  readonly layer: Layer;
  /** The layer as the certificate states it, and the shapes of the values before it. */
  readonly json: unknown;
  readonly before: readonly Shape[];
  /** The shape that it reads. */
  readonly image: Shape;
  /** Its parameters, by path. */
  readonly weights: ReadonlyMap<string, Float32Array>;
  readonly emitted: EmittedWeight;
}

/** What `findWitness` finds, or why there is nothing to find. */
export type WitnessResult = Own | { readonly refused: string };

const search = ({ path, layer, json, before, image, weights, emitted }: WitnessTask): Own =>
  ownBound(checkedLayer(json, path, before), partsOf(layer, image, weights, emitted));

/** What a thread does with a task: its result can be sent, as those of layers with a weight are numbers. */
export const searchWitness = (task: WitnessTask): WitnessResult => {
  try {
    return search(task);
  } catch (e) {
    if (e instanceof NotCertifiable) return { refused: e.message };
    throw e;
  }
};

export interface CertificatePlan {
  /** What takes long, one task a layer at most. */
  readonly tasks: readonly WitnessTask[];
  /** The certificate, with witnesses from `found` by the paths of the tasks; the others are searched here. Throws NotCertifiable. */
  readonly write: (
    found: ReadonlyMap<string, WitnessResult>,
    progress?: (path: string) => void,
  ) => Required<WrittenCertificate>;
}

/** `certifyWeights` in parts. */
export const planCertificate = (
  proven: ProvenNetwork,
  weights: ReadonlyMap<string, Float32Array>,
  folded: TensorGraph,
): CertificatePlan => {
  const { network } = proven;
  const { json, layers } = allWeights(proven);
  const emitted = emittedWeights(proven, folded);
  const live = liveLayers(network);
  const described = (json.network as { readonly layers: readonly unknown[] }).layers;
  const shapes = new Map([[network.input.id, network.input.shape], ...live.map(l => [l.id, l.shape] as const)]);
  const before = [network.input.shape, ...live.map(l => l.shape)];
  const tasks = live.flatMap((layer, n): WitnessTask[] => {
    const { op, path } = layer;
    const own = emitted.layers.get(path);
    if (!own || !['linear', 'residual', 'contraction', 'sandwich'].includes(op.kind)) return [];
    const params = layerParams(op).map(p => [p.path, weights.get(p.path)!] as const);
    const image = shapes.get(layer.inputs[0])!;
    const mine = new Map(params);
    return [{ path, layer, json: described[n], before: before.slice(0, n + 1), image, weights: mine, emitted: own }];
  });
  const write: CertificatePlan['write'] = (found, progress = () => {}) => {
    const tensors = new Map<string, EmittedTensor>();
    const put = (path: string, all: Parts['tensors']): void => {
      for (const [key, tensor] of Object.entries(all)) tensors.set(`${path}.${key}`, tensor);
    };
    const values: Value[] = [ORIGIN];
    let squaredDistances: string[] | undefined;
    const entries = live.flatMap((layer, n): object[] => {
      const { op, path, inputs } = layer;
      const known = found.get(path);
      if (!known) progress(path);
      if (op.kind === 'head') {
        const rows = emitted.head!;
        const b = { shape: [op.classes], data: weights.get(op.bias.path)! };
        put(path, { W: { shape: op.weight.shape, data: rows }, b });
        squaredDistances = pairwiseSquares(rows, op.classes).map(formatQ);
        return [];
      }
      if (known && 'refused' in known) throw new NotCertifiable(known.refused);
      const parts = partsOf(layer, shapes.get(inputs[0])!, weights, emitted.layers.get(path));
      const { own, dominance } = known ?? ownBound(layers[n], parts);
      values.push(follow(layers[n], own, values));
      put(path, parts.tensors);
      return [{ ...entryOf(layers[n], values[n + 1], typeof own === 'function'), ...(dominance ? { dominance } : {}) }];
    });
    const squared = formatQ(values[values.length - 1].squared);
    const hashOf = ({ data }: EmittedTensor): string =>
      sha256(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    const hashes = Object.fromEntries([...tensors].map(([name, t]) => [name, hashOf(t)]));
    const certificate = seal({
      ...json,
      weights: {
        arithmetic: ARITHMETIC,
        squared,
        layers: entries,
        tensors: hashes,
        ...(squaredDistances ? { squaredDistances } : {}),
      },
    });
    return { certificate, tensors, metadata: { network: networkDigest(json) } };
  };
  return { tasks, write };
};

/**
 * Certifies `weights` (by path) as `folded`, made of them by `foldInference`, multiplies with them. `progress` is told the path of each
 * layer before its turn. Throws NotCertifiable, also where no witness is found.
 */
export const certifyWeights = (
  proven: ProvenNetwork,
  weights: ReadonlyMap<string, Float32Array>,
  folded: TensorGraph,
  progress?: (path: string) => void,
): Required<WrittenCertificate> => planCertificate(proven, weights, folded).write(new Map(), progress);
