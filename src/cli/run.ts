/** The shell around all commands: help, version, errors, exit codes. */
import { Command, CommanderError } from 'commander';
import pc from 'picocolors';
import { version } from '../../package.json';
import { CliError, EXIT, type ExitCode } from './errors.ts';
import { asCliError } from './failures.ts';
import { wantsColor } from './render-diagnostic.ts';
import { wrap } from './wrap.ts';

export type Register = (program: Command) => void;

const INTRO =
  'A compiler for 1-Lipschitz neural networks. A .lip file says what the network looks like; lip proves that it is ' +
  '1-Lipschitz for every value of its weights, and builds the GPU code that trains, runs and certifies it.';

const EXAMPLES = `
First steps:
  $ npm start                          prove, train and certify examples/mnist.lip
  $ npx lip check examples/mnist.lip   shapes, parameters and the proven bound
  $ npx lip init mine.lip              a commented file to start from
  $ npx lip explain L0101              what an error code means

Exit codes: 0 done, 1 the program is wrong, 2 wrong usage or unreadable files,
3 the answer is negative, 4 no usable GPU, 70 a bug of lip.`;

const createProgram = (commands: readonly Register[]): Command => {
  const program = new Command('lip')
    .description(INTRO)
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help for a command')
    .addHelpText('after', EXAMPLES)
    .showSuggestionAfterError()
    .exitOverride();
  for (const register of commands) register(program);
  // Subcommands made by `command()` inherit exitOverride only when it is set before, so set it again for those added otherwise.
  for (const c of program.commands)
    c.exitOverride().showHelpAfterError(`  help: \`lip ${c.name()} --help\` lists arguments and options`);
  return program;
};

/** What is said of an error that should not have happened. */
const describeBug = (e: unknown): string => {
  const stack = e instanceof Error ? (e.stack ?? e.message) : String(e);
  return [
    'this is a bug in lip, not in your program.',
    stack,
    `(lip ${version}, Node ${process.version}, ${process.platform} ${process.arch})`,
    'Please report it with the .lip file and the command that led here.',
  ].join('\n');
};

/** Says on stderr what went wrong and returns the exit code for it. */
export const reportFailure = (thrown: unknown): ExitCode => {
  const c = pc.createColors(wantsColor(process.stderr));
  const e = asCliError(thrown);
  if (e instanceof CliError) {
    const help = e.help ? `  ${c.bold('help:')} ${wrap(e.help, ' '.repeat(8))}\n` : '';
    process.stderr.write(`${c.red('lip:')} ${e.message}\n${help}`);
    return e.exitCode;
  }
  process.stderr.write(`${c.red('lip:')} ${describeBug(e)}\n`);
  return EXIT.bug;
};

/** Runs `lip ARGS` and returns its exit code. Never throws. */
export const run = async (args: readonly string[], commands: readonly Register[]): Promise<number> => {
  try {
    const program = createProgram(commands);
    if (args.length === 0) {
      program.outputHelp();
      return EXIT.done;
    }
    await program.parseAsync([...args], { from: 'user' });
    // A command may have set another code for a negative answer.
    return typeof process.exitCode === 'number' ? process.exitCode : EXIT.done;
  } catch (e) {
    if (e instanceof CommanderError) return e.exitCode === 0 ? EXIT.done : EXIT.usage;
    return reportFailure(e);
  }
};
