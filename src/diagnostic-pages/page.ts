/** A program for a page. The tests compile every one. */
export interface Example {
  readonly source: string;
  /** What the page shows instead of a source that is too long to print. */
  readonly shown?: string;
  /** Options of the command line that the example needs. */
  readonly options?: { readonly set?: Readonly<Record<string, string>>; readonly by?: string };
}

/** What `lip explain CODE` prints. `wrong` gives the code, `right` is a program without any diagnostic. */
export interface DiagnosticPage {
  readonly title: string;
  readonly why: string;
  readonly wrong: Example;
  readonly right: Example;
}

/** A page whose examples are the layers of a network with the given input, between `input` and the closing brace. */
export const page = (title: string, why: string, wrong: string | Example, right: string | Example): DiagnosticPage => ({
  title,
  why,
  wrong: typeof wrong === 'string' ? { source: wrong } : wrong,
  right: typeof right === 'string' ? { source: right } : right,
});

/** `network Net by sll { input …; LAYERS }`, one statement per line. */
export const net = (input: string, ...layers: readonly string[]): string =>
  `network Net by sll {\n  input ${input}\n${layers.map(l => `  ${l}\n`).join('')}}\n`;
