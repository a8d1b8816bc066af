/** Copies between device and host. The flags are spelled out because Node has no global `GPUBufferUsage`. */
import { healthOf } from './health.ts';

const MAP_READ = 0x1;
const COPY_SRC = 0x4;
const COPY_DST = 0x8;
const STORAGE = 0x80;
const MAP_MODE_READ = 0x1;

/** Every buffer of a plan may be bound, written and read back. */
export const BUFFER_USAGE = STORAGE | COPY_SRC | COPY_DST;

export interface Source {
  readonly buffer: GPUBuffer;
  /** Floats to read from the start of the buffer. */
  readonly length: number;
}

/** Records copies of all `sources` into one staging buffer; `finish` waits for it after the submit. */
export const recordReads = (
  device: GPUDevice,
  encoder: GPUCommandEncoder,
  sources: readonly Source[],
): { finish: () => Promise<Float32Array[]> } => {
  const total = sources.reduce((n, s) => n + 4 * s.length, 0);
  const staging = device.createBuffer({ size: Math.max(4, total), usage: MAP_READ | COPY_DST });
  let at = 0;
  for (const s of sources) {
    if (s.length > 0) encoder.copyBufferToBuffer(s.buffer, 0, staging, at, 4 * s.length);
    at += 4 * s.length;
  }
  const finish = async () => {
    try {
      await healthOf(device).guard(staging.mapAsync(MAP_MODE_READ));
      // Copied out: the mapped range goes away with the staging buffer.
      const all = new Float32Array(staging.getMappedRange().slice(0));
      let start = 0;
      return sources.map(s => {
        const part = all.subarray(start, start + s.length);
        start += s.length;
        return part;
      });
    } finally {
      staging.destroy();
    }
  };
  return { finish };
};

/** Reads several buffers in one transfer. */
export const readBuffers = async (device: GPUDevice, sources: readonly Source[]): Promise<Float32Array[]> => {
  healthOf(device).check();
  const encoder = device.createCommandEncoder();
  const reads = recordReads(device, encoder, sources);
  device.queue.submit([encoder.finish()]);
  return reads.finish();
};
