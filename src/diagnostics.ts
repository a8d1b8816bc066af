import type { DiagnosticCode } from './diagnostic-codes.ts';
import type { Counterexample } from './ir/counterexample.ts';
import type { Network } from './ir/network.ts';

/** A half-open range of UTF-16 offsets in the source text. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export type Severity = 'error' | 'warning';

/** A mend that a machine can make: `to` in place of the text at `span`. */
export interface Fix {
  readonly span: Span;
  /** What stands there, where that is known: values from the command line point at places they do not come from. */
  readonly from?: string;
  readonly to: string;
}

/** What to do, in words; with `to`, it is done by writing that in place of `from`, the whole text at the place reported. */
export type Help = string | { readonly text: string; readonly from: string; readonly to: string };

/** The part of a diagnostic that says what to do. */
export const advice = (help: Help | undefined, span: Span): Pick<Diagnostic, 'help' | 'fix'> =>
  help === undefined
    ? {}
    : typeof help === 'string'
      ? { help }
      : { help: help.text, fix: { span, from: help.from, to: help.to } };

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
  /** Where there is one obvious mend. `lip check --fix` makes it. */
  readonly fix?: Fix;
  /** Where a proof failed: the layers it was about, all but the head where their product was. */
  readonly refused?: {
    readonly network: string;
    readonly layers: readonly string[];
    /** The bound stated of them, where that is what they exceed. */
    readonly budget?: number;
  };
  /** The layers refused, as a network of their own, where the program's could not be made. */
  readonly suspect?: Network;
  /** Numbers that show the program wrong; 'none found' after a search without success, which says nothing about it. */
  readonly counterexample?: Counterexample | 'none found';
}
