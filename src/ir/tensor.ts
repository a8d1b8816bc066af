/**
 * Tensor IR: a small set of primitives on dense, statically shaped tensors, in static single assignment form.
 * Reverse mode, the float64 interpreter and the lowering to kernels are exhaustive tables over `Op['kind']`.
 *
 * The three convolution primitives are the partial adjoints of one trilinear form
 * c(x, k, y) = Σ y[n,o,p] k[o,i,d] x[n,i,p·stride − padding + d·dilation], so the set is closed under reverse mode.
 */
export type TensorId = number;
export type Dims = readonly number[];

export type UnaryOp =
  | 'neg'
  | 'abs'
  | 'sign'
  | 'step'
  | 'relu'
  | 'exp'
  | 'log'
  | 'sqrt'
  | 'reciprocal'
  | 'tanh'
  | 'sigmoid'
  | 'cos'
  | 'sin';
export type BinaryOp = 'add' | 'sub' | 'mul' | 'div' | 'max' | 'min' | 'greater' | 'equal';

export interface ConvAttrs {
  readonly stride: readonly [number, number];
  /** Padding on both sides of (height, width). */
  readonly padding: readonly [number, number];
  readonly dilation: readonly [number, number];
  readonly groups: number;
  readonly mode: 'zeros' | 'circular';
}

/** Shapes in comments: inputs → output. */
export type Op =
  /** A value given at each run (a batch, labels, a learning rate). */
  | { readonly kind: 'input'; readonly name: string }
  /** A trainable tensor or optimiser state, kept between runs. */
  | { readonly kind: 'param'; readonly path: string }
  /** Every entry equal to `value`. */
  | { readonly kind: 'constant'; readonly value: number }
  /** Row-major data, `elements(shape)` long. */
  | { readonly kind: 'literal'; readonly data: readonly number[] | Float32Array }
  /** Entry = its index along `axis`. */
  | { readonly kind: 'iota'; readonly axis: number }
  | { readonly kind: 'unary'; readonly op: UnaryOp }
  /** Equal shapes. `greater` and `equal` give 1 or 0. */
  | { readonly kind: 'binary'; readonly op: BinaryOp }
  /** (c, a, b) of equal shapes: a where c ≠ 0, else b. Only the chosen branch is looked at: NaN in the other does no harm. */
  | { readonly kind: 'select' }
  /** The identity; passes no gradient. */
  | { readonly kind: 'detach' }
  /** Input axis i becomes output axis `axes[i]` (strictly increasing); the other output axes repeat. Equal extents, no stretching of 1. */
  | { readonly kind: 'broadcast'; readonly axes: Dims }
  | { readonly kind: 'reshape' }
  /** Output axis i is input axis `perm[i]`. */
  | { readonly kind: 'transpose'; readonly perm: Dims }
  /** Entries start, start + stride, … below limit, per axis. */
  | { readonly kind: 'slice'; readonly start: Dims; readonly limit: Dims; readonly stride: Dims }
  /** Zeros: `low` before, `high` after, `interior` between neighbours, per axis; all ≥ 0. The adjoint of slice. */
  | { readonly kind: 'pad'; readonly low: Dims; readonly high: Dims; readonly interior: Dims }
  | { readonly kind: 'reverse'; readonly axes: Dims }
  | { readonly kind: 'concat'; readonly axis: number }
  /** Sum or maximum over `axes`, which disappear. */
  | { readonly kind: 'reduce'; readonly op: 'sum' | 'max'; readonly axes: Dims }
  /** [B…, M, K] × [B…, K, N] → [B…, M, N]; with transposeA the first is [B…, K, M], with transposeB the second [B…, N, K]. */
  | { readonly kind: 'matmul'; readonly transposeA: boolean; readonly transposeB: boolean }
  /** x [N, I, H, W], k [O, I/groups, kh, kw] → y [N, O, H', W'] */
  | ({ readonly kind: 'conv' } & ConvAttrs)
  /** y [N, O, H', W'], k → x of spatial size `size` (the adjoint of conv in x) */
  | ({ readonly kind: 'convTranspose'; readonly size: readonly [number, number] } & ConvAttrs)
  /** x, y → k of spatial size `size` (the adjoint of conv in k) */
  | ({ readonly kind: 'convWeight'; readonly size: readonly [number, number] } & ConvAttrs)
  /**
   * (x, v) [..., g·m along axis]: within each contiguous group of `group` entries along `axis`, r_i = rank of x_i ascending (ties
   * by position). inverse = false: out[r_i] = v_i, so sort(x) is (x, x). inverse = true: out[i] = v[r_i]. Linear in v, flat in x.
   */
  | { readonly kind: 'sortPermute'; readonly axis: number; readonly group: number; readonly inverse: boolean }
  /**
   * [B…, n, n] → [B…, n, n]. 'matrix': the inverse, by Gauss–Jordan elimination without pivoting, for matrices whose symmetric part is
   * positive definite. 'cholesky': L⁻¹ of a symmetric positive semidefinite LLᵀ with a diagonal of about 1; where a pivot is at most
   * NO_PIVOT, what belongs to it counts as depending on what comes before: that row and column of the result are 0.
   */
  | { readonly kind: 'inverse'; readonly of: 'matrix' | 'cholesky' };

