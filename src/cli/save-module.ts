/** Writes a proven network with its weights as a module: code, types, weights and proof. */
import { join } from 'node:path';
import { weightHashes } from '../certify/certificate.ts';
import { frozenModule } from '../codegen/frozen-module.ts';
import { format } from '../ir/rational.ts';
import type { ProvenNetwork } from '../passes/prove/prove.ts';
import { type FrozenNetwork, freeze } from '../passes/tensors/freeze.ts';
import { derivationToJson, formatBound } from '../proof/derivation.ts';
import { writeAtomically } from '../train/write-atomically.ts';
import { CliError, EXIT } from './errors.ts';

/** Words that cannot name an interface, and names the module itself declares. */
const TAKEN = new Set(
  (
    'any as async await bigint boolean break case catch class const continue debugger default delete do else enum export extends ' +
    'false finally for function if implements import in instanceof interface let never new null number object package private ' +
    'protected public return static string super switch symbol this throw true try type typeof undefined unknown var void while ' +
    'with yield Certificate LoadOptions Promise Float32Array ArrayBuffer URL GPUDevice'
  ).split(' '),
);

/** The proof that travels with a module, and which weights it ships: the hashes are those of a certificate of the same weights. */
const proofFile = (
  proven: ProvenNetwork,
  weights: ReadonlyMap<string, Float32Array>,
  frozen: FrozenNetwork,
  fileSha256: string,
): object => ({
  format: 'lip-proof-1',
  network: proven.network.name,
  bound: { text: formatBound(proven.squared), squared: format(proven.squared) },
  weights: { ...weightHashes(weights, frozen.graph), fileSha256 },
  derivation: derivationToJson(proven.derivation),
});

export interface SavedModule {
  readonly files: readonly { readonly path: string; readonly bytes: number }[];
  /** Of the weights file. */
  readonly sha256: string;
}

/**
 * Writes NETWORK.js, .d.ts, .bin and .proof.json into `folder`, which is made when missing. `batch` is how many examples one submission
 * takes. Throws CliError (exit 2) for a name that cannot be declared or a folder that cannot be written.
 */
export const saveModule = async (options: {
  readonly proven: ProvenNetwork;
  readonly weights: ReadonlyMap<string, Float32Array>;
  readonly batch: number;
  readonly folder: string;
}): Promise<SavedModule> => {
  const { proven, weights, folder } = options;
  const { name } = proven.network;
  if (TAKEN.has(name))
    throw new CliError(`a module cannot declare a type named ${name}`, EXIT.usage, 'give the network another name');
  // Imported here, because ts-morph and esbuild take longer to load than most commands to run.
  const { emitModule } = await import('../codegen/module.ts');
  const frozen = freeze(proven, weights, options.batch);
  const emitted = await emitModule(frozenModule(proven, frozen));
  const proof = proofFile(proven, weights, frozen, emitted.sha256);
  const contents: readonly (readonly [string, Uint8Array | string])[] = [
    [`${name}.js`, emitted.code],
    [`${name}.d.ts`, emitted.types],
    [`${name}.bin`, emitted.weights],
    [`${name}.proof.json`, `${JSON.stringify(proof, null, 2)}\n`],
  ];
  const files = contents.map(([file, content]) => {
    const path = join(folder, file);
    try {
      writeAtomically(path, content);
    } catch (e) {
      throw new CliError(
        `cannot write ${path}: ${e instanceof Error ? e.message : String(e)}`,
        EXIT.usage,
        'choose another folder with -o',
      );
    }
    return { path, bytes: Buffer.byteLength(content) };
  });
  return { files, sha256: emitted.sha256 };
};
