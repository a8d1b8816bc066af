/** A thread of `lip prove` and `lip verify`, see threads.ts: takes tasks, and sends a result for each. */
import { parentPort } from 'node:worker_threads';
import { type ProofTask, runTask } from './proof-tasks.ts';

parentPort!.on('message', (task: ProofTask) => parentPort!.postMessage(runTask(task)));
