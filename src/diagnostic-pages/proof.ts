/** Pages of the diagnostics of the proof (L02xx). */
import { type DiagnosticPage, net, page } from './page.ts';

export const PROOF_PAGES = {
  L0201: page(
    'composed Lipschitz bound over the budget',
    `The bound of a chain is the product of the bounds of its layers, in exact arithmetic. It must not exceed the budget (1 where none
is stated), or every certified radius would be too large by that factor. The notes of the message list the factors. A layer with a
rescaling contributes at most 1 for every value of its weights; \`scale\` by less than 1 and slopes beyond 1 contribute more.
Remove the factor, make up for it elsewhere, or state the larger budget: radii are then divided by the bound.`,
    net('x[8]', 'dense 8', 'leaky_relu 2', 'head 3'),
    net('x[8]', 'dense 8', 'leaky_relu 1/2', 'head 3'),
  ),
  L0202: page(
    'activation inside a residual without slopes in [0, 1]',
    `x − 2 W T⁻¹ σ(Wᵀx + b) is 1-Lipschitz because (σ(a) − σ(b))² ≤ (σ(a) − σ(b))(a − b): every difference quotient of σ must lie in
[0, 1]. relu, tanh, sigmoid and leaky_relu with a slope in [0, 1] qualify. abs has slopes down to −1, and maxmin and groupsort mix
units: with them inside, there are weights for which the layer expands distances, up to threefold. They are 1-Lipschitz by
themselves, between layers.`,
    net('x[8]', 'residual dense hidden = 4, act = abs', 'head 3'),
    net('x[8]', 'residual dense hidden = 4', 'abs', 'head 3'),
  ),
} satisfies Readonly<Record<string, DiagnosticPage>>;