/** Pivots up to this are rounding errors of f32 in a matrix with diagonal 1. */
export const NO_PIVOT = 2 ** -20;

export type OpKind = Op['kind'];

export interface TensorNode {
  readonly id: TensorId;
  readonly op: Op;
  readonly inputs: readonly TensorId[];
  readonly shape: Dims;
  /** Where the node comes from, e.g. `conv[3]`; for dumps and plans only. */
  readonly origin: string;
}

/** Nodes in topological order, `nodes[i].id === i`. */
export interface TensorGraph {
  readonly nodes: readonly TensorNode[];
  /** Results to read back, by name. */
  readonly outputs: ReadonlyMap<string, TensorId>;
  /** New values of params (weights, optimiser state), stored after everything else has run. Same shape as the param. */
  readonly updates: ReadonlyMap<string, TensorId>;
}

export const size = (shape: Dims): number => shape.reduce((a, b) => a * b, 1);

const sameDims = (a: Dims, b: Dims): boolean => a.length === b.length && a.every((d, i) => d === b[i]);

const NO_ATTRS: ConvAttrs = { stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1, mode: 'zeros' };
export const convAttrs = (attrs: Partial<ConvAttrs>): ConvAttrs => ({ ...NO_ATTRS, ...attrs });

/** Output extent of a convolution along one spatial axis. */
export const convExtent = (n: number, k: number, stride: number, padding: number, dilation: number): number =>
  Math.floor((n + 2 * padding - dilation * (k - 1) - 1) / stride) + 1;

/** A malformed graph is a bug of the compiler, never of the program being compiled. */
const fail = (what: string): never => {
  throw new Error(`tensor IR: ${what}`);
};

