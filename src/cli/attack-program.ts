/** `lip attack`: certified images attacked, the results written, and a broken certificate saved for whoever mends it. */
import { join } from 'node:path';
import { createOracle } from '../attack/oracle.ts';
import { type AttackSummary, ratioOf, soundRatio, summarize, summaryToJson, threatModel } from '../attack/report.ts';
import { type AttackedImage, type AttackOptions, attackImages } from '../attack/search.ts';
import { brokenClaims, squaredNorms, survivors } from '../attack/sound-claims.ts';
import { judgeAttacks, type Suspect } from '../attack/violation.ts';
import { evaluateImages } from '../certify/evaluate.ts';
import { headGeometry } from '../certify/radii.ts';
import { type SoundAccuracy, type SoundImages, type SoundMode, surelyLoses } from '../certify/sound.ts';
import { soundNetwork, soundRows } from '../certify/sound-claims.ts';
import { inputNorms } from '../certify/sound-inputs.ts';
import { finite } from '../certify/sound-report.ts';
import { copyImage, type Dataset } from '../data/dataset.ts';
import { elements } from '../ir/network.ts';
import { format, toNumber } from '../ir/rational.ts';
import type { ProvenNetwork } from '../passes/prove/prove.ts';
import { type FrozenNetwork, freeze } from '../passes/tensors/freeze.ts';
import { permutation, stream } from '../train/random.ts';
import { prepareFolder, writeAtomically } from '../train/write-atomically.ts';
import type { CertifyRun } from './certify-program.ts';
import { CliError, EXIT } from './errors.ts';
import { createProgress } from './progress.ts';
import { isWithoutBound } from './sound-program.ts';
import { adapterName, targetOf } from './train-program.ts';

/** Images per run of a plan. */
const BATCH = { software: 64, hardware: 256 } as const;

interface DrawnImages {
  /** Their places in the data. */
  readonly ids: Uint32Array;
  readonly data: Dataset & { readonly images: Float32Array };
}

/** At most `count` images of `data`, as f32, drawn by `seed`, in their order. */
export const drawImages = (data: Dataset, count: number, seed: number): DrawnImages => {
  const ids = permutation(data.labels.length, stream(seed, 'attacked images')).slice(0, count).sort();
  const n = elements(data.shape);
  const images = new Float32Array(ids.length * n);
  ids.forEach((id, i) => {
    copyImage(data, id, images, i * n);
  });
  return { ids, data: { ...data, images, labels: Int32Array.from(ids, id => data.labels[id]) } };
};

const boxOf = (proven: ProvenNetwork): readonly [number, number] => {
  const { range } = proven.network.input;
  if (!range)
    throw new CliError(
      `${proven.network.name} declares no range of its input, so there is nothing to clip to`,
      EXIT.usage,
      'write e.g. `input image[1, 28, 28] in [0, 1]`, or leave --clip out',
    );
  return [Math.fround(toNumber(range[0])), Math.fround(toNumber(range[1]))];
};

/** f32 in the byte order of the machine (little endian on every one in use) as base64: the numbers themselves. */
const base64 = (x: Float32Array): string => Buffer.from(x.buffer, x.byteOffset, x.byteLength).toString('base64');

const evidence = ({ ids, data }: DrawnImages, attacked: readonly AttackedImage[], s: Suspect): object => {
  const n = elements(data.shape);
  const { x, by } = attacked[s.index].found!;
  return {
    image: ids[s.index],
    label: data.labels[s.index],
    certified: { executed: s.certified, float64: finite(s.exact) },
    norm: s.norm,
    by,
    x: base64(data.images.subarray(s.index * n, (s.index + 1) * n)),
    perturbed: base64(x),
    logits: { image: [...s.logits.image], perturbed: [...s.logits.perturbed] },
  };
};

const SOUND_MODES: readonly SoundMode[] = ['any-order', 'structured', 'measured'];

interface SoundClaims {
  /** Rows of sound certified accuracy of the images attacked, or why there are none. */
  readonly sound: readonly SoundAccuracy[] | string;
  /** Whether the attack on image i changes the class in real arithmetic, beyond doubt. */
  readonly changesInReal: (index: number) => boolean;
}

/** Sound radii of the images that are attacked, every one of them evaluated in f64. */
const soundClaims = (
  { proven, params, gpu, recipe }: AttackRun,
  frozen: FrozenNetwork,
  data: Dataset,
  logits: Float32Array,
  attacked: readonly AttackedImage[],
  onProgress: (images: number) => void,
): SoundClaims => {
  try {
    const network = soundNetwork(proven, params, frozen, targetOf(gpu));
    const { head, f64 } = network;
    const norms = inputNorms(data, proven.network);
    const { radii } = recipe;
    const images: SoundImages = { labels: data.labels, norms, logits, head, radii };
    const known = network.measure(data, norms, [...norms.keys()], onProgress);
    const sound = SOUND_MODES.flatMap(mode => soundRows(network, images, known, mode));
    const changesInReal = (index: number): boolean => {
      const x = attacked[index].found!.x;
      const point = { ...data, images: x, labels: Int32Array.of(data.labels[index]) };
      const [norm] = inputNorms(point, proven.network);
      const { logits: z } = network.measure(point, [norm], [0]).get(0)!;
      return surelyLoses(z, f64.at(norm), data.labels[index], head);
    };
    return { sound, changesInReal };
  } catch (e) {
    if (isWithoutBound(e)) return { sound: e.message, changesInReal: () => false };
    throw e;
  }
};

export interface AttackOutcome {
  readonly summary: AttackSummary;
  readonly sound: readonly SoundAccuracy[] | string;
  readonly attacked: readonly AttackedImage[];
  /** Attacks inside certified radii that rounding explains. */
  readonly rounding: number;
  readonly box: readonly [number, number] | undefined;
  /** What was written to attack.json. */
  readonly json: object;
}

