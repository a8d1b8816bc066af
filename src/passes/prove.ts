/**
 * The prover: a derivation, by the rules of `proof/rules.ts`, that the network up to its head is budget-Lipschitz for every value of its
 * parameters; or diagnostics that say which factor is to blame. Everything after this pass takes a `ProvenNetwork`, which only `prove` makes.
 */
import type { Diagnostic } from '../diagnostics.ts';
import type {
  Activation,
  Layer,
  LayerOp,
  LinearMap,
  Network,
  Rescaling,
  SpectralMethod,
  ValueId,
} from '../ir/network.ts';
import { printActivation, printRescaling } from '../ir/print-network.ts';
import { absolute, add, compare, equal, format, isqrt, ONE, type Rational, rational, ZERO } from '../ir/rational.ts';
import { formatBound } from '../proof/derivation.ts';
import { apply, type Derivation, type GramSide } from '../proof/rules.ts';

declare const PROVEN: unique symbol;

/** What was proven of one layer. */
export interface ProvenLayer {
  readonly layer: Layer;
  /** Concludes 'lipschitz', or 'pairwise' for the head. */
  readonly derivation: Derivation;
  /** The layer's own squared bound; absent for the head, which is certified pairwise. */
  readonly squared?: Rational;
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
}

/** Reports a side condition that fails; the derivation is then not attempted. */
type Refuse = (code: string, message: string, help: string, notes?: readonly string[]) => undefined;

const kernelOf = (map: Extract<LinearMap, { kind: 'conv' }>): { kh: Rational; kw: Rational } => ({
  kh: rational(map.kernel[0]),
  kw: rational(map.kernel[1]),
});

const proveSpectral = (
  map: LinearMap,
  method: SpectralMethod,
  side: GramSide,
  refuse: Refuse,
): Derivation | undefined => {
  const weight = map.weight.path;
  if (!Number.isSafeInteger(method.steps) || method.steps < 1)
    return refuse(
      'L0112',
      `Gram iteration needs at least one step, found steps = ${method.steps}`,
      'write `steps = 12`',
    );
  const steps = rational(method.steps);
  const about = { weight, side };
  switch (method.kind) {
    case 'gram': {
      if (map.kind === 'dense') return apply('gram-iteration', weight, [], { steps }, about);
      const least = Math.max(...map.kernel);
      if (!Number.isSafeInteger(method.grid) || method.grid < least)
        return refuse(
          'L0112',
          `a ${map.kernel.join('×')} kernel sampled on a ${method.grid}×${method.grid} grid gives no upper bound of its norm`,
          `use at least ${least} points an axis; the overestimate falls as the grid grows, e.g. \`grid = ${Math.max(32, 8 * least)}\``,
        );
      return apply(
        'gram-iteration-symbol',
        weight,
        [],
        { steps, grid: rational(method.grid), ...kernelOf(map) },
        about,
      );
    }
    case 'operator':
    case 'reshaped': {
      if (map.kind === 'dense')
        return refuse(
          'L0112',
          `\`method = ${method.kind}\` is for convolutions; ${weight} is a matrix`,
          'leave out `method`: Gram iteration on the matrix itself is exact in the limit',
        );
      if (method.kind === 'operator') return apply('gram-iteration-operator', weight, [], { steps }, about);
      const { kh, kw } = kernelOf(map);
      return apply(
        'gram-iteration-reshaped',
        weight,
        [],
        { steps, kh, kw, factor: rational(map.kernel[0] * map.kernel[1]) },
        about,
      );
    }
    default:
      return method satisfies never;
  }
};

const shift = (d: Derivation | undefined, eps: Rational, weight: string, refuse: Refuse): Derivation | undefined => {
  if (compare(eps, ZERO) < 0)
    return refuse(
      'L0112',
      `T = … + eps with eps = ${format(eps)} < 0 need not dominate the Gram matrix of ${weight}`,
      'eps must be at least 0',
    );
  return d && (equal(eps, ZERO) ? d : apply('dominance-shift', weight, [d], { eps }));
};

