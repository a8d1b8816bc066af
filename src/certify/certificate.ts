import { createHash } from 'node:crypto';
import { exactSqrt, format } from '../ir/rational.ts';
import type { TensorGraph } from '../ir/tensor.ts';
import type { ProvenNetwork } from '../passes/prove/prove.ts';
import { derivationToJson, formatBound } from '../proof/derivation.ts';
import type { CertifiedAccuracy } from './accuracy.ts';

/**
 * SHA-256 of parameters: for each path in ascending order of code units, the path, a zero byte, the number of entries as a
 * little-endian u32, and the f32 entries, little-endian. Independent of the file they were stored in.
 */
export const hashWeights = (params: ReadonlyMap<string, Float32Array>): string => {
  const hash = createHash('sha256');
  for (const path of [...params.keys()].sort()) {
    const data = params.get(path)!;
    hash.update(`${path}\0`);
    hash.update(new Uint8Array(Uint32Array.of(data.length).buffer));
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest('hex');
};

/** SHA-256 of the folded f32 constants the kernels multiply with, in the order of the graph. */
export const hashFolded = (folded: TensorGraph): string => {
  const hash = createHash('sha256');
  for (const { op } of folded.nodes) {
    if (op.kind === 'literal') hash.update(new Uint8Array(Float32Array.from(op.data).buffer));
    else if (op.kind === 'constant') hash.update(new Uint8Array(Float32Array.of(op.value).buffer));
  }
  return hash.digest('hex');
};

/** Which weights a file speaks of: as they were trained, and as the kernels multiply with them. */
export const weightHashes = (
  params: ReadonlyMap<string, Float32Array>,
  folded: TensorGraph,
): { readonly sha256: string; readonly foldedSha256: string } => ({
  sha256: hashWeights(params),
  foldedSha256: hashFolded(folded),
});

export interface CertificateInput {
  readonly proven: ProvenNetwork;
  readonly params: ReadonlyMap<string, Float32Array>;
  readonly folded: TensorGraph;
  readonly result: CertifiedAccuracy;
  readonly labels: ArrayLike<number>;
  readonly predictions: ArrayLike<number>;
  /** Name of the data, e.g. `mnist test`. */
  readonly data: string;
  /** The adapter that computed the logits. */
  readonly adapter: string;
}

/** What was proven, of which weights, and what follows for each image; plain JSON. */
export const certificate = (input: CertificateInput): object => {
  const { proven, result } = input;
  const share = (n: number) => (result.images === 0 ? null : n / result.images);
  const root = exactSqrt(proven.squared);
  return {
    format: 'lip-certificate-1',
    network: proven.network.name,
    statement:
      'In real arithmetic, no perturbation of the input of ℓ2 norm at most the radius changes the predicted class. ' +
      'Logits were computed in f32; margins and radii in f64, rounded towards refusal. The rounding errors of the f32 logits are not part of these radii: those of `lip certify --sound` include them.',
    bound: { value: root ? format(root) : null, text: formatBound(proven.squared), squared: format(proven.squared) },
    budget: format(proven.network.budget),
    weights: weightHashes(input.params, input.folded),
    data: { name: input.data, images: result.images },
    adapter: input.adapter,
    natural: { correct: result.correct, accuracy: share(result.correct) },
    certified: result.at.map(a => ({ radius: format(a.radius), certified: a.certified, accuracy: share(a.certified) })),
    images: {
      labels: Array.from(input.labels),
      predictions: Array.from(input.predictions),
      // Infinite and undefined radii have no JSON number: null, which certifies nothing.
      radii: Array.from(result.radii, r => (Number.isFinite(r) ? r : null)),
    },
    derivation: derivationToJson(proven.derivation),
  };
};
