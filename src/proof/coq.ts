/**
 * A proven network as a Coq file: it states and proves, from the theory in proofs/, that this architecture has its bound for all weights,
 * and the certificate of an input by its head. Parameters are section variables; what a witness must satisfy is a hypothesis on it.
 */
import type { Activation, Layer, LinearMap, Rescaling, Shape } from '../ir/network.ts';
import { printOp } from '../ir/print-network.ts';
import { compare, equal, format, mul, ONE } from '../ir/rational.ts';
import { isBlockAverage } from '../ir/window.ts';
import type { ProvenNetwork } from '../passes/prove/prove.ts';
import type { LayerTerm } from './coq-activations.ts';
import { branchedChain, isBranched } from './coq-branches.ts';
import { layerTerm } from './coq-layers.ts';
import {
  applied,
  binder,
  comment,
  NotInCoq,
  nat,
  outputSpace,
  ratio,
  type Space,
  vectors,
  type Writer,
} from './coq-space.ts';

export { NotInCoq };

/** Equal for layers that differ in nothing but the names of their parameters. */
const layerKey = (layer: Layer): string =>
  JSON.stringify([layer.op, layer.shape], (key, value) =>
    typeof value === 'bigint' ? `${value}n` : key === 'path' ? undefined : value,
  );

const HEADER = `From Coq Require Import BinNat.
From mathcomp Require Import all_ssreflect all_algebra.
From Lip Require Import Base Activation Gershgorin Residual Structure Sorting Conv Image Orthogonal Operators Turns Pooling SkewExponential Lattice Circle OrthogonalKernel Polyphase Rules Layers Architecture Branching Families Channels Spectra Frequencies Skew Strides Groups KernelChains SampledBounds SampledTorus Head.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.
`;

const usesActivation = (layers: readonly Layer[], kinds: readonly Activation['kind'][]): boolean =>
  layers.some(
    ({ op }) =>
      (op.kind === 'residual' || op.kind === 'sandwich' || op.kind === 'activation') && kinds.includes(op.act.kind),
  );

/** True where padding is circular: its theorem unrolls the circle, however often. */
const usesCircles = (layers: readonly Layer[]): boolean =>
  layers.some(
    ({ op }) =>
      (op.kind === 'residual' || op.kind === 'linear') && op.map.kind === 'conv' && op.map.mode === 'circular',
  );

const usesRescaling = (
  layers: readonly Layer[],
  wanted: (r: Exclude<Rescaling, { by: 'max' | 'convex' | 'scaled' }>, map: LinearMap) => boolean,
): boolean => {
  const part = (r: Rescaling, map: LinearMap): boolean => {
    switch (r.by) {
      case 'max':
        return r.of.some(p => part(p, map));
      case 'convex':
        return r.of.some(p => part(p.part, map));
      case 'scaled':
        return part(r.of, map);
      default:
        return wanted(r, map);
    }
  };
  return layers.some(({ op }) => (op.kind === 'residual' || op.kind === 'linear') && part(op.rescaling, op.map));
};

/** True where T is a root of high order: its theorem needs that no number is above all others. */
const usesRoots = (layers: readonly Layer[]): boolean => usesRescaling(layers, r => r.by === 'power');

/** True where T is of a symbol: the theorems need parts of a turn, between the points of a grid finer and finer ones, so roots of polynomials. */
const usesSamples = (layers: readonly Layer[]): boolean =>
  usesRescaling(
    layers,
    (r, map) =>
      r.by === 'spectral' && (r.method.kind === 'gram' || r.method.kind === 'circulant') && map.kind === 'conv',
  );

/** True where the bound of a layer need not be rational, so that the network's is written by its square. */
const hasSquaredBound = ({ op }: Layer): boolean =>
  op.kind === 'maxpool' || op.kind === 'l2pool' || (op.kind === 'avgpool' && !isBlockAverage(op));

