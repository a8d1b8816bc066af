/** Parameters of a definition that cannot matter: no `return` depends on them, whatever the options. */
import type { Diagnostic } from '../../diagnostics.ts';
import type { Definition } from '../../parser/ast.ts';
import { shorten } from '../../parser/suggest.ts';

/** Names that stand anywhere in a tree. */
export const namesIn = (node: unknown, found: Set<string>): Set<string> => {
  if (typeof node !== 'object' || node === null) return found;
  for (const [key, value] of Object.entries(node))
    if (typeof value === 'string' && (key === 'name' || key === 'text')) found.add(value);
    else namesIn(value, found);
  return found;
};

/** A warning for each parameter without which `definition` returns the same: it is left out, and hardly meant to be. */
export const unusedParams = ({ form, name, body }: Definition): readonly Diagnostic[] => {
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
  return body.flatMap((st): readonly Diagnostic[] => {
    if (st.kind !== 'param' || used.has(st.field.name.text)) return [];
    const { text, span } = st.field.name;
    return [
      {
        code: 'L0142',
        severity: 'warning',
        message: `what \`${shorten(name.text)}\` returns does not depend on the parameter \`${shorten(text)}\`: the ${form} goes without it`,
        span,
        help: 'remove this line, or use the parameter',
        fix: { span: st.span, to: '' },
      },
    ];
  });
};
