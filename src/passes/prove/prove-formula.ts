/**
 * The prover for layers written in the language. A formula in normal form is split into what the rules of `proof/rules.ts` know:
 * rescaled linear maps, activations, residuals x − c A T⁻¹ σ(Aᵀx + b), and sums of those. What is left over is a gap, and a gap is a refusal.
 */
import type { Diagnostic, Span } from '../../diagnostics.ts';
import { phaseTaps } from '../../ir/conv-geometry.ts';
import {
  type Atom,
  type DiagExpr,
  dependsOnInput,
  type Gram,
  leaf,
  product,
  sameExpr,
  scale,
  sum,
  type Term,
  type VectorExpr,
  writtenOut,
} from '../../ir/formula.ts';
import type { LayerOp, LinearMap } from '../../ir/network.ts';
import type { MatrixMethod } from '../../ir/orthogonal.ts';
import { printActivation } from '../../ir/print-activation.ts';
import { printAtom, printDiagonal, printGram, printPositive } from '../../ir/print-formula.ts';
import {
  absolute,
  add,
  compare,
  div,
  equal,
  format,
  mul,
  neg,
  ONE,
  type Rational,
  rational,
  TWO,
  ZERO,
} from '../../ir/rational.ts';
import { apply, type Derivation, type GramSide } from '../../proof/rules.ts';
import { proveActivation, proveSlope } from './prove-activation.ts';
import { isOfSize, onGeometry } from './prove-geometry.ts';
import { proveOrthogonal } from './prove-orthogonal.ts';

/** A sub-expression that no rule bounds. */
export type Gap = Pick<Diagnostic, 'code' | 'message' | 'span' | 'labels' | 'help' | 'fix'> & { readonly help: string };

type Result = Derivation | Gap;
export const isGap = (r: Result | readonly Derivation[]): r is Gap => 'message' in r;

type Weight = Extract<Atom, { kind: 'weight' }>;
type Inverse = Extract<Atom, { kind: 'inverse' }>;

/** AᵀA for A = W or Wᵀ. */
const gramOf = (a: Weight): Gram => ({ map: a.map, side: a.transposed ? 'rows' : 'columns' });
const transposed = (a: Weight): Weight => ({ ...a, transposed: !a.transposed });

const proofOf = (r: readonly Result[]): readonly Derivation[] | Gap => r.find(isGap) ?? (r as readonly Derivation[]);

/** λ ≥ ‖W‖² by the rule of its method. */
const proveNorm = (d: Extract<DiagExpr, { kind: 'norm' }>): Derivation => {
  const { map, side } = d.gram;
  const weight = map.weight.path;
  const about = { weight, side };
  const taps = map.kind === 'conv' ? phaseTaps(map) : undefined;
  const kernel = taps && { kh: rational(taps[0]), kw: rational(taps[1]) };
  switch (d.bound.kind) {
    case 'frobenius':
    case 'schur':
      return apply(d.bound.kind, weight, [], {}, about);
    case 'gram': {
      const steps = rational(d.bound.steps);
      return kernel
        ? apply('gram-iteration-symbol', weight, [], { steps, grid: rational(d.bound.grid), ...kernel }, about)
        : apply('gram-iteration', weight, [], { steps }, about);
    }
    case 'circulant':
    case 'operator':
      return apply(`gram-iteration-${d.bound.kind}`, weight, [], { steps: rational(d.bound.steps) }, about);
    case 'reshaped': {
      const { kh, kw } = kernel!;
      return apply(
        'gram-iteration-reshaped',
        weight,
        [],
        { steps: rational(d.bound.steps), kh, kw, factor: mul(kh, kw) },
        about,
      );
    }
    default:
      return d.bound satisfies never;
  }
};

const sideOf = (map: LinearMap, side: GramSide): string => printGram({ map, side });

