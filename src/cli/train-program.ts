/** What `lip train` and `lip start` share: a train block run to the end, with progress, checkpoints and Ctrl-C. */
import { dirname, join } from 'node:path';
import { augmentationProblem } from '../data/augment.ts';
import type { Dataset } from '../data/dataset.ts';
import { checkAgainstNetwork } from '../data/dataset.ts';
import { InputFileError } from '../data/input-file-error.ts';
import { loadData } from '../data/load-data.ts';
import type { Target } from '../ir/kernel.ts';
import type { DataSource, TrainRecipe } from '../ir/recipe.ts';
import type { ProvenNetwork } from '../passes/prove/prove.ts';
import type { Gpu } from '../runtime/node-device.ts';
import { loadCheckpoint, saveCheckpoint } from '../train/checkpoint.ts';
import { runTraining, type TrainResult } from '../train/loop.ts';
import { prepareFolder } from '../train/write-atomically.ts';
import { CliError, EXIT } from './errors.ts';
import type { ProvenProgram } from './load-program.ts';
import { clock, createProgress, trainingLine } from './progress.ts';

export const targetOf = (gpu: Gpu): Target => ({ profile: gpu.software ? 'software' : 'gpu', limits: gpu.limits });

export const adapterName = (gpu: Gpu): string =>
  gpu.adapterInfo.device || gpu.adapterInfo.description || gpu.adapterInfo.architecture || gpu.adapterInfo.vendor;

/** Where a network's results go unless `-o` says otherwise. */
export const outputFolder = (network: string, given: string | undefined): string => given ?? join('out', network);
export const checkpointPath = (folder: string): string => join(folder, 'checkpoint.safetensors');

/** The only block of its kind in the file, or the one of the network named. Throws CliError (exit 2). */
export const pickRecipe = <R extends { readonly network: string }>(
  kind: 'train' | 'certify',
  recipes: readonly R[],
  { path, networks }: Pick<ProvenProgram, 'path' | 'networks'>,
  network: string | undefined,
): R => {
  const found = network === undefined ? recipes : recipes.filter(r => r.network === network);
  if (found.length === 1) return found[0];
  const names = [...new Set(recipes.map(r => r.network))].join(', ');
  if (found.length === 0) {
    throw new CliError(
      network === undefined ? `${path} has no ${kind} block` : `${path} has no ${kind} block for ${network}`,
      EXIT.usage,
      recipes.length > 0
        ? `there are ${kind} blocks for: ${names}`
        : `add \`${kind} ${network ?? networks[0]?.network.name ?? 'Name'} on mnist ${kind === 'train' ? '{ epochs 5 }' : 'at [36/255]'}\`, with your data after \`on\``,
    );
  }
  throw new CliError(
    `${path} has ${found.length} ${kind} blocks`,
    EXIT.usage,
    network === undefined ? `choose one with --network: ${names}` : `keep one ${kind} block for ${network}`,
  );
};

export const provenOf = (program: ProvenProgram, name: string): ProvenNetwork => {
  const found = program.networks.find(n => n.network.name === name);
  if (!found) throw new Error(`resolve let a block name ${name}, which is no network`);
  return found.proven;
};

/** One split of the data a block names, checked against the network. */
export const dataFor = (
  program: ProvenProgram,
  source: DataSource,
  split: 'train' | 'test',
  proven: ProvenNetwork,
  dir: string | undefined,
): Dataset => {
  const data = loadData(source, { base: dirname(program.path), ...(dir === undefined ? {} : { dir }) })[split];
  checkAgainstNetwork(data, proven.network);
  return data;
};

/** Ctrl-C, and what `kill`, containers and service managers send. */
const STOPS = ['SIGINT', 'SIGTERM'] as const;

/** Aborts at the first signal to stop; the second ends the process as usual. */
const onInterrupt = (first: () => void): { signal: AbortSignal; release: () => void } => {
  const controller = new AbortController();
  const handler = () => {
    release();
    first();
    controller.abort();
  };
  const release = () => {
    for (const name of STOPS) process.removeListener(name, handler);
  };
  for (const name of STOPS) process.on(name, handler);
  return { signal: controller.signal, release };
};

export interface TrainRun {
  readonly program: ProvenProgram;
  readonly recipe: TrainRecipe;
  readonly data: Dataset;
  readonly gpu: Gpu;
  /** Where the checkpoint is written. */
  readonly path: string;
  /** A checkpoint to go on from. */
  readonly resume?: string;
}

/** Runs a train block; progress on stderr. */
export const trainProgram = async (run: TrainRun): Promise<TrainResult> => {
  const { program, recipe, data, gpu, path } = run;
  const proven = provenOf(program, recipe.network);
  const problem = augmentationProblem(recipe.augment, data.shape);
  if (problem !== undefined) throw new InputFileError(problem, 'change `augment` in the train block');
  prepareFolder(dirname(path));
  const checkpoint = run.resume === undefined ? undefined : loadCheckpoint(run.resume);
  const progress = createProgress(process.stderr);
  const interrupt = onInterrupt(() =>
    progress.line('interrupted: finishing this step and saving (again to quit at once)'),
  );
  progress.line(
    `training ${recipe.network} on ${data.labels.length} images of ${data.name}, ${recipe.epochs} epoch${recipe.epochs === 1 ? '' : 's'}, batch ${recipe.batch}, on ${adapterName(gpu)}${gpu.software ? ' (software)' : ''}`,
  );
  progress.update('compiling kernels …');
  try {
    const result = await runTraining({
      device: gpu.device,
      target: targetOf(gpu),
      proven,
      recipe,
      data,
      signal: interrupt.signal,
      save: c => saveCheckpoint(path, c),
      onProgress: p => (p.step === p.stepsPerEpoch ? progress.line(trainingLine(p)) : progress.update(trainingLine(p))),
      ...(checkpoint && run.resume !== undefined ? { resume: { checkpoint, path: run.resume } } : {}),
    });
    progress.line(
      result.status === 'finished'
        ? `trained in ${clock(result.seconds)}, weights in ${path}`
        : `stopped after step ${result.checkpoint.step}, saved in ${path}; to go on: lip train ${program.path} --resume ${path}`,
    );
    return result;
  } finally {
    interrupt.release();
    progress.done();
  }
};
