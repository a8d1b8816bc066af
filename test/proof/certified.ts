/** From source and weights to a certificate and the bytes of its tensors, for tests of the checker. */
import { networkParams } from '../../src/ir/network.ts';
import { parse } from '../../src/parser/parse.ts';
import { certifyWeights } from '../../src/passes/certificate/certify-weights.ts';
import { type ProvenNetwork, prove } from '../../src/passes/prove/prove.ts';
import { resolve } from '../../src/passes/resolve/resolve.ts';
import { foldInference } from '../../src/passes/tensors/freeze.ts';
import { digest, networkDigest, type Verdict, verifyCertificate } from '../../src/proof/verify/certificate.ts';
import { Refused } from '../../src/proof/verify/numbers.ts';
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

/** Every leaf of a JSON value with its path, e.g. "weights.layers.3.dominance.q.0.1". */
export const leaves = (value: Mutable, path: readonly string[] = []): string[][] =>
  typeof value === 'object' && value !== null
    ? Object.keys(value).flatMap(k => leaves(value[k], [...path, k]))
    : [[...path]];
export const at = (root: Mutable, path: readonly string[]): Mutable => path.reduce((v, k) => v[k], root);
export const replace = (root: Mutable, path: readonly string[], value: unknown): void => {
  at(root, path.slice(0, -1))[path[path.length - 1]] = value;
};

/** Ways to be wrong about one leaf. */
export const wrong = (value: unknown): unknown[] => {
  if (typeof value === 'boolean') return [!value, 0, null, 'true'];
  if (typeof value === 'number')
    return [value + 1, value - 1, -value - 1, value === 0 ? 1.5 : value * 1.5, null, `${value}`];
  const text = value as string;
  const others = [`${text}0`, '', '1/0', `0${text}`, 0, null];
  if (/^-?\d/.test(text)) return [...others, text.startsWith('-') ? text.slice(1) : `-${text}`];
  return [...others, text.slice(0, -1), 'identity'];
};

/**
 * The changes of one leaf that are accepted when the certificate is sealed again; with `rebind` the forger names the false network in the
 * tensors file as well. Witnesses are left alone: another one may prove the same.
 */
export const survivors = (c: Certified, rebind: boolean): { readonly accepted: string[]; readonly tried: number } => {
  const witness = /\.(q|T)\.\d+\.[01]$|\.dominance(\.premise)*\.grid$/;
  const accepted: string[] = [];
  let tried = 0;
  verdictOf(c);
  for (const path of leaves(c.certificate)) {
    const name = path.join('.');
    if (name === 'sha256' || witness.test(name)) continue;
    // Two of the ways at each leaf, others at the next: that all are tried everywhere takes long.
    const all = wrong(at(c.certificate, path));
    for (const value of [all[tried % all.length], all[(tried + 3) % all.length]]) {
      const forged = forge(c.certificate, copy => replace(copy, path, value));
      tried += 1;
      try {
        verifyCertificate(forged, rebind ? { ...c.file, network: networkDigest(forged) } : c.file);
        accepted.push(name);
      } catch (e) {
        if (!(e instanceof Refused)) throw new Error(`${name} = ${value}: ${e}`);
      }
    }
  }
  return { accepted: [...new Set(accepted)], tried };
};
