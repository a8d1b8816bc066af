/**
 * Multi-step AOL: T_i = (Σ_j |M_ij|)^(1/m) with M = G^m, m = 2^(steps − 1), as published for SLL networks. M ⪯ diag(Σ_j |M_ij|) by
 * Gershgorin, and x ↦ x^(1/m) is operator monotone (Löwner 1934, Heinz 1951), so G ⪯ diag(T). Of a convolution M is a kernel that doubles its reach at
 * each step, and the sums run over all of it.
 */
import type { LinearMap, Side } from '../../ir/network.ts';
import type { GraphBuilder, TensorId } from '../../ir/tensor.ts';
import { gramKernel, gramOfRows, phasesOfChannel } from './lower-polyphase.ts';

/**
 * M is kept in units of its largest entry. A row sum below this many units counts as so many, which only enlarges T: what flushing to
 * zero may have taken from a smaller one in f32 is far less.
 */
const LEAST = 2 ** -90;

/** T: [m], m the rows (`out`) or columns (`in`) of the map; 0 where the whole weight is 0. */
export const powerDiagonal = (
  b: GraphBuilder,
  map: LinearMap,
  weight: TensorId,
  side: Side,
  steps: number,
): TensorId => {
  const groups = map.kind === 'conv' ? map.groups : 1;
  const m = side === 'out' ? map.out : map.in;
  const square = (rows: TensorId): TensorId =>
    map.kind === 'dense' ? b.matmul(rows, rows, { b: true }) : gramOfRows(b, rows, groups);
  // Rows of G: [m, m], or [rows, rows / groups, offsets…].
  let power =
    map.kind === 'dense'
      ? b.matmul(weight, weight, side === 'out' ? { b: true } : { a: true })
      : gramOfRows(b, gramKernel(b, map, weight, side), groups);
  let log = b.constant(0, []);
  let present: TensorId | undefined;
  for (let step = 1; ; step++) {
    const shape = b.shape(power);
    // The unit drops out of T, so it passes no gradient.
    const largest = b.detach(
      b.maximum(
        b.unary('abs', power),
        shape.map((_, i) => i),
      ),
    );
    const some = b.binary('greater', largest, b.constant(0, []));
    present ??= some;
    const unit = b.select(some, largest, b.constant(1, []));
    log = b.add(log, b.scale(b.unary('log', unit), 2 ** (1 - step)));
    power = b.mul(power, b.broadcast(b.unary('reciprocal', unit), shape, []));
    if (step === steps) break;
    power = square(power);
  }
  const axes = b.shape(power).map((_, i) => i);
  const sums = b.sum(b.unary('abs', power), axes.slice(1));
  const rows = b.shape(sums)[0];
  const each = map.kind === 'conv' ? phasesOfChannel(map, side) : 1;
  const most = each === 1 ? sums : b.maximum(b.reshape(sums, [rows / each, each]), [1]);
  const safe = b.binary('max', most, b.constant(LEAST, [m]));
  const T = b.unary('exp', b.add(b.scale(b.unary('log', safe), 2 ** (1 - steps)), b.broadcast(log, [m], [])));
  return b.select(b.broadcast(present, [m], []), T, b.constant(0, [m]));
};
