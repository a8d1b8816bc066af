/** Scalar expressions → WGSL statements. Common subexpressions are named once, at the outermost loop where they are known. */
import type { Condition, Index } from '../ir/index-expr.ts';
import * as ix from '../ir/index-expr.ts';
import type { Expr, StorageId } from '../ir/kernel.ts';
import type { BinaryOp, UnaryOp } from '../ir/tensor.ts';

/** A piece of WGSL and the loop depth at which it is known. */
interface Piece {
  readonly text: string;
  readonly level: number;
}

/** The nearest f32 as a literal. Throws on values that f32 cannot hold: a graph never contains them. */
export const f32Literal = (value: number): string => {
  const rounded = Math.fround(value);
  if (!Number.isFinite(rounded)) throw new Error(`codegen: ${value} is no finite f32`);
  // WGSL allows flushing of subnormals, and not every front end reads them.
  if (Math.abs(rounded) < 2 ** -126) return '0.0f';
  const text = `${rounded}`;
  return `${/[.e]/.test(text) ? text : `${text}.0`}f`;
};

const UNARY: { readonly [K in UnaryOp]: (a: string) => string } = {
  neg: a => `-(${a})`,
  abs: a => `abs(${a})`,
  sign: a => `sign(${a})`,
  step: a => `select(0.0f, 1.0f, ${a} > 0.0f)`,
  relu: a => `max(${a}, 0.0f)`,
  exp: a => `exp(${a})`,
  log: a => `log(${a})`,
  sqrt: a => `sqrt(${a})`,
  reciprocal: a => `1.0f / ${a}`,
  // The quotient of exponentials behind a driver's tanh overflows far out, where the value is ±1 to the last bit.
  tanh: a => `tanh(clamp(${a}, -15.0f, 15.0f))`,
  sigmoid: a => `1.0f / (1.0f + exp(-clamp(${a}, -80.0f, 80.0f)))`,
  // See `trigonometry.ts`.
  cos: a => `cosine(${a})`,
  sin: a => `sine(${a})`,
};

const BINARY: { readonly [K in BinaryOp]: (a: string, b: string) => string } = {
  add: (a, b) => `${a} + ${b}`,
  sub: (a, b) => `${a} - ${b}`,
  mul: (a, b) => `${a} * ${b}`,
  div: (a, b) => `${a} / ${b}`,
  max: (a, b) => `max(${a}, ${b})`,
  min: (a, b) => `min(${a}, ${b})`,
  greater: (a, b) => `select(0.0f, 1.0f, ${a} > ${b})`,
  equal: (a, b) => `select(0.0f, 1.0f, ${a} == ${b})`,
};

export interface Emitter {
  /** Declares a loop variable, or anything else of type u32, known at `level`. */
  readonly declare: (name: string, level: number) => void;
  /** The value of `e`, with the variables of the kernel given by `values`. `acc` is the text of the accumulated value. */
  readonly value: (e: Expr, values: ReadonlyMap<string, Index>, acc?: string) => string;
  readonly index: (i: Index) => string;
  readonly statement: (text: string, level: number) => void;
  /** From now on nothing new is placed outside `level`, and what only the loops know is out of sight. */
  readonly leaveLoops: (level: number) => void;
  readonly lines: (level: number) => readonly string[];
}

