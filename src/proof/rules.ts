/**
 * The closed list of rules by which a network is proven Lipschitz, and the only function that makes a derivation. `apply` computes every
 * conclusion itself and checks every side condition, so a `Derivation` that exists is a correct instance of these rules.
 *
 * Bounds are exact squared rationals: √ of one is exact in a way that a decimal is not, and products stay rational.
 */
import {
  absolute,
  add,
  compare,
  div,
  equal,
  exactSqrt,
  format,
  max,
  mul,
  ONE,
  type Rational,
  rational,
  sub,
  TWO,
  ZERO,
} from '../ir/rational.ts';

/** Slope interval of an elementwise function: every difference quotient lies in [low, high]. */
interface Slope {
  readonly low: Rational;
  readonly high: Rational;
}

/** Which Gram matrix of a stored weight A (rows = outputs or hidden units, columns = inputs) is meant: AAᵀ or AᵀA. */
export type GramSide = 'rows' | 'columns';

/** What a derivation establishes, for every value of the parameters. */
export type Judgement =
  /** ‖f(x) − f(y)‖² ≤ squared · ‖x − y‖². */
  | { readonly kind: 'lipschitz'; readonly squared: Rational }
  /** G ⪯ diag(T), T ≥ 0, G the Gram matrix of `weight` (of the convolution operator at every image size, unless a rule says "this size"). */
  | { readonly kind: 'dominates'; readonly weight: string; readonly side: GramSide }
  | ({ readonly kind: 'slope' } & Slope)
  /** Logit i minus logit j is a ‖ŵ_i − ŵ_j‖-Lipschitz function of the head's input, times `squared` (squared) of the network's input. */
  | { readonly kind: 'pairwise'; readonly squared: Rational };

export interface Rule {
  /** The theorem in words; `T`, `G`, `W` as in the paper's notation. */
  readonly statement: string;
  /** Paper and theorem. */
  readonly source: string;
  /** The machine-checked theorem of the same content in proofs/, named like the rule with _ for -. */
  readonly coq: string;
}

const ARAUJO = 'Araujo, Havens, Delattre, Allauzen & Hu, ICLR 2023';
const DELATTRE = 'Delattre, Barthélemy, Araujo & Allauzen, ICML 2023';

