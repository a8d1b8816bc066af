/**
 * Where new values of params are written. An update runs after everything that reads the old values; one kernel makes all the
 * new values that depend on each other (Adam's m, v and p) and writes them in place.
 */
import type { Expr, Kernel, MapKernel, Storage, StorageId, TargetLimits } from '../../ir/kernel.ts';
import { NO_TILING, reads, rewrite, walk, writes } from '../../ir/kernel.ts';
import { size } from '../../ir/tensor.ts';
import { loadEntry, loopsOver } from './expression.ts';

export interface Update {
  readonly path: string;
  /** Where the new value is computed. */
  readonly from: StorageId;
  /** The param. */
  readonly to: StorageId;
}

/** Copies one storage to another of the same size. */
export const copyKernel = (from: StorageId, to: StorageId, count: number, what: string): Kernel => {
  const { loop, index } = loopsOver([count]);
  const stores = [{ storage: to, index: index[0], value: loadEntry(from, [count], index) }];
  return { kind: 'map', label: `copy ${what}`, out: loop, stores, tiling: NO_TILING };
};

const sameLoops = (a: MapKernel, b: MapKernel): boolean =>
  a.out.length === b.out.length && a.out.every((v, i) => v.extent === b.out[i].extent);

/** One kernel for all of `group` (in order of evaluation): a load of what an earlier one stores becomes the stored expression. */
const mergeMaps = (group: readonly MapKernel[]): MapKernel | undefined => {
  const stores = [...group[0].stores];
  for (const k of group.slice(1)) {
    let misaligned = false;
    const inline = (e: Expr): Expr | undefined => {
      const source = e.kind === 'load' ? stores.find(s => s.storage === e.storage) : undefined;
      if (!source || e.kind !== 'load') return undefined;
      if (source.index.key !== e.index.key) misaligned = true;
      return source.value;
    };
    const memo = new Map<Expr, Expr>();
    const added = k.stores.map(s => ({ ...s, value: rewrite(s.value, inline, memo) }));
    if (misaligned) return undefined;
    stores.push(...added);
  }
  return { ...group[0], label: [...new Set(group.map(k => k.label))].join('; '), stores };
};

/** Merges update kernels that read each other's results, where nothing else reads those and the bindings suffice. */
const mergeRelated = (
  kernels: readonly Kernel[],
  to: ReadonlyMap<StorageId, StorageId>,
  limits: TargetLimits,
): Kernel[] => {
  const owner = new Map<StorageId, MapKernel>();
  for (const k of kernels)
    if (k.kind === 'map' && k.stores.every(s => to.has(s.storage))) owner.set(k.stores[0].storage, k);
  const groups = new Map<MapKernel, Set<MapKernel>>();
  for (const k of owner.values()) groups.set(k, new Set([k]));
  for (const k of owner.values()) {
    for (const r of reads(k)) {
      const source = owner.get(r);
      if (!source || !sameLoops(k, source) || groups.get(k) === groups.get(source)) continue;
      const joined = new Set([...groups.get(source)!, ...groups.get(k)!]);
      for (const m of joined) groups.set(m, joined);
    }
  }
  const replaced = new Map<Kernel, Kernel | undefined>();
  for (const group of new Set(groups.values())) {
    if (group.size < 2) continue;
    const members = kernels.filter((k): k is MapKernel => group.has(k as MapKernel));
    const made = new Set(members.flatMap(writes));
    const readElsewhere = kernels.some(k => !group.has(k as MapKernel) && [...reads(k)].some(r => made.has(r)));
    const merged = readElsewhere ? undefined : mergeMaps(members);
    if (!merged) continue;
    const bindings = new Set([...reads(merged), ...writes(merged).map(s => to.get(s)!)]);
    if (bindings.size > limits.maxStorageBuffersPerShaderStage) continue;
    for (const m of members) replaced.set(m, undefined);
    // At the place of the last, where everything it reads has been computed.
    replaced.set(members[members.length - 1], merged);
  }
  return kernels.flatMap(k => (replaced.has(k) ? (replaced.get(k) ?? []) : k));
};

/** Whether every load of `param` in `k` is of the very entry that `k` then overwrites. */
const readsInPlace = (k: Kernel, from: StorageId, param: StorageId): boolean => {
  if (k.kind !== 'map' && k.kind !== 'reduce') return !reads(k).has(param);
  const index = k.stores.find(s => s.storage === from)!.index.key;
  let ok = true;
  const seen = new Set<Expr>();
  for (const s of k.stores)
    walk(
      s.value,
      e => {
        if (e.kind === 'load' && e.storage === param && e.index.key !== index) ok = false;
      },
      seen,
    );
  if (k.kind === 'reduce')
    walk(k.body, e => {
      if (e.kind === 'load' && e.storage === param) ok = false;
    });
  return ok;
};

/** An order of the in-place kernels in which nobody reads a param after it is overwritten; undefined when there is none. */
const orderInPlace = (kernels: readonly Kernel[], params: ReadonlySet<StorageId>): Kernel[] | undefined => {
  const left = new Set(kernels);
  const out: Kernel[] = [];
  while (left.size > 0) {
    const next = [...left].find(k => {
      const overwrites = writes(k).filter(s => params.has(s));
      return ![...left].some(other => other !== k && overwrites.some(p => reads(other).has(p)));
    });
    if (!next) return undefined;
    left.delete(next);
    out.push(next);
  }
  return out;
};

const redirect = (k: Kernel, to: ReadonlyMap<StorageId, StorageId>): Kernel =>
  k.kind === 'map' || k.kind === 'reduce'
    ? { ...k, stores: k.stores.map(s => ({ ...s, storage: to.get(s.storage) ?? s.storage })) }
    : { ...k, target: to.get(k.target) ?? k.target };

/** Kernels with every update written to its param: in place where possible, else by a copy at the end. */
export const placeUpdates = (
  kernels: readonly Kernel[],
  updates: readonly Update[],
  storages: ReadonlyMap<StorageId, Storage>,
  limits: TargetLimits,
): Kernel[] => {
  const real = updates.filter(u => u.from !== u.to);
  const uses = new Map<StorageId, number>();
  for (const u of real) uses.set(u.from, (uses.get(u.from) ?? 0) + 1);
  const direct = new Map<StorageId, StorageId>();
  for (const u of real) if (uses.get(u.from) === 1 && storages.get(u.from)!.role === 'temp') direct.set(u.from, u.to);
  const merged = mergeRelated(kernels, direct, limits);

  const readSomewhere = new Set(merged.flatMap(k => [...reads(k)]));
  for (const k of merged) {
    const made = writes(k).filter(s => direct.has(s));
    const ok = made.every(s => !readSomewhere.has(s) && readsInPlace(k, s, direct.get(s)!));
    if (!ok || made.length !== writes(k).length) for (const s of made) direct.delete(s);
  }
  for (;;) {
    const inPlace = merged.filter(k => writes(k).some(s => direct.has(s)));
    const others = merged.filter(k => !inPlace.includes(k));
    const ordered = orderInPlace(
      inPlace.map(k => redirect(k, direct)),
      new Set(direct.values()),
    );
    if (!ordered) {
      for (const s of writes(inPlace[0])) direct.delete(s);
      continue;
    }
    const copies = real
      .filter(u => !direct.has(u.from))
      .map(u => copyKernel(u.from, u.to, size(storages.get(u.to)!.shape), u.path));
    return [...others, ...ordered, ...copies];
  }
};
