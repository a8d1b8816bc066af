import { describe, expect, it } from 'vitest';
import { f32Literal } from '../../src/codegen/wgsl-emit.ts';
import { DEFAULT_LIMITS } from '../../src/ir/kernel.ts';
import { GraphBuilder, type TensorId } from '../../src/ir/tensor.ts';
import { compileGraph } from '../../src/passes/kernels/compile-graph.ts';

const modules = (make: (b: GraphBuilder) => TensorId, limits = DEFAULT_LIMITS) => {
  const b = new GraphBuilder();
  b.origin = 'layer_with_a_name';
  b.output('y', make(b));
  const { plan } = compileGraph(b.finish(), { profile: 'gpu', limits });
  return plan;
};

describe('literals', () => {
  it('are the nearest f32, with a suffix', () => {
    expect([0, 1, -2.5, 0.1, 1e-8, 3e20, 2 ** 24].map(f32Literal)).toEqual([
      '0.0f',
      '1.0f',
      '-2.5f',
      '0.10000000149011612f',
      '9.99999993922529e-9f',
      '300000006012263200000.0f',
      '16777216.0f',
    ]);
  });
  it('read back as the same f32', () => {
    for (const x of [1 / 3, -1e-30, 1e30, 3.4e38, 2 ** -126, Math.PI])
      expect(Math.fround(Number(f32Literal(x).slice(0, -1)))).toBe(Math.fround(x));
  });
  it('flush subnormals and refuse what is no finite f32', () => {
    expect(f32Literal(1e-40)).toBe('0.0f');
    for (const x of [Number.NaN, Number.POSITIVE_INFINITY, 1e39]) expect(() => f32Literal(x)).toThrow('no finite f32');
  });
});

describe('modules', () => {
  it('of an elementwise kernel', () => {
    const plan = modules(b =>
      b.unary('relu', b.add(b.input('x', [3, 5]), b.broadcast(b.input('v', [5]), [3, 5], [1]))),
    );
    expect(plan.kernels[0].wgsl).toMatchInlineSnapshot(`
      "@group(0) @binding(0) var<storage, read> b0: array<f32>;
      @group(0) @binding(1) var<storage, read> b1: array<f32>;
      @group(0) @binding(2) var<storage, read_write> b2: array<f32>;

      @compute @workgroup_size(64)
      fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
        let thread = (wid.y * 1u + wid.x) * 64u + lid.x;
        if (thread >= 15u) { return; }
        let to1 = thread % 5u;
        let qo1 = thread / 5u;
        let to0 = qo1;
        let v0 = to0 * 5u;
        let v1 = v0 + to1;
        let v2 = b0[v1];
        let v3 = b1[to1];
        let v4 = v2 + v3;
        let v5 = max(v4, 0.0f);
        b2[v1] = v5;
      }
      "
    `);
  });
  it('of a product', () => {
    const plan = modules(b => b.matmul(b.input('x', [8, 12]), b.input('w', [12, 8])));
    expect(plan.kernels[0].wgsl).toMatchInlineSnapshot(`
      "@group(0) @binding(0) var<storage, read> b0: array<f32>;
      @group(0) @binding(1) var<storage, read> b1: array<f32>;
      @group(0) @binding(2) var<storage, read_write> b2: array<f32>;

      @compute @workgroup_size(64)
      fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
        let thread = (wid.y * 1u + wid.x) * 64u + lid.x;
        let to1 = thread % 8u;
        let qo1 = thread / 8u;
        let to0 = qo1;
        var acc0 = 0.0f;
        let v0 = to0 * 12u;
        for (var r0 = 0u; r0 < 3u; r0++) {
          let v1 = v0 + r0 * 4u;
          let v2 = b0[v1];
          let v3 = to1 + r0 * 32u;
          let v4 = b1[v3];
          acc0 += v2 * v4;
          let v5 = b0[(v1 + 1u)];
          let v6 = b1[(v3 + 8u)];
          acc0 += v5 * v6;
          let v7 = b0[(v1 + 2u)];
          let v8 = b1[(v3 + 16u)];
          acc0 += v7 * v8;
          let v9 = b0[(v1 + 3u)];
          let v10 = b1[(v3 + 24u)];
          acc0 += v9 * v10;
        }
        let v11 = to0 * 8u;
        let v12 = v11 + to1;
        b2[v12] = acc0;
      }
      "
    `);
  });
  it('guard what lies outside a padded tensor', () => {
    const plan = modules(b => b.pad(b.input('x', [6]), [2], [1]));
    expect(plan.kernels[0].wgsl).toMatchInlineSnapshot(`
      "@group(0) @binding(0) var<storage, read> b0: array<f32>;
      @group(0) @binding(1) var<storage, read_write> b1: array<f32>;

      @compute @workgroup_size(64)
      fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
        let thread = (wid.y * 1u + wid.x) * 64u + lid.x;
        if (thread >= 9u) { return; }
        let to0 = thread;
        let v0 = (to0 - 2u) < 6u;
        let v1 = select(0u, (to0 - 2u), v0);
        let v2 = b0[v1];
        let v3 = select(0.0f, v2, v0);
        b1[to0] = v3;
      }
      "
    `);
  });
  it('name no layer', () => {
    const plan = modules(b => b.unary('exp', b.input('x', [4])));
    expect(plan.kernels[0].wgsl).not.toContain('layer');
    expect(plan.steps[0].label).toContain('layer_with_a_name');
  });
  it('fold workgroups into two dimensions', () => {
    const limits = { ...DEFAULT_LIMITS, maxComputeWorkgroupsPerDimension: 100 };
    const plan = modules(b => b.unary('exp', b.input('x', [64 * 1001])), limits);
    const [x, y, z] = plan.steps[0].workgroups;
    expect(Math.max(x, y, z)).toBeLessThanOrEqual(100);
    expect(x * y * z).toBeGreaterThanOrEqual(1001);
  });
});
