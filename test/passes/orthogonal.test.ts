/** `by orthogonal(FAMILY)`: what is read, what is proven, and what the weights are that it makes. */
import { describe, expect, it } from 'vitest';
import { provenFrom } from '../../src/fixtures/compile-source.ts';
import { evaluate, interpret } from '../../src/ir/interpret.ts';
import { elements, layerParams, type Network, networkParams } from '../../src/ir/network.ts';
import { ORTHOGONAL_FAMILIES, SERIES_WINDOW } from '../../src/ir/orthogonal.ts';
import { printNetwork } from '../../src/ir/print-network.ts';
import { toNumber } from '../../src/ir/rational.ts';
import { GraphBuilder } from '../../src/ir/tensor.ts';
import { parse } from '../../src/parser/parse.ts';
import { lowerNetwork } from '../../src/passes/lower/lower.ts';
import { type ProvenNetwork, prove } from '../../src/passes/prove/prove.ts';
import { resolve } from '../../src/passes/resolve/resolve.ts';
import { freeze } from '../../src/passes/tensors/freeze.ts';
import { initializeParams } from '../../src/train/initialize.ts';
import { gradientError, gradientGraph, noise } from '../gradient.ts';

const network = (input: string, layer: string): string => `network Net {\n  input ${input}\n  ${layer}\n}\n`;

/** Every family and option, and whether the weight is orthogonal up to rounding (from weights of a usual size). */
const MATRICES: readonly (readonly [options: string, exact: boolean])[] = [
  ['cayley', true],
  ['cayley, alpha = false', true],
  ['cayley, parameter = lower', true],
  ['householder', true],
  ['householder, parameter = lower', true],
  ['bro, rank = 2', false],
  ['bro, rank = 4, eps = 1e-6', false],
  ['bjorck, steps = 1', false],
  ['bjorck, steps = 25, scale = frobenius', true],
  ['bjorck, steps = 2, scale = clip', false],
  ['bjorck, steps = 25, scale = gram, norm_steps = 3, scale_eps = 1/100', true],
  ['exponential', true],
  ['exponential, parameter = lower, degree = 8, squarings = 6', true],
  ['exponential, degree = 3, squarings = 0', false],
  ['exponential, degree = 11, squarings = 0, scale = gram', false],
  ['cholesky', false],
  ['qr', true],
];
const KERNELS: readonly (readonly [options: string, exact: boolean])[] = [
  ['bcop, steps = 30', true],
  ['bcop, steps = 1, scale = clip', false],
  ['aoc, steps = 30', true],
  ['aoc, steps = 2, scale = frobenius', false],
];

/** The weight of the only layer: [out, columns]. */
const weightOf = (proven: ProvenNetwork, params: ReadonlyMap<string, ArrayLike<number>>): Float64Array => {
  const b = new GraphBuilder();
  const lowered = lowerNetwork(b, proven, b.input('x', [1, ...proven.network.input.shape]), 'inference');
  const [id] = lowered.weights.values();
  return evaluate(b.finish(), { inputs: new Map(), params }, [id]).get(id)!;
};

/** ‖A‖ of A [rows, columns] by many steps of power iteration from several starts. */
const normOf = (A: ArrayLike<number>, rows: number, columns: number): number => {
  let most = 0;
  for (let start = 0; start < 2; start++) {
    const first = noise(columns, 5 + start);
    let v = first.map(x => x / Math.hypot(...first));
    for (let k = 0; k < 50; k++) {
      const u = Float64Array.from({ length: rows }, (_, i) => v.reduce((s, x, j) => s + A[i * columns + j] * x, 0));
      const back = Float64Array.from({ length: columns }, (_, j) =>
        u.reduce((s, x, i) => s + A[i * columns + j] * x, 0),
      );
      const size = Math.hypot(...back);
      if (size === 0) break;
      v = back.map(x => x / size);
      most = Math.max(most, Math.sqrt(size));
    }
  }
  return most;
};

