/** Matrices that formulas make orthogonal: the layers of `by orthogonal(FAMILY)`, with the same parameters and values. */
import { describe, expect, it } from 'vitest';
import { provenFrom } from '../../../src/fixtures/compile-source.ts';
import { interpret } from '../../../src/ir/interpret.ts';
import { elements, networkParams } from '../../../src/ir/network.ts';
import { printOp } from '../../../src/ir/print-network.ts';
import { toNumber } from '../../../src/ir/rational.ts';
import { GraphBuilder } from '../../../src/ir/tensor.ts';
import { lowerNetwork } from '../../../src/passes/lower/lower.ts';
import { gradientError, gradientGraph, noise } from '../../gradient.ts';
import { certify, verdictOf } from '../../proof/certified.ts';

type Proven = ReturnType<typeof provenFrom>;
type Params = ReadonlyMap<string, Float64Array>;

const network = (statement: string, definition = ''): string =>
  `${definition}\nnetwork N {\n  budget 1\n  input x[5]\n  ${statement}\n}\n`;

const formula = (out: number, ...body: readonly string[]): Proven =>
  provenFrom(network(`own ${out}`, `layer own(out: count) (x: vec[n]) {\n${body.map(l => `  ${l}\n`).join('')}}`));

const paramsOf = (proven: Proven, seed: number): Params =>
  new Map(
    networkParams(proven.network).map(p => [p.path.split('.')[1], noise(elements(p.shape), seed + p.path.length)]),
  );

const outputOf = (proven: Proven, params: Params, mode: 'train' | 'inference'): readonly number[] => {
  const b = new GraphBuilder();
  b.output('y', lowerNetwork(b, proven, b.input('x', [3, 5]), mode).features);
  const [{ path }] = proven.network.layers;
  const named = new Map([...params].map(([name, value]) => [`${path}.${name}`, value]));
  const inputs = new Map([['x', noise(15, 9)]]);
  return [...(interpret(b.finish(), { inputs, params: named }).outputs.get('y')! as Float64Array)];
};

const expectSame = (found: readonly number[], expected: readonly number[]): void => {
  expect(found.length).toBe(expected.length);
  found.forEach((v, i) => {
    expect(v).toBeCloseTo(expected[i], 10);
  });
};

const families: readonly (readonly [family: string, call?: string, by?: string])[] = [
  ['cayley', 'cayley(W)', 'cayley, alpha = false'],
  ['cayley', 'cayley(W, alpha = true)', 'cayley'],
  ['cayley', 'cayley(W, parameter = lower)', 'cayley, parameter = lower'],
  ['householder'],
  ['householder', 'householder(W, parameter = lower)', 'householder, parameter = lower'],
  ['bro'],
  ['bro', 'bro(W, rank = 2, eps = 1/100)', 'bro, rank = 2, eps = 1/100'],
  ['bjorck'],
  ['bjorck', 'bjorck(W, steps = 3, scale = frobenius)', 'bjorck, steps = 3, scale = frobenius'],
  ['exponential'],
  ['exponential', 'exponential(W, degree = 8, squarings = 2)', 'exponential, degree = 8, squarings = 2'],
  ['cholesky'],
  ['cholesky', 'cholesky(W, eps = 1/10)', 'cholesky, eps = 1/10'],
  ['qr'],
];

const W = 'param W: mat[out, n] = xavier';
const b = 'param b: vec[out] = zeros';
const s = 'param s: vec[n] = zeros';

