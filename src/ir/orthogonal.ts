/** `by orthogonal(FAMILY)`: how a matrix or a kernel of norm at most 1 is made from trained numbers. */
import type { Span } from '../diagnostics.ts';
import { type LinearMap, type Param, weightShape } from './network.ts';
import { equal, format, type Rational, rational, TWO, toNumber, ZERO } from './rational.ts';

/** How numbers of any size are brought to a norm that is known. λ ≥ ‖W‖² is an upper bound, never an estimate. */
export type NormScale =
  /** W / (√λ + eps), λ by Gram iteration: ‖G^(2^(steps−1))‖_F^(1/2^(steps−1)). */
  | { readonly kind: 'gram'; readonly steps: number; readonly eps: Rational }
  /** W / (√λ + eps), λ = ‖W‖_F². */
  | { readonly kind: 'frobenius'; readonly eps: Rational }
  /** W / max(1, √λ/limit): as it is where its norm is within what the series needs. λ by Gram iteration. */
  | { readonly kind: 'clip'; readonly steps: number }
  /** W as it is. No rule covers this; it is read so that it can be refuted with numbers. */
  | { readonly kind: 'none'; readonly span?: Span };

/**
 * What the trained numbers of a matrix r×c are: 'full': the matrix itself. 'lower': of the tall one of W and Wᵀ, the part below the
 * diagonal (and for Householder the signs on it), as PyTorch's parametrisations store it.
 */
export type MatrixForm = 'full' | 'lower';

export type OrthogonalMethod =
  /** Trockman & Kolter, ICLR 2021; 'full' of alpha·W/‖W‖_F, or of W without alpha; 'lower': of the square skew matrix (Wᵀ − W)/2. */
  | { readonly family: 'cayley'; readonly form: MatrixForm; readonly alpha?: Param }
  /** The first columns of ∏ (I − 2vvᵀ/vᵀv), v the columns of the tall matrix; a zero column reflects nothing. */
  | { readonly family: 'householder'; readonly form: MatrixForm }
  /** I − 2V(VᵀV + ε I)⁻¹Vᵀ cut to size, V n×rank, ε = eps · mean diagonal of VᵀV (Lai et al., ICML 2025). */
  | { readonly family: 'bro'; readonly rank: number; readonly eps: Rational }
  /** W ← (3W − WWᵀW)/2, `steps` times, from a norm of at most 2 (Björck & Bowie 1971; Anil, Lucas & Grosse, ICML 2019). */
  | { readonly family: 'bjorck'; readonly steps: number; readonly scale: NormScale }
  /**
   * (Σ_{m ≤ degree} (A/2^s)^m/m!)^(2^s), s = squarings, A skew: (W − Wᵀ)/2 of the W completed by zeros to a square, or of the lower triangle
   * alone. Scaled, or clipped, so that ‖A/2^s‖ lies in the window where the series is a contraction.
   */
  | {
      readonly family: 'exponential';
      readonly form: MatrixForm;
      readonly degree: number;
      readonly squarings: number;
      readonly scale: NormScale;
    }
  /** L⁻¹W with LLᵀ = WWᵀ + eps·I of the wide one of W and Wᵀ. */
  | { readonly family: 'cholesky'; readonly eps: Rational }
  /** Q of QR with positive diagonal of R: Gram–Schmidt; what depends on the vectors before it becomes 0. */
  | { readonly family: 'qr' }
  /**
   * A kernel from c×c matrices, c = max(in, out), each through Björck: a 1×1 kernel, and k − 1 kernels 2×2 from pairs of symmetric
   * P = BBᵀ, B the first ⌊c/2⌋ columns (Li et al., NeurIPS 2019).
   */
  | { readonly family: 'bcop'; readonly steps: number; readonly scale: NormScale }
  /**
   * The same from c×⌊c/2⌋ matrices, the 1×1 kernel being (I − 2P)(I − 2P′). With a stride s the kernel of size k − s + 1 is followed by
   * an s×s kernel of stride s, `last` (out, c, s, s), through Björck as an out × c·s² matrix (Boissin et al., AOC, ICML 2025).
   */
  | { readonly family: 'aoc'; readonly steps: number; readonly scale: NormScale; readonly last?: Param };

export type OrthogonalFamily = OrthogonalMethod['family'];

/** Those that make a matrix. */
export type MatrixMethod = Exclude<OrthogonalMethod, { family: 'bcop' | 'aoc' }>;

/** All families, in the order in which they are listed to people. */
export const ORTHOGONAL_FAMILIES = [
  'cayley',
  'householder',
  'bro',
  'bjorck',
  'exponential',
  'cholesky',
  'qr',
  'bcop',
  'aoc',
] as const satisfies readonly OrthogonalFamily[];

/**
 * Windows θ on which |Σ_{m ≤ k} (it)^m/m!| ≤ 1 for |t| ≤ θ, by degree k: largest such θ, rounded down. For k ≡ 1, 2 (mod 4) there is none:
 * |p_k(it)|² − 1 starts with a positive term.
 */
export const SERIES_WINDOW: ReadonlyMap<number, Rational> = new Map([
  [3, rational(173, 100)],
  [4, rational(282, 100)],
  [7, rational(176, 100)],
  [8, rational(339, 100)],
  [11, rational(170, 100)],
  [12, rational(337, 100)],
]);

