/**
 * Networks with branches as Coq. As in the prover, every value is a function of the nearest value that all paths from the input to it pass, with a
 * squared constant, from the theorems of Branching.v; so parts of disjoint channels are bounded as functions of the value they are parts of.
 */
import { forkOf, wayFrom } from '../ir/fork.ts';
import { isJoin, type Join, type Layer, type Network, type ValueId } from '../ir/network.ts';
import { printOp } from '../ir/print-network.ts';
import { absolute, add, equal, exactSqrt, max, mul, ONE, type Rational, rootAbove } from '../ir/rational.ts';
import type { LayerTerm } from './coq-activations.ts';
import { layerTerm } from './coq-layers.ts';
import {
  channelsOf,
  comment,
  declare,
  equation,
  nat,
  outputSpace,
  positionsOf,
  ratio,
  type Space,
  signed,
  vectors,
  type Writer,
} from './coq-space.ts';

/** A function between values in the section, `name`, with the lemma `NAME_lips : lips (ratio …) NAME`. */
interface CoqMap {
  readonly name: string;
  readonly to: Space;
  readonly shape: readonly number[];
  readonly squared: Rational;
}

/** A value, and how it is made of the one that it hangs below. */
interface Node {
  readonly from?: Node;
  readonly depth: number;
  readonly step?: CoqMap;
  readonly layer?: Layer;
  readonly space: Space;
  readonly shape: readonly number[];
}

/** True where some layer does not read the value just before it. */
export const isBranched = (network: Network): boolean =>
  network.layers.some(
    ({ inputs }, i) => inputs.length !== 1 || inputs[0] !== (i === 0 ? network.input.id : network.layers[i - 1].id),
  );

const numbers = (a: Rational): string => `${a.num} ${a.den}`;
const square = (a: Rational): Rational => mul(a, a);

