import type { SortKernel, TargetLimits } from '../../ir/kernel.ts';
import { type Binding, declareBindings, foldGroups, type Module } from '../bindings.ts';

const WORKGROUP = 64;

/** One thread an entry: its rank in its group is counted, then the entry is gathered from (inverse) or scattered to that rank. */
export const sortModule = (k: SortKernel, limits: TargetLimits): Module => {
  const bindings: Binding[] = [{ storage: k.keys, access: 'read' }];
  if (k.values !== k.keys) bindings.push({ storage: k.values, access: 'read' });
  bindings.push({ storage: k.target, access: 'read_write' });
  const values = `b${k.values === k.keys ? 0 : 1}`;
  const target = `b${bindings.length - 1}`;
  const threads = k.outer * k.group * k.inner;
  const workgroups = foldGroups(Math.ceil(threads / WORKGROUP), limits);
  const ranked = `start + rank * ${k.inner}u`;
  const wgsl = `${declareBindings(bindings)}

@compute @workgroup_size(${WORKGROUP})
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
  let thread = (wid.y * ${workgroups[0]}u + wid.x) * ${WORKGROUP}u + lid.x;
  if (thread >= ${threads}u) { return; }
  let place = (thread / ${k.inner}u) % ${k.group}u;
  let start = thread - place * ${k.inner}u;
  let own = b0[thread];
  var rank = 0u;
  for (var j = 0u; j < ${k.group}u; j++) {
    let other = b0[start + j * ${k.inner}u];
    rank += select(0u, 1u, other < own || (other == own && j < place));
  }
  ${k.inverse ? `${target}[thread] = ${values}[${ranked}];` : `${target}[${ranked}] = ${values}[thread];`}
}
`;
  return { wgsl, access: bindings.map(b => b.access), bindings: bindings.map(b => b.storage), workgroups };
};
