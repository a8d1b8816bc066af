/** The standard library: layers and rescalings that are definitions in the language. */
import conv from './library/conv.lip';
import dense from './library/dense.lip';
import rescalings from './library/rescalings.lip';
import type { Definition } from './parser/ast.ts';
import { parse } from './parser/parse.ts';

/** File names and texts, in the order in which suggestions and lists name what they define. */
const SOURCES: readonly (readonly [name: string, text: string])[] = [
  ['rescalings.lip', rescalings],
  ['dense.lip', dense],
  ['conv.lip', conv],
];

export const librarySources = (): readonly { readonly file: string; readonly text: string }[] =>
  SOURCES.map(([file, text]) => ({ file, text }));

export interface LibraryDefinition {
  readonly definition: Definition;
  /** Its text, with the comments above it. */
  readonly source: string;
  readonly file: string;
}

const read = (): readonly LibraryDefinition[] =>
  SOURCES.flatMap(([file, text]) => {
    const { file: tree, diagnostics } = parse(text);
    if (diagnostics.length > 0) throw new Error(`${file}: ${diagnostics[0].message}`);
    return tree.definitions.map(definition => {
      // The comment's lines are those above without a blank one between.
      const before = text.slice(0, definition.span.start);
      const start = before.lastIndexOf('\n\n') + 2;
      return { definition, source: text.slice(before.includes('\n\n') ? start : 0, definition.span.end), file };
    });
  });

let definitions: readonly LibraryDefinition[] | undefined;

/** All definitions of the library, parsed once. */
export const libraryDefinitions = (): readonly LibraryDefinition[] => {
  definitions ??= read();
  return definitions;
};
