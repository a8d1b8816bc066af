/** Words of the language that are no definitions of the library, for `lip explain WORD`. The tests prove every network here. */
import type { RuleName } from './proof/rules.ts';

export interface WordPage {
  /** What kind of word it is: "an activation". */
  readonly kind: string;
  readonly what: string;
  /** The input of the network in which `use` stands, and the lines of it. */
  readonly input: string;
  readonly use: readonly string[];
  /** Rules of the prover that it is believed by. */
  readonly rules?: readonly RuleName[];
}

const page = (
  kind: string,
  what: string,
  input: string,
  use: string | readonly string[],
  ...rules: readonly RuleName[]
): WordPage => ({ kind, what, input, use: typeof use === 'string' ? [use] : use, ...(rules.length > 0 && { rules }) });

const IMAGE = 'image[4, 8, 8]';
const VECTOR = 'x[8]';

const activation = (what: string, use: string | readonly string[], ...rules: readonly RuleName[]): WordPage =>
  page('an activation', what, VECTOR, use, ...rules);

const INSIDE =
  'Its slopes lie in [0, 1], so it may stand inside a residual layer (`act = …`) as well as between layers.';
const BETWEEN = 'It stands between layers, never inside a residual: it is 1-Lipschitz, but has no slope in [0, 1].';

const pooling = (what: string, use: string | readonly string[], ...rules: readonly RuleName[]): WordPage =>
  page('a pooling, of images and vectors', what, IMAGE, use, ...rules);

const family = (what: string, use: string | readonly string[], ...rules: readonly RuleName[]): WordPage =>
  page('a family of `by orthogonal(…)`', what, VECTOR, use, ...rules);

const kernels = (what: string, use: string, ...rules: readonly RuleName[]): WordPage =>
  page('a family of `by orthogonal(…)`, for convolutions', what, IMAGE, use, ...rules);

const join = (what: string, use: readonly string[], ...rules: readonly RuleName[]): WordPage =>
  page('what is made of several values', what, VECTOR, use, ...rules);

const channels = (
  what: string,
  input: string,
  use: string | readonly string[],
  ...rules: readonly RuleName[]
): WordPage => page('a layer without a weight matrix', what, input, use, ...rules);

