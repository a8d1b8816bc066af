/**
 * The float64 interpreter of the tensor IR: the oracle that every compiled graph is compared with, and the evaluator that folds
 * what depends on parameters alone. One entry per primitive; written to be obviously right, with tight loops only where a network
 * of MNIST's size needs them.
 */
import { convolve, convolveKernel, convolveTranspose } from './interpret-conv.ts';
import { matmul } from './interpret-matmul.ts';
import {
  type BinaryOp,
  type Dims,
  NO_PIVOT,
  type Op,
  type OpKind,
  size,
  type TensorGraph,
  type TensorId,
  type TensorNode,
  type UnaryOp,
} from './tensor.ts';

type Values = ArrayLike<number>;

export interface Bindings {
  readonly inputs: ReadonlyMap<string, Values>;
  readonly params: ReadonlyMap<string, Values>;
}

const UNARY: { readonly [K in UnaryOp]: (x: number) => number } = {
  neg: x => -x,
  abs: Math.abs,
  sign: Math.sign,
  step: x => (x > 0 ? 1 : 0),
  relu: x => Math.max(x, 0),
  exp: Math.exp,
  log: Math.log,
  sqrt: Math.sqrt,
  reciprocal: x => 1 / x,
  tanh: Math.tanh,
  // Two forms, so that neither tail overflows.
  sigmoid: x => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x))),
  cos: Math.cos,
  sin: Math.sin,
};

const BINARY: { readonly [K in BinaryOp]: (x: number, y: number) => number } = {
  add: (x, y) => x + y,
  sub: (x, y) => x - y,
  mul: (x, y) => x * y,
  div: (x, y) => x / y,
  max: Math.max,
  min: Math.min,
  greater: (x, y) => (x > y ? 1 : 0),
  equal: (x, y) => (x === y ? 1 : 0),
};

/** Row-major strides. */
const stridesOf = (shape: Dims): number[] => {
  const s = shape.map(() => 1);
  for (let i = shape.length - 2; i >= 0; i--) s[i] = s[i + 1] * shape[i + 1];
  return s;
};

/** Visits every index of `shape` with two affine addresses. */
const walk = (
  shape: Dims,
  aBase: number,
  aStrides: Dims,
  bBase: number,
  bStrides: Dims,
  visit: (a: number, b: number) => void,
): void => {
  const last = shape.length - 1;
  if (last < 0) {
    visit(aBase, bBase);
    return;
  }
  const along = (axis: number, a: number, b: number): void => {
    const [n, da, db] = [shape[axis], aStrides[axis], bStrides[axis]];
    for (let i = 0; i < n; i++) {
      if (axis === last) visit(a + i * da, b + i * db);
      else along(axis + 1, a + i * da, b + i * db);
    }
  };
  along(0, aBase, bBase);
};

/** out[row-major index] = src[base + index · strides]. */
const gather = (shape: Dims, src: Float64Array, base: number, strides: Dims): Float64Array => {
  const out = new Float64Array(size(shape));
  walk(shape, 0, stridesOf(shape), base, strides, (o, s) => {
    out[o] = src[s];
  });
  return out;
};

const sortPermute = (
  op: Extract<Op, { kind: 'sortPermute' }>,
  x: Float64Array,
  v: Float64Array,
  shape: Dims,
): Float64Array => {
  const stride = stridesOf(shape)[op.axis];
  const extent = shape[op.axis];
  const out = new Float64Array(x.length);
  const order = Array.from({ length: op.group }, (_, i) => i);
  for (let outer = 0; outer < x.length; outer += extent * stride) {
    for (let inner = 0; inner < stride; inner++) {
      for (let g = 0; g < extent; g += op.group) {
        const at = (i: number) => outer + inner + (g + i) * stride;
        // order[r] is the entry of rank r; ties keep their position.
        order.sort((i, j) => x[at(i)] - x[at(j)] || i - j);
        order.forEach((i, r) => {
          if (op.inverse) out[at(i)] = v[at(r)];
          else out[at(r)] = v[at(i)];
        });
      }
    }
  }
  return out;
};

/** Gauss–Jordan elimination without pivoting, matrix by matrix. */
const inverse = (a: Float64Array, shape: Dims): Float64Array => {
  const n = shape[shape.length - 1];
  const work = Float64Array.from(a);
  const out = new Float64Array(a.length);
  for (let base = 0; base < a.length; base += n * n) {
    for (let i = 0; i < n; i++) out[base + i * n + i] = 1;
    for (let p = 0; p < n; p++) {
      const row = base + p * n;
      const scale = 1 / work[row + p];
      for (let j = 0; j < n; j++) {
        work[row + j] *= scale;
        out[row + j] *= scale;
      }
      for (let i = 0; i < n; i++) {
        const other = base + i * n;
        const f = work[other + p];
        if (i === p || f === 0) continue;
        for (let j = 0; j < n; j++) {
          work[other + j] -= f * work[row + j];
          out[other + j] -= f * out[row + j];
        }
      }
    }
  }
  return out;
};

