/** The prover's part for rescalings: that the diagonal T a layer is given dominates its Gram matrix for every weight. */
import { type ConvMap, overlap, phaseTaps, samplingDegree, samplingGrid } from '../../ir/conv-geometry.ts';
import { isScaledDown, type LinearMap, type Rescaling, type SpectralMethod } from '../../ir/network.ts';
import { add, compare, equal, format, ONE, type Rational, rational, ZERO } from '../../ir/rational.ts';
import { apply, type Derivation, type GramSide } from '../../proof/rules.ts';
import type { Refuse } from './prove.ts';
import { isOfSize, onGeometry } from './prove-geometry.ts';
import { proveOrthogonal } from './prove-orthogonal.ts';

/** The taps of the kernel that bounds speak of: with stride, of its polyphase form. */
const tapsOf = (map: ConvMap): { kh: Rational; kw: Rational } => {
  const [kh, kw] = phaseTaps(map);
  return { kh: rational(kh), kw: rational(kw) };
};

const proveSpectral = (
  map: LinearMap,
  method: SpectralMethod,
  side: GramSide,
  refuse: Refuse,
): Derivation | undefined => {
  const weight = map.weight.path;
  if (!Number.isSafeInteger(method.steps) || method.steps < 1)
    return refuse(
      'L0112',
      `Gram iteration needs at least one step, found steps = ${method.steps}`,
      'write `steps = 12`',
    );
  const steps = rational(method.steps);
  const about = { weight, side };
  switch (method.kind) {
    case 'gram': {
      if (map.kind === 'dense') return apply('gram-iteration', weight, [], { steps }, about);
      const taps = phaseTaps(map);
      if (!Number.isSafeInteger(method.grid) || taps.some(k => samplingDegree(k, method.grid) === undefined))
        return refuse(
          'L0112',
          `a ${map.kernel.join('×')} kernel sampled on a ${method.grid}×${method.grid} grid gives no upper bound of its norm`,
          `use a multiple of the kernel’s taps less one; the overestimate falls as the grid grows, e.g. \`grid = ${samplingGrid(taps, Math.max(32, ...taps.map(k => 8 * k)))}\``,
        );
      return apply('gram-iteration-symbol', weight, [], { steps, grid: rational(method.grid), ...tapsOf(map) }, about);
    }
    case 'circulant':
    case 'operator':
    case 'reshaped': {
      if (map.kind === 'dense')
        return refuse(
          'L0112',
          `\`method = ${method.kind}\` is for convolutions; ${weight} is a matrix`,
          'leave out `method`: Gram iteration on the matrix itself is exact in the limit',
        );
      if (method.kind !== 'reshaped') return apply(`gram-iteration-${method.kind}`, weight, [], { steps }, about);
      const { kh, kw } = tapsOf(map);
      return apply('gram-iteration-reshaped', weight, [], { steps, kh, kw, factor: rational(overlap(map)) }, about);
    }
    default:
      return method satisfies never;
  }
};

const shift = (d: Derivation | undefined, eps: Rational, weight: string, refuse: Refuse): Derivation | undefined => {
  if (compare(eps, ZERO) < 0)
    return refuse(
      'L0112',
      `T = … + eps with eps = ${format(eps)} < 0 need not dominate the Gram matrix of ${weight}`,
      'eps must be at least 0',
    );
  return d && (equal(eps, ZERO) ? d : apply('dominance-shift', weight, [d], { eps }));
};

