/**
 * The software GPU that comes with the packages: SwiftShader (a Vulkan driver for the CPU) and the Vulkan loader, as
 * carried by `@sparticuz/chromium`. Needs no root and no system package: the files are unpacked once into a cache.
 */
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { constants, homedir, tmpdir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';

export interface SoftwareDriver {
  readonly directory: string;
  /** The driver's manifest, for `VK_ICD_FILENAMES`. */
  readonly icd: string;
  readonly loader: string;
}

const ICD = 'vk_swiftshader_icd.json';
const LOADER = 'libvulkan.so.1';
const FILES = ['libvk_swiftshader.so', LOADER, ICD];
/** Keeps the library mapped after the handle is closed, so that a later dlopen of the same soname finds it. */
const RTLD_NODELETE = 0x1000;

/** The regular files of an uncompressed ustar archive. */
export const readTar = (archive: Buffer): Map<string, Buffer> => {
  const files = new Map<string, Buffer>();
  const text = (start: number, length: number) => {
    const raw = archive.toString('latin1', start, start + length);
    const end = raw.indexOf('\0');
    return end < 0 ? raw : raw.slice(0, end);
  };
  for (let at = 0; at + 512 <= archive.length && archive[at] !== 0; ) {
    const size = Number.parseInt(text(at + 124, 12).trim(), 8);
    if (!Number.isFinite(size) || at + 512 + size > archive.length) throw new Error('damaged tar archive');
    const type = archive[at + 156];
    // '0' or NUL is a regular file; directories, links and extended headers carry nothing we need.
    if (type === 0x30 || type === 0) files.set(text(at, 100), archive.subarray(at + 512, at + 512 + size));
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return files;
};

/** A folder for us alone under the temporary directory: another user must not be able to plant a library there. */
const privateTemporary = (): string => {
  const uid = process.getuid?.() ?? 0;
  const path = join(tmpdir(), `lip-${uid}`);
  try {
    mkdirSync(path, { mode: 0o700, recursive: true });
    const s = lstatSync(path);
    if (s.isDirectory() && s.uid === uid && (s.mode & 0o022) === 0) return path;
  } catch {
    // Falls through to a fresh folder.
  }
  return mkdtempSync(join(tmpdir(), 'lip-'));
};

/** Where the driver may be kept, best first. A relative XDG_CACHE_HOME is ignored, as its specification asks. */
const cacheRoots = (): (() => string)[] => {
  const xdg = process.env.XDG_CACHE_HOME;
  return [() => join(xdg && isAbsolute(xdg) ? xdg : join(homedir(), '.cache'), 'lip'), privateTemporary];
};

/** Puts `files` at `target` in one step, so that two processes may do it at once and neither sees half of it. */
const unpackTo = (target: string, files: ReadonlyMap<string, Buffer>): void => {
  const fresh = `${target}.${process.pid}-${randomBytes(4).toString('hex')}`;
  mkdirSync(fresh, { recursive: true });
  try {
    for (const name of FILES) {
      const data = files.get(name);
      if (!data) throw new Error(`the software GPU package lacks ${name}`);
      writeFileSync(join(fresh, name), data, { mode: 0o755 });
    }
    if (!isComplete(target)) rmSync(target, { recursive: true, force: true });
    renameSync(fresh, target);
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true });
    // Another process was faster: its copy is as good.
    if (!isComplete(target)) throw error;
  }
};

const isComplete = (directory: string): boolean => FILES.every(name => existsSync(join(directory, name)));

/** Maps a shared library into the process; throws when the file is missing or cannot be mapped. */
export const holdLibrary = (path: string): void => {
  try {
    process.dlopen({ exports: {} }, path, constants.dlopen.RTLD_NOW | constants.dlopen.RTLD_GLOBAL | RTLD_NODELETE);
  } catch (error) {
    // Node expects an add-on; a plain library is mapped all the same, and then refused with this message.
    if (!(error instanceof Error) || !error.message.includes('did not self-register')) throw error;
  }
};

/** The archive in the installed package, and a name for its version. */
const findPackage = (): { archive: string; version: string } => {
  const require = createRequire(import.meta.url);
  // The entry point lies one or two folders below the package's root, depending on its version.
  const root = [1, 2, 3]
    .map(up => join(dirname(require.resolve('@sparticuz/chromium')), ...Array<string>(up).fill('..')))
    .find(folder => existsSync(join(folder, 'bin', 'swiftshader.tar.br')));
  if (root === undefined) throw new Error('the package @sparticuz/chromium has no bin/swiftshader.tar.br');
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  return { archive: join(root, 'bin', 'swiftshader.tar.br'), version };
};

/** Unpacks the driver unless a former run did. Throws with every place that was tried. */
export const unpackSoftwareDriver = (): SoftwareDriver => {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new Error(`the packaged software GPU runs on Linux x64 only, this is ${process.platform} ${process.arch}`);
  const { archive, version } = findPackage();
  const failures: string[] = [];
  for (const root of cacheRoots()) {
    let directory = '(no temporary folder)';
    try {
      directory = join(root(), `swiftshader-${version}`);
      if (!isComplete(directory)) unpackTo(directory, readTar(brotliDecompressSync(readFileSync(archive))));
      const loader = join(directory, LOADER);
      holdLibrary(loader);
      return { directory, icd: join(directory, ICD), loader };
    } catch (error) {
      failures.push(`${directory}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  throw new Error(`cannot unpack the software GPU: ${failures.join('; ')}`);
};

const LOADER_VARIABLES = ['VK_ICD_FILENAMES', 'VK_DRIVER_FILES', 'VK_ADD_DRIVER_FILES'];

/** Runs `use` while the Vulkan loader sees the drivers of these manifests and no others; adapters made in it live on afterwards. */
export const withDrivers = async <T>(manifests: readonly string[], use: () => Promise<T>): Promise<T> => {
  const before = LOADER_VARIABLES.map(name => [name, process.env[name]] as const);
  for (const name of LOADER_VARIABLES) delete process.env[name];
  // The older name, which every loader knows; the newer two would take precedence over it.
  process.env.VK_ICD_FILENAMES = manifests.join(':');
  try {
    return await use();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
};