const RULES = {
  'gram-iteration': {
    statement: 'λ = ‖G^m‖_F^(1/m) ≥ ‖G‖ for m = 2^(steps − 1), so G ⪯ λI',
    source: `${DELATTRE} (Gram iteration)`,
    coq: 'gram_iteration',
  },
  'gram-iteration-symbol': {
    statement:
      'a convolution has norm sup_θ ‖K(θ)‖ ≤ max over N×N points of θ, divided by cos(πD/2N) per axis, D the degree k − 1 or a larger proper divisor of N; each point by Gram iteration',
    source: `Ehlich & Zeller 1964 (sampling a trigonometric polynomial); ${DELATTRE} (Gram iteration)`,
    coq: 'gram_iteration_symbol',
  },
  'gram-iteration-circulant': {
    statement:
      'a convolution at one image size is a part of a circular one, on a torus where it does not meet itself; its norm is at most the largest ‖K(θ)‖ over the frequencies of the torus, each by Gram iteration',
    source: `Sedghi, Gupta & Long, ICLR 2019 (circulant matrices); ${DELATTRE} (Gram iteration)`,
    coq: 'gram_iteration_circulant',
  },
  'gram-iteration-operator': {
    statement: 'the zero-padded convolution at this image size is one matrix M; λ = ‖(MᵀM)^m‖_F^(1/m) ≥ ‖M‖²',
    source: `${DELATTRE} (Gram iteration), on the operator as a matrix`,
    coq: 'gram_iteration_operator',
  },
  'gram-iteration-reshaped': {
    statement:
      'conv = K̂ ∘ (kh·kw shifted copies of x), K̂ the kernel as an out × in·kh·kw matrix, so ‖conv‖² ≤ kh·kw·‖K̂‖²; K̂ by Gram iteration',
    source: 'Tsuzuku, Sato & Sugiyama, NeurIPS 2018 (reshaped kernel)',
    coq: 'gram_iteration_reshaped',
  },
  'orthogonal-cayley': {
    statement: 'the Cayley transform has orthonormal columns (or rows): a partial isometry, so G ⪯ I',
    source: 'Trockman & Kolter, ICLR 2021, §3 (exact over the reals)',
    coq: 'orthogonal_cayley',
  },
  'orthogonal-reshaped': {
    statement: 'the kernel reshaped to out × in·kh·kw is a partial isometry by Cayley, so G ⪯ kh·kw·I',
    source: 'Trockman & Kolter, ICLR 2021, §3; Tsuzuku, Sato & Sugiyama, NeurIPS 2018 (reshaped kernel)',
    coq: 'orthogonal_reshaped',
  },
  'orthogonal-bro': {
    statement:
      'I − 2V(VᵀV + E)⁻¹Vᵀ with E ⪰ 0 is symmetric with eigenvalues in [−1, 1], so G ⪯ I for every block of it; likewise over the complex numbers',
    source: 'Lai, Huang, Kung & Chen, ICML 2025 (block reflector); the regularisation E keeps a contraction',
    coq: 'orthogonal_bro',
  },
  'contraction-whitening': {
    statement:
      'S = WWᵀ + eps·I and f ≥ ‖S‖: every singular value of zW/√f is at most 1 after any number of coupled Newton–Schulz steps from y = S/f, z = I, so its G ⪯ I; likewise over the complex numbers',
    source: 'Xu, Li & Li, NeurIPS 2022 (LOT); zy goes to zy(3 − zy)²/4, which maps [0, 1] into itself',
    coq: 'contraction_whitening',
  },
  'contraction-fourier': {
    statement:
      'a convolution that acts as Q(θ) at every frequency of a torus, Q(θ)Q(θ)* ⪯ I, has WWᵀ ⪯ I as an operator; zeros put around the image before and rows cut off after keep that',
    source: 'Parseval; Trockman & Kolter, ICLR 2021',
    coq: 'contraction_fourier',
  },
  'contraction-skew-exponential': {
    statement:
      'for a skew kernel S the scaled A = norm·S/s has ‖A‖ ≤ norm, s = √(kh·kw) times the lesser of two reshaped norms of S; Σ_{m ≤ degree} Aᵐ/m! has norm at most 1 when norm² is at most the window of that degree: 3 → 3, 4 → 8, 7 → 311/100, 8 → 288/25, 11 → 289/100, 12 → 571/50',
    source:
      'Singla & Feizi, ICML 2021 (SOC) and ICLR 2021 (reshaped norms); A is normal with spectrum iy, |y| ≤ norm, and |Σ (iy)ᵐ/m!| ≤ 1 there',
    coq: 'contraction_skew_exponential',
  },
  'orthogonal-householder': {
    statement: 'the first columns of ∏ (I − 2vvᵀ/vᵀv) are orthonormal: a partial isometry, so G ⪯ I',
    source: 'Householder 1958; compact form: Walker, SIAM J. Sci. Stat. Comput. 1988 (exact over the reals)',
    coq: 'orthogonal_householder',
  },
  'contraction-bjorck': {
    statement:
      'σ ↦ σ(3 − σ²)/2 takes [0, 2] into [−1, 1]: from ‖W‖ ≤ start ≤ 2, one or more steps W ← (3W − WWᵀW)/2 give ‖W‖ ≤ 1, so G ⪯ I',
    source: 'Björck & Bowie, SIAM J. Numer. Anal. 1971; Anil, Lucas & Grosse, ICML 2019; convergence is not needed',
    coq: 'contraction_bjorck',
  },
  'contraction-cholesky': {
    statement:
      'LLᵀ = WWᵀ + εI, ε ≥ 0, gives (L⁻¹W)(L⁻¹W)ᵀ = I − εL⁻¹L⁻ᵀ ⪯ I; rows that depend on others are 0. So G ⪯ I',
    source: 'Cholesky whitening; ε = 0 is Gram–Schmidt (QR)',
    coq: 'contraction_cholesky',
  },
  'orthogonal-exponential': {
    statement:
      '|Σ_{m ≤ k} (it)^m/m!| ≤ 1 for |t| ≤ θ, so for skew A with ‖A‖ ≤ 2^s·θ the series at A/2^s, squared s times, has norm at most 1; a part of it has G ⪯ I',
    source: 'Singla & Feizi, ICML 2021 (skew exponential); windows θ of the truncated series: roots of |p_k(it)|² = 1',
    coq: 'orthogonal_exponential',
  },
  'orthogonal-bcop': {
    statement:
      'P + (I − P)e^{iθ} is normal and in the unit disc for symmetric 0 ⪯ P ⪯ I, so 2×2 kernels (P + (I − P)S)(Q + (I − Q)S′), 1×1 kernels of norm at most 1 and their compositions have G ⪯ I on every image',
    source:
      'Li, Haque, Anil, Lucas, Grosse & Jacobsen, NeurIPS 2019 (BCOP); with I − 2P: Boissin et al., ICML 2025 (AOC)',
    coq: 'orthogonal_bcop',
  },
  'orthogonal-strided': {
    statement:
      'a kernel as in orthogonal-bcop followed by an s×s kernel of stride s that is a matrix of norm at most 1 has G ⪯ I on every image',
    source: 'Boissin et al., ICML 2025 (AOC); blocks of s×s pixels are disjoint',
    coq: 'orthogonal_strided',
  },
  'reshaped-kernel': {
    statement:
      'conv = K̂ ∘ (shifted copies of x, each pixel at most factor times), K̂ the kernel as an out × in·kh·kw matrix: K̂ with G ⪯ I gives G ⪯ factor·I',
    source: 'Tsuzuku, Sato & Sugiyama, NeurIPS 2018 (reshaped kernel); factor 1 where the stride is the kernel size',
    coq: 'reshaped_kernel',
  },
  frobenius: {
    statement:
      '‖W‖ ≤ ‖W‖_F, so G ⪯ ‖W‖_F²·I; of a convolution, G ⪯ ‖K‖_F² times the number of outputs that read one input',
    source: 'Cauchy–Schwarz; Tsuzuku, Sato & Sugiyama, NeurIPS 2018 (reshaped kernel)',
    coq: 'frobenius',
  },
  schur: {
    statement:
      '‖W‖² ≤ (largest row sum of |W|)·(largest column sum of |W|), so G ⪯ that·I; of a convolution, sums over a channel and all taps, at every image size',
    source: 'Schur 1911 (test for bounded operators), with weights 1',
    coq: 'schur',
  },
  gershgorin: {
    statement: 'T_i = Σ_j |G_ij| q_j / q_i with q > 0 gives G ⪯ diag(T)',
    source: `${ARAUJO} (SLL); with q = 1: Prach & Lampert, ECCV 2022, Theorem 1`,
    coq: 'gershgorin',
  },
  'gershgorin-lattice': {
    statement:
      'T_c = Σ_{c′,δ} |g_cc′(δ)| q_c′ / q_c over all offsets |δ| < k, g the autocorrelation of the kernel, gives G ⪯ diag(T) at every image size with zero padding',
    source: `${ARAUJO} (SLL), on the infinite lattice; with q = 1: Prach & Lampert, ECCV 2022, Theorem 2`,
    coq: 'gershgorin_lattice',
  },
  'power-gershgorin': {
    statement:
      'M = G^m for m = 2^(steps − 1) and T_i = (Σ_j |M_ij|)^(1/m): M ⪯ diag(T^m) by Gershgorin, and x ↦ x^(1/m) is operator monotone, so G ⪯ diag(T); of a convolution over all offsets, at every image size with zero padding',
    source: 'Löwner 1934 and Heinz 1951 (operator monotone roots)',
    coq: 'power_gershgorin',
  },
  polyphase: {
    statement:
      'a convolution with stride and dilation is the one with its polyphase kernel, but for the places of pixels; so G ⪯ T for that kernel, T the largest over the phases of an input channel, holds for it; and so does G ⪯ T for the kernel itself with stride and dilation 1',
    source: 'Vaidyanathan, Multirate Systems and Filter Banks, 1993, §4.3 (polyphase form)',
    coq: 'polyphase',
  },
  grouped: {
    statement:
      'G of a convolution in groups is block diagonal: G ⪯ T holds when it holds for each group, λ being the largest of the groups',
    source: 'definition',
    coq: 'grouped',
  },
  torus: {
    statement:
      'a bound of a kernel on the infinite lattice holds with circular padding, at every image size that the stride divides, if no output is repeated: a torus has only some of the frequencies',
    source: 'Sedghi, Gupta & Long, ICLR 2019 (circular convolutions are block diagonal in the Fourier basis)',
    coq: 'torus',
  },
  'dominance-shift': {
    statement: 'G ⪯ T and eps ≥ 0 give G ⪯ T + eps·I',
    source: 'order of positive semidefinite matrices',
    coq: 'dominance_shift',
  },
  'dominance-scale': {
    statement: 'G ⪯ T, T ≥ 0 and c ≥ 1 give G ⪯ cT',
    source: 'order of positive semidefinite matrices',
    coq: 'dominance_scale',
  },
  'dominance-max': {
    statement: 'G ⪯ T gives G ⪯ max(T, T′) elementwise, whatever T′ is',
    source: 'order of positive semidefinite matrices',
    coq: 'dominance_max',
  },
  'dominance-convex': {
    statement: 'G ⪯ T_i, a_i ≥ 0 and Σ a_i = 1 give G ⪯ Σ a_i T_i',
    source: 'order of positive semidefinite matrices',
    coq: 'dominance_convex',
  },
  slope: {
    statement: 'every difference quotient of σ lies in [low, high]',
    source: 'mean value theorem, piecewise',
    coq: 'slope',
  },
  linear: {
    statement: 'WᵀW ⪯ T makes x ↦ W T^(−1/2) x + b 1-Lipschitz (for WWᵀ ⪯ T: x ↦ T^(−1/2) W x + b)',
    source: `${ARAUJO}, Theorem 1`,
    coq: 'linear',
  },
  residual: {
    statement: 'WᵀW ⪯ T and σ slope[0, 1] make x ↦ x − 2 W T⁻¹ σ(Wᵀx + b) 1-Lipschitz',
    source: `${ARAUJO}, Theorem 1; with T = ‖W‖²I: Meunier, Delattre, Araujo & Allauzen, ICML 2022`,
    coq: 'residual',
  },
  sandwich: {
    statement:
      'AAᵀ + BBᵀ ⪯ I, d, e > 0 with d_i e_i ≤ 2 and σ slope[0, 1] make x ↦ Aᵀ(d ⊙ σ(e ⊙ Bx + b)) 1-Lipschitz (the layer has d = √2·Ψ, e = √2·Ψ⁻¹; G is the Gram matrix of the rows of [A B])',
    source: 'Wang & Manchester, ICML 2023, Theorem 3.2 (sandwich layer)',
    coq: 'sandwich',
  },
  'linear-adjoint': {
    statement: 'WᵀW ⪯ T makes x ↦ T^(−1/2) Wᵀ x 1-Lipschitz (for WWᵀ ⪯ T: x ↦ Wᵀ T^(−1/2) x)',
    source: `${ARAUJO}, Theorem 1; an operator and its adjoint have one norm`,
    coq: 'linear_adjoint',
  },
  'general-residual': {
    statement:
      'WᵀW ⪯ T and σ slope[0, 1] make x ↦ h x − c W T⁻¹ σ(Wᵀx + b) max(|h|, |h − c|)-Lipschitz, for c of either sign',
    source: `${ARAUJO}, Theorem 1 is h = 1, c = 2; a difference of values is (h I − c P) times one of inputs, 0 ⪯ P = W T^(−1/2) D T^(−1/2) Wᵀ ⪯ I, D the difference quotients of σ`,
    coq: 'general_residual',
  },
  'scaled-residual': {
    statement: 'AᵀA ⪯ T, σ slope[0, 1] and 0 ≤ c ≤ 2 make x ↦ x − c A T⁻¹ σ(Aᵀx + b) 1-Lipschitz',
    source: `${ARAUJO}, Theorem 1, with t = c/T: t ≥ 0 and tT ≤ 2 suffice`,
    coq: 'scaled_residual',
  },
  sum: {
    statement: 'f_k L_k-Lipschitz make x ↦ Σ a_k f_k(x) (Σ |a_k| L_k)-Lipschitz',
    source: 'triangle inequality',
    coq: 'sum',
  },
  elementwise: {
    statement: 'σ slope[low, high] is max(|low|, |high|)-Lipschitz elementwise',
    source: 'definition of the slope interval',
    coq: 'elementwise',
  },
  sort: {
    statement: 'sorting within disjoint groups of channels is 1-Lipschitz (MaxMin is the case of two)',
    source: 'Anil, Lucas & Grosse, ICML 2019; rearrangement inequality',
    coq: 'sort',
  },
  channelwise: {
    statement: 'σ_c slope[low, high] for every channel c make x ↦ (σ_c(x_c)) max(|low|, |high|)-Lipschitz',
    source: 'definition of the slope interval',
    coq: 'channelwise',
  },
  'concatenated-relu': {
    statement: 'x ↦ (relu(x), relu(−x)) is 1-Lipschitz',
    source:
      'Shang et al., ICML 2016 (CReLU); both differences have one sign, so their squares add up to at most that of their sum',
    coq: 'concatenated_relu',
  },
  'rotate-halves': {
    statement: '(p, q) ↦ (p + q, p − q)/√2 is an isometry',
    source: 'an orthogonal matrix on each pair of channels',
    coq: 'rotate_halves',
  },
  'householder-activation': {
    statement:
      'on each pair z of channels, z ↦ z − 2v·relu(vᵀz) with ‖v‖ ≤ 1 is 1-Lipschitz, and so is a continuous map that is orthogonal on each of its sectors (order 2)',
    source: 'Singla, Singla & Feizi, ICLR 2022 (Householder activations)',
    coq: 'householder_activation',
  },
  'bounded-gain': {
    statement: 'x ↦ sin(a)·x per channel is 1-Lipschitz',
    source: '|sin| ≤ 1; norm of a diagonal matrix',
    coq: 'bounded_gain',
  },
  translate: { statement: 'x ↦ x − c is an isometry', source: 'definition', coq: 'translate' },
  divide: {
    statement: 'x ↦ x / d per channel is (1 / min|d|)-Lipschitz, d ≠ 0',
    source: 'norm of a diagonal matrix',
    coq: 'divide',
  },
  'zero-pad': { statement: 'appending zeros is an isometry', source: 'definition', coq: 'zero_pad' },
  'block-average': {
    statement: 'the sum over disjoint kh×kw blocks divided by √(kh·kw) has norm 1',
    source: 'Cauchy–Schwarz on each block',
    coq: 'block_average',
  },
  'average-pool': {
    statement:
      'sums over kh×kw windows at stride sh×sw have norm at most √(kh·kw·⌈kh/sh⌉·⌈kw/sw⌉): at most ⌈kh/sh⌉·⌈kw/sw⌉ windows share an entry',
    source: 'Schur 1911 (row and column sums of the matrix), divided by the divisor',
    coq: 'average_pool',
  },
  'max-pool': {
    statement:
      'the maximum over kh×kw windows at stride sh×sw is √(⌈kh/sh⌉·⌈kw/sw⌉)-Lipschitz: a gather of that multiplicity, then 1-Lipschitz maps of disjoint parts',
    source: 'Tsuzuku, Sato & Sugiyama, NeurIPS 2018 (pooling)',
    coq: 'max_pool',
  },
  'l2-pool': {
    statement:
      'the norm over kh×kw windows at stride sh×sw is √(⌈kh/sh⌉·⌈kw/sw⌉)-Lipschitz: a gather of that multiplicity, then 1-Lipschitz maps of disjoint parts',
    source: 'triangle inequality on each window',
    coq: 'l2_pool',
  },
  copies: {
    statement: 'n copies of x divided by √n are an isometry',
    source: 'definition',
    coq: 'copies',
  },
  'batch-center': {
    statement: 'x ↦ x − m per channel with a fixed m is an isometry; training alone takes m from the batch',
    source: 'definition; in networks: Boissin et al., ICML 2025 (BatchCentering)',
    coq: 'batch_center',
  },
  'layer-center': {
    statement: 'x ↦ x − (mean of its entries) is the orthogonal projection onto the vectors of sum 0',
    source: 'norm of a projection',
    coq: 'layer_center',
  },
  reindex: { statement: 'a permutation of coordinates is an isometry', source: 'definition', coq: 'reindex' },
  identity: { statement: 'the identity is 1-Lipschitz', source: 'definition', coq: 'identity' },
  compose: {
    statement: 'f L-Lipschitz and g L′-Lipschitz make g ∘ f LL′-Lipschitz',
    source: 'definition',
    coq: 'compose',
  },
  weaken: { statement: 'L-Lipschitz and L ≤ L′ give L′-Lipschitz', source: 'definition', coq: 'weaken' },
  mix: {
    statement: 'f L₁-Lipschitz, g L₂-Lipschitz and 0 ≤ w ≤ 1 make x ↦ (1 − w) f(x) + w g(x) max(L₁, L₂)-Lipschitz',
    source: 'triangle inequality',
    coq: 'mix',
  },
  concat: {
    statement: 'f_k L_k-Lipschitz make x ↦ (f_1(x), f_2(x), …) √(Σ L_k²)-Lipschitz',
    source: 'Pythagoras',
    coq: 'concat',
  },
  split: {
    statement:
      'f_k L_k-Lipschitz functions of disjoint parts x_k of x make x ↦ (f_1(x_1), f_2(x_2), …) (max L_k)-Lipschitz',
    source: 'Pythagoras, on both sides',
    coq: 'split',
  },
  maximum: {
    statement: 'f_k L_k-Lipschitz make the elementwise maximum (or minimum) of the f_k(x) √(Σ L_k²)-Lipschitz',
    source: '|max_k a_k − max_k b_k| ≤ max_k |a_k − b_k|, summed over the entries',
    coq: 'maximum',
  },
  gather: {
    statement: 'a map whose outputs are inputs, none of them used more than m times, is √m-Lipschitz',
    source: 'definition',
    coq: 'gather',
  },
  'sub-budget': {
    statement: 'a part that is L-Lipschitz with L ≤ L′ keeps the bound L′ stated for it',
    source: 'definition',
    coq: 'sub_budget',
  },
  'pairwise-head': {
    statement:
      'logit i − logit j is ‖ŵ_i − ŵ_j‖·L-Lipschitz when the head reads an L-Lipschitz feature; the head as a vector map is not bounded by this',
    source: 'Singla, Singla & Feizi, ICLR 2022 (last-layer normalisation)',
    coq: 'pairwise_head',
  },
} as const satisfies Readonly<Record<string, Rule>>;

