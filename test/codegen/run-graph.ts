/** Runs a graph on the device and in the float64 oracle on the same random numbers. */
import { expect } from 'vitest';
import { interpret } from '../../src/ir/interpret.ts';
import { DEFAULT_LIMITS, type Target } from '../../src/ir/kernel.ts';
import { size, type TensorGraph } from '../../src/ir/tensor.ts';
import { compileGraph } from '../../src/passes/kernels/compile-graph.ts';
import { createExecutor, createParamStore } from '../../src/runtime/executor.ts';

export const SOFTWARE: Target = { profile: 'software', limits: DEFAULT_LIMITS };

/** Uniform in [−1, 1), rounded to f32, from a seed (mulberry32). */
export const randomValues = (count: number, seed: number): Float32Array => {
  let state = seed >>> 0;
  return Float32Array.from({ length: count }, () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 31 - 1;
  });
};

export interface Outcome {
  /** Greatest |device − oracle| over all results, each result scaled by max(1, its greatest entry). */
  readonly error: number;
  readonly worst: string;
  /** What the device computed. */
  readonly found: ReadonlyMap<string, Float32Array>;
}

/** `values` replaces the random numbers of an input or param by name. */
export const runBoth = async (
  device: GPUDevice,
  graph: TensorGraph,
  target: Target = SOFTWARE,
  values: Readonly<Record<string, ArrayLike<number>>> = {},
): Promise<Outcome> => {
  const { plan } = compileGraph(graph, target);
  const inputs = new Map<string, Float32Array>();
  const params = new Map<string, Float32Array>();
  let seed = 1;
  for (const { op, shape } of graph.nodes) {
    if (op.kind === 'input')
      inputs.set(op.name, values[op.name] ? Float32Array.from(values[op.name]) : randomValues(size(shape), seed++));
    if (op.kind === 'param')
      params.set(op.path, values[op.path] ? Float32Array.from(values[op.path]) : randomValues(size(shape), seed++));
  }
  const store = createParamStore(device);
  for (const [path, t] of Object.entries(plan.params))
    store.set(path, params.get(path) ?? new Float32Array(size(t.shape)), t.shape);
  const executor = await createExecutor(device, plan, store);
  for (const [name, data] of inputs) executor.write(name, data);
  executor.run();
  const found = new Map<string, Float32Array>();
  for (const name of graph.outputs.keys()) found.set(`output ${name}`, await executor.read(name));
  for (const path of graph.updates.keys()) found.set(`update ${path}`, await store.read(path));
  executor.destroy();
  store.destroy();

  const oracle = interpret(graph, { inputs, params });
  const wanted = new Map([
    ...[...oracle.outputs].map(([k, v]) => [`output ${k}`, v] as const),
    ...[...oracle.updates].map(([k, v]) => [`update ${k}`, v] as const),
  ]);
  let error = 0;
  let worst = '';
  for (const [name, want] of wanted) {
    const got = found.get(name)!;
    expect(got.length, name).toBe(want.length);
    const scale = want.reduce((m, v) => Math.max(m, Math.abs(v)), 1);
    want.forEach((w, i) => {
      const e = Math.abs(w - got[i]) / scale;
      // Written so that NaN counts.
      if (!(e <= error)) {
        error = e;
        worst = `${name}[${i}]: ${got[i]}, oracle ${w}`;
      }
    });
  }
  return { error, worst, found };
};
