import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DOMParser } from 'linkedom';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { register } from '../../src/cli/commands/graph.ts';
import { type Captured, runCaptured } from './capture.ts';

const DEEP = `network Deep budget 4 by sll {
  input x[8] in [0, 1]
  repeat 5 {
    dense 8 by aol
    maxmin
  }
  repeat 3 { residual dense hidden = 16 }
  scale 1/2
  head 3
}
`;
const PAIR = 'network A { input x[4]\n relu\n}\nnetwork B { input x[4]\n abs\n}\n';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'lip-graph-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const graph = (source: string, ...args: string[]): Promise<Captured> => {
  const path = join(folder, 'net.lip');
  writeFileSync(path, source);
  return runCaptured(['graph', path, ...args], [register]);
};

describe('lip graph', () => {
  it('folds repetitions and keeps shapes, parameters and bounds', async () => {
    const { code, out } = await graph(DEEP, '--json');
    expect(code).toBe(0);
    const data = JSON.parse(out);
    expect(data).toMatchObject({ network: 'Deep', bound: '2', budget: '4' });
    expect(
      data.nodes.map((n: Record<string, unknown>) => [n.path, n.count, n.shape, n.params, n.bound, n.rescaling]),
    ).toEqual([
      ['input', 1, [8], 0, undefined, undefined],
      ['dense[0…4]', 5, [8], 72, '1', 'aol'],
      ['maxmin[0…4]', 5, [8], 0, '1', undefined],
      ['dense[5…7]', 3, [8], 160, '1', 'sll'],
      ['scale[0]', 1, [8], 0, '2', undefined],
      ['head', 1, [3], 27, 'pairs', undefined],
    ]);
    expect(data.edges.map((e: { from: number; to: number }) => [e.from, e.to])).toEqual(
      [0, 1, 2, 3, 4].map(i => [i, i + 1]),
    );
    expect(data.blocks).toEqual([{ count: 5, nodes: [1, 2] }]);
    expect(data.params).toBe(5 * 72 + 3 * 160 + 27);
  });

  it('draws branches, and folds repetitions of them', async () => {
    const { code, out } = await graph(
      `network Skips by sll {
  input x[8]
  let a = x |> dense 8 |> relu
  mix(x, a)
  repeat 3 {
    let skip = it
    residual dense hidden = 4
    1/2 * it - 1/2 * skip
  }
}
`,
      '--json',
    );
    expect(code).toBe(0);
    const data = JSON.parse(out);
    expect(data.nodes.map((n: { path: string; count: number }) => [n.path, n.count])).toEqual([
      ['input', 1],
      ['dense[0]', 1],
      ['relu[0]', 1],
      ['mix[0]', 1],
      ['dense[1…3]', 3],
      ['sum[0…2]', 3],
    ]);
    expect(data.edges.map((e: { from: number; to: number }) => [e.from, e.to])).toEqual([
      [0, 1],
      [1, 2],
      [0, 3],
      [2, 3],
      [3, 4],
      [4, 5],
      [3, 5],
    ]);
    expect(data.blocks).toEqual([{ count: 3, nodes: [4, 5] }]);
  });

  it('prints DOT, with --set and --by', async () => {
    const { code, out } = await graph(
      'network N(width = 8) by sll { input x[8]\n residual dense hidden = width\n}\n',
      '--set',
      'width=3',
      '--by',
      'aol',
    );
    expect(code).toBe(0);
    const labels = out
      .split('\n')
      .filter(l => /^ {2}n\d/.test(l))
      .map(l => l.replace(/<[^>]*>|[<>"]/g, ' ').replace(/\s+/g, ' '));
    expect(labels[1]).toContain('dense[0] &nbsp; residual 3 by aol 27 parameters · 1-Lipschitz');
    expect(out).toContain('n0 -> n1 [label=" 8"];');
  });

  it('draws well-formed SVG that shows every node', async () => {
    const path = join(folder, 'net.svg');
    expect(await graph(DEEP, '-o', path)).toEqual({ code: 0, out: '', err: '' });
    const svg = new DOMParser().parseFromString(readFileSync(path, 'utf8'), 'image/svg+xml');
    const texts = [...svg.querySelectorAll('text')].map(t => t.textContent);
    for (const t of ['Deep', 'dense[0…4]', '×5', 'dense[5…7] ×3', 'scale[0]', 'certified', '2-Lipschitz'])
      expect(texts.some(x => x?.includes(t))).toBe(true);
    expect(svg.querySelectorAll('g.node').length).toBe(7);
    expect(svg.querySelectorAll('g.edge').length).toBe(6);
  });

  it('says what is missing or cannot be', async () => {
    expect((await graph(PAIR)).err).toContain('--network: A, B');
    expect((await graph(PAIR, '--network', 'B')).out).toContain('digraph "B"');
    const odd = join(folder, 'net.png');
    expect((await graph(DEEP, '-o', odd)).code).toBe(2);
    expect((await graph('network N { input x[4]\n leaky_relu 2\n}\n', '-o', join(folder, 'no.svg'))).code).toBe(1);
    expect(existsSync(odd) || existsSync(join(folder, 'no.svg'))).toBe(false);
  });
});
