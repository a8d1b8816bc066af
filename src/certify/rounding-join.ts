/**
 * Rounding of layers with several inputs. The error of each input is bounded against the real value, so it does not matter that branches
 * may have computed what they share each in its own way. Formulas in docs/rounding.md.
 */
import type { Join } from '../ir/network.ts';
import { toNumber } from '../ir/rational.ts';
import type { Share, State } from './rounding.ts';
import type { RoundingContext } from './rounding-layers.ts';
import { norm } from './rounding-norms.ts';

export type JoinStep = (inputs: readonly State[]) => State;

const executed = (s: State): number => s.real + s.error;
const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

const apart = (a: Share, b: Share): boolean => a.to <= b.from || b.to <= a.from;

/**
 * Error and slope of a concatenation. Parts made of different channels of one value v share its error δ instead of counting it each: the error of part k is
 * at most gain_k·‖δ_k‖ + rest_k with δ_k its channels of δ, so that together they are at most max_k gain_k·‖δ‖ + ‖(rest_k)‖. Each may have computed v
 * again in its own way, `fresh` apart. (A rest is a difference, but a rounding error in it is small against the bound that it is added to.)
 */
const concatenated = (inputs: readonly State[]): { readonly error: number; readonly slope: number } => {
  const groups: State[][] = [];
  for (const s of inputs) {
    const group = groups.find(g =>
      g.every(o => s.share && o.share && o.share.of === s.share.of && apart(o.share, s.share)),
    );
    if (group) group.push(s);
    else groups.push([s]);
  }
  const parts = groups.map(group => {
    const plain = { error: norm(group.map(s => s.error)), slope: norm(group.map(s => s.slope)) };
    const whole = group[0].share?.whole;
    if (group.length === 1 || whole === undefined) return plain;
    const gains = group.map(s => s.share!.gain);
    const gain = Math.max(...gains);
    const rest = norm(group.map((s, k) => Math.max(0, s.error - gains[k] * whole.error)));
    const again = norm(gains.map(g => g * whole.fresh));
    return {
      error: Math.min(plain.error, gain * whole.error + rest + again),
      slope: Math.min(plain.slope, gain * whole.slope),
    };
  });
  return { error: norm(parts.map(p => p.error)), slope: norm(parts.map(p => p.slope)) };
};

/** `weight`: the learnt weight of a mix, as emitted. */
export const joinStep = (op: Join, entries: number, weight: number | undefined, ctx: RoundingContext): JoinStep => {
  const { gamma, free, merged, sum: summed, flushed } = ctx;
  /** What adding products m_k·x_k commits: the k-th of `uses` times x_k enters, `roundings` follow each other in the order written. */
  const added = (inputs: readonly State[], uses: readonly number[], m: readonly number[], roundings: number) => {
    const of = (f: (s: State) => number, factors: readonly number[]): number =>
      sum(inputs.map((s, k) => factors[k] * f(s)));
    const loose = of(s => s.loose, m);
    const magnitudes = of(executed, m);
    const terms = of(s => s.terms, uses);
    const reduced = of(s => s.reduced, uses);
    const reordered = free ? summed(terms + reduced, roundings, loose, 0, magnitudes) : gamma(roundings) * magnitudes;
    const local = reordered + merged * magnitudes + flushed(inputs.length + 1, entries, ...m);
    return { local, loose, terms, reduced, largest: Math.max(...inputs.map(s => s.largest), loose, 2 * magnitudes) };
  };
  switch (op.kind) {
    case 'sum': {
      const m = op.factors.map(f => Math.abs(Math.fround(toNumber(f))));
      const uses = m.map(() => 1);
      return inputs => {
        const { local, ...rest } = added(inputs, uses, m, inputs.length + 1);
        const of = (f: (s: State) => number): number => sum(inputs.map((s, k) => m[k] * f(s)));
        return {
          real: of(s => s.real),
          error: of(s => s.error) + local,
          slope: of(s => s.slope),
          fresh: of(s => s.fresh) + local,
          ...rest,
        };
      };
    }
    case 'mix': {
      // x₁ + w (x₂ − x₁), w in [0, 1]: x₁ enters twice, and may have been computed twice, each time in its own way.
      const w = op.weight.kind === 'constant' ? Math.fround(toNumber(op.weight.value)) : weight;
      if (w === undefined) throw new Error('the weight of a mix was not emitted');
      return inputs => {
        const { local, ...rest } = added(inputs, [2, 1], [1 + w, w], 4);
        const of = (f: (s: State) => number): number => (1 - w) * f(inputs[0]) + w * f(inputs[1]);
        const again = w * inputs[0].fresh;
        return {
          real: of(s => s.real),
          error: of(s => s.error) + again + local,
          slope: of(s => s.slope),
          fresh: of(s => s.fresh) + 2 * again + local,
          ...rest,
        };
      };
    }
    case 'concat':
    case 'maximum':
      // Entries are passed on or chosen: nothing is rounded.
      return inputs => {
        const all = (of: (s: State) => number): number => norm(inputs.map(of));
        const { error, slope } =
          op.kind === 'concat' ? concatenated(inputs) : { error: all(s => s.error), slope: all(s => s.slope) };
        const none = flushed(1, entries);
        return {
          real: all(s => s.real),
          error: error + none,
          slope,
          fresh: all(s => s.fresh) + none,
          loose: all(s => s.loose),
          terms: Math.max(...inputs.map(s => s.terms)),
          reduced: Math.max(...inputs.map(s => s.reduced)),
          largest: Math.max(...inputs.map(s => s.largest)),
        };
      };
    default:
      return op satisfies never;
  }
};
