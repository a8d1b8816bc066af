import { expect, test } from 'vitest';
import { fill, WIDTH, wrap } from '../../src/cli/wrap.ts';

test('lines fit, keep every word, and commands between backticks stay whole', () => {
  const words = Array.from({ length: 60 }, (_, i) => 'x'.repeat(1 + (i % 9)));
  const text = [...words.slice(0, 30), '`lip train a.lip --resume b`,', ...words.slice(30)].join(' ');
  const lines = wrap(text, '    ').split('\n');
  expect(lines.length).toBeGreaterThan(2);
  for (const [i, l] of lines.entries()) expect((i === 0 ? 4 : 0) + l.length).toBeLessThanOrEqual(WIDTH);
  expect(lines.map(l => l.trim()).join(' ')).toBe(text);
  expect(lines.some(l => l.includes('`lip train a.lip --resume b`,'))).toBe(true);
});

test('a word longer than a line and a lone backtick are left as they are', () => {
  const long = 'y'.repeat(2 * WIDTH);
  expect(wrap(`a ${long} b`, '')).toBe(`a\n${long}\nb`);
  expect(wrap('it`s so', '')).toBe('it`s so');
});

test('paragraphs are filled, indented ones kept', () => {
  expect(fill('one\ntwo\n\n  a\n  b')).toBe('one two\n\n  a\n  b');
});
