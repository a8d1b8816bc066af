/** The sandwich layer as a formula: the layer of the statement, with the same parameters and values. */
import { describe, expect, it } from 'vitest';
import { provenFrom } from '../../../src/fixtures/compile-source.ts';
import { interpret } from '../../../src/ir/interpret.ts';
import { elements, networkParams } from '../../../src/ir/network.ts';
import { printOp } from '../../../src/ir/print-network.ts';
import { GraphBuilder } from '../../../src/ir/tensor.ts';
import { parse } from '../../../src/parser/parse.ts';
import { lowerNetwork } from '../../../src/passes/lower/lower.ts';
import { lowerFormula } from '../../../src/passes/lower/lower-formula.ts';
import { resolve } from '../../../src/passes/resolve/resolve.ts';
import { noise } from '../../gradient.ts';
import { certify, verdictOf } from '../../proof/certified.ts';

const FORMULA = 'sqrt(2) * Aᵀ * exp(q) * act(sqrt(2) * exp(-q) * B * x + b)';

const source = (returned: string, out: number, made = 'cayley(W, alpha = true)'): string =>
  `layer sandwiched(out: count, act: slope[-1, 2] = relu) (x: vec[n]) {
  param W: mat[out, out + n] = xavier
  param b: vec[out] = uniform(1 / sqrt(out + n))
  param q: vec[out] = zeros
  let Q = ${made}
  let A = first(Q, out)
  let B = last(Q, n)
  return ${returned}
}
network N {
  budget 10
  input x[5]
  sandwiched ${out}
}
`;

const renamed = (path: string): string => path.replace('sandwiched', 'sandwich').replace('.q', '.psi');

describe('the sandwich formula', () => {
  it.each([
    [3, FORMULA],
    [5, '2 * Aᵀ * exp(q) * act(exp(-q) * sqrt(2) * (B * x) + b) * sqrt(1/2)'],
    [7, 'Aᵀ * (sqrt(2) * exp(q)) * act(b + 1/2 * sqrt(8) * exp(-q) * B * x)'],
  ])('of %i units is the layer: %s', (out, returned) => {
    const own = provenFrom(source(returned, out));
    const statement = provenFrom(`network N {\n  budget 10\n  input x[5]\n  sandwich ${out}\n}\n`);
    expect(printOp(own.network.layers[0].op)).toBe(printOp(statement.network.layers[0].op));
    expect(own.squared).toEqual(statement.squared);
    expect(own.squared).toEqual({ num: 1n, den: 1n });
    const inits = (p: typeof own): readonly unknown[] =>
      networkParams(p.network).map(({ path, shape, init }) => [
        renamed(path),
        shape,
        'path' in init ? renamed(init.path) : init.kind,
      ]);
    expect(inits(own)).toEqual(inits(statement));

    const params = new Map(networkParams(own.network).map((p, i) => [p.path, noise(elements(p.shape), out + i)]));
    const inputs = new Map([['x', noise(15, 9)]]);
    const output = (p: typeof own, values: ReadonlyMap<string, Float64Array>): readonly number[] => {
      const b = new GraphBuilder();
      b.output('y', lowerNetwork(b, p, b.input('x', [3, 5]), 'inference').features);
      return [...(interpret(b.finish(), { inputs, params: values }).outputs.get('y')! as Float64Array)];
    };
    const y = output(own, params);
    expect(y).toEqual(output(statement, new Map([...params].map(([path, v]) => [renamed(path), v]))));

    // The formula itself, as it is where it is no sandwich: with a coefficient of 3 in place of 1.
    const { networks } = resolve(parse(source(`3 * (${FORMULA})`, out)).file, {});
    const [{ op }] = networks[0].layers;
    if (op.kind !== 'formula') throw new Error('three times a sandwich is none');
    for (const mode of ['train', 'inference'] as const) {
      const b = new GraphBuilder();
      b.output(
        'y',
        lowerFormula(b, op, b.input('x', [3, 5]), mode, () => undefined),
      );
      const tripled = interpret(b.finish(), { inputs, params }).outputs.get('y')! as Float64Array;
      tripled.forEach((v, i) => {
        expect(v).toBeCloseTo(3 * y[i], 10);
      });
    }
  });

  it('has a certificate of the emitted weights', () => {
    const own = provenFrom(source(FORMULA, 4));
    const weights = new Map(
      networkParams(own.network).map((p, i) => [p.path, Float32Array.from(noise(elements(p.shape), i))]),
    );
    const { num, den } = verdictOf(certify(own, weights)).emitted!;
    expect(num <= den && 2n * num > den).toBe(true);
  });

  it.each([
    ['more than √2', FORMULA.replace('sqrt(2)', 'sqrt(3)'), undefined],
    ['less than √2 before', FORMULA.replace('(sqrt(2)', '(sqrt(3/2)'), undefined],
    ['a sign', `-(${FORMULA})`, undefined],
    ['Ψ twice', FORMULA.replace('-q', 'q'), undefined],
    ['Ψ⁻¹ behind', FORMULA.replace('exp(q)', 'exp(-q)').replace('exp(-q) * B', 'exp(q) * B'), undefined],
    ['the wrong columns', FORMULA.replace('B * x', 'last(Q, n - 1) * x'), undefined],
    ['A in the place of Aᵀ', FORMULA.replace('Aᵀ', 'A'), undefined],
    ['another family', FORMULA, 'bjorck(W)'],
    ['no scale', FORMULA, 'cayley(W)'],
    ['a steep activation', FORMULA.replace('act(', 'leaky_relu(2, '), undefined],
    ['a falling activation', FORMULA.replace('act(', 'abs('), undefined],
    ['B alone', 'B * x', undefined],
    ['exponentials alone', 'exp(x)', undefined],
    ['a root alone', 'sqrt(2) * x', undefined],
    ['columns of a free matrix', 'first(W, out) * x', undefined],
    ['too many columns', 'first(Q, 3 * n + out) * x', undefined],
  ])('is refused with %s', (_, returned, made) => {
    expect(() => provenFrom(source(returned, 5, made))).toThrow(/L0204|L0141/);
  });
});
