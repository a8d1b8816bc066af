/**
 * Large matrix inverses by blocks. Gauss–Jordan elimination of n columns is n dependent steps in one workgroup; by the Schur complement
 * the same inverse is a few products, which run on the whole device. An equality over ℝ, named in the plan.
 */
import { type Dims, GraphBuilder, prune, type TensorGraph, type TensorId } from '../../ir/tensor.ts';

/** Matrices up to this size are inverted directly. */
const DIRECT = 64;

/** Rows and columns [from, to) × [left, right) of the two last axes. */
const block = (b: GraphBuilder, m: TensorId, rows: Dims, columns: Dims): TensorId => {
  const shape = b.shape(m);
  const lead = shape.slice(0, -2);
  return b.slice(m, [...lead.map(() => 0), rows[0], columns[0]], [...lead, rows[1], columns[1]]);
};

/**
 * m⁻¹ for m [B…, n, n] whose symmetric part is positive definite: so is that of every leading block and Schur complement, and no pivoting
 * is needed at any level. With m = [[A, B], [C, D]], X = A⁻¹B, Y = CA⁻¹, S = D − CX and Z = XS⁻¹:
 * m⁻¹ = [[A⁻¹ + ZY, −Z], [−S⁻¹Y, S⁻¹]].
 */
const inverseByBlocks = (b: GraphBuilder, m: TensorId): TensorId => {
  const shape = b.shape(m);
  const n = shape[shape.length - 1];
  if (n <= DIRECT) return b.inverse(m);
  const half = DIRECT * Math.ceil(n / 2 / DIRECT);
  const [first, second] = [
    [0, half],
    [half, n],
  ];
  const [B, C, D] = [block(b, m, first, second), block(b, m, second, first), block(b, m, second, second)];
  const inverseA = inverseByBlocks(b, block(b, m, first, first));
  const X = b.matmul(inverseA, B);
  const Y = b.matmul(C, inverseA);
  const inverseS = inverseByBlocks(b, b.sub(D, b.matmul(C, X)));
  const Z = b.matmul(X, inverseS);
  const axis = shape.length - 1;
  const upper = b.concat([b.add(inverseA, b.matmul(Z, Y)), b.unary('neg', Z)], axis);
  const lower = b.concat([b.unary('neg', b.matmul(inverseS, Y)), inverseS], axis);
  return b.concat([upper, lower], axis - 1);
};

/**
 * L⁻¹ of m = [[A, Cᵀ], [C, D]] = LLᵀ. With M = L_A⁻¹ and Y = CMᵀ, the lower left block of L, S = D − YYᵀ and N = L_S⁻¹:
 * L⁻¹ = [[M, 0], [−NYM, N]].
 */
const inverseCholeskyByBlocks = (b: GraphBuilder, m: TensorId): TensorId => {
  const shape = b.shape(m);
  const n = shape[shape.length - 1];
  if (n <= DIRECT) return b.inverseCholesky(m);
  const half = DIRECT * Math.ceil(n / 2 / DIRECT);
  const [first, second] = [
    [0, half],
    [half, n],
  ];
  const M = inverseCholeskyByBlocks(b, block(b, m, first, first));
  const Y = b.matmul(block(b, m, second, first), M, { b: true });
  const N = inverseCholeskyByBlocks(b, b.sub(block(b, m, second, second), b.matmul(Y, Y, { b: true })));
  const axis = shape.length - 1;
  const lower = b.concat([b.unary('neg', b.matmul(b.matmul(N, Y), M)), N], axis);
  const upper = b.concat([M, b.constant(0, [...shape.slice(0, -2), half, n - half])], axis);
  return b.concat([upper, lower], axis - 1);
};

/** `graph` with every inverse of a matrix larger than 64×64 written as products of its blocks. */
export const blockInverses = (graph: TensorGraph): TensorGraph => {
  if (!graph.nodes.some(n => n.op.kind === 'inverse' && n.shape[n.shape.length - 1] > DIRECT)) return graph;
  const b = new GraphBuilder();
  const moved: TensorId[] = [];
  for (const n of graph.nodes) {
    const inputs = n.inputs.map(i => moved[i]);
    b.origin = n.op.kind === 'inverse' ? `${n.origin} (block-inverse)` : n.origin;
    if (n.op.kind !== 'inverse') moved.push(b.make(n.op, inputs, n.shape));
    else moved.push(n.op.of === 'matrix' ? inverseByBlocks(b, inputs[0]) : inverseCholeskyByBlocks(b, inputs[0]));
  }
  for (const [name, id] of graph.outputs) b.output(name, moved[id]);
  for (const [path, id] of graph.updates) b.update(path, moved[id]);
  return prune(b.finish());
};
