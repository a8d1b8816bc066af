import { format } from '../ir/rational.ts';
import type { CertifiedAccuracy } from './accuracy.ts';
import { radiusText } from './curve.ts';
import { percent } from './report.ts';
import type { LayerRounding } from './rounding.ts';
import type { SoundAccuracy } from './sound.ts';

/** What each row says, and what it takes for granted beyond WGSL's guarantees; shown below the table and in the JSON. */
const STATEMENTS: { readonly [K in `${SoundAccuracy['mode']} ${SoundAccuracy['claim']}`]: string } = {
  'any-order executed': 'every execution in f32 that WGSL allows keeps the class, sums in any order',
  'any-order real': 'the network in real arithmetic keeps the class; logits as executed, sums in any order',
  'structured executed': 'as any-order, assuming that kernels add in the order in which they are written',
  'structured real': 'the network in real arithmetic keeps the class; logits as executed, sums in the order written',
  'measured executed': 'as any-order, with the logits of undecided images computed again in f64',
  'measured real': 'the network in real arithmetic keeps the class; logits of undecided images computed again in f64',
};

const statement = (s: SoundAccuracy): string => STATEMENTS[`${s.mode} ${s.claim}`];

/** Layers that are named. */
const NAMED = 4;

/** `dense[0] 68 %, dense[1] 19 %, the rest 13 %`: shares of the sum of local errors. */
const origins = (layers: readonly LayerRounding[]): string => {
  const all = layers.reduce((sum, l) => sum + l.local, 0);
  const largest = [...layers].sort((a, b) => b.local - a.local).slice(0, NAMED);
  const share = (x: number): string => `${((100 * x) / all).toFixed(0)} %`;
  const rest = all - largest.reduce((sum, l) => sum + l.local, 0);
  return [
    ...largest.map(l => `${l.path} ${share(l.local)}`),
    ...(rest > 0.005 * all ? [`the rest ${share(rest)}`] : []),
  ].join(', ');
};

/** Certified accuracy, naive and sound, with the cost of rounding in percentage points; ends in a newline. */
export const soundTable = (
  naive: CertifiedAccuracy,
  sound: readonly SoundAccuracy[],
  layers: readonly LayerRounding[],
): string => {
  const of = naive.images;
  const rows = [
    ['', ...naive.at.map(a => `r = ${radiusText(a.radius)}`), 'error bound'],
    ['naive', ...naive.at.map(a => percent(a.certified, of)), 'none'],
    ...sound.map(s => [
      `${s.mode}, ${s.claim}`,
      ...s.at.map(({ certified }, k) => {
        const lost = naive.at[k].certified - certified;
        return `${percent(certified, of)} (${lost > 0 ? '−' : lost < 0 ? '+' : ''}${percent(Math.abs(lost), of)})`;
      }),
      s.medianError.toExponential(1),
    ]),
  ];
  const widths = rows[0].map((_, c) => Math.max(...rows.map(r => r[c].length)));
  const line = (r: readonly string[]) =>
    `  ${r.map((cell, c) => (c === 0 ? cell.padEnd(widths[c]) : cell.padStart(widths[c]))).join('   ')}`.trimEnd();
  return `${[
    `certified accuracy with rounding, in % of ${of} images (cost in points)`,
    ...rows.map(line),
    '',
    ...sound.map(s => `  ${s.mode}, ${s.claim}: ${statement(s)}`),
    '  error bound: median over the images, of the margin to the runner-up',
    ...(layers.length > 0 ? [`  where it comes from, in any order: ${origins(layers)}`] : []),
  ].join('\n')}\n`;
};

/** JSON has no infinity. */
export const finite = (x: number): number | null => (Number.isFinite(x) ? x : null);

/** Plain JSON: per row its claim, counts, and per image a certified radius (0 where none is), what rounding took of the naive one, and the error bound of the margin. */
export const soundToJson = (naive: CertifiedAccuracy, sound: readonly SoundAccuracy[]): object => ({
  images: naive.images,
  naive: naive.at.map(a => ({ radius: format(a.radius), certified: a.certified })),
  sound: sound.map(s => ({
    mode: s.mode,
    claim: s.claim,
    statement: statement(s),
    certified: s.at.map(a => ({ radius: format(a.radius), certified: a.certified })),
    medianError: finite(s.medianError),
    radii: Array.from(s.radii),
    lost: Array.from(s.radii, (r, i) => finite(Math.max(naive.radii[i], 0) - r)),
    errors: Array.from(s.errors, finite),
  })),
});
