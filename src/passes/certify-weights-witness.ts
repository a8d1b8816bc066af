/**
 * Witnesses that an emitted weight's Gram matrix is dominated by a diagonal. They are found in f64 and trusted by nobody: the checker
 * recomputes what they claim.
 */
import { evaluate } from '../ir/interpret.ts';
import type { LinearMap, Rescaling, Shape, Side } from '../ir/network.ts';
import { format, toNumber } from '../ir/rational.ts';
import { GraphBuilder } from '../ir/tensor.ts';
import { kernelOf } from '../proof/verify/dominance.ts';
import { gershgorinSums } from '../proof/verify/gram.ts';
import type { LinearMap as CheckedMap } from '../proof/verify/network.ts';
import { decompose } from '../proof/verify/numbers.ts';
import { lowerRescaling, Q_LIMIT } from './lower-rescaling.ts';

/** [m, e] = m·2^e, m odd or 0. */
export const dyadic = (x: number): readonly [m: number, e: number] => {
  let [m, e] = decompose(x);
  if (m === 0n) return [0, 0];
  for (; m % 2n === 0n; m /= 2n) e += 1;
  return [Number(m), e];
};

export interface WeightContext {
  readonly map: LinearMap;
  /** Shape of the layer's input. */
  readonly image: Shape;
  readonly side: Side;
  /** As emitted. */
  readonly W: Float32Array;
  readonly params: ReadonlyMap<string, ArrayLike<number>>;
  /**
   * What the emitted weight is the stored one times, per channel of `side` (a linear layer's T^(−1/2)); absent for a residual one. A
   * bound G ⪯ T of the stored weight is one of the emitted weight with T_i d_i², and weights q_i / d_i.
   */
  readonly d?: Float64Array;
}

/** T of a rescaling of the stored weight, evaluated in f64: [channels of `side`]. */
export const storedDiagonal = (c: Omit<WeightContext, 'W'>, rescaling: Rescaling): Float64Array => {
  const b = new GraphBuilder();
  const { T } = lowerRescaling(b, c.map, c.image, rescaling, c.side);
  return evaluate(b.finish(), { inputs: new Map(), params: c.params }, [T]).get(T)!;
};

/** The map as the checker describes it. */
export const checkedMap = (map: LinearMap, image: Shape): CheckedMap => ({
  conv: map.kind === 'conv',
  weight: map.weight.path,
  out: map.out,
  in: map.in,
  kernel: map.kind === 'conv' ? map.kernel : [1, 1],
  padding: map.kind === 'conv' ? map.padding : [0, 0],
  image: map.kind === 'conv' ? image.slice(1) : [1, 1],
});

/** Weights of a Gershgorin bound of the stored weight, as `lowerRescaling` uses them. */
const storedWeights = (c: WeightContext, rescaling: Rescaling, n: number): number[] => {
  if (rescaling.by !== 'sll') return new Array<number>(n).fill(1);
  const q = Array.from(c.params.get(rescaling.q.path)!);
  if (rescaling.shift) {
    const offset = toNumber(rescaling.shift);
    return q.map(v => Math.exp(Math.min(Q_LIMIT, Math.max(-Q_LIMIT, v))) + offset);
  }
  const shift = Q_LIMIT - q.reduce((a, v) => Math.max(a, v), Number.NEGATIVE_INFINITY);
  return q.map(v => Math.exp(Math.max(-Q_LIMIT, v + shift)));
};

const gershgorin = (c: WeightContext, rescaling: Rescaling, target: Float64Array): object => {
  const n = target.length;
  const q = storedWeights(c, rescaling, n).map((v, i) => (c.d && c.d[i] > 0 ? v / c.d[i] : v));
  let T = Array.from(target);
  const side = c.side === 'out' ? 'rows' : 'columns';
  if (T.some(v => !Number.isFinite(v))) {
    const sums = gershgorinSums(kernelOf(checkedMap(c.map, c.image), c.W, side), q);
    // Nothing depends on T where t = 0: any bound will do.
    T = T.map((v, i) => (Number.isFinite(v) ? v : (sums[i] / q[i]) * (1 + 2 ** -40)));
  }
  return {
    rule: c.map.kind === 'dense' ? 'gershgorin' : 'gershgorin-lattice',
    side,
    q: q.map(dyadic),
    T: T.map(dyadic),
  };
};