/** The largest entry of QQᵀ − I on the shorter side. */
const defect = (A: ArrayLike<number>, rows: number, columns: number): number => {
  const wide = rows <= columns;
  const at = (i: number, k: number): number => (wide ? A[i * columns + k] : A[k * columns + i]);
  const [n, m] = wide ? [rows, columns] : [columns, rows];
  let worst = 0;
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) {
      let s = i === j ? -1 : 0;
      for (let k = 0; k < m; k++) s += at(i, k) * at(j, k);
      worst = Math.max(worst, Math.abs(s));
    }
  return worst;
};

const hardWeights = (net: Network, kind: string): Map<string, Float64Array> =>
  new Map(
    networkParams(net).map((p, which) => {
      const n = elements(p.shape);
      const columns = n / p.shape[0];
      const random = noise(n, 17 + which);
      const entry: Readonly<Record<string, (i: number, j: number, k: number) => number>> = {
        random: (_i, _j, k) => random[k],
        large: (_i, _j, k) => 1e3 * random[k],
        tiny: (_i, _j, k) => 1e-15 * random[k],
        zero: () => 0,
        'zero row': (i, _j, k) => (i === 0 ? 0 : random[k]),
        'equal rows': (_i, j) => random[j],
        ones: () => 1,
        diagonal: (i, j) => (i === j ? 3 : 0),
      };
      return [
        p.path,
        p.path.endsWith('.alpha')
          ? Float64Array.of(2)
          : Float64Array.from({ length: n }, (_, k) => entry[kind](Math.floor(k / columns), k % columns, k)),
      ];
    }),
  );

const HARD = ['random', 'large', 'tiny', 'zero', 'zero row', 'equal rows', 'ones', 'diagonal'];
const SHAPES = [
  [6, 6],
  [9, 5],
  [4, 7],
] as const;

describe('matrices', () => {
  it.each(MATRICES)('%s', (options, exact) => {
    for (const [out, columns] of SHAPES) {
      const proven = provenFrom(network(`x[${columns}]`, `dense ${out} by orthogonal(${options})`));
      for (const kind of HARD) {
        const W = weightOf(proven, hardWeights(proven.network, kind));
        expect(W).toHaveLength(out * columns);
        expect(normOf(W, out, columns), `${out}×${columns}, ${kind}`).toBeLessThanOrEqual(1 + 1e-9);
      }
      if (exact) {
        const W = weightOf(proven, initializeParams(networkParams(proven.network), 3));
        expect(defect(W, out, columns), `${out}×${columns}`).toBeLessThan(1e-6);
      }
    }
  });

  it('start orthogonal, or nearly so, whatever the family', () => {
    for (const family of ORTHOGONAL_FAMILIES.filter(f => f !== 'bcop' && f !== 'aoc')) {
      const proven = provenFrom(network('x[20]', `dense 12 by orthogonal(${family})`));
      const W = weightOf(proven, initializeParams(networkParams(proven.network), 1));
      // A block reflector of 12×20 is cut out of one of 20×20.
      if (family !== 'bro') expect(defect(W, 12, 20), family).toBeLessThan(1e-3);
      expect(normOf(W, 12, 20)).toBeLessThanOrEqual(1 + 1e-9);
    }
  });

  it('Householder is the product of its reflections, in order', () => {
    const proven = provenFrom(network('x[3]', 'dense 4, bias = false by orthogonal(householder)'));
    const V = noise(12, 8);
    let Q: number[][] = [0, 1, 2, 3].map(i => [0, 1, 2, 3].map(j => Number(i === j)));
    for (let c = 0; c < 3; c++) {
      const v = [0, 1, 2, 3].map(i => V[i * 3 + c]);
      const s = 2 / v.reduce((a, x) => a + x * x, 0);
      Q = Q.map(row => {
        const dot = row.reduce((a, x, j) => a + x * v[j], 0);
        return row.map((x, j) => x - s * dot * v[j]);
      });
    }
    const W = weightOf(proven, new Map([['dense[0].W', V]]));
    expect(W).toHaveLength(12);
    W.forEach((w, k) => {
      expect(w).toBeCloseTo(Q[Math.floor(k / 3)][k % 3], 12);
    });
  });

  it('clip leaves a weight alone below the limit, and cuts it down above', () => {
    const proven = provenFrom(network('x[2]', 'dense 2, bias = false by orthogonal(bjorck, steps = 1, scale = clip)'));
    const step = (s: number) => (s * (3 - s * s)) / 2;
    const made = (s: number) => weightOf(proven, new Map([['dense[0].W', Float64Array.of(s, 0, 0, s / 2)]]));
    expect(made(1.9)[0]).toBeCloseTo(step(1.9), 12);
    // 7 is cut to 2, which one step takes to −1; the bound by Gram iteration is within 2⁻¹² of the norm.
    expect(made(7)[0]).toBeCloseTo(-1, 2);
    expect(made(7)[3]).toBeCloseTo(1, 2);
  });
});

