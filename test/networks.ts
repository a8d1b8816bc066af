/** Networks written by hand, for tests of passes that come after resolution. */
import { outputShape as mapped, PLAIN } from '../src/ir/conv-geometry.ts';
import {
  type Layer,
  type LayerOp,
  type LinearMap,
  layerParams,
  type Network,
  type Param,
  type Rescaling,
  type Shape,
} from '../src/ir/network.ts';
import { ONE, rational, ZERO } from '../src/ir/rational.ts';
import { pooledShape } from '../src/ir/window.ts';
import { type ProvenNetwork, prove } from '../src/passes/prove/prove.ts';

export const param = (path: string, shape: readonly number[]): Param => ({ path, shape, init: { kind: 'zeros' } });

export const dense = (path: string, out: number, columns: number): LinearMap => ({
  kind: 'dense',
  out,
  in: columns,
  weight: param(`${path}.W`, [out, columns]),
});

export const conv = (path: string, out: number, columns: number, k = 3, padding = k >> 1): LinearMap => ({
  kind: 'conv',
  out,
  in: columns,
  kernel: [k, k],
  ...PLAIN,
  padding: [padding, padding],
  weight: param(`${path}.W`, [out, columns, k, k]),
});

const bias = (path: string, out: number): Param => param(`${path}.b`, [out]);

export const linear = (path: string, map: LinearMap, rescaling: Rescaling, side: 'in' | 'out' = 'in'): LayerOp => ({
  kind: 'linear',
  map,
  side,
  rescaling,
  bias: bias(path, map.out),
});

export const residual = (path: string, map: LinearMap, rescaling: Rescaling): LayerOp => ({
  kind: 'residual',
  map,
  rescaling,
  act: { kind: 'relu' },
  bias: bias(path, map.out),
});

export const head = (classes: number, features: number, eps = ZERO): LayerOp => ({
  kind: 'head',
  classes,
  eps,
  weight: param('head.W', [classes, features]),
  bias: param('head.b', [classes]),
});

/** Sums over disjoint blocks, divided so that the norm is 1. */
export const avgpool = (kh: number, kw = kh): LayerOp => ({
  kind: 'avgpool',
  size: [kh, kw],
  stride: [kh, kw],
  divisorSquared: rational(kh * kw),
});

export const aol = (eps = ZERO): Rescaling => ({ by: 'aol', eps });
export const sll = (path: string, hidden: number): Rescaling => ({ by: 'sll', q: param(`${path}.q`, [hidden]) });
export const spectral = (kind: 'gram' | 'operator' | 'reshaped', steps: number, eps = ZERO): Rescaling => ({
  by: 'spectral',
  eps,
  method: kind === 'gram' ? { kind, steps, grid: 16 } : { kind, steps },
});
export const cayley = (path: string): Rescaling => ({
  by: 'orthogonal',
  method: { family: 'cayley', form: 'full', alpha: param(`${path}.alpha`, []) },
});
export const combined = (path: string, hidden: number): Rescaling => ({
  by: 'max',
  of: [
    {
      by: 'convex',
      of: [
        { weight: rational(1, 4), part: aol() },
        { weight: rational(3, 4), part: sll(path, hidden) },
      ],
    },
    { by: 'scaled', factor: rational(5, 4), of: aol() },
  ],
});

const outputShape = (op: LayerOp, s: Shape): Shape => {
  switch (op.kind) {
    case 'pad':
      return [op.to, ...s.slice(1)];
    case 'linear': {
      const { map } = op;
      if (op.adjoint) throw new Error('the shape of a transposed convolution is not told by its input');
      return mapped(map, s);
    }
    case 'space_to_depth':
      return [s[0] * op.block[0] * op.block[1], s[1] / op.block[0], s[2] / op.block[1]];
    case 'depth_to_space':
      return [s[0] / (op.block[0] * op.block[1]), s[1] * op.block[0], s[2] * op.block[1]];
    case 'avgpool':
    case 'maxpool':
    case 'l2pool':
      return pooledShape(s, op);
    case 'tile':
      return [op.times * s[0], ...s.slice(1)];
    case 'flatten':
      return [s.reduce((p, d) => p * d, 1)];
    case 'head':
      return [op.classes];
    case 'contraction':
    case 'sandwich':
      return [op.out, ...s.slice(1)];
    case 'slice':
      return [op.length, ...s.slice(1)];
    case 'concat':
    case 'mix':
    case 'maximum':
      throw new Error(`${op.kind} is no layer of a chain`);
    case 'activation':
      return op.act.kind === 'crelu' ? [2 * s[0], ...s.slice(1)] : s;
    case 'sum':
    case 'residual':
    case 'formula':
    case 'center':
    case 'translate':
    case 'scale':
    case 'gain':
    case 'batchcenter':
    case 'layercenter':
      return s;
    default:
      return op satisfies never;
  }
};

const SPAN = { start: 0, end: 1 };

/** A chain of layers, proven. */
export const chain = (input: Shape, ops: readonly LayerOp[], budget = ONE): ProvenNetwork => {
  let shape = input;
  const layers = ops.map((op, i): Layer => {
    shape = outputShape(op, shape);
    const path = layerParams(op)[0]?.path.replace(/\.W$/, '') ?? `${op.kind}[${i}]`;
    return { id: i + 1, inputs: [i], op, shape, path, span: SPAN };
  });
  const network: Network = { name: 'Test', input: { id: 0, shape: input, span: SPAN }, layers, budget, span: SPAN };
  const result = prove(network);
  if ('diagnostics' in result) throw new Error(result.diagnostics.map(d => d.message).join('; '));
  return result.proven;
};
