import type { InverseKernel, TargetLimits } from '../../ir/kernel.ts';
import { NO_PIVOT } from '../../ir/tensor.ts';
import { declareBindings, foldGroups, type Module } from '../bindings.ts';

/** Gauss–Jordan elimination in place, without pivoting. */
const gaussJordan = (n: number, threads: number): string => `
  for (var k = 0u; k < ${n}u; k++) {
    storageBarrier();
    workgroupBarrier();
    for (var i = lid.x; i < ${n}u; i += ${threads}u) { column[i] = b1[start + i * ${n}u + k]; }
    workgroupBarrier();
    let pivot = 1.0f / column[k];
    let row = start + k * ${n}u;
    for (var j = lid.x; j < ${n}u; j += ${threads}u) { b1[row + j] = select(b1[row + j] * pivot, pivot, j == k); }
    storageBarrier();
    for (var e = lid.x; e < ${n * n}u; e += ${threads}u) {
      let i = e / ${n}u;
      let j = e % ${n}u;
      if (i != k) { b1[start + e] = select(b1[start + e], 0.0f, j == k) - column[i] * b1[row + j]; }
    }
  }`;

/** Elimination below the diagonal in place: multipliers take the place of what is eliminated, pivots stay on the diagonal to the end. */
const choleskyElimination = (n: number, threads: number): string => `
  for (var k = 0u; k < ${n}u; k++) {
    storageBarrier();
    workgroupBarrier();
    for (var i = lid.x; i < ${n}u; i += ${threads}u) { column[i] = b1[start + i * ${n}u + k]; }
    workgroupBarrier();
    let usable = column[k] > ${NO_PIVOT}f;
    let pivot = select(0.0f, 1.0f / select(1.0f, column[k], usable), usable);
    let row = start + k * ${n}u;
    for (var e = lid.x + (k + 1u) * ${n}u; e < ${n * n}u; e += ${threads}u) {
      let j = e % ${n}u;
      let multiplier = column[e / ${n}u] * pivot;
      b1[start + e] = select(b1[start + e] - multiplier * b1[row + j], -multiplier, j == k);
    }
  }
  storageBarrier();
  workgroupBarrier();
  for (var i = lid.x; i < ${n}u; i += ${threads}u) { column[i] = b1[start + i * ${n}u + i]; }
  workgroupBarrier();
  for (var e = lid.x; e < ${n * n}u; e += ${threads}u) {
    let i = e / ${n}u;
    let j = e % ${n}u;
    let usable = column[i] > ${NO_PIVOT}f;
    let scale = select(0.0f, 1.0f / sqrt(select(1.0f, column[i], usable)), usable);
    b1[start + e] = select(select(0.0f, scale * b1[start + e], j < i), scale, j == i);
  }`;

/** An inverse, or that of a Cholesky factor, in the target's place: one workgroup a matrix. */
export const inverseModule = (k: InverseKernel, limits: TargetLimits): Module => {
  const { n } = k;
  if (n * 4 > limits.maxComputeWorkgroupStorageSize) throw new Error(`codegen: inverse of a ${n}x${n} matrix`);
  const threads = Math.min(limits.maxComputeInvocationsPerWorkgroup, 64);
  const workgroups = foldGroups(k.batch, limits);
  const wgsl = `${declareBindings([
    { storage: k.source, access: 'read' },
    { storage: k.target, access: 'read_write' },
  ])}
var<workgroup> column: array<f32, ${n}>;

@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
  let matrix = wid.y * ${workgroups[0]}u + wid.x;
  if (matrix >= ${k.batch}u) { return; }
  let start = matrix * ${n * n}u;
  for (var e = lid.x; e < ${n * n}u; e += ${threads}u) { b1[start + e] = b0[start + e]; }${k.of === 'matrix' ? gaussJordan(n, threads) : choleskyElimination(n, threads)}
}
`;
  return { wgsl, access: ['read', 'read_write'], bindings: [k.source, k.target], workgroups };
};
