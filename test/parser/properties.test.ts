import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { printNetwork } from '../../src/ir/print-network.ts';
import { format, meaning } from '../../src/parser/format.ts';
import { parse } from '../../src/parser/parse.ts';
import { print } from '../../src/parser/print.ts';
import { prove } from '../../src/passes/prove/prove.ts';
import { resolve } from '../../src/passes/resolve/resolve.ts';
import { randomFrom, randomSource } from '../random-network.ts';

/** Text that means nothing between two tokens of a line, and between two inside of brackets. */
const space = fc.constantFrom('', ' ', '\t', '   ');
const comment = fc.constantFrom('// c', '//', '// a, b = 2 {', '//  ends in space  ', '// "');
const wideSpace = fc.oneof(
  { weight: 6, arbitrary: space },
  { weight: 1, arbitrary: fc.constantFrom('\n', '\r\n', ' \n\n  ') },
  { weight: 1, arbitrary: comment.map(c => ` ${c}\n`) },
);
/** Ends a line of a block. */
const lineBreak = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('\n', '\r\n', '\n\n', '\n \n\n\t') },
  { weight: 1, arbitrary: comment.map(c => ` ${c}\n`) },
  { weight: 1, arbitrary: comment.map(c => `\n\n  ${c}\n`) },
);

const name = fc.constantFrom('a', 'dense', 'x1', 'größe', '_', 'σ', 'Net', 'e5', 'sllx', 'ina');
const number = fc.constantFrom('0', '7', '1.50', '3e2', '2.5e-3', '12345678901234567890', '0.10');
const text = fc.constantFrom('"s"', '""', '"a // b, {c}"', '"[("');

const joined = (parts: fc.Arbitrary<string>, separator: fc.Arbitrary<string>, least: number, most: number) =>
  fc
    .array(fc.tuple(separator, parts), { minLength: least, maxLength: most })
    .map(all => all.map(([s, p], i) => (i === 0 ? p : s + p)).join(''));
const concat = (...parts: (fc.Arbitrary<string> | string)[]): fc.Arbitrary<string> =>
  fc.tuple(...parts.map(p => (typeof p === 'string' ? fc.constant(p) : p))).map(all => all.join(''));

/** Expressions, spaced at random; those in brackets may run over several lines. */
const { expression, bracketedArgs } = fc.letrec<
  Record<'expression' | 'inside' | 'atom' | 'arg' | 'bracketedArgs', string>
>(tie => ({
  atom: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    number,
    name,
    text,
    concat(name, space, '(', tie('bracketedArgs'), ')'),
    concat(
      fc.oneof(name, fc.constant('')),
      '[',
      wideSpace,
      joined(tie('inside'), concat(wideSpace, ',', wideSpace), 0, 3),
      ']',
    ),
    concat('(', wideSpace, tie('inside'), wideSpace, ')'),
    concat('(', tie('bracketedArgs'), ')'),
    concat(fc.constantFrom('-', '\u2212', '- -'), space, tie('atom')),
  ),
  expression: joined(tie('atom'), concat(space, fc.constantFrom('+', '-', '*', '/'), space), 1, 3),
  inside: joined(tie('atom'), concat(wideSpace, fc.constantFrom('+', '-', '*', '/'), wideSpace), 1, 3),
  arg: fc.oneof(tie('inside'), concat(name, wideSpace, '=', wideSpace, tie('inside'))),
  bracketedArgs: concat(wideSpace, joined(tie('arg'), concat(wideSpace, ',', wideSpace), 0, 3), wideSpace),
}));

const clause = concat(' ', fc.constantFrom('by', 'on', 'at', 'in', 'to', 'budget'), ' ', expression);
const clauses = joined(clause, fc.constant(''), 0, 2);
const bareArg = fc.oneof(expression, concat(name, space, '=', space, expression));
/** A line that ends in a comma goes on in the next. */
const bareArgs = joined(bareArg, concat(space, ',', fc.oneof(space, fc.constantFrom('\n', ' // why\n  '))), 1, 4);

const stage = concat(
  fc.constantFrom('', '', 'residual '),
  name,
  fc.oneof(fc.constant(''), concat(' ', bareArgs)),
  clauses,
);
const pipe = concat(
  fc.oneof(space, fc.constant('\n  '), fc.constant(' // on\n')),
  '|>',
  fc.oneof(space, fc.constant('\n')),
);
const stages = fc.array(concat(pipe, stage), { maxLength: 3 }).map(all => all.join(''));
const pipeline = fc.oneof(
  concat(
    'let ',
    joined(name, concat(space, ',', space), 1, 2),
    space,
    '=',
    fc.constantFrom(' ', '\n'),
    expression,
    clauses,
    stages,
  ),
  concat(expression, stages),
  concat(stage, stages),
);

const { block } = fc.letrec<Record<'statement' | 'block', string>>(tie => ({
  statement: concat(
    fc.constantFrom('', '', 'residual '),
    name,
    fc.oneof(fc.constant(''), concat(' ', bareArgs)),
    clauses,
    fc.oneof({ depthSize: 'small' }, fc.constant(''), concat(' ', tie('block'))),
  ),
  block: concat(
    '{',
    fc.oneof(space, lineBreak),
    joined(
      fc.oneof({ weight: 3, arbitrary: tie('statement') }, { weight: 1, arbitrary: pipeline }),
      fc.oneof(lineBreak, concat(space, fc.constantFrom(',', ',\n'), space)),
      0,
      4,
    ),
    fc.oneof(space, lineBreak),
    '}',
  ),
}));

const item = concat(
  fc.constantFrom('network ', 'train ', 'certify '),
  name,
  fc.oneof(fc.constant(''), concat('(', bracketedArgs, ')')),
  clauses,
  fc.oneof(fc.constant(''), concat(' ', block)),
);

