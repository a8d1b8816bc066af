/** Formulas that are built-in layer forms become those: same values, and all that is known of those forms. */
import { describe, expect, it } from 'vitest';
import { provenFrom } from '../../../src/fixtures/compile-source.ts';
import { interpret } from '../../../src/ir/interpret.ts';
import { elements, networkParams } from '../../../src/ir/network.ts';
import { printOp } from '../../../src/ir/print-network.ts';
import { toNumber } from '../../../src/ir/rational.ts';
import { GraphBuilder } from '../../../src/ir/tensor.ts';
import { lowerNetwork } from '../../../src/passes/lower/lower.ts';
import { coqFile } from '../../../src/proof/coq.ts';
import { gradientError, gradientGraph, noise } from '../../gradient.ts';
import { certify, verdictOf } from '../../proof/certified.ts';

type Proven = ReturnType<typeof provenFrom>;

const layer = (input: string, ...body: readonly string[]): string => `layer own(act: slope[0, 1] = relu) (x: ${
  input.startsWith('x') ? 'vec[n]' : 'image[n, h, w]'
}) {
${body.map(l => `  ${l}\n`).join('')}}
network N {
  budget 10
  input ${input}
  own
}
`;

const randomParams = (proven: Proven, seed: number, size = 1): Map<string, Float64Array> =>
  new Map(networkParams(proven.network).map((p, i) => [p.path, noise(elements(p.shape), seed + i).map(v => v * size)]));

const outputOf = (
  proven: Proven,
  params: ReadonlyMap<string, Float64Array>,
  x: Float64Array,
  mode: 'train' | 'inference',
): Float64Array => {
  const b = new GraphBuilder();
  const batch = x.length / elements(proven.network.input.shape);
  b.output('y', lowerNetwork(b, proven, b.input('x', [batch, ...proven.network.input.shape]), mode).features);
  return interpret(b.finish(), { inputs: new Map([['x', x]]), params }).outputs.get('y')! as Float64Array;
};

const W = 'param W: mat[n, 4] = xavier';
const V = 'param W: mat[4, n] = xavier';
const K = 'param W: conv[n, 2, 3, 5] = xavier';
const b = (n: string | number): string => `param b: vec[${n}] = zeros`;
const q = 'param q: vec[4] = zeros';

const cases: readonly (readonly [string, string, readonly string[], string])[] = [
  [
    'x[5]',
    'a residual stored the other way',
    [W, b(4), 'return x - 2 * W * inv(gershgorin(Wᵀ * W)) * act(Wᵀ * x + b)'],
    'residual dense 5 -> 4, stored transposed, act = relu by aol',
  ],
  [
    'image[4, 3, 4]',
    'a convolution stored the other way',
    [K, b(2), 'return x - 2 * W * inv(frobenius(Wᵀ * W)) * tanh(Wᵀ * x + b)'],
    'residual conv 4 -> 2, kernel = 3x5, padding = 1x2, stored transposed, act = tanh by frobenius',
  ],
  [
    'image[4, 3, 4]',
    'the adjoint of a convolution, rescaled at its outputs',
    [K.replace('n, 2', '4, 2'), b(2), 'return invsqrt(schur(Wᵀ * W) + 1/9) * Wᵀ * x + b'],
    'conv 4 -> 2, kernel = 3x5, padding = 1x2, stored transposed, side = out by schur(eps = 1/9)',
  ],
  [
    'x[5]',
    'another share of the branch',
    [V, q, 'return 1/2 * x - Wᵀ * inv(gershgorin(W * Wᵀ, exp(q) + 1/3)) * act(W * x)'],
    'residual dense 5 -> 4, bias = false, identity = 1/2, factor = 1, act = relu by sll(shift = 1/3)',
  ],
  [
    'x[5]',
    'an added branch',
    [V, 'return x + 1/2 * Wᵀ * inv(gershgorin(W * Wᵀ)) * act(W * x)'],
    'residual dense 5 -> 4, bias = false, factor = -1/2, act = relu by aol',
  ],
  [
    'x[5]',
    'a branch alone',
    [V, 'return -2 * Wᵀ * inv(spectral(W * Wᵀ)) * act(W * x)'],
    'residual dense 5 -> 4, bias = false, identity = 0, act = relu by spectral(steps = 12)',
  ],
  [
    'x[5]',
    'a mix, scaled and shifted',
    [
      V,
      q,
      b(4),
      'return x - 2 * Wᵀ * inv(1/2 * gershgorin(W * Wᵀ, exp(q)) + 3/2 * schur(W * Wᵀ) + 1/4) * act(W * x + b)',
    ],
    'residual dense 5 -> 4, act = relu by 2 * mix(1/4: sll(eps = 1/8), 3/4: schur(eps = 1/8))',
  ],
  [
    'x[5]',
    'the larger of two',
    [W, q, 'return invsqrt(max(gershgorin(Wᵀ * W, exp(q)), frobenius(Wᵀ * W)) + 1/8) * Wᵀ * x'],
    'dense 5 -> 4, stored transposed, bias = false, side = out by max(sll(eps = 1/8), frobenius(eps = 1/8))',
  ],
  [
    'x[5]',
    'the larger of one that dominates and one that need not',
    [W, q, 'return invsqrt(max(1/2 * frobenius(Wᵀ * W), gershgorin(Wᵀ * W, exp(q))) + 1/8) * Wᵀ * x'],
    'dense 5 -> 4, stored transposed, bias = false, side = out by max(1/2 * frobenius(eps = 1/4), sll(eps = 1/8))',
  ],
];

