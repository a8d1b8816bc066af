/** What `lip check` says of a proven network: as data for `--json`, and as a table that fits the terminal. */
import { atomsOf } from '../ir/formula.ts';
import {
  isJoin,
  type Layer,
  type LayerOp,
  type LinearMap,
  type Rescaling,
  type Shape,
  type ValueId,
} from '../ir/network.ts';
import { printDiagonal } from '../ir/print-formula.ts';
import { geometryWords, printActivation, printContraction, printOp, printRescaling } from '../ir/print-network.ts';
import { equal, format, ONE } from '../ir/rational.ts';
import { tiles } from '../ir/window.ts';
import { type Cost, layerCost } from '../passes/cost.ts';
import type { ProvenLayer, ProvenNetwork } from '../passes/prove/prove.ts';
import { formatBound } from '../proof/derivation.ts';
import { type Derivation, type RuleName, ruleOf } from '../proof/rules.ts';
import { WIDTH, wrap } from './wrap.ts';

/** One layer of the report. `flops` per image and `rescalingFlops` per training step; a multiply-add is two operations. */
interface CheckedLayer extends Cost {
  readonly path: string;
  /** The paths of the layers it reads, or `input`. */
  readonly inputs: readonly string[];
  readonly op: string;
  readonly shape: Shape;
  /** How T is found, as written after `by`. */
  readonly rescaling?: string;
  /** Exact, e.g. "1" or "√(2)"; the head has none, it is certified pairwise. */
  readonly bound?: string;
  readonly squaredBound?: string;
  /** The rules its derivation uses, the conclusion's first. */
  readonly rules: readonly RuleName[];
}

export interface CheckedNetwork {
  readonly network: string;
  readonly input: Shape;
  readonly budget: string;
  /** Of the map up to the head, for every value of the weights. */
  readonly bound: string;
  readonly squaredBound: string;
  readonly total: Cost;
  readonly layers: readonly CheckedLayer[];
  /** Bounds stated inside the network: of the map from the layer `from` (or `input`) to `to`. */
  readonly parts: readonly {
    readonly name: string;
    readonly from: string;
    readonly to: string;
    readonly bound: string;
    readonly budget: string;
  }[];
  readonly theorems: readonly {
    readonly rule: RuleName;
    readonly statement: string;
    readonly source: string;
    readonly coq: string;
  }[];
}

/** Rules below a conclusion, without those that only glue layers together; where branches meet, without those of the branches. */
const rulesOf = (d: Derivation, joins: boolean): readonly RuleName[] => {
  const found = new Set<RuleName>();
  const visit = (n: Derivation): void => {
    found.add(n.rule);
    for (const p of n.premises) visit(p);
  };
  if (d.rule === 'pairwise-head') return [d.rule];
  if (joins) for (const rule of [d.rule, ...d.premises.map(p => p.rule)]) found.add(rule);
  else visit(d);
  return [...found];
};

/** The diagonals of a formula, as it says them. */
const diagonalsOf = (op: Extract<LayerOp, { kind: 'formula' }>): string | undefined => {
  const found = atomsOf(op.body).flatMap(a => (a.kind === 'inverse' ? [printDiagonal(a.of)] : []));
  return found.length > 0 ? [...new Set(found)].join(', ') : undefined;
};

const rescalingOf = (op: LayerOp): string | undefined => {
  switch (op.kind) {
    case 'linear':
    case 'residual':
      return printRescaling(op.rescaling, op.map);
    case 'contraction':
      return printContraction(op.method);
    case 'formula':
      return diagonalsOf(op);
    default:
      return undefined;
  }
};

