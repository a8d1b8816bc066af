/** Reading what nobody vouches for: JSON against schemas that leave no entry unread, and files of f32 tensors. */
import { createHash } from 'node:crypto';
import { need, refuse } from './numbers.ts';

type Read<T> = (value: unknown, where: string) => T;
type Schema = Readonly<Record<string, Read<unknown>>>;
export type Parsed<S extends Schema> = { readonly [K in keyof S]: ReturnType<S[K]> };

/** `value` as an object with exactly the entries of `schema`, each read by its reader. */
export const read = <S extends Schema>(value: unknown, where: string, schema: S): Parsed<S> => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return refuse(`${where} is not an object`);
  for (const k of Object.keys(value)) need(Object.hasOwn(schema, k), `${where} has an unknown entry ${k}`);
  const entry = (k: string): unknown => (Object.hasOwn(value, k) ? (value as Record<string, unknown>)[k] : undefined);
  return Object.fromEntries(
    Object.entries(schema).map(([k, reader]) => [k, reader(entry(k), `${where}, ${k}`)]),
  ) as Parsed<S>;
};

/** Anything, but something: read later on. */
export const any: Read<unknown> = (value, where) => (value === undefined ? refuse(`${where} is missing`) : value);
export const text: Read<string> = (value, where) =>
  typeof value === 'string' ? value : refuse(`${where} is not text`);
export const whole =
  (least: number): Read<number> =>
  (value, where) =>
    Number.isSafeInteger(value) && (value as number) >= least
      ? (value as number)
      : refuse(`${where} is not a whole number from ${least}`);
export const listOf =
  <T>(one: Read<T>, length?: number): Read<readonly T[]> =>
  (value, where) => {
    if (!Array.isArray(value)) return refuse(`${where} is not a list`);
    need(length === undefined || value.length === length, `${where} has ${value.length} entries, not ${length}`);
    return value.map((v, i) => one(v, `${where} ${i + 1}`));
  };
export const optional =
  <T>(reader: Read<T>): Read<T | undefined> =>
  (value, where) =>
    value === undefined ? undefined : reader(value, where);
export const oneOf =
  <T extends string>(...words: readonly T[]): Read<T> =>
  (value, where) =>
    words.includes(value as T) ? (value as T) : refuse(`${where} is ${value}, not one of ${words.join(', ')}`);
/** An object whose entries are named by the file. */
export const recordOf =
  <T>(one: Read<T>): Read<Readonly<Record<string, T>>> =>
  (value, where) =>
    read(value, where, Object.fromEntries(Object.keys((value as object | null) ?? {}).map(k => [k, one]))) as Record<
      string,
      T
    >;
/** The entry of a closed list that a file names. */
export const lookUp = <T>(list: Readonly<Record<string, T>>, name: unknown, what: string): T =>
  typeof name === 'string' && Object.hasOwn(list, name) ? list[name] : refuse(`there is no ${what} ${name}`);

export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
  /** Of the bytes: f32, little-endian, row-major. */
  readonly sha256: string;
}
/** The emitted tensors, and the digest of the network they say they belong to. */
export interface TensorFile {
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly network: string | undefined;
}

export const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex');

const offsets = listOf(whole(0), 2);
const sizes = listOf(whole(0));

/** Reads a safetensors file that holds finite f32 tensors only. Throws Refused. */
export const readTensors = (bytes: Uint8Array): TensorFile => {
  need(bytes.length >= 8, 'the tensors file is too short');
  const start = 8 + Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  need(start <= bytes.length, 'the tensors file is cut short');
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(8, start)));
  } catch {
    return refuse('the header of the tensors file is not JSON');
  }
  const { __metadata__: about, ...entries } = recordOf(any)(header, 'the header of the tensors file');
  const network = about === undefined ? undefined : recordOf(text)(about, 'metadata').network;
  const tensors = new Map<string, Tensor>();
  for (const [name, entry] of Object.entries(entries)) {
    const { shape, data_offsets } = read(entry, name, { dtype: oneOf('F32'), shape: sizes, data_offsets: offsets });
    const [from, to] = data_offsets;
    need(to - from === 4 * shape.reduce((a, b) => a * b, 1) && start + to <= bytes.length, `${name}: wrong offsets`);
    const raw = new Uint8Array(bytes.subarray(start + from, start + to));
    const data = new Float32Array(raw.buffer);
    need(data.every(Number.isFinite), `tensor ${name} has entries that are not finite`);
    tensors.set(name, { shape, data, sha256: sha256(raw) });
  }
  return { tensors, network };
};
