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

test('pipelines: a stage a line where the author broke them, or where they are too long', () => {
  const messy = `network N by sll{
input x[8]
let a=x|>dense 64,bias=false by aol|>maxmin|>dense 8 by orthogonal(cayley)|>abs|>dense 8 by sll|>relu budget 1/2// long
let b=x
  |>relu // first
  // why
  |>tanh
mix (a,b,1/2)
a-1/2*b|>relu,let c,d=split(it)
((a))|>abs
(mix(a,c))*2
concat a,b budget 2
}
`;
  const neat = `network N by sll {
  input x[8]
  let a = x
    |> dense 64, bias = false by aol
    |> maxmin
    |> dense 8 by orthogonal(cayley)
    |> abs
    |> dense 8 by sll
    |> relu budget 1/2  // long
  let b = x
    |> relu  // first
    // why
    |> tanh
  mix(a, b, 1/2)
  a - 1/2 * b |> relu, let c, d = split(it)
  (a) |> abs
  (mix(a, c) * 2)
  concat(a, b) budget 2
}
`;
  expect(reprint(messy)).toBe(neat);
  expect(reprint(neat)).toBe(neat);
});

describe.each(readdirSync(examples).filter(f => f.endsWith('.lip')))('examples/%s', name => {
  const source = readFileSync(join(examples, name), 'utf8');
  test('printing keeps its meaning and its comments, and is idempotent', () => {
    const printed = reprint(source);
    expect(meaning(printed)).toBe(meaning(source));
    expect(reprint(printed)).toBe(printed);
    for (const c of parse(source).file.comments) expect(printed).toContain(c.text.trimEnd());
  });
});

test('spaces evenly, keeps lines and empty lines as they are, and comments where they were', () => {
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

  dense a + (b - 1) - (2 - 3),
    bias = false,
    // inside
    side = out
  repeat 2 {
    residual dense hidden = -(-4), act = leaky_relu(1/10)
  }
  repeat 2 {  // why
    relu
  }
  // last
}

train N on idx("x y") { epochs 1, batch 2, seed 3 }
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

test('aligns the comments behind neighbouring lines of one block', () => {
  expect(
    reprint(`network N(
  a = 1,// first
  width = 22 // second
) by sll { // net
  input x[8] // in
  repeat 2 { relu }
  dense width // wide

  head a // out
}
`),
  ).toBe(`network N(
  a = 1,      // first
  width = 22  // second
) by sll {  // net
  input x[8]   // in
  repeat 2 { relu }
  dense width  // wide

  head a  // out
}
`);
});

test('breaks what is too long after the outermost commas', () => {
  const long = Array.from({ length: 40 }, (_, i) => `0.${1000 + i}`).join(', ');
  const printed = reprint(`network N {
  input x[40]
  center [${long}]
}
train N on mnist { epochs 1, batch 256, seed 1, loss cross_entropy(offset = 1, temperature = 1/4), augment crop(4, reflect), flip, jitter(brightness = 0.1, contrast = [0.5, 2], saturation = [0.3, 2], hue = 0.02) }
`);
  expect(Math.max(...printed.split('\n').map(l => l.length))).toBeLessThanOrEqual(100);
  expect(printed).toContain(`
  augment crop(4, reflect), flip,
    jitter(brightness = 0.1, contrast = [0.5, 2], saturation = [0.3, 2], hue = 0.02)
`);
  expect(reprint(printed)).toBe(printed);
});