/** Collects what was proven and what it costs. */
export const checkNetwork = (proven: ProvenNetwork): CheckedNetwork => {
  const { network } = proven;
  const shapes = new Map<ValueId, Shape>([
    [network.input.id, network.input.shape],
    ...network.layers.map(l => [l.id, l.shape] as const),
  ]);
  const paths = new Map<ValueId, string>([
    [network.input.id, 'input'],
    ...network.layers.map(l => [l.id, l.path] as const),
  ]);
  const layers = proven.layers.map(({ layer, derivation, squared }: ProvenLayer): CheckedLayer => {
    const rescaling = rescalingOf(layer.op);
    return {
      path: layer.path,
      inputs: layer.inputs.map(id => paths.get(id)!),
      op: printOp(layer.op),
      shape: layer.shape,
      ...layerCost(layer, shapes.get(layer.inputs[0])!),
      ...(rescaling !== undefined && { rescaling }),
      ...(squared && { bound: formatBound(squared), squaredBound: format(squared) }),
      rules: rulesOf(derivation, isJoin(layer.op)),
    };
  });
  const sum = (f: (l: CheckedLayer) => number): number => layers.reduce((s, l) => s + f(l), 0);
  const rules = new Set<RuleName>(layers.flatMap(l => l.rules));
  if (layers.length > 1) rules.add('compose');
  return {
    network: network.name,
    input: network.input.shape,
    budget: format(network.budget),
    bound: formatBound(proven.squared),
    squaredBound: format(proven.squared),
    total: { params: sum(l => l.params), flops: sum(l => l.flops), rescalingFlops: sum(l => l.rescalingFlops) },
    layers,
    parts: proven.subBudgets.map(({ part, squared }) => ({
      name: part.name,
      from: paths.get(part.from)!,
      to: paths.get(part.to)!,
      bound: formatBound(squared),
      budget: format(part.bound),
    })),
    theorems: [...rules].map(rule => ({ rule, ...ruleOf(rule) })),
  };
};

/** 1234567 → "1.23 M"; below 10,000 exactly. */
export const formatCount = (n: number): string => {
  if (n < 10_000) return `${n}`;
  const [unit, name] = (
    [
      [1e12, 'T'],
      [1e9, 'G'],
      [1e6, 'M'],
      [1e3, 'k'],
    ] as const
  ).find(([u]) => n >= u)!;
  const v = n / unit;
  return `${v >= 100 ? v.toFixed(0) : v >= 10 ? v.toFixed(1) : v.toFixed(2)} ${name}`;
};

const formatFlop = (n: number): string => `${formatCount(n)}${n < 10_000 ? ' ' : ''}FLOP`;

export const formatShape = (shape: Shape): string => shape.join('×');
const kernelText = (map: LinearMap): string =>
  map.kind === 'conv' ? [`, ${map.kernel.join('×')}`, ...geometryWords(map)].join(', ') : '';

/** The layer in few words: its path says dense or conv, its method has a column of its own, relu inside a residual goes without saying. */
export const formText = (op: LayerOp): string => {
  switch (op.kind) {
    case 'linear':
      return op.adjoint
        ? `transposed ${op.map.out} → ${op.map.in}${kernelText(op.map)}`
        : `${op.map.in} → ${op.map.out}${kernelText(op.map)}`;
    case 'residual':
      return `residual ${op.map.out}${kernelText(op.map)}${op.act.kind === 'relu' ? '' : `, ${printActivation(op.act)}`}`;
    case 'contraction':
      return `${op.in} → ${op.out}${op.kernel ? `, ${op.kernel.join('×')}` : ''}`;
    case 'sandwich':
      return `${op.in} → ${op.out}${op.kernel ? `, ${op.kernel.join('×')}` : ''}${op.act.kind === 'relu' ? '' : `, ${printActivation(op.act)}`}`;
    case 'activation':
      return printActivation(op.act);
    case 'pad':
      return `pad to ${op.to}`;
    case 'avgpool':
    case 'maxpool':
    case 'l2pool':
      return `${op.kind} ${op.size.join('×')}${tiles(op) ? '' : ` stride ${op.stride.join('×')}`}`;
    case 'tile':
      return `tile ×${op.times}`;
    case 'head':
      return `head ${op.classes}`;
    case 'formula':
      return op.name;
    case 'space_to_depth':
    case 'depth_to_space':
      return `${op.kind} ${op.block.join('×')}`;
    case 'mix':
      return op.weight.kind === 'sigmoid' ? 'mix learnt' : printOp(op);
    case 'slice':
    case 'sum':
    case 'concat':
    case 'maximum':
      return printOp(op);
    case 'center':
    case 'translate':
    case 'scale':
    case 'gain':
    case 'batchcenter':
    case 'layercenter':
    case 'flatten':
      return op.kind;
    default:
      return op satisfies never;
  }
};

const methodName = (r: Rescaling): string => {
  switch (r.by) {
    case 'spectral':
      return r.method.kind === 'gram' ? 'spectral' : r.method.kind;
    case 'orthogonal':
      return r.method.family;
    case 'power':
      return `aol, ${r.steps} steps`;
    case 'aol':
    case 'sll':
    case 'frobenius':
    case 'schur':
      return r.by;
    case 'max':
      return `max(${r.of.map(methodName).join(', ')})`;
    case 'convex':
      return `mix(${r.of.map(p => methodName(p.part)).join(', ')})`;
    case 'scaled':
      return `${format(r.factor)}·${methodName(r.of)}`;
    default:
      return r satisfies never;
  }
};
export const methodText = (op: LayerOp): string | undefined => {
  switch (op.kind) {
    case 'linear':
    case 'residual':
      return methodName(op.rescaling);
    case 'contraction':
      return op.method.family;
    case 'sandwich':
      return 'cayley';
    case 'formula':
      return diagonalsOf(op);
    default:
      return undefined;
  }
};

