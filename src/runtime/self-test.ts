/** A second of work that shows whether a device computes correctly, and about how fast. */
import { createExecutor, createParamStore } from './executor.ts';
import type { Gpu } from './node-device.ts';
import type { Plan } from './plan.ts';

export interface SelfTest {
  /** Largest |difference| to the product computed on the CPU in double precision, over the bound n·2⁻²³·Σ|aᵢbᵢ|: at most 1 is right. */
  readonly error: number;
  /** Pipeline compilation, ms. */
  readonly compileMs: number;
  /** Submission of an empty plan and reading one value back, ms. */
  readonly roundTripMs: number;
  /** Of a plain matrix product with register tiles; tuned kernels may be faster. */
  readonly gflops: number;
}

/** C = A·B for n×n matrices, n a multiple of 64: 8×8 threads, each 8 rows of 4 columns. */
const matmulPlan = (n: number): Plan => {
  const rows = [0, 1, 2, 3, 4, 5, 6, 7];
  const wgsl = `
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> c: array<vec4f>;
@compute @workgroup_size(8, 8) fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.y * 8u;
  let column = id.x;
${rows.map(r => `  var c${r} = vec4f();`).join('\n')}
  for (var k = 0u; k < ${n}u; k++) {
    let v = b[k * ${n / 4}u + column];
${rows.map(r => `    c${r} += a[(row + ${r}u) * ${n}u + k] * v;`).join('\n')}
  }
${rows.map(r => `  c[(row + ${r}u) * ${n / 4}u + column] = c${r};`).join('\n')}
}`;
  const buffer = (role: 'input' | 'output') => ({ size: 4 * n * n, role });
  const tensor = (index: number) => ({ buffer: index, shape: [n, n] });
  return {
    version: 1,
    buffers: [buffer('input'), buffer('input'), buffer('output')],
    kernels: [{ wgsl, access: ['read', 'read', 'read_write'] }],
    steps: [{ kernel: 0, bindings: [0, 1, 2], workgroups: [n / 32, n / 64, 1], label: `matmul ${n}` }],
    inputs: { a: tensor(0), b: tensor(1) },
    params: {},
    outputs: { c: tensor(2) },
    literals: [],
  };
};

/** Entries in [−1, 1), the same in every run. */
const testMatrix = (n: number, seed: number): Float32Array => {
  let state = seed;
  return Float32Array.from({ length: n * n }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
};

const worstError = (n: number, a: Float32Array, b: Float32Array, c: Float32Array): number => {
  let worst = 0;
  // 2000 entries spread over all tiles, rather than all n³ products.
  for (let sample = 0; sample < 2000; sample++) {
    const at = (sample * 2654435761) % (n * n);
    const [i, j] = [Math.floor(at / n), at % n];
    let sum = 0;
    let size = 0;
    for (let k = 0; k < n; k++) {
      const term = a[i * n + k] * b[k * n + j];
      sum += term;
      size += Math.abs(term);
    }
    const ratio = Math.abs(c[at] - sum) / (n * 2 ** -23 * size);
    // NaN counts as wrong.
    if (!(ratio <= worst)) worst = Number.isNaN(ratio) ? Number.POSITIVE_INFINITY : ratio;
  }
  return worst;
};

export const selfTest = async ({ device, software }: Gpu): Promise<SelfTest> => {
  const n = software ? 256 : 2048;
  const [a, b] = [testMatrix(n, 1), testMatrix(n, 2)];
  const store = createParamStore(device);
  const started = performance.now();
  const executor = await createExecutor(device, matmulPlan(n), store);
  const compileMs = performance.now() - started;
  executor.write('a', a);
  executor.write('b', b);
  const [c] = await executor.runAndRead(['c']);
  const error = worstError(n, a, b, c);

  const probe = await createExecutor(device, { ...matmulPlan(64), steps: [] }, store);
  await probe.runAndRead(['c']);
  const asked = performance.now();
  await probe.runAndRead(['c']);
  const roundTripMs = performance.now() - asked;

  // Batches of growing size until half a second has gone by.
  let gflops = 0;
  const end = performance.now() + 500;
  for (let count = 1; performance.now() < end; count *= 2) {
    const t = performance.now();
    for (let i = 0; i < count; i++) executor.run();
    await executor.wait();
    gflops = Math.max(gflops, (2 * n ** 3 * count) / (performance.now() - t) / 1e6);
  }
  executor.destroy();
  probe.destroy();
  return { error, compileMs, roundTripMs, gflops };
};
