/** Scalar expressions of tensor nodes: what one entry of a node is, in terms of entries of stored tensors. */

import type { Condition, Index } from '../../ir/index-expr.ts';
import * as ix from '../../ir/index-expr.ts';
import type { Expr, LoopVar, StorageId } from '../../ir/kernel.ts';
import type { ConvAttrs, Dims, Op, TensorGraph, TensorId, TensorNode } from '../../ir/tensor.ts';
import { size } from '../../ir/tensor.ts';

type ScalarKind =
  | 'input'
  | 'param'
  | 'constant'
  | 'literal'
  | 'iota'
  | 'unary'
  | 'binary'
  | 'select'
  | 'detach'
  | 'broadcast'
  | 'reshape'
  | 'transpose'
  | 'slice'
  | 'pad'
  | 'reverse'
  | 'concat';
/** Nodes that are loops of their own. */
export type AnchorKind = Exclude<Op['kind'], ScalarKind>;

const ANCHORS: { readonly [K in AnchorKind]: true } = {
  reduce: true,
  matmul: true,
  conv: true,
  convTranspose: true,
  convWeight: true,
  sortPermute: true,
  inverse: true,
};
export const isAnchor = (kind: Op['kind']): kind is AnchorKind => kind in ANCHORS;

/** The entry at `index` of a node of the graph. */
export type Entry = (id: TensorId, index: readonly Index[]) => Expr;

const ZERO: Expr = { kind: 'const', value: 0 };
const guard = (conditions: readonly Condition[], value: Expr, otherwise: Expr): Expr => {
  const open = conditions.filter(c => ix.decided(c) !== true);
  if (open.some(c => ix.decided(c) === false)) return otherwise;
  return open.length === 0 ? value : { kind: 'guard', conditions: open, value, otherwise };
};

type ScalarRule<K extends ScalarKind> = (
  op: Extract<Op, { kind: K }>,
  node: TensorNode,
  index: readonly Index[],
  entry: Entry,
  graph: TensorGraph,
) => Expr;

const stored = (): Expr => {
  throw new Error('fuse: an input, a param or a literal has a storage of its own');
};

const RULES: { readonly [K in ScalarKind]: ScalarRule<K> } = {
  input: stored,
  param: stored,
  literal: stored,
  constant: op => ({ kind: 'const', value: op.value }),
  iota: (op, _node, index) => ({ kind: 'index', index: index[op.axis] }),
  unary: (op, node, index, entry) => ({ kind: 'unary', op: op.op, a: entry(node.inputs[0], index) }),
  binary: (op, node, index, entry) => ({
    kind: 'binary',
    op: op.op,
    a: entry(node.inputs[0], index),
    b: entry(node.inputs[1], index),
  }),
  select: (_op, node, index, entry) => ({
    kind: 'select',
    c: entry(node.inputs[0], index),
    a: entry(node.inputs[1], index),
    b: entry(node.inputs[2], index),
  }),
  detach: (_op, node, index, entry) => entry(node.inputs[0], index),
  broadcast: (op, node, index, entry) =>
    entry(
      node.inputs[0],
      op.axes.map(axis => index[axis]),
    ),
  reshape: (_op, node, index, entry, graph) =>
    entry(node.inputs[0], ix.delinearise(ix.linearise(index, node.shape), graph.nodes[node.inputs[0]].shape)),
  transpose: (op, node, index, entry) => {
    const source: Index[] = [];
    op.perm.forEach((from, to) => {
      source[from] = index[to];
    });
    return entry(node.inputs[0], source);
  },
  slice: (op, node, index, entry) =>
    entry(
      node.inputs[0],
      index.map((i, axis) => ix.add(ix.scale(i, op.stride[axis]), ix.constant(op.start[axis]))),
    ),
  pad: (op, node, index, entry, graph) => {
    const shape = graph.nodes[node.inputs[0]].shape;
    const conditions: Condition[] = [];
    const source = index.map((i, axis) => {
      const step = op.interior[axis] + 1;
      const shifted = ix.add(i, ix.constant(-op.low[axis]));
      conditions.push({ index: shifted, lo: 0, hi: (shape[axis] - 1) * step + 1 });
      if (step === 1) return shifted;
      conditions.push({ index: ix.mod(shifted, step), lo: 0, hi: 1 });
      return ix.div(shifted, step);
    });
    return guard(conditions, entry(node.inputs[0], source), ZERO);
  },
  reverse: (op, node, index, entry) =>
    entry(
      node.inputs[0],
      index.map((i, axis) => (op.axes.includes(axis) ? ix.add(ix.constant(node.shape[axis] - 1), ix.scale(i, -1)) : i)),
    ),
  concat: (op, node, index, entry, graph) => {
    let end = node.shape[op.axis];
    // From the last part to the first: each is guarded by its own range.
    return node.inputs.reduceRight<Expr>((otherwise, part) => {
      const start = end - graph.nodes[part].shape[op.axis];
      const range: Condition = { index: index[op.axis], lo: start, hi: end };
      end = start;
      const source = index.map((i, axis) => (axis === op.axis ? ix.add(i, ix.constant(-start)) : i));
      return guard([range], entry(part, source), otherwise);
    }, ZERO);
  },
};

