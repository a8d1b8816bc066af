/** Network IR as text: one line a layer, the form that `lip build --emit network` prints and tests compare. */
import type { ConvMap } from './conv-geometry.ts';
import type {
  ContractionMethod,
  Initializer,
  LayerOp,
  LinearMap,
  Network,
  Rescaling,
  SpectralMethod,
  Window,
} from './network.ts';
import { layerParams } from './network.ts';
import { printOrthogonal } from './orthogonal.ts';
import { printActivation } from './print-activation.ts';
import { printVector } from './print-formula.ts';
import { equal, format, ONE, type Rational, ZERO } from './rational.ts';
import { isBlockAverage, tiles } from './window.ts';

export { printActivation };

const spectralArgs = (method: SpectralMethod, map?: LinearMap): readonly string[] => {
  switch (method.kind) {
    case 'gram':
      return map?.kind === 'dense' ? [`steps = ${method.steps}`] : [`steps = ${method.steps}`, `grid = ${method.grid}`];
    case 'circulant':
    case 'operator':
    case 'reshaped':
      return [`method = ${method.kind}`, `steps = ${method.steps}`];
    default:
      return method satisfies never;
  }
};

const call = (name: string, args: readonly string[]): string =>
  args.length > 0 ? `${name}(${args.join(', ')})` : name;
const epsArg = (eps: Rational): readonly string[] => (equal(eps, ZERO) ? [] : [`eps = ${format(eps)}`]);

/** As written after `by`, e.g. `aol(eps = 1/1000000)`; `map` leaves out what does not matter for it. */
export const printRescaling = (r: Rescaling, map?: LinearMap): string => {
  switch (r.by) {
    case 'spectral':
      return call('spectral', [...spectralArgs(r.method, map), ...epsArg(r.eps)]);
    case 'orthogonal':
      return printOrthogonal(r.method);
    case 'power':
      return call('aol', [`steps = ${r.steps}`, ...epsArg(r.eps)]);
    case 'aol':
    case 'frobenius':
    case 'schur':
      return call(r.by, epsArg(r.eps));
    case 'sll':
      return call('sll', [...(r.shift ? [`shift = ${format(r.shift)}`] : []), ...(r.eps ? epsArg(r.eps) : [])]);
    case 'max':
      return `max(${r.of.map(p => printRescaling(p, map)).join(', ')})`;
    case 'convex':
      return `mix(${r.of.map(p => `${format(p.weight)}: ${printRescaling(p.part, map)}`).join(', ')})`;
    case 'scaled':
      return `${format(r.factor)} * ${printRescaling(r.of, map)}`;
    default:
      return r satisfies never;
  }
};

/** As written after `by`, e.g. `fourier(lot, steps = 10, eps = 1/10000)`. */
export const printContraction = (m: ContractionMethod): string => {
  switch (m.family) {
    case 'cayley':
      return 'fourier(cayley)';
    case 'bro':
      return `fourier(bro, eps = ${format(m.eps)})`;
    case 'lot':
      return `fourier(lot, steps = ${m.steps}, eps = ${format(m.eps)})`;
    case 'skew_exponential':
      return `skew_exponential(degree = ${m.degree}, norm = ${format(m.norm)}, steps = ${m.steps}, padding = ${m.padding})`;
    case 'sandwich':
      return `sandwich(${m.part})`;
    default:
      return m satisfies never;
  }
};

const printInit = (init: Initializer): string => {
  switch (init.kind) {
    case 'zeros':
      return 'zeros';
    case 'constant':
      return `${init.value}`;
    case 'xavier':
      return `xavier(${init.fanIn}, ${init.fanOut})`;
    case 'uniform':
      return `uniform(±${init.bound})`;
    case 'normOf':
      return `norm of ${init.path}`;
    default:
      return init satisfies never;
  }
};

/** What is unusual about a convolution, e.g. `stride = 2x2`, `groups = 4`. */
export const geometryWords = (map: ConvMap): readonly string[] => [
  ...(map.stride.some(s => s !== 1) ? [`stride = ${map.stride.join('x')}`] : []),
  ...(map.dilation.some(d => d !== 1) ? [`dilation = ${map.dilation.join('x')}`] : []),
  ...(map.groups === 1 ? [] : [`groups = ${map.groups}`]),
  ...(map.mode === 'circular' ? ['circular'] : []),
];

