import type { DiagnosticCode } from './diagnostic-codes.ts';
import type { Counterexample } from './ir/counterexample.ts';

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
  /** Where a proof failed: the layers it was about, all but the head where their product was. */
  readonly refused?: { readonly network: string; readonly layers: readonly string[] };
  /** Numbers that show the program wrong; 'none found' after a search without success, which says nothing about it. */
  readonly counterexample?: Counterexample | 'none found';
}
