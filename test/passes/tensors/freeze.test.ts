import { expect, test } from 'vitest';
import { interpret } from '../../../src/ir/interpret.ts';
import { networkParams } from '../../../src/ir/network.ts';
import { parse } from '../../../src/parser/parse.ts';
import { type ProvenNetwork, prove } from '../../../src/passes/prove/prove.ts';
import { resolve } from '../../../src/passes/resolve/resolve.ts';
import { emittedWeights, foldInference, freeze } from '../../../src/passes/tensors/freeze.ts';
import { buildInference } from '../../../src/passes/training/train-step.ts';
import { initializeParams } from '../../../src/train/initialize.ts';

const proven = (source: string): ProvenNetwork => {
  const { networks, diagnostics } = resolve(parse(source).file);
  expect(diagnostics).toEqual([]);
  const result = prove(networks[0]);
  if ('diagnostics' in result) throw new Error(JSON.stringify(result.diagnostics));
  return result.proven;
};

const body = `
  input image[2, 4, 4]
  pad channels to 4
  residual conv hidden = 3, kernel = 3
  avgpool 2
  flatten
  dense 6 by aol`;

test('the frozen graph computes what the network does, up to rounding of the folded weights', () => {
  const net = proven(`network N by sll {${body}\n  head 3\n}`);
  const weights = initializeParams(networkParams(net.network), 1);
  const { graph, output, head } = freeze(net, weights, 2);
  expect(graph.nodes.some(n => n.op.kind === 'param')).toBe(false);
  expect([...graph.outputs.keys()]).toEqual(['logits']);
  expect(output).toEqual({ name: 'logits', size: 3 });

  const inputs = new Map([['x', Float64Array.from({ length: 64 }, (_, i) => Math.sin(i))]]);
  const frozen = interpret(graph, { inputs, params: new Map() }).outputs.get('logits')!;
  const whole = interpret(buildInference(net, 2), { inputs, params: weights }).outputs;
  const logits = whole.get('logits')!;
  expect(frozen).toHaveLength(6);
  // Each folded entry is off by at most 2^-24 of itself; a handful of layers of small sums.
  for (let i = 0; i < 6; i++) expect(Math.abs(frozen[i] - logits[i])).toBeLessThan(1e-6);
  expect(frozen).not.toEqual(logits);

  // The rows given for certification are the very f32 numbers of the graph.
  const rows = head!.rows;
  expect(head!.classes).toBe(3);
  expect(rows.every(v => Math.fround(v) === v)).toBe(true);
  const exact = whole.get('head')!;
  expect([...rows]).toEqual([...exact].map(Math.fround));
});

test('a network without a head gives features', () => {
  const net = proven(`network N by sll {${body}\n}`);
  const { output, head, graph } = freeze(net, initializeParams(networkParams(net.network), 1), 5);
  expect(output).toEqual({ name: 'features', size: 6 });
  expect(head).toBeUndefined();
  expect(graph.nodes[graph.outputs.get('features')!].shape).toEqual([5, 6]);
});

test('a missing weight is an error', () => {
  const net = proven(`network N by sll {${body}\n}`);
  expect(() => freeze(net, new Map(), 1)).toThrow(/conv\[0\]/);
});

test('the normal vectors of reflections are at most of length 1 as emitted, and the graph multiplies with the same bits', () => {
  const net = proven('network N {\n  input image[64, 1, 2]\n  householder\n}');
  const weights = new Map([['householder[0].theta', Float64Array.from({ length: 32 }, (_, i) => i - 13)]]);
  const folded = foldInference(net, weights, 1);
  const { W } = emittedWeights(net, folded).layers.get('householder[0]')!;
  expect(W).toHaveLength(64);
  // Products of two f32 are exact in f64.
  for (let i = 0; i < 32; i++) expect(W[i] * W[i] + W[32 + i] * W[32 + i]).toBeLessThanOrEqual(1);
  const { graph } = freeze(net, weights, 1);
  const used = graph.nodes.flatMap(n => (n.op.kind === 'literal' ? [[...n.op.data]] : []));
  expect(used).toHaveLength(2);
  expect(used).toEqual(expect.arrayContaining([[...W.subarray(0, 32)], [...W.subarray(32)]]));
});

const MATRICES = [
  'spectral',
  'aol',
  'sll',
  ...['cayley', 'cayley, parameter = lower', 'householder', 'bro', 'bjorck', 'exponential', 'cholesky', 'qr'].map(
    family => `orthogonal(${family})`,
  ),
];
const KERNELS = [
  ...MATRICES,
  'orthogonal(bcop)',
  'orthogonal(aoc)',
  'fourier(cayley)',
  'fourier(lot)',
  'skew_exponential',
];

/** Numbers in any order and of any sign, as one word. */
const bag = (values: Iterable<number>): string =>
  [...values]
    .map(Math.abs)
    .sort((a, b) => a - b)
    .join();

test.each([
  ...['dense 5', 'dense 9', 'dense 5, side = out'].map(s => ['x[7]', s, MATRICES] as const),
  ...['residual dense hidden = 4', 'residual dense hidden = 9'].map(s => ['x[7]', s, MATRICES] as const),
  ...['conv 3', 'conv 9', 'conv 8, stride = 2, kernel = 2, padding = valid', 'transposed conv 4, stride = 2'].map(
    s => ['image[4, 6, 6]', s, KERNELS] as const,
  ),
  ...['residual conv hidden = 3', 'residual conv hidden = 5'].map(s => ['image[4, 6, 6]', s, KERNELS] as const),
])('the numbers that are certified are those that ship: %s, %s', (input, statement, methods) => {
  let compared = 0;
  for (const method of methods) {
    const { file } = parse(`network N {\n  input ${input}\n  budget 4\n  ${statement} by ${method}\n}\n`);
    const { networks, diagnostics } = resolve(file);
    // Not every method makes every layer.
    const result = diagnostics.length === 0 ? prove(networks[0]) : undefined;
    if (!result || 'diagnostics' in result) continue;
    const weights = initializeParams(networkParams(result.proven.network), 1);
    const shipped = freeze(result.proven, weights, 4).graph.nodes;
    const tensors = new Set(shipped.flatMap(n => (n.op.kind === 'literal' ? [bag(n.op.data)] : [])));
    const constants = shipped.flatMap(n => (n.op.kind === 'constant' ? [n.op.value] : []));
    for (const [path, { W, t }] of emittedWeights(result.proven, foldInference(result.proven, weights, 1)).layers) {
      expect(tensors.has(bag(W)), `${path} by ${method}`).toBe(true);
      if (t) expect(tensors.has(bag(t)) || constants.includes(t[0]), `t of ${path} by ${method}`).toBe(true);
      compared++;
    }
  }
  expect(compared).toBeGreaterThan(2);
});
