/**
 * Networks with branches as Coq: every value is a function of the input with a squared constant, from the theorems of Branching.v. Parts of
 * disjoint channels that are joined again are bounded as functions of the value they are parts of.
 */
import type { Layer, Network, ValueId } from '../ir/network.ts';
import { printOp } from '../ir/print-network.ts';
import { absolute, add, equal, exactSqrt, max, mul, ONE, type Rational } from '../ir/rational.ts';
import { NotInCoq, ratio } from './coq-dominance.ts';
import {
  channelsOf,
  comment,
  declare,
  equation,
  layerTerm,
  nat,
  outputSpace,
  positionsOf,
  type Space,
  signed,
  vectors,
  type Writer,
} from './coq-layers.ts';

/** A function of the input of the section, `name`, with the lemma `NAME_lips : lips (ratio …) NAME`. */
export interface CoqValue {
  readonly name: string;
  readonly space: Space;
  readonly shape: readonly number[];
  readonly squared: Rational;
}

/** A layer read for its own sake: what a part of a value goes through before it is joined. */
interface Step {
  readonly layer: Layer;
  readonly name: string;
  readonly from: Space;
  readonly to: Space;
  readonly constant?: Rational;
}

/** True where some layer does not read the value just before it. */
export const isBranched = (network: Network): boolean =>
  network.layers.some(
    ({ inputs }, i) => inputs.length !== 1 || inputs[0] !== (i === 0 ? network.input.id : network.layers[i - 1].id),
  );

const numbers = (a: Rational): string => `${a.num} ${a.den}`;

/** Where a choice of channels starts and ends. */
const rangeOf = (layer: Layer): readonly [number, number] =>
  layer.op.kind === 'slice' ? [layer.op.start, layer.op.start + layer.op.length] : [0, 0];

/**
 * Writes every layer of `body` and returns its last value. Throws NotInCoq where bounds of a sum have no common measure and for layers
 * without a Coq form.
 */
