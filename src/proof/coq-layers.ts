/** The layers of a network as Coq terms over proofs/theories, each with the theorem that bounds it. */
import { type Activation, isElementwise, type Layer, type LayerOp, type LinearMap, type Shape } from '../ir/network.ts';
import { geometryWords, printActivation } from '../ir/print-network.ts';
import { absolute, compare, div, equal, ONE, type Rational, rational, TWO, ZERO } from '../ir/rational.ts';
import { isBlockAverage } from '../ir/window.ts';
import { type Dominance, dominance, type MatrixTerm, NotInCoq, orthogonalDominance, ratio } from './coq-dominance.ts';
import { orthogonalMatrix } from './coq-orthogonal.ts';
import type { GramSide } from './rules.ts';

/** Comments may not hold what opens or closes one. */
export const comment = (text: string): string => `(* ${text.replaceAll('(*', '( *').replaceAll('*)', '* )')} *)`;

/** Index type of a feature map in Coq; the names are constants of type nat. */
export type Space =
  | { readonly kind: 'features'; readonly n: string }
  | { readonly kind: 'image'; readonly c: string; readonly h: string; readonly w: string };

export const indexOf = (s: Space): string =>
  s.kind === 'features' ? `'I_${s.n}` : `'I_${s.c} * ('I_${s.h} * 'I_${s.w})`;
export const vectors = (s: Space): string => `{ffun ${indexOf(s)} -> R}`;
/** Index type of the positions of an image. */
export const positionsOf = (s: Space): string => {
  if (s.kind === 'features') throw new Error('a vector has no positions');
  return `[finType of 'I_${s.h} * 'I_${s.w}]`;
};
export const channelsOf = (s: Space): string => (s.kind === 'features' ? s.n : s.c);

/** A layer as a Coq function between vectors, and the theorem that bounds it: `lip`, or `lipc constant`. */
export interface LayerTerm {
  readonly term: string;
  readonly proof: string;
  readonly constant?: Rational;
}

export interface Writer {
  readonly line: (text: string) => void;
  /** Name suffix of this layer. */
  readonly id: string;
  /** Of a run of equal layers: its parameters are functions of the place in it. */
  readonly run: boolean;
}

export const binder = (w: Writer): string => (w.run ? ' (k : nat)' : '');
export const applied = (w: Writer, name: string): string => (w.run ? `(${name} k)` : name);

export const declare = (w: Writer): MatrixTerm['declare'] => {
  const used = new Map<string, number>();
  return (kind, stem, type) => {
    const count = (used.get(stem) ?? 0) + 1;
    used.set(stem, count);
    const name = `${stem}_${w.id}${count > 1 ? `_${count}` : ''}`;
    const quantified = w.run ? (kind === 'Variable' ? `nat -> ${type}` : `forall k, ${type}`) : type;
    w.line(`${kind} ${name} : ${quantified}.`);
    return applied(w, name);
  };
};

export const nat = (w: Writer, stem: string, value: number | string): string => {
  const name = `${stem}_${w.id}`;
  w.line(`Definition ${name} : nat := ${value}.`);
  return name;
};

/** A fact about natural numbers that computing decides. */
export const equation = (w: Writer, statement: string): string => {
  const name = `size_${w.id}`;
  w.line(`Lemma ${name} : ${statement}.`);
  w.line('Proof. by []. Qed.');
  return name;
};

export const signed = (a: Rational): string => (compare(a, ZERO) < 0 ? `(- ${ratio(absolute(a))})` : ratio(a));

