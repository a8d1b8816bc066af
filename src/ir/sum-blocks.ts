/** Sums as a thread adds them up: its loops, and how many additions a term goes through. */
import type { LoopVar, SumBlocks, Tiling } from './kernel.ts';

/** Loops of more than one turn, outermost first, with their turns; and the terms that a turn of all adds. */
export const sumLoops = (
  over: readonly LoopVar[],
  tiling: Tiling,
): { readonly loops: readonly { readonly name: string; readonly turns: number }[]; readonly unrolled: number } => {
  let unrolled = 1;
  const loops = over.flatMap(({ name, extent }) => {
    const each = tiling.unroll[name] ?? 1;
    unrolled *= each;
    return each < extent ? [{ name, turns: extent / each }] : [];
  });
  return { loops, unrolled };
};

/** Additions that the terms of a sum go through, at most: in their group, their part and the sum. */
export const blockDepth = (over: readonly LoopVar[], tiling: Tiling, blocks: SumBlocks | undefined): number => {
  const { loops, unrolled } = sumLoops(over, tiling);
  const group = blocks ? Math.min(blocks.group, unrolled) : 1;
  let [inner, outer] = [Math.ceil(unrolled / group), 0];
  for (let i = loops.length - 1; i >= 0; i--) {
    const { name, turns } = loops[i];
    if (blocks?.part?.loop === name) {
      inner *= blocks.part.turns;
      outer = Math.ceil(turns / blocks.part.turns);
    } else if (outer > 0) outer *= turns;
    else inner *= turns;
  }
  return group - 1 + inner + outer;
};
