import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { Project } from 'ts-morph';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { headGeometry } from '../../src/certify/radii.ts';
import { declareModule, emitModule, type ModuleSource } from '../../src/codegen/module.ts';
import type { LoadedNetwork, LoadOptions } from '../../src/codegen/module-runtime.ts';
import { ONE } from '../../src/ir/rational.ts';
import type { Plan } from '../../src/runtime/plan.ts';
import { useDevice } from '../device.ts';

const gpu = useDevice();

const batch = 2;
const rows = Float32Array.of(0.6, 0.8, 0, 0, 0, 1, -0.8, 0.6, 0);
/** Logits of a plain head of three classes on three features. */
const plan: Plan = {
  version: 1,
  buffers: [
    { size: 4 * 3 * batch, role: 'input' },
    { size: 4 * 9, role: 'literal' },
    { size: 4 * 3 * batch, role: 'output' },
  ],
  kernels: [
    {
      wgsl: `
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(8) fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < ${3 * batch}u) {
    var s = 0.0;
    for (var k = 0u; k < 3u; k++) { s += x[id.x / 3u * 3u + k] * w[id.x % 3u * 3u + k]; }
    y[id.x] = s;
  }
}`,
      access: ['read', 'read', 'read_write'],
    },
  ],
  steps: [{ kernel: 0, bindings: [0, 1, 2], workgroups: [1, 1, 1], label: 'head' }],
  inputs: { x: { buffer: 0, shape: [batch, 3] } },
  params: {},
  outputs: { logits: { buffer: 2, shape: [batch, 3] } },
  literals: [{ buffer: 1, data: rows }],
};

const source: ModuleSource = {
  name: 'Tiny',
  inputShape: [3],
  batch,
  plans: { software: plan, gpu: plan },
  output: { name: 'logits', size: 3 },
  bound: '1',
  squaredSlopes: headGeometry(rows, 3, ONE).squaredSlopes,
};

interface TinyModule {
  readonly inputShape: readonly number[];
  readonly classes: number;
  readonly bound: string;
  load(device: GPUDevice, options?: LoadOptions): Promise<LoadedNetwork>;
}

let folder = '';
let tiny: TinyModule;
let weights: Uint8Array;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lip-module-'));
  const emitted = await emitModule(source);
  weights = emitted.weights;
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(folder, 'Tiny.js'), emitted.code);
  writeFileSync(join(folder, 'Tiny.bin'), weights);
  tiny = await import(pathToFileURL(join(folder, 'Tiny.js')).href);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const bytesOf = (b: Uint8Array): ArrayBuffer => new Uint8Array(b).buffer;

