/**
 * The prover: a derivation, by the rules of `proof/rules.ts`, that the network up to its head is budget-Lipschitz for every value of its
 * parameters; or diagnostics that say which factor is to blame. Everything after this pass takes a `ProvenNetwork`, which only `prove` makes.
 */

import type { Diagnostic, Span } from '../../diagnostics.ts';
import { forkOf, wayFrom } from '../../ir/fork.ts';
import {
  type Activation,
  isJoin,
  type Join,
  type Layer,
  type LayerOp,
  type Network,
  type SubBudget,
  type ValueId,
  type Window,
} from '../../ir/network.ts';
import { printActivation, printRescaling } from '../../ir/print-network.ts';
import {
  absolute,
  compare,
  equal,
  format,
  isqrt,
  ONE,
  type Rational,
  rational,
  TWO,
  toNumber,
  ZERO,
} from '../../ir/rational.ts';
import { isBlockAverage } from '../../ir/window.ts';
import { formatBound } from '../../proof/derivation.ts';
import { apply, type Derivation, type GramSide } from '../../proof/rules.ts';
import { proveActivation, proveSlope } from './prove-activation.ts';
import { proveContraction, proveSandwich } from './prove-contraction.ts';
import { proveDominance } from './prove-dominance.ts';
import { isGap, proveFormula } from './prove-formula.ts';
import { circularFaults } from './prove-geometry.ts';
import { composed, MAX_PROOF, measure, proveJoin, type Reached, rootOf, squaredOf } from './prove-structure.ts';
import { refuseTwist } from './refuse-twist.ts';

declare const PROVEN: unique symbol;

/** What was proven of one layer. */
export interface ProvenLayer {
  readonly layer: Layer;
  /** Concludes 'lipschitz', or 'pairwise' for the head. Of a layer with several inputs: for the map from where they fork. */
  readonly derivation: Derivation;
  /** The layer's own squared bound, likewise; absent for the head, which is certified pairwise. */
  readonly squared?: Rational;
}

/** A bound stated inside the network. */
export interface ProvenPart {
  readonly part: SubBudget;
  /** By the rule `sub-budget`. */
  readonly derivation: Derivation;
  /** What was proven: at most the square of the bound stated. */
  readonly squared: Rational;
}

/** A network whose bound is proven. Only `prove` makes one. */
export interface ProvenNetwork {
  readonly [PROVEN]: true;
  readonly network: Network;
  /** The whole proof: concludes 'lipschitz' with the budget (or 'pairwise' with it, where there is a head). */
  readonly derivation: Derivation;
  /** Squared Lipschitz bound of the map up to, and not including, the head; at most budget². */
  readonly squared: Rational;
  /** In the order of `network.layers`. */
  readonly layers: readonly ProvenLayer[];
  /** What was proven of the bounds stated inside the network, in their order. */
  readonly subBudgets: readonly ProvenPart[];
}

/** Reports a side condition that fails; the derivation is then not attempted. */
export type Refuse = (
  code: Diagnostic['code'],
  message: string,
  help: string,
  notes?: readonly string[],
  /** Where the finding is, if not the layer's own statement. */
  place?: Pick<Diagnostic, 'span' | 'labels' | 'fix'>,
) => undefined;

/** The forms with an activation inside. */
const INSIDE = { residual: 'x − 2 W T⁻¹ σ(Wᵀx + b)', sandwich: '√2 AᵀΨσ(√2 Ψ⁻¹Bx + b)' };

/** Slope of the activation inside a layer of that form, or a refusal: its rule is false outside [0, 1]. */
const proveInnerSlope = (act: Activation, form: keyof typeof INSIDE, refuse: Refuse): Derivation | undefined => {
  const slope = proveSlope(act);
  const name = printActivation(act);
  const help = `put \`${name}\` between layers, as a statement of its own, and use relu, tanh, sigmoid or leaky_relu with a slope in [0, 1] inside`;
  const note = `${INSIDE[form]} is 1-Lipschitz only for elementwise σ with every difference quotient in [0, 1]`;
  if (slope?.conclusion.kind !== 'slope')
    return refuse('L0202', `\`${name}\` inside a ${form}: it mixes channels, so it has no slope in [0, 1]`, help, [
      note,
    ]);
  const { low, high } = slope.conclusion;
  if (compare(low, ZERO) < 0 || compare(high, ONE) > 0)
    return refuse(
      'L0202',
      `\`${name}\` inside a ${form}: its slopes fill [${format(low)}, ${format(high)}], which is not within [0, 1]`,
      help,
      [note],
    );
  return slope;
};

