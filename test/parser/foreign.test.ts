import { describe, expect, it } from 'vitest';
import { applyFixes } from '../../src/cli/fixes.ts';
import { parse } from '../../src/parser/parse.ts';
import { resolve } from '../../src/passes/resolve/resolve.ts';

const diagnose = (source: string) => {
  const { file, diagnostics } = parse(source);
  return [...diagnostics, ...resolve(file, {}).diagnostics];
};
const network = (line: string): string =>
  `network N by sll {\n  input image[3, 8, 8]\n  ${line}\n  flatten\n  head 3\n}\n`;
const vector = (line: string): string => `network N by sll {\n  input x[8]\n  ${line}\n}\n`;
const recipe = (line: string): string => `${vector('head 3')}\ntrain N on mnist {\n  ${line}\n}\n`;
const layer = (line: string): string =>
  `layer f(k: count) (x: vec[n]) by rescale {\n  param W: mat[k, n] = xavier\n  let T = rescale(Wᵀ * W)\n  ${line}\n}\n\n${vector('f 4')}`;

/** One finding, whose help says `help`; `fixed` is what the file is after the fix. */
const finds = (source: string, help: string, fixed?: string): void => {
  const found = diagnose(source);
  expect(found.map(d => [d.code, d.message, d.help])).toHaveLength(1);
  expect(found[0].help).toContain(help);
  const { text, made } = applyFixes(source, found);
  if (fixed === undefined) expect(made).toHaveLength(0);
  else {
    expect(text).toBe(fixed);
    expect(diagnose(text)).toEqual([]);
  }
};

