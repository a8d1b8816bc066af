/**
 * Network IR: a network as a straight-line program of typed layers, in static single assignment form.
 *
 * Conventions (those of PyTorch and of the reference implementations): a feature map is (channels, height, width),
 * a vector is (features); the batch axis is not part of a shape. A dense weight is stored (out, in), a convolution
 * kernel (out, in, kh, kw); `flatten` runs over (channel, height, width). In MATH.md's notation the stored weight of
 * a residual layer is Wᵀ (hidden, in), so its Gram matrix WᵀW is indexed by hidden units; the stored weight of a
 * linear layer is W, and its Gram matrix WᵀW is indexed by inputs.
 */
import type { Span } from '../diagnostics.ts';
import type { VectorExpr } from './formula.ts';
import { type OrthogonalMethod, orthogonalParams } from './orthogonal.ts';
import { compare, ONE, type Rational } from './rational.ts';

/** [features] or [channels, height, width]; every entry a positive safe integer. */
export type Shape = readonly number[];

export type ValueId = number;

export type Initializer =
  | { readonly kind: 'zeros' }
  | { readonly kind: 'constant'; readonly value: number }
  /** Glorot & Bengio 2010, normal: std = √(2 / (fanIn + fanOut)). */
  | { readonly kind: 'xavier'; readonly fanIn: number; readonly fanOut: number }
  /** U(−bound, bound). */
  | { readonly kind: 'uniform'; readonly bound: number }
  /** The Frobenius norm of another parameter's initial value (Cayley's scale α). */
  | { readonly kind: 'normOf'; readonly path: string };

/** A trainable tensor. `path` is stable under edits elsewhere in the file, e.g. `conv[3].W`. */
export interface Param {
  readonly path: string;
  readonly shape: readonly number[];
  readonly init: Initializer;
  /** Set for a running statistic: the training step writes it, no optimiser does, and it has no gradient. */
  readonly statistic?: true;
}

/** The linear map of a layer. `out`/`in` count features (dense) or channels (conv). */
export type LinearMap =
  | {
      readonly kind: 'dense';
      readonly out: number;
      readonly in: number;
      readonly weight: Param;
      /** The weight is stored as the adjoint's: (in, out). */
      readonly transposed?: true;
    }
  | {
      readonly kind: 'conv';
      readonly out: number;
      readonly in: number;
      readonly kernel: readonly [number, number];
      readonly stride: readonly [number, number];
      /** On each side of (height, width). */
      readonly padding: readonly [number, number];
      readonly dilation: readonly [number, number];
      /** Divides `out` and `in`; group g maps the g-th part of the input channels to the g-th part of the output channels. */
      readonly groups: number;
      readonly mode: 'zeros' | 'circular';
      /** (out, in/groups, kh, kw). */
      readonly weight: Param;
      /** The weight is stored as the adjoint's, a convolution of the same geometry: (in, out, kh, kw), its taps in reverse order. */
      readonly transposed?: true;
    };

/** The weight's shape as the map uses it, whatever it is made from: (out, in) or (out, in/groups, kh, kw). */
export const weightShape = (map: LinearMap): Shape =>
  map.kind === 'dense' ? [map.out, map.in] : [map.out, map.in / map.groups, ...map.kernel];

/** How an upper bound λ ≥ ‖W‖² is found for `by spectral`; every one is a theorem, none is power iteration. */
export type SpectralMethod =
  /**
   * Dense: Gram iteration ‖G^(2^(steps−1))‖_F^(1/2^(steps−1)) ≥ ‖G‖ (Delattre et al., ICML 2023). Conv: the same at each point of a
   * `grid`×`grid` sampled symbol, maximum divided by cos(πD/(2·grid)) per axis, D = `samplingDegree` (Ehlich–Zeller), valid for every image
   * size.
   */
  | { readonly kind: 'gram'; readonly steps: number; readonly grid: number }
  /**
   * Conv only: the same at every frequency of the smallest torus that the convolution at this image size lies on without meeting itself
   * (`torusSize`), with no factor: circulant matrices contain it.
   */
  | { readonly kind: 'circulant'; readonly steps: number }
  /** Conv only: Gram iteration on the zero-padded operator written out as a matrix at this image size. */
  | { readonly kind: 'operator'; readonly steps: number }
  /** Conv only: Gram iteration on the kernel reshaped to (out, in·kh·kw), times kh·kw ("RKO"). */
  | { readonly kind: 'reshaped'; readonly steps: number };

