/** The formatter: source → canonical source with the same meaning. */
import type { Diagnostic } from '../diagnostics.ts';
import type { FileNode } from './ast.ts';
import { parse } from './parse.ts';
import { print } from './print.ts';

const PLACES: ReadonlySet<string> = new Set(['span', 'wordSpan']);

/** The tree without places, as text: equal for two sources that mean the same. */
export const meaning = (file: FileNode): string =>
  JSON.stringify([file.items, file.definitions], (key, value) =>
    PLACES.has(key)
      ? undefined
      : key === 'residual' || key === 'transposed'
        ? true
        : typeof value === 'bigint'
          ? `${value}`
          : value,
  );

/**
 * Formats a whole file; `diagnostics` where it cannot be read, for then part of it would be lost. Throws when the result would mean
 * something else than the source, which is a bug of the printer.
 */
export const format = (source: string): { readonly text: string } | { readonly diagnostics: readonly Diagnostic[] } => {
  const { file, diagnostics } = parse(source);
  if (diagnostics.length > 0) return { diagnostics };
  const text = print(file, source);
  const again = parse(text);
  if (again.diagnostics.length > 0 || meaning(again.file) !== meaning(file))
    throw new Error('formatting would change what the file means; it was left as it is');
  return { text };
};
