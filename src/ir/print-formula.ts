/** Formulas as text, in the notation of the language. */
import type { Atom, DiagExpr, Gram, Leaf, NormBound, Positive, Term, VectorExpr } from './formula.ts';
import type { LinearMap } from './network.ts';
import { type MatrixMethod, printOrthogonalCall } from './orthogonal.ts';
import { printActivation } from './print-activation.ts';
import { absolute, equal, format, ONE, type Rational, ZERO } from './rational.ts';

/** `residual_sll[0].W` is `W` inside its layer. */
const local = (path: string): string => path.slice(path.lastIndexOf('.') + 1);

const weight = (map: LinearMap, transposed: boolean): string => `${local(map.weight.path)}${transposed ? 'ᵀ' : ''}`;

export const printGram = ({ map, side }: Gram): string =>
  side === 'rows' ? `${weight(map, false)} * ${weight(map, true)}` : `${weight(map, true)} * ${weight(map, false)}`;

export const printPositive = ({ q, shift }: Positive): string =>
  !q ? format(shift) : equal(shift, ZERO) ? `exp(${local(q.path)})` : `exp(${local(q.path)}) + ${format(shift)}`;

const printBound = (gram: Gram, bound: NormBound): string => {
  switch (bound.kind) {
    case 'frobenius':
    case 'schur':
      return `${bound.kind}(${printGram(gram)})`;
    case 'gram':
      return `spectral(${printGram(gram)}, steps = ${bound.steps}${gram.map.kind === 'conv' ? `, grid = ${bound.grid}` : ''})`;
    case 'circulant':
    case 'operator':
    case 'reshaped':
      return `spectral(${printGram(gram)}, method = ${bound.kind}, steps = ${bound.steps})`;
    default:
      return bound satisfies never;
  }
};

const times = (factor: Rational, text: string): string => (equal(factor, ONE) ? text : `${format(factor)} * ${text}`);

const signed = (parts: readonly { readonly minus: boolean; readonly text: string }[]): string =>
  parts.map(({ minus, text }, i) => `${i === 0 ? (minus ? '-' : '') : minus ? ' - ' : ' + '}${text}`).join('');

export const printDiagonal = (d: DiagExpr): string => {
  switch (d.kind) {
    case 'rowsum': {
      const [p, q] = [printPositive(d.weights), printPositive(d.divisor)];
      if (p !== q) return `rowsum(abs(${printGram(d.gram)}) * (${p})) / (${q})`;
      return p === '1' ? `gershgorin(${printGram(d.gram)})` : `gershgorin(${printGram(d.gram)}, ${p})`;
    }
    case 'power':
      return `gershgorin(${printGram(d.gram)}, steps = ${d.steps})`;
    case 'norm':
      return printBound(d.gram, d.bound);
    case 'chosen':
      return d.of ? printDiagonal(d.of) : d.rescaling.by;
    case 'max':
      return `max(${d.of.map(printDiagonal).join(', ')})`;
    case 'sum': {
      const parts = d.of.map(p => ({
        minus: p.factor.num < 0n,
        text: times(absolute(p.factor), printDiagonal(p.part)),
      }));
      const shift = { minus: d.shift.num < 0n, text: format(absolute(d.shift)) };
      return signed(equal(d.shift, ZERO) ? parts : [...parts, shift]);
    }
    default:
      return d satisfies never;
  }
};

export const printAtom = (a: Atom): string => {
  const made = (method: MatrixMethod, map: LinearMap): string => printOrthogonalCall(method, weight(map, false));
  switch (a.kind) {
    case 'weight':
      return a.orthogonal ? `${made(a.orthogonal, a.map)}${a.transposed ? 'ᵀ' : ''}` : weight(a.map, a.transposed);
    case 'block': {
      const [part, size] = a.from === 0 ? ['first', a.to] : ['last', a.map.in - a.from];
      return `${part}(${made(a.orthogonal, a.map)}, ${size})${a.transposed ? 'ᵀ' : ''}`;
    }
    case 'scaling': {
      const root = equal(a.squared, ONE) ? [] : [`sqrt(${format(a.squared)})`];
      return [...root, ...(a.q ? [`exp(${a.negative ? '-' : ''}${local(a.q.path)})`] : [])].join(' * ');
    }
    case 'inverse':
      return `${a.root ? 'invsqrt' : 'inv'}(${printDiagonal(a.of)})`;
    default:
      return a satisfies never;
  }
};

const printLeaf = (of: Leaf): string => {
  switch (of.kind) {
    case 'input':
      return 'x';
    case 'param':
      return local(of.param.path);
    case 'act':
      return `${printActivation(of.act)}(${printVector(of.of)})`;
    case 'sum':
      return `(${printVector(of.of)})`;
    default:
      return of satisfies never;
  }
};

/** Without its sign. */
const printTerm = (t: Term): string =>
  times(absolute(t.coefficient), [...t.atoms.map(printAtom), printLeaf(t.of)].join(' * '));

export const printVector = (v: VectorExpr): string =>
  v.terms.length === 0 ? '0' : signed(v.terms.map(t => ({ minus: t.coefficient.num < 0n, text: printTerm(t) })));