/** Which side of a linear layer is rescaled: W T^(-1/2) ('in', the default) or T^(-1/2) W ('out'). */
export type Side = 'in' | 'out';

/** A way to get a positive diagonal T with G ⪯ T, G the layer's Gram matrix. Closed under max, convex sums and scaling up. */
export type Rescaling =
  /** T = (λ + eps) I. */
  | { readonly by: 'spectral'; readonly method: SpectralMethod; readonly eps: Rational }
  /**
   * A weight of norm at most 1 is made from the stored one, `map.weight`, whose shape is then the family's (`storedShape`). T = I for
   * matrices and for kernels made as such; kh·kw·I for a kernel that is a reshaped matrix.
   */
  | { readonly by: 'orthogonal'; readonly method: OrthogonalMethod }
  /** T_i = Σ_j |G_ij| + eps. */
  | { readonly by: 'aol'; readonly eps: Rational }
  /** T_i = (Σ_j |(G^m)_ij|)^(1/m) + eps, m = 2^(steps − 1), steps ≥ 2: `aol(steps = …)`. */
  | { readonly by: 'power'; readonly steps: number; readonly eps: Rational }
  /** T_i = Σ_j |G_ij| p_j / p_i + eps with p = exp(q) + shift; both 0 where they are left out. */
  | { readonly by: 'sll'; readonly q: Param; readonly shift?: Rational; readonly eps?: Rational }
  /** T = (‖W‖_F² + eps) I; of a kernel, ‖K‖_F² times the number of outputs that read one input. */
  | { readonly by: 'frobenius'; readonly eps: Rational }
  /** T = (largest row sum of |W| · largest column sum of |W| + eps) I; of a kernel, sums over a channel and all taps. */
  | { readonly by: 'schur'; readonly eps: Rational }
  /** T_i = max over the parts; one that dominates is enough, and the others may be multiples by a factor below 1. */
  | { readonly by: 'max'; readonly of: readonly Rescaling[] }
  /** T = Σ weight·part; weights ≥ 0, sum 1. */
  | { readonly by: 'convex'; readonly of: readonly { readonly weight: Rational; readonly part: Rescaling }[] }
  /** T = factor·part; factor ≥ 1, as a part of a maximum above 0. */
  | { readonly by: 'scaled'; readonly factor: Rational; readonly of: Rescaling };

/** One function of every entry, with a known interval of slopes. */
export type Elementwise =
  | { readonly kind: 'relu' }
  | { readonly kind: 'leaky_relu'; readonly slope: Rational }
  | { readonly kind: 'tanh' }
  | { readonly kind: 'sigmoid' }
  | { readonly kind: 'abs' };

export type Activation =
  | Elementwise
  /** (max, min) of channel pairs: adjacent (2i, 2i+1), or the two halves of the channel axis. An odd last channel of `adjacent` passes through. */
  | { readonly kind: 'maxmin'; readonly pairs: 'adjacent' | 'halves' }
  /** Ascending sort within contiguous groups of channels. */
  | { readonly kind: 'groupsort'; readonly group: number }
  /** The first half of the channels unchanged, |·| of the second. */
  | { readonly kind: 'halfabs' }
  /** (p + q, p − q)/√2 for the halves p, q of |x|. */
  | { readonly kind: 'rabs' }
  /** (relu(x), relu(−x)): twice as many channels. */
  | { readonly kind: 'crelu' }
  /** x where x ≥ 0, clamp(slope, −1, 1)·x elsewhere; slope [channels]. */
  | { readonly kind: 'prelu'; readonly slope: Param }
  /** z − 2v·relu(vᵀz), v = (sin θ/2, −cos θ/2), on pairs z of a channel of the first half and its peer of the second; theta [channels/2]. */
  | { readonly kind: 'householder'; readonly theta: Param }
  /**
   * Singla, Singla & Feizi, ICLR 2022, order 2: four sectors of angles t₁/2, t₂/2, π − t₁/2, π − t₂/2 from θ₀/2 on, with t = clamp(θ, 0, 2π): the identity, the
   * reflection by θ₀ + t₁, the rotation by −t₂, the reflection by θ₀. Each theta is [channels/2].
   */
  | { readonly kind: 'householder2'; readonly theta: readonly [Param, Param, Param] };

