import { describe, expect, it } from 'vitest';
import type { Network } from '../../../src/ir/network.ts';
import { printNetwork } from '../../../src/ir/print-network.ts';
import { parse } from '../../../src/parser/parse.ts';
import { prove } from '../../../src/passes/prove/prove.ts';
import { resolve } from '../../../src/passes/resolve/resolve.ts';
import { formatBound } from '../../../src/proof/derivation.ts';

const source = (lines: string, input = 'x[8]'): string =>
  `network N(width = 4) by aol {\n  input ${input}\n${lines.replaceAll(/^/gm, '  ')}\n}\n`;

const network = (lines: string, input?: string): Network => {
  const { file, diagnostics } = parse(source(lines, input));
  const program = resolve(file);
  expect([...diagnostics, ...program.diagnostics]).toEqual([]);
  return program.networks[0];
};

/** `%id = op (inputs) -> shape`, without parameters and places. */
const layers = (lines: string, input?: string): readonly string[] =>
  printNetwork(network(lines, input))
    .split('\n')
    .filter(l => / -> \[/.test(l))
    .map(l =>
      l
        .trim()
        .replace(/ {3}\/\/.*/, '')
        .replace(/dense (\d+) -> (\d+) by aol.*? \(/, 'dense $1 -> $2 ('),
    );

const findings = (lines: string, input?: string): readonly string[] => {
  const text = source(lines, input);
  const { file, diagnostics } = parse(text);
  return [...diagnostics, ...resolve(file).diagnostics].map(
    d => `${d.code} «${text.slice(d.span.start, d.span.end)}» ${d.message}`,
  );
};

const bound = (lines: string): string => {
  const result = prove({ ...network(lines), budget: { num: 1000n, den: 1n } });
  if (!('proven' in result)) throw new Error(JSON.stringify(result.diagnostics[0].message));
  return formatBound(result.proven.squared);
};

describe('values with names', () => {
  it('branches from the input, mixed', () => {
    expect(layers('let a = x |> dense 4 |> relu\nlet b = x |> dense 4\nmix(a, b, 1/3)\nhead 3')).toEqual([
      '%1 = dense 8 -> 4 (%0) -> [4]',
      '%2 = relu (%1) -> [4]',
      '%3 = dense 8 -> 4 (%0) -> [4]',
      '%4 = mix 1/3 (%2, %3) -> [4]',
      '%5 = head 3, eps = 0 (%4) -> [3]',
    ]);
  });
  it('`it` is the value so far, which `let` leaves as it is', () => {
    expect(layers('relu\nlet a = it |> abs\ntanh\nmax(it, a)')).toEqual([
      '%1 = relu (%0) -> [8]',
      '%2 = abs (%1) -> [8]',
      '%3 = tanh (%1) -> [8]',
      '%4 = max (%3, %2) -> [8]',
    ]);
  });
  it('a line may go on from a value', () => {
    expect(layers('let a = x |> relu\nabs\nlet b = it\na |> tanh\nmin(it, b)\nit |> sigmoid')).toEqual([
      '%1 = relu (%0) -> [8]',
      '%2 = abs (%0) -> [8]',
      '%3 = tanh (%1) -> [8]',
      '%4 = min (%3, %2) -> [8]',
      '%5 = sigmoid (%4) -> [8]',
    ]);
    expect(layers('relu |> abs')).toEqual(['%1 = relu (%0) -> [8]', '%2 = abs (%1) -> [8]']);
  });
  it('sums have exact factors; equal terms are one', () => {
    expect(layers('let a = x |> relu\n1/2 * a - (x + a) / width + a')).toEqual([
      '%1 = relu (%0) -> [8]',
      '%2 = sum [5/4, -1/4] (%1, %0) -> [8]',
    ]);
    expect(layers('-x')).toEqual(['%1 = sum [-1] (%0) -> [8]']);
    expect(layers('x * floor(5/2) |> relu')).toEqual(['%1 = sum [2] (%0) -> [8]', '%2 = relu (%1) -> [8]']);
  });
  it('combinations nest', () => {
    expect(layers('max(1/2 * x, concat(slice(x, 4, 4), slice(x, 0, 4)))')).toEqual([
      '%1 = sum [1/2] (%0) -> [8]',
      '%2 = slice 4 to 7 (%0) -> [4]',
      '%3 = slice 0 to 3 (%0) -> [4]',
      '%4 = concat (%2, %3) -> [8]',
      '%5 = max (%1, %4) -> [8]',
    ]);
  });
  it('parts of a split', () => {
    expect(layers('let a, b = split(x)\nlet c, d = split(a, [1, 3])\nconcat(d, c, b)')).toEqual([
      '%1 = slice 0 to 3 (%0) -> [4]',
      '%2 = slice 4 to 7 (%0) -> [4]',
      '%3 = slice 0 to 0 (%1) -> [1]',
      '%4 = slice 1 to 3 (%1) -> [3]',
      '%5 = concat (%4, %3, %2) -> [8]',
    ]);
  });
  it('a learnt mix has a parameter with a stable path', () => {
    const net = network('let a = x |> relu\nmix(mix(a, x), x)');
    expect(net.layers.map(l => l.path)).toEqual(['relu[0]', 'mix[0]', 'mix[1]']);
    expect(net.layers.slice(1).map(l => l.op)).toMatchObject([
      { weight: { of: { path: 'mix[0].w', shape: [1] } } },
      { weight: { of: { path: 'mix[1].w', shape: [1] } } },
    ]);
  });
  it('names of a repeated block are its own', () => {
    expect(layers('repeat 2 {\n  let skip = it\n  relu\n  mix(skip, it, 1/2)\n}')).toEqual([
      '%1 = relu (%0) -> [8]',
      '%2 = mix 1/2 (%0, %1) -> [8]',
      '%3 = relu (%2) -> [8]',
      '%4 = mix 1/2 (%2, %3) -> [8]',
    ]);
  });
  it('images have names too', () => {
    expect(layers('let a, b = split(image)\nconcat(b, a)', 'image[4, 2, 2]')).toEqual([
      '%1 = slice 0 to 1 (%0) -> [2, 2, 2]',
      '%2 = slice 2 to 3 (%0) -> [2, 2, 2]',
      '%3 = concat (%2, %1) -> [4, 2, 2]',
    ]);
  });
});

describe('bounds', () => {
  it.each([
    ['let a = x |> dense 8 |> relu\nx + a', '2'],
    ['let a = x |> dense 8 |> relu\nmix(x, a)', '1'],
    ['let a = x |> scale 1/3\nlet b = x |> relu\nmix(a, b, 1/2)', '3'],
    ['let a = x |> scale 1/3\nlet b = x |> relu\n1/2 * a + 1/2 * b', '2'],
    ['let a, b = split(x)\nlet c = a |> dense 5\nlet d = b |> dense 3 |> scale 1/2\nconcat(c, d)', '2'],
    ['concat(x, x)', '√(2)'],
    ['max(x, -x)', '√(2)'],
  ])('%s', (lines, expected) => {
    expect(bound(lines)).toBe(expected);
  });
});

describe('sub-budgets', () => {
  it('count from the value that the branch begins with', () => {
    const net = network(
      'relu\nlet a = it |> scale 4 |> dense 8 budget 1/2\nmix(it, a) budget 1\na - it |> abs budget 4',
    );
    expect(
      net.subBudgets?.map(b => [b.name, b.from, b.to, formatBound({ num: b.bound.num ** 2n, den: b.bound.den ** 2n })]),
    ).toEqual([
      ['a', 1, 3, '1/2'],
      ['mix[0]', 0, 4, '1'],
      ['abs[0]', 0, 6, '4'],
    ]);
  });
});

describe('mistakes', () => {
  it.each([
    ['mix(a, x)\nrelu', 'L0152 «a» there is no value `a`'],
    ['let a = y |> relu\nmix(a, x)', 'L0152 «y» there is no value `y`'],
    ['let a = relu\nmix(a, x)', 'L0152 «relu» there is no value `relu`'],
    ['let a = x |> relu\nrelu', 'L0151 «a» `a` is never used'],
    [
      'dense 4\nx |> relu',
      'L0151 «dense 4» what `dense[0]` makes is never used: the network goes on from another value',
    ],
    ['let relu = x\nmix(relu, x)', 'L0106 «relu» `relu` is the name of a layer'],
    ['let x = x\nrelu', 'L0106 «x» `x` is the name of another value'],
    ['let width = x |> relu\nmix(width, x)', 'L0106 «width» `width` is a parameter of the network'],
    ['let it = x |> relu\nabs', 'L0106 «it» `it` has a meaning already'],
    [
      'let a = x |> dense 4\nmix(a, x)',
      'L0150 «mix(a, x)» a mix of values of different shapes: a vector of 4 and a vector of 8',
    ],
    [
      'let a = x |> dense 4\na + x',
      'L0150 «a + x» a sum of values of different shapes: a vector of 4 and a vector of 8',
    ],
    ['slice(x, 4, 5)', 'L0150 «slice(x, 4, 5)» a part of 5 from 4 on does not fit into a vector of 8'],
    ['let a, b, c = split(x)\nconcat(a, b, c)', 'L0150 «split(x)» 8 channels do not split into 3 equal parts'],
    ['let a, b = split(x, [4, 5])\nconcat(a, b)', 'L0150 «[4, 5]» parts of 4 + 5 for 2 names and 8 channels'],
    ['let a, b = x\nconcat(a, b)', 'L0110 «x» several names are for the parts of one value'],
    ['split(x)', 'L0110 «split(x)» `split` makes several values, which need a name each'],
    ['mix(x, x, 2)', 'L0112 «2» the weight of `mix` must lie in [0, 1], found 2'],
    ['mix(x)', 'L0110 «mix(x)» `mix` takes 2 arguments, found 1'],
    ['x + 1', 'L0111 «x + 1» a number cannot be added to a value'],
    ['x * x', 'L0111 «x * x» a product of two values has no Lipschitz bound'],
    ['1 / x', 'L0111 «1 / x» a value can be divided by a number only'],
    ['x / 0', 'L0113 «x / 0» this divides by zero'],
    ['x - x', 'L0112 «x - x» this multiplies a value by 0'],
    ['3', 'L0111 «3» a number is no value of the network'],
    ['x -1', 'L0110 «x -1» `x` is a value and takes no arguments'],
    ['center - 1/2', 'L0152 «center» there is no value `center`'],
    [
      'let a = x |> head 3\nmix(a, a)',
      'L0126 «head 3» `head` must be the last layer of the network, and cannot be named',
    ],
    ['x |> input', 'L0126 «input» `input` is no layer that a value goes through'],
    ['let a = x |> relu by aol\nmix(a, x)', 'L0127 «by aol» `relu` takes no `by`'],
    ['let a = x by aol\nmix(a, x)', 'L0127 «by aol» a value takes no `by`'],
    ['let a, b = split(x) budget 1/2\nconcat(b, a)', 'L0127 «budget 1/2» a split takes no `budget`'],
    [
      'let a = x budget 1/2 |> relu\nmix(a, x)',
      'L0127 «budget 1/2» a value that goes through layers takes no `budget`',
    ],
    ['mix(x, x) budget 1/2 |> relu', 'L0127 «budget 1/2» a value that goes through layers takes no `budget`'],
    ['x |> relu budget 0', 'L0112 «0» the budget must be positive, found 0'],
    ['residual mix(x, x)', 'L0128 «residual» there is no such form of `mix`'],
    ['let a = x |> dens 4\nmix(a, x)', 'L0101 «dens» there is no layer `dens`'],
  ])('%s', (lines, finding) => {
    expect(findings(lines)).toEqual([finding]);
  });
  it('a name does not leave its block', () => {
    expect(findings('repeat 2 {\n  let a = it |> relu\n  mix(a, it)\n}\nmix(a, it)')).toEqual([
      'L0152 «a» there is no value `a`',
    ]);
  });
  it('before the input there are no values', () => {
    const text = 'network N {\n  let a = it |> relu\n  input x[4]\n  relu\n}\n';
    expect(resolve(parse(text).file).diagnostics.map(d => d.code)).toEqual(['L0126']);
  });
  it('not in the settings of a training', () => {
    const text = `${source('head 3')}train N on mnist {\n  let a = b\n  epochs 1\n}\n`;
    expect(resolve(parse(text).file).diagnostics.map(d => d.message)).toEqual(['`train` takes settings only']);
  });
});
