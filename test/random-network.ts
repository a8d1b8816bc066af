/** Random programs and weights for soundness tests: everything the language has, at sizes small enough for many oracle runs. */
import type { Network, Param } from '../src/ir/network.ts';
import { networkParams } from '../src/ir/network.ts';
import { stream } from '../src/train/random.ts';

/** A named stream with what generators of programs need. */
export interface Random {
  /** Uniform in [0, 1). */
  readonly uniform: () => number;
  readonly normal: () => number;
  /** An integer from `low` to `high`, both included. */
  readonly integer: (low: number, high: number) => number;
  readonly pick: <T>(from: readonly T[]) => T;
}

export const randomFrom = (seed: number): Random => {
  const { uniform, normal, below } = stream(seed, 'random network');
  return {
    uniform,
    normal,
    integer: (low, high) => low + below(high - low + 1),
    pick: from => from[below(from.length)],
  };
};

const ACTIVATIONS_INSIDE = ['relu', 'tanh', 'sigmoid', 'leaky_relu(1/10)', 'leaky_relu(1)', 'leaky_relu(0)'];

/** A family of `orthogonal`, of a matrix or of a convolution's kernel. */
const orthogonal = (r: Random, kernel: number | undefined): string => {
  const scale = () =>
    r.pick([
      '',
      ', scale = frobenius',
      ', scale = frobenius, scale_eps = 1/100',
      `, scale = clip, norm_steps = ${r.integer(1, 8)}`,
      `, scale = gram, norm_steps = ${r.integer(1, 8)}`,
    ]);
  const form = () => r.pick(['', ', parameter = lower']);
  const families = [
    () => 'cayley',
    () => 'cayley, alpha = false',
    () => 'cayley, parameter = lower',
    () => `householder${form()}`,
    () => 'bro, rank = 1',
    () => `bro, eps = 1/${10 ** r.integer(1, 6)}`,
    () => `bjorck, steps = ${r.integer(1, 6)}${scale()}`,
    () => `exponential${form()}, degree = ${r.pick([3, 4, 7, 8, 11, 12])}, squarings = ${r.integer(0, 3)}${scale()}`,
    () => `cholesky, eps = ${r.pick(['0', '1/10', '1e-5'])}`,
    () => 'qr',
  ];
  const kernels = [
    () => `bcop, steps = ${r.integer(1, 6)}${scale()}`,
    () => `aoc, steps = ${r.integer(1, 6)}${scale()}`,
  ];
  return `orthogonal(${r.pick(kernel === undefined ? families : [...families, ...kernels, ...kernels])()})`;
};

/** A way to get T for a dense layer or a k×k convolution; part of `own(…)` when `inside`. */
const method = (r: Random, kernel: number | undefined, inside = false): string => {
  const spectral = (): string => {
    const steps = r.integer(1, 10);
    if (kernel === undefined) return `spectral(steps = ${steps})`;
    const kind = r.pick(['gram', 'operator', 'reshaped']);
    return kind === 'gram'
      ? `spectral(steps = ${steps}, grid = ${(kernel - 1 || 1) * r.integer(2, 6)})`
      : `spectral(method = ${kind}, steps = ${steps})`;
  };
  const simple = [() => 'sll', () => 'aol', () => 'aol(eps = 1/10)', spectral];
  if (inside) return r.pick(simple)();
  return r.pick([
    ...simple,
    () => orthogonal(r, kernel),
    () => orthogonal(r, kernel),
    () => `own(max(${method(r, kernel, true)}, ${method(r, kernel, true)}))`,
    () => `own(mix(${method(r, kernel, true)}, ${method(r, kernel, true)}, ${r.pick(['1/3', '0', '1', '1/2'])}))`,
    () => `own(3/2 * ${method(r, kernel, true)})`,
  ])();
};

