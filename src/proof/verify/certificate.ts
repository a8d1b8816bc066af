/** The whole certificate: every claim of it recomputed from shapes and emitted tensors. Format: docs/certificate.md. */
import type { Mode } from './dominance.ts';
import { follow, ORIGIN, type Value } from './graph.ts';
import { type Emitted, type Layer, readLayer } from './layers.ts';
import type { Shape } from './map.ts';
import { atMost, format, need, parseQ, type Q, refuse, scaled, square, toGrid, ZERO } from './numbers.ts';
import { dominance } from './operators.ts';
import {
  any,
  claim,
  type Json,
  listOf,
  object,
  oneOf,
  optional,
  read,
  sha256,
  type TensorFile,
  text,
  whole,
} from './read.ts';
import { checkStep } from './rules.ts';

export const FORMAT = 'lip-lipschitz-certificate-3';

export const ARITHMETIC =
  'real arithmetic on the emitted f32 tensors, each weight of a residual layer used twice as one tensor; rounding while the network runs is not part of this bound';

export interface Verdict {
  readonly network: string;
  /** Squared bound up to the head, for every value of the weights. */
  readonly squared: Q;
  /** Squared bound up to the head of the emitted tensors; absent without weights. */
  readonly emitted?: Q;
  readonly tensors: number;
}

/** What `sha256` of a certificate is the hash of: the certificate without it, as compact JSON with its keys in order. */
export const digest = ({ sha256: _, ...rest }: Json): string => sha256(JSON.stringify(rest));

/** What the tensors file names in its metadata: which network, with which rescalings, its tensors were made for. */
export const networkDigest = ({ network, derivation }: Json): string => sha256(JSON.stringify({ network, derivation }));

interface Network {
  readonly name: string;
  readonly budget: Q;
  /** Without the head. */
  readonly layers: readonly Layer[];
  readonly head?: { readonly path: string; readonly classes: number } | undefined;
  /** What the head reads: its size. */
  readonly features: number;
}

const NETWORK = { name: text, input: listOf(whole(1)), budget: parseQ, layers: listOf(any), head: optional(any) };

const readNetwork = (value: unknown): Network => {
  const { name, input, budget, ...net } = read(value, 'network', NETWORK);
  need(input.length === 1 || input.length === 3, 'the input must be [features] or [channels, height, width]');
  const values: Shape[] = [input];
  const layers = net.layers.map((entry, n) => {
    const layer = readLayer(entry, `layer ${n + 1}`, values);
    values.push(layer.output ?? values[layer.inputs[0]]);
    return layer;
  });
  const head = net.head === undefined ? undefined : read(net.head, 'head', { path: text, classes: whole(1) });
  const last = values[values.length - 1];
  need(!head || last.length === 1, 'the head must read a vector');
  const paths = [...layers.map(l => l.path), ...(head ? [head.path] : [])];
  need(new Set(paths).size === paths.length, 'two layers have the same path');
  const used = new Set(layers.flatMap(l => l.inputs)).add(layers.length);
  need(used.size === values.length, 'the value of a layer is not used');
  return { name, budget, layers, head, features: last[0] };
};

const formatAll = (all: Readonly<Record<string, Q>>): Json =>
  Object.fromEntries(Object.entries(all).map(([k, v]) => [k, format(v)]));

/** What the derivation must say of a layer, but for the premises. */
export const stepOf = ({ path, rule, constants = {} }: Layer, { squared }: Value): Json => ({
  path,
  squared: format(squared),
  rule,
  ...(Object.keys(constants).length > 0 && { constants: formatAll(constants) }),
});

/** The bound for all weights, from one step of derivation for each layer. */
const checkDerivation = (steps: readonly unknown[], layers: readonly Layer[]): Q => {
  const values: Value[] = [ORIGIN];
  for (const [n, layer] of layers.entries()) {
    const { path, map, unit } = layer;
    const { premises = [], ...stated } = object(steps[n], `the derivation of ${path}`);
    values.push(follow(layer, layer.bound, values));
    claim(`the derivation of ${path}`, stated, stepOf(layer, values[n + 1]));
    for (const p of listOf(any, map ? 1 : 0)(premises, `${path}, premises`)) checkStep(p, path, map!, unit);
  }
  return values[layers.length].squared;
};

/** What the weights' entry of a layer must say, but for the witness of dominance. */
export const entryOf = ({ path }: Layer, { squared, own }: Value, isJoin: boolean): Json => ({
  path,
  ...(!isJoin && { own: format(own) }),
  squared: format(squared),
});

/** ‖ŵ_i − ŵ_j‖² for i > j, row by row, exactly. */
export const pairwiseSquares = (rows: ArrayLike<number>, classes: number): Q[] => {
  const { integers, exponent } = toGrid(rows);
  const d = integers.length / classes;
  const all: Q[] = [];
  for (let i = 0; i < classes; i++)
    for (let j = 0; j < i; j++) {
      let total = 0n;
      for (let l = 0; l < d; l++) total += (integers[i * d + l] - integers[j * d + l]) ** 2n;
      all.push(scaled(total, 2 * exponent));
    }
  return all;
};

