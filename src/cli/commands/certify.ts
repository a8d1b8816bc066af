/** `lip certify`: certified accuracy of trained weights on the test data of a certify block. */
import { existsSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { accuracyTable } from '../../certify/report.ts';
import type { SoundMode } from '../../certify/sound.ts';
import { soundTable } from '../../certify/sound-report.ts';
import { openDevice } from '../../runtime/node-device.ts';
import { loadWeights } from '../../train/checkpoint.ts';
import { certifyProgram } from '../certify-program.ts';
import { CliError, EXIT } from '../errors.ts';
import { addProgramOptions, loadProgram } from '../load-program.ts';
import { soundProgram } from '../sound-program.ts';
import { checkpointPath, dataFor, outputFolder, pickRecipe, provenOf } from '../train-program.ts';

interface CertifyCommandOptions {
  readonly weights?: string;
  readonly out?: string;
  readonly data?: string;
  readonly network?: string;
  readonly anyNetwork?: boolean;
  readonly sound?: SoundMode | 'all';
  readonly json?: boolean;
  readonly set?: Record<string, string>;
  readonly by?: string;
}

const MODES: readonly SoundMode[] = ['any-order', 'structured', 'measured'];

const certify = async (file: string, options: CertifyCommandOptions): Promise<void> => {
  const program = loadProgram(file, options);
  const recipe = pickRecipe('certify', program.certifies, program, options.network);
  const proven = provenOf(program, recipe.network);
  const path = checkpointPath(outputFolder(recipe.network, options.out));
  if (options.weights === undefined)
    throw new CliError(
      `required option '--weights <file>' not specified`,
      EXIT.usage,
      existsSync(path) ? `there is ${path}` : `\`lip train ${file}\` writes ${path}`,
    );
  const params = loadWeights(options.weights, proven.network, options);
  const data = dataFor(program, recipe.data, 'test', proven, options.data);
  const gpu = await openDevice();
  try {
    const folder = outputFolder(recipe.network, options.out);
    const made = await certifyProgram({ proven, recipe, params, data, gpu, folder });
    const { result: naive, certificate, frozen, logits } = made;
    if (options.sound === undefined) {
      process.stdout.write(options.json ? `${JSON.stringify(certificate)}\n` : accuracyTable(naive));
      return;
    }
    const modes = options.sound === 'all' ? MODES : [options.sound];
    const { radii } = recipe;
    const { sound, layers, json } = soundProgram({
      proven,
      params,
      data,
      gpu,
      folder,
      frozen,
      logits,
      naive,
      radii,
      modes,
    });
    process.stdout.write(
      options.json
        ? `${JSON.stringify({ ...certificate, rounding: json })}\n`
        : `${accuracyTable(naive)}\n${soundTable(naive, sound, layers)}`,
    );
  } finally {
    gpu.destroy();
  }
};

export const register = (program: Command): void => {
  addProgramOptions(
    program
      .command('certify <file>')
      .description('certify trained weights on the test data of a certify block')
      .option('--weights <file>', 'safetensors file with the weights, e.g. a checkpoint of `lip train`')
      .option('-o, --out <folder>', 'where certificate and picture go (default: out/NETWORK)')
      .option('--data <folder>', 'folder of the data, in place of the one in the file')
      .option('--network <name>', 'which network, when the file certifies several')
      .option('--any-network', 'take weights trained as another network, as far as names and shapes fit')
      .addOption(
        new Option('--sound [mode]', 'also radii that hold for the network as executed, rounding errors included')
          .choices([...MODES, 'all'])
          .preset('all'),
      )
      .option('--json', 'print the certificate as JSON on stdout'),
  ).action((file: string, options: CertifyCommandOptions) => certify(file, options));
};