const provePool = (op: Extract<LayerOp, Window>, path: string): Derivation => {
  const [kh, kw] = op.size.map(n => rational(n));
  const [sh, sw] = op.stride.map(n => rational(n));
  if (op.kind !== 'avgpool') return apply(op.kind === 'maxpool' ? 'max-pool' : 'l2-pool', path, [], { kh, kw, sh, sw });
  const { divisorSquared } = op;
  return isBlockAverage(op)
    ? apply('block-average', path, [], { kh, kw })
    : apply('average-pool', path, [], { kh, kw, sh, sw, divisorSquared });
};

const sameSpan = (a: Span, b: Span): boolean => a.start === b.start && a.end === b.end;

type BodyOp = Exclude<LayerOp, Join | { kind: 'head' }>;

/** The Gram matrix of the stored weight that the layer's T dominates. */
const gramSide = ({ side, adjoint }: Extract<LayerOp, { kind: 'linear' }>): GramSide =>
  (side === 'in') !== (adjoint === true) ? 'columns' : 'rows';

/** The layer's own Lipschitz bound. */
const proveLayer = (op: BodyOp, { path, span }: Layer, refuse: Refuse): Derivation | undefined => {
  switch (op.kind) {
    case 'center':
    case 'translate':
      return apply('translate', path);
    case 'scale': {
      const sizes = op.divisor.map(absolute);
      if (sizes.length === 0 || sizes.some(d => equal(d, ZERO)))
        return refuse('L0113', '`scale` divides by 0', 'every divisor must be nonzero');
      return apply('divide', path, [], { least: sizes.reduce((a, b) => (compare(a, b) <= 0 ? a : b)) });
    }
    case 'pad':
      return apply('zero-pad', path);
    case 'linear': {
      const dominates = proveDominance(op.map, op.rescaling, gramSide(op), refuse);
      return dominates && apply(op.adjoint ? 'linear-adjoint' : 'linear', path, [dominates], {}, { side: op.side });
    }
    case 'residual': {
      const dominates = proveDominance(op.map, op.rescaling, 'rows', refuse);
      const slope = proveInnerSlope(op.act, 'residual', refuse);
      if (!dominates || !slope) return undefined;
      const about = { T: printRescaling(op.rescaling) };
      if (!op.identity && !op.factor) return apply('residual', path, [dominates, slope], {}, about);
      const constants = { h: op.identity ?? ONE, c: op.factor ?? TWO };
      return apply('general-residual', path, [dominates, slope], constants, about);
    }
    case 'contraction':
      return proveContraction(op, path, refuse);
    case 'sandwich': {
      const slope = proveInnerSlope(op.act, 'sandwich', refuse);
      return slope && proveSandwich(op, path, slope);
    }
    case 'formula': {
      const proof = proveFormula(op, path, span);
      if (!isGap(proof)) return proof;
      const used = { span, text: `used here as ${path}` };
      return refuse(proof.code, proof.message, proof.help, [], {
        span: proof.span,
        labels: [...(proof.labels ?? []), ...(sameSpan(proof.span, span) ? [] : [used])],
        ...(proof.fix ? { fix: proof.fix } : {}),
      });
    }
    case 'activation':
      return proveActivation(op.act, path);
    case 'avgpool':
    case 'maxpool':
    case 'l2pool':
      return provePool(op, path);
    case 'tile':
      return apply('copies', path, [], { n: rational(op.times) });
    case 'gain':
      return apply('bounded-gain', path);
    case 'batchcenter':
      return apply('batch-center', path);
    case 'layercenter':
      return apply('layer-center', path);
    case 'flatten':
    case 'space_to_depth':
    case 'depth_to_space':
      return apply('reindex', path);
    case 'slice':
      return apply('gather', path, [], { multiplicity: ONE });
    default:
      return op satisfies never;
  }
};

const pathRange = (first: string, last: string): string => (first === last ? first : `${first} … ${last}`);

const boundOf = ({ step }: Reached): string => (step ? formatBound(squaredOf(step)) : 'not proven');

