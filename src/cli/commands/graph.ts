/** `lip graph FILE`: the network as a picture (SVG), as a Graphviz program (DOT), or as JSON. */
import { extname } from 'node:path';
import { type Command, Option } from 'commander';
import { writeAtomically } from '../../train/write-atomically.ts';
import { CliError, EXIT } from '../errors.ts';
import { FONT, networkToDot } from '../graph/dot.ts';
import { networkGraph } from '../graph/network-graph.ts';
import { addProgramOptions, type LoadOptions, loadProgram, pickNetwork } from '../load-program.ts';

const FORMATS = ['svg', 'dot', 'json'] as const;
type Format = (typeof FORMATS)[number];

interface GraphOptions extends LoadOptions {
  readonly out?: string;
  readonly format?: Format;
  readonly network?: string;
}

const isFormat = (text: string): text is Format => FORMATS.some(f => f === text);

/** What was asked for, or what the name of the output says; DOT where neither says anything, for it reads well on a terminal. */
const formatOf = (options: GraphOptions): Format => {
  if (options.json) return 'json';
  if (options.format) return options.format;
  if (options.out === undefined) return 'dot';
  const extension = extname(options.out).slice(1).toLowerCase();
  if (isFormat(extension)) return extension;
  throw new CliError(
    `${options.out} does not say what it should be`,
    EXIT.usage,
    'end its name in .svg, .dot or .json, or give --format',
  );
};

/** Graphviz runs as WebAssembly; loaded here, for it takes longer to start than all the rest. */
const render = async (dot: string): Promise<string> => {
  const { instance } = await import('@viz-js/viz');
  const svg = (await instance()).renderString(dot, { format: 'svg', engine: 'dot' });
  return svg.replaceAll(`font-family="${FONT}"`, `font-family="${FONT}, DejaVu Sans, sans-serif"`);
};

const draw = async (file: string, options: GraphOptions): Promise<void> => {
  const format = formatOf(options);
  const graph = networkGraph(pickNetwork(loadProgram(file, options), options.network));
  const text =
    format === 'json'
      ? `${JSON.stringify(graph, null, 2)}\n`
      : format === 'dot'
        ? networkToDot(graph)
        : await render(networkToDot(graph));
  if (options.out === undefined) process.stdout.write(text);
  else writeAtomically(options.out, text);
};

export const register = (program: Command): void => {
  const command = program
    .command('graph')
    .description('draw a network, with its shapes, parameters and bounds')
    .argument('<file>', 'a .lip file')
    .option('-o, --out <file>', 'where to write it, e.g. net.svg or net.dot (default: DOT on stdout)')
    .addOption(new Option('--format <format>', 'in place of what the name of --out says').choices(FORMATS))
    .option('--network <name>', 'which network, if the file has several')
    .option('--json', 'print nodes and edges as JSON');
  addProgramOptions(command).action(draw);
};
