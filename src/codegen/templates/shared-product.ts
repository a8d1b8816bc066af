import type { Index } from '../../ir/index-expr.ts';
import * as ix from '../../ir/index-expr.ts';
import type { LoopVar, ReduceKernel, StorageId, TargetLimits } from '../../ir/kernel.ts';
import { reads, writes } from '../../ir/kernel.ts';
import { extentOf, type Factor, type Product } from '../../ir/product.ts';
import { type Binding, declareBindings, foldGroups, type Module } from '../bindings.ts';
import { createEmitter, type Emitter } from '../wgsl-emit.ts';

/** Threads along each side of a workgroup, and terms staged at a time. */
const SIDE = 16;

/** The values of `vars` at position `name` of their joint row-major order. */
const unpack = (emit: Emitter, name: string, vars: readonly LoopVar[]): [string, Index][] => {
  emit.declare(name, 0);
  const position = ix.variable(name, extentOf(vars));
  const values = ix.delinearise(
    position,
    vars.map(v => v.extent),
  );
  return vars.map((v, i) => [v.name, values[i]]);
};

/** Whether neighbouring terms lie next to each other in memory, rather than neighbouring results. */
const termsAreClose = ({ expr, vars }: Factor, over: readonly LoopVar[]): boolean => {
  const load = expr.kind === 'guard' ? expr.value : expr;
  const unit = (v: LoopVar | undefined): number => {
    const near =
      load.kind === 'load' &&
      load.index.terms.some(t => t.coeff === 1 && t.atom.kind === 'var' && t.atom.name === v?.name);
    return near && v ? v.extent : 0;
  };
  return unit(over.at(-1)) > unit(vars.at(-1));
};

/**
 * A sum of products as a matrix product, whatever its loops (products and convolutions alike): a workgroup computes a square of
 * `side`×`side` results, staging `SIDE` terms of both factors in workgroup memory at a time; each thread adds up a small square.
 */
