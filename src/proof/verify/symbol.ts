/**
 * The norm of a convolution at every image size from its symbol K(θ) = Σ_δ K_δ e^(iδθ) at N×N points: sup_θ ‖K(θ)‖ is at most the maximum
 * there over cos(πd/N) per axis, d = (k − 1)/2 (Ehlich & Zeller 1964).
 */
import { isDominated, isDominatedExactly, U } from './gram.ts';
import { need } from './numbers.ts';

/** Fixed point with 96 bits, more than any f64 in [2⁻⁴⁰, 1] tells apart. */
const BITS = 96n;
const FIXED = 1n << BITS;
/** π to 29 digits. */
const PI = (31415926535897932384626433833n * FIXED) / 10n ** 28n;

/** cos and sin of 2π·k/n, |error| ≤ 2⁻⁵³: Taylor series in integers, since Math.cos promises nothing. */
export const turn = (k: number, n: number): readonly [cos: number, sin: number] => {
  const angle = (2n * PI * BigInt(((k % n) + n) % n)) / BigInt(n);
  let [cos, sin, term] = [0n, 0n, FIXED];
  for (let i = 0n; i < 80n; i++) {
    const sign = i % 4n < 2n ? 1n : -1n;
    if (i % 2n === 0n) cos += sign * term;
    else sin += sign * term;
    term = (term * angle) / (FIXED * (i + 1n));
  }
  const float = (v: bigint) => Number(v) * 2 ** -Number(BITS);
  return [float(cos), float(sin)];
};

/**
 * Whether ‖conv‖² ≤ bound for the kernel `data` (out, in, kh, kw) at every image size. In f64 with a bound of every error; with `exact` the
 * positivity at each point is decided in integers.
 */
export const symbolBelow = (
  [out, columns, kh, kw]: readonly number[],
  data: ArrayLike<number>,
  grid: number,
  bound: number,
  exact: boolean,
): boolean => {
  need(grid >= Math.max(kh, kw) && grid <= 4096, `a grid of ${grid} points does not fit a ${kh}×${kw} kernel`);
  const turns = Array.from({ length: grid }, (_, k) => turn(k, grid));
  // d/N turns of π are (k − 1)/(4N) turns of 2π.
  const cosine = (k: number) => turn(k - 1, 4 * grid)[0];
  const least = bound * (cosine(kh) * cosine(kw)) ** 2 * (1 - 2 ** -48);
  const taps = kh * kw;
  let square = 0;
  for (let at = 0; at < data.length; at += taps) {
    let size = 0;
    for (let s = 0; s < taps; s++) size += Math.abs(data[at + s]);
    square += size * size;
  }
  // Each real and imaginary part errs by at most this share of Σ|K_δ|; (√μ + e)² ≤ μ(1 + ε) + e²(1 + 1/ε) with ε = 2⁻³⁵.
  const error = 2 * (2 * (taps + 4) * U) ** 2 * square * (1 + 2 ** -20);
  const limit = least * (1 - 2 ** -34);
  if (!(limit > 0) || !(error * 2 ** 36 <= least * 2 ** -36)) return square === 0 && bound >= 0;
  const rows = out <= columns;
  const [n, m] = rows ? [out, columns] : [columns, out];
  // K(θ) as a real matrix of twice the size, [[Re, ∓Im], [±Im, Re]]; K(−θ) is its conjugate, so half of the points are enough.
  const real = new Float64Array(4 * n * m);
  for (let u = 0; u < grid; u++) {
    for (let v = 0; 2 * v <= grid; v++) {
      for (let o = 0; o < out; o++) {
        for (let i = 0; i < columns; i++) {
          let [re, im] = [0, 0];
          for (let s = 0; s < taps; s++) {
            const [c, z] = turns[(Math.floor(s / kw) * u + (s % kw) * v) % grid];
            re += data[(o * columns + i) * taps + s] * c;
            im += data[(o * columns + i) * taps + s] * z;
          }
          const [r, c] = rows ? [o, i] : [i, o];
          real[r * 2 * m + c] = re;
          real[r * 2 * m + m + c] = -im;
          real[(n + r) * 2 * m + c] = im;
          real[(n + r) * 2 * m + m + c] = re;
        }
      }
      const kernel = { n: 2 * n, m: 2 * m, kh: 1, kw: 1, data: real };
      const T = new Array<number>(2 * n).fill(limit);
      if (!(exact ? isDominatedExactly(kernel, T) : isDominated(kernel, T))) return false;
    }
  }
  return true;
};
