/** A counterexample in one line: the weights in short, the ratio, and what it ought to be. */
import type { Counterexample } from '../ir/counterexample.ts';

/** Entries of a tensor that are shown. */
const SHOWN = 3;

const number = (v: number): string => `${Number(v.toPrecision(3))}`;

/** Two numbers with as many digits as tell them apart, three at least. */
const apart = (greater: number, less: number): readonly [string, string] => {
  const [a, b] = [3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 17]
    .map(digits => [greater.toPrecision(digits), `${Number(less.toPrecision(digits))}`] as const)
    .find(([a, b]) => Number(a) > Number(b)) ?? [`${greater}`, `${less}`];
  return [a, b];
};

const list = (values: readonly number[]): string =>
  `[${values.slice(0, SHOWN).map(number).join(', ')}${values.length > SHOWN ? ', …' : ''}]`;

const tensor = (shape: readonly number[], values: readonly number[]): string => {
  if (values.every(v => v === values[0])) return number(values[0] ?? 0);
  if (shape.length === 1) return list(values);
  const row = values.length / shape[0];
  if (shape.length === 2) return `[${list(values.slice(0, row))}${shape[0] > 1 ? ', …' : ''}]`;
  // Of a kernel, the entry that weighs most.
  const at = values.reduce((best, v, i) => (Math.abs(v) > Math.abs(values[best]) ? i : best), 0);
  const [, columns, height, width] = shape;
  const index = [
    Math.floor(at / (columns * height * width)),
    Math.floor(at / (height * width)) % columns,
    Math.floor(at / width) % height,
    at % width,
  ];
  return `${number(values[at])} at [${index.join(', ')}], …`;
};

const size = (shape: readonly number[]): string => (shape.length === 1 ? `${shape[0]}` : shape.join('×'));

export const printCounterexample = (c: Counterexample | 'none found'): string => {
  if (c === 'none found') return 'none found by a short search, which does not mean that there is none';
  const [only] = c.layers;
  const name = (path: string): string =>
    c.layers.length === 1 && path.startsWith(`${only}.`) ? path.slice(only.length + 1) : path;
  const weights = c.params.slice(0, 4).map(p => `${name(p.path)} = ${tensor(p.shape, p.values)}`);
  const more = c.params.length > weights.length ? ', …' : '';
  const where = c.shrunkFrom
    ? `, in a smaller instance of the ${c.layers.length === 1 ? 'layer' : 'layers'} (input ${size(c.inputShape)}${`${c.inputShape}` === `${c.shrunkFrom}` ? '' : ` instead of ${size(c.shrunkFrom)}`})`
    : '';
  const given = weights.length > 0 ? `${weights.join(', ')}${more}: ` : '';
  const [ratio, allowed] = apart(c.ratio, c.allowed);
  return `${given}|f(x) − f(y)| / |x − y| = ${ratio}, more than ${allowed}${where}`;
};
