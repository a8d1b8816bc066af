import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { dataSourceNames } from '../../../src/data/load-data.ts';
import {
  elements,
  type Layer,
  type LayerOp,
  networkParams,
  type Rescaling,
  rescalingParams,
} from '../../../src/ir/network.ts';
import { printOrthogonal } from '../../../src/ir/orthogonal.ts';
import { format, type Rational } from '../../../src/ir/rational.ts';
import { parse } from '../../../src/parser/parse.ts';
import { type Program, type ResolveOptions, resolve } from '../../../src/passes/resolve/resolve.ts';
import { cpuTime } from '../../cpu-time.ts';

const compile = (source: string, options?: ResolveOptions): Program => {
  const { file, diagnostics } = parse(source);
  expect(diagnostics).toEqual([]);
  return resolve(file, options);
};

const accept = (source: string, options?: ResolveOptions): Program => {
  const program = compile(source, options);
  expect(program.diagnostics).toEqual([]);
  return program;
};

const layersOf = (lines: string, options?: ResolveOptions): readonly Layer[] =>
  accept(`network N by sll {\n${lines}\n}`, options).networks[0].layers;

const opOf = <K extends LayerOp['kind']>(lines: string, kind: K): Extract<LayerOp, { kind: K }> => {
  const op = layersOf(lines).at(-1)!.op;
  expect(op.kind).toBe(kind);
  return op as Extract<LayerOp, { kind: K }>;
};

/** Diagnostics of a source in which `«` and `»` mark where the only one must point. */
const refusal = (marked: string, options?: ResolveOptions): string => {
  const source = marked.replace(/[«»]/g, '');
  const { diagnostics } = compile(source, options);
  expect(diagnostics.map(d => d.message).length, JSON.stringify(diagnostics)).toBe(1);
  const [d] = diagnostics;
  expect([d.span.start, d.span.end]).toEqual([marked.indexOf('«'), marked.indexOf('»') - 1]);
  return `${d.code} ${d.message}${d.help ? ` (${d.help})` : ''}`;
};

const inNet = (lines: string): string => `network N by sll {\n${lines}\n}`;

const showRescaling = (r: Rescaling): string => {
  switch (r.by) {
    case 'spectral':
      return `spectral ${r.method.kind} ${r.method.steps} eps ${format(r.eps)}`;
    case 'orthogonal':
      return [printOrthogonal(r.method), ...rescalingParams(r).map(p => p.path)].join(' ');
    case 'power':
      return `aol ${r.steps} steps eps ${format(r.eps)}`;
    case 'aol':
    case 'frobenius':
    case 'schur':
      return `${r.by} eps ${format(r.eps)}`;
    case 'sll':
      return `sll ${r.q.path}[${r.q.shape}]`;
    case 'max':
      return `max(${r.of.map(showRescaling).join(', ')})`;
    case 'convex':
      return r.of.map(t => `${format(t.weight)} ${showRescaling(t.part)}`).join(' + ');
    case 'scaled':
      return `${format(r.factor)} * ${showRescaling(r.of)}`;
  }
};

const rescalingOf = (lines: string): string => {
  const { op } = layersOf(lines).at(-1)!;
  return op.kind === 'linear' || op.kind === 'residual' ? showRescaling(op.rescaling) : 'none';
};

const texts = (values: readonly Rational[]): string[] => values.map(format);

