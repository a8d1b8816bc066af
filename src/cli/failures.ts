import { InputFileError } from '../data/input-file-error.ts';
import { DeviceLimitError, DeviceLostError, NoAdapterError } from '../runtime/errors.ts';
import { DivergedError } from '../train/loop.ts';
import { CliError, EXIT } from './errors.ts';
import { isOutputFailure } from './streams.ts';

/** The failures of the libraries that a user can do something about, as CliError; anything else, unchanged, is a bug. */
export const asCliError = (e: unknown): unknown => {
  if (e instanceof InputFileError) return new CliError(e.message, EXIT.usage, e.help);
  if (e instanceof NoAdapterError) return new CliError(e.message, EXIT.device, e.help);
  if (e instanceof DeviceLostError) {
    return new CliError(e.message, EXIT.device, '`lip doctor` checks the device; LIP_ADAPTER=software does without it');
  }
  if (e instanceof DeviceLimitError) return new CliError(e.message, EXIT.device);
  if (e instanceof DivergedError) {
    return new CliError(
      `training diverged: ${e.message}`,
      EXIT.negative,
      'lower the rate of the optimizer; the last checkpoint written is still good',
    );
  }
  // By name: of what a thread throws the class is lost.
  if (e instanceof Error && e.name === 'NotFoldable') {
    return new CliError(
      e.message,
      EXIT.usage,
      'look for very large or extreme entries among the weights of this layer; a checkpoint of `lip train` that ended well has none',
    );
  }
  if (isOutputFailure(e)) return new CliError(`cannot write the results: ${e.message}`, EXIT.usage);
  return e;
};
