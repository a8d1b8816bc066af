/** The network a certificate speaks about: layers with their shapes, recomputed one from the other. */
import { need, parseQ, type Q, refuse } from './numbers.ts';

export type Json = Readonly<Record<string, unknown>>;

/** `value` as an object with entries of any name. */
export const record = (value: unknown, where: string): Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Json)
    : refuse(`${where} is not an object`);

/** `value` as an object with exactly these keys; those ending in `?` may be missing. Nothing in a certificate goes unread. */
export const object = (value: unknown, where: string, keys: readonly string[]): Json => {
  const found = record(value, where);
  const known = new Set(keys.map(k => k.replace('?', '')));
  for (const k of Object.keys(found)) need(known.has(k), `${where} has an unknown entry ${k}`);
  for (const k of keys) need(k.endsWith('?') || Object.hasOwn(found, k), `${where} lacks ${k}`);
  return found;
};
export const list = (value: unknown, where: string): readonly unknown[] =>
  Array.isArray(value) ? value : refuse(`${where} is not a list`);
export const text = (value: unknown, where: string): string =>
  typeof value === 'string' ? value : refuse(`${where} is not text`);
const count = (value: unknown, where: string, least = 1): number =>
  Number.isSafeInteger(value) && (value as number) >= least
    ? (value as number)
    : refuse(`${where} is not a whole number from ${least}`);
export const counts = (value: unknown, where: string, length?: number, least = 1): number[] => {
  const all = list(value, where).map(n => count(n, where, least));
  need(length === undefined || all.length === length, `${where} must have ${length} entries`);
  return all;
};

/** A linear map; a dense one is a convolution with a 1×1 kernel on a 1×1 image. Its weight is stored (out, in, kh, kw), or (out, in). */
export interface LinearMap {
  readonly conv: boolean;
  readonly weight: string;
  readonly out: number;
  readonly in: number;
  readonly kernel: readonly number[];
  readonly padding: readonly number[];
  /** Height and width of the input. */
  readonly image: readonly number[];
}

export interface Activation {
  readonly function: string;
  readonly slope?: Q;
  readonly group?: number;
  readonly pairs?: string;
}

export interface Layer {
  readonly path: string;
  readonly kind: string;
  readonly output: readonly number[];
  readonly constants?: readonly Q[];
  readonly map?: LinearMap;
  readonly side?: 'in' | 'out';
  readonly act?: Activation;
  readonly size?: readonly number[];
  readonly classes?: number;
}

const parseMap = (value: unknown, where: string, input: readonly number[]): LinearMap => {
  const conv = input.length === 3;
  const o = object(
    value,
    where,
    conv ? ['kind', 'weight', 'out', 'in', 'kernel', 'padding'] : ['kind', 'weight', 'out', 'in'],
  );
  need(o.kind === (conv ? 'conv' : 'dense'), `${where}: a ${o.kind} map does not fit a shape of ${input.length} axes`);
  const map = {
    conv,
    weight: text(o.weight, where),
    out: count(o.out, where),
    in: count(o.in, where),
    kernel: conv ? counts(o.kernel, where, 2) : [1, 1],
    padding: conv ? counts(o.padding, where, 2, 0) : [0, 0],
    image: conv ? input.slice(1) : [1, 1],
  };
  need(map.in === input[0], `${where} reads ${map.in} channels, but there are ${input[0]}`);
  return map;
};

const outputOf = (m: LinearMap): number[] =>
  m.conv ? [m.out, ...m.image.map((n, i) => n + 2 * m.padding[i] - m.kernel[i] + 1)] : [m.out];

const parseActivation = (value: unknown, where: string, channels: number): Activation => {
  const o = object(value, where, ['function', 'slope?', 'group?', 'pairs?']);
  const name = text(o.function, where);
  const keys = { leaky_relu: 'slope', groupsort: 'group', maxmin: 'pairs' }[name];
  need(Object.keys(o).length === (keys ? 2 : 1) && (!keys || keys in o), `${where}: wrong entries for ${name}`);
  if (name === 'leaky_relu') return { function: name, slope: parseQ(o.slope) };
  if (name === 'maxmin') {
    need(o.pairs === 'adjacent' || (o.pairs === 'halves' && channels % 2 === 0), `${where}: unknown pairs`);
    return { function: name, pairs: o.pairs as string };
  }
  if (name !== 'groupsort') return { function: name };
  const group = count(o.group, where);
  need(channels % group === 0, `${where}: groups of ${group} do not divide ${channels} channels`);
  return { function: name, group };
};

