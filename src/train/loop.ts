import { augmenter } from '../data/augment.ts';
import type { Dataset } from '../data/dataset.ts';
import { copyImage } from '../data/dataset.ts';
import { InputFileError } from '../data/input-file-error.ts';
import type { Target } from '../ir/kernel.ts';
import { elements, networkParams } from '../ir/network.ts';
import type { TrainRecipe } from '../ir/recipe.ts';
import type { TensorGraph } from '../ir/tensor.ts';
import { compileGraph } from '../passes/kernels/compile-graph.ts';
import type { ProvenNetwork } from '../passes/prove/prove.ts';
import { stepScalars } from '../passes/training/optimizer.ts';
import { buildTrainStep } from '../passes/training/train-step.ts';
import type { Executor } from '../runtime/executor.ts';
import { checkPlan, createExecutor, createParamStore } from '../runtime/executor.ts';
import { architecture } from './architecture.ts';
import type { Checkpoint } from './checkpoint.ts';
import { checkResumable, recipeFields } from './checkpoint.ts';
import { initializeParams } from './initialize.ts';
import { permutation, stream } from './random.ts';
import { firstNonFinite } from './safetensors.ts';
import { rateAt } from './schedule.ts';

export interface TrainProgress {
  /** 1, 2, … */
  readonly epoch: number;
  readonly epochs: number;
  /** Steps of this epoch done. */
  readonly step: number;
  readonly stepsPerEpoch: number;
  /** Mean over the losses read in this epoch. */
  readonly loss: number;
  readonly imagesPerSecond: number;
  readonly secondsLeft: number;
}

export interface TrainOptions {
  readonly device: GPUDevice;
  readonly target: Target;
  readonly proven: ProvenNetwork;
  readonly recipe: TrainRecipe;
  readonly data: Dataset;
  /** Where to go on, and the file it came from. */
  readonly resume?: { readonly checkpoint: Checkpoint; readonly path: string };
  /** Set to stop after the step under way. */
  readonly signal?: AbortSignal;
  /** Called after each reading of the loss; `step === stepsPerEpoch` at the end of an epoch. */
  readonly onProgress?: (p: TrainProgress) => void;
  /** Keeps a state of the run: called now and then at the end of an epoch, and last of all with the final state. */
  readonly save?: (checkpoint: Checkpoint) => void;
  /** Least time between two calls of `save` within the run, in milliseconds. */
  readonly saveEvery?: number;
}

export interface TrainResult {
  readonly status: 'finished' | 'interrupted';
  readonly checkpoint: Checkpoint;
  readonly seconds: number;
}

/** The loss or a weight is no longer a number. */
export class DivergedError extends Error {
  override readonly name = 'DivergedError';
}

/** How many steps are submitted before the first of them is waited for: the next batch is prepared while the device works. */
const IN_FLIGHT = 2;
/** Losses read per epoch. */
const READINGS = 50;
const SAVE_EVERY = 30_000;

/** The names and shapes of everything a run keeps: weights, also those the loss does not depend on, and optimiser state. */
const keptTensors = (proven: ProvenNetwork, step: TensorGraph): Map<string, readonly number[]> => {
  const shapes = new Map(networkParams(proven.network).map(p => [p.path, p.shape]));
  for (const { op, shape } of step.nodes) if (op.kind === 'param') shapes.set(op.path, shape);
  return shapes;
};

/** Batches of one epoch after another: the same seed and step give the same bits, wherever the run started. */
const batchSource = (data: Dataset, recipe: TrainRecipe) => {
  const { batch, seed } = recipe;
  const n = elements(data.shape);
  const stepsPerEpoch = Math.floor(data.labels.length / batch);
  const augment = recipe.augment.length > 0 ? augmenter(recipe.augment, data.shape) : undefined;
  const x = new Float32Array(batch * n);
  const labels = new Float32Array(batch);
  let epoch = -1;
  let order: Uint32Array = new Uint32Array(0);
  const fill = (step: number): { x: Float32Array; labels: Float32Array } => {
    const wanted = Math.floor(step / stepsPerEpoch);
    if (wanted !== epoch) {
      epoch = wanted;
      order = permutation(data.labels.length, stream(seed, `shuffle ${epoch}`));
    }
    const first = (step % stepsPerEpoch) * batch;
    const random = augment && stream(seed, `augment ${step}`);
    for (let i = 0; i < batch; i++) {
      const index = order[first + i];
      copyImage(data, index, x, i * n);
      if (augment && random) augment(x.subarray(i * n, (i + 1) * n), random);
      labels[i] = data.labels[index];
    }
    return { x, labels };
  };
  return { stepsPerEpoch, fill };
};

/** Measures speed over the steps since the start, the first few left out: they pay for allocations. */
const stopwatch = (batch: number) => {
  const start = performance.now();
  let from = start;
  let counted = -3;
  return {
    tick: () => {
      counted++;
      if (counted === 0) from = performance.now();
    },
    seconds: () => (performance.now() - start) / 1000,
    imagesPerSecond: () => (counted > 0 ? (counted * batch * 1000) / (performance.now() - from) : Number.NaN),
  };
};