/** What the file states and how to check it, for a reader who has nothing but the file and the theory. */
const preamble = (name: string, budget: string, head: boolean): string =>
  `${name}: ${budget}-Lipschitz for all weights, by \`lip prove --coq\`.

   What it states. ${name}_lip: the function \`features\`, which is the network up to its head, is ${budget}-Lipschitz in the Euclidean norm, over any
   ordered field R of the kind that the section names; the real numbers are of all these kinds. The parameters are the variables of the
   section, so the theorem holds for all their values. A hypothesis says what defines a stored number that is a root, an exponential or a norm, as an inequality: s_root says s^2 T <= 1, so s may be rounded down. Two are about
   matrices: gram_schmidt says that the columns of Q are orthogonal to each other, of norm 1 or 0; cholesky what L is a factor of. gram_iteration
   bounds powers of Gram matrices, of a symbol at the frequencies of a grid; gram_iteration_circulant, of a convolution in groups alone, says that lam is
   at least its squared norm. circle N co si says that co and si are the cosines and sines
   of the multiples of a 4N-th part of a turn; there is one such pair (circle_exists, circle_unique in theories/Turns.v). waves are the cosines and sines of an image's frequencies, with
   their addition theorems and sums; root_eps is a root of eps, and norm_ge says what the norm at each frequency is at least.${
     head
       ? `
   ${name}_radius: if every margin is positive and larger than the norm of the difference of two rows of the head times the radius, no input
   within the radius has another label.`
       : ''
   }
   lips c f: |f x - f y|^2 <= c |x - y|^2; lipc c f is lips (c^2) f; lip f is lips 1 f (theories/Base.v).

   How to check it. \`npm run test:coq -- THIS_FILE\` compiles the theory in proofs/ and this file, and asks Coq for axioms; by hand, in proofs/:
   coqc -Q theories Lip THIS_FILE, after the files of _CoqProject in their order. \`Print Assumptions ${name}_lip.\` answers "Closed under the
   global context".`;

/**
 * The text of a Coq file about `proven`: theorem NAME_lip, `lip features` or `lipc budget features`, for all parameters; with a head also
 * NAME_radius, the certificate of an input. Throws NotInCoq for layers that the theory has no wrapper for.
 */