/** T ⪰ G, or why not; `use` is where the formula needs it. */
export const proveDominance = (d: DiagExpr, gram: Gram, use: Span): Result => {
  const needed = sideOf(gram.map, gram.side);
  const weight = gram.map.weight.path;
  const gap = (message: string, text: string, help: string, to?: string): Gap => ({
    code: 'L0203',
    message,
    span: use,
    labels: [{ span: d.span, text }],
    help,
    ...(to === undefined ? {} : { fix: { span: d.span, to } }),
  });
  if (d.kind === 'rowsum' || d.kind === 'power' || d.kind === 'norm') {
    const bounded = printGram(d.gram);
    if (!sameExpr(d.gram, gram))
      return gap(
        `this needs T ⪰ ${needed}, but T is made from ${bounded}`,
        `bounds ${bounded}`,
        `make T from ${needed}, the Gram matrix of the units that T divides`,
      );
  }
  switch (d.kind) {
    case 'rowsum': {
      const [p, q] = [printPositive(d.weights), printPositive(d.divisor)];
      if (!sameExpr(d.weights, d.divisor))
        return gap(
          `this needs T ⪰ ${needed} for every value of the parameters`,
          `T divides by ${q} but multiplies by ${p}, so it is no Gershgorin bound of ${needed}`,
          `write \`gershgorin(${needed}, ${p})\``,
          `gershgorin(${needed}, ${p})`,
        );
      const about = { weight, side: gram.side, q: p };
      const rule = gram.map.kind === 'dense' ? 'gershgorin' : 'gershgorin-lattice';
      return onGeometry(gram.map, apply(rule, weight, [], {}, about));
    }
    case 'power':
      return onGeometry(
        gram.map,
        apply('power-gershgorin', weight, [], { steps: rational(d.steps) }, { weight, side: gram.side }),
      );
    case 'norm': {
      const bound = proveNorm(d);
      return isOfSize(d.bound) ? bound : onGeometry(gram.map, bound);
    }
    case 'chosen':
      return proveDominance(writtenOut(d), gram, use);
    case 'max': {
      const all = d.of.map(p => proveDominance(p, gram, use));
      // The maximum is no smaller than the parts that dominate, whatever the others are.
      const enough = all.flatMap(p => (isGap(p) ? [] : [p]));
      return enough.length > 0 ? apply('dominance-max', weight, enough) : all[0];
    }
    case 'sum': {
      const negative = d.of.find(p => compare(p.factor, ZERO) < 0);
      const factor = d.of.reduce((s, p) => add(s, p.factor), ZERO);
      if (negative || compare(factor, ONE) < 0 || compare(d.shift, ZERO) < 0)
        return gap(
          `this needs T ⪰ ${needed}, but T = ${printDiagonal(d)} may be smaller`,
          negative || compare(d.shift, ZERO) < 0
            ? 'something is subtracted'
            : `the factors add up to ${format(factor)}, less than 1`,
          'combine bounds with factors of at least 0 that add up to at least 1, and add only numbers of at least 0',
        );
      const parts = proofOf(d.of.map(p => proveDominance(p.part, gram, use)));
      if (isGap(parts)) return parts;
      const shares = Object.fromEntries(d.of.map((p, n) => [`a${n + 1}`, div(p.factor, factor)]));
      const mixed = parts.length === 1 ? parts[0] : apply('dominance-convex', weight, parts, shares);
      const scaled = equal(factor, ONE) ? mixed : apply('dominance-scale', weight, [mixed], { factor });
      return equal(d.shift, ZERO) ? scaled : apply('dominance-shift', weight, [scaled], { eps: d.shift });
    }
    default:
      return d satisfies never;
  }
};

const compose = (path: string, parts: readonly Derivation[]): Derivation =>
  parts.length === 0 ? apply('identity', path) : parts.length === 1 ? parts[0] : apply('compose', path, parts);

type OrthogonalWeight = Weight & { readonly orthogonal: MatrixMethod };

const isOrthogonal = (a: Atom): a is OrthogonalWeight => a.kind === 'weight' && a.orthogonal !== undefined;

/** I ⪰ G for a matrix that is made orthogonal, whichever Gram matrix is meant. */
const proveMade = ({ map, orthogonal, span }: OrthogonalWeight, side: GramSide): Result => {
  let gap: Gap | undefined;
  const found = proveOrthogonal(map, orthogonal, side, (code, message, help, _, place) => {
    gap = { code, message, span, help, ...place };
    return undefined;
  });
  if (found) return found;
  if (!gap) throw new Error(`${map.weight.path}: no bound and no reason`);
  return gap;
};

