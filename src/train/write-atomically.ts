import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { InputFileError } from '../data/input-file-error.ts';

const unwritable = (path: string, e: unknown): InputFileError =>
  new InputFileError(
    `cannot write ${path}: ${e instanceof Error ? e.message : String(e)}`,
    'name a folder with -o that exists or can be made, with room on its disk',
  );

/** Like `mkdir -p`. (Node's own `recursive` never returns where a file system refuses new entries as if they were missing: /proc.) */
const makeFolder = (folder: string): void => {
  if (existsSync(folder)) {
    if (!statSync(folder).isDirectory()) throw new Error('it is a file, not a folder');
    return;
  }
  if (dirname(folder) !== folder) makeFolder(dirname(folder));
  try {
    mkdirSync(folder);
  } catch (e) {
    // Another process may have been faster.
    if (!existsSync(folder)) throw e;
  }
};

/** Makes `folder` when it is missing. Throws InputFileError when files cannot be written there: better now than after the work. */
export const prepareFolder = (folder: string): void => {
  try {
    makeFolder(folder);
    accessSync(folder, constants.W_OK);
  } catch (e) {
    throw unwritable(folder, e);
  }
};

/**
 * Writes `bytes` to `path` so that a crash at any moment leaves the old file or the new one, never a part: a temporary file in the
 * same folder (created when missing), flushed to disk, renamed over the old one, and the folder flushed so that the rename lasts. `mode`
 * are its permissions. Throws InputFileError.
 */
export const writeAtomically = (path: string, bytes: Uint8Array | string, mode?: number): void => {
  const folder = dirname(path);
  prepareFolder(folder);
  const temporary = join(folder, `.${basename(path)}.${process.pid}.tmp`);
  const data = typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes;
  try {
    const file = openSync(temporary, 'w');
    try {
      if (mode !== undefined) fchmodSync(file, mode);
      for (let at = 0; at < data.length; ) at += writeSync(file, data, at);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (e) {
    rmSync(temporary, { force: true });
    throw unwritable(path, e);
  }
  if (process.platform === 'win32') return;
  const dir = openSync(folder, 'r');
  try {
    fsyncSync(dir);
  } finally {
    closeSync(dir);
  }
};
