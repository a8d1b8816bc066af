/** Runs a plan on a device. Knows WebGPU and the plan format and nothing of the compiler; works in Node and in browsers. */
import { DeviceLimitError, GpuError, PlanError } from './errors.ts';
import { healthOf } from './health.ts';
import type { ParamStore } from './param-store.ts';
import type { Plan, PlanKernel, PlanTensor } from './plan.ts';
import { BUFFER_USAGE, readBuffers, recordReads } from './transfer.ts';

export { createParamStore } from './param-store.ts';

export interface Executor {
  readonly plan: Plan;
  /** Stores a whole input; throws PlanError on a wrong name or length. */
  write(name: string, data: Float32Array): void;
  /** The device buffer of an input or output, e.g. to fill it from another buffer without the host. */
  buffer(name: string): GPUBuffer;
  /** Submits all steps as one command buffer; does not wait. Throws if the device is known to have failed. */
  run(): void;
  /** Waits for the submitted work and returns an output. */
  read(name: string): Promise<Float32Array>;
  readAll(names: readonly string[]): Promise<Float32Array[]>;
  /** `run` and `readAll` in one submission. */
  runAndRead(names: readonly string[]): Promise<Float32Array[]>;
  /** Waits until everything submitted so far is done. */
  wait(): Promise<void>;
  /** Runs once with a time stamp around each step: nanoseconds per step. Needs the feature `timestamp-query`. */
  profile(): Promise<number[]>;
  /** Frees the buffers of this plan; the store's stay. */
  destroy(): void;
}

const length = (t: PlanTensor): number => t.shape.reduce((a, b) => a * b, 1);
const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

/** The layers that the label of a step names: of `conv[0] sub fused into conv[0] convTranspose`, `conv[0]`. */
const layersOf = (label: string): string =>
  [...new Set(label.match(/\b(?:\w+\[\d+\](?:\.\d+)?|head)(?![\w[])/g))].join(', ');

/** Throws PlanError with the first thing about `plan` the device cannot do. */
export const checkPlan = (plan: Plan, limits: GPUSupportedLimits): void => {
  const fail = (why: string): never => {
    throw new PlanError(why);
  };
  if (plan.version !== 1) fail(`this runtime reads plans of version 1, not ${plan.version}`);
  const exceeds = (why: string): never => {
    throw new DeviceLimitError(`${why}: use a smaller batch or another adapter`);
  };
  const largest = Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize);
  const buffer = (b: number, what: string) =>
    plan.buffers[b] ?? fail(`${what} names buffer ${b}, the plan has ${plan.buffers.length}`);
  plan.buffers.forEach((b, i) => {
    if (!Number.isSafeInteger(b.size) || b.size <= 0 || b.size % 4 !== 0) fail(`buffer ${i} has size ${b.size}`);
    if (b.size > largest) {
      const step = plan.steps.find(s => s.bindings.includes(i));
      const layers = step ? layersOf(step.label) : '';
      exceeds(
        `${layers === '' ? '' : `${layers}: `}buffer ${i} (${b.role}${step ? `, first in step ${step.label}` : ''}) needs ${mib(b.size)}, the device allows ${mib(largest)}`,
      );
    }
  });
  for (const group of [plan.inputs, plan.params, plan.outputs])
    for (const [name, t] of Object.entries(group))
      if (4 * length(t) > buffer(t.buffer, `"${name}"`).size) fail(`"${name}" [${t.shape}] does not fit its buffer`);
  for (const l of plan.literals)
    if (4 * l.data.length > buffer(l.buffer, 'a literal').size) fail(`the literal of buffer ${l.buffer} does not fit`);
  plan.steps.forEach((s, i) => {
    const what = `step ${i} (${s.label})`;
    const kernel =
      plan.kernels[s.kernel] ?? fail(`${what} names kernel ${s.kernel}, the plan has ${plan.kernels.length}`);
    if (s.bindings.length !== kernel.access.length)
      fail(`${what} has ${s.bindings.length} bindings, its kernel ${kernel.access.length}`);
    if (s.bindings.length > limits.maxStorageBuffersPerShaderStage)
      fail(`${what} binds ${s.bindings.length} buffers, the device allows ${limits.maxStorageBuffersPerShaderStage}`);
    if (new Set(s.bindings).size !== s.bindings.length) fail(`${what} binds a buffer twice`);
    for (const b of s.bindings) buffer(b, what);
    for (const n of s.workgroups)
      if (!Number.isSafeInteger(n) || n < 0 || n > limits.maxComputeWorkgroupsPerDimension)
        fail(
          `${what} needs ${s.workgroups.join('×')} workgroups, the device allows ${limits.maxComputeWorkgroupsPerDimension} per dimension`,
        );
  });
};

