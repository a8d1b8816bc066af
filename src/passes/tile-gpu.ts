/**
 * Register tiles for a GPU: enough threads to fill it come first, then reuse of loaded values. A product gets a square of results
 * per thread, one side along a variable that only its first factor depends on, the other along one that only the second does.
 */
import type { Index } from '../ir/index-expr.ts';
import type { Expr, LoopVar, MapKernel, ReduceKernel, Tiling } from '../ir/kernel.ts';
import { walk } from '../ir/kernel.ts';

const WORKGROUP = 64;
const WANTED_THREADS = 16384;
const SIDE = 4;
const MAX_UNROLL = 4;

const variablesOf = (index: Index, found: Set<string>): void => {
  for (const { atom } of index.terms) {
    if (atom.kind === 'var') found.add(atom.name);
    else variablesOf(atom.of, found);
  }
};

/** Variables that the loads of an expression depend on. */
const dependsOn = (e: Expr): Set<string> => {
  const found = new Set<string>();
  walk(e, x => {
    if (x.kind === 'load' || x.kind === 'index') variablesOf(x.index, found);
    if (x.kind === 'guard') for (const c of x.conditions) variablesOf(c.index, found);
  });
  return found;
};

const divisor = (n: number, limit: number): number => {
  for (let d = Math.min(n, limit); d > 1; d--) if (n % d === 0) return d;
  return 1;
};

const threads = (out: readonly LoopVar[], tile: Readonly<Record<string, number>>): number =>
  out.reduce((n, v) => n * Math.ceil(v.extent / (tile[v.name] ?? 1)), 1);

/** The tiling of a kernel; depends on the kernel alone. */
export const tileForGpu = (k: MapKernel | ReduceKernel): Tiling => {
  const order = k.out.map(v => v.name);
  const tile: Record<string, number> = {};
  const unroll: Record<string, number> = {};
  const none = { tile, unroll, order, workgroup: WORKGROUP };
  if (k.kind === 'map') return none;
  const inner = k.over.at(-1);
  if (inner) unroll[inner.name] = divisor(inner.extent, MAX_UNROLL);
  if (k.body.kind !== 'binary' || k.body.op !== 'mul') return none;
  const [a, b] = [dependsOn(k.body.a), dependsOn(k.body.b)];
  // Innermost variables first: neighbours share most.
  const sides = [
    k.out.findLast(v => a.has(v.name) && !b.has(v.name)),
    k.out.findLast(v => b.has(v.name) && !a.has(v.name)),
  ];
  for (let side = SIDE; side > 1; side /= 2) {
    const square = Object.fromEntries(sides.flatMap(v => (v ? [[v.name, Math.min(side, v.extent)]] : [])));
    if (threads(k.out, square) >= WANTED_THREADS) return { ...none, tile: square };
  }
  return none;
};
