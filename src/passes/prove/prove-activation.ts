/** What the rules of `proof/rules.ts` know of activations, for built-in layers and formulas alike. */
import type { Activation } from '../../ir/network.ts';
import { rational } from '../../ir/rational.ts';
import { apply, type Derivation } from '../../proof/rules.ts';

/** What is known of an activation's slope; undefined for those that are not one function of every entry. */
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
    case 'halfabs':
    case 'rabs':
    case 'crelu':
    case 'prelu':
    case 'householder':
    case 'householder2':
      return undefined;
    default:
      return act satisfies never;
  }
};

/** The activation alone, as a map between vectors: by its slope, or by a rule of its own for those that are not elementwise. */
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
    case 'halfabs':
    case 'prelu':
      return apply('channelwise', path, [apply('slope', act.kind, [], {}, { function: act.kind })]);
    case 'rabs':
      return apply('compose', path, [
        apply('elementwise', path, [proveSlope({ kind: 'abs' })!]),
        apply('rotate-halves', path),
      ]);
    case 'crelu':
      return apply('concatenated-relu', path);
    case 'householder':
    case 'householder2':
      return apply('householder-activation', path, [], {}, { order: act.kind === 'householder' ? '1' : '2' });
    default:
      return act satisfies never;
  }
};
