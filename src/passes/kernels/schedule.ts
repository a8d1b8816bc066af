/** Fused kernels → kernels laid over threads for a target: loops merged, long reductions split, tiles chosen. */
import type { Index } from '../../ir/index-expr.ts';
import * as ix from '../../ir/index-expr.ts';
import type {
  Expr,
  Kernel,
  LoopVar,
  MapKernel,
  ReduceKernel,
  Storage,
  StorageId,
  Target,
  Tiling,
} from '../../ir/kernel.ts';
import { rewrite, walk, workOf } from '../../ir/kernel.ts';
import { blockSums } from './block-sums.ts';
import { loadEntry } from './expression.ts';
import type { FusedGraph } from './fuse.ts';
import { divisorUpTo, tileForGpu } from './tile-gpu.ts';
import { tileForSoftware } from './tile-software.ts';

type LoopKernel = MapKernel | ReduceKernel;

/** Every index expression of a kernel. */
const indices = (k: LoopKernel): Index[] => {
  const found: Index[] = k.stores.map(s => s.index);
  const seen = new Set<Expr>();
  const note = (e: Expr) => {
    if (e.kind === 'load' || e.kind === 'index') found.push(e.index);
    if (e.kind === 'guard') found.push(...e.conditions.map(c => c.index));
  };
  if (k.kind === 'reduce') walk(k.body, note, seen);
  for (const s of k.stores) walk(s.value, note, seen);
  return found;
};

const substituteAll = (k: LoopKernel, values: ReadonlyMap<string, Index>): LoopKernel => {
  const change = (e: Expr): Expr | undefined => {
    if (e.kind === 'load' || e.kind === 'index') return { ...e, index: ix.substitute(e.index, values) };
    if (e.kind === 'guard') {
      return { ...e, conditions: e.conditions.map(c => ({ ...c, index: ix.substitute(c.index, values) })) };
    }
    return undefined;
  };
  const memo = new Map<Expr, Expr>();
  const stores = k.stores.map(s => ({
    ...s,
    index: ix.substitute(s.index, values),
    value: rewrite(s.value, change, memo),
  }));
  return k.kind === 'map' ? { ...k, stores } : { ...k, stores, body: rewrite(k.body, change, memo) };
};

/** Whether outer and inner occur only together, as inner.extent·outer + inner. */
const occurTogether = (outer: LoopVar, inner: LoopVar, all: readonly Index[]): boolean =>
  all.every(index => {
    let a = 0;
    let b = 0;
    const nested: Index[] = [];
    for (const { coeff, atom } of index.terms) {
      if (atom.kind !== 'var') nested.push(atom.of);
      else if (atom.name === outer.name) a = coeff;
      else if (atom.name === inner.name) b = coeff;
    }
    return a === b * inner.extent && occurTogether(outer, inner, nested);
  });

/** Neighbouring loops that every index treats as one become one; loops of a single turn go. */
const mergeLoops = (k: LoopKernel): LoopKernel => {
  let kernel: LoopKernel = k;
  const mergeList = (vars: readonly LoopVar[]): LoopVar[] => {
    const out = vars.filter(v => v.extent > 1);
    for (let i = out.length - 2; i >= 0; i--) {
      const [outer, inner] = [out[i], out[i + 1]];
      if (!occurTogether(outer, inner, indices(kernel))) continue;
      const merged = { name: inner.name, extent: outer.extent * inner.extent };
      const values = new Map([
        [outer.name, ix.constant(0)],
        [inner.name, ix.variable(merged.name, merged.extent)],
      ]);
      kernel = substituteAll(kernel, values);
      out.splice(i, 2, merged);
    }
    return out;
  };
  const out = mergeList(kernel.out);
  kernel = { ...kernel, out };
  if (kernel.kind === 'map') return kernel;
  const over = mergeList(kernel.over);
  return { ...kernel, over };
};