/** Singular values of the symbol Σ K[δ] e^{iδθ} at a grid of θ, squared: the largest, and the smallest on the shorter side. */
const symbolRange = (
  K: ArrayLike<number>,
  out: number,
  columns: number,
  k: number,
  stride = 1,
): readonly [number, number] => {
  // With a stride the polyphase kernel: one input channel for each residue.
  const e = stride;
  const taps = Math.ceil(k / e);
  const inner = columns * e * e;
  let [least, most] = [Number.POSITIVE_INFINITY, 0];
  for (const [p, q] of [
    [0, 0],
    [0.7, 2.1],
    [Math.PI, 1.3],
    [Math.PI, Math.PI],
    [2.9, 0.2],
  ]) {
    // The complex matrix as a real one of twice the size.
    const A = new Float64Array(4 * out * inner);
    for (let o = 0; o < out; o++)
      for (let i = 0; i < columns; i++)
        for (let y = 0; y < k; y++)
          for (let x = 0; x < k; x++) {
            const v = K[((o * columns + i) * k + y) * k + x];
            const angle = Math.floor(y / e) * p + Math.floor(x / e) * q;
            const c = (i * e + (y % e)) * e + (x % e);
            const [re, im] = [v * Math.cos(angle), v * Math.sin(angle)];
            A[o * 2 * inner + c] += re;
            A[(out + o) * 2 * inner + inner + c] += re;
            A[o * 2 * inner + inner + c] -= im;
            A[(out + o) * 2 * inner + c] += im;
          }
    most = Math.max(most, normOf(A, 2 * out, 2 * inner));
    least = Math.min(least, 1 - defect(A, 2 * out, 2 * inner));
  }
  expect(taps).toBeGreaterThanOrEqual(1);
  return [least, most];
};

