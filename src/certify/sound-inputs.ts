/** What sound radii start from: norms of the inputs, logits in f64, and the Lipschitz bounds of the emitted tensors. */
import { copyImage, type Dataset } from '../data/dataset.ts';
import { interpret } from '../ir/interpret.ts';
import { elements, type Network } from '../ir/network.ts';
import { type Rational, rational, toNumber } from '../ir/rational.ts';
import type { TensorGraph } from '../ir/tensor.ts';
import { certifyWeights } from '../passes/certificate/certify-weights.ts';
import type { ProvenNetwork } from '../passes/prove/prove.ts';
import type { FrozenNetwork } from '../passes/tensors/freeze.ts';
import { verifyCertificate } from '../proof/verify/certificate.ts';
import { readTensors } from '../proof/verify/read.ts';
import { writeSafetensors } from '../train/safetensors.ts';
import type { InputNorm, LayerBounds } from './rounding.ts';
import { up } from './rounding-norms.ts';

/** Upper bounds of ‖x‖ and, where the network begins with `center`, of ‖x − offset‖, for image `index` of `data`. */
export const inputNorms = (data: Dataset, network: Network): readonly InputNorm[] => {
  const n = elements(data.shape);
  const x = new Float32Array(n);
  const first = network.layers[0]?.op;
  const offset = first?.kind === 'center' ? Float32Array.from(first.offset, toNumber) : undefined;
  const channel = offset && offset.length > 1 ? n / offset.length : n;
  return Array.from({ length: data.labels.length }, (_, index) => {
    copyImage(data, index, x, 0);
    let input = 0;
    let centered = 0;
    for (let i = 0; i < n; i++) {
      input += x[i] * x[i];
      // Subtracting f32 numbers in f64 is off by less than 2⁻⁵³ of the result: within what `up` covers.
      const d = offset ? x[i] - offset[Math.floor(i / channel)] : 0;
      centered += d * d;
    }
    return { input: up(Math.sqrt(input)), ...(offset ? { centered: up(Math.sqrt(centered)) } : {}) };
  });
};

/** The graph with its constants as kernels contain them: rounded to f32. */
export const withEmittedConstants = (graph: TensorGraph): TensorGraph => ({
  ...graph,
  nodes: graph.nodes.map(n => {
    if (n.op.kind === 'constant') return { ...n, op: { ...n.op, value: Math.fround(n.op.value) } };
    if (n.op.kind === 'literal') return { ...n, op: { ...n.op, data: Float32Array.from(n.op.data) } };
    return n;
  }),
});

/** Logits in f64, by image, of the images `which`. */
export const referenceLogits = (
  frozen: FrozenNetwork,
  data: Dataset,
  which: readonly number[],
): ReadonlyMap<number, Float64Array> => {
  const graph = withEmittedConstants(frozen.graph);
  const { batch, output } = frozen;
  const n = elements(data.shape);
  const x = new Float32Array(batch * n);
  const found = new Map<number, Float64Array>();
  for (let from = 0; from < which.length; from += batch) {
    const some = which.slice(from, from + batch);
    x.fill(0);
    some.forEach((index, i) => {
      copyImage(data, index, x, i * n);
    });
    const z = interpret(graph, { inputs: new Map([['x', x]]), params: new Map() }).outputs.get(output.name)!;
    some.forEach((index, i) => {
      found.set(index, z.slice(i * output.size, (i + 1) * output.size));
    });
  }
  return found;
};

/**
 * Squared Lipschitz bounds of the emitted tensors, verified by the checker: of each layer, and of all before the head. Throws NotCertifiable for networks
 * that certificates do not cover.
 */
export const emittedBounds = (
  proven: ProvenNetwork,
  params: ReadonlyMap<string, Float32Array>,
  folded: TensorGraph,
): { readonly layers: LayerBounds; readonly squared: Rational } => {
  const { certificate, tensors, metadata } = certifyWeights(proven, params, folded);
  const bytes = writeSafetensors(new Map([...tensors].map(([k, t]) => [k, { dtype: 'F32', ...t }])), metadata);
  const { emitted } = verifyCertificate(certificate, readTensors(bytes));
  if (!emitted) throw new Error('a certificate with tensors was verified without them');
  // Verified just now: every number of it was recomputed.
  const { layers } = certificate.weights as {
    readonly layers: readonly { readonly path: string; readonly own?: string }[];
  };
  const parse = (text: string): Rational => {
    const [num, den = '1'] = text.split('/');
    return rational(BigInt(num), BigInt(den));
  };
  return {
    layers: new Map(layers.flatMap(l => (l.own === undefined ? [] : [[l.path, parse(l.own)] as const]))),
    squared: rational(emitted.num, emitted.den),
  };
};