describe('an emitted module', () => {
  test('runs any number of examples, in batches of its own size', async () => {
    const net = await tiny.load(gpu().device);
    const x = Float32Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1, 2, -1, 0.5, 3, 3, 3);
    const logits = await net.run(x);
    expect(logits).toHaveLength(15);
    for (let n = 0; n < 5; n++)
      for (let i = 0; i < 3; i++) {
        const want = [0, 1, 2].reduce((s, k) => s + x[3 * n + k] * rows[3 * i + k], 0);
        expect(logits[3 * n + i]).toBeCloseTo(want, 6);
      }
    expect(await net.run(new Float32Array(0))).toHaveLength(0);
    net.destroy();
  });

  test('calls that overlap do not mix', async () => {
    const net = await tiny.load(gpu().device);
    const inputs = Array.from({ length: 6 }, (_, i) => Float32Array.from({ length: 9 }, (_, k) => i * k));
    const together = await Promise.all(inputs.map(x => net.run(x)));
    for (const [i, x] of inputs.entries()) expect(together[i]).toEqual(await net.run(x));
    net.destroy();
  });

  test('certifies pairwise; ties and NaN get radius 0', async () => {
    const net = await tiny.load(gpu().device);
    const [clear, tie, nan] = net.certify(Float32Array.of(1, 0, 0.5, 2, 2, 0, 1, Number.NaN, 0));
    const distance = (i: number, j: number) => Math.hypot(...[0, 1, 2].map(k => rows[3 * i + k] - rows[3 * j + k]));
    const radius = Math.min(1 / distance(0, 1), 0.5 / distance(0, 2));
    expect(clear.label).toBe(0);
    expect(clear.radius).toBeLessThanOrEqual(radius);
    expect(clear.radius).toBeGreaterThan(radius * (1 - 1e-12));
    expect(tie.radius).toBe(0);
    expect(nan).toEqual({ label: -1, radius: 0 });
    expect(() => net.certify(new Float32Array(4))).toThrow('no whole number of rows of 3 classes');
    net.destroy();
  });

  test('refuses inputs of the wrong size', async () => {
    const net = await tiny.load(gpu().device);
    await expect(net.run(new Float32Array(4))).rejects.toThrow('Tiny takes examples of [3]');
    net.destroy();
  });

  test('takes its weights as bytes, and refuses others', async () => {
    const net = await tiny.load(gpu().device, { weights: bytesOf(weights) });
    expect((await net.run(Float32Array.of(0, 0, 1)))[1]).toBe(1);
    net.destroy();
    const missing = tiny.load(gpu().device, { weights: 'elsewhere.bin' });
    await expect(missing).rejects.toThrow(
      /weights of Tiny cannot be read \(.*ENOENT.*\): put them at file:.*elsewhere\.bin/,
    );
    const changed = Uint8Array.from(weights);
    changed[changed.length - 1] ^= 1;
    await expect(tiny.load(gpu().device, { weights: bytesOf(changed) })).rejects.toThrow(
      /not the ones it was built .* with/,
    );
  });

  test('says its shape, classes and bound', () => {
    expect([tiny.inputShape, tiny.classes, tiny.bound]).toEqual([[3], 3, '1']);
  });

  test('equal tensors are stored once', async () => {
    const alone = await emitModule({ ...source, plans: { software: plan, gpu: { ...plan, literals: [] } } });
    expect(alone.weights).toHaveLength(weights.length);
  });

  test('bundles for a browser without imports', async () => {
    const bundle = await build({
      stdin: { contents: `import { load } from './Tiny.js'; load();`, resolveDir: folder },
      bundle: true,
      write: false,
      platform: 'browser',
      format: 'esm',
      metafile: true,
    });
    expect(Object.values(bundle.metafile.outputs).flatMap(o => o.imports)).toEqual([]);
  });
});

describe('the declarations of a module', () => {
  /** Type errors of `user` against the declarations. */
  const errors = (of: ModuleSource, user: string): string[] => {
    const project = new Project({
      useInMemoryFileSystem: true,
      compilerOptions: { strict: true, lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'], types: [] },
    });
    project.createSourceFile('webgpu.d.ts', 'interface GPUDevice { readonly lost: Promise<unknown> }');
    project.createSourceFile('Tiny.d.ts', declareModule(of));
    const file = project.createSourceFile('user.ts', user);
    return file.getPreEmitDiagnostics().map(d => {
      const text = d.getMessageText();
      return typeof text === 'string' ? text : text.getMessageText();
    });
  };
  const use = `
import { bound, classes, inputShape, load, type Tiny } from './Tiny';
export const run = async (device: GPUDevice): Promise<number> => {
  const net: Tiny = await load(device, { profile: 'gpu' });
  const logits = await net.run(new Float32Array(inputShape[0] * 4));
  const one: '1' = bound;
  return net.certify(logits)[0].radius + classes + one.length;
};`;

  test('fit a user’s program', () => expect(errors(source, use)).toEqual([]));

  test('without a head there is nothing to certify', () => {
    const { squaredSlopes: _, ...headless } = source;
    expect(errors(headless, use).join('\n')).toMatch(/'classes'[\s\S]*'certify' does not exist/);
  });
});
