/** Machine-made mends: what `lip check --fix` writes into a file. */
import type { Diagnostic, Fix } from '../diagnostics.ts';

/** False for a fix of text that stands elsewhere: in a value from the command line. */
const standsIn = (source: string, { span, from }: Fix): boolean =>
  from === undefined ? span.end > span.start : source.slice(span.start, span.end) === from;

/** The same diagnostics, without the fixes that do not belong to `source`. */
export const withFixesFor = (source: string, diagnostics: readonly Diagnostic[]): readonly Diagnostic[] =>
  diagnostics.map(({ fix, ...d }) => (fix && standsIn(source, fix) ? { ...d, fix } : d));

/** `source` with the fixes of its diagnostics, those that overlap an earlier one left out; and which were made, in order of the text. */
export const applyFixes = (
  source: string,
  diagnostics: readonly Diagnostic[],
): { readonly text: string; readonly made: readonly Diagnostic[] } => {
  const inOrder = withFixesFor(source, diagnostics)
    .filter(d => d.fix !== undefined)
    .sort((a, b) => a.fix!.span.start - b.fix!.span.start);
  const made: Diagnostic[] = [];
  let text = '';
  let at = 0;
  for (const d of inOrder) {
    const { span, to } = d.fix!;
    if (span.start < at) continue;
    text += source.slice(at, span.start) + to;
    at = span.end;
    made.push(d);
  }
  return { text: text + source.slice(at), made };
};
