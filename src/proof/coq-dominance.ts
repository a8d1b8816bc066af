/** The diagonal T of a layer and the proof that it dominates the layer's Gram matrix, as Coq terms over proofs/theories/Architecture.v. */
import { phaseTaps, samplingDegree } from '../ir/conv-geometry.ts';
import { isScaledDown, type LinearMap, type Rescaling, type SpectralMethod } from '../ir/network.ts';
import { equal, type Rational, ZERO } from '../ir/rational.ts';
import { type Declare, NotInCoq, ratio } from './coq-space.ts';
import type { GramSide } from './rules.ts';

/** A diagonal of type index → R, and a proof of `dom (gram M) diagonal`. */
export interface Dominance {
  readonly diagonal: string;
  readonly proof: string;
}

/** The groups of a convolution. */
export interface Groups {
  readonly count: number;
  /** Proofs that the groups have all output channels and all input channels. */
  readonly sizes: string;
}

export interface KernelTerm {
  readonly term: string;
  readonly geometry: string;
  /** Proof of `valid_geometry`. */
  readonly valid: string;
  /** Height and width of the torus that the image lies on, in strides. */
  readonly torus: readonly [number, number];
  /** True without stride, dilation and circular padding: sums are over the offsets of the kernel itself. */
  readonly plain: boolean;
  /** With circular padding: proof of `closes`. */
  readonly closes?: string;
  /** Of a kernel in groups: the one of group `part`. */
  readonly parts?: Groups & { readonly kernel: string };
}

/** Variables and hypotheses of which each group has its own; they are of group `part`. */
export const ofParts =
  ({ count }: Groups, declare: Declare): Declare =>
  (kind, stem, type) =>
    `(${declare(kind, stem, kind === 'Variable' ? `'I_${count} -> ${type}` : `forall part : 'I_${count}, ${type}`)} part)`;

/** The matrix whose Gram matrix is dominated, and how the generated section names what belongs to it. */
export interface MatrixTerm {
  readonly map: LinearMap;
  /** 'columns': M is `matrix`; 'rows': M is its transpose. */
  readonly side: GramSide;
  /** Coq term of the stored weight as a matrix. */
  readonly matrix: string;
  /** Of a convolution. */
  readonly kernel?: KernelTerm;
  /** Says that the section has such a variable or hypothesis, and returns its name as a term. */
  readonly declare: Declare;
  /** The same of what is one for all layers of a run. */
  readonly shared: Declare;
  /** Type of the channels (features) that q is indexed by. */
  readonly channels: string;
}

const gramMatrix = (m: MatrixTerm): string => (m.side === 'columns' ? m.matrix : `(adj ${m.matrix})`);

/** λ with its Gram iteration as the hypothesis that defines it. */
const iterated = (
  m: MatrixTerm,
  steps: number,
  matrix: string,
): { readonly lambda: string; readonly proof: string } => {
  const lambda = m.declare('Variable', 'lam', 'R');
  const nonnegative = m.declare('Hypothesis', 'lam_ge0', `0 <= ${lambda}`);
  const k = steps - 1;
  const bound = m.declare(
    'Hypothesis',
    'gram_iteration',
    `frob (iter ${k} (@square R _) (gram ${matrix})) <= (${lambda} ^+ (2 ^ ${k})) ^+ 2`,
  );
  return { lambda, proof: `(iterated_dom ${nonnegative} ${bound})` };
};