describe('kernels', () => {
  const forms = [
    ['[3, 7, 7]', 'conv 6, kernel = 3', 6, 3, 3, 1],
    ['[5, 7, 7]', 'conv 2, kernel = 4, padding = valid', 2, 5, 4, 1],
    ['[1, 6, 6]', 'conv 1, kernel = 2', 1, 1, 2, 1],
    ['[2, 8, 8]', 'conv 8, kernel = 4, stride = 2, padding = circular', 8, 2, 4, 2],
    ['[4, 6, 6]', 'conv 3, kernel = 3, stride = 3, padding = 0', 3, 4, 3, 3],
    ['[4, 5, 5]', 'conv 5, kernel = 1', 5, 4, 1, 1],
  ] as const;
  it.each(KERNELS)('%s', (options, exact) => {
    for (const [input, layer, out, columns, k, stride] of forms) {
      const proven = provenFrom(network(`image${input}`, `${layer} by orthogonal(${options})`));
      const what = `${layer}`;
      for (const kind of HARD) {
        const K = weightOf(proven, hardWeights(proven.network, kind));
        expect(K).toHaveLength(out * columns * k * k);
        expect(symbolRange(K, out, columns, k, stride)[1], `${what}, ${kind}`).toBeLessThanOrEqual(1 + 1e-9);
      }
      // BCOP with a stride leaves out pixels of an orthogonal kernel.
      const whole = exact && (stride === 1 || options.startsWith('aoc'));
      if (whole) {
        const K = weightOf(proven, initializeParams(networkParams(proven.network), 2));
        expect(symbolRange(K, out, columns, k, stride)[0], what).toBeGreaterThan(1 - 1e-3);
      }
    }
  });

  it('of groups, each has a matrix of its own', () => {
    for (const [options] of MATRICES) {
      const layer = `conv 6, kernel = 3, groups = 2 by orthogonal(${options})`;
      const proven = provenFrom(network('image[4, 5, 5]', layer));
      for (const kind of HARD) {
        const K = weightOf(proven, hardWeights(proven.network, kind));
        expect(K).toHaveLength(6 * 2 * 9);
        // Nine outputs read a pixel, so T = 9.
        for (const g of [0, 1])
          expect(3 * normOf(K.subarray(g * 54, (g + 1) * 54), 3, 18), `${options}, ${kind}`).toBeLessThanOrEqual(
            1 + 1e-9,
          );
      }
    }
    const depthwise = provenFrom(
      network('image[3, 4, 4]', 'conv 6, kernel = 2, stride = 2, groups = 3, padding = 0 by orthogonal(qr)'),
    );
    const K = weightOf(depthwise, initializeParams(networkParams(depthwise.network), 2));
    for (const g of [0, 1, 2]) expect(defect(K.subarray(g * 8, (g + 1) * 8), 2, 4)).toBeLessThan(1e-9);
  });

  it('a matrix family makes the reshaped kernel; with the stride as large as the kernel its norm is the convolution’s', () => {
    const text = network('image[3, 8, 8]', 'conv 8, kernel = 2, stride = 2, padding = 0 by orthogonal(qr)');
    const proven = provenFrom(text);
    const K = weightOf(proven, initializeParams(networkParams(proven.network), 2));
    expect(defect(K, 8, 12)).toBeLessThan(1e-9);
    // Without it four outputs read a pixel: T = 4.
    const plain = provenFrom(text.replace(', stride = 2, padding = 0', ''));
    expect(normOf(weightOf(plain, initializeParams(networkParams(plain.network), 2)), 8, 12)).toBeCloseTo(0.5, 9);
    expect(printNetwork(plain.network)).toContain('by orthogonal(qr)');
  });
});

