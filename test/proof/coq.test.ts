import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from '../../src/parser/parse.ts';
import { prove } from '../../src/passes/prove/prove.ts';
import { resolve } from '../../src/passes/resolve/resolve.ts';
import { coqFile, NotInCoq } from '../../src/proof/coq.ts';
import { provenFrom } from './certified.ts';

const SMALL = `network Small {
  input image[1, 6, 6]
  center 0.5
  residual conv hidden = 3, kernel = 3 by sll
  residual conv hidden = 3, kernel = 3 by sll
  avgpool 3
  flatten
  head 2
}`;

describe('coqFile', () => {
  it('states the bound and the certificate; equal layers are written once', () => {
    const text = coqFile(provenFrom(SMALL));
    expect(text).toContain('Theorem Small_lip : lip features.');
    expect(text).toContain('Theorem Small_radius');
    expect(text.match(/residual_dom_lip/g)).toHaveLength(1);
    expect(text).toContain('(repeated layer_2 2)');
    expect(text).not.toMatch(/Admitted|Axiom|Parameter/);
  });
  it('states the hypotheses that define a root, and a mix with its shares over one denominator', () => {
    const text = coqFile(
      provenFrom(
        'network Dense { input vec[4] dense 3 by own(mix(aol, sll, 1/3)) head 2 }'.replace(
          / (dense|head|input)/g,
          '\n$1',
        ),
      ),
    );
    expect(text).toContain('Hypothesis s_root_1 : forall i, (s_1 i) ^+ 2 * T_1 i <= 1.');
    expect(text).toContain('(share_dom (share_add (share_one');
  });
  it.each([
    ['conv 4, stride = 2 by aol', '(image_dom valid_1 (@weighted_phase_sums_bounded R'],
    ['conv 4, stride = 2 by spectral(method = reshaped)', '(constant_dom valid_1 (reshaped_bounded valid_1'],
    ['residual conv hidden = 2, dilation = 2 by sll', '(image_rows_dom valid_1 (@weighted_hidden_phase_sums_bounded R'],
    ['conv 4, padding = circular by aol', '(circular_dom valid_1 closes_1'],
    ['transposed conv 4 by aol', '(linear_in (adj (conv2d_matrix K_1))'],
  ])('bounds `%s` by its kernel on the lattice', (statement, proof) => {
    const source = `network N {\n  input image[4, 6, 6]\n  ${statement}\n  flatten\n  head 2\n}`;
    expect(coqFile(provenFrom(source))).toContain(proof);
  });
  it('takes of a sampled symbol no more than Gram iteration at half of the grid, cosines once for equal layers', () => {
    const text = coqFile(
      provenFrom(`network Symbols {
  input image[4, 6, 6]
  residual conv hidden = 2, kernel = 3 by spectral(steps = 5)
  residual conv hidden = 2, kernel = 3 by spectral(steps = 5)
  conv 4, kernel = 4, stride = 2 by spectral(grid = 12)
  conv 4, padding = circular by spectral
  flatten
  head 2
}`),
    );
    expect(text).toContain('Variable R : rcfType.');
    expect(text).toContain('Canonical R_archi := ArchiFieldType R R_archimedean.');
    expect(text).toContain('Hypothesis circle_1 : circle 32 co_1 si_1.');
    expect(text).toContain("forall k, forall (u : 'I_32) (v : 'I_32), (v.*2 <= 32)%N -> frob (iter 4 (@square R _)");
    // Two taps of each phase: degree 1.
    expect(text).toContain('(fun=> sampled_bound co_3 1 1 lam_3)');
    expect(text).toContain('(constant_circular_dom valid_4 closes_4 (@sampled_bounded R 32');
    expect(text).not.toContain('Hypothesis gram_iteration_symbol');
  });
  it('takes of a symbol on a torus no more than Gram iteration at half of its frequencies, at the size of the image of the stored map', () => {
    const text = coqFile(
      provenFrom(`network Tori {
  input image[2, 8, 8]
  conv 4, kernel = 3 by spectral(method = circulant)
  conv 4, kernel = 3, stride = 2, padding = circular by spectral(method = circulant)
  transposed conv 4, kernel = 3, stride = 2 by spectral(method = circulant)
  flatten
  head 2
}`),
    );
    expect(text).toContain('(@torus_image_dom R 8 8 co_1 si_1');
    expect(text).toContain('Hypothesis circle_1 : circle 81 co_1 si_1.');
    expect(text).toContain('(@circular_torus_dom R 3 3 co_2 si_2');
    expect(text).toMatch(/@torus_image_rows_dom R \d+ \d+ co_3/);
    expect(text).not.toContain('Hypothesis gram_iteration_circulant');
  });
  it('needs no roots where no symbol is sampled', () => {
    const source = 'network N {\n  input vec[4]\n  dense 3 by spectral\n  head 2\n}';
    expect(coqFile(provenFrom(source))).toContain('Variable R : realFieldType.');
  });
  it.each([
    ['by sll', '(weighted_tap_sums_dom (in_groups all_out_1 all_in_1 K_1) valid_1 q_gt0_1)'],
    [', stride = 2 by aol', '@weighted_phase_sums_bounded R _ _ _ (in_groups all_out_1 all_in_1 K_1)'],
    ['by spectral(method = reshaped)', "forall part : 'I_2, frob (iter 11 (@square R _) (gram (reshaped (K_1 part))))"],
    ['by spectral', '(in_groups_bounded all_out_1 all_in_1 (fun part => (@sampled_bounded R'],
    [
      'by orthogonal(cayley)',
      'in_groups all_out_1 all_in_1 (fun part => kernel_of (erefl kernel_columns_1) (cayley_wide size_1',
    ],
  ])('bounds a convolution in groups %s by kernels of the groups', (method, proof) => {
    const source = `network N {\n  input image[4, 6, 6]\n  conv 6, groups = 2 ${method}\n  flatten\n  head 2\n}`;
    expect(coqFile(provenFrom(source))).toContain(proof);
  });
  it.each(['conv 4 by aol(steps = 2)'])('refuses `%s`, which no theorem of the theory is about', statement => {
    const source = `network N {\n  input image[4, 6, 6]\n  ${statement}\n  flatten\n  head 2\n}`;
    expect(() => coqFile(provenFrom(source))).toThrow(NotInCoq);
  });
  it('makes the matrix of each orthogonal family from variables, turned where it is wide', () => {
    const text = coqFile(
      provenFrom(`network Families {
  input vec[6]
  dense 4 by orthogonal(householder)
  dense 5 by orthogonal(bro, rank = 2)
  dense 5 by orthogonal(bjorck, steps = 7)
  dense 7 by orthogonal(cholesky)
  dense 7 by orthogonal(exponential)
  residual dense hidden = 3 by orthogonal(qr)
  sandwich 4
  head 2
}`),
    );
    expect(text).toContain('(adj (reflections short_1 V_1))');
    expect(text).toContain('Hypothesis eps_gt0_2 : 0 < eps_2.');
    expect(text).toContain('@bjorck_steps_dom R _ _ 7 ');
    expect(text).toContain('cholesky_4 : L_4 *m L_4^T = W_4 *m W_4^T + (ratio R');
    expect(text).toContain('odflt 0 (exponential_window R 12)');
    expect(text).toContain('Hypothesis gram_schmidt_6 : forall i k, i != k -> gram Q_6 i k = 0.');
    expect(text).toContain('sandwich_blocks_dom U_7 V_7');
  });
  it('takes means and sines of channels as numbers, a sine of at most 1', () => {
    const text = coqFile(
      provenFrom('network Gains {\n  input image[2, 4, 4]\n  batchcenter\n  gain\n  flatten\n  gain\n  head 2\n}'),
    );
    expect(text).toContain("Variable offset_1 : 'I_c_0 -> R.");
    expect(text).toContain('Hypothesis sine_le1_4 : forall i, `|sine_4 i| <= 1.');
    expect(text).toContain('Theorem Gains_lip : lip features.');
  });
  it('states residuals with two factors, of any sign, over one denominator', () => {
    const text = coqFile(
      provenFrom(`layer half(hidden) (x: vec[n]) {
  param U: mat[n, hidden] = xavier
  param a: vec[hidden] = zeros
  return -(1/2) * x + 3/5 * U * inv(schur(Uᵀ * U)) * relu(Uᵀ * x + a)
}
network Half {
  input vec[4]
  half 3
  dense 3 by aol(steps = 3)
  head 2
}`),
    );
    expect(text).toContain('residual_general (- (ratio R 5 10)) (- (ratio R 6 10))');
    // max(1/2, |−1/2 + 3/5|)
    expect(text).toContain('Lemma layer_1_lip : lipc (ratio R 1 2) layer_1.');
    expect(text).toContain('schur_sums_adj_dom');
    expect(text).toContain('iter 2 (@square R _) (gram W_2) i j| <= root_2 i ^+ (2 ^ 2)');
    expect(text).toContain('Variable R : archiFieldType.');
  });
  it('states a maximum whose other parts need not dominate', () => {
    const text = coqFile(
      provenFrom('network Max {\n  input vec[4]\n  dense 3 by own(max(1/3 * spectral, aol))\n  head 2\n}'),
    );
    expect(text).toMatch(/larger_dom \(enlarged \(ratio R 1 3\) .* \(shifted_dom 1 1000000 \(row_sums_dom W_\d+\)\)/);
  });
  it('refuses layers of the file by name', () => {
    const source = `layer project() (x: vec[n]) {
  param W: mat[n, 3] = xavier
  return W * inv(gershgorin(Wᵀ * W)) * Wᵀ * x
}
network Own {
  input vec[4]
  project
  head 2
}`;
    expect(() => coqFile(provenFrom(source))).toThrow(NotInCoq);
  });
  it('bounds branches as functions of the input, and disjoint channels as functions of what they are parts of', () => {
    const text = coqFile(
      provenFrom(`network Branched by aol {
  input image[4, 6, 6]
  let a, b = split(it)
  let m = b |> maxmin
  concat(a, m)
  flatten
  let c = it |> dense 5
  let d = it |> dense 5 |> abs
  1/4 * c - 1/2 * d
  head 2
}`),
    );
    expect(text).toContain('Proof. exact: (within_lips (ratio_ge0 R 1 1) parts_4_within). Qed.');
    expect(text).toContain('(- (ratio R 1 2)) *c (way_9_2 x');
    // (1/4 + 1/2)² = 9/16
    expect(text).toContain('sum_ratio R _ _ layer_9_part_1 layer_9_part_2 1 16 1 4 1 8 9 16');
    expect(text).toContain('Proof. exact: (@ratio_lip R _ _ 9 16 features isT isT whole_lips). Qed.');
  });
  it('bounds a split of any number of parts', () => {
    const text = coqFile(
      provenFrom(`network Thirds {
  input vec[6]
  let a, b, c = split(it)
  concat(c, b, a)
  head 2
}`),
    );
    expect(text).toContain(
      '(within_ranges (place := (fun i => nat_of_ord i)) (r := ([:: (4, 4 + n_3)%N] ++ [:: (2, 2 + n_2)%N]))',
    );
    expect(text).toContain('Theorem Thirds_lip : lip features.');
  });
  it('writes poolings with overlap by their squared bound', () => {
    const text = coqFile(
      provenFrom(`network Pools {
  input image[2, 9, 9]
  budget 3
  maxpool 3, stride = 2
  l2pool 2
  flatten
  avgpool 2
  head 2
}`),
    );
    // ⌈3/2⌉² = 4
    expect(text).toContain('Lemma layer_1_lips : lips (ratio R 4 1) layer_1.');
    expect(text).toContain('on_row');
    expect(text).toContain('Hypothesis root_sqr_2 : forall a, 0 <= a -> 0 <= root_2 a /\\ root_2 a ^+ 2 = a.');
  });
  it.each([
    ['halfabs', 'half_abs_lip'],
    ['rabs', 'rotated_abs_lip'],
    ['crelu', 'crelu_channels_lip'],
    ['prelu', 'prelu_lip'],
    ['householder', 'householder_halves_lip'],
    ['householder(order = 2)', 'householder2_halves_lip'],
    ['space_to_depth 3', 'space_to_depth_lip'],
    ['depth_to_space 2', 'depth_to_space_lip'],
    ['layercenter', 'without_mean_lip'],
    ['tile channels to 12', 'tiled_lip'],
  ])('bounds `%s` by %s', (statement, theorem) => {
    const source = `network N {\n  input image[4, 6, 6]\n  ${statement}\n  flatten\n  head 2\n}`;
    expect(coqFile(provenFrom(source))).toContain(theorem);
  });
  it.each([
    ['conv 4, kernel = 3 by fourier(cayley)', '(spectral_part_dom place_1_inj place_1_inj Q_1_dom)'],
    ['conv 2, kernel = 3 by fourier(cayley)', 'cayley_wide_symbol_dom'],
    ['conv 4, kernel = 3 by fourier(bro)', '@at_place (h_0 + 2) (w_0 + 2) 1 1'],
    ['conv 4, kernel = 3 by fourier(lot, steps = 10)', 'Hypothesis norm_ge_1 : forall k, frob (shifted_rows'],
    ['conv 4, kernel = 3 by skew_exponential(degree = 12)', '(gram (mixed (skew_kernel P_1)))'],
    ['sandwich 4, kernel = 3', 'sandwich_image_dom waves_1'],
  ])('writes `%s` at every frequency, or by its series', (statement, theorem) => {
    const source = `network N {\n  input image[3, 6, 6]\n  ${statement}\n  flatten\n  head 2\n}`;
    expect(coqFile(provenFrom(source))).toContain(theorem);
  });
  it.each([
    ['orthogonal(bcop)', '(@chain_kernel R g_1 2 4 c_1 c_0'],
    ['orthogonal(aoc)', 'reflections_of (B_1 0%N) (B_1 1%N)'],
  ])('makes the kernel of `by %s` of pairs of short matrices', (family, term) => {
    const source = `network N {\n  input image[3, 6, 6]\n  conv 4, kernel = 3 by ${family}\n  flatten\n  head 2\n}`;
    const text = coqFile(provenFrom(source));
    expect(text).toContain(term);
    expect(text).toContain('(constant_dom valid_1 (@chain_kernel_bounded R');
  });
});

const EXAMPLES = new URL('../../examples/', import.meta.url);
const examples = readdirSync(EXAMPLES, { recursive: true, encoding: 'utf8' }).filter(
  f => f.endsWith('.lip') && !f.startsWith('refused'),
);

describe.each(examples)('the Coq file of examples/%s', name => {
  const source = readFileSync(new URL(name, EXAMPLES), 'utf8');
  it.each([...source.matchAll(/^network (\w+)/gm)].map(m => m[1]))('states the bound of %s', network => {
    const program = resolve(parse(source).file, {});
    const result = prove(program.networks.find(n => n.name === network)!);
    if ('diagnostics' in result) throw new Error(result.diagnostics[0].message);
    expect(coqFile(result.proven)).toMatch(new RegExp(`^Theorem ${network}_lip : `, 'm'));
  });
});