/** G ⪯ T for the T that `rescaling` inserts, G the Gram matrix of `map` on `side`. */
const proveDominance = (
  map: LinearMap,
  rescaling: Rescaling,
  side: GramSide,
  refuse: Refuse,
): Derivation | undefined => {
  const weight = map.weight.path;
  const about = { weight, side };
  const gershgorin = (q: string) =>
    apply(map.kind === 'dense' ? 'gershgorin' : 'gershgorin-lattice', weight, [], {}, { ...about, q });
  switch (rescaling.by) {
    case 'spectral':
      return shift(proveSpectral(map, rescaling.method, side, refuse), rescaling.eps, weight, refuse);
    case 'orthogonal': {
      if (map.kind === 'dense') return apply('orthogonal-cayley', weight, [], {}, about);
      const { kh, kw } = kernelOf(map);
      return apply(
        'orthogonal-reshaped',
        weight,
        [],
        { kh, kw, factor: rational(map.kernel[0] * map.kernel[1]) },
        about,
      );
    }
    case 'aol':
      return shift(gershgorin('1'), rescaling.eps, weight, refuse);
    case 'sll':
      return gershgorin(`exp(${rescaling.q.path})`);
    case 'max': {
      if (rescaling.of.length === 0)
        return refuse('L0112', 'a maximum of no rescalings dominates nothing', 'give `max` at least one part');
      const parts = rescaling.of.map(r => proveDominance(map, r, side, refuse));
      return parts.every(p => p !== undefined) ? apply('dominance-max', weight, parts) : undefined;
    }
    case 'convex': {
      const sum = rescaling.of.reduce((s, p) => add(s, p.weight), ZERO);
      const least = rescaling.of.find(p => compare(p.weight, ZERO) < 0);
      if (least)
        return refuse(
          'L0112',
          `a mix with the negative weight ${format(least.weight)} need not dominate the Gram matrix of ${weight}`,
          'weights must be at least 0 and add up to 1',
        );
      if (!equal(sum, ONE))
        return refuse(
          'L0112',
          `the weights of a mix add up to ${format(sum)}, not 1`,
          'weights must be at least 0 and add up to 1; to enlarge T, write a factor of at least 1 in front',
        );
      const parts = rescaling.of.map(p => proveDominance(map, p.part, side, refuse));
      if (!parts.every(p => p !== undefined)) return undefined;
      return apply(
        'dominance-convex',
        weight,
        parts,
        Object.fromEntries(rescaling.of.map((p, n) => [`a${n + 1}`, p.weight])),
      );
    }
    case 'scaled': {
      if (compare(rescaling.factor, ONE) < 0)
        return refuse(
          'L0112',
          `${format(rescaling.factor)}·T need not dominate the Gram matrix of ${weight}`,
          'the factor must be at least 1: scaling T down loses the bound',
        );
      const part = proveDominance(map, rescaling.of, side, refuse);
      return part && apply('dominance-scale', weight, [part], { factor: rescaling.factor });
    }
    default:
      return rescaling satisfies never;
  }
};

/** What is known of an activation's slope; undefined for those that are not elementwise. */
const proveSlope = (act: Activation): Derivation | undefined => {
  switch (act.kind) {
    case 'relu':
    case 'tanh':
    case 'sigmoid':
    case 'abs':
      return apply('slope', act.kind, [], {}, { function: act.kind });
    case 'leaky_relu':
      return apply('slope', act.kind, [], { a: act.slope }, { function: act.kind });
    case 'maxmin':
    case 'groupsort':
      return undefined;
    default:
      return act satisfies never;
  }
};

const proveActivation = (act: Activation, path: string): Derivation => {
  switch (act.kind) {
    case 'relu':
    case 'tanh':
    case 'sigmoid':
    case 'abs':
    case 'leaky_relu':
      return apply('elementwise', path, [proveSlope(act)!]);
    case 'maxmin':
      return apply('sort', path, [], { group: rational(2) }, { pairs: act.pairs });
    case 'groupsort':
      return apply('sort', path, [], { group: rational(act.group) });
    default:
      return act satisfies never;
  }
};

