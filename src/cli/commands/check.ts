/** `lip check FILE`: what is proven of each network, on what grounds, and what it costs. */
import type { Command } from 'commander';
import { derivationToJson } from '../../proof/derivation.ts';
import { checkNetwork, printReport } from '../check-report.ts';
import { CliError, EXIT } from '../errors.ts';
import { applyFixes } from '../fixes.ts';
import { addProgramOptions, diagnose, type LoadOptions, loadProgram, readSource } from '../load-program.ts';
import { createSourceFile, diagnosticToJson, position } from '../render-diagnostic.ts';
import { rewriteSource } from '../rewrite-source.ts';

/** A mend may uncover what it can mend next; this many rounds are made. */
const MAX_ROUNDS = 20;

/** Writes the mends of a program into its file, and says on stderr what was replaced by what. */
const fix = (path: string, options: LoadOptions): void => {
  const before = readSource(path);
  let source = before;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const { text, made } = applyFixes(source, diagnose(source, options));
    if (made.length === 0) break;
    const file = createSourceFile(path, source);
    for (const { code, fix } of made) {
      const { line, column } = position(file, fix!.span.start);
      const old = source.slice(fix!.span.start, fix!.span.end);
      const done = fix!.to === '' ? 'is removed' : `is now \`${fix!.to}\``;
      process.stderr.write(`${path}:${line}:${column}: ${code}: \`${old}\` ${done}\n`);
    }
    source = text;
  }
  if (source !== before) rewriteSource(path, source);
};

const check = (file: string, options: LoadOptions & { readonly fix?: boolean }): void => {
  if (options.fix) fix(file, options);
  const { networks, source, warnings } = loadProgram(file, options);
  if (networks.length === 0)
    throw new CliError(`${file} defines no network`, EXIT.program, 'write one: `network Name { input x[4]  head 2 }`');
  if (options.json) {
    const reports = networks.map(({ proven }) => ({
      ...checkNetwork(proven),
      derivation: derivationToJson(proven.derivation),
    }));
    const at = createSourceFile(file, source);
    const found = warnings.length > 0 ? { warnings: warnings.map(d => diagnosticToJson(d, at)) } : {};
    process.stdout.write(`${JSON.stringify({ networks: reports, ...found }, null, 2)}\n`);
    return;
  }
  process.stdout.write(networks.map(({ proven }) => printReport(proven)).join('\n'));
};

export const register = (program: Command): void => {
  addProgramOptions(
    program
      .command('check')
      .description('prove every network of a file and print its layers, costs and bound')
      .argument('<file>', 'a .lip file')
      .option('--json', 'print everything, with the whole derivation, as JSON')
      .option('--fix', 'first make the mends that the diagnostics propose, in the file itself')
      .option('--counterexample <file>', 'where the proof fails: write the counterexample there, as JSON'),
  ).action(check);
};
