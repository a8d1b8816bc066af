import { build } from 'esbuild';

/** Bundles the command line and the threads of `lip prove` and `lip verify`: lip.js and proof-worker.js in `outdir`. Dependencies stay external. */
export const bundleCli = outdir =>
  build({
    absWorkingDir: new URL('..', import.meta.url).pathname,
    entryPoints: { lip: 'src/cli/main.ts', 'proof-worker': 'src/cli/proof-worker.ts' },
    outdir,
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    loader: { '.lip': 'text' },
    banner: { js: '#!/usr/bin/env node' },
  });
