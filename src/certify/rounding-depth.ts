import type { Kernel, ReduceKernel } from '../ir/kernel.ts';

const terms = (k: ReduceKernel): number => k.over.reduce((n, v) => n * v.extent, 1);

/**
 * How many additions deep the sums of scheduled kernels are, as written: `depth(n)` is the most for a sum of up to n terms. One thread
 * adds the terms of a result one after the other, so n terms are n deep; where the schedule cut a long sum into pieces, a piece and
 * then the sum of the pieces count.
 */
export const summationDepth = (kernels: readonly Kernel[]): ((n: number) => number) => {
  const sums = kernels.filter(k => k.kind === 'reduce').filter(k => k.op === 'sum');
  const makers = new Map(sums.flatMap(k => k.stores.map(s => [s.storage, k] as const)));
  const found: { readonly terms: number; readonly depth: number }[] = [];
  for (const k of sums) {
    const own = terms(k);
    found.push({ terms: own, depth: own });
    // Nothing but loads of another sum's results: the pieces of one sum.
    const piece = k.body.kind === 'load' ? makers.get(k.body.storage) : undefined;
    if (piece) found.push({ terms: own * terms(piece), depth: own + terms(piece) });
  }
  // Simplification may have left out terms that are zero, so a shorter sum may stand for one of n; never a longer one.
  return n => found.reduce((most, f) => (f.terms <= n ? Math.max(most, f.depth) : most), 0) || n;
};
