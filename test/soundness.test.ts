import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { provenFrom } from '../src/fixtures/compile-source.ts';
import { interpret } from '../src/ir/interpret.ts';
import { elements } from '../src/ir/network.ts';
import { toNumber } from '../src/ir/rational.ts';
import { GraphBuilder, type TensorGraph } from '../src/ir/tensor.ts';
import { lowerNetwork } from '../src/passes/lower/lower.ts';
import { type ProvenNetwork, prove } from '../src/passes/prove/prove.ts';
import { simplify } from '../src/passes/tensors/simplify.ts';
import { differentiate } from '../src/passes/training/differentiate.ts';
import { type Random, randomFrom, randomParams, randomSource } from './random-network.ts';

/** Points looked at together; the networks act on each row of a batch alone. */
const POINTS = 4;

/** For rounding only. */
const SLACK = 1 + 1e-9;

interface Probe {
  readonly graph: TensorGraph;
  readonly inputs: number;
  readonly outputs: number;
}

/** y = f(x), the products Jᵀv and Ju with its Jacobian at x, and what the head certifies by. */
const probe = (proven: ProvenNetwork, mode: 'train' | 'inference'): Probe => {
  const b = new GraphBuilder();
  const shape = [POINTS, ...proven.network.input.shape];
  const x = b.input('x', shape);
  const { features, logits, headWeight } = lowerNetwork(b, proven, x, mode);
  const v = b.input('v', b.shape(features));
  const back = differentiate(b, features, v, [x])[0] ?? b.constant(0, shape);
  // Jᵀv is linear in v, so its own adjoint is J.
  const forward = differentiate(b, back, b.input('u', shape), [v])[0] ?? b.constant(0, b.shape(features));
  b.output('y', features);
  b.output('Jtv', back);
  b.output('Ju', forward);
  if (logits !== undefined) b.output('logits', logits);
  if (headWeight !== undefined) b.output('head', headWeight);
  return {
    graph: simplify(b.finish()).graph,
    inputs: elements(proven.network.input.shape),
    outputs: elements(b.shape(features)) / POINTS,
  };
};

const norm = (a: ArrayLike<number>, from: number, length: number): number => {
  let s = 0;
  for (let i = from; i < from + length; i++) s += a[i] * a[i];
  return Math.sqrt(s);
};

const normals = (r: Random, n: number, scale = 1): Float64Array =>
  Float64Array.from({ length: n }, () => scale * r.normal());

interface Worst {
  /** Largest ‖f(x) − f(x′)‖ / ‖x − x′‖ or ‖Ju‖ / ‖u‖ seen. */
  readonly ratio: number;
  /** Largest |Δ(z_i − z_j)| / (‖ŵ_i − ŵ_j‖ ‖Δx‖) seen; 0 without a head. */
  readonly pairwise: number;
}

/** Searches for the largest stretch of f: power iteration on Jacobians, then pairs along the directions found and random ones. */
const stretch = (p: Probe, params: ReadonlyMap<string, Float64Array>, r: Random, iterations: number): Worst => {
  const { inputs: n, outputs: m } = p;
  let ratio = 0;
  let pairwise = 0;
  const run = (x: Float64Array, u: Float64Array, v: Float64Array) =>
    interpret(p.graph, {
      inputs: new Map([
        ['x', x],
        ['u', u],
        ['v', v],
      ]),
      params,
    }).outputs;
  for (const scale of [1, 30]) {
    const x = normals(r, POINTS * n, scale);
    const u = normals(r, POINTS * n);
    let v = normals(r, POINTS * m);
    let base = run(x, u, v);
    for (let k = 0; k < iterations; k++) {
      v = Float64Array.from(base.get('Ju')!);
      for (let i = 0; i < POINTS; i++) {
        const size = norm(u, i * n, n);
        if (size > 0) ratio = Math.max(ratio, norm(v, i * m, m) / size);
      }
      base = run(x, u, v);
      const next = base.get('Jtv')!;
      for (let i = 0; i < POINTS; i++) {
        const size = norm(next, i * n, n);
        // A direction that f kills gives way to a random one.
        for (let j = i * n; j < (i + 1) * n; j++) u[j] = size > 0 ? next[j] / size : r.normal();
      }
      base = run(x, u, v);
    }
    for (const step of [1e-2, 1, 100]) {
      for (const direction of [u, normals(r, POINTS * n)]) {
        const other = x.map((a, i) => a + step * direction[i]);
        const there = run(other, u, v);
        for (let i = 0; i < POINTS; i++) {
          const apart = norm(
            other.map((a, j) => a - x[j]),
            i * n,
            n,
          );
          if (apart === 0) continue;
          const [y, y2] = [base.get('y')!, there.get('y')!];
          // Rounding of y itself is relative to y, not to the difference.
          const rounding = 1e-14 * (norm(y, i * m, m) + norm(y2, i * m, m));
          ratio = Math.max(
            ratio,
            (norm(
              y2.map((a, j) => a - y[j]),
              i * m,
              m,
            ) -
              rounding) /
              apart,
          );
          const [head, z, z2] = [base.get('head'), base.get('logits'), there.get('logits')];
          if (!head || !z || !z2) continue;
          const classes = head.length / m;
          for (let a = 0; a < classes; a++) {
            for (let c = 0; c < a; c++) {
              const gap = norm(
                Float64Array.from({ length: m }, (_, j) => head[a * m + j] - head[c * m + j]),
                0,
                m,
              );
              const [p1, p2] = [z[i * classes + a] - z[i * classes + c], z2[i * classes + a] - z2[i * classes + c]];
              const noise = 1e-13 * (1 + Math.abs(p1) + Math.abs(p2) + norm(y, i * m, m) + norm(y2, i * m, m));
              if (gap > 0) pairwise = Math.max(pairwise, (Math.abs(p1 - p2) - noise) / (gap * apart));
            }
          }
        }
      }
    }
  }
  return { ratio, pairwise };
};

