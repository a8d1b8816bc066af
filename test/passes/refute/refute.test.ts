import { describe, expect, it } from 'vitest';
import type { Diagnostic } from '../../../src/diagnostics.ts';
import { elements, layerParams, type Network } from '../../../src/ir/network.ts';
import { parse } from '../../../src/parser/parse.ts';
import { prove } from '../../../src/passes/prove/prove.ts';
import { refute } from '../../../src/passes/refute/refute.ts';
import { shrink } from '../../../src/passes/refute/shrink.ts';
import { resolve } from '../../../src/passes/resolve/resolve.ts';

const networkOf = (source: string): Network => {
  const { file, diagnostics } = parse(source);
  const program = resolve(file, {});
  expect([...diagnostics, ...program.diagnostics]).toEqual([]);
  return program.networks[0];
};

const refusedBy = (source: string): readonly Diagnostic[] => {
  const net = networkOf(source);
  const result = prove(net);
  if (!('diagnostics' in result)) throw new Error('proven');
  return refute(net, result.diagnostics);
};

const counterexample = (source: string) => {
  const [{ counterexample: found }] = refusedBy(source);
  if (found === undefined || found === 'none found') throw new Error(`no counterexample: ${found}`);
  return found;
};

const ABS = 'network N {\n  input x[6]\n  residual dense hidden = 4, act = abs by aol\n}\n';

describe('the refuter', () => {
  it('gives the same numbers each time', () => {
    expect(refusedBy(ABS)).toEqual(refusedBy(ABS));
  });

  it('finds nothing against sound layers, built-in or defined, and says no more than that', () => {
    for (const source of [
      'network N {\n  input x[6]\n  residual dense hidden = 4, act = tanh by sll\n}\n',
      'network N {\n  input x[6]\n  dense 5 by aol(eps = 0)\n  maxmin\n}\n',
      'network N {\n  input image[2, 4, 4]\n  residual conv hidden = 3, kernel = 3 by aol\n}\n',
      'network N {\n  input x[5]\n  dense 7 by orthogonal(cayley)\n}\n',
      'layer own(x: vec[n]) {\n  param W: mat[n, 4] = xavier\n  param q: vec[4] = zeros\n  return x - 2 * W * inv(gershgorin(Wᵀ * W, exp(q))) * relu(Wᵀ * x)\n}\nnetwork N {\n  input x[6]\n  own\n}\n',
    ]) {
      const net = networkOf(source);
      expect(prove(net)).toHaveProperty('proven');
      const forged: Diagnostic = {
        code: 'L0201',
        severity: 'error',
        message: 'said to be wrong',
        span: net.span,
        refused: { network: net.name, layers: net.layers.map(l => l.path) },
      };
      expect(refute(net, [forged])[0].counterexample, source).toBe('none found');
    }
  });

  it('asks of one layer what the others leave of the budget', () => {
    const scaled = counterexample(ABS.replace('}\n', '  budget 2\n  scale 1/2\n}\n'));
    expect(scaled.allowed).toBe(1);
    expect(counterexample(ABS.replace('}\n', '  budget 2\n}\n')).allowed).toBe(2);
    // The layer triples distances: no budget of 3 is broken by that.
    expect(refusedBy(ABS.replace('}\n', '  budget 3\n}\n'))[0].counterexample).toBe('none found');
  });

  it('searches the whole body where the composed bound is too large', () => {
    const found = counterexample(
      'network N {\n  input x[4]\n  scale 1/2\n  dense 4 by aol\n  leaky_relu 3/2\n  head 2\n}\n',
    );
    expect(found.layers).toEqual(['scale[0]', 'dense[0]', 'leaky_relu[0]']);
    expect(found.ratio).toBeGreaterThan(2.99);
    expect(found.ratio).toBeLessThanOrEqual(3);
  });

  it('takes a smaller instance of a large layer, and says so', () => {
    const found = counterexample('network N {\n  input x[3072]\n  residual dense hidden = 2048, act = abs by sll\n}\n');
    expect(found.shrunkFrom).toEqual([3072]);
    expect(found.ratio).toBeGreaterThan(2.9);
    expect(found.x).toHaveLength(elements(found.inputShape));
    for (const p of found.params) expect(p.values).toHaveLength(elements(p.shape));
  });

  it('takes any formula that is refused', () => {
    const own = (value: string, x = 'x[6]', type = 'vec[n]', W = 'mat[n, 4]') =>
      `layer own(x: ${type}) {\n  param W: ${W} = xavier\n  param s: vec[n] = zeros\n  param q: vec[4] = zeros\n  return ${value}\n}\nnetwork N {\n  input ${x}\n  own\n}\n`;
    const T = 'gershgorin(Wᵀ * W)';
    const found = (source: string): number => {
      const [{ counterexample: c }] = refusedBy(source);
      return c === undefined || c === 'none found' ? 0 : c.ratio;
    };
    for (const value of [
      `x - 3 * W * inv(${T}) * relu(Wᵀ * x)`,
      `x + 2 * W * inv(${T}) * relu(Wᵀ * x)`,
      `x - 2 * W * inv(1/2 * ${T}) * relu(Wᵀ * x)`,
      `x - 2 * W * inv(${T} - 1/2) * relu(Wᵀ * x)`,
      `x - 2 * W * inv(${T}) * relu(2 * Wᵀ * x)`,
      `x - 2 * W * inv(${T}) * maxmin(Wᵀ * x)`,
      'x - 2 * W * inv(rowsum(abs(Wᵀ * W)) / exp(q)) * relu(Wᵀ * x)',
      'W * relu(Wᵀ * x)',
    ])
      expect(found(own(value)), value).toBeGreaterThan(1.4);
    // What moves nothing is not refuted.
    expect(found(own('s'))).toBe(0);
    const conv = own(
      'x - 2 * Kᵀ * inv(1/2 * gershgorin(K * Kᵀ)) * relu(K * x)',
      'image[2, 5, 5]',
      'image[n, h, w]',
      'conv[4, n, 3, 3]',
    );
    expect(found(conv.replace('param W', 'param K'))).toBeGreaterThan(2.9);
  });

  it('shrinks chains with poolings, copies and activations of pairs', () => {
    const found = counterexample(
      'network N {\n  input image[12, 16, 16]\n  scale 1/4\n  batchcenter\n  tile channels to 24\n  householder\n  householder order = 2\n  maxpool 2\n  l2pool 2\n  truncate channels to 20\n  rabs\n}\n',
    );
    expect(found.inputShape[0]).toBeLessThan(12);
    expect(found.ratio).toBeGreaterThan(1.2);
  });

  it('ends in two seconds, for deep networks too', () => {
    const start = performance.now();
    const found = counterexample(
      'network N by sll {\n  input image[3, 32, 32]\n  scale 1/2\n  pad channels to 60\n  repeat 40 { residual conv hidden = 60 }\n  avgpool 4\n  flatten\n  repeat 10 { residual dense hidden = 2048 }\n  head 10\n}\n',
    );
    expect(found.ratio).toBeGreaterThan(1.5);
    expect(found.layers.length).toBeLessThan(10);
    // Twice that, for a machine that does other work beside the tests.
    expect(performance.now() - start).toBeLessThan(4000);
  });
});

