/** Opens a WebGPU device in Node: a real adapter when there is one, the packaged software GPU otherwise. */
import { existsSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { create } from 'webgpu';
import { NoAdapterError } from './errors.ts';
import { healthOf, setWaiter } from './health.ts';
import { holdLibrary, unpackSoftwareDriver, withDrivers } from './swiftshader.ts';

export type AdapterPreference = 'hardware' | 'software';

export interface OpenOptions {
  /** Take only this kind; by default hardware when there is one. The environment variable LIP_ADAPTER has the last word. */
  readonly prefer?: AdapterPreference;
  /** Let the driver clamp every buffer access. Off by default: our kernels stay in bounds, and clamping costs up to a factor 2. */
  readonly robust?: boolean;
}

export interface Gpu {
  readonly device: GPUDevice;
  readonly adapterInfo: {
    readonly vendor: string;
    readonly architecture: string;
    readonly device: string;
    readonly description: string;
  };
  /** True when the CPU does the work. */
  readonly software: boolean;
  readonly limits: GPUSupportedLimits;
  readonly features: readonly string[];
  /** What was looked at on the way and why this adapter was taken, one line each. */
  readonly why: readonly string[];
  /** Manifest of the packaged driver, when that is the one in use. */
  readonly driver?: string;
  /** Lets the process end. */
  destroy(): void;
}

const LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupSizeY',
  'maxComputeWorkgroupSizeZ',
  'maxComputeWorkgroupsPerDimension',
] as const;

const FEATURES = ['timestamp-query', 'subgroups', 'shader-f16'] as const;

const HELP =
  'on Linux x64 the software GPU comes with the packages: run `npm ci` without --omit and check that the cache folder can be written; ' +
  'for a real GPU install its Vulkan driver and loader (libvulkan1); `lip doctor` shows what was found';

/** Vulkan driver manifests of this machine; Dawn prints a warning of its own when it is sent looking where there are none. */
export const findVulkanDrivers = (): string[] => {
  const named = process.env.VK_DRIVER_FILES ?? process.env.VK_ICD_FILENAMES;
  if (named) return named.split(':').filter(f => f !== '' && existsSync(f));
  const data = process.env.XDG_DATA_HOME ?? join(homedir(), '.local/share');
  // The last is where containers mount NVIDIA's driver; the loader does not look there by itself.
  const roots = ['/etc', '/usr/local/etc', '/usr/local/share', '/usr/share', data, '/usr/local/nvidia/share'];
  return roots.flatMap(root => {
    const folder = join(root, 'vulkan/icd.d');
    try {
      const files = readdirSync(folder).filter(f => f.endsWith('.json'));
      return files.map(f => join(folder, f));
    } catch {
      // Absent, or not for us to read.
      return [];
    }
  });
};

/** Maps the Vulkan loader, the system's or else the packaged one, which serves any driver. */
const holdVulkanLoader = (): boolean => {
  try {
    holdLibrary('libvulkan.so.1');
    return true;
  } catch {
    try {
      unpackSoftwareDriver();
      return true;
    } catch {
      return false;
    }
  }
};

const isSoftware = (info: GPUAdapterInfo): boolean =>
  info.isFallbackAdapter ||
  /swiftshader|llvmpipe|lavapipe|softpipe|basic render/i.test(
    `${info.architecture} ${info.device} ${info.description}`,
  );

const describe = (info: GPUAdapterInfo): string =>
  [info.vendor, info.architecture, info.device, info.description].filter(s => s !== '').join(' ') || 'unnamed adapter';

const requestAdapter = async (robust: boolean): Promise<GPUAdapter | null> => {
  const toggles = ['disable-dawn-features=timestamp_quantization'];
  if (!robust) toggles.push('enable-dawn-features=disable_robustness');
  const gpu = create(toggles);
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  // The instance must outlive its adapter and device; Dawn's binding does not hold it for us.
  if (adapter) instances.set(adapter, gpu);
  return adapter;
};

const instances = new WeakMap<GPUAdapter, GPU>();
const parents = new WeakMap<GPUDevice, GPUAdapter>();

type Found = { readonly adapter: GPUAdapter; readonly driver?: string } | { readonly reason: string };

/** The adapter of this machine's own driver, or why there is none. */
const hardwareAdapter = async (robust: boolean): Promise<Found> => {
  const drivers = process.platform === 'linux' ? findVulkanDrivers() : [];
  if (process.platform === 'linux') {
    if (drivers.length === 0) return { reason: 'no Vulkan driver is installed (no manifest in vulkan/icd.d)' };
    if (!holdVulkanLoader()) return { reason: 'there is a Vulkan driver, but no loader (libvulkan.so.1)' };
  }
  const request = () => requestAdapter(robust);
  const adapter = drivers.length > 0 ? await withDrivers(drivers, request) : await request();
  if (!adapter) return { reason: 'WebGPU finds no adapter among the installed drivers' };
  if (isSoftware(adapter.info)) return { reason: `the installed driver is a software one (${describe(adapter.info)})` };
  return { adapter };
};

