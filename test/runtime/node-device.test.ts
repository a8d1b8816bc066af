import { mkdirSync, writeFileSync } from 'node:fs';
import { SHARE_ENV, Worker } from 'node:worker_threads';
import { build } from 'esbuild';
import { afterEach, expect, test, vi } from 'vitest';
import { NoAdapterError } from '../../src/runtime/errors.ts';
import { openDevice } from '../../src/runtime/node-device.ts';
import { unpackSoftwareDriver } from '../../src/runtime/swiftshader.ts';

afterEach(() => vi.unstubAllEnvs());

test('an adapter is found, the reason is told, limits are the adapter’s own', async () => {
  const gpu = await openDevice();
  expect(gpu.why.at(-1)).toMatch(/^using /);
  // The default limit of WebGPU is 128 MiB.
  expect(gpu.limits.maxStorageBufferBindingSize).toBeGreaterThan(2 ** 27);
  gpu.destroy();
});

test('LIP_ADAPTER=software takes the packaged driver', async () => {
  vi.stubEnv('LIP_ADAPTER', 'software');
  const gpu = await openDevice();
  expect(gpu.software).toBe(true);
  expect(gpu.driver).toMatch(/swiftshader/);
  gpu.destroy();
});

test('no adapter: everything that was tried, and what to do', async () => {
  vi.stubEnv('LIP_ADAPTER', 'none');
  await expect(openDevice()).rejects.toThrow(NoAdapterError);
  vi.stubEnv('LIP_ADAPTER', 'sofware');
  await expect(openDevice()).rejects.toThrow('LIP_ADAPTER=sofware is not known');
});

test('hardware that is asked for and missing is an error that names the reason', async () => {
  vi.stubEnv('LIP_ADAPTER', 'hardware');
  vi.stubEnv('VK_DRIVER_FILES', '/nonexistent/icd.json');
  if (process.platform !== 'linux') return;
  const failure = await openDevice().then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(failure).toBeInstanceOf(NoAdapterError);
  expect((failure as NoAdapterError).tried.join('\n')).toMatch(/hardware: no Vulkan driver is installed/);
  expect((failure as NoAdapterError).help).toMatch(/lip doctor/);
});

test.runIf(process.platform === 'linux')(
  'a worker thread without the real environment is told how to get it',
  async () => {
    const bundle = await build({
      entryPoints: [new URL('../../src/runtime/node-device.ts', import.meta.url).pathname],
      bundle: true,
      write: false,
      platform: 'node',
      format: 'esm',
      packages: 'external',
    });
    const file = new URL('../../node_modules/.cache/lip-test/worker-device.mjs', import.meta.url);
    mkdirSync(new URL('.', file), { recursive: true });
    writeFileSync(file, bundle.outputFiles[0].contents);
    const program = `
    const { parentPort } = require('node:worker_threads');
    import(${JSON.stringify(file.href)}).then(m => m.openDevice({ prefer: 'software' })).then(
      gpu => { parentPort.postMessage(gpu.software); gpu.destroy(); },
      error => parentPort.postMessage(error.message),
    );`;
    const answer = (env: typeof SHARE_ENV | NodeJS.ProcessEnv) =>
      new Promise(resolve => new Worker(program, { eval: true, env, stderr: true }).once('message', resolve));
    expect(await answer({ ...process.env, LIP_ADAPTER: 'software' })).toMatch(
      /in a worker thread: start it with the option env: SHARE_ENV/,
    );
    expect(await answer(SHARE_ENV)).toBe(true);
  },
);

test.runIf(process.platform === 'linux' && process.arch === 'x64')(
  'an installed driver is tried through the packaged loader; a software one loses to the packaged one',
  async () => {
    const { icd } = unpackSoftwareDriver();
    vi.stubEnv('VK_DRIVER_FILES', icd);
    const gpu = await openDevice();
    expect(gpu.why.join('\n')).toMatch(/hardware: the installed driver is a software one \(.*swiftshader/i);
    expect(gpu.driver).toBe(icd);
    // The environment is as it was.
    expect(process.env.VK_DRIVER_FILES).toBe(icd);
    gpu.destroy();
  },
);
