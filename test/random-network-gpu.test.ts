import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { provenFrom } from '../src/fixtures/compile-source.ts';
import { type Engine, oracleEngine } from '../src/fixtures/engine.ts';
import { gpuEngine } from '../src/fixtures/gpu-engine.ts';
import { gradientGraph } from '../src/fixtures/run-case.ts';
import { elements, networkParams } from '../src/ir/network.ts';
import { useDevice } from './device.ts';
import { type Random, randomFrom, randomSource } from './random-network.ts';

const gpu = useDevice();

const BATCH = 3;
const NETWORKS = 30;

const evaluate = async (
  engine: Engine,
  ...[graph, inputs, params]: [Parameters<Engine['start']>[0], Map<string, Float64Array>, Map<string, Float64Array>]
) => {
  const session = await engine.start(graph, params);
  try {
    return await session.run(inputs);
  } finally {
    session.close();
  }
};

/** Values and gradients of the program, by kernels and by the oracle, at weights and inputs drawn from r. */
const agree = async (r: Random, source: string): Promise<void> => {
  const proven = provenFrom(source);
  const graph = gradientGraph(proven, BATCH);
  // Rounded to f32, so that both sides start from the same numbers.
  const normals = (n: number, scale: number) => Float64Array.from({ length: n }, () => Math.fround(scale * r.normal()));
  const params = new Map(networkParams(proven.network).map(p => [p.path, normals(elements(p.shape), 1)]));
  const shapes = new Map(graph.nodes.flatMap(n => (n.op.kind === 'input' ? [[n.op.name, n.shape] as const] : [])));
  const inputs = new Map([...shapes].map(([name, shape]) => [name, normals(elements(shape), 1)]));
  const want = await evaluate(oracleEngine, graph, inputs, params);
  const got = await evaluate(gpuEngine(gpu()), graph, inputs, params);
  expect([...got.keys()]).toEqual([...want.keys()]);
  for (const [name, expected] of want) {
    const actual = got.get(name)!;
    let scale = 1;
    for (let i = 0; i < expected.length; i++) scale = Math.max(scale, Math.abs(expected[i]));
    for (let i = 0; i < expected.length; i++) {
      expect(
        Math.abs(actual[i] - expected[i]),
        `${name}[${i}] = ${actual[i]}, not ${expected[i]}, of\n${source}`,
      ).toBeLessThanOrEqual(2e-4 * scale);
    }
  }
};

describe('compiled kernels agree with the oracle on random networks, forward and gradients', () => {
  it.each(Array.from({ length: NETWORKS }, (_, i) => i))('network %i', async seed => {
    const r = randomFrom(50_000 + seed);
    const kinds = { operators: true, geometries: true, structures: seed % 2 === 1, branches: seed % 3 === 0 };
    await agree(r, randomSource(r, kinds));
  });

  it('whatever is generated', () => {
    const kinds = fc.record({
      operators: fc.boolean(),
      geometries: fc.boolean(),
      structures: fc.boolean(),
      branches: fc.boolean(),
    });
    const property = fc.asyncProperty(fc.nat(), kinds, async (seed, given) => {
      const r = randomFrom(seed);
      await agree(r, randomSource(r, given));
    });
    return fc.assert(property, { numRuns: 12, seed: 20_231 });
  });
});
