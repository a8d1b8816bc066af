/**
 * How a thread adds up a long sum: in blocks, so that no term goes through more than a few dozen additions. Terms of one unrolled turn are
 * grouped in expressions, the groups of some turns of a loop add up to a part, and the parts to the sum. The error of a sum is proportional to
 * that depth (Higham, Accuracy and Stability, §4.2); the additions that this costs are few.
 */
import type { ReduceKernel, SumBlocks, Tiling } from '../../ir/kernel.ts';
import { extentOf } from '../../ir/product.ts';
import { blockDepth, sumLoops } from '../../ir/sum-blocks.ts';

/** Terms of one expression, at most. */
const MAX_GROUP = 16;
/** Depth up to which grouping is enough, and additions to a part that make up for adding the part: a part is one more value to be carried. */
const DEEP = 64;
const PART = 8;

/** The blocks of least depth; undefined where a sum is short. */
export const blockSums = (k: ReduceKernel, tiling: Tiling): SumBlocks | undefined => {
  const { loops, unrolled } = sumLoops(k.over, tiling);
  const groups = Array.from({ length: Math.min(unrolled, MAX_GROUP) }, (_, i) => i + 1);
  let best: { readonly blocks?: SumBlocks; readonly depth: number } = { depth: extentOf(k.over) };
  const consider = (blocks: SumBlocks): void => {
    const depth = blockDepth(k.over, tiling, blocks);
    if (depth < best.depth) best = { blocks, depth };
  };
  for (const group of groups) consider({ group });
  if (best.depth <= DEEP) return best.blocks;
  let inside = 1;
  for (const { name, turns } of [...loops].reverse()) {
    for (const group of groups) {
      const least = Math.ceil(PART / (inside * Math.ceil(unrolled / group)));
      for (let n = Math.max(1, least); n < turns; n++) consider({ group, part: { loop: name, turns: n } });
    }
    inside *= turns;
  }
  return best.blocks;
};