/** Slope of the activation inside a residual, or a refusal: the residual rule is false outside [0, 1]. */
const proveResidualSlope = (act: Activation, refuse: Refuse): Derivation | undefined => {
  const slope = proveSlope(act);
  const name = printActivation(act);
  const help = `put \`${name}\` between layers, as a statement of its own, and use relu, tanh, sigmoid or leaky_relu with a slope in [0, 1] inside`;
  if (slope?.conclusion.kind !== 'slope')
    return refuse('L0202', `\`${name}\` inside a residual: it mixes channels, so it has no slope in [0, 1]`, help, [
      'x − 2 W T⁻¹ σ(Wᵀx + b) is 1-Lipschitz only for elementwise σ with every difference quotient in [0, 1]',
    ]);
  const { low, high } = slope.conclusion;
  if (compare(low, ZERO) < 0 || compare(high, ONE) > 0)
    return refuse(
      'L0202',
      `\`${name}\` inside a residual: its slopes fill [${format(low)}, ${format(high)}], which is not within [0, 1]`,
      help,
      ['x − 2 W T⁻¹ σ(Wᵀx + b) is 1-Lipschitz only for elementwise σ with every difference quotient in [0, 1]'],
    );
  return slope;
};

type BodyOp = Exclude<LayerOp, { kind: 'head' }>;

/** The layer's own Lipschitz bound. */
const proveLayer = (op: BodyOp, path: string, refuse: Refuse): Derivation | undefined => {
  switch (op.kind) {
    case 'center':
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
      const dominates = proveDominance(op.map, op.rescaling, op.side === 'in' ? 'columns' : 'rows', refuse);
      return dominates && apply('linear', path, [dominates], {}, { side: op.side });
    }
    case 'residual': {
      const dominates = proveDominance(op.map, op.rescaling, 'rows', refuse);
      const slope = proveResidualSlope(op.act, refuse);
      return dominates && slope && apply('residual', path, [dominates, slope], {}, { T: printRescaling(op.rescaling) });
    }
    case 'activation':
      return proveActivation(op.act, path);
    case 'avgpool':
      return apply('block-average', path, [], { kh: rational(op.size[0]), kw: rational(op.size[1]) });
    case 'flatten':
      return apply('reindex', path);
    default:
      return op satisfies never;
  }
};

const squaredOf = (d: Derivation): Rational => {
  if (d.conclusion.kind !== 'lipschitz')
    throw new Error(`${d.subject}: a Lipschitz bound was expected, not ${d.conclusion.kind}`);
  return d.conclusion.squared;
};

/** Runs of neighbouring factors with the same form and bound, so that 70 equal layers take one line. */
const factorChain = (layers: readonly ProvenLayer[]): readonly string[] => {
  const runs: { kind: string; bound: string; first: string; last: string; count: number }[] = [];
  for (const { layer, squared } of layers) {
    if (squared === undefined) continue;
    const bound = formatBound(squared);
    const previous = runs.at(-1);
    if (previous && previous.kind === layer.op.kind && previous.bound === bound) {
      previous.last = layer.path;
      previous.count += 1;
    } else runs.push({ kind: layer.op.kind, bound, first: layer.path, last: layer.path, count: 1 });
  }
  return runs.map(r =>
    r.count === 1 ? `${r.first}: ${r.bound}` : `${r.first} … ${r.last}: ${r.count} layers, ${r.bound} each`,
  );
};

/**
 * Proves `net`, or says why it cannot be proven. Never guesses: a layer without a derivation is an error.
 * Composition, the residual rule and the linear rule: MATH.md §1–2.
 */
