/** Railroad diagrams: one SVG a rule, in a page without scripts or anything to load. */
import type { Grammar, Production } from './rules.ts';

/** A drawing whose track enters at (0, 0) and leaves at (width, 0); it reaches `up` above that line and `down` below. */
interface Picture {
  readonly width: number;
  readonly up: number;
  readonly down: number;
  /** SVG elements, moved to (x, y). */
  readonly draw: (x: number, y: number) => string;
}

/** Half the height of a box. */
const HALF = 12;
/** Radius of the curves, and half the least distance of two tracks. */
const RADIUS = 9;
/** Space between two tracks above each other. */
const GAP = 8;
const LETTER = 7.6;

const escapeText = (text: string): string =>
  text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');

const path = (d: string): string => `<path d="${d}"/>`;
const across = (x: number, y: number, width: number): string => (width > 0 ? path(`M${x} ${y}h${width}`) : '');

const box = (text: string, kind: 'word' | 'rule' | 'token', href?: string): Picture => {
  const width = Math.round([...text].length * LETTER + 20);
  return {
    width,
    up: HALF,
    down: HALF,
    draw: (x, y) => {
      const shape = `<rect x="${x}" y="${y - HALF}" width="${width}" height="${2 * HALF}" rx="${kind === 'rule' ? 3 : HALF}"/>`;
      const label = `<text x="${x + width / 2}" y="${y + 4}">${escapeText(text)}</text>`;
      const group = `<g class="${kind}">${shape}${label}</g>`;
      return href === undefined ? group : `<a href="${escapeText(href)}">${group}</a>`;
    },
  };
};

const EMPTY: Picture = { width: 0, up: 0, down: 0, draw: () => '' };

const inRow = (parts: readonly Picture[]): Picture => {
  const space = 12;
  return {
    width: parts.reduce((s, p) => s + p.width, 0) + space * Math.max(0, parts.length - 1),
    up: Math.max(...parts.map(p => p.up)),
    down: Math.max(...parts.map(p => p.down)),
    draw: (x, y) => {
      let at = x;
      return parts
        .map((p, i) => {
          const link = i > 0 ? across(at, y, space) : '';
          if (i > 0) at += space;
          const drawn = p.draw(at, y);
          at += p.width;
          return link + drawn;
        })
        .join('');
    },
  };
};

/** The first branch goes straight on, the others leave below it. */
const inBranches = (parts: readonly Picture[]): Picture => {
  const inner = Math.max(...parts.map(p => p.width));
  const side = 2 * RADIUS;
  const offsets: number[] = [];
  let reach = 0;
  parts.forEach((p, i) => {
    offsets.push(i === 0 ? 0 : Math.max(2 * RADIUS, reach + GAP + p.up));
    reach = offsets[i] + p.down;
  });
  return {
    width: inner + 2 * side,
    up: parts[0].up,
    down: reach,
    draw: (x, y) =>
      parts
        .map((p, i) => {
          const [left, right, at] = [x + side, x + side + inner, y + offsets[i]];
          const middle = p.draw(left, at) + across(left + p.width, at, inner - p.width);
          if (i === 0) return across(x, y, side) + middle + across(right, y, side);
          const drop = offsets[i] - 2 * RADIUS;
          const r = RADIUS;
          return (
            path(`M${x} ${y}a${r} ${r} 0 0 1 ${r} ${r}v${drop}a${r} ${r} 0 0 0 ${r} ${r}`) +
            middle +
            path(`M${right} ${at}a${r} ${r} 0 0 0 ${r} ${-r}v${-drop}a${r} ${r} 0 0 1 ${r} ${-r}`)
          );
        })
        .join(''),
  };
};

/** Once or more often: the way back runs below, through the separator. */
const inLoop = (part: Picture, back: Picture): Picture => {
  const inner = Math.max(part.width, back.width);
  const side = 2 * RADIUS;
  const offset = Math.max(2 * RADIUS, part.down + GAP + back.up);
  return {
    width: inner + 2 * side,
    up: part.up,
    down: offset + back.down,
    draw: (x, y) => {
      const [left, right] = [x + side, x + side + inner];
      const r = RADIUS;
      const drop = offset - 2 * r;
      const backAt = left + (inner - back.width) / 2;
      return (
        across(x, y, side) +
        part.draw(left, y) +
        across(left + part.width, y, inner - part.width + side) +
        path(`M${right} ${y}a${r} ${r} 0 0 1 ${r} ${r}v${drop}a${r} ${r} 0 0 1 ${-r} ${r}`) +
        path(`M${left} ${y}a${r} ${r} 0 0 0 ${-r} ${r}v${drop}a${r} ${r} 0 0 0 ${r} ${r}`) +
        across(left, y + offset, backAt - left) +
        back.draw(backAt, y + offset) +
        across(backAt + back.width, y + offset, right - backAt - back.width)
      );
    },
  };
};