/** A layer that is applied as an operator, of `out` channels or features. */
const operator = (r: Random, out: number, image: readonly [number, number] | undefined, bias: string): string => {
  const act = `, act = ${r.pick(ACTIVATIONS_INSIDE)}`;
  if (!image)
    return r.pick([
      `sandwich ${out}${act}${bias}`,
      `dense ${out}${bias} by sandwich`,
      `dense ${out}${bias} by sandwich(second)`,
    ]);
  const fits = (k: number): boolean => k <= image[0] && k <= image[1];
  const odd = r.pick([1, 3].filter(fits));
  const any = r.pick([1, 2, 3].filter(fits));
  const padding = r.pick(['', ', padding = circular']);
  return r.pick([
    `conv ${out}, kernel = ${any}${bias} by fourier(cayley)`,
    `conv ${out}, kernel = ${odd}${bias} by fourier(bro, rank = 1, eps = 1/10)`,
    `conv ${out}, kernel = ${odd}${bias} by fourier(lot, steps = ${r.integer(1, 10)}, eps = 1/10)`,
    `conv ${out}, kernel = ${odd}${padding}${bias} by skew_exponential(degree = ${r.pick([4, 8, 12])}, steps = ${r.integer(1, 10)})`,
    `conv ${out}, kernel = ${odd}${padding}${bias} by skew_exponential(degree = ${r.pick([3, 7, 11])}, norm = 17/10)`,
    `sandwich ${out}, kernel = ${any}${act}${bias}`,
  ]);
};

/** One orthogonal kernel is not made for several groups; AOC needs a kernel no smaller than its stride. */
const convMethod = (r: Random, c: Omit<RandomConv, 'options' | 'size'>, any: boolean): string => {
  if (any && r.uniform() < 0.1) return `aol(steps = ${r.integer(2, 4)})`;
  const by = method(r, c.kernel);
  if (c.groups > 1 && /bcop|aoc/.test(by)) return 'sll';
  const aoc = c.stride === 1 || (c.kernel >= c.stride && c.dilation === 1);
  return aoc ? by : by.replace('aoc', 'bcop');
};

interface RandomConv {
  /** `, kernel = 3, stride = 2, …`. */
  readonly options: string;
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly groups: number;
  /** Height and width of the output. */
  readonly size: readonly number[];
}

/** Options of a convolution of `channels` (and as many outputs as `groups` divides) on an image, and what it makes of the image. */
const geometry = (
  r: Random,
  [channels, ...image]: readonly number[],
  { any, transposed = false }: { readonly any: boolean; readonly transposed?: boolean },
): RandomConv => {
  const kernel = r.pick([1, 2, 3, 3, 4]);
  const stride = any ? r.pick([1, 1, 1, 2, 3]) : 1;
  const dilation = any ? r.pick([1, 1, 1, 2]) : 1;
  const groups = any ? r.pick([1, 1, 1, 2, 3].filter(g => channels % g === 0)) : 1;
  const options = `, kernel = ${kernel}, stride = ${stride}, dilation = ${dilation}, groups = ${groups}`;
  const span = dilation * (kernel - 1) + 1;
  const made = (padding: number): number[] =>
    image.map(n =>
      transposed ? (n - 1) * stride - 2 * padding + span : Math.floor((n + 2 * padding - span) / stride) + 1,
    );
  const circular = Math.floor((span - 1) / 2);
  if (
    any &&
    !transposed &&
    r.uniform() < 0.3 &&
    image.every(n => n % stride === 0) &&
    made(circular).every(n => n >= 1)
  )
    return { options: `${options}, padding = circular`, kernel, stride, dilation, groups, size: made(circular) };
  for (let attempt = 0; attempt < 20; attempt++) {
    const padding = r.integer(0, span);
    const size = made(padding);
    if (size.every(n => n >= 1 && n <= 8))
      return { options: `${options}, padding = ${padding}`, kernel, stride, dilation, groups, size };
  }
  return { options: ', kernel = 1', kernel: 1, stride: 1, dilation: 1, groups: 1, size: image };
};