/** The shape of `op` applied to operands of the given shapes; throws on operands that do not fit. Leaves state their shape themselves. */
const inferShape = (op: Op, shapes: readonly Dims[], declared: Dims | undefined): Dims => {
  const [a, b, c] = shapes;
  const show = () => `${op.kind} of ${shapes.map(s => `[${s}]`).join(', ')}`;
  const need = (ok: boolean, why: string) => ok || fail(`${show()}: ${why}`);
  switch (op.kind) {
    case 'input':
    case 'param':
    case 'constant':
    case 'iota':
      return declared ?? fail(`${op.kind} without a shape`);
    case 'literal': {
      const shape = declared ?? fail('literal without a shape');
      return op.data.length === size(shape) ? shape : fail(`literal of ${op.data.length} entries for [${shape}]`);
    }
    case 'unary':
    case 'detach':
      return a;
    case 'binary':
      need(sameDims(a, b), 'shapes differ');
      return a;
    case 'select':
      need(sameDims(a, b) && sameDims(b, c), 'shapes differ');
      return b;
    case 'broadcast': {
      const out = declared ?? fail('broadcast without a target shape');
      need(
        op.axes.length === a.length && op.axes.every((ax, i) => ax < out.length && out[ax] === a[i]),
        `axes ${op.axes} of [${out}]`,
      );
      need(
        op.axes.every((ax, i) => i === 0 || ax > op.axes[i - 1]),
        'axes must increase',
      );
      return out;
    }
    case 'reshape': {
      const out = declared ?? fail('reshape without a target shape');
      need(size(out) === size(a), `cannot become [${out}]`);
      return out;
    }
    case 'transpose':
      need(
        op.perm.length === a.length && [...op.perm].sort((x, y) => x - y).every((p, i) => p === i),
        `perm ${op.perm}`,
      );
      return op.perm.map(p => a[p]);
    case 'slice':
      need(
        a.every((d, i) => op.start[i] >= 0 && op.limit[i] <= d && op.start[i] < op.limit[i] && op.stride[i] >= 1),
        'out of range',
      );
      return a.map((_, i) => Math.ceil((op.limit[i] - op.start[i]) / op.stride[i]));
    case 'pad':
      need(
        a.every((_, i) => op.low[i] >= 0 && op.high[i] >= 0 && op.interior[i] >= 0),
        'negative padding',
      );
      return a.map((d, i) => op.low[i] + op.high[i] + d + (d - 1) * op.interior[i]);
    case 'reverse':
      return a;
    case 'concat': {
      need(
        shapes.every(s => s.length === a.length && s.every((d, i) => i === op.axis || d === a[i])),
        'shapes differ off the axis',
      );
      return a.map((d, i) => (i === op.axis ? shapes.reduce((n, s) => n + s[i], 0) : d));
    }
    case 'reduce':
      need(
        op.axes.every(ax => ax < a.length),
        `axes ${op.axes}`,
      );
      return a.filter((_, i) => !op.axes.includes(i));
    case 'matmul': {
      const r = a.length;
      need(r >= 2 && b.length === r && sameDims(a.slice(0, -2), b.slice(0, -2)), 'batch axes differ');
      const [m, k] = op.transposeA ? [a[r - 1], a[r - 2]] : [a[r - 2], a[r - 1]];
      const [k2, n] = op.transposeB ? [b[r - 1], b[r - 2]] : [b[r - 2], b[r - 1]];
      need(k === k2, 'inner extents differ');
      return [...a.slice(0, -2), m, n];
    }
    case 'conv': {
      need(
        a.length === 4 && b.length === 4 && a[1] === b[1] * op.groups && b[0] % op.groups === 0,
        'channels do not fit',
      );
      const out = [0, 1].map(i => convExtent(a[2 + i], b[2 + i], op.stride[i], op.padding[i], op.dilation[i]));
      need(
        out.every(d => d >= 1),
        'kernel larger than the padded image',
      );
      return [a[0], b[0], ...out];
    }
    case 'convTranspose': {
      need(a.length === 4 && b.length === 4 && a[1] === b[0], 'channels do not fit');
      need(
        [0, 1].every(i => convExtent(op.size[i], b[2 + i], op.stride[i], op.padding[i], op.dilation[i]) === a[2 + i]),
        `size ${op.size}`,
      );
      return [a[0], b[1] * op.groups, ...op.size];
    }
    case 'convWeight': {
      need(a.length === 4 && b.length === 4 && a[0] === b[0] && a[1] % op.groups === 0, 'batches differ');
      need(
        [0, 1].every(i => convExtent(a[2 + i], op.size[i], op.stride[i], op.padding[i], op.dilation[i]) === b[2 + i]),
        `size ${op.size}`,
      );
      return [b[1], a[1] / op.groups, ...op.size];
    }
    case 'sortPermute':
      need(sameDims(a, b) && a[op.axis] % op.group === 0, `groups of ${op.group}`);
      return a;
    case 'inverse':
      need(a.length >= 2 && a[a.length - 1] === a[a.length - 2], 'not square');
      return a;
    default:
      return op satisfies never;
  }
};

/** Builds a graph node by node; equal nodes are made once (hash consing), so common subexpressions never exist. */
export class GraphBuilder {
  private readonly nodes: TensorNode[] = [];
  private readonly known = new Map<string, TensorId>();
  private readonly outputs = new Map<string, TensorId>();
  private readonly updates = new Map<string, TensorId>();
  /** Origin given to the nodes made from now on. */
  origin = '';