export interface Row {
  readonly first: number;
  readonly last: number;
  readonly count: number;
  /** Drawn left of the rows of a repeated block. */
  readonly bracket: string;
}

/** Longest block that `repeat` may have been written around; longer ones are printed in full. */
const LONGEST_BLOCK = 16;

/** Folds what repeats: equal neighbours into one row, and equal blocks of layers into one block with a bracket. */
export const foldRepeats = (keys: readonly string[]): readonly Row[] => {
  const rows: Row[] = [];
  for (let i = 0; i < keys.length; ) {
    let best = { period: 1, times: 1 };
    for (let period = 1; period <= LONGEST_BLOCK && i + 2 * period <= keys.length; period++) {
      let n = i + period;
      while (n < keys.length && keys[n] === keys[n - period]) n++;
      const times = Math.floor((n - i) / period);
      if (times > 1 && times * period > best.times * best.period) best = { period, times };
    }
    const { period, times } = best;
    for (let j = 0; j < period; j++) {
      const bracket = period === 1 ? ' ' : j === 0 ? '┌' : j === period - 1 ? '└' : '│';
      rows.push({ first: i + j, last: i + j + (times - 1) * period, count: times, bracket });
    }
    i += period * times;
  }
  return rows;
};

/** "conv[0]" and "conv[19]" → "conv[0…19]". */
export const pathRange = (first: string, last: string): string => {
  if (first === last) return first;
  const a = /^(.*)\[(\d+)\]$/.exec(first);
  const b = /^(.*)\[(\d+)\]$/.exec(last);
  return a && b && a[1] === b[1] ? `${a[1]}[${a[2]}…${b[2]}]` : `${first} … ${last}`;
};

/** `text` in lines of at most `width` columns, broken behind a space or a comma where there is one, and else where it is full. */
export const breakCell = (text: string, width: number): readonly string[] => {
  const lines: string[] = [];
  let rest = text;
  while (rest.length > width) {
    const at = Math.max(rest.lastIndexOf(' ', width), rest.lastIndexOf(',', width - 1) + 1);
    // A break that leaves most of the line empty is none.
    const end = at > width / 3 ? at : width;
    lines.push(rest.slice(0, end).trimEnd());
    rest = rest.slice(end).trimStart();
  }
  return [...lines, rest];
};

interface Column {
  readonly title: string;
  readonly right?: boolean;
  /** May take several lines where the table would not fit. */
  readonly flexible?: boolean;
  readonly cells: readonly string[];
}

/** Columns the table may take: those of the terminal, if there are more than usual; more than usual too where nobody sees it wrap. */
const tableWidth = (): number => (process.stdout.isTTY ? Math.max(WIDTH, process.stdout.columns) : 120);

const table = (columns: readonly Column[]): readonly string[] => {
  const widths = columns.map(c => Math.max(c.title.length, ...c.cells.map(x => x.length)));
  const total = () => widths.reduce((s, w) => s + w + 2, 0);
  const limit = tableWidth();
  while (total() > limit) {
    const widest = columns.reduce(
      (best, c, i) => (c.flexible && (best < 0 || widths[i] > widths[best]) ? i : best),
      -1,
    );
    if (widest < 0 || widths[widest] <= 8) break;
    widths[widest] -= 1;
  }
  const lines = (cells: readonly string[]): readonly string[] => {
    const broken = cells.map((c, i) => breakCell(c, widths[i]));
    return Array.from({ length: Math.max(...broken.map(b => b.length)) }, (_, n) =>
      `  ${columns.map((c, i) => (c.right ? (broken[i][n] ?? '').padStart(widths[i]) : (broken[i][n] ?? '').padEnd(widths[i]))).join('  ')}`.trimEnd(),
    );
  };
  return [
    ...lines(columns.map(c => c.title)),
    ...(columns[0]?.cells ?? []).flatMap((_, row) => lines(columns.map(c => c.cells[row]))),
  ];
};

/** Entries of a Gram matrix from which on it is pointed out: 64 MiB in f32, of which a training step keeps several. */
const WIDE = 2 ** 24;