const field = concat(
  name,
  fc.oneof(fc.constant(''), concat(space, ':', wideSpace, concat(name, '[', wideSpace, expression, wideSpace, ']'))),
  fc.oneof(fc.constant(''), concat(space, '=', space, expression)),
);
const fields = concat('(', wideSpace, joined(field, concat(wideSpace, ',', wideSpace), 0, 3), wideSpace, ')');
const condition = fc.oneof(
  fc.constant(''),
  concat(' when ', name, fc.oneof(fc.constant(''), concat(' = ', fc.constantFrom('in', 'out')))),
);
const formula = concat(
  fc.oneof(
    concat('param ', field),
    concat('let ', name, space, '=', fc.constantFrom(' ', '\n'), expression),
    concat('return ', expression),
  ),
  condition,
);
const definition = concat(
  fc.constantFrom('layer ', 'layer residual ', 'rescaling '),
  name,
  space,
  fields,
  space,
  fc.oneof(fc.constant(''), fields),
  fc.oneof(fc.constant(''), concat(' by ', name)),
  ' {',
  fc.oneof(space, lineBreak),
  joined(formula, lineBreak, 0, 4),
  fc.oneof(space, lineBreak),
  '}',
);
const source = concat(
  fc.oneof(fc.constant(''), lineBreak),
  joined(fc.oneof({ weight: 3, arbitrary: item }, { weight: 1, arbitrary: definition }), lineBreak, 0, 3),
  fc.oneof(fc.constant(''), lineBreak),
);

const folder = join(import.meta.dirname, '../../examples');
const examples = readdirSync(folder)
  .filter(f => f.endsWith('.lip'))
  .map(f => readFileSync(join(folder, f), 'utf8'));

/** Often still of the language. */
const HARMLESS = ['', ' ', '\n\n', ' // note\n', '0', 'a'];
/** Where a text is cut, what is left out, and what is put there instead. */
const SPLICES = [
  '',
  '\n',
  '{',
  '}',
  '(',
  ')',
  '[',
  ']',
  ',',
  '=',
  '"',
  '//',
  'residual',
  'by ',
  'network N',
  '\u0000',
  '\ud800',
  '#',
  '9',
  'é',
  ' layer f(x) {',
  ' let a = 1\n',
  '|>',
  'ᵀ',
  '1e999999',
];
const edit = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  drop: fc.oneof(fc.constant(0), fc.nat(3), fc.nat(12)),
  put: fc.oneof(
    fc.constantFrom(...HARMLESS),
    fc.constantFrom(...SPLICES),
    fc.string({ unit: 'grapheme', maxLength: 3 }),
  ),
});
const mutated = fc
  .tuple(fc.oneof(fc.constantFrom(...examples), source), fc.array(edit, { minLength: 1, maxLength: 2 }))
  .map(([start, edits]) =>
    edits.reduce((s, { at, drop, put }) => {
      const i = Math.floor(at * s.length);
      return s.slice(0, i) + put + s.slice(i + drop);
    }, start),
  );

const commentsOf = (s: string): string[] => parse(s).file.comments.map(c => c.text.trimEnd());

/** Printing keeps the tree and the comments, and printing again changes nothing. */
const checkPrinting = (s: string): void => {
  const { file } = parse(s);
  const printed = print(file, s);
  const again = parse(printed);
  expect(again.diagnostics).toEqual([]);
  expect(meaning(again.file)).toBe(meaning(file));
  expect(print(again.file, printed)).toBe(printed);
  expect(commentsOf(printed)).toEqual(commentsOf(s));
};

describe('the parser and the formatter, on random sources', () => {
  it('parse ∘ print is the identity on trees, fmt ∘ fmt = fmt, and no comment is lost', () => {
    let read = 0;
    const runs = 600;
    fc.assert(
      fc.property(source, s => {
        // A random list of arguments may read as statements that say nothing sensible; most must be of the language.
        if (parse(s).diagnostics.length > 0) return;
        read++;
        checkPrinting(s);
      }),
      { numRuns: runs, seed: 20_221_122 },
    );
    expect(read).toBeGreaterThan(0.7 * runs);
  });

  it('mutated sources are read or reported, never thrown at, from parsing to proving', () => {
    let [read, refused] = [0, 0];
    fc.assert(
      fc.property(mutated, s => {
        const parsed = parse(s);
        const program = resolve(parsed.file, {});
        for (const d of [...parsed.diagnostics, ...program.diagnostics]) {
          expect(d.span.start).toBeGreaterThanOrEqual(0);
          expect(d.span.end).toBeLessThanOrEqual(s.length);
        }
        if (parsed.diagnostics.length > 0) {
          refused++;
          expect('diagnostics' in format(s)).toBe(true);
          return;
        }
        read++;
        checkPrinting(s);
        if (program.diagnostics.length === 0) for (const net of program.networks) prove(net);
      }),
      { numRuns: 600, seed: 20_221_123 },
    );
    expect(Math.min(read, refused)).toBeGreaterThan(50);
  });

  it('formatting a well-typed network leaves its layers and parameters as they were', () => {
    const networkOf = (s: string): string => resolve(parse(s).file, {}).networks.map(printNetwork).join('\n');
    for (let seed = 0; seed < 100; seed++) {
      const s = randomSource(randomFrom(70_000 + seed), {
        operators: true,
        geometries: true,
        structures: true,
        branches: seed % 2 === 0,
      });
      const result = format(s);
      if (!('text' in result)) throw new Error(`does not parse: ${s}`);
      expect(networkOf(result.text)).toBe(networkOf(s));
      expect(networkOf(s)).toContain('network');
    }
  });
});