/** σ of a residual layer, and its proof of `slope01`. */
const residualActivation = (act: Activation): { readonly term: string; readonly slope: string } => {
  const none = () => new Error(`${act.kind} has no slope in [0, 1]`);
  if (!isElementwise(act)) throw none();
  switch (act.kind) {
    case 'relu':
      return { term: 'relu', slope: '(@relu_slope R)' };
    case 'leaky_relu': {
      const { num, den } = act.slope;
      return {
        term: `(leaky_relu ${ratio(act.slope)})`,
        slope: `(leaky_relu_slope (ratio_ge0 R ${num} ${den}) (@ratio_le1 R ${num} ${den} isT isT))`,
      };
    }
    case 'tanh':
      return { term: '(tanh E)', slope: '(tanh_slope E_add E_ge)' };
    case 'sigmoid':
      return { term: '(sigmoid E)', slope: '(sigmoid_slope E_add E_ge)' };
    case 'abs':
      throw none();
    default:
      return act satisfies never;
  }
};

/** A layer of channels at all positions P, also on plain features (P = unit). */
const ofChannels = (from: Space, layer: (positions: string) => LayerTerm): LayerTerm => {
  if (from.kind === 'image') return layer(`[finType of 'I_${from.h} * 'I_${from.w}]`);
  const { term, proof, constant } = layer('[finType of unit]');
  return {
    term: `(on_features ${term})`,
    proof: `(${constant ? 'on_features_lipc' : 'on_features_lip'} ${proof})`,
    ...(constant && { constant }),
  };
};

const activation = (w: Writer, act: Activation, from: Space, channels: number): LayerTerm => {
  switch (act.kind) {
    case 'relu':
    case 'tanh':
    case 'sigmoid': {
      const { term, slope } = residualActivation(act);
      return { term: `(act ${term})`, proof: `(act_lip ${slope})` };
    }
    case 'abs':
      return { term: '(act (fun a : R => `|a|))', proof: '(@abs_lip R _)' };
    case 'leaky_relu': {
      const size = absolute(act.slope);
      const term = `(act (leaky_relu ${signed(act.slope)}))`;
      if (compare(size, ONE) > 0)
        return {
          term,
          proof: `(@leaky_relu_lipc R _ ${signed(act.slope)} ${ratio(size)} (@ratio_ge1 R ${size.num} ${size.den} isT isT) ltac:(by rewrite ?normrN norm_ratio))`,
          constant: size,
        };
      return {
        term,
        proof: `(@leaky_relu_lip R _ ${signed(act.slope)} ltac:(by rewrite ?normrN norm_ratio; exact: ratio_le1))`,
      };
    }
    case 'maxmin': {
      if (act.pairs === 'adjacent')
        return ofChannels(from, p => ({
          term: `(@maxmin_adjacent R ${p} ${channelsOf(from)})`,
          proof: `(@maxmin_adjacent_lip R ${p} ${channelsOf(from)})`,
        }));
      const half = channels / 2;
      const size = equation(w, `(${half} + ${half})%N = ${channelsOf(from)}`);
      return ofChannels(from, p => ({
        term: `(cast_channels ${size} (@maxmin_halves R ${p} ${half}))`,
        proof: `(cast_channels_lip ${size} (@maxmin_halves_lip R ${p} ${half}))`,
      }));
    }
    case 'groupsort': {
      const groups = channels / act.group;
      const size = equation(w, `(${groups} * ${act.group})%N = ${channelsOf(from)}`);
      return ofChannels(from, p => ({
        term: `(cast_channels ${size} (@groupsort R ${p} ${groups} ${act.group}))`,
        proof: `(cast_channels_lip ${size} (@groupsort_channels_lip R ${p} ${groups} ${act.group}))`,
      }));
    }
    case 'halfabs':
    case 'rabs':
    case 'crelu':
    case 'prelu':
    case 'householder':
    case 'householder2':
      throw new NotInCoq(`the activation \`${printActivation(act)}\` has no Coq theorem here yet`);
    default:
      return act satisfies never;
  }
};

