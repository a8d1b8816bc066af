import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { InputFileError } from '../../src/data/input-file-error.ts';
import type { StoredTensor } from '../../src/train/safetensors.ts';
import { firstNonFinite, readSafetensors, writeSafetensors } from '../../src/train/safetensors.ts';

const tensors = new Map<string, StoredTensor>([
  ['a', { dtype: 'F32', shape: [2, 3], data: Float32Array.of(1, -2, 3.5, 0, 1e-38, 7) }],
  ['b', { dtype: 'F64', shape: [], data: Float64Array.of(Math.PI) }],
  ['c', { dtype: 'U8', shape: [3], data: Uint8Array.of(1, 2, 255) }],
  ['d', { dtype: 'I64', shape: [1], data: BigInt64Array.of(-(2n ** 60n)) }],
  ['e', { dtype: 'I32', shape: [0], data: new Int32Array(0) }],
]);

test('what is written is read back', () => {
  const back = readSafetensors(writeSafetensors(tensors, { step: '3' }), 'x');
  expect(back.metadata).toEqual({ step: '3' });
  expect(new Map([...back.tensors].sort())).toEqual(tensors);
});

test('files of another writer', () => {
  const folder = new URL('../fixtures/sll/', import.meta.url).pathname;
  for (const f of readdirSync(folder)) {
    const { tensors: found, metadata } = readSafetensors(readFileSync(folder + f), f);
    expect(found.size).toBeGreaterThan(3);
    expect(metadata.group).toBe('sll');
  }
});

const file = (header: unknown, data: number, length?: bigint): Uint8Array => {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const out = new Uint8Array(8 + text.length + data);
  new DataView(out.buffer).setBigUint64(0, length ?? BigInt(text.length), true);
  out.set(text, 8);
  return out;
};
const entry = (from: number, to: number, change = {}) => ({
  dtype: 'F32',
  shape: [(to - from) / 4],
  data_offsets: [from, to],
  ...change,
});

test.each<[string, Uint8Array, RegExp]>([
  ['empty', new Uint8Array(0), /only 0 bytes/],
  ['huge header', file('{}', 0, 2n ** 63n), /header would take/],
  ['header past the end', file('{}', 0, 99n), /cut short: the header ends at byte 107/],
  ['not JSON', file('{"a"', 0), /header is not JSON/],
  ['not UTF-8', new Uint8Array([1, 0, 0, 0, 0, 0, 0, 0, 0xff]), /header is not JSON/],
  ['not an object', file([], 0), /not a JSON object/],
  ['entry not an object', file({ a: 3 }, 0), /entry a of the header/],
  ['unknown dtype', file({ a: entry(0, 8, { dtype: 'BF16' }) }, 8), /dtype "BF16"; expected F32/],
  ['inherited dtype', file({ a: entry(0, 8, { dtype: 'constructor' }) }, 8), /dtype "constructor"/],
  ['negative size', file({ a: entry(0, 8, { shape: [-2] }) }, 8), /shape \[-2\]/],
  ['fractional offset', file({ a: entry(0, 8, { data_offsets: [0.5, 8.5] }) }, 8), /data_offsets/],
  ['shape against offsets', file({ a: entry(0, 8, { shape: [3] }) }, 8), /takes 12 bytes, its offsets give 8/],
  ['overlap', file({ a: entry(0, 8), b: entry(4, 12) }, 12), /overlaps/],
  ['gap', file({ a: entry(0, 8), b: entry(12, 16) }, 16), /4 unused bytes/],
  ['truncated data', file({ a: entry(0, 8) }, 7), /cut short: the tensors take 8 bytes, the file holds 7/],
  ['trailing data', file({ a: entry(0, 8) }, 9), /1 bytes follow/],
  ['metadata not text', file({ __metadata__: { a: 1 } }, 0), /metadata a is not a string/],
])('%s is refused by name', (_, bytes, message) => {
  const read = () => readSafetensors(bytes, 'weights.safetensors');
  expect(read).toThrow(InputFileError);
  expect(read).toThrow(message);
  expect(read).toThrow(/^weights\.safetensors: /);
});

test('every truncation of a good file is refused', () => {
  const good = writeSafetensors(tensors, { a: 'b' });
  for (let n = 0; n < good.length; n++) expect(() => readSafetensors(good.subarray(0, n), 'x')).toThrow(InputFileError);
});

test('a malformed tensor is not written', () => {
  expect(() => writeSafetensors(new Map([['a', { dtype: 'F32', shape: [2], data: new Float32Array(3) }]]))).toThrow(
    /a: 12 bytes/,
  );
});

test('the first entry that is no number', () => {
  expect(firstNonFinite(Float32Array.of(1, 2, Number.NaN))).toBe(2);
  expect(firstNonFinite(Float64Array.of(Number.NEGATIVE_INFINITY))).toBe(0);
  expect(firstNonFinite(Int32Array.of(1))).toBe(-1);
});
