/** Diagnostics as text for a terminal: the message, a frame of the source with the places underlined, notes and help. */
import pc from 'picocolors';
import type { Diagnostic, Span } from '../diagnostics.ts';
import { printCounterexample } from './print-counterexample.ts';
import { WIDTH, wrap } from './wrap.ts';

const TAB = 4;
/** Columns of source shown at most; longer lines are cut around the place that matters. */
const MAX_COLUMNS = 100;

/** A source with its line starts, made once per file. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
  /** Offset of the first character of each line. */
  readonly lineStarts: readonly number[];
}

export const createSourceFile = (path: string, text: string): SourceFile => {
  const lineStarts = [0];
  for (const m of text.matchAll(/\r\n|\r|\n/g)) lineStarts.push(m.index + m[0].length);
  return { path, text, lineStarts };
};

/** 1-based line and column (in characters, not UTF-16 units) of an offset. */
export const position = (file: SourceFile, offset: number): { readonly line: number; readonly column: number } => {
  const at = Math.min(Math.max(offset, 0), file.text.length);
  let low = 0;
  let high = file.lineStarts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (file.lineStarts[middle] <= at) low = middle;
    else high = middle - 1;
  }
  return { line: low + 1, column: [...file.text.slice(file.lineStarts[low], at)].length + 1 };
};

const lineText = (file: SourceFile, line: number): string =>
  file.text.slice(file.lineStarts[line - 1], file.lineStarts[line] ?? file.text.length).replace(/[\r\n]+$/, '');

