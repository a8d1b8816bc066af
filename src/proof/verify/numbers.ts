/** Exact numbers of the checker: rationals over BigInt, and floats as integers times a power of two. */

/** A certificate, or a claim in it, that does not hold or cannot be read. */
export class Refused extends Error {}

export const refuse = (why: string): never => {
  throw new Refused(why);
};
export const need = (ok: boolean, why: string): void => {
  if (!ok) refuse(why);
};

/** num / den in lowest terms, den > 0. */
export interface Q {
  readonly num: bigint;
  readonly den: bigint;
}

const gcd = (a: bigint, b: bigint): bigint => {
  let [x, y] = [a < 0n ? -a : a, b];
  while (y !== 0n) [x, y] = [y, x % y];
  return x;
};
export const q = (num: bigint | number, den = 1n): Q => {
  const n = BigInt(num);
  const g = gcd(n, den);
  return { num: n / g, den: den / g };
};
export const ZERO = q(0);
export const ONE = q(1);
export const TWO = q(2);
export const add = (a: Q, b: Q): Q => q(a.num * b.den + b.num * a.den, a.den * b.den);
export const mul = (a: Q, b: Q): Q => q(a.num * b.num, a.den * b.den);
export const sub = (a: Q, b: Q): Q => add(a, { num: -b.num, den: b.den });
export const inverse = (a: Q): Q => {
  need(a.num !== 0n, 'division by 0');
  return a.num < 0n ? q(-a.den, -a.num) : q(a.den, a.num);
};
export const abs = (a: Q): Q => ({ num: a.num < 0n ? -a.num : a.num, den: a.den });
export const square = (a: Q): Q => mul(a, a);
/** Whether a ≤ b. */
export const atMost = (a: Q, b: Q): boolean => a.num * b.den <= b.num * a.den;
/** Whether low ≤ a ≤ high. */
export const within = (low: Q, a: Q, high: Q): boolean => atMost(low, a) && atMost(a, high);
export const equal = (a: Q, b: Q): boolean => a.num === b.num && a.den === b.den;
/** The largest of numbers that are not negative. */
export const most = (values: readonly Q[]): Q => values.reduce((a, b) => (atMost(a, b) ? b : a), ZERO);
export const sum = (values: readonly Q[]): Q => values.reduce(add, ZERO);
export const format = (a: Q): string => (a.den === 1n ? `${a.num}` : `${a.num}/${a.den}`);

/** ⌊√n⌋. */
const root = (n: bigint): bigint => {
  if (n < 2n) return n;
  let x = 1n << BigInt((n.toString(2).length + 1) >> 1);
  for (let y = n; ; x = y) {
    y = (x + n / x) >> 1n;
    if (y >= x) return x;
  }
};
/** Whether √a is rational. */
export const isSquare = (a: Q): boolean => root(a.num) ** 2n === a.num && root(a.den) ** 2n === a.den;
/** √a where that is rational, else the next multiple of 2⁻⁶⁴ above it. */
export const rootUp = (a: Q): Q =>
  isSquare(a) ? q(root(a.num), root(a.den)) : q(root((a.num << 128n) / a.den) + 1n, 1n << 64n);

/** "3", "-1/2": the one way `format` writes a rational, nothing else. */
export const parseQ = (text: unknown): Q => {
  const m = typeof text === 'string' ? /^(-?\d{1,20000})(?:\/(\d{1,20000}))?$/.exec(text) : null;
  if (!m || /^0+$/.test(m[2] ?? '')) return refuse(`${JSON.stringify(text)} is not a rational number`);
  const value = q(BigInt(m[1]), BigInt(m[2] ?? '1'));
  return format(value) === text ? value : refuse(`${text} is not in lowest terms`);
};

/** m·2^e exactly, for e of either sign. */
export const scaled = (m: bigint, e: number): Q => (e >= 0 ? q(m << BigInt(e)) : q(m, 1n << BigInt(-e)));

const view = new DataView(new ArrayBuffer(8));

/** 2^e, −1022 ≤ e ≤ 1023: by its bits, since powers are only implementation-approximated. */
export const power = (e: number): number => {
  view.setBigUint64(0, BigInt(e + 1023) << 52n);
  return view.getFloat64(0);
};

/** A finite float as m·2^e, m an integer that is odd or 0. */
export const decompose = (x: number): readonly [m: bigint, e: number] => {
  need(Number.isFinite(x), `${x} is not a number`);
  view.setFloat64(0, x);
  const bits = view.getBigUint64(0);
  const biased = Number((bits >> 52n) & 0x7ffn);
  let m = (bits & 0xfffffffffffffn) | (biased === 0 ? 0n : 1n << 52n);
  let e = Math.max(biased, 1) - 1075;
  if (m === 0n) return [0n, 0];
  for (; (m & 1n) === 0n; m >>= 1n) e += 1;
  return [x < 0 ? -m : m, e];
};
export const fromFloat = (x: number): Q => scaled(...decompose(x));

/** Floats as integers times one 2^exponent, the largest that does. */
export const toGrid = (values: ArrayLike<number>) => {
  const parts = Array.from(values, decompose);
  const exponent = parts.reduce((least, [m, e]) => (m !== 0n && e < least ? e : least), 2000);
  return { integers: parts.map(([m, e]) => (m === 0n ? 0n : m << BigInt(e - exponent))), exponent };
};

/** A witness [m, e] = m·2^e: |m| < 2^53, and so far from the ends of the f64 range that products neither overflow nor underflow. */
export const parseDyadic = (value: unknown): number => {
  const [m, e] = Array.isArray(value) && value.length === 2 ? (value as unknown[]) : [];
  if (!Number.isSafeInteger(m) || !Number.isSafeInteger(e) || Math.abs(e as number) > 400)
    return refuse(`${JSON.stringify(value)} is not a pair [integer, exponent] within range`);
  return (m as number) * power(e as number);
};
