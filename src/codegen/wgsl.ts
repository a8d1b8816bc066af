/** Kernel IR → WGSL modules. The text names no tensor, so equal work gives equal text and one pipeline. */
import type { Index } from '../ir/index-expr.ts';
import * as ix from '../ir/index-expr.ts';
import type { Kernel, LoopVar, MapKernel, ReduceKernel, TargetLimits, Tiling } from '../ir/kernel.ts';
import { reads, writes } from '../ir/kernel.ts';
import { extentOf, productOf } from '../ir/product.ts';
import { blockDepth, sumLoops } from '../ir/sum-blocks.ts';
import { type Binding, declareBindings, foldGroups, type Module } from './bindings.ts';
import { inverseModule } from './templates/inverse.ts';
import { sharedProductModule } from './templates/shared-product.ts';
import { sortModule } from './templates/sort.ts';
import { withTrigonometry } from './trigonometry.ts';
import { createEmitter, type Emitter } from './wgsl-emit.ts';

interface Tiled {
  /** Values of the output variables at each point of the tile. */
  readonly points: readonly ReadonlyMap<string, Index>[];
  /** At each point, WGSL that says whether this thread stores it; undefined: always. */
  readonly owned: readonly (string | undefined)[];
  readonly threads: number;
}

interface Loop {
  readonly name: string;
  /** What stands between the brackets of `for (…)`. */
  readonly head: string;
  /** Whether a part is added to the sum at the end of every turn. */
  readonly parts: boolean;
}

/** Every assignment of one value per variable. */
const combinations = (vars: readonly { name: string; values: readonly Index[] }[]): ReadonlyMap<string, Index>[] =>
  vars.reduce<Map<string, Index>[]>(
    (all, v) => all.flatMap(m => v.values.map(value => new Map(m).set(v.name, value))),
    [new Map()],
  );

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** Lays the output loops over threads: declares each thread's place and lists the points it computes. */
const tileOutputs = (out: readonly LoopVar[], tiling: Tiling, emit: Emitter): Tiled => {
  const order = [...tiling.order, ...out.map(v => v.name).filter(n => !tiling.order.includes(n))];
  const place = new Map<string, { values: Index[]; from?: string }>();
  const loops = order.map(name => {
    const v = out.find(o => o.name === name)!;
    const tile = Math.min(tiling.tile[name] ?? 1, v.extent);
    return { ...v, tile, count: Math.ceil(v.extent / tile) };
  });
  const threads = loops.reduce((n, l) => n * l.count, 1);
  const place0 = loops.findIndex(l => l.count > 1);
  let rest = 'thread';
  for (let i = loops.length - 1; i >= 0; i--) {
    const { name, extent, tile, count } = loops[i];
    let at: Index = ix.constant(0);
    let from: string | undefined;
    if (count > 1) {
      const coordinate = `t${name}`;
      emit.declare(coordinate, 0);
      if (i === place0) emit.statement(`let ${coordinate} = ${rest};`, 0);
      else {
        emit.statement(`let ${coordinate} = ${rest} % ${count}u;`, 0);
        emit.statement(`let q${name} = ${rest} / ${count}u;`, 0);
        rest = `q${name}`;
      }
      if (extent % tile === 0) at = ix.scale(ix.variable(coordinate, count), tile);
      else {
        // The last tile is moved back inside; what its neighbour also computes is stored by the neighbour.
        emit.declare(`c${name}`, 0);
        emit.statement(`let c${name} = min(${coordinate} * ${tile}u, ${extent - tile}u);`, 0);
        at = ix.variable(`c${name}`, extent - tile + 1);
        from = `${coordinate} * ${tile}u`;
      }
    }
    place.set(name, { values: range(tile).map(j => ix.add(at, ix.constant(j))), ...(from ? { from } : {}) });
  }
  const points = combinations(out.map(v => ({ name: v.name, values: place.get(v.name)!.values })));
  const owned = points.map(p => {
    const tests = out.flatMap(v => {
      const { from } = place.get(v.name)!;
      return from ? [`${emit.index(p.get(v.name)!)} >= ${from}`] : [];
    });
    return tests.length > 0 ? tests.join(' && ') : undefined;
  });
  return { points, owned, threads };
};

