/** What threads do for `lip prove` and `lip verify`: each task is plain data, and so is its result. */
import { lowerBoundFrom } from '../certify/lipschitz-lower-bound.ts';
import type { TensorGraph } from '../ir/tensor.ts';
import { searchWitness, type WitnessResult, type WitnessTask } from '../passes/certificate/certify-weights.ts';
import { type FoldedPart, type FoldTask, foldPart } from '../passes/tensors/fold.ts';
import { type CheckResult, type CheckTask, checkTask } from './check-in-threads.ts';

/** Power iteration on the Jacobian of the one output of a graph, from the random point number `start`. */
export interface PowerTask {
  /** A layer, or the network. */
  readonly path: string;
  readonly graph: TensorGraph;
  readonly output: string;
  readonly start: number;
  readonly iterations: number;
}

export interface TaskKinds {
  readonly fold: { readonly task: FoldTask; readonly result: FoldedPart };
  readonly witness: { readonly task: WitnessTask; readonly result: WitnessResult };
  readonly check: { readonly task: CheckTask; readonly result: CheckResult };
  readonly power: { readonly task: PowerTask; readonly result: number };
}

export type TaskKind = keyof TaskKinds;
export type ProofTask<K extends TaskKind = TaskKind> = {
  readonly [P in K]: { readonly kind: P; readonly task: TaskKinds[P]['task'] };
}[K];

const RUN: { readonly [K in TaskKind]: (task: TaskKinds[K]['task']) => TaskKinds[K]['result'] } = {
  fold: foldPart,
  witness: searchWitness,
  check: checkTask,
  power: ({ graph, output, start, iterations }) => lowerBoundFrom(graph, start, { iterations }, output),
};

export const runTask = <K extends TaskKind>({ kind, task }: ProofTask<K>): TaskKinds[K]['result'] =>
  (RUN[kind] as (task: TaskKinds[K]['task']) => TaskKinds[K]['result'])(task);