/** Writes every layer of `body` and the map from the input to its last value. Throws NotInCoq for layers without a Coq form. */
export const branchedChain = (
  line: (text: string) => void,
  network: Network,
  body: readonly Layer[],
  input: Space,
): CoqMap => {
  const root: Node = { depth: 0, space: input, shape: network.input.shape };
  const nodes = new Map<ValueId, Node>([[network.input.id, root]]);
  const nodeAt = (id: ValueId): Node => {
    const node = nodes.get(id);
    if (!node) throw new Error(`value ${id} is read before it is made`);
    return node;
  };
  const define = (
    name: string,
    from: Space,
    to: Space,
    shape: readonly number[],
    term: string,
    squared: Rational,
    proof: string,
  ): CoqMap => {
    line(`Definition ${name} : ${vectors(from)} -> ${vectors(to)} := ${term}.`);
    line(`Lemma ${name}_lips : lips ${ratio(squared)} ${name}.`);
    line(`Proof. exact: ${proof}. Qed.`);
    return { name, to, shape, squared };
  };
  /** The same bound in lowest terms, or a larger one. */
  const within = (bound: Rational, squared: Rational, proof: string): string =>
    equal(bound, squared) ? proof : `(@lips_ratio R _ _ ${numbers(squared)} ${numbers(bound)} _ isT isT isT ${proof})`;

  /** The map along `way`, from `top`. */
  const composed = (name: string, top: Node, way: readonly Node[]): CoqMap => {
    const steps = way.flatMap(n => (n.step ? [n.step] : []));
    if (steps.length === 1) return steps[0];
    const last = way.at(-1) ?? top;
    const squared = steps.reduce((s, step) => mul(s, step.squared), ONE);
    let term = '@id _';
    let proof = '(lip_ratio (@lip_id R _))';
    let [num, den] = ['1', '1'];
    for (const [i, step] of steps.entries()) {
      term = i === 0 ? step.name : `${step.name} \\o (${term})`;
      proof = i === 0 ? `${step.name}_lips` : `(after_ratio ${proof} ${step.name}_lips)`;
      [num, den] =
        i === 0
          ? [`${step.squared.num}`, `${step.squared.den}`]
          : [`(${step.squared.num} * ${num})%num`, `(${step.squared.den} * ${den})%num`];
    }
    const reduced =
      steps.length === 0 ? proof : `(@lips_ratio R _ _ ${num} ${den} ${numbers(squared)} _ isT isT isT ${proof})`;
    return define(name, top.space, last.space, last.shape, term, squared, reduced);
  };

  const unary = (w: Writer, layer: Layer): Node => {
    const from = nodeAt(layer.inputs[0]);
    const to = outputSpace(w, layer.op, from.space, from.shape, layer.shape);
    const made: LayerTerm = layerTerm(w, layer, from.space, to, from.shape);
    const { term, proof, constant } = made;
    const unit = `(${constant?.num} * ${constant?.num})%num (${constant?.den} * ${constant?.den})%num`;
    const squared = made.squared ?? (constant ? square(constant) : ONE);
    const bound = made.squared
      ? proof
      : constant
        ? `(@lips_ratio R _ _ ${unit} ${numbers(squared)} _ isT isT isT (lipc_ratio ${proof}))`
        : `(lip_ratio ${proof})`;
    const step = define(`layer_${w.id}`, from.space, to, layer.shape, term, squared, bound);
    return { from, depth: from.depth + 1, step, layer, space: to, shape: layer.shape };
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

  /** Parts of disjoint channels of `fork`, each followed by steps of its own. */
  const split = (w: Writer, layer: Layer, fork: Node, ways: readonly (readonly Node[])[], to: Space): CoqMap => {
    const place = fork.space.kind === 'image' ? '(fun i => nat_of_ord i.1)' : '(fun i => nat_of_ord i)';
    const inside = fork.space.kind === 'image' ? 'channels_inside' : 'features_inside';
    const behind = ways.map((way, k) => composed(`way_${w.id}_${k + 1}`, way[0], way.slice(1)));
    const squared = behind.map(b => b.squared).reduce(max);
    const c = ratio(squared);
    const positive = `(ratio_ge0 R ${numbers(squared)})`;
    const written = (name: string, space: Space, term: string, ranges: string, proof: string): void => {
      line(`Definition ${name} : ${vectors(fork.space)} -> ${vectors(space)} := ${term}.`);
      line(`Lemma ${name}_within : within (fun i => inside ${ranges} (${place} i)) ${c} ${name}.`);
      line(`Proof. exact: ${proof}. Qed.`);
    };
    const parts = ways.map(([slice], k) => {
      const { op } = slice.layer!;
      const start = op.kind === 'slice' ? op.start : 0;
      const name = `part_${w.id}_${k + 1}`;
      const choice = `${slice.step!.name}_choice`;
      const own = behind[k];
      const ranges = `[:: (${start}, ${start} + ${channelsOf(slice.space)})%N]`;
      const bound = within(squared, own.squared, `${own.name}_lips`);
      written(
        name,
        own.to,
        `${own.name} \\o select ${choice}`,
        ranges,
        `(within_select ${positive} ${choice}_inj (fun k => ${inside} ${slice.step!.name}_fits k) ${bound})`,
      );
      return { name, space: own.to, ranges, channels: own.shape[0] };
    });
    const all = parts.slice(1).reduce((a, b, k) => {
      const last = k === parts.length - 2;
      const id = last ? w.id : `${w.id}_${k + 2}`;
      const channels = a.channels + b.channels;
      const space = last ? to : withChannels(to, nat({ ...w, id }, 'c', channels));
      const { map, injective } = side({ ...w, id }, a.space, b.space, space);
      const name = `parts_${id}`;
      const proof = `(within_ranges (place := ${place}) (r := ${a.ranges}) (r' := ${b.ranges}) ${positive} ${injective} isT ${a.name}_within ${b.name}_within)`;
      const ranges = `(${a.ranges} ++ ${b.ranges})`;
      written(name, space, `join ${map} ${a.name} ${b.name}`, ranges, proof);
      return { name, space, ranges, channels };
    }, parts[0]);
    const proof = `(within_lips ${positive} ${all.name}_within)`;
    return define(`layer_${w.id}`, fork.space, to, layer.shape, all.name, squared, proof);
  };

  const joined = (w: Writer, layer: Layer, op: Join): Node => {
    const inputs = layer.inputs.map(nodeAt);
    const fork = forkOf(inputs);
    const ways = inputs.map(n => wayFrom(fork, n));
    const name = `layer_${w.id}`;
    const to = outputSpace(w, op, inputs[0].space, inputs[0].shape, layer.shape);
    const node = (step: CoqMap): Node => ({
      from: fork,
      depth: fork.depth + 1,
      step,
      layer,
      space: to,
      shape: layer.shape,
    });
    if (op.kind === 'concat' && ways.length > 1 && areDisjoint(ways)) return node(split(w, layer, fork, ways, to));
    const branches = ways.map((way, k) => composed(`way_${w.id}_${k + 1}`, fork, way));
    const fold = (of: readonly CoqMap[], step: (a: CoqMap, b: CoqMap, name: string) => CoqMap): CoqMap =>
      of.slice(1).reduce((a, b, k) => step(a, b, k === of.length - 2 ? name : `${name}_${k + 2}`), of[0]);
    const here = (name: string, term: string, squared: Rational, proof: string): CoqMap =>
      define(name, fork.space, to, layer.shape, term, squared, proof);
    const cast = (v: CoqMap): string => `(${v.name} x : ${vectors(to)})`;
    switch (op.kind) {
      case 'sum': {
        // Bounds without a common measure are rounded up, as the prover does.
        const unit = branches[0].squared;
        const exact = branches.every(b => exactSqrt(mul(b.squared, { num: unit.den, den: unit.num })));
        const measured = branches.map((b): CoqMap => {
          if (exact || exactSqrt(b.squared)) return b;
          const squared = square(rootAbove(b.squared));
          const proof = within(squared, b.squared, `${b.name}_lips`);
          return { ...here(`${name}_above_${b.name}`, b.name, squared, proof), shape: b.shape };
        });
        const parts = measured.map((value, k): CoqMap => {
          const factor = op.factors[k];
          if (equal(factor, ONE) && measured.length > 1) return value;
          const size = absolute(factor);
          const squared = mul(square(size), value.squared);
          const proof = `(@scaled_ratio R _ _ ${value.name} ${numbers(value.squared)} ${numbers(size)} ${signed(factor)} ltac:(by rewrite ?normrN norm_ratio) ${value.name}_lips)`;
          const unreduced = `(@lips_ratio R _ _ (${size.num} * ${size.num} * ${value.squared.num})%num (${size.den} * ${size.den} * ${value.squared.den})%num ${numbers(squared)} _ isT isT isT ${proof})`;
          return here(`${name}_part_${k + 1}`, `fun x => ${signed(factor)} *c ${cast(value)}`, squared, unreduced);
        });
        if (parts.length === 1) return node(here(name, parts[0].name, parts[0].squared, `${parts[0].name}_lips`));
        return node(
          fold(parts, (a, b, sum) => {
            const root = exactSqrt(mul(a.squared, b.squared))!;
            const squared = add(add(a.squared, b.squared), add(root, root));
            const proof = `(@sum_ratio R _ _ ${a.name} ${b.name} ${numbers(a.squared)} ${numbers(b.squared)} ${numbers(root)} ${numbers(squared)} ${a.name}_lips ${b.name}_lips isT isT isT isT isT isT)`;
            return here(sum, `fun x => ${cast(a)} + ${cast(b)}`, squared, proof);
          }),
        );
      }
      case 'mix': {
        const [a, b] = branches;
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
        const proofs = branches.map(v => within(squared, v.squared, `${v.name}_lips`));
        return node(
          here(
            name,
            `fun x => (1 - ${weight}) *c ${cast(a)} + ${weight} *c ${cast(b)}`,
            squared,
            `(mix_ratio ${low} ${high} ${proofs.join(' ')})`,
          ),
        );
      }
      case 'maximum':
        return node(
          fold(branches, (a, b, both) => {
            const squared = add(a.squared, b.squared);
            const sum = `(@added_ratio R ${numbers(a.squared)} ${numbers(b.squared)} ${numbers(squared)} isT isT isT isT)`;
            const proof = `(${op.of}_lips ${sum} ${a.name}_lips ${b.name}_lips)`;
            return here(both, `${op.of} ${a.name} ${b.name}`, squared, proof);
          }),
        );
      case 'concat': {
        let channels = branches[0].shape[0];
        return node(
          fold(branches, (a, b, both) => {
            channels += b.shape[0];
            const id = both === name ? w.id : both;
            const space: Space = both === name ? to : withChannels(to, nat({ ...w, id }, 'c', channels));
            const { map, injective } = side({ ...w, id }, a.to, b.to, space);
            const squared = add(a.squared, b.squared);
            const sum = `(@added_ratio R ${numbers(a.squared)} ${numbers(b.squared)} ${numbers(squared)} isT isT isT isT)`;
            const proof = `(join_lips ${injective} ${sum} ${a.name}_lips ${b.name}_lips)`;
            const shape = [channels, ...layer.shape.slice(1)];
            return define(both, fork.space, space, shape, `join ${map} ${a.name} ${b.name}`, squared, proof);
          }),
        );
      }
      default:
        return op satisfies never;
    }
  };

  let last = root;
  for (const [i, layer] of body.entries()) {
    const w: Writer = { line, id: `${i + 1}`, run: false };
    line('');
    line(comment(`${layer.path}: ${printOp(layer.op)}`));
    last = isJoin(layer.op) ? joined(w, layer, layer.op) : unary(w, layer);
    nodes.set(layer.id, last);
  }
  return composed('whole', root, wayFrom(root, last));
};

/** True where every way begins with a choice of channels of the fork and no two of them overlap. */
const areDisjoint = (ways: readonly (readonly Node[])[]): boolean => {
  const ranges = ways.flatMap(([first]) =>
    first?.layer?.op.kind === 'slice'
      ? [[first.layer.op.start, first.layer.op.start + first.layer.op.length] as const]
      : [],
  );
  if (ranges.length < ways.length) return false;
  const sorted = [...ranges].sort((a, b) => a[0] - b[0]);
  return sorted.every((r, i) => i === 0 || sorted[i - 1][1] <= r[0]);
};

const withChannels = (space: Space, channels: string): Space =>
  space.kind === 'features' ? { kind: 'features', n: channels } : { ...space, c: channels };
