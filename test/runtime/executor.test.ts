import { afterEach, describe, expect, test, vi } from 'vitest';
import { DeviceLostError, GpuError, PlanError } from '../../src/runtime/errors.ts';
import { checkPlan, createExecutor, createParamStore } from '../../src/runtime/executor.ts';
import { openDevice } from '../../src/runtime/node-device.ts';
import type { Plan } from '../../src/runtime/plan.ts';
import { useDevice } from '../device.ts';
import { scalePlan } from './plans.ts';

const gpu = useDevice();
const cleanup: (() => void)[] = [];
afterEach(() => {
  for (const f of cleanup.splice(0)) f();
});

const n = 100;
const ramp = Float32Array.from({ length: n }, (_, i) => i);
const twos = new Float32Array(n).fill(2);

const open = async (plan: Plan = scalePlan(n)) => {
  const store = createParamStore(gpu().device);
  store.set('w', twos, [n]);
  const executor = await createExecutor(gpu().device, plan, store);
  cleanup.push(executor.destroy, store.destroy);
  return { store, executor };
};

describe('executor', () => {
  test('runs steps in order, with literals, and updates parameters in place', async () => {
    const { store, executor } = await open();
    executor.write('x', ramp);
    executor.run();
    expect([...(await executor.read('y'))]).toEqual([...ramp].map(v => 2 * v + 0.5));
    const [second] = await executor.runAndRead(['y']);
    expect([...second]).toEqual([...ramp].map(v => 3 * v + 0.5));
    expect(await store.read('w')).toEqual(new Float32Array(n).fill(4));
  });

  test('two plans share the parameters of one store', async () => {
    const { store, executor } = await open();
    const other = await createExecutor(gpu().device, scalePlan(n), store);
    cleanup.push(other.destroy);
    executor.run();
    other.write('x', ramp);
    expect([...(await other.runAndRead(['y']))[0]]).toEqual([...ramp].map(v => 3 * v + 0.5));
  });

  test('a view into a larger array is written from its own offset', async () => {
    const { executor } = await open();
    const big = new Float32Array(2 * n);
    big.set(ramp, n);
    executor.write('x', big.subarray(n));
    expect([...(await executor.runAndRead(['y']))[0]]).toEqual([...ramp].map(v => 2 * v + 0.5));
  });

  test('wrong lengths and unknown names say what was expected', async () => {
    const { store, executor } = await open();
    expect(() => executor.write('x', new Float32Array(3))).toThrow('input "x" is [100], 100 entries, but 3 were given');
    expect(() => executor.write('z', ramp)).toThrow('there is no input "z"; there are: x');
    expect(() => executor.write('constructor', ramp)).toThrow(PlanError);
    await expect(executor.read('z')).rejects.toThrow('there is no output "z"; there are: y');
    expect(() => store.set('w', ramp, [10, 10])).toThrow('parameter "w" is [100] and cannot become [10,10]');
    expect(() => store.set('v', ramp, [7])).toThrow('has 7 entries, 100 were given');
    await expect(store.read('v')).rejects.toThrow('there is no parameter "v"; there are: w');
  });

  test('parameters without a value are listed', async () => {
    const store = createParamStore(gpu().device);
    await expect(createExecutor(gpu().device, scalePlan(n), store)).rejects.toThrow('parameters without a value: w');
  });

  test('zeros clears what was there', async () => {
    const { store } = await open();
    store.zeros('w', [n]);
    expect(await store.read('w')).toEqual(new Float32Array(n));
  });

  test('a kernel that does not compile is reported with its line', async () => {
    const plan = scalePlan(n);
    const broken = {
      ...plan,
      kernels: [{ ...plan.kernels[0], wgsl: plan.kernels[0].wgsl.replace('c[0]', 'nothing') }, plan.kernels[1]],
    };
    const store = createParamStore(gpu().device);
    store.set('w', twos, [n]);
    const failure = createExecutor(gpu().device, broken, store);
    await expect(failure).rejects.toThrow(GpuError);
    await expect(failure).rejects.toThrow(/"scale" does not compile[\s\S]*8:\d+ unresolved value 'nothing'/);
    // The device is unharmed.
    const { executor } = await open();
    executor.write('x', ramp);
    expect((await executor.runAndRead(['y']))[0][1]).toBe(2.5);
  });

  test('equal kernels are compiled once per device', async () => {
    const compile = vi.spyOn(gpu().device, 'createComputePipelineAsync');
    await open();
    const before = compile.mock.calls.length;
    const plan = scalePlan(n);
    await open();
    await open({ ...plan, kernels: [plan.kernels[0], { ...plan.kernels[1], wgsl: `${plan.kernels[1].wgsl}\n` }] });
    expect(compile.mock.calls.length - before).toBe(1);
    compile.mockRestore();
  });

  test('a parameter in a smaller buffer than the plan counts on is refused', async () => {
    const plan = scalePlan(n);
    const larger = plan.buffers.map(b => (b.role === 'param' ? { ...b, size: 8 * n } : b));
    await expect(open({ ...plan, buffers: larger })).rejects.toThrow(
      /parameter "w" is stored in 400 bytes, the plan wants 800/,
    );
  });

  test('profile gives a time per step', async () => {
    const { executor } = await open();
    const times = await executor.profile();
    expect(times).toHaveLength(2);
    expect(times.every(t => t > 0 && t < 1e9)).toBe(true);
  });
});