/** What ‖A‖ is clipped to before the series of exp: the window at ‖A/2^s‖. A degree without a window is refused by the prover. */
export const seriesLimit = (degree: number, squarings: number): number =>
  toNumber(SERIES_WINDOW.get(degree) ?? TWO) * 2 ** squarings;

/** True for families that make a whole kernel; the others make a matrix, and of a kernel the reshaped out × in·kh·kw one. */
export const makesKernel = (m: OrthogonalMethod): m is Extract<OrthogonalMethod, { family: 'bcop' | 'aoc' }> =>
  m.family === 'bcop' || m.family === 'aoc';

/**
 * True where what is made of Wᵀ is the transpose of what is made of W. Where it is not, that holds for matrices that are not square: the
 * tall one of W and Wᵀ is used then.
 */
export const commutesWithTranspose = (m: MatrixMethod): boolean => {
  switch (m.family) {
    case 'cayley':
    case 'exponential':
      return m.form === 'full';
    case 'bro':
    case 'bjorck':
      return true;
    case 'householder':
    case 'cholesky':
    case 'qr':
      return false;
    default:
      return m satisfies never;
  }
};

export const orthogonalParams = (m: OrthogonalMethod): readonly Param[] => {
  switch (m.family) {
    case 'cayley':
      return m.alpha ? [m.alpha] : [];
    case 'aoc':
      return m.last ? [m.last] : [];
    case 'householder':
    case 'bro':
    case 'bjorck':
    case 'exponential':
    case 'cholesky':
    case 'qr':
    case 'bcop':
      return [];
    default:
      return m satisfies never;
  }
};

/** Columns of the factors B of the symmetric P = BBᵀ: half of the channels, at least one. */
export const halfOf = (c: number): number => Math.max(1, Math.floor(c / 2));

/** The matrix that is made of a weight; of a convolution, the reshaped kernel of one of its groups. */
export const matrixSides = (map: LinearMap): readonly [rows: number, columns: number] =>
  map.kind === 'dense'
    ? [map.out, map.in]
    : [map.out / map.groups, (map.in / map.groups) * map.kernel[0] * map.kernel[1]];

const groupsOf = (map: LinearMap): number => (map.kind === 'dense' ? 1 : map.groups);

/** Shape of the trained tensor that a family makes the weight of `map` from. */
export const storedShape = (map: LinearMap, m: OrthogonalMethod): readonly number[] => {
  switch (m.family) {
    case 'bro':
      return [groupsOf(map) * Math.max(...matrixSides(map)), m.rank];
    case 'bcop':
    case 'aoc': {
      if (map.kind === 'dense') throw new Error(`${map.weight.path}: ${m.family} is for convolutions`);
      const last = m.family === 'aoc' ? m.last : undefined;
      const c = last ? last.shape[1] : Math.max(map.in, map.out);
      const k = last ? map.kernel[0] - last.shape[2] + 1 : map.kernel[0];
      return m.family === 'bcop' ? [2 * k - 1, c, c] : [2 * k, c, halfOf(c)];
    }
    case 'cayley':
    case 'householder':
    case 'bjorck':
    case 'exponential':
    case 'cholesky':
    case 'qr':
      return weightShape(map);
    default:
      return m satisfies never;
  }
};

const scaleArgs = (s: NormScale): readonly string[] => [
  `scale = ${s.kind}`,
  ...('steps' in s ? [`norm_steps = ${s.steps}`] : []),
  ...('eps' in s && !equal(s.eps, ZERO) ? [`scale_eps = ${format(s.eps)}`] : []),
];

/** The options as they are written, e.g. `steps = 15`, `scale = gram`, `norm_steps = 12`. */
const optionsOf = (m: OrthogonalMethod): readonly string[] => {
  const form = 'form' in m && m.form === 'lower' ? ['parameter = lower'] : [];
  const args = (): readonly string[] => {
    switch (m.family) {
      case 'cayley':
        return [...form, ...(m.form === 'full' && !m.alpha ? ['alpha = false'] : [])];
      case 'householder':
        return form;
      case 'bro':
        return [`rank = ${m.rank}`, `eps = ${format(m.eps)}`];
      case 'bjorck':
      case 'bcop':
      case 'aoc':
        return [`steps = ${m.steps}`, ...scaleArgs(m.scale)];
      case 'exponential':
        return [...form, `degree = ${m.degree}`, `squarings = ${m.squarings}`, ...scaleArgs(m.scale)];
      case 'cholesky':
        return [`eps = ${format(m.eps)}`];
      case 'qr':
        return [];
      default:
        return m satisfies never;
    }
  };
  return args();
};

/** As written after `by`, e.g. `orthogonal(bjorck, steps = 15, scale = gram, norm_steps = 12)`. */
export const printOrthogonal = (m: OrthogonalMethod): string => `orthogonal(${[m.family, ...optionsOf(m)].join(', ')})`;

/** As written in a formula, whose `cayley` has no scale where none is asked for: `cayley(W, alpha = true)`. */
export const printOrthogonalCall = (m: MatrixMethod, weight: string): string => {
  const options = m.family === 'cayley' && m.form === 'full' ? (m.alpha ? ['alpha = true'] : []) : optionsOf(m);
  return `${m.family}(${[weight, ...options].join(', ')})`;
};
