/** `lip attack`: certified images attacked, the results written, and a broken certificate saved for whoever mends it. */
import { join } from 'node:path';
import { createOracle } from '../attack/oracle.ts';
import { type AttackSummary, ratioOf, summarize, summaryToJson, threatModel } from '../attack/report.ts';
import { type AttackedImage, type AttackOptions, attackImages } from '../attack/search.ts';
import { judgeAttacks, type Suspect } from '../attack/violation.ts';
import { evaluateImages } from '../certify/evaluate.ts';
import { headGeometry } from '../certify/radii.ts';
import { copyImage, type Dataset } from '../data/dataset.ts';
import { elements } from '../ir/network.ts';
import { toNumber } from '../ir/rational.ts';
import type { ProvenNetwork } from '../passes/prove/prove.ts';
import { freeze } from '../passes/tensors/freeze.ts';
import { permutation, stream } from '../train/random.ts';
import { prepareFolder, writeAtomically } from '../train/write-atomically.ts';
import type { CertifyRun } from './certify-program.ts';
import { CliError, EXIT } from './errors.ts';
import { createProgress } from './progress.ts';
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

const finite = (x: number): number | null => (Number.isFinite(x) ? x : null);

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

export interface AttackOutcome {
  readonly summary: AttackSummary;
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
 * Attacks at most `images` images of `data` and writes attack.json to `folder`; progress on stderr. When a certified radius is broken, and not by
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
    const json = {
      ...setting,
      ...summaryToJson(summary),
      rounding: rounding.map(s => ids[s.index]),
      perImage: attacked.map((a, i) => ({
        image: ids[i],
        label: labels[i],
        certified: finite(a.certified),
        smallest: finite(a.smallest),
        ratio: ratioOf(a) ?? null,
        by: a.found?.by ?? null,
      })),
    };
    const path = join(folder, 'attack.json');
    writeAtomically(path, `${JSON.stringify(json)}\n`);
    progress.line(`attacked ${labels.length} images; each of them in ${path}`);
    return { summary, rounding: rounding.length, box, json };
  } finally {
    progress.done();
  }
};
