/**
 * The geometry of a convolution y[o, p] = Σ K[o, c, τ] x[c, p·stride − padding + τ·dilation].
 *
 * Stride and dilation reduce to a plain convolution, for every bound. With h = gcd(stride, dilation), stride = h·e and dilation = h·f per
 * axis, only one coset of hℤ is read; on it tap τ = e·τ′ + r of phase r reads position e·(p + f·τ′) + f·r. As gcd(e, f) = 1, the phases
 * r = 0 … e − 1 read different residues modulo e, so a permutation of pixels into e channels per channel leaves a convolution of stride
 * 1 and dilation f with ⌈k/e⌉ taps; and a dilated convolution of stride 1 is f separate copies of the undilated one. So the operator has the
 * norm, the Gram matrix of its outputs and (up to that permutation) the Gram matrix of its inputs of its *polyphase kernel*
 * P[o, (c, r), τ′] = K[o, c, e·τ′ + r], 0 beyond the last tap. Vaidyanathan, Multirate Systems and Filter Banks, 1993, §4.3.
 */
import type { LinearMap, Shape } from './network.ts';
import { type ConvAttrs, convExtent } from './tensor.ts';

export type ConvMap = Extract<LinearMap, { kind: 'conv' }>;
type Pair = readonly [number, number];

const perAxis = (f: (axis: 0 | 1) => number): Pair => [f(0), f(1)];

/** What most convolutions have: nothing but a padding. */
export const PLAIN = { stride: [1, 1], dilation: [1, 1], groups: 1, mode: 'zeros' } as const;

export const attrsOf = ({ stride, padding, dilation, groups, mode }: ConvMap): ConvAttrs => ({
  stride,
  padding,
  dilation,
  groups,
  mode,
});

/** Height and width that a convolution makes of an image's; below 1 where the kernel does not fit. */
export const outputSize = (map: ConvMap, size: Pair): Pair =>
  perAxis(a => convExtent(size[a], map.kernel[a], map.stride[a], map.padding[a], map.dilation[a]));

/** Height and width of the smallest image that a convolution takes to one of `size`. */
export const leastInputSize = (map: ConvMap, size: Pair): Pair =>
  perAxis(a => (size[a] - 1) * map.stride[a] - 2 * map.padding[a] + map.dilation[a] * (map.kernel[a] - 1) + 1);

/** The shape that `map` (or its adjoint, to an image of `size`) makes of `input`. */
export const outputShape = (map: LinearMap, input: Shape): Shape =>
  map.kind === 'dense' ? [map.out] : [map.out, ...outputSize(map, [input[1], input[2]])];

export const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/** e = stride / gcd(stride, dilation): the number of phases per axis. */
export const phases = (map: ConvMap): Pair => perAxis(a => map.stride[a] / gcd(map.stride[a], map.dilation[a]));

/** ⌈k/e⌉: taps of the polyphase kernel per axis. */
export const phaseTaps = (map: ConvMap): Pair => {
  const e = phases(map);
  return perAxis(a => Math.ceil(map.kernel[a] / e[a]));
};

/**
 * For the symbol of a kernel with `taps` taps on an axis, sampled at `grid` points of it: its degree taps − 1, or the least larger number that
 * divides `grid` and is not all of it; 0 for one tap. The samples bound the symbol up to 1/cos(π·this/(2·grid)) (proofs/, `sampled`).
 * undefined where there is no such number, and the samples say nothing.
 */
export const samplingDegree = (taps: number, grid: number): number | undefined => {
  if (taps === 1) return 0;
  for (let degree = taps - 1; 2 * degree <= grid; degree++) if (grid % degree === 0) return degree;
  return undefined;
};

/** A number of points that samples a kernel of so many taps an axis: the least multiple of both degrees from `least` on, or a power of 2. */
export const samplingGrid = (taps: Pair, least: number): number => {
  const [a, b] = taps.map(k => Math.max(k - 1, 1));
  const both = (a / gcd(a, b)) * b;
  if (both <= least) return Math.max(Math.ceil(least / both), 2) * both;
  return 2 ** Math.ceil(Math.log2(Math.max(least, 2 * a, 2 * b)));
};

/** Whether a kernel is one tap. */
export const isPointwise = (kernel: Pair): boolean => kernel[0] === 1 && kernel[1] === 1;

