/** The matrix product inside a sum of products. */
import type { Index } from './index-expr.ts';
import { type Expr, type LoopVar, type ReduceKernel, walk } from './kernel.ts';

/** A factor and the variables of the results that only it depends on. */
export interface Factor {
  readonly expr: Expr;
  readonly vars: readonly LoopVar[];
}

export interface Product {
  readonly rows: Factor;
  readonly columns: Factor;
  /** Variables that both factors depend on, or neither. */
  readonly batch: readonly LoopVar[];
}

const addVariables = (index: Index, found: Set<string>): void => {
  for (const { atom } of index.terms) {
    if (atom.kind === 'var') found.add(atom.name);
    else addVariables(atom.of, found);
  }
};

const dependsOn = (e: Expr): Set<string> => {
  const found = new Set<string>();
  walk(e, x => {
    if (x.kind === 'load' || x.kind === 'index') addVariables(x.index, found);
    if (x.kind === 'guard') for (const c of x.conditions) addVariables(c.index, found);
  });
  return found;
};

/**
 * Splits the loops of a sum of products as those of a (batched) matrix product: convolutions are products too. The innermost variable
 * of the results is one of the columns, unless both factors depend on it.
 */
export const productOf = (k: ReduceKernel): Product | undefined => {
  if (k.op !== 'sum' || k.body.kind !== 'binary' || k.body.op !== 'mul') return undefined;
  const { a, b } = k.body;
  const [inA, inB] = [dependsOn(a), dependsOn(b)];
  const only = (x: Set<string>, y: Set<string>) => k.out.filter(v => x.has(v.name) && !y.has(v.name));
  const first = { expr: a, vars: only(inA, inB) };
  const second = { expr: b, vars: only(inB, inA) };
  const swap = first.vars.some(v => v === k.out.at(-1));
  return {
    rows: swap ? second : first,
    columns: swap ? first : second,
    batch: k.out.filter(v => inA.has(v.name) === inB.has(v.name)),
  };
};

export const extentOf = (vars: readonly LoopVar[]): number => vars.reduce((n, v) => n * v.extent, 1);
