// Runs a TypeScript entry point: node scripts/run.mjs FILE.ts [ARGS]. Bundles to node_modules/.cache, then imports it.
import { mkdirSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const [file, ...args] = process.argv.slice(2);
if (!file) {
  console.error('usage: node scripts/run.mjs FILE.ts [ARGS]');
  process.exit(2);
}
const root = new URL('..', import.meta.url).pathname;
const outdir = `${root}node_modules/.cache/lip-run/${process.pid}`;
mkdirSync(outdir, { recursive: true });
const name = basename(file).replace(/\.ts$/, '');
await build({
  absWorkingDir: process.cwd(),
  entryPoints: { [name]: resolve(file) },
  outdir,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  packages: 'external',
  loader: { '.lip': 'text' },
  sourcemap: 'inline',
});
process.argv = [process.argv[0], resolve(file), ...args];
await import(pathToFileURL(`${outdir}/${name}.mjs`).href);
