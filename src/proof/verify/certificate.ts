/** The whole certificate: every claim of it recomputed from shapes and emitted tensors. Format: docs/certificate.md. */
import { activationBound, checkDerivation } from './derivation.ts';
import { checkNorm, checkRows, type Mode } from './dominance.ts';
import { counts, type Layer, list, type Network, object, parseNetwork, text } from './network.ts';
import {
  abs,
  add,
  compare,
  format,
  fromFloat,
  largest,
  mul,
  need,
  ONE,
  type Q,
  q,
  refuse,
  scaled,
  toGrid,
} from './numbers.ts';
import { sha256, type Tensor } from './tensors.ts';

export const FORMAT = 'lip-lipschitz-certificate-1';

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
export const digest = (certificate: Readonly<Record<string, unknown>>): string => {
  const { sha256: _, ...rest } = certificate;
  return sha256(JSON.stringify(rest));
};

interface Emitted {
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly used: Set<string>;
  readonly mode: Mode;
}

/** The tensor that `value` names, with the shape the layer needs and the hash the certificate states. */
const tensor = (value: unknown, where: string, shape: readonly number[], e: Emitted): Float32Array => {
  const o = object(value, where, ['name', 'shape', 'sha256']);
  const name = text(o.name, where);
  const found = e.tensors.get(name) ?? refuse(`the tensors file lacks ${name}`);
  const sizes = JSON.stringify(shape);
  need(
    JSON.stringify(counts(o.shape, where)) === sizes && JSON.stringify(found.shape) === sizes,
    `${name} must have shape [${shape}]`,
  );
  need(o.sha256 === found.sha256, `the hash of ${name} differs: these are not the certified weights`);
  need(!e.used.has(name), `${name} is used twice`);
  e.used.add(name);
  return found.data;
};

const TWO = q(2n);
const MINUS_ONE = q(-1n);

/** Squared bound of one layer with its emitted tensors. */
const checkLayer = (value: unknown, layer: Layer, e: Emitted): Q => {
  const { path, map } = layer;
  const read = (tensors: string[], ...others: string[]) => {
    const o = object(value, path, ['path', 'squared', ...(tensors.length > 0 ? ['tensors'] : []), ...others]);
    const named = tensors.length > 0 ? object(o.tensors, path, tensors) : {};
    const get = (name: string, shape: readonly number[]) => tensor(named[name], `${path}, ${name}`, shape, e);
    if (named.b !== undefined) get('b', [map!.out]);
    return { o, get };
  };
  const weight = (data: Float32Array) => ({ path, map: map!, data, mode: e.mode });
  const shape = map && [map.out, map.in, ...(map.conv ? map.kernel : [])];
  /** Whether f32 rounding alone can have made `square` of 1. */
  const nearOne = (square: Q): void =>
    need(compare(abs(add(square, MINUS_ONE)), scaled(1n, -21)) <= 0, `${path}: a multiplier is not the layer's`);
  switch (layer.kind) {
    case 'center':
    case 'pad':
    case 'flatten':
      read([]);
      return ONE;
    case 'scale': {
      const m = Array.from(read(['m']).get('m', [layer.constants!.length]), fromFloat);
      for (const [c, divisor] of layer.constants!.entries()) nearOne(mul(m[c], divisor));
      return largest(m.map(v => mul(v, v)));
    }
    case 'avgpool': {
      const m = fromFloat(read(['m']).get('m', [1])[0]);
      const squared = mul(mul(m, m), q(BigInt(layer.size![0] * layer.size![1])));
      nearOne(squared);
      return squared;
    }
    case 'activation': {
      const act = layer.act!;
      if (!act.slope) {
        read([]);
        return activationBound(act);
      }
      const a = fromFloat(read(['a']).get('a', [1])[0]);
      const error = abs(add(a, mul(act.slope, MINUS_ONE)));
      need(compare(error, mul(abs(act.slope), scaled(1n, -23))) <= 0, `${path}: a is not its slope`);
      return activationBound({ ...act, slope: a });
    }
    case 'linear': {
      const { o, get } = read(['W', 'b?'], 'dominance');
      return checkNorm(o.dominance, weight(get('W', shape!)));
    }
    case 'residual': {
      const { o, get } = read(['W', 't', 'b?'], 'dominance');
      const t = get('t', [map!.out]);
      need(
        t.every(v => v >= 0),
        `${path}: t must not be negative`,
      );
      const T = checkRows(o.dominance, weight(get('W', shape!)));
      for (const [i, Ti] of T.entries())
        need(compare(mul(fromFloat(t[i]), Ti), TWO) <= 0, `${path}: t_${i} T_${i} is above 2`);
      return ONE;
    }
    default:
      return refuse(`${path}: no rule for a layer of kind ${layer.kind}`);
  }
};

