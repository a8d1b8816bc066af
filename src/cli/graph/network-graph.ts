/** A proven network as a picture shows it: one node a layer, and one box around each block of layers that repeats. */
import type { LayerOp, Shape, ValueId } from '../../ir/network.ts';
import { format } from '../../ir/rational.ts';
import type { ProvenNetwork } from '../../passes/prove/prove.ts';
import { type CheckedNetwork, checkNetwork, foldRepeats, formText, methodText, pathRange } from '../check-report.ts';

/** What decides a node's colour. */
export type Role = 'input' | 'structure' | 'activation' | 'linear' | 'residual' | 'head';

export interface GraphNode {
  readonly id: number;
  readonly role: Role;
  /** `conv[0…19]`, or `input`. */
  readonly path: string;
  readonly form: string;
  /** How T is found, where there is one. */
  readonly rescaling?: string;
  readonly shape: Shape;
  /** Of one layer, however often it repeats. */
  readonly params: number;
  /** Exact; absent for the input, `pairs` for the head, which is certified pairwise. */
  readonly bound?: string;
  /** How many such layers follow each other here. */
  readonly count: number;
}

export interface NetworkGraph {
  readonly network: string;
  readonly bound: string;
  readonly budget: string;
  readonly params: number;
  readonly nodes: readonly GraphNode[];
  /** From output to input of layers, with the shape that is passed. */
  readonly edges: readonly { readonly from: number; readonly to: number; readonly shape: Shape }[];
  /** Blocks of several layers that repeat: node ids, in order. */
  readonly blocks: readonly { readonly count: number; readonly nodes: readonly number[] }[];
}

const roleOf = (op: LayerOp): Role => {
  switch (op.kind) {
    case 'linear':
    case 'residual':
    case 'activation':
    case 'head':
      return op.kind;
    case 'contraction':
    case 'formula':
      return 'linear';
    case 'sandwich':
      return 'residual';
    default:
      return 'structure';
  }
};

/** Two layers with equal keys look the same in the picture; inputs count by how far back they are. */
const keysOf = (proven: ProvenNetwork, checked: CheckedNetwork): readonly string[] => {
  const index = new Map<ValueId, number>([[proven.network.input.id, -1]]);
  return proven.layers.map(({ layer }, i) => {
    index.set(layer.id, i);
    const { shape, params, rescaling, bound } = checked.layers[i];
    return JSON.stringify([
      formText(layer.op),
      shape,
      params,
      rescaling,
      bound,
      layer.inputs.map(id => i - index.get(id)!),
    ]);
  });
};

const INPUT = 0;

/** Layers in order of evaluation, repetitions folded; the input is node 0. */
export const networkGraph = (proven: ProvenNetwork): NetworkGraph => {
  const checked = checkNetwork(proven);
  const { network } = proven;
  const rows = foldRepeats(keysOf(proven, checked));
  const shown = new Map<ValueId, number>([[network.input.id, INPUT]]);
  const shapeOf = new Map<ValueId, Shape>([[network.input.id, network.input.shape]]);
  for (const { layer } of proven.layers) shapeOf.set(layer.id, layer.shape);

  const blocks: { count: number; nodes: number[] }[] = [];
  rows.forEach((row, r) => {
    const period = row.count === 1 ? 1 : (row.last - row.first) / (row.count - 1);
    for (let k = 0; k < row.count; k++) shown.set(proven.layers[row.first + k * period].layer.id, r + 1);
    if (period === 1) return;
    if (row.bracket === '┌') blocks.push({ count: row.count, nodes: [] });
    blocks.at(-1)!.nodes.push(r + 1);
  });

  const nodes = rows.map((row, r): GraphNode => {
    const { op, shape } = proven.layers[row.first].layer;
    const last = proven.layers[row.last].layer;
    const { params, bound } = checked.layers[row.first];
    const rescaling = methodText(op);
    return {
      id: r + 1,
      role: roleOf(op),
      path: pathRange(proven.layers[row.first].layer.path, last.path),
      form: formText(op),
      ...(rescaling !== undefined && { rescaling }),
      shape,
      params,
      bound: bound ?? 'pairs',
      count: row.count,
    };
  });

  const edges = new Map<string, NetworkGraph['edges'][number]>();
  for (const { layer } of proven.layers)
    for (const input of layer.inputs) {
      const [from, to] = [shown.get(input)!, shown.get(layer.id)!];
      // Inside a folded row or block, values pass from one repetition to the next.
      if (from < to) edges.set(`${from} ${to}`, { from, to, shape: shapeOf.get(input)! });
    }

  return {
    network: checked.network,
    bound: checked.bound,
    budget: checked.budget,
    params: checked.total.params,
    nodes: [
      {
        id: INPUT,
        role: 'input',
        path: 'input',
        form: network.input.range ? `in [${network.input.range.map(format).join(', ')}]` : '',
        shape: network.input.shape,
        params: 0,
        count: 1,
      },
      ...nodes,
    ],
    edges: [...edges.values()],
    blocks,
  };
};
