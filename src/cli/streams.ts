/** Standard streams that fail: a reader that went away, a full disk. None of it may cost work under way. */

const code = (e: unknown): string | undefined => (e instanceof Error ? (e as NodeJS.ErrnoException).code : undefined);

/** Results that could not be written to stdout: an error of a write that names no file. */
export const isOutputFailure = (e: unknown): e is Error =>
  e instanceof Error && 'syscall' in e && e.syscall === 'write' && !('path' in e);

/**
 * A closed stdout (`lip … | head`) is no failure: the command goes on and writes its files. Nor is any failure of stderr: progress and
 * messages are lost, the work is not. Other failures of stdout are thrown.
 */
export const guardStreams = (stdout: NodeJS.WriteStream, stderr: NodeJS.WriteStream): void => {
  stdout.on('error', e => {
    if (code(e) !== 'EPIPE') throw e;
  });
  stderr.on('error', () => undefined);
  // Files and terminals are written at once: their errors are thrown, not emitted.
  const write = stderr.write.bind(stderr) as (...args: unknown[]) => boolean;
  stderr.write = ((...args: unknown[]) => {
    try {
      return write(...args);
    } catch {
      return true;
    }
  }) as typeof stderr.write;
};