export const coqFile = (proven: ProvenNetwork): string => {
  const { network } = proven;
  const lines: string[] = [];
  const line = (text: string): void => void lines.push(text);
  const body = network.layers.filter(l => l.op.kind !== 'head');
  const head = network.layers.find(l => l.op.kind === 'head');
  line(comment(preamble(network.name, format(network.budget), head !== undefined)));
  line(HEADER);
  line('Section Network.');
  const archimedean = usesActivation(body, ['tanh']) || usesRoots(body) || usesCircles(body);
  if (usesSamples(body)) {
    line('Variable R : rcfType.');
    if (archimedean) {
      line('Hypothesis R_archimedean : Num.archimedean_axiom R.');
      line('Canonical R_archi := ArchiFieldType R R_archimedean.');
    }
  } else line(`Variable R : ${archimedean ? 'archiFieldType' : 'realFieldType'}.`);
  line('Notation relu := (fun a : R => Num.max a 0).');
  if (usesActivation(body, ['tanh', 'sigmoid'])) {
    line('(* an exponential *)');
    line('Variable E : R -> R.');
    line('Hypotheses (E_add : forall a b, E (a + b) = E a * E b) (E_ge : forall a, 1 + a <= E a).');
  }
  const start: Writer = { line, id: '0', run: false };
  const { shape } = network.input;
  let space: Space =
    shape.length === 1
      ? { kind: 'features', n: nat(start, 'n', shape[0]) }
      : { kind: 'image', c: nat(start, 'c', shape[0]), h: nat(start, 'h', shape[1]), w: nat(start, 'w', shape[2]) };
  const input = space;
  let before: Shape = shape;
  const { num, den } = network.budget;
  const statement = (type: Space, term: string): void => {
    line('');
    line(`Definition features : ${vectors(input)} -> ${vectors(type)} := ${term}.`);
    line('');
  };
  let plain = equal(network.budget, ONE);
  if (isBranched(network) || body.some(hasSquaredBound)) {
    const last = branchedChain(line, network, body, input);
    space = last.to;
    if (compare(last.squared, mul(network.budget, network.budget)) > 0)
      throw new NotInCoq('the budget rests on parts that have no Coq form yet');
    statement(space, last.name);
    line(`Theorem ${network.name}_lip : ${plain ? 'lip' : `lipc ${ratio(network.budget)}`} features.`);
    const side = plain
      ? `@ratio_lip R _ _ ${last.squared.num} ${last.squared.den} features isT isT`
      : `@ratio_lipc R _ _ ${last.squared.num} ${last.squared.den} ${num} ${den} features isT isT isT`;
    line(`Proof. exact: (${side} ${last.name}_lips). Qed.`);
  } else {
    const chain: LayerTerm[] = [];
    for (let i = 0; i < body.length; ) {
      const layer = body[i];
      const key = layerKey(layer);
      let count = 1;
      if (layer.op.kind === 'residual') while (i + count < body.length && layerKey(body[i + count]) === key) count++;
      const w: Writer = { line, id: `${i + 1}`, run: count > 1 };
      const last = body[i + count - 1];
      line('');
      line(comment(`${count > 1 ? `${layer.path} … ${last.path}` : layer.path}: ${printOp(layer.op)}`));
      const to = outputSpace(w, layer.op, space, before, layer.shape);
      const { term, proof, constant } = layerTerm(w, layer, space, to, before);
      const name = `layer_${w.id}`;
      line(`Definition ${name}${binder(w)} : ${vectors(space)} -> ${vectors(to)} := ${term}.`);
      const predicate = constant ? `lipc ${ratio(constant)}` : 'lip';
      line(`Lemma ${name}_lip${binder(w)} : ${predicate} ${applied(w, name)}.`);
      line(`Proof. exact: ${proof}. Qed.`);
      chain.push(
        count > 1
          ? { term: `(repeated ${name} ${count})`, proof: `(repeated_lip ${count} ${name}_lip)` }
          : { term: name, proof: `${name}_lip`, ...(constant && { constant }) },
      );
      space = to;
      before = layer.shape;
      i += count;
    }
    const composed = chain.reduce<(LayerTerm & { readonly product?: string }) | undefined>((f, g) => {
      const product = g.constant && ratio(g.constant);
      if (!f) return { ...g, ...(product && { product }) };
      const rule = f.product ? (product ? 'lipc_comp' : 'lipc_lip') : product ? 'lip_lipc' : 'lip_comp';
      const both = f.product && product ? `(${product} * ${f.product})` : (f.product ?? product);
      return {
        term: `(${g.term} \\o ${f.term})`,
        proof: `(${rule} ${f.proof} ${g.proof})`,
        ...(both && { product: both }),
      };
    }, undefined) ?? { term: 'id', proof: '(@lip_id R _)' };
    plain &&= composed.product === undefined;
    const bound = plain ? 'lip' : `lipc ${ratio(network.budget)}`;
    statement(space, composed.term);
    line(`Theorem ${network.name}_lip : ${bound} features.`);
    if (plain) line(`Proof. exact: ${composed.proof}. Qed.`);
    else if (composed.product === undefined)
      line(`Proof. exact: (lip_weaken (@ratio_ge1 R ${num} ${den} isT isT) ${composed.proof}). Qed.`);
    else {
      line('Proof.');
      line(`have h : lipc ${composed.product} features by exact: ${composed.proof}.`);
      line('by apply: lipc_weaken h; rewrite ?ratio_mul; [exact: ratio_ge0 | apply: ratio_le].');
      line('Qed.');
    }
  }
  if (head?.op.kind === 'head') {
    const squared = plain ? '1' : `${ratio(network.budget)} ^+ 2`;
    const margin = '(pair_margin features (head_W y) (head_W j) (head_b y) (head_b j) x)';
    line('');
    line(
      comment(
        'The certificate of an input, for any rows and offsets of the head: every other class keeps losing within the radius.',
      ),
    );
    line(`Variables (head_W : 'I_${head.op.classes} -> ${vectors(space)}) (head_b : 'I_${head.op.classes} -> R).`);
    line(`Theorem ${network.name}_radius (y : 'I_${head.op.classes}) (r2 : R) x :`);
    line(`  (forall j, j != y -> 0 < ${margin} /\\`);
    line(`     ${squared} * r2 * sqn (head_W y - head_W j) < ${margin} ^+ 2) ->`);
    line("  forall x', sqn (x - x') <= r2 -> predicts features head_W head_b x' y.");
    line(`Proof. exact: (head_radius ${plain ? 'ler01' : '(sqr_ge0 _)'} ${network.name}_lip). Qed.`);
  }
  line('End Network.');
  return `${lines.join('\n')}\n`;
};
