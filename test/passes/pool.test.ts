/** Poolings, truncation, copies, gains and centring: what they compute, their gradients at ties and at zero, their bounds, and what is refused. */
import { describe, expect, it } from 'vitest';
import { provenFrom } from '../../src/fixtures/compile-source.ts';
import { gradientGraph } from '../../src/fixtures/run-case.ts';
import { interpret } from '../../src/ir/interpret.ts';
import { networkParams } from '../../src/ir/network.ts';
import { format } from '../../src/ir/rational.ts';
import { parse } from '../../src/parser/parse.ts';
import { resolve } from '../../src/passes/resolve/resolve.ts';
import { noise } from '../gradient.ts';

const source = (input: string, ...statements: readonly string[]): string =>
  `network N {\n  input ${input}\n  budget 100\n  ${statements.join('\n  ')}\n}\n`;

/** y and ∂(Σ y·gy)/∂x for one example. */
const run = (
  [input, ...statements]: readonly [string, ...string[]],
  x: readonly number[],
  gy?: readonly number[],
  params: ReadonlyMap<string, readonly number[]> = new Map(),
) => {
  const proven = provenFrom(source(input, ...statements));
  const graph = gradientGraph(proven, 1);
  const size = graph.nodes[graph.outputs.get('y')!].shape.reduce((p, d) => p * d, 1);
  const seed = gy ?? Array<number>(size).fill(1);
  const { outputs } = interpret(graph, {
    inputs: new Map([
      ['x', x],
      ['gy', seed],
    ]),
    params,
  });
  return { y: [...outputs.get('y')!], gx: [...outputs.get('grad.x')!], shape: proven.network.layers.at(-1)!.shape };
};

const boundOf = (input: string, ...statements: readonly string[]): string =>
  format(provenFrom(source(input, ...statements)).squared);

const refusal = (input: string, ...statements: readonly string[]) => {
  const { file } = parse(source(input, ...statements));
  return resolve(file, {}).diagnostics[0];
};

