import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { InputFileError } from './input-file-error.ts';

const reason = (e: unknown): string => (e instanceof Error ? e.message : String(e));

/** The bytes of `path`, for a file called `what` in messages. Throws InputFileError when it cannot be read. */
export const readInputFile = (path: string, what: string, help?: string): Uint8Array => {
  try {
    return readFileSync(path);
  } catch (e) {
    const code = (e as NodeJS.ErrnoException).code;
    const why =
      code === 'ENOENT'
        ? 'there is no such file'
        : code === 'EISDIR'
          ? 'it is a folder, not a file'
          : code === 'EACCES'
            ? 'permission denied'
            : reason(e);
    throw new InputFileError(`cannot read ${what} ${path}: ${why}`, help);
  }
};

/** The bytes of the first of `names` found in `folder`, each as it is or gzipped with the ending `.gz`. */
export const readPlainOrGzip = (
  folder: string,
  names: readonly string[],
  what: string,
): { path: string; bytes: Uint8Array } => {
  const candidates = names.flatMap(n => [`${folder}/${n}`, `${folder}/${n}.gz`]);
  const path = candidates.find(p => existsSync(p));
  if (path === undefined) {
    throw new InputFileError(
      `no ${what} in ${folder}: looked for ${names.map(n => `${n}[.gz]`).join(', ')}`,
      existsSync(folder) ? 'name the folder that holds the official files' : `the folder ${folder} does not exist`,
    );
  }
  const bytes = readInputFile(path, what);
  // Decided by content: a file may be gzipped without saying so in its name, or named .gz and already unpacked.
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return { path, bytes };
  try {
    return { path, bytes: gunzipSync(bytes) };
  } catch (e) {
    throw new InputFileError(
      `${path} is not a complete gzip file: ${reason(e)}`,
      'the download may have been cut short: fetch it again',
    );
  }
};
