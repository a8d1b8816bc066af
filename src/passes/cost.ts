/** Parameters and floating-point operations of a layer, counted in exact integer arithmetic from shapes alone. */
import { outputSize, overlap, phases, phaseTaps, torusSize } from '../ir/conv-geometry.ts';
import { atomsOf, type DiagExpr, sameExpr, writtenOut } from '../ir/formula.ts';
import {
  type Activation,
  type ContractionMethod,
  elements,
  type Layer,
  type LayerOp,
  type LinearMap,
  layerParams,
  type Rescaling,
  type Shape,
  weightShape,
} from '../ir/network.ts';
import { printOrthogonalCall } from '../ir/orthogonal.ts';
import { ZERO } from '../ir/rational.ts';
import type { GramSide } from '../proof/rules.ts';
import { cayleyCost, gramIterationCost, orthogonalCost } from './cost-orthogonal.ts';

export interface Cost {
  /** Trainable numbers. */
  readonly params: number;
  /** Operations per image; one multiplication and one addition are two. */
  readonly flops: number;
  /** Operations for T (or the orthogonal weight), once a training step, whatever the batch; none for frozen weights. */
  readonly rescalingFlops: number;
}

const rescalingCost = (
  r: Rescaling,
  map: LinearMap,
  side: GramSide,
  image: readonly [number, number],
  result: readonly [number, number],
): number => {
  // Of a convolution the polyphase kernel counts, group by group.
  const groups = map.kind === 'dense' ? 1 : map.groups;
  const taps = map.kind === 'dense' ? 1 : overlap(map);
  const each = map.kind === 'dense' ? 1 : phases(map)[0] * phases(map)[1];
  const [out, columns] = [map.out / groups, (map.in / groups) * each];
  switch (r.by) {
    case 'aol':
    case 'sll': {
      // Each pair of channels meets once for every pair of taps.
      const [kept, summed] = side === 'rows' ? [out, columns] : [columns, out];
      return groups * 2 * kept * kept * summed * taps * taps;
    }
    case 'power': {
      // Gram kernels that double their reach, each the correlation of the one before with itself.
      const [kept, summed] = side === 'rows' ? [out, columns] : [columns, out];
      const reach = map.kind === 'dense' ? [1, 1] : phaseTaps(map);
      let flops = 2 * kept * kept * summed * taps * taps;
      for (let step = 1; step < r.steps; step++) {
        const area = reach.reduce((p, k) => p * (2 ** step * (k - 1) + 1), 1);
        flops += 2 * kept ** 3 * area * area;
      }
      return groups * flops;
    }
    case 'frobenius':
    case 'schur':
      return 2 * elements(map.weight.shape);
    case 'orthogonal':
      return orthogonalCost(map, r.method);
    case 'spectral': {
      const { method } = r;
      if (map.kind === 'dense') return gramIterationCost(map.out, map.in, method.steps);
      switch (method.kind) {
        case 'gram': {
          // The symbol's two parts at every point of half the grid (the rest is conjugate); a complex Gram matrix is three real products.
          const points = method.grid * (Math.floor(method.grid / 2) + 1);
          return points * groups * (4 * out * columns * taps + 3 * gramIterationCost(out, columns, method.steps));
        }
        case 'circulant': {
          const [h, w] = torusSize(map, image);
          const points = h * (Math.floor(w / 2) + 1);
          return points * groups * (4 * out * columns * taps + 3 * gramIterationCost(out, columns, method.steps));
        }
        case 'operator':
          return gramIterationCost(map.out * result[0] * result[1], map.in * image[0] * image[1], method.steps);
        case 'reshaped':
          return groups * gramIterationCost(out, elements(weightShape(map).slice(1)), method.steps);
        default:
          return method satisfies never;
      }
    }
    case 'max':
      return r.of.reduce((s, p) => s + rescalingCost(p, map, side, image, result), 0);
    case 'convex':
      return r.of.reduce((s, p) => s + rescalingCost(p.part, map, side, image, result), 0);
    case 'scaled':
      return rescalingCost(r.of, map, side, image, result);
    default:
      return r satisfies never;
  }
};

/** Height and width of the output of `map` on an image. */
const mapped = (map: LinearMap, image: readonly [number, number]): readonly [number, number] =>
  map.kind === 'dense' ? [1, 1] : outputSize(map, image);

