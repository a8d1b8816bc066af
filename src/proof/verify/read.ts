/** Reading what nobody vouches for: JSON against schemas that leave no entry unread, and files of f32 tensors. */
import { createHash } from 'node:crypto';
import { need, refuse } from './numbers.ts';

type Read<T> = (value: unknown, where: string) => T;
export type Schema = Readonly<Record<string, Read<unknown>>>;
export type Parsed<S extends Schema> = { readonly [K in keyof S]: ReturnType<S[K]> };
export type Json = Readonly<Record<string, unknown>>;

/** An object whose entries are named by the file. */
export const object: Read<Json> = (value, where) =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Json)
    : refuse(`${where} is not an object`);
/** `value` as an object with exactly the entries of `schema`, each read by its reader. */
export const read = <S extends Schema>(value: unknown, where: string, schema: S): Parsed<S> => {
  const found = object(value, where);
  for (const k of Object.keys(found)) need(Object.hasOwn(schema, k), `${where} has an unknown entry ${k}`);
  const entry = (k: string): unknown => (Object.hasOwn(found, k) ? found[k] : undefined);
  return Object.fromEntries(
    Object.entries(schema).map(([k, one]) => [k, one(entry(k), `${where}, ${k}`)]),
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
  <T>(one: Read<T>): Read<T | undefined> =>
  (value, where) =>
    value === undefined ? undefined : one(value, where);
export const oneOf =
  <T extends string | true>(...words: readonly T[]): Read<T> =>
  (value, where) =>
    words.includes(value as T) ? (value as T) : refuse(`${where} is ${value}, not one of ${words.join(', ')}`);
/** The entry of a closed list that a file names. */
export const lookUp = <T>(list: Readonly<Record<string, T>>, name: unknown, what: string): T =>
  typeof name === 'string' && Object.hasOwn(list, name) ? list[name] : refuse(`there is no ${what} ${name}`);

/** Compact JSON, the keys of every object in order. */
const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, v: unknown) =>
    typeof v === 'object' && v !== null && !Array.isArray(v) ? Object.fromEntries(Object.entries(v).sort()) : v,
  );
/** That the file states what was found. */
export const claim = (where: string, stated: unknown, found: unknown): void =>
  need(canonical(stated) === canonical(found), `${where}: found ${canonical(found)}, not ${canonical(stated)}`);

export const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex');

export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
  /** Of the bytes: f32, little-endian, row-major. */
  readonly sha256: string;
}
/** The emitted tensors, and the digest of the network they say they belong to. */
export interface TensorFile {
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly network: unknown;
}

const ENTRY = { dtype: oneOf('F32'), shape: listOf(whole(0)), data_offsets: listOf(whole(0), 2) };

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
  const { __metadata__: about = {}, ...entries } = object(header, 'the header of the tensors file');
  const { network } = object(about, 'metadata');
  const tensors = new Map<string, Tensor>();
  for (const [name, entry] of Object.entries(entries)) {
    const { shape, data_offsets } = read(entry, name, ENTRY);
    const [from, to] = data_offsets;
    need(to - from === 4 * shape.reduce((a, b) => a * b, 1) && start + to <= bytes.length, `${name}: wrong offsets`);
    const raw = new Uint8Array(bytes.subarray(start + from, start + to));
    const data = new Float32Array(raw.buffer);
    need(data.every(Number.isFinite), `tensor ${name} has entries that are not finite`);
    tensors.set(name, { shape, data, sha256: sha256(raw) });
  }
  return { tensors, network };
};
