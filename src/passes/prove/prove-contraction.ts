/** The prover's part for operator layers: linear maps of norm at most 1 that no stored kernel or matrix stands for, and sandwich layers. */
import type { ContractionMethod, LayerOp } from '../../ir/network.ts';
import { compare, format, mul, ONE, type Rational, rational, ZERO } from '../../ir/rational.ts';
import { apply, type Derivation, EXPONENTIAL_WINDOWS } from '../../proof/rules.ts';
import type { Refuse } from './prove.ts';
import { LEAST_EPS, shortFormat } from './prove-orthogonal.ts';

type Contraction = Extract<LayerOp, { kind: 'contraction' }>;
type Sandwich = Extract<LayerOp, { kind: 'sandwich' }>;

const SIDE = 'rows';

/** The matrices at each frequency are contractions, so the operator is. */
const everyFrequency = (weight: string, each: Derivation): Derivation => apply('contraction-fourier', weight, [each]);

const cayley = (weight: string): Derivation => apply('orthogonal-cayley', weight, [], {}, { weight, side: SIDE });

/** A norm just below the window of a degree, as one would write it. */
const largestNorm = (window: Rational): string => {
  const tenths = BigInt(Math.floor(10 * Math.sqrt(Number(window.num) / Number(window.den))));
  return format(rational(tenths, 10n));
};

const DEGREES = [...EXPONENTIAL_WINDOWS.keys()];

const proveExponential = (
  op: Contraction,
  method: Extract<ContractionMethod, { family: 'skew_exponential' }>,
  refuse: Refuse,
): Derivation | undefined => {
  const { degree, norm } = method;
  const window = EXPONENTIAL_WINDOWS.get(degree);
  if (!window)
    return refuse(
      'L0212',
      `the exponential series of a skew kernel cut after degree ${degree} is no contraction`,
      `use one of the degrees ${DEGREES.join(', ')}`,
      [
        degree % 4 === 1 || degree % 4 === 2
          ? `|1 + iy + … + (iy)^${degree}/${degree}!| exceeds 1 for every small y > 0: only degrees that leave the remainder 0 or 3 when divided by 4 stay below`
          : 'no window is known for this degree',
      ],
    );
  if (compare(mul(norm, norm), window) > 0 || compare(norm, ZERO) <= 0)
    return refuse(
      'L0212',
      `with degree ${degree} the skew kernel may have a norm of at most √(${format(window)}), but \`norm\` is ${format(norm)}`,
      `write \`norm = ${largestNorm(window)}\`, or a higher degree`,
      [`the eigenvalues iy of a skew kernel leave the interval where |1 + iy + … + (iy)^${degree}/${degree}!| ≤ 1`],
    );
  const [kh, kw] = op.kernel!;
  return apply(
    'contraction-skew-exponential',
    op.weight.path,
    [],
    {
      degree: rational(degree),
      norm,
      steps: rational(method.steps),
      kh: rational(kh),
      kw: rational(kw),
      factor: rational(kh * kw),
    },
    { weight: op.weight.path, side: SIDE },
  );
};

/** QQᵀ ⪯ I for the map Q of the layer, or a refusal. */
const proveNorm = (op: Contraction, refuse: Refuse): Derivation | undefined => {
  const { method } = op;
  const weight = op.weight.path;
  const about = { weight, side: SIDE };
  switch (method.family) {
    case 'cayley':
      return everyFrequency(weight, cayley(weight));
    case 'bro':
    case 'lot': {
      if (compare(method.eps, LEAST_EPS) < 0)
        return refuse(
          'L0112',
          `\`eps\` of \`fourier(${method.family})\` must be positive, and at least 1e-9, found ${shortFormat(method.eps)}: without it a matrix that is singular at one frequency has no inverse`,
          'leave `eps` out',
        );
      const each =
        method.family === 'bro'
          ? apply('orthogonal-bro', weight, [], { eps: method.eps }, about)
          : apply('contraction-whitening', weight, [], { eps: method.eps, steps: rational(method.steps) }, about);
      return everyFrequency(weight, each);
    }
    case 'skew_exponential':
      return proveExponential(op, method, refuse);
    case 'sandwich':
      return cayley(weight);
    default:
      return method satisfies never;
  }
};

/** The layer is 1-Lipschitz, or a refusal. */
export const proveContraction = (op: Contraction, path: string, refuse: Refuse): Derivation | undefined => {
  const norm = proveNorm(op, refuse);
  if (!norm) return undefined;
  if (op.method.family === 'sandwich' && op.method.part === 'product')
    // 2AᵀB is a sandwich layer around the identity, whose slope is 1.
    return apply('sandwich', path, [norm, apply('slope', 'identity', [], { a: ONE }, { function: 'leaky_relu' })]);
  const linear = apply('linear', path, [norm], {}, { side: 'out' });
  // B is [A B] behind zeros in front of x.
  return op.method.family === 'sandwich' ? apply('compose', path, [apply('zero-pad', path), linear]) : linear;
};

/** `slope` concludes that the activation has slopes in [0, 1]. */
export const proveSandwich = (op: Sandwich, path: string, slope: Derivation): Derivation => {
  const each = cayley(op.weight.path);
  return apply('sandwich', path, [op.kernel ? everyFrequency(op.weight.path, each) : each, slope]);
};
