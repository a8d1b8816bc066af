/**
 * No load leaves its buffer. Devices run with bounds checks switched off, so a stray load would read whatever lies there; here every
 * point of every kernel of many graphs is visited on the CPU, in the unsigned arithmetic of the emitted code.
 */
import { describe, expect, it } from 'vitest';
import type { Index } from '../../src/ir/index-expr.ts';
import {
  DEFAULT_LIMITS,
  type Expr,
  type Kernel,
  type LoopVar,
  type Storage,
  type StorageId,
} from '../../src/ir/kernel.ts';
import { size } from '../../src/ir/tensor.ts';
import { fuse } from '../../src/passes/kernels/fuse.ts';
import { schedule } from '../../src/passes/kernels/schedule.ts';
import { randomGraph } from './random-graph.ts';

type Place = ReadonlyMap<string, number>;

const evaluate = (i: Index, at: Place): number =>
  i.terms.reduce((sum, { coeff, atom }) => {
    if (atom.kind === 'var') return (sum + Math.imul(coeff, at.get(atom.name)!)) >>> 0;
    const inner = evaluate(atom.of, at);
    return (sum + Math.imul(coeff, atom.kind === 'div' ? Math.floor(inner / atom.by) : inner % atom.by)) >>> 0;
  }, i.offset >>> 0);

const places = (vars: readonly LoopVar[]): Place[] =>
  vars.reduce<Map<string, number>[]>(
    (all, v) => all.flatMap(m => Array.from({ length: v.extent }, (_, i) => new Map(m).set(v.name, i))),
    [new Map()],
  );

/** Loads of `e` at one place that are out of bounds; a guard that fails hides its value, as in the emitted code. */
const strayLoads = (e: Expr, at: Place, length: (s: StorageId) => number, seen: Set<Expr>): string[] => {
  if (seen.has(e)) return [];
  seen.add(e);
  const go = (x: Expr) => strayLoads(x, at, length, seen);
  switch (e.kind) {
    case 'const':
    case 'index':
    case 'acc':
      return [];
    case 'load':
      return evaluate(e.index, at) < length(e.storage) ? [] : [`%${e.storage}[${e.index.key}] at ${[...at]}`];
    case 'unary':
      return go(e.a);
    case 'binary':
      return [...go(e.a), ...go(e.b)];
    case 'select':
      return [...go(e.c), ...go(e.a), ...go(e.b)];
    case 'guard': {
      const holds = e.conditions.every(c => {
        const v = evaluate(c.index, at);
        return v >= c.lo && v < c.hi;
      });
      return [...(holds ? strayLoads(e.value, at, length, new Set()) : []), ...go(e.otherwise)];
    }
  }
};

const strayInKernel = (k: Kernel, storages: ReadonlyMap<StorageId, Storage>): string[] => {
  if (k.kind !== 'map' && k.kind !== 'reduce') return [];
  const length = (s: StorageId) => size(storages.get(s)!.shape);
  const found: string[] = [];
  for (const at of places(k.out)) {
    for (const s of k.stores) {
      found.push(...strayLoads(s.value, at, length, new Set()));
      if (evaluate(s.index, at) >= length(s.storage))
        found.push(`store to %${s.storage}[${s.index.key}] at ${[...at]}`);
    }
  }
  if (k.kind === 'reduce')
    for (const at of places([...k.out, ...k.over])) found.push(...strayLoads(k.body, at, length, new Set()));
  return found;
};

const variablesOf = (i: Index): string[] =>
  i.terms.flatMap(({ atom }) => (atom.kind === 'var' ? [atom.name] : variablesOf(atom.of)));

/**
 * A load under a failing guard keeps the terms of the loops inside those the guard depends on, and drops the rest: what it keeps must
 * be in bounds by itself.
 */
const strayWhenGuarded = (k: Kernel, storages: ReadonlyMap<StorageId, Storage>): string[] => {
  if (k.kind !== 'reduce') return [];
  const depth = new Map(k.over.map((v, i) => [v.name, i]));
  const found: string[] = [];
  /** `level` is the innermost loop a guard around `e` depends on, −1 outside all loops; undefined: no guard. */
  const visit = (e: Expr, level: number | undefined): void => {
    if (e.kind === 'guard') {
      const levels = e.conditions.flatMap(c => variablesOf(c.index)).map(v => depth.get(v) ?? -1);
      visit(e.value, Math.max(level ?? -1, ...levels));
      visit(e.otherwise, level);
    } else if (e.kind === 'binary') for (const x of [e.a, e.b]) visit(x, level);
    else if (e.kind === 'unary') visit(e.a, level);
    else if (e.kind === 'select') for (const x of [e.c, e.a, e.b]) visit(x, level);
    else if (e.kind === 'load' && level !== undefined) {
      let kept = 0;
      for (const { coeff, atom } of e.index.terms)
        if (coeff > 0 && atom.kind === 'var' && (depth.get(atom.name) ?? -1) > level) kept += coeff * (atom.extent - 1);
      if (kept >= size(storages.get(e.storage)!.shape)) found.push(`%${e.storage}[${e.index.key}] keeps ${kept}`);
    }
  };
  visit(k.body, undefined);
  return found;
};

describe('bounds', () => {
  it.each(['software', 'gpu'] as const)('no load or store strays, %s', profile => {
    let visited = 0;
    for (let seed = 1; seed <= 80; seed++) {
      const graph = randomGraph(seed, 10 + (seed % 30));
      const f = schedule(fuse(graph, DEFAULT_LIMITS), { profile, limits: DEFAULT_LIMITS });
      for (const k of f.kernels) {
        expect(
          [...strayInKernel(k, f.storages), ...strayWhenGuarded(k, f.storages)].slice(0, 3),
          `seed ${seed}`,
        ).toEqual([]);
        visited++;
      }
    }
    expect(visited).toBeGreaterThan(200);
  });
});
