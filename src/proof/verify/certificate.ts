/** The whole certificate: every claim of it recomputed from shapes and emitted tensors. Format: docs/certificate.md. */
import type { Mode } from './dominance.ts';
import { follow, ORIGIN, type Value } from './graph.ts';
import { type Emitted, type Layer, readLayer } from './layers.ts';
import type { Shape } from './map.ts';
import { atMost, format, need, parseQ, type Q, refuse, scaled, square, toGrid, ZERO } from './numbers.ts';
import { dominance } from './operators.ts';
import * as json from './read.ts';
import { any, claim, type Json, listOf, object, optional, sha256, type TensorFile, text } from './read.ts';
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

const NETWORK = { name: text, input: listOf(json.whole(1)), budget: parseQ, layers: listOf(any), head: optional(any) };
const HEAD = { path: text, classes: json.whole(1) };

const readNetwork = (value: unknown) => {
  const { name, input, budget, ...net } = json.read(value, 'network', NETWORK);
  need(input.length === 1 || input.length === 3, 'the input must be [features] or [channels, height, width]');
  const values: Shape[] = [input];
  const layers = net.layers.map((entry, n) => {
    const layer = readLayer(entry, `layer ${n + 1}`, values);
    values.push(layer.output);
    return layer;
  });
  const head = net.head === undefined ? undefined : json.read(net.head, 'head', HEAD);
  const last = values[values.length - 1];
  need(!head || last.length === 1, 'the head must read a vector');
  const paths = [...layers, ...(head ? [head] : [])].map(l => l.path);
  need(new Set(paths).size === paths.length, 'two layers have the same path');
  const used = new Set(layers.flatMap(l => l.inputs)).add(layers.length);
  need(used.size === values.length, 'the value of a layer is not used');
  return { name, budget, layers, head, features: last[0] };
};

/** What the derivation must say of a layer, but for the premises. */
export const stepOf = ({ path, rule, constants = {} }: Layer, { squared }: Value): Json => {
  const all = Object.entries(constants).map(([k, v]) => [k, format(v)]);
  return { path, squared: format(squared), rule, ...(all.length > 0 && { constants: Object.fromEntries(all) }) };
};

/** The bound for all weights, from one step of derivation for each layer. */
const checkDerivation = (steps: readonly unknown[], layers: readonly Layer[]): Q => {
  need(steps.length === layers.length, 'one derivation for each layer is needed');
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
export const entryOf = ({ path }: Layer, { squared, own }: Value, isJoin: boolean): Json =>
  isJoin ? { path, squared: format(squared) } : { path, own: format(own), squared: format(squared) };

/** ‖ŵ_i − ŵ_j‖² for i > j, row by row, exactly. */
export const pairwiseSquares = (data: ArrayLike<number>, classes: number): Q[] => {
  const { integers, exponent } = toGrid(data);
  const d = integers.length / classes;
  const rows = Array.from({ length: classes }, (_, i) => integers.slice(i * d, (i + 1) * d));
  const distance = (v: readonly bigint[], w: readonly bigint[]) => v.reduce((s, x, l) => s + (x - w[l]) ** 2n, 0n);
  return rows.flatMap((v, i) => rows.slice(0, i).map(w => scaled(distance(v, w), 2 * exponent)));
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

const CLAIMS = { arithmetic: json.oneOf(ARITHMETIC), squared: any, squaredDistances: optional(any) };
const WEIGHTS = { ...CLAIMS, layers: listOf(any), tensors: any };

const checkWeights = (value: unknown, net: ReturnType<typeof readNetwork>, file: TensorFile, mode: Mode): Q => {
  const stated = json.read(value, 'weights', WEIGHTS);
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
  const head = (path: string, classes: number): string[] => {
    const { tensor } = emittedOf(path, undefined, file, open, mode);
    tensor('b', [classes]);
    return pairwiseSquares(tensor('W', [classes, net.features]), classes).map(format);
  };
  const distances = net.head && head(net.head.path, net.head.classes);
  claim('the squared distances of the classes', stated.squaredDistances, distances);
  for (const name of open) refuse(`no layer uses tensor ${name}`);
  return squared;
};

const ABOUT = { format: json.oneOf(FORMAT), squared: any, sha256: text };
const CERTIFICATE = { ...ABOUT, network: any, derivation: listOf(any), weights: optional(any) };

/** Checks everything but the emitted tensors. */
const opened = (certificate: unknown, file: TensorFile | undefined) => {
  const stated = json.read(certificate, 'the certificate', CERTIFICATE);
  const intact = stated.sha256 === digest(certificate as Json);
  need(intact, 'the certificate was changed after it was written: its own hash differs');
  const net = readNetwork(stated.network);
  const squared = checkDerivation(stated.derivation, net.layers);
  claim('the squared bound for all weights', stated.squared, format(squared));
  need(atMost(ZERO, net.budget) && atMost(squared, square(net.budget)), 'the bound is above the budget');
  const paired = (file !== undefined) === (stated.weights !== undefined);
  need(paired, 'tensors are needed where a certificate speaks of weights, and only there');
  const theirs = !file || file.network === networkDigest(stated);
  need(theirs, 'the tensors were emitted for another network than this certificate describes');
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
  const { layers } = json.read(weights, 'weights', WEIGHTS);
  const { dominance: witness } = object(layers[n], `the weights of layer ${n + 1}`);
  net.layers[n]?.emitted?.(emittedOf(net.layers[n].path, witness, file, new Set(), mode));
};
