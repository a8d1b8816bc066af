/** Text for people, broken into lines that fit a terminal. */

/** Columns of what is printed, but for source lines and file names. */
export const WIDTH = 100;

/** `text` broken at spaces, but not between backticks; lines after the first start with `indent`, and so far in stands the first. */
export const wrap = (text: string, indent: string): string => {
  const lines: string[] = [];
  let line = '';
  for (const word of text.match(/(?:`[^`]*`|\S)+/g) ?? []) {
    if (line !== '' && indent.length + line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].join(`\n${indent}`);
};

/** Paragraphs, separated by empty lines, filled anew; those with indented lines stay as they are. */
export const fill = (text: string): string =>
  text
    .split('\n\n')
    .map(p => (/^\s/m.test(p) ? p : wrap(p.replaceAll('\n', ' '), '')))
    .join('\n\n');
