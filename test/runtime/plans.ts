/** Small hand-written plans for the tests of the runtime. */
import type { Plan } from '../../src/runtime/plan.ts';

const scaleKernel = `
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read> c: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  let i = id.x;
  if (i < arrayLength(&y)) { y[i] = x[i] * w[i % arrayLength(&w)] + c[0]; }
}`;

const incrementKernel = `
@group(0) @binding(0) var<storage, read_write> w: array<f32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < arrayLength(&w)) { w[id.x] += 1.0; }
}`;

/** y = x ⊙ w + c on `n` entries, then w += 1. */
export const scalePlan = (n: number): Plan => ({
  version: 1,
  buffers: [
    { size: 4 * n, role: 'input' },
    { size: 4 * n, role: 'param' },
    { size: 4, role: 'literal' },
    { size: 4 * n, role: 'output' },
  ],
  kernels: [
    { wgsl: scaleKernel, access: ['read', 'read', 'read', 'read_write'] },
    { wgsl: incrementKernel, access: ['read_write'] },
  ],
  steps: [
    { kernel: 0, bindings: [0, 1, 2, 3], workgroups: [Math.ceil(n / 64), 1, 1], label: 'scale' },
    { kernel: 1, bindings: [1], workgroups: [Math.ceil(n / 64), 1, 1], label: 'increment' },
  ],
  inputs: { x: { buffer: 0, shape: [n] } },
  params: { w: { buffer: 1, shape: [n] } },
  outputs: { y: { buffer: 3, shape: [n] } },
  literals: [{ buffer: 2, data: [0.5] }],
});
