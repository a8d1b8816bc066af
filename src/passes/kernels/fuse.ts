/**
 * Tensor IR → kernel IR. Views and elementwise nodes are computed where they are used, or become the epilogue of the reduction,
 * product or convolution that feeds them; every rewrite here is an identity entry by entry.
 */
import type { Index } from '../../ir/index-expr.ts';
import * as ix from '../../ir/index-expr.ts';
import type { Expr, Kernel, Storage, StorageId, TargetLimits } from '../../ir/kernel.ts';
import { NO_TILING, reads, writes } from '../../ir/kernel.ts';
import type { Dims, TensorGraph, TensorId, TensorNode } from '../../ir/tensor.ts';
import { size } from '../../ir/tensor.ts';
import { anchorLoops, isAnchor, loadEntry, loopsOver, scalarEntry, uniformValue } from './expression.ts';
import { base, type Decisions, decide, isLeaf } from './fuse-decide.ts';
import { copyKernel, placeUpdates } from './fuse-updates.ts';

export interface FusedGraph {
  readonly storages: ReadonlyMap<StorageId, Storage>;
  /** In an order in which they may run. */
  readonly kernels: readonly Kernel[];
  readonly inputs: ReadonlyMap<string, StorageId>;
  readonly params: ReadonlyMap<string, StorageId>;
  readonly outputs: ReadonlyMap<string, { readonly storage: StorageId; readonly shape: Dims }>;
}

const label = (graph: TensorGraph, id: TensorId, note = ''): string => {
  const n = graph.nodes[id];
  const name = 'op' in n.op ? n.op.op : n.op.kind;
  return [n.origin, `${name}${note}`].filter(Boolean).join(' ');
};

interface Built {
  readonly kernel: Kernel;
  /** The tensor it makes. */
  readonly node: TensorId;
  /** Nodes computed inside it. */
  readonly inlined: ReadonlySet<TensorId>;
  readonly reduction?: TensorId;
  /** The epilogue asks for another entry of the reduction than the one at hand, as far as the index arithmetic can tell. */
  readonly misaligned?: boolean;
}

/** The kernel that makes the stored node `id`. */
const buildKernel = (graph: TensorGraph, decisions: Decisions, id: TensorId): Built => {
  const node = graph.nodes[id];
  const inlined = new Set<TensorId>();
  const memo = new Map<string, Expr>();
  const anchor = isAnchor(node.op.kind) ? id : decisions.epilogueOf.get(id);
  let accumulated: string | undefined;
  let misaligned = false;

  const entry = (v: TensorId, index: readonly Index[]): Expr => {
    const n = graph.nodes[v];
    const uniform = uniformValue(n);
    if (uniform !== undefined) return { kind: 'const', value: uniform };
    if (v !== id && (isLeaf(n) || decisions.stored.has(v))) return loadEntry(v, n.shape, index);
    const key = `${v}[${index.map(i => i.key).join(', ')}]`;
    const known = memo.get(key);
    if (known) return known;
    if (v === anchor) {
      if (ix.linearise(index, n.shape).key !== accumulated) misaligned = true;
      return { kind: 'acc' };
    }
    inlined.add(v);
    const made = scalarEntry(graph, v, index, entry);
    memo.set(key, made);
    return made;
  };

  if (anchor === undefined) {
    const { loop, index } = loopsOver(node.shape);
    const value = uniformValue(node) === undefined ? scalarEntry(graph, id, index, entry) : entry(id, index);
    const stores = [{ storage: id, index: ix.linearise(index, node.shape), value }];
    return {
      kernel: { kind: 'map', label: label(graph, id), out: loop, stores, tiling: NO_TILING },
      node: id,
      inlined,
    };
  }
  const a = graph.nodes[anchor];
  const [x, y] = a.inputs;
  if (a.op.kind === 'inverse') {
    const n = a.shape[a.shape.length - 1];
    const batch = size(a.shape) / (n * n);
    return {
      kernel: { kind: 'inverse', of: a.op.of, label: label(graph, id), source: base(graph, x), target: id, batch, n },
      node: id,
      inlined,
    };
  }
  if (a.op.kind === 'sortPermute') {
    const { axis, group, inverse } = a.op;
    const inner = size(a.shape.slice(axis + 1));
    const kernel: Kernel = {
      kind: 'sortPermute',
      label: label(graph, id),
      keys: base(graph, x),
      values: base(graph, y),
      target: id,
      outer: size(a.shape) / (group * inner),
      group,
      inner,
      inverse,
    };
    return { kernel, node: id, inlined };
  }
  const loops = anchorLoops(graph, anchor, entry);
  const { index } = loopsOver(a.shape);
  const position = ix.linearise(index, a.shape);
  accumulated = position.key;
  memo.clear();
  const value: Expr =
    anchor === id ? { kind: 'acc' } : scalarEntry(graph, id, ix.delinearise(position, node.shape), entry);
  const note = anchor === id ? '' : ` fused into ${label(graph, anchor)}`;
  const kernel: Kernel = {
    kind: 'reduce',
    label: label(graph, id, note),
    ...loops,
    stores: [{ storage: id, index: position, value }],
    tiling: NO_TILING,
  };
  return { kernel, node: id, inlined, reduction: anchor, misaligned };
};

/** Storages the entry of `v` needs when it is computed in place. */
const buffersOf = (graph: TensorGraph, decisions: Decisions, v: TensorId): Set<TensorId> => {
  const found = new Set<TensorId>();
  const visit = (u: TensorId) => {
    for (const i of graph.nodes[u].inputs) {
      if (isLeaf(graph.nodes[i]) || decisions.stored.has(i)) found.add(i);
      else visit(i);
    }
  };
  visit(v);
  return found;
};