  static from(graph: TensorGraph): GraphBuilder {
    const b = new GraphBuilder();
    for (const n of graph.nodes) b.insert(n.op, n.inputs, n.shape, n.origin);
    for (const [k, v] of graph.outputs) b.outputs.set(k, v);
    for (const [k, v] of graph.updates) b.updates.set(k, v);
    return b;
  }

  private insert(op: Op, inputs: readonly TensorId[], shape: Dims, origin: string): TensorId {
    const id = this.nodes.length;
    this.nodes.push({ id, op, inputs, shape, origin });
    if (op.kind !== 'literal') this.known.set(JSON.stringify([op, inputs, shape]), id);
    return id;
  }

  /** The node `op(inputs)`; `shape` is needed for leaves, broadcast and reshape. */
  make(op: Op, inputs: readonly TensorId[] = [], shape?: Dims): TensorId {
    const out = inferShape(
      op,
      inputs.map(i => this.shape(i)),
      shape,
    );
    if (op.kind !== 'literal') {
      const found = this.known.get(JSON.stringify([op, inputs, out]));
      if (found !== undefined) return found;
    }
    return this.insert(op, [...inputs], [...out], this.origin);
  }

  shape(id: TensorId): Dims {
    return (this.nodes[id] ?? fail(`no node ${id}`)).shape;
  }
  node(id: TensorId): TensorNode {
    return this.nodes[id] ?? fail(`no node ${id}`);
  }
  output(name: string, id: TensorId): void {
    this.outputs.set(name, id);
  }
  update(path: string, id: TensorId): void {
    this.updates.set(path, id);
  }
  finish(): TensorGraph {
    return { nodes: [...this.nodes], outputs: new Map(this.outputs), updates: new Map(this.updates) };
  }

  input = (name: string, shape: Dims) => this.make({ kind: 'input', name }, [], shape);
  param = (path: string, shape: Dims) => this.make({ kind: 'param', path }, [], shape);
  constant = (value: number, shape: Dims = []) => this.make({ kind: 'constant', value }, [], shape);
  literal = (data: readonly number[] | Float32Array, shape: Dims) => this.make({ kind: 'literal', data }, [], shape);
  iota = (shape: Dims, axis: number) => this.make({ kind: 'iota', axis }, [], shape);
  unary = (op: UnaryOp, a: TensorId) => this.make({ kind: 'unary', op }, [a]);
  binary = (op: BinaryOp, a: TensorId, b: TensorId) => this.make({ kind: 'binary', op }, [a, b]);
  add = (a: TensorId, b: TensorId) => this.binary('add', a, b);
  sub = (a: TensorId, b: TensorId) => this.binary('sub', a, b);
  mul = (a: TensorId, b: TensorId) => this.binary('mul', a, b);
  div = (a: TensorId, b: TensorId) => this.binary('div', a, b);
  /** a·value and a + value for a number. */
  scale = (a: TensorId, value: number) => this.mul(a, this.constant(value, this.shape(a)));
  offset = (a: TensorId, value: number) => this.add(a, this.constant(value, this.shape(a)));
  select = (c: TensorId, a: TensorId, b: TensorId) => this.make({ kind: 'select' }, [c, a, b]);
  detach = (a: TensorId) => this.make({ kind: 'detach' }, [a]);
  broadcast = (a: TensorId, shape: Dims, axes: Dims) =>
    sameDims(this.shape(a), shape) ? a : this.make({ kind: 'broadcast', axes }, [a], shape);
  reshape = (a: TensorId, shape: Dims) =>
    sameDims(this.shape(a), shape) ? a : this.make({ kind: 'reshape' }, [a], shape);
  transpose = (a: TensorId, perm: Dims) =>
    perm.every((p, i) => p === i) ? a : this.make({ kind: 'transpose', perm }, [a]);
  slice = (a: TensorId, start: Dims, limit: Dims, stride: Dims = start.map(() => 1)) =>
    this.make({ kind: 'slice', start, limit, stride }, [a]);
  pad = (a: TensorId, low: Dims, high: Dims, interior: Dims = low.map(() => 0)) =>
    this.make({ kind: 'pad', low, high, interior }, [a]);
  reverse = (a: TensorId, axes: Dims) => this.make({ kind: 'reverse', axes }, [a]);
  concat = (parts: readonly TensorId[], axis: number) =>
    parts.length === 1 ? parts[0] : this.make({ kind: 'concat', axis }, parts);
  sum = (a: TensorId, axes: Dims) => (axes.length === 0 ? a : this.make({ kind: 'reduce', op: 'sum', axes }, [a]));
  maximum = (a: TensorId, axes: Dims) => (axes.length === 0 ? a : this.make({ kind: 'reduce', op: 'max', axes }, [a]));
  matmul = (a: TensorId, b: TensorId, t: { a?: boolean; b?: boolean } = {}) =>
    this.make({ kind: 'matmul', transposeA: t.a ?? false, transposeB: t.b ?? false }, [a, b]);
  conv = (x: TensorId, k: TensorId, attrs: ConvAttrs) => this.make({ kind: 'conv', ...attrs }, [x, k]);
  convTranspose = (y: TensorId, k: TensorId, size: readonly [number, number], attrs: ConvAttrs) =>
    this.make({ kind: 'convTranspose', size, ...attrs }, [y, k]);
  convWeight = (x: TensorId, y: TensorId, size: readonly [number, number], attrs: ConvAttrs) =>
    this.make({ kind: 'convWeight', size, ...attrs }, [x, y]);
  sort = (a: TensorId, axis: number, group: number) =>
    this.make({ kind: 'sortPermute', axis, group, inverse: false }, [a, a]);
  inverse = (a: TensorId) => this.make({ kind: 'inverse', of: 'matrix' }, [a]);
  inverseCholesky = (a: TensorId) => this.make({ kind: 'inverse', of: 'cholesky' }, [a]);
}

