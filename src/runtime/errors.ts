/** What can go wrong on a device, as errors a host program can tell apart. No Node and no browser imports. */

/** No usable WebGPU adapter. `tried` says, one line each, what was looked for and why it failed; `help` what to do. */
export class NoAdapterError extends Error {
  override readonly name = 'NoAdapterError';
  readonly tried: readonly string[];
  readonly help: string;
  constructor(tried: readonly string[], help: string) {
    super(`no usable GPU adapter${tried.map(t => `\n  ${t}`).join('')}`);
    this.tried = tried;
    this.help = help;
  }
}

/** The device went away: driver reset, unplugged, or destroyed while work was under way. Nothing on it can be used again. */
export class DeviceLostError extends Error {
  override readonly name = 'DeviceLostError';
}

/** The device refused a command: a validation error (a bug of ours), out of memory, or a WGSL module that does not compile. */
export class GpuError extends Error {
  override readonly name = 'GpuError';
}

/** A plan or its data do not fit: wrong length, unknown name. */
export class PlanError extends Error {
  override readonly name: string = 'PlanError';
}

/** More than this device has: a buffer or a dispatch over its limits, or no memory left. A smaller batch may fit. */
export class DeviceLimitError extends PlanError {
  override readonly name = 'DeviceLimitError';
}
