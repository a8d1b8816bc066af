/** A proven network with its weights, as the source of an emitted module. */
import { headGeometry } from '../certify/radii.ts';
import { DEFAULT_LIMITS, inBlocks, type Target } from '../ir/kernel.ts';
import { compileGraph } from '../passes/kernels/compile-graph.ts';
import type { ProvenNetwork } from '../passes/prove/prove.ts';
import type { FrozenNetwork } from '../passes/tensors/freeze.ts';
import { formatBound } from '../proof/derivation.ts';
import type { ModuleSource } from './module.ts';

/** Emitted modules run on devices opened by others, so they ask for no more than every implementation of WebGPU grants. */
export const portableTarget = (profile: Target['profile']): Target => ({ profile, limits: DEFAULT_LIMITS });

/** Compiles `frozen`, made of `proven`, for both profiles, and computes the pairwise slopes that certified radii need. */
export const frozenModule = (proven: ProvenNetwork, frozen: FrozenNetwork): ModuleSource => {
  const { graph, batch, output, head } = frozen;
  const compile = (profile: Target['profile']) => compileGraph(graph, inBlocks(portableTarget(profile))).plan;
  return {
    name: proven.network.name,
    inputShape: proven.network.input.shape,
    batch,
    plans: { software: compile('software'), gpu: compile('gpu') },
    output,
    bound: formatBound(proven.squared),
    ...(head ? { squaredSlopes: headGeometry(head.rows, head.classes, proven.squared).squaredSlopes } : {}),
  };
};
