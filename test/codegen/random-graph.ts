/** Random small graphs over all primitives, from a seed. */
import {
  type ConvAttrs,
  convAttrs,
  type Dims,
  GraphBuilder,
  size,
  type TensorGraph,
  type TensorId,
} from '../../src/ir/tensor.ts';

const generator = (seed: number) => {
  let state = (seed * 2654435761) >>> 0;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const below = (n: number) => Math.floor(next() * n);
  const pick = <T>(items: readonly T[]): T => items[below(items.length)];
  return { below, pick };
};

/**
 * About `steps` nodes. Values stay of order one (products and sums pass through tanh), and jumps (step, sign, comparisons) are only
 * taken of inputs, which device and oracle know exactly.
 */
export const randomGraph = (seed: number, steps: number): TensorGraph => {
  const { below, pick } = generator(seed);
  const b = new GraphBuilder();
  const shapes: readonly Dims[] = [[6], [4, 6], [6, 4], [2, 4, 6], [2, 3, 4, 5], [2, 3, 4, 5], [1, 2, 6, 6], []];
  const values: TensorId[] = [];
  const exact: TensorId[] = [];
  for (let i = 0; i < 4; i++) {
    const id = i % 2 === 0 ? b.input(`x${i}`, pick(shapes)) : b.param(`p${i}`, pick(shapes));
    values.push(id);
    exact.push(id);
  }
  const ofShape = (shape: Dims): TensorId => {
    const same = values.filter(v => `${b.shape(v)}` === `${shape}`);
    if (same.length > 0 && below(4) > 0) return pick(same);
    return below(3) === 0
      ? b.constant(below(7) / 4 - 0.75, shape)
      : b.input(`y${values.length}:${shape.join('x')}`, shape);
  };
  const tame = (id: TensorId) => b.unary('tanh', b.scale(id, 0.25));
  const randomAttrs = (): ConvAttrs =>
    convAttrs({
      stride: [1 + below(2), 1],
      padding: [below(3), below(2)],
      dilation: [1, 1 + below(2)],
      mode: below(3) === 0 ? 'circular' : 'zeros',
    });

  type Maker = (v: TensorId, shape: Dims) => TensorId | undefined;
  const convolution: Maker = (v, s) => {
    if (s.length !== 4) return undefined;
    const attrs = randomAttrs();
    const kernel = [3, s[1], 1 + below(Math.min(3, s[2])), 1 + below(2)];
    const k = ofShape(kernel);
    if (
      s[2] + 2 * attrs.padding[0] < kernel[2] ||
      s[3] + 2 * attrs.padding[1] < attrs.dilation[1] * (kernel[3] - 1) + 1
    )
      return undefined;
    const y = b.conv(v, k, attrs);
    return tame(
      pick([
        () => b.unary('relu', y),
        () => b.add(v, b.convTranspose(tame(y), k, [s[2], s[3]], attrs)),
        () => b.convWeight(v, y, [kernel[2], kernel[3]], attrs),
      ])(),
    );
  };
  const makers: readonly Maker[] = [
    v => b.unary(pick(['neg', 'abs', 'relu', 'tanh', 'sigmoid'] as const), v),
    v => b.unary('exp', b.unary('tanh', v)),
    v => b.unary('sqrt', b.offset(b.unary('abs', v), 0.5)),
    v => b.unary('reciprocal', b.offset(b.unary('abs', v), 0.5)),
    (v, s) => b.binary(pick(['add', 'sub', 'mul', 'max', 'min'] as const), v, ofShape(s)),
    (v, s) => b.div(v, b.offset(b.unary('abs', ofShape(s)), 0.75)),
    (_v, _s) => {
      const x = pick(exact);
      const s = b.shape(x);
      return b.select(
        b.unary(pick(['step', 'sign'] as const), x),
        ofShape(s),
        b.binary('greater', x, b.constant(0.25, s)),
      );
    },
    (v, s) =>
      b.broadcast(
        v,
        [3, ...s],
        s.map((_, i) => i + 1),
      ),
    (v, s) =>
      b.broadcast(
        v,
        [...s, 2],
        s.map((_, i) => i),
      ),
    (v, s) => b.reshape(v, pick([[size(s)], [1, size(s)], size(s) % 2 === 0 ? [2, size(s) / 2] : [size(s), 1]])),
    (v, s) => (s.length < 2 ? undefined : b.transpose(v, [...s.keys()].reverse())),
    (v, s) => {
      const start = s.map(d => below(d));
      return b.slice(
        v,
        start,
        s.map((d, i) => start[i] + 1 + below(d - start[i])),
        s.map(() => 1 + below(2)),
      );
    },
    (v, s) =>
      b.pad(
        v,
        s.map(() => below(2)),
        s.map(() => below(3)),
        s.map(() => below(2)),
      ),
    (v, s) => (s.length === 0 ? undefined : b.reverse(v, [below(s.length)])),
    (v, s) => (s.length === 0 ? undefined : b.concat([v, ofShape(s), v], below(s.length))),
    (v, s) => (s.length === 0 ? undefined : tame(b.sum(v, [below(s.length)]))),
    (v, s) =>
      s.length === 0
        ? undefined
        : b.maximum(
            v,
            [...s.keys()].filter(() => below(2) === 0),
          ),
    (v, s) => (s.length === 0 ? undefined : b.sort(v, s.length - 1, s[s.length - 1])),
    (v, s) => {
      if (s.length < 2) return undefined;
      const [m, k] = s.slice(-2);
      const batch = s.slice(0, -2);
      const [a, t] = [below(2) === 0, below(2) === 0];
      const inner = a ? m : k;
      return tame(b.matmul(v, ofShape([...batch, ...(t ? [5, inner] : [inner, 5])]), { a, b: t }));
    },
    ...Array.from({ length: 8 }, () => convolution),
  ];

  while (values.length < steps) {
    // Recent nodes are preferred: long chains are what fusion works on.
    const v = below(2) === 0 ? values[values.length - 1] : pick(values);
    const made = pick(makers)(v, b.shape(v));
    if (made !== undefined && size(b.shape(made)) <= 2000) values.push(made);
  }
  b.output('last', values[values.length - 1]);
  for (const name of ['a', 'b', 'c']) b.output(name, pick(values));
  const p = values[1];
  const fit = values.filter(v => v !== p && `${b.shape(v)}` === `${b.shape(p)}`);
  b.update('p1', tame(b.add(p, fit.length > 0 ? pick(fit) : b.unary('exp', p))));
  return b.finish();
};
