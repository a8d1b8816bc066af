/** Storages → buffers: values whose lifetimes do not meet share one. */
import type { Kernel, Storage, StorageId } from '../../ir/kernel.ts';
import { reads, writes } from '../../ir/kernel.ts';
import { size } from '../../ir/tensor.ts';
import type { PlanBuffer } from '../../runtime/plan.ts';

export interface MemoryPlan {
  readonly buffers: readonly PlanBuffer[];
  /** Buffer index of each storage. */
  readonly bufferOf: ReadonlyMap<StorageId, number>;
}

/**
 * Best fit over a pool: a temporary takes the smallest free buffer that is large enough, else the largest free one, grown. Buffers
 * are never shared within a step, since one buffer bound twice for reading and writing is an error.
 */
export const planMemory = (kernels: readonly Kernel[], storages: ReadonlyMap<StorageId, Storage>): MemoryPlan => {
  const buffers: { size: number; role: PlanBuffer['role'] }[] = [];
  const bufferOf = new Map<StorageId, number>();
  const lastUse = new Map<StorageId, number>();
  const touched = kernels.map(k => new Set([...reads(k), ...writes(k)]));
  touched.forEach((ids, step) => {
    for (const id of ids) lastUse.set(id, step);
  });
  const bytes = (s: Storage) => 4 * size(s.shape);
  for (const s of storages.values()) {
    if (s.role === 'temp') continue;
    bufferOf.set(s.id, buffers.length);
    buffers.push({ size: bytes(s), role: s.role });
  }
  const free = new Set<number>();
  touched.forEach((ids, step) => {
    for (const id of ids) {
      if (bufferOf.has(id)) continue;
      const need = bytes(storages.get(id)!);
      const bySize = [...free].sort((a, b) => buffers[a].size - buffers[b].size || a - b);
      const chosen = bySize.find(b => buffers[b].size >= need) ?? bySize.at(-1);
      if (chosen === undefined) {
        bufferOf.set(id, buffers.length);
        buffers.push({ size: need, role: 'temp' });
      } else {
        free.delete(chosen);
        buffers[chosen].size = Math.max(buffers[chosen].size, need);
        bufferOf.set(id, chosen);
      }
    }
    for (const id of ids) {
      if (storages.get(id)!.role === 'temp' && lastUse.get(id) === step) free.add(bufferOf.get(id)!);
    }
  });
  return { buffers, bufferOf };
};
