/** The layers of a network as Coq terms over proofs/theories, each with the theorem that bounds it. */
import type { Layer, Shape } from '../ir/network.ts';
import { absolute, compare, div, equal, ONE, type Rational, rational, TWO } from '../ir/rational.ts';
import { activation, type LayerTerm, ofChannels, residualActivation } from './coq-activations.ts';
import { weighted } from './coq-maps.ts';
import { contraction, sandwich } from './coq-operators.ts';
import { pooling } from './coq-pools.ts';
import {
  channelsOf,
  declare,
  equation,
  indexOf,
  NotInCoq,
  positionsOf,
  ratio,
  type Space,
  type Writer,
} from './coq-space.ts';

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
      const { matrix, T, dominates, bias } = weighted(w, op, from, to, fromShape, layer.shape, 'rows');
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
      } = weighted(w, op, from, to, fromShape, layer.shape, side);
      const s = more('Variable', 's', `${channels} -> R`);
      const at = op.map.kind === 'dense' ? `${s} i` : `${s} i.1`;
      const root = more('Hypothesis', 's_root', `forall i, (${at}) ^+ 2 * ${T} i <= 1`);
      return {
        term: `(linear_${op.side} ${matrix} (fun i => ${at}) ${bias})`,
        proof: `(linear_${op.side}_lip _ ${root} ${dominates})`,
      };
    }
    case 'activation':
      return activation(w, op.act, from, to, fromShape[0]);
    case 'avgpool':
    case 'maxpool':
    case 'l2pool':
      return pooling(w, op, from, to);
    case 'flatten':
      if (from.kind === 'features') return { term: '(@id _)', proof: '(@lip_id R _)' };
      return flatten(w, from, to);
    case 'space_to_depth':
    case 'depth_to_space': {
      const [spread, packed] = op.kind === 'space_to_depth' ? [from, to] : [to, from];
      if (spread.kind !== 'image' || packed.kind !== 'image') throw new Error(`${layer.path}: ${op.kind} of a vector`);
      const [bh, bw] = op.block;
      const sizes = [
        equation(w, `(${spread.c} * ${bh} * ${bw})%N = ${packed.c}`),
        equation(w, `(${packed.h} * ${bh})%N = ${spread.h}`, 'rows'),
        equation(w, `(${packed.w} * ${bw})%N = ${spread.w}`, 'columns'),
      ].join(' ');
      return {
        term: `(@${op.kind} R _ _ _ _ _ _ _ _ ${sizes})`,
        proof: `(@${op.kind}_lip R _ _ _ _ _ _ _ _ ${sizes})`,
      };
    }
    case 'contraction':
      return contraction(w, op, layer.path, from, to);
    case 'sandwich':
      return sandwich(w, op, layer.path, from, to);
    case 'tile': {
      const size = equation(w, `(${op.times} * ${channelsOf(from)})%N = ${channelsOf(to)}`);
      const s = emit('Variable', 's', 'R');
      const root = emit('Hypothesis', 's_root', `${s} ^+ 2 * ${op.times}%:R <= 1`);
      return ofChannels(from, p => ({
        term: `(@tiled R ${p} _ _ _ ${size} ${s})`,
        proof: `(@tiled_lip R ${p} _ _ _ ${size} ${s} ${root})`,
      }));
    }
    case 'layercenter':
      return { term: '(@without_mean R _)', proof: '(@without_mean_lip R _)' };
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
