/** Pages of the diagnostics of names, arguments and constants (L0101–L0119). */
import { type DiagnosticPage, net, page } from './page.ts';

const classifier = net('image[1, 28, 28]', 'flatten', 'head 10');
const withTrain = (...settings: readonly string[]): string =>
  `${classifier}train Net on mnist {\n${settings.map(s => `  ${s}\n`).join('')}}\n`;
const withCertify = (header: string): string => `${classifier}${header}\n`;
const sized = (parameters: string, size: string): string =>
  `network Net(${parameters}) by sll {\n  input x[8]\n  dense ${size}\n}\n`;

export const NAME_PAGES = {
  L0101: page(
    'unknown layer or setting',
    'A statement begins with the name of a layer (in a `network`) or of a setting (in `train`).',
    net('x[8]', 'dens 4'),
    net('x[8]', 'dense 4'),
  ),
  L0102: page(
    'unknown option',
    'Options are given as `name = value`, and each layer has its own. A misspelt option is an error rather than ignored, because the\nnetwork would silently be another one.',
    net('image[1, 8, 8]', 'conv 4, krnel = 5'),
    net('image[1, 8, 8]', 'conv 4, kernel = 5'),
  ),
  L0103: page(
    'unknown name in an expression',
    'Sizes and constants may use the parameters of the network and the functions `sqrt`, `floor`, `min` and `max`.',
    sized('width = 4', 'widht * 2'),
    sized('width = 4', 'width * 2'),
  ),
  L0104: page(
    'unknown rescaling',
    'After `by` stands the way in which the rescaling T of a layer is found: `spectral`, `orthogonal`, `aol`, `sll`, or `own(…)` around a\ncombination of these: `max(a, b)`, `mix(a, b, 1/2)`, `3/2 * a`. Only diagonals that are known to dominate the Gram matrix of the\nweight can be written, so that the bound holds for all weights. `fourier(…)`,\n`skew_exponential` and `sandwich` replace a linear layer by an operator of norm at most 1.',
    net('x[8]', 'dense 4 by gershgorin'),
    net('x[8]', 'dense 4 by own(max(aol, sll))'),
  ),
  L0105: page(
    'unknown choice',
    'This option takes one of a few words.',
    net('x[8]', 'residual dense hidden = 4, act = gelu'),
    net('x[8]', 'residual dense hidden = 4, act = tanh'),
  ),
  L0106: page(
    'given twice',
    'A name, an option or a setting appears a second time. Which of the two is meant cannot be told.',
    withTrain('epochs 1', 'epochs 2'),
    withTrain('epochs 2'),
  ),
  L0107: page(
    'unknown network',
    '`train` and `certify` name a network of the same file.',
    withCertify('certify Nets on mnist at [36/255]'),
    withCertify('certify Net on mnist at [36/255]'),
  ),
  L0108: page(
    'unknown definition',
    'A file consists of `network`, `train` and `certify`.',
    withCertify('certfy Net on mnist at [36/255]'),
    withCertify('certify Net on mnist at [36/255]'),
  ),
  L0109: page(
    'a wrong value on the command line',
    '`--set NAME=VALUE` gives a value to a parameter in the header of a network, and `--by METHOD` replaces its rescaling. The name must\nbe one of the parameters, and the value an expression.',
    { source: sized('width = 4', 'width'), options: { set: { widht: '8' } } },
    { source: sized('width = 4', 'width'), options: { set: { width: '8' } } },
  ),
  L0110: page(
    'wrong arguments',
    'An argument is missing, or there is one too many.',
    net('x[8]', 'dense'),
    net('x[8]', 'dense 4'),
  ),
  L0111: page(
    'wrong kind of value',
    'A number stands where a list or a shape is needed, or the other way round.',
    net('64', 'dense 4'),
    net('x[64]', 'dense 4'),
  ),
  L0112: page(
    'value out of range',
    'Sizes are whole and positive; rates, temperatures and budgets are positive; probabilities and mixing weights lie in [0, 1].',
    net('x[8]', 'dense 9/2'),
    net('x[8]', 'dense floor(9/2)'),
  ),
  L0113: page(
    'division by zero',
    'A constant expression, or `scale`, divides by zero.',
    net('x[8]', 'scale 0'),
    net('x[8]', 'scale 2'),
  ),
  L0114: page(
    'an exact constant is needed',
    'Constants of a network enter its proof, which is done in exact rational arithmetic. An irrational number must be rounded by hand, to\nthe side that is safe. (Settings of `train` may be irrational.)',
    net('x[8]', 'scale sqrt(2)'),
    net('x[8]', 'scale 1414214/1000000'),
  ),
  L0115: page(
    'too large',
    'A network has at most 10,000 layers, and a tensor at most 2^28 entries (1 GiB). Counts beyond that are taken for a slip of the pen\nbefore they exhaust the memory.',
    net('x[8]', 'repeat 1e12 { residual dense hidden = 4 }'),
    net('x[8]', 'repeat 12 { residual dense hidden = 4 }'),
  ),
  L0116: page(
    'a number with too many digits, or too large',
    'Constants are exact, so their length grows with every operation. Numbers of more than 4096 bits (about 1200 digits) are refused,\nand so are those above 3·10^38, which are infinite in 32-bit floating point.',
    net('x[8]', 'center 1e900 * 1e900'),
    net('x[8]', 'center 1e3 * 1e3'),
  ),
} satisfies Readonly<Record<string, DiagnosticPage>>;
