/** What must be refused is: every program of examples/refused, with its code and, where there are numbers, one pair of inputs as bad as known. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Diagnostic } from '../src/diagnostics.ts';
import type { Counterexample } from '../src/ir/counterexample.ts';
import { format } from '../src/parser/format.ts';
import { parse } from '../src/parser/parse.ts';
import { prove } from '../src/passes/prove/prove.ts';
import { refute } from '../src/passes/refute/refute.ts';
import { resolve } from '../src/passes/resolve/resolve.ts';
import { fixtureNames, readFixture } from './fixture.ts';

const root = join(import.meta.dirname, '../examples/refused');

/** The layers on record as not 1-Lipschitz (test/fixtures/negative), and the program that says each. */
const RECORDED: Readonly<Record<string, string>> = {
  aol_conv_reflect_padding: 'reflect-padding.lip',
  aol_conv_reflect_padding_one_tap: 'reflect-padding-one-tap.lip',
  aol_conv_replicate_padding_one_tap: 'replicate-padding-one-tap.lip',
  'bjorck_dense_norm_2.5': 'bjorck-any-norm.lip',
  cayley_conv_odd_n7: 'cayley-conv-odd.lip',
  cpl_dense_one_power_step: 'power-iteration.lip',
  fast_soc_conv: 'fast-soc.lip',
  fft_norm_zero_padding_n3: 'fft-norm-n3.lip',
  fft_norm_zero_padding_n5: 'fft-norm.lip',
  householder2_wrap_f32: 'householder2-angle.lip',
  pooling_linear_mean_19to10: 'pooling-mean.lip',
  sandwich_conv_odd_n7: 'sandwich-conv-odd.lip',
  scaled_avgpool2d_ceil_mode: 'ceil-mode.lip',
  scaled_l2pool2d_ceil_mode: 'l2pool-ceil-mode.lip',
  sll_dense_with_abs: 'sll-abs.lip',
  sll_dense_with_maxmin: 'sll-maxmin.lip',
  sll_dense_with_maxmin_worst: 'sll-maxmin-worst.lip',
  sll_linear_llc_tiny_q: 'sll-tiny-q.lip',
  'sll_old_dense_mismatched_eps_1e-6_to_4e-6': 'sll-old-eps.lip',
  'sll_old_dense_mismatched_eps_all_1e-7': 'sll-old-eps.lip',
  soc_conv_5_terms: 'soc-5-terms.lip',
  soc_conv_k7_12_terms: 'soc-k7-12-terms.lip',
  soc_conv_k7_5_terms: 'soc-k7-5-terms.lip',
  spectral_conv_reflect_padding: 'spectral-reflect.lip',
};

/** The worst ratio on record for a program, if there is one. */
const recorded = (file: string): number | undefined => {
  const ratios = Object.entries(RECORDED).flatMap(([name, program]) =>
    program === file ? [readFixture('negative', name).tensors.get('ratio')!.data[0]] : [],
  );
  return ratios.length > 0 ? Math.max(...ratios) : undefined;
};

/** The code; and, where no ratio is on record, what theory says its supremum is (1: some ratio above the budget). */
const REFUSED: Readonly<Record<string, readonly [code: Diagnostic['code'], ratio?: number]>> = {
  'bjorck-unscaled.lip': ['L0204', 10_277.9],
  'bjorck-any-norm.lip': ['L0213'],
  'exponential-5-terms.lip': ['L0212', 1.0047],
  'ceil-mode.lip': ['L0123'],
  'conv-abs.lip': ['L0202', 3],
  'fft-norm.lip': ['L0205'],
  'fft-norm-n3.lip': ['L0205'],
  'groupsort.lip': ['L0202', 3],
  'householder2-angle.lip': ['L0214'],
  'max-branches.lip': ['L0201', Math.SQRT2],
  'skip-sum.lip': ['L0201', 2],
  'sub-budget.lip': ['L0201', 1],
  'l2pool-ceil-mode.lip': ['L0123'],
  'over-budget.lip': ['L0201', 2],
  'pooling-mean.lip': ['L0201'],
  'power-iteration.lip': ['L0205'],
  'reflect-padding.lip': ['L0132'],
  'reflect-padding-one-tap.lip': ['L0132'],
  'replicate-padding.lip': ['L0132', 1],
  'replicate-padding-one-tap.lip': ['L0132'],
  'cayley-conv-odd.lip': ['L0205'],
  'fast-soc.lip': ['L0212'],
  'sandwich-conv-odd.lip': ['L0205'],
  'soc-5-terms.lip': ['L0212'],
  'soc-k7-12-terms.lip': ['L0212'],
  'soc-k7-5-terms.lip': ['L0212'],
  'spectral-reflect.lip': ['L0132'],
  'sll-abs.lip': ['L0202'],
  'sll-maxmin.lip': ['L0202'],
  'sll-maxmin-worst.lip': ['L0202'],
  'sll-old-eps.lip': ['L0203'],
  'sll-tiny-q.lip': ['L0203'],
  'untied.lip': ['L0203', 3],
};