/** The entry at `index` of a node that is no loop of its own. */
export const scalarEntry = (graph: TensorGraph, id: TensorId, index: readonly Index[], entry: Entry): Expr => {
  const node = graph.nodes[id];
  const rule = RULES[node.op.kind as ScalarKind] as ScalarRule<ScalarKind>;
  return rule(node.op as Extract<Op, { kind: ScalarKind }>, node, index, entry, graph);
};

/** The loops of a reduction: out[…] = op over … of body. */
export interface Loops {
  readonly op: 'sum' | 'max';
  readonly out: readonly LoopVar[];
  readonly over: readonly LoopVar[];
  readonly body: Expr;
}

const vars = (prefix: string, extents: Dims): { loop: LoopVar[]; index: Index[] } => ({
  loop: extents.map((extent, i) => ({ name: `${prefix}${i}`, extent })),
  index: extents.map((extent, i) => ix.variable(`${prefix}${i}`, extent)),
});

const product = (a: Expr, b: Expr): Expr => ({ kind: 'binary', op: 'mul', a, b });

/** Where tap `tap` of output position `at` falls in the image: at·stride − padding + tap·dilation, wrapped if circular. */
const tapPosition = (
  attrs: ConvAttrs,
  axis: 0 | 1,
  extent: number,
  at: Index,
  tap: Index,
): { at: Index; inside: Condition[] } => {
  const raw = ix.add(
    ix.add(ix.scale(at, attrs.stride[axis]), ix.scale(tap, attrs.dilation[axis])),
    ix.constant(-attrs.padding[axis]),
  );
  if (attrs.mode === 'zeros') return { at: raw, inside: [{ index: raw, lo: 0, hi: extent }] };
  const lift = Math.ceil(attrs.padding[axis] / extent) * extent;
  return { at: ix.mod(ix.add(raw, ix.constant(lift)), extent), inside: [] };
};

