/** The standard library: what it says is what the built-in layers do, and a user may copy and change it. */
import { describe, expect, it } from 'vitest';
import { checkNetwork } from '../src/cli/check-report.ts';
import { provenFrom } from '../src/fixtures/compile-source.ts';
import type { Counterexample } from '../src/ir/counterexample.ts';
import { interpret } from '../src/ir/interpret.ts';
import { elements, networkParams } from '../src/ir/network.ts';
import { printNetwork } from '../src/ir/print-network.ts';
import { GraphBuilder } from '../src/ir/tensor.ts';
import { libraryDefinitions, librarySources } from '../src/library.ts';
import { format } from '../src/parser/format.ts';
import { parse } from '../src/parser/parse.ts';
import { lowerNetwork } from '../src/passes/lower/lower.ts';
import { prove } from '../src/passes/prove/prove.ts';
import { refute } from '../src/passes/refute/refute.ts';
import { resolve } from '../src/passes/resolve/resolve.ts';
import { gradientError, gradientGraph, noise } from './gradient.ts';

const network = (input: string, ...lines: readonly string[]): string =>
  `network N {\n  input ${input}\n${lines.map(l => `  ${l}\n`).join('')}}\n`;

/** The library under other names. */
const copied = librarySources()
  .map(s => s.text)
  .join('\n')
  .replace(/\b(dense|conv)(?=\((out|hidden): count)/g, 'my_$1')
  .replace(/rescaling (\w+)/g, 'rescaling my_$1');

const uses: readonly (readonly [input: string, line: string])[] = [
  ...['dense 3', 'dense 8, bias = false', 'dense out = 3, side = out', 'residual dense hidden = 3, act = tanh'].flatMap(
    line =>
      ['aol', 'sll', 'spectral', 'aol(eps = 0)', 'own(max(sll, 2 * mix(aol, sll, 1/3)))'].map(
        by => ['x[5]', `${line} by ${by}`] as const,
      ),
  ),
  ...[
    'conv 3',
    'conv 4, kernel = [3, 2], stride = 2, padding = 1',
    'conv 4, groups = 2, dilation = [1, 2], padding = valid, bias = false, side = out',
    'conv 2, padding = circular',
    'residual conv hidden = 3, kernel = 5',
    'residual conv hidden = 4, kernel = 2, stride = 2, padding = valid, act = sigmoid',
  ].flatMap(line =>
    ['aol', 'sll', 'spectral(grid = 16, steps = 3)', 'own(3/2 * sll)'].map(
      by => ['image[2, 6, 6]', `${line} by ${by}`] as const,
    ),
  ),
  ['x[5]', 'dense 3 by orthogonal(cayley)'],
  ['x[5]', 'residual dense hidden = 3 by orthogonal(bro)'],
  ['image[2, 6, 6]', 'conv 2, stride = 2, kernel = 2, padding = valid by orthogonal(bjorck)'],
  ['image[2, 6, 6]', 'conv 2 by spectral(method = operator)'],
  ['image[2, 6, 6]', 'conv 2, stride = 2 by spectral(method = circulant)'],
];

const others = (line: string): string =>
  line.replace(/\b(dense|conv)\b/, 'my_$1').replace(/(?<=by .*)\b(aol|sll|spectral)\b/g, 'my_$1');

describe('the library', () => {
  it.each(librarySources().map(s => [s.file, s.text] as const))('%s is formatted', (_, text) => {
    const { file, diagnostics } = parse(text);
    expect(diagnostics).toEqual([]);
    const result = format(text);
    expect('text' in result ? result.text : result).toBe(text);
    expect(file.definitions.length).toBeGreaterThan(0);
  });

  it('knows each definition with the comment above it', () => {
    const sll = libraryDefinitions().find(d => d.definition.name.text === 'sll')!;
    expect(sll.source.split('\n')[0]).toMatch(/^\/\/ The same with positive weights/);
    expect(sll.source.endsWith('}')).toBe(true);
  });

  it.each(uses)('%s: %s is what its source says, under another name too', (input, line) => {
    const builtin = printNetwork(provenFrom(network(input, line)).network);
    const mine = printNetwork(provenFrom(`${copied}\n${network(input, others(line))}`).network);
    expect(mine.replaceAll('my_', '')).toBe(builtin);
    expect(builtin).toMatch(/ = (residual )?(dense|conv) /);
  });
});

const first = (source: string): readonly [string, string, string] => {
  const parsed = parse(source);
  const program = resolve(parsed.file);
  const found = [...parsed.diagnostics, ...program.diagnostics];
  const proof = found.length === 0 ? prove(program.networks[0]) : undefined;
  const [d] = proof && 'diagnostics' in proof ? proof.diagnostics : found;
  if (!d) throw new Error(`proven, though it must be refused:\n${source}`);
  return [d.code, source.slice(d.span.start, d.span.end), d.message];
};

/** A rescaling `mine` with this body, used by a `dense` layer. */
const rescaling = (...body: readonly string[]): string =>
  `rescaling mine(eps: nonnegative = 0) (G: gram[m]) {\n${body.map(l => `  ${l}\n`).join('')}}\n${network('x[4]', 'dense 3 by mine')}`;

describe('rescalings of the file', () => {
  it('have parameters of their own, each under a name of its own', () => {
    const source = `rescaling mine() (G: gram[m]) {
  param W: vec[m] = zeros
  param q: vec[m] = 1/10
  return 1/2 * gershgorin(G, exp(q) + 1/3) + 1/2 * max(gershgorin(G, exp(W)), schur(G))
}
${network('x[4]', 'dense 3 by own(max(mine, sll))')}`;
    const { network: net } = provenFrom(source);
    expect(networkParams(net).map(p => p.path)).toEqual([
      'dense[0].W',
      'dense[0].b',
      'dense[0].q',
      'dense[0].W1',
      'dense[0].q1',
    ]);
    expect(printNetwork(net)).toContain('by max(mix(1/2: sll(shift = 1/3), 1/2: max(sll, schur)), sll) (');
  });

  it.each([
    ['too small', ['return 1/2 * gershgorin(G) + eps'], 'L0203', 'return 1/2 * gershgorin(G) + eps', 'may be smaller'],
    ['no diagonal', ['return 2'], 'L0141', 'return 2', 'a rescaling returns a diagonal'],
    ['no return', ['let T = schur(G)'], 'L0140', 'mine', 'returns nothing'],
    ['an unknown name', ['return gershgorin(H)'], 'L0103', 'H', 'not defined'],
  ])('%s', (_, body, code, place, message) => {
    const [c, p, m] = first(rescaling(...body));
    expect([c, p]).toEqual([code, place]);
    expect(m).toContain(message);
  });

  it('are not taken from the library, nor defined twice', () => {
    expect(first(rescaling('return schur(G)').replace('mine', 'sll'))).toEqual([
      'L0106',
      'sll',
      '`sll` is built in and cannot be defined again',
    ]);
    expect(first(rescaling('return schur(G)').replace('mine', 'own'))[0]).toBe('L0106');
    const twice = rescaling('return schur(G)');
    expect(first(twice.slice(0, twice.indexOf('network')) + twice)[2]).toContain('defined twice');
  });
});

/** A layer with conditions. */
const conditional = (
  use: string,
  when = 'kind = plain',
): string => `layer own(kind: choice[plain, turned] = plain, bias: bool = true) (x: vec[n]) by T {
  param W: mat[n, n] = xavier
  param b: vec[n] = uniform(1 / sqrt(fan_in(W))) when bias
  return W * invsqrt(T(Wᵀ * W)) * x + b when ${when}
  return Wᵀ * invsqrt(T(W * Wᵀ)) * x + b when kind = turned
}
${network('x[4]', use)}`;

describe('layers of the file', () => {
  it('choose lines by their options, and T by `by`', () => {
    const text = (use: string): string => printNetwork(provenFrom(conditional(use)).network);
    expect(text('own by sll')).toContain('dense 4 -> 4 by sll');
    expect(text('own kind = turned, bias = false by aol')).toContain(
      'dense 4 -> 4, stored transposed, bias = false by aol',
    );
    expect(text('own by orthogonal(cayley)')).toContain('own[0].b [4] = uniform(±0.5)');
  });
  it.each([
    ['an unknown choice', conditional('own kind = other by sll'), 'L0105', 'other', 'found `other`'],
    ['a condition that never holds', conditional('own by sll', 'kind = pain'), 'L0105', 'pain', 'never `pain`'],
    ['a condition on no option', conditional('own by sll', 'x'), 'L0141', 'x', 'the choice of an option'],
    [
      'no line that holds',
      conditional('own by sll', 'bias = false'),
      'L0140',
      'own',
      'returns nothing for these options',
    ],
    ['no rescaling', conditional('own'), 'L0130', 'own', 'nothing says how'],
    ['no such rescaling', conditional('own by foo'), 'L0104', 'foo', 'not a way to rescale'],
    ['a default given by position', conditional('own turned by sll'), 'L0110', 'turned', 'no unnamed argument'],
    [
      'an orthogonal matrix where T is',
      `layer own() (x: vec[n]) by T {\n  param W: mat[n, n] = xavier\n  return tanh(W * invsqrt(T(Wᵀ * W)) * x)\n}\n${network('x[4]', 'own by orthogonal(cayley)')}`,
      'L0104',
      'orthogonal(cayley)',
      'takes the place of a weight',
    ],
    [
      'a residual form that is not defined',
      `layer own() (x: vec[n]) {\n  return x\n}\n${network('x[4]', 'residual own')}`,
      'L0128',
      'residual',
      'no residual form',
    ],
    [
      'an estimate of T in a formula',
      `layer own() (x: vec[n]) by T {\n  param W: mat[n, n] = xavier\n  return abs(W * invsqrt(T(Wᵀ * W)) * x) + x\n}\n${network('x[4]', 'own by spectral(method = power)')}`,
      'L0205',
      'power',
      'it bounds nothing',
    ],
    ['an estimate of T in a layer', conditional('own by spectral(method = fft)'), 'L0205', 'fft', 'circular padding'],
    ['an error at a built-in layer', network('image[1, 4, 4]', 'dense 3 by sll'), 'L0120', 'dense', 'needs a vector'],
  ])('%s', (_, source, code, place, message) => {
    const [c, p, m] = first(source);
    expect([c, p, m]).toEqual([code, place, expect.stringContaining(message)]);
  });

  it('that are formulas take strides and groups', () => {
    const body = (last: string): string => `layer own(k: pair = 3) (x: image[c, h, w]) {
  param W: conv(4, c, kernel = k, stride = 2, padding = 1, groups = 2) = xavier
  param b: vec[4] = zeros
  param s: vec[4] = zeros
  return ${last}
}
${network('image[2, 6, 5]', 'own')}`;
    const formula = provenFrom(body('W * invsqrt(gershgorin(Wᵀ * W)) * x + b + 2 * s'));
    expect(formula.network.layers[0].op.kind).toBe('formula');
    expect(formula.network.layers[0].shape).toEqual([4, 3, 3]);
    const native = provenFrom(
      network('image[2, 6, 5]', 'conv 4, kernel = 3, stride = 2, padding = 1, groups = 2 by aol(eps = 0)'),
    );
    const params = new Map(networkParams(formula.network).map((p, i) => [p.path, noise(elements(p.shape), i)]));
    params.set('own[0].s', new Float64Array(4));
    const theirs = new Map([
      ['conv[0].W', params.get('own[0].W')!],
      ['conv[0].b', params.get('own[0].b')!],
    ]);
    const x = noise(2 * 60, 9);
    const output = (proven: typeof formula, given: ReadonlyMap<string, Float64Array>) => {
      const b = new GraphBuilder();
      b.output('y', lowerNetwork(b, proven, b.input('x', [2, 2, 6, 5]), 'inference').features);
      return interpret(b.finish(), { inputs: new Map([['x', x]]), params: given }).outputs.get('y')!;
    };
    const [mine, expected] = [output(formula, params), output(native, theirs)];
    mine.forEach((v, i) => {
      expect(v).toBeCloseTo(expected[i], 12);
    });
    const { graph, seedLength } = gradientGraph(b => {
      const input = b.input('x', [2, 2, 6, 5]);
      return {
        y: lowerNetwork(b, formula, input, 'train').features,
        wrt: { 'own[0].W': b.param('own[0].W', [4, 1, 3, 3]) },
      };
    });
    const inputs = new Map([
      ['x', x],
      ['seed', noise(seedLength, 6)],
    ]);
    expect(gradientError(graph, { inputs, params }, 'params', 'own[0].W', [0, 7, 20], 1e-6)).toBeLessThan(5e-7);
  });
});

it('a maximum dominates with any of its parts', () => {
  const source = (value: string): string =>
    `rescaling mine() (G: gram[m]) {\n  return ${value}\n}\n${network('x[5]', 'dense 4 by mine')}`;
  const text = printNetwork(provenFrom(source('max(1/2 * frobenius(G), schur(G))')).network);
  expect(text).toContain('by max(1/2 * frobenius, schur) (');
});

describe('a rescaling that need not dominate', () => {
  it.each([
    ['x[5]', 'dense 4'],
    ['x[5]', 'dense 4, side = out'],
    ['x[5]', 'residual dense hidden = 4'],
    ['image[2, 4, 4]', 'conv 3'],
    ['image[2, 4, 4]', 'residual conv hidden = 3'],
  ])('is shown wrong with numbers: %s, %s', (input, statement) => {
    const { file } = parse(
      `rescaling mine() (G: gram[m]) {\n  return 1/3 * gershgorin(G)\n}\n${network(input, `${statement} by mine`)}`,
    );
    const [{ suspect, ...found }] = resolve(file).diagnostics;
    const [{ counterexample }] = refute(suspect!, [found]);
    expect(counterexample).toMatchObject({ network: 'mine', allowed: 1 });
    expect((counterexample as Counterexample).ratio).toBeGreaterThan(1.3);
  });
  const message = (value: string): readonly string[] => {
    const { file } = parse(
      `rescaling mine() (G: gram[m]) {\n  return ${value}\n}\n${network('x[5]', 'dense 4 by mine')}`,
    );
    const [{ code, message: text, help, fix, labels }] = resolve(file).diagnostics;
    expect(labels?.map(l => l.text)).toEqual(['used here for dense[0]']);
    return [code, text, help ?? '', fix ? 'fix' : ''];
  };
  it.each([
    ['schur(G) - 1/4 * schur(G)', 'L0203', 'T ⪰ G, but T = schur(G) - 1/4 * schur(G)', 'at least 1'],
    ['max(1/3 * schur(G), 1/2 * frobenius(G))', 'L0203', 'but T = 1/3 * schur(G) may be smaller', 'at least 1'],
  ])('%s', (value, code, text, help) => {
    expect(message(value)).toEqual([
      code,
      expect.stringContaining(text),
      expect.stringContaining(help),
      expect.anything(),
    ]);
    if (code !== 'L0103' || !help.includes('did you')) expect(message(value)[3]).toBe('');
  });
});

describe('definitions that nothing uses', () => {
  const unused = (body: string, head = 'layer other(k: pair = 3, f: slope[0, 1]) (x: image[c, h, w]) by T'): string =>
    `${head} {\n${body}\n}\n${network('x[4]', 'abs')}`;
  it.each([
    ['an unknown name', unused('  return x + y'), 'L0103', 'y', 'not defined'],
    ['no return', unused('  let y = f(x)'), 'L0140', 'other', 'returns nothing'],
    ['an unknown type', unused('  param W: tensor[c] = zeros\n  return x'), 'L0140', 'tensor[c]', 'no type'],
    [
      'an unknown initial value',
      unused('  param b: vec[c] = ones\n  return x + b'),
      'L0105',
      'ones',
      'the initial value',
    ],
    ['a rescaling', unused('  return gershgorin(H)', 'rescaling other(e) (G: gram[m])'), 'L0103', 'H', 'not defined'],
  ])('are read all the same: %s', (_, source, code, place, message) => {
    expect(first(source)).toEqual([code, place, expect.stringContaining(message)]);
  });
  it.each([
    unused(
      '  param W: conv(2 * c, c, kernel = k, stride = 2, padding = 1) = xavier\n  return W * invsqrt(T(Wᵀ * W)) * f(x)',
    ),
    unused('  param W: mat[n / 4, n - 20] = xavier\n  return x', 'layer other(a) (x: vec[n])'),
    unused('  return W * x', 'layer other(a) (x: vec[16])'),
  ])('are not blamed for the sizes of the trial', source => {
    const { file } = parse(source);
    expect(resolve(file).diagnostics).toEqual([]);
  });
});

it('lip check says how a formula that is no layer finds its T', () => {
  const source = `layer project() (x: vec[n]) {
  param W: mat[n, 3] = xavier
  return W * inv(gershgorin(Wᵀ * W)) * Wᵀ * x
}
${network('x[4]', 'project', 'head 2')}`;
  const [layer] = checkNetwork(provenFrom(source)).layers;
  expect([layer.op.split(':')[0], layer.rescaling]).toEqual(['project', 'gershgorin(Wᵀ * W)']);
});
