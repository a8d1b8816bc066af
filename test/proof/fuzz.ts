/** Weights that are hard on arithmetic. */
/** The entry of row i and column j. */
type Entry = (i: number, j: number) => number;
const hadamard: Entry = (i, j) => {
  let parity = 0;
  for (let both = i & j; both > 0; both >>= 1) parity ^= both & 1;
  return parity ? -1 : 1;
};
export const noise: Entry = (i, j) => Math.sin(37 * i + 11 * j + 1);
export const FUZZ: Readonly<Record<string, Entry>> = {
  zero: () => 0,
  ones: () => 1,
  hadamard,
  noise,
  'duplicate columns': (i, j) => noise(i, j >> 1),
  'duplicate rows': (i, j) => noise(i >> 1, j),
  'zero columns': (i, j) => (j % 3 === 0 ? 0 : noise(i, j)),
  'zero rows': (i, j) => (i % 3 === 0 ? 0 : noise(i, j)),
  'rank one': (i, j) => Math.fround(noise(i, 0)) * Math.fround(noise(0, j)),
  'scale 2^60': (i, j) => 2 ** 60 * noise(i, j),
  'scale 2^-60': (i, j) => 2 ** -60 * noise(i, j),
  'scales 2^±60 by row': (i, j) => 2 ** (i % 2 === 0 ? 60 : -60) * noise(i, j),
  'scales 2^±60 by column': (i, j) => 2 ** (j % 2 === 0 ? 60 : -60) * noise(i, j),
  subnormal: (i, j) => 2 ** -149 * Math.round(100 * noise(i, j)),
  'subnormal beside normal': (i, j) => (i % 2 === 0 ? 2 ** -149 : 1) * Math.round(100 * noise(i, j)),
  spike: (i, j) => (i === 1 && j === 2 ? 1e30 : 1e-30),
};
export const fill = (entry: Entry, rows: number, columns: number) =>
  Float32Array.from({ length: rows * columns }, (_, k) => entry(Math.floor(k / columns), k % columns));
