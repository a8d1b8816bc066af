/** Inference with frozen weights: what is deployed, and what a certificate speaks about. */
import { evaluate } from '../../ir/interpret.ts';
import { prune, type TensorGraph } from '../../ir/tensor.ts';
import type { ProvenNetwork } from '../prove/prove.ts';
import { buildInference, multiplierOutput, weightOutput } from '../training/train-step.ts';
import { type FoldPlan, foldPart, planFold } from './fold.ts';

export interface FrozenNetwork {
  /** Input "x" [batch, …input shape], one output, no parameters. */
  readonly graph: TensorGraph;
  readonly batch: number;
  /** "logits", or "features" for a network without a head; `size` entries per example. */
  readonly output: { readonly name: 'logits' | 'features'; readonly size: number };
  /** The normalised rows (classes, features) the graph multiplies with: f32 values. */
  readonly head?: { readonly classes: number; readonly rows: Float64Array };
}

/** What a layer with a weight multiplies with, f32: W as stored for the layer, and a residual layer's t. */
export interface EmittedWeight {
  readonly W: Float32Array;
  /** Behind the activation: t of a residual layer, d of a sandwich. */
  readonly t?: Float32Array;
  /** Before the activation of a sandwich. */
  readonly e?: Float32Array;
  /** Of an operator in the spectrum, whose W is one for each frequency: what its transform multiplies rows and columns of images with. */
  readonly rows?: Float32Array;
  readonly columns?: Float32Array;
}

/** `foldInference` in parts; with `values`, the folded graph has what each layer makes as outputs, too. */
export const planInference = (
  proven: ProvenNetwork,
  weights: ReadonlyMap<string, ArrayLike<number>>,
  batch: number,
  options: { readonly values?: boolean } = {},
): FoldPlan => {
  const { layers } = proven.network;
  // What is orthogonal, or of length 1, over the reals is not after rounding: it is made a little smaller, in a residual too.
  const inward = layers.filter(
    ({ op }) =>
      op.kind === 'linear' ||
      op.kind === 'contraction' ||
      op.kind === 'sandwich' ||
      (op.kind === 'activation' && op.act.kind === 'householder') ||
      (op.kind === 'residual' && op.rescaling.by === 'orthogonal'),
  );
  const graph = buildInference(proven, batch, options);
  // A layer defined in the language has several uses, `path/n`; those with a multiplier are residual branches.
  const uses = layers
    .filter(l => l.op.kind === 'formula')
    .flatMap(l => {
      const prefix = weightOutput(`${l.path}/`);
      return [...graph.outputs.keys()]
        .filter(n => n.startsWith(prefix))
        .map(n => `${l.path}/${n.slice(prefix.length)}`);
    });
  const isBranch = (use: string): boolean => graph.outputs.has(multiplierOutput(use));
  return planFold(graph, weights, {
    downward: [
      ...layers.filter(l => l.op.kind === 'residual' || l.op.kind === 'sandwich').map(l => l.path),
      ...layers.filter(l => l.op.kind === 'sandwich').map(l => `${l.path}/e`),
      ...uses.filter(isBranch),
    ].map(multiplierOutput),
    inward: [...inward.map(l => l.path), ...uses.filter(u => !isBranch(u))].map(weightOutput),
  });
};

/** Folds `weights` (by path) into the inference graph of `batch` examples, with all its outputs. Throws like `freeze`. */
export const foldInference = (
  proven: ProvenNetwork,
  weights: ReadonlyMap<string, ArrayLike<number>>,
  batch: number,
): TensorGraph => {
  const { tasks, finish } = planInference(proven, weights, batch);
  return finish(tasks.map(foldPart));
};

const NOTHING = { inputs: new Map(), params: new Map() };

/** Folds `weights` (by path) into the inference graph of `batch` examples. Throws when one is missing or a folded value is not finite. */
export const freeze = (
  proven: ProvenNetwork,
  weights: ReadonlyMap<string, ArrayLike<number>>,
  batch: number,
): FrozenNetwork => {
  const folded = foldInference(proven, weights, batch);
  const name = folded.outputs.has('logits') ? 'logits' : 'features';
  const id = folded.outputs.get(name)!;
  const graph = prune({ ...folded, outputs: new Map([[name, id]]) });
  const size = folded.nodes[id].shape.slice(1).reduce((a, b) => a * b, 1);
  const head = folded.outputs.get('head');
  const frozen = { graph, batch, output: { name, size } } as const;
  if (head === undefined) return frozen;
  const rows = evaluate(folded, NOTHING, [head]).get(head)!;
  return { ...frozen, head: { classes: folded.nodes[head].shape[0], rows } };
};

/** The tensors that `folded`, made by `foldInference`, multiplies with, bit for bit: by the path of their layer, and the head's rows. */
export const emittedWeights = (
  proven: ProvenNetwork,
  folded: TensorGraph,
): { readonly layers: ReadonlyMap<string, EmittedWeight>; readonly head?: Float32Array } => {
  const read = (output: string): Float32Array | undefined => {
    const id = folded.outputs.get(output);
    if (id === undefined) return undefined;
    const { op } = folded.nodes[id];
    if (op.kind === 'literal' && op.data instanceof Float32Array) return op.data;
    return Float32Array.from(evaluate(folded, NOTHING, [id]).get(id)!);
  };
  const layers = new Map<string, EmittedWeight>();
  for (const { path } of proven.network.layers) {
    const W = read(weightOutput(path));
    const t = read(multiplierOutput(path));
    const e = read(multiplierOutput(`${path}/e`));
    const [rows, columns] = ['rows', 'columns'].map(table => read(weightOutput(`${path}/${table}`)));
    if (W) layers.set(path, { W, ...(t && { t }), ...(e && { e }), ...(rows && columns && { rows, columns }) });
  }
  const head = read('head');
  return head ? { layers, head } : { layers };
};