/** ‖ŵ_i − ŵ_j‖² for i > j, row by row, exactly. */
export const pairwiseSquares = (rows: ArrayLike<number>, classes: number): Q[] => {
  const { integers, exponent } = toGrid(rows);
  const d = integers.length / classes;
  const all: Q[] = [];
  for (let i = 0; i < classes; i++)
    for (let j = 0; j < i; j++) {
      let sum = 0n;
      for (let l = 0; l < d; l++) sum += (integers[i * d + l] - integers[j * d + l]) ** 2n;
      all.push(scaled(sum, 2 * exponent));
    }
  return all;
};

const checkHead = (value: unknown, net: Network, e: Emitted): void => {
  const classes = net.head!.classes!;
  const o = object(value, 'head', ['tensors', 'squaredDistances']);
  const named = object(o.tensors, 'head', ['W', 'b']);
  const rows = tensor(named.W, 'head, W', [classes, net.features], e);
  tensor(named.b, 'head, b', [classes], e);
  const stated = list(o.squaredDistances, 'squaredDistances');
  const exact = pairwiseSquares(rows, classes);
  need(stated.length === exact.length, `${exact.length} pairs of classes are needed`);
  for (const [n, v] of exact.entries())
    need(stated[n] === format(v), `the squared distance of pair ${n + 1} of classes is ${format(v)}`);
};

const checkWeights = (value: unknown, net: Network, e: Emitted): Q => {
  const o = object(value, 'weights', ['arithmetic', 'squared', 'layers', ...(net.head ? ['head'] : [])]);
  need(o.arithmetic === ARITHMETIC, 'the arithmetic is not the one this checker knows');
  const layers = list(o.layers, 'weights');
  need(layers.length === net.body.length, `${net.body.length} layers are needed, ${layers.length} are given`);
  const product = net.body
    .map((layer, n) => {
      e.mode.progress?.(layer.path);
      const stated = layers[n] as { readonly path?: unknown; readonly squared?: unknown } | null;
      need(stated?.path === layer.path, `${layer.path} is missing`);
      const squared = checkLayer(stated, layer, e);
      need(stated?.squared === format(squared), `${layer.path}: the squared bound is ${format(squared)}`);
      return squared;
    })
    .reduce(mul, ONE);
  need(o.squared === format(product), `the squared bound of the emitted network is ${format(product)}`);
  if (net.head) checkHead(o.head, net, e);
  for (const name of e.tensors.keys()) need(e.used.has(name), `no layer uses tensor ${name}`);
  return product;
};

/**
 * Checks a certificate. `tensors` are those of the file beside it; needed when, and only when, the certificate speaks of weights.
 * Throws Refused with the first thing that does not hold.
 */
export const verifyCertificate = (
  certificate: unknown,
  tensors: ReadonlyMap<string, Tensor> | undefined,
  mode: Mode = {},
): Verdict => {
  const o = object(certificate, 'the certificate', [
    'format',
    'network',
    'squared',
    'derivation',
    'weights?',
    'sha256',
  ]);
  need(o.format === FORMAT, `unknown format ${JSON.stringify(o.format)}`);
  need(o.sha256 === digest(o), 'the certificate was changed after it was written: its own hash differs');
  const net = parseNetwork(o.network);
  const squared = checkDerivation(o.derivation, net);
  need(o.squared === format(squared), `the squared bound is ${format(squared)}`);
  const verdict = { network: net.name, squared };
  if (o.weights === undefined) {
    need(tensors === undefined, 'the certificate speaks of no weights');
    return { ...verdict, tensors: 0 };
  }
  const emitted = checkWeights(o.weights, net, {
    tensors: tensors ?? refuse('the tensors file is needed'),
    used: new Set(),
    mode,
  });
  return { ...verdict, emitted, tensors: tensors!.size };
};
