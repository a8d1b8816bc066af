/** Activations: which they are, and how steep, for all weights and as emitted. */
import { between, type Emitted, type Made, nearOne, rounded, scalar, steepest } from './made.ts';
import { add, atMost, fromFloat, most, mul, need, ONE, parseQ, type Q, q, refuse, square, ZERO } from './numbers.ts';
import { lookUp, oneOf, read, text, whole } from './read.ts';

/** Slope intervals of elementwise functions: every difference quotient lies in [low, high]. */
const SLOPES: Readonly<Record<string, readonly [low: Q, high: Q]>> = {
  relu: [ZERO, ONE],
  tanh: [ZERO, ONE],
  sigmoid: [ZERO, q(1, 4n)],
  abs: [q(-1), ONE],
};
const slopesOf = (a: Q): readonly [low: Q, high: Q] => (atMost(a, ONE) ? [a, ONE] : [ONE, a]);

interface Activation {
  readonly slopes?: readonly [low: Q, high: Q];
  readonly channels?: number;
  readonly made: Omit<Made, 'output'>;
}

/** An elementwise function; with `rule` channelwise, one for each channel. */
const sloped = (slopes: readonly [Q, Q], emitted?: (e: Emitted) => Q, rule = 'elementwise'): Activation => ({
  slopes,
  made: {
    rule,
    constants: { low: slopes[0], high: slopes[1] },
    bound: steepest(slopes),
    ...(emitted ? { emitted } : {}),
  },
});
const channelwise = (emitted?: (e: Emitted) => Q): Activation => ({
  made: sloped([q(-1), ONE], emitted, 'channelwise').made,
});
const sorted = (group: number): Activation => ({ made: { rule: 'sort', constants: { group: q(group) }, bound: ONE } });
const FUNCTION = { function: text };
const TRAINED = { ...FUNCTION, weight: text };
const halves = (channels: number, where: string): number =>
  channels % 2 === 0 ? channels / 2 : refuse(`${where}: ${channels} channels have no halves`);
/** Differences pass through I − 2d·vvᵀ, 0 ≤ d ≤ 1, on each pair: v [2, pairs]. */
const reflections = (v: Float32Array): Q => {
  const [p, r] = [v.slice(0, v.length / 2), v.slice(v.length / 2)].map(half => Array.from(half, fromFloat));
  return between(ONE, mul(q(2), most(p.map((x, i) => add(square(x), square(r[i]))))));
};

/** Activations on `channels` channels that are more than a name. */
const ACTIVATIONS: Readonly<Record<string, (value: unknown, where: string, channels: number) => Activation>> = {
  maxmin: (value, where, channels) => {
    const { pairs } = read(value, where, { ...FUNCTION, pairs: oneOf('adjacent', 'halves') });
    if (pairs === 'halves') halves(channels, where);
    return sorted(2);
  },
  groupsort: (value, where, channels) => {
    const { group } = read(value, where, { ...FUNCTION, group: whole(1) });
    need(channels % group === 0, `${where}: groups of ${group} do not divide ${channels} channels`);
    return sorted(group);
  },
  leaky_relu: (value, where) => {
    const { slope } = read(value, where, { ...FUNCTION, slope: parseQ });
    return sloped(slopesOf(slope), e => steepest(slopesOf(rounded(e.tensor('a', [1]), [slope])[0])));
  },
  prelu: (value, where, channels) => {
    read(value, where, TRAINED);
    return channelwise(e => steepest([ONE, ...Array.from(e.tensor('a', [channels]), fromFloat)]));
  },
  halfabs: (value, where) => {
    read(value, where, FUNCTION);
    return channelwise();
  },
  rabs: (value, where, channels) => {
    read(value, where, FUNCTION);
    halves(channels, where);
    // Twice the square of what (p ± q) is multiplied with.
    return { made: { rule: 'rotate-halves', bound: ONE, emitted: e => nearOne(mul(q(2), scalar(e, 'm')), where) } };
  },
  crelu: (value, where, channels) => {
    read(value, where, FUNCTION);
    return { channels: 2 * channels, made: { rule: 'concatenated-relu', bound: ONE } };
  },
  householder: (value, where, channels) => {
    read(value, where, TRAINED);
    const pairs = halves(channels, where);
    const made = { rule: 'householder-activation', constants: { order: ONE }, bound: ONE };
    return { made: { ...made, emitted: e => reflections(e.tensor('v', [2, pairs])) } };
  },
  householder2: (value, where, channels) => {
    read(value, where, TRAINED);
    halves(channels, where);
    const made = { rule: 'householder-activation', constants: { order: q(2) }, bound: ONE };
    return { made: { ...made, emitted: () => refuse(`${where}: rounded sectors of order 2 are not continuous`) } };
  },
};

/** Reads an activation on `channels` channels. */
export const activation = (value: unknown, where: string, channels: number): Activation => {
  const name = (value as { function?: unknown } | null)?.function;
  if (typeof name === 'string' && Object.hasOwn(ACTIVATIONS, name)) return ACTIVATIONS[name](value, where, channels);
  read(value, where, FUNCTION);
  return sloped(lookUp(SLOPES, name, 'activation'));
};
/** Reads the activation inside a residual or sandwich layer. */
export const inside = (value: unknown, where: string, channels: number): readonly [low: Q, high: Q] => {
  const { slopes } = activation(value, where, channels);
  return slopes && atMost(ZERO, slopes[0]) && atMost(slopes[1], ONE)
    ? slopes
    : refuse(`${where}: the activation inside must have slope in [0, 1]`);
};
