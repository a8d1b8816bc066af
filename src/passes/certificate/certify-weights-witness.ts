/**
 * Witnesses that an emitted weight's Gram matrix is dominated by a diagonal. They are found in f64 and trusted by nobody: the checker
 * recomputes what they claim.
 */
import {
  type ConvMap,
  gcd,
  outputSize,
  overlap,
  phases,
  phaseTaps,
  samplingGrid,
  torusSize,
} from '../../ir/conv-geometry.ts';
import { evaluate } from '../../ir/interpret.ts';
import { elements, isScaledDown, type LinearMap, type Rescaling, type Shape, type Side } from '../../ir/network.ts';
import { makesKernel } from '../../ir/orthogonal.ts';
import { format, toNumber } from '../../ir/rational.ts';
import { GraphBuilder } from '../../ir/tensor.ts';
import { gershgorinSums, type Kernel } from '../../proof/verify/gram.ts';
import { type LinearMap as CheckedMap, fromSide, lattice, readMap } from '../../proof/verify/map.ts';
import { decompose } from '../../proof/verify/numbers.ts';
import { lowerRescaling, Q_LIMIT } from '../lower/lower-rescaling.ts';
import { mapToJson } from './network-json.ts';

/** [m, e] = m·2^e, m odd or 0. */
export const dyadic = (x: number): readonly [m: number, e: number] => {
  const [m, e] = decompose(x);
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

/** The map as the checker reads it. */
const checkedMap = (map: LinearMap, image: Shape): CheckedMap => readMap(mapToJson(map), map.weight.path, image);

/** Entries of the checker's Gram matrix for each channel of `side`: the phases of a stride are columns of their own. */
const perChannel = (c: WeightContext): number =>
  c.map.kind === 'conv' && c.side === 'in' ? phases(c.map)[0] * phases(c.map)[1] : 1;
const repeat = <T>(v: ArrayLike<T>, each: number): T[] =>
  Array.from({ length: v.length * each }, (_, k) => v[Math.floor(k / each)]);

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

/** Gershgorin's bound of G with weights q, of the channels of `side` on the checker's lattice; `T` where it is finite. */
const gershgorinWith = (c: WeightContext, side: string, q: readonly number[], target: readonly number[]): object => {
  let T = target;
  if (T.some(v => !Number.isFinite(v))) {
    const sums = gershgorinSums(fromSide(lattice(checkedMap(c.map, c.image), c.W), side), q);
    // Nothing depends on T where t = 0: any bound will do.
    T = T.map((v, i) => (Number.isFinite(v) ? v : (sums[i] / q[i]) * (1 + 2 ** -40)));
  }
  return { rule: 'gershgorin', side, q: q.map(dyadic), T: T.map(dyadic) };
};

const gershgorin = (c: WeightContext, rescaling: Rescaling, target: Float64Array): object => {
  const q = storedWeights(c, rescaling, target.length).map((v, i) => (c.d && c.d[i] > 0 ? v / c.d[i] : v));
  const each = perChannel(c);
  return gershgorinWith(c, c.side === 'out' ? 'rows' : 'columns', repeat(q, each), repeat(target, each));
};

/** Points an axis for a norm that no option of the layer speaks of: 0.25 % too large for 3×3 kernels. */
const FINE_GRID = 64;

/**
 * ‖conv‖² ≤ T, or of several G ⪯ diag(T), from the symbol: on the torus of this image size, with no factor, where that has few
 * points; else on the `given` points an axis.
 */
const symbolWitness = (
  c: WeightContext,
  map: LinearMap,
  given: number | undefined,
  ...T: readonly number[]
): object => {
  const [h, w] = map.kind === 'conv' ? torusSize(map, [c.image[1], c.image[2]]) : [1, 1];
  const circular = map.kind === 'conv' && map.mode === 'circular';
  const torus = circular ? (h * w) / gcd(h, w) : Math.max(h, w);
  const grid = given ?? samplingGrid(map.kind === 'conv' ? phaseTaps(map) : [1, 1], FINE_GRID);
  return { rule: 'gram-iteration-symbol', grid: torus <= Math.max(grid, FINE_GRID) ? torus : grid, T: T.map(dyadic) };
};

/** Most rows of a convolution written out as a matrix: its factorisation takes seconds. */
const MAX_OPERATOR = 2048;

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

/** ‖W‖² ≤ T for a matrix out × in, by its smaller side. */
export const normWitness = (out: number, columns: number, T: number): object => ({
  rule: 'psd-witness',
  side: out <= columns ? 'rows' : 'columns',
  T: [dyadic(T)],
});

/** Row sums of |G| of what is nearly orthogonal, where they are within the target; for a matrix or a whole kernel. */
const nearOrthogonal = (kernel: Kernel, side: string, target: Float64Array): object | undefined => {
  const least = target.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const q = new Array<number>(kernel.n).fill(1);
  if (!gershgorinSums(kernel, q).every(v => v <= least * (1 - 2 ** -40))) return undefined;
  const T = Number.isFinite(least) ? least : 2;
  return { rule: 'gershgorin', side, q: q.map(dyadic), T: q.map(() => dyadic(T)) };
};

/** T of a weight that was made orthogonal: 1, or more for a reshaped kernel. */
const orthogonalWitness = (c: WeightContext, makesIt: boolean, target: Float64Array): object => {
  const { map } = c;
  const whole = lattice(checkedMap(map, c.image), c.W);
  const times = map.kind === 'conv' && !makesIt ? overlap(map) : 1;
  const l = makesIt ? whole : { ...whole, in: whole.in * whole.kh * whole.kw, kh: 1, kw: 1 };
  const side = l.out <= l.in ? 'rows' : 'columns';
  const part = target.map(v => (v / times) * (1 - 2 ** -50));
  const found = nearOrthogonal(fromSide(l, side), side, part);
  if (makesIt) {
    const T = target.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
    return found ?? symbolWitness(c, map, undefined, Number.isFinite(T) ? T : 4);
  }
  const each = c.side === 'out' ? 1 : l.in / (map.kind === 'conv' ? map.in : l.in);
  const premise = found ?? psd(c, Float64Array.from(repeat(part, each)), l.out, l.in);
  return map.kind === 'conv' ? { rule: 'reshaped-kernel', premise } : premise;
};

/** Whether `operatorWitness` has a witness that is soon checked. */
export const isSmall = (c: WeightContext, map: ConvMap): boolean =>
  map.out * elements(outputSize(map, [c.image[1], c.image[2]])) <= MAX_OPERATOR;

/** The bound for the convolution at this size of image, as a matrix: exact, for small images. */
export const operatorWitness = (c: WeightContext, map: ConvMap, target: Float64Array): object => {
  const positions = elements(outputSize(map, [c.image[1], c.image[2]]));
  const pixels = c.image[1] * c.image[2];
  const perPosition = Float64Array.from(repeat(target, c.side === 'out' ? positions : pixels));
  return { rule: 'operator-matrix', premise: psd(c, perPosition, map.out * positions, map.in * pixels) };
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
    case 'orthogonal':
      return orthogonalWitness(c, makesKernel(rescaling.method), target);
    case 'spectral':
    case 'frobenius': {
      if (map.kind === 'dense') return psd(c, target, map.out, map.in);
      const columns = map.in * phases(map)[0] * phases(map)[1];
      if (rescaling.by !== 'spectral' || rescaling.method.kind === 'reshaped') {
        const times = overlap(map);
        const part = target.map(v => (v / times) * (1 - 2 ** -50));
        const each = c.side === 'out' ? 1 : perChannel(c) * times;
        return {
          rule: 'reshaped-kernel',
          premise: psd(c, Float64Array.from(repeat(part, each)), map.out, columns * times),
        };
      }
      const { method } = rescaling;
      if (method.kind === 'gram' || method.kind === 'circulant') {
        // One number bounds every channel: the least that is wanted, or what suffices for all where they differ.
        const wanted = Array.from(target).filter(Number.isFinite);
        const some = c.d ? Math.max(...wanted) : Math.min(...wanted);
        const T = Number.isFinite(some) ? some : 2 * overlap(map) * frobenius(c.W);
        return symbolWitness(c, map, method.kind === 'gram' ? method.grid : undefined, T);
      }
      return operatorWitness(c, map, target);
    }
    case 'power': {
      if (map.kind === 'dense') return psd(c, target, map.out, map.in);
      // Gershgorin's sums are larger than this T, which the emitted kernel's symbol keeps; a linear layer has it in its weight.
      const any = 2 * overlap(map) * frobenius(c.W);
      const wanted = Array.from(target).filter(Number.isFinite);
      if (c.d) return symbolWitness(c, map, undefined, wanted.length > 0 ? Math.max(...wanted) : any);
      if (isSmall(c, map)) return operatorWitness(c, map, target);
      return symbolWitness(c, map, undefined, ...Array.from(target, v => (Number.isFinite(v) ? v : any)));
    }
    case 'scaled':
      // T of the part is smaller, so what holds for it holds for the whole.
      return findWitness(c, rescaling.of, target);
    case 'max': {
      // A part that is scaled down need not dominate; one that does not stands beside it.
      const dominating = rescaling.of.filter(r => !isScaledDown(r));
      const cheap = dominating.find(r => r.by === 'aol' || r.by === 'sll');
      return findWitness(c, cheap ?? dominating[0], target);
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