/** East Asian wide and emoji blocks, which take two columns. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;
const ZERO_WIDTH = /\p{Mn}|\p{Me}|[\u200b-\u200d]|[\ufe00-\ufe0f]/u;
/** Characters that would move the cursor, change colours or reorder the line. */
const UNSAFE = /[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;

const visible = (char: string): string => {
  if (!UNSAFE.test(char)) return char;
  const code = char.codePointAt(0)!;
  return code < 0x20 ? String.fromCodePoint(0x2400 + code) : '\ufffd';
};

/** What `text` looks like from display column `from`: tabs as spaces, nothing that acts on the terminal. */
const display = (text: string, from = 0): { readonly text: string; readonly width: number } => {
  let out = '';
  let column = from;
  for (const char of text) {
    if (char === '\t') {
      const n = TAB - (column % TAB);
      out += ' '.repeat(n);
      column += n;
    } else {
      const shown = visible(char);
      out += shown;
      column += ZERO_WIDTH.test(shown) ? 0 : WIDE.test(shown) ? 2 : 1;
    }
  }
  return { text: out, width: column - from };
};

interface Mark {
  readonly line: number;
  /** Display columns. */
  readonly start: number;
  readonly width: number;
  readonly text: string;
  readonly primary: boolean;
}

const mark = (file: SourceFile, span: Span, text: string, primary: boolean): Mark => {
  const { line } = position(file, span.start);
  const lineStart = file.lineStarts[line - 1];
  const source = lineText(file, line);
  const from = Math.min(span.start - lineStart, source.length);
  const to = Math.min(Math.max(span.end - lineStart, from), source.length);
  const start = display(source.slice(0, from)).width;
  return { line, start, width: Math.max(1, display(source.slice(from, to), start).width), text, primary };
};

/** Whether to write colours to `stream`: never with NO_COLOR, always with FORCE_COLOR, else on terminals. */
export const wantsColor = (stream: { readonly isTTY?: boolean }, env = process.env): boolean =>
  env.NO_COLOR ? false : env.FORCE_COLOR ? env.FORCE_COLOR !== '0' : stream.isTTY === true;

/**
 * The diagnostic as lines of text, without a final newline:
 *
 *     error[L0101]: there is no layer `dens`
 *       --> net.lip:3:3
 *        |
 *      3 |   dens 4
 *        |   ^^^^
 *        = help: did you mean `dense`?
 */
export const renderDiagnostic = (d: Diagnostic, file: SourceFile, color: boolean): string => {
  const c = pc.createColors(color);
  const tint = d.severity === 'error' ? c.red : c.yellow;
  const marks = [
    mark(file, d.span, '', true),
    ...(d.labels ?? []).map(l => mark(file, l.span, display(l.text.replaceAll('\n', ' ')).text, false)),
  ].sort((a, b) => a.line - b.line || a.start - b.start);
  const gutter = `${Math.max(...marks.map(m => m.line))}`.length + 1;
  const bar = (n = '') => c.blue(`${n.padStart(gutter)} |`);
  const at = position(file, d.span.start);
  const lines = [
    `${tint(c.bold(`${d.severity}[${d.code}]`))}${c.bold(`: ${display(d.message).text}`)}`,
    `${' '.repeat(gutter)}${c.blue('-->')} ${file.path}:${at.line}:${at.column}`,
    bar(),
  ];
  let previous: number | undefined;
  for (const line of new Set(marks.map(m => m.line))) {
    if (previous !== undefined && line > previous + 1) lines.push(c.blue(`${' '.repeat(gutter - 1)}...`));
    previous = line;
    const here = marks.filter(m => m.line === line);
    const shown = display(lineText(file, line));
    // Cut long lines around the first mark.
    const cut = shown.width > MAX_COLUMNS ? Math.max(0, here[0].start - MAX_COLUMNS / 2) : 0;
    const visibleText = window(shown.text, cut);
    lines.push(`${bar(`${line}`)} ${visibleText}`.trimEnd());
    for (const m of here) {
      const start = m.start - cut;
      const room = Math.max(1, MAX_COLUMNS + 2 - start);
      const underline = (m.primary ? '^' : '-').repeat(Math.min(m.width, room));
      const text = `${underline}${m.text ? ` ${m.text}` : ''}`;
      lines.push(`${bar()} ${' '.repeat(Math.max(0, start))}${m.primary ? tint(text) : c.blue(text)}`);
    }
  }
  const entry = (label: string, text: string) => {
    const indent = ' '.repeat(gutter + 3 + label.length + 2);
    const [first, ...rest] = text.split('\n').map(t => {
      const shown = display(t);
      return indent.length + shown.width > WIDTH ? wrap(shown.text, indent) : shown.text;
    });
    lines.push(
      `${' '.repeat(gutter)} ${c.blue('=')} ${c.bold(`${label}:`)} ${first}`,
      ...rest.map(r => `${indent}${r}`),
    );
  };
  for (const n of d.notes ?? []) entry('note', n);
  if (d.counterexample) entry('counterexample', printCounterexample(d.counterexample));
  if (d.help) entry('help', d.help);
  return lines.join('\n');
};

/** MAX_COLUMNS display columns from `start`, with … where something is left out. */
const window = (text: string, start: number): string => {
  let column = 0;
  let out = '';
  let cutAtEnd = false;
  for (const char of text) {
    const width = display(char).width;
    if (column >= start && column + width <= start + MAX_COLUMNS) out += char;
    else if (column >= start + MAX_COLUMNS - width) {
      cutAtEnd = true;
      break;
    }
    column += width;
  }
  return `${start > 0 ? `…${[...out].slice(1).join('')}` : out}${cutAtEnd ? '…' : ''}`;
};

/** All diagnostics of a file, with an empty line after each. */
export const renderDiagnostics = (diagnostics: readonly Diagnostic[], file: SourceFile, color: boolean): string =>
  diagnostics.map(d => `${renderDiagnostic(d, file, color)}\n\n`).join('');

/** "2 errors, 1 warning". */
export const countDiagnostics = (diagnostics: readonly Diagnostic[]): string => {
  const errors = diagnostics.filter(d => d.severity === 'error').length;
  const warnings = diagnostics.length - errors;
  const count = (n: number, word: string) => (n === 0 ? [] : [`${n} ${word}${n === 1 ? '' : 's'}`]);
  return [...count(errors, 'error'), ...count(warnings, 'warning')].join(', ');
};

/** For `--json`: the diagnostic with line and column besides its offsets. */
export const diagnosticToJson = (d: Diagnostic, file: SourceFile): object => ({
  ...d,
  file: file.path,
  start: position(file, d.span.start),
  end: position(file, d.span.end),
});