/** What T of a dense layer is computed from is a square matrix, as wide as the side that is rescaled; the other side may be narrower. */
const wideText = ({ op, path }: Layer): readonly string[] => {
  if (op.kind !== 'linear' || op.map.kind !== 'dense') return [];
  if (op.rescaling.by !== 'aol' && op.rescaling.by !== 'sll') return [];
  const [n, other] = op.side === 'in' ? [op.map.in, op.map.out] : [op.map.out, op.map.in];
  if (n * n < WIDE) return [];
  const size = `${path}: T needs a Gram matrix of ${n}×${n}, ${((4 * n * n) / 2 ** 20).toFixed(0)} MiB in f32, whatever the batch`;
  const side = op.side === 'in' ? 'out' : 'in';
  return [`  ${wrap(other < n ? `${size}; with \`side = ${side}\` it has ${other}×${other}` : size, '    ')}`];
};

/** The table, the totals, the composed bound, and the theorems they rest on. Layers that repeat take one row. */
export const printReport = (proven: ProvenNetwork): string => {
  const report = checkNetwork(proven);
  const { layers, total, theorems } = report;
  const ops = proven.layers.map(p => p.layer);
  const places = new Map(layers.map((l, i) => [l.path, i]));
  /** How far above the layers stand that each reads; −1 stands for the input. */
  const reads = layers.map((l, i) => l.inputs.map(path => i - (places.get(path) ?? -1)));
  const straight = (i: number): boolean => reads[i].length === 1 && reads[i][0] === 1;
  const branching = reads.some((_, i) => !straight(i));
  const rows = foldRepeats(
    layers.map((l, i) =>
      JSON.stringify([
        formText(ops[i].op),
        l.shape,
        l.params,
        l.flops,
        l.rescalingFlops,
        l.rescaling,
        l.bound,
        reads[i],
      ]),
    ),
  );
  const number = new Map(theorems.map((t, i) => [t.rule, i + 1]));
  type Cell = (l: CheckedLayer, layer: Layer, row: Row) => string;
  const column = (title: string, cell: Cell, style: Pick<Column, 'right' | 'flexible'> = {}): Column => ({
    title,
    ...style,
    cells: rows.map(r => cell(layers[r.first], ops[r.first], r)),
  });
  const none = '–';
  const text = [
    wrap(
      `${report.network}: ${report.bound}-Lipschitz${ops.at(-1)?.op.kind === 'head' ? ' up to its head' : ''} for every value of its weights (budget ${report.budget}: proven)`,
      '  ',
    ),
    '',
    ...table([
      column(
        'layer',
        (_, __, r) =>
          `${r.bracket}${pathRange(ops[r.first].path, ops[r.last].path)}${r.count > 1 ? ` ×${r.count}` : ''}`,
      ),
      ...(branching
        ? [column('reads', (l, _, r) => (straight(r.first) ? '' : l.inputs.join(', ')), { flexible: true })]
        : []),
      column('form', (_, l) => formText(l.op), { flexible: true }),
      column('T', (_, l) => methodText(l.op) ?? none, { flexible: true }),
      column('output', l => formatShape(l.shape)),
      column('params', l => (l.params ? formatCount(l.params) : none), { right: true }),
      column('FLOPs', l => (l.flops ? formatCount(l.flops) : none), { right: true }),
      column('T FLOPs', l => (l.rescalingFlops ? formatCount(l.rescalingFlops) : none), { right: true }),
      column('bound', l => l.bound ?? 'pairs', { right: true }),
      column('by', l => l.rules.map(r => number.get(r)).join(' ')),
    ]),
    '',
    `  parameters ${total.params.toLocaleString('en')}; ${formatFlop(total.flops)} an image; ${formatFlop(total.rescalingFlops)} a training step for T`,
    `  composed bound ${report.bound}${equal(proven.squared, ONE) ? '' : ` (squared ${report.squaredBound})`}, exactly; budget ${report.budget}`,
    ...ops.flatMap(wideText),
    ...report.parts.map(p => `  ${p.name}: ${p.bound} from ${p.from} to ${p.to}; budget ${p.budget}`),
    '',
    '  It rests on',
    ...theorems.map(
      (t, i) =>
        `  ${`${i + 1}`.padStart(3)} ${wrap(`${t.rule}: ${t.statement}. ${t.source} [Coq ${t.coq}]`, '      ')}`,
    ),
  ];
  return `${text.join('\n')}\n`;
};