describe('shapes and parameters', () => {
  test("the paper's Small network has 41.4 million parameters", () => {
    const source = readFileSync(join(import.meta.dirname, '../../../examples/paper/sll-small.lip'), 'utf8');
    const [net] = accept(source).networks;
    expect(net.layers.length).toBe(2 + 20 + 2 + 7 + 1);
    expect(net.layers.map(l => l.shape).at(-2)).toEqual([2880]);
    const dense = 2048 * 2880 + 2 * 2048;
    const conv = 5 * 45 * 9 + 2 * 5;
    expect(networkParams(net).reduce((n, p) => n + elements(p.shape), 0)).toBe(20 * conv + 7 * dense + 2880 * 10 + 10);
  });

  test('every value has one id and reads the one before it', () => {
    const layers = layersOf('input image[1, 4, 4]\n conv 2\n repeat 3 { relu }\n flatten\n head 2');
    expect(layers.map(l => [l.id, ...l.inputs])).toEqual(layers.map((_, i) => [i + 1, i]));
  });

  test('paths count over the expanded network, dense and conv each on their own', () => {
    const layers = layersOf(
      'input image[1, 4, 4]\n repeat 2 { residual conv hidden = 2\n conv 3 }\n flatten\n dense 4\n residual dense hidden = 2\n head 2',
    );
    expect(layers.map(l => l.path)).toEqual([
      'conv[0]',
      'conv[1]',
      'conv[2]',
      'conv[3]',
      'flatten[0]',
      'dense[0]',
      'dense[1]',
      'head',
    ]);
  });

  test('a linear convolution', () => {
    const op = opOf('input image[2, 8, 9]\n conv 4, kernel = [3, 5], padding = [0, 1]', 'linear');
    expect(op.map).toMatchObject({ kind: 'conv', out: 4, in: 2, kernel: [3, 5], padding: [0, 1] });
    expect(op.map.weight).toEqual({
      path: 'conv[0].W',
      shape: [4, 2, 3, 5],
      init: { kind: 'xavier', fanIn: 30, fanOut: 60 },
    });
    expect(op.bias).toEqual({ path: 'conv[0].b', shape: [4], init: { kind: 'uniform', bound: 1 / Math.sqrt(30) } });
    expect(layersOf('input image[2, 8, 9]\n conv 4, kernel = [3, 5], padding = [0, 1]')[0].shape).toEqual([4, 6, 7]);
    expect(layersOf('input image[2, 8, 9]\n conv 4, kernel = 5')[0].shape).toEqual([4, 8, 9]);
    expect(layersOf('input image[2, 8, 9]\n conv 4, kernel = 2')[0].shape).toEqual([4, 9, 10]);
  });

  test('q has an entry for each row and column of the Gram matrix', () => {
    expect(rescalingOf('input x[7]\n dense 5')).toBe('sll dense[0].q[7]');
    expect(rescalingOf('input x[7]\n dense 5, side = out')).toBe('sll dense[0].q[5]');
    expect(rescalingOf('input x[7]\n residual dense hidden = 5')).toBe('sll dense[0].q[5]');
    expect(rescalingOf('input image[3, 4, 4]\n conv 5')).toBe('sll conv[0].q[3]');
    expect(rescalingOf('input image[3, 4, 4]\n residual conv hidden = 5')).toBe('sll conv[0].q[5]');
  });

  test('bias = false', () => {
    expect(opOf('input x[7]\n dense 5, bias = false', 'linear').bias).toBeUndefined();
    expect(opOf('input x[7]\n residual dense hidden = 5, bias = false', 'residual').bias).toBeUndefined();
  });

  test('activations, as statements and inside residual layers', () => {
    const acts = layersOf(
      'input x[8]\n relu\n leaky_relu -1/10\n tanh\n sigmoid\n abs\n maxmin\n maxmin pairs = halves\n groupsort 4',
    );
    expect(acts.map(l => (l.op.kind === 'activation' ? l.op.act : l.op))).toEqual([
      { kind: 'relu' },
      { kind: 'leaky_relu', slope: { num: -1n, den: 10n } },
      { kind: 'tanh' },
      { kind: 'sigmoid' },
      { kind: 'abs' },
      { kind: 'maxmin', pairs: 'adjacent' },
      { kind: 'maxmin', pairs: 'halves' },
      { kind: 'groupsort', group: 4 },
    ]);
    expect(opOf('input x[8]\n residual dense hidden = 8, act = leaky_relu(1/10)', 'residual').act).toEqual({
      kind: 'leaky_relu',
      slope: { num: 1n, den: 10n },
    });
    expect(opOf('input x[8]\n residual dense hidden = 8, act = maxmin', 'residual').act.kind).toBe('maxmin');
  });

  test('pooling, padding, centring, scaling, head', () => {
    expect(layersOf('input image[1, 4, 6]\n avgpool [2, 3]')[0]).toMatchObject({
      op: { size: [2, 3] },
      shape: [1, 2, 2],
    });
    expect(layersOf('input x[3]\n pad features to 2 * 4')[0].shape).toEqual([8]);
    expect(texts(opOf('input image[3, 4, 4]\n center [0.1, 1/3, 2]', 'center').offset)).toEqual(['1/10', '1/3', '2']);
    expect(texts(opOf('input image[3, 4, 4]\n scale 1/2', 'scale').divisor)).toEqual(['1/2']);
    expect(format(opOf('input x[3]\n head 5, eps = 1e-8', 'head').eps)).toBe('1/100000000');
    expect(format(opOf('input x[3]\n head 5', 'head').eps)).toBe('0');
  });

  test('the input and its range', () => {
    const [net] = accept('network N { input image[1, 2, 3] in [-1/2, 0.5]\n relu }').networks;
    expect(net.input.shape).toEqual([1, 2, 3]);
    expect(texts(net.input.range!)).toEqual(['-1/2', '1/2']);
  });

  test('the budget, in the header or as a statement', () => {
    const budget = (source: string) => format(accept(source).networks[0].budget);
    expect(budget('network N { input x[2]\n relu }')).toBe('1');
    expect(budget('network N budget 3/2 { input x[2]\n relu }')).toBe('3/2');
    expect(budget('network N { input x[2]\n budget 2\n relu }')).toBe('2');
  });
});