const printMap = (map: LinearMap, adjoint = false): string => {
  const form = `${adjoint ? 'transposed ' : ''}${map.kind}`;
  const channels = adjoint ? `${map.out} -> ${map.in}` : `${map.in} -> ${map.out}`;
  const stored = map.transposed ? ', stored transposed' : '';
  return map.kind === 'dense'
    ? `${form} ${channels}${stored}`
    : [
        `${form} ${channels}`,
        `kernel = ${map.kernel.join('x')}`,
        `padding = ${map.padding.join('x')}`,
        ...geometryWords(map),
      ].join(', ') + stored;
};

const operatorForm = (op: Extract<LayerOp, { kind: 'contraction' | 'sandwich' }>): string =>
  `${op.kernel ? 'conv' : 'dense'} ${op.in} -> ${op.out}${op.kernel ? `, kernel = ${op.kernel.join('x')}` : ''}${op.bias ? '' : ', bias = false'}`;

const list = (values: readonly Rational[]): string => `[${values.map(format).join(', ')}]`;

/** `maxpool 3x3, stride = 2x2`; a stride equal to the size is left out. */
const printWindow = (op: Extract<LayerOp, Window>): string =>
  `${op.kind} ${op.size.join('x')}${tiles(op) ? '' : `, stride = ${op.stride.join('x')}`}`;

/** One layer in words, without its shape, e.g. `residual conv 45 -> 5, kernel = 3x3, padding = 1x1, act = relu by sll`. */
export const printOp = (op: LayerOp): string => {
  switch (op.kind) {
    case 'translate':
      return `translate by ${op.by.path}`;
    case 'center':
      return `center ${list(op.offset)}`;
    case 'scale':
      return `scale ${list(op.divisor)}`;
    case 'pad':
      return `pad to ${op.to}`;
    case 'linear':
      return `${printMap(op.map, op.adjoint)}${op.bias ? '' : ', bias = false'}${op.side === 'in' ? '' : ', side = out'} by ${printRescaling(op.rescaling, op.map)}`;
    case 'residual':
      return `residual ${printMap(op.map)}${op.bias ? '' : ', bias = false'}${op.identity ? `, identity = ${format(op.identity)}` : ''}${op.factor ? `, factor = ${format(op.factor)}` : ''}, act = ${printActivation(op.act)} by ${printRescaling(op.rescaling, op.map)}`;
    case 'contraction':
      return `${operatorForm(op)} by ${printContraction(op.method)}`;
    case 'sandwich':
      return `sandwich ${operatorForm(op)}, act = ${printActivation(op.act)}`;
    case 'formula':
      return `${op.name}: ${printVector(op.body)}`;
    case 'activation':
      return printActivation(op.act);
    case 'avgpool':
      return `${printWindow(op)}${isBlockAverage(op) ? '' : `, divisor^2 = ${format(op.divisorSquared)}`}`;
    case 'maxpool':
    case 'l2pool':
      return printWindow(op);
    case 'tile':
      return `tile ${op.times} times`;
    case 'batchcenter':
      return `batchcenter momentum = ${format(op.momentum)}`;
    case 'gain':
    case 'layercenter':
      return op.kind;
    case 'flatten':
      return 'flatten';
    case 'space_to_depth':
    case 'depth_to_space':
      return `${op.kind} ${op.block.join('x')}`;
    case 'slice':
      return `slice ${op.start} to ${op.start + op.length - 1}`;
    case 'sum':
      return `sum ${list(op.factors)}`;
    case 'mix':
      return `mix ${op.weight.kind === 'constant' ? format(op.weight.value) : `sigmoid(${op.weight.of.path})`}`;
    case 'concat':
      return 'concat';
    case 'maximum':
      return op.of === 'largest' ? 'max' : 'min';
    case 'head':
      return `head ${op.classes}, eps = ${format(op.eps)}`;
    default:
      return op satisfies never;
  }
};

export const printNetwork = (net: Network): string => {
  const { input } = net;
  const lines = [
    `network ${net.name}${equal(net.budget, ONE) ? '' : ` budget ${format(net.budget)}`} {`,
    `  %${input.id} = input [${input.shape.join(', ')}]${input.range ? ` in [${format(input.range[0])}, ${format(input.range[1])}]` : ''}`,
  ];
  for (const layer of net.layers) {
    lines.push(
      `  %${layer.id} = ${printOp(layer.op)} (${layer.inputs.map(i => `%${i}`).join(', ')}) -> [${layer.shape.join(', ')}]   // ${layer.path}`,
    );
    for (const p of layerParams(layer.op))
      lines.push(`      param ${p.path} [${p.shape.join(', ')}] = ${printInit(p.init)}`);
  }
  for (const { name, from, to, bound } of net.subBudgets ?? [])
    lines.push(`  budget ${format(bound)} (%${from} to %${to})   // ${name}`);
  return `${[...lines, '}'].join('\n')}\n`;
};