const spectral = (m: MatrixTerm, method: SpectralMethod): Dominance => {
  const gram = gramMatrix(m);
  switch (method.kind) {
    case 'gram': {
      if (m.kernel) return sampled(m, m.kernel, method.steps, method.grid);
      const { lambda, proof } = iterated(m, method.steps, gram);
      return { diagonal: `(fun=> ${lambda})`, proof };
    }
    case 'circulant':
      return onTorus(m, kernelOf(m), method.steps);
    case 'operator': {
      const { lambda, proof } = iterated(m, method.steps, gram);
      return { diagonal: `(fun=> ${lambda})`, proof };
    }
    case 'reshaped': {
      const kernel = kernelOf(m);
      const lambda = m.declare('Variable', 'lam', 'R');
      const nonnegative = m.declare('Hypothesis', 'lam_ge0', `0 <= ${lambda}`);
      const k = method.steps - 1;
      const { parts } = kernel;
      const bound = (parts ? ofParts(parts, m.declare) : m.declare)(
        'Hypothesis',
        'gram_iteration',
        `frob (iter ${k} (@square R _) (gram (reshaped ${parts?.kernel ?? kernel.term}))) <= (${lambda} ^+ (2 ^ ${k})) ^+ 2`,
      );
      const one = `(iterated_dom ${nonnegative} ${bound})`;
      return reshaped(m, lambda, nonnegative, parts ? `(in_groups_reshaped ${parts.sizes} (fun part => ${one}))` : one);
    }
    default:
      return method satisfies never;
  }
};

const kernelOf = (m: MatrixTerm): NonNullable<MatrixTerm['kernel']> => {
  if (!m.kernel) throw new Error(`${m.map.weight.path} is a matrix: it has no reshaped kernel`);
  return m.kernel;
};

/** A bound on the lattice, carried to the image: of zeros around it, or of a circle. */
const onImage = ({ side }: MatrixTerm, { valid, closes }: KernelTerm, bounded: string): string =>
  `(${closes ? 'circular' : 'image'}_${side === 'columns' ? '' : 'rows_'}dom ${valid} ${closes ? `${closes} ` : ''}${bounded})`;

/** The same of a constant, which bounds both Gram matrices. */
const constantOnImage = (
  { side }: MatrixTerm,
  { valid, closes }: KernelTerm,
  nonnegative: string,
  bounded: string,
): string =>
  `(constant_${closes ? 'circular_' : ''}${side === 'columns' ? 'dom' : 'rows_dom'} ${valid} ${closes ? `${closes} ` : ''}${
    side === 'columns' ? '' : `${nonnegative} `
  }${bounded})`;

/** λ and what Gram iteration says of it at half of `grid` frequencies per axis; the symbol as a real matrix holds every number twice. */
const iteratedSymbol = (
  m: MatrixTerm,
  steps: number,
  grid: readonly [number, number],
  symbol: string,
): { readonly lambda: string; readonly nonnegative: string; readonly bound: string } => {
  const lambda = m.declare('Variable', 'lam', 'R');
  const nonnegative = m.declare('Hypothesis', 'lam_ge0', `0 <= ${lambda}`);
  const k = steps - 1;
  const each = m.kernel?.parts ? ofParts(m.kernel.parts, m.declare) : m.declare;
  const bound = each(
    'Hypothesis',
    'gram_iteration',
    `forall (u : 'I_${grid[0]}) (v : 'I_${grid[1]}), (v.*2 <= ${grid[1]})%N -> frob (iter ${k} (@square R _) (gram (${symbol} u v))) <= 2%:R * (${lambda} ^+ (2 ^ ${k})) ^+ 2`,
  );
  return { lambda, nonnegative, bound };
};

/** Cosines and sines of the multiples of a quarter turn divided by `parts`: there is one such pair of functions. */
const turns = (m: MatrixTerm, parts: number) => {
  const [c, s] = ['co', 'si'].map(stem => m.shared('Variable', stem, 'int -> R'));
  return { c, s, circle: m.shared('Hypothesis', 'circle', `circle ${parts} ${c} ${s}`) };
};

