/** Activations as they are written in the language. */
import type { Activation } from './network.ts';
import { format } from './rational.ts';

export const printActivation = (act: Activation): string => {
  switch (act.kind) {
    case 'relu':
    case 'tanh':
    case 'sigmoid':
    case 'abs':
    case 'halfabs':
    case 'rabs':
    case 'crelu':
    case 'prelu':
    case 'householder':
      return act.kind;
    case 'householder2':
      return 'householder(order = 2)';
    case 'leaky_relu':
      return `leaky_relu(${format(act.slope)})`;
    case 'maxmin':
      return act.pairs === 'adjacent' ? 'maxmin' : 'maxmin(pairs = halves)';
    case 'groupsort':
      return `groupsort(${act.group})`;
    default:
      return act satisfies never;
  }
};
