import { expect, test } from 'vitest';
import { checkpoints, climb, type Goal, type Method } from '../../src/attack/apgd.ts';
import { distance, project, randomPoint } from '../../src/attack/ball.ts';
import type { Oracle } from '../../src/attack/oracle.ts';
import { stream } from '../../src/train/random.ts';

test('checkpoints lie at the shares 0.22, 0.41, 0.57, … of the steps', () => {
  // Croce & Hein 2020, p_{j+1} = p_j + max(p_j − p_{j−1} − 0.03, 0.06), for 100 steps.
  expect(checkpoints(100)).toEqual([22, 41, 57, 70, 80, 87, 93, 99]);
  expect(checkpoints(1)).toEqual([1]);
});

test('a projection lies in box and ball, as f32 too', () => {
  const random = stream(1, 'project');
  const box = [0, 1] as const;
  for (const n of [1, 3, 200]) {
    for (let k = 0; k < 50; k++) {
      const centre = Float32Array.from({ length: n }, () => random.uniform());
      const radius = 10 ** (random.uniform() * 5 - 4);
      const out = new Float32Array(n);
      project(
        Float64Array.from(centre, v => v + 2 * random.normal()),
        centre,
        radius,
        box,
        out,
      );
      expect(distance(out, centre)).toBeLessThanOrEqual(radius);
      expect(out.every(v => v >= 0 && v <= 1)).toBe(true);
      randomPoint(centre, radius, undefined, random, out);
      expect(distance(out, centre)).toBeLessThanOrEqual(radius);
      expect(distance(out, centre)).toBeGreaterThan(0);
    }
  }
});

test('a projection leaves a point of the ball where it is, and shrinks one outside onto the border', () => {
  const centre = new Float32Array([1, 1]);
  const out = new Float32Array(2);
  project(new Float64Array([1.25, 0.5]), centre, 1, undefined, out);
  expect([...out]).toEqual([1.25, 0.5]);
  project(new Float64Array([1, 5]), centre, 1, undefined, out);
  expect(out[0]).toBe(1);
  expect(out[1]).toBeCloseTo(2, 5);
});

/** Two classes in the plane, logits (0, height(x)), with class 1 on the disc of radius 0.1 around (2, 1). */
const hill: Oracle = {
  batch: 2,
  classes: 2,
  inputs: 2,
  logits: async x => {
    const out = new Float32Array(4);
    for (let i = 0; i < 2; i++) out[2 * i + 1] = 0.1 - Math.hypot(x[2 * i] - 2, x[2 * i + 1] - 1);
    return out;
  },
  gradient: async (x, partition, direction) => {
    const logits = await hill.logits(x);
    const gradient = new Float32Array(4);
    for (let i = 0; i < 2; i++) {
      const share = 1 / (1 + Math.exp(-logits[2 * i + 1]));
      const weight = direction[2 * i + 1] + partition[i] * share;
      const away = [x[2 * i] - 2, x[2 * i + 1] - 1];
      for (const k of [0, 1]) gradient[2 * i + k] = (-weight * away[k]) / Math.hypot(...away);
    }
    return { logits, gradient };
  },
  destroy: () => {},
};

const cases: readonly (readonly [Method, Goal])[] = [
  ['pgd', { loss: 'cross entropy' }],
  ['apgd', { loss: 'cross entropy' }],
  ['apgd', { loss: 'difference', target: 1 }],
];

test.each(cases)('%s with %o climbs a hill in reach, and stays in the ball when it is not', async (method, goal) => {
  const centre = new Float32Array([0, 0]);
  const attack = (radius: number) => ({ centre, start: centre.slice(), label: 0, radius, goal });
  // The nearest point of class 1 is at √5 − 0.1 ≈ 2.136.
  const [far, near] = await climb(hill, method, [attack(2.5), attack(2)], 40, undefined);
  expect(distance(far!, new Float32Array([2, 1]))).toBeLessThan(0.1);
  expect(distance(far!, centre)).toBeLessThanOrEqual(2.5);
  expect(near).toBeUndefined();
});

test('Auto-PGD halves its step: the last moves are small', async () => {
  const seen: number[][] = [];
  const watched: Oracle = {
    ...hill,
    gradient: (x, p, d) => {
      seen.push([x[0], x[1]]);
      return hill.gradient(x, p, d);
    },
  };
  const centre = new Float32Array([0, 0]);
  const goal: Goal = { loss: 'difference', target: 1 };
  await climb(watched, 'apgd', [{ centre, start: centre.slice(), label: 0, radius: 2.1, goal }], 60, undefined);
  expect(seen).toHaveLength(61);
  const best = seen.map(([a, b]) => 0.1 - Math.hypot(a - 2, b - 1)).reduce((a, b) => Math.max(a, b));
  // The maximum in the ball: √5 − 2.1 from the summit.
  expect(best).toBeGreaterThan(0.1 - (Math.sqrt(5) - 2.1) - 1e-3);
});
