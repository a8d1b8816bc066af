/** What people know from other tools and look for here: why it is missing, and what to write instead. */
import type { Help } from '../../diagnostics.ts';
import { ORTHOGONAL_FAMILIES } from '../../ir/orthogonal.ts';

/** A word of another tool; `to` where ours stands in its place. */
type Elsewhere = string | { readonly text: string; readonly to: string };

const LAYERS: Readonly<Record<string, Elsewhere>> = {
  gelu: 'its slopes leave [0, 1] (up to 1.13), so it is not 1-Lipschitz: use `relu`, `leaky_relu 1/10`, `tanh` or `maxmin`',
  silu: 'its slopes leave [0, 1] (up to 1.10), so it is not 1-Lipschitz: use `relu`, `leaky_relu 1/10`, `tanh` or `maxmin`',
  softmax: 'the loss applies it; certified radii are about the logits of `head`: leave it out',
  dropout: 'it has no part in a proven network: leave it out',
  batchnorm:
    'it divides by statistics of the batch, which no bound survives: `batchcenter` subtracts the mean without dividing',
  layernorm:
    'it divides by the norm of its input, which no bound survives: `layercenter` subtracts the mean without dividing',
  maxpool2d: { text: 'the layer is `maxpool 2`', to: 'maxpool' },
  avgpool2d: 'the layer is `avgpool 2`, the sum over a block divided so that its norm is 1',
  globalaveragepool: 'write `avgpool all`',
  adaptiveavgpool2d: 'write `avgpool all`',
  minmax: { text: 'write `maxmin`: the same up to the order of each pair', to: 'maxmin' },
  lprelu: { text: 'write `prelu`, whose slopes are clamped to [−1, 1]', to: 'prelu' },
  maxminconcat: { text: 'write `crelu`, which is (relu(x), relu(−x))', to: 'crelu' },
  sandwichfc: { text: 'write `sandwich N`', to: 'sandwich' },
  sandwichconv: { text: 'write `sandwich N, kernel = 3`', to: 'sandwich' },
  linear: { text: 'the affine layer is `dense N`', to: 'dense' },
  convtranspose2d: { text: 'the layer is `transposed conv N, stride = 2`', to: 'transposed conv' },
  pixelshuffle: { text: 'the layer is `depth_to_space 2`', to: 'depth_to_space' },
  pixelunshuffle: { text: 'the layer is `space_to_depth 2`', to: 'space_to_depth' },
  conv2d: { text: 'the layer is `conv N, kernel = 3`', to: 'conv' },
  fc: { text: 'the affine layer is `dense N`', to: 'dense' },
  fullyconnected: { text: 'the affine layer is `dense N`', to: 'dense' },
  view: { text: 'the layer that makes an image a vector is `flatten`', to: 'flatten' },
  reshape: { text: 'the layer that makes an image a vector is `flatten`', to: 'flatten' },
  normalize:
    'write `center 1/2` and `scale 1/4`: they subtract and divide, per channel where you give lists of numbers',
  adaptiveavgpool: 'write `avgpool all`',
  globalavgpool: 'write `avgpool all`',
  maxpooling: { text: 'the layer is `maxpool 2`', to: 'maxpool' },
  identity: 'a network goes on with the value it has: leave it out',
  sequential: 'layers follow one another, each on its own line: leave it out',
  for: { text: 'write `repeat N { … }`', to: 'repeat' },
  loop: { text: 'write `repeat N { … }`', to: 'repeat' },
  upsample: 'there is no interpolation; `depth_to_space 2` and `transposed conv N, stride = 2` enlarge images',
};

/** Names that mean an option of ours in whatever takes that option. */
const RENAMED: Readonly<Record<string, string>> = {
  kernel_size: 'kernel',
  ksize: 'kernel',
  filter_size: 'kernel',
  pad: 'padding',
  padding_mode: 'padding',
  strides: 'stride',
  dilation_rate: 'dilation',
  use_bias: 'bias',
  lr: 'rate',
  learning_rate: 'rate',
};

