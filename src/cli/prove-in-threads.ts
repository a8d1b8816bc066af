/** The slow parts of `lip prove --weights`, on several threads: the same bytes, whatever their number. */
import { partBetween, STARTS } from '../certify/lipschitz-lower-bound.ts';
import type { Network } from '../ir/network.ts';
import { prune, type TensorGraph } from '../ir/tensor.ts';
import { planCertificate, type WrittenCertificate } from '../passes/certificate/certify-weights.ts';
import type { ProvenNetwork } from '../passes/prove/prove.ts';
import { planInference } from '../passes/tensors/freeze.ts';
import { valueOutput } from '../passes/training/train-step.ts';
import { type PowerTask, type ProofTask, runTask, type TaskKind, type TaskKinds } from './proof-tasks.ts';
import { type Threads, workOffAll } from './threads.ts';

/** Says how far a step is: a function told of each of `count` tasks by its layer. */
export type Progress = (step: string, count: number) => (path: string) => void;

interface Step<K extends TaskKind> {
  readonly kind: K;
  readonly tasks: readonly (TaskKinds[K]['task'] & { readonly path: string })[];
  readonly taken: (path: string) => void;
  readonly last?: (result: TaskKinds[K]['result']) => boolean;
}

/** Results of the tasks, in their order. */
const workOffStep = <K extends TaskKind>(
  { kind, tasks, taken, last }: Step<K>,
  threads: Threads,
): Promise<readonly TaskKinds[K]['result'][]> =>
  workOffAll<ProofTask<K>, TaskKinds[K]['result']>(
    {
      tasks: tasks.map(task => ({ kind, task }) as ProofTask<K>),
      run: runTask,
      taken: ({ task }) => taken((task as { readonly path: string }).path),
      ...(last && { last }),
    },
    threads,
  );

/** `foldInference` of one example, with the values of all layers as outputs. */
export const foldInThreads = async (
  proven: ProvenNetwork,
  weights: ReadonlyMap<string, ArrayLike<number>>,
  progress: Progress,
  threads: Threads,
): Promise<TensorGraph> => {
  const { tasks, finish } = planInference(proven, weights, 1, { values: true });
  return finish(await workOffStep({ kind: 'fold', tasks, taken: progress('fold', tasks.length) }, threads));
};

/** `certifyWeights`. Throws NotCertifiable. */
export const certifyInThreads = async (
  proven: ProvenNetwork,
  weights: ReadonlyMap<string, Float32Array>,
  folded: TensorGraph,
  progress: Progress,
  threads: Threads,
): Promise<Required<WrittenCertificate>> => {
  const { tasks, write } = planCertificate(proven, weights, folded);
  const taken = progress('witness', tasks.length);
  const results = await workOffStep({ kind: 'witness', tasks, taken, last: r => 'refused' in r }, threads);
  return write(new Map(results.map((r, n) => [tasks[n].path, r])));
};

/** Layers whose own bound is not plain from their kind. */
const WEIGHTED = ['linear', 'residual', 'contraction', 'sandwich', 'gain'];

/** Layers of norm 1, which graphs may have merged with the next one. */
const PLAIN = ['center', 'batchcenter', 'translate', 'pad', 'slice', 'flatten', 'space_to_depth', 'depth_to_space'];

/** One layer costs little; the network, as much as all of them. */
const ITERATIONS = { layer: 20, network: 8 } as const;

export interface LowerBounds {
  readonly network: number;
  /** By the path of the layer. */
  readonly layers: ReadonlyMap<string, number>;
}

/** Lower bounds of the Lipschitz constants of `folded`, made by `foldInThreads`, up to its head, and of its layers with a weight. */
export const lowerBoundsInThreads = async (
  { input, layers }: Network,
  folded: TensorGraph,
  progress: Progress,
  threads: Threads,
): Promise<LowerBounds> => {
  const x = folded.nodes.find(n => n.op.kind === 'input')!.id;
  /** The layer at `path` from the value `id` on, or from a value before where only plain layers lie between: it has no smaller bound than that. */
  const partFrom = (id: number, output: string): TensorGraph | undefined => {
    const before = layers.find(l => l.id === id);
    const from = id === input.id ? x : before && folded.outputs.get(valueOutput(before.path));
    const part = from === undefined ? undefined : partBetween(folded, from, output);
    return part ?? (before && PLAIN.includes(before.op.kind) ? partFrom(before.inputs[0], output) : undefined);
  };
  const features = prune({ ...folded, outputs: new Map([['features', folded.outputs.get('features')!]]) });
  const starts = Array.from({ length: STARTS }, (_, start): PowerTask => {
    return { path: 'the network', graph: features, output: 'features', start, iterations: ITERATIONS.network };
  });
  const parts = layers.flatMap(({ op, path, inputs }): PowerTask[] => {
    const output = valueOutput(path);
    if (!WEIGHTED.includes(op.kind) || !folded.outputs.has(output)) return [];
    const graph = partFrom(inputs[0], output);
    return graph ? [{ path, graph, output, start: 0, iterations: ITERATIONS.layer }] : [];
  });
  const tasks = [...starts, ...parts];
  const found = await workOffStep({ kind: 'power', tasks, taken: progress('power', tasks.length) }, threads);
  return {
    network: found.slice(0, STARTS).reduce((a, b) => Math.max(a, b), 0),
    layers: new Map(parts.map(({ path }, n) => [path, found[STARTS + n]])),
  };
};
