/** The matrix or convolution of a layer as a Coq term, with the diagonal T that dominates its Gram matrix. */
import { outputSize, torusSize } from '../ir/conv-geometry.ts';
import type { LayerOp, LinearMap, Shape } from '../ir/network.ts';
import { makesKernel } from '../ir/orthogonal.ts';
import {
  type Dominance,
  dominance,
  type Groups,
  type KernelTerm,
  type MatrixTerm,
  ofParts,
  orthogonalDominance,
} from './coq-dominance.ts';
import { orthogonalKernel } from './coq-kernels.ts';
import { orthogonalMatrix } from './coq-orthogonal.ts';
import { applied, binder, channelsOf, declare, equation, nat, type Space, type Writer } from './coq-space.ts';
import type { GramSide } from './rules.ts';

/** The matrix of a linear or residual layer with its diagonal T; `T` and `T_dom` are names in the section. */
export const weighted = (
  w: Writer,
  op: Extract<LayerOp, { kind: 'linear' | 'residual' }>,
  input: Space,
  output: Space,
  shape: Shape,
  outputShape: Shape,
  layerSide: GramSide,
) => {
  const emit = declare(w);
  const { map, rescaling } = op;
  const adjoint = op.kind === 'linear' && op.adjoint === true;
  // The stored map goes from the layer's output to its input where the layer is its adjoint.
  const [from, to, side] = adjoint
    ? [output, input, layerSide === 'rows' ? ('columns' as const) : ('rows' as const)]
    : [input, output, layerSide];
  // The output of a residual layer is its input's space: its hidden units need a name of their own.
  const out = op.kind === 'residual' ? nat(w, 'hidden', map.out) : channelsOf(to);
  let matrix: string;
  let kernel: MatrixTerm['kernel'];
  let orthogonal = '';
  let bounded: string | undefined;
  let rows: string;
  let columns: string;
  if (map.kind === 'dense') {
    if (from.kind !== 'features') throw new Error(`${map.weight.path}: a matrix on an image`);
    rows = `'I_${out}`;
    columns = `'I_${from.n}`;
    if (rescaling.by === 'orthogonal') {
      if (makesKernel(rescaling.method)) throw new Error(`${map.weight.path}: a kernel in the place of a matrix`);
      const made = orthogonalMatrix(
        w,
        emit,
        map.weight.path,
        rescaling.method,
        { name: out, size: map.out },
        { name: from.n, size: map.in },
        side,
      );
      matrix = made.matrix;
      orthogonal = made.proof;
    } else matrix = emit('Variable', 'W', `${rows} -> ${columns} -> R`);
  } else {
    if (from.kind !== 'image') throw new Error(`${map.weight.path}: a convolution on a vector`);
    const geometry = convGeometry(w, map, from, to, op.kind === 'residual' ? shape : undefined);
    const groups = map.groups > 1 ? groupNames(w, map, out, from.c) : undefined;
    const each = groups ?? { out, in: from.c };
    rows = `('I_${out} * out_pos ${geometry})%type`;
    columns = `('I_${from.c} * in_pos ${geometry})%type`;
    // What the map itself takes.
    const image = adjoint ? outputShape : shape;
    const valid = `valid_${w.id}`;
    w.line(`Lemma ${valid} : valid_geometry ${geometry}.`);
    w.line('Proof. by []. Qed.');
    const closes = map.mode === 'circular' ? `closes_${w.id}` : undefined;
    if (closes) w.line(`Lemma ${closes} : closes ${geometry}. Proof. by do ?split. Qed.`);
    const kernelType = `'I_${out} -> 'I_${from.c} -> tap ${geometry} -> R`;
    let term: string;
    let parts: KernelTerm['parts'];
    const method = rescaling.by === 'orthogonal' ? rescaling.method : undefined;
    if (method && makesKernel(method)) {
      const made = orthogonalKernel(w, map, method, { out, in: from.c, geometry });
      w.line(`Definition K_${w.id} : ${kernelType} := ${made.term}.`);
      term = `K_${w.id}`;
      bounded = made.bounded;
    } else if (method) {
      const taps = nat(w, 'kernel_columns', `(${each.in} * ker_h ${geometry} * ker_w ${geometry})%N`);
      const size = (map.in / map.groups) * map.kernel[0] * map.kernel[1];
      // The reshaped kernel has a bound of its own; which side the convolution's is for does not matter to it.
      const made = orthogonalMatrix(
        w,
        groups ? ofParts(groups, emit) : emit,
        map.weight.path,
        method,
        { name: each.out, size: map.out / map.groups },
        { name: taps, size },
        'columns',
      );
      const name = `K_${w.id}`;
      const dominates = `(kernel_of_dom (erefl ${taps}) ${made.proof})`;
      const stored = `kernel_of (erefl ${taps}) ${made.matrix}`;
      const value = groups ? `in_groups ${groups.sizes} (fun part => ${stored})` : stored;
      w.line(`Definition ${name}${binder(w)} : ${kernelType} := ${value}.`);
      term = applied(w, name);
      orthogonal = groups ? `(in_groups_reshaped ${groups.sizes} (fun part => ${dominates}))` : dominates;
    } else if (groups) {
      const stored = emit(
        'Variable',
        'K',
        `'I_${map.groups} -> 'I_${each.out} -> 'I_${each.in} -> tap ${geometry} -> R`,
      );
      term = `(in_groups ${groups.sizes} ${stored})`;
      parts = { ...groups, kernel: `(${stored} part)` };
    } else term = emit('Variable', 'K', kernelType);
    const plain = [...map.stride, ...map.dilation].every(n => n === 1) && !closes;
    kernel = {
      term,
      geometry,
      valid,
      plain,
      torus: torusSize(map, [image[1], image[2]]),
      ...(closes && { closes }),
      ...(parts && { parts }),
    };
    matrix = `(${closes ? 'circular_matrix' : 'conv2d_matrix'} ${term})`;
  }
  const channels =
    map.kind === 'dense' ? (side === 'rows' ? rows : columns) : `'I_${side === 'rows' ? out : channelsOf(from)}`;
  const shared = declare({ ...w, run: false });
  const m: MatrixTerm = { map, side, matrix, ...(kernel && { kernel }), declare: emit, shared, channels };
  const { diagonal, proof }: Dominance =
    rescaling.by === 'orthogonal' ? orthogonalDominance(m, orthogonal, bounded) : dominance(m, rescaling);
  const index = side === 'rows' ? rows : columns;
  w.line(`Definition T_${w.id}${binder(w)} : ${index} -> R := ${diagonal}.`);
  const gram = side === 'rows' ? `(adj ${matrix})` : matrix;
  const T = applied(w, `T_${w.id}`);
  w.line(`Lemma T_${w.id}_dom${binder(w)} : dom (gram ${gram}) ${T}.`);
  w.line(`Proof. exact: ${proof}. Qed.`);
  const made = adjoint ? columns : rows;
  const bias = op.bias
    ? map.kind === 'dense'
      ? emit('Variable', 'b', `{ffun ${made} -> R}`)
      : `[ffun i : ${made} => ${emit('Variable', 'b', `'I_${adjoint ? channelsOf(from) : out} -> R`)} i.1]`
    : `(0 : {ffun ${made} -> R})`;
  const whole = adjoint ? `(adj ${matrix})` : matrix;
  return { emit, matrix: whole, T, dominates: applied(w, `T_${w.id}_dom`), bias, channels };
};

