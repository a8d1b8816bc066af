import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CaseTensor, type FixtureCase, readCase } from '../src/fixtures/case.ts';
import { compare, severity } from '../src/fixtures/compare.ts';
import { oracleEngine } from '../src/fixtures/engine.ts';
import { layerSource } from '../src/fixtures/layer-source.ts';
import { formatReport, runFolder } from '../src/fixtures/run-folder.ts';
import { readSafetensors, writeSafetensors } from '../src/train/safetensors.ts';

const FIXTURES = new URL('fixtures/', import.meta.url).pathname;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'lip-cases-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const report = async (name: string) => {
  for await (const r of runFolder(join(folder, name), [oracleEngine])) return r;
  throw new Error('no case');
};

/** A copy of a case with one tensor or its metadata changed. */
const altered = (
  name: string,
  from: string,
  change: (s: ReturnType<typeof readSafetensors>) => ReturnType<typeof readSafetensors>,
): void => {
  mkdirSync(join(folder, name), { recursive: true });
  const s = change(readSafetensors(readFileSync(join(FIXTURES, from)), from));
  writeFileSync(join(folder, name, 'case.safetensors'), writeSafetensors(s.tensors, s.metadata));
};

describe('the runner', () => {
  it('passes a case under any name and folder', async () => {
    mkdirSync(join(folder, 'deep/inside'), { recursive: true });
    copyFileSync(join(FIXTURES, 'sll/sll_dense_n12_i20.safetensors'), join(folder, 'deep/inside/anything.safetensors'));
    expect(await report('deep')).toMatchObject({ name: 'anything', status: 'pass' });
  });

  it.each(['y', 'grad.x', 'grad.weight', 'grad.bias', 'grad.q'])(
    'fails when %s differs by ten tolerances',
    async name => {
      const from = 'sll/sll_dense_n12_i20.safetensors';
      const { tolerance } = readCase(join(FIXTURES, from));
      altered(`off-${name}`, from, s => {
        const tensors = new Map(s.tensors);
        const old = tensors.get(name)!;
        const data = Float64Array.from(old.data as Float64Array);
        data[data.length - 1] += 10 * tolerance[name].f64_abs!;
        tensors.set(name, { ...old, data });
        return { ...s, tensors };
      });
      const r = await report(`off-${name}`);
      expect(r.status).toBe('fail');
      expect(r.worst[0].tensor).toBe(name);
    },
  );

  it('fails, with the reason, on a damaged file and on a case that lacks a tensor', async () => {
    mkdirSync(join(folder, 'damaged'));
    writeFileSync(
      join(folder, 'damaged/case.safetensors'),
      readFileSync(join(FIXTURES, 'activations/relu.safetensors')).subarray(0, 500),
    );
    expect(await report('damaged')).toMatchObject({
      status: 'fail',
      remark: expect.stringContaining('case.safetensors'),
    });
    altered('lacking', 'sll/sll_dense_n12_i20.safetensors', s => ({
      ...s,
      tensors: new Map([...s.tensors].filter(([k]) => k !== 'gy')),
    }));
    expect(await report('lacking')).toMatchObject({ status: 'fail', remark: expect.stringContaining('"gy"') });
  });

  it('tells cases of one name apart by their folders', async () => {
    for (const sub of ['a', 'b']) {
      mkdirSync(join(folder, 'twins', sub), { recursive: true });
      copyFileSync(join(FIXTURES, 'activations/relu.safetensors'), join(folder, 'twins', sub, 'relu.safetensors'));
    }
    const names: string[] = [];
    for await (const r of runFolder(join(folder, 'twins'), [oracleEngine])) names.push(r.name);
    expect(names).toEqual(['a/relu', 'b/relu']);
  });

  it('prints worst error and tolerance', async () => {
    expect(formatReport(await report('deep'))).toMatch(
      /^anything {2}pass {2}[0-9.e-]+ \/ [0-9.e-]+ \(oracle [a-z., ]+\)$/,
    );
  });
});

