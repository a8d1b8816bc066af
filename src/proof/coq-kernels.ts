/** Orthogonal kernels (BCOP, AOC) as Coq terms over proofs/theories/KernelChains.v. */
import type { LinearMap } from '../ir/network.ts';
import { halfOf, type NormScale, type OrthogonalMethod, printOrthogonal, storedShape } from '../ir/orthogonal.ts';
import { scaled } from './coq-orthogonal.ts';
import { declare, equation, NotInCoq, nat, type Writer } from './coq-space.ts';

type ConvMap = Extract<LinearMap, { kind: 'conv' }>;
type KernelMethod = Extract<OrthogonalMethod, { family: 'bcop' | 'aoc' }>;

/** Names in the section of a layer's kernel: outputs, inputs and the geometry. */
interface KernelNames {
  readonly out: string;
  readonly in: string;
  readonly geometry: string;
}

/** Matrices made short by Björck's steps, one for each number k: `name k` of type `rows -> columns -> R`, with `name_dom k`. */
const shortMatrices = (
  w: Writer,
  stem: string,
  rows: string,
  columns: string,
  method: KernelMethod,
  family: boolean,
): string => {
  const name = `${stem}_${w.id}`;
  const writer: Writer = { ...w, id: name, run: family };
  const emit = declare(writer);
  const k = family ? ' (k : nat)' : '';
  const weight = emit('Variable', 'W', `${rows} -> ${columns} -> R`);
  const scale = method.scale as Exclude<NormScale, { kind: 'none' }>;
  const limit = scale.kind === 'clip' ? 4 : 1;
  const { s, lambda, root } = scaled(emit, scale, weight, `${limit}%:R`);
  w.line(`Definition ${name}${k} : ${rows} -> ${columns} -> R := bjorck_steps ${method.steps} ${s} ${weight}.`);
  w.line(`Lemma ${name}_dom${k} : dom (gram ${family ? `(${name} k)` : name}) (fun=> 1).`);
  w.line(
    `Proof. exact: (@bjorck_steps_dom R _ _ ${method.steps} ${s} ${weight} _ ${limit} isT isT ${lambda} ${root}). Qed.`,
  );
  return name;
};

/** The kernel that `method` makes, `bounded` a proof of `bounded_on (stride_places g) (@off g) K (fun=> 1)`. */
export const orthogonalKernel = (
  w: Writer,
  map: ConvMap,
  method: KernelMethod,
  names: KernelNames,
): { readonly term: string; readonly bounded: string } => {
  const refused = (why: string): NotInCoq =>
    new NotInCoq(`${map.weight.path}: \`by ${printOrthogonal(method)}\` ${why} has no Coq theorem here yet`);
  const last = method.family === 'aoc' ? method.last : undefined;
  if (method.scale.kind === 'none') throw refused('without a scale');
  if (w.run) throw refused('in layers that are repeated');
  if (map.kernel[0] !== map.kernel[1] || (last && map.dilation.some(d => d !== 1)))
    throw refused('with a kernel that is not square, or with stride and dilation');
  const stored = storedShape(map, method);
  const c = stored[1];
  const half = halfOf(c);
  const n = map.kernel[0] - (last ? last.shape[2] : 1);
  // BCOP stores square matrices, of which the first half of the columns is used; AOC those columns alone.
  const columns = method.family === 'bcop' ? c : half;
  const B = shortMatrices(w, 'B', `'I_${c}`, `'I_${columns}`, method, true);
  const fits = (a: string, b: string, stem: string): string => equation(w, `(${a} <= ${b})%N`, stem);
  const first = fits(`${half}`, `${columns}`, 'half');
  const factor = (at: string): string => `(half_factor ${first} (${B} ${at}))`;
  const mixes = (at: string): string => `(fun i a => half_factor_mixing ${first} a (${B}_dom ${at}))`;
  // Of AOC the order in which the factors are stored is that of published code; which is which does not matter to the bound.
  const [p, q] = method.family === 'bcop' ? ['(i.*2.+2)', '(i.*2.+1)'] : ['(2 + i)%N', `(${2 + n} + i)%N`];
  const M =
    method.family === 'bcop'
      ? { term: `(adj (${B} 0%N))`, proof: `(dom_adj (${B}_dom 0%N))` }
      : { term: `(reflections_of (${B} 0%N) (${B} 1%N))`, proof: `(reflections_of_dom (${B}_dom 0%N) (${B}_dom 1%N))` };
  const inner = fits(names.in, `${c}`, 'inputs');
  const chain = `${inner} (fun i => ${factor(p)}) (fun i => ${factor(q)}) ${M.term}`;
  const proofs = `${mixes(p)} ${mixes(q)} ${M.proof}`;
  if (!last) {
    const outer = fits(names.out, `${c}`, 'outputs');
    return {
      term: `(@chain_kernel R ${names.geometry} ${n} ${c} ${names.out} ${names.in} ${chain} ${outer})`,
      bounded: `(@chain_kernel_bounded R ${names.geometry} ${n} ${c} ${names.out} ${names.in} ${inner} _ _ _ ${proofs} ${outer} isT isT)`,
    };
  }
  const g = names.geometry;
  const size = nat(w, 'block_columns', `(${c} * stride_h ${g} * stride_w ${g})%N`);
  const block = shortMatrices(w, 'last', `'I_${names.out}`, `'I_${size}`, method, false);
  const blocks = `(on_blocks (erefl ${size}) ${block} : _ -> _ -> 'I_(stride_h ${g}) * 'I_(stride_w ${g}) -> R)`;
  return {
    term: `(@strided_kernel R ${g} ${n} ${c} ${names.out} ${names.in} ${chain} ${blocks})`,
    bounded: `(@strided_kernel_bounded R ${g} ${n} ${c} ${names.out} ${names.in} ${inner} _ _ _ ${proofs} ${blocks} isT isT erefl erefl (on_blocks_dom (erefl ${size}) ${block}_dom))`,
  };
};
