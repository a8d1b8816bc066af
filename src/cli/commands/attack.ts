/** `lip attack`: tries to break certified radii, and says how close it came. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { createOracle } from '../../attack/oracle.ts';
import { attackTable, ratioOf, summarize, summaryToJson, threatModel } from '../../attack/report.ts';
import { type AttackedImage, attackImages } from '../../attack/search.ts';
import { judgeAttacks } from '../../attack/violation.ts';
import { evaluateImages } from '../../certify/evaluate.ts';
import { headGeometry } from '../../certify/radii.ts';
import { copyImage, type Dataset } from '../../data/dataset.ts';
import { elements } from '../../ir/network.ts';
import { toNumber } from '../../ir/rational.ts';
import { freeze } from '../../passes/freeze.ts';
import type { ProvenNetwork } from '../../passes/prove.ts';
import { openDevice } from '../../runtime/node-device.ts';
import { loadWeights } from '../../train/checkpoint.ts';
import { permutation, stream } from '../../train/random.ts';
import { prepareFolder, writeAtomically } from '../../train/write-atomically.ts';
import { CliError, EXIT } from '../errors.ts';
import { addProgramOptions, loadProgram } from '../load-program.ts';
import { createProgress } from '../progress.ts';
import { adapterName, dataFor, outputFolder, pickRecipe, provenOf, targetOf } from '../train-program.ts';

interface AttackCommandOptions {
  readonly weights: string;
  readonly images: number;
  readonly steps: number;
  readonly restarts: number;
  readonly rounds: number;
  readonly seed: number;
  readonly clip?: boolean;
  readonly out?: string;
  readonly data?: string;
  readonly network?: string;
  readonly json?: boolean;
  readonly set?: Record<string, string>;
  readonly by?: string;
}

/** Images per run of a plan. */
const BATCH = { software: 64, hardware: 256 } as const;

/** `count` images of `data`, as f32, drawn by `seed`, in their order; `ids` are their places in `data`. */
export const drawImages = (
  data: Dataset,
  count: number,
  seed: number,
): { readonly ids: Uint32Array; readonly data: Dataset & { readonly images: Float32Array } } => {
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

/** f32, little endian, as base64: the numbers themselves. */
const base64 = (x: Float32Array): string => Buffer.from(x.buffer, x.byteOffset, x.byteLength).toString('base64');

const finite = (x: number): number | null => (Number.isFinite(x) ? x : null);

const attack = async (file: string, options: AttackCommandOptions): Promise<void> => {
  const program = loadProgram(file, options);
  const recipe = pickRecipe('certify', program.certifies, file, options.network);
  const proven = provenOf(program, recipe.network);
  const params = loadWeights(options.weights, proven.network);
  const { ids, data } = drawImages(
    dataFor(program, recipe.data, 'test', proven, options.data),
    options.images,
    options.seed,
  );
  const box = options.clip ? boxOf(proven) : undefined;
  const folder = outputFolder(recipe.network, options.out);
  prepareFolder(folder);
  const gpu = await openDevice();
  const progress = createProgress(process.stderr);
  try {
    const { labels } = data;
    progress.update('folding weights …');
    const frozen = freeze(proven, params, gpu.software ? BATCH.software : BATCH.hardware);
    if (!frozen.head) throw new Error(`${proven.network.name} has no head`);
    const head = headGeometry(frozen.head.rows, frozen.head.classes, proven.squared);
    const logits = await evaluateImages({ device: gpu.device, target: targetOf(gpu), frozen, data });
    progress.line(`attacking ${labels.length} images of ${data.name} on ${adapterName(gpu)}`);
    progress.update('compiling kernels …');
    const oracle = await createOracle(gpu.device, targetOf(gpu), frozen);
    const { steps, restarts, rounds, seed } = options;
    const radii = recipe.radii.map(toNumber).sort((a, b) => a - b);
    let attacked: readonly AttackedImage[];
    try {
      attacked = await attackImages(
        oracle,
        head,
        { x: data.images, labels, ids },
        { steps, restarts, rounds, seed, radii, ...(box ? { box } : {}) },
        (round, open, done) => progress.update(`round ${round + 1}/${rounds}: ${done}/${open} attempts`),
      );
    } finally {
      oracle.destroy();
    }
    const { violations, rounding } = judgeAttacks(frozen, data, attacked, head);
    const summary = summarize(attacked, logits, labels, head, recipe.radii, new Set(rounding.map(s => s.index)));
    const setting = {
      program: file,
      network: recipe.network,
      weights: options.weights,
      data: data.name,
      threatModel: threatModel(box),
      images: labels.length,
      ...{ steps, restarts, rounds, seed },
      adapter: adapterName(gpu),
    };
    if (violations.length > 0) {
      const path = join(folder, 'attack-violation.json');
      const evidence = violations.map(({ index, norm, certified, exact, logits: z }) => ({
        image: ids[index],
        label: labels[index],
        certified: { executed: certified, float64: exact },
        norm,
        by: attacked[index].found!.by,
        x: base64(data.images.slice(index * oracle.inputs, (index + 1) * oracle.inputs)),
        perturbed: base64(attacked[index].found!.x),
        logits: { image: [...z.image], perturbed: [...z.perturbed] },
      }));
      const weightsSha256 = createHash('sha256').update(readFileSync(options.weights)).digest('hex');
      const { source } = program;
      const given = { set: options.set ?? {}, by: options.by ?? null };
      writeAtomically(
        path,
        `${JSON.stringify({ ...setting, ...given, source, weightsSha256, violations: evidence })}\n`,
      );
      throw new CliError(
        `${violations.length} of ${labels.length} certified images were broken inside their certified radius: this is a bug in lip`,
        EXIT.bug,
        `everything needed to reproduce it is in ${path} (with the weights, ${options.weights}): please report it`,
      );
    }
    const path = join(folder, 'attack.json');
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
    writeAtomically(path, `${JSON.stringify(json)}\n`);
    progress.line(`attacked ${labels.length} images; every one in ${path}`);
    process.stdout.write(
      options.json
        ? `${JSON.stringify(json)}\n`
        : attackTable(summary, { ...(box ? { box } : {}), rounding: rounding.length }),
    );
  } finally {
    progress.done();
    gpu.destroy();
  }
};

const atLeast =
  (least: number) =>
  (text: string): number => {
    if (!/^\d{1,9}$/.test(text) || Number(text) < least)
      throw new InvalidArgumentError(`write a whole number from ${least} on.`);
    return Number(text);
  };

export const register = (program: Command): void => {
  addProgramOptions(
    program
      .command('attack <file>')
      .description('try to break certified radii with PGD and APGD on the test data of a certify block')
      .requiredOption('--weights <file>', 'safetensors file with the weights, e.g. a checkpoint of `lip train`')
      .option('--images <n>', 'how many images, drawn by the seed', atLeast(1), 200)
      .option('--steps <n>', 'gradient steps of an attempt', atLeast(1), 20)
      .option('--restarts <n>', 'attempts of each method at each radius', atLeast(1), 1)
      .option('--rounds <n>', 'radii tried per image', atLeast(1), 5)
      .option('--seed <n>', 'seed of every random choice', atLeast(0), 0)
      .option('--clip', 'keep perturbed images in the declared range of the input')
      .option('-o, --out <folder>', 'where attack.json goes (default: out/NETWORK)')
      .option('--data <folder>', 'folder of the data, in place of the one in the file')
      .option('--network <name>', 'which network, when the file certifies several')
      .option('--json', 'print the result as JSON on stdout'),
  ).action((file: string, options: AttackCommandOptions) => attack(file, options));
};