/** The factors on the way from `top` to `to`; runs of equal neighbours take one line, so that 70 equal layers do. */
function* printFactors(top: Reached, to: Reached, indent: string): Generator<string> {
  const runs: { kind: string; bound: string; first: string; last: string; count: number; at: Reached }[] = [];
  for (const at of wayFrom(top, to)) {
    const { op, path } = at.layer!;
    if (op.kind === 'head') continue;
    const bound = boundOf(at);
    const previous = runs.at(-1);
    if (previous && previous.kind === op.kind && previous.bound === bound && !at.branches) {
      previous.last = path;
      previous.count += 1;
    } else runs.push({ kind: op.kind, bound, first: path, last: path, count: 1, at });
  }
  for (const { first, last, count, bound, at } of runs) {
    yield `${indent}${pathRange(first, last)}: ${count === 1 ? bound : `${count} layers, each ${bound}`}`;
    for (const [n, branch] of (at.branches ?? []).entries()) {
      yield `${indent}  branch ${n + 1}:${branch === at.from ? ' 1, nothing in between' : ''}`;
      yield* printFactors(at.from!, branch, `${indent}    `);
    }
  }
}

/** Lines of a note; a longer one would not be read, and values that many branches share would make it endless. */
const MAX_FACTORS = 60;

const printChain = (top: Reached, to: Reached): readonly string[] => {
  const lines: string[] = [];
  for (const line of printFactors(top, to, '  ')) {
    if (lines.push(line) <= MAX_FACTORS) continue;
    lines[MAX_FACTORS] = '  … and more';
    break;
  }
  return [`chain of factors, from ${top.layer ? top.layer.path : 'the input'} on:`, ...lines];
};

/** Something about a layer that keeps it from being proven; `paths` are the layers one statement stands for. */
interface Fault {
  readonly code: Diagnostic['code'];
  readonly message: string;
  readonly span: Span;
  readonly help: string;
  readonly notes: readonly string[];
  readonly labels?: NonNullable<Diagnostic['labels']>;
  readonly fix?: NonNullable<Diagnostic['fix']>;
  readonly paths: string[];
}

interface LayerProofs {
  readonly proven: readonly ProvenLayer[];
  readonly faults: readonly Fault[];
  readonly reached: ReadonlyMap<ValueId, Reached>;
  readonly output: Reached;
}

/** Layers of kinds that take one input have one, and those that take several have as many as they say. */
const inputsFit = ({ op, inputs }: Layer): boolean =>
  op.kind === 'sum'
    ? inputs.length === op.factors.length
    : op.kind === 'mix'
      ? inputs.length === 2
      : isJoin(op)
        ? inputs.length >= 1
        : inputs.length === 1;

const proveLayers = (net: Network): LayerProofs => {
  const faults = new Map<string, Fault>();
  const proven: ProvenLayer[] = [];
  let output: Reached = { depth: 0, head: false };
  const reached = new Map<ValueId, Reached>([[net.input.id, output]]);
  for (const layer of net.layers) {
    const { op, path, span } = layer;
    if (!inputsFit(layer)) throw new Error(`${path}: ${op.kind} does not take ${layer.inputs.length} inputs`);
    const inputs = layer.inputs.map(id => {
      const value = reached.get(id);
      if (!value) throw new Error(`${path} reads value ${id}, which is not computed before it`);
      return value;
    });
    const refuse: Refuse = (code, message, help, notes = [], place = { span }) => {
      const key = `${code} ${place.span.start} ${place.span.end} ${message}`;
      const known = faults.get(key);
      if (known) known.paths.push(path);
      else faults.set(key, { code, message, help, notes, paths: [path], ...place });
      return undefined;
    };
    const from = forkOf(inputs);
    const at = { from, depth: from.depth + 1, layer, head: op.kind === 'head' };
    if (inputs.some(i => i.head)) {
      refuse(
        'L0126',
        'this follows the head',
        'the head is certified pairwise and is not 1-Lipschitz as a vector map: let it be the last layer',
      );
      output = at;
    } else if (op.kind === 'head') {
      if (compare(op.eps, ZERO) < 0)
        refuse(
          'L0112',
          `rows divided by their norm plus ${format(op.eps)} may be longer than 1`,
          'eps must be at least 0',
        );
      proven.push({ layer, derivation: apply('pairwise-head', path, [composed(path, rootOf(from), from)]) });
      output = at;
    } else {
      const twist = layer.twist && refuseTwist(layer.twist);
      const step = twist
        ? refuse(twist.code, twist.message, twist.help, [], twist)
        : isJoin(op)
          ? proveBranches(op, path, from, inputs, refuse)
          : proveLayer(op, layer, refuse);
      if (step) proven.push({ layer, derivation: step, squared: squaredOf(step) });
      // Without a proof its effect is unknown. To find further errors, go on as if it were not there: `faults` is not empty now.
      output = { ...at, ...(step && { step }), ...(inputs.length > 1 && { branches: inputs }) };
    }
    reached.set(layer.id, output);
  }
  return { proven, faults: [...faults.values()], reached, output };
};