/** The symbol at grid × grid frequencies, divided by what lies between them. */
const sampled = (m: MatrixTerm, kernel: KernelTerm, steps: number, grid: number): Dominance => {
  if (m.map.kind === 'dense') throw new Error(`${m.map.weight.path} is a matrix: it has no symbol`);
  const [dh, dw] = phaseTaps(m.map).map(taps => {
    const degree = samplingDegree(taps, grid);
    if (degree === undefined) throw new Error(`${m.map.weight.path}: ${grid} points do not sample ${taps} taps`);
    return degree;
  });
  const { c, s, circle } = turns(m, grid);
  const term = kernel.parts?.kernel ?? kernel.term;
  const symbol = `sampled_symbol ${c} ${s} ${term}`;
  const { lambda, nonnegative, bound } = iteratedSymbol(m, steps, [grid, grid], symbol);
  const about = `@sampled_bounded R ${grid} ${c} ${s} _ _ ${kernel.geometry} ${term} ${steps - 1} ${dh} ${dw} ${lambda}`;
  const one = `(${about} ${circle} ${kernel.valid} isT isT isT isT isT isT ${nonnegative} ${bound})`;
  const bounded = kernel.parts ? `(in_groups_bounded ${kernel.parts.sizes} (fun part => ${one}))` : one;
  return {
    diagonal: `(fun=> sampled_bound ${c} ${dh} ${dw} ${lambda})`,
    proof: constantOnImage(m, kernel, `(sampled_bound_ge0 ${c} ${dh} ${dw} ${nonnegative})`, bounded),
  };
};

/** The symbol at the frequencies of a torus that the image lies on; in groups its bound is a hypothesis. */
const onTorus = (m: MatrixTerm, kernel: KernelTerm, steps: number): Dominance => {
  const { torus } = kernel;
  if (kernel.parts) {
    const norm = m.declare('Variable', 'lam', 'R');
    const constant = `(fun=> ${norm})`;
    const known = m.declare('Hypothesis', 'gram_iteration_circulant', `dom (gram ${gramMatrix(m)}) ${constant}`);
    return { diagonal: constant, proof: known };
  }
  const { c, s, circle } = turns(m, torus[0] * torus[1]);
  const [a, b] = torus.map(n => n - 1);
  const { lambda, nonnegative, bound } = iteratedSymbol(
    m,
    steps,
    torus,
    `torus_symbol ${a} ${b} ${c} ${s} ${kernel.term}`,
  );
  const name = `${kernel.closes ? 'circular_torus' : 'torus_image'}${m.side === 'columns' ? '' : '_rows'}_dom`;
  const fits = kernel.closes ? 'erefl erefl isT isT' : 'isT isT';
  const about = `@${name} R ${a} ${b} ${c} ${s} _ _ ${kernel.geometry} ${kernel.term} ${steps - 1} ${lambda}`;
  const diagonal = `(fun=> ${lambda})`;
  return { diagonal, proof: `(${about} ${circle} ${kernel.valid} ${nonnegative} ${bound} ${fits})` };
};

const reshaped = (m: MatrixTerm, lambda: string, nonnegative: string, dominates: string): Dominance => {
  const kernel = kernelOf(m);
  const { geometry, valid } = kernel;
  if (!kernel.plain) {
    const taps = ['h', 'w'].map(
      a => `phase_taps (ker_${a} ${geometry}) (stride_${a} ${geometry}) (dil_${a} ${geometry})`,
    );
    const bounded = `(reshaped_bounded ${valid} isT isT ${nonnegative} ${dominates})`;
    return {
      diagonal: `(fun=> (${taps.join(' * ')})%:R * ${lambda})`,
      proof: constantOnImage(m, kernel, `(mulr_ge0 (ler0n R _) ${nonnegative})`, bounded),
    };
  }
  return {
    diagonal: `(fun=> taps R ${geometry} * ${lambda})`,
    proof: `(${m.side === 'columns' ? 'reshaped_dom' : 'reshaped_adj_dom'} ${valid} ${nonnegative} ${dominates})`,
  };
};

const shifted = (d: Dominance, eps: Rational): Dominance =>
  equal(eps, ZERO)
    ? d
    : { diagonal: `(shifted ${d.diagonal} ${ratio(eps)})`, proof: `(shifted_dom ${eps.num} ${eps.den} ${d.proof})` };

