import type { Dataset } from '../data/dataset.ts';
import { copyImage } from '../data/dataset.ts';
import { inBlocks, type Target } from '../ir/kernel.ts';
import { elements } from '../ir/network.ts';
import { compileGraph } from '../passes/kernels/compile-graph.ts';
import type { FrozenNetwork } from '../passes/tensors/freeze.ts';
import { createExecutor, createParamStore } from '../runtime/executor.ts';

/**
 * Outputs (images, frozen.output.size) of `frozen` for all images of `data`, computed on `device` in batches of `frozen.batch`, the last
 * one filled up with zeros. `onProgress` hears how many images are done.
 */
export const evaluateImages = async (options: {
  readonly device: GPUDevice;
  readonly target: Target;
  readonly frozen: FrozenNetwork;
  readonly data: Dataset;
  readonly onProgress?: (images: number) => void;
}): Promise<Float32Array> => {
  const { device, target, data } = options;
  const { graph, batch, output } = options.frozen;
  const store = createParamStore(device);
  const executor = await createExecutor(device, compileGraph(graph, inBlocks(target)).plan, store);
  try {
    const count = data.labels.length;
    const n = elements(data.shape);
    const outputs = new Float32Array(count * output.size);
    const x = new Float32Array(batch * n);
    for (let from = 0; from < count; from += batch) {
      const real = Math.min(batch, count - from);
      x.fill(0, real * n);
      for (let i = 0; i < real; i++) copyImage(data, from + i, x, i * n);
      executor.write('x', x);
      const [z] = await executor.runAndRead([output.name]);
      outputs.set(z.subarray(0, real * output.size), from * output.size);
      options.onProgress?.(from + real);
    }
    return outputs;
  } finally {
    executor.destroy();
    store.destroy();
  }
};
