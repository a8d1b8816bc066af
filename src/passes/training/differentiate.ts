/**
 * Reverse mode on the tensor IR: one vector-Jacobian product per primitive, in the primitives themselves, so gradients are
 * ordinary graph and can be differentiated, printed, interpreted and fused again.
 *
 * Choices where a derivative does not exist: relu'(0) = abs'(0) = 0; a tie of `max`/`min` goes to the first operand; tied maxima of
 * a `reduce` share equally. relu's derivative is written as step(output), so that backward needs the output only.
 */
import type { Dims, GraphBuilder, Op, OpKind, TensorId, TensorNode } from '../../ir/tensor.ts';

type Gradient = TensorId | undefined;
/** (op, its node, the cotangent of its value) → the cotangents of its operands; undefined means zero. */
type Rule<K extends OpKind> = (
  b: GraphBuilder,
  op: Extract<Op, { kind: K }>,
  node: TensorNode,
  g: TensorId,
) => readonly Gradient[];

const without = (shape: Dims, axes: Dims): number[] => shape.map((_, i) => i).filter(i => !axes.includes(i));

const zeros = (b: GraphBuilder, like: TensorId): TensorId => b.constant(0, b.shape(like));

const unaryRule: Rule<'unary'> = (b, op, node, g) => {
  const [x] = node.inputs;
  const y = node.id;
  switch (op.op) {
    case 'neg':
      return [b.unary('neg', g)];
    case 'abs':
      return [b.mul(g, b.unary('sign', x))];
    case 'sign':
    case 'step':
      return [undefined];
    case 'relu':
      return [b.mul(g, b.unary('step', y))];
    case 'exp':
      return [b.mul(g, y)];
    case 'log':
      return [b.div(g, x)];
    case 'sqrt':
      return [b.div(b.scale(g, 0.5), y)];
    case 'reciprocal':
      return [b.unary('neg', b.mul(g, b.mul(y, y)))];
    case 'tanh':
      return [b.mul(g, b.sub(b.constant(1, node.shape), b.mul(y, y)))];
    case 'sigmoid':
      return [b.mul(g, b.mul(y, b.sub(b.constant(1, node.shape), y)))];
    case 'cos':
      return [b.unary('neg', b.mul(g, b.unary('sin', x)))];
    case 'sin':
      return [b.mul(g, b.unary('cos', x))];
    default:
      return op.op satisfies never;
  }
};

const binaryRule: Rule<'binary'> = (b, op, node, g) => {
  const [x, y] = node.inputs;
  switch (op.op) {
    case 'add':
      return [g, g];
    case 'sub':
      return [g, b.unary('neg', g)];
    case 'mul':
      if (x === y) return [b.scale(b.mul(g, x), 2), undefined];
      return [b.mul(g, y), b.mul(g, x)];
    case 'div': {
      const gx = b.div(g, y);
      return [gx, b.unary('neg', b.mul(gx, node.id))];
    }
    case 'max':
    case 'min': {
      const second = op.op === 'max' ? b.binary('greater', y, x) : b.binary('greater', x, y);
      return [b.select(second, zeros(b, g), g), b.select(second, g, zeros(b, g))];
    }
    case 'greater':
    case 'equal':
      return [undefined, undefined];
    default:
      return op.op satisfies never;
  }
};

