/** What the rules of `proof/rules.ts` know of activations, for built-in layers and formulas alike. */
import { type Activation, isElementwise } from '../../ir/network.ts';
import { rational } from '../../ir/rational.ts';
import { apply, type Derivation } from '../../proof/rules.ts';

/** What is known of an activation's slope; undefined for those that are not one function of every entry. */
export const proveSlope = (act: Activation): Derivation | undefined =>
  isElementwise(act)
    ? apply('slope', act.kind, [], act.kind === 'leaky_relu' ? { a: act.slope } : {}, { function: act.kind })
    : undefined;

/** The activation alone, as a map between vectors: by its slope, or by a rule of its own for those that are not elementwise. */
export const proveActivation = (act: Activation, path: string): Derivation => {
  if (isElementwise(act)) return apply('elementwise', path, [proveSlope(act)!]);
  switch (act.kind) {
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
