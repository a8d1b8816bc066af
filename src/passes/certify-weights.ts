/**
 * The certificate of a proven network, and of the very tensors its frozen inference multiplies with. What is written here proves
 * nothing; `verifyCertificate` does, and runs on every certificate before it leaves.
 */
import { type Layer, type Shape, weightShape } from '../ir/network.ts';
import { format, toNumber } from '../ir/rational.ts';
import type { TensorGraph } from '../ir/tensor.ts';
import { derivationToJson } from '../proof/derivation.ts';
import { ARITHMETIC, digest, FORMAT, pairwiseSquares } from '../proof/verify/certificate.ts';
import { activationBound } from '../proof/verify/derivation.ts';
import { checkNorm } from '../proof/verify/dominance.ts';
import { format as formatQ, fromFloat, mul, ONE, type Q, Refused } from '../proof/verify/numbers.ts';
import { sha256 } from '../proof/verify/tensors.ts';
import { checkedMap, findWitness, storedDiagonal, type WeightContext } from './certify-weights-witness.ts';
import { type EmittedWeight, emittedWeights } from './freeze.ts';
import { chainOf, networkToJson, notCertifiable } from './network-json.ts';
import type { ProvenNetwork } from './prove.ts';

export interface EmittedTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export interface WrittenCertificate {
  readonly certificate: Readonly<Record<string, unknown>>;
  /** The tensors file's content by name; undefined without weights. */
  readonly tensors?: ReadonlyMap<string, EmittedTensor>;
}

const seal = (body: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> => ({
  ...body,
  sha256: digest(body),
});

const allWeights = (proven: ProvenNetwork): Readonly<Record<string, unknown>> => ({
  format: FORMAT,
  network: networkToJson(proven.network),
  squared: format(proven.squared),
  derivation: derivationToJson(proven.derivation),
});

/** The certificate that the network keeps its budget for every value of its weights. */
export const certifyAllWeights = (proven: ProvenNetwork): WrittenCertificate => ({
  certificate: seal(allWeights(proven)),
});

/** Factors T may have to grow by, from rounding or because a rule bounds all channels by one number; the first is nearly always enough. */
const GROWTH = [1, 1 + 2 ** -22, 1 + 2 ** -19, 1 + 2 ** -16, 1 + 2 ** -12, 1.01, 1.1, 1.5, 2, 4, 16];

const linearWitness = (c: WeightContext, layer: Layer): { readonly dominance: object; readonly squared: Q } => {
  if (layer.op.kind !== 'linear') throw new Error(`${layer.path} is not linear`);
  const { rescaling, map } = layer.op;
  const T = storedDiagonal(c, rescaling);
  const d = T.map(v => (v > 2 ** -60 ? 1 / Math.sqrt(v) : 0));
  let problem = '';
  for (const growth of GROWTH) {
    const dominance = findWitness({ ...c, d }, rescaling, new Float64Array(T.length).fill(growth));
    try {
      const squared = checkNorm(dominance, { path: layer.path, map: checkedMap(map, c.image), data: c.W, mode: {} });
      return { dominance, squared };
    } catch (e) {
      if (!(e instanceof Refused)) throw e;
      problem = e.message;
    }
  }
  throw new Error(`no witness was found for ${layer.path}: ${problem}`);
};

/**
 * Certifies `weights` (by path) as `folded`, made of them by `foldInference`, multiplies with them. `progress` is told the path of each layer before its turn. Throws NotCertifiable, and Error when no witness is found.
 */
export const certifyWeights = (
  proven: ProvenNetwork,
  weights: ReadonlyMap<string, Float32Array>,
  folded: TensorGraph,
  progress: (path: string) => void = () => {},
): Required<WrittenCertificate> => {
  const { network } = proven;
  // First of all: it refuses what certificates do not cover.
  const statement = allWeights(proven);
  const emitted = emittedWeights(proven, folded);
  const tensors = new Map<string, EmittedTensor>();
  const put = (name: string, shape: readonly number[], data: Float32Array): object => {
    tensors.set(name, { shape, data });
    return { name, shape, sha256: sha256(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)) };
  };
  const chain = chainOf(network);
  const body: object[] = [];
  let head: object | undefined;
  let product = ONE;
  let shape: Shape = network.input.shape;
  const multiplied = (layer: Layer, m: Float32Array, count: number): void => {
    const most = fromFloat(m.reduce((a, v) => Math.max(a, Math.abs(v)), 0));
    const squared = mul(mul(most, most), { num: BigInt(count), den: 1n });
    add(layer, squared, { tensors: { m: put(`${layer.path}.m`, [m.length], m) } });
  };
  const add = (layer: Layer, squared: Q, rest: object = {}): void => {
    product = mul(product, squared);
    body.push({ path: layer.path, squared: formatQ(squared), ...rest });
  };
  for (const layer of chain) {
    const { op, path } = layer;
    progress(path);
    const weight = (): EmittedWeight => emitted.layers.get(path)!;
    switch (op.kind) {
      case 'center':
      case 'pad':
      case 'flatten':
        add(layer, ONE);
        break;
      case 'scale':
        multiplied(
          layer,
          Float32Array.from(op.divisor, v => 1 / toNumber(v)),
          1,
        );
        break;
      case 'avgpool':
        multiplied(layer, Float32Array.of(1 / Math.sqrt(op.size[0] * op.size[1])), op.size[0] * op.size[1]);
        break;
      case 'activation': {
        if (op.act.kind !== 'leaky_relu') {
          add(layer, activationBound({ function: op.act.kind }));
          break;
        }
        const a = Float32Array.of(toNumber(op.act.slope));
        const squared = activationBound({ function: 'leaky_relu', slope: fromFloat(a[0]) });
        add(layer, squared, { tensors: { a: put(`${path}.a`, [1], a) } });
        break;
      }
      case 'linear':
      case 'residual': {
        const { W, t } = weight();
        const side = op.kind === 'linear' ? op.side : 'out';
        const context = { map: op.map, image: shape, side, W, params: weights };
        const named = {
          W: put(`${path}.W`, weightShape(op.map), W),
          ...(t ? { t: put(`${path}.t`, [op.map.out], t) } : {}),
          ...(op.bias ? { b: put(`${path}.b`, [op.map.out], weights.get(op.bias.path)!) } : {}),
        };
        if (op.kind === 'linear') {
          const { dominance, squared } = linearWitness(context, layer);
          add(layer, squared, { tensors: named, dominance });
        } else {
          // The largest T that t allows.
          const T = Float64Array.from(t!, v => (v > 0 ? (2 / v) * (1 - 2 ** -50) : Number.POSITIVE_INFINITY));
          add(layer, ONE, { tensors: named, dominance: findWitness(context, op.rescaling, T) });
        }
        break;
      }
      case 'head': {
        const rows = emitted.head!;
        head = {
          tensors: {
            W: put(`${path}.W`, op.weight.shape, rows),
            b: put(`${path}.b`, [op.classes], weights.get(op.bias.path)!),
          },
          squaredDistances: pairwiseSquares(rows, op.classes).map(formatQ),
        };
        break;
      }
      default:
        notCertifiable(path, 'layers of this kind');
    }
    shape = layer.shape;
  }
  const certificate = seal({
    ...statement,
    weights: { arithmetic: ARITHMETIC, squared: formatQ(product), layers: body, ...(head ? { head } : {}) },
  });
  return { certificate, tensors };
};
