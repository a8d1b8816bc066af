/** Linear maps of every geometry, and as one kernel on the infinite lattice or one matrix at the image's size. */
import { isDominated, type Kernel } from './gram.ts';
import { need } from './numbers.ts';
import { listOf, lookUp, oneOf, type Parsed, read, type Schema, text, whole } from './read.ts';

export type Shape = readonly number[];
export const size = (shape: Shape): number => shape.reduce((a, b) => a * b, 1);

const pair = listOf(whole(1), 2);
const MODE = oneOf('zeros', 'circular');
/** How operators are emitted: a matrix for every pixel, matrices in the spectrum of images of a size, or a series in a skew convolution. */
const FORMS = {
  pixelwise: { kind: text },
  spectrum: { kind: text, image: pair },
  series: { kind: text, degree: whole(1), kernel: pair, mode: MODE },
};
export type Form = {
  readonly [K in keyof typeof FORMS]: Parsed<(typeof FORMS)[K]> & { readonly kind: K };
}[keyof typeof FORMS];
const readForm = (value: unknown, where: string): Form => {
  const kind = (value as { kind?: unknown } | null | undefined)?.kind;
  return read(value, where, lookUp<Schema>(FORMS, kind, `form of ${where} called`)) as Form;
};

/** A map from an image to an image; a dense one is a convolution with a 1×1 kernel on a 1×1 image. */
export interface LinearMap {
  /** An operator reads and makes images of one size; it has no kernel of its own. */
  readonly kind: 'dense' | 'conv' | 'operator';
  readonly form?: Form;
  readonly out: number;
  readonly in: number;
  readonly kernel: Shape;
  readonly stride: Shape;
  readonly padding: Shape;
  readonly dilation: Shape;
  readonly groups: number;
  readonly mode: 'zeros' | 'circular';
  /** Height and width of the input, and of the output. */
  readonly image: Shape;
  readonly made: Shape;
  /** What the map makes, and its weight as emitted. */
  readonly output: Shape;
  readonly shape: Shape;
}

const CHANNELS = { kind: oneOf('dense', 'conv', 'operator'), out: whole(1), in: whole(1) };
const GEOMETRY = {
  kernel: pair,
  stride: pair,
  padding: listOf(whole(0), 2),
  dilation: pair,
  groups: whole(1),
  mode: MODE,
};
const POINT = { kernel: [1, 1], stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1, mode: 'zeros' } as const;

/** Reads the map that takes `input` ([features] or [channels, height, width]). */
export const readMap = (value: unknown, where: string, input: Shape): LinearMap => {
  const kind = (value as { kind?: unknown } | null)?.kind;
  const more = kind === 'conv' ? GEOMETRY : kind === 'operator' ? { form: readForm } : {};
  const m = { ...POINT, ...read(value, where, { ...CHANNELS, ...more }) };
  need(m.in === input[0], `${where} reads ${m.in} channels, but there are ${input[0]}`);
  need((m.kind === 'dense') === (input.length === 1), `${where}: a ${m.kind} map does not read [${input}]`);
  need(m.in % m.groups === 0 && m.out % m.groups === 0, `${where}: ${m.groups} groups do not divide the channels`);
  const image = input.length === 1 ? [1, 1] : input.slice(1);
  const made = image.map(
    (n, a) => Math.floor((n + 2 * m.padding[a] - m.dilation[a] * (m.kernel[a] - 1) - 1) / m.stride[a]) + 1,
  );
  for (const [a, n] of image.entries()) {
    need(made[a] >= 1, `${where}: the kernel is larger than the padded image`);
    // Then a circular convolution is rows of one that is periodic on the lattice, each at most once.
    const closed = m.mode === 'zeros' || (n % m.stride[a] === 0 && made[a] * m.stride[a] <= n);
    need(closed, `${where}: ${made} positions on a circle of ${image}`);
  }
  const output = input.length === 1 ? [m.out] : [m.out, ...made];
  return { ...m, image, made, output, shape: [m.out, m.in / m.groups, ...(kind === 'conv' ? m.kernel : [])] };
};

/** The least divisor of grid that is at least k − 1, 0 for one tap: what counts as the degree of the symbol. Refused where it is all of grid. */
export const degree = (k: number, grid: number): number => {
  let d = k - 1;
  while (d > 0 && d < grid && grid % d !== 0) d++;
  need(d === 0 || d < grid, `a grid of ${grid} points has no divisor, but itself, that is ${k - 1} or more`);
  return d;
};

/**
 * Whether the lattice kernel on a torus of `side` × `side` places has the convolution at its image size as a part, so that its frequencies are all
 * that matter. In strides, outputs are the places 0 … made − 1, which read 0 … last; of these the image covers first … end. None
 * is read for another where side > last − first, end. On a circle: where its frequencies are among those of the torus.
 */
