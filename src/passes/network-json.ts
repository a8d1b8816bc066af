/** A network as the certificate states it: plain JSON, see docs/certificate.md. */
import type { Activation, Layer, LinearMap, Network, ValueId } from '../ir/network.ts';
import { activationParams } from '../ir/network.ts';
import { printOrthogonal } from '../ir/orthogonal.ts';
import { geometryWords, printActivation } from '../ir/print-network.ts';
import { format } from '../ir/rational.ts';
import { isBlockAverage } from '../ir/window.ts';

/** A proven network that certificates do not speak of yet. */
export class NotCertifiable extends Error {}

/** Certificates list the layers they know; any other is refused, never left out. */
export const notCertifiable = (path: string, what: string): never => {
  throw new NotCertifiable(`${path}: certificates do not cover ${what}`);
};

const mapToJson = (m: LinearMap, path: string, adjoint?: true): object => {
  if (adjoint) return notCertifiable(path, 'transposed convolutions');
  if (m.kind === 'conv' && geometryWords(m).length > 0)
    return notCertifiable(path, `convolutions with ${geometryWords(m).join(', ')}`);
  return plainMap(m);
};

const plainMap = (m: LinearMap): object => ({
  kind: m.kind,
  weight: m.weight.path,
  out: m.out,
  in: m.in,
  ...(m.kind === 'conv' ? { kernel: m.kernel, padding: m.padding } : {}),
});

const activationToJson = (act: Activation, path: string): object => {
  if (activationParams(act).length > 0 || act.kind === 'halfabs' || act.kind === 'rabs' || act.kind === 'crelu')
    return notCertifiable(path, `the activation \`${printActivation(act)}\``);
  const { kind, ...rest } = act;
  return {
    function: kind,
    ...(act.kind === 'leaky_relu' ? { slope: format(act.slope) } : {}),
    ...('group' in rest ? { group: rest.group } : {}),
    ...('pairs' in rest ? { pairs: rest.pairs } : {}),
  };
};

const attributes = ({ op, path, shape }: Layer): object => {
  if ((op.kind === 'linear' || op.kind === 'residual') && op.rescaling.by === 'orthogonal')
    if (op.rescaling.method.family !== 'cayley') return notCertifiable(path, printOrthogonal(op.rescaling.method));
  switch (op.kind) {
    case 'center':
      return { offset: op.offset.map(format) };
    case 'scale':
      return { divisor: op.divisor.map(format) };
    case 'pad':
      return { to: op.to };
    case 'linear':
      return { map: mapToJson(op.map, path, op.adjoint), side: op.side };
    case 'residual':
      if (op.identity || op.factor) return notCertifiable(path, 'residual layers other than x − 2 W T⁻¹ σ(Wᵀx + b)');
      return { map: mapToJson(op.map, path), act: activationToJson(op.act, path) };
    case 'activation':
      return { act: activationToJson(op.act, path) };
    case 'avgpool':
      return isBlockAverage(op) && shape.length === 3
        ? { size: op.size }
        : notCertifiable(path, 'average pooling of vectors, with overlap or with a divisor');
    case 'flatten':
      return {};
    case 'head':
      return { classes: op.classes };
    default:
      return notCertifiable(path, `layers of this kind (\`${op.kind}\`)`);
  }
};

/** The layers that lead to the output, in order. Throws NotCertifiable for a network that is not a chain. */
export const chainOf = (net: Network): readonly Layer[] => {
  const byId = new Map<ValueId, Layer>(net.layers.map(l => [l.id, l]));
  const chain: Layer[] = [];
  for (let at: Layer | undefined = net.layers.at(-1); at; at = byId.get(at.inputs[0])) {
    if (at.inputs.length !== 1) notCertifiable(at.path, 'layers with several inputs');
    chain.push(at);
  }
  return chain.reverse();
};

/** Throws NotCertifiable. */
export const networkToJson = (net: Network): object => ({
  name: net.name,
  input: net.input.shape,
  budget: format(net.budget),
  layers: chainOf(net).map(l => ({ path: l.path, kind: l.op.kind, output: l.shape, ...attributes(l) })),
});
