/**
 * How values of a network depend on each other, as a proof sees it. Each value hangs below the nearest value that every path from the
 * input to it passes (its immediate dominator): the one before it in a chain, the place where the branches fork for a layer with several
 * inputs. What is proven of a step holds for the map from there, so a prefix that branches share enters their proofs once.
 */
import { wayFrom } from '../../ir/fork.ts';
import type { Join, Layer, LayerOp } from '../../ir/network.ts';
import { exactSqrt, type Rational, rational, rootAbove } from '../../ir/rational.ts';
import { apply, type Derivation } from '../../proof/rules.ts';

export interface Reached {
  /** The value this one depends on alone; absent for the network's input. */
  readonly from?: Reached;
  /** Steps to the input. */
  readonly depth: number;
  /** The layer that makes it. */
  readonly layer?: Layer;
  /** Of the map from `from`; absent where it could not be proven. */
  readonly step?: Derivation;
  /** The inputs of a layer with several. */
  readonly branches?: readonly Reached[];
  readonly head: boolean;
}

export const squaredOf = (d: Derivation): Rational => {
  if (d.conclusion.kind !== 'lipschitz')
    throw new Error(`${d.subject}: a Lipschitz bound was expected, not ${d.conclusion.kind}`);
  return d.conclusion.squared;
};

/** The input of the network. */
export const rootOf = (r: Reached): Reached => {
  let at = r;
  while (at.from) at = at.from;
  return at;
};

const compose = (subject: string, steps: readonly Derivation[]): Derivation =>
  steps.length === 0 ? apply('identity', subject) : apply('compose', subject, steps);

const stepsOf = (way: readonly Reached[]): readonly Derivation[] => way.flatMap(r => (r.step ? [r.step] : []));

/** The map from `top` to `to`, by composition. Only values whose steps are all proven have a bound; `prove` refuses the others. */
export const composed = (subject: string, top: Reached, to: Reached): Derivation =>
  compose(subject, stepsOf(wayFrom(top, to)));

/** Bounds whose sum is the root of a rational, for the rule `sum`: those without a common measure are rounded up. */
const commensurable = (subject: string, parts: readonly Derivation[]): readonly Derivation[] => {
  const squares = parts.map(squaredOf);
  const unit = squares.find(s => s.num > 0n);
  if (!unit || squares.every(s => exactSqrt(rational(s.num * unit.den, s.den * unit.num)))) return parts;
  return parts.map((p, i) =>
    exactSqrt(squares[i]) ? p : apply('weaken', subject, [p], { to: rootAbove(squares[i]) }),
  );
};

type SliceOp = Extract<LayerOp, { kind: 'slice' }>;

/** The slices of the fork that the branches begin with, where all do and no two overlap. */
const disjointSlices = (ways: readonly (readonly Reached[])[]): readonly SliceOp[] | undefined => {
  const slices = ways.flatMap(([first]) => (first?.layer?.op.kind === 'slice' ? [first.layer.op] : []));
  if (slices.length < ways.length) return undefined;
  const sorted = [...slices].sort((a, b) => a.start - b.start);
  return sorted.every((s, i) => i === 0 || sorted[i - 1].start + sorted[i - 1].length <= s.start) ? slices : undefined;
};

const numbered = (name: string, values: readonly Rational[]): Readonly<Record<string, Rational>> =>
  Object.fromEntries(values.map((v, n) => [`${name}${n + 1}`, v]));

/** Of the map from `fork` to what `op` makes of `branches`. */
export const proveJoin = (op: Join, path: string, fork: Reached, branches: readonly Reached[]): Derivation => {
  const ways = branches.map(b => wayFrom(fork, b));
  const parts = ways.map(way => compose(path, stepsOf(way)));
  switch (op.kind) {
    case 'sum':
      return apply('sum', path, commensurable(path, parts), numbered('a', op.factors));
    case 'mix':
      return op.weight.kind === 'constant'
        ? apply('mix', path, parts, { w: op.weight.value })
        : apply('mix', path, parts, {}, { weight: op.weight.of.path });
    case 'concat': {
      const slices = disjointSlices(ways);
      if (!slices) return apply('concat', path, parts);
      const behind = ways.map(way => compose(path, stepsOf(way.slice(1))));
      return apply('split', path, behind, {
        ...numbered(
          'start',
          slices.map(s => rational(s.start)),
        ),
        ...numbered(
          'length',
          slices.map(s => rational(s.length)),
        ),
      });
    }
    case 'maximum':
      return apply('maximum', path, parts);
    default:
      return op satisfies never;
  }
};

/** Proofs of networks whose branches share values that are no common prefix repeat them: larger ones are refused. */
export const MAX_PROOF = { nodes: 100_000, depth: 500 } as const;

const measures = new WeakMap<Derivation, { readonly nodes: number; readonly depth: number }>();

/** Nodes and depth of a proof when it is written out as a tree. */
export const measure = (d: Derivation): { readonly nodes: number; readonly depth: number } => {
  const known = measures.get(d);
  if (known) return known;
  const size = d.premises
    .map(measure)
    .reduce((s, p) => ({ nodes: s.nodes + p.nodes, depth: Math.max(s.depth, 1 + p.depth) }), { nodes: 1, depth: 1 });
  measures.set(d, size);
  return size;
};
