/**
 * The part of an emitted module that is the same for all networks. Bundled into each of them: imports the executor and the
 * certified radius, nothing of Node and nothing else of the compiler.
 */
import { certifiedRadius, predict } from '../certify/radii.ts';
import { PlanError } from '../runtime/errors.ts';
import { createExecutor, createParamStore } from '../runtime/executor.ts';
import type { Artifact, Profile } from './artifact.ts';

export interface LoadOptions {
  /** The weights file, if it does not lie beside the module: its bytes, or where to fetch it. */
  readonly weights?: ArrayBuffer | URL | string;
  /** Which kernels to use; by default those for the device's kind of adapter. */
  readonly profile?: Profile;
}

export interface Certificate {
  /** The class with the largest logit; −1 if a logit is NaN or infinite. */
  readonly label: number;
  /** No perturbation of ℓ2 norm below this changes the label; 0 on a tie, and where the label is −1. */
  readonly radius: number;
}

export interface LoadedNetwork {
  run(x: Float32Array): Promise<Float32Array>;
  certify(logits: Float32Array): Certificate[];
  destroy(): void;
}

/** The root and the quotient of `certifiedRadius` are each rounded once or twice; a radius must not be rounded up. */
const ROUND_DOWN = 1 - 2 ** -50;

/** Only the parts of Node's `fs` that are used, found at run time so that bundlers for browsers see no import. */
interface NodeFiles {
  readFile(url: URL): Promise<Uint8Array>;
}

const fetchBytes = async (url: URL): Promise<ArrayBuffer> => {
  if (url.protocol === 'file:') {
    const host = globalThis as { process?: { getBuiltinModule?: (name: string) => NodeFiles | undefined } };
    const files = host.process?.getBuiltinModule?.('node:fs/promises');
    if (!files) throw new Error('this host cannot read files');
    // Copied: the bytes of a Node buffer may lie in a shared pool.
    return new Uint8Array(await files.readFile(url)).buffer;
  }
  const response = await fetch(url);
  if (!response.ok) throw new Error(`HTTP status ${response.status}`);
  return response.arrayBuffer();
};

const readWeights = async (artifact: Artifact, source: ArrayBuffer | URL | string, base: URL): Promise<ArrayBuffer> => {
  if (source instanceof ArrayBuffer) return source;
  const url = new URL(source, base);
  try {
    return await fetchBytes(url);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new PlanError(
      `the weights of ${artifact.name} cannot be read (${why}): put them at ${url}, or pass options.weights`,
    );
  }
};

const hex = (bytes: ArrayBuffer): string =>
  [...new Uint8Array(bytes)].map(b => b.toString(16).padStart(2, '0')).join('');

const checkWeights = async (artifact: Artifact, bytes: ArrayBuffer): Promise<void> => {
  // Absent on pages that are not served over HTTPS.
  const subtle = globalThis.crypto?.subtle;
  if (!subtle) return;
  const found = hex(await subtle.digest('SHA-256', bytes));
  if (found !== artifact.sha256)
    throw new PlanError(
      `the weights of ${artifact.name} are not the ones it was built and certified with: SHA-256 ${found} instead of ${artifact.sha256}`,
    );
};

const profileOf = (device: GPUDevice): Profile => {
  const info = device.adapterInfo;
  const software = info?.isFallbackAdapter || /swiftshader|llvmpipe/i.test(`${info?.architecture} ${info?.device}`);
  return software ? 'software' : 'gpu';
};

/** Compiles the network's kernels on `device` and uploads its weights, which lie at `file`. */
export const loadNetwork = async (
  artifact: Artifact,
  device: GPUDevice,
  file: URL,
  options: LoadOptions = {},
): Promise<LoadedNetwork> => {
  const bytes = await readWeights(artifact, options.weights ?? file, file);
  await checkWeights(artifact, bytes);
  const stored = artifact.plans[options.profile ?? profileOf(device)];
  const literals = stored.literals.map(l => ({
    buffer: l.buffer,
    data: new Float32Array(bytes, l.offset, l.length / 4),
  }));
  const executor = await createExecutor(device, { ...stored, params: {}, literals }, createParamStore(device));

  const { batch, outputSize, inputShape } = artifact;
  const inputSize = inputShape.reduce((a, b) => a * b, 1);
  const slopes = artifact.squaredSlopes;
  const head = slopes && {
    classes: outputSize,
    squaredSlopes: new Float64Array(bytes, slopes.offset, slopes.length / 8),
  };

  return {
    run: async x => {
      const count = x.length / inputSize;
      if (!Number.isInteger(count))
        throw new PlanError(
          `${artifact.name} takes examples of [${inputShape}], ${inputSize} entries each; ${x.length} entries are no whole number of them`,
        );
      const out = new Float32Array(count * outputSize);
      for (let from = 0; from < count; from += batch) {
        const n = Math.min(batch, count - from);
        let part = x.subarray(from * inputSize, (from + n) * inputSize);
        if (n < batch) {
          const padded = new Float32Array(batch * inputSize);
          padded.set(part);
          part = padded;
        }
        executor.write('x', part);
        const [result] = await executor.runAndRead([artifact.output]);
        out.set(result.subarray(0, n * outputSize), from * outputSize);
      }
      return out;
    },
    certify: logits => {
      if (!head) throw new PlanError(`${artifact.name} has no head, so nothing to certify`);
      if (logits.length % outputSize !== 0)
        throw new PlanError(`${logits.length} logits are no whole number of rows of ${outputSize} classes`);
      return Array.from({ length: logits.length / outputSize }, (_, i) => {
        const row = logits.subarray(i * outputSize, (i + 1) * outputSize);
        const label = predict(row);
        return { label, radius: label < 0 ? 0 : certifiedRadius(row, label, head) * ROUND_DOWN };
      });
    },
    destroy: () => executor.destroy(),
  };
};