const VJP: { readonly [K in OpKind]: Rule<K> } = {
  input: () => [],
  param: () => [],
  constant: () => [],
  literal: () => [],
  iota: () => [],
  unary: unaryRule,
  binary: binaryRule,
  select: (b, _, node, g) => {
    const [c] = node.inputs;
    return [undefined, b.select(c, g, zeros(b, g)), b.select(c, zeros(b, g), g)];
  },
  detach: () => [undefined],
  broadcast: (b, op, node, g) => [b.sum(g, without(node.shape, op.axes))],
  reshape: (b, _, node, g) => [b.reshape(g, b.shape(node.inputs[0]))],
  transpose: (b, op, _, g) => [
    b.transpose(
      g,
      op.perm.map((__, i) => op.perm.indexOf(i)),
    ),
  ],
  slice: (b, op, node, g) => {
    const from = b.shape(node.inputs[0]);
    const covered = node.shape.map((n, i) => op.start[i] + (n - 1) * op.stride[i] + 1);
    return [
      b.pad(
        g,
        op.start,
        from.map((d, i) => d - covered[i]),
        op.stride.map(s => s - 1),
      ),
    ];
  },
  pad: (b, op, node, g) => {
    const from = b.shape(node.inputs[0]);
    const limit = from.map((d, i) => op.low[i] + (d - 1) * (op.interior[i] + 1) + 1);
    return [
      b.slice(
        g,
        op.low,
        limit,
        op.interior.map(n => n + 1),
      ),
    ];
  },
  reverse: (b, op, _, g) => [b.reverse(g, op.axes)],
  concat: (b, op, node, g) => {
    let at = 0;
    return node.inputs.map(part => {
      const shape = b.shape(part);
      const start = shape.map((_, i) => (i === op.axis ? at : 0));
      at += shape[op.axis];
      return b.slice(
        g,
        start,
        shape.map((d, i) => start[i] + d),
      );
    });
  },
  reduce: (b, op, node, g) => {
    const [x] = node.inputs;
    const shape = b.shape(x);
    const kept = without(shape, op.axes);
    if (op.op === 'sum') return [b.broadcast(g, shape, kept)];
    const isMaximum = b.binary('equal', x, b.broadcast(node.id, shape, kept));
    const share = b.div(g, b.sum(isMaximum, op.axes));
    return [b.mul(isMaximum, b.broadcast(share, shape, kept))];
  },
  matmul: (b, op, node, g) => {
    const [x, y] = node.inputs;
    const { transposeA: ta, transposeB: tb } = op;
    if (x === y && ta !== tb) {
      // A Gram matrix: both operands' shares in one product, half the work of two.
      const axes = node.shape.map((_, i) => i);
      const swapped = [...axes.slice(0, -2), axes.length - 1, axes.length - 2];
      const both = b.add(g, b.transpose(g, swapped));
      return [tb ? b.matmul(both, x) : b.matmul(x, both), undefined];
    }
    return [
      ta ? b.matmul(y, g, { a: tb, b: true }) : b.matmul(g, y, { b: !tb }),
      tb ? b.matmul(g, x, { a: true, b: ta }) : b.matmul(x, g, { a: !ta }),
    ];
  },
  conv: (b, op, node, g) => {
    const [x, k] = node.inputs;
    const { kind: _, ...attrs } = op;
    return [b.convTranspose(g, k, spatial(b, x), attrs), b.convWeight(x, g, spatial(b, k), attrs)];
  },
  convTranspose: (b, op, node, g) => {
    const [y, k] = node.inputs;
    const { kind: _, size: __, ...attrs } = op;
    return [b.conv(g, k, attrs), b.convWeight(g, y, spatial(b, k), attrs)];
  },
  convWeight: (b, op, node, g) => {
    const [x, y] = node.inputs;
    const { kind: _, size: __, ...attrs } = op;
    return [b.convTranspose(y, g, spatial(b, x), attrs), b.conv(x, g, attrs)];
  },
  sortPermute: (b, op, node, g) => [
    undefined,
    b.make({ kind: 'sortPermute', axis: op.axis, group: op.group, inverse: !op.inverse }, [node.inputs[0], g]),
  ],
  inverse: (b, op, node, g) => {
    const y = node.id;
    if (op.of === 'cholesky') {
      // dM = −Φ(M dG Mᵀ) M for symmetric dG, Φ the lower triangle with half the diagonal (Murray, arXiv 1602.07527).
      const inner = b.matmul(g, y, { b: true });
      const shape = b.shape(inner);
      const [row, column] = [b.iota(shape, shape.length - 2), b.iota(shape, shape.length - 1)];
      const half = b.scale(b.binary('equal', row, column), 0.5);
      const lower = b.mul(inner, b.add(b.binary('greater', row, column), half));
      return [b.unary('neg', b.matmul(b.matmul(y, lower, { a: true }), y))];
    }
    return [b.unary('neg', b.matmul(b.matmul(y, g, { a: true }), y, { b: true }))];
  },
};

const spatial = (b: GraphBuilder, id: TensorId): readonly [number, number] => {
  const s = b.shape(id);
  return [s[2], s[3]];
};

/**
 * Cotangents of `wrt` for the scalar Σ seed ⊙ y, by reverse accumulation; `seed` has y's shape. Undefined where y does not depend
 * on the tensor (through anything but `detach` and comparisons). New nodes are appended to `b`; nothing is removed.
 */
export const differentiate = (
  b: GraphBuilder,
  y: TensorId,
  seed: TensorId,
  wrt: readonly TensorId[],
): (TensorId | undefined)[] => {
  const targets = new Set(wrt);
  // Ids are topological, so one sweep finds what lies between `wrt` and y.
  const active = new Set<TensorId>();
  for (let id = 0; id <= y; id++) {
    if (targets.has(id) || b.node(id).inputs.some(i => active.has(i))) active.add(id);
  }
  const cotangents = new Map<TensorId, TensorId>([[y, seed]]);
  const origin = b.origin;
  for (let id = y; id >= 0; id--) {
    const g = cotangents.get(id);
    if (g === undefined || !active.has(id)) continue;
    const node = b.node(id);
    b.origin = node.origin && `${node.origin} backward`;
    const rule = VJP[node.op.kind] as (b: GraphBuilder, op: Op, node: TensorNode, g: TensorId) => readonly Gradient[];
    rule(b, node.op, node, g).forEach((part, i) => {
      const input = node.inputs[i];
      if (part === undefined || !active.has(input)) return;
      const soFar = cotangents.get(input);
      cotangents.set(input, soFar === undefined ? part : b.add(soFar, part));
    });
  }
  b.origin = origin;
  return wrt.map(id => (active.has(id) ? cotangents.get(id) : undefined));
};
