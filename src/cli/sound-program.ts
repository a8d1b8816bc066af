/** `lip certify --sound`: certified accuracy of the network as executed. */
import { join } from 'node:path';
import type { CertifiedAccuracy } from '../certify/accuracy.ts';
import { weightHashes } from '../certify/certificate.ts';
import { type LayerRounding, NoRoundingBound } from '../certify/rounding.ts';
import { type SoundAccuracy, type SoundImages, type SoundMode, undecided } from '../certify/sound.ts';
import { soundNetwork, soundRows } from '../certify/sound-claims.ts';
import { inputNorms } from '../certify/sound-inputs.ts';
import { soundToJson } from '../certify/sound-report.ts';
import type { Dataset } from '../data/dataset.ts';
import type { Rational } from '../ir/rational.ts';
import { NotCertifiable } from '../passes/certificate/network-json.ts';
import type { ProvenNetwork } from '../passes/prove/prove.ts';
import type { FrozenNetwork } from '../passes/tensors/freeze.ts';
import type { Gpu } from '../runtime/node-device.ts';
import { writeAtomically } from '../train/write-atomically.ts';
import { CliError, EXIT } from './errors.ts';
import { createProgress } from './progress.ts';
import { adapterName, targetOf } from './train-program.ts';

export interface SoundOutcome {
  readonly sound: readonly SoundAccuracy[];
  /** Per layer, for an input of median norm, in any order. */
  readonly layers: readonly LayerRounding[];
  readonly json: object;
}

/** Whether a network has no bound of its rounding, or its tensors none: no bug. */
export const isWithoutBound = (e: unknown): e is NoRoundingBound | NotCertifiable =>
  e instanceof NoRoundingBound || e instanceof NotCertifiable;

/** Sound certified accuracy in `modes` from the logits that `certifyProgram` computed; writes sound.json to `folder`, progress on stderr. */
export const soundProgram = (run: {
  readonly proven: ProvenNetwork;
  readonly params: ReadonlyMap<string, Float32Array>;
  readonly data: Dataset;
  readonly gpu: Gpu;
  readonly folder: string;
  readonly frozen: FrozenNetwork;
  readonly logits: Float32Array;
  readonly naive: CertifiedAccuracy;
  readonly radii: readonly Rational[];
  readonly modes: readonly SoundMode[];
}): SoundOutcome => {
  const { proven, params, data, frozen, logits, naive, modes } = run;
  const progress = createProgress(process.stderr);
  try {
    progress.update('certifying the emitted tensors …');
    const network = soundNetwork(proven, params, frozen, targetOf(run.gpu));
    const { head, free } = network;
    const norms = inputNorms(data, proven.network);
    const images: SoundImages = { labels: data.labels, norms, logits, head, radii: run.radii };
    const which = undecided(images, free);
    const known = network.measure(data, norms, which, n =>
      progress.update(`evaluating undecided images in f64: ${n}/${which.length}`),
    );
    progress.line(`evaluated ${which.length} of ${data.labels.length} images in f64`);
    const sound = modes.flatMap(mode => {
      progress.update(`bounding rounding errors: ${mode}`);
      return soundRows(network, images, known, mode);
    });
    const middle = [...norms].sort((p, q) => p.input - q.input)[norms.length >> 1];
    const layers = middle ? free.layers(middle) : [];
    const json = {
      format: 'lip-sound-certificate-1',
      network: proven.network.name,
      weights: weightHashes(params, frozen.graph),
      data: { name: data.name, images: data.labels.length },
      adapter: adapterName(run.gpu),
      ...soundToJson(naive, sound),
      layers,
    };
    const file = join(run.folder, 'sound.json');
    writeAtomically(file, `${JSON.stringify(json)}\n`);
    progress.line(`sound radii in ${file}`);
    return { sound, layers, json };
  } catch (e) {
    throw isWithoutBound(e) ? new CliError(e.message, EXIT.negative) : e;
  } finally {
    progress.done();
  }
};
