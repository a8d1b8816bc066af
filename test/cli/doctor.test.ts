import { Command } from 'commander';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { examine, printReport, register } from '../../src/cli/commands/doctor.ts';

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

/** Runs `lip doctor ARGS` in this process. */
const doctor = async (...args: string[]): Promise<{ text: string; exitCode: typeof process.exitCode }> => {
  let text = '';
  vi.spyOn(process.stdout, 'write').mockImplementation(chunk => {
    text += chunk;
    return true;
  });
  const program = new Command();
  register(program);
  await program.parseAsync(['node', 'lip', 'doctor', ...args]);
  const { exitCode } = process;
  vi.restoreAllMocks();
  return { text, exitCode };
};

describe('lip doctor', () => {
  test('finds a device that computes correctly and says which', async () => {
    const report = await examine();
    expect(report.problem).toBeUndefined();
    expect(report.used?.selfTest.error).toBeLessThanOrEqual(1);
    expect(report.used?.selfTest.error).toBeGreaterThan(0);
    expect(report.used?.selfTest.gflops).toBeGreaterThan(0.01);
    const text = printReport(report);
    expect(text).toContain(report.used?.name);
    expect(text).toContain('maxStorageBufferBindingSize');
    expect(text).toMatch(/GFLOP\/s/);
  });

  test('--json is JSON with the same facts', async () => {
    const { text, exitCode } = await doctor('--json');
    expect(exitCode).toBeUndefined();
    expect(JSON.parse(text)).toMatchObject({ node: process.version, used: { selfTest: {} }, adapters: [{}, {}] });
  });

  test('without an adapter it ends with 4, says what was tried and what to do', async () => {
    vi.stubEnv('LIP_ADAPTER', 'hardware');
    vi.stubEnv('VK_DRIVER_FILES', '/nonexistent.json');
    if (process.platform !== 'linux') vi.stubEnv('LIP_ADAPTER', 'none');
    const { text, exitCode } = await doctor();
    expect(exitCode).toBe(4);
    expect(text).toMatch(/problem.*no usable GPU adapter/);
    expect(text).toMatch(/help/);
  });
});
