/** `lip build`: emits a network as an ES module, or prints one of its intermediate representations. */
import { join } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { portableTarget } from '../../codegen/frozen-module.ts';
import { printPlan, printWgsl } from '../../codegen/print-plan.ts';
import { inBlocks, printKernels, type Target } from '../../ir/kernel.ts';
import { networkParams } from '../../ir/network.ts';
import { printNetwork } from '../../ir/print-network.ts';
import type { TrainRecipe } from '../../ir/recipe.ts';
import { printTensorGraph, type TensorGraph } from '../../ir/tensor.ts';
import { compileGraph } from '../../passes/kernels/compile-graph.ts';
import type { ProvenNetwork } from '../../passes/prove/prove.ts';
import { freeze } from '../../passes/tensors/freeze.ts';
import { buildTrainStep } from '../../passes/training/train-step.ts';
import { derivationToJson, printDerivation } from '../../proof/derivation.ts';
import { loadWeights } from '../../train/checkpoint.ts';
import { initializeParams } from '../../train/initialize.ts';
import { CliError, EXIT } from '../errors.ts';
import { addProgramOptions, loadProgram, type ProvenProgram, pickNetwork } from '../load-program.ts';
import { saveModule } from '../save-module.ts';

const REPRESENTATIONS = ['network', 'tensor', 'kernels', 'wgsl', 'plan', 'proof'] as const;
type Representation = (typeof REPRESENTATIONS)[number];

interface BuildOptions {
  readonly out?: string;
  readonly weights?: string;
  readonly batch: number;
  readonly network?: string;
  readonly anyNetwork?: boolean;
  readonly emit?: Representation;
  readonly of: 'inference' | 'train';
  readonly profile: Target['profile'];
  readonly json?: boolean;
  readonly set?: Record<string, string>;
  readonly by?: string;
}

const MAX_BATCH = 65536;

const parseBatch = (text: string): number => {
  const n = Number(text);
  if (!Number.isInteger(n) || n < 1 || n > MAX_BATCH)
    throw new InvalidArgumentError(`a batch is a whole number from 1 to ${MAX_BATCH}.`);
  return n;
};

const recipeOf = (program: ProvenProgram, proven: ProvenNetwork): TrainRecipe | undefined =>
  program.trains.find(t => t.network === proven.network.name);

/** The weights to fold: those of the file, or else the initial ones. */
const weightsOf = (
  program: ProvenProgram,
  proven: ProvenNetwork,
  { weights: file, anyNetwork = false }: Pick<BuildOptions, 'weights' | 'anyNetwork'>,
): Map<string, Float32Array> => {
  if (file !== undefined) return loadWeights(file, proven.network, { anyNetwork });
  const seed = recipeOf(program, proven)?.seed ?? 0;
  process.stderr.write(
    `lip: no --weights given: ${proven.network.name} keeps its untrained initial weights (seed ${seed})\n`,
  );
  return initializeParams(networkParams(proven.network), seed);
};

/** The tensor graph that `--emit` is about. */
const graphOf = (program: ProvenProgram, proven: ProvenNetwork, options: BuildOptions): TensorGraph => {
  if (options.of === 'inference') return freeze(proven, weightsOf(program, proven, options), options.batch).graph;
  const recipe = recipeOf(program, proven);
  if (!recipe)
    throw new CliError(
      `${program.path} has no \`train ${proven.network.name}\` block`,
      EXIT.usage,
      'add one, or print --of inference',
    );
  return buildTrainStep(proven, recipe, options.batch);
};

/** Text (or with --json, where there is a JSON form, that) of one representation. */
const print = (program: ProvenProgram, proven: ProvenNetwork, what: Representation, options: BuildOptions): string => {
  const target = portableTarget(options.profile);
  const compiled = () =>
    compileGraph(graphOf(program, proven, options), options.of === 'inference' ? inBlocks(target) : target);
  const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
  switch (what) {
    case 'network':
      return printNetwork(proven.network);
    case 'tensor':
      return printTensorGraph(graphOf(program, proven, options));
    case 'kernels':
      return printKernels(compiled().kernels);
    case 'wgsl':
      return printWgsl(compiled().plan);
    case 'plan': {
      const { plan } = compiled();
      if (!options.json) return printPlan(plan);
      return json({ ...plan, literals: plan.literals.map(l => ({ buffer: l.buffer, data: Array.from(l.data) })) });
    }
    case 'proof':
      return options.json
        ? json(derivationToJson(proven.derivation))
        : printDerivation(proven.derivation, ...proven.subBudgets.map(p => p.derivation));
    default:
      return what satisfies never;
  }
};

const writeModule = async (program: ProvenProgram, proven: ProvenNetwork, options: BuildOptions): Promise<void> => {
  const network = proven.network.name;
  const weights = weightsOf(program, proven, options);
  const folder = options.out ?? join('out', network);
  const { files, sha256 } = await saveModule({ proven, weights, batch: options.batch, folder });
  if (options.json) {
    const report = { network, batch: options.batch, files, weightsSha256: sha256 };
    process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
    return;
  }
  const width = Math.max(...files.map(f => f.path.length));
  for (const f of files) process.stdout.write(`${f.path.padEnd(width)}  ${f.bytes} bytes\n`);
};

export const register = (program: Command): void => {
  const command = program
    .command('build')
    .description('emit a network as an ES module that needs nothing but WebGPU, or print what it compiles to')
    .argument('<file>', 'a .lip file')
    .option('-o, --out <folder>', 'where to write the module (default: out/NETWORK)')
    .option('--weights <file>', 'trained weights (safetensors); without them the initial ones')
    .option('--batch <n>', 'examples per submission', parseBatch, 64)
    .option('--network <name>', 'which network, if the file has several')
    .option('--any-network', 'take weights trained as another network, as far as names and shapes fit')
    .addOption(new Option('--emit <what>', 'print this to stdout and write nothing').choices(REPRESENTATIONS))
    .addOption(
      new Option('--of <graph>', 'what --emit tensor, kernels, wgsl and plan show')
        .choices(['inference', 'train'])
        .default('inference'),
    )
    .addOption(
      new Option('--profile <adapter>', 'the kind of adapter --emit shows kernels for')
        .choices(['gpu', 'software'])
        .default('gpu'),
    )
    .option('--json', 'print the list of files, a plan or a proof as JSON');
  addProgramOptions(command).action(async (file: string, options: BuildOptions) => {
    const loaded = loadProgram(file, options);
    const proven = pickNetwork(loaded, options.network);
    if (options.emit) process.stdout.write(print(loaded, proven, options.emit, options));
    else await writeModule(loaded, proven, options);
  });
};
