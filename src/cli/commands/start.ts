/** `lip start` (`npm start`): from a `.lip` file to a trained, certified and built network in one command. */
import { existsSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { accuracyTable } from '../../certify/report.ts';
import { elements, networkParams } from '../../ir/network.ts';
import { formatBound } from '../../proof/derivation.ts';
import { openDevice } from '../../runtime/node-device.ts';
import { certifyProgram } from '../certify-program.ts';
import { CliError, EXIT } from '../errors.ts';
import { addProgramOptions, type LoadOptions, loadProgram } from '../load-program.ts';
import { saveModule } from '../save-module.ts';
import { checkpointPath, dataFor, outputFolder, pickRecipe, provenOf, trainProgram } from '../train-program.ts';
import { INTERRUPTED } from './train.ts';

interface StartOptions extends LoadOptions {
  readonly out?: string;
  readonly data?: string;
}

/** Examples per submission of the module that is built. */
const MODULE_BATCH = 64;

/** The example that comes with the package, looked for from this module upwards. */
const example = (): string => {
  for (let dir = dirname(fileURLToPath(import.meta.url)); ; dir = dirname(dir)) {
    const path = join(dir, 'examples', 'mnist.lip');
    if (existsSync(path)) return relative(process.cwd(), path);
    if (dir === dirname(dir)) {
      throw new CliError('the example examples/mnist.lip is not installed', EXIT.usage, 'name a file: lip start FILE');
    }
  }
};

const start = async (file: string, options: StartOptions): Promise<void> => {
  const program = loadProgram(file, options);
  const recipe = pickRecipe('train', program.trains, program, undefined);
  const proven = provenOf(program, recipe.network);
  const certify = pickRecipe('certify', program.certifies, program, recipe.network);
  const { network } = proven;
  const count = networkParams(network).reduce((n, p) => n + elements(p.shape), 0);
  process.stderr.write(
    `${file}: ${network.name}, ${network.layers.length} layers, ${count.toLocaleString('en')} parameters, proven ${formatBound(proven.squared)}-Lipschitz for every value of its weights\n`,
  );
  const train = dataFor(program, recipe.data, 'train', proven, options.data);
  const test = dataFor(program, certify.data, 'test', proven, options.data);
  const folder = outputFolder(network.name, options.out);
  const gpu = await openDevice();
  try {
    const trained = await trainProgram({ program, recipe, data: train, gpu, path: checkpointPath(folder) });
    if (trained.status === 'interrupted') {
      process.exitCode = INTERRUPTED;
      return;
    }
    const params = new Map(networkParams(network).map(p => [p.path, trained.checkpoint.values.get(p.path)!.data]));
    const { result, certificate } = await certifyProgram({ proven, recipe: certify, params, data: test, gpu, folder });
    const { files } = await saveModule({ proven, weights: params, batch: MODULE_BATCH, folder });
    process.stderr.write(`built ${files[0].path}, a module that runs this network wherever there is WebGPU\n`);
    process.stdout.write(options.json ? `${JSON.stringify(certificate)}\n` : accuracyTable(result));
  } finally {
    gpu.destroy();
  }
};

export const register = (program: Command): void => {
  addProgramOptions(
    program
      .command('start [file]')
      .description('check, prove, train, certify and build a file in one go (default: examples/mnist.lip)')
      .option('-o, --out <folder>', 'where the results go (default: out/NETWORK)')
      .option('--data <folder>', 'folder of the data, in place of the one in the file')
      .option('--json', 'print the certificate as JSON on stdout'),
  ).action((file: string | undefined, options: StartOptions) => start(file ?? example(), options));
};