describe('notation of other languages', () => {
  it.each([
    ["conv 4, padding='same'", 'write `padding = same`', 'conv 4, padding=same'],
    ['conv 4, padding = "same"', 'write `same`', 'conv 4, padding = same'],
    ['conv 4, kernel = (3, 3)', 'write `[1, 2]`', 'conv 4, kernel = [3, 3]'],
    ['conv 4, kernel = 3x3', '[3, 3]', 'conv 4, kernel = [3, 3]'],
    ['conv 4 kernel 3', 'write `, kernel = 3`', 'conv 4, kernel = 3'],
    ['conv 4 bias = false', 'write `, bias = false`', 'conv 4, bias = false'],
    ['conv 4; relu', 'a line of its own', undefined],
    ['conv 4;', 'leave it out', 'conv 4'],
    ['# a comment', 'begin with `//`', '// a comment'],
    ['relu # a comment', 'begin with `//`', 'relu // a comment'],
    ['/* hi */', 'begin with `//`', '// hi'],
    ['y = it + 1', '`let y = …`', undefined],
    ['conv 4, maxmin', '`maxmin` is a layer: put it on its own line', undefined],
    ['conv 4, kernel_size = 3', 'the option is `kernel`', 'conv 4, kernel = 3'],
    ['conv 4, kernel 3', 'write `kernel = …`', undefined],
    ['wibble', 'the usual ones are dense, conv', undefined],
  ])('%s', (line, help, fixed) => {
    finds(network(line), help, fixed === undefined ? undefined : network(fixed));
  });

  it.each([
    ['residual { conv 4, kernel = 3 }', '`residual conv hidden = 8, kernel = 3`', undefined],
    ['residual {\n    conv 4, kernel = 3\n    relu\n  }', '`1/2 * it + 1/2 * f`', undefined],
    ['residual', '`residual conv hidden', undefined],
    ['residual 4', '`residual conv hidden', undefined],
    ['residual conv 4', 'write `hidden = 4`', 'residual conv hidden = 4'],
    ['residual conv hidden 4, kernel = 3', 'write `hidden = 4`', 'residual conv hidden = 4, kernel = 3'],
    ['pad channels 8', 'write `channels to 8`', 'pad channels to 8'],
    ['truncate channels 2', 'write `channels to 2`', 'truncate channels to 2'],
    ['pad channels = 8', '`pad channels to 16`', undefined],
    ['mix(it |> relu, it)', '`let a = it |> …`', undefined],
    ['conv 4, by aol', 'no comma stands before `by`', undefined],
    ['relu(it)', 'write `it |> relu`', undefined],
    ['conv image, kernel = 3', 'write `image |> conv …`', undefined],
    ['1/2 * it + 1/2 * relu(it)', '`let a = it |> relu`', undefined],
  ])('%s', (line, help, fixed) => {
    finds(network(line), help, fixed === undefined ? undefined : network(fixed));
  });

  it.each([
    ["return invsqrt(T) * W' * x", 'written `ᵀ`'],
    ['return W.T * x', 'written `ᵀ`'],
    ['return transpose(W) * x', 'written `ᵀ`'],
    ['return W @ x', 'written with `*`'],
    ['y = W * x', '`let y = …`'],
  ])('%s', (line, help) => {
    const [first, ...more] = diagnose(layer(line));
    expect(first.help).toContain(help);
    expect(more).toEqual([]);
    expect(first.fix).toBeDefined();
  });

  it.each([
    ['epochs 1 batch 128', '`, batch 128`', 'epochs 1, batch 128'],
    ['epochs = 10', '`epochs …`', 'epochs  10'],
    ['lr 1', 'optimizer adam(rate', undefined],
    ['batch_size 12', '`batch 256`', 'batch 12'],
  ])('%s', (line, help, fixed) => {
    finds(recipe(line), help, fixed === undefined ? undefined : recipe(fixed));
  });

  it('names the flag that is wrong, not the text', () => {
    const source = 'network N by aol {\n  input x[8]\n  dense 4\n}\n';
    const { file } = parse(source);
    const found = resolve(file, { by: 'lipschitz' }).diagnostics;
    expect(found).toHaveLength(1);
    expect(found[0]).toMatchObject({ code: 'L0104', message: expect.stringContaining('--by lipschitz') });
    expect(source.slice(found[0].span.start, found[0].span.end)).toBe('N');
  });

  it('fc is dense', () => finds(vector('fc 4'), '`dense N`', vector('dense 4')));

  it.each([
    ['x * sigmoid(x)', 'slopes up to 1.10'],
    ['x + 1', '`param b: vec[8] = 1`'],
    ['groupsort(x)', 'write `groupsort(4, x)`'],
    ['groupsort', 'write `groupsort(4, x)`'],
    ['relu', 'write `relu(x)`'],
    ['sin(x)', 'slopes are [−1, 1]'],
    ['min(relu(x), 6)', 'elementwise functions are'],
  ])('%s', (e, help) => {
    const [first] = diagnose(`layer f() (x: vec[n]) {\n  return ${e}\n}\n\n${vector('f')}`);
    expect(first.help).toContain(help);
    expect(first.fix).toBeUndefined();
  });

  it('a parameter that is a number', () => {
    const [first] = diagnose(`layer f() (x: vec[n]) {\n  param s = 0.5\n  return s * x\n}\n\n${vector('f')}`);
    expect(first).toMatchObject({ code: 'L0140', help: expect.stringContaining('`let s = 0.5`') });
  });

  it.each(['min(gershgorin(G), schur(G))', 'sqrt(gershgorin(G) * schur(G))'])('%s', e => {
    const [first] = diagnose(`rescaling r() (G: gram[m]) {\n  return ${e}\n}\n\n${vector('dense 4 by r')}`);
    expect(first.help).toContain('need not dominate');
  });

  it.each([
    ['power_iteration', 'no upper bound'],
    ['lipschitz', '`aol`'],
    ['own(spectral, aol)', 'own(max(a, b))'],
  ])('by %s', (method, help) => {
    expect(diagnose(vector(`dense 4 by ${method}`))[0].help).toContain(help);
  });
});