describe('recognised formulas', () => {
  it('go without a parameter that they do not read', () => {
    const proven = provenFrom(layer('x[5]', W, q, b(4), 'return invsqrt(gershgorin(Wᵀ * W)) * Wᵀ * x'));
    const [{ op, path }] = proven.network.layers;
    expect(op.kind).toBe('linear');
    expect(networkParams(proven.network).map(p => p.path)).toEqual([`${path}.W`]);
  });

  it.each(cases)('%s: %s', (input, _, body, op) => {
    const proven = provenFrom(layer(input, ...body));
    expect(printOp(proven.network.layers[0].op)).toBe(op);
    // Twice a translation, so that it is no bias: both stay formulas.
    const { shape } = proven.network.layers[0];
    const last = body.at(-1)!;
    const standard = last.replace(/return (x \+ 1\/2|-2)/, 'return x - 2');
    const kept = [...body.slice(0, -1), `param s: vec[${shape[0]}] = zeros`, `${standard} + 2 * s`];
    const formula = provenFrom(layer(input, ...kept));
    expect(formula.network.layers[0].op.kind).toBe('formula');

    const params = randomParams(proven, 3);
    const x = noise(3 * elements(proven.network.input.shape), 9);
    const zeros = new Map([...params, ['own[0].s', new Float64Array(shape[0])]]);
    const y = outputOf(formula, zeros, x, 'train');
    // What the formula prover does not take: h·x − c·B(x), B(x) = (x − y)/2.
    const [h, c] = standard === last ? [] : last.includes('1/2') ? [1, -1 / 2] : [0, 2];
    const expected = h === undefined ? y : x.map((v, i) => h * v - (c! * (v - y[i])) / 2);
    for (const mode of ['train', 'inference'] as const)
      outputOf(proven, params, x, mode).forEach((v, i) => {
        expect(v).toBeCloseTo(expected[i], 11);
      });
  });

  it.each(cases)('%s: %s keeps its bound, and has gradients', (input, _, body) => {
    const proven = provenFrom(layer(input, ...body));
    const size = elements(proven.network.input.shape);
    const bound = Math.sqrt(toNumber(proven.squared));
    let worst = 0;
    for (let trial = 0; trial < 60; trial++) {
      const params = randomParams(proven, 50 * trial, 10 ** ((trial % 3) - 1));
      const at = noise(size, trial);
      const to = noise(size, 99 + trial).map((v, i) => at[i] + 10 ** -(trial % 4) * v);
      const y = outputOf(proven, params, Float64Array.from([...at, ...to]), 'inference');
      const half = y.length / 2;
      const moved = Math.hypot(...y.slice(0, half).map((v, i) => v - y[half + i]));
      worst = Math.max(worst, moved / Math.hypot(...at.map((v, i) => v - to[i])));
    }
    expect(worst).toBeLessThan(bound * (1 + 1e-9));
    expect(worst).toBeGreaterThan(bound / 10);

    const params = randomParams(proven, 11);
    const { graph, seedLength } = gradientGraph(g => {
      const x = g.input('x', [2, ...proven.network.input.shape]);
      const wrt = Object.fromEntries(networkParams(proven.network).map(p => [p.path, g.param(p.path, p.shape)]));
      return { y: lowerNetwork(g, proven, x, 'train').features, wrt: { x, ...wrt } };
    });
    const inputs = new Map([
      ['x', noise(2 * size, 5)],
      ['seed', noise(seedLength, 6)],
    ]);
    for (const [path, value] of params)
      expect(gradientError(graph, { inputs, params }, 'params', path, [...value.keys()], 1e-6), path).toBeLessThan(
        5e-7,
      );
  });

  it.each([
    ['the inverse alone on an orthogonal side', 'x - 2 * W * inv(gershgorin(W * Wᵀ)) * act(Wᵀ * x)', 'mat[n, n]'],
    [
      'the larger of two that need not dominate',
      'x - 2 * W * inv(max(1/2 * schur(Wᵀ * W), 2/3 * frobenius(Wᵀ * W))) * act(Wᵀ * x)',
      'mat[n, 4]',
    ],
    ['T scaled down', 'x - 2 * W * inv(1/2 * gershgorin(Wᵀ * W)) * act(Wᵀ * x)', 'mat[n, 4]'],
    ['weights that differ', 'x - 2 * W * inv(rowsum(abs(Wᵀ * W) * exp(q)) / (exp(q) + 1)) * act(Wᵀ * x)', 'mat[n, 4]'],
    ['slopes beyond 1', 'x - 2 * W * inv(gershgorin(Wᵀ * W)) * leaky_relu(2, Wᵀ * x)', 'mat[n, 4]'],
    ['another input', 'x - 2 * W * inv(gershgorin(Wᵀ * W)) * act(2 * Wᵀ * x)', 'mat[n, 4]'],
  ])('are not made of %s', (_, value, type) => {
    const source = layer('x[5]', `param W: ${type} = xavier`, ...(value.includes('q') ? [q] : []), `return ${value}`);
    expect(() => provenFrom(source)).toThrow(/L020[234]/);
  });
});