const gershgorin = (m: MatrixTerm, q: { readonly term: string; readonly positive: string } | undefined): Dominance => {
  const weight = q ? ` ${q.term}` : '';
  if (m.kernel && !m.kernel.plain) {
    const { term, valid } = m.kernel;
    const name = m.side === 'columns' ? 'weighted_phase_sums' : 'weighted_hidden_phase_sums';
    const positive = q?.positive ?? '(fun=> @ltr01 R)';
    const bounded = `(@${name}_bounded R _ _ _ ${term} ${valid} isT isT ${q?.term ?? '(fun=> 1)'} ${positive})`;
    return {
      diagonal: `(on_channels (${name} ${term} ${q?.term ?? '(fun=> 1)'}))`,
      proof: onImage(m, m.kernel, bounded),
    };
  }
  if (m.kernel) {
    const name = `${q ? 'weighted_' : ''}${m.side === 'columns' ? 'tap_sums' : 'hidden_tap_sums'}`;
    const proof = `(${name}_dom ${m.kernel.term} ${m.kernel.valid}${q ? ` ${q.positive}` : ''})`;
    return { diagonal: `(on_channels (${name} ${m.kernel.term}${weight}))`, proof };
  }
  const name = q ? 'weighted_row_sums' : 'row_sums';
  return {
    diagonal: `(${name} ${gramMatrix(m)}${weight})`,
    proof: `(${name}_dom ${gramMatrix(m)}${q ? ` ${q.positive}` : ''})`,
  };
};

/** T with T^m at least the sums of rows of |G^m|, m = 2^k, as the hypothesis that defines the root. */
const power = (m: MatrixTerm, steps: number): Dominance => {
  if (m.kernel) throw new NotInCoq(`${m.map.weight.path}: \`by aol\` in several steps of a kernel has no Coq form yet`);
  const gram = `(gram ${gramMatrix(m)})`;
  const k = steps - 1;
  const root = m.declare('Variable', 'root', `${m.channels} -> R`);
  const nonnegative = m.declare('Hypothesis', 'root_ge0', `forall i, 0 <= ${root} i`);
  const sums = `\\sum_j \`|iter ${k} (@square R _) ${gram} i j|`;
  const bound = m.declare('Hypothesis', 'root_ge', `forall i, ${sums} <= ${root} i ^+ (2 ^ ${k})`);
  return { diagonal: root, proof: `(power_gershgorin ${nonnegative} ${bound})` };
};

const frobenius = (m: MatrixTerm): Dominance => {
  if (!m.kernel) {
    const M = gramMatrix(m);
    return { diagonal: `(fun=> frob ${M})`, proof: `(frobenius_dom ${M})` };
  }
  const matrix = `(Conv.reshaped ${m.kernel.term})`;
  return reshaped(m, `(frob ${matrix})`, `(frob_ge0 ${matrix})`, `(frobenius_dom ${matrix})`);
};

/** The largest sums of rows and columns as numbers that no sum is above. */
const schur = (m: MatrixTerm): Dominance => {
  const a = m.declare('Variable', 'row_sum', 'R');
  const b = m.declare('Variable', 'column_sum', 'R');
  const positive = [a, b].map(sum => m.declare('Hypothesis', 'sum_ge0', `0 <= ${sum}`));
  const sums = m.kernel
    ? [
        `forall o, \\sum_c \\sum_t \`|${m.kernel.term} o c t| <= ${a}`,
        `forall c, \\sum_o \\sum_t \`|${m.kernel.term} o c t| <= ${b}`,
      ]
    : [`forall j, \\sum_i \`|${m.matrix} j i| <= ${a}`, `forall i, \\sum_j \`|${m.matrix} j i| <= ${b}`];
  const [rows, columns] = [
    m.declare('Hypothesis', 'row_sum_ge', sums[0]),
    m.declare('Hypothesis', 'column_sum_ge', sums[1]),
  ];
  if (m.kernel && !m.kernel.plain) {
    const bounded = `(schur_bounded (here := stride_places ${m.kernel.geometry}) ${positive[0]} ${rows} ${columns})`;
    const proof = constantOnImage(m, m.kernel, `(mulr_ge0 ${positive.join(' ')})`, bounded);
    return { diagonal: `(fun=> ${a} * ${b})`, proof };
  }
  const side = m.side === 'columns' ? '' : '_adj';
  const signs = m.side === 'columns' ? positive[0] : positive.join(' ');
  const proof = m.kernel
    ? `(schur_taps${side}_dom ${m.kernel.valid} ${signs} ${rows} ${columns})`
    : `(schur_sums${side}_dom ${signs} ${rows} ${columns})`;
  return { diagonal: `(fun=> ${a} * ${b})`, proof };
};

