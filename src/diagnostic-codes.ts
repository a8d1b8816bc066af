/**
 * Every diagnostic code the compiler emits, with its page. L00xx: reading the text; L01xx: names, constants and shapes; L02xx: the proof.
 */
import { BRANCH_PAGES } from './diagnostic-pages/branches.ts';
import { NAME_PAGES } from './diagnostic-pages/names.ts';
import type { DiagnosticPage } from './diagnostic-pages/page.ts';
import { PROOF_PAGES } from './diagnostic-pages/proof.ts';
import { SHAPE_PAGES } from './diagnostic-pages/shapes.ts';
import { SYNTAX_PAGES } from './diagnostic-pages/syntax.ts';

export type { DiagnosticPage };

export const DIAGNOSTIC_CODES = {
  ...SYNTAX_PAGES,
  ...NAME_PAGES,
  ...SHAPE_PAGES,
  ...BRANCH_PAGES,
  ...PROOF_PAGES,
} satisfies Readonly<Record<string, DiagnosticPage>>;

export type DiagnosticCode = keyof typeof DIAGNOSTIC_CODES;

export const isDiagnosticCode = (code: string): code is DiagnosticCode => Object.hasOwn(DIAGNOSTIC_CODES, code);
