import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkNetwork } from '../src/cli/check-report.ts';
import { loadProgram } from '../src/cli/load-program.ts';
import { format } from '../src/parser/format.ts';

const root = join(import.meta.dirname, '../examples');
/** All but those that must be refused. */
const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter(f => f.endsWith('.lip') && !f.startsWith('refused'))
  .sort();

describe.each(files)('examples/%s', name => {
  const path = join(root, name);

  it('is proven, with every network trained and certified', () => {
    const { networks, trains, certifies } = loadProgram(path);
    const names = networks.map(n => n.network.name).sort();
    expect(names.length).toBeGreaterThan(0);
    expect(trains.map(t => t.network).sort()).toEqual(names);
    expect(certifies.map(c => c.network).sort()).toEqual(names);
  });

  it('is laid out as `lip fmt` would', () => {
    const source = readFileSync(path, 'utf8');
    expect(format(source)).toEqual({ text: source });
  });
});

type Size = { readonly convs: number; readonly denses: number; readonly width: number };

const SIZES: Readonly<Record<'small' | 'medium' | 'large' | 'xlarge', Size>> = {
  small: { convs: 20, denses: 7, width: 45 },
  medium: { convs: 30, denses: 10, width: 60 },
  large: { convs: 50, denses: 10, width: 90 },
  xlarge: { convs: 70, denses: 15, width: 120 },
};

const load = (file: string, set: Partial<Size> = {}) => {
  const text = Object.fromEntries(Object.entries(set).map(([k, v]) => [k, `${v}`]));
  const [{ proven }] = loadProgram(join(root, 'paper', file), { set: text }).networks;
  return checkNetwork(proven);
};

describe('the sizes of the SLL paper', () => {
  // Published in millions: 41.4, 78.8, 118.3 and 236.5 (236.45 here).
  it.each([
    ['small', 41_385_862],
    ['medium', 78_803_870],
    ['large', 118_266_370],
    ['xlarge', 236_446_550],
  ] as const)('%s for CIFAR-10 has %d parameters', (size, params) => {
    const { total, bound } = load(`sll-${size}.lip`);
    expect(total.params).toBe(params);
    expect(params).toBe(count(SIZES[size], 32, 10));
    expect(bound).toBe('1');
  });

  /** q, b and W of each layer, and the head. */
  const count = ({ convs, denses, width }: Size, side: number, classes: number): number => {
    const features = width * (side / 4) ** 2;
    return convs * (9 * 5 * width + 10) + denses * (2048 * features + 2 * 2048) + classes * (features + 1);
  };

  it.each(Object.entries(SIZES))('%s for CIFAR-100 and Tiny ImageNet, by --set', (_, s) => {
    expect(load('sll-cifar100.lip', s).total.params).toBe(count(s, 32, 100));
    expect(load('sll-tiny-imagenet.lip', s).total.params).toBe(count(s, 64, 200));
  });

  it('CPL has the same weights without q; AOL-FC has seven square layers but the first', () => {
    const { convs, denses } = SIZES.small;
    expect(load('cpl.lip').total.params).toBe(count(SIZES.small, 32, 10) - 5 * convs - 2048 * denses);
    expect(load('aol-fc.lip').total.params).toBe(4096 * 3072 + 6 * 4096 ** 2 + 7 * 4096 + 10 * 4097);
  });
});

describe('networks with strides and moved pixels', () => {
  const paramsOf = (file: string, name: string): number => {
    const found = loadProgram(join(root, 'paper', file)).networks.find(n => n.network.name === name)!;
    return checkNetwork(found.proven).total.params;
  };

  it("AOL's networks have the layers of the authors' code, but for the last one", () => {
    const widths = [32, 64, 128, 256, 512];
    const blocks = widths.map(w => 4 * (9 * w * w + w) + (4 * w * 2 * w + 2 * w));
    const conv = 3 * 32 + 32 + blocks.reduce((a, b) => a + b) + 10 * 1025;
    expect(paramsOf('aol-conv.lip', 'AolConv')).toBe(conv);
    const patches = 48 * 192 + 192 + 12 * (9 * 192 ** 2 + 192) + 192 ** 2 + 192 + 13 * (512 ** 2 + 512) + 10 * 513;
    expect(paramsOf('aol-conv.lip', 'AolPatchwise')).toBe(patches);
  });

  it('LiResNet L12W256: stem, twelve blocks with a learnt weight each, neck, nine dense layers, head', () => {
    const stem = 75 * 256 + 256;
    const block = 9 * 256 ** 2 + 256 + 1;
    const neck = 256 ** 2 * 16 + 2048 * 4096 + 2048;
    expect(paramsOf('liresnet.lip', 'LiResNet')).toBe(stem + 12 * block + neck + 8 * (2048 ** 2 + 2048) + 10 * 2049);
  });
});
