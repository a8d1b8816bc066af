/** Operator layers and sandwich layers of images as Coq terms over proofs/theories/Spectra.v, Frequencies.v and Skew.v. */
import { middleTap } from '../ir/conv-geometry.ts';
import type { ContractionMethod, LayerOp } from '../ir/network.ts';
import { type LayerTerm, residualActivation } from './coq-activations.ts';
import {
  channelsOf,
  type Declare,
  declare,
  equation,
  indexOf,
  NotInCoq,
  positionsOf,
  ratio,
  type Space,
  vectors,
  type Writer,
} from './coq-space.ts';

type Contraction = Extract<LayerOp, { kind: 'contraction' }>;
type Sandwich = Extract<LayerOp, { kind: 'sandwich' }>;
type Image = Extract<Space, { kind: 'image' }>;
type Pair = readonly [number, number];

/** The torus of an image with `margin` zeros on each side, its waves, and where the image lies on it. */
const torus = (w: Writer, emit: Declare, from: Image, [mh, mw]: Pair) => {
  const size = (n: string, m: number): string => (m === 0 ? n : `(${n} + ${2 * m})`);
  const sides = `${size(from.h, mh)} ${size(from.w, mw)}`;
  const waves = emit('Variable', 'waves', `waves R (torus ${sides})`);
  const place = `place_${w.id}`;
  w.line(`Definition ${place} : 'I_${from.h} * 'I_${from.w} -> torus ${sides} := @at_place ${sides} ${mh} ${mw} _ _.`);
  const fits = [mh, mw].map((m, axis) => {
    const n = axis === 0 ? from.h : from.w;
    const name = `fits_${w.id}_${axis + 1}`;
    w.line(`Lemma ${name} : (${n} + ${m} <= ${size(n, m)})%N. Proof. by []. Qed.`);
    return name;
  });
  const injective = `${place}_inj`;
  w.line(`Definition ${injective} : injective ${place} := at_place_inj ${fits.join(' ')}.`);
  return { sides, waves, place, injective };
};

const biasOf = (emit: Declare, to: Space, bias: boolean): string => {
  if (!bias) return `(0 : {ffun ${indexOf(to)} -> R})`;
  const b = emit('Variable', 'b', `'I_${channelsOf(to)} -> R`);
  return `[ffun i : (${indexOf(to)})%type => ${b} ${to.kind === 'image' ? 'i.1' : 'i'}]`;
};

type Fourier = Extract<ContractionMethod, { family: 'cayley' | 'bro' | 'lot' }>;

/** A matrix of norm at most 1 at each frequency, by a theorem for all of them. */
const everyFrequency = (w: Writer, op: Contraction, method: Fourier, from: Image, to: Image): LayerTerm => {
  const emit = declare(w);
  const kernel = op.kernel!;
  const margin: Pair = method.family === 'cayley' ? [0, 0] : middleTap(kernel);
  const { sides, waves, place, injective } = torus(w, emit, from, margin);
  const taps = `'I_${kernel[0]} * 'I_${kernel[1]}`;
  const tap = (m: Pair): string => `(@tap_place ${sides} ${m[0]} ${m[1]} ${kernel[0]} ${kernel[1]})`;
  let symbol: string;
  let proof: string;
  switch (method.family) {
    case 'cayley': {
      const wide = op.in > op.out;
      const [short, long, most, least] = wide ? [to.c, from.c, op.in, op.out] : [from.c, to.c, op.out, op.in];
      const size = equation(w, `(${short} + ${most - least})%N = ${long}`);
      const K = emit('Variable', 'K', `'I_${to.c} -> 'I_${from.c} -> ${taps} -> R`);
      const name = wide ? 'cayley_wide_symbol' : 'cayley_tall_symbol';
      symbol = `${name} (W := ${waves}) ${tap(middleTap(kernel))} ${size} ${K}`;
      proof = `(${name}_dom _ ${size} ${K})`;
      break;
    }
    case 'bro': {
      const [n, rank] = op.weight.shape;
      const fits = [to.c, from.c].map((c, i) => {
        const name = `${i === 0 ? 'rows' : 'columns'}_${w.id}`;
        w.line(`Lemma ${name} : (${c} <= ${n})%N. Proof. by []. Qed.`);
        return name;
      });
      const V = emit('Variable', 'V', `'I_${n} -> 'I_${rank} -> ${taps} -> R`);
      const eps = ratio(method.eps);
      // The transform of V has the other sign: e^(−iδθ) for the tap δ.
      symbol = `reflected_symbol (W := ${waves}) (fun s => - ${tap([0, 0])} s) ${fits.join(' ')} ${V} ${eps}`;
      const positive = `(@ratio_gt0 R ${method.eps.num} ${method.eps.den} isT isT)`;
      proof = `(fun f => reflected_symbol_dom _ ${fits.join(' ')} ${V} f ${positive})`;
      break;
    }
    case 'lot': {
      const K = emit('Variable', 'K', `'I_${to.c} -> 'I_${from.c} -> ${taps} -> R`);
      const root = emit('Variable', 'root_eps', 'R');
      emit('Hypothesis', 'root_eps_sqr', `${root} ^+ 2 = ${ratio(method.eps)}`);
      const [f, r] = ['norm', 'inverse_root'].map(stem => emit('Variable', stem, `frequency ${waves} -> R`));
      const start = emit('Hypothesis', 'norm_ge0', `forall k, 0 <= ${f} k`);
      const off = tap(middleTap(kernel));
      const bound = emit(
        'Hypothesis',
        'norm_ge',
        `forall k, frob (shifted_rows (symbol_of (W := ${waves}) ${off} ${K} k) ${root}) <= 2%:R * ${f} k ^+ 2`,
      );
      const inverse = emit('Hypothesis', 'inverse_root_le', `forall k, ${r} k ^+ 2 * ${f} k <= 1`);
      symbol = `whitened_symbol (W := ${waves}) ${off} ${K} ${method.steps} ${r} ${root}`;
      proof = `(whitened_symbol_dom ${method.steps} ${start} ${bound} ${inverse})`;
      break;
    }
    default:
      return method satisfies never;
  }
  w.line(`Definition Q_${w.id} := ${symbol}.`);
  w.line(`Lemma Q_${w.id}_dom f : dom (gram (Q_${w.id} f)) (fun=> 1).`);
  w.line(`Proof. exact: ${proof}. Qed.`);
  const bias = biasOf(emit, to, op.bias !== undefined);
  return {
    term: `(contracted (spectral_part Q_${w.id} ${place} ${place}) ${bias})`,
    proof: `(contracted_lip _ (spectral_part_dom ${injective} ${injective} Q_${w.id}_dom))`,
  };
};

