/** Statements about images: convolutions of every geometry, and the moves of pixels into channels and back. */
import { type ConvMap, circularFault, leastInputSize, outputSize } from '../../ir/conv-geometry.ts';
import { elements, type Param, type Shape, type Side, type Twist } from '../../ir/network.ts';
import type { Expr, Statement } from '../../parser/ast.ts';
import { operatorBy } from './resolve-contraction.ts';
import {
  byOf,
  type Chain,
  fits,
  imageShape,
  type Made,
  nextPath,
  type Rule,
  uniformBias,
  xavier,
} from './resolve-layers.ts';
import { withStoredWeight } from './resolve-orthogonal.ts';
import { resolveRescaling } from './resolve-rescaling.ts';
import { type Bound, booleanOf, choiceOf, integerOf, pairOf, type Scope } from './resolve-scope.ts';

type Pair = readonly [number, number];

/** Paddings that repeat pixels: a kernel of norm 1 then sees some of them more than once. */
const REPEATING = ['reflect', 'replicate'] as const;
const WORDS = ['same', 'valid', 'circular'] as const;

interface Padding {
  readonly padding: Pair;
  readonly mode: ConvMap['mode'];
  /** Asks for the size of the input over the stride. */
  readonly same: boolean;
  readonly border?: (typeof REPEATING)[number];
}

const NUMBERS = ['a number', '[height, width]'] as const;

/** `padding = …` for a kernel that spans `span` pixels per axis. */
const paddingOf = (given: Option | undefined, span: Pair, stride: Pair): Padding | undefined => {
  // Half of what the kernel reaches over: the size of the image over the stride, for an odd span. An even one has no middle: without a stride and
  // with zeros it gets one line more.
  const half = (up: number): Pair => [
    (span[0] - 1 + (stride[0] === 1 ? up : 0)) >> 1,
    (span[1] - 1 + (stride[1] === 1 ? up : 0)) >> 1,
  ];
  if (given === undefined) return { padding: half(1), mode: 'zeros', same: true };
  const { expr: e, scope } = given;
  if (e.kind === 'string') return choiceOf(scope, e, '`padding`', WORDS, NUMBERS) as undefined;
  if (e.kind !== 'name') {
    const padding = pairOf(scope, e, '`padding`', 0);
    return padding && { padding, mode: 'zeros', same: false };
  }
  // Refused later, with numbers.
  const border = REPEATING.find(r => r === e.name);
  if (border) return { padding: half(1), mode: 'zeros', same: true, border };
  // Any other name is a number that a parameter of the network or an enclosing block holds.
  if (!WORDS.some(w => w === e.name) && scope.values.has(e.name)) {
    const padding = pairOf(scope, e, '`padding`', 0);
    return padding && { padding, mode: 'zeros', same: false };
  }
  const word = choiceOf(scope, e, '`padding`', WORDS, NUMBERS);
  switch (word) {
    case undefined:
      return undefined;
    case 'same':
      return { padding: half(1), mode: 'zeros', same: true };
    case 'valid':
      return { padding: [0, 0], mode: 'zeros', same: false };
    case 'circular':
      return { padding: half(0), mode: 'circular', same: true };
    default:
      return word satisfies never;
  }
};

/** What stands for an option, and the names in it. */
export interface Option {
  readonly expr: Expr;
  readonly scope: Scope;
}

export type Geometry = Omit<ConvMap, 'kind' | 'out' | 'in' | 'weight'> & Padding;

/** Options of a convolution but its channels; undefined after a report. */
export const geometryOf = (option: (name: string) => Option | undefined): Geometry | undefined => {
  const pair = (name: string, standard: number): Pair | undefined => {
    const e = option(name);
    return e ? pairOf(e.scope, e.expr, `\`${name}\``) : [standard, standard];
  };
  const kernel = pair('kernel', 3);
  const stride = pair('stride', 1);
  const dilation = pair('dilation', 1);
  const groupsOption = option('groups');
  const groups = groupsOption ? integerOf(groupsOption.scope, groupsOption.expr, '`groups`') : 1;
  if (!kernel || !stride || !dilation || groups === undefined) return undefined;
  const span = [dilation[0] * (kernel[0] - 1) + 1, dilation[1] * (kernel[1] - 1) + 1] as const;
  const padding = paddingOf(option('padding'), span, stride);
  return padding && { kernel, stride, dilation, groups, ...padding };
};

