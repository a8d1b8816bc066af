/**
 * Algebraic rewrites of the tensor graph, every one an equality over ℝ and each with a name. Run before reverse mode, so that
 * gradients are taken of the simpler graph, and again after it, to clear what the chain rule leaves behind (products with 1, sums with 0).
 */
import {
  GraphBuilder,
  type Op,
  type OpKind,
  prune,
  type TensorGraph,
  type TensorId,
  type TensorNode,
} from '../../ir/tensor.ts';

/** The replacement of `node`, whose inputs are already simplified and live in `b`; undefined when the rule does not apply. */
type Rewrite = (b: GraphBuilder, node: TensorNode) => TensorId | undefined;

const is = <K extends OpKind>(op: Op, kind: K): op is Extract<Op, { kind: K }> => op.kind === kind;

/** The number that fills a constant tensor. */
const constantOf = (b: GraphBuilder, id: TensorId): number | undefined => {
  const { op } = b.node(id);
  return is(op, 'constant') ? op.value : undefined;
};

/** Channel padding (axis `axis` only, zeros at its ends): the unpadded tensor and where its channels lie. */
const channelPad = (
  b: GraphBuilder,
  id: TensorId,
  axis: number,
): { inner: TensorId; from: number; to: number } | undefined => {
  const { op, inputs } = b.node(id);
  if (!is(op, 'pad') || op.interior.some(n => n !== 0)) return undefined;
  if (op.low.some((n, i) => i !== axis && n !== 0) || op.high.some((n, i) => i !== axis && n !== 0)) return undefined;
  const from = op.low[axis];
  return { inner: inputs[0], from, to: from + b.shape(inputs[0])[axis] };
};

/** Entries [from, to) of one axis. */
const keep = (b: GraphBuilder, id: TensorId, axis: number, from: number, to: number): TensorId => {
  const shape = b.shape(id);
  return b.slice(
    id,
    shape.map((_, i) => (i === axis ? from : 0)),
    shape.map((d, i) => (i === axis ? to : d)),
  );
};

/** Zero channels contribute nothing to a product: conv(pad(x), k) = conv(x, k without those channels). */
const productOfPad: Rewrite = (b, { op, inputs }) => {
  if (is(op, 'conv') && op.groups === 1) {
    const p = channelPad(b, inputs[0], 1);
    if (p === undefined) return undefined;
    const { kind: _, ...attrs } = op;
    return b.conv(p.inner, keep(b, inputs[1], 1, p.from, p.to), attrs);
  }
  if (is(op, 'matmul') && !op.transposeA && b.shape(inputs[0]).length === 2) {
    const p = channelPad(b, inputs[0], 1);
    if (p === undefined) return undefined;
    return b.matmul(p.inner, keep(b, inputs[1], op.transposeB ? 1 : 0, p.from, p.to), { b: op.transposeB });
  }
  return undefined;
};

/** A product reads a transposed matrix where it lies. */
const productOfTranspose: Rewrite = (b, { op, inputs }) => {
  if (!is(op, 'matmul')) return undefined;
  const turned = (id: TensorId): TensorId | undefined => {
    const n = b.node(id);
    const last = n.shape.length - 1;
    const swaps =
      is(n.op, 'transpose') && n.op.perm.every((p, i) => p === (i === last ? last - 1 : i === last - 1 ? last : i));
    return swaps ? n.inputs[0] : undefined;
  };
  const [x, y] = inputs.map(turned);
  if (x === undefined && y === undefined) return undefined;
  return b.matmul(x ?? inputs[0], y ?? inputs[1], {
    a: op.transposeA !== (x !== undefined),
    b: op.transposeB !== (y !== undefined),
  });
};

/** Data movement does not change a constant. */
const movedConstant: Rewrite = (b, { op, inputs, shape }) => {
  switch (op.kind) {
    case 'broadcast':
    case 'reshape':
    case 'transpose':
    case 'slice':
    case 'reverse':
    case 'detach': {
      const value = constantOf(b, inputs[0]);
      return value === undefined ? undefined : b.constant(value, shape);
    }
    default:
      return undefined;
  }
};

