/** A definition being read for one use: what its names stand for. */
import type * as f from '../../ir/formula.ts';
import type { LinearMap, Param, Rescaling, Shape, Twist } from '../../ir/network.ts';
import type { MatrixMethod } from '../../ir/orthogonal.ts';
import type * as q from '../../ir/rational.ts';
import type { Expr } from '../../parser/ast.ts';
import type * as v from './formula-value.ts';
import type { Scope } from './resolve-scope.ts';

export type Call = Extract<Expr, { kind: 'call' }>;

/** What stands for an option: at the use, or the default of the definition. */
export interface Given {
  readonly expr: Expr;
  readonly scope: Scope;
  readonly isDefault: boolean;
}

/** A definition being read for one use. */
export interface Body {
  /** Sizes and numeric options. */
  readonly scope: Scope;
  readonly numbers: Map<string, q.Rational>;
  readonly names: Map<string, v.Value>;
  readonly options: Map<string, Given>;
  readonly params: Param[];
  readonly path: string;
  /** Shape of the input, of a rescaling that of the linear map's input. */
  readonly input: Shape;
  /** The rescaling that `by` chose at the use, under the definition's name for it. */
  readonly chosen?: { readonly name: string; readonly of: (gram: f.Gram) => Rescaling | undefined };
  /** What has been made orthogonal, by its text: written twice it is one matrix. */
  readonly orthogonal: Map<string, { readonly map: LinearMap; readonly orthogonal: MatrixMethod }>;
  /** Told of what makes the layer another one than its bound is for; absent where that is refused at once. */
  readonly twisted?: (twist: Twist) => void;
}

/** An argument inside a definition; where it is an option passed on, what was given for that. */
export const given = (body: Body, expr: Expr): Given =>
  (expr.kind === 'name' ? body.options.get(expr.name) : undefined) ?? { expr, scope: body.scope, isDefault: false };
