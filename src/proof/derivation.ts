/** Derivations for people and machines: text, JSON, and exact bounds in words. */
import { exactSqrt, format, type Rational } from '../ir/rational.ts';
import { type Derivation, type Judgement, ruleOf } from './rules.ts';

/** √squared, exactly: "1", "3/2", or "√(2)" where the root is irrational. */
export const formatBound = (squared: Rational): string => {
  const root = exactSqrt(squared);
  return root ? format(root) : `√(${format(squared)})`;
};

export const formatJudgement = (j: Judgement): string => {
  switch (j.kind) {
    case 'lipschitz':
      return `${formatBound(j.squared)}-Lipschitz`;
    case 'dominates':
      return j.side === 'rows' ? `${j.weight}·${j.weight}ᵀ ⪯ T` : `${j.weight}ᵀ·${j.weight} ⪯ T`;
    case 'slope':
      return `slope[${format(j.low)}, ${format(j.high)}]`;
    case 'pairwise':
      return `|Δ(z_i − z_j)| ≤ ${formatBound(j.squared)}·‖ŵ_i − ŵ_j‖·‖Δx‖`;
    default:
      return j satisfies never;
  }
};

const instanceText = (d: Derivation): string => {
  const words = Object.entries(d.about)
    .filter(([k]) => k !== 'weight')
    .map(([k, v]) => `${k} = ${v}`);
  const numbers = Object.entries(d.constants).map(([k, v]) => `${k} = ${format(v)}`);
  const all = [...words, ...numbers];
  return all.length > 0 ? ` (${all.join(', ')})` : '';
};

/** One line a node, premises indented below their conclusion, one tree after the other; then every rule used, with its statement and source. */
export const printDerivation = (...trees: readonly Derivation[]): string => {
  const lines: string[] = [];
  const used = new Set<Derivation['rule']>();
  const visit = (n: Derivation, depth: number): void => {
    used.add(n.rule);
    lines.push(`${'  '.repeat(depth)}${n.subject} : ${formatJudgement(n.conclusion)}   by ${n.rule}${instanceText(n)}`);
    for (const p of n.premises) visit(p, depth + 1);
  };
  for (const d of trees) visit(d, 0);
  lines.push('', 'Rules');
  for (const name of used) {
    const r = ruleOf(name);
    lines.push(`  ${name}: ${r.statement}`, `    ${r.source} [Coq ${r.coq}]`);
  }
  return `${lines.join('\n')}\n`;
};

const judgementToJson = (j: Judgement): object => {
  switch (j.kind) {
    case 'lipschitz':
    case 'pairwise':
      return { kind: j.kind, squared: format(j.squared) };
    case 'dominates':
      return j;
    case 'slope':
      return { kind: j.kind, low: format(j.low), high: format(j.high) };
    default:
      return j satisfies never;
  }
};

/** Plain data: rationals as "num/den", squared bounds under `squared`. */
export const derivationToJson = (d: Derivation): object => ({
  rule: d.rule,
  subject: d.subject,
  conclusion: judgementToJson(d.conclusion),
  constants: Object.fromEntries(Object.entries(d.constants).map(([k, v]) => [k, format(v)])),
  about: d.about,
  premises: d.premises.map(derivationToJson),
});
