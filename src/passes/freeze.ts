/** Inference with frozen weights: what is deployed, and what a certificate speaks about. */
import { evaluate } from '../ir/interpret.ts';
import { prune, type TensorGraph } from '../ir/tensor.ts';
import { fold } from './fold.ts';
import type { ProvenNetwork } from './prove.ts';
import { buildInference, multiplierOutput } from './train-step.ts';

export interface FrozenNetwork {
  /** Input "x" [batch, …input shape], one output, no parameters. */
  readonly graph: TensorGraph;
  readonly batch: number;
  /** "logits", or "features" for a network without a head; `size` entries per example. */
  readonly output: { readonly name: 'logits' | 'features'; readonly size: number };
  /** The normalised rows (classes, features) the graph multiplies with: f32 values. */
  readonly head?: { readonly classes: number; readonly rows: Float64Array };
}

/** Folds `weights` (by path) into the inference graph of `batch` examples. Throws when one is missing or a folded value is not finite. */
export const freeze = (
  proven: ProvenNetwork,
  weights: ReadonlyMap<string, ArrayLike<number>>,
  batch: number,
): FrozenNetwork => {
  const inference = buildInference(proven, batch);
  const multipliers = proven.network.layers.filter(l => l.op.kind === 'residual').map(l => multiplierOutput(l.path));
  const folded = fold(inference, weights, multipliers);
  const name = folded.outputs.has('logits') ? 'logits' : 'features';
  const id = folded.outputs.get(name)!;
  const graph = prune({ ...folded, outputs: new Map([[name, id]]) });
  const size = folded.nodes[id].shape.slice(1).reduce((a, b) => a * b, 1);
  const head = folded.outputs.get('head');
  const frozen = { graph, batch, output: { name, size } } as const;
  if (head === undefined) return frozen;
  const rows = evaluate(folded, { inputs: new Map(), params: new Map() }, [head]).get(head)!;
  return { ...frozen, head: { classes: folded.nodes[head].shape[0], rows } };
};
