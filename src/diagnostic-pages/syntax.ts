/** Pages of the diagnostics of the parser (L00xx). */
import { type DiagnosticPage, net, page } from './page.ts';

const small = net('x[8]', 'dense 4', 'relu');

export const SYNTAX_PAGES = {
  L0001: page(
    'the file is too large',
    'A network is written in a few dozen lines, because `repeat` says the same thing many times. A file of more than a million\ncharacters is almost always another kind of file, so it is not read.',
    { source: `${small}${'// '.repeat(340_000)}\n`, shown: '(a file of more than 1,000,000 characters)' },
    small,
  ),
  L0002: page(
    'a character that is not part of the language',
    'Outside of comments and strings a program consists of names, numbers, brackets, `,`, `=`, `+`, `-`, `*` and `/`. Statements end with\ntheir line, so there is no `;`.',
    net('x[8]', 'dense 4;', 'relu'),
    small,
  ),
  L0003: page(
    'syntax error',
    'The text does not follow the grammar at this place: something else was expected here. A statement is a name, its arguments\n(`value` or `name = value`, with commas between them) and clauses such as `by sll`, all on one line; a line that ends in a comma or\nan operator goes on in the next.',
    net('x[8]', 'dense 4 bias = false'),
    net('x[8]', 'dense 4, bias = false'),
  ),
  L0004: page(
    'too deeply nested',
    'Brackets may be nested 200 deep and an expression may have 1000 operators, far more than any network needs. The limit keeps the\ncompiler safe from running out of stack on damaged input.',
    {
      source: net('x[8]', `dense ${'('.repeat(300)}4${')'.repeat(300)}`),
      shown: net('x[8]', 'dense ((((( … 300 brackets … 4 … )))))'),
    },
    net('x[8]', 'dense ((4))'),
  ),
  L0006: page(
    'a string without an end',
    'A string begins and ends with `"` on the same line.',
    `${net('image[1, 28, 28]', 'flatten', 'head 10')}train Net on idx("data) {\n  epochs 1\n}\n`,
    `${net('image[1, 28, 28]', 'flatten', 'head 10')}train Net on idx("data") {\n  epochs 1\n}\n`,
  ),
  L0007: page(
    'no network in the file',
    'A program needs at least one `network`; an empty file, or one with comments only, has nothing to compile.',
    '// to be written\n',
    small,
  ),
} satisfies Readonly<Record<string, DiagnosticPage>>;
