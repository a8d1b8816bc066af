/** Pages of the diagnostics of the proof (L02xx). */
import { type DiagnosticPage, net, page } from './page.ts';

/** A network with one layer whose formula is `value`. */
const formula = (value: string): string =>
  `layer own(x: vec[n]) {\n  param W: mat[n, 4] = xavier\n  return ${value}\n}\n\n${net('x[8]', 'own', 'head 3')}`;

export const PROOF_PAGES = {
  L0201: page(
    'composed Lipschitz bound over the budget',
    `The bound of a chain is the product of the bounds of its layers, in exact arithmetic. It must not exceed the budget (1 where none
is stated), or every certified radius would be too large by that factor. The notes of the message list the factors. A layer with a
rescaling contributes at most 1 for every value of its weights; \`scale\` by less than 1 and slopes beyond 1 contribute more.
Branches of one value contribute together: a sum Σ|a|L, so \`x + f(x)\` has the bound 2; a \`mix\` the larger of its two; \`concat\`, \`max\` and
\`min\` √(ΣL²), but the parts of a \`split\` side by side the largest. A branch may have a budget of its own, which counts from the value it begins with.
Remove the factor, make up for it elsewhere, or state the larger budget: radii are then divided by the bound.`,
    net('x[8]', 'dense 8', 'leaky_relu 2', 'head 3'),
    net('x[8]', 'dense 8', 'leaky_relu 1/2', 'head 3'),
  ),
  L0202: page(
    'activation inside a residual without slopes in [0, 1]',
    `x − 2 W T⁻¹ σ(Wᵀx + b) is 1-Lipschitz because (σ(a) − σ(b))² ≤ (σ(a) − σ(b))(a − b): every difference quotient of σ must lie in
[0, 1]. relu, tanh, sigmoid and leaky_relu with a slope in [0, 1] qualify. abs has slopes down to −1, and maxmin and groupsort mix
units: with them inside, there are weights for which the layer expands distances, threefold for abs and without limit for the
others under learnt q. They are 1-Lipschitz by themselves, between layers.`,
    net('x[8]', 'residual dense hidden = 4, act = abs', 'head 3'),
    net('x[8]', 'residual dense hidden = 4', 'abs', 'head 3'),
  ),
  L0203: page(
    'a residual that the residual rule does not cover, or a T that is not known to dominate',
    `x − 2 W T⁻¹ σ(Wᵀx + b) is 1-Lipschitz for every W, b when σ has slopes in [0, 1], T ⪰ WᵀW for every value of the parameters, and
both uses of W are one tensor; with h·x and another factor c in place of x and 2 its bound is max(|h|, |h − c|). The message underlines what breaks one of these. T ⪰ WᵀW is known for
gershgorin(Wᵀ * W, p) with positive p, spectral, frobenius and schur of Wᵀ * W, for their maximum, for sums with factors of at least 0
that add up to at least 1, and for those plus a number of at least 0. With T too small by any factor, or with a Gram matrix of the
other side, there are weights for which the layer expands distances.`,
    formula('x - 2 * W * inv(1/2 * gershgorin(Wᵀ * W)) * relu(Wᵀ * x)'),
    formula('x - 2 * W * inv(gershgorin(Wᵀ * W)) * relu(Wᵀ * x)'),
  ),
  L0204: page(
    'a part of a layer definition that no rule bounds',
    `A formula is 1-Lipschitz when it is made of parts with known bounds: W * invsqrt(T) or invsqrt(T) * W with T ⪰ WᵀW or T ⪰ WWᵀ,
activations, residuals, and compositions and sums of these. A weight alone may have any norm, so nothing that contains one bare is
bounded for every value of the weight. Nothing unknown counts as 1.`,
    formula('W * relu(Wᵀ * x)'),
    formula('W * invsqrt(gershgorin(Wᵀ * W)) * relu(invsqrt(gershgorin(Wᵀ * W)) * Wᵀ * x)'),
  ),
  L0205: page(
    'an estimate in the place of a bound',
    `T ⪰ WᵀW must hold for every weight. Power iteration finds ‖Wv‖ for some v, which is at most ‖W‖: T is then too small unless the
iteration has met the largest singular vector, and a start that it never leaves can be had for any number of steps. The norm from a
Fourier transform of the image's size is that of the circular convolution; the zero-padded one may be larger (the kernel 1, −2, 1 on 3
pixels: 3 against 3.41). Gram iteration approaches the norm from above, as fast.`,
    net('x[8]', 'residual dense hidden = 4 by spectral(method = power)', 'head 3'),
    net('x[8]', 'residual dense hidden = 4 by spectral(method = gram)', 'head 3'),
  ),
  L0212: page(
    'a truncated exponential that is no contraction',
    `The exponential of a skew kernel is orthogonal; its series cut after a degree is not. The eigenvalues of a skew kernel are iy, and
|1 + iy + … + (iy)^d/d!| exceeds 1 for every small y > 0 when d leaves the remainder 1 or 2 on division by 4: degree 5 reaches 1.0047
at norm 2.1. For the degrees 3, 4, 7, 8, 11 and 12 it stays at most 1 as long as the kernel's norm is at most 1.73, 2.82, 1.76,
3.39, 1.7 and 3.37. \`norm\` is that norm: the kernel is divided by a proven bound and multiplied by it.`,
    net('image[2, 6, 6]', 'conv 2, kernel = 3 by skew_exponential(degree = 5)', 'flatten', 'head 3'),
    net('image[2, 6, 6]', 'conv 2, kernel = 3 by skew_exponential(degree = 12)', 'flatten', 'head 3'),
  ),
  L0213: page(
    'an iteration that starts from a weight of any norm',
    `Björck's step takes a singular value s to s(3 − s²)/2. For s up to 2 that lies in [−1, 1], and one step is enough for norm 1; beyond √5 it
moves away, and after a few steps exceeds any number. So the weight must be brought to a norm that is known, by a bound that is
proven: \`scale = gram\` divides by one, \`scale = clip\` only where the bound is above what the iteration can take. The series of exp
needs the same.`,
    net('x[8]', 'dense 8 by orthogonal(bjorck, scale = none)', 'head 3'),
    net('x[8]', 'dense 8 by orthogonal(bjorck, scale = clip)', 'head 3'),
  ),
  L0214: page(
    'right over the reals, wrong in f32',
    `The Householder activation of order 2 is 1-Lipschitz over the reals. Code that finds the sector of a pair by its angle takes the angle
modulo 2π: of an angle just below 0 that is just below 2π, which in f32 rounds to 2π itself. No sector holds it, the output is 0, and two
inputs 1e-7 apart have images at distance 1. Signs of products tell the sector without an angle, and err by rounding only.`,
    net('x[8]', 'householder order = 2, sectors = angle', 'head 3'),
    net('x[8]', 'householder order = 2', 'head 3'),
  ),
} satisfies Readonly<Record<string, DiagnosticPage>>;
