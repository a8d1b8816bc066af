/** `lip init [PATH]`: a commented file to start from. */
import { existsSync, statSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import type { Command } from 'commander';
import { writeAtomically } from '../../train/write-atomically.ts';
import { CliError, EXIT } from '../errors.ts';

const DEFAULT_NAME = 'digits';

/** `my-net` → `MyNet`: a name of the language, whatever the file is called. */
export const networkName = (fileName: string): string => {
  const words = fileName.normalize('NFC').match(/[\p{L}\p{N}]+/gu) ?? [];
  const name = words.map(w => w[0].toUpperCase() + w.slice(1)).join('');
  return /^\p{L}/u.test(name) ? name : `Net${name}`;
};

/** The starter: proves, and trains on the digits that come with lip. `path` is what commands in its comments name. */
const starter = (
  name: string,
  path: string,
): string => `// A classifier of handwritten digits that is 1-Lipschitz for every value of its weights:
// moving the input by r moves no difference of two logits by more than r times the distance of their rows.
//
//   lip check ${path}     shapes, parameters and the proof
//   lip train ${path}     learn the weights
//   lip certify ${path}   how many test images no perturbation of a given size can change
//
// Values in parentheses can be changed on the command line: --set width=16. So can the method: --by aol.
network ${name}(width = 8, convs = 2, denses = 2) by sll {
  input image[1, 28, 28] in [0, 1]
  center 0.1307  // subtracts the mean of the data
  pad channels to width

  // x - 2 W T^-1 relu(W^T x + b), T found by the method after \`by\`: sll, aol, spectral or own(...)
  repeat convs { residual conv hidden = 8, kernel = 3 }

  avgpool 4  // sum over 4x4 blocks / 4: norm exactly 1
  flatten
  repeat denses { residual dense hidden = 128 }
  head 10    // one unit row per class, certified pairwise
}

train ${name} on mnist {
  loss cross_entropy(offset = 3/2 * sqrt(2), temperature = 1/4)  // a larger offset: wider margins
  optimizer adam(rate = 0.01, betas = [0.5, 0.9])
  schedule triangular(peak = 2/5, knee = 4/5)
  epochs 5, batch 64, seed 1
}

// Radii in the units of the input: 36/255 is 36 grey levels of 255, as a Euclidean distance over all pixels.
certify ${name} on mnist at [36/255, 72/255, 108/255, 1]
`;

/** Where the file goes: \`digits.lip\` in a folder that is named, or else the path itself, with its extension. */
const targetOf = (given: string | undefined): string => {
  if (given === undefined) return `${DEFAULT_NAME}.lip`;
  if (given.endsWith('/') || statSync(given, { throwIfNoEntry: false })?.isDirectory())
    return join(given, `${DEFAULT_NAME}.lip`);
  const extension = extname(given);
  if (extension !== '' && extension !== '.lip')
    throw new CliError(`${given} would not be a .lip file`, EXIT.usage, 'give a name, a folder, or a path in .lip');
  return extension === '' ? `${given}.lip` : given;
};

const init = (given: string | undefined, options: { readonly json?: boolean }): void => {
  const path = targetOf(given);
  if (existsSync(path))
    throw new CliError(`${path} exists and was left as it is`, EXIT.usage, 'give another name: `lip init my-net`');
  const name = networkName(basename(path, '.lip'));
  writeAtomically(path, starter(name, path));
  process.stdout.write(
    options.json ? `${JSON.stringify({ path, network: name })}\n` : `${path}\nNext: lip check ${path}\n`,
  );
};

export const register = (program: Command): void => {
  program
    .command('init')
    .description('write a commented .lip file to start from')
    .argument('[path]', `a name, a .lip file or a folder (default: ${DEFAULT_NAME}.lip)`)
    .option('--json', 'print what was written as JSON')
    .action(init);
};