describe('plans over the limits', () => {
  const limits = () => gpu().device.limits;
  const refuse = (change: Partial<Plan>, message: RegExp) =>
    expect(() => checkPlan({ ...scalePlan(n), ...change }, limits())).toThrow(message);
  const steps = scalePlan(n).steps;

  test('each is refused in words', () => {
    const { buffers } = scalePlan(n);
    refuse({ version: 2 as 1 }, /plans of version 1, not 2/);
    refuse(
      { buffers: [{ size: 2 ** 50, role: 'input' }, ...buffers.slice(1)] },
      /^buffer 0 \(input, first in step scale\) needs .* MiB, the device allows/,
    );
    const label = 'conv[0] sub fused into twin[2].1 convTranspose';
    refuse(
      { buffers: [{ size: 2 ** 50, role: 'input' }, ...buffers.slice(1)], steps: [{ ...steps[0], label }] },
      /^conv\[0\], twin\[2\]\.1: buffer 0 \(input, first in step conv\[0\] sub/,
    );
    refuse({ buffers: [{ size: 6, role: 'input' }, ...buffers.slice(1)] }, /buffer 0 has size 6/);
    refuse({ inputs: { x: { buffer: 0, shape: [n + 1] } } }, /"x" \[101\] does not fit/);
    refuse({ outputs: { y: { buffer: 9, shape: [n] } } }, /"y" names buffer 9, the plan has 4/);
    refuse({ steps: [{ ...steps[0], bindings: [0, 0, 2, 3] }] }, /binds a buffer twice/);
    refuse({ steps: [{ ...steps[0], bindings: [0, 1] }] }, /has 2 bindings, its kernel 4/);
    refuse(
      { steps: [{ ...steps[0], workgroups: [2 ** 20, 1, 1] }] },
      /1048576×1×1 workgroups, the device allows 65535/,
    );
    const many = Array.from({ length: 40 }, (_, i) => i);
    refuse(
      {
        buffers: many.map(() => ({ size: 4 * n, role: 'temp' as const })),
        kernels: [{ wgsl: '', access: many.map(() => 'read' as const) }],
        steps: [{ ...steps[0], bindings: many }],
      },
      /binds 40 buffers, the device allows \d+/,
    );
  });
});

describe('device loss', () => {
  test('work after the device is gone throws DeviceLostError', async () => {
    const lost = await openDevice();
    const store = createParamStore(lost.device);
    store.set('w', twos, [n]);
    const executor = await createExecutor(lost.device, scalePlan(n), store);
    executor.write('x', ramp);
    const pending = executor.runAndRead(['y']);
    lost.device.destroy();
    // The read in flight either finished before or says why it did not.
    await pending.then(
      y => expect(y[0][1]).toBe(2.5),
      error => expect(error).toBeInstanceOf(DeviceLostError),
    );
    await lost.device.lost;
    expect(() => executor.run()).toThrow(DeviceLostError);
    await expect(executor.read('y')).rejects.toThrow(DeviceLostError);
    await expect(createExecutor(lost.device, scalePlan(n), store)).rejects.toThrow(DeviceLostError);
  });

  test('an uncaptured error is thrown by the next call that waits', async () => {
    const other = await openDevice();
    const store = createParamStore(other.device);
    store.set('w', twos, [n]);
    const executor = await createExecutor(other.device, scalePlan(n), store);
    other.device.createBuffer({ size: 4, usage: 0 });
    await expect(executor.wait()).rejects.toThrow(GpuError);
    other.destroy();
  });
});
