import { existsSync } from 'node:fs';
import type { Dataset, Splits } from './dataset.ts';
import { InputFileError } from './input-file-error.ts';
import { readInputFile } from './read-input-file.ts';

const PIXELS = 3 * 32 * 32;

interface Format {
  /** Folder the official archive unpacks to. */
  readonly folder: string;
  readonly train: readonly string[];
  readonly test: readonly string[];
  /** Bytes before the pixels; the label is the last of them (CIFAR-100 puts the coarse label first). */
  readonly labelBytes: number;
  readonly classes: number;
}

const FORMATS = {
  cifar10: {
    folder: 'cifar-10-batches-bin',
    train: [1, 2, 3, 4, 5].map(i => `data_batch_${i}.bin`),
    test: ['test_batch.bin'],
    labelBytes: 1,
    classes: 10,
  },
  cifar100: { folder: 'cifar-100-binary', train: ['train.bin'], test: ['test.bin'], labelBytes: 2, classes: 100 },
} as const satisfies Record<string, Format>;

/**
 * CIFAR-10 or CIFAR-100 (Krizhevsky 2009) in the official binary version: records of one label byte (CIFAR-100: coarse, fine) and
 * 3072 pixel bytes, channels first. `folder` holds the files, or the folder the archive unpacks to. Record counts come from file sizes.
 */
export const loadCifar = (kind: keyof typeof FORMATS, folder: string): Splits => {
  const format: Format = FORMATS[kind];
  const inner = `${folder}/${format.folder}`;
  const dir = existsSync(inner) ? inner : folder;
  const record = format.labelBytes + PIXELS;
  const help = `name the folder with the binary version of the data, with --data or in the .lip file (relative to it): ${[...format.train, ...format.test].join(', ')}`;
  if (!existsSync(dir)) throw new InputFileError(`the folder ${folder} for ${kind} does not exist`, help);
  const split = (part: 'train' | 'test'): Dataset => {
    const files = format[part].map(name => {
      const path = `${dir}/${name}`;
      const bytes = readInputFile(path, `${kind} ${part} data`, help);
      if (bytes.length === 0 || bytes.length % record !== 0) {
        throw new InputFileError(
          `${path} has ${bytes.length} bytes; expected a multiple of ${record} (${format.labelBytes} label + ${PIXELS} pixel bytes a record)`,
          'the file is cut short or not the binary version (the Python and Matlab versions differ)',
        );
      }
      return { path, bytes };
    });
    const count = files.reduce((n, f) => n + f.bytes.length / record, 0);
    const images = new Uint8Array(count * PIXELS);
    const labels = new Int32Array(count);
    let at = 0;
    for (const { path, bytes } of files) {
      for (let start = 0; start < bytes.length; start += record, at++) {
        const label = bytes[start + format.labelBytes - 1];
        if (label >= format.classes) {
          throw new InputFileError(
            `${path}: record ${start / record} has label ${label}; ${kind} has classes 0 to ${format.classes - 1}`,
            'this is not the binary version of the data, or the file is damaged',
          );
        }
        labels[at] = label;
        images.set(bytes.subarray(start + format.labelBytes, start + record), at * PIXELS);
      }
    }
    return {
      name: `${kind} ${part}`,
      shape: [3, 32, 32],
      classes: format.classes,
      classesKnown: true,
      images,
      labels,
    };
  };
  return { train: split('train'), test: split('test') };
};
