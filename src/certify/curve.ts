import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import { format, toNumber } from '../ir/rational.ts';
import type { CertifiedAccuracy } from './accuracy.ts';

/** Share of the images whose radius is above `r`. */
export const certifiedShare = (radii: Float64Array, r: number): number => {
  let n = 0;
  for (const v of radii) if (v > r) n++;
  return radii.length === 0 ? 0 : n / radii.length;
};

/** Where the curve ends: just past the largest finite radius, and past every radius asked for. */
export const curveEnd = (result: CertifiedAccuracy): number => {
  let end = 0;
  for (const v of result.radii) if (Number.isFinite(v) && v > end) end = v;
  for (const { radius } of result.at) end = Math.max(end, toNumber(radius));
  return end > 0 ? end * 1.05 : 1;
};

const SAMPLES = 400;
/** Height of the first marker's label and how much lower each further one stands, in % of accuracy. */
const LABELS_FROM = 42;
const LABEL_STEP = 6;
const BLUE = '#1f6feb';
const GREY = '#57606a';

/** Certified accuracy as a function of the ℓ2 radius, with the natural accuracy and a marker at each radius asked for: an SVG document. */
export const accuracyCurve = (result: CertifiedAccuracy, title: string, subtitle: string): string => {
  const { document } = parseHTML('<!doctype html><html><body></body></html>');
  const end = curveEnd(result);
  const points = Array.from({ length: SAMPLES + 1 }, (_, i) => {
    const radius = (end * i) / SAMPLES;
    return { radius, accuracy: 100 * certifiedShare(result.radii, radius) };
  });
  const natural = (100 * result.correct) / Math.max(result.images, 1);
  const markers = result.at.map(({ radius, certified }) => ({
    radius: toNumber(radius),
    accuracy: (100 * certified) / Math.max(result.images, 1),
    label: `${((100 * certified) / Math.max(result.images, 1)).toFixed(1)} % at ${radiusText(radius)}`,
  }));
  const svg = Plot.plot({
    document: document as unknown as Document,
    width: 720,
    height: 440,
    marginTop: 64,
    marginLeft: 56,
    marginRight: 24,
    marginBottom: 48,
    style: { background: 'white', color: '#1f2328', fontFamily: 'system-ui, sans-serif', fontSize: '12px' },
    ariaLabel: title,
    ariaDescription: subtitle,
    x: { domain: [0, end], label: 'ℓ2 radius →', labelAnchor: 'right' },
    y: { domain: [0, 100], label: 'certified accuracy (%)', labelAnchor: 'center', labelArrow: 'none', grid: true },
    marks: [
      Plot.areaY(points, { x: 'radius', y: 'accuracy', curve: 'step-after', fill: BLUE, fillOpacity: 0.12 }),
      Plot.lineY(points, { x: 'radius', y: 'accuracy', curve: 'step-after', stroke: BLUE, strokeWidth: 2 }),
      Plot.ruleY([natural], { stroke: GREY, strokeDasharray: '4 4' }),
      Plot.text([{ x: end, y: natural, text: `natural ${natural.toFixed(1)} %` }], {
        x: 'x',
        y: 'y',
        text: 'text',
        textAnchor: 'end',
        dy: -8,
        fill: GREY,
      }),
      Plot.ruleX(markers, { x: 'radius', y: 'accuracy', stroke: BLUE, strokeOpacity: 0.4 }),
      Plot.dot(markers, { x: 'radius', y: 'accuracy', fill: BLUE, stroke: 'white', r: 5 }),
      Plot.text(markers, {
        x: 'radius',
        // Beside the rules and each lower than the one before: below the curve nothing else is written.
        y: (_: unknown, i: number) => Math.max(LABELS_FROM - i * LABEL_STEP, LABEL_STEP),
        text: 'label',
        textAnchor: 'start',
        dx: 6,
        stroke: 'white',
        fill: '#1f2328',
      }),
      Plot.text([title], { frameAnchor: 'top-left', dy: -52, fontSize: 16, fontWeight: 'bold' }),
      Plot.text([subtitle], { frameAnchor: 'top-left', dy: -30, fill: GREY }),
    ],
  }) as unknown as { setAttribute(name: string, value: string): void; outerHTML: string };
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  return `<?xml version="1.0" encoding="UTF-8"?>\n${svg.outerHTML}\n`;
};

/** "36/255" rather than "12/85": the customary unit of image radii, where it fits; else the fraction in lowest terms. */
export const radiusText = (r: Parameters<typeof format>[0]): string =>
  r.den !== 1n && 255n % r.den === 0n ? `${r.num * (255n / r.den)}/255` : format(r);
