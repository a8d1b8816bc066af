/** What the rules of `proof/rules.ts` know of activations, for built-in layers and formulas alike. */
import type { Activation } from '../ir/network.ts';
import { rational } from '../ir/rational.ts';
import { apply, type Derivation } from '../proof/rules.ts';

/** What is known of an activation's slope; undefined for those that are not elementwise. */
export const proveSlope = (act: Activation): Derivation | undefined => {
  switch (act.kind) {
    case 'relu':
    case 'tanh':
    case 'sigmoid':
    case 'abs':
      return apply('slope', act.kind, [], {}, { function: act.kind });
    case 'leaky_relu':
      return apply('slope', act.kind, [], { a: act.slope }, { function: act.kind });
    case 'maxmin':
    case 'groupsort':
      return undefined;
    default:
      return act satisfies never;
  }
};

/** The activation alone, as a map between vectors: its slope, or sorting for those that are not elementwise. */
export const proveActivation = (act: Activation, path: string): Derivation => {
  switch (act.kind) {
    case 'relu':
    case 'tanh':
    case 'sigmoid':
    case 'abs':
    case 'leaky_relu':
      return apply('elementwise', path, [proveSlope(act)!]);
    case 'maxmin':
      return apply('sort', path, [], { group: rational(2) }, { pairs: act.pairs });
    case 'groupsort':
      return apply('sort', path, [], { group: rational(act.group) });
    default:
      return act satisfies never;
  }
};
