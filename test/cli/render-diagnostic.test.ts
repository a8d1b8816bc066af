import { describe, expect, test } from 'vitest';
import {
  countDiagnostics,
  createSourceFile,
  diagnosticToJson,
  position,
  renderDiagnostic,
  renderDiagnostics,
  wantsColor,
} from '../../src/cli/render-diagnostic.ts';
import type { Diagnostic } from '../../src/diagnostics.ts';

const at = (source: string, needle: string, more: Partial<Diagnostic> = {}): Diagnostic => {
  const start = source.indexOf(needle);
  return { code: 'L0101', severity: 'error', message: 'message', span: { start, end: start + needle.length }, ...more };
};

const render = (source: string, needle: string, more: Partial<Diagnostic> = {}): string =>
  `\n${renderDiagnostic(at(source, needle, more), createSourceFile('net.lip', source), false)}\n`;

test('message, frame, notes and help', () => {
  expect(
    render('network N {\n  dens 4\n}\n', 'dens', { notes: ['one', 'two\nlines'], help: 'did you mean `dense`?' }),
  ).toBe(`
error[L0101]: message
  --> net.lip:2:3
   |
 2 |   dens 4
   |   ^^^^
   = note: one
   = note: two
           lines
   = help: did you mean \`dense\`?
`);
});

test('labels, on the same line and on others, in order, with a gap', () => {
  const source = 'a = 1\nb\nc\nd = a + a\n';
  const span = (needle: string, from = 0) => ({
    start: source.indexOf(needle, from),
    end: source.indexOf(needle, from) + 1,
  });
  expect(
    render(source, 'd', {
      labels: [
        { span: span('a'), text: 'defined here' },
        { span: span('a', 10), text: 'used here' },
      ],
    }),
  ).toBe(`
error[L0101]: message
  --> net.lip:4:1
   |
 1 | a = 1
   | - defined here
 ...
 4 | d = a + a
   | ^
   |     - used here
`);
});

describe('columns', () => {
  const caret = (source: string, needle: string): [string, string] => {
    const lines = render(source, needle).split('\n');
    const i = lines.findIndex(l => l.includes('^'));
    return [lines[i - 1], lines[i]];
  };
  test('tabs are shown as spaces', () => {
    expect(caret('\tdens 4', 'dens')).toEqual([' 1 |     dens 4', '   |     ^^^^']);
    expect(caret('ab\tdens 4', 'dens')).toEqual([' 1 | ab  dens 4', '   |     ^^^^']);
  });
  test('wide characters take two columns, combining ones none', () => {
    expect(caret('語語 dens', 'dens')).toEqual([' 1 | 語語 dens', '   |      ^^^^']);
    expect(caret('e\u0301 dens', 'dens')).toEqual([' 1 | e\u0301 dens', '   |   ^^^^']);
    expect(caret('x \u{1F600} y', '\u{1F600}')).toEqual([' 1 | x \u{1F600} y', '   |   ^^']);
  });
  test('line ends of Windows and of old Macs', () => {
    expect(caret('relu\r\ndens\r\n', 'dens')).toEqual([' 2 | dens', '   | ^^^^']);
    expect(caret('relu\rdens\r', 'dens')).toEqual([' 2 | dens', '   | ^^^^']);
  });
  test('the end of the file', () => {
    const source = 'network N {\n';
    const d: Diagnostic = { code: 'L0003', severity: 'error', message: 'm', span: { start: 12, end: 12 } };
    expect(renderDiagnostic(d, createSourceFile('n', source), false).split('\n').slice(1)).toEqual([
      '  --> n:2:1',
      '   |',
      ' 2 |',
      '   | ^',
    ]);
  });
  test('an empty file, and spans outside of it', () => {
    const d: Diagnostic = { code: 'L0007', severity: 'error', message: 'm', span: { start: 0, end: 5 } };
    expect(renderDiagnostic(d, createSourceFile('n', ''), false).split('\n').slice(1)).toEqual([
      '  --> n:1:1',
      '   |',
      ' 1 |',
      '   | ^',
    ]);
  });
  test('a span over several lines is underlined in its first', () => {
    expect(caret('repeat 2 {\n relu\n}', 'repeat 2 {\n relu\n}')).toEqual([' 1 | repeat 2 {', '   | ^^^^^^^^^^']);
  });
  test('long lines are cut around the place', () => {
    const [line, mark] = caret(`${'x '.repeat(500)}dens${' y'.repeat(500)}`, 'dens');
    expect(line.length).toBeLessThan(112);
    expect(line.slice(mark.indexOf('^'), mark.lastIndexOf('^') + 1)).toBe('dens');
    expect(caret('x'.repeat(5000), 'x'.repeat(5000))[1].length).toBeLessThan(112);
  });
});

test('nothing in a source acts on the terminal', () => {
  const text = render('dens \x1b[31m\u202e 4', 'dens', { message: 'found \x1b]0;x\x07' });
  expect([...text].some(c => c !== '\n' && /[\p{Cc}\u202e]/u.test(c))).toBe(false);
});

test('several, and their number', () => {
  const source = 'dens\nconf\n';
  const file = createSourceFile('net.lip', source);
  const found = [at(source, 'dens'), at(source, 'conf', { code: 'L0102', severity: 'warning' })];
  expect(countDiagnostics(found)).toBe('1 error, 1 warning');
  expect(countDiagnostics([found[0], found[0]])).toBe('2 errors');
  expect(renderDiagnostics(found, file, false)).toBe(
    found.map(d => `${renderDiagnostic(d, file, false)}\n\n`).join(''),
  );
});

test('colours only when they are wanted', () => {
  expect(renderDiagnostic(at('dens', 'dens'), createSourceFile('n', 'dens'), true)).toContain('\x1b[');
  expect(renderDiagnostic(at('dens', 'dens'), createSourceFile('n', 'dens'), false)).not.toContain('\x1b[');
  expect(wantsColor({ isTTY: true }, {})).toBe(true);
  expect(wantsColor({ isTTY: true }, { NO_COLOR: '1' })).toBe(false);
  expect(wantsColor({}, {})).toBe(false);
  expect(wantsColor({}, { FORCE_COLOR: '1' })).toBe(true);
});

test('positions count characters from 1', () => {
  const file = createSourceFile('n', 'a\r\n\u{1F600}b');
  expect(position(file, 0)).toEqual({ line: 1, column: 1 });
  expect(position(file, 5)).toEqual({ line: 2, column: 2 });
  expect(diagnosticToJson(at('a\nb', 'b'), createSourceFile('n', 'a\nb'))).toMatchObject({
    file: 'n',
    code: 'L0101',
    start: { line: 2, column: 1 },
    end: { line: 2, column: 2 },
  });
});
