/** Times what `lip check` does before it prints, for the papers' networks: npm run bench:check [-- --json]. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { elements, networkParams } from '../src/ir/network.ts';
import { parse } from '../src/parser/parse.ts';
import { prove } from '../src/passes/prove/prove.ts';
import { resolve as resolveProgram } from '../src/passes/resolve/resolve.ts';

const folder = resolve(process.argv[1], '../../examples/paper');
const RUNS = 5;

/** CPU time of this process in ms. */
const cpu = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

const once = (source: string): { readonly ms: number; readonly layers: number; readonly params: number } => {
  const start = cpu();
  const { networks, diagnostics } = resolveProgram(parse(source).file, {});
  if (diagnostics.length > 0 || networks.some(n => !('proven' in prove(n)))) throw new Error('refused');
  const ms = cpu() - start;
  const params = networks.flatMap(networkParams).reduce((s, p) => s + elements(p.shape), 0);
  return { ms, layers: networks.reduce((s, n) => s + n.layers.length, 0), params };
};

const rows = readdirSync(folder)
  .filter(f => f.endsWith('.lip'))
  .map(file => {
    const source = readFileSync(join(folder, file), 'utf8');
    const runs = Array.from({ length: RUNS }, () => once(source));
    const sorted = runs.map(r => r.ms).sort((a, b) => a - b);
    return { file, layers: runs[0].layers, params: runs[0].params, first: runs[0].ms, median: sorted[RUNS >> 1] };
  });

if (process.argv.includes('--json')) process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
else {
  const ms = (t: number): string => `${t.toFixed(1)} ms`.padStart(10);
  process.stdout.write('parse, resolve and prove: CPU time of the first run and the median of 5\n');
  for (const r of rows)
    process.stdout.write(
      `${r.file.padEnd(24)}${`${r.layers} layers`.padStart(11)}${r.params.toLocaleString('en').padStart(13)}${ms(r.first)}${ms(r.median)}\n`,
    );
}
