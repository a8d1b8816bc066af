/**
 * Formulas that are several layers: compositions, sums and residuals with several branches become what the network IR has of its own, so
 * that certificates, rounding bounds and Coq files cover them. A formula with a part that is no such layer stays one.
 */
import { outputShape } from '../../ir/conv-geometry.ts';
import {
  type Atom,
  dependsOnInput,
  leaf,
  product,
  sameExpr,
  scale,
  sum,
  type Term,
  type VectorExpr,
} from '../../ir/formula.ts';
import { type LayerOp, layerParams, type Param, type Shape } from '../../ir/network.ts';
import { absolute, add, div, equal, neg, ONE, type Rational, ZERO } from '../../ir/rational.ts';
import { linear, residual } from './recognise.ts';

type Formula = Extract<LayerOp, { kind: 'formula' }>;

/** A layer of a formula; its inputs are 0, the formula's own, or 1 + the place of a layer before it. */
export interface Step {
  readonly op: LayerOp;
  readonly inputs: readonly number[];
  readonly shape: Shape;
}

/** Thrown where a formula has a part that is no layer. */
class NoLayers extends Error {}

const fail = (): never => {
  throw new NoLayers();
};

/** T⁻¹ as two roots, and weights with the root beside them. */
const factorsOf = (atoms: readonly Atom[]): readonly (readonly Atom[])[] => {
  const roots = atoms.flatMap(a =>
    a.kind === 'inverse' && !a.root
      ? [
          { ...a, root: true },
          { ...a, root: true },
        ]
      : [a],
  );
  const out: (readonly Atom[])[] = [];
  for (let i = 0; i < roots.length; ) {
    const first = roots[i];
    const length = first.kind === 'weight' && first.orthogonal ? 1 : 2;
    out.push(roots.slice(i, i + length));
    i += length;
  }
  return out;
};

/** u where a branch A T⁻¹ σ(Aᵀu + b) reads it; undefined for a term that is no such branch. */
const readBy = (t: Term): VectorExpr | undefined => {
  const [outer] = t.atoms;
  if (t.of.kind !== 'act' || outer?.kind !== 'weight' || t.atoms.length > 2) return undefined;
  if (t.atoms.length === 2 && (t.atoms[1].kind !== 'inverse' || t.atoms[1].root)) return undefined;
  const [only, ...more] = t.of.of.terms.filter(p => dependsOnInput(p.of));
  const [inner, ...rest] = only?.atoms ?? [];
  if (!inner || more.length > 0 || !equal(only.coefficient, ONE)) return undefined;
  if (!sameExpr(inner, { ...outer, transposed: !outer.transposed })) return undefined;
  return rest.length > 0 ? product(ONE, rest, leaf(only.of, only.span), only.span) : leaf(only.of, only.span);
};

/** The branch with its u replaced by the input. */
const onInput = (t: Term): Term => {
  if (t.of.kind !== 'act') return fail();
  const [outer] = t.atoms;
  const terms = t.of.of.terms.map(p =>
    dependsOnInput(p.of) && outer.kind === 'weight'
      ? { ...p, atoms: [{ ...outer, transposed: !outer.transposed }], of: { kind: 'input' as const } }
      : p,
  );
  return { ...t, of: { ...t.of, of: { terms } } };
};

interface Builder {
  readonly input: Shape;
  readonly steps: Step[];
}

const shapeOf = (b: Builder, id: number): Shape => (id === 0 ? b.input : b.steps[id - 1].shape);

const push = (b: Builder, op: LayerOp, inputs: readonly number[], shape: Shape): number =>
  b.steps.push({ op, inputs, shape });

const combine = (b: Builder, parts: readonly { readonly id: number; readonly factor: Rational }[]): number => {
  const [first] = parts;
  if (parts.length === 1 && equal(first.factor, ONE)) return first.id;
  const factors = parts.map(p => p.factor);
  const ids = parts.map(p => p.id);
  return push(b, { kind: 'sum', factors }, ids, shapeOf(b, first.id));
};

/** Branches that read one vector u, and s where all terms are s·u plus these branches. */
interface Group {
  readonly u: VectorExpr;
  readonly branches: readonly Term[];
  readonly s: Rational;
}