const proveBranches = (
  op: Join,
  path: string,
  fork: Reached,
  branches: readonly Reached[],
  refuse: Refuse,
): Derivation | undefined => {
  const joined = proveJoin(op, path, fork, branches);
  const { nodes, depth } = measure(joined);
  if (nodes <= MAX_PROOF.nodes && depth <= MAX_PROOF.depth) return joined;
  return refuse(
    'L0115',
    'the branches that meet here share so many values that the proof of their bound becomes too large',
    'let branches fork where other branches have met: a proof speaks of the values behind such a place only once',
  );
};

/** One label a statement, however many layers it stands for. */
const factorsBySpan = (layers: readonly ProvenLayer[]): readonly { readonly span: Span; readonly text: string }[] => {
  const statements = new Map<number, { readonly first: ProvenLayer; count: number }>();
  for (const p of layers) {
    const known = statements.get(p.layer.span.start);
    if (known) known.count += 1;
    else statements.set(p.layer.span.start, { first: p, count: 1 });
  }
  return [...statements.values()].map(({ first, count }) => ({
    span: first.layer.span,
    text: `factor ${formatBound(first.squared!)}${count > 1 ? `, ${count} times` : ''}`,
  }));
};

/** A bound that is stated, and what it is stated of. */
interface Stated {
  /** As in "the composed bound of Net". */
  readonly what: string;
  readonly budget: Rational;
  readonly top: Reached;
  readonly to: Reached;
  readonly span: Span;
}

/** The layers between two values, in the order of the network. */
const layersBetween = (net: Network, { top, to }: Stated): readonly Layer[] => {
  const found = new Set<Layer>();
  const open = [to];
  for (let at = open.pop(); at; at = open.pop()) {
    if (at === top || !at.layer || found.has(at.layer)) continue;
    found.add(at.layer);
    open.push(...(at.branches ?? [at.from!]));
  }
  return net.layers.filter(l => found.has(l) && l.op.kind !== 'head');
};

const overBudget = (net: Network, squared: Rational, stated: Stated, { proven }: LayerProofs): Diagnostic => {
  const layers = layersBetween(net, stated);
  const among = new Set(layers);
  const growing = proven.filter(p => among.has(p.layer) && p.squared && compare(p.squared, ONE) > 0);
  const worst = growing.reduce<ProvenLayer | undefined>(
    (a, b) => (!a || compare(b.squared!, a.squared!) > 0 ? b : a),
    undefined,
  );
  const raise = `state \`budget ${budgetFor(squared)}\``;
  const branching = layers.some(l => isJoin(l.op));
  return {
    code: 'L0201',
    severity: 'error',
    message: `${stated.what} is ${formatBound(squared)}, more than its budget ${format(stated.budget)}`,
    span: worst?.layer.span ?? stated.span,
    refused: { network: net.name, layers: layers.map(l => l.path), budget: toNumber(stated.budget) },
    labels: factorsBySpan(growing.filter(p => p.layer.span.start !== worst?.layer.span.start)),
    notes: [
      ...printChain(stated.top, stated.to),
      `  product${branching ? ' of the outermost factors' : ''}: ${formatBound(squared)}`,
    ],
    help: worst
      ? `${worst.layer.path} alone contributes ${formatBound(worst.squared!)}: ${mend(worst.layer.op)}, or ${raise}`
      : raise,
  };
};

/**
 * Proves `net`, or says why it cannot be proven. Never guesses: a layer without a derivation is an error.
 * Composition, the residual rule and the linear rule: MATH.md §1–2.
 */
