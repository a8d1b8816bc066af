/** Smaller instances of layers, for searches that need not be done at full size. */
import { circularFault, leastInputSize, outputShape, outputSize } from '../../ir/conv-geometry.ts';
import type { Activation, Layer, LinearMap, Param, Shape, ValueId } from '../../ir/network.ts';
import { makesKernel, matrixSides, storedShape } from '../../ir/orthogonal.ts';
import { pooledShape } from '../../ir/window.ts';

/** Layers with the shape of their input. */
export interface Instance {
  readonly input: Shape;
  readonly layers: readonly Layer[];
}

/** Widths and heights up to these stay as they are. */
const FULL = { dense: 32, conv: 8, image: 8 } as const;
/** What larger ones become. */
const SMALL = { dense: 8, conv: 4, image: 5 } as const;

const greatest = (a: number, b: number): number => (b === 0 ? a : greatest(b, a % b));

type Visit = (node: Readonly<Record<string, unknown>>) => unknown;

/** Rebuilds a tree of plain objects; where `visit` returns something, that stands in place of the node. */
const rebuild = (value: unknown, visit: Visit): unknown => {
  if (Array.isArray(value)) return value.map(v => rebuild(v, visit));
  if (typeof value !== 'object' || value === null) return value;
  const node = value as Readonly<Record<string, unknown>>;
  return visit(node) ?? Object.fromEntries(Object.entries(node).map(([k, v]) => [k, rebuild(v, visit)]));
};

const isParam = (node: object): node is Param => 'path' in node && 'shape' in node && 'init' in node;
const isMap = (node: object): node is LinearMap => 'weight' in node && 'in' in node && 'out' in node;
const isGroupSort = (node: object): node is Extract<Activation, { kind: 'groupsort' }> =>
  'kind' in node && node.kind === 'groupsort';

/** The parameters q of exp(q) in the layers. */
export const exponentsOf = (layers: readonly Layer[]): ReadonlySet<string> => {
  const found = new Set<string>();
  rebuild(layers, node => {
    if (typeof node.q === 'object' && node.q !== null && isParam(node.q)) found.add(node.q.path);
    return undefined;
  });
  return found;
};

/** Activations that pair the first half of the channels with the second. */
const PAIRED: readonly Activation['kind'][] = ['halfabs', 'rabs', 'householder', 'householder2'];

/** One angle a pair of channels. */
const pairedAngles = (act: Activation, pairs: number): Activation => {
  const resize = (p: Param): Param => ({ ...p, shape: [pairs] });
  switch (act.kind) {
    case 'householder':
      return { ...act, theta: resize(act.theta) };
    case 'householder2': {
      const [t0, t1, t2] = act.theta;
      return { ...act, theta: [resize(t0), resize(t1), resize(t2)] };
    }
    default:
      return act;
  }
};

/** Chains longer than this lose repetitions. */
const LONG = 16;

/** Residual layers of statements that were met before: with weights 0 they would be the identity. */
const repeatsOf = (layers: readonly Layer[]): ReadonlySet<Layer> => {
  if (layers.length <= LONG) return new Set();
  const seen = new Set<number>();
  return new Set(
    layers.filter(({ op, span }) => {
      const again = op.kind === 'residual' && seen.has(span.start);
      if (op.kind === 'residual') seen.add(span.start);
      return again;
    }),
  );
};

/** What an image's height and width should be a multiple of, for a layer's sake. */
const blockOf = (op: Layer['op']): number => {
  switch (op.kind) {
    case 'avgpool':
    case 'maxpool':
    case 'l2pool':
      return Math.max(...op.size);
    case 'space_to_depth':
      return Math.max(...op.block);
    case 'linear':
    case 'residual':
      return op.map.kind === 'conv' && !('adjoint' in op) ? Math.max(...op.map.stride) : 1;
    default:
      return 1;
  }
};