/** What a sandwich layer is made of, anywhere else. */
const unbounded = (a: Extract<Atom, { kind: 'scaling' | 'block' }>): Gap => ({
  code: 'L0204',
  message:
    a.kind === 'block' || a.q
      ? `nothing bounds \`${printAtom(a)}\`: ${a.kind === 'block' ? 'columns of a matrix and exponentials' : 'it'} may stand in a sandwich layer only`
      : `\`${printAtom(a)}\` is irrational, and the proof is in exact arithmetic: a root may stand in a sandwich layer only`,
  span: a.span,
  help:
    a.kind === 'block' || a.q
      ? 'write `sqrt(2) * first(Q, out)ᵀ * exp(q) * act(sqrt(2) * exp(-q) * last(Q, n) * x + b)` with `let Q = cayley(W, alpha = true)`, W: mat[out, out + n]'
      : 'round it yourself to the safe side, e.g. `1414/1000`',
});

/** Each weight with the root of the T beside it, from left to right; the factors as derivations. */
const proveProduct = (atoms: readonly Atom[], path: string): readonly Derivation[] | Gap => {
  const roots: Atom[] = atoms.flatMap(a =>
    a.kind === 'inverse' && !a.root
      ? [
          { ...a, root: true },
          { ...a, root: true },
        ]
      : [a],
  );
  const out: Derivation[] = [];
  for (let i = 0; i < roots.length; ) {
    const [a, b] = [roots[i], roots[i + 1]];
    if (isOrthogonal(a)) {
      const made = proveMade(a, 'columns');
      if (isGap(made)) return made;
      const [rule, side] = a.transposed ? (['linear-adjoint', 'out'] as const) : (['linear', 'in'] as const);
      out.push(apply(rule, path, [made], {}, { side }));
      i += 1;
      continue;
    }
    if (a.kind === 'scaling' || a.kind === 'block') return unbounded(a);
    i += 2;
    const weight = a.kind === 'weight' ? a : b?.kind === 'weight' ? b : undefined;
    const root = a.kind === 'inverse' ? a : b?.kind === 'inverse' ? b : undefined;
    if (!weight || !root) {
      const what = printAtom(weight ?? a);
      return {
        code: 'L0204',
        message: weight
          ? `nothing bounds \`${what}\`: it may have any norm`
          : `nothing bounds \`${printAtom(a)}\` where no weight stands beside it`,
        span: a.span,
        help: weight
          ? `rescale it: \`${what} * invsqrt(gershgorin(${printGram(gramOf(weight))}))\``
          : 'an inverse root belongs directly before or behind the weight whose Gram matrix T dominates',
      };
    }
    // A T^(−1/2) needs T ⪰ AᵀA; T^(−1/2) A needs T ⪰ AAᵀ.
    const behind = a.kind === 'weight';
    const dominates = proveDominance(root.of, gramOf(behind ? weight : transposed(weight)), root.span);
    if (isGap(dominates)) return dominates;
    const rule = weight.transposed ? 'linear-adjoint' : 'linear';
    // `side` speaks of the stored weight: 'in' for W T^(−1/2) and its adjoint-like form Wᵀ T^(−1/2).
    out.push(apply(rule, path, [dominates], {}, { side: behind ? 'in' : 'out' }));
  }
  return out;
};

/** One term as a map of x. */
const proveTerm = (t: Term, path: string): Result => {
  const factors = proveProduct(t.atoms, path);
  if (isGap(factors)) return factors;
  const inner = t.of.kind === 'act' || t.of.kind === 'sum' ? proveVector(t.of.of, path) : undefined;
  if (inner && isGap(inner)) return inner;
  const parts = [
    ...(inner ? [inner] : []),
    ...(t.of.kind === 'act' ? [proveActivation(t.of.act, path)] : []),
    ...[...factors].reverse(),
  ];
  const map = compose(path, parts);
  return equal(absolute(t.coefficient), ONE) ? map : apply('sum', path, [map], { a1: t.coefficient });
};

/** A T⁻¹ σ(…): what only the residual rule can bound. */
interface Branch {
  readonly term: Term;
  readonly weight: Weight;
  /** None where the weight is orthogonal, T = I. */
  readonly inverse: Inverse | undefined;
  readonly act: Extract<Term['of'], { kind: 'act' }>;
}

const branchOf = (term: Term): Branch | undefined => {
  const [weight, inverse, ...more] = term.atoms;
  if (term.of.kind === 'act' && term.atoms.length === 1 && isOrthogonal(weight))
    return { term, weight, inverse: undefined, act: term.of };
  if (more.length > 0 || weight?.kind !== 'weight' || inverse?.kind !== 'inverse' || inverse.root) return undefined;
  return term.of.kind === 'act' ? { term, weight, inverse, act: term.of } : undefined;
};

