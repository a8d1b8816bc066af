/** Activations that have parameters, or make more channels than they get: statements of their own, never inside a residual. */
import type { Activation, Param, Twist } from '../../ir/network.ts';
import type { Statement } from '../../parser/ast.ts';
import { type Chain, fits, nextPath, type Rule } from './resolve-layers.ts';
import { choiceOf, integerOf } from './resolve-scope.ts';

/** False after reporting an odd number of channels. */
const even = (chain: Chain, st: Statement, channels: number): boolean => {
  if (channels % 2 === 0) return true;
  chain.scope.report(
    'L0125',
    st.span,
    `\`${st.name.text}\` pairs the first half of the channels with the second, but there are ${channels}`,
    `write \`pad ${chain.shape?.length === 3 ? 'channels' : 'features'} to ${channels + 1}\` before it`,
  );
  return false;
};

const angles = (path: string, pairs: number, value: number): Param => ({
  path,
  shape: [pairs],
  init: { kind: 'constant', value },
});

const householder: Rule = {
  signature: { options: ['order', 'sectors'] },
  apply: (chain, st, args) => {
    const e = args.get('order');
    const order = e ? integerOf(chain.scope, e, '`order`', 1, 2) : 1;
    const how = args.get('sectors');
    const sectors = how ? choiceOf(chain.scope, how, '`sectors`', ['products', 'angle'] as const) : 'products';
    const { shape } = chain;
    if (!sectors || order === undefined || !shape || !even(chain, st, shape[0])) return undefined;
    const path = nextPath(chain, 'householder');
    const pairs = shape[0] / 2;
    // θ = π/2 is MinMax; of order 2, (0, π/2, π/2) has four sectors of equal sizes.
    const act: Activation =
      order === 1
        ? { kind: 'householder', theta: angles(`${path}.theta`, pairs, Math.PI / 2) }
        : {
            kind: 'householder2',
            theta: [
              angles(`${path}.theta0`, pairs, 0),
              angles(`${path}.theta1`, pairs, Math.PI / 2),
              angles(`${path}.theta2`, pairs, Math.PI / 2),
            ],
          };
    const twist: Twist | undefined =
      sectors === 'angle' && order === 2 ? { kind: 'angle', span: how!.span } : undefined;
    return { op: { kind: 'activation', act }, shape, path, ...(twist ? { twist } : {}) };
  },
};

const prelu: Rule = {
  signature: {},
  apply: chain => {
    if (!chain.shape) return undefined;
    const path = nextPath(chain, 'prelu');
    const slope: Param = { path: `${path}.slope`, shape: [chain.shape[0]], init: { kind: 'constant', value: 1 / 4 } };
    return { op: { kind: 'activation', act: { kind: 'prelu', slope } }, shape: chain.shape, path };
  },
};

const crelu: Rule = {
  signature: {},
  apply: (chain, st) => {
    if (!chain.shape) return undefined;
    const [channels, ...rest] = chain.shape;
    const shape = [2 * channels, ...rest];
    if (!fits(chain, st.span, 'the result', shape)) return undefined;
    return { op: { kind: 'activation', act: { kind: 'crelu' } }, shape, path: nextPath(chain, 'crelu') };
  },
};

export const ACTIVATION_RULES: Readonly<Record<string, Rule>> = { householder, prelu, crelu };