export const WORD_PAGES: Readonly<Record<string, WordPage>> = {
  relu: activation(`max(x, 0). ${INSIDE}`, ['relu', 'residual dense hidden = 8, act = relu'], 'elementwise'),
  leaky_relu: activation(
    'x where x ≥ 0, a·x elsewhere. With a in [0, 1] it may stand inside a residual layer; |a| above 1 raises the bound.',
    ['leaky_relu 1/10', 'residual dense hidden = 8, act = leaky_relu(1/10)'],
    'elementwise',
  ),
  tanh: activation(INSIDE, ['tanh', 'residual dense hidden = 8, act = tanh'], 'elementwise'),
  sigmoid: activation(INSIDE, ['sigmoid', 'residual dense hidden = 8, act = sigmoid'], 'elementwise'),
  abs: activation(`|x|. ${BETWEEN}`, 'abs', 'elementwise'),
  prelu: activation(
    `A leaky_relu whose slope is learnt for each channel and clamped to [−1, 1]. ${BETWEEN}`,
    'prelu',
    'channelwise',
  ),
  halfabs: activation(
    `The first half of the channels unchanged, |x| of the second. ${BETWEEN}`,
    'halfabs',
    'channelwise',
  ),
  rabs: activation(`(p + q, p − q)/√2 for the halves p, q of |x|. ${BETWEEN}`, 'rabs', 'rotate-halves'),
  crelu: activation(`(relu(x), relu(−x)): twice as many channels. ${BETWEEN}`, 'crelu', 'concatenated-relu'),
  maxmin: activation(
    `(max, min) of each pair of channels: of neighbours, or with \`pairs = halves\` of the two halves. ${BETWEEN}`,
    ['maxmin', 'maxmin pairs = halves'],
    'sort',
  ),
  groupsort: activation(
    `Sorts within groups of so many channels. \`maxmin\` is the case of two. ${BETWEEN}`,
    'groupsort 4',
    'sort',
  ),
  householder: activation(
    `z − 2v·relu(vᵀz) on pairs of channels, v a learnt direction; \`order = 2\` folds twice. ${BETWEEN}`,
    ['householder', 'householder order = 2'],
    'householder-activation',
  ),
  avgpool: pooling(
    'The sum of a window divided by the norm of that sum, not by the number of entries: the bound is exactly 1. `all` is one window over everything.',
    ['avgpool 2', 'avgpool all', 'avgpool 4, stride = 2'],
    'block-average',
    'average-pool',
  ),
  maxpool: pooling(
    'The largest entry of a window. Windows that overlap have a bound above 1.',
    'maxpool 2',
    'max-pool',
  ),
  l2pool: pooling('The Euclidean norm of a window. Windows that overlap have a bound above 1.', 'l2pool 2', 'l2-pool'),
  center: channels('Subtracts a number, or one for each channel.', VECTOR, 'center 1/2', 'translate'),
  scale: channels(
    'Divides by a number, or one for each channel. The bound is 1 over the least: `scale 1/4` has bound 4, which a `budget` must allow for.',
    VECTOR,
    'scale 2',
    'divide',
  ),
  batchcenter: channels(
    'Subtracts a running mean for each channel, and divides by nothing.',
    IMAGE,
    'batchcenter',
    'batch-center',
  ),
  layercenter: channels('Subtracts the mean of all entries.', VECTOR, 'layercenter', 'layer-center'),
  gain: channels('Multiplies each channel by a learnt sine, at most 1.', VECTOR, 'gain', 'bounded-gain'),
  pad: channels(
    'Appends channels (of an image) or features (of a vector) that are 0.',
    IMAGE,
    'pad channels to 16',
    'zero-pad',
  ),
  truncate: channels('Keeps the first channels or features.', IMAGE, 'truncate channels to 2', 'gather'),
  tile: channels(
    'Copies the channels or features, divided by the root of their number.',
    IMAGE,
    'tile channels to 16',
    'copies',
  ),
  flatten: channels('An image as a vector.', IMAGE, 'flatten', 'reindex'),
  space_to_depth: channels('Moves blocks of pixels into channels.', IMAGE, 'space_to_depth 2', 'reindex'),
  depth_to_space: channels('Moves channels into blocks of pixels.', IMAGE, 'depth_to_space 2', 'reindex'),
  head: page(
    'the last layer of a classifier',
    'One row for each class, divided by its norm. Logits are certified in pairs, by the norms of differences of rows; as a map of vectors a head is not bounded by 1, so nothing comes after it.',
    VECTOR,
    'head 10',
    'pairwise-head',
  ),
  sandwich: page(
    'a layer with an activation inside, and a way to make a linear one',
    '√2 AᵀΨσ(√2 Ψ⁻¹Bx + b) with AAᵀ + BBᵀ = I: of vectors as it is, of images with a `kernel`.',
    VECTOR,
    ['sandwich 16', 'sandwich 16, act = tanh'],
    'sandwich',
  ),
  orthogonal: page(
    'a way to make T = I, after `by`',
    'A matrix of norm at most 1 takes the place of the weight, made from what is learnt by one of the families cayley, householder, bro, bjorck, exponential, cholesky, qr, and for kernels bcop, aoc.',
    VECTOR,
    ['dense 8 by orthogonal(cayley)', 'residual dense hidden = 8 by orthogonal(bjorck)'],
  ),
  own: page(
    'a way to combine rescalings, after `by`',
    'Maxima, mixtures and multiples of rescalings dominate again: `max(a, b)`, `mix(a, b, 1/2)` for (1 − w) a + w b, `3/2 * a`. Of a maximum one part that dominates is enough.',
    VECTOR,
    ['dense 8 by own(max(aol, 3/2 * spectral))', 'dense 8 by own(mix(aol, sll, 1/2))'],
    'dominance-max',
    'dominance-convex',
    'dominance-scale',
  ),
  fourier: page(
    'a way to make a convolution, after `by`',
    'An operator that is a matrix of norm at most 1 at every frequency of the image: fourier(cayley), fourier(bro), fourier(lot).',
    IMAGE,
    'conv 8, kernel = 3 by fourier(cayley)',
    'contraction-fourier',
  ),
  lot: page(
    'a family of `by fourier(…)`',
    'Whitening of the kernel at every frequency by Newton–Schulz steps.',
    IMAGE,
    'conv 8, kernel = 3 by fourier(lot, steps = 10)',
    'contraction-whitening',
  ),
  skew_exponential: page(
    'a way to make a convolution, after `by`',
    'A truncated exponential of a skew kernel (SOC). Degrees whose series stay in the unit disc are 3, 4, 7, 8, 11 and 12.',
    IMAGE,
    'conv 8, kernel = 3 by skew_exponential(degree = 12)',
    'contraction-skew-exponential',
  ),
  cayley: family(
    'The Cayley transform: orthonormal columns or rows.',
    ['dense 8 by orthogonal(cayley)', 'dense 8 by orthogonal(cayley, parameter = lower)'],
    'orthogonal-cayley',
  ),
  bro: family(
    'A block reflector I − 2V(VᵀV)⁻¹Vᵀ of a given rank.',
    'dense 8 by orthogonal(bro, rank = 4)',
    'orthogonal-bro',
  ),
  bjorck: family(
    'Steps W ← (3W − WWᵀW)/2 from a weight divided by a bound of its norm: norm at most 1 after any number of them.',
    'dense 8 by orthogonal(bjorck, steps = 20)',
    'contraction-bjorck',
  ),
  exponential: family(
    'A truncated exponential of a skew matrix.',
    'dense 8 by orthogonal(exponential)',
    'orthogonal-exponential',
  ),
  cholesky: family('Whitening by a Cholesky factor of WWᵀ.', 'dense 8 by orthogonal(cholesky)', 'contraction-cholesky'),
  qr: family('Gram–Schmidt.', 'dense 8 by orthogonal(qr)', 'contraction-cholesky'),
  bcop: kernels(
    'A product of 2×2 kernels made of projections: orthogonal as a convolution.',
    'conv 8, kernel = 3 by orthogonal(bcop)',
    'orthogonal-bcop',
  ),
  aoc: kernels(
    'As `bcop`, with strides.',
    'conv 8, kernel = 4, stride = 2, padding = circular by orthogonal(aoc)',
    'orthogonal-strided',
  ),
  mix: join(
    'A convex mix of two values, its weight learnt or given: the larger of the two bounds. Inside `own(…)`, of two rescalings.',
    ['let f = it |> residual dense hidden = 8', 'mix(it, f)'],
    'mix',
  ),
  concat: join(
    'Side by side: √(Σ L²) of values with one origin, the larger bound of disjoint parts.',
    ['let kept, rest = split(it)', 'let bent = rest |> relu', 'concat(kept, bent)'],
    'split',
  ),
  split: join('Parts of a value: equal ones, or as listed.', ['let a, b = split(it, [2, 6])', 'concat(a, b)'], 'split'),
  slice: join('A part of a value: where it starts, and how long it is.', ['slice(it, 0, 4)'], 'gather'),
  max: join(
    'The larger entry of several values, with bound √(Σ L²). Of numbers, the larger; of rescalings in `own(…)`, one that dominates.',
    ['budget 3/2', 'let f = it |> relu', 'max(it, f)'],
    'maximum',
  ),
  min: join(
    'The smaller entry of several values, with bound √(Σ L²).',
    ['budget 3/2', 'let f = it |> relu', 'min(it, f)'],
    'maximum',
  ),
  let: page(
    'gives a value a name',
    '`it` is the value so far, and `|>` hands a value on to a layer. A line with `let` leaves the value so far as it was.',
    VECTOR,
    ['let f = it |> dense 8 |> relu', '1/2 * it + 1/2 * f'],
    'sum',
  ),
  it: page('the value so far', 'What the line above made; the input at first.', VECTOR, [
    'let f = it |> relu',
    '1/2 * it + 1/2 * f',
  ]),
  repeat: page('repeats a block', 'Each time with weights of its own.', VECTOR, [
    'repeat 3 { residual dense hidden = 8 }',
  ]),
  budget: page(
    'the Lipschitz bound to be proven',
    'Of the network up to its head, 1 where nothing is said; at the end of a line of values, of that part. Radii are divided by the bound.',
    VECTOR,
    ['budget 2', 'it |> relu budget 1', 'scale 1/2'],
    'weaken',
    'sub-budget',
  ),
  input: page(
    'what the network reads',
    '`image[channels, height, width]` or `NAME[features]`, with its range if it has one.',
    'image[1, 8, 8] in [0, 1]',
    ['flatten'],
  ),
  residual: page(
    'the residual form of a layer',
    'x − 2 W T⁻¹ σ(Wᵀx + b), with WᵀW ⪯ T and slopes of σ in [0, 1]: `residual dense` and `residual conv`. Around several layers a skip connection is a sum.',
    VECTOR,
    'residual dense hidden = 16',
    'residual',
  ),
  transposed: page(
    'the adjoint of a convolution',
    '`transposed conv`, which enlarges images by its stride.',
    IMAGE,
    'transposed conv 4, stride = 2',
    'linear-adjoint',
  ),
};