/** False after reporting channels that `groups` does not divide. */
export const groupsDivide = (option: Option | undefined, groups: number, input: number, out: number): boolean => {
  const bad = [input, out].find(n => n % groups !== 0);
  if (bad === undefined || !option) return true;
  option.scope.report(
    'L0125',
    option.expr.span,
    `\`groups = ${groups}\` does not divide ${bad} channels`,
    `choose a divisor of both ${input} and ${out}`,
  );
  return false;
};

const geometryWord = (args: Bound): (typeof REPEATING)[number] | undefined => {
  const e = args.get('padding');
  return e?.kind === 'name' ? REPEATING.find(r => r === e.name) : undefined;
};

export const misfit = (map: ConvMap, [height, width]: Pair): string =>
  `a ${map.kernel.join('×')} kernel${map.dilation.some(d => d > 1) ? ` with dilation ${map.dilation.join(', ')}` : ''} does not fit into ${height}×${width} with padding ${map.padding.join(', ')}`;

/** `transposed conv`: its map goes from the image that it makes to the one that it reads. */
const transposed = (chain: Chain, st: Statement, args: Bound): Made | undefined => {
  const { scope } = chain;
  if (geometryWord(args) !== undefined)
    return scope.report(
      'L0132',
      args.get('padding')!.span,
      'a transposed convolution makes its image: there is no border to repeat',
      'leave `padding` out, or give the number of rows and columns to cut off',
    );
  const what = '`transposed conv`';
  const given = integerOf(scope, args.get('out')!, `the number of channels of ${what}`);
  const option = (name: string): Option | undefined => {
    const expr = args.get(name);
    return expr && { expr, scope };
  };
  const geometry = geometryOf(option);
  const made = given ?? 1;
  const input = imageShape(chain, st, what);
  const path = nextPath(chain, 'conv');
  if (!geometry) return undefined;
  const { same, border: _, ...rest } = geometry;
  const { kernel, groups } = rest;
  const image: readonly [number, number, number] = input ?? [groups, ...kernel];
  const [out, height, width] = image;
  if (given !== undefined && input && !groupsDivide(option('groups'), groups, out, made)) return undefined;
  const shape = [out, Math.max(1, Math.floor(made / groups)), ...kernel];
  if (!fits(chain, st.span, 'the kernel', shape)) return undefined;
  const taps = kernel[0] * kernel[1];
  const weight: Param = {
    path: `${path}.W`,
    shape,
    init: xavier((made * taps) / groups, (out * taps) / groups),
  };
  const map: ConvMap = { kind: 'conv', out, in: made, ...rest, weight };
  const size = enlarged(map, [height, width], same);
  if (size[0] < 1 || size[1] < 1)
    return scope.report(
      'L0121',
      (args.get('kernel') ?? st.name).span,
      misfit(map, [height, width]),
      'use less padding',
    );
  const fault = circularFault(map, size);
  if (fault) return scope.report('L0133', args.get('padding')!.span, fault.message, fault.help);
  const output: Shape = [made, ...size];
  if (!fits(chain, st.span, 'the image', output)) return undefined;
  const op = transposedOp(chain, st, args, path, map, image, output);
  return op && input && given !== undefined ? { ...op, shape: output, path } : undefined;
};