const softwareAdapter = async (robust: boolean): Promise<Found> => {
  try {
    const { icd } = unpackSoftwareDriver();
    return await withDrivers([icd], async () => {
      const adapter = await requestAdapter(robust);
      if (adapter) return { adapter, driver: icd };
      // A worker's process.env is a copy, which the driver's loader does not see.
      const inWorker = isMainThread ? '' : ' in a worker thread: start it with the option env: SHARE_ENV';
      return { reason: `WebGPU refuses the packaged driver ${icd}${inWorker}` };
    });
  } catch (error) {
    return { reason: error instanceof Error ? error.message : String(error) };
  }
};

/** What `openDevice` could choose from: one entry a kind, with the adapter's name or the reason why there is none. */
export const surveyAdapters = async (): Promise<
  readonly { readonly kind: AdapterPreference; readonly name?: string; readonly reason?: string }[]
> => {
  const entry = (kind: AdapterPreference, found: Found) =>
    'adapter' in found ? { kind, name: describe(found.adapter.info) } : { kind, reason: found.reason };
  return [entry('hardware', await hardwareAdapter(false)), entry('software', await softwareAdapter(false))];
};

type Choice = AdapterPreference | 'any' | 'none';

const choose = (prefer: AdapterPreference | undefined): { choice: Choice; because: string } => {
  const forced = process.env.LIP_ADAPTER;
  switch (forced) {
    case undefined:
    case '':
    case 'auto':
      return { choice: prefer ?? 'any', because: prefer ? 'asked for by the caller' : 'hardware first, then software' };
    case 'hardware':
    case 'software':
    case 'none':
      return { choice: forced, because: `LIP_ADAPTER=${forced}` };
    default:
      throw new NoAdapterError(
        [`LIP_ADAPTER=${forced} is not known`],
        'use LIP_ADAPTER=auto, hardware, software or none',
      );
  }
};

const sleeper = new Int32Array(new SharedArrayBuffer(4));

/**
 * Awaits `promise`, asleep most of the time. While anything is pending Dawn's binding polls in the event loop, which keeps a core
 * busy that a software adapter could compute with: on two cores that costs a third of the speed.
 */
const waitAsleep = async <T>(promise: Promise<T>): Promise<T> => {
  let pending = true;
  const settled = () => {
    pending = false;
  };
  promise.then(settled, settled);
  while (pending) {
    await new Promise(resolve => setImmediate(resolve));
    if (pending) Atomics.wait(sleeper, 0, 0, 0.5);
  }
  return promise;
};

const openOn = async (adapter: GPUAdapter, why: readonly string[], driver?: string): Promise<Gpu> => {
  const requiredLimits = Object.fromEntries(LIMITS.map(name => [name, adapter.limits[name]]));
  const requiredFeatures = FEATURES.filter(f => adapter.features.has(f));
  const device = await adapter.requestDevice({ requiredLimits, requiredFeatures });
  parents.set(device, adapter);
  healthOf(device);
  const software = isSoftware(adapter.info);
  if (software) setWaiter(device, waitAsleep);
  const { vendor, architecture, device: name, description } = adapter.info;
  return {
    device,
    adapterInfo: { vendor, architecture, device: name, description },
    software,
    limits: device.limits,
    features: [...device.features].sort(),
    why: [...why, `using ${describe(adapter.info)}`],
    ...(driver === undefined ? {} : { driver }),
    destroy: () => device.destroy(),
  };
};

const openFound = async (found: Found, why: readonly string[]): Promise<Gpu | { readonly reason: string }> => {
  if ('reason' in found) return found;
  try {
    return await openOn(found.adapter, why, found.driver);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { reason: `${describe(found.adapter.info)} gives no device: ${message}` };
  }
};

/** Opens a device; throws NoAdapterError with everything that was tried. The caller destroys it, or the process stays alive. */
export const openDevice = async (options: OpenOptions = {}): Promise<Gpu> => {
  const { choice, because } = choose(options.prefer);
  const robust = options.robust ?? false;
  const tried = [`choice: ${choice} (${because})`];
  if (choice === 'none') throw new NoAdapterError(tried, 'unset LIP_ADAPTER');
  if (choice !== 'software') {
    const found = await hardwareAdapter(robust);
    const opened = await openFound(found, tried);
    if ('device' in opened) return opened;
    tried.push(`hardware: ${opened.reason}`);
  }
  if (choice !== 'hardware') {
    const found = await softwareAdapter(robust);
    const opened = await openFound(found, tried);
    if ('device' in opened) return opened;
    tried.push(`software: ${opened.reason}`);
  }
  throw new NoAdapterError(tried, HELP);
};
