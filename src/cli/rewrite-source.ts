import { accessSync, constants, realpathSync, statSync } from 'node:fs';
import { writeAtomically } from '../train/write-atomically.ts';
import { CliError, EXIT } from './errors.ts';

/** Replaces a file, its permissions kept; of a link, the file it points to. */
export const rewriteSource = (path: string, text: string): void => {
  const target = realpathSync(path);
  try {
    accessSync(target, constants.W_OK);
  } catch {
    throw new CliError(`${path} may not be written`, EXIT.usage, 'check its permissions');
  }
  writeAtomically(target, text, statSync(target).mode & 0o7777);
};