/** Names of the channels of one group, and proofs that the groups have all of them. */
const groupNames = (
  w: Writer,
  map: Extract<LinearMap, { kind: 'conv' }>,
  out: string,
  input: string,
): Groups & { readonly out: string; readonly in: string } => {
  const each = { out: nat(w, 'group_out', map.out / map.groups), in: nat(w, 'group_in', map.in / map.groups) };
  const rows = equation(w, `(${map.groups} * ${each.out})%N = ${out}`, 'all_out');
  const columns = equation(w, `(${map.groups} * ${each.in})%N = ${input}`, 'all_in');
  return { ...each, count: map.groups, sizes: `${rows} ${columns}` };
};

const convGeometry = (
  w: Writer,
  map: Extract<LinearMap, { kind: 'conv' }>,
  from: Extract<Space, { kind: 'image' }>,
  to: Space,
  residualShape: Shape | undefined,
): string => {
  const [ph, pw] = map.padding;
  let out = to.kind === 'image' ? [to.h, to.w] : [];
  if (residualShape) {
    const [rows, columns] = outputSize(map, [residualShape[1], residualShape[2]]);
    out = [rows === residualShape[1] ? from.h : `${rows}`, columns === residualShape[2] ? from.w : `${columns}`];
  }
  const name = `g_${w.id}`;
  w.line(
    `Definition ${name} : geometry := Geometry ${from.h} ${from.w} ${out.join(' ')} ${map.kernel.join(' ')} ${ph}%:Z ${pw}%:Z ${map.stride.join(' ')} ${map.dilation.join(' ')}.`,
  );
  return name;
};
