/** `lip certify --sound`: certified accuracy of the network as executed. */
import { join } from 'node:path';
import type { CertifiedAccuracy } from '../certify/accuracy.ts';
import { measureImages } from '../certify/measure.ts';
import { headGeometry } from '../certify/radii.ts';
import { type LayerRounding, NoRoundingBound, type RoundingModel, roundingModel } from '../certify/rounding.ts';
import { anyOrder, float64, structured } from '../certify/rounding-arithmetic.ts';
import { summationDepth } from '../certify/rounding-depth.ts';
import {
  type Evidence,
  type SoundAccuracy,
  type SoundImages,
  type SoundMode,
  soundAccuracy,
  undecided,
} from '../certify/sound.ts';
import { emittedBounds, inputNorms } from '../certify/sound-inputs.ts';
import { soundToJson } from '../certify/sound-report.ts';
import type { Dataset } from '../data/dataset.ts';
import { inBlocks } from '../ir/kernel.ts';
import { ONE, type Rational } from '../ir/rational.ts';
import { NotCertifiable } from '../passes/certificate/network-json.ts';
import { compileGraph } from '../passes/kernels/compile-graph.ts';
import type { ProvenNetwork } from '../passes/prove/prove.ts';
import { emittedWeights, type FrozenNetwork, foldInference } from '../passes/tensors/freeze.ts';
import type { Gpu } from '../runtime/node-device.ts';
import { writeAtomically } from '../train/write-atomically.ts';
import { CliError, EXIT } from './errors.ts';
import { createProgress } from './progress.ts';
import { targetOf } from './train-program.ts';

export interface SoundOutcome {
  readonly sound: readonly SoundAccuracy[];
  /** Per layer, for an input of median norm, in any order. */
  readonly layers: readonly LayerRounding[];
  readonly json: object;
}

/** A bound that a network does not have is no bug: exit code 3. */
const asRefusal = (e: unknown): unknown =>
  e instanceof NoRoundingBound || e instanceof NotCertifiable ? new CliError(e.message, EXIT.negative) : e;

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
    const folded = foldInference(proven, params, 1);
    const bounds = emittedBounds(proven, params, folded);
    const emitted = emittedWeights(proven, folded);
    const { classes, rows } = frozen.head!;
    const head = { slopes: headGeometry(rows, classes, bounds.squared), distances: headGeometry(rows, classes, ONE) };
    const norms = inputNorms(data, proven.network);
    const images: SoundImages = { labels: data.labels, norms, logits, head, radii: run.radii };
    const model = (arithmetic: Parameters<typeof roundingModel>[4]) =>
      roundingModel(proven, emitted, params, bounds.layers, arithmetic);
    const free = model(anyOrder);
    const f64 = model(float64);
    const executed = (i: number) => logits.subarray(i * classes, (i + 1) * classes);
    const which = undecided(images, free);
    const known = measureImages({ proven, frozen, emitted }, f64, data, norms, which, n =>
      progress.update(`evaluating undecided images in f64: ${n}/${which.length}`),
    );
    progress.line(`evaluated ${which.length} of ${data.labels.length} images in f64`);
    /** By norms alone, and by what was measured. */
    const inOrder = (order: RoundingModel, i: number): Evidence[] => {
      const plain = { logits: executed(i), centre: order, ball: order };
      const found = known.get(i);
      return found ? [plain, { ...plain, measured: found.measured }] : [plain];
    };
    const again = (i: number, ball?: RoundingModel): Evidence[] => {
      const found = known.get(i);
      return found ? [{ logits: found.logits, centre: f64, measured: found.measured, ...(ball && { ball }) }] : [];
    };
    const sound = modes.flatMap((mode): SoundAccuracy[] => {
      progress.update(`bounding rounding errors: ${mode}`);
      switch (mode) {
        case 'any-order':
          return [soundAccuracy(mode, 'executed', images, i => inOrder(free, i))];
        case 'structured': {
          const ordered = model(structured(summationDepth(compileGraph(frozen.graph, inBlocks(targetOf(run.gpu))))));
          return [soundAccuracy(mode, 'executed', images, i => inOrder(ordered, i))];
        }
        case 'measured':
          return [
            soundAccuracy(mode, 'executed', images, i => [...inOrder(free, i), ...again(i, free)]),
            soundAccuracy(mode, 'real', images, i => [...inOrder(free, i), ...again(i)]),
          ];
        default:
          return mode satisfies never;
      }
    });
    const middle = [...norms].sort((p, q) => p.input - q.input)[norms.length >> 1];
    const layers = middle ? free.layers(middle) : [];
    const json = { ...soundToJson(naive, sound), layers };
    const file = join(run.folder, 'sound.json');
    writeAtomically(file, `${JSON.stringify(json)}\n`);
    progress.line(`sound radii in ${file}`);
    return { sound, layers, json };
  } catch (e) {
    throw asRefusal(e);
  } finally {
    progress.done();
  }
};
