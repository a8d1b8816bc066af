/** A half-open range of UTF-16 offsets in the source text. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export type Severity = 'error' | 'warning';

/** One finding about a program. `code` is a key of the registry in `diagnostic-codes.ts`; `lip explain CODE` prints its page. */
export interface Diagnostic {
  readonly code: string;
  readonly severity: Severity;
  /** What was found and what was expected, in one sentence. */
  readonly message: string;
  readonly span: Span;
  /** Further places that matter, each with its own words. */
  readonly labels?: readonly { readonly span: Span; readonly text: string }[];
  /** Facts that explain the finding, e.g. the chain of factors. */
  readonly notes?: readonly string[];
  /** What to do. */
  readonly help?: string;
}