const groupsOf = (variable: readonly Term[]): readonly Group[] => {
  const groups: { readonly u: VectorExpr; readonly branches: Term[] }[] = [];
  for (const t of variable) {
    const u = readBy(t);
    if (!u) continue;
    const known = groups.find(g => sameExpr(g.u, u));
    if (known) known.branches.push(t);
    else groups.push({ u, branches: [t] });
  }
  return groups.flatMap(({ u, branches }) => {
    const rest = variable.filter(t => !branches.includes(t));
    const [like] = u.terms;
    const skip = rest.find(t => sameExpr([t.atoms, t.of], [like.atoms, like.of]));
    const s = skip ? div(skip.coefficient, like.coefficient) : ZERO;
    return sum({ terms: rest }, scale(neg(s), u)).terms.length === 0 ? [{ u, branches, s }] : [];
  });
};

/** s·u − Σ c_k A_k T_k⁻¹ σ_k(A_kᵀu + b_k), as a mix of one residual for each branch. */
const residuals = (b: Builder, { u, branches, s }: Group): number => {
  const id = build(b, u);
  const total = branches.reduce((t, p) => add(t, absolute(p.coefficient)), ZERO);
  const parts = branches.map(t => {
    const share = div(absolute(t.coefficient), total);
    const { span } = t;
    const x: Term = { coefficient: s, atoms: [], of: { kind: 'input' }, span };
    const branch = { ...onInput(t), coefficient: div(t.coefficient, share) };
    const op = residual(equal(s, ZERO) ? [branch] : [x, branch], false) ?? fail();
    return { id: push(b, op, [id], shapeOf(b, id)), factor: share };
  });
  return combine(b, parts);
};

/** c·(product of atoms)·leaf without the c. */
const buildTerm = (b: Builder, t: Term): number => {
  let id = t.of.kind === 'act' || t.of.kind === 'sum' ? build(b, t.of.of) : 0;
  if (t.of.kind === 'act') id = push(b, { kind: 'activation', act: t.of.act }, [id], shapeOf(b, id));
  for (const atoms of [...factorsOf(t.atoms)].reverse()) {
    const op = linear(atoms, undefined);
    if (op?.kind !== 'linear') return fail();
    const shape = op.adjoint ? [op.map.in, ...b.input.slice(1)] : outputShape(op.map, shapeOf(b, id));
    id = push(b, op, [id], shape);
  }
  return id;
};

const translate = (b: Builder, id: number, by: Param, own: boolean): number => {
  const last = b.steps.at(-1);
  if (own && last && id === b.steps.length && last.op.kind === 'linear' && !last.op.bias) {
    b.steps[id - 1] = { ...last, op: { ...last.op, bias: by } };
    return id;
  }
  return push(b, { kind: 'translate', by }, [id], shapeOf(b, id));
};

const build = (b: Builder, v: VectorExpr): number => {
  const variable = v.terms.filter(t => dependsOnInput(t.of));
  const constants = v.terms.filter(t => !dependsOnInput(t.of));
  if (variable.length === 0) return fail();
  const before = b.steps.length;
  const [group] = variable.length > 1 ? groupsOf(variable) : [];
  let id: number;
  if (group) id = residuals(b, group);
  else
    id = combine(
      b,
      variable.map(t => ({ id: buildTerm(b, t), factor: t.coefficient })),
    );
  const fresh = b.steps.length > before;
  for (const t of constants) {
    if (t.of.kind !== 'param' || t.atoms.length > 0 || !equal(t.coefficient, ONE)) return fail();
    id = translate(b, id, t.of.param, fresh);
  }
  return id;
};

/**
 * The layers that `op` is made of on an input of this shape, the last of them its output; undefined where it has a part that is none, or
 * where two of them would share a parameter.
 */
export const decompose = (op: Formula, input: Shape): readonly Step[] | undefined => {
  const b: Builder = { input, steps: [] };
  try {
    if (build(b, op.body) !== b.steps.length || b.steps.length === 0) return undefined;
  } catch (e) {
    if (e instanceof NoLayers) return undefined;
    throw e;
  }
  const params = b.steps.flatMap(s => layerParams(s.op));
  const once = new Set(params.map(p => p.path)).size === params.length;
  return once && params.length === op.params.length ? b.steps : undefined;
};
