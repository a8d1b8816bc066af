/**
 * Integer index expressions over loop variables, kept in a normal form: a linear combination of atoms, an atom being a variable
 * or a floor division or remainder by a positive constant. Bounds are known, so that div and mod disappear where they can.
 * Equal expressions have equal keys (the converse need not hold).
 */
export interface Index {
  readonly terms: readonly Term[];
  readonly offset: number;
  readonly min: number;
  readonly max: number;
  readonly key: string;
}

export interface Term {
  readonly coeff: number;
  readonly atom: Atom;
}

export type Atom =
  /** 0 ≤ value < extent. */
  | { readonly kind: 'var'; readonly name: string; readonly extent: number; readonly key: string }
  | { readonly kind: 'div' | 'mod'; readonly of: Index; readonly by: number; readonly key: string };

const atomBounds = (a: Atom): readonly [number, number] => {
  switch (a.kind) {
    case 'var':
      return [0, a.extent - 1];
    case 'div':
      return [Math.floor(a.of.min / a.by), Math.floor(a.of.max / a.by)];
    case 'mod':
      return [0, a.by - 1];
  }
};

const gcd = (a: number, b: number): number => (b === 0 ? Math.abs(a) : gcd(b, a % b));
const floorMod = (a: number, b: number): number => ((a % b) + b) % b;

const build = (terms: readonly Term[], offset: number): Index => {
  let min = offset;
  let max = offset;
  for (const { coeff, atom } of terms) {
    const [lo, hi] = atomBounds(atom);
    min += coeff > 0 ? coeff * lo : coeff * hi;
    max += coeff > 0 ? coeff * hi : coeff * lo;
  }
  const parts = terms.map(t => (t.coeff === 1 ? t.atom.key : `${t.coeff}*${t.atom.key}`));
  if (offset !== 0 || parts.length === 0) parts.push(`${offset}`);
  return { terms, offset, min, max, key: parts.join(' + ').replaceAll('+ -', '- ') };
};

/** Collects equal atoms and undoes splits: a·(x div n)·n + a·(x mod n) = a·x. */
const normalise = (terms: readonly Term[], offset: number): Index => {
  const byKey = new Map<string, Term>();
  for (const t of terms) {
    const coeff = (byKey.get(t.atom.key)?.coeff ?? 0) + t.coeff;
    if (coeff === 0) byKey.delete(t.atom.key);
    else byKey.set(t.atom.key, { coeff, atom: t.atom });
  }
  for (const { coeff, atom } of byKey.values()) {
    if (atom.kind !== 'mod') continue;
    const quotient = div(atom.of, atom.by);
    if (quotient.terms.length !== 1 || quotient.terms[0].coeff !== 1 || quotient.offset !== 0) continue;
    const high = byKey.get(quotient.terms[0].atom.key);
    if (high?.coeff === coeff * atom.by) {
      const rest = [...byKey.values()].filter(t => t !== high && t.atom !== atom);
      return add(build(rest.sort(order), offset), scale(atom.of, coeff));
    }
  }
  return build([...byKey.values()].sort(order), offset);
};

const order = (a: Term, b: Term): number =>
  Math.abs(b.coeff) - Math.abs(a.coeff) || (a.atom.key < b.atom.key ? -1 : a.atom.key > b.atom.key ? 1 : 0);

export const constant = (value: number): Index => build([], value);
/** A loop variable running over 0 … extent − 1; one that has a single value is that value. */
export const variable = (name: string, extent: number): Index =>
  extent === 1 ? constant(0) : build([{ coeff: 1, atom: { kind: 'var', name, extent, key: name } }], 0);

const single = (kind: 'div' | 'mod', of: Index, by: number): Index => {
  const plain = of.terms.length === 1 && of.terms[0].coeff === 1 && of.offset === 0;
  const key = `(${plain ? of.key : `(${of.key})`} ${kind === 'div' ? '/' : '%'} ${by})`;
  return build([{ coeff: 1, atom: { kind, of, by, key } }], 0);
};

export const add = (a: Index, b: Index): Index =>
  b.terms.length === 0 ? build(a.terms, a.offset + b.offset) : normalise([...a.terms, ...b.terms], a.offset + b.offset);

export const scale = (a: Index, by: number): Index =>
  by === 0
    ? constant(0)
    : build(
        a.terms.map(t => ({ coeff: t.coeff * by, atom: t.atom })),
        a.offset * by,
      );