export const prove = (
  net: Network,
): { readonly proven: ProvenNetwork } | { readonly diagnostics: readonly Diagnostic[] } => {
  if (compare(net.budget, ZERO) <= 0) {
    const message = `the budget is ${format(net.budget)}; a Lipschitz bound is positive`;
    return { diagnostics: [{ code: 'L0112', severity: 'error', message, span: net.span, help: 'write `budget 1`' }] };
  }
  const seams = circularFaults(net);
  if (seams.length > 0) return { diagnostics: seams };
  const layers = proveLayers(net);
  const { output } = layers;
  const root = rootOf(output);
  if (layers.faults.length > 0) {
    const diagnostics = layers.faults.map(
      ({ paths, message, notes, ...fault }, i): Diagnostic => ({
        ...fault,
        severity: 'error',
        message: `${pathRange(paths[0], paths[paths.length - 1])}: ${message}`,
        refused: { network: net.name, layers: paths },
        notes: i === layers.faults.length - 1 ? [...notes, ...printChain(root, output)] : notes,
      }),
    );
    return { diagnostics };
  }
  const over: Diagnostic[] = [];
  const prove = (subject: string, stated: Stated): Derivation => {
    const derivation = composed(subject, stated.top, stated.to);
    const squared = squaredOf(derivation);
    if (compare(squared, squareOf(stated.budget)) > 0) over.push(overBudget(net, squared, stated, layers));
    return derivation;
  };
  const parts = (net.subBudgets ?? []).map(part => {
    const [top, to] = [part.from, part.to].map(id => layers.reached.get(id)!);
    const what = `the bound of \`${part.name}\` from ${top.layer ? top.layer.path : 'the input'} on`;
    return { part, derivation: prove(part.name, { what, budget: part.bound, top, to, span: part.span }) };
  });
  const features = output.head ? output.from! : output;
  const what = `the composed bound of ${net.name}`;
  const body = prove(net.name, { what, budget: net.budget, top: root, to: features, span: net.span });
  if (over.length > 0) return { diagnostics: over };
  const weakened = apply('weaken', net.name, [body], { to: net.budget });
  const derivation = output.head ? apply('pairwise-head', net.name, [weakened]) : weakened;
  const subBudgets = parts.map(({ part, derivation: d }) => ({
    part,
    derivation: apply('sub-budget', part.name, [d], { to: part.bound }),
    squared: squaredOf(d),
  }));
  const squared = squaredOf(body);
  const found: Omit<ProvenNetwork, typeof PROVEN> = {
    network: net,
    derivation,
    squared,
    layers: layers.proven,
    subBudgets,
  };
  return { proven: found as ProvenNetwork };
};

const squareOf = (a: Rational): Rational => rational(a.num * a.num, a.den * a.den);

/** The least budget that can be written down for a bound of √squared: itself, or the next number of three decimals. */
const budgetFor = (squared: Rational): string => {
  const text = formatBound(squared);
  if (!text.startsWith('√')) return text;
  const floor = isqrt((squared.num * 1_000_000n) / squared.den);
  const least = compare(rational(floor * floor, 1_000_000n), squared) < 0 ? floor + 1n : floor;
  return least % 1000n === 0n ? `${least / 1000n}` : `${least}/1000`;
};

const mend = (op: LayerOp): string => {
  switch (op.kind) {
    case 'scale':
      return 'divide by at least 1';
    case 'activation':
      return 'use a slope within [−1, 1]';
    case 'residual':
      return 'write `x - 2 * W * inv(T) * …`, for h·x − c·(…) has the bound max(|h|, |h − c|)';
    case 'sum':
      return op.factors.length > 1
        ? 'take a convex mix such as `mix(a, b, 1/2)`, or factors whose sizes add up to 1'
        : 'use a factor within [−1, 1]';
    case 'concat':
    case 'maximum':
      return 'let its branches be less than 1-Lipschitz together: multiply them, e.g. by 1/2, before they meet';
    case 'avgpool':
      return 'leave out `divisor`, which makes its norm at most 1';
    case 'maxpool':
    case 'l2pool':
      return 'let its windows not overlap (leave out `stride`)';
    case 'center':
    case 'translate':
    case 'pad':
    case 'linear':
    case 'contraction':
    case 'sandwich':
    case 'formula':
    case 'tile':
    case 'gain':
    case 'batchcenter':
    case 'layercenter':
    case 'flatten':
    case 'space_to_depth':
    case 'depth_to_space':
    case 'slice':
    case 'mix':
    case 'head':
      return 'remove it';
    default:
      return op satisfies never;
  }
};