const ELEMENTWISE: Readonly<Record<Elementwise['kind'], true>> = {
  relu: true,
  leaky_relu: true,
  tanh: true,
  sigmoid: true,
  abs: true,
};

export const isElementwise = (act: Activation): act is Elementwise => Object.hasOwn(ELEMENTWISE, act.kind);

/** What pooling moves over an image; a vector is an image of one row. Only whole windows count. */
export interface Window {
  readonly size: readonly [number, number];
  /** Equal to `size` where windows do not overlap and leave nothing between them, and on an axis with one window. */
  readonly stride: readonly [number, number];
}

/** How `weight`, which is no kernel or matrix of the map, makes a linear map of norm at most 1. */
export type ContractionMethod =
  /**
   * Circular convolution: at every frequency the Cayley transform of alpha·Ŵ/‖Ŵ‖_F, ‖·‖_F over half of the spectrum, Ŵ the symbol of the
   * kernel `weight` (out, in, kh, kw) about its middle tap (Trockman & Kolter, ICLR 2021).
   */
  | { readonly family: 'cayley'; readonly alpha: Param }
  /**
   * On the image padded by kernel/2 zeros, cropped after: at every frequency the block (out, in) of I − 2V(VᴴV + eps·m·I)⁻¹Vᴴ, V the
   * Fourier transform of `weight` (max(out, in), rank, kh, kw), m the mean of the diagonal of VᴴV (Lai et al., ICML 2025: BRO).
   */
  | { readonly family: 'bro'; readonly eps: Rational }
  /**
   * Padded and cropped as `bro`: at every frequency ŴŴᴴ + eps·I =: S, `steps` coupled Newton–Schulz steps from S/(‖S‖_F + eps) towards its
   * inverse root, times Ŵ; `weight` (out, in, kh, kw) (Xu, Li & Li, NeurIPS 2022: LOT).
   */
  | { readonly family: 'lot'; readonly steps: number; readonly eps: Rational }
  /**
   * Σ_{m ≤ degree} Aᵐ/m!, A the convolution with S scaled to norm at most `norm`, S = (P − P transposed and flipped)/2 for `weight` P
   * (c, c, kh, kw), c = max(in, out), on channels padded with zeros to c and cut to `out` after (Singla & Feizi, ICML 2021: SOC). ‖S‖ is bounded by `steps` steps of
   * Gram iteration.
   */
  | {
      readonly family: 'skew_exponential';
      readonly degree: number;
      readonly norm: Rational;
      readonly steps: number;
      readonly padding: 'zeros' | 'circular';
    }
  /** 2AᵀB or B alone, [A B] the Cayley transform of alpha·W/‖W‖_F, `weight` W (out, out + in): a sandwich layer without its activation. */
  | { readonly family: 'sandwich'; readonly part: 'product' | 'second'; readonly alpha: Param };

/** Layers with several inputs x₁, x₂, …, of equal shapes but for the channels of a concat. Every other layer has one input. */
export type Join =
  /** Σ factors_k·x_k; one input or more, factors nonzero. */
  | { readonly kind: 'sum'; readonly factors: readonly Rational[] }
  /** (1 − w) x₁ + w x₂. */
  | { readonly kind: 'mix'; readonly weight: MixWeight }
  /** One behind the other along the channels (or features). */
  | { readonly kind: 'concat' }
  /** The largest (or smallest) of the entries at the same place. */
  | { readonly kind: 'maximum'; readonly of: 'largest' | 'smallest' };

export type MixWeight =
  /** In [0, 1]. */
  | { readonly kind: 'constant'; readonly value: Rational }
  /** The sigmoid of a parameter of shape [1]. */
  | { readonly kind: 'sigmoid'; readonly of: Param };