/** a = by·whole + rest, with rest ≥ 0 throughout; undefined when no such split is evident. */
const split = (a: Index, by: number): { whole: Index; rest: Index } | undefined => {
  const multiple = a.terms.filter(t => t.coeff % by === 0);
  const other = a.terms.filter(t => t.coeff % by !== 0);
  const low = floorMod(a.offset, by);
  const rest = build(other, low);
  if (rest.min < 0) return undefined;
  return {
    whole: build(
      multiple.map(t => ({ coeff: t.coeff / by, atom: t.atom })),
      (a.offset - low) / by,
    ),
    rest,
  };
};

/** rest = unit·high + low with 0 ≤ low < unit, unit > 1 a divisor of `by`: then only `high` meets the division. */
const coarsen = (rest: Index, by: number): { unit: number; high: Index; low: Index } | undefined => {
  for (let count = rest.terms.length; count > 0; count--) {
    const coarse = rest.terms.slice(0, count);
    const unit = coarse.reduce((g, t) => gcd(t.coeff, g), by);
    if (unit === 1) continue;
    const offset = floorMod(rest.offset, unit);
    const low = build(rest.terms.slice(count), offset);
    if (low.min < 0 || low.max >= unit) continue;
    const high = build(
      coarse.map(t => ({ coeff: t.coeff / unit, atom: t.atom })),
      (rest.offset - offset) / unit,
    );
    return { unit, high, low };
  }
  return undefined;
};

/** ⌊a / by⌋. Meaningful where a ≥ 0: code is emitted in unsigned arithmetic. */
export const div = (a: Index, by: number): Index => {
  if (by === 1) return a;
  const s = split(a, by);
  if (!s) return single('div', a, by);
  const { whole, rest } = s;
  if (rest.max < by) return whole;
  const c = coarsen(rest, by);
  if (c) return add(whole, div(c.high, by / c.unit));
  const only =
    rest.terms.length === 1 && rest.offset === 0 && rest.terms[0].coeff === 1 ? rest.terms[0].atom : undefined;
  if (only?.kind === 'div') return add(whole, div(only.of, only.by * by));
  return add(whole, single('div', rest, by));
};

/** a mod by, where a ≥ 0. */
export const mod = (a: Index, by: number): Index => {
  if (by === 1) return constant(0);
  const s = split(a, by);
  if (!s) return single('mod', a, by);
  const { rest } = s;
  if (rest.max < by) return rest;
  const c = coarsen(rest, by);
  if (c) return add(scale(mod(c.high, by / c.unit), c.unit), c.low);
  const only =
    rest.terms.length === 1 && rest.offset === 0 && rest.terms[0].coeff === 1 ? rest.terms[0].atom : undefined;
  if (only?.kind === 'mod' && only.by % by === 0) return mod(only.of, by);
  return single('mod', rest, by);
};

/** Variables replaced by expressions, simplified anew. */
export const substitute = (a: Index, values: ReadonlyMap<string, Index>): Index => {
  const terms: Term[] = [];
  let offset = a.offset;
  for (const term of a.terms) {
    const { coeff, atom } = term;
    const value =
      atom.kind === 'var'
        ? values.get(atom.name)
        : (atom.kind === 'div' ? div : mod)(substitute(atom.of, values), atom.by);
    if (!value) terms.push(term);
    else {
      offset += coeff * value.offset;
      for (const t of value.terms) terms.push({ coeff: coeff * t.coeff, atom: t.atom });
    }
  }
  return normalise(terms, offset);
};

/** Row-major position of a multi-index. */
export const linearise = (index: readonly Index[], shape: readonly number[]): Index =>
  index.reduce((sum, ix, axis) => add(scale(sum, shape[axis]), ix), constant(0));

/** The multi-index of a row-major position. */
export const delinearise = (position: Index, shape: readonly number[]): Index[] => {
  const out: Index[] = [];
  let rest = position;
  for (let axis = shape.length - 1; axis > 0; axis--) {
    out.unshift(mod(rest, shape[axis]));
    rest = div(rest, shape[axis]);
  }
  if (shape.length > 0) out.unshift(rest);
  return out;
};

/** lo ≤ index < hi. */
export interface Condition {
  readonly index: Index;
  readonly lo: number;
  readonly hi: number;
}

/** Whether the bounds alone decide a condition. */
export const decided = (c: Condition): boolean | undefined =>
  c.index.min >= c.lo && c.index.max < c.hi ? true : c.index.max < c.lo || c.index.min >= c.hi ? false : undefined;