const SEEDS = Array.from({ length: 20 }, (_, i) => i);
const PER_SEED = 10;

describe('no pair of inputs beats the proven bound', () => {
  it.each(SEEDS)('ten random networks, seed %i', seed => {
    for (let k = 0; k < PER_SEED; k++) {
      const r = randomFrom(1000 * seed + k);
      const source = randomSource(r, { operators: true, geometries: true, branches: k % 3 === 1 });
      const proven = provenFrom(source);
      const bound = Math.sqrt(toNumber(proven.squared));
      const params = randomParams(r, proven.network);
      const worst = stretch(probe(proven, k % 2 === 0 ? 'train' : 'inference'), params, r, 10);
      expect(Number.isNaN(worst.ratio) || Number.isNaN(worst.pairwise), source).toBe(false);
      expect(worst.ratio, source).toBeLessThanOrEqual(bound * SLACK);
      expect(worst.pairwise, source).toBeLessThanOrEqual(bound * SLACK);
    }
  });
});

describe('no pair of inputs beats the proven bound of layers without a weight matrix', () => {
  it.each(SEEDS)('ten random networks, seed %i', seed => {
    for (let k = 0; k < PER_SEED; k++) {
      const r = randomFrom(300_000 + 1000 * seed + k);
      const source = randomSource(r, { structures: true });
      const proven = provenFrom(source);
      const bound = Math.sqrt(toNumber(proven.squared));
      const params = randomParams(r, proven.network);
      const worst = stretch(probe(proven, k % 2 === 0 ? 'train' : 'inference'), params, r, 10);
      expect(Number.isNaN(worst.ratio) || Number.isNaN(worst.pairwise), source).toBe(false);
      expect(worst.ratio, source).toBeLessThanOrEqual(bound * SLACK);
      expect(worst.pairwise, source).toBeLessThanOrEqual(bound * SLACK);
    }
  });
});

it('no pair of inputs beats the proven bound of whatever is generated', () => {
  const kinds = fc.record({
    operators: fc.boolean(),
    geometries: fc.boolean(),
    structures: fc.boolean(),
    branches: fc.boolean(),
  });
  const property = fc.property(
    fc.nat(),
    kinds,
    fc.constantFrom('train' as const, 'inference' as const),
    (seed, given, mode) => {
      const r = randomFrom(seed);
      const source = randomSource(r, given);
      const proven = provenFrom(source);
      const bound = Math.sqrt(toNumber(proven.squared));
      const worst = stretch(probe(proven, mode), randomParams(r, proven.network), r, 10);
      expect(Number.isNaN(worst.ratio) || Number.isNaN(worst.pairwise), source).toBe(false);
      expect(worst.ratio, source).toBeLessThanOrEqual(bound * SLACK);
      expect(worst.pairwise, source).toBeLessThanOrEqual(bound * SLACK);
    },
  );
  fc.assert(property, { numRuns: 40, seed: 20_232 });
});

describe('the search would notice', () => {
  it('finds the bound where it is attained: an orthogonal matrix, a pool of one channel', () => {
    for (const source of [
      'network Net {\n  input x[6]\n  dense 9 by orthogonal(cayley)\n}\n',
      'network Net {\n  input image[1, 4, 4]\n  avgpool 2\n}\n',
      'network Net {\n  input x[5]\n  scale 1/3\n  budget 3\n}\n',
      'network Net {\n  input image[2, 4, 6]\n  l2pool 2\n}\n',
      'network Net {\n  input image[2, 4, 6]\n  maxpool [2, 3]\n}\n',
      'network Net {\n  input x[8]\n  householder\n  householder order = 2\n  prelu\n  rabs\n  halfabs\n}\n',
      'network Net {\n  input x[8]\n  avgpool 4, divisor = 1/2\n  tile features to 6\n  budget 4\n}\n',
      // The middle entry is in both windows, and the maximum of both.
      'network Net {\n  input x[3]\n  maxpool 2, stride = 1\n  budget 2\n}\n',
    ]) {
      const r = randomFrom(7);
      const proven = provenFrom(source);
      const { ratio } = stretch(probe(proven, 'train'), randomParams(r, proven.network), r, 6);
      expect(ratio / Math.sqrt(toNumber(proven.squared))).toBeGreaterThan(0.999);
      expect(ratio / Math.sqrt(toNumber(proven.squared))).toBeLessThanOrEqual(SLACK);
    }
  });

  it('sees through a false proof: abs inside a residual stretches, threefold for one unit', () => {
    const honest = provenFrom('network Net {\n  input x[3]\n  residual dense hidden = 1 by sll\n}\n');
    const [layer] = honest.network.layers;
    if (layer.op.kind !== 'residual') throw new Error('a residual layer was expected');
    const network = { ...honest.network, layers: [{ ...layer, op: { ...layer.op, act: { kind: 'abs' as const } } }] };
    const forged = { ...honest, network } as ProvenNetwork;
    const r = randomFrom(3);
    expect(prove(network)).toHaveProperty('diagnostics');
    expect(stretch(probe(forged, 'train'), randomParams(r, network), r, 12).ratio).toBeGreaterThan(2.9);
  });
});
