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

/** Makes the folder of `path` when it is missing. Throws InputFileError when no file can be written at `path`: better now than after the work. */
export const prepareFile = (path: string): void => {
  prepareFolder(dirname(path));
  try {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw new Error('it is a folder, not a file');
  } catch (e) {
    throw unwritable(path, e);
  }
};

export interface FileToWrite {
  readonly path: string;
  readonly bytes: Uint8Array | string;
  /** Permissions. */
  readonly mode?: number;
}

/** What would end the process. */
const STOPS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Signals to stop that come during `work`, which waits for nothing, have no effect. */
const undisturbed = (work: () => void): void => {
  const ignore = () => {};
  for (const name of STOPS) process.on(name, ignore);
  try {
    work();
  } finally {
    for (const name of STOPS) process.removeListener(name, ignore);
  }
};

/** Makes the temporary file that is to become `path`, flushed to disk. */
const writeTemporary = (temporary: string, { bytes, mode }: FileToWrite): void => {
  const data = typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes;
  const file = openSync(temporary, 'w');
  try {
    if (mode !== undefined) fchmodSync(file, mode);
    for (let at = 0; at < data.length; ) at += writeSync(file, data, at);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
};

/** Removes a temporary file if it is there and can be removed: why it is no use has been found out already. */
const discard = (temporary: string): void => {
  try {
    rmSync(temporary, { force: true });
  } catch {}
};

const flushFolder = (folder: string): void => {
  if (process.platform === 'win32') return;
  const dir = openSync(folder, 'r');
  try {
    fsyncSync(dir);
  } finally {
    closeSync(dir);
  }
};

/**
 * Writes files that belong together so that a crash at any moment leaves the old or the new one of each, never a part, and a signal to stop the old
 * or the new ones of all: temporary files in the same folders (created when missing), flushed to disk, renamed over the old ones, and the folders
 * flushed so that the renames last. Throws InputFileError, and then leaves no temporary file.
 */
export const writeAllAtomically = (files: readonly FileToWrite[]): void => {
  for (const { path } of files) prepareFile(path);
  const temporary = files.map(({ path }) => join(dirname(path), `.${basename(path)}.${process.pid}.tmp`));
  undisturbed(() => {
    let at = 0;
    try {
      for (; at < files.length; at++) writeTemporary(temporary[at], files[at]);
      for (at = 0; at < files.length; at++) renameSync(temporary[at], files[at].path);
    } catch (e) {
      for (const t of temporary) discard(t);
      throw unwritable(files[at].path, e);
    }
    for (const folder of new Set(files.map(f => dirname(f.path)))) flushFolder(folder);
  });
};

/** Writes one file like `writeAllAtomically`. */
export const writeAtomically = (path: string, bytes: Uint8Array | string, mode?: number): void =>
  writeAllAtomically([{ path, bytes, ...(mode === undefined ? {} : { mode }) }]);
