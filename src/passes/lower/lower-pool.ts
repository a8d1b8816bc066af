/** Poolings as tensor graph: large windows are reduced, the entries of others combined one after another, rows before columns. */
import type { LayerOp, Window } from '../../ir/network.ts';
import { toNumber } from '../../ir/rational.ts';
import type { GraphBuilder, TensorId } from '../../ir/tensor.ts';
import { tiles, windowsAlong } from '../../ir/window.ts';
import type { LoweringMode } from './lower.ts';

type Pool = Extract<LayerOp, Window>;

/** Axes of [N, C, H, W]. */
const HEIGHT = 2;
const WIDTH = 3;

/** Every stride-th slice along `axis` from `from` on: one entry of each window. */
const member = (b: GraphBuilder, x: TensorId, axis: number, from: number, stride: number, count: number): TensorId => {
  const shape = b.shape(x);
  const at = (value: number, other: (d: number) => number) => shape.map((d, i) => (i === axis ? value : other(d)));
  const zero = (): number => 0;
  const one = (): number => 1;
  return b.slice(
    x,
    at(from, zero),
    at(from + (count - 1) * stride + 1, d => d),
    at(stride, one),
  );
};

/** Windows along one axis, their entries combined from the first to the last. */
const combineAlong = (
  b: GraphBuilder,
  x: TensorId,
  axis: number,
  size: number,
  stride: number,
  combine: (a: TensorId, c: TensorId) => TensorId,
): TensorId => {
  const count = windowsAlong(b.shape(x)[axis], size, stride);
  const members = Array.from({ length: size }, (_, i) => member(b, x, axis, i, stride, count));
  return members.reduce(combine);
};

/** Sums over the windows of x [N, C, H, W]. */
export const windowSums = (b: GraphBuilder, x: TensorId, window: Window): TensorId => {
  const [kh, kw] = window.size;
  if (!tiles(window)) {
    const [sh, sw] = window.stride;
    const add = (a: TensorId, c: TensorId) => b.add(a, c);
    return combineAlong(b, combineAlong(b, x, WIDTH, kw, sw, add), HEIGHT, kh, sh, add);
  }
  return b.sum(blocks(b, x, window), [3, 5]);
};

/** Windows that tile: [N, C, rows, kh, columns, kw]. */
const blocks = (b: GraphBuilder, x: TensorId, { size: [kh, kw] }: Window): TensorId => {
  const [n, c, h, w] = b.shape(x);
  const [rows, columns] = [Math.floor(h / kh), Math.floor(w / kw)];
  const whole = rows * kh === h && columns * kw === w;
  const cropped = whole ? x : b.slice(x, [0, 0, 0, 0], [n, c, rows * kh, columns * kw]);
  return b.reshape(cropped, [n, c, rows, kh, columns, kw]);
};

/** Windows with more entries than this along both axes together are reduced, not compared one by one. */
const FEW = 6;

/** The maximum of large windows that tile. In training it is the entry itself, picked by its place, so that a tie has one gradient, at its first entry. */
const largestOfBlocks = (b: GraphBuilder, x: TensorId, window: Window, mode: LoweringMode): TensorId => {
  const entries = blocks(b, x, window);
  if (mode === 'inference') return b.maximum(entries, [3, 5]);
  const shape = b.shape(entries);
  const spread = (v: TensorId): TensorId => b.broadcast(v, shape, [0, 1, 2, 4]);
  const [kh, kw] = window.size;
  const seen = b.detach(entries);
  const isLargest = b.binary('equal', seen, spread(b.maximum(seen, [3, 5])));
  // kh·kw for the first entry of a window in row-major order, 1 for the last.
  const place = b.add(b.scale(b.iota(shape, 3), kw), b.iota(shape, 5));
  const rank = b.select(isLargest, b.sub(b.constant(kh * kw, shape), place), b.constant(0, shape));
  const first = b.binary('equal', rank, spread(b.maximum(rank, [3, 5])));
  return b.sum(b.select(first, entries, b.constant(0, shape)), [3, 5]);
};

const poolImage = (b: GraphBuilder, op: Pool, x: TensorId, mode: LoweringMode): TensorId => {
  switch (op.kind) {
    case 'avgpool':
      return b.scale(windowSums(b, x, op), 1 / Math.sqrt(toNumber(op.divisorSquared)));
    case 'maxpool': {
      if (tiles(op) && op.size[0] + op.size[1] > FEW) return largestOfBlocks(b, x, op, mode);
      // Within each row first: a tie then goes to the first entry in row-major order, as in PyTorch.
      const max = (a: TensorId, c: TensorId) => b.binary('max', a, c);
      const [kh, kw] = op.size;
      const [sh, sw] = op.stride;
      return combineAlong(b, combineAlong(b, x, WIDTH, kw, sw, max), HEIGHT, kh, sh, max);
    }
    case 'l2pool': {
      const squares = windowSums(b, b.mul(x, x), op);
      const shape = b.shape(squares);
      const present = b.binary('greater', squares, b.constant(0, shape));
      const root = b.unary('sqrt', b.select(present, squares, b.constant(1, shape)));
      return b.select(present, root, b.constant(0, shape));
    }
    default:
      return op satisfies never;
  }
};

/** x [N, C, H, W], or [N, n] as one row → one entry a window. */
export const lowerPool = (b: GraphBuilder, op: Pool, x: TensorId, mode: LoweringMode): TensorId => {
  const [n, ...rest] = b.shape(x);
  if (rest.length === 3) return poolImage(b, op, x, mode);
  const row = poolImage(b, op, b.reshape(x, [n, 1, 1, rest[0]]), mode);
  return b.reshape(row, [n, b.shape(row)[WIDTH]]);
};