export type LayerOp =
  /** x − offset, per channel (length = channels, or 1 for all). */
  | { readonly kind: 'center'; readonly offset: readonly Rational[] }
  /** x + b, b one learnt number per channel. */
  | { readonly kind: 'translate'; readonly by: Param }
  /** x / divisor, per channel (length = channels, or 1 for all); divisors nonzero. */
  | { readonly kind: 'scale'; readonly divisor: readonly Rational[] }
  /** Zero channels (or features) appended up to `to`. */
  | { readonly kind: 'pad'; readonly to: number }
  /**
   * y = W T^(-1/2) x + b. With `adjoint`, the same with Wᵀ in the place of W (a transposed convolution): the layer reads `map.out` channels
   * and makes `map.in`, its output has the layer's shape, and `side` still means this layer's inputs or outputs.
   */
  | {
      readonly kind: 'linear';
      readonly adjoint?: true;
      readonly map: LinearMap;
      readonly side: Side;
      readonly rescaling: Rescaling;
      readonly bias?: Param;
    }
  /** y = h x − c W T⁻¹ σ(Wᵀx + b) with h = `identity` (1 where left out), c = `factor` (2 where left out); `map.weight` stores Wᵀ. */
  | {
      readonly kind: 'residual';
      readonly identity?: Rational;
      readonly factor?: Rational;
      readonly map: LinearMap;
      readonly rescaling: Rescaling;
      readonly act: Activation;
      readonly bias?: Param;
    }
  /** y = Qx + b, ‖Q‖ ≤ 1. `kernel` where x is an image, whose height and width the map keeps. */
  | {
      readonly kind: 'contraction';
      readonly method: ContractionMethod;
      readonly out: number;
      readonly in: number;
      readonly kernel?: readonly [number, number];
      readonly weight: Param;
      readonly bias?: Param;
    }
  /**
   * y = √2 AᵀΨσ(√2 Ψ⁻¹Bx + b), Ψ = diag(exp(psi)), [A B] the Cayley transform of alpha·W/‖W‖_F, `weight` W (out, out + in); with a `kernel`
   * (out, out + in, kh, kw) at every frequency of a circular convolution (Wang & Manchester, ICML 2023).
   */
  | {
      readonly kind: 'sandwich';
      readonly out: number;
      readonly in: number;
      readonly kernel?: readonly [number, number];
      readonly weight: Param;
      readonly alpha: Param;
      readonly psi: Param;
      readonly act: Activation;
      readonly bias?: Param;
    }
  /** A layer defined in the language; `body` is its value in terms of its input. */
  | { readonly kind: 'formula'; readonly name: string; readonly params: readonly Param[]; readonly body: VectorExpr }
  | { readonly kind: 'activation'; readonly act: Activation }
  /** Sum over each window divided by √divisorSquared; disjoint kh×kw blocks divided by √(kh·kw) have norm exactly 1. */
  | ({ readonly kind: 'avgpool'; readonly divisorSquared: Rational } & Window)
  | ({ readonly kind: 'maxpool' } & Window)
  /** √(sum of squares) over each window; the gradient at a window of zeros is 0. */
  | ({ readonly kind: 'l2pool' } & Window)
  /** `times` copies of all channels (or features) one after another, divided by √times. */
  | { readonly kind: 'tile'; readonly times: number }
  /** sin(angle)·x, per channel; angle [channels]. */
  | { readonly kind: 'gain'; readonly angle: Param }
  /**
   * x − mean, per channel. Training subtracts the mean of the batch and keeps mean ← (1 − momentum)·mean + momentum·(that of the batch); everything
   * else subtracts `mean` [channels].
   */
  | { readonly kind: 'batchcenter'; readonly mean: Param; readonly momentum: Rational }
  /** x minus the mean of all its entries. */
  | { readonly kind: 'layercenter' }
  | { readonly kind: 'flatten' }
  /** Block (r, s) of bh×bw pixels of channel c becomes one pixel of the channels (c·bh + r)·bw + s: the inverse of depth_to_space. */
  | { readonly kind: 'space_to_depth'; readonly block: readonly [number, number] }
  /** Channel (c·bh + r)·bw + s becomes pixel (r, s) of each bh×bw block of channel c ("pixel shuffle"). */
  | { readonly kind: 'depth_to_space'; readonly block: readonly [number, number] }
  /** Channels (or features) start, …, start + length − 1. */
  | { readonly kind: 'slice'; readonly start: number; readonly length: number }
  | Join
  /** y = Ŵx + b with rows ŵ = w / (‖w‖ + eps), and ŵ = 0 for w = 0; certified pairwise by ‖ŵ_i − ŵ_j‖. */
  | {
      readonly kind: 'head';
      readonly classes: number;
      readonly eps: Rational;
      readonly weight: Param;
      readonly bias: Param;
    };

/**
 * How a layer as written departs from its `op`, as published code does and no rule covers. It is read so that it can be refuted with
 * numbers, and never proven. `span` is the place that says so.
 */
