/** A network as the certificate states it: plain JSON, see docs/certificate.md. */
import type { Activation, ContractionMethod, Layer, LinearMap, Network, ValueId } from '../../ir/network.ts';
import { format, ONE, TWO } from '../../ir/rational.ts';

/** A proven network that certificates do not speak of yet. */
export class NotCertifiable extends Error {}

/** Certificates list the layers they know; any other is refused, never left out. */
export const notCertifiable = (path: string, what: string): never => {
  throw new NotCertifiable(`${path}: certificates do not cover ${what}`);
};

export const mapToJson = (m: LinearMap): object => {
  const { kind, out } = m;
  const common = { kind, weight: m.weight.path, out, in: m.in };
  if (m.kind === 'dense') return common;
  const { kernel, stride, padding, dilation, groups, mode } = m;
  return { ...common, kernel, stride, padding, dilation, groups, mode };
};

const activationToJson = (act: Activation): object => {
  const common = { function: act.kind };
  switch (act.kind) {
    case 'leaky_relu':
      return { ...common, slope: format(act.slope) };
    case 'maxmin':
      return { ...common, pairs: act.pairs };
    case 'groupsort':
      return { ...common, group: act.group };
    case 'prelu':
      return { ...common, weight: act.slope.path };
    case 'householder':
      return { ...common, weight: act.theta.path };
    case 'householder2':
      return { ...common, weight: act.theta.map(p => p.path).join(' ') };
    default:
      return common;
  }
};

const contractionToJson = (method: ContractionMethod): object => {
  const common = { family: method.family };
  switch (method.family) {
    case 'cayley':
      return common;
    case 'bro':
      return { ...common, eps: format(method.eps) };
    case 'lot':
      return { ...common, eps: format(method.eps), steps: method.steps };
    case 'skew_exponential': {
      const { degree, norm, steps, padding } = method;
      return { ...common, degree, norm: format(norm), steps, padding };
    }
    case 'sandwich':
      return { ...common, part: method.part };
    default:
      return method satisfies never;
  }
};

const operatorToJson = (op: Extract<Layer['op'], { kind: 'contraction' | 'sandwich' }>): object => {
  const { out, weight, kernel } = op;
  return { out, in: op.in, weight: weight.path, ...(kernel ? { kernel } : {}) };
};

const attributes = ({ op, path }: Layer): object => {
  switch (op.kind) {
    case 'center':
      return { offset: op.offset.map(format) };
    case 'translate':
      return { by: op.by.path };
    case 'scale':
      return { divisor: op.divisor.map(format) };
    case 'pad':
      return { to: op.to };
    case 'linear':
      return { map: mapToJson(op.map), side: op.side, ...(op.adjoint ? { adjoint: true } : {}) };
    case 'residual': {
      const [identity, factor] = [op.identity ?? ONE, op.factor ?? TWO].map(format);
      return { map: mapToJson(op.map), act: activationToJson(op.act), identity, factor };
    }
    case 'contraction':
      return { method: contractionToJson(op.method), ...operatorToJson(op) };
    case 'sandwich':
      return { ...operatorToJson(op), psi: op.psi.path, act: activationToJson(op.act) };
    case 'formula':
      return notCertifiable(path, `\`${op.name}\`, a formula that is none of the linear and residual forms`);
    case 'activation':
      return { act: activationToJson(op.act) };
    case 'avgpool':
      return { size: op.size, stride: op.stride, divisorSquared: format(op.divisorSquared) };
    case 'maxpool':
    case 'l2pool':
      return { size: op.size, stride: op.stride };
    case 'tile':
      return { times: op.times };
    case 'gain':
      return { angle: op.angle.path };
    case 'batchcenter':
      return { mean: op.mean.path };
    case 'layercenter':
    case 'flatten':
    case 'concat':
      return {};
    case 'space_to_depth':
    case 'depth_to_space':
      return { block: op.block };
    case 'slice':
      return { start: op.start, length: op.length };
    case 'sum':
      return { factors: op.factors.map(format) };
    case 'mix':
      return op.weight.kind === 'constant' ? { weight: format(op.weight.value) } : { trained: op.weight.of.path };
    case 'maximum':
      return { of: op.of };
    case 'head':
      return { classes: op.classes };
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
  const layers = liveLayers(net);
  const place = new Map<ValueId, number>([[net.input.id, 0], ...layers.map((l, n) => [l.id, n + 1] as const)]);
  return {
    name: net.name,
    input: { shape: net.input.shape, ...(net.input.range ? { range: net.input.range.map(format) } : {}) },
    budget: format(net.budget),
    layers: layers.map(l => ({
      path: l.path,
      kind: l.op.kind,
      inputs: l.inputs.map(i => place.get(i)!),
      output: l.shape,
      ...attributes(l),
    })),
  };
};
