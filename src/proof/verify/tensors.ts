/** The emitted tensors: a reader of safetensors files of f32, and their hashes. */
import { createHash } from 'node:crypto';
import { need, refuse } from './numbers.ts';

export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
  /** Of the bytes: f32, little-endian, row-major. */
  readonly sha256: string;
}

export const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex');

const product = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** Reads a safetensors file that holds finite f32 tensors only. Throws Refused. */
export const readTensors = (bytes: Uint8Array): Map<string, Tensor> => {
  need(bytes.length >= 8, 'the tensors file is too short');
  const start = 8 + Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  need(start <= bytes.length, 'the tensors file is cut short');
  let header: Record<string, unknown> | null;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(8, start)));
  } catch {
    return refuse('the header of the tensors file is not JSON');
  }
  const tensors = new Map<string, Tensor>();
  for (const [name, entry] of Object.entries(header ?? {})) {
    if (name === '__metadata__') continue;
    const { dtype, shape, data_offsets: offsets } = (entry ?? {}) as Record<string, unknown>;
    const sizes = shape as number[];
    need(
      dtype === 'F32' && Array.isArray(shape) && sizes.every(n => Number.isSafeInteger(n) && n >= 0),
      `tensor ${name} is not f32`,
    );
    const [from, to] = Array.isArray(offsets) ? (offsets as number[]) : [];
    need(
      Number.isSafeInteger(from) && from >= 0 && to - from === 4 * product(sizes),
      `tensor ${name} has wrong offsets`,
    );
    need(start + to <= bytes.length, `tensor ${name} is cut short`);
    const raw = new Uint8Array(bytes.subarray(start + from, start + to));
    const data = new Float32Array(raw.buffer);
    need(data.every(Number.isFinite), `tensor ${name} has entries that are not finite`);
    tensors.set(name, { shape: sizes, data, sha256: sha256(raw) });
  }
  return tensors;
};
