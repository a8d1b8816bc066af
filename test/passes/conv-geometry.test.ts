import { describe, expect, it } from 'vitest';
import { provenFrom } from '../../src/fixtures/compile-source.ts';
import { attrsOf, type ConvMap, circularFault, outputSize, overlap, torusSize } from '../../src/ir/conv-geometry.ts';
import { interpret } from '../../src/ir/interpret.ts';
import type { Network, Rescaling, Side } from '../../src/ir/network.ts';
import { rational, ZERO } from '../../src/ir/rational.ts';
import { GraphBuilder } from '../../src/ir/tensor.ts';
import { lowerNetwork } from '../../src/passes/lower/lower.ts';
import { lowerRescaling } from '../../src/passes/lower/lower-rescaling.ts';
import { prove } from '../../src/passes/prove/prove.ts';
import { randomFrom } from '../random-network.ts';

const map = (more: Partial<ConvMap> & Pick<ConvMap, 'out' | 'in'>): ConvMap => {
  const full = {
    kernel: [3, 3],
    stride: [1, 1],
    padding: [1, 1],
    dilation: [1, 1],
    groups: 1,
    mode: 'zeros',
    ...more,
  } as const;
  const shape = [full.out, full.in / full.groups, ...full.kernel];
  return { kind: 'conv', ...full, weight: { path: 'W', shape, init: { kind: 'zeros' } } };
};

const noise = (n: number, seed: number): Float64Array => {
  const r = randomFrom(seed);
  return Float64Array.from({ length: n }, () => r.normal());
};
const kernelOf = (m: ConvMap, seed: number): Float64Array =>
  noise(
    m.weight.shape.reduce((a, b) => a * b, 1),
    seed,
  );

/** The convolution as a matrix, one column per input entry. */
const columnsOf = (m: ConvMap, W: Float64Array, size: readonly [number, number]): Float64Array[] => {
  const n = m.in * size[0] * size[1];
  const b = new GraphBuilder();
  b.output('y', b.conv(b.input('x', [n, m.in, ...size]), b.param('W', m.weight.shape), attrsOf(m)));
  const x = new Float64Array(n * n);
  for (let i = 0; i < n; i++) x[i * n + i] = 1;
  const y = interpret(b.finish(), { inputs: new Map([['x', x]]), params: new Map([['W', W]]) }).outputs.get('y')!;
  const length = y.length / n;
  return Array.from({ length: n }, (_, i) => Float64Array.from(y.subarray(i * length, (i + 1) * length)));
};

const dot = (a: Float64Array, b: Float64Array): number => a.reduce((s, v, i) => s + v * b[i], 0);

/** ‖W‖², from below, by power iteration on a matrix given by its columns. */
const squaredNorm = (columns: readonly Float64Array[]): number => {
  let v = noise(columns.length, 3);
  let norm = 0;
  for (let k = 0; k < 50; k++) {
    const scale = 1 / Math.hypot(...v);
    const image = new Float64Array(columns[0].length);
    columns.forEach((c, j) => {
      for (let i = 0; i < image.length; i++) image[i] += c[i] * v[j] * scale;
    });
    v = Float64Array.from(columns, c => dot(c, image));
    norm = Math.hypot(...v);
  }
  return norm;
};

const diagonal = (m: ConvMap, W: Float64Array, size: readonly [number, number], by: Rescaling, side: Side) => {
  const b = new GraphBuilder();
  b.output('T', lowerRescaling(b, m, [m.in, ...size], by, side).T);
  return interpret(b.finish(), { inputs: new Map(), params: new Map([[m.weight.path, W]]) }).outputs.get('T')!;
};

const AOL: Rescaling = { by: 'aol', eps: ZERO };