describe('constants', () => {
  const size = (e: string, header = 'w = 6') =>
    accept(`network N(${header}) by aol { input x[2]\n dense ${e} }`).networks[0].layers[0].shape[0];
  test('arithmetic is exact', () => {
    expect(size('(1/3 + 1/6) * 4')).toBe(2);
    expect(size('0.1 * 30')).toBe(3);
    expect(size('sqrt(49/4) * 2')).toBe(7);
    expect(size('floor(7/2)')).toBe(3);
    expect(size('-floor(-7/2)')).toBe(4);
    expect(size('max(w, 3) - min(w, 3) + w/2 - 1')).toBe(5);
    expect(size('9 - 3 - 2')).toBe(4);
    expect(size('-(- 4)')).toBe(4);
    expect(size('7\u22122')).toBe(5);
  });
  test('parameters may use the ones before them, and be set', () => {
    expect(size('b', 'a = 2, b = a * 3')).toBe(6);
    const source = 'network N(a = 2, b = a * 3) by aol { input x[2]\n dense b }';
    expect(accept(source, { set: { a: '5' } }).networks[0].layers[0].shape).toEqual([15]);
    expect(accept(source, { set: { b: '2 + 2' } }).networks[0].layers[0].shape).toEqual([4]);
  });
});

describe('rescalings', () => {
  const by = (e: string, layer = 'dense 3') => rescalingOf(`input x[2]\n ${layer} by ${e}`);
  const byConv = (e: string) => rescalingOf(`input image[2, 8, 8]\n conv 3 by ${e}`);
  test('every method', () => {
    expect(by('aol')).toBe('aol eps 1/1000000');
    expect(by('aol(eps = 0)')).toBe('aol eps 0');
    expect(by('sll')).toBe('sll dense[0].q[2]');
    expect(by('spectral')).toBe('spectral gram 12 eps 1/1000000');
    expect(by('orthogonal(cayley)')).toBe('orthogonal(cayley) dense[0].alpha');
    expect(byConv('spectral(eps = 1e-4, method = operator, steps = 5)')).toBe('spectral operator 5 eps 1/10000');
    expect(byConv('spectral(method = circulant, steps = 4)')).toBe('spectral circulant 4 eps 1/1000000');
    expect(byConv('spectral(method = reshaped)')).toBe('spectral reshaped 12 eps 1/1000000');
  });
  test('a dense layer is its own operator, so all spectral methods coincide', () => {
    expect(by('spectral(method = operator)')).toBe(by('spectral'));
    expect(by('spectral(method = circulant)')).toBe(by('spectral'));
  });
  test('the general condition', () => {
    expect(by('own(max(aol, 3/2 * sll))')).toBe('max(aol eps 1/1000000, 3/2 * sll dense[0].q[2])');
    expect(by('own(max(1/3 * spectral, aol))')).toBe('max(1/3 * spectral gram 12 eps 1/1000000, aol eps 1/1000000)');
    expect(by('own(mix(sll, sll, 1/4))')).toBe('3/4 sll dense[0].q[2] + 1/4 sll dense[0].q1[2]');
    expect(by('own(spectral(steps = 3) * (1 + 1))')).toBe('2 * spectral gram 3 eps 1/1000000');
    expect(by('own(aol)')).toBe('aol eps 1/1000000');
  });
  test('the layer, the command line, the header: in this order', () => {
    const source = 'network N by sll { input x[2]\n dense 3\n dense 4 by aol }';
    const rescalings = (o?: ResolveOptions) =>
      accept(source, o).networks[0].layers.map(l => (l.op.kind === 'linear' ? l.op.rescaling.by : undefined));
    expect(rescalings()).toEqual(['sll', 'aol']);
    expect(rescalings({ by: 'spectral(steps = 3)' })).toEqual(['spectral', 'aol']);
  });
  test('what is no way to get T', () => {
    expect(refusal(inNet('input x[2]\n dense 3 by «foo»'))).toBe(
      'L0104 `foo` is not a way to rescale a layer (known here: spectral, aol, sll, orthogonal, own, fourier, skew_exponential, sandwich)',
    );
    expect(refusal(inNet('input x[2]\n dense 3 by «alo»'))).toMatch(/did you mean `aol`/);
    expect(refusal(inNet('input x[2]\n dense 3 by «max»(aol, sll)'))).toMatch(/write `own\(…\)` around it/);
    expect(refusal(inNet('input x[2]\n dense 3 by own(«1/2» * aol)'))).toMatch(/^L0112 T may only be scaled up/);
    expect(refusal(inNet('input x[2]\n dense 3 by own(«max(1/2 * aol, 1/3 * sll)»)'))).toMatch(/^L0112 every part/);
    expect(refusal(inNet('input x[2]\n dense 3 by own(max(aol, «0» * sll))'))).toMatch(/^L0112 T may only be/);
    expect(refusal(inNet('input x[2]\n dense 3 by own(mix(aol, sll, «3/2»))'))).toMatch(/^L0112/);
    expect(refusal(inNet('input x[2]\n dense 3 by own(«min»(aol, sll))'))).toMatch(/^L0104/);
    expect(refusal(inNet('input x[2]\n dense 3 by own(«aol + sll»)'))).toMatch(/^L0104/);
    expect(refusal(inNet('input image[1, 8, 8]\n conv 3, kernel = 7 by spectral(grid = «5»)'))).toMatch(
      /^L0112 `grid` must have a divisor, other than itself, that is at least 6 \(the kernel’s 7 taps less one\), found 5.*write `grid = 60`/,
    );
    expect(refusal(inNet('input image[1, 8, 8]\n conv 3 by spectral(grid = «31»)'))).toMatch(/^L0112.*at least 2/);
    expect(refusal(inNet('input image[9, 200, 200]\n conv 9 by spectral(method = «operator»)'))).toMatch(
      /^L0115.*method = gram/,
    );
    expect(refusal(inNet('input image[64, 256, 256]\n conv 64 by spectral(method = «circulant»)'))).toMatch(
      /^L0115.*torus of 257×257.*method = gram/,
    );
    expect(refusal(inNet('input x[2]\n dense 3 by aol(eps = «-1»)'))).toMatch(/^L0112/);
    expect(refusal(inNet('input x[2]\n dense 3 by orthogonal(«hadamard»)'))).toMatch(/^L0105/);
  });
});

