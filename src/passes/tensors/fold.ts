/** Constant folding for frozen weights. */
import { evaluate } from '../../ir/interpret.ts';
import { GraphBuilder, prune, type TensorGraph, type TensorId, type TensorNode } from '../../ir/tensor.ts';

/**
 * `graph` with everything that depends on parameters alone computed in float64 and rounded once to f32. The result has no
 * parameters and no updates. Constants, index tensors and repetitions stay symbolic, so that a bias repeated over a batch remains a small
 * literal; a tensor with equal entries becomes a constant.
 *
 * Outputs named in `downward` hold numbers ≥ 0 that may only shrink (a residual layer's multipliers t): they are made smaller by
 * 2⁻³², more than float64 can have erred, and rounded towards zero, so that t_i T_i ≤ 2 holds for the stored t exactly. Those named in
 * `inward` are weights whose norm must not grow by rounding: they, and what is cut out of them or laid out anew, are made smaller by 2⁻²⁰ before they are
 * rounded to nearest. Throws when a parameter is missing or a folded value is not finite.
 */
export const fold = (
  graph: TensorGraph,
  params: ReadonlyMap<string, ArrayLike<number>>,
  { downward = [], inward = [] }: { downward?: Iterable<string>; inward?: Iterable<string> } = {},
): TensorGraph => {
  const shrink = new Set([...downward].map(name => graph.outputs.get(name)));
  const contract = new Set([...inward].map(name => graph.outputs.get(name)));
  const cuts = ['slice', 'reshape', 'transpose'];
  for (const n of graph.nodes) if (cuts.includes(n.op.kind) && contract.has(n.inputs[0])) contract.add(n.id);
  const fixed = new Set<TensorId>();
  for (const n of graph.nodes) {
    if (n.op.kind !== 'input' && n.inputs.every(i => fixed.has(i))) fixed.add(n.id);
  }
  // Kept symbolic: leaves that are as small as a number, and what only repeats them or a literal.
  const symbolic = (id: TensorId): boolean => ['constant', 'iota', 'broadcast'].includes(graph.nodes[id].op.kind);
  const wanted = new Set<TensorId>();
  const want = (id: TensorId): void => {
    if (!fixed.has(id)) return;
    if (symbolic(id)) graph.nodes[id].inputs.forEach(want);
    else wanted.add(id);
  };
  for (const n of graph.nodes) if (!fixed.has(n.id)) n.inputs.forEach(want);
  for (const id of graph.outputs.values()) want(id);
  const values = evaluate(graph, { inputs: new Map(), params }, wanted);

  const b = new GraphBuilder();
  const moved = new Map<TensorId, TensorId>();
  for (const n of graph.nodes) {
    b.origin = n.origin;
    const value = values.get(n.id);
    if (value !== undefined) {
      moved.set(n.id, leaf(b, value, n, shrink.has(n.id) ? roundDown : contract.has(n.id) ? roundInward : Math.fround));
    } else if (!fixed.has(n.id) || (symbolic(n.id) && n.inputs.every(i => moved.has(i)))) {
      moved.set(
        n.id,
        b.make(
          n.op,
          n.inputs.map(i => moved.get(i)!),
          n.shape,
        ),
      );
    }
  }
  for (const [name, id] of graph.outputs) b.output(name, moved.get(id)!);
  return prune(b.finish());
};

const roundInward = (x: number): number => Math.fround(x * (1 - 2 ** -20));

/** The largest f32 at most x·(1 − 2⁻³²), for x ≥ 0. */
const roundDown = (x: number): number => {
  const target = x * (1 - 2 ** -32);
  const nearest = Math.fround(target);
  if (nearest <= target) return nearest;
  const bits = new Uint32Array(Float32Array.of(nearest).buffer);
  bits[0] -= 1;
  return new Float32Array(bits.buffer)[0];
};

const leaf = (b: GraphBuilder, value: Float64Array, node: TensorNode, round: (x: number) => number): TensorId => {
  const data = Float32Array.from(value, round);
  if (!data.every(Number.isFinite))
    throw new Error(`fold: ${node.origin || 'a parameter'} has entries that are not finite`);
  return data.every(v => v === data[0]) ? b.constant(data[0], node.shape) : b.literal(data, node.shape);
};
