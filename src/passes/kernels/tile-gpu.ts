/**
 * Tiles for a GPU: enough threads to fill it come first, then reuse of loaded values. A large product is computed in squares, one a
 * workgroup, through workgroup memory; a smaller one in small squares, one a thread; a small one entry by entry.
 */
import type { LoopVar, MapKernel, ReduceKernel, TargetLimits, Tiling } from '../../ir/kernel.ts';
import { extentOf, type Product, productOf } from '../../ir/product.ts';

const WORKGROUP = 64;
const WANTED_THREADS = 16384;
const WANTED_WORKGROUPS = 64;
const SIDE = 4;
const MAX_UNROLL = 4;
/** Terms that make it worth while to stage them. */
const STAGED_TERMS = 16;
/** Threads of a workgroup that computes a square together; its memory is 2·16 entries for each unit of the side. */
const SHARED = { sides: [64, 32], threads: 256, bytesPerSide: 128 };

/** The largest divisor of n that is at most `limit`. */
export const divisorUpTo = (n: number, limit: number): number => {
  for (let d = Math.min(n, limit); d > 1; d--) if (n % d === 0) return d;
  return 1;
};

const threads = (out: readonly LoopVar[], tile: Readonly<Record<string, number>>): number =>
  out.reduce((n, v) => n * Math.ceil(v.extent / (tile[v.name] ?? 1)), 1);

/** The side of the squares a product is computed in through workgroup memory; undefined where there are too few of them. */
const sharedSide = (k: ReduceKernel, { rows, columns, batch }: Product, limits: TargetLimits): number | undefined => {
  if (limits.maxComputeInvocationsPerWorkgroup < SHARED.threads || extentOf(k.over) < STAGED_TERMS) return undefined;
  const [m, n] = [extentOf(rows.vars), extentOf(columns.vars)];
  return SHARED.sides.find(side => {
    const squares = Math.ceil(m / side) * Math.ceil(n / side);
    const waste = (squares * side * side) / (m * n);
    const fits = side * SHARED.bytesPerSide <= limits.maxComputeWorkgroupStorageSize;
    return fits && waste <= 1.5 && squares * extentOf(batch) >= WANTED_WORKGROUPS;
  });
};

/** The tiling of a kernel; depends on the kernel and the limits alone. */
export const tileForGpu = (k: MapKernel | ReduceKernel, limits: TargetLimits): Tiling => {
  const order = k.out.map(v => v.name);
  const none: Tiling = { tile: {}, unroll: {}, order, workgroup: WORKGROUP };
  if (k.kind === 'map') return none;
  const product = productOf(k);
  const shared = product && sharedSide(k, product, limits);
  if (shared) return { ...none, shared };
  const inner = k.over.at(-1);
  const unrolled = inner ? { ...none, unroll: { [inner.name]: divisorUpTo(inner.extent, MAX_UNROLL) } } : none;
  if (!product) return unrolled;
  // Innermost variables: neighbours share most.
  const sides = [product.rows.vars.at(-1), product.columns.vars.at(-1)];
  for (let side = SIDE; side > 1; side /= 2) {
    const tile = Object.fromEntries(sides.flatMap(v => (v ? [[v.name, Math.min(side, v.extent)]] : [])));
    if (threads(k.out, tile) >= WANTED_THREADS) return { ...unrolled, tile };
  }
  return unrolled;
};
