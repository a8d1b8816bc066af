import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from '../../src/parser/parse.ts';
import { print } from '../../src/parser/print.ts';

const reprint = (source: string): string => {
  const { file, diagnostics } = parse(source);
  expect(diagnostics).toEqual([]);
  return print(file, source);
};

/** The tree without places and without the way numbers are written. */
const meaning = (source: string): string =>
  JSON.stringify(parse(source).file.items, (k, v) =>
    k === 'span' || k === 'wordSpan' ? undefined : k === 'residual' ? true : typeof v === 'bigint' ? `${v}` : v,
  );

const examples = join(import.meta.dirname, '../../examples');

describe.each(readdirSync(examples).filter(f => f.endsWith('.lip')))('examples/%s', name => {
  const source = readFileSync(join(examples, name), 'utf8');
  test('printing keeps its meaning and its comments, and is idempotent', () => {
    const printed = reprint(source);
    expect(meaning(printed)).toBe(meaning(source));
    expect(reprint(printed)).toBe(printed);
    for (const c of parse(source).file.comments) expect(printed).toContain(c.text.trimEnd());
  });
});

test('puts one statement on a line, and a comment where it was', () => {
  const source = `// head

network   N ( a=1,b = 2*a )by sll{ // net
  input x[ 8 ]   in [0,1] // where it starts
  // before


  dense a+(b-1)-(2-3), bias=false,
    // inside
    side = out
  repeat 2 {
    residual dense hidden = -(-4), act = leaky_relu( 1 / 10 )
  }
  repeat 2 { // why
    relu
  }
  // last
}
train N on idx ("x y"){epochs 1,batch 2 , seed 3}
// end`;
  expect(reprint(source)).toBe(`// head

network N(a = 1, b = 2 * a) by sll {  // net
  input x[8] in [0, 1]  // where it starts
  // before

  // inside
  dense a + (b - 1) - (2 - 3), bias = false, side = out
  repeat 2 { residual dense hidden = -(-4), act = leaky_relu(1/10) }
  repeat 2 {  // why
    relu
  }
  // last
}

train N on idx("x y") {
  epochs 1
  batch 2
  seed 3
}
// end
`);
});

test('brackets survive only where they matter', () => {
  const expr = (e: string) => /dense (.*)\n/.exec(reprint(`network N { dense ${e}\n }`))?.[1];
  expect(expr('((1))')).toBe('1');
  expect(expr('(1 * 2) + 3')).toBe('1 * 2 + 3');
  expect(expr('1 * (2 + 3)')).toBe('1 * (2 + 3)');
  expect(expr('(1 / 2) / 3')).toBe('1/2 / 3');
  expect(expr('1 / (2 / 3)')).toBe('1 / (2/3)');
  expect(expr('1 - (2 - 3)')).toBe('1 - (2 - 3)');
  expect(expr('-(1 + 2)')).toBe('-(1 + 2)');
  expect(expr('(-1) * 2')).toBe('-1 * 2');
  expect(expr('2 * (-1)')).toBe('2 * -1');
});
