/** An emitted module in a real browser: the headless Chromium of the package that also carries the software GPU. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { frozenModule } from '../../src/codegen/frozen-module.ts';
import { type EmittedModule, emitModule } from '../../src/codegen/module.ts';
import { interpret } from '../../src/ir/interpret.ts';
import { networkParams } from '../../src/ir/network.ts';
import { parse } from '../../src/parser/parse.ts';
import { type ProvenNetwork, prove } from '../../src/passes/prove/prove.ts';
import { resolve } from '../../src/passes/resolve/resolve.ts';
import { freeze } from '../../src/passes/tensors/freeze.ts';
import { buildInference } from '../../src/passes/training/train-step.ts';
import { readTar } from '../../src/runtime/swiftshader.ts';
import { initializeParams } from '../../src/train/initialize.ts';

const SOURCE = `network Web by sll {
  input image[1, 12, 12] in [0, 1]
  pad channels to 4
  repeat 2 { residual conv hidden = 4, kernel = 3 }
  avgpool 4
  flatten
  residual dense hidden = 16
  head 5
}`;

const PAGE = `<!doctype html><script type="module">
const answer = value => fetch('/answer', { method: 'POST', body: JSON.stringify(value) });
try {
  const adapter = await navigator.gpu.requestAdapter();
  const device = await adapter.requestDevice();
  const { load, inputShape } = await import('/Web.js');
  const net = await load(device);
  const x = new Float32Array(await (await fetch('/x')).arrayBuffer());
  const logits = await net.run(x);
  answer({ logits: [...logits], certificates: net.certify(logits), inputShape });
} catch (e) {
  answer({ error: String(e.stack) });
}
</script>`;

const canRun = process.platform === 'linux' && process.arch === 'x64';
let folder = '';
let child: ChildProcess | undefined;
let proven: ProvenNetwork;
let params: Map<string, Float32Array>;
let emitted: EmittedModule;

beforeAll(async () => {
  if (!canRun) return;
  folder = mkdtempSync(join(tmpdir(), 'lip-browser-'));
  const bin = join(dirname(createRequire(import.meta.url).resolve('@sparticuz/chromium')), '../bin');
  const unpack = (name: string) => brotliDecompressSync(readFileSync(join(bin, name)));
  writeFileSync(join(folder, 'chromium'), unpack('chromium.br'), { mode: 0o755 });
  for (const archive of ['al2023.tar.br', 'swiftshader.tar.br'])
    for (const [name, data] of readTar(unpack(archive))) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), data, { mode: 0o755 });
    }
  const result = prove(resolve(parse(SOURCE).file).networks[0]);
  if ('diagnostics' in result) throw new Error(JSON.stringify(result.diagnostics));
  proven = result.proven;
  params = initializeParams(networkParams(proven.network), 1);
  emitted = await emitModule(frozenModule(proven, freeze(proven, params, 2)));
});
afterAll(() => {
  // The whole group: the browser's helpers write to its profile too.
  if (child?.pid) process.kill(-child.pid, 'SIGKILL');
  if (folder) rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
});

interface Answer {
  readonly error?: string;
  readonly logits: readonly number[];
  readonly certificates: readonly { readonly label: number; readonly radius: number }[];
  readonly inputShape: readonly number[];
}

test.runIf(canRun)('a module loads, runs and certifies in Chromium', async () => {
  const x = Float32Array.from({ length: 3 * 144 }, (_, i) => 0.5 + 0.5 * Math.sin(i * i));
  const files: Record<string, readonly [string, string | Uint8Array]> = {
    '/': ['text/html', PAGE],
    '/Web.js': ['text/javascript', emitted.code],
    '/Web.bin': ['application/octet-stream', emitted.weights],
    '/x': ['application/octet-stream', new Uint8Array(x.buffer)],
  };
  const answer = await new Promise<Answer>((done, fail) => {
    const server = createServer((request, response) => {
      if (request.method === 'POST') {
        const parts: Buffer[] = [];
        request.on('data', d => parts.push(d));
        request.on('end', () => {
          response.end();
          server.close();
          done(JSON.parse(Buffer.concat(parts).toString()));
        });
        return;
      }
      const [type, body] = files[request.url ?? ''] ?? ['text/plain', ''];
      response.writeHead(body === '' ? 404 : 200, { 'content-type': type }).end(body);
    });
    server.listen(0, '127.0.0.1', () => {
      const flags = ['--headless', '--no-sandbox', '--disable-dev-shm-usage', '--remote-debugging-port=0'];
      const gpuFlags = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', '--enable-features=Vulkan'];
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
      const env = {
        ...process.env,
        LD_LIBRARY_PATH: `${folder}/lib:${folder}`,
        VK_ICD_FILENAMES: join(folder, 'vk_swiftshader_icd.json'),
      };
      child = spawn(join(folder, 'chromium'), [...flags, ...gpuFlags, `--user-data-dir=${folder}/profile`, url], {
        env,
        detached: true,
      });
      let log = '';
      child.stderr?.on('data', d => {
        log += d;
      });
      child.on('exit', code => fail(new Error(`Chromium ended with ${code}: ${log.slice(-2000)}`)));
    });
  });
  expect(answer.error).toBeUndefined();
  expect(answer.inputShape).toEqual([1, 12, 12]);
  const oracle = interpret(buildInference(proven, 3), { inputs: new Map([['x', x]]), params }).outputs.get('logits')!;
  expect(answer.logits).toHaveLength(15);
  for (const [i, z] of oracle.entries()) expect(Math.abs(answer.logits[i] - z)).toBeLessThan(1e-5);
  for (const [n, { label, radius }] of answer.certificates.entries()) {
    const row = [...oracle.subarray(5 * n, 5 * n + 5)];
    expect(label).toBe(row.indexOf(Math.max(...row)));
    expect(radius).toBeGreaterThan(0);
  }
});