describe('gradients agree with central differences', () => {
  const layers = [
    ...MATRICES.flatMap(([o]) => [
      [`x[4]`, `dense 6 by orthogonal(${o})`],
      [`x[5]`, `residual dense hidden = 4, act = tanh by orthogonal(${o})`],
    ]),
    ...KERNELS.map(([o]) => ['image[2, 4, 4]', `conv 3, kernel = 3 by orthogonal(${o})`]),
    ['image[2, 4, 4]', 'conv 4, kernel = 3, stride = 2, padding = 1 by orthogonal(aoc, steps = 3)'],
    ['image[2, 4, 4]', 'conv 4, kernel = 2, stride = 2, padding = 0 by orthogonal(qr)'],
  ];
  it.each(layers)('%s %s', (input, layer) => {
    const proven = provenFrom(network(input, layer));
    const params = new Map(
      layerParams(proven.network.layers[0].op).map((p, i) => [p.path, noise(elements(p.shape), 20 + i)]),
    );
    const shape = [2, ...proven.network.input.shape];
    const { graph, seedLength, missing } = gradientGraph(b => {
      const x = b.input('x', shape);
      const y = lowerNetwork(b, proven, x, 'train').features;
      const all = networkParams(proven.network).map(p => [p.path, b.param(p.path, p.shape)] as const);
      return { y, wrt: { x, ...Object.fromEntries(all) } };
    });
    expect(missing).toEqual([]);
    const inputs = new Map([
      ['x', noise(elements(shape), 3)],
      ['seed', noise(seedLength, 4)],
    ]);
    for (const [path, v] of params) {
      const entries = Array.from(v.keys()).filter(i => i % 5 === 0 || v.length < 12);
      // Long iterations have large higher derivatives.
      expect(gradientError(graph, { inputs, params }, 'params', path, entries, 1e-6), path).toBeLessThan(2e-6);
    }
  });

  it('of degenerate weights are finite', () => {
    for (const [options] of [...MATRICES, ...KERNELS]) {
      const kernel = KERNELS.some(([o]) => o === options);
      const proven = provenFrom(
        kernel
          ? network('image[2, 4, 4]', `conv 3, kernel = 3 by orthogonal(${options})`)
          : network('x[4]', `dense 5 by orthogonal(${options})`),
      );
      const { graph, seedLength } = gradientGraph(b => {
        const x = b.input('x', [1, ...proven.network.input.shape]);
        const y = lowerNetwork(b, proven, x, 'train').features;
        return {
          y,
          wrt: Object.fromEntries(networkParams(proven.network).map(p => [p.path, b.param(p.path, p.shape)])),
        };
      });
      const inputs = new Map([
        ['x', noise(elements(proven.network.input.shape), 3)],
        ['seed', noise(seedLength, 4)],
      ]);
      for (const kind of HARD) {
        const outputs = interpret(graph, { inputs, params: hardWeights(proven.network, kind) }).outputs;
        for (const [name, v] of outputs) expect(v.every(Number.isFinite), `${options}, ${kind}: ${name}`).toBe(true);
      }
    }
  });
});

it('what is deployed is smaller than 1, by more than f32 rounds', () => {
  for (const options of ['householder', 'bjorck', 'exponential', 'qr', 'cayley, parameter = lower']) {
    const proven = provenFrom(network('x[9]', `residual dense hidden = 9 by orthogonal(${options})`));
    const weights = initializeParams(networkParams(proven.network), 5);
    const { graph } = freeze(proven, weights, 1);
    const literal = graph.nodes.find(n => n.op.kind === 'literal' && elements(n.shape) === 81)!;
    if (literal.op.kind !== 'literal') throw new Error('no weight');
    const norm = normOf(literal.op.data, 9, 9);
    expect(norm, options).toBeLessThan(1);
    expect(norm, options).toBeGreaterThan(1 - 3e-6);
  }
});

