/** Parameters and optimiser state on the device, by path; plans that name the same path share the buffer. */
import { GpuError, PlanError } from './errors.ts';
import { healthOf } from './health.ts';
import { BUFFER_USAGE, readBuffers } from './transfer.ts';

export interface ParamStore {
  readonly device: GPUDevice;
  /** Stores `data` (row-major, as many entries as `shape` says); allocates at the first call, overwrites after it. */
  set(path: string, data: Float32Array, shape: readonly number[]): void;
  /** Zeros, for optimiser state. */
  zeros(path: string, shape: readonly number[]): void;
  has(path: string): boolean;
  paths(): string[];
  shape(path: string): readonly number[];
  buffer(path: string): GPUBuffer;
  read(path: string): Promise<Float32Array>;
  /** All named paths (all there are by default) in one transfer. */
  readAll(paths?: readonly string[]): Promise<Map<string, Float32Array>>;
  destroy(): void;
}

export const createParamStore = (device: GPUDevice): ParamStore => {
  const entries = new Map<string, { buffer: GPUBuffer; shape: readonly number[]; length: number }>();
  const health = healthOf(device);

  const get = (path: string) => {
    const entry = entries.get(path);
    if (!entry)
      throw new PlanError(`there is no parameter "${path}"; there are: ${[...entries.keys()].join(', ') || 'none'}`);
    return entry;
  };

  const allocate = (path: string, shape: readonly number[]) => {
    const length = shape.reduce((a, b) => a * b, 1);
    const known = entries.get(path);
    if (known) {
      if (known.shape.length !== shape.length || known.shape.some((d, i) => d !== shape[i]))
        throw new PlanError(`parameter "${path}" is [${known.shape}] and cannot become [${shape}]`);
      return known;
    }
    // Kernels may read four entries at a time.
    const size = 16 * Math.max(1, Math.ceil(length / 4));
    if (size > device.limits.maxStorageBufferBindingSize)
      throw new PlanError(
        `parameter "${path}" needs ${size} bytes, the device binds at most ${device.limits.maxStorageBufferBindingSize}`,
      );
    const entry = {
      buffer: device.createBuffer({ size, usage: BUFFER_USAGE, label: path }),
      shape: [...shape],
      length,
    };
    entries.set(path, entry);
    return entry;
  };

  const readAll = async (paths: readonly string[] = [...entries.keys()]) => {
    const found = paths.map(get);
    const data = await readBuffers(
      device,
      found.map(e => ({ buffer: e.buffer, length: e.length })),
    );
    return new Map(paths.map((p, i) => [p, data[i]]));
  };

  return {
    device,
    set: (path, data, shape) => {
      health.check();
      const length = shape.reduce((a, b) => a * b, 1);
      if (data.length !== length)
        throw new PlanError(`parameter "${path}" [${shape}] has ${length} entries, ${data.length} were given`);
      device.queue.writeBuffer(allocate(path, shape).buffer, 0, data.buffer, data.byteOffset, data.byteLength);
    },
    zeros: (path, shape) => {
      const { buffer } = allocate(path, shape);
      const encoder = device.createCommandEncoder();
      encoder.clearBuffer(buffer);
      device.queue.submit([encoder.finish()]);
    },
    has: path => entries.has(path),
    paths: () => [...entries.keys()],
    shape: path => get(path).shape,
    buffer: path => get(path).buffer,
    read: async path => {
      const data = (await readAll([path])).get(path);
      if (!data) throw new GpuError(`reading "${path}" gave nothing`);
      return data;
    },
    readAll,
    destroy: () => {
      for (const { buffer } of entries.values()) buffer.destroy();
      entries.clear();
    },
  };
};
