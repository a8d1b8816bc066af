/** G ⪯ I, or G ⪯ (overlap)·I for a reshaped kernel: the rules of `by orthogonal(FAMILY)`. */
import type { Diagnostic } from '../../diagnostics.ts';
import { overlap, phaseTaps } from '../../ir/conv-geometry.ts';
import type { LinearMap } from '../../ir/network.ts';
import {
  type MatrixMethod,
  makesKernel,
  type NormScale,
  type OrthogonalMethod,
  SERIES_WINDOW,
} from '../../ir/orthogonal.ts';
import { compare, format, ONE, type Rational, rational, TWO, toNumber, ZERO } from '../../ir/rational.ts';
import { apply, asMatrix, type Derivation, type GramSide } from '../../proof/rules.ts';

type Refuse = (
  code: Diagnostic['code'],
  message: string,
  help: string,
  notes?: readonly string[],
  place?: Pick<Diagnostic, 'span' | 'fix'>,
) => undefined;

interface Question {
  readonly weight: string;
  readonly about: Readonly<Record<string, string>>;
  readonly refuse: Refuse;
}

/** What `scaled` guarantees: norm at most 1, or at most `limit` where it only clips. Undefined after refusing. */
const startOf = (scale: NormScale, limit: Rational, { weight, refuse }: Question): Rational | undefined => {
  if (scale.kind === 'none')
    return refuse(
      'L0213',
      `a weight of any norm enters the iteration that makes ${weight}, which bounds nothing from there`,
      'write `scale = clip`: a weight whose norm is small enough stays as it is',
      [],
      scale.span && { span: scale.span, fix: { span: scale.span, from: 'none', to: 'clip' } },
    );
  if (scale.kind !== 'frobenius' && !(Number.isSafeInteger(scale.steps) && scale.steps >= 1))
    return refuse('L0112', `Gram iteration needs at least one step, found ${scale.steps}`, 'write `norm_steps = 12`');
  if (scale.kind === 'clip') return limit;
  return compare(scale.eps, ZERO) >= 0
    ? ONE
    : refuse(
        'L0112',
        `${weight} divided by its norm plus ${format(scale.eps)} may be longer than 1`,
        '`scale_eps` must be at least 0',
      );
};

/** Below this share of the mean diagonal, f32 cannot tell a regularised matrix from a singular one, whose inverse means nothing. */
export const LEAST_EPS = rational(1, 1_000_000_000);

/** A rational for a message: exact where it is short. */
export const shortFormat = (r: Rational): string => {
  const text = format(r);
  return text.length <= 24 ? text : `about ${toNumber(r).toExponential(2)}`;
};

const bjorckStart = (steps: number, scale: NormScale, q: Question): Readonly<Record<string, Rational>> | undefined => {
  if (!Number.isSafeInteger(steps) || steps < 1)
    return q.refuse('L0112', `Björck's iteration needs at least one step, found ${steps}`, 'write `steps = 15`');
  const start = startOf(scale, TWO, q);
  return start && { steps: rational(steps), start };
};

const proveMatrix = (method: MatrixMethod, q: Question): Derivation | undefined => {
  const { weight, about, refuse } = q;
  switch (method.family) {
    case 'cayley':
      return apply('orthogonal-cayley', weight, [], {}, about);
    case 'householder':
      return apply('orthogonal-householder', weight, [], {}, about);
    case 'bro':
      return compare(method.eps, LEAST_EPS) >= 0
        ? apply('orthogonal-bro', weight, [], { eps: method.eps }, about)
        : refuse(
            'L0112',
            `\`eps\` must be positive, and at least 1e-9, found ${shortFormat(method.eps)}`,
            'VᵀV alone need not have an inverse',
          );
    case 'bjorck': {
      const constants = bjorckStart(method.steps, method.scale, q);
      return constants && apply('contraction-bjorck', weight, [], constants, about);
    }
    case 'exponential': {
      const window = SERIES_WINDOW.get(method.degree);
      if (!window)
        return refuse(
          'L0212',
          `the series of exp cut after degree ${method.degree} is no contraction: |1 + it + … + (it)^${method.degree}/${method.degree}!| is above 1 ${[1, 2].includes(method.degree % 4) ? 'for small t already' : 'for t of some size that is not known here'}`,
          `use one of the degrees ${[...SERIES_WINDOW.keys()].join(', ')}`,
        );
      const start = startOf(method.scale, window, q);
      const { degree, squarings } = method;
      const constants = { degree: rational(degree), squarings: rational(squarings), window };
      return start && apply('orthogonal-exponential', weight, [], constants, about);
    }
    case 'cholesky':
    case 'qr': {
      const eps = method.family === 'qr' ? ZERO : method.eps;
      return compare(eps, ZERO) >= 0
        ? apply('contraction-cholesky', weight, [], { eps }, about)
        : refuse('L0112', `\`eps\` must not be negative, found ${format(eps)}`, 'WWᵀ + eps·I must be at least WWᵀ');
    }
    default:
      return method satisfies never;
  }
};

/** G ⪯ T of the weight that `method` makes, for every value of what it is made of; or a refusal. */
export const proveOrthogonal = (
  map: LinearMap,
  method: OrthogonalMethod,
  side: GramSide,
  refuse: Refuse,
): Derivation | undefined => {
  const weight = map.weight.path;
  const about = { weight, side };
  const q = { weight, about, refuse };
  if (map.kind === 'dense')
    return makesKernel(method)
      ? refuse('L0112', `${method.family} makes kernels; ${weight} is a matrix`, 'use bjorck, or another family')
      : proveMatrix(method, q);
  if (makesKernel(method)) {
    if (map.groups > 1)
      return refuse(
        'L0112',
        `${method.family} makes one kernel for all channels; ${weight} has ${map.groups} groups`,
        'use bjorck or another family of matrices, which makes one for each group',
      );
    const constants = bjorckStart(method.steps, method.scale, q);
    if (!constants) return undefined;
    const kernel = rational(map.kernel[0]);
    return method.family === 'aoc' && method.last
      ? apply('orthogonal-strided', weight, [], { ...constants, kernel, stride: rational(map.stride[0]) }, about)
      : apply('orthogonal-bcop', weight, [], { ...constants, kernel }, about);
  }
  const [taps, factor] = [phaseTaps(map), rational(overlap(map))];
  const constants = { kh: rational(taps[0]), kw: rational(taps[1]), factor };
  if (method.family === 'cayley') return apply('orthogonal-reshaped', weight, [], constants, about);
  const name = asMatrix(weight);
  const matrix = proveMatrix(method, { ...q, weight: name, about: { ...about, weight: name } });
  return matrix && apply('reshaped-kernel', weight, [matrix], constants, about);
};
