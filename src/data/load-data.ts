import { isAbsolute, join } from 'node:path';
import type { DataSource } from '../ir/recipe.ts';
import { loadCifar } from './cifar.ts';
import type { Splits } from './dataset.ts';
import { loadIdx } from './idx.ts';
import { InputFileError } from './input-file-error.ts';
import { loadMnist } from './mnist.ts';
import { loadNpyPair } from './npy.ts';

interface Where {
  readonly source: DataSource;
  /** The folder given on the command line; it wins over the one in the file. */
  readonly dir: string | undefined;
  /** A path of the `.lip` file, taken from that file's folder. */
  readonly path: (p: string) => string;
}

const folderOf = ({ source, dir, path }: Where): string => {
  const folder = dir ?? (source.args[0] === undefined ? undefined : path(source.args[0]));
  if (folder === undefined) {
    throw new InputFileError(
      `${source.name} needs the folder its files are in`,
      `write \`on ${source.name}("folder")\`, or pass --data folder`,
    );
  }
  return folder;
};

/** Every name that may stand after `on`. */
const SOURCES: Readonly<Record<string, (where: Where) => Splits>> = {
  mnist: w => (w.dir !== undefined ? loadIdx(folderOf(w), 'mnist', 10) : loadMnist()),
  idx: w => loadIdx(folderOf(w), 'idx'),
  cifar10: w => loadCifar('cifar10', folderOf(w)),
  cifar100: w => loadCifar('cifar100', folderOf(w)),
  npy: w => {
    const base = w.dir === undefined ? w.path : (p: string) => join(w.dir!, p);
    const files = w.source.args.map(base);
    if (files.length !== 2 && files.length !== 4) {
      throw new InputFileError(
        `npy takes 2 files (images, labels: used both to train and to test) or 4 (train images and labels, test images and labels), not ${files.length}`,
        'write `on npy("train-x.npy", "train-y.npy", "test-x.npy", "test-y.npy")`',
      );
    }
    const train = loadNpyPair(files[0], files[1], files.length === 2 ? 'npy' : 'npy train');
    return { train, test: files.length === 2 ? train : loadNpyPair(files[2], files[3], 'npy test') };
  },
};

/** Names that may stand after `on` in `train` and `certify`. */
export const dataSourceNames: readonly string[] = Object.keys(SOURCES);

/**
 * The data a recipe names. `base` is the folder of the `.lip` file, from which its paths are taken; `dir` a folder that replaces the one
 * in the file. Throws InputFileError when something is missing or malformed.
 */
export const loadData = (source: DataSource, options: { base?: string; dir?: string } = {}): Splits => {
  const load = Object.hasOwn(SOURCES, source.name) ? SOURCES[source.name] : undefined;
  if (!load) {
    throw new InputFileError(`unknown data set ${source.name}`, `known: ${dataSourceNames.join(', ')}`);
  }
  const path = (p: string) => (isAbsolute(p) ? p : join(options.base ?? '.', p));
  return load({ source, dir: options.dir, path });
};