const residualGap = (
  span: Span,
  message: string,
  help: string,
  label?: { span: Span; text: string },
  to?: string,
): Gap => ({
  code: 'L0203',
  message,
  span,
  ...(label ? { labels: [label] } : {}),
  help,
  ...(to === undefined ? {} : { fix: { span, to } }),
});

/** u where the activation of the branch reads Aᵀu + b, A the weight in front. */
const skipOf = ({ weight, act }: Branch): VectorExpr | Gap => {
  const name = printAtom(weight);
  const wanted = printAtom(transposed(weight));
  const reads = act.of.terms.filter(t => dependsOnInput(t.of));
  const [only] = reads;
  const [first, ...rest] = only?.atoms ?? [];
  if (reads.length !== 1 || first === undefined)
    return residualGap(
      act.span,
      `inside the activation of a residual stands \`${wanted}\` times one vector, plus a bias`,
      `write \`x - 2 * ${name} * inv(T) * relu(${wanted} * x + b)\``,
      { span: weight.span, text: `the weight is \`${name}\` here` },
    );
  if (first.kind !== 'weight' || !sameExpr(first, transposed(weight)))
    return residualGap(
      first.span,
      `the residual rule needs \`${wanted}\` here: both uses of the weight must be one tensor`,
      `write \`${wanted}\`; two free weights can expand distances without limit`,
      { span: weight.span, text: `the weight is \`${name}\` here` },
      first.kind === 'weight' ? wanted : undefined,
    );
  if (!equal(only.coefficient, ONE))
    return residualGap(
      only.span,
      `the activation of a residual reads \`${wanted}\` itself, not ${format(only.coefficient)} times it`,
      'leave the factor out',
    );
  return rest.length > 0 ? product(ONE, rest, leaf(only.of, only.span), only.span) : leaf(only.of, only.span);
};

/** Branches that read the same vector u, with s and the rest where the terms are s·(u − these branches) + left. */
interface Skip {
  readonly u: VectorExpr;
  readonly branches: readonly Branch[];
  readonly s: Rational;
  readonly left: VectorExpr;
}

/** How `variable` may be one residual and a rest; the fewer terms are left, the better. */
const skipsOf = (variable: readonly Term[], branches: readonly Branch[]): readonly Skip[] | Gap => {
  const groups: { readonly u: VectorExpr; readonly branches: Branch[] }[] = [];
  let gap: Gap | undefined;
  for (const branch of branches) {
    const u = skipOf(branch);
    if ('message' in u) {
      gap ??= u;
      continue;
    }
    const known = groups.find(g => sameExpr(g.u, u));
    if (known) known.branches.push(branch);
    else groups.push({ u, branches: [branch] });
  }
  const skips = groups.flatMap((g): Skip[] => {
    const skip: VectorExpr = { terms: variable.filter(t => g.branches.every(b => b.term !== t)) };
    const [first] = g.u.terms;
    const like = skip.terms.find(t => sameExpr([t.atoms, t.of], [first.atoms, first.of]));
    if (!like) return [];
    const s = div(like.coefficient, first.coefficient);
    const left = sum(skip, scale(neg(s), g.u));
    return left.terms.length < variable.length ? [{ ...g, s, left }] : [];
  });
  return skips.length === 0 && gap ? gap : skips.sort((a, b) => a.left.terms.length - b.left.terms.length);
};