export const branchedChain = (
  line: (text: string) => void,
  network: Network,
  body: readonly Layer[],
  input: Space,
): CoqValue => {
  const source = vectors(input);
  const values = new Map<ValueId, CoqValue>();
  const steps = new Map<ValueId, Step>();
  const valueAt = (id: ValueId): CoqValue => {
    const value = values.get(id);
    if (!value) throw new Error(`value ${id} is read before it is made`);
    return value;
  };
  const define = (
    name: string,
    space: Space,
    shape: readonly number[],
    term: string,
    squared: Rational,
    proof: string,
  ): CoqValue => {
    line(`Definition ${name} : ${source} -> ${vectors(space)} := ${term}.`);
    line(`Lemma ${name}_lips : lips ${ratio(squared)} ${name}.`);
    line(`Proof. exact: ${proof}. Qed.`);
    return { name, space, shape, squared };
  };
  /** The same bound in lowest terms, or a larger one. */
  const within = (bound: Rational, squared: Rational, proof: string): string =>
    equal(bound, squared) ? proof : `(@lips_ratio R _ _ ${numbers(squared)} ${numbers(bound)} _ isT isT isT ${proof})`;

  values.set(
    network.input.id,
    define('value_0', input, network.input.shape, '@id _', ONE, '(lip_ratio (@lip_id R _))'),
  );

  const unary = (w: Writer, layer: Layer): CoqValue => {
    const from = valueAt(layer.inputs[0]);
    const to = outputSpace(w, layer.op, from.space, from.shape, layer.shape);
    const { term, proof, constant } = layerTerm(w, layer, from.space, to, from.shape);
    const name = `layer_${w.id}`;
    line(`Definition ${name} : ${vectors(from.space)} -> ${vectors(to)} := ${term}.`);
    line(`Lemma ${name}_lip : ${constant ? `lipc ${ratio(constant)}` : 'lip'} ${name}.`);
    line(`Proof. exact: ${proof}. Qed.`);
    steps.set(layer.id, { layer, name, from: from.space, to, ...(constant && { constant }) });
    const squared = constant ? mul(mul(constant, constant), from.squared) : from.squared;
    const chained = constant
      ? `(@lips_ratio R _ _ (${constant.num} * ${constant.num} * ${from.squared.num})%num (${constant.den} * ${constant.den} * ${from.squared.den})%num ${numbers(squared)} _ isT isT isT (after_ratio ${from.name}_lips (lipc_ratio ${name}_lip)))`
      : `(after_lip ${from.name}_lips ${name}_lip)`;
    return define(`value_${w.id}`, to, layer.shape, `${name} \\o ${from.name}`, squared, chained);
  };

  /** Two values side by side along their channels. */
  const side = (w: Writer, a: Space, b: Space, to: Space): { readonly map: string; readonly injective: string } => {
    const size = equation(w, `(${channelsOf(a)} + ${channelsOf(b)})%N = ${channelsOf(to)}`);
    return to.kind === 'features'
      ? { map: `(join_features ${size})`, injective: `(@join_features_inj _ _ _ ${size})` }
      : {
          map: `(@join_channels ${positionsOf(to)} _ _ _ ${size})`,
          injective: `(@join_channels_inj ${positionsOf(to)} _ _ _ ${size})`,
        };
  };

  /** The layers from the choice of channels that `id` goes back to, that choice first. */
  const partOf = (id: ValueId): readonly Step[] => {
    const step = steps.get(id);
    if (!step) return [];
    return step.layer.op.kind === 'slice' ? [step] : [...partOf(step.layer.inputs[0]), step];
  };
  const apart = (w: Writer, layer: Layer, to: Space): CoqValue | undefined => {
    if (layer.inputs.length !== 2) return undefined;
    const parts = layer.inputs.map(partOf);
    const [p, q] = parts.map(part => part[0]);
    if (p?.layer.op.kind !== 'slice' || q?.layer.op.kind !== 'slice' || p.layer.inputs[0] !== q.layer.inputs[0])
      return undefined;
    const [[ps, pe], [qs, qe]] = [rangeOf(p.layer), rangeOf(q.layer)];
    if (pe > qs && qe > ps) return undefined;
    const whole = valueAt(p.layer.inputs[0]);
    const bounded = parts.map((part, k) => {
      const name = `part_${w.id}_${k + 1}`;
      const rest = part.slice(1);
      const squared = rest.reduce((s, { constant }) => (constant ? mul(s, mul(constant, constant)) : s), ONE);
      if (!equal(squared, ONE))
        throw new NotInCoq(`${layer.path}: a part with a bound other than 1 has no Coq form here yet`);
      line(
        `Definition ${name} : ${vectors(part[0].to)} -> ${vectors(part.at(-1)?.to ?? part[0].to)} := ${rest.reduce((f, s) => `${s.name} \\o ${f}`, '@id _')}.`,
      );
      line(`Lemma ${name}_lip : lip ${name}.`);
      line(`Proof. exact: ${rest.reduce((f, s) => `(lip_comp ${f} ${s.name}_lip)`, '(@lip_id R _)')}. Qed.`);
      return { name, to: part.at(-1)?.to ?? part[0].to };
    });
    const { map, injective } = side(w, bounded[0].to, bounded[1].to, to);
    const [a, b] = bounded.map(part => part.name);
    const [pc, qc] = [p, q].map(s => `${s.name}_choice`);
    const positions = whole.space.kind === 'image' ? `${positionsOf(whole.space)} ` : '';
    const name = `parts_${w.id}`;
    line(`Lemma apart_${w.id} : forall i j, ${pc} i <> ${qc} j.`);
    line(
      `Proof. exact: (@${positions ? 'channels' : 'features'}_apart ${positions}_ _ _ _ _ ${p.name}_fits ${q.name}_fits isT). Qed.`,
    );
    line(
      `Definition ${name} : ${vectors(whole.space)} -> ${vectors(to)} := join ${map} (${a} \\o select ${pc}) (${b} \\o select ${qc}).`,
    );
    line(`Lemma ${name}_lip : lip ${name}.`);
    line(
      `Proof. exact: (disjoint_lips (@ler01 R) ${pc}_inj ${qc}_inj apart_${w.id} ${injective} ${a}_lip ${b}_lip). Qed.`,
    );
    const proof = `(after_lip ${whole.name}_lips ${name}_lip)`;
    return define(`value_${w.id}`, to, layer.shape, `${name} \\o ${whole.name}`, whole.squared, proof);
  };

  const joined = (w: Writer, layer: Layer): CoqValue => {
    const { op } = layer;
    const inputs = layer.inputs.map(valueAt);
    const [first] = inputs;
    const name = `value_${w.id}`;
    const to = outputSpace(w, op, first.space, first.shape, layer.shape);
    const fold = (of: readonly CoqValue[], step: (a: CoqValue, b: CoqValue, name: string) => CoqValue): CoqValue =>
      of.slice(1).reduce((a, b, k) => step(a, b, k === of.length - 2 ? name : `${name}_${k + 2}`), of[0]);
    const cast = (v: CoqValue): string => `(${v.name} x : ${vectors(to)})`;
    switch (op.kind) {
      case 'sum': {
        const parts = inputs.map((value, k): CoqValue => {
          const factor = op.factors[k];
          if (equal(factor, ONE) && inputs.length > 1) return value;
          const size = absolute(factor);
          const squared = mul(mul(size, size), value.squared);
          const proof = `(@scaled_ratio R _ _ ${value.name} ${numbers(value.squared)} ${numbers(size)} ${signed(factor)} ltac:(by rewrite ?normrN norm_ratio) ${value.name}_lips)`;
          const unreduced = `(@lips_ratio R _ _ (${size.num} * ${size.num} * ${value.squared.num})%num (${size.den} * ${size.den} * ${value.squared.den})%num ${numbers(squared)} _ isT isT isT ${proof})`;
          return define(
            `${name}_part_${k + 1}`,
            to,
            layer.shape,
            `fun x => ${signed(factor)} *c ${cast(value)}`,
            squared,
            unreduced,
          );
        });
        if (parts.length === 1)
          return define(name, to, layer.shape, parts[0].name, parts[0].squared, `${parts[0].name}_lips`);
        return fold(parts, (a, b, sum) => {
          const root = exactSqrt(mul(a.squared, b.squared));
          if (!root) throw new NotInCoq(`${layer.path}: bounds without a common measure have no Coq form here yet`);
          const squared = add(add(a.squared, b.squared), add(root, root));
          const proof = `(@sum_ratio R _ _ ${a.name} ${b.name} ${numbers(a.squared)} ${numbers(b.squared)} ${numbers(root)} ${numbers(squared)} ${a.name}_lips ${b.name}_lips isT isT isT isT isT isT)`;
          return define(sum, to, layer.shape, `fun x => ${cast(a)} + ${cast(b)}`, squared, proof);
        });
      }
      case 'mix': {
        const [a, b] = inputs;
        const squared = max(a.squared, b.squared);
        const emit = declare(w);
        let weight: string;
        let low: string;
        let high: string;
        if (op.weight.kind === 'constant') {
          const { value } = op.weight;
          weight = ratio(value);
          low = `(ratio_ge0 R ${numbers(value)})`;
          high = `(@ratio_le1 R ${numbers(value)} isT isT)`;
        } else {
          weight = emit('Variable', 'weight', 'R');
          low = emit('Hypothesis', 'weight_ge0', `0 <= ${weight}`);
          high = emit('Hypothesis', 'weight_le1', `${weight} <= 1`);
        }
        const proofs = inputs.map(v => within(squared, v.squared, `${v.name}_lips`));
        return define(
          name,
          to,
          layer.shape,
          `fun x => (1 - ${weight}) *c ${cast(a)} + ${weight} *c ${cast(b)}`,
          squared,
          `(mix_ratio ${low} ${high} ${proofs.join(' ')})`,
        );
      }
      case 'maximum':
        return fold(inputs, (a, b, both) => {
          const squared = add(a.squared, b.squared);
          const sum = `(@added_ratio R ${numbers(a.squared)} ${numbers(b.squared)} ${numbers(squared)} isT isT isT isT)`;
          return define(
            both,
            to,
            layer.shape,
            `${op.of} ${a.name} ${b.name}`,
            squared,
            `(${op.of}_lips ${sum} ${a.name}_lips ${b.name}_lips)`,
          );
        });
      case 'concat': {
        const parts = apart(w, layer, to);
        if (parts) return parts;
        let channels = first.shape[0];
        return fold(inputs, (a, b, both) => {
          channels += b.shape[0];
          const space: Space = both === name ? to : withChannels(to, nat({ ...w, id: both }, 'c', channels));
          const { map, injective } = side({ ...w, id: both === name ? w.id : both }, a.space, b.space, space);
          const squared = add(a.squared, b.squared);
          const sum = `(@added_ratio R ${numbers(a.squared)} ${numbers(b.squared)} ${numbers(squared)} isT isT isT isT)`;
          return define(
            both,
            space,
            [channels, ...layer.shape.slice(1)],
            `join ${map} ${a.name} ${b.name}`,
            squared,
            `(join_lips ${injective} ${sum} ${a.name}_lips ${b.name}_lips)`,
          );
        });
      }
      default:
        throw new Error(`${op.kind} joins nothing`);
    }
  };

  let last = valueAt(network.input.id);
  for (const [i, layer] of body.entries()) {
    const w: Writer = { line, id: `${i + 1}`, run: false };
    line('');
    line(comment(`${layer.path}: ${printOp(layer.op)}`));
    const { kind } = layer.op;
    last =
      kind === 'sum' || kind === 'mix' || kind === 'maximum' || kind === 'concat' ? joined(w, layer) : unary(w, layer);
    values.set(layer.id, last);
  }
  return last;
};

const withChannels = (space: Space, channels: string): Space =>
  space.kind === 'features' ? { kind: 'features', n: channels } : { ...space, c: channels };