/** The loops of the sums, products and convolutions; their operands are read through `entry`. */
export const anchorLoops = (graph: TensorGraph, id: TensorId, entry: Entry): Loops => {
  const node = graph.nodes[id];
  const op = node.op;
  const [a, b] = node.inputs;
  const out = vars('o', node.shape);
  const shapeOf = (i: TensorId) => graph.nodes[i].shape;
  switch (op.kind) {
    case 'reduce': {
      const over = vars(
        'r',
        op.axes.map(axis => shapeOf(a)[axis]),
      );
      let next = 0;
      const index = shapeOf(a).map((_, axis) =>
        op.axes.includes(axis) ? over.index[op.axes.indexOf(axis)] : out.index[next++],
      );
      return { op: op.op, out: out.loop, over: over.loop, body: entry(a, index) };
    }
    case 'matmul': {
      const rank = node.shape.length;
      const sa = shapeOf(a);
      const over = vars('r', [op.transposeA ? sa[rank - 2] : sa[rank - 1]]);
      const batch = out.index.slice(0, -2);
      const [m, n] = out.index.slice(-2);
      const k = over.index[0];
      const body = product(
        entry(a, [...batch, ...(op.transposeA ? [k, m] : [m, k])]),
        entry(b, [...batch, ...(op.transposeB ? [n, k] : [k, n])]),
      );
      return { op: 'sum', out: out.loop, over: over.loop, body };
    }
    case 'conv': {
      const [kOut, kIn, kh, kw] = shapeOf(b);
      const over = vars('r', [kIn, kh, kw]);
      const [n, o, p, q] = out.index;
      const [i, r, s] = over.index;
      const group = ix.div(o, kOut / op.groups);
      const y = tapPosition(op, 0, shapeOf(a)[2], p, r);
      const x = tapPosition(op, 1, shapeOf(a)[3], q, s);
      const source = entry(a, [n, ix.add(ix.scale(group, kIn), i), y.at, x.at]);
      const body = product(guard([...y.inside, ...x.inside], source, ZERO), entry(b, [o, i, r, s]));
      return { op: 'sum', out: out.loop, over: over.loop, body };
    }
    case 'convTranspose': {
      const [kOut, kIn, kh, kw] = shapeOf(b);
      const perGroup = kOut / op.groups;
      const wraps = ([0, 1] as const).map(axis => {
        if (op.mode === 'zeros') return { low: 0, count: 1 };
        const last =
          (shapeOf(a)[2 + axis] - 1) * op.stride[axis] -
          op.padding[axis] +
          (shapeOf(b)[2 + axis] - 1) * op.dilation[axis];
        const low = Math.ceil(op.padding[axis] / op.size[axis]);
        return { low, count: low + Math.floor(Math.max(last, 0) / op.size[axis]) + 1 };
      });
      const over = vars('r', [perGroup, kh, kw, wraps[0].count, wraps[1].count]);
      const [n, c, p, q] = out.index;
      const [o, r, s, wrapY, wrapX] = over.index;
      const group = ix.div(c, kIn);
      // The output position whose tap falls on image position `at`, in turn `wrap` of a circular image.
      const reach = (axis: 0 | 1, at: Index, tap: Index, wrap: Index) => {
        const turned = ix.add(at, ix.add(ix.scale(wrap, op.size[axis]), ix.constant(-wraps[axis].low * op.size[axis])));
        const numerator = ix.add(ix.add(turned, ix.constant(op.padding[axis])), ix.scale(tap, -op.dilation[axis]));
        const extent = shapeOf(a)[2 + axis];
        const inside: Condition[] = [{ index: numerator, lo: 0, hi: (extent - 1) * op.stride[axis] + 1 }];
        if (op.stride[axis] > 1) inside.push({ index: ix.mod(numerator, op.stride[axis]), lo: 0, hi: 1 });
        return { at: ix.div(numerator, op.stride[axis]), inside };
      };
      const y = reach(0, p, r, wrapY);
      const x = reach(1, q, s, wrapX);
      const channel = ix.add(ix.scale(group, perGroup), o);
      const source = entry(a, [n, channel, y.at, x.at]);
      const body = product(guard([...y.inside, ...x.inside], source, ZERO), entry(b, [channel, ix.mod(c, kIn), r, s]));
      return { op: 'sum', out: out.loop, over: over.loop, body };
    }
    case 'convWeight': {
      const [batch, kOut, h, w] = shapeOf(b);
      const over = vars('r', [batch, h, w]);
      const [o, i, r, s] = out.index;
      const [n, p, q] = over.index;
      const group = ix.div(o, kOut / op.groups);
      const y = tapPosition(op, 0, shapeOf(a)[2], p, r);
      const x = tapPosition(op, 1, shapeOf(a)[3], q, s);
      const source = entry(a, [n, ix.add(ix.scale(group, node.shape[1]), i), y.at, x.at]);
      const body = product(guard([...y.inside, ...x.inside], source, ZERO), entry(b, [n, o, p, q]));
      return { op: 'sum', out: out.loop, over: over.loop, body };
    }
    default:
      throw new Error(`fuse: ${op.kind} is no sum`);
  }
};

/** Loop variables over a shape, and the index they form. */
export const loopsOver = (shape: Dims): { readonly loop: LoopVar[]; readonly index: Index[] } => vars('o', shape);

/** The value of a node whose entries are all one number known now. */
export const uniformValue = (node: TensorNode): number | undefined => {
  if (node.op.kind === 'constant') return node.op.value;
  if (node.op.kind !== 'literal') return undefined;
  const [first] = node.op.data;
  return node.op.data.every(v => Object.is(v, first)) ? first : undefined;
};

/** A load of one entry. */
export const loadEntry = (storage: StorageId, shape: Dims, index: readonly Index[]): Expr => {
  const at = size(shape) === 1 ? ix.constant(0) : ix.linearise(index, shape);
  return { kind: 'load', storage, index: at };
};
