/** What an attack may ask of a network: logits as deployed, and gradients of a loss in the input. */
import { inBlocks, type Target } from '../ir/kernel.ts';
import { GraphBuilder, prune, size, type TensorGraph, type TensorId } from '../ir/tensor.ts';
import { compileGraph } from '../passes/kernels/compile-graph.ts';
import { along } from '../passes/lower/lower-rescaling.ts';
import type { FrozenNetwork } from '../passes/tensors/freeze.ts';
import { simplify } from '../passes/tensors/simplify.ts';
import { differentiate } from '../passes/training/differentiate.ts';
import { createExecutor, createParamStore } from '../runtime/executor.ts';

export interface Oracle {
  /** Examples per call. */
  readonly batch: number;
  readonly classes: number;
  /** Entries of one input. */
  readonly inputs: number;
  /** (batch, classes) of x (batch, inputs), by the very plan that is certified. */
  readonly logits: (x: Float32Array) => Promise<Float32Array>;
  /**
   * Logits z (batch, classes) and the gradient (batch, inputs) of Σ_n partition[n] · logsumexp(z_n) + direction[n] · z_n. Cross-entropy at
   * label y is partition 1, direction −e_y; the difference of logits t and y is partition 0, direction e_t − e_y.
   */
  readonly gradient: (
    x: Float32Array,
    partition: Float32Array,
    direction: Float32Array,
  ) => Promise<{ readonly logits: Float32Array; readonly gradient: Float32Array }>;
  readonly destroy: () => void;
}

const softmax = (b: GraphBuilder, z: TensorId): TensorId => {
  const powers = b.unary('exp', b.sub(z, along(b, b.maximum(z, [1]), z, 0)));
  return b.div(powers, along(b, b.sum(powers, [1]), z, 0));
};

/** The graph of `Oracle.gradient`: inputs "x", "partition" [batch], "direction" [batch, classes]; outputs "logits" and "gradient". */
export const gradientGraph = (frozen: FrozenNetwork): TensorGraph => {
  const b = GraphBuilder.from(frozen.graph);
  const logits = frozen.graph.outputs.get('logits');
  if (logits === undefined) throw new Error('attack: a network without a head has no classes');
  const x = frozen.graph.nodes.find(n => n.op.kind === 'input')!;
  b.origin = 'attack';
  const partition = b.input('partition', [frozen.batch]);
  const direction = b.input('direction', b.shape(logits));
  const seed = b.add(direction, b.mul(along(b, partition, logits, 0), softmax(b, logits)));
  const [gradient] = differentiate(b, logits, seed, [x.id]);
  b.output('gradient', gradient ?? b.constant(0, x.shape));
  return simplify(prune(b.finish())).graph;
};

/** Compiles `frozen` and its gradient for `device`. */
export const createOracle = async (device: GPUDevice, target: Target, frozen: FrozenNetwork): Promise<Oracle> => {
  const x = frozen.graph.nodes.find(n => n.op.kind === 'input')!;
  const store = createParamStore(device);
  const forward = await createExecutor(device, compileGraph(frozen.graph, inBlocks(target)).plan, store);
  const backward = await createExecutor(device, compileGraph(gradientGraph(frozen), target).plan, store);
  return {
    batch: frozen.batch,
    classes: frozen.output.size,
    inputs: size(x.shape) / frozen.batch,
    logits: async images => {
      forward.write('x', images);
      const [logits] = await forward.runAndRead(['logits']);
      return logits;
    },
    gradient: async (images, partition, direction) => {
      backward.write('x', images);
      backward.write('partition', partition);
      backward.write('direction', direction);
      const [logits, gradient] = await backward.runAndRead(['logits', 'gradient']);
      return { logits, gradient };
    },
    destroy: () => {
      forward.destroy();
      backward.destroy();
      store.destroy();
    },
  };
};