/** The tap in the middle; of an even number the first of the two. */
export const middleTap = (kernel: Pair): Pair => [Math.floor((kernel[0] - 1) / 2), Math.floor((kernel[1] - 1) / 2)];

/**
 * How many outputs read one input through one channel, at most: ‖conv‖² ≤ this · ‖K̂‖² for the kernel as a matrix K̂ out × in·kh·kw
 * (Tsuzuku, Sato & Sugiyama, NeurIPS 2018, with stride).
 */
export const overlap = (map: ConvMap): number => phaseTaps(map)[0] * phaseTaps(map)[1];

/**
 * Height and width of a torus on which the convolution of an image of `size` is a part of the circular one, for its polyphase kernel. In units of the
 * stride, outputs are at the places 0 … m − 1 and tap τ′ reads place p + f·τ′; of the places read, 0 … last, the image covers first … end. On N
 * places modulo N none is read for another if N > last − first, end; and outputs differ if N ≥ m. A circular image is its own torus.
 */
export const torusSize = (map: ConvMap, size: Pair): Pair =>
  perAxis(a => {
    const [stride, dilation, padding] = [map.stride[a], map.dilation[a], map.padding[a]];
    if (map.mode === 'circular') return size[a] / stride;
    const e = phases(map)[a];
    const made = outputSize(map, size)[a];
    const last = made - 1 + ((dilation * e) / stride) * (phaseTaps(map)[a] - 1);
    const first = Math.max(0, Math.floor((padding - dilation * (e - 1)) / stride));
    const end = Math.floor((size[a] - 1 + padding) / stride);
    return Math.max(made, last - first + 1, end + 1);
  });

/** Turns around a circular image, per axis, that the taps of a transposed convolution to an image of `size` go through; 1 with zeros. */
const turns = (map: ConvMap, size: Pair): Pair =>
  perAxis(a => {
    if (map.mode === 'zeros') return 1;
    const last =
      (outputSize(map, size)[a] - 1) * map.stride[a] - map.padding[a] + (map.kernel[a] - 1) * map.dilation[a];
    return Math.ceil(map.padding[a] / size[a]) + Math.floor(Math.max(last, 0) / size[a]) + 1;
  });

/** Terms of the sum that is one entry of Wx; of Wᵀu, for an image of `input`, those that are 0 by their place included. */
export const sumTerms = (map: LinearMap, input: Shape): { readonly forward: number; readonly adjoint: number } => {
  if (map.kind === 'dense') return { forward: map.in, adjoint: map.out };
  const taps = map.kernel[0] * map.kernel[1];
  const [th, tw] = turns(map, [input[1], input[2]]);
  return { forward: (map.in / map.groups) * taps, adjoint: (map.out / map.groups) * taps * th * tw };
};

/** How many taps of a kernel may fall on one pixel of an image of `input`: more than 1 only where a circular image is smaller than the kernel. */
export const tapsPerPixel = (map: LinearMap, input: Shape): number => {
  if (map.kind === 'dense' || map.mode === 'zeros') return 1;
  const [h, w] = perAxis(a => {
    const apart = input[1 + a] / gcd(input[1 + a], map.dilation[a]);
    return Math.ceil(map.kernel[a] / apart);
  });
  return h * w;
};

/**
 * Why circular padding of this geometry is not a subsampled convolution on a torus, whose bounds are those of the infinite lattice; undefined where
 * it is, and for zero padding. On a torus every output must be a different place, and rows of outputs must close up.
 */
export const circularFault = (
  map: ConvMap,
  size: Pair,
): { readonly message: string; readonly help: string } | undefined => {
  if (map.mode === 'zeros') return undefined;
  for (const a of [0, 1] as const) {
    const side = a === 0 ? 'rows' : 'columns';
    if (size[a] % map.stride[a] !== 0)
      return {
        message: `circular padding of ${size[a]} ${side} with stride ${map.stride[a]} leaves a seam where the stride does not close up`,
        help: `choose a stride that divides ${size[a]}, or pad with zeros`,
      };
    if (2 * map.padding[a] > map.dilation[a] * (map.kernel[a] - 1))
      return {
        message: `circular padding by ${map.padding[a]} ${side} on each side repeats outputs: the kernel spans ${map.dilation[a] * (map.kernel[a] - 1) + 1}`,
        help: 'leave the size to `padding = circular`',
      };
  }
  return undefined;
};
