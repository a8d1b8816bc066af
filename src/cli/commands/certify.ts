/** `lip certify`: certified accuracy of trained weights on the test data of a certify block. */
import type { Command } from 'commander';
import { accuracyTable } from '../../certify/report.ts';
import { openDevice } from '../../runtime/node-device.ts';
import { loadWeights } from '../../train/checkpoint.ts';
import { certifyProgram } from '../certify-program.ts';
import { addProgramOptions, loadProgram } from '../load-program.ts';
import { dataFor, outputFolder, pickRecipe, provenOf } from '../train-program.ts';

interface CertifyCommandOptions {
  readonly weights: string;
  readonly out?: string;
  readonly data?: string;
  readonly network?: string;
  readonly json?: boolean;
  readonly set?: Record<string, string>;
  readonly by?: string;
}

const certify = async (file: string, options: CertifyCommandOptions): Promise<void> => {
  const program = loadProgram(file, options);
  const recipe = pickRecipe('certify', program.certifies, file, options.network);
  const proven = provenOf(program, recipe.network);
  const params = loadWeights(options.weights, proven.network);
  const data = dataFor(program, recipe.data, 'test', proven, options.data);
  const gpu = await openDevice();
  try {
    const folder = outputFolder(recipe.network, options.out);
    const { result, certificate } = await certifyProgram({ proven, recipe, params, data, gpu, folder });
    process.stdout.write(options.json ? `${JSON.stringify(certificate)}\n` : accuracyTable(result));
  } finally {
    gpu.destroy();
  }
};

export const register = (program: Command): void => {
  addProgramOptions(
    program
      .command('certify <file>')
      .description('certify trained weights on the test data of a certify block')
      .requiredOption('--weights <file>', 'safetensors file with the weights, e.g. a checkpoint of `lip train`')
      .option('-o, --out <folder>', 'where certificate and picture go (default: out/NETWORK)')
      .option('--data <folder>', 'folder of the data, in place of the one in the file')
      .option('--network <name>', 'which network, when the file certifies several')
      .option('--json', 'print the certificate as JSON on stdout'),
  ).action((file: string, options: CertifyCommandOptions) => certify(file, options));
};
