/** Did-you-mean suggestions for misspelt names. */
import type { Help } from '../diagnostics.ts';

/** Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours. */
const editDistance = (a: string, b: string): number => {
  const d = Array.from({ length: a.length + 1 }, (_, i) => [i, ...Array<number>(b.length).fill(0)]);
  for (let j = 0; j <= b.length; j++) d[0][j] = j;
  for (let i = 1; i <= a.length; i++)
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      d[i][j] = Math.min(d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        d[i][j] = Math.min(d[i][j], d[i - 2][j - 2] + 1);
    }
  return d[a.length][b.length];
};

const MAX_NAME = 60;

/** The known name closest to `name`, when it is close enough to be meant. */
export const nearest = (name: string, known: readonly string[]): string | undefined => {
  if (name.length > MAX_NAME) return undefined;
  const scored = known
    .map(k => ({ k, d: editDistance(name.toLowerCase(), k.toLowerCase()) }))
    .sort((a, b) => a.d - b.d);
  const best = scored[0];
  // Of a single letter every other one is as near.
  return best && best.d < name.length && best.d <= Math.max(1, Math.floor(name.length / 3)) ? best.k : undefined;
};

/** "did you mean `x`?", or the list of what there is. */
export const suggest = (name: string, known: readonly string[]): Help => {
  const near = nearest(name, known);
  if (near) return { text: `did you mean \`${near}\`?`, from: name, to: near };
  return known.length === 0 ? 'there are none here' : `known here: ${known.join(', ')}`;
};

/** `suggest` for functions: what a name two letters away computes is another thing, and nobody wants that written into a file. */
export const suggestFunction = (name: string, known: readonly string[]): Help => {
  const near = nearest(name, known);
  return near && editDistance(name.toLowerCase(), near.toLowerCase()) > 1
    ? `known here: ${known.join(', ')}`
    : suggest(name, known);
};

export const shorten = (text: string): string => (text.length <= MAX_NAME ? text : `${text.slice(0, MAX_NAME - 1)}…`);