describe('sizes that are none', () => {
  test.each([
    ['0', 'L0112 `out` must be at least 1, found 0'],
    ['-3', 'L0112 `out` must be at least 1, found -3'],
    ['5/2', 'L0112 `out` must be a whole number, found 5/2 (use `floor(…)` to round down)'],
    ['1e30', 'L0115 `out` is 1.00000e+30; at most'],
    ['sqrt(2)', 'L0114 `out` must be an exact rational'],
    ['1/0', 'L0113 `out` divides by zero'],
    ['"a"', 'L0111 `out` must be a number, found a string'],
    ['[3]', 'L0111 `out` must be a number, found a list'],
    ['sqrt(-1)', 'L0112 `out` takes the square root of a negative number'],
    ['foo(1)', 'L0103 there is no function `foo`'],
  ])('dense %s', (e, message) => {
    const { diagnostics } = compile(inNet(`input x[2]\n dense ${e}`));
    expect(diagnostics.map(d => `${d.code} ${d.message}${d.help ? ` (${d.help})` : ''}`)).toEqual([
      expect.stringContaining(message),
    ]);
  });
  test.each(['-2', '0', '5/2', '1e12'])('--set width=%s is one finding, and so is the same default', value => {
    const source = (width: string): string =>
      `network N(width = ${width}) by sll {\n input image[1, 8, 8]\n pad channels to width\n groupsort width\n flatten\n dense width\n dense 2 * width\n}`;
    const [set, ...more] = compile(source('8'), { set: { width: value } }).diagnostics;
    expect(set.help).toMatch(/^`width` is .* by `--set`/);
    const [given, ...others] = compile(source(value)).diagnostics;
    expect(given.help).toMatch(/^`width` is .* in the header/);
    expect([...more, ...others]).toEqual([]);
  });
  test('numbers that take long to compute with', () => {
    const e = Array(400).fill('1e900').join(' * ');
    expect(compile(inNet(`input x[2]\n dense ${e}`)).diagnostics.map(d => d.code)).toEqual(['L0116']);
  });
});

