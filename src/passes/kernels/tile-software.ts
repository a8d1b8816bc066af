/**
 * Register tiles for SwiftShader, chosen by a cost model whose numbers were measured on it (bench/README.md). It runs four
 * invocations as the lanes of one SSE program: arithmetic on scalars is cheap, every load from a buffer is four masked scalar loads,
 * barriers are very slow, and a loop body that leaves the first-level instruction cache doubles the price of everything in it.
 */
import type { Index } from '../../ir/index-expr.ts';
import type { Expr, LoopVar, MapKernel, ReduceKernel, Tiling } from '../../ir/kernel.ts';
import { walk } from '../../ir/kernel.ts';

/** Nanoseconds of one core for four lanes. */
const COST = { load: 4, guard: 1, operation: 0.65, carry: 1.2, store: 11, thread: 60 };
/**
 * Bytes of machine code. A body that outgrows `cache` pays up to `miss` nanoseconds a byte and turn, all of it after `ramp` more;
 * compiling a byte takes `compile` nanoseconds, spread over some 500 runs.
 */
const CODE = { load: 250, operation: 16, carry: 60, cache: 33_000, ramp: 8_000, miss: 0.02, compile: 10 };
/** Bounds on the search: values carried from turn to turn, multiply-adds in one body, values of one variable in a tile. */
const MAX_CARRIED = 144;
const MAX_BODY = 640;
const MAX_TILE = 16;
/** Enough groups of four lanes to keep the cores of a small machine evenly busy. */
const LANES = 4;
const WANTED_GROUPS = 16;

interface Variable extends LoopVar {
  /** Sizes to try: values computed by one thread, or turns unrolled. */
  readonly sizes: readonly number[];
  readonly role: 'out' | 'over';
}

/** An entry of a buffer that a thread needs at every point of its tile. */
interface Access {
  readonly index: Index;
  /** Positions, in the list of variables, of those the index depends on. */
  readonly uses: readonly number[];
  readonly guarded: boolean;
  /** Distinct entries in a tile, by the chosen sizes of `uses` in mixed radix. */
  readonly counts: Map<number, number>;
}

const product = (values: Iterable<number>): number => {
  let p = 1;
  for (const v of values) p *= v;
  return p;
};

const mentions = (index: Index, name: string): boolean =>
  index.terms.some(({ atom }) => (atom.kind === 'var' ? atom.name === name : mentions(atom.of, name)));

const evaluate = (index: Index, at: ReadonlyMap<string, number>): number => {
  let sum = index.offset;
  for (const { coeff, atom } of index.terms) {
    if (atom.kind === 'var') sum += coeff * (at.get(atom.name) ?? 0);
    else {
      const value = evaluate(atom.of, at);
      const quotient = Math.floor(value / atom.by);
      sum += coeff * (atom.kind === 'div' ? quotient : value - quotient * atom.by);
    }
  }
  return sum;
};

const accessesOf = (root: Expr, variables: readonly LoopVar[]): Access[] => {
  const guarded = new Set<Expr>();
  const found = new Map<string, Access>();
  walk(root, e => {
    if (e.kind === 'guard') walk(e.value, inner => guarded.add(inner));
  });
  walk(root, e => {
    if (e.kind !== 'load') return;
    const uses = variables.flatMap((v, i) => (mentions(e.index, v.name) ? [i] : []));
    found.set(`${e.storage}[${e.index.key}]`, { index: e.index, uses, guarded: guarded.has(e), counts: new Map() });
  });
  return [...found.values()];
};

/** How many different entries a tile reads, at a place in the middle of the loops. `pick[i]` is the place of variable i's size. */
const distinct = (a: Access, variables: readonly Variable[], pick: readonly number[]): number => {
  let key = 0;
  for (const i of a.uses) key = key * (MAX_TILE + 1) + pick[i];
  const known = a.counts.get(key);
  if (known !== undefined) return known;
  const at = new Map<string, number>();
  const seen = new Set<number>();
  const fill = (depth: number): void => {
    if (depth === a.uses.length) {
      seen.add(evaluate(a.index, at));
      return;
    }
    const v = variables[a.uses[depth]];
    const size = v.sizes[pick[a.uses[depth]]];
    const start = Math.floor(Math.floor(v.extent / size) / 2) * size;
    for (let j = 0; j < size; j++) {
      at.set(v.name, start + j);
      fill(depth + 1);
    }
  };
  fill(0);
  a.counts.set(key, seen.size);
  return seen.size;
};

const operationsOf = (root: Expr): number => {
  let n = 0;
  walk(root, e => {
    if (e.kind === 'unary' || e.kind === 'binary' || e.kind === 'select') n++;
  });
  return Math.max(1, n);
};