/** Shares of a mix over one denominator, so that they are added up by adding numerators. */
const mixed = (parts: readonly { readonly weight: Rational; readonly part: Dominance }[]): Dominance => {
  const den = parts.reduce((d, p) => d * p.weight.den, 1n);
  const shares = parts.map(({ weight, part }) => {
    const n = (weight.num * den) / weight.den;
    return {
      diagonal: `(enlarged (ratio R ${n} ${den}) ${part.diagonal})`,
      proof: `(share_one ${n} ${den} ${part.proof})`,
      n,
    };
  });
  const sum = shares.slice(1).reduce(
    (a, b) => ({
      diagonal: `(added ${a.diagonal} ${b.diagonal})`,
      proof: `(share_add ${a.proof} ${b.proof})`,
      n: 0n,
    }),
    shares[0],
  );
  return { diagonal: sum.diagonal, proof: `(share_dom ${sum.proof} isT isT)` };
};

/** G ⪯ T for the T of `rescaling`, by the theorems of the rules that `prove` uses; 'orthogonal' is not a dominance of the stored weight. */
export const dominance = (m: MatrixTerm, rescaling: Exclude<Rescaling, { by: 'orthogonal' }>): Dominance => {
  const part = (r: Rescaling): Dominance => {
    if (r.by === 'orthogonal') throw new Error('an orthogonal weight cannot be part of a combination');
    return dominance(m, r);
  };
  switch (rescaling.by) {
    case 'spectral':
      return shifted(spectral(m, rescaling.method), rescaling.eps);
    case 'aol':
      return shifted(gershgorin(m, undefined), rescaling.eps);
    case 'power':
      return shifted(power(m, rescaling.steps), rescaling.eps);
    case 'frobenius':
      return shifted(frobenius(m), rescaling.eps);
    case 'schur':
      return shifted(schur(m), rescaling.eps);
    case 'sll': {
      const term = m.declare('Variable', 'q', `${m.channels} -> R`);
      const bound = gershgorin(m, { term, positive: m.declare('Hypothesis', 'q_gt0', `forall i, 0 < ${term} i`) });
      return shifted(bound, rescaling.eps ?? ZERO);
    }
    case 'max': {
      const proven = rescaling.of.filter(r => !isScaledDown(r)).map(part);
      const others = rescaling.of
        .filter(isScaledDown)
        .map(r => ({ diagonal: `(enlarged ${ratio(r.factor)} ${part(r.of).diagonal})` }));
      // A maximum is no smaller than the first part, whatever the others are.
      const [first, ...more] = proven;
      return [...more, ...others].reduce<Dominance>(
        (a, b) => ({
          diagonal: `(larger ${a.diagonal} ${b.diagonal})`,
          proof: `(larger_dom ${b.diagonal} ${a.proof})`,
        }),
        first,
      );
    }
    case 'convex':
      return mixed(rescaling.of.map(p => ({ weight: p.weight, part: part(p.part) })));
    case 'scaled': {
      const inner = part(rescaling.of);
      const { factor } = rescaling;
      return {
        diagonal: `(enlarged ${ratio(factor)} ${inner.diagonal})`,
        proof: `(enlarged_dom (@ratio_ge1 R ${factor.num} ${factor.den} isT isT) ${inner.proof})`,
      };
    }
    default:
      return rescaling satisfies never;
  }
};

/**
 * T of a weight made orthogonal: 1, or for a convolution the taps of a reshaped kernel. `dominates`: of the matrix, or of the reshaped kernel;
 * `bounded`: of a kernel that is orthogonal as a convolution.
 */
export const orthogonalDominance = (m: MatrixTerm, dominates: string, bounded?: string): Dominance => {
  if (bounded) return { diagonal: '(fun=> 1)', proof: constantOnImage(m, kernelOf(m), '(@ler01 R)', bounded) };
  return m.kernel ? reshaped(m, '1', '(@ler01 R)', dominates) : { diagonal: '(fun=> 1)', proof: dominates };
};
