/** Every statement of a `network` that is a layer of the compiler's own. */
import { ACTIVATION_RULES } from './resolve-activation.ts';
import { IMAGE_RULES } from './resolve-conv.ts';
import { RULES, type Rule } from './resolve-layers.ts';
import { POOL_RULES } from './resolve-pool.ts';

export const LAYER_STATEMENTS: Readonly<Record<string, Rule>> = {
  ...RULES,
  ...IMAGE_RULES,
  ...POOL_RULES,
  ...ACTIVATION_RULES,
};