/** A layer without a weight matrix: pooling, truncation, copies, gains, centring, activations with parameters or of halves; and its output. */
const structure = (
  r: Random,
  shape: readonly number[],
): { readonly line: string; readonly shape: readonly number[] } => {
  const [channels, ...rest] = shape;
  const vector = rest.length === 0;
  const axis = vector ? 'features' : 'channels';
  const plane = vector ? [1, channels] : rest;
  const kept = r.integer(1, channels);
  const resized = (n: number): readonly number[] => [n, ...rest];
  const pool = (): { readonly line: string; readonly shape: readonly number[] } => {
    const kind = r.pick(['avgpool', 'maxpool', 'l2pool']);
    if (r.uniform() < 0.2) return { line: `${kind} all`, shape: vector ? [1] : [channels, 1, 1] };
    const size = plane.map(n => r.integer(1, Math.min(n, 3)));
    const stride = plane.map(() => r.integer(1, 3));
    const divisor = kind === 'avgpool' && r.uniform() < 0.5 ? `, divisor = ${r.pick(['3', '1/2', '9'])}` : '';
    const made = plane.map((n, i) => Math.floor((n - size[i]) / stride[i]) + 1);
    return vector
      ? { line: `${kind} ${size[1]}, stride = ${stride[1]}${divisor}`, shape: [made[1]] }
      : { line: `${kind} [${size}], stride = [${stride}]${divisor}`, shape: [channels, ...made] };
  };
  const same = (line: string) => () => ({ line, shape });
  const choices = [
    pool,
    pool,
    pool,
    () => ({ line: `truncate ${axis} to ${kept}`, shape: resized(kept) }),
    () => ({ line: `tile ${axis} to ${2 * channels}`, shape: resized(2 * channels) }),
    () => ({ line: 'crelu', shape: resized(2 * channels) }),
    same('gain'),
    same('prelu'),
    same('batchcenter'),
    same('layercenter'),
  ];
  const halves = ['halfabs', 'rabs', 'householder', 'householder order = 2'].map(same);
  return r.pick([
    ...(channels <= 6 ? choices : choices.filter((_, i) => i !== 4 && i !== 5)),
    ...(channels % 2 === 0 ? halves : []),
  ])();
};

interface Kinds {
  readonly operators?: boolean;
  readonly geometries?: boolean;
  readonly structures?: boolean;
  readonly branches?: boolean;
}

/** Statements behind a value, and the shape of what they make. */
interface Piece {
  readonly lines: readonly string[];
  readonly shape: readonly number[];
}

