/** The whole certificate: every claim of it recomputed from shapes and emitted tensors. Format: docs/certificate.md. */
import { checkDerivation } from './derivation.ts';
import { readLayer } from './layers.ts';
import type { Emitted, Layer } from './made.ts';
import { atMost, format, need, ONE, parseQ, type Q, refuse, scaled, square, toGrid, ZERO } from './numbers.ts';
import {
  any,
  listOf,
  oneOf,
  optional,
  type Parsed,
  read,
  recordOf,
  sha256,
  type TensorFile,
  text,
  whole,
} from './read.ts';
import { follow, ORIGIN, type Value } from './values.ts';
import type { Mode, Shape } from './weight.ts';

export const FORMAT = 'lip-lipschitz-certificate-2';

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

type Json = Readonly<Record<string, unknown>>;

/** What `sha256` of a certificate is the hash of: the certificate without it, as compact JSON with its keys in order. */
export const digest = ({ sha256: _, ...rest }: Json): string => sha256(JSON.stringify(rest));

/** What the tensors file names in its metadata: which network, with which rescalings, its tensors were made for. */
export const networkDigest = ({ network, derivation }: Json): string => sha256(JSON.stringify({ network, derivation }));

interface Network {
  readonly name: string;
  /** Without the head. */
  readonly body: readonly Layer[];
  /** Classes and features of the head. */
  readonly head?: readonly [classes: number, features: number];
}

const HEAD = {
  path: text,
  kind: oneOf('head'),
  inputs: listOf(whole(0), 1),
  output: listOf(whole(1), 1),
  classes: whole(1),
};
const INPUT = { shape: listOf(whole(1)), range: optional(listOf(parseQ, 2)) };

const readNetwork = (value: unknown): Network & { readonly budget: Q } => {
  const net = read(value, 'network', { name: text, input: any, budget: parseQ, layers: listOf(any) });
  const { shape, range } = read(net.input, 'input', INPUT);
  need(shape.length === 1 || shape.length === 3, 'the input must be [features] or [channels, height, width]');
  need(!range || atMost(range[0], range[1]), 'the range of the input is empty');
  const values: Shape[] = [shape];
  const hasHead = (net.layers.at(-1) as { kind?: unknown } | null | undefined)?.kind === 'head';
  const body = net.layers.slice(0, hasHead ? -1 : undefined).map((entry, n) => {
    const layer = readLayer(entry, `layer ${n + 1}`, values);
    values.push(layer.output);
    return layer;
  });
  const named = new Set(body.map(l => l.path));
  const used = new Set(body.flatMap(l => l.inputs));
  need(named.size === body.length, 'two layers have the same path');
  need(
    values.every((_, n) => n === values.length - 1 || used.has(n)),
    'the value of a layer is not used',
  );
  const { name, budget } = net;
  if (!hasHead) return { name, budget, body };
  const h = read(net.layers.at(-1), 'head', HEAD);
  const last = values[values.length - 1];
  need(
    h.inputs[0] === body.length && last.length === 1 && h.output[0] === h.classes,
    'the head must read the last value, a vector',
  );
  need(!named.has(h.path), 'two layers have the same path');
  return { name, budget, body, head: [h.classes, last[0]] };
};

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

const REFERENCE = { name: text, shape: listOf(whole(0)), sha256: text };
const ENTRY = {
  path: text,
  own: optional(parseQ),
  squared: parseQ,
  tensors: optional(recordOf(any)),
  dominance: optional(any),
};

/** Gives a layer the tensors that its entry names, each once, and what the entry says of their dominance. */
const emittedOf = (entry: Parsed<typeof ENTRY>, file: TensorFile, open: Set<string>, mode: Mode): Emitted => ({
  mode,
  dominance: entry.dominance,
  has: name => Object.hasOwn(entry.tensors ?? {}, name),
  tensor: (key, shape) => {
    const { name, ...stated } = read(entry.tensors?.[key], `${entry.path}, tensor ${key}`, REFERENCE);
    const found = file.tensors.get(name) ?? refuse(`the tensors file lacks ${name}`);
    need(`${stated.shape}` === `${shape}` && `${found.shape}` === `${shape}`, `${name} must have shape [${shape}]`);
    need(stated.sha256 === found.sha256, `the hash of ${name} differs: these are not the certified weights`);
    need(open.delete(name), `${name} is used twice`);
    return found.data;
  },
});

const WEIGHTS = { arithmetic: oneOf(ARITHMETIC), squared: parseQ, layers: listOf(any), head: optional(any) };

const readEntry = (value: unknown, layer: Layer): Parsed<typeof ENTRY> => {
  const { path } = layer;
  const entry = read(value, path, ENTRY);
  need(entry.path === path, `${path} is missing`);
  need(
    (entry.dominance !== undefined) === (layer.dominated ?? layer.map !== undefined),
    `${path}: dominance is for layers with a weight`,
  );
  return entry;
};

