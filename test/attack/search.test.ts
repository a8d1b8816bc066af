import { expect, test } from 'vitest';
import { distance } from '../../src/attack/ball.ts';
import { createOracle, gradientGraph, type Oracle } from '../../src/attack/oracle.ts';
import { type AttackOptions, attackImages, nearestClasses } from '../../src/attack/search.ts';
import { judgeAttacks } from '../../src/attack/violation.ts';
import { certifiedRadius, type HeadGeometry, predict } from '../../src/certify/radii.ts';
import type { Dataset } from '../../src/data/dataset.ts';
import { interpret } from '../../src/ir/interpret.ts';
import type { FrozenNetwork } from '../../src/passes/tensors/freeze.ts';
import { useDevice } from '../device.ts';
import { DEEP, frozen, images, LINEAR } from './networks.ts';

const gpu = useDevice({ prefer: 'software' });

const OPTIONS: AttackOptions = { steps: 15, restarts: 1, rounds: 4, seed: 5, radii: [0.05, 0.1] };

const withOracle = async <T>(network: FrozenNetwork, use: (oracle: Oracle) => Promise<T>): Promise<T> => {
  const oracle = await createOracle(gpu().device, { profile: 'software', limits: gpu().limits }, network);
  try {
    return await use(oracle);
  } finally {
    oracle.destroy();
  }
};

/** Random images labelled with what the network says of them. */
const classified = async (oracle: Oracle, n: number, count: number): Promise<Dataset & { images: Float32Array }> => {
  const data = images(n, new Int32Array(count));
  for (let i = 0; i < count; i++) {
    const x = new Float32Array(oracle.batch * n);
    x.set(data.images.subarray(i * n, (i + 1) * n));
    data.labels[i] = predict((await oracle.logits(x)).subarray(0, oracle.classes));
  }
  return data;
};

const attack = (oracle: Oracle, head: HeadGeometry, data: Dataset & { images: Float32Array }, options = OPTIONS) =>
  attackImages(oracle, head, { x: data.images, labels: data.labels, ids: data.labels.map((_, i) => i) }, options);

/** As if the bound of the network were half of what it is: every certified radius doubles. */
const forged = (head: HeadGeometry): HeadGeometry => ({ ...head, squaredSlopes: head.squaredSlopes.map(s => s / 4) });

test('on a linear classifier the attack finds the certified radius itself', async () => {
  const { network, head } = frozen(LINEAR, 8);
  await withOracle(network, async oracle => {
    const data = await classified(oracle, 6, 12);
    const found = await attack(oracle, head, data);
    for (const { smallest, certified } of found) {
      expect(certified).toBeGreaterThan(0);
      expect(smallest / certified).toBeGreaterThan(1 - 1e-5);
      expect(smallest / certified).toBeLessThan(1 + 1e-3);
    }
    expect(judgeAttacks(network, data, found, head).violations).toEqual([]);
  });
});

test('on a deep network attacks succeed outside certified balls only, by points that have the norm they claim', async () => {
  const { network, head } = frozen(DEEP, 8);
  await withOracle(network, async oracle => {
    const data = await classified(oracle, 16, 12);
    const found = await attack(oracle, head, data);
    expect(found.filter(f => f.found).length).toBeGreaterThan(6);
    found.forEach(({ smallest, certified, found: point }, i) => {
      expect(smallest).toBeGreaterThan(certified);
      if (point) expect(distance(point.x, data.images.subarray(16 * i, 16 * (i + 1)))).toBe(smallest);
    });
  });
});

test('clipped attacks stay in the box and are no smaller than others', async () => {
  const { network, head } = frozen(DEEP, 8);
  await withOracle(network, async oracle => {
    const data = await classified(oracle, 16, 8);
    const clipped = await attack(oracle, head, data, { ...OPTIONS, box: [0, 1] });
    expect(clipped.filter(f => f.found).length).toBeGreaterThan(0);
    for (const { found, smallest, certified } of clipped) {
      expect(smallest).toBeGreaterThan(certified);
      if (found) expect(found.x.every(v => v >= 0 && v <= 1)).toBe(true);
    }
  });
});