describe('smaller instances', () => {
  it('are well-typed chains of the same layers', () => {
    const net = networkOf(
      'network N by sll {\n  input image[3, 32, 32]\n  center [0.1, 0.2, 0.3]\n  pad channels to 60\n  residual conv hidden = 90\n  groupsort 3\n  conv 30, kernel = 5\n  avgpool 4\n  flatten\n  dense 99 by orthogonal(cayley)\n  residual dense hidden = 2048\n}\n',
    );
    const small = shrink({ input: net.input.shape, layers: net.layers })!;
    expect(small.layers.map(l => l.op.kind)).toEqual(net.layers.map(l => l.op.kind));
    let shape = small.input;
    for (const { op, shape: after } of small.layers) {
      if (op.kind === 'linear' || op.kind === 'residual') expect(op.map.in).toBe(shape[0]);
      if (op.kind === 'center') expect(op.offset).toHaveLength(shape[0]);
      if (op.kind === 'activation' && op.act.kind === 'groupsort') expect(shape[0] % op.act.group).toBe(0);
      shape = after;
    }
    const size = (layers: Network['layers']) =>
      layers.flatMap(l => layerParams(l.op)).reduce((sum, p) => sum + elements(p.shape), 0);
    expect(size(small.layers)).toBeLessThan(size(net.layers) / 100);
  });

  it('leave small layers as they are', () => {
    const net = networkOf(ABS);
    expect(shrink({ input: net.input.shape, layers: net.layers })).toEqual({ input: [6], layers: net.layers });
  });
});
