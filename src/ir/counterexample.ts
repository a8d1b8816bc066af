/** Weights and two inputs that are farther apart behind a layer than in front of it: why a layer is refused, in numbers. */
import type { Shape } from './network.ts';

export interface Counterexample {
  readonly network: string;
  /** The layers of f, in order: the refused one, or all up to the head where the composed bound is too large. */
  readonly layers: readonly string[];
  /** What ‖f(x) − f(y)‖ / ‖x − y‖ would have to stay below for the budget to hold. */
  readonly allowed: number;
  /** ‖f(x) − f(y)‖ / ‖x − y‖, computed in float64. */
  readonly ratio: number;
  /** The shape of x, y as the program has it, where the numbers are for a smaller instance of the same layers. */
  readonly shrunkFrom?: Shape;
  readonly inputShape: Shape;
  readonly params: readonly {
    readonly path: string;
    readonly shape: readonly number[];
    readonly values: readonly number[];
  }[];
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly fx: readonly number[];
  readonly fy: readonly number[];
}
