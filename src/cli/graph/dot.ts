/** The picture of a network as a program for Graphviz. */
import { formatCount, formatShape } from '../check-report.ts';
import type { GraphNode, NetworkGraph, Role } from './network-graph.ts';

/** Fill and border of a node; the palette stays apart in greyscale and for colour-blind readers. */
const COLORS: Readonly<Record<Role, { readonly fill: string; readonly line: string }>> = {
  input: { fill: '#f4f5f7', line: '#8a919e' },
  structure: { fill: '#ffffff', line: '#a7adb8' },
  activation: { fill: '#fff3d6', line: '#c79a2a' },
  linear: { fill: '#d9f0ea', line: '#2f8f78' },
  residual: { fill: '#dce8fa', line: '#3b6fb6' },
  head: { fill: '#ece2f6', line: '#7b4fa6' },
};
const INK = '#1f2430';
const FAINT = '#5c6370';

/** Text inside an HTML-like label. */
const html = (text: string): string => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
const quoted = (text: string): string => `"${text.replace(/\\/g, '\\\\').replace(/"/g, '\\"')}"`;

const faint = (text: string): string => `<font color="${FAINT}" point-size="10">${html(text)}</font>`;

const table = (rows: readonly string[], align: 'left' | 'center'): string =>
  `<table border="0" cellborder="0" cellspacing="0" cellpadding="2">${rows
    .map(r => `<tr><td align="${align}">${r}</td></tr>`)
    .join('')}</table>`;

const facts = (n: GraphNode): readonly string[] => [
  ...(n.params > 0
    ? [`${formatCount(n.params)} parameter${n.params === 1 ? '' : 's'}${n.count > 1 ? ' each' : ''}`]
    : []),
  ...(n.bound === undefined ? [] : [n.bound === 'pairs' ? 'certified pairwise' : `${n.bound}-Lipschitz`]),
];

/** What the path does not say: `avgpool[0]` is an avgpool, `flatten[0]` has nothing to add. */
const detail = (n: GraphNode): string => {
  if (n.role === 'head') return `${n.shape[0]} classes`;
  const kind = n.path.replace(/\[.*$/, '');
  const form = n.form === kind ? '' : n.form.startsWith(`${kind} `) ? n.form.slice(kind.length + 1) : n.form;
  return [form, ...(n.rescaling ? [`by ${n.rescaling}`] : [])].filter(t => t !== '').join(' ');
};

const label = (n: GraphNode, inBlock: boolean): string => {
  const times = n.count > 1 && !inBlock ? ` ×${n.count}` : '';
  const what = detail(n);
  const rows = [`<b>${html(n.path)}${times}</b>${what === '' ? '' : `&nbsp; ${html(what)}`}`];
  const below = facts(n).join(' · ');
  if (below !== '') rows.push(faint(below));
  return `<${table(rows, 'left')}>`;
};

const nodeLine = (n: GraphNode, inBlock: boolean): string => {
  const { fill, line } = COLORS[n.role];
  // A stack of layers is drawn with a double border.
  const periphery = n.count > 1 ? ', peripheries=2' : '';
  return `n${n.id} [label=${label(n, inBlock)}, fillcolor="${fill}", color="${line}"${periphery}];`;
};

/** Graphviz knows its widths; DejaVu Sans, which stands in for it on most Linux machines, is as wide. */
export const FONT = 'Verdana';

/** DOT, from input to output downwards; ready for `dot -Tsvg`. */
export const networkToDot = (graph: NetworkGraph): string => {
  const inBlock = new Map(graph.blocks.flatMap((b, i) => b.nodes.map(n => [n, i] as const)));
  const last = graph.nodes.at(-1)!;
  const extent = last.role === 'head' ? ' up to its head' : '';
  const title = [
    `<b>${html(graph.network)}</b>`,
    faint(`${graph.bound}-Lipschitz${extent} for every value of its weights · budget ${graph.budget}: proven`),
    faint(`${graph.params.toLocaleString('en')} parameters`),
  ];
  return [
    `digraph ${quoted(graph.network)} {`,
    `  graph [label=<${table(title, 'center')}>, labelloc=t, fontname="${FONT}", fontsize=15, fontcolor="${INK}", rankdir=TB, nodesep=0.35, ranksep=0.28, pad=0.25, bgcolor="white"];`,
    `  node [shape=box, style="rounded,filled", fontname="${FONT}", fontsize=11, fontcolor="${INK}", margin="0.14,0.05", penwidth=1.2];`,
    `  edge [fontname="${FONT}", fontsize=10, fontcolor="${FAINT}", color="#7b828f", arrowsize=0.65];`,
    ...graph.nodes.filter(n => !inBlock.has(n.id)).map(n => `  ${nodeLine(n, false)}`),
    ...graph.blocks.flatMap((b, i) => [
      `  subgraph cluster_${i} {`,
      `    graph [label=<<b>×${b.count}</b>>, labelloc=b, labeljust=r, fontsize=12, style="rounded,dashed", color="#8a919e", margin=10];`,
      ...graph.nodes.filter(n => inBlock.get(n.id) === i).map(n => `    ${nodeLine(n, true)}`),
      '  }',
    ]),
    ...graph.edges.map(e => `  n${e.from} -> n${e.to} [label=${quoted(` ${formatShape(e.shape)}`)}];`),
    '  out [shape=plaintext, style="", label="", height=0.05, width=0.05];',
    `  n${last.id} -> out [label=${quoted(` ${formatShape(last.shape)}`)}];`,
    '}',
    '',
  ].join('\n');
};
