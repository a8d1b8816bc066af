/** A layer whose T is refused before there is a network of it, for the search of a counterexample. */
import type { Span } from '../../diagnostics.ts';
import { type Atom, type DiagExpr, leaf, product, sum, type VectorExpr } from '../../ir/formula.ts';
import type { LayerOp, Network, Param } from '../../ir/network.ts';
import { ONE, rational } from '../../ir/rational.ts';
import type { RescalingTarget } from './resolve-rescaling.ts';

/** A network of the one layer that `t` asks for, with T as it is. `params` are those of T, `name` that of the rescaling, used at `span`. */
export const layerWith = (
  T: DiagExpr,
  t: RescalingTarget,
  params: readonly Param[],
  name: string,
  span: Span,
): Network => {
  const x: VectorExpr = leaf({ kind: 'input' }, span);
  const weight: Atom = { kind: 'weight', map: t.map, transposed: false, span };
  const inverse = (root: boolean): Atom => ({ kind: 'inverse', root, of: T, span });
  const branch = (): VectorExpr =>
    leaf({ kind: 'act', act: { kind: 'relu' }, of: product(ONE, [weight], x, span), span }, span);
  const body =
    t.form === 'residual'
      ? sum(x, product(rational(-2), [{ ...weight, transposed: true }, inverse(false)], branch(), span))
      : product(ONE, t.side === 'in' ? [weight, inverse(true)] : [inverse(true), weight], x, span);
  const shape = t.form === 'residual' ? t.input : t.output;
  const op: LayerOp = { kind: 'formula', name, params: [t.map.weight, ...params], body };
  return {
    name,
    input: { id: 0, shape: t.input, span },
    layers: [{ id: 1, inputs: [0], op, shape, path: t.path, span }],
    budget: ONE,
    span,
  };
};
