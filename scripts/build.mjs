// Bundles the command line, the threads of `lip prove` and `lip verify`, the runtime that emitted modules carry, and `lip/device` into dist/. Dependencies stay external.
import { rmSync } from 'node:fs';
import { build } from 'esbuild';
import { bundleCli } from './bundle-cli.mjs';

const root = new URL('..', import.meta.url).pathname;
rmSync(`${root}dist`, { recursive: true, force: true });
await bundleCli('dist');
// `lip build` copies this into the modules it emits, for browsers too: no Node inside.
await build({
  absWorkingDir: root,
  entryPoints: { 'module-runtime': 'src/codegen/module-runtime.ts' },
  outdir: 'dist',
  bundle: true,
  platform: 'neutral',
  format: 'esm',
  target: 'es2022',
});
// Opens a WebGPU device in Node, for programs that use an emitted module.
await build({
  absWorkingDir: root,
  entryPoints: { device: 'src/runtime/node-device.ts' },
  outdir: 'dist',
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  packages: 'external',
});