/**
 * Trains `proven` on `data` by `recipe`. Each step is one command buffer; the images of an epoch are shuffled anew and the last, partial
 * batch is left out. Deterministic: seed, device and data determine the bits of the result, interrupted and resumed or not.
 * Throws InputFileError when the data do not fill a batch or the checkpoint does not fit, DivergedError when the loss or a weight stops
 * being a number (nothing is saved then), and the errors of the runtime.
 */
export const runTraining = async (options: TrainOptions): Promise<TrainResult> => {
  const { device, target, proven, recipe, data, resume, signal } = options;
  const { stepsPerEpoch, fill } = batchSource(data, recipe);
  if (stepsPerEpoch === 0) {
    throw new InputFileError(
      `${data.name} has ${data.labels.length} images, fewer than one batch of ${recipe.batch}`,
      'write a smaller batch in the train block',
    );
  }
  const graph = buildTrainStep(proven, recipe, recipe.batch);
  const shapes = keptTensors(proven, graph);
  if (resume) checkResumable(resume.checkpoint, resume.path, recipe, proven.network, shapes);
  const layers = architecture(proven.network);
  const { plan } = compileGraph(graph, target);
  // Before the weights are put on the device: they may be what does not fit.
  checkPlan(plan, device.limits);

  const store = createParamStore(device);
  const initial = initializeParams(networkParams(proven.network), recipe.seed);
  for (const [path, shape] of shapes) {
    const start = resume ? resume.checkpoint.values.get(path)?.data : initial.get(path);
    if (start) store.set(path, start, shape);
    else store.zeros(path, shape);
  }
  const snapshot = async (step: number): Promise<Checkpoint> => {
    const values = new Map<string, { shape: readonly number[]; data: Float32Array }>();
    for (const [path, stored] of await store.readAll([...shapes.keys()])) {
      const bad = firstNonFinite(stored);
      if (bad >= 0) throw new DivergedError(`entry ${bad} of ${path} is ${stored[bad]} after step ${step}`);
      values.set(path, { shape: shapes.get(path)!, data: stored });
    }
    return { network: recipe.network, architecture: layers, step, recipe: recipeFields(recipe), values };
  };

  let executor: Executor | undefined;
  try {
    executor = await createExecutor(device, plan, store);
    const totalSteps = recipe.epochs * stepsPerEpoch;
    const readEvery = Math.ceil(stepsPerEpoch / READINGS);
    const watch = stopwatch(recipe.batch);
    const inFlight: Promise<void>[] = [];
    let losses = { sum: 0, count: 0 };
    let step = resume?.checkpoint.step ?? 0;
    let lastSave = performance.now();

    const onLoss = (loss: number, done: number) => {
      if (!Number.isFinite(loss)) throw new DivergedError(`the loss is ${loss} at step ${done}`);
      losses.sum += loss;
      losses.count++;
      const speed = watch.imagesPerSecond();
      options.onProgress?.({
        epoch: Math.ceil(done / stepsPerEpoch),
        epochs: recipe.epochs,
        step: ((done - 1) % stepsPerEpoch) + 1,
        stepsPerEpoch,
        loss: losses.sum / losses.count,
        imagesPerSecond: speed,
        secondsLeft: ((totalSteps - done) * recipe.batch) / speed,
      });
      if (done % stepsPerEpoch === 0) losses = { sum: 0, count: 0 };
    };
    const drain = async () => {
      for (let p = inFlight.shift(); p; p = inFlight.shift()) await p;
    };

    while (step < totalSteps && !signal?.aborted) {
      const { x, labels } = fill(step);
      const rate = rateAt(recipe.schedule, recipe.optimizer.rate, step, totalSteps);
      executor.write('x', x);
      executor.write('labels', labels);
      executor.write('step', Float32Array.from(stepScalars(recipe.optimizer, rate, step + 1)));
      step++;
      const done = step;
      const endOfEpoch = done % stepsPerEpoch === 0;
      if (endOfEpoch || done % readEvery === 0) {
        inFlight.push(executor.runAndRead(['loss']).then(([loss]) => onLoss(loss[0], done)));
      } else {
        executor.run();
        inFlight.push(executor.wait());
      }
      // A failure is met when its turn comes; until then it must not count as unhandled.
      inFlight.at(-1)!.catch(() => undefined);
      watch.tick();
      if (inFlight.length >= IN_FLIGHT) await inFlight.shift();
      if (
        endOfEpoch &&
        step < totalSteps &&
        options.save &&
        performance.now() - lastSave >= (options.saveEvery ?? SAVE_EVERY)
      ) {
        await drain();
        options.save(await snapshot(step));
        lastSave = performance.now();
      }
    }
    await drain();
    const checkpoint = await snapshot(step);
    options.save?.(checkpoint);
    return { status: step < totalSteps ? 'interrupted' : 'finished', checkpoint, seconds: watch.seconds() };
  } finally {
    executor?.destroy();
    store.destroy();
  }
};