const GEOMETRIES: readonly (readonly [string, ConvMap])[] = [
  ['stride 2', map({ out: 4, in: 3, stride: [2, 2] })],
  ['stride as large as the kernel', map({ out: 5, in: 2, kernel: [2, 2], stride: [2, 2], padding: [0, 0] })],
  ['stride larger than the kernel', map({ out: 3, in: 2, kernel: [2, 1], stride: [3, 2], padding: [0, 0] })],
  ['stride 3, kernel 4', map({ out: 2, in: 2, kernel: [4, 4], stride: [3, 3] })],
  ['dilation 2', map({ out: 3, in: 3, dilation: [2, 2], padding: [2, 2] })],
  ['stride 2, dilation 2', map({ out: 3, in: 2, stride: [2, 2], dilation: [2, 2] })],
  ['stride 2, dilation 3', map({ out: 3, in: 2, stride: [2, 2], dilation: [3, 3], padding: [3, 3] })],
  ['stride 4, dilation 2', map({ out: 3, in: 2, kernel: [3, 4], stride: [4, 4], dilation: [2, 2], padding: [2, 3] })],
  ['groups', map({ out: 6, in: 4, groups: 2 })],
  ['depthwise, stride 2', map({ out: 6, in: 3, groups: 3, stride: [2, 1] })],
  ['circular', map({ out: 3, in: 2, kernel: [5, 3], padding: [2, 1], mode: 'circular' })],
  ['circular, kernel larger than the image', map({ out: 1, in: 2, kernel: [9, 9], padding: [4, 4], mode: 'circular' })],
  ['circular, stride 2, groups', map({ out: 4, in: 4, groups: 2, stride: [2, 2], mode: 'circular' })],
  ['circular, even kernel', map({ out: 2, in: 2, kernel: [4, 2], padding: [1, 0], mode: 'circular' })],
];

describe('T dominates the operator of every geometry', () => {
  const methods: readonly (readonly [string, Rescaling])[] = [
    ['aol', AOL],
    ['aol in 3 steps', { by: 'power', steps: 3, eps: ZERO }],
    ['spectral gram', { by: 'spectral', method: { kind: 'gram', steps: 6, grid: 16 }, eps: ZERO }],
    ['spectral circulant', { by: 'spectral', method: { kind: 'circulant', steps: 8 }, eps: ZERO }],
    ['spectral operator', { by: 'spectral', method: { kind: 'operator', steps: 8 }, eps: ZERO }],
    ['spectral reshaped', { by: 'spectral', method: { kind: 'reshaped', steps: 6 }, eps: ZERO }],
  ];
  describe.each(GEOMETRIES)('%s', (_, m) => {
    const size = [6, 4] as const;
    it.each(methods)('%s', (_, by) => {
      for (const seed of [1, 2]) {
        const W = kernelOf(m, seed);
        const columns = columnsOf(m, W, size);
        const rows = columns[0].length / m.out;
        for (const side of ['in', 'out'] as const) {
          const T = diagonal(m, W, size, by, side);
          const scaled = columns.map((c, j) =>
            side === 'in'
              ? c.map(v => v / Math.sqrt(T[Math.floor(j / (size[0] * size[1]))]))
              : c.map((v, i) => v / Math.sqrt(T[Math.floor(i / rows)])),
          );
          const norm = squaredNorm(scaled);
          expect(norm).toBeLessThanOrEqual(1 + 1e-9);
          // No bound is idle: Gershgorin and the reshaped kernel are within a small factor.
          expect(norm).toBeGreaterThan(0.02);
        }
      }
    });
  });
});

describe('bounds of strided convolutions are those of the strided operator', () => {
  it.each(GEOMETRIES.filter(([, m]) => m.mode === 'zeros'))('%s: row sums of |G|, exactly', (_, m) => {
    const W = kernelOf(m, 4);
    // Large enough for an output and all inputs of one period to be away from the border.
    const side = 2 * Math.max(...m.kernel.map((k, a) => (k - 1) * m.dilation[a])) + 7;
    const size = [side, side] as const;
    const middle = (side >> 1) - 2;
    const columns = columnsOf(m, W, size);
    const [oh, ow] = outputSize(m, size);
    const perInput = size[0] * size[1];
    const inputs = diagonal(m, W, size, AOL, 'in');
    for (let c = 0; c < m.in; c++) {
      // One period of pixels in the middle.
      let most = 0;
      for (let y = middle; y < middle + 4; y++)
        for (let x = middle; x < middle + 4; x++) {
          const a = columns[c * perInput + y * size[1] + x];
          most = Math.max(
            most,
            columns.reduce((s, other) => s + Math.abs(dot(a, other)), 0),
          );
        }
      expect(most).toBeCloseTo(inputs[c], 8);
    }
    const outputs = diagonal(m, W, size, AOL, 'out');
    const row = (i: number): Float64Array => Float64Array.from(columns, c => c[i]);
    for (let o = 0; o < m.out; o++) {
      const inner = row((o * oh + (oh >> 1)) * ow + (ow >> 1));
      let sum = 0;
      for (let i = 0; i < columns[0].length; i++) sum += Math.abs(dot(inner, row(i)));
      expect(sum).toBeCloseTo(outputs[o], 8);
    }
  });

  it('a kernel as large as its stride is one matrix: the reshaped bound is its norm', () => {
    const m = map({ out: 5, in: 2, kernel: [2, 2], stride: [2, 2], padding: [0, 0] });
    const W = kernelOf(m, 5);
    const by: Rescaling = { by: 'spectral', method: { kind: 'reshaped', steps: 14 }, eps: ZERO };
    const [T] = diagonal(m, W, [6, 6], by, 'in');
    expect(overlap(m)).toBe(1);
    expect(T / squaredNorm(columnsOf(m, W, [6, 6]))).toBeCloseTo(1, 3);
  });

  it('groups are bounded by the largest, not by their sum', () => {
    const m = map({ out: 4, in: 4, groups: 4, kernel: [1, 1], padding: [0, 0] });
    const by: Rescaling = { by: 'spectral', method: { kind: 'reshaped', steps: 3 }, eps: ZERO };
    expect(diagonal(m, Float64Array.of(1, 2, 3, 2), [3, 3], by, 'in')).toEqual(new Float64Array(4).fill(9));
    expect([...diagonal(m, Float64Array.of(1, 2, 3, 2), [3, 3], AOL, 'out')]).toEqual([1, 4, 9, 4]);
  });
});