const pictureOf = (p: Production, rules: ReadonlySet<string>): Picture => {
  const of = (q: Production): Picture => pictureOf(q, rules);
  switch (p.kind) {
    case 'sequence':
      return inRow(p.parts.map(of));
    case 'choice':
      return inBranches(p.parts.map(of));
    case 'optional':
      return inBranches([EMPTY, of(p.part)]);
    case 'repeat':
      return inBranches([EMPTY, inLoop(of(p.part), EMPTY)]);
    case 'list':
      return inLoop(of(p.part), of(p.separator));
    case 'reference':
      return box(p.name, rules.has(p.name) ? 'rule' : 'token', `#${p.name}`);
    case 'literal':
      return box(p.text, 'word');
    default:
      return p satisfies never;
  }
};

const svg = (picture: Picture, title: string): string => {
  const lead = 18;
  const margin = 2;
  const x = 6;
  const y = picture.up + margin;
  const width = picture.width + 2 * lead + 2 * x;
  const height = picture.up + picture.down + 2 * margin;
  const end = x + lead + picture.width;
  return [
    `<svg width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeText(title)}">`,
    `<circle cx="${x}" cy="${y}" r="4"/>`,
    across(x, y, lead),
    picture.draw(x + lead, y),
    across(end, y, lead),
    `<circle cx="${end + lead}" cy="${y}" r="4"/>`,
    '</svg>',
  ].join('');
};

const STYLE = `
  :root { color-scheme: light dark; --ink: #1f2430; --faint: #5c6370; --track: #7b828f; --page: #fff; --word: #fff3d6; --rule: #dce8fa; --token: #d9f0ea; }
  @media (prefers-color-scheme: dark) { :root { --ink: #e6e8ee; --faint: #a2a8b4; --track: #8a919e; --page: #16181d; --word: #4a3c16; --rule: #23395c; --token: #1c4439; } }
  body { margin: 2rem auto; max-width: 70rem; padding: 0 1rem; background: var(--page); color: var(--ink); font: 15px/1.5 Verdana, DejaVu Sans, sans-serif; }
  h2 { margin: 1.6rem 0 .3rem; font-size: 1rem; }
  p { margin: .2rem 0; color: var(--faint); }
  figure { margin: 0; overflow-x: auto; }
  code, svg text { font: 12.5px ui-monospace, Menlo, Consolas, DejaVu Sans Mono, monospace; }
  svg path { fill: none; stroke: var(--track); stroke-width: 1.6; }
  svg circle { fill: var(--track); }
  svg rect { stroke: var(--track); stroke-width: 1.2; }
  svg text { fill: var(--ink); text-anchor: middle; }
  .word rect { fill: var(--word); } .rule rect { fill: var(--rule); } .token rect { fill: var(--token); }
`;

export const toRailroad = ({ rules, tokens }: Grammar): string => {
  const names = new Set(rules.map(r => r.name));
  const sections = rules.map(r =>
    [
      `<h2 id="${r.name}">${r.name}</h2>`,
      ...(r.note === undefined ? [] : [`<p>${escapeText(r.note)}</p>`]),
      `<figure>${svg(pictureOf(r.body, names), r.name)}</figure>`,
    ].join('\n'),
  );
  const lexical = tokens.map(t =>
    [
      `<h2 id="${t.name}">${t.name}</h2>`,
      t.regex === undefined ? `<p>${escapeText(t.words!)}</p>` : `<p><code>/${escapeText(t.regex)}/u</code></p>`,
    ].join('\n'),
  );
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>The grammar of lip</title>
<style>${STYLE}</style>
<h1>The grammar of lip</h1>
<p>Generated from the parser by <code>npm run grammar</code>. Between tokens stand white space and comments, <code>//</code> to the end of the line.</p>
${[...sections, ...lexical].join('\n')}
</html>
`;
};