/** L⁻¹ of LLᵀ by elimination in place: what is left of a column gives way to the multipliers; pivots stay on the diagonal to the end. */
const inverseCholesky = (a: Float64Array, shape: Dims): Float64Array => {
  const n = shape[shape.length - 1];
  const out = Float64Array.from(a);
  for (let base = 0; base < a.length; base += n * n) {
    for (let p = 0; p < n; p++) {
      const pivot = out[base + p * n + p];
      for (let i = p + 1; i < n; i++) {
        const row = base + i * n;
        const f = pivot > NO_PIVOT ? out[row + p] / pivot : 0;
        for (let j = 0; j < n; j++) if (j !== p) out[row + j] -= f * out[base + p * n + j];
        out[row + p] = -f;
      }
    }
    for (let i = 0; i < n; i++) {
      const row = base + i * n;
      const pivot = out[row + i];
      const scale = pivot > NO_PIVOT ? 1 / Math.sqrt(pivot) : 0;
      for (let j = 0; j < n; j++) out[row + j] = j > i || scale === 0 ? 0 : j === i ? scale : scale * out[row + j];
    }
  }
  return out;
};

interface Frame {
  readonly node: TensorNode;
  readonly args: readonly Float64Array[];
  readonly shapes: readonly Dims[];
  readonly bindings: Bindings;
}

type Rules = { readonly [K in OpKind]: (op: Extract<Op, { kind: K }>, f: Frame) => Float64Array };

const bound = (found: Values | undefined, what: string, shape: Dims): Float64Array => {
  if (found === undefined) throw new Error(`interpret: no value for ${what}`);
  if (found.length !== size(shape)) throw new Error(`interpret: ${what} has ${found.length} entries, not [${shape}]`);
  // No operation writes to its operands.
  return found instanceof Float64Array ? found : Float64Array.from(found);
};

