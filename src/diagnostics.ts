import type { DiagnosticCode } from './diagnostic-codes.ts';

/** A half-open range of UTF-16 offsets in the source text. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export type Severity = 'error' | 'warning';

/** One finding about a program. `lip explain CODE` prints the page of its code. */
export interface Diagnostic {
  readonly code: DiagnosticCode;
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
