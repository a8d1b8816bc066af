import type { InverseKernel, TargetLimits } from '../../ir/kernel.ts';
import { declareBindings, foldGroups, type Module } from '../bindings.ts';

/** Gauss–Jordan elimination in place, without pivoting: one workgroup a matrix. */
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
  for (var e = lid.x; e < ${n * n}u; e += ${threads}u) { b1[start + e] = b0[start + e]; }
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
  }
}
`;
  return { wgsl, access: ['read', 'read_write'], bindings: [k.source, k.target], workgroups };
};
