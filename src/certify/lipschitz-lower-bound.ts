/** How large the Lipschitz constant of a network is at least: the other end of what a certificate bounds from above. */
import { interpret } from '../ir/interpret.ts';
import { GraphBuilder, prune, size, type TensorGraph, type TensorId } from '../ir/tensor.ts';
import { differentiate } from '../passes/training/differentiate.ts';
import { stream } from '../train/random.ts';
import { norm } from './rounding-norms.ts';

/** Step of the difference quotients: each is a lower bound by itself, whatever the step. */
const STEP = 2 ** -10;

/** More than what an evaluation in f64 errs by, as a share of the values: a large bias leaves little of a small difference. */
const EVALUATION = 2 ** -44;

/** Random points that `lipschitzLowerBound` starts from. */
export const STARTS = 2;

export interface PowerIteration {
  readonly iterations?: number;
  readonly seed?: number;
}

/** `graph` with constants as kernels contain them, in f32, and its tables as parameters, converted to f64 once for all evaluations. */
const widened = (graph: TensorGraph): { graph: TensorGraph; params: Map<string, Float64Array> } => {
  const params = new Map<string, Float64Array>();
  const nodes = graph.nodes.map(node => {
    if (node.op.kind === 'constant') return { ...node, op: { ...node.op, value: Math.fround(node.op.value) } };
    if (node.op.kind !== 'literal') return node;
    const path = `#${node.id}`;
    const data = new Float64Array(node.op.data.length);
    data.set(node.op.data);
    params.set(path, data);
    return { ...node, op: { kind: 'param', path } as const };
  });
  return { graph: { ...graph, nodes }, params };
};

/**
 * The largest ‖f(x + hv) − f(x)‖ / ‖hv‖ found by `iterations` of power iteration on the Jacobian at one random point, numbered `start`, in
 * f64, less what the values' rounding may add: a lower bound of the Lipschitz constant of `output` of `folded`, a graph of one input.
 */
export const lowerBoundFrom = (
  folded: TensorGraph,
  start: number,
  { iterations = 8, seed = 0 }: PowerIteration = {},
  output = 'features',
): number => {
  const kept = prune({ ...folded, outputs: new Map([[output, folded.outputs.get(output)!]]), updates: new Map() });
  const { graph: forward, params } = widened(kept);
  const x = forward.nodes.find(node => node.op.kind === 'input')!;
  const from = x.op.kind === 'input' ? x.op.name : '';
  const back = GraphBuilder.from(forward);
  const y = forward.outputs.get(output)!;
  const [adjoint] = differentiate(back, y, back.input('u', back.shape(y)), [x.id]);
  if (adjoint === undefined) return 0;
  back.output('adjoint', adjoint);
  const graph = prune({ ...back.finish(), outputs: new Map([['adjoint', adjoint]]) });
  const n = size(x.shape);
  const random = stream(seed, `lower bound ${start}`);
  const at = Float64Array.from({ length: n }, () => random.uniform());
  const value = (p: Float64Array) => interpret(forward, { inputs: new Map([[from, p]]), params }).outputs.get(output)!;
  const origin = value(at);
  let best = 0;
  let v: Float64Array = Float64Array.from({ length: n }, () => random.normal());
  for (let i = 0; i < iterations; i++) {
    const h = STEP / norm(v);
    const moved = at.map((p, k) => p + h * v[k]);
    const step = norm(moved.map((p, k) => p - at[k]));
    const there = value(moved);
    const change = there.map((y, k) => y - origin[k]);
    const quotient = (norm(change) - EVALUATION * (norm(there) + norm(origin))) / step;
    if (!(quotient > 0)) break;
    best = Math.max(best, quotient);
    const inputs = new Map([
      [from, at],
      ['u', change],
    ]);
    v = interpret(graph, { inputs, params }).outputs.get('adjoint')!;
  }
  return best;
};

/** The largest of the bounds from `starts` points, of the output "features". */
export const lipschitzLowerBound = (
  folded: TensorGraph,
  { starts = STARTS, ...options }: PowerIteration & { readonly starts?: number } = {},
): number =>
  Array.from({ length: starts }, (_, start) => lowerBoundFrom(folded, start, options)).reduce(
    (a, b) => Math.max(a, b),
    0,
  );

/** The part of `graph` from the value `from` to its output `to`, as a graph of one input; undefined where something leads around `from`. */
export const partBetween = (graph: TensorGraph, from: TensorId, to: string): TensorGraph | undefined => {
  const name = 'the value before';
  const nodes = graph.nodes.map(n => (n.id === from ? { ...n, op: { kind: 'input', name } as const, inputs: [] } : n));
  const part = prune({ nodes, outputs: new Map([[to, graph.outputs.get(to)!]]), updates: new Map() });
  const inputs = part.nodes.flatMap(n => (n.op.kind === 'input' ? [n.op.name] : []));
  return inputs.length === 1 && inputs[0] === name ? part : undefined;
};
