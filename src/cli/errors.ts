/** Exit codes of `lip`, the same for every command. */
export const EXIT = {
  done: 0,
  /** The program is wrong: diagnostics were printed. */
  program: 1,
  /** Wrong usage, or files that cannot be read as what they should be. */
  usage: 2,
  /** It ran, and the answer is no: a certificate refused, outputs that differ. */
  negative: 3,
  /** No usable GPU, or the device was lost. */
  device: 4,
  /** A bug of the compiler. */
  bug: 70,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** A failure that its user can do something about. Anything else that reaches the top is a bug of the compiler. */
export class CliError extends Error {
  readonly exitCode: ExitCode;
  readonly help: string | undefined;

  constructor(message: string, exitCode: ExitCode, help?: string) {
    super(message);
    this.name = 'CliError';
    this.exitCode = exitCode;
    this.help = help;
  }
}