/** An emitter of statements at loop depths 0 (outside) …; `buffer` names the binding of a storage. */
export const createEmitter = (buffer: (s: StorageId) => string): Emitter => {
  const lines: string[][] = [];
  const known = new Map<string, Piece>();
  const variables = new Map<string, number>();
  let floor = 0;
  let counter = 0;

  const statement = (text: string, level: number) => {
    while (lines.length <= level) lines.push([]);
    lines[level].push(text);
  };
  const name = (rhs: string, level: number): Piece => {
    const found = known.get(rhs);
    if (found && (floor === 0 || found.level === 0 || found.level === floor)) return found;
    const at = Math.max(level, floor);
    const piece = { text: `v${counter++}`, level: at };
    statement(`let ${piece.text} = ${rhs};`, at);
    known.set(rhs, piece);
    return piece;
  };

  const atom = (a: ix.Atom): Piece => {
    if (a.kind === 'var') {
      const level = variables.get(a.name);
      if (level === undefined) throw new Error(`codegen: unknown variable ${a.name}`);
      return { text: a.name, level };
    }
    const inner = indexPiece(a.of);
    return name(`${inner.text} ${a.kind === 'div' ? '/' : '%'} ${a.by}u`, inner.level);
  };

  /** `sum` plus `terms`, from the outermost loop inwards, so that each partial sum is computed where it is known. */
  const addTerms = (start: Piece | undefined, terms: readonly ix.Term[]): Piece | undefined => {
    const pieces = terms.map(t => ({ coeff: t.coeff, ...atom(t.atom) }));
    // Positive terms first at each level: in unsigned arithmetic the order does not matter, but it reads better.
    pieces.sort((p, q) => p.level - q.level || q.coeff - p.coeff);
    let sum = start;
    for (const p of pieces) {
      const factor = Math.abs(p.coeff);
      const term = factor === 1 ? p.text : `${p.text} * ${factor}u`;
      const level = Math.max(p.level, sum?.level ?? 0);
      if (sum) sum = name(`${sum.text} ${p.coeff < 0 ? '-' : '+'} ${term}`, level);
      else if (p.coeff === 1) sum = { text: p.text, level };
      else sum = name(p.coeff < 0 ? `0u - ${term}` : term, level);
    }
    return sum;
  };

  const addOffset = (sum: Piece | undefined, offset: number): Piece => {
    if (!sum) return { text: `${offset >>> 0}u`, level: 0 };
    if (offset === 0) return sum;
    return { text: `(${sum.text} ${offset < 0 ? '-' : '+'} ${Math.abs(offset)}u)`, level: sum.level };
  };

  const indexPiece = (i: Index): Piece => addOffset(addTerms(undefined, i.terms), i.offset);

  /**
   * An index that is in bounds even where `condition` fails. Only the part known where the condition is known is replaced by 0: the
   * rest, being independent of it, is in bounds by itself, and so the choice is made outside the loops it does not depend on.
   */
  const safeIndex = (i: Index, condition: Piece): Piece => {
    const inner = i.terms.filter(t => t.coeff > 0 && t.atom.kind === 'var' && atom(t.atom).level > condition.level);
    const outer = addOffset(
      addTerms(
        undefined,
        i.terms.filter(t => !inner.includes(t)),
      ),
      i.offset,
    );
    const chosen = name(`select(0u, ${outer.text}, ${condition.text})`, Math.max(outer.level, condition.level));
    return addTerms(chosen, inner)!;
  };

  const conditionPiece = (cs: readonly Condition[]): Piece | boolean => {
    const parts: Piece[] = [];
    for (const c of cs) {
      const fixed = ix.decided(c);
      if (fixed === false) return false;
      if (fixed === true) continue;
      // One unsigned comparison does for both ends: below `low` the difference wraps to something huge.
      const low = c.lo > c.index.min ? c.lo : Math.min(c.index.min, 0);
      if (c.index.min >= 0 && c.hi > c.index.max) {
        const at = indexPiece(c.index);
        parts.push(name(`${at.text} >= ${c.lo}u`, at.level));
        continue;
      }
      const from = indexPiece(ix.add(c.index, ix.constant(-low)));
      const text = `${from.text} < ${c.hi - low}u`;
      parts.push(name(text, from.level));
    }
    if (parts.length === 0) return true;
    return parts.reduce((a, b) => {
      const [p, q] = [a.text, b.text].sort();
      return p === q ? a : name(`${p} && ${q}`, Math.max(a.level, b.level));
    });
  };

  /** Operations on literals alone are evaluated by the WGSL compiler, which refuses a module over an infinite result; a `let` is not. */
  const atRuntime = (p: Piece): Piece => (/^[(\-0-9]/.test(p.text) ? name(p.text, p.level) : p);

  const expr = (
    e: Expr,
    values: ReadonlyMap<string, Index>,
    acc: string | undefined,
    condition: Piece | undefined,
    memo: Map<Expr, Piece>,
  ): Piece => {
    const done = memo.get(e);
    if (done) return done;
    const go = (x: Expr) => expr(x, values, acc, condition, memo);
    const made = ((): Piece => {
      switch (e.kind) {
        case 'const': {
          const text = f32Literal(e.value);
          return { text: text.startsWith('-') ? `(${text})` : text, level: 0 };
        }
        case 'index': {
          const at = ix.substitute(e.index, values);
          if (at.terms.length === 0) return { text: f32Literal(at.offset), level: 0 };
          const i = indexPiece(at);
          return name(`f32(${i.text})`, i.level);
        }
        case 'load': {
          const index = ix.substitute(e.index, values);
          const at = condition ? safeIndex(index, condition) : indexPiece(index);
          return name(`${buffer(e.storage)}[${at.text}]`, at.level);
        }
        case 'acc':
          if (acc === undefined) throw new Error('codegen: no accumulated value here');
          return { text: acc, level: floor };
        case 'unary': {
          const a = atRuntime(go(e.a));
          return name(UNARY[e.op](a.text), a.level);
        }
        case 'binary': {
          const a = go(e.a);
          const b = e.a.kind === 'const' ? atRuntime(go(e.b)) : go(e.b);
          return name(BINARY[e.op](a.text, b.text), Math.max(a.level, b.level));
        }
        case 'select': {
          const c = go(e.c);
          const a = go(e.a);
          const b = go(e.b);
          return name(`select(${b.text}, ${a.text}, ${c.text} != 0.0f)`, Math.max(c.level, a.level, b.level));
        }
        case 'guard': {
          const own = conditionPiece(e.conditions.map(c => ({ ...c, index: ix.substitute(c.index, values) })));
          if (own === true) return go(e.value);
          if (own === false) return go(e.otherwise);
          const both = condition ? name(`${condition.text} && ${own.text}`, Math.max(condition.level, own.level)) : own;
          const a = expr(e.value, values, acc, both, new Map());
          const b = go(e.otherwise);
          return name(`select(${b.text}, ${a.text}, ${own.text})`, Math.max(a.level, b.level, own.level));
        }
        default:
          return e satisfies never;
      }
    })();
    memo.set(e, made);
    return made;
  };

  return {
    declare: (n, level) => {
      variables.set(n, level);
    },
    value: (e, values, acc) => expr(e, values, acc, undefined, new Map()).text,
    index: i => indexPiece(i).text,
    statement,
    leaveLoops: level => {
      floor = level;
    },
    lines: level => lines[level] ?? [],
  };
};
