/** Exact numbers of the checker: rationals over BigInt, dyadic witnesses, and floats as integers times a power of two. */

/** A certificate, or a claim in it, that does not hold or cannot be read. */
export class Refused extends Error {}

export const refuse = (why: string): never => {
  throw new Refused(why);
};

export const need = (ok: boolean, why: string): void => {
  if (!ok) refuse(why);
};

/** num / den, den > 0; in lowest terms. */
export interface Q {
  readonly num: bigint;
  readonly den: bigint;
}

const gcd = (a: bigint, b: bigint): bigint => {
  let [x, y] = [a < 0n ? -a : a, b];
  while (y !== 0n) [x, y] = [y, x % y];
  return x;
};

export const q = (num: bigint, den = 1n): Q => {
  const g = gcd(num, den);
  return { num: num / g, den: den / g };
};
export const ZERO = q(0n);
export const ONE = q(1n);
export const add = (a: Q, b: Q): Q => q(a.num * b.den + b.num * a.den, a.den * b.den);
export const mul = (a: Q, b: Q): Q => q(a.num * b.num, a.den * b.den);
export const compare = (a: Q, b: Q): number => {
  const d = a.num * b.den - b.num * a.den;
  return d < 0n ? -1 : d > 0n ? 1 : 0;
};
export const abs = (a: Q): Q => ({ num: a.num < 0n ? -a.num : a.num, den: a.den });
export const largest = (values: readonly Q[]): Q => values.reduce((a, b) => (compare(a, b) >= 0 ? a : b), ZERO);
export const format = (a: Q): string => (a.den === 1n ? `${a.num}` : `${a.num}/${a.den}`);

/** "3", "-1/2": the one way `format` writes a rational, nothing else. */
export const parseQ = (text: unknown): Q => {
  const m = typeof text === 'string' ? /^(-?\d{1,20000})(?:\/(\d{1,20000}))?$/.exec(text) : null;
  if (!m || m[2] === '0') return refuse(`${JSON.stringify(text)} is not a rational number`);
  const value = q(BigInt(m[1]), BigInt(m[2] ?? '1'));
  need(format(value) === text, `${text} is not in lowest terms`);
  return value;
};

/** m·2^e exactly, for e of either sign. */
export const scaled = (m: bigint, e: number): Q => (e >= 0 ? q(m << BigInt(e)) : q(m, 1n << BigInt(-e)));

const view = new DataView(new ArrayBuffer(8));

/** A finite float as m·2^e, m an integer. */
export const decompose = (x: number): readonly [m: bigint, e: number] => {
  need(Number.isFinite(x), `${x} is not a number`);
  view.setFloat64(0, x);
  const bits = view.getBigUint64(0);
  const biased = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xfffffffffffffn;
  const m = biased === 0 ? fraction : fraction | (1n << 52n);
  return [x < 0 ? -m : m, Math.max(biased, 1) - 1075];
};

export const fromFloat = (x: number): Q => scaled(...decompose(x));

/** All values as integers times one 2^e, and the bits the largest takes. */
export interface Grid {
  readonly integers: readonly bigint[];
  readonly exponent: number;
  readonly bits: number;
}

export const toGrid = (values: ArrayLike<number>): Grid => {
  const parts = Array.from(values, x => {
    let [m, e] = decompose(x);
    if (m === 0n) return [0n, undefined] as const;
    // Trailing zeros go into the exponent, so that the grid is as coarse as the values allow.
    const zeros = Math.min(52, trailingZeros(m));
    m >>= BigInt(zeros);
    e += zeros;
    return [m, e] as const;
  });
  const exponent = parts.reduce((least, [, e]) => (e !== undefined && e < least ? e : least), 2000);
  const integers = parts.map(([m, e]) => (e === undefined ? 0n : m << BigInt(e - exponent)));
  const bits = integers.reduce((most, m) => Math.max(most, bitLength(m)), 0);
  return { integers, exponent, bits };
};

const bitLength = (m: bigint): number => (m === 0n ? 0 : (m < 0n ? -m : m).toString(2).length);

const trailingZeros = (m: bigint): number => {
  const low = Number(BigInt.asUintN(53, m < 0n ? -m : m));
  let n = 0;
  for (let v = low; v % 2 === 0 && n < 52; v /= 2) n += 1;
  return n;
};

/** A witness [m, e] = m·2^e, an f64 value: |m| < 2^53, and so far from the ends of the f64 range that products neither overflow nor underflow. */
export const parseDyadic = (value: unknown): number => {
  if (!Array.isArray(value) || value.length !== 2) return refuse('a witness must be a pair [integer, exponent]');
  const [m, e] = value as [unknown, unknown];
  if (!Number.isSafeInteger(m) || !Number.isSafeInteger(e) || Math.abs(e as number) > 400)
    return refuse(`${JSON.stringify(value)} is not an integer times a power of two within range`);
  view.setBigUint64(0, BigInt((e as number) + 1023) << 52n);
  return (m as number) * view.getFloat64(0);
};