/** s·(u − Σ r_k A_k T_k⁻¹ σ_k(A_kᵀu + b_k)) + a rest: the residual rule's form, mixed from one residual for each branch. */
const proveResidual = (variable: readonly Term[], all: readonly Branch[], path: string): Result => {
  const skips = skipsOf(variable, all);
  if ('message' in skips) return skips;
  const [best] = skips;
  const first = all[0].term;
  if (!best)
    return residualGap(
      first.span,
      'nothing bounds this: it is no residual, for what the activation reads is not added',
      'write `x - 2 * W * inv(T) * relu(Wᵀ * x + b)`; the residual rule bounds the difference, not the branch alone',
    );
  const { u, branches, s, left } = best;
  const ratios = branches.map(b => neg(div(b.term.coefficient, s)));
  const total = ratios.reduce(add, ZERO);
  const wrong = branches.find((_, n) => compare(ratios[n], ZERO) < 0);
  if (wrong)
    return residualGap(
      wrong.term.span,
      'a residual subtracts its branch; this one is added',
      'write `x - 2 * …`: with a plus the layer can double distances and more',
    );
  if (compare(total, TWO) > 0)
    return residualGap(
      branches[ratios.findIndex(r => compare(r, TWO) > 0)]?.term.span ?? branches[0].term.span,
      `the residual rule holds for a factor of at most 2; here ${branches.length > 1 ? 'the factors add up to' : 'it is'} ${format(total)}`,
      'write `x - 2 * W * inv(T) * …`',
    );
  const shares: Record<string, Rational> = {};
  const parts: Derivation[] = [];
  for (const [n, { weight, inverse, act }] of branches.entries()) {
    const gram = gramOf(weight);
    const dominates = inverse
      ? proveDominance(inverse.of, gram, inverse.span)
      : isOrthogonal(weight)
        ? proveMade(weight, gram.side)
        : undefined;
    if (!dominates) throw new Error('a branch without a diagonal has an orthogonal weight');
    if (isGap(dominates)) return dominates;
    const slope = proveSlope(act.act)?.conclusion;
    const name = printActivation(act.act);
    if (slope?.kind !== 'slope' || compare(slope.low, ZERO) < 0 || compare(slope.high, ONE) > 0)
      return {
        code: 'L0202',
        message:
          slope?.kind === 'slope'
            ? `\`${name}\` inside a residual: its slopes fill [${format(slope.low)}, ${format(slope.high)}], which is not within [0, 1]`
            : `\`${name}\` inside a residual: it mixes channels, so it has no slope in [0, 1]`,
        span: act.span,
        help: 'use relu, tanh, sigmoid or leaky_relu with a slope in [0, 1]; declare the option as `act: slope[0, 1]`',
      };
    const about = { hidden: gram.side, T: inverse ? printDiagonal(inverse.of) : '1' };
    parts.push(apply('scaled-residual', path, [dominates, proveSlope(act.act)!], { c: total }, about));
    shares[`a${n + 1}`] = equal(total, ZERO) ? ONE : mul(s, div(ratios[n], total));
  }
  const residual = parts.length === 1 && equal(absolute(s), ONE) ? parts[0] : apply('sum', path, parts, shares);
  const before = proveVector(u, path);
  if (isGap(before)) return before;
  const whole = before.rule === 'identity' ? residual : compose(path, [before, residual]);
  if (left.terms.length === 0) return whole;
  const beside = proveVariable(left.terms, path);
  return isGap(beside) ? beside : apply('sum', path, [whole, beside], { a1: ONE, a2: ONE });
};

/** A sum as a map of x; parameters in it only translate. */
const proveVector = (v: VectorExpr, path: string): Result => {
  const variable = v.terms.filter(t => dependsOnInput(t.of));
  const map = proveVariable(variable, path);
  if (isGap(map) || variable.length === v.terms.length) return map;
  return apply('compose', path, [map, apply('translate', path)]);
};

const proveVariable = (variable: readonly Term[], path: string): Result => {
  if (variable.length === 1 && variable[0].of.kind === 'input' && variable[0].atoms.length === 0)
    return equal(absolute(variable[0].coefficient), ONE)
      ? apply('identity', path)
      : apply('sum', path, [apply('identity', path)], { a1: variable[0].coefficient });
  // An orthogonal weight in front of an activation is bounded without a residual too, so it is a branch only where it fits as one.
  const fits = (b: Branch): boolean => {
    const skips = skipsOf(variable, [b]);
    return !('message' in skips) && skips.length > 0;
  };
  const branches = variable
    .map(branchOf)
    .filter(b => b !== undefined)
    .filter(b => b.inverse !== undefined || fits(b));
  if (branches.length > 0) return proveResidual(variable, branches, path);
  if (variable.length === 1) return proveTerm(variable[0], path);
  const parts = proofOf(variable.map(t => proveTerm({ ...t, coefficient: ONE }, path)));
  if (isGap(parts)) return parts;
  const factors = Object.fromEntries(variable.map((t, n) => [`a${n + 1}`, t.coefficient]));
  return apply('sum', path, parts, factors);
};

/** That the formula is Lipschitz with the bound concluded, for every value of its parameters; or the sub-expression that no rule bounds. */
export const proveFormula = (op: Extract<LayerOp, { kind: 'formula' }>, path: string, span: Span): Result =>
  op.body.terms.some(t => dependsOnInput(t.of))
    ? proveVector(op.body, path)
    : {
        code: 'L0204',
        message: `\`${op.name}\` does not depend on its input`,
        span: op.body.terms[0]?.span ?? span,
        help: 'return a formula of the input',
      };
