/** A data set, checkpoint or weights file that is missing, malformed or does not fit. The command line exits with code 2. */
export class InputFileError extends Error {
  /** What to do about it. */
  readonly help: string | undefined;

  constructor(message: string, help?: string) {
    super(message);
    this.name = 'InputFileError';
    this.help = help;
  }
}