/** 0 and 1 in sums and products, and operations that undo each other. */
const neutralElement: Rewrite = (b, { op, inputs, shape }) => {
  const [x, y] = inputs;
  if (is(op, 'unary') && op.op === 'neg') {
    const inner = b.node(x);
    const value = constantOf(b, x);
    if (value !== undefined) return b.constant(-value, shape);
    return is(inner.op, 'unary') && inner.op.op === 'neg' ? inner.inputs[0] : undefined;
  }
  if (!is(op, 'binary')) return undefined;
  const [cx, cy] = [constantOf(b, x), constantOf(b, y)];
  switch (op.op) {
    case 'add':
      if (cx !== undefined && cy !== undefined) return b.constant(cx + cy, shape);
      return cx === 0 ? y : cy === 0 ? x : undefined;
    case 'sub':
      if (cx !== undefined && cy !== undefined) return b.constant(cx - cy, shape);
      return cy === 0 ? x : cx === 0 ? b.unary('neg', y) : undefined;
    case 'mul':
      if (cx !== undefined && cy !== undefined) return b.constant(cx * cy, shape);
      if (cx === 0 || cy === 0) return b.constant(0, shape);
      return cx === 1 ? y : cy === 1 ? x : cx === -1 ? b.unary('neg', y) : cy === -1 ? b.unary('neg', x) : undefined;
    case 'div':
      return cy === 1 ? x : undefined;
    default:
      return undefined;
  }
};

/** (x·c)·d = x·(cd) for constants, one multiplication instead of two. */
const nestedScale: Rewrite = (b, { op, inputs }) => {
  if (!is(op, 'binary') || op.op !== 'mul') return undefined;
  const split = (id: TensorId): { rest: TensorId; factor: number } | undefined => {
    const n = b.node(id);
    if (!is(n.op, 'binary') || n.op.op !== 'mul') return undefined;
    const [p, q] = n.inputs;
    const [cp, cq] = [constantOf(b, p), constantOf(b, q)];
    return cq !== undefined ? { rest: p, factor: cq } : cp !== undefined ? { rest: q, factor: cp } : undefined;
  };
  const [x, y] = inputs;
  for (const [outer, inner] of [
    [y, x],
    [x, y],
  ]) {
    const factor = constantOf(b, outer);
    const s = factor === undefined ? undefined : split(inner);
    if (factor !== undefined && s !== undefined) return b.scale(s.rest, s.factor * factor);
  }
  return undefined;
};

/** reshape∘reshape, broadcast∘broadcast and transpose∘transpose are one each. */
const nestedMovement: Rewrite = (b, { op, inputs, shape }) => {
  if (inputs.length !== 1) return undefined;
  const inner = b.node(inputs[0]);
  if (is(op, 'reshape') && is(inner.op, 'reshape')) return b.reshape(inner.inputs[0], shape);
  if (is(op, 'broadcast') && is(inner.op, 'broadcast')) {
    const { axes } = op;
    return b.broadcast(
      inner.inputs[0],
      shape,
      inner.op.axes.map(a => axes[a]),
    );
  }
  if (is(op, 'transpose') && is(inner.op, 'transpose')) {
    const { perm } = inner.op;
    return b.transpose(
      inner.inputs[0],
      op.perm.map(p => perm[p]),
    );
  }
  return undefined;
};

/** The closed list of rewrites, by name. */
const REWRITES: readonly (readonly [name: string, rewrite: Rewrite])[] = [
  ['product-of-pad', productOfPad],
  ['product-of-transpose', productOfTranspose],
  ['moved-constant', movedConstant],
  ['neutral-element', neutralElement],
  ['nested-scale', nestedScale],
  ['nested-movement', nestedMovement],
];

const rewriteOnce = (b: GraphBuilder, node: TensorNode, applied: Map<string, number>): TensorId | undefined => {
  for (const [name, rewrite] of REWRITES) {
    // New nodes carry the name of the rewrite into dumps and into the plan.
    b.origin = `${node.origin} (${name})`.trimStart();
    const result = rewrite(b, node);
    b.origin = node.origin;
    if (result === undefined) continue;
    applied.set(name, (applied.get(name) ?? 0) + 1);
    return result;
  }
  return undefined;
};

/** `graph` rewritten in one sweep and pruned; `applied` counts each rewrite by name. Outputs and updates keep their names and meaning. */
export const simplify = (graph: TensorGraph): { graph: TensorGraph; applied: ReadonlyMap<string, number> } => {
  const b = new GraphBuilder();
  const applied = new Map<string, number>();
  const moved = new Map<TensorId, TensorId>();
  for (const n of graph.nodes) {
    b.origin = n.origin;
    const inputs = n.inputs.map(i => moved.get(i)!);
    let result = b.make(n.op, inputs, n.shape);
    // A rewrite's result may itself be rewritten; each makes the node smaller or ends in a leaf, so this stops.
    for (let next: TensorId | undefined = result; next !== undefined; ) {
      result = next;
      next = rewriteOnce(b, b.node(result), applied);
    }
    moved.set(n.id, result);
  }
  for (const [name, id] of graph.outputs) b.output(name, moved.get(id)!);
  for (const [path, id] of graph.updates) b.update(path, moved.get(id)!);
  return { graph: prune(b.finish()), applied };
};
