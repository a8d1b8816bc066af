/** What every kind of layer says of itself, and what its emitted tensors are held against. */
import { abs, atMost, fromFloat, most, mul, need, ONE, type Q, scaled, square, sub } from './numbers.ts';
import type { Bound } from './values.ts';
import type { LinearMap, Mode, Shape } from './weight.ts';

/** The emitted tensors of one layer, and its derivation of dominance. */
export interface Emitted {
  /** Each may be asked for once, and all must be. */
  readonly tensor: (name: string, shape: Shape) => Float32Array;
  readonly has: (name: string) => boolean;
  readonly dominance: unknown;
  readonly mode: Mode;
}

export interface Made {
  readonly output: Shape;
  readonly rule: string;
  readonly constants?: Readonly<Record<string, Q>>;
  /** The weight, where a derivation that a diagonal dominates its Gram matrix is the rule's premise. */
  readonly map?: LinearMap;
  /** Whether the emitted tensors need such a derivation. */
  readonly dominated?: boolean;
  /** For all weights: the layer's own squared bound, or its bound from those of several inputs. */
  readonly bound: Q | Bound;
  /** Of the emitted tensors, where that is not the same. */
  readonly emitted?: (e: Emitted) => Q | Bound;
  readonly slice?: readonly [start: number, end: number];
}

export interface Layer extends Made {
  readonly path: string;
  readonly kind: string;
  /** 0 is the network's input, n the value of the nth layer. */
  readonly inputs: readonly number[];
}

/** The emitted tensor is the exact numbers, each rounded to f32. */
export const rounded = (data: Float32Array, exact: readonly Q[], share = scaled(1n, -23)): Q[] =>
  Array.from(data, fromFloat).map((v, i) => {
    need(
      atMost(abs(sub(v, exact[i])), mul(abs(exact[i]), share)),
      `an emitted number is not the ${i + 1}. of its layer`,
    );
    return v;
  });
/** A number that f32 rounding alone can have made of 1. */
export const nearOne = (v: Q, where: string): Q => {
  need(atMost(abs(sub(v, ONE)), scaled(1n, -21)), `${where}: its multiplier is not the layer's`);
  return v;
};
/** The square of an emitted number. */
export const scalar = (e: Emitted, name: string): Q => square(fromFloat(e.tensor(name, [1])[0]));
export const isometry = (rule: string, output: Shape): Made => ({ output, rule, bound: ONE });
export const biased = (e: Emitted, n: number): void => {
  if (e.has('b')) e.tensor('b', [n]);
};
export const steepest = (slopes: readonly Q[]): Q => square(most(slopes.map(abs)));

/** h·x ∓ Wᵀ(t ⊙ σ(Wx + b)) with σ slope[0, 1]: differences pass through h·I − WᵀDW, whose eigenvalues lie between h and h − c, c = ±max t_i T_i. */
export const between = (h: Q, c: Q): Q => most([square(h), square(sub(h, c))]);
