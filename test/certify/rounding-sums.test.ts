import { describe, expect, test } from 'vitest';
import { summationDepth } from '../../src/certify/rounding-depth.ts';
import { norm, normOfNonnegative, weightNorms } from '../../src/certify/rounding-norms.ts';
import { PLAIN, sumTerms } from '../../src/ir/conv-geometry.ts';
import { interpret } from '../../src/ir/interpret.ts';
import { DEFAULT_LIMITS, inBlocks, type Target } from '../../src/ir/kernel.ts';
import { elements, type Layer, type Shape } from '../../src/ir/network.ts';
import { convAttrs, GraphBuilder } from '../../src/ir/tensor.ts';
import { compileGraph } from '../../src/passes/kernels/compile-graph.ts';
import { writtenSum } from '../codegen/sum-depth.ts';
import { provenFrom } from '../proof/certified.ts';
import { randomFrom } from '../random-network.ts';
import { everything, NETWORKS, normals, randomWeights, SOFTWARE } from './rounding-networks.ts';

describe('depth of sums', () => {
  const compiled = (m: number, k: number, n: number, target: Target) => {
    const b = new GraphBuilder();
    b.output('y', b.matmul(b.input('x', [m, k]), b.input('w', [k, n])));
    return compileGraph(b.finish(), target);
  };
  test('a sum in one accumulator is as deep as it is long; one in blocks is not', () => {
    const target = { profile: 'software', limits: DEFAULT_LIMITS } as const;
    expect(summationDepth(compiled(64, 784, 256, target))(784)).toBe(784);
    const depth = summationDepth(compiled(64, 784, 256, inBlocks(target)));
    expect(depth(784)).toBeLessThan(40);
    // Nothing shorter was compiled, so nothing is known of it.
    expect(depth(700)).toBe(700);
  });
  test('a sum in pieces is as deep as a piece and the pieces', () => {
    const made = compiled(1, 4096, 4, { profile: 'gpu', limits: DEFAULT_LIMITS });
    expect(made.kernels).toHaveLength(2);
    const [pieces] = made.kernels;
    const count = pieces.kind === 'reduce' ? pieces.out[0].extent : 0;
    expect(count).toBeGreaterThan(1);
    expect(summationDepth(made)(4096)).toBe(4096 / count + count);
  });
});

test('windows that overlap are added up one entry after another, however shallow the sums of kernels are', () => {
  const [n, window] = [512, 64];
  const proven = provenFrom(`network Net by sll { input x[${n}]\n avgpool ${window}, stride = 1\n dense 3\n head 2 }`);
  const { ordered, compiled } = everything(proven, randomWeights(proven, randomFrom(7)));
  // The deepest sum of the kernels with so few terms is the head's.
  expect(summationDepth(compiled)(window)).toBeLessThan(5);
  const r = randomFrom(8);
  // Equal entries, so that every window errs the same way.
  const errorOf = (c: number): number => {
    let sum = c;
    for (let k = 1; k < window; k++) sum = Math.fround(sum + c);
    return Math.abs(Math.fround(sum / window) - c);
  };
  const worst = Array.from({ length: 20000 }, () => Math.fround(1 + r.uniform())).reduce((a, c) =>
    errorOf(c) / c > errorOf(a) / a ? c : a,
  );
  const error = errorOf(worst) * Math.sqrt(n - window + 1);
  const { local } = ordered.layers({ input: worst * Math.sqrt(n) })[0];
  expect(error).toBeLessThanOrEqual(local);
  expect(error).toBeGreaterThan(local / 10);
});