export interface AttackRun extends CertifyRun {
  readonly images: number;
  readonly clip: boolean;
  readonly effort: Pick<AttackOptions, 'steps' | 'restarts' | 'rounds' | 'seed'>;
  readonly origin: object;
}

/**
 * Attacks at most `images` images of `data` and writes attack.json to `folder`; progress on stderr. A sound radius that is broken, by the exact norm of
 * the perturbation, ends in CliError with exit code 3. When a certified radius is broken, and not by
 * rounding, everything needed to see it again goes to attack-violation.json (with `origin`, which says where program and weights came
 * from) and CliError with exit code 70 is thrown.
 */
export const attackProgram = async (run: AttackRun): Promise<AttackOutcome> => {
  const { proven, recipe, params, gpu, folder, effort } = run;
  const box = run.clip ? boxOf(proven) : undefined;
  prepareFolder(folder);
  const drawn = drawImages(run.data, run.images, effort.seed);
  const { ids, data } = drawn;
  const { labels } = data;
  const inputs = elements(data.shape);
  const target = targetOf(gpu);
  const progress = createProgress(process.stderr);
  try {
    progress.update('folding weights …');
    const frozen = freeze(proven, params, gpu.software ? BATCH.software : BATCH.hardware);
    if (!frozen.head) throw new Error(`${proven.network.name} has no head`);
    const head = headGeometry(frozen.head.rows, frozen.head.classes, proven.squared);
    const logits = await evaluateImages({ device: gpu.device, target, frozen, data });
    progress.line(`attacking ${labels.length} images of ${data.name} on ${adapterName(gpu)}`);
    progress.update('compiling kernels …');
    const oracle = await createOracle(gpu.device, target, frozen);
    const radii = recipe.radii.map(toNumber).sort((a, b) => a - b);
    let attacked: readonly AttackedImage[];
    try {
      attacked = await attackImages(
        oracle,
        head,
        { x: data.images, labels, ids },
        { ...effort, radii, ...(box ? { box } : {}) },
        (round, attempts, done) =>
          progress.update(`round ${round + 1}/${effort.rounds}: ${done} of at most ${attempts} attempts`),
      );
    } finally {
      oracle.destroy();
    }
    const { violations, rounding } = judgeAttacks(frozen, data, attacked, head);
    const setting = {
      network: proven.network.name,
      data: data.name,
      threatModel: threatModel(box),
      ...effort,
      adapter: adapterName(gpu),
    };
    if (violations.length > 0) {
      const path = join(folder, 'attack-violation.json');
      const broken = violations.map(s => evidence(drawn, attacked, s));
      writeAtomically(path, `${JSON.stringify({ ...run.origin, ...setting, violations: broken })}\n`);
      throw new CliError(
        `attacks broke ${violations.length} of ${labels.length} images inside their certified radius: this is a bug in lip, not in your program`,
        EXIT.bug,
        `please report it with ${path}, which holds all that is needed to see it again, and with the weights`,
      );
    }
    const summary = summarize(attacked, logits, labels, head, recipe.radii, new Set(rounding.map(s => s.index)));
    progress.update('bounding rounding errors …');
    const { sound, changesInReal } = soundClaims(run, frozen, data, logits, attacked, n =>
      progress.update(`evaluating images in f64: ${n}/${labels.length}`),
    );
    const squared = squaredNorms(attacked, data.images);
    const rows = typeof sound === 'string' ? [] : sound;
    const fallen = brokenClaims(rows, squared, changesInReal);
    const fewer = rows.filter(
      ({ claim, at }) => claim === 'executed' && at.some(a => survivors(attacked, squared, a.radius) < a.certified),
    );
    if (fallen.length > 0 || fewer.length > 0) {
      const path = join(folder, 'attack-violation.json');
      const found = fallen.map(({ index, ...f }) => ({
        ...f,
        image: ids[index],
        label: labels[index],
        squaredNorm: format(squared[index]!),
        x: base64(data.images.subarray(index * inputs, (index + 1) * inputs)),
        perturbed: base64(attacked[index].found!.x),
      }));
      writeAtomically(path, `${JSON.stringify({ ...run.origin, ...setting, broken: found })}\n`);
      throw new CliError(
        `SOUND CERTIFICATE BROKEN: attacks changed the class of ${new Set(fallen.map(f => f.index)).size} of ${labels.length} images within a radius that rounding was allowed for`,
        EXIT.negative,
        `either lip is wrong or the device breaks the accuracy that WGSL guarantees; please report it with ${path}, which holds all that is needed to see it again, and with the weights`,
      );
    }
    const json = {
      ...setting,
      ...summaryToJson(summary),
      sound:
        typeof sound === 'string'
          ? sound
          : sound.map(s => ({
              mode: s.mode,
              claim: s.claim,
              at: s.at.map(a => ({ radius: format(a.radius), certified: a.certified })),
              ratio: soundRatio(attacked, s) ?? null,
            })),
      rounding: rounding.map(s => ids[s.index]),
      perImage: attacked.map((a, i) => ({
        image: ids[i],
        label: labels[i],
        certified: finite(a.certified),
        smallest: finite(a.smallest),
        squaredNorm: squared[i] ? format(squared[i]) : null,
        sound: rows.map(s => s.radii[i]),
        ratio: ratioOf(a) ?? null,
        by: a.found?.by ?? null,
      })),
    };
    const path = join(folder, 'attack.json');
    writeAtomically(path, `${JSON.stringify(json)}\n`);
    progress.line(`attacked ${labels.length} images; each of them in ${path}`);
    return { summary, sound, attacked, rounding: rounding.length, box, json };
  } finally {
    progress.done();
  }
};
