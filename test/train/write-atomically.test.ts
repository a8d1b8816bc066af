import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { InputFileError } from '../../src/data/input-file-error.ts';
import { writeAllAtomically, writeAtomically } from '../../src/train/write-atomically.ts';

const folder = mkdtempSync(join(tmpdir(), 'lip-write-'));
const file = (...name: string[]) => join(folder, ...name);
afterAll(() => rmSync(folder, { recursive: true }));

describe('files that belong together', () => {
  it('are written, over old ones too, into folders that are made', () => {
    writeAllAtomically([
      { path: file('new', 'a'), bytes: 'one' },
      { path: file('b'), bytes: Uint8Array.of(1, 2), mode: 0o600 },
    ]);
    writeAtomically(file('new', 'a'), 'two');
    expect(readFileSync(file('new', 'a'), 'utf8')).toBe('two');
    expect([...readFileSync(file('b'))]).toEqual([1, 2]);
    expect(statSync(file('b')).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['b', 'new']);
  });
  it('stay as they were, all of them, where one cannot be written; no signal is listened to after', () => {
    writeFileSync(file('kept'), 'old');
    const listeners = process.listenerCount('SIGINT');
    for (const second of [file('too long'.repeat(40)), folder]) {
      const files = [
        { path: file('kept'), bytes: 'new' },
        { path: second, bytes: 'new' },
      ];
      expect(() => writeAllAtomically(files)).toThrow(InputFileError);
    }
    expect(readFileSync(file('kept'), 'utf8')).toBe('old');
    expect(readdirSync(folder).filter(n => n.includes('kept'))).toEqual(['kept']);
    expect(process.listenerCount('SIGINT')).toBe(listeners);
  });
});
