import type { CertifiedAccuracy } from './accuracy.ts';
import { certifiedShare, curveEnd, radiusText } from './curve.ts';

const BARS = '▁▂▃▄▅▆▇█';

/** Certified accuracy over radii 0 … the largest one, a character a step. */
export const sparkline = (result: CertifiedAccuracy, width: number): string => {
  const end = curveEnd(result);
  return Array.from({ length: width }, (_, i) => {
    const share = certifiedShare(result.radii, (end * i) / width);
    return share === 0 ? ' ' : BARS[Math.ceil(share * 8) - 1];
  }).join('');
};

export const percent = (n: number, of: number): string => (of === 0 ? '–' : ((100 * n) / of).toFixed(2));

/** Natural and certified accuracy as a table, with a sketch of the whole curve below it; ends in a newline. */
export const accuracyTable = (result: CertifiedAccuracy): string => {
  const columns = [
    ['natural', percent(result.correct, result.images)],
    ...result.at.map(a => [`r = ${radiusText(a.radius)}`, percent(a.certified, result.images)]),
  ];
  const widths = columns.map(([a, b]) => Math.max(a.length, b.length));
  const row = (k: 0 | 1) => columns.map((c, i) => c[k].padStart(widths[i])).join('   ');
  const end = curveEnd(result);
  return `${[
    `accuracy in % of ${result.images} images`,
    `  ${row(0)}`,
    `  ${row(1)}`,
    '',
    `  certified accuracy over radius 0 to ${end.toPrecision(3)}`,
    `  ${sparkline(result, 60).trimEnd()}`,
  ].join('\n')}\n`;
};
