/** Activations as they are written in the language. */
import type { Activation } from './network.ts';
import { format } from './rational.ts';

export const printActivation = (act: Activation): string => {
  switch (act.kind) {
    case 'relu':
    case 'tanh':
    case 'sigmoid':
    case 'abs':
      return act.kind;
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
