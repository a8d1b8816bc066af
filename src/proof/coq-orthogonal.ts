/** Matrices of `by orthogonal(FAMILY)` as Coq terms over proofs/theories/Families.v, with the proof that their norm is at most 1. */
import { type MatrixMethod, type NormScale, printOrthogonal } from '../ir/orthogonal.ts';
import { compare, ZERO } from '../ir/rational.ts';
import { type Declare, equation, NotInCoq, ratio, type Writer } from './coq-space.ts';
import type { GramSide } from './rules.ts';

interface Side {
  /** Name of a constant of type nat. */
  readonly name: string;
  readonly size: number;
}

interface Orthogonal {
  readonly matrix: string;
  /** Of `dom (gram …) (fun=> 1)`, for the matrix or, where the side is the rows, for its transpose. */
  readonly proof: string;
}

/** s with s²λ at most `limit`, λ ≥ ‖`matrix`‖² by what `scale` measures it with. */
export const scaled = (
  emit: Declare,
  scale: Exclude<NormScale, { kind: 'none' }>,
  matrix: string,
  limit: string,
  by = (s: string): string => s,
): { readonly s: string; readonly lambda: string; readonly root: string } => {
  const s = emit('Variable', 'scale', 'R');
  let lam = `(frob ${matrix})`;
  let lambda = `(frobenius_dom ${matrix})`;
  if (scale.kind !== 'frobenius') {
    lam = emit('Variable', 'lam', 'R');
    const nonnegative = emit('Hypothesis', 'lam_ge0', `0 <= ${lam}`);
    const k = scale.steps - 1;
    const iteration = emit(
      'Hypothesis',
      'gram_iteration',
      `frob (iter ${k} (@square R _) (gram ${matrix})) <= (${lam} ^+ (2 ^ ${k})) ^+ 2`,
    );
    lambda = `(iterated_dom ${nonnegative} ${iteration})`;
  }
  return { s, lambda, root: emit('Hypothesis', 'scale_root', `${by(s)} ^+ 2 * ${lam} <= ${limit}`) };
};

/** A weight that `method` makes orthogonal, or of norm at most 1. Throws NotInCoq for forms without a theorem. */
export const orthogonalMatrix = (
  w: Writer,
  emit: Declare,
  path: string,
  method: MatrixMethod,
  rows: Side,
  columns: Side,
  side: GramSide,
): Orthogonal => {
  const refused = new NotInCoq(`${path}: \`by ${printOrthogonal(method)}\` has no Coq theorem here yet`);
  const wide = columns.size > rows.size;
  const [short, long] = wide ? [rows, columns] : [columns, rows];
  const fits = (a: Side, stem: string): string => {
    const name = `${stem}_${w.id}`;
    w.line(`Lemma ${name} : (${a.name} <= ${long.name})%N.`);
    w.line('Proof. by []. Qed.');
    return name;
  };
  const exact = (matrix: string, proof: string): Orthogonal => ({
    matrix,
    proof: side === 'columns' ? proof : `(dom_adj ${proof})`,
  });
  /** Of a tall matrix with orthonormal columns. */
  const tall = (matrix: string, proof: string): Orthogonal =>
    wide ? exact(`(adj ${matrix})`, `(dom_adj ${proof})`) : exact(matrix, proof);
  switch (method.family) {
    case 'cayley': {
      if (method.form === 'lower') {
        const e = fits(short, 'short');
        const L = emit('Variable', 'L', `'M[R]_${long.name}`);
        return tall(`(skew_cayley ${e} ${L})`, `(skew_cayley_dom ${e} ${L})`);
      }
      const size = equation(w, `(${short.name} + ${long.size - short.size})%N = ${long.name}`);
      const u = emit('Variable', 'U', `'M[R]_${short.name}`);
      const v = emit('Variable', 'V', `'M[R]_(${long.size - short.size}, ${short.name})`);
      const name = wide ? 'cayley_wide' : 'cayley_tall';
      const proof = `(${name}${side === 'rows' ? '_adj' : ''}_dom ${size} ${u} ${v})`;
      return { matrix: `(${name} ${size} ${u} ${v})`, proof };
    }
    case 'householder': {
      if (method.form === 'lower') throw refused;
      const e = fits(short, 'short');
      const v = emit('Variable', 'V', `'M[R]_(${long.name}, ${short.name})`);
      return tall(`(reflections ${e} ${v})`, `(reflections_dom ${e} ${v})`);
    }
    case 'bro': {
      const parts = `${fits(rows, 'rows')} ${fits(columns, 'columns')}`;
      const v = emit('Variable', 'V', `'M[R]_(${long.name}, ${method.rank})`);
      const eps = emit('Variable', 'eps', 'R');
      const positive = emit('Hypothesis', 'eps_gt0', `0 < ${eps}`);
      return exact(`(bro_part ${parts} ${v} ${eps})`, `(bro_part_dom ${parts} ${v} ${positive})`);
    }
    case 'bjorck': {
      const { steps, scale } = method;
      if (scale.kind === 'none') throw refused;
      const weight = emit('Variable', 'W', `'I_${rows.name} -> 'I_${columns.name} -> R`);
      const limit = scale.kind === 'clip' ? 4 : 1;
      const { s, lambda, root } = scaled(emit, scale, weight, `${limit}%:R`);
      return exact(
        `(bjorck_steps ${steps} ${s} ${weight})`,
        `(@bjorck_steps_dom R _ _ ${steps} ${s} ${weight} _ ${limit} isT isT ${lambda} ${root})`,
      );
    }
    case 'exponential': {
      const { degree, squarings, scale } = method;
      if (scale.kind === 'none' || (method.form === 'full' && scale.kind !== 'clip')) throw refused;
      const parts = `${fits(rows, 'rows')} ${fits(columns, 'columns')}`;
      const L = emit('Variable', 'L', `'M[R]_${long.name}`);
      const { s, lambda, root } = scaled(
        emit,
        scale,
        `(${L} - ${L}^T)`,
        `odflt 0 (exponential_window R ${degree})`,
        name => `(${name} / (2 ^ ${squarings})%:R)`,
      );
      return exact(
        `(part_of ${parts} (skew_series ${degree} ${squarings} ${s} ${L}))`,
        `(part_of_dom ${parts} (@skew_series_dom R _ ${degree} ${squarings} ${s} _ ${L} isT ${lambda} ${root}))`,
      );
    }
    case 'cholesky':
    case 'qr': {
      if (method.family === 'cholesky' && compare(method.eps, ZERO) > 0) {
        const weight = emit('Variable', 'W', `'M[R]_(${short.name}, ${long.name})`);
        const L = emit('Variable', 'L', `'M[R]_${short.name}`);
        const unit = emit('Hypothesis', 'L_unit', `${L} \\in unitmx`);
        const factor = emit(
          'Hypothesis',
          'cholesky',
          `${L} *m ${L}^T = ${weight} *m ${weight}^T + ${ratio(method.eps)}%:M`,
        );
        return tall(`(whitened ${weight} ${L})`, `(whitened_dom ${unit} ${factor})`);
      }
      const Q = emit('Variable', 'Q', `'I_${long.name} -> 'I_${short.name} -> R`);
      const apart = emit('Hypothesis', 'gram_schmidt', `forall i k, i != k -> gram ${Q} i k = 0`);
      const unit = emit('Hypothesis', 'gram_schmidt_unit', `forall i, gram ${Q} i i <= 1`);
      return tall(Q, `(gram_schmidt_dom ${apart} ${unit})`);
    }
    default:
      return method satisfies never;
  }
};