const refused = (file: string): readonly Diagnostic[] => {
  const { file: tree, diagnostics } = parse(readFileSync(join(root, file), 'utf8'));
  const program = resolve(tree, {});
  const found = [...diagnostics, ...program.diagnostics];
  if (found.length > 0) return found;
  const result = prove(program.networks[0]);
  return 'diagnostics' in result ? refute(program.networks[0], result.diagnostics) : [];
};

const numbersOf = ([d]: readonly Diagnostic[]): Counterexample => {
  if (d?.counterexample === undefined || d.counterexample === 'none found') throw new Error('no counterexample');
  return d.counterexample;
};

const norm = (v: readonly number[]): number => Math.hypot(...v);
const minus = (a: readonly number[], b: readonly number[]): number[] => a.map((v, i) => v - b[i]);

describe('examples/refused', () => {
  it('is covered', () => {
    expect(readdirSync(root).sort()).toEqual(Object.keys(REFUSED).sort());
  });

  it('has a program for every layer on record', () => {
    expect(Object.keys(RECORDED).sort()).toEqual([...fixtureNames('negative')].sort());
  });

  it.each(Object.entries(REFUSED))('%s', (file, [code, supremum]) => {
    const ratio = recorded(file) ?? supremum;
    const found = refused(file);
    expect(found.map(d => d.code)).toEqual([code]);
    expect(format(readFileSync(join(root, file), 'utf8'))).toEqual({ text: readFileSync(join(root, file), 'utf8') });
    if (ratio === undefined) {
      expect(found[0].counterexample).toBeUndefined();
      expect(found[0].help).toBeTruthy();
      return;
    }
    const c = numbersOf(found);
    expect(c.ratio).toBeGreaterThanOrEqual(0.9 * ratio);
    expect(norm(minus(c.fx, c.fy)) / norm(minus(c.x, c.y))).toBeCloseTo(c.ratio, -Math.log10(1e-6 * c.ratio));
  });
});

/** A dense SLL residual in the words of its paper: x − 2 Wᵀ T⁻¹ σ(Wx + b), T_i = Σ_j |WWᵀ|_ij exp(q_j) / divisor(q_i), W [hidden, n]. */
const sll = (
  { W, b, q }: { readonly W: readonly number[][]; readonly b: readonly number[]; readonly q: readonly number[] },
  x: readonly number[],
  act: (v: readonly number[]) => readonly number[],
  divisor: (q: number) => number = Math.exp,
): number[] => {
  const dot = (a: readonly number[], c: readonly number[]) => a.reduce((s, v, i) => s + v * c[i], 0);
  const u = act(W.map((row, i) => dot(row, x) + b[i]));
  const T = W.map(
    (row, i) => W.reduce((s, other, j) => s + Math.abs(dot(row, other)) * Math.exp(q[j]), 0) / divisor(q[i]),
  );
  return x.map((v, k) => v - 2 * W.reduce((s, row, i) => s + (T[i] === 0 ? 0 : (row[k] * u[i]) / T[i]), 0));
};

const relu = (v: readonly number[]) => v.map(a => Math.max(a, 0));
const halves = (v: readonly number[]) => {
  const m = v.length / 2;
  return v.map((a, i) => (i < m ? Math.max(a, v[i + m]) : Math.min(a, v[i - m])));
};

describe('the numbers shown do what is said of them, by a program of its own', () => {
  it.each([
    ['sll-abs.lip', (v: readonly number[]) => v.map(Math.abs), Math.exp, false],
    ['sll-maxmin.lip', halves, Math.exp, false],
    ['sll-maxmin-worst.lip', halves, Math.exp, false],
    ['sll-old-eps.lip', relu, (q: number) => Math.exp(q) + 1e-6, true],
  ] as const)('%s', (file, act, divisor, transposed) => {
    const c = numbersOf(refused(file));
    const param = (name: string) => c.params.find(p => p.path.endsWith(`.${name}`))!;
    const { shape, values } = param('W');
    const [rows, columns] = shape;
    const stored = Array.from({ length: rows }, (_, i) => values.slice(i * columns, (i + 1) * columns));
    const W = transposed ? stored[0].map((_, j) => stored.map(row => row[j])) : stored;
    const given = param('q').values;
    // In a definition exp(q) is of q kept within ±20; in the built-in layer only differences count, of at most 40.
    const top = transposed ? 20 : Math.max(...given);
    const q = given.map(v => Math.min(Math.max(v, top - 40), top));
    const weights = { W, b: param('b').values, q };
    const [fx, fy] = [c.x, c.y].map(z => sll(weights, z, act, divisor));
    expect(norm(minus(fx, fy)) / norm(minus(c.x, c.y)) / c.ratio).toBeCloseTo(1, 4);
    expect(c.ratio).toBeGreaterThan(c.allowed);
  });
});

it('reflect padding doubles a pixel beside the corner under a kernel of norm 1, as its page says', () => {
  const n = 5;
  const mirror = (i: number) => (i < 0 ? -i : i >= n ? 2 * (n - 1) - i : i);
  let squares = 0;
  // The tap in the upper left corner: out[i, j] = x[i − 1, j − 1], of the image that is 1 at (1, 1).
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) squares += mirror(i - 1) === 1 && mirror(j - 1) === 1 ? 1 : 0;
  expect(Math.sqrt(squares)).toBe(2);
});