export const prove = (
  net: Network,
): { readonly proven: ProvenNetwork } | { readonly diagnostics: readonly Diagnostic[] } => {
  const diagnostics: Diagnostic[] = [];
  const report = (d: Omit<Diagnostic, 'severity'>): void => void diagnostics.push({ severity: 'error', ...d });

  if (compare(net.budget, ZERO) <= 0)
    report({
      code: 'L0112',
      message: `the budget is ${format(net.budget)}; a Lipschitz bound is positive`,
      span: net.span,
      help: 'write `budget 1`',
    });

  // The layers between the input and each value, and the bound of that map.
  const reached = new Map<ValueId, { readonly chain: readonly Derivation[]; readonly head: boolean }>([
    [net.input.id, { chain: [], head: false }],
  ]);
  const proven: ProvenLayer[] = [];
  for (const layer of net.layers) {
    if (layer.inputs.length !== 1)
      throw new Error(`${layer.path}: ${layer.op.kind} takes one input, got ${layer.inputs.length}`);
    const from = reached.get(layer.inputs[0]);
    if (!from) throw new Error(`${layer.path} reads value ${layer.inputs[0]}, which is not computed before it`);
    if (from.head) {
      report({
        code: 'L0126',
        message: `${layer.path} follows the head`,
        span: layer.span,
        help: 'the head is certified pairwise and is not 1-Lipschitz as a vector map: let it be the last layer',
      });
      continue;
    }
    const refuse: Refuse = (code, message, help, notes) => {
      report({ code, message: `${layer.path}: ${message}`, span: layer.span, help, ...(notes && { notes }) });
      return undefined;
    };
    if (layer.op.kind === 'head') {
      if (compare(layer.op.eps, ZERO) < 0)
        refuse(
          'L0112',
          `rows divided by their norm plus ${format(layer.op.eps)} may be longer than 1`,
          'eps must be at least 0',
        );
      const features =
        from.chain.length === 0 ? apply('identity', layer.path) : apply('compose', layer.path, from.chain);
      proven.push({ layer, derivation: apply('pairwise-head', layer.path, [features]) });
      reached.set(layer.id, { chain: from.chain, head: true });
      continue;
    }
    const derivation = proveLayer(layer.op, layer.path, refuse);
    if (!derivation) {
      // Its effect on the rest is unknown; go on as if it were the identity only to find further errors: `diagnostics` is not empty now.
      reached.set(layer.id, from);
      continue;
    }
    proven.push({ layer, derivation, squared: squaredOf(derivation) });
    reached.set(layer.id, { chain: [...from.chain, derivation], head: false });
  }
  if (diagnostics.length > 0) return { diagnostics };

  const output = net.layers.at(-1)?.id ?? net.input.id;
  const { chain, head } = reached.get(output)!;
  const body = chain.length === 0 ? apply('identity', net.name) : apply('compose', net.name, chain);
  const squared = squaredOf(body);
  if (compare(squared, squareOf(net.budget)) > 0) {
    const growing = proven.filter(p => p.squared && compare(p.squared, ONE) > 0);
    const worst = growing.reduce<ProvenLayer | undefined>(
      (a, b) => (!a || compare(b.squared!, a.squared!) > 0 ? b : a),
      undefined,
    );
    report({
      code: 'L0201',
      message: `the composed bound of ${net.name} is ${formatBound(squared)}, more than its budget ${format(net.budget)}`,
      span: worst?.layer.span ?? net.span,
      labels: growing
        .filter(p => p !== worst)
        .map(p => ({ span: p.layer.span, text: `factor ${formatBound(p.squared!)}` })),
      notes: [
        'chain of factors, from the input on:',
        ...factorChain(proven).map(l => `  ${l}`),
        `  product: ${formatBound(squared)}`,
      ],
      help: worst
        ? `${worst.layer.path} alone contributes ${formatBound(worst.squared!)}: ${mend(worst.layer.op)}, or state \`budget ${budgetFor(squared)}\``
        : `state \`budget ${budgetFor(squared)}\``,
    });
    return { diagnostics };
  }
  const weakened = apply('weaken', net.name, [body], { to: net.budget });
  const derivation = head ? apply('pairwise-head', net.name, [weakened]) : weakened;
  return { proven: { network: net, derivation, squared, layers: proven } as unknown as ProvenNetwork };
};

const squareOf = (a: Rational): Rational => rational(a.num * a.num, a.den * a.den);

/** The least budget that can be written down for a bound of √squared: itself, or the next integer. */
const budgetFor = (squared: Rational): string => {
  const text = formatBound(squared);
  if (!text.startsWith('√')) return text;
  const floor = isqrt(squared.num / squared.den);
  return `${compare(rational(floor * floor), squared) < 0 ? floor + 1n : floor}`;
};

const mend = (op: LayerOp): string => {
  switch (op.kind) {
    case 'scale':
      return 'divide by at least 1';
    case 'activation':
      return 'use a slope within [−1, 1]';
    case 'center':
    case 'pad':
    case 'linear':
    case 'residual':
    case 'avgpool':
    case 'flatten':
    case 'head':
      return 'remove it';
    default:
      return op satisfies never;
  }
};