type SkewExponential = Extract<ContractionMethod, { family: 'skew_exponential' }>;

/** The series of a skew kernel, on as many channels as the larger of input and output have. */
const skewExponential = (w: Writer, op: Contraction, method: SkewExponential, from: Image, to: Image): LayerTerm => {
  const emit = declare(w);
  const { degree } = method;
  const kernel = op.kernel!;
  const wide = op.in >= op.out ? from.c : to.c;
  const space: Image = { ...from, c: wide };
  const P = emit('Variable', 'P', `'I_${wide} -> 'I_${wide} -> 'I_${kernel[0]} * 'I_${kernel[1]} -> R`);
  const [places, off, injective, turned] = ['places', 'off', 'places_inj', 'off_turned'].map(name =>
    ([0, 1] as const).map(axis => {
      const n = axis === 0 ? from.h : from.w;
      const k = kernel[axis];
      const m = middleTap(kernel)[axis];
      const circle = method.padding === 'circular';
      switch (name) {
        case 'places':
          return `(@${circle ? 'on_circle' : 'on_line'} ${n})`;
        case 'off':
          return circle ? `(@circle_tap ${n} ${m} ${k})` : `(@line_tap ${m} ${k})`;
        case 'places_inj':
          return `(@${circle ? 'on_circle' : 'on_line'}_inj ${n})`;
        default:
          return circle ? `(@circle_tap_turned ${n} ${m} ${k} erefl)` : `(@line_tap_turned ${m} ${k} erefl)`;
      }
    }),
  );
  const S = `(skew_kernel ${P})`;
  const iteration = method.steps - 1;
  const bounds = ['reshaped', 'mixed'].map(form => {
    const lam = emit('Variable', 'lam', 'R');
    const nonnegative = emit('Hypothesis', 'lam_ge0', `0 <= ${lam}`);
    const bound = emit(
      'Hypothesis',
      'gram_iteration',
      `frob (iter ${iteration} (@square R _) (gram (${form} ${S}))) <= (${lam} ^+ (2 ^ ${iteration})) ^+ 2`,
    );
    return { lam, nonnegative, proof: `(iterated_dom ${nonnegative} ${bound})` };
  });
  const s = emit('Variable', 'scale', 'R');
  const least = `Num.min ${bounds.map(b => b.lam).join(' ')}`;
  const window = `odflt 0 (exponential_window R ${degree})`;
  const root = emit(
    'Hypothesis',
    'scale_root',
    `${s} ^+ 2 * ((${kernel[0]} * ${kernel[1]})%:R * ${least}) <= ${window}`,
  );
  const series = `series_${w.id}`;
  const maps = [...places, ...off].join(' ');
  w.line(
    `Definition ${series} : ${vectors(space)} -> ${vectors(space)} := truncated_exp (skew_matrix ${maps} ${P} ${s}) ${degree}.`,
  );
  w.line(`Lemma ${series}_lip : lip ${series}.`);
  w.line(
    `Proof. exact: (skew_exponential_lip ${[...injective, ...turned].join(' ')} (isT : isSome (exponential_window R ${degree})) ${[...bounds.map(b => b.nonnegative), ...bounds.map(b => b.proof), root].join(' ')}). Qed.`,
  );
  const cut = (a: Image, b: Image): readonly [string, string] => [
    `(@pad_channels R ${positionsOf(a)} ${a.c} ${b.c} : ${vectors(a)} -> ${vectors(b)})`,
    `(@pad_channels_lip R ${positionsOf(a)} ${a.c} ${b.c})`,
  ];
  const [before, beforeLip] = cut(from, space);
  const [after, afterLip] = cut(space, to);
  const bias = biasOf(emit, to, op.bias !== undefined);
  return {
    term: `((fun y => y - - ${bias}) \\o (${after} \\o (${series} \\o ${before})))`,
    proof: `(lip_comp (lip_comp (lip_comp ${beforeLip} ${series}_lip) ${afterLip}) (@center_lip R _ _))`,
  };
};

