/** Pages of the diagnostics of the proof (L02xx). */
import type { DiagnosticPage } from './page.ts';

export const PROOF_PAGES = {} satisfies Readonly<Record<string, DiagnosticPage>>;
