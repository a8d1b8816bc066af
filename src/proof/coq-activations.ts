/** Activations as Coq terms over proofs/theories, each with the theorem that bounds it. */
import { type Activation, isElementwise } from '../ir/network.ts';
import { absolute, compare, ONE, type Rational } from '../ir/rational.ts';
import { channelsOf, declare, equation, ratio, type Space, signed, type Writer } from './coq-space.ts';

/** A layer as a Coq function between vectors, and the theorem that bounds it: `lip`, or `lipc constant`. */
export interface LayerTerm {
  readonly term: string;
  readonly proof: string;
  readonly constant?: Rational;
  /** In the place of `constant`: the theorem is `lips squared`. */
  readonly squared?: Rational;
}

/** σ of a residual layer, and its proof of `slope01`. */
export const residualActivation = (act: Activation): { readonly term: string; readonly slope: string } => {
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
export const ofChannels = (from: Space, layer: (positions: string) => LayerTerm): LayerTerm => {
  if (from.kind === 'image') return layer(`[finType of 'I_${from.h} * 'I_${from.w}]`);
  const { term, proof, constant } = layer('[finType of unit]');
  return {
    term: `(on_features ${term})`,
    proof: `(${constant ? 'on_features_lipc' : 'on_features_lip'} ${proof})`,
    ...(constant && { constant }),
  };
};

export const activation = (w: Writer, act: Activation, from: Space, to: Space, channels: number): LayerTerm => {
  const emit = declare(w);
  /** What acts on the two halves of the channel axis. */
  const onHalves = (layer: (positions: string, size: string) => LayerTerm): LayerTerm => {
    const size = equation(w, `(${channels / 2} + ${channels / 2})%N = ${channelsOf(from)}`);
    return ofChannels(from, p => layer(p, size));
  };
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
      return onHalves((p, size) => ({
        term: `(@half_abs R ${p} _ _ ${size})`,
        proof: `(@half_abs_lip R ${p} _ _ ${size})`,
      }));
    case 'rabs': {
      const s = emit('Variable', 's', 'R');
      const root = emit('Hypothesis', 's_root', `${s} ^+ 2 * 2%:R <= 1`);
      return onHalves((p, size) => ({
        term: `(@rotated_abs R ${p} _ _ ${size} ${s})`,
        proof: `(@rotated_abs_lip R ${p} _ _ ${size} ${s} ${root})`,
      }));
    }
    case 'crelu': {
      const size = equation(w, `(${channelsOf(from)} + ${channelsOf(from)})%N = ${channelsOf(to)}`);
      return ofChannels(from, p => ({
        term: `(@crelu_channels R ${p} _ _ ${size})`,
        proof: `(@crelu_channels_lip R ${p} _ _ ${size})`,
      }));
    }
    case 'prelu': {
      const slope = emit('Variable', 'slope', `'I_${channelsOf(from)} -> R`);
      return ofChannels(from, p => ({ term: `(@prelu R ${p} _ ${slope})`, proof: `(@prelu_lip R ${p} _ ${slope})` }));
    }
    case 'householder': {
      const [v, v2] = ['v', 'v'].map(stem => emit('Variable', stem, `'I_${channels / 2} -> R`));
      const unit = emit('Hypothesis', 'v_le1', `forall i, ${v} i ^+ 2 + ${v2} i ^+ 2 <= 1`);
      return onHalves((p, size) => ({
        term: `(@householder_halves R ${p} _ _ ${size} ${v} ${v2})`,
        proof: `(@householder_halves_lip R ${p} _ _ ${size} ${v} ${v2} ${unit})`,
      }));
    }
    case 'householder2': {
      const half = channels / 2;
      // Of the start and of the widths t1, t2 of two sectors: cosine and sine of half the angle.
      const angles = ['start', 't1', 't2'].map(
        angle =>
          [`cos_${angle}`, `sin_${angle}`].map(stem => emit('Variable', stem, `'I_${half} -> R`)) as [string, string],
      );
      const wide = emit('Variable', 'wide', `'I_${half} -> bool`);
      const [, [c1, s1], [c2, s2]] = angles;
      const units = angles.map(([c, s]) => `${c} k ^+ 2 + ${s} k ^+ 2 = 1`).join(', ');
      const signs = emit('Hypothesis', 'half_angles', `forall k, [/\\ ${units}, 0 <= ${s1} k & 0 <= ${s2} k]`);
      const beyond = emit(
        'Hypothesis',
        'wide_iff',
        `forall k, let sine := ${s1} k * ${c2} k + ${c1} k * ${s2} k in if ${wide} k then sine <= 0 else 0 <= sine`,
      );
      const given = [...angles.flat(), wide].join(' ');
      return onHalves((p, size) => ({
        term: `(@householder2_halves R ${p} _ _ ${size} ${given})`,
        proof: `(@householder2_halves_lip R ${p} _ _ ${size} ${given} ${signs} ${beyond})`,
      }));
    }
    default:
      return act satisfies never;
  }
};