export type RuleName = keyof typeof RULES;
export const ruleNames = Object.keys(RULES) as readonly RuleName[];
export const ruleOf = (name: RuleName): Rule => RULES[name];

declare const DERIVED: unique symbol;

/** A proof tree. Only `apply` makes one. */
export interface Derivation {
  readonly [DERIVED]: true;
  readonly rule: RuleName;
  /** What the judgement is about: the path of a layer or of a weight. */
  readonly subject: string;
  /** The numbers the rule was instantiated with. */
  readonly constants: Readonly<Record<string, Rational>>;
  /** Words the rule was instantiated with, e.g. the name of an activation. */
  readonly about: Readonly<Record<string, string>>;
  readonly premises: readonly Derivation[];
  readonly conclusion: Judgement;
}

/** A rule applied where its side conditions fail: a bug of the compiler, which must have refused the program before. */
export class RuleError extends Error {}

const need = (ok: boolean, rule: RuleName, why: string): void => {
  if (!ok) throw new RuleError(`rule ${rule} does not apply: ${why}`);
};

const square = (a: Rational): Rational => mul(a, a);
const lipschitz = (squared: Rational): Judgement => ({ kind: 'lipschitz', squared });
const ONE_LIPSCHITZ = lipschitz(ONE);

interface Instance {
  readonly rule: RuleName;
  readonly constants: Readonly<Record<string, Rational>>;
  readonly about: Readonly<Record<string, string>>;
  readonly premises: readonly Judgement[];
}

