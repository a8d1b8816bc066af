/** The reference cases of test/fixtures as tests, for any engine. */
import { readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { Engine } from '../src/fixtures/engine.ts';
import { type CaseReport, formatReport, runFolder } from '../src/fixtures/run-folder.ts';

const FOLDER = new URL('fixtures/', import.meta.url).pathname;

const GROUPS = [
  'sll',
  'aol',
  'cpl',
  'spectral',
  'sandwich',
  'certify',
  'loss',
  'optim',
  'network',
  'activations',
  'heads',
] as const;

const run = async (folder: string, engine: Engine): Promise<readonly CaseReport[]> => {
  const reports: CaseReport[] = [];
  for await (const r of runFolder(folder, [engine])) reports.push(r);
  return reports;
};

const failures = (reports: readonly CaseReport[]): readonly string[] =>
  reports.filter(r => r.status === 'fail').map(formatReport);

/** One test a group: every case is run, and none fails. */
export const testReferenceCases = (engine: () => Engine, groups: readonly (typeof GROUPS)[number][] = GROUPS): void => {
  it.each([...groups])('%s', async group => {
    const reports = await run(`${FOLDER}${group}`, engine());
    expect(failures(reports)).toEqual([]);
    expect(reports).toHaveLength(readdirSync(`${FOLDER}${group}`).length);
    expect(reports.filter(r => r.status === 'unsupported').map(r => r.name)).toEqual([]);
  });

  it('orthogonal: the families that the language has', async () => {
    const reports = await run(`${FOLDER}orthogonal`, engine());
    expect(failures(reports)).toEqual([]);
    const passed = reports.filter(r => r.status === 'pass').map(r => r.name);
    expect(passed).toEqual([
      'aoc_conv_4to4_k3_s1_n6',
      'aoc_conv_4to6_k5_s1_n7',
      'aoc_stride_conv_4to6_k4_s2_n8',
      'bcop_conv_3to6_n5',
      'bcop_conv_4to4_n6',
      'bjorck_dense_10to16_steps15',
      'bjorck_dense_10to16_steps3',
      'bjorck_dense_12to12_steps15',
      'bjorck_dense_12to12_steps3',
      'bro_conv_3to6_n6',
      'bro_conv_4to4_n6',
      'bro_dense_10_rank2',
      'bro_dense_12_rank6',
      'cayley_conv_3to4_n7__corrected',
      'cayley_conv_3to6_n6',
      'cayley_conv_4to4_n8',
      'cayley_conv_6to3_n8',
      'cayley_dense_10to16',
      'cayley_dense_12to12',
      'cayley_dense_16to10',
      'lot_conv_3to3_n6',
      'lot_conv_4to6_n5',
      'lot_conv_5to3_n6',
      'ortho_linear_bjorck_10to14',
      'ortho_linear_cholesky_14to10',
      'ortho_linear_exp_10to14',
      'ortho_linear_qr_10to14',
      'rko_conv_4to8_k2_s2_n6',
      'soc_conv_3to6_6x8_k3_terms12',
      'soc_conv_4to4_7x7_k3_terms12',
      'soc_conv_6to4_8x8_k3_terms12',
      'torch_cayley_8to12',
      'torch_householder_8to12',
      'torch_matrix_exp_8to12',
      'torchlip_spectral_linear_12to9__as_published',
      'torchlip_spectral_linear_12to9__corrected',
    ]);
    // Cut after degree 5, the exponential of a skew kernel is not 1-Lipschitz.
    const refused = reports.filter(r => /refused \(L0212\)/.test(formatReport(r))).map(r => r.name);
    expect(refused).toEqual([
      'soc_conv_3to6_6x8_k3_terms5',
      'soc_conv_4to4_7x7_k3_terms5',
      'soc_conv_6to4_8x8_k3_terms5',
    ]);
  });
};
