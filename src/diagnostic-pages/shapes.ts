/** Pages of the diagnostics of shapes and of the structure of a network (L0120–L0149). */
import { type DiagnosticPage, net, page } from './page.ts';

export const SHAPE_PAGES = {
  L0120: page(
    'an image where a vector is needed, or the reverse',
    '`conv`, `flatten` and `pad channels` take an image [channels, height, width]; `dense`, `head` and `pad features` take a\nvector. `flatten` turns the first into the second. `truncate` and `tile` name the axis they change: channels or features.',
    net('image[1, 8, 8]', 'dense 4'),
    net('image[1, 8, 8]', 'flatten', 'dense 4'),
  ),
  L0121: page(
    'the kernel is larger than the image',
    'A convolution needs a kernel that fits into the zero-padded image at least once.',
    net('image[1, 4, 4]', 'conv 4, kernel = 7, padding = 1'),
    net('image[1, 4, 4]', 'conv 4, kernel = 7, padding = 3'),
  ),
  L0122: page(
    'wrong number of channels in a list',
    '`center` and `scale` take one number for all channels, or one for each.',
    net('image[3, 8, 8]', 'center [0.4, 0.5]'),
    net('image[3, 8, 8]', 'center [0.4, 0.5, 0.6]'),
  ),
  L0123: page(
    'pooling blocks do not tile the image',
    '`avgpool k` sums disjoint k×k blocks and divides by k, which has norm exactly 1; `maxpool k` and `l2pool k` look at the same blocks. Rows and\ncolumns that fill no block would be dropped silently, and the average over a block cut off at the border ("ceil mode"), scaled like\nthat of a whole one, can multiply distances by k; so the sizes must divide. With a `stride` the windows are placed as asked for, and\nwhat fills none is dropped. `all` is one window over everything.',
    net('image[1, 28, 28]', 'avgpool 3'),
    net('image[1, 28, 28]', 'avgpool 4'),
  ),
  L0124: page(
    'padding cannot shrink, truncation cannot enlarge',
    '`pad channels to N` appends zero channels until there are N; `truncate channels to N` keeps the first N.',
    net('image[3, 8, 8]', 'pad channels to 2'),
    net('image[3, 8, 8]', 'pad channels to 8'),
  ),
  L0125: page(
    'channels do not divide into groups',
    '`groupsort k` sorts contiguous groups of k channels, `maxmin` with `pairs = halves`, `householder`, `halfabs` and `rabs` pair the\nfirst half of the channels with the second, and `tile` makes whole copies of all channels.',
    net('x[10]', 'groupsort 4'),
    net('x[10]', 'groupsort 5'),
  ),
  L0126: page(
    'wrong order of statements',
    'A network begins with one `input`; at least one layer follows; `head`, if there is one, comes last, because it is certified pairwise\nand is not 1-Lipschitz as a map of vectors.',
    net('x[8]', 'head 10', 'relu'),
    net('x[8]', 'relu', 'head 10'),
  ),
  L0127: page(
    'a clause or block that does not belong here',
    'Only `dense` and `conv` take `by`, only `pad`, `truncate` and `tile` take `to`, only `input` takes `in`, and only `repeat` takes a block.',
    net('x[8]', 'relu by aol'),
    net('x[8]', 'dense 8 by aol', 'relu'),
  ),
  L0128: page(
    'no residual form',
    'The residual form x − 2WT⁻¹σ(Wᵀx + b) exists for `dense` and `conv`. Other layers have nothing to rescale, and operators\n(`by fourier(…)`, `by skew_exponential`) have no matrix that could be used twice.',
    net('x[8]', 'residual relu'),
    net('x[8]', 'residual dense hidden = 8, act = relu'),
  ),
  L0129: page(
    'options that do not go together',
    'An option was given that another one makes meaningless, e.g. `grid`, which is the number of points at which `method = gram` looks at\nthe symbol of a convolution.',
    net('image[1, 8, 8]', 'conv 4 by spectral(method = operator, grid = 32)'),
    net('image[1, 8, 8]', 'conv 4 by spectral(method = gram, grid = 32)'),
  ),
  L0130: page(
    'no rescaling chosen',
    'Every `dense` and `conv` needs a rescaling, or nothing would bound its norm. It stands at the layer, in the header of the network for\nall layers, or in `--by`.',
    'network Net {\n  input x[8]\n  dense 4\n}\n',
    'network Net by aol {\n  input x[8]\n  dense 4\n}\n',
  ),
  L0131: page(
    'a classifier without a head',
    '`train` and `certify` need class scores and the distances between the rows of their weights, which `head` provides.',
    `${net('x[8]', 'dense 4')}train Net on mnist {\n  epochs 1\n}\n`,
    `${net('x[8]', 'dense 4', 'head 10')}train Net on mnist {\n  epochs 1\n}\n`,
  ),
  L0132: page(
    'a padding that no bound of the kernel covers',
    `Zeros around an image add nothing to its norm, so a kernel that is 1-Lipschitz on the infinite image is so on the padded one. Reflect
and replicate padding copy pixels into the border: a 3×3 kernel with a single 1 in its corner, of norm 1, shows the pixel next to a
corner of the image in four places, and the layer doubles its distance. Rescaling by the kernel alone cannot see that.`,
    net('image[3, 8, 8]', 'conv 4, padding = reflect by aol'),
    net('image[3, 8, 8]', 'conv 4 by aol'),
  ),
  L0133: page(
    'circular padding that does not close up',
    `With circular padding an image is a torus, and the bounds of a kernel on the infinite image hold on it as long as every output is
a place of its own and the same from row to row. A stride that does not divide the image meets itself at another phase after one turn,
and more padding than the kernel reaches over repeats outputs, which can stretch distances by √2 an axis.`,
    net('image[3, 9, 9]', 'conv 4, stride = 2, padding = circular by aol'),
    net('image[3, 9, 9]', 'conv 4, stride = 3, padding = circular by aol'),
  ),
  L0140: page(
    'a layer definition that lacks something',
    `A definition is \`layer name(options) (x: vec[n]) { … }\`: options are numbers or activations with a type \`slope[low, high]\`, the one
input is a \`vec[n]\` or an \`image[c, h, w]\`, parameters are \`vec\`, \`mat\` or \`conv\` with their sizes, and the last line is \`return\`.`,
    `layer own(x: vec[n]) {\n  param b: vec[n] = zeros\n}\n\n${net('x[8]', 'own', 'head 3')}`,
    `layer own(x: vec[n]) {\n  param b: vec[n] = zeros\n  return x + b\n}\n\n${net('x[8]', 'own', 'head 3')}`,
  ),
  L0141: page(
    'parts of a formula that do not fit together',
    `A formula multiplies matrices with matrices and vectors of matching sizes, adds vectors of one size (an image takes one number per
channel), and uses a diagonal T as \`inv(T)\` or \`invsqrt(T)\`. A matrix \`mat[m, n]\` takes a vector of n to one of m, its transpose
the other way.`,
    `layer own(x: vec[n]) {\n  param W: mat[n, 4] = xavier\n  return W * invsqrt(gershgorin(Wᵀ * W)) * x\n}\n\n${net('x[8]', 'own', 'head 3')}`,
    `layer own(x: vec[n]) {\n  param W: mat[n, 4] = xavier\n  return invsqrt(gershgorin(Wᵀ * W)) * Wᵀ * x\n}\n\n${net('x[8]', 'own', 'head 3')}`,
  ),
  L0142: page(
    'a parameter that nothing depends on',
    `No \`return\` of this definition depends on the parameter, so the layer goes without it: it is not stored, trained or counted. This is a
warning; the network is what it is without the line.`,
    `layer own(x: vec[n]) {\n  param b: vec[n] = zeros\n  param c: vec[n] = zeros\n  return x + b\n}\n\n${net('x[8]', 'own', 'head 3')}`,
    `layer own(x: vec[n]) {\n  param b: vec[n] = zeros\n  return x + b\n}\n\n${net('x[8]', 'own', 'head 3')}`,
  ),
} satisfies Readonly<Record<string, DiagnosticPage>>;