/** The shape that a linear layer makes of the narrowed `shape`, where it made `outer` of `full`. */
const mapped = (op: Extract<Layer['op'], { kind: 'linear' }>, shape: Shape, full: Shape, outer: Shape): Shape => {
  const { map } = op;
  if (!op.adjoint || map.kind === 'dense') return outputShape(map, shape);
  const least = leastInputSize(map, [shape[1], shape[2]]);
  const leastOuter = leastInputSize(map, [full[1], full[2]]);
  return [map.in, ...least.map((n, i) => n + outer[1 + i] - leastOuter[i])];
};

const convFits = (map: LinearMap, image: Shape): boolean => {
  if (map.kind === 'dense') return true;
  const size = [image[1], image[2]] as const;
  return outputSize(map, size).every(n => n >= 1) && circularFault(map, size) === undefined;
};

/** The layer with what its orthogonal weight is made of in the size that belongs to it; undefined for a kernel of two parts. */
const madeOf = (op: Layer['op']): Layer['op'] | undefined => {
  if ((op.kind !== 'linear' && op.kind !== 'residual') || op.rescaling.by !== 'orthogonal') return op;
  const { map } = op;
  let { method } = op.rescaling;
  if (method.family === 'aoc' && method.last) return undefined;
  const longest = Math.max(...matrixSides(map));
  if (!makesKernel(method) && method.family !== 'bro') return op;
  if (method.family === 'bro') method = { ...method, rank: Math.min(method.rank, longest) };
  const weight: Param = { ...map.weight, shape: storedShape(map, method) };
  return { ...op, map: { ...map, weight }, rescaling: { by: 'orthogonal', method } };
};

const reindexed = (
  { kind, block: [bh, bw] }: Extract<Layer['op'], { kind: 'space_to_depth' | 'depth_to_space' }>,
  [c, h, w]: Shape,
): Shape => (kind === 'space_to_depth' ? [c * bh * bw, h / bh, w / bw] : [c / (bh * bw), h * bh, w * bw]);

/**
 * The same layers with fewer repetitions, features, channels and pixels, where they have many. Equal sizes stay equal and groups
 * whole, so the result is as well-typed as the original; undefined where it would not be.
 */