/** The tensors of the layer at `path`, each of which leaves `open`, and its witness of dominance. */
const emittedOf = (path: string, witness: unknown, { tensors }: TensorFile, open: Set<string>, mode: Mode): Emitted => {
  const tensor: Emitted['tensor'] = (key, shape) => {
    const name = `${path}.${key}`;
    const found = tensors.get(name) ?? refuse(`the tensors file lacks ${name}`);
    need(`${found.shape}` === `${shape}`, `${name} must have shape [${shape}], not [${found.shape}]`);
    open.delete(name);
    return found.data;
  };
  const has = (key: string) => tensors.has(`${path}.${key}`);
  return { tensor, has, dominance: map => dominance(witness, path, map, tensor, mode) };
};

const WEIGHTS = {
  arithmetic: oneOf(ARITHMETIC),
  squared: any,
  layers: listOf(any),
  tensors: any,
  squaredDistances: optional(any),
};

const checkWeights = (value: unknown, net: Network, file: TensorFile, mode: Mode): Q => {
  const stated = read(value, 'weights', WEIGHTS);
  const entries = listOf(any, net.layers.length)(stated.layers, 'weights');
  const open = new Set(file.tensors.keys());
  claim('hashes of tensors', stated.tensors, Object.fromEntries([...file.tensors].map(([k, t]) => [k, t.sha256])));
  const values: Value[] = [ORIGIN];
  for (const [n, layer] of net.layers.entries()) {
    const { path } = layer;
    mode.progress?.(path);
    const { dominance: witness, ...entry } = object(entries[n], `the weights of ${path}`);
    need(witness === undefined || layer.map !== undefined, `${path}: dominance is for layers with a weight`);
    const own = layer.emitted?.(emittedOf(path, witness, file, open, mode)) ?? layer.bound;
    values.push(follow(layer, own, values));
    claim(`the weights of ${path}`, entry, entryOf(layer, values[n + 1], typeof own === 'function'));
  }
  const { squared } = values[net.layers.length];
  claim('the squared bound of the emitted network', stated.squared, format(squared));
  const { head, features } = net;
  let distances: string[] | undefined;
  if (head) {
    const { tensor } = emittedOf(head.path, undefined, file, open, mode);
    tensor('b', [head.classes]);
    distances = pairwiseSquares(tensor('W', [head.classes, features]), head.classes).map(format);
  }
  claim('the squared distances of the classes', stated.squaredDistances, distances);
  for (const name of open) refuse(`no layer uses tensor ${name}`);
  return squared;
};

const CERTIFICATE = {
  format: oneOf(FORMAT),
  network: any,
  squared: any,
  derivation: listOf(any),
  weights: optional(any),
  sha256: text,
};

/** Checks everything but the emitted tensors. */
const opened = (certificate: unknown, file: TensorFile | undefined) => {
  const stated = read(certificate, 'the certificate', CERTIFICATE);
  const whole = stated.sha256 === digest(certificate as Json);
  need(whole, 'the certificate was changed after it was written: its own hash differs');
  const net = readNetwork(stated.network);
  const steps = listOf(any, net.layers.length)(stated.derivation, 'the derivation');
  const squared = checkDerivation(steps, net.layers);
  claim('the squared bound for all weights', stated.squared, format(squared));
  need(atMost(ZERO, net.budget) && atMost(squared, square(net.budget)), 'the bound is above the budget');
  need(
    (file !== undefined) === (stated.weights !== undefined),
    'tensors are needed where weights are spoken of, only there',
  );
  const bound = file === undefined || file.network === networkDigest(stated);
  need(bound, 'the tensors were emitted for another network than this certificate describes');
  return { net, squared, weights: stated.weights };
};

/**
 * Checks a certificate. `file` is the tensors file beside it; needed when, and only when, the certificate speaks of weights.
 * Throws Refused with the first thing that does not hold.
 */
export const verifyCertificate = (certificate: unknown, file: TensorFile | undefined, mode: Mode = {}): Verdict => {
  const { net, squared, weights } = opened(certificate, file);
  const verdict = { network: net.name, squared };
  if (!file) return { ...verdict, tensors: 0 };
  return { ...verdict, emitted: checkWeights(weights, net, file, mode), tensors: file.tensors.size };
};

/** Of `verifyCertificate` what concerns the emitted tensors of the nth layer from 0: its share of the work, not a verdict. Throws Refused. */
export const checkLayer = (certificate: unknown, file: TensorFile, n: number, mode: Mode): void => {
  const { net, weights } = opened(certificate, file);
  const { layers } = read(weights, 'weights', WEIGHTS);
  const { dominance: witness } = object(layers[n], `the weights of layer ${n + 1}`);
  net.layers[n]?.emitted?.(emittedOf(net.layers[n].path, witness, file, new Set(), mode));
};
