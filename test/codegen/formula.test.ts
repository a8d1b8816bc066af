/** The translation check for layers written in the language: training steps and inference on the device against the oracle. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { provenFrom } from '../../src/fixtures/compile-source.ts';
import type { Optimizer } from '../../src/ir/recipe.ts';
import { stepScalars } from '../../src/passes/training/optimizer.ts';
import { buildInference, buildTrainStep } from '../../src/passes/training/train-step.ts';
import { useDevice } from '../device.ts';
import { runBoth, SOFTWARE } from './run-graph.ts';

const gpu = useDevice();
const LOSS = { kind: 'cross_entropy', offset: 1, temperature: 0.5 } as const;
// Linear in the gradient, so that errors of the gradient are seen as they are.
const SGD: Optimizer = { kind: 'sgd', rate: 0.1, momentum: 0.9, nesterov: false, weightDecay: 0.01 };

const library = (name: string): string => {
  const source = readFileSync(new URL(`../../examples/layers/${name}.lip`, import.meta.url), 'utf8');
  return source.slice(0, source.indexOf('network '));
};

const CASES: readonly (readonly [file: string, input: string, ...layers: readonly string[]])[] = [
  ['sll', 'x[6]', 'residual_sll 9', 'residual_sll hidden = 4, act = tanh'],
  ['aol', 'x[6]', 'aol 5', 'maxmin', 'aol 8'],
  ['cpl', 'x[6]', 'cpl 9'],
  ['spectral', 'x[6]', 'spectral_dense 4'],
  ['invented', 'x[6]', 'twin 5'],
  ['orthogonal', 'x[6]', 'rotate 5', 'orthogonal_residual 3'],
  ['sll-conv', 'image[3, 5, 6]', 'residual_sll 4', 'flatten'],
  ['aol-conv', 'image[3, 5, 6]', 'aol_conv 4', 'flatten'],
];

describe('layers of the library', () => {
  it.each(CASES)('%s', async (file, input, ...layers) => {
    const lines = [`input ${input}`, ...layers, 'head 3'];
    const proven = provenFrom(`${library(file)}network N {\n${lines.map(l => `  ${l}\n`).join('')}}\n`);
    const values = { labels: [0, 2, 1, 2], step: stepScalars(SGD, 0.1, 1) };
    const train = buildTrainStep(proven, { loss: LOSS, optimizer: SGD }, 4);
    const trained = await runBoth(gpu().device, train, SOFTWARE, values);
    expect(trained.error, trained.worst).toBeLessThan(2e-5);
    const inferred = await runBoth(gpu().device, buildInference(proven, 4), SOFTWARE, values);
    expect(inferred.error, inferred.worst).toBeLessThan(2e-5);
  });
});