const chain = (
  r: Random,
  start: readonly number[],
  layers: number,
  { operators = false, geometries = false, structures = false }: Kinds,
): Piece => {
  let shape = [...start];
  const lines: string[] = [];
  for (let i = 0; i < layers; i++) {
    const conv = shape.length === 3;
    const [channels] = shape;
    if (structures && r.uniform() < 0.5) {
      const { line, shape: made } = structure(r, shape);
      lines.push(line);
      shape = [...made];
      continue;
    }
    const bias = r.uniform() < 0.3 ? ', bias = false' : '';
    const act = `, act = ${r.pick(ACTIVATIONS_INSIDE)}`;
    switch (r.integer(0, operators ? 8 : 7)) {
      case 0:
      case 1:
      case 2: {
        if (!conv) {
          lines.push(`residual dense hidden = ${r.integer(1, 8)}${act}${bias} by ${method(r, undefined)}`);
          break;
        }
        const { options, ...made } = geometry(r, shape, { any: geometries });
        const hidden = made.groups * r.integer(1, 3);
        lines.push(`residual conv hidden = ${hidden}${options}${act}${bias} by ${convMethod(r, made, geometries)}`);
        break;
      }
      case 3:
      case 4: {
        const out = r.integer(1, conv ? 4 : 8);
        const side = r.uniform() < 0.4 ? ', side = out' : '';
        if (!conv) {
          lines.push(`dense ${out}${bias}${side} by ${method(r, undefined)}`);
          shape = [out];
          break;
        }
        const transposed = geometries && r.uniform() < 0.3;
        const { options, size, ...kind } = geometry(r, shape, { any: geometries, transposed });
        const made = kind.groups * Math.ceil(out / kind.groups);
        const form = transposed ? 'transposed conv' : 'conv';
        lines.push(`${form} ${made}${options}${bias}${side} by ${convMethod(r, kind, geometries)}`);
        shape = [made, ...size];
        break;
      }
      case 5: {
        const group = r.integer(1, channels);
        lines.push(
          r.pick([
            'relu',
            'abs',
            'tanh',
            'sigmoid',
            'maxmin',
            'leaky_relu 3/2',
            'leaky_relu 1/5',
            channels % 2 === 0 ? 'maxmin pairs = halves' : 'maxmin',
            `groupsort ${channels % group === 0 ? group : channels}`,
          ]),
        );
        break;
      }
      case 6:
        lines.push(
          r.pick([
            'center 1/3',
            'scale 2',
            'scale 1/2',
            `scale [${Array.from({ length: channels }, (_, j) => j + 1).join(', ')}]`,
          ]),
        );
        break;
      case 8: {
        const out = r.integer(1, conv ? 4 : 8);
        lines.push(operator(r, out, conv ? [shape[1], shape[2]] : undefined, bias));
        shape = [out, ...shape.slice(1)];
        break;
      }
      case 7: {
        if (!conv) {
          lines.push(`pad features to ${channels + 1}`);
          shape = [channels + 1];
          break;
        }
        if (geometries && channels % 4 === 0 && r.uniform() < 0.5) {
          lines.push('depth_to_space 2');
          shape = [channels / 4, shape[1] * 2, shape[2] * 2];
          break;
        }
        const divides = [2, 3].filter(d => shape[1] % d === 0 && shape[2] % d === 0);
        if (geometries && divides.length > 0 && channels < 3 && r.uniform() < 0.5) {
          lines.push(`space_to_depth ${divides[0]}`);
          shape = [channels * divides[0] ** 2, shape[1] / divides[0], shape[2] / divides[0]];
          break;
        }
        if (divides.length > 0) {
          const d = r.pick(divides);
          lines.push(`avgpool ${d}`);
          shape = [channels, shape[1] / d, shape[2] / d];
        } else {
          lines.push('flatten');
          shape = [channels * shape[1] * shape[2]];
        }
        break;
      }
    }
  }
  return { lines, shape };
};

/** What is made of values `a` and `b` of the shapes given. */
const joined = (r: Random, a: string, b: string, shapes: readonly [readonly number[], readonly number[]]): Piece => {
  const [x, y] = shapes;
  if (`${x}` === `${y}` && r.uniform() < 0.8) {
    const line = r.pick([
      `mix(${a}, ${b})`,
      `mix(${a}, ${b}, 1/3)`,
      `${a} + ${b}`,
      `1/2 * ${a} - 3/2 * ${b}`,
      `max(${a}, ${b}, -${a})`,
      `min(${a}, 2 * ${b})`,
    ]);
    return { lines: [line], shape: x };
  }
  if (`${x.slice(1)}` === `${y.slice(1)}`)
    return { lines: [`concat(${a}, ${b})`], shape: [x[0] + y[0], ...x.slice(1)] };
  const size = (s: readonly number[]): number => s.reduce((p, d) => p * d, 1);
  const flat = (name: string, s: readonly number[]): string =>
    `let f${name} = ${name}${s.length === 3 ? ' |> flatten' : ''}`;
  return { lines: [flat(a, x), flat(b, y), `concat(f${a}, f${b})`], shape: [size(x) + size(y)] };
};