describe('poolings', () => {
  it('take the largest entry of each window, and give a tie to the first in row-major order', () => {
    const { y, gx, shape } = run(
      ['image[1, 3, 3]', 'maxpool 2, stride = 1'],
      [1, 5, 2, 5, 5, 0, 7, 7, 7],
      [1, 10, 100, 1000],
    );
    expect(shape).toEqual([1, 2, 2]);
    expect(y).toEqual([5, 5, 7, 7]);
    expect(gx).toEqual([0, 11, 0, 0, 0, 0, 100, 1000, 0]);
  });

  it('do the same in large windows, which are reduced', () => {
    const x = Array.from({ length: 36 }, (_, i) => (i * 7) % 11);
    const { y, gx } = run(['image[1, 6, 6]', 'maxpool [3, 6]'], x, [1, 10]);
    const best = [0, 18].map(from => Math.max(...x.slice(from, from + 18)));
    expect(y).toEqual(best);
    const first = [x.indexOf(best[0]), x.indexOf(best[1], 18)];
    expect(x.slice(0, 18).filter(v => v === best[0]).length).toBeGreaterThan(1);
    expect(gx).toEqual(x.map((_, i) => (i === first[0] ? 1 : i === first[1] ? 10 : 0)));
  });

  it('have gradient 0 where a whole window is 0, and x/‖x‖ elsewhere', () => {
    const { y, gx } = run(['x[4]', 'l2pool 2'], [0, 0, 3, 4]);
    expect(y).toEqual([0, 5]);
    expect(gx).toEqual([0, 0, expect.closeTo(3 / 5, 12), expect.closeTo(4 / 5, 12)]);
  });

  it('add up windows that overlap, divided by their norm or by what is asked for', () => {
    // Two windows of three share an entry: √(3·2).
    const { y } = run(['x[5]', 'avgpool 3, stride = 2'], [1, 2, 3, 4, 5]);
    expect(y[0]).toBeCloseTo(6 / Math.sqrt(6), 12);
    expect(y[1]).toBeCloseTo(12 / Math.sqrt(6), 12);
    expect(run(['x[5]', 'avgpool 3, stride = 2, divisor = 3'], [1, 2, 3, 4, 5]).y).toEqual(
      [2, 4].map(v => expect.closeTo(v, 12)),
    );
  });

  it('drop what fills no window where a stride is given, and are one window over everything with `all`', () => {
    expect(run(['image[1, 4, 5]', 'maxpool 2, stride = 2'], noiseList(20)).shape).toEqual([1, 2, 2]);
    const { y, shape } = run(['image[1, 2, 3]', 'avgpool all'], [1, 2, 3, 4, 5, 6]);
    expect(shape).toEqual([1, 1, 1]);
    expect(y[0]).toBeCloseTo(21 / Math.sqrt(6), 12);
  });

  it('have the bounds of their windows', () => {
    expect(boundOf('image[1, 8, 8]', 'maxpool 2')).toBe('1');
    expect(boundOf('image[1, 9, 9]', 'maxpool 3, stride = 2')).toBe('4');
    expect(boundOf('image[1, 9, 9]', 'l2pool [3, 2], stride = [1, 2]')).toBe('3');
    expect(boundOf('image[1, 9, 9]', 'avgpool 3, stride = 2')).toBe('1');
    // PyTorch's mean: ⌈k/s⌉/k.
    expect(boundOf('image[1, 9, 9]', 'avgpool 3, stride = 2, divisor = 9')).toBe('4/9');
    // Overlap needs a second window.
    expect(boundOf('image[1, 3, 3]', 'maxpool 3, stride = 1')).toBe('1');
    expect(boundOf('x[12]', 'maxpool 4')).toBe('1');
  });

  it('are refused where they do not tile or fit', () => {
    expect(refusal('image[1, 5, 5]', 'l2pool 2')).toMatchObject({ code: 'L0123' });
    expect(refusal('x[19]', 'avgpool 10')).toMatchObject({ code: 'L0123', help: expect.stringContaining('1, 19') });
    expect(refusal('image[1, 5, 5]', 'maxpool 6, stride = 1')).toMatchObject({
      code: 'L0123',
      help: expect.stringContaining('maxpool all'),
    });
    expect(refusal('image[1, 5, 5]', 'maxpool 2, ceil_mode = true')).toMatchObject({
      code: 'L0102',
      help: expect.stringContaining('border'),
    });
    expect(boundOf('image[1, 6, 6]', 'avgpool 2, ceil_mode = true')).toBe('1');
    expect(() => boundOf('image[1, 5, 5]', 'avgpool 2, ceil_mode = true')).toThrow('L0123');
    expect(refusal('x[6]', 'maxpool [2, 3]')).toMatchObject({ code: 'L0111' });
    expect(refusal('x[6]', 'avgpool 2, divisor = 0')).toMatchObject({ code: 'L0113' });
  });
});

const noiseList = (n: number): readonly number[] => [...noise(n, 3)];

describe('truncation, copies, gains and centring', () => {
  it('compute what they say', () => {
    expect(run(['x[4]', 'truncate features to 2'], [1, 2, 3, 4]).y).toEqual([1, 2]);
    expect(run(['x[2]', 'tile features to 8'], [1, 2]).y).toEqual([0.5, 1, 0.5, 1, 0.5, 1, 0.5, 1]);
    expect(run(['x[4]', 'layercenter'], [1, 2, 3, 6]).y).toEqual([-2, -1, 0, 3]);
    const gain = run(['x[2]', 'gain'], [2, 2], undefined, new Map([['gain[0].angle', [Math.PI / 2, -Math.PI / 6]]]));
    expect(gain.y).toEqual([2, -1].map(v => expect.closeTo(v, 12)));
    const centred = run(
      ['image[2, 1, 2]', 'batchcenter'],
      [1, 2, 3, 4],
      undefined,
      new Map([['batchcenter[0].mean', [1, 2]]]),
    );
    expect(centred.y).toEqual([0, 1, 1, 2]);
  });

  it('are refused where sizes do not fit', () => {
    expect(refusal('x[4]', 'truncate features to 5')).toMatchObject({ code: 'L0124' });
    expect(refusal('x[4]', 'truncate channels to 2')).toMatchObject({ code: 'L0120' });
    expect(refusal('x[4]', 'tile features to 6')).toMatchObject({ code: 'L0125' });
    expect(refusal('x[4]', 'batchcenter momentum = 0')).toMatchObject({ code: 'L0112' });
    expect(refusal('x[4]', 'batchcenter momentum = 11/10')).toMatchObject({ code: 'L0112' });
  });
});