const imageOf = (shape: Shape): readonly [number, number] => (shape.length === 3 ? [shape[1], shape[2]] : [1, 1]);

/** `points`: pixels of the map's output. A transposed convolution costs the same. */
const linearFlops = (map: LinearMap, points: number): number => 2 * elements(weightShape(map)) * points;

const diagonalCost = (d: DiagExpr, image: readonly [number, number]): number => {
  switch (d.kind) {
    case 'rowsum':
      return rescalingCost({ by: 'aol', eps: ZERO }, d.gram.map, d.gram.side, image, image);
    case 'power':
      return rescalingCost({ by: 'power', steps: d.steps, eps: ZERO }, d.gram.map, d.gram.side, image, image);
    case 'norm': {
      const { map, side } = d.gram;
      if (d.bound.kind === 'frobenius' || d.bound.kind === 'schur') return 2 * elements(map.weight.shape);
      return rescalingCost({ by: 'spectral', method: d.bound, eps: ZERO }, map, side, image, image);
    }
    case 'chosen':
      return diagonalCost(writtenOut(d), image);
    case 'max':
      return d.of.reduce((s, p) => s + diagonalCost(p, image), 0);
    case 'sum':
      return d.of.reduce((s, p) => s + diagonalCost(p.part, image), 0);
    default:
      return d satisfies never;
  }
};

/** Every use of a weight, and two operations a unit behind it (a scale, a bias or an activation); each T once. */
const formulaCost = (
  op: Extract<LayerOp, { kind: 'formula' }>,
  image: readonly [number, number],
  output: Shape,
): Omit<Cost, 'params'> => {
  const atoms = atomsOf(op.body);
  const diagonals: DiagExpr[] = [];
  const made = new Map<string, number>();
  let flops = op.body.terms.length * elements(output);
  for (const a of atoms) {
    if (a.kind === 'inverse') {
      if (!diagonals.some(d => sameExpr(d, a.of))) diagonals.push(a.of);
    } else if (a.kind !== 'scaling') {
      const points = a.map.kind === 'dense' ? 1 : image[0] * image[1];
      if (a.orthogonal)
        made.set(printOrthogonalCall(a.orthogonal, a.map.weight.path), orthogonalCost(a.map, a.orthogonal));
      flops += linearFlops(a.map, points) + 2 * (a.transposed ? a.map.in : a.map.out) * points;
    }
  }
  const matrixFlops = [...made.values()].reduce((s, c) => s + c, 0);
  return { flops, rescalingFlops: diagonals.reduce((s, d) => s + diagonalCost(d, image), matrixFlops) };
};

/** Products of complex numbers cost four real ones here: matrices are applied as real blocks. */
const COMPLEX = 4;

/** A Fourier transform of one channel by products with tables, rows then columns, half of the spectrum kept. */
const transformCost = ([h, w]: readonly [number, number]): number => {
  const half = Math.floor(w / 2) + 1;
  return 4 * h * w * half + 8 * h * h * half;
};

/** Operator layers: what they do to an image (or vector), and what makes the operator. */
const operatorCost = (
  op: Extract<LayerOp, { kind: 'contraction' | 'sandwich' }>,
  [h, w]: readonly [number, number],
): Omit<Cost, 'params'> => {
  const entries = op.out * h * w;
  const bias = op.bias ? entries : 0;
  const method = op.kind === 'sandwich' ? 'sandwich' : op.method.family;
  const [rows, columns] = op.weight.shape;
  // The multipliers and the activation between A and B.
  const between = op.kind === 'sandwich' ? 3 * entries : 0;
  const products = method === 'sandwich' ? 2 * op.out * (op.out + op.in) : 2 * op.out * op.in;
  if (!op.kernel) return { flops: products + bias + between, rescalingFlops: cayleyCost(rows, columns) };
  const taps = op.kernel[0] * op.kernel[1];
  if (taps === 1 && (method === 'cayley' || method === 'sandwich'))
    return { flops: products * h * w + bias + between, rescalingFlops: cayleyCost(rows, columns) };
  const margin = method === 'bro' || method === 'lot' ? op.kernel.map(k => k - 1) : [0, 0];
  const size = [h + margin[0], w + margin[1]] as const;
  const points = size[0] * (Math.floor(size[1] / 2) + 1);
  const transforms = (op.in + op.out + (op.kind === 'sandwich' ? 2 * op.out : 0)) * transformCost(size);
  const spectral = (each: number): Omit<Cost, 'params'> => ({
    flops: transforms + COMPLEX * products * points + bias + between,
    rescalingFlops: points * (4 * elements(op.weight.shape) + COMPLEX * each),
  });
  switch (method) {
    case 'cayley':
    case 'sandwich':
      return spectral(cayleyCost(rows, columns));
    case 'bro':
      return spectral(4 * rows * columns * columns + 2 * columns ** 3 + 2 * rows * rows * columns);
    case 'lot':
      return spectral(op.kind === 'contraction' && op.method.family === 'lot' ? 6 * op.method.steps * rows ** 3 : 0);
    case 'skew_exponential': {
      const { degree, steps } = (op as Extract<LayerOp, { kind: 'contraction' }>).method as Extract<
        ContractionMethod,
        { family: 'skew_exponential' }
      >;
      return {
        flops: degree * (2 * rows * rows * taps + 2 * rows) * h * w + bias,
        rescalingFlops:
          gramIterationCost(rows, rows * taps, steps) +
          gramIterationCost(rows * op.kernel[0], rows * op.kernel[1], steps),
      };
    }
    default:
      return method satisfies never;
  }
};