describe('what comes with the built-in forms', () => {
  const source = layer(
    'x[6]',
    W,
    b(4),
    q,
    'return x - 2 * W * inv(gershgorin(Wᵀ * W, exp(q)) + 1/9) * act(Wᵀ * x + b)',
  ).replace('budget 10', 'budget 1');
  it('is a certificate of the emitted weights', () => {
    const proven = provenFrom(source);
    const weights = new Map([...randomParams(proven, 1)].map(([k, v]) => [k, Float32Array.from(v)]));
    expect(verdictOf(certify(proven, weights)).emitted).toEqual({ num: 1n, den: 1n });
  });
  it.each(['dense 4', 'residual dense hidden = 4', 'conv 4', 'residual conv hidden = 3'])(
    'a maximum with a part that need not dominate is certified: %s',
    statement => {
      const input = statement.includes('conv') ? 'image[2, 4, 4]' : 'x[5]';
      const proven = provenFrom(
        `network N {\n  input ${input}\n  ${statement} by own(max(1/2 * spectral, 1/3 * sll, aol))\n}\n`,
      );
      const weights = new Map([...randomParams(proven, 1)].map(([k, v]) => [k, Float32Array.from(v)]));
      const { num, den } = verdictOf(certify(proven, weights)).emitted!;
      expect(Number(num) / Number(den)).toBeLessThan(1.00001);
    },
  );
  it('is a Coq file', () => {
    expect(coqFile(provenFrom(source))).toContain('residual_dom_lip');
  });
});
