/** `lip doctor`: which GPU is used and why, whether it computes correctly, and what to do when there is none. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import colors from 'picocolors';
import { NoAdapterError } from '../../runtime/errors.ts';
import { findVulkanDrivers, type Gpu, openDevice, surveyAdapters } from '../../runtime/node-device.ts';
import { type SelfTest, selfTest } from '../../runtime/self-test.ts';

export interface DoctorReport {
  readonly node: string;
  readonly platform: string;
  /** Version of the `webgpu` package (Dawn). */
  readonly webgpu: string;
  /** The environment variable LIP_ADAPTER, if set. */
  readonly lipAdapter?: string;
  /** Driver manifests of this machine. */
  readonly vulkanDrivers: readonly string[];
  readonly adapters: Awaited<ReturnType<typeof surveyAdapters>>;
  readonly used?: {
    readonly name: string;
    readonly software: boolean;
    readonly why: readonly string[];
    /** Manifest of the packaged driver, when that is the one in use. */
    readonly driver?: string;
    readonly limits: Readonly<Record<string, number>>;
    readonly features: readonly string[];
    readonly selfTest: SelfTest;
  };
  readonly problem?: string;
  readonly help?: string;
}

const packageVersion = (name: string): string => {
  const require = createRequire(import.meta.url);
  const { version } = JSON.parse(readFileSync(join(dirname(require.resolve(name)), 'package.json'), 'utf8')) as {
    version: string;
  };
  return version;
};

const SHOWN_LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupsPerDimension',
] as const;

const describeUse = async (gpu: Gpu): Promise<NonNullable<DoctorReport['used']>> => ({
  name: gpu.why.at(-1)?.replace(/^using /, '') ?? '',
  software: gpu.software,
  why: gpu.why,
  ...(gpu.driver === undefined ? {} : { driver: gpu.driver }),
  limits: Object.fromEntries(SHOWN_LIMITS.map(name => [name, gpu.limits[name]])),
  features: gpu.features,
  selfTest: await selfTest(gpu),
});

/** Looks at this machine; a missing or wrong adapter is in `problem`, not an exception. */
export const examine = async (): Promise<DoctorReport> => {
  const machine = {
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    webgpu: packageVersion('webgpu'),
    ...(process.env.LIP_ADAPTER ? { lipAdapter: process.env.LIP_ADAPTER } : {}),
    vulkanDrivers: process.platform === 'linux' ? findVulkanDrivers() : [],
    adapters: await surveyAdapters(),
  };
  let gpu: Gpu | undefined;
  try {
    gpu = await openDevice();
    const used = await describeUse(gpu);
    if (used.selfTest.error <= 1) return { ...machine, used };
    const problem = `the adapter computes wrong results: error ${used.selfTest.error.toPrecision(3)} times the bound`;
    return { ...machine, used, problem, help: 'update the driver, or set LIP_ADAPTER=software' };
  } catch (error) {
    if (error instanceof NoAdapterError) return { ...machine, problem: error.message, help: error.help };
    const problem = error instanceof Error ? error.message : String(error);
    return { ...machine, problem, help: 'update the driver, or set LIP_ADAPTER=software' };
  } finally {
    gpu?.destroy();
  }
};

const amount = (name: string, value: number): string => {
  if (!/Size$/.test(name)) return String(value);
  return value >= 2 ** 20 ? `${+(value / 2 ** 20).toPrecision(4)} MiB` : `${+(value / 1024).toPrecision(4)} KiB`;
};

/** The report as lines of text for people. */
export const printReport = (r: DoctorReport): string => {
  const lines: string[] = [];
  const row = (name: string, value: string) => lines.push(`${colors.dim(name.padEnd(12))} ${value}`);
  row('node', `${r.node} on ${r.platform}`);
  row('webgpu', `${r.webgpu} (Dawn)`);
  if (r.lipAdapter) row('LIP_ADAPTER', r.lipAdapter);
  row('drivers', r.vulkanDrivers.join(', ') || 'none installed');
  for (const a of r.adapters) row(a.kind, a.name ?? `none: ${a.reason}`);
  if (r.used) {
    const { used } = r;
    row('used', `${colors.bold(used.name)} (${used.software ? 'software' : 'hardware'})`);
    row('why', used.why.slice(0, -1).join('; '));
    if (used.driver) row('driver', used.driver);
    for (const [name, value] of Object.entries(used.limits)) row('limit', `${name} ${amount(name, value)}`);
    row('features', used.features.join(', '));
    const t = used.selfTest;
    row('self-test', t.error <= 1 ? colors.green('correct') : colors.red('WRONG'));
    row('', `error ${t.error.toPrecision(2)} of the bound, matrix product ${t.gflops.toPrecision(3)} GFLOP/s`);
    row('', `compiles in ${t.compileMs.toFixed(1)} ms, round trip ${t.roundTripMs.toFixed(2)} ms`);
  }
  if (r.problem) lines.push(`${colors.red('problem')}: ${r.problem}`);
  if (r.help) lines.push(`${colors.cyan('help')}: ${r.help}`);
  return `${lines.join('\n')}\n`;
};

export const register = (program: Command): void => {
  program
    .command('doctor')
    .description('show which GPU is used and why, its limits, and whether it computes correctly')
    .option('--json', 'print the report as JSON')
    .action(async (options: { json?: boolean }) => {
      const report = await examine();
      process.stdout.write(options.json ? `${JSON.stringify(report, null, 2)}\n` : printReport(report));
      if (report.problem) process.exitCode = 4;
    });
};