const constant = (i: Instance, name: string): Rational => {
  const value = i.constants[name];
  need(value !== undefined, i.rule, `constant ${name} is missing`);
  return value;
};
const atLeast = (i: Instance, name: string, bound: Rational): Rational => {
  const value = constant(i, name);
  need(compare(value, bound) >= 0, i.rule, `${name} = ${format(value)} is below ${format(bound)}`);
  return value;
};
const premise = <K extends Judgement['kind']>(i: Instance, n: number, kind: K): Extract<Judgement, { kind: K }> => {
  const j = i.premises[n];
  need(j !== undefined && j.kind === kind, i.rule, `premise ${n + 1} must be ${kind}`);
  return j as Extract<Judgement, { kind: K }>;
};
const arity = (i: Instance, n: number): void =>
  need(i.premises.length === n, i.rule, `takes ${n} premises, got ${i.premises.length}`);

/** An axiom about the Gram matrix of `about.weight` on `about.side`. */
const dominance = (i: Instance): Judgement => {
  arity(i, 0);
  const { weight, side } = i.about;
  need(weight !== undefined && (side === 'rows' || side === 'columns'), i.rule, 'weight and side must be named');
  return { kind: 'dominates', weight, side: side as GramSide };
};
/** What a derivation calls the kernel `weight` as an out × in·kh·kw matrix. */
export const asMatrix = (weight: string): string => `${weight} as a matrix`;
/** One step or more, from a norm of at most 2. */
const bjorck = (i: Instance): Judgement => {
  atLeast(i, 'steps', ONE);
  need(compare(atLeast(i, 'start', ZERO), TWO) <= 0, i.rule, 'the iteration may start at a norm of at most 2');
  return dominance(i);
};
const sameDominance = (i: Instance): Judgement => {
  need(i.premises.length >= 1, i.rule, 'needs a premise');
  const first = premise(i, 0, 'dominates');
  i.premises.forEach((_, n) => {
    const other = premise(i, n, 'dominates');
    need(
      other.weight === first.weight && other.side === first.side,
      i.rule,
      'premises speak of different Gram matrices',
    );
  });
  return first;
};
const isometry = (i: Instance): Judgement => {
  arity(i, 0);
  return ONE_LIPSCHITZ;
};