test.each([
  'center 1e39',
  'scale 1e-39',
  'scale 1e400',
  'it * 1e20 * 1e20',
  'leaky_relu 1e39',
  'avgpool 2, divisor = 1e-20',
  'dense 4 by aol(eps = 1e39)',
])('%s: no number of the network is infinite in f32', line => {
  expect(
    compile(inNet(`input x[4]\n budget 3e38\n let a = it\n a |> abs\n ${line}`)).diagnostics.map(d => d.code),
  ).toEqual(['L0116']);
});

test('a file of errors only gives a bounded list', () => {
  const { diagnostics } = compile(inNet(`input x[2]\n${'dens 3\n'.repeat(5000)}`));
  expect(diagnostics.length).toBe(100);
});

describe('limits', () => {
  test.each(['1e12', '10001', '-1', '1/2'])('repeat %s', n => {
    expect(compile(inNet(`input x[2]\n repeat ${n} { relu }`)).diagnostics.length).toBe(1);
  });
  test('nested repeats', () => {
    const start = cpuTime();
    const bomb = `${'repeat 10000 { '.repeat(20)}relu${' }'.repeat(20)}`;
    expect(compile(inNet(`input x[2]\n ${bomb}`)).diagnostics.map(d => d.code)).toEqual(['L0115']);
    const empty = `${'repeat 10000 { '.repeat(20)}${' }'.repeat(20)}`;
    expect(compile(inNet(`input x[2]\n relu\n ${empty}`)).diagnostics.map(d => d.code)).toEqual(['L0115']);
    expect(cpuTime() - start).toBeLessThan(10_000);
  });
  test('10,000 layers are allowed', () => {
    expect(layersOf('input x[2]\n repeat 100 { repeat 100 { relu } }').length).toBe(10_000);
  });
  test('repeat 0 leaves its block out', () => {
    expect(layersOf('input x[2]\n repeat 0 { dense 4 }\n relu').map(l => l.path)).toEqual(['relu[0]']);
  });
  test('tensors', () => {
    expect(refusal(inNet('input «image[1000, 1000, 1000]»\n relu'))).toMatch(/^L0115 the input would have/);
    expect(refusal(inNet('input x[100000]\n «dense 100000»'))).toMatch(/^L0115 `W` would have/);
    expect(refusal(inNet('input image[1, 100, 100]\n «pad channels to 1000000»'))).toMatch(/^L0115/);
    expect(refusal(inNet('input image[1, 100, 100]\n «conv 1000000, kernel = 1»'))).toMatch(
      /^L0115 the image would have/,
    );
  });
});

