/** From source and weights to a certificate and the bytes of its tensors, for tests of the checker. */
import { networkParams } from '../../src/ir/network.ts';
import { parse } from '../../src/parser/parse.ts';
import { certifyWeights } from '../../src/passes/certify-weights.ts';
import { foldInference } from '../../src/passes/freeze.ts';
import { type ProvenNetwork, prove } from '../../src/passes/prove.ts';
import { resolve } from '../../src/passes/resolve.ts';
import { digest, type Verdict, verifyCertificate } from '../../src/proof/verify/certificate.ts';
import { readTensors, type TensorFile } from '../../src/proof/verify/read.ts';
import { writeSafetensors } from '../../src/train/safetensors.ts';
import { type Random, randomParams } from '../random-network.ts';

// biome-ignore lint/suspicious/noExplicitAny: mutations reach into every corner of a certificate
export type Mutable = any;

export interface Certified {
  readonly proven: ProvenNetwork;
  /** As it comes back from the file. */
  readonly certificate: Mutable;
  readonly bytes: Uint8Array;
  readonly file: TensorFile;
}

export const provenFrom = (source: string): ProvenNetwork => {
  const program = resolve(parse(source).file, {});
  if (program.diagnostics.length > 0) throw new Error(`${program.diagnostics[0].message}\n${source}`);
  const result = prove(program.networks[0]);
  if ('diagnostics' in result) throw new Error(`${result.diagnostics[0].message}\n${source}`);
  return result.proven;
};

export const certify = (proven: ProvenNetwork, weights: ReadonlyMap<string, Float32Array>): Certified => {
  const { certificate, tensors, metadata } = certifyWeights(proven, weights, foldInference(proven, weights, 1));
  const bytes = writeSafetensors(new Map([...tensors].map(([k, t]) => [k, { dtype: 'F32' as const, ...t }])), metadata);
  return { proven, certificate: JSON.parse(JSON.stringify(certificate)), bytes, file: readTensors(bytes) };
};

/** Random weights of every kind, `special` in place of some. */
export const weightsFor = (
  proven: ProvenNetwork,
  r: Random,
  special: Readonly<Record<string, ArrayLike<number>>> = {},
): Map<string, Float32Array> => {
  const random = randomParams(r, proven.network);
  return new Map(
    networkParams(proven.network).map(p => [p.path, Float32Array.from(special[p.path] ?? random.get(p.path)!)]),
  );
};

/** `certificate` with `change` done to a copy, and sealed again, so that only its content can betray it. */
export const forge = (certificate: Mutable, change: (c: Mutable) => void): Mutable => {
  const copy = structuredClone(certificate);
  change(copy);
  copy.sha256 = digest(copy);
  return copy;
};

export const verdictOf = (c: Pick<Certified, 'certificate' | 'file'>, exact = false): Verdict =>
  verifyCertificate(c.certificate, c.file, { exact });
