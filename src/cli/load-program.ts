/** From the path of a `.lip` file to proven networks: what every command does first. */
import { readFileSync, statSync } from 'node:fs';
import { type Command, InvalidArgumentError } from 'commander';
import { InputFileError } from '../data/input-file-error.ts';
import type { Diagnostic } from '../diagnostics.ts';
import type { Network } from '../ir/network.ts';
import type { CertifyRecipe, TrainRecipe } from '../ir/recipe.ts';
import { MAX_SOURCE, parse } from '../parser/parse.ts';
import { type ProvenNetwork, prove } from '../passes/prove/prove.ts';
import { refute } from '../passes/refute/refute.ts';
import { type ResolveOptions, resolve } from '../passes/resolve/resolve.ts';
import { unusedParams } from '../passes/resolve/unused-params.ts';
import { writeAtomically } from '../train/write-atomically.ts';
import { CliError, EXIT } from './errors.ts';
import { withFixesFor } from './fixes.ts';
import {
  countDiagnostics,
  createSourceFile,
  diagnosticToJson,
  renderDiagnostics,
  wantsColor,
} from './render-diagnostic.ts';

/** Bytes of a file: UTF-8 takes at most 3 for each UTF-16 unit. */
const MAX_BYTES = 3 * MAX_SOURCE;

export interface ProvenProgram {
  readonly path: string;
  readonly source: string;
  readonly networks: readonly { readonly network: Network; readonly proven: ProvenNetwork }[];
  readonly trains: readonly TrainRecipe[];
  readonly certifies: readonly CertifyRecipe[];
  /** On stderr already, but with `json`. */
  readonly warnings: readonly Diagnostic[];
}

const errorCode = (e: unknown): string | undefined =>
  e instanceof Error && 'code' in e && typeof e.code === 'string' ? e.code : undefined;

const unreadable = (path: string, e: unknown): CliError => {
  switch (errorCode(e)) {
    case 'ENOENT':
      return new CliError(
        `there is no file ${path}`,
        EXIT.usage,
        'give the path of a .lip file, e.g. examples/mnist.lip',
      );
    case 'EACCES':
    case 'EPERM':
      return new CliError(`${path} may not be read`, EXIT.usage, 'check its permissions');
    default:
      return new CliError(`cannot read ${path}: ${e instanceof Error ? e.message : String(e)}`, EXIT.usage);
  }
};

/** Offset of the first byte that is not part of well-formed UTF-8, or undefined. */
export const invalidUtf8At = (bytes: Uint8Array): number | undefined => {
  const fails = (end: number): boolean => {
    try {
      // `stream` allows a sequence that is only cut short at `end`.
      new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, end), { stream: end < bytes.length });
      return false;
    } catch {
      return true;
    }
  };
  if (!fails(bytes.length)) return undefined;
  let low = 0;
  let high = bytes.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (fails(middle + 1)) high = middle;
    else low = middle + 1;
  }
  return low;
};

/** The text of a source file. Throws CliError (exit 2) when there is none. */
export const readSource = (path: string): string => {
  let bytes: Uint8Array;
  try {
    const info = statSync(path);
    if (info.isDirectory())
      throw new CliError(`${path} is a directory`, EXIT.usage, 'give the path of a .lip file in it');
    if (info.size > MAX_BYTES)
      throw new CliError(
        `${path} has ${info.size} bytes; at most ${MAX_BYTES} are read`,
        EXIT.usage,
        'a network is a few dozen lines: is this the right file?',
      );
    bytes = readFileSync(path);
  } catch (e) {
    throw e instanceof CliError ? e : unreadable(path, e);
  }
  const bad = invalidUtf8At(bytes);
  if (bad !== undefined) {
    const byte = bytes[bad]?.toString(16).padStart(2, '0');
    throw new CliError(
      `${path} is not UTF-8: byte ${bad}${byte === undefined ? '' : ` (0x${byte})`} does not belong there`,
      EXIT.usage,
      'save it as UTF-8 text; a .lip file is never binary',
    );
  }
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
};

export interface LoadOptions extends ResolveOptions {
  /** Print diagnostics as JSON on stdout. */
  readonly json?: boolean;
  /** Where the counterexamples of a refused proof are written, as JSON; nothing is written where there is none. */
  readonly counterexample?: string;
}

const save = (path: string, text: string): void => {
  try {
    writeAtomically(path, text);
  } catch (e) {
    if (!(e instanceof InputFileError)) throw e;
    throw new CliError(e.message, EXIT.usage, '`--counterexample` takes a file in a folder that may be written to');
  }
};

/** With a counterexample, where the layers refused are there although the network is not. */
const refuteSuspect = ({ suspect, ...d }: Diagnostic): Diagnostic => (suspect ? refute(suspect, [d])[0] : d);

