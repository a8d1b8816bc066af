import type { Kernel } from '../ir/kernel.ts';
import type { CompiledGraph } from '../passes/kernels/compile-graph.ts';

/** Nothing but loads of another kernel's results are added up: the pieces of one sum. */
const sumOfLoads = (k: Kernel): number | undefined =>
  k.kind === 'reduce' && k.body.kind === 'load' ? k.body.storage : undefined;

/**
 * How many additions deep the sums of a compiled graph are, as written: `depth(n)` is the most for a sum of up to n terms. The depths are those that the code
 * generator reports; where the schedule cut a long sum into pieces, those of a piece and of the sum of the pieces count.
 */
export const summationDepth = ({ kernels, sums }: Pick<CompiledGraph, 'kernels' | 'sums'>): ((n: number) => number) => {
  const makers = new Map(
    kernels.flatMap((k, i) => {
      const sum = sums[i];
      return sum && k.kind === 'reduce' ? k.stores.map(s => [s.storage, sum] as const) : [];
    }),
  );
  const found = kernels.flatMap((k, i) => {
    const own = sums[i];
    if (!own) return [];
    const storage = sumOfLoads(k);
    const piece = storage === undefined ? undefined : makers.get(storage);
    return piece ? [own, { terms: own.terms * piece.terms, depth: own.depth + piece.depth }] : [own];
  });
  // Simplification may have left out terms that are zero, so a shorter sum may stand for one of n; never a longer one.
  return n => found.reduce((most, f) => (f.terms <= n ? Math.max(most, f.depth) : most), 0) || n;
};