/** The matrix of a linear or residual layer with its diagonal T; `T` and `T_dom` are names in the section. */
const weighted = (
  w: Writer,
  op: Extract<LayerOp, { kind: 'linear' | 'residual' }>,
  from: Space,
  to: Space,
  shapes: { readonly from: Shape; readonly to: Shape },
  side: GramSide,
) => {
  const emit = declare(w);
  const { map, rescaling } = op;
  if (op.kind === 'linear' && op.adjoint)
    throw new NotInCoq(`${map.weight.path}: a transposed convolution has no Coq theorem here yet`);
  // The output of a residual layer is its input's space: its hidden units need a name of their own.
  const out = op.kind === 'residual' ? nat(w, 'hidden', map.out) : channelsOf(to);
  let matrix: string;
  let kernel: MatrixTerm['kernel'];
  let orthogonal = '';
  let rows: string;
  let columns: string;
  if (map.kind === 'dense') {
    if (from.kind !== 'features') throw new Error(`${map.weight.path}: a matrix on an image`);
    rows = `'I_${out}`;
    columns = `'I_${from.n}`;
    if (rescaling.by === 'orthogonal') {
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
    const geometry = convGeometry(w, map, from, to, op.kind === 'residual' ? shapes.from : undefined);
    rows = `('I_${out} * out_pos ${geometry})%type`;
    columns = `('I_${from.c} * in_pos ${geometry})%type`;
    const valid = `valid_${w.id}`;
    w.line(`Lemma ${valid} : valid_geometry ${geometry}.`);
    w.line('Proof. by []. Qed.');
    const kernelType = `'I_${out} -> 'I_${from.c} -> tap ${geometry} -> R`;
    let term: string;
    if (rescaling.by === 'orthogonal') {
      const taps = nat(w, 'columns', `(${from.c} * ker_h ${geometry} * ker_w ${geometry})%N`);
      const size = map.in * map.kernel[0] * map.kernel[1];
      // The reshaped kernel has a bound of its own; which side the convolution's is for does not matter to it.
      const made = orthogonalMatrix(
        w,
        emit,
        map.weight.path,
        rescaling.method,
        { name: out, size: map.out },
        { name: taps, size },
        'columns',
      );
      const name = `K_${w.id}`;
      w.line(`Definition ${name}${binder(w)} : ${kernelType} := kernel_of (erefl ${taps}) ${made.matrix}.`);
      term = applied(w, name);
      orthogonal = `(kernel_of_dom (erefl ${taps}) ${made.proof})`;
    } else term = emit('Variable', 'K', kernelType);
    kernel = { term, geometry, valid };
    matrix = `(conv2d_matrix ${term})`;
  }
  const channels =
    map.kind === 'dense' ? (side === 'rows' ? rows : columns) : `'I_${side === 'rows' ? out : channelsOf(from)}`;
  const m: MatrixTerm = { map, side, matrix, ...(kernel && { kernel }), declare: emit, channels };
  const { diagonal, proof }: Dominance =
    rescaling.by === 'orthogonal' ? orthogonalDominance(m, orthogonal) : dominance(m, rescaling);
  const index = side === 'rows' ? rows : columns;
  w.line(`Definition T_${w.id}${binder(w)} : ${index} -> R := ${diagonal}.`);
  const gram = side === 'rows' ? `(adj ${matrix})` : matrix;
  const T = applied(w, `T_${w.id}`);
  w.line(`Lemma T_${w.id}_dom${binder(w)} : dom (gram ${gram}) ${T}.`);
  w.line(`Proof. exact: ${proof}. Qed.`);
  const bias = op.bias
    ? map.kind === 'dense'
      ? emit('Variable', 'b', `{ffun ${rows} -> R}`)
      : `[ffun i : ${rows} => ${emit('Variable', 'b', `'I_${out} -> R`)} i.1]`
    : `(0 : {ffun ${rows} -> R})`;
  return { emit, matrix, T, dominates: applied(w, `T_${w.id}_dom`), bias, channels };
};

const convGeometry = (
  w: Writer,
  map: Extract<LinearMap, { kind: 'conv' }>,
  from: Extract<Space, { kind: 'image' }>,
  to: Space,
  residualShape: Shape | undefined,
): string => {
  if (geometryWords(map).length > 0)
    throw new NotInCoq(
      `${map.weight.path}: a convolution with ${geometryWords(map).join(', ')} has no Coq theorem here yet`,
    );
  const [kh, kw] = map.kernel;
  const [ph, pw] = map.padding;
  let out = to.kind === 'image' ? [to.h, to.w] : [];
  if (residualShape) {
    const rows = residualShape[1] + 2 * ph - kh + 1;
    const columns = residualShape[2] + 2 * pw - kw + 1;
    out = [rows === residualShape[1] ? from.h : `${rows}`, columns === residualShape[2] ? from.w : `${columns}`];
  }
  const name = `g_${w.id}`;
  w.line(
    `Definition ${name} : geometry := Geometry ${from.h} ${from.w} ${out.join(' ')} ${kh} ${kw} ${ph}%:Z ${pw}%:Z 1 1 1 1.`,
  );
  return name;
};

/** h and c of a residual over one denominator, and a proof that max(|h|, |h − c|) is at most `constant`. */
const residualFactors = (
  h: Rational,
  c: Rational,
): { readonly h: string; readonly c: string; readonly bound: string; readonly constant: Rational } => {
  const den = h.den * c.den;
  const [a, b] = [h.num * c.den, c.num * h.den];
  const size = (n: bigint): bigint => (n < 0n ? -n : n);
  const k = size(a) > size(a - b) ? size(a) : size(a - b);
  const name = a < 0n ? (b < 0n ? 'negative' : 'turned') : b < 0n ? 'opposite' : 'same';
  const over = (n: bigint): string => (n < 0n ? `(- (ratio R ${-n} ${den}))` : `(ratio R ${n} ${den})`);
  const between = name === 'same' || name === 'negative' ? 'isT isT' : 'isT';
  const bound = `(@factors_${name} R ${size(a)} ${size(b)} ${k} ${den} isT isT ${between})`;
  const constant = rational(k, den);
  const reduced = equal(constant, ONE)
    ? bound
    : `(le_trans ${bound} (@ratio_le R ${k} ${den} ${constant.num} ${constant.den} isT isT isT))`;
  return { h: over(a), c: over(b), bound: reduced, constant };
};

const flatten = (w: Writer, from: Extract<Space, { kind: 'image' }>, to: Space): LayerTerm => {
  const size = equation(w, `(${from.c} * ${from.h} * ${from.w})%N = ${channelsOf(to)}`);
  return { term: `(flatten_image ${size})`, proof: `(flatten_image_lip ${size})` };
};

export const layerTerm = (w: Writer, layer: Layer, from: Space, to: Space, fromShape: Shape): LayerTerm => {
  const { op } = layer;
  const emit = declare(w);
  switch (op.kind) {
    case 'center':
    case 'batchcenter':
    case 'translate': {
      const offset = emit('Variable', 'offset', `'I_${channelsOf(from)} -> R`);
      const value = from.kind === 'image' ? `${offset} i.1` : `${offset} i`;
      return { term: `(fun x => x - [ffun i : ${indexOf(from)} => ${value}])`, proof: '(@center_lip R _ _)' };
    }
    case 'scale': {
      const least = op.divisor.map(absolute).reduce((a, b) => (compare(a, b) <= 0 ? a : b));
      const d = emit('Variable', 'divisor', `'I_${channelsOf(from)} -> R`);
      const bound = emit('Hypothesis', 'divisor_ge', `forall i, ${ratio(least)} <= \`|${d} i|`);
      return ofChannels(from, p => ({
        term: `(@scale R _ ${p} ${d})`,
        proof: `(@scale_lipc R _ ${p} ${d} ${least.num} ${least.den} isT isT ${bound})`,
        constant: div(ONE, least),
      }));
    }
    case 'gain': {
      const sine = emit('Variable', 'sine', `'I_${channelsOf(from)} -> R`);
      const bound = emit('Hypothesis', 'sine_le1', `forall i, \`|${sine} i| <= 1`);
      const at = from.kind === 'image' ? 'i.1' : 'i';
      return {
        term: `(fun x => (fun i : ${indexOf(from)} => ${sine} ${at}) *d x)`,
        proof: `(@bounded_gain R _ (fun i : ${indexOf(from)} => ${sine} ${at}) (fun i => ${bound} ${at}))`,
      };
    }
    case 'pad':
      return ofChannels(from, p => ({
        term: `(@pad_channels R ${p} ${channelsOf(from)} ${channelsOf(to)})`,
        proof: `(@pad_channels_lip R ${p} ${channelsOf(from)} ${channelsOf(to)})`,
      }));
    case 'residual': {
      const { matrix, T, dominates, bias } = weighted(w, op, from, to, { from: fromShape, to: layer.shape }, 'rows');
      const { term, slope } = residualActivation(op.act);
      if (op.identity || op.factor) {
        const { h, c, bound, constant } = residualFactors(op.identity ?? ONE, op.factor ?? TWO);
        const lip = equal(constant, ONE);
        return {
          term: `(residual_general ${h} ${c} ${matrix} ${T} ${bias} ${term})`,
          proof: `(residual_general_${lip ? 'lip' : 'lipc'} _ ${bound} ${lip ? 'isT ' : ''}${slope} ${dominates})`,
          ...(!lip && { constant }),
        };
      }
      return {
        term: `(residual_dense ${matrix} ${T} ${bias} ${term})`,
        proof: `(residual_dom_lip _ ${slope} ${dominates})`,
      };
    }
    case 'linear': {
      const side = op.side === 'in' ? 'columns' : 'rows';
      const {
        emit: more,
        matrix,
        T,
        dominates,
        bias,
        channels,
      } = weighted(w, op, from, to, { from: fromShape, to: layer.shape }, side);
      const s = more('Variable', 's', `${channels} -> R`);
      const at = op.map.kind === 'dense' ? `${s} i` : `${s} i.1`;
      const root = more('Hypothesis', 's_root', `forall i, (${at}) ^+ 2 * ${T} i <= 1`);
      return {
        term: `(linear_${op.side} ${matrix} (fun i => ${at}) ${bias})`,
        proof: `(linear_${op.side}_lip _ ${root} ${dominates})`,
      };
    }
    case 'activation':
      return activation(w, op.act, from, fromShape[0]);
    case 'avgpool': {
      if (!isBlockAverage(op) || from.kind !== 'image')
        throw new NotInCoq(
          `${layer.path}: average pooling of vectors, with overlap or with a divisor has no Coq theorem here yet`,
        );
      const [kh, kw] = op.size;
      let s = `(${kh}%:R^-1)`;
      const positive = (size: number): string => `(isT : (0 < ${size})%N)`;
      let proof = `(inv_block R ${positive(kh)})`;
      if (kh !== kw) {
        s = emit('Variable', 's', 'R');
        proof = emit('Hypothesis', 's_root', `${s} ^+ 2 * (${kh} * ${kw})%:R <= 1`);
      }
      return {
        term: `(fun x : ${vectors(from)} => avgpool2d ${kh} ${kw} ${s} x)`,
        proof: `(avgpool2d_lip ${positive(kh)} ${positive(kw)} ${proof})`,
      };
    }
    case 'flatten':
      if (from.kind === 'features') return { term: '(@id _)', proof: '(@lip_id R _)' };
      return flatten(w, from, to);
    case 'space_to_depth':
    case 'depth_to_space':
      throw new NotInCoq(`${layer.path}: ${op.kind} has no Coq theorem here yet`);
    case 'contraction':
      throw new NotInCoq(`${layer.path}: an operator layer has no Coq theorem here yet`);
    case 'sandwich': {
      if (op.kernel || from.kind !== 'features')
        throw new NotInCoq(`${layer.path}: a sandwich layer of images has no Coq theorem here yet`);
      const n = channelsOf(to);
      const u = emit('Variable', 'U', `'M[R]_${n}`);
      const v = emit('Variable', 'V', `'M[R]_(${from.n}, ${n})`);
      const bias = op.bias ? emit('Variable', 'b', `{ffun 'I_${n} -> R}`) : `(0 : {ffun 'I_${n} -> R})`;
      const [d, e] = ['d', 'e'].map(stem => emit('Variable', stem, `'I_${n} -> R`));
      const positive = [d, e].map(x => emit('Hypothesis', 'psi_gt0', `forall i, 0 < ${x} i`));
      const both = emit('Hypothesis', 'psi_two', `forall i, ${d} i * ${e} i <= 2%:R`);
      const { term, slope } = residualActivation(op.act);
      return {
        term: `(sandwiched (sandwich_first ${u} ${v}) (sandwich_second ${u} ${v}) ${bias} ${d} ${e} ${term})`,
        proof: `(sandwiched_lip _ (sandwich_blocks_dom ${u} ${v}) ${slope} ${positive.join(' ')} ${both})`,
      };
    }
    case 'maxpool':
    case 'l2pool':
    case 'tile':
    case 'layercenter':
      throw new NotInCoq(`${layer.path}: layers of this kind (\`${op.kind}\`) have no Coq theorem here yet`);
    case 'formula':
      throw new NotInCoq(`${layer.path}: a layer defined in the file has no Coq theorem here yet`);
    case 'slice': {
      const fits = `layer_${w.id}_fits`;
      w.line(`Lemma ${fits} : (${op.start} + ${channelsOf(to)} <= ${channelsOf(from)})%N.`);
      w.line('Proof. by []. Qed.');
      const image = from.kind === 'image';
      const index = (s: Space): string => `(${indexOf(s)})%type`;
      const choice = image ? `@channels_from ${positionsOf(from)} _ _ _ ${fits}` : `@features_from _ _ _ ${fits}`;
      const injective = image
        ? `@channels_from_inj ${positionsOf(from)} _ _ _ ${fits}`
        : `@features_from_inj _ _ _ ${fits}`;
      w.line(`Definition layer_${w.id}_choice : ${index(to)} -> ${index(from)} := ${choice}.`);
      w.line(`Definition layer_${w.id}_choice_inj : injective layer_${w.id}_choice := ${injective}.`);
      return { term: `(select layer_${w.id}_choice)`, proof: `(select_lip layer_${w.id}_choice_inj)` };
    }
    case 'sum':
    case 'mix':
    case 'concat':
    case 'maximum':
      throw new Error(`${layer.path}: a join is not a layer of one input`);
    case 'head':
      throw new Error('the head is not a layer of the chain');
    default:
      return op satisfies never;
  }
};

/** The space of a layer's output: the names of the input's where the size is the same. */
export const outputSpace = (w: Writer, op: LayerOp, from: Space, before: Shape, after: Shape): Space => {
  if (from.kind === 'image' && after.length === 1)
    return { kind: 'features', n: nat(w, 'n', `(${from.c} * ${from.h} * ${from.w})%N`) };
  if (from.kind === 'features') return { kind: 'features', n: before[0] === after[0] ? from.n : nat(w, 'n', after[0]) };
  const c = before[0] === after[0] ? from.c : nat(w, 'c', after[0]);
  const side = (axis: 1 | 2, name: string, stem: string): string =>
    op.kind === 'avgpool'
      ? nat(w, stem, `(${name} %/ ${op.size[axis - 1]})%N`)
      : before[axis] === after[axis]
        ? name
        : nat(w, stem, after[axis]);
  return { kind: 'image', c, h: side(1, from.h, 'h'), w: side(2, from.w, 'w') };
};
