/** Which tensors get storage, and which are computed where they are used. */
import type { TensorGraph, TensorId, TensorNode } from '../ir/tensor.ts';
import { size } from '../ir/tensor.ts';
import { isAnchor } from './expression.ts';

export interface Decisions {
  readonly live: ReadonlySet<TensorId>;
  /** Nodes with storage, beside inputs, params and literals. */
  readonly stored: ReadonlySet<TensorId>;
  /** Stored elementwise nodes that are computed in the epilogue of a reduction: node → reduction. */
  readonly epilogueOf: ReadonlyMap<TensorId, TensorId>;
}

export const isLeaf = (n: TensorNode): boolean =>
  n.op.kind === 'input' || n.op.kind === 'param' || n.op.kind === 'literal';

/** The node whose entries, in row-major order, are those of `id`. */
export const base = (graph: TensorGraph, id: TensorId): TensorId => {
  const n = graph.nodes[id];
  return n.op.kind === 'reshape' || n.op.kind === 'detach' ? base(graph, n.inputs[0]) : id;
};

const VIEWS = new Set(['broadcast', 'reshape', 'detach', 'transpose', 'slice', 'pad', 'reverse']);
/** Nodes whose entry at a position needs only the operands' entries at the same row-major position. */
const ALIGNED = new Set(['unary', 'binary', 'select', 'detach', 'reshape']);
const HEAVY = new Set(['exp', 'log', 'sqrt', 'tanh', 'sigmoid', 'cos', 'sin', 'reciprocal', 'div']);

const liveNodes = (graph: TensorGraph): Set<TensorId> => {
  const live = new Set<TensorId>([...graph.outputs.values(), ...graph.updates.values()]);
  for (let id = graph.nodes.length - 1; id >= 0; id--) {
    if (live.has(id)) for (const i of graph.nodes[id].inputs) live.add(i);
  }
  return live;
};

interface Cost {
  readonly operations: number;
  readonly loads: number;
}

/** Work per entry if everything down to leaves and reductions were recomputed. */
const costs = (graph: TensorGraph): Cost[] => {
  const out: Cost[] = [];
  for (const n of graph.nodes) {
    if (isLeaf(n) || isAnchor(n.op.kind)) {
      out.push({ operations: 0, loads: 1 });
      continue;
    }
    let operations =
      'op' in n.op ? (HEAVY.has(n.op.op) ? 8 : 1) : n.op.kind === 'select' || n.op.kind === 'concat' ? 1 : 0;
    let loads = 0;
    for (const i of n.inputs) {
      operations = Math.min(operations + out[i].operations, 1e6);
      loads = Math.min(loads + out[i].loads, 1e6);
    }
    out.push({ operations, loads });
  }
  return out;
};

/** Cheap enough to compute in every kernel that needs it. */
const cheap = (c: Cost): boolean => c.operations <= 3 && c.loads <= 2;

/** Tensors that must be in memory: results, and the operands of products, convolutions, sorts and inverses (up to views). */
const requiredNodes = (graph: TensorGraph, live: ReadonlySet<TensorId>): Set<TensorId> => {
  const required = new Set<TensorId>();
  for (const id of [...graph.outputs.values(), ...graph.updates.values()]) required.add(base(graph, id));
  for (const id of live) {
    const n = graph.nodes[id];
    if (!isAnchor(n.op.kind) || n.op.kind === 'reduce') continue;
    for (const operand of n.inputs) {
      let v = operand;
      if (n.op.kind === 'sortPermute' || n.op.kind === 'inverse') v = base(graph, v);
      else while (VIEWS.has(graph.nodes[v].op.kind)) v = graph.nodes[v].inputs[0];
      required.add(v);
    }
  }
  return required;
};

/**
 * Decides in reverse order, so that the kernels that will use a node are known. `alsoStored` and `noEpilogue` are nodes on which an
 * earlier attempt ran into the limit on bindings.
 */
export const decide = (
  graph: TensorGraph,
  alsoStored: ReadonlySet<TensorId>,
  noEpilogue: ReadonlySet<TensorId>,
): Decisions => {
  const live = liveNodes(graph);
  const required = requiredNodes(graph, live);
  const cost = costs(graph);
  const consumers = new Map<TensorId, Set<TensorId>>();
  for (const id of live) {
    for (const i of graph.nodes[id].inputs) consumers.set(i, (consumers.get(i) ?? new Set()).add(id));
  }
  const stored = new Set<TensorId>();
  const epilogueOf = new Map<TensorId, TensorId>();
  const kernelOf = new Map<TensorId, TensorId>();
  /** Kernels into which a node is inlined, and whether always at the position of their result. */
  const homes = new Map<TensorId, { kernels: Set<TensorId>; aligned: boolean }>();

  for (let id = graph.nodes.length - 1; id >= 0; id--) {
    const n = graph.nodes[id];
    if (!live.has(id) || isLeaf(n)) continue;
    const kernels = new Set<TensorId>();
    let aligned = true;
    let expanded = false;
    for (const c of consumers.get(id) ?? []) {
      const user = graph.nodes[c];
      const anchor = isAnchor(user.op.kind);
      aligned &&= ALIGNED.has(user.op.kind);
      expanded ||= user.op.kind === 'broadcast' && size(user.shape) >= 4 * size(n.shape);
      if (anchor || stored.has(c)) kernels.add(kernelOf.get(c) ?? c);
      else {
        const home = homes.get(c)!;
        for (const k of home.kernels) kernels.add(k);
        aligned &&= home.aligned;
      }
    }
    homes.set(id, { kernels, aligned });
    const [only] = kernels;
    const mustStore = required.has(id) || alsoStored.has(id);
    if (isAnchor(n.op.kind)) {
      const takes = n.op.kind !== 'sortPermute' && n.op.kind !== 'inverse';
      const free = only !== undefined && !isAnchor(graph.nodes[only].op.kind) && !epilogueOf.has(only);
      if (takes && free && kernels.size === 1 && aligned && !mustStore && !noEpilogue.has(id)) {
        epilogueOf.set(only, id);
        kernelOf.set(id, only);
      } else stored.add(id);
    } else if (mustStore) stored.add(id);
    else if (cost[id].loads === 0 && cost[id].operations <= 8) continue;
    else if ((expanded || kernels.size > 1) && !cheap(cost[id])) stored.add(id);
  }
  return { live, stored, epilogueOf };
};
