import type { Dataset } from './dataset.ts';
import { InputFileError } from './input-file-error.ts';
import { readInputFile } from './read-input-file.ts';

export interface NpyArray {
  readonly dtype: 'f4' | 'f8' | 'u1' | 'i4' | 'i8';
  readonly shape: readonly number[];
  readonly data: Float32Array | Float64Array | Uint8Array | Int32Array | BigInt64Array;
}

const READERS = {
  f4: { bytes: 4, view: (b: ArrayBuffer) => new Float32Array(b) },
  f8: { bytes: 8, view: (b: ArrayBuffer) => new Float64Array(b) },
  u1: { bytes: 1, view: (b: ArrayBuffer) => new Uint8Array(b) },
  i4: { bytes: 4, view: (b: ArrayBuffer) => new Int32Array(b) },
  i8: { bytes: 8, view: (b: ArrayBuffer) => new BigInt64Array(b) },
} as const;

/**
 * A NumPy array file (NEP 1), versions 1 to 3, C order, little-endian f4, f8, u1, i4 or i8: 6 magic bytes, version, header length, a
 * Python dictionary with `descr`, `fortran_order` and `shape`, then the data. Throws InputFileError.
 */
export const parseNpy = (bytes: Uint8Array, path: string): NpyArray => {
  const fail = (problem: string, help = 'save it with numpy.save(path, numpy.ascontiguousarray(a))'): never => {
    throw new InputFileError(`${path}: ${problem}`, help);
  };
  const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
  if (bytes.length < 10 || magic.some((m, i) => bytes[i] !== m)) fail('not a .npy file (its first six bytes differ)');
  const version = bytes[6];
  if (version < 1 || version > 3) fail(`.npy version ${version}; versions 1 to 3 are known`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = version === 1 ? 10 : 12;
  if (bytes.length < start) fail('cut short within its header');
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (start + length > bytes.length)
    fail(`cut short: the header takes ${length} bytes, ${bytes.length - start} follow`);
  const header = new TextDecoder(version === 3 ? 'utf-8' : 'latin1').decode(bytes.subarray(start, start + length));
  const descr = /'descr'\s*:\s*'([^']*)'/.exec(header)?.[1];
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(header)?.[1];
  const dims = /'shape'\s*:\s*\(([\d\s,]*)\)/.exec(header)?.[1];
  if (descr === undefined || order === undefined || dims === undefined) {
    return fail(`its header is not a dictionary with 'descr', 'fortran_order' and 'shape': ${header.trim()}`);
  }
  if (order === 'True') fail('in Fortran order; expected C order');
  const m = /^([<|=>])(f4|f8|u1|i4|i8)$/.exec(descr);
  if (!m || (m[1] === '>' && m[2] !== 'u1')) {
    return fail(`element type '${descr}'; expected little-endian f4, f8, u1, i4 or i8`);
  }
  const dtype = m[2] as NpyArray['dtype'];
  const shape = dims
    .split(',')
    .map(d => d.trim())
    .filter(d => d !== '')
    .map(Number);
  const size = shape.reduce((a, b) => a * b, 1) * READERS[dtype].bytes;
  const found = bytes.length - start - length;
  if (found !== size)
    fail(`shape (${shape.join(', ')}) of ${dtype} takes ${size} bytes, but ${found} follow the header`);
  // Copied, because typed arrays want aligned offsets. (`slice` would not do: a Node Buffer's is a view.)
  return { dtype, shape, data: READERS[dtype].view(new Uint8Array(bytes.subarray(start + length)).buffer) };
};

const HELP = 'paths in `npy(…)` count from the folder of the .lip file; --data FOLDER names another one';

const images = (path: string): { shape: number[]; count: number; data: Uint8Array | Float32Array } => {
  const a = parseNpy(readInputFile(path, 'images', HELP), path);
  const expected =
    'expected images as (count, channels, height, width), (count, height, width) or (count, features) of f4, f8 (in the units of the network input) or u1 (divided by 255)';
  if (a.shape.length < 2 || a.shape.length > 4) {
    throw new InputFileError(`${path}: an array of shape (${a.shape.join(', ')})`, expected);
  }
  const [count, ...rest] = a.shape;
  const shape = rest.length === 2 ? [1, ...rest] : rest;
  if (a.data instanceof Uint8Array) return { shape, count, data: a.data };
  if (!(a.data instanceof Float32Array || a.data instanceof Float64Array)) {
    throw new InputFileError(`${path}: images of type ${a.dtype}`, expected);
  }
  const data = a.data instanceof Float32Array ? a.data : Float32Array.from(a.data);
  const bad = data.findIndex(v => !Number.isFinite(v));
  if (bad >= 0)
    throw new InputFileError(`${path}: entry ${bad} is ${a.data[bad]}`, 'every pixel must be a finite f32 number');
  return { shape, count, data };
};

const labels = (path: string): Int32Array => {
  const a = parseNpy(readInputFile(path, 'labels', HELP), path);
  const expected = 'expected labels as a vector (count) of u1, i4 or i8, classes counted from 0';
  if (a.shape.length !== 1) throw new InputFileError(`${path}: an array of shape (${a.shape.join(', ')})`, expected);
  if (a.data instanceof Float32Array || a.data instanceof Float64Array) {
    throw new InputFileError(`${path}: labels of type ${a.dtype}`, expected);
  }
  return Int32Array.from({ length: a.shape[0] }, (_, i) => {
    const v = Number(a.data[i]);
    if (v < 0 || v > 0xffff) throw new InputFileError(`${path}: label ${v} at entry ${i}`, expected);
    return v;
  });
};

/** The pair of files `imagePath`, `labelPath` as one data set. */
export const loadNpyPair = (imagePath: string, labelPath: string, name: string): Dataset => {
  const x = images(imagePath);
  const y = labels(labelPath);
  if (x.count !== y.length) {
    throw new InputFileError(`${imagePath} holds ${x.count} images, but ${labelPath} ${y.length} labels`);
  }
  const classes = y.reduce((a, b) => Math.max(a, b), 0) + 1;
  return { name, shape: x.shape, classes, classesKnown: false, images: x.data, labels: y };
};