interface Compiled {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

/** Pipelines and layouts of a device: equal WGSL is compiled once, whichever plan asks. */
interface Cache {
  readonly pipelines: Map<string, Promise<Compiled>>;
  readonly layouts: Map<string, GPUBindGroupLayout>;
}
const caches = new WeakMap<GPUDevice, Cache>();

const cacheOf = (device: GPUDevice): Cache => {
  const known = caches.get(device);
  if (known) return known;
  const cache: Cache = { pipelines: new Map(), layouts: new Map() };
  caches.set(device, cache);
  return cache;
};

const layoutFor = (device: GPUDevice, access: PlanKernel['access']): GPUBindGroupLayout => {
  const { layouts } = cacheOf(device);
  const key = access.join();
  const known = layouts.get(key);
  if (known) return known;
  const layout = device.createBindGroupLayout({
    entries: access.map((a, binding) => ({
      binding,
      // 4 is GPUShaderStage.COMPUTE.
      visibility: 4,
      buffer: { type: a === 'read' ? ('read-only-storage' as const) : ('storage' as const) },
    })),
  });
  layouts.set(key, layout);
  return layout;
};

/** The compiler's own messages, with the line they are about. */
const wgslMessages = async (module: GPUShaderModule, wgsl: string): Promise<string> => {
  const { messages } = await module.getCompilationInfo();
  const lines = wgsl.split('\n');
  return messages
    .filter(m => m.type === 'error')
    .map(m => `\n  ${m.lineNum}:${m.linePos} ${m.message}\n    ${lines[m.lineNum - 1] ?? ''}`)
    .join('');
};

const compile = async (device: GPUDevice, kernel: PlanKernel, label: string): Promise<Compiled> => {
  const layout = layoutFor(device, kernel.access);
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ code: kernel.wgsl });
  const scope = device.popErrorScope();
  const pipeline = device
    .createComputePipelineAsync({
      layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module, entryPoint: 'main' },
      label,
    })
    .then(
      value => ({ value }),
      (error: unknown) => ({ error }),
    );
  const invalid = await scope;
  const made = await pipeline;
  if (invalid || 'error' in made) {
    healthOf(device).check();
    const detail =
      (await wgslMessages(module, kernel.wgsl)) || ('error' in made ? String(made.error) : (invalid?.message ?? ''));
    throw new GpuError(`the kernel of "${label}" does not compile: ${detail}`);
  }
  return { pipeline: made.value, layout };
};

const pipelineFor = (device: GPUDevice, kernel: PlanKernel, label: string): Promise<Compiled> => {
  const { pipelines } = cacheOf(device);
  const key = `${kernel.access.join()}\n${kernel.wgsl}`;
  const known = pipelines.get(key);
  if (known) return known;
  const made = compile(device, kernel, label);
  pipelines.set(key, made);
  // A failure is not remembered: the next one to ask sees it afresh.
  made.catch(() => pipelines.delete(key));
  return made;
};

/** Runs `make` and turns out-of-memory and validation errors of the calls in it into exceptions. */
const scoped = async <T>(device: GPUDevice, what: string, make: () => T): Promise<T> => {
  device.pushErrorScope('validation');
  device.pushErrorScope('out-of-memory');
  let errors: Promise<GPUError | null>[] = [];
  let value: T;
  try {
    value = make();
  } finally {
    // Popped before anything else can push: scopes are a stack.
    errors = [device.popErrorScope(), device.popErrorScope()];
  }
  const [memory, validation] = await Promise.all(errors);
  if (memory)
    throw new DeviceLimitError(`${what}: the device is out of memory: use a smaller batch or another adapter`);
  if (validation) throw new GpuError(`${what}: ${validation.message.trim()}`);
  return value;
};

