import type { Dataset, Splits } from './dataset.ts';
import { InputFileError } from './input-file-error.ts';
import { readPlainOrGzip } from './read-input-file.ts';

/**
 * The IDX format of MNIST (LeCun, Cortes, Burges): two zero bytes, the element type (0x08: unsigned byte), the number of axes, each
 * extent as a big-endian 32-bit integer, then the entries in row-major order.
 */
const parseIdx = (bytes: Uint8Array, path: string, axes: number): { shape: number[]; data: Uint8Array } => {
  const fail = (problem: string): never => {
    throw new InputFileError(`${path}: ${problem}`, 'this should be an IDX file of unsigned bytes, plain or gzipped');
  };
  const header = 4 + 4 * axes;
  if (bytes.length < 4) fail(`only ${bytes.length} bytes, too short for an IDX header`);
  if (bytes[0] !== 0 || bytes[1] !== 0)
    fail(`starts with bytes ${bytes[0]}, ${bytes[1]}; an IDX file starts with 0, 0`);
  if (bytes[2] !== 0x08)
    fail(`element type 0x${bytes[2].toString(16).padStart(2, '0')}; expected 0x08 (unsigned byte)`);
  if (bytes[3] !== axes) fail(`${bytes[3]} axes; expected ${axes}`);
  if (bytes.length < header) fail(`only ${bytes.length} bytes, the header alone takes ${header}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shape = Array.from({ length: axes }, (_, i) => view.getUint32(4 + 4 * i));
  const size = shape.reduce((a, b) => a * b, 1);
  if (bytes.length - header !== size) {
    fail(`its header says [${shape.join(', ')}] = ${size} bytes of data, but ${bytes.length - header} follow`);
  }
  return { shape, data: bytes.subarray(header) };
};

const FILES = {
  train: ['train-images-idx3-ubyte', 'train-labels-idx1-ubyte'],
  test: ['t10k-images-idx3-ubyte', 't10k-labels-idx1-ubyte'],
} as const;

/** Some mirrors write `train-images.idx3-ubyte`. */
const spellings = (name: string): string[] => [name, name.replace('-idx', '.idx')];

/** The four official files of MNIST, Fashion-MNIST, KMNIST, … in `folder`, each plain or gzipped. `classes` when the set is known. */
export const loadIdx = (folder: string, name: string, classes?: number): Splits => {
  const read = (part: 'train' | 'test') => {
    const images = readPlainOrGzip(folder, spellings(FILES[part][0]), `${part} images`);
    const labels = readPlainOrGzip(folder, spellings(FILES[part][1]), `${part} labels`);
    const x = parseIdx(images.bytes, images.path, 3);
    const y = parseIdx(labels.bytes, labels.path, 1);
    if (x.shape[0] !== y.shape[0]) {
      throw new InputFileError(`${images.path} holds ${x.shape[0]} images, but ${labels.path} ${y.shape[0]} labels`);
    }
    const bad = classes === undefined ? -1 : y.data.findIndex(v => v >= classes);
    if (bad >= 0)
      throw new InputFileError(
        `${labels.path}: label ${y.data[bad]} at entry ${bad}; ${name} has classes 0 to ${classes! - 1}`,
      );
    return { shape: [1, x.shape[1], x.shape[2]], images: x.data, labels: Int32Array.from(y.data) };
  };
  const train = read('train');
  const test = read('test');
  if (train.shape.join() !== test.shape.join()) {
    throw new InputFileError(
      `${folder}: training images are ${train.shape.slice(1).join('×')}, test images ${test.shape.slice(1).join('×')}`,
    );
  }
  const highest = [train, test].reduce((m, s) => s.labels.reduce((a, b) => Math.max(a, b), m), 0);
  const dataset = (part: 'train' | 'test', s: typeof train): Dataset => ({
    name: `${name} ${part}`,
    classes: classes ?? highest + 1,
    classesKnown: classes !== undefined,
    ...s,
  });
  return { train: dataset('train', train), test: dataset('test', test) };
};