describe('what is read', () => {
  const findings = (layer: string, input = 'x[8]'): readonly string[] => {
    const { file, diagnostics } = parse(network(input, layer));
    expect(diagnostics).toEqual([]);
    const program = resolve(file, {});
    if (program.diagnostics.length > 0) return program.diagnostics.map(d => `${d.code} ${d.message} | ${d.help ?? ''}`);
    const result = prove(program.networks[0]);
    return 'diagnostics' in result ? result.diagnostics.map(d => `${d.code} ${d.message} | ${d.help}`) : [];
  };
  const printed = (layer: string, input = 'x[8]'): string =>
    /by (orthogonal\(.*\)) \(%0\)/.exec(printNetwork(provenFrom(network(input, layer)).network))![1];

  it('prints options as they can be read again', () => {
    for (const [options] of MATRICES) {
      const once = printed(`dense 6 by orthogonal(${options})`);
      expect(printed(`dense 6 by ${once}`)).toBe(once);
    }
    for (const [options] of KERNELS) {
      const once = printed(`conv 6 by orthogonal(${options})`, 'image[4, 6, 6]');
      expect(printed(`conv 6 by ${once}`, 'image[4, 6, 6]')).toBe(once);
    }
    expect(printed('dense 6 by orthogonal')).toBe('orthogonal(cayley)');
    expect(printed('dense 6 by orthogonal(bjorck)')).toBe(
      'orthogonal(bjorck, steps = 15, scale = gram, norm_steps = 12)',
    );
  });

  it.each([
    ['dense 8 by orthogonal(bjorck, scale = none)', /^L0213 .*scale = clip/],
    ['dense 8 by orthogonal(exponential, scale = none)', /^L0213/],
    ['dense 8 by orthogonal(exponential, degree = 5)', /^L0212 .*above 1 for small t.*3, 4, 7, 8, 11, 12/],
    ['dense 8 by orthogonal(exponential, degree = 15)', /^L0212 .*not known/],
    ['dense 8 by orthogonal(bro, rank = 9)', /^L0112 .*rank 8 at most, found 9/],
    ['dense 8 by orthogonal(bro, eps = 0)', /^L0112 .*positive/],
    ['dense 8 by orthogonal(bro, eps = 1e-400)', /^L0112 .*at least 1e-9/],
    ['dense 8 by orthogonal(cholesky, eps = -1)', /^L0112 .*negative/],
    ['dense 8 by orthogonal(bjorck, scale_eps = -1)', /^L0112 .*negative/],
    ['dense 8 by orthogonal(bjorck, steps = 0)', /^L0112/],
    ['dense 8 by orthogonal(bjorck, scale = clip, scale_eps = 1)', /^L0129 .*no meaning with `scale = clip`/],
    ['dense 8 by orthogonal(bjorck, scale = frobenius, norm_steps = 3)', /^L0129/],
    ['dense 8 by orthogonal(cayley, parameter = lower, alpha = true)', /^L0129/],
    ['dense 8 by orthogonal(qr, steps = 3)', /^L0102 `orthogonal\(qr\)` has no option `steps`/],
    ['dense 8 by orthogonal(bro(rank = 2))', /^L0105 .*orthogonal\(bro, rank = …\)/],
    ['dense 8 by orthogonal(bcop)', /^L0129 .*convolutions/],
    ['dense 8 by bjorck', /^L0104 .*orthogonal\(bjorck\)/],
    ['dense 8 by own(max(aol, orthogonal(qr)))', /^L0112 .*orthogonal\(qr\) replaces/],
  ])('%s', (layer, finding) => {
    const found = findings(layer);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(finding);
  });

  it.each([
    ['conv 4, kernel = [3, 1] by orthogonal(bcop)', /^L0112 .*3×1/],
    ['conv 4, kernel = 2, stride = 3 by orthogonal(aoc)', /^L0112 .*at least 3×3/],
    ['conv 4, groups = 2 by orthogonal(bcop)', /^L0112 .*2 groups/],
    ['conv 4, kernel = 3, stride = 2, dilation = 3 by orthogonal(aoc)', /^L0112 .*dilated/],
  ])('%s', (layer, finding) => {
    const found = findings(layer, 'image[4, 8, 8]');
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(finding);
  });
});

it('the series of exp is a contraction on its windows, and not much beyond', () => {
  const size = (t: number, degree: number): number => {
    let [re, im, term] = [1, 0, 1];
    for (let m = 1; m <= degree; m++) {
      term *= t / m;
      if (m % 2 === 0) re += m % 4 === 0 ? term : -term;
      else im += m % 4 === 1 ? term : -term;
    }
    return re * re + im * im;
  };
  for (const [degree, window] of SERIES_WINDOW) {
    const theta = toNumber(window);
    for (let i = 0; i <= 1000; i++) expect(size((theta * i) / 1000, degree)).toBeLessThanOrEqual(1 + 1e-15);
    expect(size(theta + 0.012, degree)).toBeGreaterThan(1);
  }
});
