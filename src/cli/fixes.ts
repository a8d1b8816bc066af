/** Machine-made mends: what `lip check --fix` writes into a file. */
import type { Diagnostic, Fix, Span } from '../diagnostics.ts';

/** False for a fix of text that stands elsewhere: in a value from the command line. */
const standsIn = (source: string, { span, from }: Fix): boolean =>
  from === undefined ? span.end > span.start : source.slice(span.start, span.end) === from;

/** The same diagnostics, without the fixes that do not belong to `source`. */
export const withFixesFor = (source: string, diagnostics: readonly Diagnostic[]): readonly Diagnostic[] =>
  diagnostics.map(({ fix, ...d }) => (fix && standsIn(source, fix) ? { ...d, fix } : d));

/** The whole line, where nothing of it would be left: what is removed leaves no blank line behind. */
const removed = (source: string, { start, end }: Span): Span => {
  const lineStart = source.lastIndexOf('\n', start - 1) + 1;
  const lineEnd = source.indexOf('\n', end) + 1 || source.length;
  const left = source.slice(lineStart, start) + source.slice(end, lineEnd);
  return left.trim() === '' ? { start: lineStart, end: lineEnd } : { start, end };
};

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
    const { to } = d.fix!;
    const span = to === '' ? removed(source, d.fix!.span) : d.fix!.span;
    if (span.start < at) continue;
    text += source.slice(at, span.start) + to;
    at = span.end;
    made.push(d);
  }
  return { text: text + source.slice(at), made };
};