/** Threads below which a device idles; the software adapter's get fewer once they compute tiles. */
const WANTED_THREADS: { readonly [K in Target['profile']]: number } = { software: 8192, gpu: 16384 };
/** Sums that are computed at the same time. */
const WIDTH: { readonly [K in Target['profile']]: number } = { software: 8, gpu: 16384 };
const WORTH_SPLITTING: { readonly [K in Target['profile']]: number } = { software: 8192, gpu: 256 };

/**
 * Few results of long sums: the sum is cut into pieces summed by different threads, and a second kernel adds the pieces, in a fixed
 * order. The result also has a smaller rounding error than one long sum.
 */
const splitReduction = (
  k: ReduceKernel,
  target: Target,
  fresh: (shape: readonly number[]) => StorageId,
): ReduceKernel[] => {
  const results = k.out.reduce((n, v) => n * v.extent, 1);
  const terms = k.over.reduce((n, v) => n * v.extent, 1);
  // A second dispatch costs as much as some thousand terms summed one after the other.
  if (terms * Math.ceil(results / WIDTH[target.profile]) <= WORTH_SPLITTING[target.profile]) return [k];
  const wanted = Math.min(Math.ceil(WANTED_THREADS[target.profile] / results), Math.floor(terms / 64));
  if (wanted < 2) return [k];
  // The outermost loop with enough divisors; what is left of it stays a loop.
  const cut = k.over.find(v => divisorUpTo(v.extent, wanted) >= Math.min(wanted, 4) || v.extent <= wanted) ?? k.over[0];
  const pieces = divisorUpTo(cut.extent, wanted);
  if (pieces < 2) return [k];
  const piece: LoopVar = { name: 'piece', extent: pieces };
  const left = cut.extent / pieces;
  const values = new Map([
    [cut.name, ix.add(ix.scale(ix.variable('piece', pieces), left), ix.variable(cut.name, left))],
  ]);
  const shape = [pieces, ...k.out.map(v => v.extent)];
  const partial = fresh(shape);
  const at = [ix.variable('piece', pieces), ...k.out.map(v => ix.variable(v.name, v.extent))];
  const first = substituteAll(
    {
      ...k,
      label: `${k.label}, pieces`,
      out: [piece, ...k.out],
      over: k.over.map(v => (v === cut ? { ...v, extent: left } : v)).filter(v => v.extent > 1),
      stores: [{ storage: partial, index: ix.linearise(at, shape), value: { kind: 'acc' } }],
    },
    values,
  ) as ReduceKernel;
  const second: ReduceKernel = { ...k, over: [piece], body: loadEntry(partial, shape, at) };
  return [first, second].map(s => mergeLoops(s) as ReduceKernel);
};

const chooseTiling = (k: LoopKernel, target: Target): Tiling => {
  const tiling = target.profile === 'software' ? tileForSoftware(k) : tileForGpu(k, target.limits);
  const blocks = k.kind === 'reduce' && k.op === 'sum' && target.sums === 'in blocks' && blockSums(k, tiling);
  return blocks ? { ...tiling, blocks } : tiling;
};

/** Lays every kernel over threads; adds the storages of partial sums. */
export const schedule = (graph: FusedGraph, target: Target): FusedGraph => {
  const storages = new Map(graph.storages);
  let next = Math.max(-1, ...storages.keys()) + 1;
  const fresh = (shape: readonly number[]): StorageId => {
    const id = next++;
    storages.set(id, { id, role: 'temp', shape } satisfies Storage);
    return id;
  };
  const tilings = new Map<string, Tiling>();
  const tiled = (k: LoopKernel): LoopKernel => {
    const work = workOf(k).text;
    const tiling = tilings.get(work) ?? chooseTiling(k, target);
    tilings.set(work, tiling);
    return { ...k, tiling };
  };
  const kernels = graph.kernels.flatMap((k): Kernel[] => {
    if (k.kind === 'sortPermute' || k.kind === 'inverse') return [k];
    const merged = mergeLoops(k);
    const parts = merged.kind === 'reduce' ? splitReduction(merged, target, fresh) : [merged];
    return parts.map(tiled);
  });
  return { ...graph, storages, kernels };
};