describe('names and shapes', () => {
  test.each([
    ['input x[2]\n «dens» 3', 'L0101 there is no layer `dens` (did you mean `dense`?)'],
    ['input x[2]\n dense 3, «sied» = out', 'L0102 `dense` has no option `sied` (did you mean `side`?)'],
    ['input x[2]\n dense 3, «4»', 'L0110 `dense` takes 1 unnamed argument; this is one too many'],
    ['input x[2]\n «residual dense»', 'L0110 `residual dense` needs `hidden = …`'],
    ['input x[2]\n residual dense «3»', 'L0110 `residual dense` takes no unnamed argument'],
    ['input x[2]\n dense 3, bias = false, «bias = true»', 'L0106 `bias` of `dense` is given twice'],
    ['input x[2]\n dense 3, bias = «1»', 'L0105 `bias` is `true` or `false`, found a number'],
    ['input x[2]\n residual dense hidden = 3, act = «gelu»', 'L0105 there is no activation `gelu`'],
    ['input x[2]\n «dense» 3 by aol\n flatten', ''],
    [
      'input image[1, 4, 4]\n «dense» 3',
      'L0120 `dense` needs a vector, but gets an image of 1×4×4 (put `flatten` before it)',
    ],
    ['input x[2]\n «conv» 3', 'L0120 `conv` needs an image'],
    ['input image[1, 4, 4]\n conv 3, kernel = «9», padding = 1', 'L0121 a 9×9 kernel does not fit into 4×4'],
    ['input image[2, 4, 4]\n center «[1, 2, 3]»', 'L0122 `center` gets 3 numbers for 2 channels'],
    [
      'input image[1, 28, 28]\n avgpool «3»',
      'L0123 blocks of 3×3 do not tile an image of 28×28 (choose a divisor of 28: 1, 2, 4, 7, 14, 28)',
    ],
    ['input image[3, 4, 4]\n pad channels to «2»', 'L0124'],
    ['input x[5]\n «maxmin pairs = halves»', 'L0125'],
    ['input x[5]\n head 3\n «relu»', 'L0126'],
    ['input x[5]\n «input x[5]»\n relu', 'L0126 a network has one `input`'],
    ['«relu»', 'L0126 `input` must come before the first layer'],
    ['input x[5]\n relu «by aol»', 'L0127 `relu` takes no `by`'],
    ['input x[5]\n «residual» tanh', 'L0128 there is no residual form of `tanh`'],
    ['input «64»\n relu', 'L0111 `input` needs a shape'],
    ['input «image[3, 4]»\n relu', 'L0111 an image has 3 sizes, found 2'],
    ['input x[5] in «[1, 0]»\n relu', 'L0112 the range of the input is empty'],
    ['input x[5]\n budget «0»\n relu', 'L0112 the budget must be positive'],
  ])('%s', (lines, message) => {
    if (message === '') {
      expect(compile(inNet(lines.replace(/[«»]/g, ''))).diagnostics.map(d => d.code)).toEqual(['L0120']);
      return;
    }
    expect(refusal(inNet(lines))).toContain(message);
  });
  test('an error in one layer is not echoed by those after it', () => {
    expect(
      compile(inNet('input image[1, 4, 4]\n dense 3\n dense 4\n conv 3\n flatten\n head 2')).diagnostics.length,
    ).toBe(1);
  });
  test('but their own errors are all found', () => {
    const { diagnostics } = compile(
      inNet('input image[1, 4, 4]\n dense 3\n dens 4\n conv 3, krnel = 2\n dense 3 by foo\n head 1'),
    );
    expect(diagnostics.map(d => d.code)).toEqual(['L0120', 'L0101', 'L0102', 'L0104', 'L0112']);
  });
  test.each([
    ['pad x @  channels to 4\n dense 3', []],
    ['pad channels  channels  to 4\n dens 3', ['L0101']],
    ['repeat $ { dens 3 }\n relu', ['L0101']],
    ['repeat 2 2 { dens 3 }\n relu', ['L0101']],
    ['repeat 2 by 3 = 4, 5 {\n relu\n conv 3\n }\n flatten\n dens 3', ['L0101']],
    ['repeat 2 { dense $ }\n conv 3', []],
    ['input $\n relu', []],
    ['dense (3, bias = maybe\n relu', []],
  ])('a statement with a syntax error has no other: %s', (lines, codes) => {
    const { file, diagnostics } = parse(inNet(`input image[1, 4, 4]\n ${lines}`.replace(/^.*\n input/, 'input')));
    expect(diagnostics.length).toBe(1);
    expect(resolve(file).diagnostics.map(d => d.code)).toEqual(codes);
  });
  test('options of the command line', () => {
    expect(refusal('network «N»(w = 2) by sll { input x[2]\n dense w }', { set: { q: '3' } })).toMatch(
      /^L0109 --set q/,
    );
    expect(refusal('network N(«w = 2») by sll { input x[2]\n dense w }', { set: { w: '3 3' } })).toMatch(/^L0109/);
    expect(refusal('network «N»(w = 2) by sll { input x[2]\n dense w }', { by: 'foo' })).toMatch(/^L0104 --by foo/);
    expect(refusal('network N(w = 2) «by sll» { input x[2]\n dense w }', { by: 'aol(' })).toMatch(/^L0109 --by/);
  });
  test('names of JavaScript objects are no names here', () => {
    for (const name of ['constructor', 'toString', '__proto__', 'hasOwnProperty']) {
      expect(
        compile(
          inNet(`input x[2]\n ${name}\n dense ${name}(3)\n dense 2, ${name} = 3\n dense 2 by ${name}`),
        ).diagnostics.map(d => d.code),
      ).toEqual(['L0101', 'L0103', 'L0102', 'L0104']);
      expect(
        compile(
          `network N { input x[2]\n head 2 }\ntrain N on ${name} { ${name} 1\n loss ${name}\n optimizer ${name}(2) }`,
        ).diagnostics.map(d => d.code),
      ).toEqual(['L0105', 'L0101', 'L0105', 'L0105']);
    }
  });
  test('networks', () => {
    expect(refusal('network N { input x[2]\n relu }\nnetwork «N» { input x[2]\n relu }')).toMatch(/^L0106/);
    expect(refusal('network «N» { }')).toMatch(/^L0126 this network has no `input`/);
    expect(refusal('network «N» { input x[2] }')).toMatch(/^L0126 this network has no layers/);
    expect(compile('').diagnostics.map(d => d.code)).toEqual(['L0007']);
    expect(compile('\uFEFF // nothing\n').diagnostics.map(d => d.code)).toEqual(['L0007']);
  });
});