export const sharedProductModule = (
  k: ReduceKernel,
  side: number,
  { rows, columns, batch }: Product,
  limits: TargetLimits,
): Module => {
  const stored = new Set(writes(k));
  const bindings: Binding[] = [...new Set([...reads(k), ...stored])].map(storage => ({
    storage,
    access: stored.has(storage) ? 'read_write' : 'read',
  }));
  const slot = new Map<StorageId, string>(bindings.map((b, i) => [b.storage, `b${i}`]));
  /** With blocks, what is staged at a time adds up to a part. */
  const blocked = k.tiling.blocks !== undefined;
  const emitter = () => createEmitter(s => slot.get(s)!);
  const per = side / SIDE;
  const threads = SIDE * SIDE;
  const [m, n, terms] = [extentOf(rows.vars), extentOf(columns.vars), extentOf(k.over)];
  const [tilesM, tilesN] = [Math.ceil(m / side), Math.ceil(n / side)];
  const workgroups = foldGroups(extentOf(batch) * tilesM * tilesN, limits);

  const loader = (name: string, f: Factor): string => {
    const emit = emitter();
    const values = new Map([
      ...unpack(emit, 'batch', batch),
      ...unpack(emit, 'place', f.vars),
      ...unpack(emit, 'term', k.over),
    ]);
    const value = emit.value(f.expr, values);
    return `fn ${name}(batch: u32, place: u32, term: u32) -> f32 {
${emit
  .lines(0)
  .map(l => `  ${l}`)
  .join('\n')}
  return ${value};
}`;
  };
  const finish = (): string => {
    const emit = emitter();
    const values = new Map([
      ...unpack(emit, 'batch', batch),
      ...unpack(emit, 'row', rows.vars),
      ...unpack(emit, 'column', columns.vars),
    ]);
    const stores = k.stores.map(s => {
      const value = emit.value(s.value, values, 'acc');
      return `${slot.get(s.storage)}[${emit.index(ix.substitute(s.index, values))}] = ${value};`;
    });
    return `fn finish(batch: u32, row: u32, column: u32, acc: f32) {
${[...emit.lines(0), ...stores].map(l => `  ${l}`).join('\n')}
}`;
  };
  const stage = (target: string, load: string, f: Factor, tile: string, count: number): string[] => {
    const close = termsAreClose(f, k.over);
    const place = close ? `e / ${SIDE}u` : `e % ${side}u`;
    const term = close ? `e % ${SIDE}u` : `e / ${side}u`;
    return [
      `for (var e = lid.x; e < ${side * SIDE}u; e += ${threads}u) {`,
      `  let place = ${place};`,
      `  let term = ${term};`,
      `  var value = 0.0f;`,
      `  if (${tile} + place < ${count}u && first + term < ${terms}u) { value = ${load}(batch, ${tile} + place, first + term); }`,
      `  ${target}[term * ${side}u + place] = value;`,
      '}',
    ];
  };
  const square = (f: (i: number, j: number) => string): string[] =>
    Array.from({ length: per * per }, (_, e) => f(Math.floor(e / per), e % per));
  const line = (f: (i: number) => string): string[] => Array.from({ length: per }, (_, i) => f(i));

  const body = [
    `let tile = wid.y * ${workgroups[0]}u + wid.x;`,
    `if (tile >= ${extentOf(batch) * tilesM * tilesN}u) { return; }`,
    `let batch = tile / ${tilesM * tilesN}u;`,
    `let top = (tile / ${tilesN}u) % ${tilesM}u * ${side}u;`,
    `let left = tile % ${tilesN}u * ${side}u;`,
    `let y = lid.x / ${SIDE}u;`,
    `let x = lid.x % ${SIDE}u;`,
    ...square((i, j) => `var acc${i}_${j} = 0.0f;`),
    `for (var first = 0u; first < ${terms}u; first += ${SIDE}u) {`,
    ...stage('stageA', 'loadA', rows, 'top', m).map(l => `  ${l}`),
    ...stage('stageB', 'loadB', columns, 'left', n).map(l => `  ${l}`),
    '  workgroupBarrier();',
    ...(blocked ? square((i, j) => `  var part${i}_${j} = 0.0f;`) : []),
    `  for (var term = 0u; term < ${SIDE}u; term++) {`,
    // Threads of a row read neighbouring columns.
    ...line(i => `    let a${i} = stageA[term * ${side}u + y * ${per}u + ${i}u];`),
    ...line(j => `    let c${j} = stageB[term * ${side}u + x + ${j * SIDE}u];`),
    ...square((i, j) => `    ${blocked ? 'part' : 'acc'}${i}_${j} += a${i} * c${j};`),
    '  }',
    ...(blocked ? square((i, j) => `  acc${i}_${j} += part${i}_${j};`) : []),
    '  workgroupBarrier();',
    '}',
    ...square((i, j) => {
      const row = `top + y * ${per}u + ${i}u`;
      const column = `left + x + ${j * SIDE}u`;
      return `if (${row} < ${m}u && ${column} < ${n}u) { finish(batch, ${row}, ${column}, acc${i}_${j}); }`;
    }),
  ];
  const wgsl = `${declareBindings(bindings)}
var<workgroup> stageA: array<f32, ${side * SIDE}>;
var<workgroup> stageB: array<f32, ${side * SIDE}>;

${loader('loadA', rows)}

${loader('loadB', columns)}

${finish()}

@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
${body.map(l => `  ${l}`).join('\n')}
}
`;
  const staged = Math.ceil(terms / SIDE);
  return {
    wgsl,
    access: bindings.map(b => b.access),
    bindings: bindings.map(b => b.storage),
    workgroups,
    // What is staged beyond the last term is zero, but added.
    sum: { terms, depth: blocked ? SIDE + staged : SIDE * staged },
  };
};