/** G ⪯ T for the T that `rescaling` inserts, G the Gram matrix of `map` on `side`. */
export const proveDominance = (
  map: LinearMap,
  rescaling: Rescaling,
  side: GramSide,
  refuse: Refuse,
): Derivation | undefined => {
  const weight = map.weight.path;
  const about = { weight, side };
  const gershgorin = (q: string) =>
    onGeometry(map, apply(map.kind === 'dense' ? 'gershgorin' : 'gershgorin-lattice', weight, [], {}, { ...about, q }));
  // T = I belongs to the orthogonal matrix made of the weight, every other T to the weight itself: two Gram matrices.
  const part = (r: Rescaling): Derivation | undefined =>
    r.by === 'orthogonal'
      ? refuse(
          'L0112',
          `orthogonal(${r.method.family}) replaces ${weight} by another matrix, so its T cannot be combined with one for ${weight}`,
          `write \`by orthogonal(${r.method.family})\` alone, or combine aol, sll and spectral`,
        )
      : proveDominance(map, r, side, refuse);
  switch (rescaling.by) {
    case 'spectral': {
      const bound = proveSpectral(map, rescaling.method, side, refuse);
      const known = isOfSize(rescaling.method) ? bound : bound && onGeometry(map, bound);
      return shift(known, rescaling.eps, weight, refuse);
    }
    case 'orthogonal': {
      const bound = proveOrthogonal(map, rescaling.method, side, refuse);
      return bound && onGeometry(map, bound);
    }
    case 'power':
      if (!Number.isSafeInteger(rescaling.steps) || rescaling.steps < 2)
        return refuse(
          'L0112',
          `a power of G needs 2 steps or more, found ${rescaling.steps}`,
          'write `aol(steps = 2)`',
        );
      return shift(
        onGeometry(map, apply('power-gershgorin', weight, [], { steps: rational(rescaling.steps) }, about)),
        rescaling.eps,
        weight,
        refuse,
      );
    case 'aol':
      return shift(gershgorin('1'), rescaling.eps, weight, refuse);
    case 'sll': {
      const { q, shift: added = ZERO, eps = ZERO } = rescaling;
      if (compare(added, ZERO) < 0)
        return refuse(
          'L0112',
          `exp(${q.path}) + ${format(added)} need not be positive`,
          'add a number of at least 0 to the weights of a Gershgorin bound',
        );
      return shift(gershgorin(`exp(${q.path})${equal(added, ZERO) ? '' : ` + ${format(added)}`}`), eps, weight, refuse);
    }
    case 'frobenius':
    case 'schur':
      return shift(onGeometry(map, apply(rescaling.by, weight, [], {}, about)), rescaling.eps, weight, refuse);
    case 'max': {
      if (rescaling.of.length === 0)
        return refuse('L0112', 'a maximum of no rescalings dominates nothing', 'give `max` at least one part');
      // A part that is scaled down need not dominate, but it makes the maximum no smaller: the others are what the proof is about.
      const others = rescaling.of.filter(r => !isScaledDown(r));
      const parts = (others.length > 0 ? others : rescaling.of).map(part);
      // What is scaled down must be a diagonal for this weight all the same.
      const rest = rescaling.of.filter(isScaledDown).map(r => part(r.of));
      const known = [...parts, ...rest].every(p => p !== undefined);
      return known
        ? apply(
            'dominance-max',
            weight,
            parts.filter(p => p !== undefined),
          )
        : undefined;
    }
    case 'convex': {
      const sum = rescaling.of.reduce((s, p) => add(s, p.weight), ZERO);
      const least = rescaling.of.find(p => compare(p.weight, ZERO) < 0);
      if (least)
        return refuse(
          'L0112',
          `a mix with the negative weight ${format(least.weight)} need not dominate the Gram matrix of ${weight}`,
          'weights must be at least 0 and add up to 1',
        );
      if (!equal(sum, ONE))
        return refuse(
          'L0112',
          `the weights of a mix add up to ${format(sum)}, not 1`,
          'weights must be at least 0 and add up to 1; to enlarge T, write a factor of at least 1 in front',
        );
      const parts = rescaling.of.map(p => part(p.part));
      if (!parts.every(p => p !== undefined)) return undefined;
      return apply(
        'dominance-convex',
        weight,
        parts,
        Object.fromEntries(rescaling.of.map((p, n) => [`a${n + 1}`, p.weight])),
      );
    }
    case 'scaled': {
      if (compare(rescaling.factor, ONE) < 0)
        return refuse(
          'L0112',
          `${format(rescaling.factor)}·T need not dominate the Gram matrix of ${weight}`,
          'the factor must be at least 1: scaling T down loses the bound',
        );
      const scaled = part(rescaling.of);
      return scaled && apply('dominance-scale', weight, [scaled], { factor: rescaling.factor });
    }
    default:
      return rescaling satisfies never;
  }
};
