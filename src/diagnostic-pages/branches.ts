/** Pages of the diagnostics of branches: values with names, and what is made of several (L0150–L0159). */
import { type DiagnosticPage, net, page } from './page.ts';

export const BRANCH_PAGES = {
  L0150: page(
    'branches of shapes that do not fit together',
    `A sum, a mix, a maximum or a minimum takes values of one shape. Vectors of any sizes, and images of one height and width, stand side
by side in \`concat\`; the parts of a \`split\` add up to the whole.`,
    net('x[8]', 'let a = x |> dense 4', 'let b = x |> dense 5', 'mix(a, b)'),
    net('x[8]', 'let a = x |> dense 4', 'let b = x |> dense 5', '1/2 * concat(a, b)'),
  ),
  L0151: page(
    'a value that is never used',
    `Every layer leads to the last one: what leads nowhere would be computed for nothing, its parameters never trained. \`let\` gives a value
a name and does not go on from it; a line that begins with a value goes on from that one, and what the line above made is lost unless it
has a name.`,
    net('x[8]', 'let a = x |> dense 8 |> relu', 'dense 4'),
    net('x[8]', 'let a = x |> dense 8 |> relu', 'mix(a, x)', 'dense 4'),
  ),
  L0152: page(
    'a value that does not exist',
    `Values are the input, by the name it was declared with, what \`let\` has named above, and \`it\`, which the line above made. A name given
inside of \`repeat\` is known inside of it only.`,
    net('x[8]', 'let a = x |> dense 4', 'mix(a, b)'),
    net('x[8]', 'let a = x |> dense 4', 'let b = x |> dense 4', 'mix(a, b)'),
  ),
} satisfies Readonly<Record<string, DiagnosticPage>>;
