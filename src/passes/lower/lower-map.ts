/** Linear maps of layers, applied to a batch. */
import { attrsOf } from '../../ir/conv-geometry.ts';
import type { LinearMap, Shape } from '../../ir/network.ts';
import type { GraphBuilder, TensorId } from '../../ir/tensor.ts';

/** W·x for a batch. */
export const applyMap = (b: GraphBuilder, map: LinearMap, weight: TensorId, x: TensorId): TensorId =>
  map.kind === 'dense' ? b.matmul(x, weight, { b: true }) : b.conv(x, weight, attrsOf(map));

/** Wᵀ·u for a batch, back to an input of shape `image`. */
export const applyAdjoint = (b: GraphBuilder, map: LinearMap, weight: TensorId, u: TensorId, image: Shape): TensorId =>
  map.kind === 'dense' ? b.matmul(u, weight) : b.convTranspose(u, weight, [image[1], image[2]], attrsOf(map));
