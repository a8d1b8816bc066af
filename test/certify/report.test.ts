import { parseHTML } from 'linkedom';
import { describe, expect, test } from 'vitest';
import type { CertifiedAccuracy } from '../../src/certify/accuracy.ts';
import { accuracyCurve, certifiedShare, curveEnd, radiusText } from '../../src/certify/curve.ts';
import { accuracyTable, sparkline } from '../../src/certify/report.ts';
import { ONE, rational } from '../../src/ir/rational.ts';

const result: CertifiedAccuracy = {
  images: 8,
  correct: 6,
  at: [
    { radius: rational(36, 255), certified: 4 },
    { radius: ONE, certified: 1 },
  ],
  radii: Float64Array.of(2, 0.5, 0.5, 0.25, 0.125, 0.125, -1, Number.NaN),
};

test('the curve is the share of radii above r; NaN counts for nothing', () => {
  expect([0, 0.125, 0.25, 0.5, 1, 2].map(r => 8 * certifiedShare(result.radii, r))).toEqual([6, 4, 3, 1, 1, 0]);
  expect(curveEnd(result)).toBeCloseTo(2.1);
  expect(curveEnd({ ...result, at: [], radii: new Float64Array(3) })).toBe(1);
  expect(certifiedShare(new Float64Array(0), 0)).toBe(0);
});

test('radii in the customary unit', () => {
  expect([rational(36, 255), rational(108, 255), ONE, rational(1, 3), rational(1, 2)].map(radiusText)).toEqual([
    '36/255',
    '108/255',
    '1',
    '85/255',
    '1/2',
  ]);
});

test('the table', () => {
  expect(accuracyTable(result)).toBe(`accuracy in % of 8 images
  natural   r = 36/255   r = 1
    75.00        50.00   12.50

  certified accuracy over radius 0 to 2.10
  ▆▆▆▆▄▄▄▄▃▃▃▃▃▃▃▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁
`);
  expect(sparkline(result, 4)).toBe('▆▁▁▁');
});

describe('the picture', () => {
  const svg = accuracyCurve(result, 'Net <1>', '8 images');
  const { document } = parseHTML(svg.replace(/^<\?xml.*\n/, ''));
  test('is a document of its own that names what it shows', () => {
    expect(document.documentElement.getAttribute('xmlns')).toBe('http://www.w3.org/2000/svg');
    const words = [...document.querySelectorAll('text')].map(t => t.textContent);
    for (const w of ['Net <1>', '8 images', 'natural 75.0 %', '50.0 % at 36/255', '12.5 % at 1'])
      expect(words).toContain(w);
    expect(svg).not.toMatch(/NaN|undefined/);
  });
  test('has a marker on the curve at each radius', () => {
    const dots = [...document.querySelectorAll('circle')];
    expect(dots).toHaveLength(2);
    const [x, y] = ['cx', 'cy'].map(a => dots.map(d => Number(d.getAttribute(a))));
    // The frame: radius 0 to 2.1 over 56 … 696, accuracy 0 to 100 over 392 … 64.
    expect(x[0]).toBeCloseTo(56 + (640 * 36) / 255 / 2.1, 6);
    expect(x[1]).toBeCloseTo(56 + 640 / 2.1, 6);
    expect(y).toEqual([392 - 328 * 0.5, 392 - 328 * 0.125]);
  });
});