test.each([
  ['linear', LINEAR, 6],
  ['deep', DEEP, 16],
] as const)('a forged radius is broken and the evidence holds in f64: %s', async (_, source, n) => {
  const { network, head } = frozen(source, 8);
  const lie = forged(head);
  await withOracle(network, async oracle => {
    const data = await classified(oracle, n, 8);
    const found = await attack(oracle, lie, data);
    const { violations, rounding } = judgeAttacks(network, data, found, lie);
    expect(rounding).toEqual([]);
    expect(violations.length).toBeGreaterThan(0);
    if (source === LINEAR) expect(violations).toHaveLength(8);
    for (const v of violations) {
      const label = data.labels[v.index];
      expect(v.norm).toBeLessThan(v.exact);
      expect(predict(v.logits.image)).toBe(label);
      expect(predict(v.logits.perturbed)).not.toBe(label);
      expect(v.exact).toBeCloseTo(2 * certifiedRadius(v.logits.image, label, head), 10);
    }
  });
});

test('an attack that only the rounding of logits explains is no violation', async () => {
  const { network, head } = frozen(LINEAR, 8);
  await withOracle(network, async oracle => {
    const data = await classified(oracle, 6, 1);
    const [honest] = await attack(oracle, head, data);
    // One unit of f32 more certified than true: what a rounded logit may do.
    const certified = honest.smallest * (1 + 2 ** -20);
    const { violations, rounding } = judgeAttacks(network, data, [{ ...honest, certified }], head);
    expect(violations).toEqual([]);
    expect(rounding.map(s => s.index)).toEqual([0]);
  });
});

test('the same seed gives the same attacks, bit for bit, and an image the same attack in any company', async () => {
  const { network, head } = frozen(DEEP, 4);
  await withOracle(network, async oracle => {
    const data = await classified(oracle, 16, 6);
    const options = { ...OPTIONS, restarts: 2, rounds: 3 };
    const first = await attack(oracle, head, data, options);
    expect(await attack(oracle, head, data, options)).toEqual(first);
    const some = { x: data.images.slice(16 * 4), labels: data.labels.slice(4), ids: [4, 5] };
    expect(await attackImages(oracle, head, some, options)).toEqual(first.slice(4));
  });
});

test('an image that is wrong already counts as broken by nothing', async () => {
  const { network, head } = frozen(LINEAR, 8);
  await withOracle(network, async oracle => {
    const data = await classified(oracle, 6, 2);
    data.labels[0] = (data.labels[0] + 1) % 4;
    const [wrong, right] = await attack(oracle, head, data);
    expect(wrong.smallest).toBe(0);
    expect(wrong.certified).toBeLessThan(0);
    expect(right.smallest).toBeGreaterThan(0);
  });
});

test('the gradient is that of the loss, by central differences in f64', () => {
  const { network } = frozen(DEEP, 2);
  const graph = gradientGraph(network);
  const { images: x } = images(16, new Int32Array(2));
  const partition = new Float32Array([1, 0]);
  const direction = new Float32Array([0, -1, 0, 0, 1, 0, -1, 0]);
  const run = (at: Float64Array) =>
    interpret(graph, {
      inputs: new Map<string, Float32Array | Float64Array>([
        ['x', at],
        ['partition', partition],
        ['direction', direction],
      ]),
      params: new Map(),
    }).outputs;
  const loss = (at: Float64Array): number => {
    const z = run(at).get('logits')!;
    const logSum = [0, 1].map(n => Math.log(z.slice(4 * n, 4 * n + 4).reduce((s, v) => s + Math.exp(v), 0)));
    return partition[0] * logSum[0] + partition[1] * logSum[1] + z.reduce((s, v, k) => s + v * direction[k], 0);
  };
  const centre = Float64Array.from(x);
  const gradient = run(centre).get('gradient')!;
  for (let k = 0; k < 32; k++) {
    const shifted = (h: number) => loss(centre.map((v, i) => (i === k ? v + h : v)));
    expect(gradient[k]).toBeCloseTo((shifted(1e-6) - shifted(-1e-6)) / 2e-6, 6);
  }
});

test('the nearest class is by distance to its border, not by logit; equal rows come last', () => {
  const head: HeadGeometry = {
    classes: 4,
    squaredSlopes: Float64Array.from({ length: 16 }, (_, k) => [0, 4, 1, 0][k]),
  };
  // Distances of class 0 to 1, 2, 3: 3/2, 2/1, never.
  expect(nearestClasses(new Float32Array([4, 1, 2, 3.5]), 0, head)).toEqual([1, 2, 3]);
});
