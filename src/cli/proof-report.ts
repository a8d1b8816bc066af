/** What `lip prove` and `lip verify` say about bounds and progress. */
import type { ProgressLine } from './progress.ts';

/** The tensors file of a certificate: the same name with another ending. */
export const tensorsFileOf = (certificate: string): string => `${certificate.replace(/\.json$/, '')}.safetensors`;

/** √(num/den) for people: exact where it is 1, else to 12 digits with its distance from 1. */
export const describeSquared = (squared: string): string => {
  const [num, den = 1n] = squared.split('/').map(BigInt);
  if (num === den) return '1';
  // The quotient minus 1, so that a distance of 1e-9 is not lost: both are far beyond f64.
  const excess = Number(((num - den) << 200n) / den) / 2 ** 200;
  const bound = Math.sqrt(1 + excess);
  if (Math.abs(excess) > 1e-3) return bound.toPrecision(12);
  return `1 ${excess > 0 ? '+' : '−'} ${Math.abs(excess / 2).toExponential(2)}`;
};

/** √(num/den) as f64, and no less than it but for that rounding. */
const rootOf = (squared: string): number => {
  const [num, den = 1n] = squared.split('/').map(BigInt);
  // Both may be far beyond f64: 80 digits of the quotient are not.
  const digits = Math.max(num.toString(2).length, den.toString(2).length);
  const shift = BigInt(Math.max(0, digits - 900));
  return Math.sqrt(Number(num >> shift) / Number(den >> shift));
};

/** What is certified of a layer, or of the network, beside what power iteration found. */
export interface Gap {
  readonly path: string;
  readonly squaredBound: string;
  readonly lowerBound: number;
}

/** By how much a quotient of differences in f64 may exceed the true one: differences lose as many digits as the steps are small. */
const QUOTIENT_ERROR = 2 ** -24;

/** Throws where a lower bound lies above a certified one: then one of the two is wrong, and so is the program. */
export const checkGaps = (gaps: readonly Gap[]): void => {
  for (const { path, squaredBound, lowerBound } of gaps)
    if (!(lowerBound * (1 - QUOTIENT_ERROR) <= rootOf(squaredBound)))
      throw new Error(
        `${path} is certified to be ${describeSquared(squaredBound)}-Lipschitz, but power iteration found ${lowerBound}`,
      );
};

/** How many times as large as its lower bound a certified one is: "1.04"; "–" where that is 0. */
const times = ({ squaredBound, lowerBound }: Gap): string => {
  const ratio = rootOf(squaredBound) / lowerBound;
  return lowerBound > 0 ? (ratio < 1e4 ? ratio.toFixed(3) : ratio.toExponential(1)) : '–';
};

const MOST_ROWS = 12;

/** A table of layers: all of them, or those with the widest gaps. */
export const printGaps = (gaps: readonly Gap[]): string => {
  if (gaps.length === 0) return '';
  const share = ({ squaredBound, lowerBound }: Gap) => rootOf(squaredBound) / lowerBound;
  const widest = new Set([...gaps].sort((a, b) => share(b) - share(a)).slice(0, MOST_ROWS));
  const shown = gaps.filter(g => widest.has(g));
  const left = gaps.length - shown.length;
  const rows = [
    ['layer', 'certified', 'at least', 'ratio'],
    ...shown.map(g => [g.path, describeSquared(g.squaredBound), g.lowerBound.toPrecision(6), times(g)]),
  ];
  const widths = rows[0].map((_, i) => Math.max(...rows.map(r => r[i].length)));
  const lines = rows.map(r =>
    r.map((cell, i) => (i === 3 ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))).join('  '),
  );
  return `\n${lines.join('\n')}\n${left > 0 ? `and ${left} more with smaller ratios\n` : ''}`;
};

/** "0.571280, found by power iteration on Jacobians; the bound is 1.750 times as large". */
export const printLowerBound = (gap: Gap): string =>
  `at least     ${gap.lowerBound.toPrecision(6)}, found by power iteration on Jacobians: the bound is ${times(gap)} times as large`;

const BAR = 20;

/** A bar that moves on with each layer. */
export const layerProgress = (line: ProgressLine, what: string, layers: number): ((path: string) => void) => {
  let done = 0;
  return path => {
    const full = Math.min(BAR, Math.round((done / layers) * BAR));
    line.update(`${what.padEnd(8)} ${'█'.repeat(full)}${'░'.repeat(BAR - full)}  ${done}/${layers}  ${path}`);
    done += 1;
  };
};
