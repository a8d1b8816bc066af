/** Which tensors get storage, and which are computed where they are used. */
import type { TensorGraph, TensorId, TensorNode } from '../../ir/tensor.ts';
import { size } from '../../ir/tensor.ts';
import { isAnchor } from './expression.ts';

export interface Decisions {
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
const HEAVY = new Map([
  ...['exp', 'log', 'tanh', 'sigmoid', 'cos', 'sin'].map(op => [op, 16] as const),
  ...['sqrt', 'reciprocal', 'div'].map(op => [op, 6] as const),
]);
/** Prices in simple operations on one entry: measured on the software adapter, and of the right order on a GPU. */
const PRICE = { load: 8, store: 17, dispatch: 20_000 };

const liveNodes = (graph: TensorGraph): Set<TensorId> => {
  const live = new Set<TensorId>([...graph.outputs.values(), ...graph.updates.values()]);
  for (let id = graph.nodes.length - 1; id >= 0; id--) {
    if (live.has(id)) for (const i of graph.nodes[id].inputs) live.add(i);
  }
  return live;
};

/**
 * The price of an entry, per node, if it is computed from tensors in memory. A node that several others use and that is dear is
 * taken to be in memory.
 */
const prices = (graph: TensorGraph, consumers: ReadonlyMap<TensorId, ReadonlySet<TensorId>>): number[] => {
  const out: number[] = [];
  /** What the node costs its users. */
  const asOperand: number[] = [];
  for (const n of graph.nodes) {
    let price = 0;
    if (isLeaf(n) || isAnchor(n.op.kind)) price = PRICE.load;
    else {
      price = 'op' in n.op ? (HEAVY.get(n.op.op) ?? 1) : VIEWS.has(n.op.kind) ? 0 : 1;
      for (const i of n.inputs) price += asOperand[i];
    }
    out.push(price);
    const shared = (consumers.get(n.id)?.size ?? 0) > 1 && !VIEWS.has(n.op.kind);
    asOperand.push(shared && price > PRICE.store + PRICE.load ? PRICE.load : price);
  }
  return out;
};

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
      else {
        while (VIEWS.has(graph.nodes[v].op.kind)) {
          const root = base(graph, v);
          // Reshaping what is not in row-major order costs divisions at every load of a loop that loads each entry many times.
          if (root !== v && VIEWS.has(graph.nodes[root].op.kind)) {
            v = root;
            break;
          }
          v = graph.nodes[v].inputs[0];
        }
      }
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
  const consumers = new Map<TensorId, Set<TensorId>>();
  for (const id of live) {
    for (const i of graph.nodes[id].inputs) consumers.set(i, (consumers.get(i) ?? new Set()).add(id));
  }
  const price = prices(graph, consumers);
  // New values that others are computed from (momentum, and the weight it moves) are made together in one kernel of their own, in place.
  const together = new Set([...graph.updates.values()].map(id => base(graph, id)).filter(id => consumers.has(id)));
  const stored = new Set<TensorId>();
  const epilogueOf = new Map<TensorId, TensorId>();
  const kernelOf = new Map<TensorId, TensorId>();
  /** Kernels into which a node is inlined, and whether always at the position of their result. */
  const homes = new Map<TensorId, { kernels: Set<TensorId>; aligned: boolean; evaluations: number }>();

  for (let id = graph.nodes.length - 1; id >= 0; id--) {
    const n = graph.nodes[id];
    if (!live.has(id) || isLeaf(n)) continue;
    const kernels = new Set<TensorId>();
    let aligned = true;
    /** Entries that would be computed if the node were not stored. */
    let evaluations = 0;
    for (const c of consumers.get(id) ?? []) {
      const user = graph.nodes[c];
      const anchor = isAnchor(user.op.kind);
      aligned &&= ALIGNED.has(user.op.kind);
      if (anchor || stored.has(c)) {
        kernels.add(kernelOf.get(c) ?? c);
        evaluations += anchor ? size(n.shape) : size(user.shape);
      } else {
        const home = homes.get(c)!;
        for (const k of home.kernels) kernels.add(k);
        aligned &&= home.aligned;
        evaluations += home.evaluations;
      }
    }
    homes.set(id, { kernels, aligned, evaluations });
    const [only] = kernels;
    const mustStore = required.has(id) || alsoStored.has(id);
    if (isAnchor(n.op.kind)) {
      const takes = n.op.kind !== 'sortPermute' && n.op.kind !== 'inverse';
      const free =
        only !== undefined && !isAnchor(graph.nodes[only].op.kind) && !epilogueOf.has(only) && !together.has(only);
      if (takes && free && kernels.size === 1 && aligned && !mustStore && !noEpilogue.has(id)) {
        epilogueOf.set(only, id);
        kernelOf.set(id, only);
      } else stored.add(id);
    } else if (mustStore) stored.add(id);
    else if (!VIEWS.has(n.op.kind)) {
      const again = price[id] * (evaluations - size(n.shape));
      const storing = PRICE.dispatch + PRICE.store * size(n.shape) + PRICE.load * evaluations;
      if (again > storing) stored.add(id);
    }
  }
  return { stored, epilogueOf };
};