/** ‖W‖_F², never 0. */
const frobenius = (W: Float32Array): number => W.reduce((s, v) => s + v * v, 2 ** -300);

/** diag(T) − G ⪰ 0 for a matrix out × in; a uniform T on the smaller side. */
const psd = (c: WeightContext, target: Float64Array, out: number, columns: number): object => {
  const least = target.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  if (target.some(v => Number.isFinite(v) && v !== least))
    return { rule: 'psd-witness', side: c.side === 'out' ? 'rows' : 'columns', T: Array.from(target, dyadic) };
  // All t are 0: ‖W‖² ≤ ‖W‖_F².
  const bound = Number.isFinite(least) ? least : 2 * frobenius(c.W);
  return { rule: 'psd-witness', side: out <= columns ? 'rows' : 'columns', T: [dyadic(bound)] };
};

/**
 * A derivation that the emitted weight's Gram matrix is at most diag(target) (∞ where anything will do), by the rules of
 * docs/certificate.md. The checker has the last word.
 */
export const findWitness = (c: WeightContext, rescaling: Rescaling, target: Float64Array): object => {
  const { map } = c;
  switch (rescaling.by) {
    case 'aol':
    case 'sll':
    // Σ_j |G_ij| is at most the largest row sum of |W| times the largest column sum.
    case 'schur':
      return gershgorin(c, rescaling, target);
    case 'spectral':
    case 'frobenius':
    case 'orthogonal': {
      if (map.kind === 'dense') return psd(c, target, map.out, map.in);
      const area = map.kernel[0] * map.kernel[1];
      if (rescaling.by !== 'spectral' || rescaling.method.kind === 'reshaped') {
        const each = c.side === 'out' ? 1 : area;
        const part = Float64Array.from(
          { length: target.length * each },
          (_, k) => (target[Math.floor(k / each)] / area) * (1 - 2 ** -50),
        );
        return { rule: 'reshaped-kernel', premise: psd(c, part, map.out, map.in * area) };
      }
      if (rescaling.method.kind === 'gram') {
        // One number bounds every channel: the least that is wanted, or what suffices for all where they differ.
        const wanted = Array.from(target).filter(Number.isFinite);
        const some = c.d ? Math.max(...wanted) : Math.min(...wanted);
        const T = Number.isFinite(some) ? some : 2 * map.kernel[0] * map.kernel[1] * frobenius(c.W);
        return { rule: 'gram-iteration-symbol', grid: rescaling.method.grid, T: [dyadic(T)] };
      }
      const positions =
        (c.image[1] + 2 * map.padding[0] - map.kernel[0] + 1) * (c.image[2] + 2 * map.padding[1] - map.kernel[1] + 1);
      const each = c.side === 'out' ? positions : c.image[1] * c.image[2];
      const perPosition = Float64Array.from({ length: target.length * each }, (_, k) => target[Math.floor(k / each)]);
      return {
        rule: 'operator-matrix',
        premise: psd(c, perPosition, map.out * positions, map.in * c.image[1] * c.image[2]),
      };
    }
    case 'scaled':
      // T of the part is smaller, so what holds for it holds for the whole.
      return findWitness(c, rescaling.of, target);
    case 'max': {
      const cheap = rescaling.of.find(r => r.by === 'aol' || r.by === 'sll');
      return findWitness(c, cheap ?? rescaling.of[0], target);
    }
    case 'convex':
      return {
        rule: 'dominance-convex',
        weights: rescaling.of.map(p => format(p.weight)),
        premises: rescaling.of.map(p => {
          const grown = (v: number, i: number) => v * (c.d ? c.d[i] ** 2 * target[i] : 1 + 2 ** -33);
          const T = storedDiagonal(c, p.part).map((v, i) => Math.max(grown(v, i), 2 ** -300));
          return findWitness(c, p.part, T);
        }),
      };
    default:
      return rescaling satisfies never;
  }
};
