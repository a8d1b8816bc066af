/** What the attacks say about the certified radii. */
import { radiusText } from '../certify/curve.ts';
import { type HeadGeometry, isCertified } from '../certify/radii.ts';
import { percent } from '../certify/report.ts';
import type { SoundAccuracy } from '../certify/sound.ts';
import { format, type Rational, toNumber } from '../ir/rational.ts';
import type { AttackedImage } from './search.ts';

export interface AttackSummary {
  readonly images: number;
  /** Images classified rightly without a perturbation. */
  readonly correct: number;
  /** Per radius: images certified there, and images no attack of that norm broke. */
  readonly at: readonly { readonly radius: Rational; readonly certified: number; readonly attacked: number }[];
  /** Smallest attack / certified radius over the images that have both; undefined when there is none. */
  readonly ratio?: { readonly least: number; readonly median: number; readonly of: number };
  /** Rightly classified images that no attack broke at any radius tried. */
  readonly unbroken: number;
}

const median = (sorted: readonly number[]): number =>
  (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;

/** Norm of the smallest attack over the certified radius; undefined where one of them is missing. */
export const ratioOf = ({ smallest, certified }: Pick<AttackedImage, 'smallest' | 'certified'>): number | undefined =>
  smallest > 0 && certified > 0 && Number.isFinite(smallest) && Number.isFinite(certified)
    ? smallest / certified
    : undefined;

/**
 * `logits` (images, classes) and `labels` decide what is certified, as `lip certify` does. An attack that rounding alone explains (`rounding`,
 * by image) is no attack on the claim, which is about real arithmetic, and counts as its certified radius.
 */
export const summarize = (
  attacked: readonly AttackedImage[],
  logits: Float32Array,
  labels: ArrayLike<number>,
  head: HeadGeometry,
  radii: readonly Rational[],
  rounding: ReadonlySet<number>,
): AttackSummary => {
  const at = radii.map(radius => ({
    radius,
    certified: attacked.filter((_, i) =>
      isCertified(logits.subarray(i * head.classes, (i + 1) * head.classes), labels[i], head, radius),
    ).length,
    attacked: attacked.filter((a, i) =>
      rounding.has(i) ? toNumber(radius) < a.certified : a.smallest > toNumber(radius),
    ).length,
  }));
  const ratios = attacked
    .map(ratioOf)
    .filter(r => r !== undefined)
    .sort((a, b) => a - b);
  return {
    images: attacked.length,
    correct: attacked.filter(a => a.smallest > 0).length,
    at,
    unbroken: attacked.filter(a => a.smallest === Number.POSITIVE_INFINITY).length,
    ...(ratios.length > 0 ? { ratio: { least: ratios[0], median: median(ratios), of: ratios.length } } : {}),
  };
};

export interface ReportContext {
  /** Bounds of the images when attacks had to stay within them. */
  readonly box?: readonly [number, number];
  readonly rounding: number;
  /** Sound radii of the images, or why there are none. */
  readonly sound: readonly SoundAccuracy[] | string;
  readonly attacked: readonly AttackedImage[];
}

/** Smallest attack / radius over the images that have both: the least and the median. */
export const soundRatio = (
  attacked: readonly AttackedImage[],
  { radii }: SoundAccuracy,
): { readonly least: number; readonly median: number } | undefined => {
  const ratios = attacked
    .flatMap(({ smallest }, i) => ratioOf({ smallest, certified: radii[i] }) ?? [])
    .sort((a, b) => a - b);
  return ratios.length > 0 ? { least: ratios[0], median: median(ratios) } : undefined;
};

/** One sentence on what the attacker may do. */
export const threatModel = (box: readonly [number, number] | undefined): string =>
  box
    ? `any ℓ2 perturbation of that norm that keeps every entry in [${box[0]}, ${box[1]}]`
    : 'any ℓ2 perturbation of that norm, entries beyond the range of images included';

/** Natural, certified and attacked accuracy per radius, and how close attacks come to the certified radii; ends in a newline. */
export const attackTable = (s: AttackSummary, { box, rounding, sound, attacked }: ReportContext): string => {
  const claims = typeof sound === 'string' ? [] : sound;
  const rows = [
    ['', 'natural', ...s.at.map(a => `r = ${radiusText(a.radius)}`)],
    ['certified', percent(s.correct, s.images), ...s.at.map(a => percent(a.certified, s.images))],
    ...claims.map(c => [
      `sound: ${c.mode}, ${c.claim}`,
      percent(s.correct, s.images),
      ...c.at.map(a => percent(a.certified, s.images)),
    ]),
    ['attacked', percent(s.correct, s.images), ...s.at.map(a => percent(a.attacked, s.images))],
  ];
  const widths = rows[0].map((_, c) => Math.max(...rows.map(r => r[c].length)));
  const line = (r: readonly string[]) =>
    `  ${r.map((cell, c) => (c === 0 ? cell.padEnd(widths[c]) : cell.padStart(widths[c]))).join('   ')}`;
  return `${[
    `accuracy in % of ${s.images} images: what is certified, and what attacks left over`,
    ...rows.map(line),
    '',
    `  the attacker may use ${threatModel(box)}`,
    s.ratio
      ? `  smallest attack / certified radius: ${s.ratio.least.toFixed(4)} at least, ${s.ratio.median.toFixed(4)} in the median of ${s.ratio.of} images`
      : '  no image has both a certified radius and an attack',
    ...claims.flatMap(c => {
      const ratio = soundRatio(attacked, c);
      const name = `sound radius, ${c.mode}, ${c.claim}`;
      return ratio
        ? [`  smallest attack / ${name}: ${ratio.least.toFixed(4)} at least, ${ratio.median.toFixed(4)} in the median`]
        : [];
    }),
    ...(typeof sound === 'string' ? [`  no sound radii: ${sound}`] : []),
    ...(s.unbroken > 0
      ? [`  ${s.unbroken} image${s.unbroken === 1 ? ' was' : 's were'} not broken at any radius tried`]
      : []),
    ...(rounding > 0
      ? [
          `  ${rounding} attack${rounding === 1 ? '' : 's'} inside certified radii exist${rounding === 1 ? 's' : ''} only because logits are rounded to f32: \`lip certify --sound\` accounts for it`,
        ]
      : []),
  ].join('\n')}\n`;
};

/** Plain JSON of the summary. */
export const summaryToJson = (s: AttackSummary): object => ({
  images: s.images,
  correct: s.correct,
  at: s.at.map(a => ({ radius: format(a.radius), certified: a.certified, attacked: a.attacked })),
  ratio: s.ratio ?? null,
  unbroken: s.unbroken,
});
