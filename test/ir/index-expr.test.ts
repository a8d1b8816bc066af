import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Index } from '../../src/ir/index-expr.ts';
import * as ix from '../../src/ir/index-expr.ts';

const EXTENTS = { a: 3, b: 4, c: 7 } as const;
type Name = keyof typeof EXTENTS;
const NAMES = Object.keys(EXTENTS) as Name[];

/** A recipe for an expression: evaluated directly, and built with the simplifier. */
type Recipe =
  | { readonly op: 'var'; readonly name: Name }
  | { readonly op: 'const'; readonly value: number }
  | { readonly op: 'add'; readonly a: Recipe; readonly b: Recipe }
  | { readonly op: 'scale' | 'div' | 'mod'; readonly a: Recipe; readonly by: number };

const direct = (r: Recipe, at: Readonly<Record<Name, number>>): number => {
  switch (r.op) {
    case 'var':
      return at[r.name];
    case 'const':
      return r.value;
    case 'add':
      return direct(r.a, at) + direct(r.b, at);
    case 'scale':
      return direct(r.a, at) * r.by;
    case 'div':
      return Math.floor(direct(r.a, at) / r.by);
    case 'mod':
      return direct(r.a, at) % r.by;
  }
};

const simplified = (r: Recipe): Index => {
  switch (r.op) {
    case 'var':
      return ix.variable(r.name, EXTENTS[r.name]);
    case 'const':
      return ix.constant(r.value);
    case 'add':
      return ix.add(simplified(r.a), simplified(r.b));
    case 'scale':
      return ix.scale(simplified(r.a), r.by);
    case 'div':
      return ix.div(simplified(r.a), r.by);
    case 'mod':
      return ix.mod(simplified(r.a), r.by);
  }
};

/** The value of a simplified expression, in the unsigned 32-bit arithmetic of the emitted code. */
const evaluate = (i: Index, at: Readonly<Record<Name, number>>): number =>
  i.terms.reduce((sum, { coeff, atom }) => {
    const value =
      atom.kind === 'var'
        ? at[atom.name as Name]
        : atom.kind === 'div'
          ? Math.floor(evaluate(atom.of, at) / atom.by)
          : evaluate(atom.of, at) % atom.by;
    return (sum + Math.imul(coeff, value)) >>> 0;
  }, i.offset >>> 0);

const recipe: fc.Arbitrary<Recipe> = fc.letrec<{ r: Recipe }>(tie => ({
  r: fc.oneof(
    { depthSize: 'medium', withCrossShrink: true },
    fc.record({ op: fc.constant('var' as const), name: fc.constantFrom(...NAMES) }),
    fc.record({ op: fc.constant('const' as const), value: fc.integer({ min: 0, max: 12 }) }),
    fc.record({ op: fc.constant('add' as const), a: tie('r'), b: tie('r') }),
    fc.record({
      op: fc.constantFrom('scale' as const, 'div' as const, 'mod' as const),
      a: tie('r'),
      by: fc.integer({ min: 1, max: 12 }),
    }),
  ),
})).r;

const places = (): Record<Name, number>[] =>
  [0, 1, 2].flatMap(a => [0, 1, 2, 3].flatMap(b => [0, 1, 2, 3, 4, 5, 6].map(c => ({ a, b, c }))));

describe('index expressions', () => {
  it('mean what they were built from, and stay within their bounds', () => {
    fc.assert(
      fc.property(recipe, r => {
        const s = simplified(r);
        for (const at of places()) {
          const want = direct(r, at);
          expect(evaluate(s, at), s.key).toBe(want);
          expect(want).toBeGreaterThanOrEqual(s.min);
          expect(want).toBeLessThanOrEqual(s.max);
        }
      }),
      { numRuns: 300, seed: 1 },
    );
  });

  it('give the same when a negative shift is allowed for by a guard', () => {
    fc.assert(
      fc.property(recipe, fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 9 }), (r, shift, by) => {
        const shifted = ix.add(simplified(r), ix.constant(-shift));
        for (const at of places()) {
          const value = direct(r, at) - shift;
          if (value < 0) continue;
          expect(evaluate(ix.div(shifted, by), at)).toBe(Math.floor(value / by));
          expect(evaluate(ix.mod(shifted, by), at)).toBe(value % by);
        }
      }),
      { numRuns: 300, seed: 2 },
    );
  });

  it('substitute', () => {
    fc.assert(
      fc.property(recipe, recipe, (r, s) => {
        const inner = simplified(s);
        if (inner.min < 0 || inner.max >= EXTENTS.c) return;
        const whole = ix.substitute(simplified(r), new Map([['c', inner]]));
        for (const at of places()) expect(evaluate(whole, at)).toBe(direct(r, { ...at, c: direct(s, at) }));
      }),
      { numRuns: 300, seed: 3 },
    );
  });

  const i = ix.variable('i', 8);
  const j = ix.variable('j', 6);
  it('merge what a reshape split', () => {
    const split = ix.delinearise(ix.linearise([i, j], [8, 6]), [4, 12]);
    expect(split.map(s => s.key)).toEqual(['(i / 2)', '6*(i % 2) + j']);
    expect(ix.linearise(split, [4, 12]).key).toBe('6*i + j');
    expect(ix.delinearise(ix.linearise(split, [4, 12]), [8, 6]).map(s => s.key)).toEqual(['i', 'j']);
  });
  it('decide conditions by bounds', () => {
    expect(ix.decided({ index: j, lo: 0, hi: 6 })).toBe(true);
    expect(ix.decided({ index: j, lo: 1, hi: 6 })).toBeUndefined();
    expect(ix.decided({ index: ix.add(j, ix.constant(-9)), lo: 0, hi: 6 })).toBe(false);
  });
});