describe('recipes', () => {
  const net = 'network N { input x[2]\n head 2 }\n';
  const train = (lines: string) => accept(`${net}train N on mnist {\n${lines}\n}`).trains[0];
  test('defaults are those of the reference code', () => {
    expect(train('')).toMatchObject({
      network: 'N',
      data: { name: 'mnist', args: [] },
      loss: { kind: 'cross_entropy', offset: 1.5 * Math.SQRT2, temperature: 0.25 },
      optimizer: { kind: 'adam', rate: 0.01, betas: [0.5, 0.9], eps: 1e-8, weightDecay: 0 },
      schedule: { kind: 'triangular', peak: { num: 2n, den: 5n }, knee: { num: 4n, den: 5n } },
      augment: [],
      epochs: 1000,
      batch: 256,
      seed: 1,
    });
  });
  test('losses and their sums', () => {
    expect(train('loss cross_entropy').loss).toEqual({ kind: 'cross_entropy', offset: 0, temperature: 1 });
    expect(train('loss cross_entropy(offset = 3/2 * sqrt(2), temperature = 1/4)').loss).toEqual(train('').loss);
    expect(train('loss multi_margin(1/2)').loss).toEqual({ kind: 'multi_margin', margin: 0.5 });
    expect(train('loss cross_entropy + 1/2 * multi_margin + margin_boosting * 2').loss).toEqual({
      kind: 'sum',
      of: [
        { weight: 1, loss: { kind: 'cross_entropy', offset: 0, temperature: 1 } },
        { weight: 0.5, loss: { kind: 'multi_margin', margin: 1 } },
        { weight: 2, loss: { kind: 'margin_boosting' } },
      ],
    });
  });
  test('optimisers, schedules, augmentation', () => {
    expect(train('optimizer sgd(rate = 1, momentum = 0.9, nesterov = true, weight_decay = 1e-4)').optimizer).toEqual({
      kind: 'sgd',
      rate: 1,
      momentum: 0.9,
      nesterov: true,
      weightDecay: 1e-4,
    });
    expect(train('schedule constant').schedule).toEqual({ kind: 'constant' });
    expect(
      train('augment crop(4, reflect), flip, jitter(brightness = 0.1, contrast = [0.5, 2], hue = 0.02)').augment,
    ).toEqual([
      { kind: 'crop', pad: 4, mode: 'reflect' },
      { kind: 'flip' },
      { kind: 'jitter', brightness: [0.9, 1.1], contrast: [0.5, 2], saturation: [1, 1], hue: [-0.02, 0.02] },
    ]);
  });
  test('radii are exact', () => {
    const [c] = accept(`${net}certify N on idx("a b") at [36/255, 1]`).certifies;
    expect(c.data).toMatchObject({ name: 'idx', args: ['a b'] });
    expect(texts(c.radii)).toEqual(['12/85', '1']);
    expect(texts(accept(`${net}certify N on mnist at 0`).certifies[0].radii)).toEqual(['0']);
  });
  test('every data set that can be loaded can be named', () => {
    for (const name of dataSourceNames) {
      const source = name === 'npy' ? 'npy("x", "y")' : name;
      expect(accept(`${net}train N on ${source} { }`).trains[0].data.name).toBe(name);
    }
  });
  test.each([
    ['train «M» on mnist { }', 'L0107'],
    ['train N on «mnits» { }', 'L0105 there is no data set `mnits` (did you mean `mnist`?)'],
    ['train N on «npy("x")» { }', 'L0110'],
    ['train N on «idx(3)» { }', 'L0110'],
    ['train «N» { }', 'L0110 `train` needs `on`'],
    ['certify «N» on mnist', 'L0110 `certify` needs `at`'],
    ['certify N on mnist at «[-1]»', 'L0112 a radius must be zero or more'],
    ['certify N on mnist at «[]»', 'L0111'],
    ['train N on mnist { «epoch» 3 }', 'L0101 there is no setting `epoch` of `train` (did you mean `epochs`?)'],
    ['train N on mnist { epochs «0» }', 'L0112'],
    ['train N on mnist { epochs «1e9» }', 'L0115'],
    ['train N on mnist { batch «1.5» }', 'L0112'],
    ['train N on mnist { loss cross_entropy(temperature = «0») }', 'L0112 `temperature` must be positive'],
    ['train N on mnist { loss «hinge» }', 'L0105 there is no loss `hinge`'],
    ['train N on mnist { optimizer adam(betas = [0.5, «1»]) }', 'L0112'],
    ['train N on mnist { optimizer adam(«lr» = 1) }', 'L0102'],
    ['train N on mnist { optimizer sgd(nesterov = «true») }', 'L0112 `nesterov` needs a positive `momentum`'],
    ['train N on mnist { schedule triangular(peak = 4/5, knee = «2/5») }', 'L0112'],
    ['train N on mnist { augment «rotate»(3) }', 'L0105'],
    ['train N on mnist { epochs 1, «epochs 2» }', 'L0106'],
  ])('%s', (item, message) => {
    expect(refusal(`${net}${item}`)).toContain(message);
  });
});