describe('the torus of a convolution', () => {
  /** Whether output p reads, through some tap of phase r, the place of pixel x modulo N but not x itself, along one axis. */
  const meetsItself = (m: ConvMap, n: number, N: number): boolean => {
    const [stride, dilation, padding, kernel] = [m.stride[0], m.dilation[0], m.padding[0], m.kernel[0]];
    const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));
    const e = stride / gcd(stride, dilation);
    const made = outputSize(m, [n, n])[0];
    for (let r = 0; r < e; r++) {
      const places: number[] = [];
      for (let x = 0; x < n; x++) {
        const place = (x + padding - dilation * r) / stride;
        if (Number.isInteger(place)) places.push(place);
      }
      const read: number[] = [];
      for (let p = 0; p < made; p++)
        for (let tap = r; tap < kernel; tap += e) read.push(p + ((tap - r) * dilation) / stride);
      // Pixels that no output reads are left out.
      const pixels = places.filter(x => read.includes(x));
      if (new Set(pixels.map(x => x % N)).size < pixels.length) return true;
      if (read.some(y => pixels.some(x => x !== y && (y - x) % N === 0))) return true;
    }
    return made > N;
  };
  it('is large enough for every geometry, and most often no larger than needed', () => {
    let [all, least] = [0, 0];
    for (const kernel of [1, 2, 3, 5])
      for (const stride of [1, 2, 3, 4])
        for (const dilation of [1, 2, 3])
          for (const padding of [0, 1, 2, 5])
            for (const n of [1, 2, 3, 6, 9]) {
              const sides = (v: number) => [v, v] as const;
              const m = map({
                out: 1,
                in: 1,
                kernel: sides(kernel),
                stride: sides(stride),
                dilation: sides(dilation),
                padding: sides(padding),
              });
              if (outputSize(m, [n, n])[0] < 1) continue;
              const [N] = torusSize(m, [n, n]);
              expect([m, n, meetsItself(m, n, N)]).toEqual([m, n, false]);
              all += 1;
              if (N === 1 || meetsItself(m, n, N - 1)) least += 1;
            }
    expect(all).toBeGreaterThan(700);
    expect(least / all).toBeGreaterThan(0.7);
  });
  it('is the image where that is circular', () => {
    const m = map({ out: 1, in: 1, stride: [2, 1], mode: 'circular' });
    expect(torusSize(m, [8, 5])).toEqual([4, 5]);
    expect(torusSize(map({ out: 1, in: 1 }), [32, 8])).toEqual([33, 9]);
  });
});

