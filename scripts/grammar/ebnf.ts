/** The grammar in the EBNF of the W3C's specifications. */
import type { Grammar, Production } from './rules.ts';

const WIDTH = 100;

const quote = (text: string): string => (text.includes("'") ? `"${text}"` : `'${text}'`);

/** Binds as loosely as a choice, a sequence, or not at all. */
const LEVEL = { choice: 0, sequence: 1, list: 1, optional: 2, repeat: 2, reference: 2, literal: 2 } as const;

const print = (p: Production, least: number): string => {
  const text = printBare(p);
  return LEVEL[p.kind] < least ? `(${text})` : text;
};

const printBare = (p: Production): string => {
  switch (p.kind) {
    case 'choice':
      return p.parts.map(x => print(x, 1)).join(' | ');
    case 'sequence':
      return p.parts.map(x => print(x, p.parts.length > 1 ? 1 : 0)).join(' ');
    case 'list':
      return `${print(p.part, 2)} (${print(p.separator, 1)} ${print(p.part, 2)})*`;
    case 'optional':
      return `${starred(p.part)}?`;
    case 'repeat':
      return `${starred(p.part)}*`;
    case 'reference':
      return p.name;
    case 'literal':
      return quote(p.text);
    default:
      return p satisfies never;
  }
};

/** In front of `?` or `*`: anything but a single symbol stands in parentheses. */
const starred = (p: Production): string =>
  p.kind === 'reference' || p.kind === 'literal' ? printBare(p) : `(${printBare(p)})`;

const comment = (text: string): string => `/* ${text} */`;

export const toEbnf = ({ rules, tokens }: Grammar): string => {
  const width = Math.max(...[...rules, ...tokens].map(r => r.name.length));
  const line = (name: string, body: string): string => `${name.padEnd(width)} ::= ${body}`;
  const head = [
    comment('Generated from the parser by `npm run grammar`.'),
    comment('The language lip. Notation: W3C EBNF; /…/ is a regular expression with the flag u.'),
    comment('Between tokens stand white space and comments, // to the end of the line.'),
  ];
  const body = rules.flatMap(r => {
    // Choices that do not fit on a line get one each.
    const text = printBare(r.body);
    const broken =
      r.body.kind === 'choice' && width + 5 + text.length > WIDTH
        ? r.body.parts.map(p => print(p, 1)).join(`\n${' '.repeat(width)}   | `)
        : text;
    return [...(r.note === undefined ? [] : [comment(r.note)]), line(r.name, broken)];
  });
  const lexical = tokens.map(t => line(t.name, t.regex === undefined ? comment(t.words!) : `/${t.regex}/`));
  return `${[...head, '', ...body, '', ...lexical].join('\n')}\n`;
};