const slopeWithin01 = (i: Instance, n: number): void => {
  const { low, high } = premise(i, n, 'slope');
  need(
    compare(low, ZERO) >= 0 && compare(high, ONE) <= 0,
    i.rule,
    `slope [${format(low)}, ${format(high)}] is not within [0, 1]`,
  );
};

/** At most how many windows share an entry, counted over both axes. */
const multiplicity = (i: Instance): Rational => {
  const axis = (size: string, stride: string): Rational => {
    const { num, den } = div(atLeast(i, size, ONE), atLeast(i, stride, ONE));
    return rational((num + den - 1n) / den);
  };
  return mul(axis('kh', 'sh'), axis('kw', 'sw'));
};
const pooled = (i: Instance): Judgement => {
  arity(i, 0);
  return lipschitz(multiplicity(i));
};

/** Slope intervals by name; `a` is the slope of a leaky ReLU. Exact: σ′ of the sigmoid has supremum 1/4. */
const SLOPES: Readonly<Record<string, (a: Rational) => Slope>> = {
  relu: () => ({ low: ZERO, high: ONE }),
  leaky_relu: a => (compare(a, ONE) <= 0 ? { low: a, high: ONE } : { low: ONE, high: a }),
  tanh: () => ({ low: ZERO, high: ONE }),
  sigmoid: () => ({ low: ZERO, high: rational(1, 4) }),
  abs: () => ({ low: rational(-1), high: ONE }),
  halfabs: () => ({ low: rational(-1), high: ONE }),
  prelu: () => ({ low: rational(-1), high: ONE }),
};