/** The bound in any order takes a layer's sums to have as many terms as the layer says; what is fused, tiled and cut into pieces must not have more. */
describe('no kernel adds up more than the bound counts', () => {
  const longest = ({ op, inputs, shape }: Layer, shapes: ReadonlyMap<number, Shape>): number => {
    const from = shapes.get(inputs[0])!;
    switch (op.kind) {
      case 'linear': {
        const { forward, adjoint } = sumTerms(op.map, op.adjoint ? shape : from);
        return op.adjoint ? adjoint : forward;
      }
      case 'residual': {
        const { forward, adjoint } = sumTerms(op.map, from);
        return Math.max(forward, adjoint);
      }
      case 'contraction':
      case 'sandwich': {
        const channels = Math.max(op.in, op.out);
        if (!op.kernel) return channels;
        if (op.kind === 'contraction' && op.method.family === 'skew_exponential') return channels * elements(op.kernel);
        const margin = op.kind === 'contraction' && op.method.family !== 'cayley' ? op.kernel.map(k => k - 1) : [0, 0];
        const [h, w] = from.slice(1).map((n, axis) => n + margin[axis]);
        return Math.max(2 * channels, 2 * h, w + 2);
      }
      case 'head':
        return elements(from);
      case 'avgpool':
      case 'l2pool':
        return op.size[0] * op.size[1];
      case 'layercenter':
        return elements(from);
      default:
        return 0;
    }
  };
  test.each(NETWORKS.map((source, i) => [i, source] as const))('network %i', (seed, source) => {
    const proven = provenFrom(source);
    const { frozen } = everything(proven, randomWeights(proven, randomFrom(80 + seed)));
    const shapes = new Map([[proven.network.input.id, proven.network.input.shape]]);
    const most = new Map<string, number>();
    for (const layer of proven.network.layers) {
      most.set(layer.path, longest(layer, shapes));
      shapes.set(layer.id, layer.shape);
    }
    for (const target of [SOFTWARE, { profile: 'gpu', limits: DEFAULT_LIMITS } as const]) {
      const { plan } = compileGraph(frozen.graph, target);
      let seen = 0;
      for (const { kernel, label } of plan.steps) {
        const { wgsl } = plan.kernels[kernel];
        const sum = writtenSum(wgsl);
        if (!sum) continue;
        const path = (label.split('fused into ')[1] ?? label).split(' ')[0];
        // Zeros staged to fill up workgroup memory are no terms.
        const filling = wgsl.includes('workgroupBarrier') ? 15 : 0;
        expect(sum.terms, label).toBeLessThanOrEqual(most.get(path)! + filling);
        seen++;
      }
      expect(seen).toBeGreaterThan(0);
    }
  });
});

describe('norms are upper bounds', () => {
  test('of matrices with entries ≥ 0: above every quotient, nearly attained', () => {
    const r = randomFrom(11);
    for (let turn = 0; turn < 20; turn++) {
      const [rows, columns] = [r.integer(1, 9), r.integer(1, 9)];
      const M = Float64Array.from({ length: rows * columns }, () => (r.uniform() < 0.3 ? 0 : Math.abs(r.normal())));
      const bound = normOfNonnegative(M, rows, columns);
      let v = Float64Array.from({ length: columns }, () => r.uniform());
      let quotient = 0;
      for (let i = 0; i < 200; i++) {
        const y = Float64Array.from({ length: rows }, (_, a) =>
          v.reduce((sum, x, c) => sum + M[a * columns + c] * x, 0),
        );
        quotient = norm(v) > 0 ? norm(y) / norm(v) : 0;
        expect(quotient).toBeLessThanOrEqual(bound);
        v = Float64Array.from({ length: columns }, (_, c) => y.reduce((sum, x, a) => sum + M[a * columns + c] * x, 0));
        const size = norm(v) || 1;
        v = v.map(x => x / size);
      }
      expect(bound).toBeLessThanOrEqual(quotient * 1.5 + 1e-6);
    }
  });
  test('of convolutions with |K|, at every image size', () => {
    const r = randomFrom(12);
    const W = normals(r, 3 * 2 * 9, 1);
    const weight = { path: 'W', shape: [3, 2, 3, 3], init: { kind: 'zeros' } } as const;
    const { absolute } = weightNorms(
      { kind: 'conv', out: 3, in: 2, kernel: [3, 3], ...PLAIN, padding: [1, 1], weight },
      W,
      [2, 5, 5],
    );
    let most = 0;
    for (const size of [1, 2, 5, 30]) {
      const b = new GraphBuilder();
      const k = b.literal(W.map(Math.abs), [3, 2, 3, 3]);
      b.output('y', b.conv(b.input('x', [1, 2, size, size]), k, convAttrs({ padding: [1, 1] })));
      const x = new Float64Array(2 * size * size).fill(1);
      const y = interpret(b.finish(), { inputs: new Map([['x', x]]), params: new Map() }).outputs.get('y')!;
      most = Math.max(most, norm(y) / norm(x));
    }
    expect(most).toBeLessThanOrEqual(absolute);
    expect(most).toBeGreaterThan(0.6 * absolute);
  });
});
