/** What `lip certify` and `lip start` share: every test image certified, and the results written. */
import { join } from 'node:path';
import { type CertifiedAccuracy, certifiedAccuracy } from '../certify/accuracy.ts';
import { certificate } from '../certify/certificate.ts';
import { accuracyCurve } from '../certify/curve.ts';
import { evaluateImages } from '../certify/evaluate.ts';
import { headGeometry, predict } from '../certify/radii.ts';
import type { Dataset } from '../data/dataset.ts';
import type { CertifyRecipe } from '../ir/recipe.ts';
import type { ProvenNetwork } from '../passes/prove/prove.ts';
import { type FrozenNetwork, freeze } from '../passes/tensors/freeze.ts';
import { formatBound } from '../proof/derivation.ts';
import type { Gpu } from '../runtime/node-device.ts';
import { writeAtomically } from '../train/write-atomically.ts';
import { createProgress } from './progress.ts';
import { adapterName, targetOf } from './train-program.ts';

/** Images per run of the inference plan: enough to keep the device busy. */
const BATCH = { software: 64, hardware: 256 } as const;

export interface CertifyFiles {
  readonly certificate: string;
  readonly picture: string;
}

export interface CertifyOutcome {
  readonly result: CertifiedAccuracy;
  readonly certificate: object;
  readonly files: CertifyFiles;
  /** What was evaluated, and its outputs (images, classes). */
  readonly frozen: FrozenNetwork;
  readonly logits: Float32Array;
}

/** A network with weights, the images to judge it by, and where results go. */
export interface CertifyRun {
  readonly proven: ProvenNetwork;
  readonly recipe: CertifyRecipe;
  readonly params: ReadonlyMap<string, Float32Array>;
  readonly data: Dataset;
  readonly gpu: Gpu;
  readonly folder: string;
}

/** Certifies every image of `data` under the weights `params` and writes certificate and picture to `folder`; progress on stderr. */
export const certifyProgram = async (run: CertifyRun): Promise<CertifyOutcome> => {
  const { proven, recipe, params, data, gpu, folder } = run;
  const progress = createProgress(process.stderr);
  try {
    progress.update('folding weights …');
    const frozen = freeze(proven, params, gpu.software ? BATCH.software : BATCH.hardware);
    if (!frozen.head) throw new Error(`${proven.network.name} has no head`);
    const count = data.labels.length;
    const logits = await evaluateImages({
      device: gpu.device,
      target: targetOf(gpu),
      frozen,
      data,
      onProgress: n => progress.update(`certifying ${n}/${count} images of ${data.name}`),
    });
    const { classes, rows } = frozen.head;
    const result = certifiedAccuracy(logits, data.labels, headGeometry(rows, classes, proven.squared), recipe.radii);
    const predictions = Int32Array.from({ length: count }, (_, i) =>
      predict(logits.subarray(i * classes, (i + 1) * classes)),
    );
    const made = certificate({
      proven,
      params,
      folded: frozen.graph,
      result,
      labels: data.labels,
      predictions,
      data: data.name,
      adapter: adapterName(gpu),
    });
    const files = { certificate: join(folder, 'certificate.json'), picture: join(folder, 'certified-accuracy.svg') };
    writeAtomically(files.certificate, `${JSON.stringify(made)}\n`);
    const subtitle = `${count} images of ${data.name}, proven ${formatBound(proven.squared)}-Lipschitz`;
    writeAtomically(files.picture, accuracyCurve(result, proven.network.name, subtitle));
    progress.line(`certified ${count} images; certificate in ${files.certificate}, picture in ${files.picture}`);
    return { result, certificate: made, files, frozen, logits };
  } finally {
    progress.done();
  }
};