const perChannel = (value: unknown, where: string, channels: number): Q[] => {
  const all = list(value, where).map(parseQ);
  need(all.length === 1 || all.length === channels, `${where} has ${all.length} entries for ${channels} channels`);
  return all;
};

/** Every kind of layer: how it is read, and the shape it makes of `input`. */
const LAYERS: Readonly<
  Record<string, (o: unknown, input: readonly number[], w: string) => Omit<Layer, 'path' | 'kind'>>
> = {
  center: (v, input, w) => {
    const o = object(v, w, ['path', 'kind', 'output', 'offset']);
    return { output: input, constants: perChannel(o.offset, w, input[0]) };
  },
  scale: (v, input, w) => {
    const o = object(v, w, ['path', 'kind', 'output', 'divisor']);
    return { output: input, constants: perChannel(o.divisor, w, input[0]) };
  },
  pad: (v, input, w) => {
    const to = count(object(v, w, ['path', 'kind', 'output', 'to']).to, w);
    need(to >= input[0], `${w} pads ${input[0]} channels to ${to}`);
    return { output: [to, ...input.slice(1)] };
  },
  linear: (v, input, w) => {
    const o = object(v, w, ['path', 'kind', 'output', 'map', 'side']);
    const map = parseMap(o.map, w, input);
    need(o.side === 'in' || o.side === 'out', `${w}: unknown side`);
    return { output: outputOf(map), map, side: o.side as 'in' | 'out' };
  },
  residual: (v, input, w) => {
    const o = object(v, w, ['path', 'kind', 'output', 'map', 'act']);
    const map = parseMap(o.map, w, input);
    need(
      outputOf(map).every(n => n >= 1),
      `${w}: the kernel is larger than the padded image`,
    );
    return { output: input, map, act: parseActivation(o.act, w, map.out) };
  },
  activation: (v, input, w) => {
    const o = object(v, w, ['path', 'kind', 'output', 'act']);
    return { output: input, act: parseActivation(o.act, w, input[0]) };
  },
  avgpool: (v, input, w) => {
    const size = counts(object(v, w, ['path', 'kind', 'output', 'size']).size, w, 2);
    need(input.length === 3, `${w} needs an image`);
    return { output: [input[0], Math.floor(input[1] / size[0]), Math.floor(input[2] / size[1])], size };
  },
  flatten: (v, input, w) => {
    object(v, w, ['path', 'kind', 'output']);
    return { output: [input.reduce((a, b) => a * b, 1)] };
  },
  head: (v, input, w) => {
    const classes = count(object(v, w, ['path', 'kind', 'output', 'classes']).classes, w);
    need(input.length === 1, `${w} needs a vector`);
    return { output: [classes], classes };
  },
};

export interface Network {
  readonly name: string;
  readonly budget: Q;
  /** Without the head. */
  readonly body: readonly Layer[];
  readonly head?: Layer;
  /** Features that the head reads. */
  readonly features: number;
}

/** Reads the network and recomputes every shape. Throws Refused. */
export const parseNetwork = (value: unknown): Network => {
  const o = object(value, 'network', ['name', 'input', 'budget', 'layers']);
  let shape: readonly number[] = counts(o.input, 'input');
  need(shape.length === 1 || shape.length === 3, 'the input must be [features] or [channels, height, width]');
  let features = shape[0];
  const paths = new Set<string>();
  const layers = list(o.layers, 'layers').map((entry, n, all): Layer => {
    const { path, kind, output } = record(entry, `layer ${n + 1}`);
    const where = text(path, `layer ${n + 1}`);
    need(!paths.has(where), `two layers are called ${where}`);
    paths.add(where);
    const parse = Object.hasOwn(LAYERS, String(kind))
      ? LAYERS[String(kind)]
      : refuse(`${where}: no rule for a layer of kind ${kind}`);
    const layer = { path: where, kind: String(kind), ...parse(entry, shape, where) };
    const stated = counts(output, where);
    need(JSON.stringify(stated) === JSON.stringify(layer.output), `${where} makes [${layer.output}], not [${stated}]`);
    need(kind !== 'head' || n === all.length - 1, 'the head must be the last layer');
    if (kind === 'head') features = shape[0];
    shape = layer.output;
    return layer;
  });
  const head = layers.at(-1)?.kind === 'head' ? layers.at(-1) : undefined;
  const body = head ? layers.slice(0, -1) : layers;
  return { name: text(o.name, 'name'), budget: parseQ(o.budget), body, features, ...(head ? { head } : {}) };
};