export const contraction = (w: Writer, op: Contraction, path: string, from: Space, to: Space): LayerTerm => {
  const { method } = op;
  switch (method.family) {
    case 'cayley':
    case 'bro':
    case 'lot':
      if (from.kind !== 'image' || to.kind !== 'image') throw new Error(`${path}: ${method.family} of a vector`);
      return everyFrequency(w, op, method, from, to);
    case 'skew_exponential':
      if (from.kind !== 'image' || to.kind !== 'image') throw new Error(`${path}: ${method.family} of a vector`);
      return skewExponential(w, op, method, from, to);
    case 'sandwich':
      throw new NotInCoq(`${path}: \`${method.family}\` has no Coq theorem here yet`);
    default:
      return method satisfies never;
  }
};

/** d and e with d_i e_i at most 2, and the proofs of that and of their signs. */
const multipliers = (emit: Declare, n: string) => {
  const [d, e] = ['d', 'e'].map(stem => emit('Variable', stem, `'I_${n} -> R`));
  const positive = [d, e].map(x => emit('Hypothesis', 'psi_gt0', `forall i, 0 < ${x} i`));
  return { d, e, positive, both: emit('Hypothesis', 'psi_two', `forall i, ${d} i * ${e} i <= 2%:R`) };
};

export const sandwich = (w: Writer, op: Sandwich, path: string, from: Space, to: Space): LayerTerm => {
  const emit = declare(w);
  const n = channelsOf(to);
  const { term, slope } = residualActivation(op.act);
  if (from.kind === 'features') {
    const u = emit('Variable', 'U', `'M[R]_${n}`);
    const v = emit('Variable', 'V', `'M[R]_(${from.n}, ${n})`);
    const { d, e, positive, both } = multipliers(emit, n);
    const bias = biasOf(emit, to, op.bias !== undefined);
    return {
      term: `(sandwiched (sandwich_first ${u} ${v}) (sandwich_second ${u} ${v}) ${bias} ${d} ${e} ${term})`,
      proof: `(sandwiched_lip _ (sandwich_blocks_dom ${u} ${v}) ${slope} ${positive.join(' ')} ${both})`,
    };
  }
  if (!op.kernel) throw new Error(`${path}: a sandwich layer of images has a kernel`);
  const [kh, kw] = op.kernel;
  const [mh, mw] = middleTap(op.kernel);
  const { sides, waves, place, injective } = torus(w, emit, from, [0, 0]);
  const K = emit('Variable', 'K', `'I_${n} -> 'I_(${n} + ${from.c}) -> 'I_${kh} * 'I_${kw} -> R`);
  const { d, e, positive, both } = multipliers(emit, n);
  const hidden = `('I_${n} * torus ${sides})%type`;
  const bias = op.bias
    ? `[ffun i : ${hidden} => ${emit('Variable', 'b', `'I_${n} -> R`)} i.1]`
    : `(0 : {ffun ${hidden} -> R})`;
  const of = `${waves} (@tap_place ${sides} ${mh} ${mw} ${kh} ${kw})`;
  const each = (x: string): string => `(fun i => ${x} i.1)`;
  return {
    term: `(sandwiched (sandwich_image_first ${of} ${place} ${K}) (sandwich_image_second ${of} ${place} ${K}) ${bias} ${each(d)} ${each(e)} ${term})`,
    proof: `(sandwiched_lip _ (sandwich_image_dom ${waves} _ ${K} ${injective}) ${slope} ${[...positive, both].map(each).join(' ')})`,
  };
};