const EVALUATE: Rules = {
  input: (op, f) => bound(f.bindings.inputs.get(op.name), `input "${op.name}"`, f.node.shape),
  param: (op, f) => bound(f.bindings.params.get(op.path), `parameter "${op.path}"`, f.node.shape),
  constant: (op, f) => new Float64Array(size(f.node.shape)).fill(op.value),
  literal: op => Float64Array.from(op.data),
  iota: (op, f) => {
    const stride = stridesOf(f.node.shape)[op.axis];
    const extent = f.node.shape[op.axis];
    return new Float64Array(size(f.node.shape)).map((_, i) => Math.floor(i / stride) % extent);
  },
  unary: (op, f) => {
    const g = UNARY[op.op];
    return f.args[0].map(v => g(v));
  },
  binary: (op, f) => {
    const g = BINARY[op.op];
    const [x, y] = f.args;
    return x.map((v, i) => g(v, y[i]));
  },
  select: (_, f) => {
    const [c, x, y] = f.args;
    return c.map((v, i) => (v !== 0 ? x[i] : y[i]));
  },
  detach: (_, f) => f.args[0],
  broadcast: (op, f) => {
    const strides: number[] = f.node.shape.map(() => 0);
    const from = stridesOf(f.shapes[0]);
    op.axes.forEach((axis, i) => {
      strides[axis] = from[i];
    });
    return gather(f.node.shape, f.args[0], 0, strides);
  },
  reshape: (_, f) => f.args[0],
  transpose: (op, f) => {
    const from = stridesOf(f.shapes[0]);
    return gather(
      f.node.shape,
      f.args[0],
      0,
      op.perm.map(p => from[p]),
    );
  },
  slice: (op, f) => {
    const from = stridesOf(f.shapes[0]);
    const base = op.start.reduce((sum, s, i) => sum + s * from[i], 0);
    return gather(
      f.node.shape,
      f.args[0],
      base,
      from.map((s, i) => s * op.stride[i]),
    );
  },
  pad: (op, f) => {
    const out = new Float64Array(size(f.node.shape));
    const to = stridesOf(f.node.shape);
    const base = op.low.reduce((sum, l, i) => sum + l * to[i], 0);
    const [x] = f.args;
    walk(
      f.shapes[0],
      base,
      to.map((s, i) => s * (op.interior[i] + 1)),
      0,
      stridesOf(f.shapes[0]),
      (o, s) => {
        out[o] = x[s];
      },
    );
    return out;
  },
  reverse: (op, f) => {
    const from = stridesOf(f.node.shape);
    const base = op.axes.reduce((sum, axis) => sum + (f.node.shape[axis] - 1) * from[axis], 0);
    return gather(
      f.node.shape,
      f.args[0],
      base,
      from.map((s, i) => (op.axes.includes(i) ? -s : s)),
    );
  },
  concat: (op, f) => {
    const out = new Float64Array(size(f.node.shape));
    const to = stridesOf(f.node.shape);
    let start = 0;
    f.args.forEach((part, p) => {
      walk(f.shapes[p], start * to[op.axis], to, 0, stridesOf(f.shapes[p]), (o, s) => {
        out[o] = part[s];
      });
      start += f.shapes[p][op.axis];
    });
    return out;
  },
  reduce: (op, f) => {
    const out = new Float64Array(size(f.node.shape)).fill(op.op === 'sum' ? 0 : Number.NEGATIVE_INFINITY);
    const kept = stridesOf(f.node.shape);
    let next = 0;
    const to = f.shapes[0].map((_, i) => (op.axes.includes(i) ? 0 : kept[next++]));
    const [x] = f.args;
    const visit =
      op.op === 'sum'
        ? (o: number, s: number) => {
            out[o] += x[s];
          }
        : (o: number, s: number) => {
            out[o] = Math.max(out[o], x[s]);
          };
    walk(f.shapes[0], 0, to, 0, stridesOf(f.shapes[0]), visit);
    return out;
  },
  matmul: (op, f) => matmul(op, f.args[0], f.shapes[0], f.args[1], f.shapes[1], f.node.shape),
  conv: (op, f) => convolve(op, f.args[0], f.shapes[0], f.args[1], f.shapes[1], f.node.shape),
  convTranspose: (op, f) => convolveTranspose(op, f.args[0], f.shapes[0], f.args[1], f.shapes[1], f.node.shape),
  convWeight: (op, f) => convolveKernel(op, f.args[0], f.shapes[0], f.args[1], f.shapes[1], f.node.shape),
  sortPermute: (op, f) => sortPermute(op, f.args[0], f.args[1], f.node.shape),
  inverse: (op, f) =>
    op.of === 'matrix' ? inverse(f.args[0], f.node.shape) : inverseCholesky(f.args[0], f.node.shape),
};

const evaluateNode = (f: Frame): Float64Array => {
  const rule = EVALUATE[f.node.op.kind] as (op: Op, frame: Frame) => Float64Array;
  return rule(f.node.op, f);
};

/**
 * The values of `roots`, row-major. Evaluates only what they need and forgets each value after its last use.
 * Throws when a binding that is needed is missing or has the wrong number of entries.
 */
export const evaluate = (
  graph: TensorGraph,
  bindings: Bindings,
  roots: Iterable<TensorId>,
): Map<TensorId, Float64Array> => {
  const wanted = new Set(roots);
  const uses = new Map<TensorId, number>();
  for (const id of wanted) uses.set(id, 1);
  for (let id = graph.nodes.length - 1; id >= 0; id--) {
    if (!uses.has(id)) continue;
    for (const i of graph.nodes[id].inputs) uses.set(i, (uses.get(i) ?? 0) + 1);
  }
  const values = new Map<TensorId, Float64Array>();
  for (const node of graph.nodes) {
    if (!uses.has(node.id)) continue;
    const args = node.inputs.map(i => values.get(i)!);
    const shapes = node.inputs.map(i => graph.nodes[i].shape);
    values.set(node.id, evaluateNode({ node, args, shapes, bindings }));
    for (const i of node.inputs) {
      const left = uses.get(i)! - 1;
      uses.set(i, left);
      if (left === 0) values.delete(i);
    }
  }
  return new Map([...wanted].map(id => [id, values.get(id)!]));
};

/** Runs `graph` in float64. `updates` holds the new values; the bindings are left as they are. */
export const interpret = (
  graph: TensorGraph,
  bindings: Bindings,
): { outputs: Map<string, Float64Array>; updates: Map<string, Float64Array> } => {
  const values = evaluate(graph, bindings, [...graph.outputs.values(), ...graph.updates.values()]);
  const pick = (names: ReadonlyMap<string, TensorId>) => new Map([...names].map(([k, id]) => [k, values.get(id)!]));
  return { outputs: pick(graph.outputs), updates: pick(graph.updates) };
};
