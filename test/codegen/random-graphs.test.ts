/** The translation check on random graphs, for both profiles and for few bindings. */
import { describe, expect, it } from 'vitest';
import { DEFAULT_LIMITS, type Target } from '../../src/ir/kernel.ts';
import { printTensorGraph } from '../../src/ir/tensor.ts';
import { useDevice } from '../device.ts';
import { randomGraph } from './random-graph.ts';
import { runBoth } from './run-graph.ts';

const gpu = useDevice({ robust: true });
const few = { ...DEFAULT_LIMITS, maxStorageBuffersPerShaderStage: 5 };

const TARGETS: readonly { readonly name: string; readonly target: Target }[] = [
  { name: 'software', target: { profile: 'software', limits: DEFAULT_LIMITS } },
  { name: 'gpu', target: { profile: 'gpu', limits: DEFAULT_LIMITS } },
  { name: 'few bindings', target: { profile: 'software', limits: few } },
];

describe.each(TARGETS)('random graphs, $name', ({ target }) => {
  const count = process.env.LIP_TEST_FULL ? 200 : 12;
  it.each(Array.from({ length: count }, (_, i) => i + 1))('seed %i', async seed => {
    const graph = randomGraph(seed, 10 + (seed % 30));
    const { error, worst } = await runBoth(gpu().device, graph, target);
    expect(error, `${worst}\n${printTensorGraph(graph)}`).toBeLessThan(2e-5);
  });
});
