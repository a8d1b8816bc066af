/** What the generated Coq files share: index types of feature maps, names in the section, constants. */
import type { LayerOp, Shape } from '../ir/network.ts';
import { absolute, compare, type Rational, ZERO } from '../ir/rational.ts';
import { isBlockAverage } from '../ir/window.ts';

/** A network that has no Coq file yet, and why. */
export class NotInCoq extends Error {}

/** A nonnegative rational constant as a Coq term of type R. */
export const ratio = (a: Rational): string => `(ratio R ${a.num} ${a.den})`;

/** Comments may not hold what opens or closes one. */
export const comment = (text: string): string => `(* ${text.replaceAll('(*', '( *').replaceAll('*)', '* )')} *)`;

/** Index type of a feature map in Coq; the names are constants of type nat. */
export type Space =
  | { readonly kind: 'features'; readonly n: string }
  | { readonly kind: 'image'; readonly c: string; readonly h: string; readonly w: string };

export const indexOf = (s: Space): string =>
  s.kind === 'features' ? `'I_${s.n}` : `'I_${s.c} * ('I_${s.h} * 'I_${s.w})`;
export const vectors = (s: Space): string => `{ffun ${indexOf(s)} -> R}`;
/** Index type of the positions of an image. */
export const positionsOf = (s: Space): string => {
  if (s.kind === 'features') throw new Error('a vector has no positions');
  return `[finType of 'I_${s.h} * 'I_${s.w}]`;
};
export const channelsOf = (s: Space): string => (s.kind === 'features' ? s.n : s.c);

/** Says that the section has such a variable or hypothesis, and returns its name as a term. */
export type Declare = (kind: 'Variable' | 'Hypothesis', stem: string, type: string) => string;

export interface Writer {
  readonly line: (text: string) => void;
  /** Name suffix of this layer. */
  readonly id: string;
  /** Of a run of equal layers: its parameters are functions of the place in it. */
  readonly run: boolean;
}

export const binder = (w: Writer): string => (w.run ? ' (k : nat)' : '');
export const applied = (w: Writer, name: string): string => (w.run ? `(${name} k)` : name);

export const declare = (w: Writer): Declare => {
  const used = new Map<string, number>();
  return (kind, stem, type) => {
    const count = (used.get(stem) ?? 0) + 1;
    used.set(stem, count);
    const name = `${stem}_${w.id}${count > 1 ? `_${count}` : ''}`;
    const quantified = w.run ? (kind === 'Variable' ? `nat -> ${type}` : `forall k, ${type}`) : type;
    w.line(`${kind} ${name} : ${quantified}.`);
    return applied(w, name);
  };
};

export const nat = (w: Writer, stem: string, value: number | string): string => {
  const name = `${stem}_${w.id}`;
  w.line(`Definition ${name} : nat := ${value}.`);
  return name;
};

/** A fact about natural numbers that computing decides. */
export const equation = (w: Writer, statement: string, stem = 'size'): string => {
  const name = `${stem}_${w.id}`;
  w.line(`Lemma ${name} : ${statement}.`);
  w.line('Proof. by []. Qed.');
  return name;
};

export const signed = (a: Rational): string => (compare(a, ZERO) < 0 ? `(- ${ratio(absolute(a))})` : ratio(a));

/** The space of a layer's output: the names of the input's where the size is the same. */
export const outputSpace = (w: Writer, op: LayerOp, from: Space, before: Shape, after: Shape): Space => {
  if (from.kind === 'image' && after.length === 1)
    return { kind: 'features', n: nat(w, 'n', `(${from.c} * ${from.h} * ${from.w})%N`) };
  if (from.kind === 'features') return { kind: 'features', n: before[0] === after[0] ? from.n : nat(w, 'n', after[0]) };
  const c = before[0] === after[0] ? from.c : nat(w, 'c', after[0]);
  const side = (axis: 1 | 2, name: string, stem: string): string =>
    op.kind === 'avgpool' && isBlockAverage(op)
      ? nat(w, stem, `(${name} %/ ${op.size[axis - 1]})%N`)
      : before[axis] === after[axis]
        ? name
        : nat(w, stem, after[axis]);
  return { kind: 'image', c, h: side(1, from.h, 'h'), w: side(2, from.w, 'w') };
};
