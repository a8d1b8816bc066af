import { expect, test } from 'vitest';
import { evaluateImages } from '../../src/certify/evaluate.ts';
import type { Dataset } from '../../src/data/dataset.ts';
import { copyImage } from '../../src/data/dataset.ts';
import { interpret } from '../../src/ir/interpret.ts';
import { networkParams } from '../../src/ir/network.ts';
import { parse } from '../../src/parser/parse.ts';
import { prove } from '../../src/passes/prove/prove.ts';
import { resolve } from '../../src/passes/resolve/resolve.ts';
import { freeze } from '../../src/passes/tensors/freeze.ts';
import { buildInference } from '../../src/passes/training/train-step.ts';
import { initializeParams } from '../../src/train/initialize.ts';
import { useDevice } from '../device.ts';

const gpu = useDevice({ prefer: 'software' });

const SOURCE = `network Net by sll {
  input image[1, 4, 4] in [0, 1]
  center 0.5
  pad channels to 3
  residual conv hidden = 4, kernel = 3
  avgpool 2
  flatten
  dense 10 by aol
  maxmin
  residual dense hidden = 6
  head 4
}`;

test('every image, also those of the last, partial batch, gets the logits of the unfolded network in f64', async () => {
  const { networks } = resolve(parse(SOURCE).file, {});
  const result = prove(networks[0]);
  if (!('proven' in result)) throw new Error('not proven');
  const { proven } = result;
  const params = initializeParams(networkParams(proven.network), 3);
  const images = Uint8Array.from({ length: 7 * 16 }, (_, i) => (i * i * 29) % 256);
  const data: Dataset = {
    name: 'x',
    shape: [1, 4, 4],
    classes: 4,
    classesKnown: true,
    images,
    labels: new Int32Array(7),
  };
  const x = new Float32Array(7 * 16);
  for (let i = 0; i < 7; i++) copyImage(data, i, x, i * 16);
  const expected = interpret(buildInference(proven, 7), { inputs: new Map([['x', x]]), params }).outputs.get('logits')!;

  const seen: number[] = [];
  const logits = await evaluateImages({
    device: gpu().device,
    target: { profile: 'software', limits: gpu().limits },
    frozen: freeze(proven, params, 3),
    data,
    onProgress: n => seen.push(n),
  });
  expect(seen).toEqual([3, 6, 7]);
  expect(logits).toHaveLength(28);
  for (let i = 0; i < 28; i++) expect(Math.abs(logits[i] - expected[i])).toBeLessThan(2e-6);
});