describe('comparison', () => {
  const c = (tolerance: FixtureCase['tolerance'], y: readonly number[]): FixtureCase => ({
    group: 'g',
    variant: '',
    formula: '',
    attrs: {},
    tolerance,
    tensors: new Map<string, CaseTensor>([['y', { shape: [y.length], data: Float64Array.from(y) }]]),
  });
  it('NaN, infinities and missing entries are never within tolerance', () => {
    const one = c({ y: { f64_abs: 1, f32_abs: 1 } }, [1, 2]);
    expect(severity(compare(one, 'y', [1, Number.NaN], 'f64')!)).toBe(Number.POSITIVE_INFINITY);
    expect(severity(compare(one, 'y', [Number.NaN, 2], 'f64')!)).toBe(Number.POSITIVE_INFINITY);
    expect(severity(compare(one, 'y', [1, Number.POSITIVE_INFINITY], 'f64')!)).toBe(Number.POSITIVE_INFINITY);
    expect(severity(compare(one, 'y', [1], 'f64')!)).toBe(Number.POSITIVE_INFINITY);
    expect(severity(compare(one, 'y', [1.5, 2], 'f64')!)).toBe(0.5);
  });
  it('a tolerance of 0 asks for equality, `ignore` for nothing, and a star covers what begins like it', () => {
    const exact = c({ y: { f64_abs: 0, f32_abs: 0 } }, [1]);
    expect(severity(compare(exact, 'y', [1], 'f32')!)).toBe(0);
    expect(severity(compare(exact, 'y', [1 + 1e-15], 'f32')!)).toBe(Number.POSITIVE_INFINITY);
    expect(compare(c({ y: { ignore: true } }, [1]), 'y', [5], 'f64')).toBeUndefined();
    expect(compare(c({ 'y*': { f64_abs: 3 } }, [1]), 'y', [2], 'f64')?.tolerance).toBe(3);
  });
});

describe('layer sources', () => {
  it('take the norm of a 1×1 kernel from its matrix', () => {
    const zeros = (...shape: number[]): CaseTensor => ({
      shape,
      data: new Float64Array(shape.reduce((a, d) => a * d)),
    });
    const s = layerSource({
      group: 'cpl',
      variant: '',
      formula: 's = largest singular value of the zero-padded (padding 0) 1x1 convolution on this image size; …',
      attrs: { eps: 1e-4, padding: 0 },
      tolerance: {},
      tensors: new Map([
        ['x', zeros(1, 2, 3, 3)],
        ['param.kernel', zeros(4, 2, 1, 1)],
      ]),
    });
    expect('source' in s && s.source).toContain('method = reshaped');
  });
  const source = (file: string): string => {
    const s = layerSource(readCase(join(FIXTURES, file)));
    return 'source' in s ? s.source : `unsupported: ${s.unsupported}`;
  };
  it('say in the language what the formula says', () => {
    const lines = [
      'sll/sll_conv_c4_i6_k5_8x8__as_published.safetensors',
      'sll/sll_conv_c4_i6_k5_8x8__corrected.safetensors',
      'aol/aol_dense_transpose_20to12.safetensors',
      'cpl/cpl_conv_c3_i5_8x8.safetensors',
      'spectral/spectral_rko_conv_4to6_6x7.safetensors',
      'orthogonal/cayley_dense_16to10.safetensors',
      'heads/unit_norm_linear.safetensors',
      'heads/scaled_avgpool2d_2x4.safetensors',
    ].map(f => source(f).split('\n')[2].trim());
    expect(lines).toEqual([
      'residual conv hidden = 6, kernel = [5, 5], padding = 1 by aol(eps = 0)',
      'residual conv hidden = 6, kernel = [5, 5], padding = 2 by sll',
      'dense 12, side = out by aol(eps = 0.000001)',
      'residual conv hidden = 5, kernel = [3, 3], padding = 1 by spectral(method = operator, steps = 18, eps = 0.0001)',
      'conv 6, kernel = [3, 3], padding = 1 by spectral(method = reshaped, steps = 18, eps = 0)',
      'dense 10 by orthogonal(cayley)',
      'head 10, eps = 1e-8',
      'avgpool [2, 4]',
    ]);
  });
});