const attrText = (op: Op): string => {
  const skip = new Set(['kind', 'op', 'name', 'path']);
  const entries = Object.entries(op).filter(([k]) => !skip.has(k));
  return entries
    .map(([k, v]) =>
      k === 'data' ? `data=(${(v as readonly number[]).length})` : `${k}=${Array.isArray(v) ? `[${v}]` : v}`,
    )
    .join(' ');
};

/** One line a node: `%12 = conv [8,16,28,28] %3 %4 stride=[1,1] …   # conv[0]`. */
export const printTensorGraph = (g: TensorGraph): string => {
  const lines = g.nodes.map(n => {
    const name = 'op' in n.op ? n.op.op : n.op.kind;
    const leaf = n.op.kind === 'input' ? ` "${n.op.name}"` : n.op.kind === 'param' ? ` "${n.op.path}"` : '';
    const attrs = attrText(n.op);
    const args = n.inputs.map(i => ` %${i}`).join('');
    return `%${n.id} = ${name}${leaf} [${n.shape}]${args}${attrs ? ` ${attrs}` : ''}${n.origin ? `   # ${n.origin}` : ''}`;
  });
  for (const [name, id] of g.outputs) lines.push(`output "${name}" %${id}`);
  for (const [path, id] of g.updates) lines.push(`update "${path}" %${id}`);
  return `${lines.join('\n')}\n`;
};

/** The part of `g` that its outputs and updates need, renumbered. */
export const prune = (g: TensorGraph): TensorGraph => {
  const live = new Set<TensorId>();
  const visit = (root: TensorId) => {
    const stack = [root];
    for (let id = stack.pop(); id !== undefined; id = stack.pop()) {
      if (live.has(id)) continue;
      live.add(id);
      stack.push(...g.nodes[id].inputs);
    }
  };
  for (const id of g.outputs.values()) visit(id);
  for (const id of g.updates.values()) visit(id);
  const renumber = new Map<TensorId, TensorId>();
  const nodes: TensorNode[] = [];
  for (const n of g.nodes) {
    if (!live.has(n.id)) continue;
    renumber.set(n.id, nodes.length);
    nodes.push({ ...n, id: nodes.length, inputs: n.inputs.map(i => renumber.get(i)!) });
  }
  const move = (m: ReadonlyMap<string, TensorId>) => new Map([...m].map(([k, v]) => [k, renumber.get(v)!]));
  return { nodes, outputs: move(g.outputs), updates: move(g.updates) };
};
