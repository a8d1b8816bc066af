/**
 * WebGPU reports most failures out of band: an `uncapturederror` event or the `lost` promise. This keeps the first of
 * them per device, so that the next call that waits for results can throw it.
 */
import { DeviceLostError, GpuError } from './errors.ts';

export interface Health {
  /** Throws the first failure of the device, if there was one. */
  check(): void;
  /** `promise`, or the device's failure when that is the reason why it rejects. */
  guard<T>(promise: Promise<T>): Promise<T>;
  /** `promise`, awaited in the way set for the device. */
  wait<T>(promise: Promise<T>): Promise<T>;
}

/** A way to await what a device does. */
export type Waiter = <T>(promise: Promise<T>) => Promise<T>;

const waiters = new WeakMap<GPUDevice, Waiter>();

/** From now on the runtime awaits the work of `device` through `waiter`. */
export const setWaiter = (device: GPUDevice, waiter: Waiter): void => {
  waiters.set(device, waiter);
};

const watched = new WeakMap<GPUDevice, Health>();

/** The health of `device`; its listeners are attached at the first call. */
export const healthOf = (device: GPUDevice): Health => {
  const known = watched.get(device);
  if (known) return known;
  let failure: Error | undefined;
  device.addEventListener('uncapturederror', event => {
    event.preventDefault();
    failure ??= new GpuError(event.error.message.trim());
  });
  const lost = device.lost.then(info => {
    const why = info.message.trim() || 'no reason given';
    failure ??= new DeviceLostError(
      info.reason === 'destroyed' ? 'the GPU device was destroyed' : `the GPU device was lost: ${why}`,
    );
  });
  const check = () => {
    if (failure) throw failure;
  };
  const wait: Waiter = promise => (waiters.get(device) ?? (p => p))(promise);
  const health: Health = {
    check,
    wait,
    guard: async promise => {
      try {
        const value = await wait(promise);
        check();
        return value;
      } catch (error) {
        // A map request is rejected as the device dies, a moment before `lost` resolves.
        await Promise.race([lost, new Promise(resolve => setTimeout(resolve, 20))]);
        check();
        throw error;
      }
    },
  };
  watched.set(device, health);
  return health;
};
