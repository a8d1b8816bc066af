import type { StorageId, TargetLimits } from '../ir/kernel.ts';
import type { PlanKernel } from '../runtime/plan.ts';

export interface Module extends PlanKernel {
  /** Storage of each binding. */
  readonly bindings: readonly StorageId[];
  readonly workgroups: readonly [number, number, number];
  /** Of a sum: its terms, and the most additions that one of them goes through, as written. */
  readonly sum?: EmittedSum;
}

export interface EmittedSum {
  readonly terms: number;
  readonly depth: number;
}

/** Workgroups in x and y so that neither exceeds the limit. */
export const foldGroups = (groups: number, limits: TargetLimits): readonly [number, number, number] => {
  const y = Math.ceil(groups / limits.maxComputeWorkgroupsPerDimension);
  return [Math.ceil(groups / y), y, 1];
};

export interface Binding {
  readonly storage: StorageId;
  readonly access: 'read' | 'read_write';
}

export const declareBindings = (bindings: readonly Binding[]): string =>
  bindings.map((b, i) => `@group(0) @binding(${i}) var<storage, ${b.access}> b${i}: array<f32>;`).join('\n');
