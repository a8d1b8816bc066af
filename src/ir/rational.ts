/** Exact rationals over BigInt. Every constant of a `.lip` file and every bound of a derivation is one. */
export interface Rational {
  readonly num: bigint;
  /** Positive; gcd(num, den) = 1. */
  readonly den: bigint;
}

const abs = (a: bigint): bigint => (a < 0n ? -a : a);

const gcd = (a: bigint, b: bigint): bigint => {
  let x = abs(a);
  let y = abs(b);
  while (y !== 0n) [x, y] = [y, x % y];
  return x;
};

/** num / den in lowest terms. Throws RangeError when den is 0. */
export const rational = (num: bigint | number, den: bigint | number = 1n): Rational => {
  let n = BigInt(num);
  let d = BigInt(den);
  if (d === 0n) throw new RangeError('rational with denominator 0');
  if (d < 0n) [n, d] = [-n, -d];
  const g = gcd(n, d);
  return g > 1n ? { num: n / g, den: d / g } : { num: n, den: d };
};

export const ZERO = rational(0);
export const ONE = rational(1);
export const TWO = rational(2);

export const add = (a: Rational, b: Rational): Rational => rational(a.num * b.den + b.num * a.den, a.den * b.den);
export const sub = (a: Rational, b: Rational): Rational => rational(a.num * b.den - b.num * a.den, a.den * b.den);
export const mul = (a: Rational, b: Rational): Rational => rational(a.num * b.num, a.den * b.den);
/** Throws RangeError when b is 0. */
export const div = (a: Rational, b: Rational): Rational => rational(a.num * b.den, a.den * b.num);
export const neg = (a: Rational): Rational => ({ num: -a.num, den: a.den });
export const compare = (a: Rational, b: Rational): -1 | 0 | 1 => {
  const d = a.num * b.den - b.num * a.den;
  return d < 0n ? -1 : d > 0n ? 1 : 0;
};
export const equal = (a: Rational, b: Rational): boolean => a.num === b.num && a.den === b.den;
export const max = (a: Rational, b: Rational): Rational => (compare(a, b) >= 0 ? a : b);
export const isInteger = (a: Rational): boolean => a.den === 1n;
export const absolute = (a: Rational): Rational => ({ num: abs(a.num), den: a.den });

/** ⌊√n⌋ for n ≥ 0, by Newton's iteration from above. */
export const isqrt = (n: bigint): bigint => {
  if (n < 2n) return n;
  let x = 1n << BigInt((n.toString(2).length + 1) >> 1);
  for (;;) {
    const y = (x + n / x) >> 1n;
    if (y >= x) return x;
    x = y;
  }
};

/** √a when it is rational, else undefined. */
export const exactSqrt = (a: Rational): Rational | undefined => {
  if (a.num < 0n) return undefined;
  const n = isqrt(a.num);
  const d = isqrt(a.den);
  return n * n === a.num && d * d === a.den ? { num: n, den: d } : undefined;
};

/** The decimal literal `text` ("0.1307", "12", "1e-4") as an exact rational; undefined when it is none. */
export const parseDecimal = (text: string): Rational | undefined => {
  const m = /^([+-]?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,4}))?$/.exec(text);
  if (!m) return undefined;
  const frac = m[3] ?? '';
  const e = Number(m[4] ?? '0') - frac.length;
  const digits = BigInt(`${m[2]}${frac}`) * (m[1] === '-' ? -1n : 1n);
  return e >= 0 ? rational(digits * 10n ** BigInt(e)) : rational(digits, 10n ** BigInt(-e));
};

/** The f64 value `x` exactly. Throws RangeError unless finite. */
export const fromNumber = (x: number): Rational => {
  if (!Number.isFinite(x)) throw new RangeError(`${x} is not a rational number`);
  let den = 1n;
  let v = x;
  while (!Number.isInteger(v)) {
    v *= 2;
    den *= 2n;
  }
  return rational(BigInt(v), den);
};

/** Nearest f64, up to one unit in the last place. For display and for constants that carry no proof. */
export const toNumber = (a: Rational): number => {
  const direct = Number(a.num) / Number(a.den);
  const bits = (n: bigint) => n.toString(2).length;
  if (bits(abs(a.num)) <= 53 && bits(a.den) <= 53) return direct;
  const shift = 64 - (bits(abs(a.num)) - bits(a.den));
  const q = shift >= 0 ? (a.num << BigInt(shift)) / a.den : a.num / (a.den << BigInt(-shift));
  return Number(q) * 2 ** -shift;
};

/** "3", "36/255" in lowest terms as "12/85". */
export const format = (a: Rational): string => (a.den === 1n ? `${a.num}` : `${a.num}/${a.den}`);

/** A rational at least √squared, with six digits behind the point or, below 1, twelve. */
export const rootAbove = (squared: Rational): Rational => {
  const unit = 10n ** (squared.num >= squared.den ? 6n : 12n);
  return rational(isqrt((squared.num * unit * unit) / squared.den) + 1n, unit);
};