/** Divisors; for an output variable without useful ones also sizes whose last tile overlaps its neighbour a little. */
const sizesOf = (extent: number, role: Variable['role']): number[] => {
  const upTo = Math.min(extent, MAX_TILE);
  const all = Array.from({ length: upTo }, (_, i) => i + 1);
  const divisors = all.filter(t => extent % t === 0);
  if (role === 'over' || divisors.some(t => t >= 4) || extent <= 4) return divisors;
  return all.filter(t => extent % t === 0 || Math.ceil(extent / t) * t <= 1.15 * extent);
};

/** Small workgroups: they are what SwiftShader hands to its threads, and few of them leave a core idle. */
const workgroupFor = (threads: number): number =>
  threads >= 64 * WANTED_GROUPS ? 64 : threads >= 16 * WANTED_GROUPS ? 16 : LANES;

const tilingOf = (
  out: readonly LoopVar[],
  tile: Readonly<Record<string, number>>,
  unroll: Readonly<Record<string, number>>,
): Tiling => ({
  tile,
  unroll,
  order: out.map(v => v.name),
  workgroup: workgroupFor(product(out.map(v => Math.ceil(v.extent / (tile[v.name] ?? 1))))),
});

/** Tilings found so far, by all that the search looks at: the layers of a network repeat. */
const remembered = new Map<string, Tiling>();

const tileReduce = (k: ReduceKernel): Tiling => {
  const variables: Variable[] = [
    ...k.out.map(v => ({ ...v, role: 'out' as const, sizes: sizesOf(v.extent, 'out') })),
    ...k.over.map(v => ({ ...v, role: 'over' as const, sizes: sizesOf(v.extent, 'over') })),
  ];
  const loads = accessesOf(k.body, variables);
  const late = k.stores.reduce((n, s) => n + accessesOf(s.value, variables).length, 0);
  const operations = operationsOf(k.body);
  const signature = JSON.stringify([k.out, k.over, loads.map(a => [a.index.key, a.guarded]), late, operations]);
  const known = remembered.get(signature);
  if (known) return known;
  const pick = variables.map(() => 0);
  let best = { cost: Number.POSITIVE_INFINITY, pick: [...pick] };

  const consider = (carried: number, body: number): void => {
    let turns = 1;
    let threads = 1;
    variables.forEach((v, i) => {
      if (v.role === 'out') threads *= Math.ceil(v.extent / v.sizes[pick[i]]);
      else turns *= v.extent / v.sizes[pick[i]];
    });
    let cost = COST.thread + carried * (COST.store + late * COST.load);
    // A product and the sum it goes into count as one operation: that is how they were measured.
    cost += (body * operations * COST.operation + carried * COST.carry) * turns;
    let code = body * CODE.operation + carried * CODE.carry;
    for (const a of loads) {
      const n = distinct(a, variables, pick);
      // Loaded in the innermost loop it depends on.
      let times = 1;
      let reached = turns;
      for (let i = variables.length - 1; i >= k.out.length; i--) {
        const trips = variables[i].extent / variables[i].sizes[pick[i]];
        if (trips > 1 && a.uses.includes(i)) {
          times = reached;
          break;
        }
        reached /= trips;
      }
      cost += n * (COST.load + (a.guarded ? COST.guard : 0)) * times;
      if (times === turns) code += n * CODE.load;
    }
    cost += turns * code * CODE.miss * Math.min(1, Math.max(0, code - CODE.cache) / CODE.ramp);
    const total = cost * Math.max(Math.ceil(threads / LANES), WANTED_GROUPS) + code * CODE.compile;
    if (total < best.cost) best = { cost: total, pick: [...pick] };
  };
  const choose = (i: number, carried: number, body: number): void => {
    if (i === variables.length) {
      consider(carried, body);
      return;
    }
    const { role, sizes } = variables[i];
    for (let s = 0; s < sizes.length; s++) {
      const more = role === 'out' ? carried * sizes[s] : carried;
      if (more > MAX_CARRIED || body * sizes[s] > MAX_BODY) break;
      pick[i] = s;
      choose(i + 1, more, body * sizes[s]);
    }
    pick[i] = 0;
  };
  choose(0, 1, 1);

  const chosen = (role: Variable['role']) =>
    Object.fromEntries(
      variables.flatMap((v, i) => (v.role === role && best.pick[i] > 0 ? [[v.name, v.sizes[best.pick[i]]]] : [])),
    );
  const found = tilingOf(k.out, chosen('out'), chosen('over'));
  remembered.set(signature, found);
  return found;
};

/** Up to four neighbours a thread: what they share is computed once. */
const tileMap = (k: MapKernel): Tiling => {
  const last = k.out.at(-1);
  const threads = product(k.out.map(v => v.extent));
  const size = last && [4, 2].find(d => last.extent % d === 0 && threads / d >= LANES * WANTED_GROUPS);
  return tilingOf(k.out, last && size ? { [last.name]: size } : {}, {});
};

/** The tiling with the least modelled time. Deterministic: it depends on the kernel alone. */
export const tileForSoftware = (k: MapKernel | ReduceKernel): Tiling => (k.kind === 'map' ? tileMap(k) : tileReduce(k));