describe('gradients against central differences', () => {
  it.each([
    ['image[2, 5, 6]', 'maxpool [2, 3], stride = [1, 2]'],
    ['image[2, 5, 8]', 'maxpool [5, 4]'],
    ['image[2, 5, 6]', 'l2pool [2, 3], stride = [1, 2]'],
    ['image[2, 5, 6]', 'avgpool 3, stride = 2, divisor = 2'],
    ['image[4, 2, 3]', 'householder'],
    ['image[4, 2, 3]', 'householder order = 2'],
    ['image[4, 2, 3]', 'prelu'],
    ['image[4, 2, 3]', 'gain'],
    ['image[4, 2, 3]', 'rabs'],
    ['image[4, 2, 3]', 'layercenter'],
    ['x[6]', 'crelu'],
  ])('%s: %s', (input, statement) => {
    const proven = provenFrom(source(input, statement));
    const full = gradientGraph(proven, 2);
    const shapeOf = (name: string) => full.nodes[full.outputs.get(name)!].shape;
    const count = (name: string): number => shapeOf(name).reduce((p, d) => p * d, 1);
    const paths = networkParams(proven.network).map(p => p.path);
    const gy = noise(count('y'), 5);
    const bindings = {
      inputs: new Map([
        ['x', noise(count('grad.x'), 11)],
        ['gy', gy],
      ]),
      params: new Map(paths.map((p, i) => [p, noise(count(`grad.${p}`), 17 + i).map(v => 1.5 + v)])),
    };
    for (const [kind, name] of [['inputs', 'x'], ...paths.map(p => ['params', p])] as ['inputs' | 'params', string][]) {
      const n = bindings[kind].get(name)!.length;
      const reverse = interpret(full, bindings).outputs.get(`grad.${name}`)!;
      const h = 1e-6;
      for (let i = 0; i < n; i++) {
        const at = (delta: number): number => {
          const moved = Float64Array.from(bindings[kind].get(name)!);
          moved[i] += delta;
          const shifted = { ...bindings, [kind]: new Map([...bindings[kind], [name, moved]]) };
          return interpret(full, shifted)
            .outputs.get('y')!
            .reduce((s, v, k) => s + v * gy[k], 0);
        };
        expect((at(h) - at(-h)) / (2 * h), `${name}[${i}]`).toBeCloseTo(reverse[i], 6);
      }
    }
  });
});

describe('activations of pairs', () => {
  it('householder order = 2 has no hole where the published code rounds an angle to 2π', () => {
    // The inputs on record: the published f32 code maps the first to 0, and so is 10⁷-Lipschitz there.
    const params = new Map([
      ['householder[0].theta0', [0]],
      ['householder[0].theta1', [1]],
      ['householder[0].theta2', [2]],
    ]);
    const { y } = run(['x[2]', 'householder order = 2'], [1, -1e-7], undefined, params);
    expect(y).toEqual([1, 1e-7].map(v => expect.closeTo(v, 12)));
  });

  it('are continuous at every border of their sectors', () => {
    const theta = [0.7, 2.1, 4.4];
    const params = new Map(theta.map((t, i) => [`householder[0].theta${i}`, [t]]));
    const [t0, t1, t2] = theta;
    for (const border of [0, t1 / 2, (t1 + t2) / 2, Math.PI + t2 / 2]) {
      const at = (delta: number): readonly number[] => {
        const angle = t0 / 2 + border + delta;
        return run(['x[2]', 'householder order = 2'], [Math.cos(angle), Math.sin(angle)], undefined, params).y;
      };
      const [before, after] = [at(-1e-7), at(1e-7)];
      expect(Math.hypot(before[0] - after[0], before[1] - after[1])).toBeLessThan(2.1e-7);
      expect(Math.hypot(...before)).toBeCloseTo(1, 12);
    }
  });

  it('need an even number of channels, and stand between layers only', () => {
    for (const statement of ['householder', 'halfabs', 'rabs'])
      expect(refusal('x[5]', statement)).toMatchObject({ code: 'L0125' });
    expect(refusal('x[4]', 'residual dense hidden = 4, act = householder by aol')).toMatchObject({ code: 'L0202' });
    expect(refusal('x[4]', 'householder order = 3')).toMatchObject({ code: 'L0115' });
  });
});
