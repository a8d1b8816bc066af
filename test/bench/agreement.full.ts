/** An independent implementation of the same network, loss and optimiser (jax-js) computes what ours computes. */
import { expect, it } from 'vitest';
import { openJax } from '../../bench/jax-side.ts';
import { openLip } from '../../bench/lip-side.ts';
import { loadNetwork } from '../../bench/network.ts';
import { elements, networkParams } from '../../src/ir/network.ts';
import { initializeParams } from '../../src/train/initialize.ts';
import { randomValues } from '../codegen/run-graph.ts';
import { useDevice } from '../device.ts';

const gpu = useDevice();

const SOURCE = `network Small by sll {
  input  image[1, 8, 8]
  pad channels to 6
  repeat 2 { residual conv hidden = 5, kernel = 3 }
  avgpool 2
  flatten
  residual dense hidden = 17
  head 4
}

train Small on mnist {
  loss      cross_entropy(offset = 1/2, temperature = 1/4)
  optimizer adam(rate = 0.01, betas = [0.5, 0.9])
  epochs 1, batch 3, seed 1
}
`;

it('jax-js agrees on logits and on the losses of three training steps', async () => {
  const { proven, recipe } = loadNetwork(SOURCE);
  const problem = {
    proven,
    recipe,
    weights: initializeParams(networkParams(proven.network), 5),
    x: randomValues(3 * elements(proven.network.input.shape), 3),
    labels: Float32Array.of(2, 0, 3),
    batch: 3,
  };
  const theirs = await openJax(gpu(), problem);
  const ours = openLip(gpu(), problem);
  const [wanted, got] = [await theirs.infer(), await ours.infer()];
  expect(got.length).toBe(12);
  got.forEach((v, i) => {
    expect(Math.abs(v - wanted[i])).toBeLessThanOrEqual(3e-6);
  });
  for (let i = 0; i < 3; i++) expect(Math.abs((await ours.step()) - (await theirs.step()))).toBeLessThanOrEqual(1e-5);
});
