/** Constant folding for frozen weights. */
import { evaluate } from '../../ir/interpret.ts';
import { GraphBuilder, prune, type TensorGraph, type TensorId, type TensorNode } from '../../ir/tensor.ts';

type Rounding = 'nearest' | 'down' | 'inward';

/** A part of a fold that shares no parameter with the others: f64 in, f32 out. Plain data, for other threads. */
export interface FoldTask {
  /** A layer that it is of. */
  readonly path: string;
  /** Outputs are named by the nodes of the whole graph. */
  readonly graph: TensorGraph;
  readonly params: ReadonlyMap<string, ArrayLike<number>>;
  readonly rounding: ReadonlyMap<string, Rounding>;
}

export type FoldedPart = ReadonlyMap<string, Float32Array>;

export interface FoldPlan {
  readonly tasks: readonly FoldTask[];
  /** The folded graph from what `foldPart` makes of each task, in any order. */
  readonly finish: (parts: Iterable<FoldedPart>) => TensorGraph;
}

/** The nodes `wanted`, in groups with no parameter-dependent node in common. */
const independent = (graph: TensorGraph, wanted: ReadonlySet<TensorId>): TensorId[][] => {
  const needed = new Set<TensorId>(wanted);
  for (const n of graph.nodes.toReversed()) if (needed.has(n.id)) for (const i of n.inputs) needed.add(i);
  const parent = graph.nodes.map(n => n.id);
  const root = (id: TensorId): TensorId => {
    let r = id;
    while (parent[r] !== r) r = parent[r] = parent[parent[r]];
    return r;
  };
  // What has no parameter in it is cheap, and may be computed in several places.
  const depends: boolean[] = [];
  for (const n of graph.nodes) {
    depends.push(n.op.kind === 'param' || n.inputs.some(i => depends[i]));
    if (needed.has(n.id)) for (const i of n.inputs) if (depends[i]) parent[root(i)] = root(n.id);
  }
  const groups = new Map<TensorId, TensorId[]>();
  for (const id of wanted) groups.set(root(id), [...(groups.get(root(id)) ?? []), id]);
  return [...groups.values()];
};

/** Weights of which no finite tensors can be computed, such as entries so large that products of them overflow. */
export class NotFoldable extends Error {
  // A thread passes on the name of what it throws, not its class.
  override readonly name = 'NotFoldable';
}

/** Computes a part of a fold. Throws when a parameter is missing, and NotFoldable when a folded value is not finite. */
export const foldPart = ({ graph, params, rounding }: FoldTask): FoldedPart => {
  const values = evaluate(graph, { inputs: new Map(), params }, graph.outputs.values());
  return new Map(
    [...graph.outputs].map(([name, id]) => {
      const data = Float32Array.from(values.get(id)!, ROUND[rounding.get(name)!]);
      if (!data.every(Number.isFinite))
        throw new NotFoldable(
          `${graph.nodes[id].origin || 'a parameter'} has entries that are not finite, once its weights are folded`,
        );
      return [name, data];
    }),
  );
};

export interface FoldOptions {
  readonly downward?: Iterable<string>;
  readonly inward?: Iterable<string>;
}

/** `fold` in parts. */
export const planFold = (
  graph: TensorGraph,
  params: ReadonlyMap<string, ArrayLike<number>>,
  { downward = [], inward = [] }: FoldOptions = {},
): FoldPlan => {
  const shrink = new Set([...downward].map(name => graph.outputs.get(name)));
  const contract = new Set([...inward].map(name => graph.outputs.get(name)));
  // The same numbers in another order: a product may read what the weight was laid out from.
  const orders = ['reshape', 'transpose', 'reverse'];
  for (const n of graph.nodes.toReversed())
    if (orders.includes(n.op.kind) && contract.has(n.id)) contract.add(n.inputs[0]);
  const cuts = [...orders, 'slice'];
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

  const rounding = (id: TensorId): Rounding => (shrink.has(id) ? 'down' : contract.has(id) ? 'inward' : 'nearest');
  const tasks = independent(graph, wanted).map((ids): FoldTask => {
    const outputs = new Map(ids.map(id => [`${id}`, id]));
    const part = prune({ nodes: graph.nodes, outputs, updates: new Map() });
    const used = part.nodes.flatMap(n => (n.op.kind === 'param' ? [n.op.path] : []));
    return {
      path: graph.nodes[ids[0]].origin.split(' ')[0],
      graph: part,
      params: new Map(used.flatMap(path => (params.has(path) ? [[path, params.get(path)!]] : []))),
      rounding: new Map(ids.map(id => [`${id}`, rounding(id)])),
    };
  });

  const finish = (parts: Iterable<FoldedPart>): TensorGraph => {
    const values = new Map([...parts].flatMap(part => [...part]));
    const b = new GraphBuilder();
    const moved = new Map<TensorId, TensorId>();
    for (const n of graph.nodes) {
      b.origin = n.origin;
      const value = values.get(`${n.id}`);
      if (value !== undefined) moved.set(n.id, leaf(b, value, n));
      else if (!fixed.has(n.id) || (symbolic(n.id) && n.inputs.every(i => moved.has(i))))
        moved.set(
          n.id,
          b.make(
            n.op,
            n.inputs.map(i => moved.get(i)!),
            n.shape,
          ),
        );
    }
    for (const [name, id] of graph.outputs) b.output(name, moved.get(id)!);
    return prune(b.finish());
  };
  return { tasks, finish };
};

/**
 * `graph` with everything that depends on parameters alone computed in float64 and rounded once to f32. The result has no
 * parameters and no updates. Constants, index tensors and repetitions stay symbolic, so that a bias repeated over a batch remains a small
 * literal; a tensor with equal entries becomes a constant.
 *
 * Outputs named in `downward` hold numbers ≥ 0 that may only shrink (a residual layer's multipliers t): they are made smaller by
 * 2⁻³², more than float64 can have erred, and rounded towards zero, so that t_i T_i ≤ 2 holds for the stored t exactly. Those named in
 * `inward` are weights whose norm must not grow by rounding: they, what they are laid out from, and what is cut out of them or laid out anew, are made
 * smaller by 2⁻²⁰ before they are rounded to nearest. Throws when a parameter is missing or a folded value is not finite.
 */
export const fold = (
  graph: TensorGraph,
  params: ReadonlyMap<string, ArrayLike<number>>,
  options: FoldOptions = {},
): TensorGraph => {
  const { tasks, finish } = planFold(graph, params, options);
  return finish(tasks.map(foldPart));
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

const ROUND: { readonly [K in Rounding]: (x: number) => number } = {
  nearest: Math.fround,
  down: roundDown,
  inward: roundInward,
};

const leaf = (b: GraphBuilder, data: Float32Array, node: TensorNode): TensorId =>
  data.every(v => v === data[0]) ? b.constant(data[0], node.shape) : b.literal(data, node.shape);
