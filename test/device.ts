/** One device per test file: Dawn gives one usable device per adapter, and opening one takes a few milliseconds. */
import { afterAll, beforeAll } from 'vitest';
import { healthOf } from '../src/runtime/health.ts';
import { type Gpu, type OpenOptions, openDevice } from '../src/runtime/node-device.ts';

/** Call at the top level of a test file; `gpu()` is the open device inside tests. A device error that no test caught fails the file. */
export const useDevice = (options: OpenOptions = {}): (() => Gpu) => {
  let open: Gpu | undefined;
  beforeAll(async () => {
    open = await openDevice(options);
  });
  afterAll(async () => {
    if (!open) return;
    // An error nobody waited for fails the file.
    await healthOf(open.device).guard(open.device.queue.onSubmittedWorkDone());
    open.destroy();
  });
  return () => {
    if (!open) throw new Error('the device is open inside tests only');
    return open;
  };
};
