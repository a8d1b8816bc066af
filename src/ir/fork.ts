/** Values that hang below one another: each below the nearest that every path from the network's input to it passes (its immediate dominator). */
interface Hanging<T> {
  /** Absent for the network's input. */
  readonly from?: T;
  /** Steps to the input. */
  readonly depth: number;
}

/** The values on the way from `top` (not included) down to `to`, in order. */
export const wayFrom = <T extends Hanging<T>>(top: T, to: T): readonly T[] => {
  const way: T[] = [];
  for (let at = to; at !== top; at = at.from!) way.push(at);
  return way.reverse();
};

/** The last value that all of these depend on alone. */
export const forkOf = <T extends Hanging<T>>(values: readonly T[]): T =>
  values.reduce((a, b) => {
    let [p, q] = [a, b];
    while (p !== q) {
      if (p.depth >= q.depth) p = p.from!;
      else q = q.from!;
    }
    return p;
  });