/** Two branches from the value so far, and what is made of them; `at` tells their names from those of others. */
const fork = (r: Random, shape: readonly number[], at: number, kinds: Kinds): Piece => {
  const lines: string[] = [];
  const branch = (
    name: string,
    from: string,
    start: readonly number[],
    like?: readonly number[],
  ): readonly number[] => {
    let piece = chain(r, start, r.integer(0, 2), kinds);
    // Most ways to meet need one shape.
    for (let n = 0; n < 10 && like && `${piece.shape}` !== `${like}`; n++)
      piece = chain(r, start, r.integer(0, 2), kinds);
    const budget = r.uniform() < 0.2 ? ' budget 1000000' : '';
    lines.push(`let ${name} = ${[from, ...piece.lines].join(' |> ')}${budget}`);
    return piece.shape;
  };
  const [a, b] = [`a${at}`, `b${at}`];
  const [channels, ...image] = shape;
  const first = r.integer(1, channels);
  const split = first < channels && r.uniform() < 0.5;
  if (split) lines.push(`let p${at}, q${at} = split(it, [${first}, ${channels - first}])`);
  const x = split ? branch(a, `p${at}`, [first, ...image]) : branch(a, 'it', shape);
  const y = split ? branch(b, `q${at}`, [channels - first, ...image], x) : branch(b, 'it', shape, x);
  const join = joined(r, a, b, [x, y]);
  return { lines: [...lines, ...join.lines], shape: join.shape };
};

/** Source of one network of 1 to 4 layers, or places where branches meet, behind `input`; its budget admits any product of its factors. */
export const randomSource = (r: Random, kinds: Kinds = {}): string => {
  const image = r.uniform() < 0.5;
  let shape: readonly number[] = image ? [r.integer(1, 3), r.integer(3, 5), r.integer(3, 5)] : [r.integer(1, 8)];
  const lines = [image ? `input image[${shape.join(', ')}]` : `input x[${shape[0]}]`, 'budget 1000000'];
  const layers = r.integer(1, 4);
  for (let i = 0; i < layers; i++) {
    const piece = kinds.branches && r.uniform() < 0.6 ? fork(r, shape, i, kinds) : chain(r, shape, 1, kinds);
    lines.push(...piece.lines);
    shape = piece.shape;
  }
  if (shape.length === 3) lines.push('flatten');
  if (r.uniform() < 0.5) lines.push(`head ${r.integer(2, 4)}`);
  return `network Net {\n  ${lines.join('\n  ')}\n}\n`;
};

/** Weights that are hard on a bound: any scale, equal and zero rows, low rank, signs only, single spikes. */
const weights = (r: Random, shape: readonly number[]): Float64Array => {
  const n = shape.reduce((a, b) => a * b, 1);
  const rows = shape[0] ?? 1;
  const columns = n / rows;
  const scale = 10 ** (6 * r.uniform() - 3);
  const column = Array.from({ length: columns }, () => r.normal());
  const entry: (i: number, j: number) => number = r.pick([
    () => r.normal(),
    () => r.normal(),
    () => (r.uniform() < 0.5 ? -1 : 1),
    (_: number, j: number) => column[j],
    (i: number, j: number) => (i + 1) * column[j],
    (i: number) => (i === 0 ? 0 : r.normal()),
    () => (r.uniform() < 0.2 ? r.normal() : 0),
    () => 1,
  ]);
  return Float64Array.from({ length: n }, (_, k) => scale * entry(Math.floor(k / columns), k % columns));
};

const values = (r: Random, p: Param): Float64Array => {
  const normal = (scale: number) =>
    Float64Array.from({ length: p.shape.reduce((a, b) => a * b, 1) }, () => scale * r.normal());
  if (p.path.endsWith('.q')) return normal(r.pick([0, 1, 6]));
  if (p.path.endsWith('.psi')) return normal(r.pick([0, 1, 4]));
  if (p.path.endsWith('.slope')) return normal(2);
  if (/\.(theta[012]?|angle)$/.test(p.path)) return normal(r.pick([0.1, 2, 5]));
  if (p.path.endsWith('.b') || p.path.endsWith('.mean')) return normal(r.pick([0, 1, 10]));
  if (p.path.endsWith('.alpha')) return normal(r.pick([0.1, 1, 10]));
  return weights(r, p.shape);
};

export const randomParams = (r: Random, net: Network): ReadonlyMap<string, Float64Array> =>
  new Map(networkParams(net).map(p => [p.path, values(r, p)]));
