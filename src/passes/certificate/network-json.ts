/** A network as the certificate states it: plain JSON, see docs/certificate.md. */
import {
  type Activation,
  elements,
  type Layer,
  type LayerOp,
  type LinearMap,
  type Network,
  type Shape,
  type ValueId,
} from '../../ir/network.ts';
import { div, format, ONE, TWO } from '../../ir/rational.ts';

type Contraction = Extract<LayerOp, { kind: 'contraction' }>;
type Sandwich = Extract<LayerOp, { kind: 'sandwich' }>;

/** A proven network that certificates do not speak of yet. */
export class NotCertifiable extends Error {}

/** Certificates list the layers they know; any other is refused, never left out. */
export const notCertifiable = (path: string, what: string): never => {
  throw new NotCertifiable(`${path}: certificates do not cover ${what}`);
};

export const mapToJson = (m: LinearMap): object => {
  const { kind, out } = m;
  if (m.kind === 'dense') return { kind, out, in: m.in };
  const { kernel, stride, padding, dilation, groups, mode } = m;
  return { kind, out, in: m.in, kernel, stride, padding, dilation, groups, mode };
};

/** Height and width of the images whose spectrum an operator acts on. */
export const paddedImage = ({ method, kernel }: Contraction, [, ...image]: Shape): Shape =>
  image.map((n, axis) => n + (method.family === 'cayley' ? 0 : 2 * Math.floor((kernel![axis] - 1) / 2)));

/** The map of an operator layer that reads `input`, as the certificate states it. */
const operatorToJson = (op: Contraction | Sandwich, input: Shape): object => {
  const { out, kernel } = op;
  const all = op.kind === 'sandwich' ? out + op.in : op.in;
  if (!kernel) return { kind: 'dense', out, in: all };
  const method = op.kind === 'contraction' ? op.method : undefined;
  // A kernel of one tap is the same at every frequency, and emitted as it is.
  const isMatrix = elements(kernel) === 1 && (!method || method.family === 'cayley');
  const form =
    method?.family === 'skew_exponential'
      ? { kind: 'series', degree: method.degree, kernel, mode: method.padding }
      : isMatrix
        ? { kind: 'pixelwise' }
        : { kind: 'spectrum', image: op.kind === 'contraction' ? paddedImage(op, input) : input.slice(1) };
  return { kind: 'operator', out, in: all, form };
};

const slopeToJson = (act: Activation): object => ({
  function: act.kind,
  ...(act.kind === 'leaky_relu' ? { slope: format(act.slope) } : {}),
});

const activationToJson = (act: Activation): object => {
  switch (act.kind) {
    case 'maxmin':
      return { kind: act.kind, pairs: act.pairs };
    case 'groupsort':
      return { kind: act.kind, group: act.group };
    case 'prelu':
    case 'halfabs':
    case 'rabs':
    case 'crelu':
      return { kind: act.kind };
    case 'householder':
      return { kind: 'householder', order: 1 };
    case 'householder2':
      return { kind: 'householder', order: 2 };
    default:
      return { kind: 'elementwise', act: slopeToJson(act) };
  }
};

/** What kind of layer it is, with the numbers of that kind. `input` is the shape of what it reads. */
const attributes = ({ op, path }: Layer, input: Shape): object => {
  const { kind } = op;
  switch (op.kind) {
    case 'center':
    case 'translate':
    case 'batchcenter':
      return { kind: 'translate' };
    case 'scale':
      return { kind, factors: op.divisor.map(v => format(div(ONE, v))) };
    case 'linear':
      return { kind, map: mapToJson(op.map), side: op.side, ...(op.adjoint ? { adjoint: true } : {}) };
    case 'residual': {
      const [identity, factor] = [op.identity ?? ONE, op.factor ?? TWO].map(format);
      return { kind, map: mapToJson(op.map), act: slopeToJson(op.act), identity, factor };
    }
    case 'contraction':
      return { kind: 'linear', map: operatorToJson(op, input), side: 'out' };
    case 'sandwich':
      return { kind, map: operatorToJson(op, input), act: slopeToJson(op.act) };
    case 'formula':
      return notCertifiable(path, `\`${op.name}\`, a formula that is none of the linear and residual forms`);
    case 'activation':
      return activationToJson(op.act);
    case 'avgpool':
      return { kind, size: op.size, stride: op.stride, divisorSquared: format(op.divisorSquared) };
    case 'maxpool':
    case 'l2pool':
      return { kind, size: op.size, stride: op.stride };
    case 'slice':
      return { kind, start: op.start };
    case 'sum':
      return { kind, factors: op.factors.map(format) };
    case 'mix':
      return { kind, ...(op.weight.kind === 'constant' ? { weight: format(op.weight.value) } : {}) };
    case 'maximum':
      return { kind, of: op.of };
    case 'pad':
    case 'tile':
    case 'gain':
    case 'layercenter':
    case 'flatten':
    case 'space_to_depth':
    case 'depth_to_space':
    case 'concat':
      return { kind };
    case 'head':
      throw new Error('the head is not a layer of the body');
    default:
      return op satisfies never;
  }
};

/** The layers that lead to the output, in order of evaluation. */
export const liveLayers = (net: Network): readonly Layer[] => {
  const wanted = new Set<ValueId>(net.layers.slice(-1).map(l => l.id));
  for (const l of net.layers.toReversed()) if (wanted.has(l.id)) for (const i of l.inputs) wanted.add(i);
  return net.layers.filter(l => wanted.has(l.id));
};

/** `network` of a certificate. Throws NotCertifiable. */
export const networkToJson = (
  net: Network,
): { readonly layers: readonly object[]; readonly [entry: string]: unknown } => {
  const live = liveLayers(net);
  const body = live.filter(l => l.op.kind !== 'head');
  const place = new Map<ValueId, number>([[net.input.id, 0], ...body.map((l, n) => [l.id, n + 1] as const)]);
  const shapes = [net.input.shape, ...body.map(l => l.shape)];
  const head = live.find(l => l.op.kind === 'head');
  return {
    name: net.name,
    input: net.input.shape,
    budget: format(net.budget),
    layers: body.map(l => {
      const inputs = l.inputs.map(i => place.get(i)!);
      const { kind, ...numbers } = attributes(l, shapes[inputs[0]]) as { readonly kind: string };
      return { path: l.path, kind, inputs, output: l.shape, ...numbers };
    }),
    ...(head ? { head: { path: head.path, classes: head.shape[0] } } : {}),
  };
};
