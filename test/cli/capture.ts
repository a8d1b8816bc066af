import { vi } from 'vitest';
import { type Register, run } from '../../src/cli/run.ts';

export interface Captured {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs `lip ARGS` with the given commands in this process and keeps what it writes. */
export const runCaptured = async (args: readonly string[], commands: readonly Register[]): Promise<Captured> => {
  let out = '';
  let err = '';
  const stdout = vi.spyOn(process.stdout, 'write').mockImplementation(chunk => {
    out += chunk;
    return true;
  });
  const stderr = vi.spyOn(process.stderr, 'write').mockImplementation(chunk => {
    err += chunk;
    return true;
  });
  try {
    const code = await run(args, commands);
    return { code, out, err };
  } finally {
    stdout.mockRestore();
    stderr.mockRestore();
  }
};
