/** Random formulas: whatever the prover accepts must keep its bound for random weights, in the direction of steepest expansion. */
import { describe, expect, it } from 'vitest';
import { interpret } from '../../src/ir/interpret.ts';
import { elements, networkParams } from '../../src/ir/network.ts';
import { toNumber } from '../../src/ir/rational.ts';
import { GraphBuilder } from '../../src/ir/tensor.ts';
import { parse } from '../../src/parser/parse.ts';
import { lowerNetwork } from '../../src/passes/lower/lower.ts';
import { type ProvenNetwork, prove } from '../../src/passes/prove/prove.ts';
import { resolve } from '../../src/passes/resolve/resolve.ts';
import { stream } from '../../src/train/random.ts';
import { noise } from '../gradient.ts';

const N = 3;

type Pick = <T>(...of: readonly T[]) => T;

const flip = (a: string): string => (a.endsWith('ᵀ') ? a.slice(0, -1) : `${a}ᵀ`);

/** T, mostly of the Gram matrix AᵀA, sometimes of another one or with a flaw. */
const diagonal = (pick: Pick, a: string): string => {
  const wrong = pick(false, false, false, false, false, false, true);
  const b = wrong ? pick(flip(a), 'V', 'Wᵀ') : a;
  const gram = `${flip(b)} * ${b}`;
  const base = pick(
    `gershgorin(${gram})`,
    `gershgorin(${gram}, exp(q))`,
    `rowsum(abs(${gram}) * exp(q)) / exp(q)`,
    `rowsum(abs(${gram}) * ${pick('exp(q)', '(exp(q) + 1)')}) / (exp(q) + 1)`,
    `frobenius(${gram})`,
    `schur(${gram})`,
    `spectral(${gram}, steps = 3)`,
    `max(schur(${gram}), gershgorin(${gram}))`,
    `max(1/3 * schur(${gram}), ${pick('', '1/2 *')} gershgorin(${gram}))`,
    `(1/3 * schur(${gram}) + ${pick('2/3', '1/3', '1')} * frobenius(${gram}))`,
  );
  return pick(base, base, base, `${pick('2', '9/10')} * ${base}`, `(${base} + ${pick('1/10', '-1/10')})`);
};

const vector = (pick: Pick, depth: number): string => {
  if (depth === 0) return 'x';
  const y = pick('x', `(${vector(pick, depth - 1)})`);
  const a = pick('W', 'Wᵀ', 'V', 'Vᵀ');
  const inner = pick(flip(a), flip(a), flip(a), flip(a), flip(a), flip(a), a, 'W');
  const act = pick('relu', 'tanh', 'sigmoid', 'relu', 'abs', 'maxmin');
  const branch = () =>
    `${pick('', '1/2 *', '2 *', '2 *', '3 *', '-1 *')} ${a} * inv(${diagonal(pick, a)}) * ${act}(${inner} * ${y}${pick('', ' + b')})`;
  return pick(
    () => `${y} - ${branch()}`,
    () => `${y} - ${branch()}`,
    () => `${y} - ${branch()} - ${branch()}`,
    () => `1/2 * ${y} - ${branch()} + 1/2 * (${vector(pick, depth - 1)})`,
    () => `${a} * invsqrt(${diagonal(pick, a)}) * ${y}`,
    () => `invsqrt(${diagonal(pick, flip(a))}) * ${a} * (${y} + b)`,
    () => `${a} * inv(${diagonal(pick, a)}) * ${flip(a)} * ${y}`,
    () => `${act}(${y} + b)`,
    () => `${pick('cayley(W)', 'cayley(V)ᵀ')} * ${y}`,
    () =>
      `${y} - ${pick('1', '2', '2', '3')} * cayley(W) * ${act}(${pick('cayley(W)ᵀ', 'cayley(W)ᵀ', 'cayley(W)', 'Wᵀ')} * ${y} + b)`,
  )();
};

