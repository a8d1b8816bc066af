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
