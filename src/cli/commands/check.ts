/** `lip check FILE`: what is proven of each network, on what grounds, and what it costs. */
import type { Command } from 'commander';
import { derivationToJson } from '../../proof/derivation.ts';
import { checkNetwork, printReport } from '../check-report.ts';
import { CliError, EXIT } from '../errors.ts';
import { addProgramOptions, type LoadOptions, loadProgram } from '../load-program.ts';

const check = (file: string, options: LoadOptions): void => {
  const { networks } = loadProgram(file, options);
  if (networks.length === 0)
    throw new CliError(`${file} defines no network`, EXIT.program, 'write one: `network Name { input x[4]  head 2 }`');
  if (options.json) {
    const reports = networks.map(({ proven }) => ({
      ...checkNetwork(proven),
      derivation: derivationToJson(proven.derivation),
    }));
    process.stdout.write(`${JSON.stringify({ networks: reports }, null, 2)}\n`);
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
      .option('--counterexample <file>', 'where the proof fails: write the counterexample there, as JSON'),
  ).action(check);
};
