import { describe, expect, it } from 'vitest';
import { format } from '../../../src/parser/format.ts';
import { parse } from '../../../src/parser/parse.ts';
import { resolve } from '../../../src/passes/resolve/resolve.ts';

const compile = (statement: string, input = 'image[4, 9, 12]') =>
  resolve(parse(`network N by aol {\n  input ${input}\n  ${statement}\n}\n`).file, {});

const layerOf = (statement: string, input?: string) => {
  const { networks, diagnostics } = compile(statement, input);
  expect(diagnostics).toEqual([]);
  return networks[0].layers.at(-1)!;
};

describe('shapes of convolutions', () => {
  it.each([
    ['conv 6, stride = 2', [6, 5, 6]],
    ['conv 6, stride = [3, 2], kernel = 4', [6, 3, 6]],
    ['conv 6, padding = valid', [6, 7, 10]],
    ['conv 6, dilation = 2', [6, 9, 12]],
    ['conv 6, dilation = [1, 3], padding = 1', [6, 9, 8]],
    ['conv 6, kernel = 2, stride = 3, padding = valid', [6, 3, 4]],
    ['conv 6, stride = 3, padding = circular', [6, 3, 4]],
    ['conv 6, kernel = 2', [6, 10, 13]],
    ['residual conv hidden = 2, stride = 3', [4, 9, 12]],
    ['transposed conv 6, stride = 2', [6, 18, 24]],
    ['transposed conv 6, kernel = 4, stride = 2', [6, 18, 24]],
    ['transposed conv 6, padding = valid', [6, 11, 14]],
    ['transposed conv 6, kernel = 2, stride = 2, padding = valid', [6, 18, 24]],
    ['transposed conv 6, stride = 3, padding = circular', [6, 27, 36]],
    ['space_to_depth 3', [36, 3, 4]],
    ['depth_to_space 2', [1, 18, 24]],
    ['space_to_depth [1, 2]', [8, 9, 6]],
  ] as const)('%s', (statement, shape) => {
    expect(layerOf(statement).shape).toEqual(shape);
  });

  it('weights of groups, and of a transposed convolution as its map has them', () => {
    expect(layerOf('conv 6, groups = 2').op).toMatchObject({ map: { weight: { shape: [6, 2, 3, 3] } } });
    const { op } = layerOf('transposed conv 6, groups = 2, kernel = [3, 5]');
    expect(op).toMatchObject({
      kind: 'linear',
      adjoint: true,
      map: { out: 4, in: 6, groups: 2, weight: { shape: [4, 3, 3, 5] } },
      bias: { shape: [6] },
    });
  });
});

describe('what is refused', () => {
  it.each([
    ['conv 6, groups = 3', 'L0125', /does not divide 4 channels/],
    ['conv 5, groups = 2', 'L0125', /does not divide 5 channels/],
    ['conv 6, kernel = 5, dilation = 3, padding = valid', 'L0121', /5×5 kernel with dilation 3, 3 does not fit/],
    ['transposed conv 6, kernel = 1, padding = 6', 'L0121', /does not fit/],
    ['conv 6, stride = 2, padding = circular', 'L0133', /does not close up/],
    ['space_to_depth 2', 'L0123', /do not tile/],
    ['depth_to_space 3', 'L0125', /whole blocks of 3×3/],
    ['transposed maxmin', 'L0128', /no transposed form/],
    ['transposed conv 6, padding = reflect', 'L0132', /no border to repeat/],
    ['transposed conv 4 by fourier(cayley)', 'L0128', /no transposed form/],
    ['conv 6, stride = 0', 'L0112', /stride/],
  ] as const)('%s', (statement, code, message) => {
    const { diagnostics } = compile(statement);
    expect(diagnostics).toHaveLength(1);
    expect(diagnostics[0]).toMatchObject({ code, message: expect.stringMatching(message) });
  });
});

it('`transposed` is laid out like `residual`', () => {
  const source = 'network N {\n  input image[4, 9, 9]\n  transposed   conv 4,stride=2 by aol\n}\n';
  expect(format(source)).toEqual({ text: source.replace('   conv 4,stride=2', ' conv 4, stride = 2') });
});
