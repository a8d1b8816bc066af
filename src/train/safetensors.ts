import { InputFileError } from '../data/input-file-error.ts';

/** Element types of safetensors files that this project reads and writes. */
export type Dtype = 'F32' | 'F64' | 'I32' | 'I64' | 'U8';
export type TensorData = Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array;

export interface StoredTensor {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Row-major. */
  readonly data: TensorData;
}

export interface Safetensors {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

const DTYPES = {
  F32: { bytes: 4, view: (b: ArrayBuffer) => new Float32Array(b) },
  F64: { bytes: 8, view: (b: ArrayBuffer) => new Float64Array(b) },
  I32: { bytes: 4, view: (b: ArrayBuffer) => new Int32Array(b) },
  I64: { bytes: 8, view: (b: ArrayBuffer) => new BigInt64Array(b) },
  U8: { bytes: 1, view: (b: ArrayBuffer) => new Uint8Array(b) },
} as const satisfies Record<Dtype, { bytes: number; view: (b: ArrayBuffer) => TensorData }>;

/** A header larger than this is damage, not a network (the reference implementation draws the same line). */
const HEADER_LIMIT = 100_000_000;

const isObject = (v: unknown): v is Record<string, unknown> => typeof v === 'object' && v !== null && !Array.isArray(v);
const isCount = (v: unknown): v is number => Number.isSafeInteger(v) && (v as number) >= 0;

/**
 * Reads a safetensors file: a little-endian 64-bit header length, a JSON header, the data. Everything in the header is checked against
 * the file: dtype × shape = length of each tensor, the tensors cover the data without gap or overlap, nothing is missing or left over.
 * `file` is its name in messages. Throws InputFileError.
 */
export const readSafetensors = (bytes: Uint8Array, file: string): Safetensors => {
  const fail = (problem: string): never => {
    throw new InputFileError(`${file}: ${problem}`, 'the file is damaged or not a safetensors file: use another copy');
  };
  if (bytes.length < 8) return fail(`only ${bytes.length} bytes, too short for a safetensors file`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerLength = view.getBigUint64(0, true);
  if (headerLength > BigInt(HEADER_LIMIT)) {
    return fail(`its header would take ${headerLength} bytes, so this is not a safetensors file`);
  }
  const start = 8 + Number(headerLength);
  if (start > bytes.length) return fail(`cut short: the header ends at byte ${start}, the file at ${bytes.length}`);
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(8, start)));
  } catch (e) {
    return fail(`its header is not JSON: ${(e as Error).message}`);
  }
  if (!isObject(header)) return fail('its header is not a JSON object');

  const metadata: Record<string, string> = {};
  const entries: { name: string; dtype: Dtype; shape: readonly number[]; from: number; to: number }[] = [];
  for (const [name, value] of Object.entries(header)) {
    if (!isObject(value)) return fail(`entry ${name} of the header is not an object`);
    if (name === '__metadata__') {
      for (const [k, v] of Object.entries(value)) {
        if (typeof v !== 'string') return fail(`metadata ${k} is not a string`);
        metadata[k] = v;
      }
      continue;
    }
    const { dtype, shape, data_offsets: offsets } = value;
    if (typeof dtype !== 'string' || !Object.hasOwn(DTYPES, dtype)) {
      return fail(`tensor ${name} has dtype ${JSON.stringify(dtype)}; expected ${Object.keys(DTYPES).join(', ')}`);
    }
    if (!Array.isArray(shape) || !shape.every(isCount)) {
      return fail(`tensor ${name} has shape ${JSON.stringify(shape)}; expected a list of sizes`);
    }
    if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
      return fail(`tensor ${name} has data_offsets ${JSON.stringify(offsets)}; expected two byte offsets`);
    }
    const [from, to] = offsets as [number, number];
    const wanted = shape.reduce((a, b) => a * b, 1) * DTYPES[dtype as Dtype].bytes;
    if (to - from !== wanted) {
      return fail(
        `tensor ${name}: ${dtype} [${shape.join(', ')}] takes ${wanted} bytes, its offsets give ${to - from}`,
      );
    }
    entries.push({ name, dtype: dtype as Dtype, shape, from, to });
  }

  const available = bytes.length - start;
  const sorted = [...entries].sort((a, b) => a.from - b.from || a.to - b.to);
  let end = 0;
  for (const e of sorted) {
    if (e.from < end) return fail(`the data of tensor ${e.name} overlaps that of another`);
    if (e.from > end) return fail(`${e.from - end} unused bytes before the data of tensor ${e.name}`);
    end = e.to;
  }
  if (end > available) return fail(`cut short: the tensors take ${end} bytes, the file holds ${available}`);
  if (end < available) return fail(`${available - end} bytes follow the last tensor`);

  const tensors = new Map<string, StoredTensor>();
  for (const { name, dtype, shape, from, to } of entries) {
    // Copied, because typed arrays want aligned offsets. (`slice` would not do: a Node Buffer's is a view.)
    const copy = new Uint8Array(bytes.subarray(start + from, start + to));
    tensors.set(name, { dtype, shape, data: DTYPES[dtype].view(copy.buffer) });
  }
  return { tensors, metadata };
};

/** The bytes of a safetensors file: wider types first, the header padded so that the data is aligned to 8 bytes. */
export const writeSafetensors = (
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array => {
  const sorted = [...tensors].sort(
    ([a, s], [b, t]) => DTYPES[t.dtype].bytes - DTYPES[s.dtype].bytes || (a < b ? -1 : a > b ? 1 : 0),
  );
  const header: Record<string, unknown> = {};
  if (Object.keys(metadata).length > 0) header.__metadata__ = metadata;
  let end = 0;
  for (const [name, { dtype, shape, data }] of sorted) {
    const length = data.byteLength;
    if (length !== shape.reduce((a, b) => a * b, 1) * DTYPES[dtype].bytes) {
      throw new Error(`${name}: ${length} bytes do not make ${dtype} [${shape.join(', ')}]`);
    }
    header[name] = { dtype, shape, data_offsets: [end, end + length] };
    end += length;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const padded = Math.ceil(text.length / 8) * 8;
  const out = new Uint8Array(8 + padded + end);
  new DataView(out.buffer).setBigUint64(0, BigInt(padded), true);
  out.fill(0x20, 8, 8 + padded);
  out.set(text, 8);
  let at = 8 + padded;
  for (const [, { data }] of sorted) {
    out.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return out;
};

/** Index of the first entry that is NaN or infinite, or −1. */
export const firstNonFinite = (data: TensorData): number => {
  if (!(data instanceof Float32Array || data instanceof Float64Array)) return -1;
  for (let i = 0; i < data.length; i++) if (!Number.isFinite(data[i])) return i;
  return -1;
};