describe('circular padding that the lattice does not cover', () => {
  const network = (m: ConvMap, size: readonly [number, number], shape: readonly number[]): Network => {
    const span = { start: 0, end: 0 };
    return {
      name: 'N',
      input: { id: 0, shape: [m.in, ...size], span },
      layers: [
        {
          id: 1,
          inputs: [0],
          op: { kind: 'linear', map: m, side: 'in', rescaling: AOL },
          shape,
          path: 'conv[0]',
          span,
        },
      ],
      budget: rational(1),
      span,
    };
  };

  it('is refused by the prover: more padding than the kernel reaches over shows rows twice', () => {
    const m = map({ out: 1, in: 1, kernel: [1, 1], padding: [1, 0], mode: 'circular' });
    expect(circularFault(m, [3, 3])?.message).toMatch(/repeats outputs/);
    // And rightly so: T = 1, but five rows are seen for three.
    expect(squaredNorm(columnsOf(m, Float64Array.of(1), [3, 3]))).toBeCloseTo(2, 6);
    expect(prove(network(m, [3, 3], [1, 5, 3]))).toMatchObject({ diagnostics: [{ code: 'L0133' }] });
  });

  it('is refused by the prover: a stride that does not divide the image, whose T is too small', () => {
    const m = map({ out: 1, in: 1, kernel: [3, 1], stride: [2, 1], padding: [1, 0], mode: 'circular' });
    expect(circularFault(m, [3, 2])?.message).toMatch(/seam/);
    const W = Float64Array.of(1, 1, 1);
    const T = diagonal(m, W, [3, 2], AOL, 'out')[0];
    expect(squaredNorm(columnsOf(m, W, [3, 2]))).toBeGreaterThan(T * 1.1);
    expect(prove(network(m, [3, 2], [1, 2, 2]))).toMatchObject({ diagnostics: [{ code: 'L0133' }] });
  });
});

describe('transposed convolutions', () => {
  it('are the adjoint of the convolution with the same weight, scaled on the side that is asked for', () => {
    for (const side of ['in', 'out'] as const) {
      const source = `network N {\n  input image[4, 3, 3]\n  transposed conv 2, stride = 2, bias = false${side === 'out' ? ', side = out' : ''} by aol(eps = 0)\n}\n`;
      const proven = provenFrom(source);
      const [layer] = proven.network.layers;
      expect(layer.shape).toEqual([2, 6, 6]);
      if (layer.op.kind !== 'linear' || layer.op.map.kind !== 'conv') throw new Error('a convolution was expected');
      const m = layer.op.map;
      expect(m).toMatchObject({ out: 4, in: 2, weight: { shape: [4, 2, 3, 3] } });
      const W = kernelOf(m, 6);
      const b = new GraphBuilder();
      const x = b.input('x', [36, 4, 3, 3]);
      b.output('y', lowerNetwork(b, proven, x, 'train').features);
      const identity = new Float64Array(36 * 36);
      for (let i = 0; i < 36; i++) identity[i * 36 + i] = 1;
      const y = interpret(b.finish(), {
        inputs: new Map([['x', identity]]),
        params: new Map([[m.weight.path, W]]),
      }).outputs.get('y')!;
      const T = diagonal(m, W, [6, 6], AOL, side === 'in' ? 'out' : 'in');
      columnsOf(m, W, [6, 6]).forEach((column, j) => {
        for (let i = 0; i < 36; i++) {
          const scale = Math.sqrt(T[side === 'in' ? Math.floor(i / 9) : Math.floor(j / 36)]);
          expect(y[i * 72 + j]).toBeCloseTo(column[i] / scale, 10);
        }
      });
    }
  });
});

describe('space_to_depth', () => {
  it('moves blocks of pixels into channels, and depth_to_space moves them back', () => {
    const run = (statements: string, shape: readonly number[], x: readonly number[]): number[] => {
      const b = new GraphBuilder();
      const proven = provenFrom(`network N {\n  input image[${shape.join(', ')}]\n  ${statements}\n}\n`);
      b.output('y', lowerNetwork(b, proven, b.input('x', [1, ...shape]), 'train').features);
      const inputs = new Map([['x', Float64Array.from(x)]]);
      return [...interpret(b.finish(), { inputs, params: new Map() }).outputs.get('y')!];
    };
    const x = [0, 1, 2, 3, 4, 5, 6, 7];
    expect(run('space_to_depth 2', [1, 2, 4], x)).toEqual([0, 2, 1, 3, 4, 6, 5, 7]);
    expect(run('depth_to_space 2', [4, 1, 2], [0, 2, 1, 3, 4, 6, 5, 7])).toEqual(x);
    expect(run('space_to_depth [1, 2]\n  depth_to_space [1, 2]', [2, 1, 4], x)).toEqual(x);
  });
});