const OPTIONS: Readonly<Record<string, Elsewhere>> = {
  out_channels: 'the number of output channels is the first argument: `conv 64`',
  filters: 'the number of output channels is the first argument: `conv 64`',
  out_features: 'the number of outputs is the first argument: `dense 64`',
  units: 'the number of outputs is the first argument: `dense 64`',
  in_channels: 'the input follows from the line above: leave it out',
  in_features: 'the input follows from the line above: leave it out',
  channels: 'what changes the number of channels says `to`: `pad channels to 16`',
  features: 'what changes the number of features says `to`: `pad features to 16`',
  inplace: "memory is the compiler's matter: leave it out",
  ceil_mode:
    'windows that the border cuts off are not pooled: choose sizes that tile the image, or give a `stride` and lose the rest',
  act: 'an activation after a linear layer is a statement of its own, on the next line; `act` belongs to `residual`',
  activation: 'an activation after a linear layer is a statement of its own, on the next line',
};

const POWER_ITERATION: Elsewhere = {
  text: 'power iteration approaches the norm from below, so it is no upper bound; `spectral` bounds it from above',
  to: 'spectral',
};

const RESCALINGS: Readonly<Record<string, Elsewhere>> = {
  ...Object.fromEntries(
    ORTHOGONAL_FAMILIES.map(f => [f, { text: `write \`orthogonal(${f})\``, to: `orthogonal(${f})` }]),
  ),
  rko: 'write `orthogonal(bjorck)`: of a convolution it makes the reshaped kernel orthogonal',
  soc: { text: 'write `skew_exponential(degree = 12)`', to: 'skew_exponential(degree = 12)' },
  lot: { text: 'write `fourier(lot)`', to: 'fourier(lot)' },
  power_iteration: POWER_ITERATION,
  power: POWER_ITERATION,
  spectral_norm: POWER_ITERATION,
  spectral_normalization: POWER_ITERATION,
  cpl: 'a convex potential layer is `residual … by spectral`',
  lipschitz: 'every method is: write one of `spectral`, `orthogonal(cayley)`, `aol`, `sll`',
};

const find = (table: Readonly<Record<string, Elsewhere>>, key: string, name: string): Help | undefined => {
  const known = Object.hasOwn(table, key) ? table[key] : undefined;
  return typeof known === 'object' ? { ...known, from: name } : known;
};

/** Help for a layer that other tools have, undefined for any other name. */
export const layerElsewhere = (name: string): Help | undefined =>
  find(LAYERS, name.toLowerCase().replaceAll('_', ''), name);
/** Help for an option that layers of other tools have. */
export const optionElsewhere = (name: string, known: readonly string[]): Help | undefined => {
  const key = name.toLowerCase();
  const ours = Object.hasOwn(RENAMED, key) ? RENAMED[key] : undefined;
  return ours !== undefined && known.includes(ours)
    ? { text: `the option is \`${ours}\``, from: name, to: ours }
    : find(OPTIONS, key, name);
};

const RATE = 'the learning rate belongs to the optimizer: `optimizer adam(rate = 1/1000)`';

const SETTINGS: Readonly<Record<string, Elsewhere>> = {
  lr: RATE,
  learning_rate: RATE,
  batch_size: { text: 'write `batch 256`', to: 'batch' },
  num_epochs: { text: 'write `epochs 10`', to: 'epochs' },
  n_epochs: { text: 'write `epochs 10`', to: 'epochs' },
};
/** Help for a setting of training loops elsewhere. */
export const settingElsewhere = (name: string): Help | undefined => find(SETTINGS, name.toLowerCase(), name);
/** Help for what is meant by a method that has another name here. */
export const rescalingElsewhere = (name: string): Help | undefined => find(RESCALINGS, name.toLowerCase(), name);