const checkWeights = (value: unknown, net: Network, file: TensorFile, mode: Mode): Q => {
  const o = read(value, 'weights', { ...WEIGHTS, layers: listOf(any, net.body.length) });
  const open = new Set(file.tensors.keys());
  const values: Value[] = [ORIGIN];
  for (const [n, layer] of net.body.entries()) {
    const { path } = layer;
    mode.progress?.(path);
    const entry = readEntry(o.layers[n], layer);
    const before = open.size;
    const own = layer.emitted?.(emittedOf(entry, file, open, mode)) ?? layer.bound;
    need(before - open.size === Object.keys(entry.tensors ?? {}).length, `${path} has a tensor that its kind has not`);
    values.push(follow(layer, own, values));
    const { squared } = values[n + 1];
    const stated = entry.own && format(entry.own);
    need(
      typeof own === 'function' ? !stated : stated === format(own),
      `${path}: its own squared bound is ${typeof own !== 'function' && format(own)}`,
    );
    need(format(entry.squared) === format(squared), `${path}: the squared bound is ${format(squared)}`);
  }
  const { squared } = values[values.length - 1];
  need(format(o.squared) === format(squared), `the squared bound of the emitted network is ${format(squared)}`);
  need((o.head !== undefined) === (net.head !== undefined), 'weights of a head are for a network with a head');
  if (net.head) {
    const [classes, features] = net.head;
    const h = read(o.head, 'head', { tensors: recordOf(any), squaredDistances: listOf(parseQ) });
    const e = emittedOf(
      { path: 'head', own: undefined, squared: ONE, tensors: h.tensors, dominance: undefined },
      file,
      open,
      mode,
    );
    e.tensor('b', [classes]);
    const exact = pairwiseSquares(e.tensor('W', [classes, features]), classes).map(format);
    need(`${Object.keys(h.tensors).sort()}` === 'W,b', 'the head has the tensors W and b');
    need(`${h.squaredDistances.map(format)}` === `${exact}`, `the squared distances of the classes are ${exact}`);
  }
  for (const name of open) refuse(`no layer uses tensor ${name}`);
  return squared;
};

interface Opened {
  readonly net: Network;
  /** For all weights. */
  readonly squared: Q;
  readonly weights?: { readonly claimed: unknown; readonly file: TensorFile };
}

/** Checks everything but the emitted tensors. */
const opened = (certificate: unknown, file: TensorFile | undefined): Opened => {
  const o = read(certificate, 'the certificate', {
    format: oneOf(FORMAT),
    network: any,
    squared: parseQ,
    derivation: any,
    weights: optional(any),
    sha256: text,
  });
  need(
    o.sha256 === digest(certificate as Json),
    'the certificate was changed after it was written: its own hash differs',
  );
  const net = readNetwork(o.network);
  const squared = checkDerivation(o.derivation, net.body);
  need(format(o.squared) === format(squared), `the squared bound is ${format(squared)}`);
  need(atMost(ZERO, net.budget) && atMost(squared, square(net.budget)), 'the bound is above the budget');
  if (o.weights === undefined) {
    need(file === undefined, 'the certificate speaks of no weights');
    return { net, squared };
  }
  if (!file) return refuse('the tensors file is needed');
  need(
    file.network === networkDigest(o),
    'the tensors were emitted for another network than this certificate describes',
  );
  return { net, squared, weights: { claimed: o.weights, file } };
};

/**
 * Checks a certificate. `file` is the tensors file beside it; needed when, and only when, the certificate speaks of weights.
 * Throws Refused with the first thing that does not hold.
 */
export const verifyCertificate = (certificate: unknown, file: TensorFile | undefined, mode: Mode = {}): Verdict => {
  const { net, squared, weights } = opened(certificate, file);
  const verdict = { network: net.name, squared };
  if (!weights) return { ...verdict, tensors: 0 };
  const emitted = checkWeights(weights.claimed, net, weights.file, mode);
  return { ...verdict, emitted, tensors: weights.file.tensors.size };
};

/** Of `verifyCertificate` what concerns the emitted tensors of the nth layer from 0: its share of the work, not a verdict. Throws Refused. */
export const checkLayer = (certificate: unknown, file: TensorFile, n: number, mode: Mode): void => {
  const { net, weights } = opened(certificate, file);
  const layer = net.body[n] ?? refuse(`there is no layer ${n + 1}`);
  const entry = readEntry(read(weights?.claimed, 'weights', WEIGHTS).layers[n], layer);
  layer.emitted?.(emittedOf(entry, file, new Set(file.tensors.keys()), mode));
};
