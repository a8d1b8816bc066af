/** Reads a case of test/fixtures. */
import { readdirSync, readFileSync } from 'node:fs';
import { readSafetensors } from '../src/train/safetensors.ts';

export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

export interface Fixture {
  readonly name: string;
  readonly attrs: Readonly<Record<string, number | string>>;
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** Allowed absolute error of a float64 implementation; undefined where the tensor is not to be compared. */
  readonly tolerance: (tensor: string) => number | undefined;
}

const FOLDER = new URL('fixtures/', import.meta.url);

export const fixtureNames = (group: string): string[] =>
  readdirSync(new URL(group, FOLDER))
    .filter(f => f.endsWith('.safetensors'))
    .map(f => f.replace(/\.safetensors$/, ''))
    .sort();

export const readFixture = (group: string, name: string): Fixture => {
  const file = readSafetensors(readFileSync(new URL(`${group}/${name}.safetensors`, FOLDER)), name);
  const tolerances = JSON.parse(file.metadata.tolerance) as Record<string, { f64_abs?: number; ignore?: boolean }>;
  return {
    name,
    attrs: JSON.parse(file.metadata.attrs),
    tensors: new Map(
      [...file.tensors].map(([k, t]) => [k, { shape: t.shape, data: Float64Array.from(t.data as Float32Array) }]),
    ),
    tolerance: tensor => (tolerances[tensor]?.ignore ? undefined : tolerances[tensor]?.f64_abs),
  };
};