describe.each(families)('%s', (family, call = `${family}(W)`, by = family) => {
  it.each([3, 5, 7])('%s: the linear layer of %i units', out => {
    const own = formula(out, W, b, `return ${call} * x + b`);
    const statement = provenFrom(network(`dense ${out} by orthogonal(${by})`));
    expect(printOp(own.network.layers[0].op)).toBe(printOp(statement.network.layers[0].op));
    expect(own.squared).toEqual(statement.squared);
    // Twice a translation, so that it is no bias: a formula to the end.
    const kept = formula(out, W, b, `return ${call} * x + 2 * b`);
    expect(kept.network.layers[0].op.kind).toBe('formula');
    expect(kept.squared).toEqual(statement.squared);
    const params = paramsOf(statement, out);
    const zeros = new Map([...params, ['b', new Float64Array(out)]]);
    for (const mode of ['train', 'inference'] as const) {
      expectSame(outputOf(own, params, mode), outputOf(statement, params, mode));
      expectSame(outputOf(kept, zeros, mode), outputOf(statement, zeros, mode));
    }
  });

  it.each([3, 5, 7])('%s: the residual of %i units', out => {
    const own = formula(out, W, b, `let Q = ${call}`, 'return x - 2 * Qᵀ * relu(Q * x + b)');
    const statement = provenFrom(network(`residual dense hidden = ${out} by orthogonal(${by})`));
    expect(printOp(own.network.layers[0].op)).toBe(printOp(statement.network.layers[0].op));
    expect(own.squared).toEqual(statement.squared);
    const kept = formula(out, W, b, s, `return x - 2 * ${call}ᵀ * relu(${call} * x + b) + 2 * s`);
    expect(kept.network.layers[0].op.kind).toBe('formula');
    const params = paramsOf(statement, out);
    const zeros = new Map([...params, ['s', new Float64Array(5)]]);
    for (const mode of ['train', 'inference'] as const) {
      expectSame(outputOf(own, params, mode), outputOf(statement, params, mode));
      expectSame(outputOf(kept, zeros, mode), outputOf(statement, params, mode));
    }
  });

  it('multiplies as its transpose, of every shape', () => {
    for (const out of [3, 5, 7]) {
      const turned = formula(out, 'param W: mat[n, out] = xavier', `return ${call}ᵀ * x`);
      const kept = formula(out, 'param W: mat[n, out] = xavier', b, `return ${call}ᵀ * x + 2 * b`);
      expect(kept.network.layers[0].op.kind).toBe('formula');
      expect(turned.squared).toEqual(kept.squared);
      const params = paramsOf(turned, out);
      const zeros = new Map([...params, ['b', new Float64Array(out)]]);
      expectSame(outputOf(turned, params, 'inference'), outputOf(kept, zeros, 'train'));
      expectSame(outputOf(turned, params, 'train'), outputOf(kept, zeros, 'inference'));
    }
  });

  it('has a certificate and gradients', () => {
    const own = formula(3, W, b, `let Q = ${call}`, 'let y = Q * x + b', 'return y');
    const named = new Map(networkParams(own.network).map((p, i) => [p.path, noise(elements(p.shape), i + 1)] as const));
    const weights = new Map([...named].map(([k, v]) => [k, Float32Array.from(v)]));
    const emitted = toNumber(verdictOf(certify(own, weights)).emitted!);
    expect(emitted).toBeLessThanOrEqual(1);
    expect(emitted).toBeGreaterThan(0.5);
    const { graph, seedLength } = gradientGraph(g => {
      const x = g.input('x', [2, 5]);
      const wrt = Object.fromEntries(networkParams(own.network).map(p => [p.path, g.param(p.path, p.shape)]));
      return { y: lowerNetwork(g, own, x, 'train').features, wrt: { x, ...wrt } };
    });
    const bindings = {
      inputs: new Map([
        ['x', noise(10, 5)],
        ['seed', noise(seedLength, 6)],
      ]),
      params: named,
    };
    for (const [path, value] of named)
      expect(gradientError(graph, bindings, 'params', path, [...value.keys()], 1e-6), path).toBeLessThan(1e-6);
  });
});

describe('two orthogonal matrices in one layer', () => {
  it('are two layers', () => {
    const own = formula(4, 'param V: mat[n, n] = xavier', W, b, 'return bjorck(W) * maxmin(householder(V) * x) + b');
    expect(own.network.layers.map(l => l.op.kind)).toEqual(['linear', 'activation', 'linear']);
    expect(own.squared).toEqual({ num: 1n, den: 1n });
  });
  it('have a scale each', () => {
    const own = formula(
      4,
      'param V: mat[n, n] = xavier',
      W,
      'return cayley(W, alpha = true) * maxmin(cayley(V, alpha = true) * x)',
    );
    expect(
      networkParams(own.network)
        .map(p => p.path.split('.')[1])
        .sort(),
    ).toEqual(['V', 'W', 'alpha', 'alpha1']);
  });
});

describe('refused', () => {
  it.each([
    ['a transpose of what depends on its sides', 'return householder(Wᵀ)ᵀ * x', /L0141.*householder/s],
    ['a matrix used as it is too', 'return bro(W, rank = 2) * x + W * x', /L0141.*`W` is stored/s],
    ['two sizes of one parameter', 'return bro(W, rank = 2) * x + bro(W, rank = 1) * x', /L0141.*`W` is stored/s],
    ['a vector', 'return qr(x) * x', /L0141.*parameter of type mat/s],
    ['options of another family', 'return qr(W, steps = 3) * x', /L0102/],
    ['a cut series that is no contraction', 'return exponential(W, degree = 5) * x', /L0212/],
    ['a start of any norm', 'return bjorck(W, scale = none) * x', /L0213/],
    ['a rank beyond the size', 'return bro(W, rank = 6) * x', /L0112/],
    ['a factor', 'return 2 * bjorck(2 * W) * x', /L0141.*type mat/s],
    ['a family of kernels', 'return bcop(W) * x', /L0103.*makes kernels/s],
  ])('%s', (_, value, message) => {
    expect(() => formula(5, W, value)).toThrow(message);
  });
  it('the plus of a residual', () => {
    const twice = 'return x + 2 * qr(W)ᵀ * relu(qr(W) * x)';
    expect(() => formula(5, W, twice)).toThrow(/L0201/);
  });
});
