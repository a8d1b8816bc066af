/** Worker threads for what a proof spends its time on: one layer a task, and results that do not depend on how many threads there are. */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';

/** Each holds the tensors of a layer in f64, and a Gram matrix. */
const MOST_THREADS = 4;

/** Of the option `--threads`. */
export const THREADS = `work on so many layers at a time, 1 to ${MOST_THREADS} (default: one for each core)`;

export const defaultThreads = (): number => Math.min(availableParallelism(), MOST_THREADS);

/** Beside the bundled command line. What runs from elsewhere has no such file, and needs none: it works on one thread. */
const WORKER = new URL('./proof-worker.js', import.meta.url);

export interface Threads {
  /** At most so many; 1 is none beside this one. */
  readonly threads: number;
  readonly worker?: URL;
}

/** Tasks of any kind that a thread knows how to work off: `run` here does the same. */
export interface Work<Task, Result> {
  readonly tasks: readonly Task[];
  readonly run: (task: Task) => Result;
  /** Told of each task before its turn. */
  readonly taken?: (task: Task) => void;
  /** After a result of which this is true no more tasks are begun. */
  readonly last?: (result: Result) => boolean;
}

/** How many threads are worth starting for so many tasks; 0 if this one should do them. */
export const threadsFor = (tasks: number, { threads, worker = WORKER }: Threads): number => {
  const n = Math.min(threads, MOST_THREADS, tasks);
  return n > 1 && existsSync(fileURLToPath(worker)) ? n : 0;
};

/** Results of all tasks, in their order, as far as there are any: on threads where these are worth starting, else on this one. */
export const workOffAll = async <Task, Result>(
  { tasks, run, taken = () => {}, last = () => false }: Work<Task, Result>,
  threads: Threads,
): Promise<readonly Result[]> => {
  const count = threadsFor(tasks.length, threads);
  if (count > 0) {
    const results = await workOff(tasks, count, taken, last, threads);
    return [...results].sort(([a], [b]) => a - b).map(([, result]) => result);
  }
  const results: Result[] = [];
  for (const task of tasks) {
    taken(task);
    const result = run(task);
    results.push(result);
    if (last(result)) break;
  }
  return results;
};

/**
 * Has `count` threads work off `tasks`, the next one where a thread is free. `taken` is told of each task before its turn; after a result of
 * which `last` is true no more are begun. Results by the number of their task, as far as there are any. Rejects with what a thread throws,
 * or where one ends without a result: that is a defect of the program.
 */
export const workOff = <Task, Result>(
  tasks: readonly Task[],
  count: number,
  taken: (task: Task) => void,
  last: (result: Result) => boolean,
  { worker: file = WORKER }: { readonly worker?: URL } = {},
): Promise<ReadonlyMap<number, Result>> => {
  const results = new Map<number, Result>();
  let next = 0;
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(file);
      workers.push(worker);
      let current = -1;
      const give = (): void => {
        if (next >= tasks.length) {
          current = -1;
          resolve();
          return;
        }
        current = next++;
        taken(tasks[current]);
        worker.postMessage(tasks[current]);
      };
      worker.on('message', (result: Result) => {
        results.set(current, result);
        if (last(result)) next = tasks.length;
        give();
      });
      worker.on('error', reject);
      worker.on('messageerror', reject);
      worker.on('exit', code => reject(new Error(`a thread ended with code ${code} before its result`)));
      give();
    });
  const workers: Worker[] = [];
  return Promise.all(Array.from({ length: count }, one))
    .then(() => results)
    .finally(() => Promise.all(workers.map(w => w.terminate())));
};