export const fitsTorus = (m: LinearMap, side: number): boolean =>
  m.image.every((n, a) => {
    const [stride, dilation, padding, e] = [m.stride[a], m.dilation[a], m.padding[a], phases(m)[a]];
    if (m.mode === 'circular') return (side * stride) % n === 0;
    const last = m.made[a] - 1 + ((dilation * e) / stride) * (reach(m)[a] - 1);
    const first = Math.max(0, Math.floor((padding - dilation * (e - 1)) / stride));
    return side >= m.made[a] && side > last - first && side > Math.floor((n - 1 + padding) / stride);
  });

/** (out, in, kh, kw): the kernel of an infinite convolution with stride 1, or a matrix. */
export interface Lattice {
  readonly out: number;
  readonly in: number;
  readonly kh: number;
  readonly kw: number;
  readonly data: ArrayLike<number>;
}

/** Every entry of the kernel with its place, groups written out. */
const taps = (
  m: LinearMap,
  data: ArrayLike<number>,
  use: (v: number, o: number, i: number, y: number, x: number) => void,
): void => {
  const [each, area] = [m.in / m.groups, size(m.kernel)];
  for (let at = 0; at < data.length; at++) {
    const [o, tap] = [Math.floor(at / (each * area)), at % area];
    const i = Math.floor(o / (m.out / m.groups)) * each + (Math.floor(at / area) % each);
    use(data[at], o, i, Math.floor(tap / m.kernel[1]), tap % m.kernel[1]);
  }
};

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));
/** Phases per axis: e = stride / gcd(stride, dilation). */
const phases = (m: LinearMap): Shape => m.stride.map((s, a) => s / gcd(s, m.dilation[a]));
/** Height and width of the kernel on the lattice: ⌈k/e⌉. */
export const reach = (m: LinearMap): Shape => phases(m).map((e, a) => Math.ceil(m.kernel[a] / e));

/**
 * The map as a convolution with stride 1 on the infinite lattice. Groups are zeros. Tap e·τ + r, r < e, reads pixels that no other r reads, so
 * that the phases are channels; what dilation is left makes separate copies of the lattice. Zero padding is extension and cropping, a circle
 * only aliases: neither adds to the norm.
 */
export const lattice = (m: LinearMap, data: ArrayLike<number>): Lattice => {
  const [[eh, ew], [kh, kw]] = [phases(m), reach(m)];
  const columns = m.in * eh * ew;
  const all = new Float64Array(m.out * columns * kh * kw);
  taps(m, data, (v, o, i, y, x) => {
    const channel = (i * eh + (y % eh)) * ew + (x % ew);
    all[((o * columns + channel) * kh + Math.floor(y / eh)) * kw + Math.floor(x / ew)] = v;
  });
  return { out: m.out, in: columns, kh, kw, data: all };
};

/** The convolution at the layer's image size as one matrix. Limited to what fits in memory. */
export const operator = (m: LinearMap, data: ArrayLike<number>): Lattice => {
  const [[h, w], [oh, ow]] = [m.image, m.made];
  const [rows, columns] = [m.out * oh * ow, m.in * h * w];
  need(rows * columns <= 2 ** 26, `the matrix of this convolution has ${rows} × ${columns} entries, too many`);
  const all = new Float64Array(rows * columns);
  taps(m, data, (v, o, i, ky, kx) => {
    for (let p = 0; p < oh * ow; p++) {
      let y = Math.floor(p / ow) * m.stride[0] - m.padding[0] + ky * m.dilation[0];
      let x = (p % ow) * m.stride[1] - m.padding[1] + kx * m.dilation[1];
      if (m.mode === 'circular') [y, x] = [((y % h) + h) % h, ((x % w) + w) % w];
      if (y < 0 || y >= h || x < 0 || x >= w) continue;
      const at = (o * oh * ow + p) * columns + (i * h + y) * w + x;
      // A kernel that meets itself on a circle: of the smaller term a rounded sum would have lost something.
      const sum = all[at] + v;
      need(sum - all[at] === v && sum - v === all[at], 'the entries of a kernel that meets itself add up to no f64');
      all[at] = sum;
    }
  });
  return { out: rows, in: columns, kh: 1, kw: 1, data: all };
};

/** The kernel from `side`: channels of that side first. */
export const fromSide = (l: Lattice, side: string): Kernel => {
  const [area, rows] = [l.kh * l.kw, side === 'rows'];
  const [n, m] = rows ? [l.out, l.in] : [l.in, l.out];
  const data = Float64Array.from(l.data);
  for (let o = 0; o < l.out && !rows; o++)
    for (let i = 0; i < l.in; i++)
      for (let s = 0; s < area; s++) data[(i * m + o) * area + s] = l.data[(o * n + i) * area + s];
  return { n, m, kh: l.kh, kw: l.kw, data };
};

/** Whether ‖M‖² ≤ T can be shown for a matrix, by its smaller side. */
export const normBelow = (l: Lattice, T: number, exact: boolean): boolean => {
  const k = fromSide(l, l.out <= l.in ? 'rows' : 'columns');
  return isDominated(k, new Array<number>(k.n).fill(T), exact);
};
