/** `lip attack`: tries to break certified radii, and says how close it came. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type Command, InvalidArgumentError } from 'commander';
import { attackTable } from '../../attack/report.ts';
import { openDevice } from '../../runtime/node-device.ts';
import { loadWeights } from '../../train/checkpoint.ts';
import { attackProgram } from '../attack-program.ts';
import { addProgramOptions, loadProgram } from '../load-program.ts';
import { dataFor, outputFolder, pickRecipe, provenOf } from '../train-program.ts';

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
  readonly anyNetwork?: boolean;
  readonly json?: boolean;
  readonly set?: Record<string, string>;
  readonly by?: string;
}

const attack = async (file: string, options: AttackCommandOptions): Promise<void> => {
  const program = loadProgram(file, options);
  const recipe = pickRecipe('certify', program.certifies, program, options.network);
  const proven = provenOf(program, recipe.network);
  const params = loadWeights(options.weights, proven.network, options);
  const data = dataFor(program, recipe.data, 'test', proven, options.data);
  const { weights, images, steps, restarts, rounds, seed } = options;
  const gpu = await openDevice();
  try {
    const { summary, sound, attacked, rounding, box, json } = await attackProgram({
      proven,
      recipe,
      params,
      data,
      gpu,
      folder: outputFolder(recipe.network, options.out),
      images,
      clip: options.clip ?? false,
      effort: { steps, restarts, rounds, seed },
      origin: {
        source: program.source,
        set: options.set ?? {},
        by: options.by ?? null,
        weights,
        weightsSha256: createHash('sha256').update(readFileSync(weights)).digest('hex'),
        images,
      },
    });
    process.stdout.write(
      options.json
        ? `${JSON.stringify(json)}\n`
        : attackTable(summary, { rounding, sound, attacked, ...(box ? { box } : {}) }),
    );
  } finally {
    gpu.destroy();
  }
};

const wholeNumber =
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
      .description(
        'try to break certified radii, sound ones too, with PGD and APGD on the test data of a certify block',
      )
      .requiredOption('--weights <file>', 'safetensors file with the weights, e.g. a checkpoint of `lip train`')
      .option('--images <n>', 'how many images, drawn by the seed', wholeNumber(1), 200)
      .option('--steps <n>', 'gradient steps of an attempt', wholeNumber(1), 20)
      .option('--restarts <n>', 'attempts of each method at each radius', wholeNumber(1), 1)
      .option('--rounds <n>', 'radii tried per image', wholeNumber(1), 5)
      .option('--seed <n>', 'seed of every random choice', wholeNumber(0), 0)
      .option('--clip', 'keep perturbed images in the declared range of the input')
      .option('-o, --out <folder>', 'where attack.json goes (default: out/NETWORK)')
      .option('--data <folder>', 'folder of the data, in place of the one in the file')
      .option('--network <name>', 'which network, when the file certifies several')
      .option('--any-network', 'take weights trained as another network, as far as names and shapes fit')
      .option('--json', 'print the result as JSON on stdout'),
  ).action((file: string, options: AttackCommandOptions) => attack(file, options));
};
