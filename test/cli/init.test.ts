import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { networkName, register } from '../../src/cli/commands/init.ts';
import { loadProgram } from '../../src/cli/load-program.ts';
import { format } from '../../src/parser/format.ts';
import { type Captured, runCaptured } from './capture.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'lip-init-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const init = (...args: string[]): Promise<Captured> => runCaptured(['init', ...args], [register]);

describe('lip init', () => {
  it('writes a file that is proven, trains and certifies on mnist, and is formatted', async () => {
    const path = join(folder, 'my-net.lip');
    const { code, out } = await init(join(folder, 'my-net'));
    expect({ code, first: out.split('\n')[0] }).toEqual({ code: 0, first: path });
    const { networks, trains, certifies } = loadProgram(path);
    expect(networks.map(n => n.network.name)).toEqual(['MyNet']);
    expect(trains[0]).toMatchObject({ network: 'MyNet', data: { name: 'mnist' } });
    expect(certifies[0].radii.length).toBe(4);
    const source = readFileSync(path, 'utf8');
    expect(format(source)).toEqual({ text: source });
    expect(loadProgram(path, { by: 'aol', set: { width: '16' } }).networks.length).toBe(1);
  });

  it('fills folders, and overwrites nothing', async () => {
    expect(JSON.parse((await init('--json', folder)).out)).toEqual({
      path: join(folder, 'digits.lip'),
      network: 'Digits',
    });
    expect((await init(folder)).code).toBe(2);
    const mine = join(folder, 'mine.lip');
    writeFileSync(mine, 'mine');
    expect((await init(mine)).err).toContain('exists');
    expect(readFileSync(mine, 'utf8')).toBe('mine');
    expect((await init(join(folder, 'a.txt'))).code).toBe(2);
  });

  it('makes a name of the language of any file name', () => {
    expect(['my-net', '2 conv', '...', 'résumé_x'].map(networkName)).toEqual(['MyNet', 'Net2Conv', 'Net', 'RésuméX']);
  });
});