/** Operations an entry, of activations with more than one. */
const COSTLY: Readonly<Partial<Record<Activation['kind'], number>>> = {
  prelu: 3,
  rabs: 3,
  householder: 5,
  householder2: 30,
};

const opCost = (op: LayerOp, inputs: number, input: Shape, output: Shape): Omit<Cost, 'params'> => {
  const image = imageOf(input);
  switch (op.kind) {
    case 'activation':
      return { flops: (COSTLY[op.act.kind] ?? 1) * elements(output), rescalingFlops: 0 };
    case 'center':
    case 'translate':
    case 'scale':
    case 'gain':
    case 'tile':
    case 'batchcenter':
      return { flops: elements(output), rescalingFlops: 0 };
    case 'pad':
    case 'flatten':
    case 'space_to_depth':
    case 'depth_to_space':
    case 'slice':
    case 'concat':
      return { flops: 0, rescalingFlops: 0 };
    case 'sum':
      return { flops: 2 * elements(output) * op.factors.length, rescalingFlops: 0 };
    case 'mix':
      return { flops: 3 * elements(output), rescalingFlops: 0 };
    case 'maximum':
      return { flops: elements(output) * inputs, rescalingFlops: 0 };
    case 'linear': {
      const [from, result] = op.adjoint ? [imageOf(output), image] : [image, mapped(op.map, image)];
      const bias = op.bias ? elements(output) : 0;
      const side = (op.side === 'in') !== (op.adjoint === true) ? 'columns' : 'rows';
      return {
        flops: linearFlops(op.map, result[0] * result[1]) + bias,
        rescalingFlops: rescalingCost(op.rescaling, op.map, side, from, result),
      };
    }
    case 'residual': {
      const result = mapped(op.map, image);
      const points = result[0] * result[1];
      // Both uses of W; bias, activation and 2/T on the hidden units; the subtraction.
      const hidden = op.map.out * points * (op.bias ? 3 : 2);
      return {
        flops: 2 * linearFlops(op.map, points) + hidden + elements(output),
        rescalingFlops: rescalingCost(op.rescaling, op.map, 'rows', image, result),
      };
    }
    case 'contraction':
    case 'sandwich':
      return operatorCost(op, image);
    case 'formula':
      return formulaCost(op, image, output);
    case 'layercenter':
      return { flops: 2 * elements(output), rescalingFlops: 0 };
    case 'avgpool':
    case 'maxpool':
      return { flops: elements(output) * op.size[0] * op.size[1], rescalingFlops: 0 };
    case 'l2pool':
      return { flops: 2 * elements(output) * op.size[0] * op.size[1], rescalingFlops: 0 };
    case 'head': {
      const features = elements(input);
      return { flops: 2 * op.classes * features + op.classes, rescalingFlops: 3 * op.classes * features };
    }
    default:
      return op satisfies never;
  }
};

/** Cost of one layer on a (first) input of shape `input`. Sides of T: hidden units for a residual, inputs or outputs for a linear layer. */
export const layerCost = (layer: Layer, input: Shape): Cost => ({
  params: layerParams(layer.op).reduce((s, p) => (p.statistic ? s : s + elements(p.shape)), 0),
  ...opCost(layer.op, layer.inputs.length, input, layer.shape),
});
