/** T for the emitted tensors of a map: a kernel or matrix, or an operator on images as a matrix for all pixels, in the spectrum, or as a series. */
import { checkDominance, type Dominance, type Mode, uniform } from './dominance.ts';
import { type LinearMap, lattice, normBelow, readMap, type Shape, size } from './map.ts';
import * as Q from './numbers.ts';
import { need, ONE, parseDyadic } from './numbers.ts';
import { listOf, lookUp, oneOf, read } from './read.ts';
import { WINDOWS } from './rules.ts';

type TensorOf = (name: string, shape: Shape) => Float32Array;

interface Operator {
  readonly where: string;
  readonly map: LinearMap;
  readonly tensor: TensorOf;
  readonly exact: boolean;
}

const weight = (m: LinearMap, tensor: TensorOf, witness: unknown, where: string, exact: boolean): (() => Dominance) => {
  const data = tensor('W', m.shape);
  return () => checkDominance(witness, { where, map: m, data, exact, lattice: lattice(m, data) });
};

/** Whether all matrices of `data`, [.., rows, columns] by their `shape`, have squared norms of at most T. */
const below = (data: Float32Array, shape: Shape, T: number, exact: boolean): boolean => {
  const [out, columns] = shape.slice(-2);
  const matrices = Array.from({ length: data.length / (out * columns) }, (_, n) =>
    data.subarray(n * out * columns, (n + 1) * out * columns),
  );
  return matrices.every(m => normBelow({ out, in: columns, kh: 1, kw: 1, data: m }, T, exact));
};

/** The next multiple of 2^−bits above a, a ≥ 0. */
const above = (a: Q.Q, bits: bigint): Q.Q => Q.q((a.num << bits) / a.den + 1n, 1n << bits);

/** A bound of the squared norm by the witness. The tensors are read at once, and checked when called. */
type Form<K> = (form: Extract<LinearMap['form'], { readonly kind: K }>, witness: unknown, o: Operator) => () => Q.Q;

/**
 * F*QF on images of h×w pixels, zeros around x before and cut off after. F is a product with R for every row, giving ⌊w/2⌋ + 1 real and as many
 * imaginary parts, then one with M for every column of both; F* the same with their transposes. Q is one matrix W for each of the
 * h·(⌊w/2⌋ + 1) places between: as a map on all of them it has the largest of their norms. (Of [A B] also [F*AF F*BF].)
 */
const inSpectrum: Form<'spectrum'> = ({ image }, witness, { where, map, tensor, exact }) => {
  const { T } = read(witness, where, { rule: oneOf('spectrum'), T: listOf(parseDyadic, 3) });
  const [h, w] = image;
  need(h >= map.image[0] && w >= map.image[1], `${where}: images of ${image} pixels are too small`);
  const half = Math.floor(w / 2) + 1;
  const shapes = { R: [w, 2 * half], M: [2 * h, 2 * h], W: [h * half, 2 * map.out, 2 * map.in] };
  const stages = Object.entries(shapes).map(([name, shape], n) => ({
    name,
    shape,
    T: T[n],
    data: tensor(name, shape),
  }));
  return () => {
    for (const { name, shape, T, data } of stages)
      need(below(data, shape, T, exact), `${where}: ${name} could not be shown to stay below T`);
    const [r, m, norm] = T.map(Q.fromFloat);
    return Q.mul(Q.square(Q.mul(r, m)), norm);
  };
};

/**
 * p(A) for the convolution A with the kernel W and p(x) = 1 + c₁x(1 + c₂x(1 + …)), on as many channels as x or the value has. A is skew, so it
 * is normal with spectrum iy, y² ≤ ‖A‖². Where that is at most the window of the degree, |Σ (iy)^m/m!| ≤ 1; coefficients that are not 1/m!
 * add their difference.
 */
const series: Form<'series'> = ({ degree, kernel, mode }, witness, { where, map, tensor, exact }) => {
  const window = lookUp(WINDOWS, `${degree}`, 'window of degree');
  const n = Math.max(map.out, map.in);
  const centred = kernel.every(k => k % 2 === 1);
  need(centred, `${where}: the kernel has no middle`);
  const geometry = { kernel, stride: [1, 1], padding: kernel.map(k => (k - 1) / 2), dilation: [1, 1], groups: 1, mode };
  const conv = readMap({ kind: 'conv', out: n, in: n, ...geometry }, where, [n, ...map.image]);
  const [K, c] = [tensor('W', conv.shape), Array.from(tensor('c', [degree]), Q.fromFloat)];
  const check = weight(conv, () => K, witness, where, exact);
  const area = size(kernel);
  const opposite = (at: number): number =>
    ((Math.floor(at / area) % n) * n + Math.floor(at / (n * area))) * area + area - 1 - (at % area);
  return () => {
    const skew = K.every((v, at) => v === -K[opposite(at)]);
    need(skew, `${where}: the kernel is not the negative of its adjoint`);
    const norm = Q.most(check().T);
    need(Q.atMost(norm, window), `${where}: the norm of the kernel is not within the window of the series`);
    const y = above(Q.rootUp(norm), 8n);
    let [emitted, exactly] = [ONE, ONE];
    const differences = c.map((v, at) => {
      [emitted, exactly] = [Q.mul(emitted, Q.mul(v, y)), Q.mul(exactly, Q.mul(Q.q(1, BigInt(at + 1)), y))];
      return Q.abs(Q.sub(emitted, exactly));
    });
    return Q.square(above(Q.sum([ONE, ...differences]), 40n));
  };
};

/** G ⪯ diag(T) for the emitted tensors of a map, by a derivation from their entries. Throws Refused. */
export const dominance = (value: unknown, where: string, m: LinearMap, tensor: TensorOf, mode: Mode): Dominance => {
  const { form } = m;
  const o: Operator = { where, map: m, tensor, exact: mode.exact ?? false };
  const everywhere = (norm: () => Q.Q) => (): Dominance => ({ side: 'rows', T: uniform([norm()], m.out) });
  const check =
    form?.kind === 'spectrum'
      ? everywhere(inSpectrum(form, value, o))
      : form?.kind === 'series'
        ? everywhere(series(form, value, o))
        : weight(m, tensor, value, where, o.exact);
  return mode.dominance ? mode.dominance(where, check) : check();
};