const refuse = (path: string, source: string, found: readonly Diagnostic[], options: LoadOptions): never => {
  const diagnostics = withFixesFor(source, found.map(refuteSuspect));
  const file = createSourceFile(path, source);
  if (options.json)
    process.stdout.write(
      `${JSON.stringify({ diagnostics: diagnostics.map(d => diagnosticToJson(d, file)) }, null, 2)}\n`,
    );
  else process.stderr.write(renderDiagnostics(diagnostics, file, wantsColor(process.stderr)));
  const codes = new Set(diagnostics.map(d => d.code));
  const counterexamples = diagnostics.flatMap(d =>
    d.counterexample && d.counterexample !== 'none found' ? [d.counterexample] : [],
  );
  if (options.counterexample !== undefined && counterexamples.length > 0) {
    save(options.counterexample, `${JSON.stringify({ program: path, counterexamples }, null, 1)}\n`);
    process.stderr.write(`counterexample written to ${options.counterexample}\n`);
  }
  const mendable = diagnostics.filter(d => d.fix).length;
  const mends =
    mendable === 0
      ? ''
      : `; \`lip check --fix\` mends ${mendable === diagnostics.length ? 'this' : `${mendable} of them`}`;
  const unsaved = counterexamples.length > 0 && options.counterexample === undefined;
  throw new CliError(
    `${countDiagnostics(diagnostics)} in ${path}`,
    EXIT.program,
    `\`lip explain ${diagnostics[0].code}\` says more${codes.size > 1 ? ' about the first' : ''}${mends}${unsaved ? '; `lip check --counterexample FILE` saves the numbers' : ''}`,
  );
};

/** What is wrong with a program, up to the first stage that finds anything, or else its warnings; counterexamples are not looked for. */
export const diagnose = (source: string, options: ResolveOptions): readonly Diagnostic[] => {
  const parsed = parse(source);
  const program = resolve(parsed.file, options);
  const found = [...parsed.diagnostics, ...program.diagnostics];
  if (found.length > 0) return found;
  const refused = program.networks.flatMap(network => {
    const result = prove(network);
    return 'diagnostics' in result ? result.diagnostics : [];
  });
  return refused.length > 0 ? refused : parsed.file.definitions.flatMap(unusedParams);
};

/**
 * Reads, parses, resolves and proves a file. Diagnostics go to stderr (to stdout as JSON with `json`), and any of them throws CliError
 * with exit code 1; a file that cannot be read throws one with exit code 2.
 */
export const loadProgram = (path: string, options: LoadOptions = {}): ProvenProgram => {
  const source = readSource(path);
  const parsed = parse(source);
  const program = resolve(parsed.file, options);
  const diagnostics = [...parsed.diagnostics, ...program.diagnostics].sort((a, b) => a.span.start - b.span.start);
  if (diagnostics.length > 0) refuse(path, source, diagnostics, options);
  const results = program.networks.map(network => ({ network, result: prove(network) }));
  const refused = results.flatMap(r => ('diagnostics' in r.result ? refute(r.network, r.result.diagnostics) : []));
  if (refused.length > 0) refuse(path, source, refused, options);
  const warnings = parsed.file.definitions.flatMap(unusedParams);
  if (!options.json) {
    const at = createSourceFile(path, source);
    process.stderr.write(renderDiagnostics(warnings, at, wantsColor(process.stderr)));
  }
  const networks = results.flatMap(r =>
    'proven' in r.result ? [{ network: r.network, proven: r.result.proven }] : [],
  );
  return { path, source, networks, trains: program.trains, certifies: program.certifies, warnings };
};

/** The network that a command is about: the only one of the file, or the one named. Throws CliError (exit 2). */
export const pickNetwork = (program: ProvenProgram, name: string | undefined): ProvenNetwork => {
  const names = program.networks.map(n => n.network.name);
  if (names.length === 0) throw new CliError(`${program.path} defines no network`, EXIT.usage);
  const chosen = name === undefined && names.length === 1 ? names[0] : name;
  const found = program.networks.find(n => n.network.name === chosen);
  if (found) return found.proven;
  throw new CliError(
    name === undefined ? `${program.path} defines ${names.length} networks` : `${program.path} has no network ${name}`,
    EXIT.usage,
    `choose one with --network: ${names.join(', ')}`,
  );
};

const collectSet = (text: string, before: Record<string, string> = {}): Record<string, string> => {
  const i = text.indexOf('=');
  if (i < 1) throw new InvalidArgumentError('write NAME=VALUE, e.g. --set width=60.');
  return { ...before, [text.slice(0, i).trim()]: text.slice(i + 1).trim() };
};

/** Adds `--set NAME=VALUE` and `--by METHOD`, whose values are the `LoadOptions` of the same names. */
export const addProgramOptions = (command: Command): Command =>
  command
    .option('--set <name=value>', 'value for a parameter of the network; may be repeated', collectSet)
    .option('--by <method>', 'rescaling method in place of the one in the header, e.g. aol');
