/** The Gram matrices of convolutions, of any stride, dilation and number of groups, from their polyphase kernels (ir/conv-geometry.ts). */
import { type ConvMap, phases, phaseTaps } from '../../ir/conv-geometry.ts';
import type { Side } from '../../ir/network.ts';
import { convAttrs, type GraphBuilder, type TensorId } from '../../ir/tensor.ts';

/** P[o, (c, r), τ] = K[o, c, e·τ + r]: [out, in/groups · e_h·e_w, ⌈kh/e_h⌉, ⌈kw/e_w⌉], the kernel of stride 1 that bounds speak of. */
export const polyphaseKernel = (b: GraphBuilder, map: ConvMap, kernel: TensorId): TensorId => {
  const [eh, ew] = phases(map);
  if (eh === 1 && ew === 1) return kernel;
  const [th, tw] = phaseTaps(map);
  const [kh, kw] = map.kernel;
  const perGroup = map.in / map.groups;
  const padded = b.pad(kernel, [0, 0, 0, 0], [0, 0, th * eh - kh, tw * ew - kw]);
  const split = b.reshape(padded, [map.out, perGroup, th, eh, tw, ew]);
  return b.reshape(b.transpose(split, [0, 1, 3, 5, 2, 4]), [map.out, perGroup * eh * ew, th, tw]);
};

/** Phases per input channel; an output channel has one. */
export const phasesOfChannel = (map: ConvMap, side: Side): number => {
  const [eh, ew] = phases(map);
  return side === 'out' ? 1 : eh * ew;
};

/**
 * The polyphase kernel with the channels that a Gram matrix is indexed by in front: [rows, columns of the row's group, taps…]. The rows are the
 * output channels (`out`), or the input channels times the phases (`in`).
 */
export const gramKernel = (b: GraphBuilder, map: ConvMap, kernel: TensorId, side: Side): TensorId => {
  const { groups } = map;
  const phase = polyphaseKernel(b, map, kernel);
  if (side === 'out') return phase;
  if (groups === 1) return b.transpose(phase, [1, 0, 2, 3]);
  const [out, columns, th, tw] = b.shape(phase);
  const split = b.transpose(b.reshape(phase, [groups, out / groups, columns, th, tw]), [0, 2, 1, 3, 4]);
  return b.reshape(split, [groups * columns, out / groups, th, tw]);
};

/** g_ji(δ), the correlation of rows j and i of one group at every offset: [rows / groups (j), rows (i), 2·taps − 1…]. */
const correlation = (b: GraphBuilder, rows: TensorId, groups: number): TensorId => {
  const [all, summed, th, tw] = b.shape(rows);
  const padding = [th - 1, tw - 1] as const;
  if (groups === 1) return b.conv(rows, rows, convAttrs({ padding }));
  const split = b.transpose(b.reshape(rows, [groups, all / groups, summed, th, tw]), [1, 0, 2, 3, 4]);
  const images = b.reshape(split, [all / groups, groups * summed, th, tw]);
  return b.conv(images, rows, convAttrs({ padding, groups }));
};

/**
 * The kernel of W Wᵀ, W the convolution with these rows: [rows, rows / groups, 2·taps − 1…]. Mirrored or not does not matter to
 * sums of absolute values, and Gram matrices of mirrored kernels are mirrored.
 */
export const gramOfRows = (b: GraphBuilder, rows: TensorId, groups: number): TensorId =>
  b.transpose(correlation(b, rows, groups), [1, 0, 2, 3]);

/**
 * |G| summed over spatial offsets, group by group: [rows / groups, rows], entry (j, i) for the j-th row of the group of i; without groups the
 * whole symmetric matrix. The offsets are all |δ| < taps of the polyphase kernel, which covers every image size.
 */
const absoluteConvGram = (b: GraphBuilder, map: ConvMap, kernel: TensorId, side: Side): TensorId =>
  b.sum(b.unary('abs', correlation(b, gramKernel(b, map, kernel, side), map.groups)), [2, 3]);

/** Σ_j |G_ij| p_j (p = 1 where it is absent), the largest over the phases of an input channel: [m], m the map's outputs or inputs. */
export const convRowSums = (b: GraphBuilder, map: ConvMap, kernel: TensorId, side: Side, p?: TensorId): TensorId => {
  const gram = absoluteConvGram(b, map, kernel, side);
  const [perGroup, rows] = b.shape(gram);
  const m = side === 'out' ? map.out : map.in;
  const each = phasesOfChannel(map, side);
  const sum = (): TensorId => {
    if (p === undefined) return b.sum(gram, [0]);
    const weights = each === 1 ? p : b.reshape(b.broadcast(p, [m, each], [0]), [rows]);
    if (map.groups === 1) return b.sum(b.mul(gram, b.broadcast(weights, [rows, rows], [0])), [0]);
    const byGroup = b.transpose(b.reshape(weights, [map.groups, perGroup]), [1, 0]);
    const shape = [perGroup, map.groups, perGroup];
    return b.sum(b.mul(gram, b.reshape(b.broadcast(byGroup, shape, [0, 1]), [perGroup, rows])), [0]);
  };
  return each === 1 ? sum() : b.maximum(b.reshape(sum(), [m, each]), [1]);
};

/** A kernel times v along its output or input channels; v is [out] or [in]. */
export const scaleKernel = (b: GraphBuilder, map: ConvMap, kernel: TensorId, v: TensorId, side: Side): TensorId => {
  const shape = b.shape(kernel);
  if (side === 'out') return b.mul(kernel, b.broadcast(v, shape, [0]));
  if (map.groups === 1) return b.mul(kernel, b.broadcast(v, shape, [1]));
  const perGroup = [map.groups, map.out / map.groups, map.in / map.groups, ...map.kernel];
  const repeated = b.broadcast(b.reshape(v, [map.groups, map.in / map.groups]), perGroup, [0, 2]);
  return b.mul(kernel, b.reshape(repeated, shape));
};