const source = (seed: number): string => {
  const random = stream(seed, 'formula');
  const pick: Pick = (...of) => of[Math.floor(random.uniform() * of.length)];
  const value = vector(pick, 2);
  // Without parameters that it does not use, so that a formula may become layers of the network IR.
  const params = ['W: mat[n, n] = xavier', 'V: mat[n, n] = xavier', 'b: vec[n] = zeros', 'q: vec[n] = zeros'].filter(
    p => new RegExp(`\\b${p[0]}\\b`).test(value),
  );
  return `layer own(x: vec[n]) {
${params.map(p => `  param ${p}\n`).join('')}  return ${value}
}
network N {
  budget 100
  input x[${N}]
  own
}
`;
};

const provenOf = (text: string): ProvenNetwork | undefined => {
  const { file, diagnostics } = parse(text);
  const program = resolve(file);
  const wrong = [...diagnostics, ...program.diagnostics];
  // Everything but the proof is right by construction.
  if (wrong.length > 0) throw new Error(`${wrong.map(d => d.message).join('\n')}\n${text}`);
  const result = prove(program.networks[0]);
  return 'proven' in result ? result.proven : undefined;
};

/** ‖J‖ of n×n J (by columns), by power iteration on JᵀJ. */
const norm = (columns: readonly Float64Array[]): number => {
  let v = Float64Array.from({ length: N }, (_, i) => 1 + i / 7);
  let size = 0;
  for (let k = 0; k < 60; k++) {
    const u = Float64Array.from({ length: N }, (_, i) => columns.reduce((s, c, j) => s + c[i] * v[j], 0));
    const w = Float64Array.from({ length: N }, (_, j) => columns[j].reduce((s, c, i) => s + c * u[i], 0));
    const length = Math.hypot(...w);
    if (length === 0) return 0;
    size = Math.hypot(...u) / Math.hypot(...v);
    v = w.map(x => x / length);
  }
  return size;
};

/** The largest ‖J‖ over random points and weights. */
const expansion = (proven: ProvenNetwork, seed: number): number => {
  const points = 6;
  const b = new GraphBuilder();
  const { features } = lowerNetwork(b, proven, b.input('x', [points * (N + 1), N]), 'inference');
  b.output('y', features);
  const graph = b.finish();
  const h = 1e-6;
  let worst = 0;
  for (let trial = 0; trial < 6; trial++) {
    const scale = 10 ** ((trial % 3) - 1);
    const params = new Map(
      networkParams(proven.network).map((p, i) => [
        p.path,
        noise(elements(p.shape), 1000 * seed + 10 * trial + i).map(v => v * (p.path.endsWith('q') ? 1 : scale)),
      ]),
    );
    const at = noise(points * N, seed + trial).map(v => 2 * v);
    const x = Float64Array.from({ length: points * (N + 1) * N }, (_, i) => {
      const [point, column, row] = [Math.floor(i / ((N + 1) * N)), Math.floor(i / N) % (N + 1), i % N];
      return at[point * N + row] + (column === row + 1 ? h : 0);
    });
    const y = interpret(graph, { inputs: new Map([['x', x]]), params }).outputs.get('y')!;
    for (let p = 0; p < points; p++) {
      const row = (c: number) => y.slice((p * (N + 1) + c) * N, (p * (N + 1) + c + 1) * N);
      const origin = row(0);
      worst = Math.max(worst, norm(Array.from({ length: N }, (_, c) => row(c + 1).map((v, i) => (v - origin[i]) / h))));
    }
  }
  return worst;
};

describe('random formulas', () => {
  it('keep the bound that is proven for them', () => {
    const cases = Array.from({ length: 600 }, (_, seed) => ({ seed, text: source(seed) }));
    let accepted = 0;
    let tight = 0;
    let layers = 0;
    for (const { seed, text } of cases) {
      const proven = provenOf(text);
      if (!proven) continue;
      accepted++;
      if (proven.network.layers.length > 1) layers++;
      const bound = Math.sqrt(toNumber(proven.squared));
      const found = expansion(proven, seed);
      // A difference quotient across a kink is one of the map itself; 1e-5 is its rounding.
      expect(found, text).toBeLessThan(bound * (1 + 1e-5));
      if (found > 0.9 * bound) tight++;
    }
    expect(accepted).toBeGreaterThan(100);
    expect(accepted).toBeLessThan(500);
    expect(tight).toBeGreaterThan(50);
    expect(layers).toBeGreaterThan(30);
  });
});