export type Twist = { readonly span: Span } & (
  | { readonly kind: 'border'; readonly mode: 'reflect' | 'replicate' }
  /** T is an estimate of ‖W‖² instead of a bound: power iteration, or the Fourier transform of a kernel at the size of the image. */
  | { readonly kind: 'estimate'; readonly how: 'power' | 'fft' }
  /** An inverse Fourier transform that is not told the size: it takes the width for even, and makes one column less of an odd one. */
  | { readonly kind: 'unsized' }
  /** The rows of a skew kernel divided by their own AOL factors: what is left is not skew. */
  | { readonly kind: 'unskewed' }
  /** A Householder activation of order 2 that finds its sector by an angle in f32, whose remainder can round to 2π. */
  | { readonly kind: 'angle' }
  /** "Ceil mode": windows that the border cuts off count too, as means over fewer entries times the factor of whole ones. */
  | { readonly kind: 'cut' }
);

export interface Layer {
  readonly id: ValueId;
  readonly inputs: readonly ValueId[];
  readonly op: LayerOp;
  readonly shape: Shape;
  /** The stable path, e.g. `conv[3]`. */
  readonly path: string;
  readonly span: Span;
  readonly twist?: Twist;
}

/** A bound stated inside a network: the map from the value `from` to the value `to` is `bound`-Lipschitz. */
export interface SubBudget {
  /** As the source calls the value `to`. */
  readonly name: string;
  readonly from: ValueId;
  readonly to: ValueId;
  readonly bound: Rational;
  readonly span: Span;
}

export interface Network {
  readonly name: string;
  readonly input: {
    readonly id: ValueId;
    readonly shape: Shape;
    readonly range?: readonly [Rational, Rational];
    readonly span: Span;
  };
  /** In order of evaluation; the last one is the output, and every other leads to it. */
  readonly layers: readonly Layer[];
  /** The bound to be proven for the map up to, and not including, the head. */
  readonly budget: Rational;
  /** Bounds of parts, to be proven as well. */
  readonly subBudgets?: readonly SubBudget[];
  readonly span: Span;
}

/** All parameters of a layer, in a fixed order. */
export const layerParams = (op: LayerOp): readonly Param[] => {
  switch (op.kind) {
    case 'linear':
    case 'residual':
      return [op.map.weight, ...(op.bias ? [op.bias] : []), ...rescalingParams(op.rescaling)];
    case 'contraction':
      return [op.weight, ...(op.bias ? [op.bias] : []), ...('alpha' in op.method ? [op.method.alpha] : [])];
    case 'sandwich':
      return [op.weight, ...(op.bias ? [op.bias] : []), op.alpha, op.psi];
    case 'formula':
      return op.params;
    case 'mix':
      return op.weight.kind === 'sigmoid' ? [op.weight.of] : [];
    case 'activation':
      return activationParams(op.act);
    case 'gain':
      return [op.angle];
    case 'batchcenter':
      return [op.mean];
    case 'translate':
      return [op.by];
    case 'head':
      return [op.weight, op.bias];
    default:
      return [];
  }
};

export const activationParams = (act: Activation): readonly Param[] => {
  switch (act.kind) {
    case 'prelu':
      return [act.slope];
    case 'householder':
      return [act.theta];
    case 'householder2':
      return act.theta;
    default:
      return [];
  }
};

export const rescalingParams = (r: Rescaling): readonly Param[] => {
  switch (r.by) {
    case 'spectral':
    case 'aol':
    case 'power':
    case 'frobenius':
    case 'schur':
      return [];
    case 'orthogonal':
      return orthogonalParams(r.method);
    case 'sll':
      return [r.q];
    case 'max':
      return r.of.flatMap(rescalingParams);
    case 'convex':
      return r.of.flatMap(t => rescalingParams(t.part));
    case 'scaled':
      return rescalingParams(r.of);
  }
};

/** c·T with c < 1, which need not dominate where T does. */
export const isScaledDown = (r: Rescaling): r is Extract<Rescaling, { by: 'scaled' }> =>
  r.by === 'scaled' && compare(r.factor, ONE) < 0;

export const networkParams = (net: Network): readonly Param[] => net.layers.flatMap(l => layerParams(l.op));

export const elements = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

export const isJoin = (op: LayerOp): op is Join =>
  op.kind === 'sum' || op.kind === 'mix' || op.kind === 'concat' || op.kind === 'maximum';
