/** Parameters of a definition that cannot matter: no `return` depends on them, whatever the options. */
import type { Definition, Name } from '../../parser/ast.ts';

/** Names that stand anywhere in a tree. */
export const namesIn = (node: unknown, found: Set<string>): Set<string> => {
  if (typeof node !== 'object' || node === null) return found;
  for (const [key, value] of Object.entries(node))
    if (typeof value === 'string' && (key === 'name' || key === 'text')) found.add(value);
    else namesIn(value, found);
  return found;
};

/** The parameters without which `definition` returns the same. They are legal (stored, with a gradient of 0), but hardly meant. */
export const unusedParams = ({ body }: Definition): readonly Name[] => {
  const returns = body.filter(st => st.kind === 'return');
  if (returns.length === 0) return [];
  const used = namesIn(
    returns.map(st => st.value),
    new Set(),
  );
  // What an initial value or a size is taken from stands before it, and so does what a `let` is made of.
  for (const st of [...body].reverse()) {
    if (st.kind === 'let' && used.has(st.name.text)) namesIn(st.value, used);
    if (st.kind === 'param' && used.has(st.field.name.text)) namesIn([st.field.type, st.field.value], used);
  }
  return body.flatMap(st => (st.kind === 'param' && !used.has(st.field.name.text) ? [st.field.name] : []));
};
