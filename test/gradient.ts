/** Central differences: what reverse mode is compared with. */
import { type Bindings, interpret } from '../src/ir/interpret.ts';
import { GraphBuilder, type TensorGraph, type TensorId } from '../src/ir/tensor.ts';
import { differentiate } from '../src/passes/training/differentiate.ts';

/** Reproducible numbers in (−1, 1) without a pattern. */
export const noise = (n: number, seed: number): Float64Array => {
  let state = (seed * 2654435761 + 12345) >>> 0;
  return Float64Array.from({ length: n }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
};

/** The value Σ seed ⊙ y and its gradients by reverse mode, `seed` being an input of the graph. */
export const gradientGraph = (
  build: (b: GraphBuilder) => { y: TensorId; wrt: Readonly<Record<string, TensorId>> },
): { graph: TensorGraph; seedLength: number; missing: readonly string[] } => {
  const b = new GraphBuilder();
  const { y, wrt } = build(b);
  const shape = b.shape(y);
  const seed = b.input('seed', shape);
  const weighted = b.mul(y, seed);
  b.output(
    'value',
    b.sum(
      weighted,
      shape.map((_, i) => i),
    ),
  );
  const names = Object.keys(wrt);
  const grads = differentiate(b, y, seed, Object.values(wrt));
  const missing: string[] = [];
  grads.forEach((g, i) => {
    if (g === undefined) missing.push(names[i]);
    else b.output(`grad ${names[i]}`, g);
  });
  return { graph: b.finish(), seedLength: shape.reduce((p, d) => p * d, 1), missing };
};

/** The largest difference between reverse mode and central differences of step h, relative to the largest gradient entry (or 1). */
export const gradientError = (
  graph: TensorGraph,
  bindings: { inputs: Map<string, Float64Array>; params: Map<string, Float64Array> },
  kind: 'inputs' | 'params',
  name: string,
  entries: readonly number[],
  h = 1e-5,
): number => {
  const reverse = interpret(graph, bindings).outputs.get(`grad ${name}`)!;
  const scale = Math.max(1, ...reverse.map(Math.abs));
  let worst = 0;
  for (const i of entries) {
    const at = (delta: number): number => {
      const moved = Float64Array.from(bindings[kind].get(name)!);
      moved[i] += delta;
      const shifted: Bindings = { ...bindings, [kind]: new Map([...bindings[kind], [name, moved]]) };
      return interpret({ ...graph, outputs: new Map([['value', graph.outputs.get('value')!]]) }, shifted).outputs.get(
        'value',
      )![0];
    };
    const numeric = (at(h) - at(-h)) / (2 * h);
    worst = Math.max(worst, Math.abs(numeric - reverse[i]) / scale);
  }
  return worst;
};