/** Compiles `plan` for `device`. Its params must be in `store`; they are shared with every other plan made with it. */
export const createExecutor = async (device: GPUDevice, plan: Plan, store: ParamStore): Promise<Executor> => {
  const health = healthOf(device);
  health.check();
  checkPlan(plan, device.limits);
  const missing = Object.keys(plan.params).filter(path => !store.has(path));
  if (missing.length > 0) throw new PlanError(`parameters without a value: ${missing.join(', ')}`);
  for (const [path, t] of Object.entries(plan.params)) {
    const have = store.shape(path).reduce((a, b) => a * b, 1);
    if (have !== length(t))
      throw new PlanError(`parameter "${path}" is [${store.shape(path)}], the plan wants [${t.shape}]`);
    // Kernels trust the size they were compiled for.
    if (store.buffer(path).size < plan.buffers[t.buffer].size)
      throw new PlanError(
        `parameter "${path}" is stored in ${store.buffer(path).size} bytes, the plan wants ${plan.buffers[t.buffer].size}`,
      );
  }

  const firstUse = new Map(plan.steps.map(s => [s.kernel, s.label]).reverse() as [number, string][]);
  const compiling = plan.kernels.map((k, i) => pipelineFor(device, k, firstUse.get(i) ?? `kernel ${i}`));
  // All are awaited together below; without this an early failure of a second one would count as unhandled.
  for (const c of compiling) c.catch(() => undefined);

  const own: GPUBuffer[] = [];
  const paramAt = new Map(Object.entries(plan.params).map(([path, t]) => [t.buffer, path]));
  const buffers = await scoped(device, 'allocating the buffers of the plan', () =>
    plan.buffers.map((b, i) => {
      const path = paramAt.get(i);
      if (path !== undefined) return store.buffer(path);
      const made = device.createBuffer({ size: b.size, usage: BUFFER_USAGE, label: `${b.role} ${i}` });
      own.push(made);
      return made;
    }),
  );
  for (const l of plan.literals) device.queue.writeBuffer(buffers[l.buffer], 0, Float32Array.from(l.data));
  const compiled = await health.wait(Promise.all(compiling));
  const steps = await scoped(device, 'binding the buffers of the plan', () =>
    plan.steps.map(s => {
      const { pipeline, layout } = compiled[s.kernel];
      const entries = s.bindings.map((b, binding) => ({ binding, resource: { buffer: buffers[b] } }));
      return { pipeline, group: device.createBindGroup({ layout, entries }), workgroups: s.workgroups };
    }),
  );
  let destroyed = false;

  const alive = () => {
    if (destroyed) throw new PlanError('this executor was destroyed');
    health.check();
  };
  const encodeSteps = (pass: GPUComputePassEncoder, from: number, to: number) => {
    let bound: GPUComputePipeline | undefined;
    for (const s of steps.slice(from, to)) {
      if (s.pipeline !== bound) {
        pass.setPipeline(s.pipeline);
        bound = s.pipeline;
      }
      pass.setBindGroup(0, s.group);
      pass.dispatchWorkgroups(...s.workgroups);
    }
  };
  const encode = (): GPUCommandEncoder => {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    encodeSteps(pass, 0, steps.length);
    pass.end();
    return encoder;
  };
  const named = (group: Readonly<Record<string, PlanTensor>>, name: string, what: string): PlanTensor => {
    const t = Object.hasOwn(group, name) ? group[name] : undefined;
    if (!t) throw new PlanError(`there is no ${what} "${name}"; there are: ${Object.keys(group).join(', ') || 'none'}`);
    return t;
  };
  const sources = (names: readonly string[]) =>
    names.map(name => {
      const t = named(plan.outputs, name, 'output');
      return { buffer: buffers[t.buffer], length: length(t) };
    });

  return {
    plan,
    write: (name, data) => {
      alive();
      const t = named(plan.inputs, name, 'input');
      if (data.length !== length(t))
        throw new PlanError(`input "${name}" is [${t.shape}], ${length(t)} entries, but ${data.length} were given`);
      device.queue.writeBuffer(buffers[t.buffer], 0, data.buffer, data.byteOffset, data.byteLength);
    },
    buffer: name =>
      buffers[
        (Object.hasOwn(plan.inputs, name) ? plan.inputs[name] : named(plan.outputs, name, 'input or output')).buffer
      ],
    run: () => {
      alive();
      device.queue.submit([encode().finish()]);
    },
    read: async name => {
      alive();
      const [data] = await readBuffers(device, sources([name]));
      return data;
    },
    readAll: async names => {
      alive();
      return readBuffers(device, sources(names));
    },
    runAndRead: async names => {
      alive();
      const from = sources(names);
      const encoder = encode();
      const reads = recordReads(device, encoder, from);
      device.queue.submit([encoder.finish()]);
      return reads.finish();
    },
    wait: async () => {
      alive();
      await health.guard(device.queue.onSubmittedWorkDone());
    },
    profile: async () => {
      alive();
      return profileSteps(device, steps.length, encodeSteps);
    },
    destroy: () => {
      destroyed = true;
      for (const b of own) b.destroy();
    },
  };
};

/** A pass per step, so that each has its own pair of time stamps. */
const profileSteps = async (
  device: GPUDevice,
  count: number,
  encodeSteps: (pass: GPUComputePassEncoder, from: number, to: number) => void,
): Promise<number[]> => {
  if (!device.features.has('timestamp-query')) throw new GpuError('this device has no feature timestamp-query');
  // A query set holds at most 4096 queries.
  const chunk = 2048;
  const times: number[] = [];
  for (let from = 0; from < count; from += chunk) {
    const n = Math.min(chunk, count - from);
    const querySet = device.createQuerySet({ type: 'timestamp', count: 2 * n });
    // 0x200 is GPUBufferUsage.QUERY_RESOLVE.
    const resolved = device.createBuffer({ size: 16 * n, usage: 0x200 | 0x4 });
    const encoder = device.createCommandEncoder();
    for (let i = 0; i < n; i++) {
      const pass = encoder.beginComputePass({
        timestampWrites: { querySet, beginningOfPassWriteIndex: 2 * i, endOfPassWriteIndex: 2 * i + 1 },
      });
      encodeSteps(pass, from + i, from + i + 1);
      pass.end();
    }
    encoder.resolveQuerySet(querySet, 0, 2 * n, resolved, 0);
    const reads = recordReads(device, encoder, [{ buffer: resolved, length: 4 * n }]);
    device.queue.submit([encoder.finish()]);
    const [raw] = await reads.finish();
    const stamps = new BigUint64Array(raw.slice().buffer);
    for (let i = 0; i < n; i++) times.push(Number(stamps[2 * i + 1] - stamps[2 * i]));
    querySet.destroy();
    resolved.destroy();
  }
  return times;
};
