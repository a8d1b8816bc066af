/** Ways to make an operator of norm at most 1 of every weight. */
import { atMost, need, parseQ, type Q, q, refuse, square, ZERO } from './numbers.ts';
import { oneOf, read, text, whole } from './read.ts';

/** Squares w² for which |Σ_{m ≤ degree} (iy)ᵐ/m!| ≤ 1 on |y| ≤ w; of other degrees up to 14 there is no w > 0. */
export const WINDOWS: Readonly<Record<number, Q>> = {
  3: q(3),
  4: q(8),
  7: q(311, 100n),
  8: q(288, 25n),
  11: q(289, 100n),
  12: q(571, 50n),
};

const FAMILY = { family: text };
interface Contraction {
  readonly constants: Readonly<Record<string, Q>>;
  /** What surrounds the image in a series of convolutions. */
  readonly padding?: string;
}
/** Ways to make an operator of norm at most 1 of every weight. */
export const CONTRACTIONS: Readonly<Record<string, (value: unknown, where: string) => Contraction>> = {
  cayley: (value, where) => {
    read(value, where, FAMILY);
    return { constants: {} };
  },
  bro: (value, where) => {
    const { eps } = read(value, where, { ...FAMILY, eps: parseQ });
    need(eps.num > 0n, `${where}: eps must be positive`);
    return { constants: { eps } };
  },
  lot: (value, where) => {
    const { eps, steps } = read(value, where, { ...FAMILY, eps: parseQ, steps: whole(0) });
    need(eps.num > 0n, `${where}: eps must be positive`);
    return { constants: { eps, steps: q(steps) } };
  },
  skew_exponential: (value, where) => {
    const schema = { ...FAMILY, degree: whole(1), norm: parseQ, steps: whole(1), padding: oneOf('zeros', 'circular') };
    const { degree, norm, steps, padding } = read(value, where, schema);
    const window = WINDOWS[degree] ?? refuse(`${where}: the series of degree ${degree} is no contraction`);
    need(atMost(ZERO, norm) && atMost(square(norm), window), `${where}: the norm is outside the window of its degree`);
    return { constants: { degree: q(degree), norm, steps: q(steps) }, padding };
  },
  sandwich: (value, where) => {
    read(value, where, { ...FAMILY, part: oneOf('product', 'second') });
    return { constants: {} };
  },
};