/** Squares w² for which |Σ_{m ≤ degree} (iy)ᵐ/m!| ≤ 1 on |y| ≤ w; of other degrees up to 14 there is no w > 0. */
export const EXPONENTIAL_WINDOWS: ReadonlyMap<number, Rational> = new Map([
  [3, rational(3)],
  [4, rational(8)],
  [7, rational(311, 100)],
  [8, rational(288, 25)],
  [11, rational(289, 100)],
  [12, rational(571, 50)],
]);
/** The squared bounds of the premises, of which there is one at least. */
const squaresOf = (i: Instance): readonly Rational[] => {
  need(i.premises.length >= 1, i.rule, 'needs a premise');
  return i.premises.map((_, n) => premise(i, n, 'lipschitz').squared);
};

const weaken = (i: Instance): Judgement => {
  arity(i, 1);
  const to = square(atLeast(i, 'to', ZERO));
  need(compare(premise(i, 0, 'lipschitz').squared, to) <= 0, i.rule, 'the bound is larger');
  return lipschitz(to);
};

const CONCLUDE: { readonly [R in RuleName]: (i: Instance) => Judgement } = {
  'gram-iteration': i => {
    atLeast(i, 'steps', ONE);
    return dominance(i);
  },
  'gram-iteration-symbol': i => {
    atLeast(i, 'steps', ONE);
    // A proper divisor of N that is at least k − 1, on both axes: half of N at most, so that the cosine is positive.
    const n = atLeast(i, 'grid', ONE);
    const degree = (taps: Rational): boolean => {
      if (equal(taps, ONE)) return true;
      for (let d = sub(taps, ONE); compare(mul(TWO, d), n) <= 0; d = add(d, ONE)) if (div(n, d).den === 1n) return true;
      return false;
    };
    need(
      degree(constant(i, 'kh')) && degree(constant(i, 'kw')),
      i.rule,
      'grid without a proper divisor from the degree of the symbol on',
    );
    return dominance(i);
  },
  'gram-iteration-circulant': i => {
    atLeast(i, 'steps', ONE);
    return dominance(i);
  },
  'gram-iteration-operator': i => {
    atLeast(i, 'steps', ONE);
    return dominance(i);
  },
  'gram-iteration-reshaped': i => {
    atLeast(i, 'steps', ONE);
    need(equal(constant(i, 'factor'), mul(constant(i, 'kh'), constant(i, 'kw'))), i.rule, 'factor must be kh·kw');
    return dominance(i);
  },
  'orthogonal-cayley': dominance,
  'orthogonal-reshaped': i => {
    need(equal(constant(i, 'factor'), mul(constant(i, 'kh'), constant(i, 'kw'))), i.rule, 'factor must be kh·kw');
    return dominance(i);
  },
  'orthogonal-bro': i => {
    atLeast(i, 'eps', ZERO);
    return dominance(i);
  },
  'contraction-whitening': i => {
    atLeast(i, 'steps', ZERO);
    need(compare(constant(i, 'eps'), ZERO) > 0, i.rule, 'eps must be positive');
    return dominance(i);
  },
  'contraction-fourier': i => {
    arity(i, 1);
    return premise(i, 0, 'dominates');
  },
  'contraction-skew-exponential': i => {
    atLeast(i, 'steps', ONE);
    const norm = atLeast(i, 'norm', ZERO);
    const window = EXPONENTIAL_WINDOWS.get(Number(constant(i, 'degree').num));
    need(window !== undefined, i.rule, 'there is no window for this degree');
    need(compare(square(norm), window!) <= 0, i.rule, `norm = ${format(norm)} is outside the window`);
    need(equal(constant(i, 'factor'), mul(constant(i, 'kh'), constant(i, 'kw'))), i.rule, 'factor must be kh·kw');
    return dominance(i);
  },
  'orthogonal-householder': dominance,
  'contraction-bjorck': bjorck,
  'contraction-cholesky': i => {
    atLeast(i, 'eps', ZERO);
    return dominance(i);
  },
  'orthogonal-exponential': i => {
    atLeast(i, 'squarings', ZERO);
    const window = EXPONENTIAL_WINDOWS.get(Number(constant(i, 'degree').num));
    need(
      window !== undefined && compare(square(atLeast(i, 'window', ZERO)), window) <= 0,
      i.rule,
      'the series is no contraction on this window',
    );
    return dominance(i);
  },
  'orthogonal-bcop': i => {
    atLeast(i, 'kernel', ONE);
    return bjorck(i);
  },
  'orthogonal-strided': i => {
    const s = atLeast(i, 'stride', ONE);
    atLeast(i, 'kernel', s);
    return bjorck(i);
  },
  'reshaped-kernel': i => {
    arity(i, 1);
    need(equal(constant(i, 'factor'), mul(constant(i, 'kh'), constant(i, 'kw'))), i.rule, 'factor must be kh·kw');
    const { weight } = i.about;
    const { weight: matrix, side } = premise(i, 0, 'dominates');
    need(weight !== undefined && matrix === asMatrix(weight), i.rule, 'the premise must be about the reshaped kernel');
    return { kind: 'dominates', weight, side };
  },
  frobenius: dominance,
  schur: dominance,
  gershgorin: dominance,
  'gershgorin-lattice': dominance,
  'power-gershgorin': i => {
    atLeast(i, 'steps', TWO);
    return dominance(i);
  },
  polyphase: i => {
    arity(i, 1);
    for (const name of ['stride_h', 'stride_w', 'dilation_h', 'dilation_w']) atLeast(i, name, ONE);
    return sameDominance(i);
  },
  grouped: i => {
    arity(i, 1);
    atLeast(i, 'groups', TWO);
    return sameDominance(i);
  },
  torus: i => {
    arity(i, 1);
    return sameDominance(i);
  },
  'dominance-shift': i => {
    arity(i, 1);
    atLeast(i, 'eps', ZERO);
    return sameDominance(i);
  },
  'dominance-scale': i => {
    arity(i, 1);
    atLeast(i, 'factor', ONE);
    return sameDominance(i);
  },
  'dominance-max': sameDominance,
  'dominance-convex': i => {
    const weights = i.premises.map((_, n) => atLeast(i, `a${n + 1}`, ZERO));
    need(equal(weights.reduce(add, ZERO), ONE), i.rule, 'weights do not add up to 1');
    return sameDominance(i);
  },
  slope: i => {
    arity(i, 0);
    const slope = SLOPES[i.about.function];
    need(slope !== undefined, i.rule, `no slope interval is known for ${i.about.function}`);
    return { kind: 'slope', ...slope(i.about.function === 'leaky_relu' ? constant(i, 'a') : ONE) };
  },
  linear: i => {
    arity(i, 1);
    need(
      premise(i, 0, 'dominates').side === (i.about.side === 'in' ? 'columns' : 'rows'),
      i.rule,
      'the Gram matrix is of the other side',
    );
    return ONE_LIPSCHITZ;
  },
  residual: i => {
    arity(i, 2);
    need(premise(i, 0, 'dominates').side === 'rows', i.rule, 'the Gram matrix must be that of the hidden units');
    slopeWithin01(i, 1);
    return ONE_LIPSCHITZ;
  },
  'general-residual': i => {
    arity(i, 2);
    need(premise(i, 0, 'dominates').side === 'rows', i.rule, 'the Gram matrix must be that of the hidden units');
    slopeWithin01(i, 1);
    const h = constant(i, 'h');
    return lipschitz(square(max(absolute(h), absolute(sub(h, constant(i, 'c'))))));
  },
  sandwich: i => {
    arity(i, 2);
    need(premise(i, 0, 'dominates').side === 'rows', i.rule, 'the Gram matrix must be that of the rows');
    slopeWithin01(i, 1);
    return ONE_LIPSCHITZ;
  },
  'linear-adjoint': i => {
    arity(i, 1);
    need(
      premise(i, 0, 'dominates').side === (i.about.side === 'out' ? 'columns' : 'rows'),
      i.rule,
      'the Gram matrix is of the other side',
    );
    return ONE_LIPSCHITZ;
  },
  'scaled-residual': i => {
    arity(i, 2);
    need(
      premise(i, 0, 'dominates').side === i.about.hidden,
      i.rule,
      'the Gram matrix must be that of the hidden units',
    );
    slopeWithin01(i, 1);
    const c = atLeast(i, 'c', ZERO);
    need(compare(c, TWO) <= 0, i.rule, `c = ${format(c)} is above 2`);
    return ONE_LIPSCHITZ;
  },
  sum: i => {
    const squares = squaresOf(i);
    // √s = √unit · √(s/unit), so that √2 + 2√2 is known as 3√2.
    const unit = squares.find(s => compare(s, ZERO) > 0) ?? ONE;
    const parts = squares.map((s, n) => {
      const root = exactSqrt(div(s, unit));
      if (!root) throw new RuleError(`rule ${i.rule} does not apply: the bounds have no common measure`);
      return mul(absolute(constant(i, `a${n + 1}`)), root);
    });
    return lipschitz(mul(unit, square(parts.reduce(add, ZERO))));
  },
  mix: i => {
    arity(i, 2);
    if (i.about.weight === undefined)
      need(compare(atLeast(i, 'w', ZERO), ONE) <= 0, i.rule, 'the weight must lie in [0, 1]');
    return lipschitz(squaresOf(i).reduce(max));
  },
  concat: i => lipschitz(squaresOf(i).reduce(add)),
  split: i => {
    const squares = squaresOf(i);
    const parts = squares.map((_, n) => {
      const start = atLeast(i, `start${n + 1}`, ZERO);
      return { start, end: add(start, atLeast(i, `length${n + 1}`, ONE)) };
    });
    const sorted = [...parts].sort((a, b) => compare(a.start, b.start));
    need(
      sorted.every((p, n) => n === 0 || compare(sorted[n - 1].end, p.start) <= 0),
      i.rule,
      'the parts overlap',
    );
    return lipschitz(squares.reduce(max));
  },
  maximum: i => lipschitz(squaresOf(i).reduce(add)),
  gather: i => {
    arity(i, 0);
    return lipschitz(atLeast(i, 'multiplicity', ONE));
  },
  elementwise: i => {
    arity(i, 1);
    const { low, high } = premise(i, 0, 'slope');
    return lipschitz(square(max(absolute(low), absolute(high))));
  },
  sort: i => {
    atLeast(i, 'group', ONE);
    return isometry(i);
  },
  channelwise: i => {
    arity(i, 1);
    const { low, high } = premise(i, 0, 'slope');
    return lipschitz(square(max(absolute(low), absolute(high))));
  },
  'concatenated-relu': isometry,
  'rotate-halves': isometry,
  'householder-activation': i => {
    need(i.about.order === '1' || i.about.order === '2', i.rule, 'the order is 1 or 2');
    return isometry(i);
  },
  'bounded-gain': isometry,
  translate: isometry,
  divide: i => {
    arity(i, 0);
    const d = constant(i, 'least');
    need(compare(d, ZERO) > 0, i.rule, 'the least |divisor| must be positive');
    return lipschitz(div(ONE, square(d)));
  },
  'zero-pad': isometry,
  'block-average': isometry,
  'average-pool': i => {
    arity(i, 0);
    const divisor = constant(i, 'divisorSquared');
    need(compare(divisor, ZERO) > 0, i.rule, 'the divisor must be positive');
    return lipschitz(div(mul(mul(constant(i, 'kh'), constant(i, 'kw')), multiplicity(i)), divisor));
  },
  'max-pool': pooled,
  'l2-pool': pooled,
  copies: i => {
    atLeast(i, 'n', ONE);
    return isometry(i);
  },
  'batch-center': isometry,
  'layer-center': isometry,
  reindex: isometry,
  identity: isometry,
  compose: i => lipschitz(i.premises.map((_, n) => premise(i, n, 'lipschitz').squared).reduce(mul, ONE)),
  weaken,
  'sub-budget': weaken,
  'pairwise-head': i => {
    arity(i, 1);
    return { kind: 'pairwise', squared: premise(i, 0, 'lipschitz').squared };
  },
};

/**
 * The conclusion of `rule` from `premises`, as a derivation. Throws RuleError when a side condition fails; callers refuse such programs
 * with a diagnostic before they get here.
 */
export const apply = (
  rule: RuleName,
  subject: string,
  premises: readonly Derivation[] = [],
  constants: Readonly<Record<string, Rational>> = {},
  about: Readonly<Record<string, string>> = {},
): Derivation => {
  const conclusion = CONCLUDE[rule]({ rule, constants, about, premises: premises.map(p => p.conclusion) });
  return { rule, subject, constants, about, premises, conclusion } as Derivation;
};
