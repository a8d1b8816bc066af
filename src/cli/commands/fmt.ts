/** `lip fmt FILE…`: canonical layout, in place; `--check` only says which files differ. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { Diagnostic } from '../../diagnostics.ts';
import { format } from '../../parser/format.ts';
import { CliError, EXIT } from '../errors.ts';
import { invalidUtf8At, readSource } from '../load-program.ts';
import { createSourceFile, diagnosticToJson, renderDiagnostics, wantsColor } from '../render-diagnostic.ts';
import { rewriteSource } from '../rewrite-source.ts';

interface FmtOptions {
  readonly check?: boolean;
  readonly stdin?: boolean;
  readonly json?: boolean;
}

interface Outcome {
  readonly path: string;
  /** `refused`: it has syntax errors and was left alone. */
  readonly state: 'unchanged' | 'changed' | 'refused';
  readonly source: string;
  /** The canonical text; of a refused file, its own. */
  readonly text: string;
  readonly diagnostics: readonly Diagnostic[];
}

const formatted = (path: string, source: string): Outcome => {
  const result = format(source);
  if ('diagnostics' in result) return { path, state: 'refused', source, text: source, diagnostics: result.diagnostics };
  return { path, state: result.text === source ? 'unchanged' : 'changed', source, text: result.text, diagnostics: [] };
};

/** The .lip files below a folder, in order of their names; what is hidden or installed is passed over. */
const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true })
    .filter(e => !e.name.startsWith('.') && e.name !== 'node_modules')
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap(e => {
      const path = join(folder, e.name);
      return e.isDirectory() ? filesBelow(path) : e.isFile() && e.name.endsWith('.lip') ? [path] : [];
    });

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;

const plural = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;

const reportRefused = (outcomes: readonly Outcome[]): void => {
  for (const o of outcomes)
    process.stderr.write(
      renderDiagnostics(o.diagnostics, createSourceFile(o.path, o.source), wantsColor(process.stderr)),
    );
};

const outcomeToJson = (o: Outcome): object => ({
  path: o.path,
  state: o.state,
  ...(o.state === 'refused' && {
    diagnostics: o.diagnostics.map(d => diagnosticToJson(d, createSourceFile(o.path, o.source))),
  }),
});

const STDIN = '<stdin>';

const readStdin = (): string => {
  const bytes = readFileSync(0);
  if (invalidUtf8At(bytes) !== undefined) throw new CliError('standard input is not UTF-8', EXIT.usage);
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
};

const fmt = (given: readonly string[], options: FmtOptions): void => {
  if (options.stdin ? given.length > 0 : given.length === 0)
    throw new CliError(
      options.stdin ? '--stdin takes no files' : 'nothing to format',
      EXIT.usage,
      'name files or folders, `lip fmt examples`, or give the text on standard input with --stdin',
    );
  const { check = false, json = false, stdin = false } = options;
  const paths = given.flatMap(p => (isFolder(p) ? filesBelow(p) : [p]));
  const outcomes = stdin ? [formatted(STDIN, readStdin())] : [...new Set(paths)].map(p => formatted(p, readSource(p)));
  const changed = outcomes.filter(o => o.state === 'changed');
  const refused = outcomes.filter(o => o.state === 'refused');

  if (!check && !stdin) for (const o of changed) rewriteSource(o.path, o.text);
  if (json) process.stdout.write(`${JSON.stringify({ files: outcomes.map(outcomeToJson) }, null, 2)}\n`);
  else {
    reportRefused(refused);
    if (stdin && !check) {
      if (refused.length === 0) process.stdout.write(outcomes[0].text);
    } else for (const o of changed) process.stdout.write(`${o.path}\n`);
  }
  if (refused.length > 0)
    throw new CliError(
      `${plural(refused.length, 'file')} with syntax errors left as ${refused.length === 1 ? 'it was' : 'they were'}`,
      EXIT.program,
      `\`lip explain ${refused[0].diagnostics[0].code}\` says more about the first`,
    );
  if (check && changed.length > 0)
    throw new CliError(
      `${plural(changed.length, 'file')} of ${outcomes.length} not formatted`,
      EXIT.negative,
      'run `lip fmt` on what is listed',
    );
};

export const register = (program: Command): void => {
  program
    .command('fmt')
    .description('lay out .lip files in one canonical way, in place; prints the files it changes')
    .argument('[files...]', '.lip files, or folders of them')
    .option('--check', 'change nothing; list the files that differ and exit 3 if there are any')
    .option('--stdin', 'format standard input to standard output')
    .option('--json', 'print what was done with each file as JSON')
    .action(fmt);
};
