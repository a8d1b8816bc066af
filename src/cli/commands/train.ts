/** `lip train`: runs the train block of a file. */
import type { Command } from 'commander';
import type { TrainRecipe } from '../../ir/recipe.ts';
import { openDevice } from '../../runtime/node-device.ts';
import { addProgramOptions, loadProgram, type ProvenProgram } from '../load-program.ts';
import { checkpointPath, dataFor, outputFolder, pickRecipe, provenOf, trainProgram } from '../train-program.ts';
import { wholeNumber } from '../whole-number.ts';

interface TrainCommandOptions {
  readonly out?: string;
  readonly epochs?: number;
  readonly seed?: number;
  readonly resume?: string;
  readonly data?: string;
  readonly network?: string;
  readonly json?: boolean;
  readonly set?: Record<string, string>;
  readonly by?: string;
}

/** Exit code of a process ended by Ctrl-C, as shells report it. */
export const INTERRUPTED = 130;

/** What to do with the weights: certify them, or build them where the file certifies nothing. */
const nextCommand = (program: ProvenProgram, network: string, weights: string, options: TrainCommandOptions): string =>
  [
    `lip ${program.certifies.some(c => c.network === network) ? 'certify' : 'build'} ${program.path} --weights ${weights}`,
    ...(options.out === undefined ? [] : [`-o ${options.out}`]),
    ...(program.networks.length > 1 ? [`--network ${network}`] : []),
    ...Object.entries(options.set ?? {}).map(([name, value]) => `--set ${name}=${value}`),
    ...(options.by === undefined ? [] : [`--by "${options.by}"`]),
  ].join(' ');

const train = async (file: string, options: TrainCommandOptions): Promise<void> => {
  const program = loadProgram(file, options);
  const written = pickRecipe('train', program.trains, program, options.network);
  const recipe: TrainRecipe = {
    ...written,
    epochs: options.epochs ?? written.epochs,
    seed: options.seed ?? written.seed,
  };
  const data = dataFor(program, recipe.data, 'train', provenOf(program, recipe.network), options.data);
  const path = checkpointPath(outputFolder(recipe.network, options.out));
  const gpu = await openDevice();
  try {
    const { resume } = options;
    const result = await trainProgram({
      program,
      recipe,
      data,
      gpu,
      path,
      ...(resume === undefined ? {} : { resume }),
    });
    if (options.json) {
      const { status, seconds, checkpoint } = result;
      process.stdout.write(
        `${JSON.stringify({ status, network: recipe.network, step: checkpoint.step, seconds, checkpoint: path })}\n`,
      );
    }
    if (result.status === 'interrupted') process.exitCode = INTERRUPTED;
    else process.stderr.write(`next: ${nextCommand(program, recipe.network, path, options)}\n`);
  } finally {
    gpu.destroy();
  }
};

export const register = (program: Command): void => {
  addProgramOptions(
    program
      .command('train <file>')
      .description('train a network by its train block')
      .option('-o, --out <folder>', 'where the checkpoint goes (default: out/NETWORK)')
      .option('--epochs <n>', 'epochs, in place of those in the file', wholeNumber(1))
      .option('--seed <n>', 'seed, in place of the one in the file', wholeNumber(0))
      .option('--resume <checkpoint>', 'go on from a checkpoint of the same recipe')
      .option('--data <folder>', 'folder of the data, in place of the one in the file')
      .option('--network <name>', 'which network, when the file trains several')
      .option('--json', 'print a summary as JSON on stdout'),
  ).action((file: string, options: TrainCommandOptions) => train(file, options));
};
