/** Poolings as Coq terms over proofs/theories/Layers.v and Channels.v; their constants are squared. */
import type { LayerOp } from '../ir/network.ts';
import { div, rational } from '../ir/rational.ts';
import { isBlockAverage, multiplicityOf } from '../ir/window.ts';
import type { LayerTerm } from './coq-activations.ts';
import { declare, ratio, type Space, vectors, type Writer } from './coq-space.ts';

type Pool = Extract<LayerOp, { kind: 'avgpool' | 'maxpool' | 'l2pool' }>;

/** Sums over disjoint blocks: norm exactly 1, without a root where the blocks are square. */
const blockAverage = (w: Writer, [kh, kw]: readonly [number, number], from: Space): LayerTerm => {
  const emit = declare(w);
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
};

/** `from` and `to` are the spaces before and after; a vector is an image of one row. */
export const pooling = (w: Writer, op: Pool, from: Space, to: Space): LayerTerm => {
  if (op.kind === 'avgpool' && isBlockAverage(op) && from.kind === 'image') return blockAverage(w, op.size, from);
  const emit = declare(w);
  const [[kh, kw], [sh, sw]] = [op.size, op.stride];
  const size = (s: Space): string => (s.kind === 'image' ? `${s.h} ${s.w}` : `1 ${s.n}`);
  const channels = from.kind === 'image' ? `[finType of 'I_${from.c}]` : '[finType of unit]';
  const windows = `R ${channels} ${size(from)} ${size(to)} ${kh} ${kw} ${sh} ${sw}`;
  const shared = rational(multiplicityOf(op));
  let term: string;
  let proof: string;
  let squared = shared;
  if (op.kind === 'avgpool') {
    const s = emit('Variable', 's', 'R');
    const { divisorSquared: divisor } = op;
    const root = emit('Hypothesis', 's_root', `${s} ^+ 2 * ${ratio(divisor)} <= 1`);
    const entries = BigInt(kh * kw) * shared.num;
    squared = div(rational(entries), divisor);
    term = `(@sum_pool ${windows} ${s})`;
    proof = `(@sum_pool_ratio ${windows} isT isT ${s} ${divisor.num} ${divisor.den} ${entries} ${squared.num} ${squared.den} isT isT isT ${root} isT isT)`;
  } else {
    const [oh, ow] = size(to).split(' ');
    const [h, width] = size(from).split(' ');
    const fits = `windows_${w.id}`;
    w.line(`Lemma ${fits}_h : (${oh}.-1 * ${sh} + ${kh} <= ${h})%N. Proof. by []. Qed.`);
    w.line(`Lemma ${fits}_w : (${ow}.-1 * ${sw} + ${kw} <= ${width})%N. Proof. by []. Qed.`);
    const whole = `${windows} isT isT ${fits}_h ${fits}_w`;
    const of = `${windows} isT isT isT isT ${fits}_h ${fits}_w`;
    if (op.kind === 'maxpool') {
      term = `(@maximum_pool ${whole})`;
      proof = `(@maximum_pool_ratio ${of} ${shared.num} isT)`;
    } else {
      const root = emit('Variable', 'root', 'R -> R');
      const isRoot = emit('Hypothesis', 'root_sqr', `forall a, 0 <= a -> 0 <= ${root} a /\\ ${root} a ^+ 2 = a`);
      term = `(@norm_pool ${windows} ${root})`;
      proof = `(@norm_pool_ratio ${windows} isT isT ${root} ${isRoot} ${shared.num} isT)`;
    }
  }
  if (from.kind === 'features') {
    term = `(on_row ${term})`;
    proof = `(on_row_lips (ratio_ge0 R ${squared.num} ${squared.den}) ${proof})`;
  }
  return { term, proof, squared };
};
