/** A thread of `lip prove` and `lip verify`, see threads.ts: takes tasks, and sends a result for each. */
import { parentPort } from 'node:worker_threads';
import { type CheckTask, checkTask } from './check-in-threads.ts';

parentPort!.on('message', (task: CheckTask) => parentPort!.postMessage(checkTask(task)));