const buildAll = (graph: TensorGraph, limits: TargetLimits): Built[] => {
  const alsoStored = new Set<TensorId>();
  const noEpilogue = new Set<TensorId>();
  const limit = limits.maxStorageBuffersPerShaderStage;
  // Every turn stores one more node or splits one more epilogue off, so this ends.
  for (;;) {
    const decisions = decide(graph, alsoStored, noEpilogue);
    const built = [...decisions.stored].sort((p, q) => p - q).map(id => buildKernel(graph, decisions, id));
    const over = built.find(b => b.misaligned || new Set([...reads(b.kernel), ...writes(b.kernel)]).size > limit);
    if (!over) return built;
    if (over.reduction !== undefined && over.reduction !== over.node) {
      noEpilogue.add(over.reduction);
      continue;
    }
    const candidates = [...over.inlined]
      .filter(v => v !== over.node && !isAnchor(graph.nodes[v].op.kind))
      .map(v => ({ v, count: buffersOf(graph, decisions, v).size }))
      .filter(c => c.count > 1 && c.count < limit)
      .sort((p, q) => q.count - p.count || p.v - q.v);
    if (candidates.length === 0) throw new Error(`fuse: ${over.kernel.label} needs more than ${limit} buffers`);
    alsoStored.add(candidates[0].v);
  }
};

/** The same graph with every concat of more than `most` parts written as concats of concats. */
const narrowConcats = (graph: TensorGraph, most: number): TensorGraph => {
  if (graph.nodes.every(n => n.op.kind !== 'concat' || n.inputs.length <= most)) return graph;
  const nodes: TensorNode[] = [];
  const moved: TensorId[] = [];
  const push = (n: Omit<TensorNode, 'id'>): TensorId => nodes.push({ ...n, id: nodes.length }) - 1;
  for (const n of graph.nodes) {
    let inputs = n.inputs.map(i => moved[i]);
    while (n.op.kind === 'concat' && inputs.length > most) {
      const { axis } = n.op;
      const parts = inputs.slice(0, most);
      const extent = parts.reduce((sum, i) => sum + nodes[i].shape[axis], 0);
      const shape = n.shape.map((d, i) => (i === axis ? extent : d));
      inputs = [push({ ...n, inputs: parts, shape }), ...inputs.slice(most)];
    }
    moved.push(push({ ...n, inputs }));
  }
  const move = (m: ReadonlyMap<string, TensorId>) => new Map([...m].map(([k, id]) => [k, moved[id]]));
  return { nodes, outputs: move(graph.outputs), updates: move(graph.updates) };
};

/** Fuses a graph into kernels that respect the limit on storage bindings. */
export const fuse = (source: TensorGraph, limits: TargetLimits): FusedGraph => {
  const graph = narrowConcats(source, Math.max(2, limits.maxStorageBuffersPerShaderStage - 2));
  const storages = new Map<StorageId, Storage>();
  const inputs = new Map<string, StorageId>();
  const params = new Map<string, StorageId>();
  let nextStorage = graph.nodes.length;
  for (const { id, op, shape } of graph.nodes) {
    if (op.kind === 'input') {
      storages.set(id, { id, role: 'input', shape, name: op.name });
      inputs.set(op.name, id);
    } else if (op.kind === 'param') {
      storages.set(id, { id, role: 'param', shape, name: op.path });
      params.set(op.path, id);
    } else if (op.kind === 'literal') storages.set(id, { id, role: 'literal', shape, data: op.data });
  }
  const built = buildAll(graph, limits);
  for (const { node } of built) storages.set(node, { id: node, role: 'temp', shape: graph.nodes[node].shape });

  const kernels = built.map(b => b.kernel);
  const outputs = new Map<string, { storage: StorageId; shape: Dims }>();
  for (const [name, id] of graph.outputs) {
    const root = base(graph, id);
    const { shape } = graph.nodes[id];
    if (graph.nodes[root].op.kind === 'literal') outputs.set(name, { storage: root, shape });
    else if (isLeaf(graph.nodes[root])) {
      const copy = nextStorage++;
      storages.set(copy, { id: copy, role: 'output', shape });
      kernels.push(copyKernel(root, copy, size(shape), name));
      outputs.set(name, { storage: copy, shape });
    } else {
      storages.set(root, { ...storages.get(root)!, role: 'output' });
      outputs.set(name, { storage: root, shape });
    }
  }
  const updates: { path: string; from: StorageId; to: StorageId }[] = [];
  for (const [path, id] of graph.updates) {
    let to = params.get(path);
    if (to === undefined) {
      to = nextStorage++;
      storages.set(to, { id: to, role: 'param', shape: graph.nodes[id].shape, name: path });
      params.set(path, to);
    }
    let from = base(graph, id);
    if (from !== to && storages.get(from)!.role === 'param') {
      // The old value of another param, which may itself be overwritten.
      const old = nextStorage++;
      storages.set(old, { id: old, role: 'temp', shape: graph.nodes[id].shape });
      kernels.push(copyKernel(from, old, size(graph.nodes[id].shape), path));
      from = old;
    }
    updates.push({ path, from, to });
  }
  const placed = placeUpdates(kernels, updates, storages, limits);
  const used = new Set(placed.flatMap(k => [...reads(k), ...writes(k)]));
  for (const o of outputs.values()) used.add(o.storage);
  const kept = [...storages].filter(([id, s]) => used.has(id) || s.role === 'input' || s.role === 'param');
  return { storages: new Map(kept), kernels: placed, inputs, params, outputs };
};