/** Bias, side and rescaling of a transposed convolution from `input` to `output`. */
const transposedOp = (
  chain: Chain,
  st: Statement,
  args: Bound,
  path: string,
  map: ConvMap,
  input: Shape,
  output: Shape,
): Pick<Made, 'op' | 'twist'> | undefined => {
  const { scope } = chain;
  const biasExpr = args.get('bias');
  const bias = biasExpr ? booleanOf(scope, biasExpr, '`bias`') : true;
  const sideExpr = args.get('side');
  const side: Side | undefined = sideExpr ? choiceOf(scope, sideExpr, '`side`', ['in', 'out'] as const) : 'in';
  const by = byOf(chain, st);
  if (!by || bias === undefined || !side) return undefined;
  let twist: Twist | undefined;
  const rescaling = resolveRescaling(scope, by, {
    path,
    map,
    form: 'linear',
    side: side === 'in' ? 'out' : 'in',
    input: output,
    output: input,
    taken: ['W', 'b'],
    twisted: t => {
      twist = t;
    },
  });
  if (!rescaling) return undefined;
  const b = bias ? { bias: uniformBias(path, map.in, elements(map.weight.shape.slice(1))) } : {};
  return {
    op: { kind: 'linear', adjoint: true, map: withStoredWeight(map, rescaling), side, rescaling, ...b },
    ...(twist ? { twist } : {}),
  };
};

/** Height and width of what a transposed convolution makes: the stride times as many where its map takes them back, else the fewest. */
const enlarged = (map: ConvMap, size: Pair, same: boolean): Pair => {
  const wide: Pair = [size[0] * map.stride[0], size[1] * map.stride[1]];
  const back = outputSize(map, wide);
  return same && back[0] === size[0] && back[1] === size[1] ? wide : leastInputSize(map, size);
};

const reindex = (kind: 'space_to_depth' | 'depth_to_space'): Rule => ({
  signature: { positional: ['block'], required: ['block'] },
  apply: (chain, st, args) => {
    const e = args.get('block')!;
    const block = pairOf(chain.scope, e, `the block of \`${kind}\``);
    const input = imageShape(chain, st, `\`${kind}\``);
    if (!block || !input) return undefined;
    const [channels, height, width] = input;
    const [bh, bw] = block;
    const area = bh * bw;
    if (kind === 'space_to_depth' && (height % bh !== 0 || width % bw !== 0))
      return chain.scope.report(
        'L0123',
        e.span,
        `blocks of ${bh}×${bw} do not tile an image of ${height}×${width}`,
        'choose a divisor of the height and of the width',
      );
    if (kind === 'depth_to_space' && channels % area !== 0)
      return chain.scope.report(
        'L0125',
        e.span,
        `${channels} channels do not make whole blocks of ${bh}×${bw} pixels`,
        `the number of channels must be a multiple of ${area}`,
      );
    const shape =
      kind === 'space_to_depth'
        ? [channels * area, height / bh, width / bw]
        : [channels / area, height * bh, width * bw];
    if (!fits(chain, st.span, 'the image', shape)) return undefined;
    return { op: { kind, block }, shape, path: nextPath(chain, kind) };
  },
});

/** What a convolution has besides its channels. */
export const CONV_OPTIONS = ['kernel', 'stride', 'padding', 'dilation', 'groups'];

/** The operators of `by fourier(…)` and its like have no transposed form. */
const apply: Rule['apply'] = (chain, st, args) => {
  const operator = operatorBy(st.clauses.find(c => c.word === 'by')?.value ?? chain.defaultBy);
  return operator
    ? chain.scope.report(
        'L0128',
        operator.span,
        `a layer \`by ${operator.method}\` has no transposed form`,
        'use aol, sll, spectral or orthogonal',
      )
    : transposed(chain, st, args);
};

export const IMAGE_RULES: Readonly<Record<string, Rule>> = {
  /** `transposed conv`; the others are definitions of the library. */
  conv: {
    signature: { positional: ['out'], options: [...CONV_OPTIONS, 'bias', 'side'], required: ['out'] },
    clauses: ['by'],
    apply,
  },
  space_to_depth: reindex('space_to_depth'),
  depth_to_space: reindex('depth_to_space'),
};