const loopModule = (k: MapKernel | ReduceKernel, limits: TargetLimits): Module => {
  const stored = new Set(writes(k));
  const bindings: Binding[] = [...new Set([...reads(k), ...stored])].map(storage => ({
    storage,
    access: stored.has(storage) ? 'read_write' : 'read',
  }));
  const slot = new Map(bindings.map((b, i) => [b.storage, `b${i}`]));
  const emit = createEmitter(s => slot.get(s)!);
  const { points, owned, threads } = tileOutputs(k.out, k.tiling, emit);

  const over = k.kind === 'reduce' ? k.over : [];
  const blocks = k.kind === 'reduce' && k.op === 'sum' ? k.tiling.blocks : undefined;
  const loops = sumLoops(over, k.tiling).loops.flatMap(({ name, turns }): Loop[] => {
    const size = blocks?.part?.loop === name ? blocks.part.turns : 0;
    if (size < 2) return [{ name, head: `var ${name} = 0u; ${name} < ${turns}u; ${name}++`, parts: size === 1 }];
    const block = `${name}_block`;
    const end =
      turns % size === 0 ? `${block} * ${size}u + ${size}u` : `min(${block} * ${size}u + ${size}u, ${turns}u)`;
    return [
      { name: block, head: `var ${block} = 0u; ${block} < ${Math.ceil(turns / size)}u; ${block}++`, parts: true },
      { name, head: `var ${name} = ${block} * ${size}u; ${name} < ${end}; ${name}++`, parts: false },
    ];
  });
  /** The depth at which parts are added to the sums; 0 where there are none. */
  const partLevel = loops.findIndex(l => l.parts) + 1;
  const after = loops.length + 1;
  if (k.kind === 'reduce') {
    const start = k.op === 'sum' ? '0.0f' : '-3.4028234663852886e38f';
    points.forEach((_, p) => {
      emit.statement(`var acc${p} = ${start};`, 0);
      if (partLevel > 0) emit.statement(`var part${p} = 0.0f;`, partLevel);
    });
    loops.forEach((v, depth) => {
      emit.declare(v.name, depth + 1);
    });
    const steps = combinations(
      over.map(v => {
        const unroll = k.tiling.unroll[v.name] ?? 1;
        const at = unroll < v.extent ? ix.scale(ix.variable(v.name, v.extent / unroll), unroll) : ix.constant(0);
        return { name: v.name, values: range(unroll).map(j => ix.add(at, ix.constant(j))) };
      }),
    );
    // One sum after the other: each stays in a register while it grows.
    const group = blocks?.group ?? 1;
    points.forEach((point, p) => {
      for (let first = 0; first < steps.length; first += group) {
        const terms = steps.slice(first, first + group).map(step => term(k, emit, new Map([...point, ...step])));
        const sum = `${partLevel > 0 ? 'part' : 'acc'}${p}`;
        emit.statement(
          k.op === 'max' ? `${sum} = max(${sum}, ${terms[0]});` : `${sum} += ${terms.join(' + ')};`,
          loops.length,
        );
      }
    });
    emit.leaveLoops(after);
  }
  // All values before the first store: an update may overwrite what it reads.
  const stores = points.flatMap((point, p) =>
    k.stores.map(s => {
      const value = emit.value(s.value, point, `acc${p}`);
      const store = `${slot.get(s.storage)}[${emit.index(ix.substitute(s.index, point))}] = ${value};`;
      return owned[p] ? `if (${owned[p]}) { ${store} }` : store;
    }),
  );
  const level = k.kind === 'reduce' ? after : 0;
  for (const s of stores) emit.statement(s, level);

  const groups = Math.ceil(threads / k.tiling.workgroup);
  const workgroups = foldGroups(groups, limits);
  const body: string[] = [];
  const indent = (n: number) => '  '.repeat(n);
  body.push(`let thread = (wid.y * ${workgroups[0]}u + wid.x) * ${k.tiling.workgroup}u + lid.x;`);
  if (workgroups[0] * workgroups[1] * k.tiling.workgroup !== threads)
    body.push(`if (thread >= ${threads}u) { return; }`);
  body.push(...emit.lines(0));
  loops.forEach(({ head }, depth) => {
    body.push(`${indent(depth)}for (${head}) {`);
    body.push(...emit.lines(depth + 1).map(l => indent(depth + 1) + l));
  });
  for (let depth = loops.length - 1; depth >= 0; depth--) {
    if (depth + 1 === partLevel) body.push(...points.map((_, p) => `${indent(depth + 1)}acc${p} += part${p};`));
    body.push(`${indent(depth)}}`);
  }
  if (k.kind === 'reduce') body.push(...emit.lines(after));

  const wgsl = `${declareBindings(bindings)}

@compute @workgroup_size(${k.tiling.workgroup})
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
${body.map(l => `  ${l}`).join('\n')}
}
`;
  const sum = k.kind === 'reduce' &&
    k.op === 'sum' && { terms: extentOf(over), depth: blockDepth(over, k.tiling, k.tiling.blocks) };
  return {
    wgsl,
    access: bindings.map(b => b.access),
    bindings: bindings.map(b => b.storage),
    workgroups,
    ...(sum && { sum }),
  };
};

/** A term of a sum, or an entry of a maximum; a product is no statement of its own, so that it may become a multiply-add. */
const term = (k: ReduceKernel, emit: Emitter, values: ReadonlyMap<string, Index>): string =>
  k.op === 'sum' && k.body.kind === 'binary' && k.body.op === 'mul'
    ? `${emit.value(k.body.a, values)} * ${emit.value(k.body.b, values)}`
    : emit.value(k.body, values);

/** The WGSL of a kernel, with its bindings and its workgroups. */
export const kernelModule = (k: Kernel, limits: TargetLimits): Module => {
  const module = rawModule(k, limits);
  return { ...module, wgsl: withTrigonometry(module.wgsl) };
};

const rawModule = (k: Kernel, limits: TargetLimits): Module => {
  switch (k.kind) {
    case 'reduce': {
      const product = k.tiling.shared ? productOf(k) : undefined;
      return product ? sharedProductModule(k, k.tiling.shared!, product, limits) : loopModule(k, limits);
    }
    case 'map':
      return loopModule(k, limits);
    case 'sortPermute':
      return sortModule(k, limits);
    case 'inverse':
      return inverseModule(k, limits);
  }
};