export const shrink = (whole: Instance): Instance | undefined => {
  let unit = 2;
  let widest = 1;
  rebuild(whole.layers, node => {
    if (isGroupSort(node)) unit = (unit * node.group) / greatest(unit, node.group);
    if (Array.isArray(node.kernel)) widest = Math.max(widest, ...(node.kernel as readonly number[]));
    return undefined;
  });
  const form = whole.input.length === 3 ? 'conv' : 'dense';
  const narrow = (kind: 'conv' | 'dense', n: number): number =>
    n <= FULL[kind] ? n : Math.min(n, Math.max(unit, SMALL[kind] - (SMALL[kind] % unit)));
  // Groups of channels keep their sizes only where no channel is lost.
  if (whole.layers.some(({ op }) => 'map' in op && op.map.kind === 'conv' && op.map.groups > 1)) return undefined;
  const pooled = whole.layers.reduce((p, { op }) => p * blockOf(op), 1);
  // A wide kernel needs an image that shows more than its middle.
  const small = widest <= SMALL.image ? SMALL.image : 2 * widest - 2;
  const narrowImage = (n: number): number =>
    n <= Math.max(FULL.image, small, pooled) ? n : Math.max(pooled, small - (small % pooled));
  const input: Shape =
    form === 'conv'
      ? [narrow('conv', whole.input[0]), narrowImage(whole.input[1]), narrowImage(whole.input[2])]
      : [narrow('dense', whole.input[0])];
  /** By their numbers in the network: the number here, the shape, and what it is the small form of. */
  const values = new Map<ValueId, { readonly id: ValueId; readonly shape: Shape; readonly full: Shape }>();
  const repeats = repeatsOf(whole.layers);
  const layers: Layer[] = [];
  for (const layer of whole.layers) {
    // What no layer here makes is the input.
    const operands = layer.inputs.map(id => values.get(id) ?? { id, shape: input, full: whole.input });
    if (repeats.has(layer)) {
      values.set(layer.id, operands[0]);
      continue;
    }
    const [{ full }] = operands;
    let { shape } = operands[0];
    const kind = full.length === 3 ? 'conv' : 'dense';
    const [from, to] = [full[0], shape[0]];
    const size = (n: number): number => (n === from ? to : narrow(kind, n));
    const resizeParam = (p: Param): Param => ({
      ...p,
      shape: p.shape.map((n, axis) => (axis < 2 ? size(n) : n)),
    });
    const resized = rebuild(layer.op, node => {
      if (isParam(node)) return resizeParam(node);
      if (isMap(node)) return { ...node, in: size(node.in), out: size(node.out), weight: resizeParam(node.weight) };
      // Exact numbers.
      return 'num' in node ? node : undefined;
    }) as Layer['op'];
    const op = madeOf(resized);
    if (!op) return undefined;
    const outer = layer.shape;
    const before = shape;
    switch (op.kind) {
      case 'linear':
        shape = mapped(op, before, full, outer);
        if (!convFits(op.map, op.adjoint ? shape : before) || shape.some(n => n < 1)) return undefined;
        break;
      case 'formula':
        // The map may change the number of channels, never that of pixels.
        if (outer.length !== full.length || outer.slice(1).some((n, i) => n !== full[i + 1])) return undefined;
        shape = [size(outer[0]), ...shape.slice(1)];
        break;
      // The size of the weight is no product of those of input and output.
      case 'contraction':
      case 'sandwich':
        return undefined;
      case 'avgpool':
      case 'maxpool':
      case 'l2pool':
        if (layer.twist) return undefined;
        shape = pooledShape(shape, op);
        if (shape.some(n => n < 1)) return undefined;
        break;
      case 'tile':
        shape = [shape[0] * op.times, ...shape.slice(1)];
        break;
      case 'flatten':
        shape = [shape.reduce((p, n) => p * n, 1)];
        break;
      case 'pad':
        shape = [Math.max(shape[0], size(op.to)), ...shape.slice(1)];
        break;
      case 'space_to_depth':
      case 'depth_to_space':
        shape = reindexed(op, before);
        if (!shape.every(n => Number.isInteger(n))) return undefined;
        break;
      case 'residual':
        if (!convFits(op.map, before)) return undefined;
        break;
      case 'center':
      case 'translate':
      case 'scale':
      case 'gain':
      case 'batchcenter':
      case 'layercenter':
        break;
      case 'activation':
        if (PAIRED.includes(op.act.kind) && shape[0] % 2 !== 0) return undefined;
        if (op.act.kind === 'crelu') shape = [2 * shape[0], ...shape.slice(1)];
        break;
      case 'slice':
        // The first of fewer channels are fewer; parts further on would have to stay beside each other.
        if (before[0] !== full[0] && op.start !== 0) return undefined;
        shape = [before[0] === full[0] ? op.length : Math.min(before[0], size(op.length)), ...before.slice(1)];
        break;
      case 'concat':
        if (operands.some(x => `${x.shape.slice(1)}` !== `${before.slice(1)}`)) return undefined;
        shape = [operands.reduce((sum, x) => sum + x.shape[0], 0), ...before.slice(1)];
        break;
      case 'sum':
      case 'mix':
      case 'maximum':
        if (operands.some(x => `${x.shape}` !== `${before}`)) return undefined;
        break;
      case 'head':
        return undefined;
      default:
        return op satisfies never;
    }
    const channels = shape[0];
    const fitted: Layer['op'] =
      op.kind === 'center'
        ? { ...op, offset: op.offset.slice(0, channels) }
        : op.kind === 'scale'
          ? { ...op, divisor: op.divisor.slice(0, channels) }
          : op.kind === 'pad'
            ? { ...op, to: channels }
            : op.kind === 'slice'
              ? { ...op, length: channels }
              : op.kind === 'activation'
                ? { ...op, act: pairedAngles(op.act, channels / 2) }
                : op;
    values.set(layer.id, { id: layer.id, shape, full: outer });
    layers.push({ ...layer, inputs: operands.map(x => x.id), op: fitted, shape });
  }
  return { input, layers };
};
