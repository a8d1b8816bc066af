import { describe, expect, test } from 'vitest';
import { type FileNode, isPipeline, type Statement } from '../../src/parser/ast.ts';
import { MAX_SOURCE, parse, parseExpression } from '../../src/parser/parse.ts';
import { printExpr } from '../../src/parser/print.ts';
import { resolve } from '../../src/passes/resolve/resolve.ts';
import { cpuTime } from '../cpu-time.ts';

const body = (lines: string) => parse(`network N {\n${lines}\n}`);

/** Names of the statements and their arguments, for a look at how lines were taken apart. */
const outline = (lines: string): string[] => {
  const { file, diagnostics } = body(lines);
  expect(diagnostics).toEqual([]);
  return file.items[0].body!.map(st => {
    if (isPipeline(st)) throw new Error('a statement was expected');
    return [
      ...(st.residual ? ['residual'] : []),
      st.name.text,
      st.args.map(a => (a.name ? `${a.name.text}=` : '') + printExpr(a.value)).join('; '),
      ...st.clauses.map(c => `${c.word} ${printExpr(c.value)}`),
    ].join(' | ');
  });
};

/** Pipelines and statements, pipelines as `names = source clauses |> stage`. */
const entries = (lines: string): string[] => {
  const { file, diagnostics } = body(lines);
  expect(diagnostics).toEqual([]);
  const stage = (st: Statement) =>
    [
      st.name.text,
      ...st.args.map(a => printExpr(a.value)),
      ...st.clauses.map(c => `${c.word} ${printExpr(c.value)}`),
    ].join(' ');
  return file.items[0].body!.map(e =>
    isPipeline(e)
      ? [
          `${(e.names ?? []).map(n => n.text)} = ${e.source ? printExpr(e.source) : ''}${e.clauses.map(c => ` ${c.word} ${printExpr(c.value)}`)}`,
          ...e.stages.map(stage),
        ].join(' |> ')
      : stage(e),
  );
};

const names = (file: FileNode): string[] => file.items[0].body!.map(e => (isPipeline(e) ? '|>' : e.name.text));

const messages = (source: string): string[] =>
  parse(source).diagnostics.map(
    d => `${d.code} ${JSON.stringify(source.slice(d.span.start, d.span.end))} ${d.message}`,
  );

describe('lines', () => {
  test('a statement ends with its line', () => {
    expect(outline('conv 3\nrelu\n\n\n  avgpool 4')).toEqual(['conv | 3', 'relu | ', 'avgpool | 4']);
  });
  test('a line that ends in a comma, an operator or inside brackets goes on', () => {
    expect(outline('conv 3 *\n 2,\n kernel =\n [3,\n 5]\nrelu')).toEqual(['conv | 3 * 2; kernel=[3, 5]', 'relu | ']);
  });
  test('statements may share a line, with commas between them', () => {
    expect(outline('epochs 1000, batch 256, seed 1')).toEqual(['epochs | 1000', 'batch | 256', 'seed | 1']);
    expect(outline('relu, tanh')).toEqual(['relu | ', 'tanh | ']);
    expect(outline('conv 4, kernel = 3, residual dense hidden = 2')).toEqual([
      'conv | 4; kernel=3',
      'residual | dense | hidden=2',
    ]);
  });
  test('a comma between arguments is no end of a statement', () => {
    expect(outline('augment crop(4, reflect), flip, jitter(hue = 1)')).toEqual([
      'augment | crop(4, reflect); flip; jitter(hue = 1)',
    ]);
  });
  test('an argument may begin with a bracket', () => {
    expect(outline('dense (2 + 3) * 4')).toEqual(['dense | (2 + 3) * 4']);
    expect(outline('leaky_relu(1/10)')).toEqual(['leaky_relu | 1/10']);
    expect(outline('conv(3, kernel = 5)')).toEqual(['conv | 3; kernel=5']);
  });
  test('clauses follow the arguments', () => {
    expect(outline('pad channels to 2 * w\ndense 4, side = in by own(max(aol, sll))\ninput x[3] in [0, 1]')).toEqual([
      'pad | channels | to 2 * w',
      'dense | 4; side=in | by own(max(aol, sll))',
      'input | x[3] | in [0, 1]',
    ]);
  });
  test('line ends of Windows, a byte order mark and U+2212 are fine', () => {
    const { file, diagnostics } = parse('\uFEFFnetwork N {\r\n  center \u22121/2\r\n  relu\r\n}\r\n');
    expect(diagnostics).toEqual([]);
    expect(names(file)).toEqual(['center', 'relu']);
  });
  test('names may be in any script', () => {
    expect(parse('network Größe(π = 3) { dense π }').diagnostics).toEqual([]);
  });
});

describe('branches', () => {
  test('names, sources and stages', () => {
    expect(
      entries(
        'let a = x |> dense 64, bias = false by aol |> maxmin budget 1/2\nlet b, c = split(x)\nlet d = a budget 1',
      ),
    ).toEqual(['a = x |> dense 64 false by aol |> maxmin budget 1/2', 'b,c = split(x)', 'd = a budget 1']);
  });
  test('a value may begin a line', () => {
    expect(
      entries('a + b |> relu\n1/2 * a - b\n-a\n(a - b) * 2 |> tanh\na - b\na / 2\na |> relu\nmix(a, b) |> relu'),
    ).toEqual(
      [
        ' = a + b |> relu',
        ' = 1 / 2 * a - b',
        ' = -a',
        ' = (a - b) * 2 |> tanh',
        ' = a - b',
        ' = a / 2',
        ' =  |> a |> relu',
        ' =  |> mix a b |> relu',
      ]
        .map(e => e.replaceAll(' / ', '/'))
        .map(e => (e === ' = a/2' ? ' = a / 2' : e)),
    );
  });
  test('a negative argument is no difference', () => {
    expect(entries('center -1/2\ncenter \u22121/2\ncenter - 1\ncenter-1')).toEqual([
      'center -1 / 2',
      'center -1 / 2',
      ' = center - 1',
      ' = center - 1',
    ]);
  });
  test('lines that begin or end with |> go on', () => {
    expect(entries('let a = x\n  |> relu |>\n tanh // why\n // because\n |> abs\nrelu')).toEqual([
      'a = x |> relu |> tanh |> abs',
      'relu',
    ]);
  });
  test('several on one line', () => {
    expect(entries('let a = x |> dense 3, let b = x, relu')).toEqual(['a = x |> dense 3', 'b = x', 'relu']);
  });
  test.each([
    ['let 3 = x', 'expected a name, found `3`'],
    ['let a x', 'expected `=`, found `x`'],
    ['let a = x |>', 'expected a name, found `}`'],
    ['let a = x |> |> relu', 'expected a name, found `|>`'],
    ['let a = dense 64', 'expected `|>` or the end of the line, found `64`'],
    ['let a = x |> dense 4 4 |> relu', 'expected `|>` or the end of the line, found `4`'],
    ['|> relu', 'expected `,` or the end of the line, found `|>`'],
  ])('%s', (line, message) => {
    expect(body(line).diagnostics.map(d => d.message)).toEqual([message]);
  });
});

describe('errors', () => {
  test('several in one file, one for each place', () => {
    expect(
      messages(`network A {
  dense 3 3, kernel = 4
  conv (3,
  relu
}
train B on {
  epochs = 4
  seed 1
}
`),
    ).toEqual([
      'L0003 "3" expected `,` or the end of the line, found `3`',
      'L0003 "}" expected `,` or `)`, found `}`',
      'L0003 "{" expected a value, found `{`',
      'L0003 "=" expected `,` or the end of the line, found `=`',
    ]);
  });
  test('the statements around an error are kept', () => {
    const { file } = body('relu\ndense 3 3\ntanh');
    expect(names(file)).toEqual(['relu', 'dense', 'tanh']);
  });
  test('what is not an item', () => {
    expect(messages('netwrk A { relu }\nnetwork B { relu }')).toEqual([
      'L0108 "netwrk" expected `network`, `layer`, `rescaling`, `train` or `certify`, found `netwrk`',
    ]);
    expect(parse('netwrk A {}').diagnostics[0].help).toBe('did you mean `network`?');
    expect(parse('netwrk A { relu }\nnetwork B { relu }').file.items.map(i => i.name.text)).toEqual(['B']);
    expect(messages('network A { relu }\n}\nnetwork B { tanh }')).toEqual([
      'L0003 "}" expected `network`, `layer`, `rescaling`, `train` or `certify`, found `}`',
    ]);
  });
  test('a block that is never closed', () => {
    const d = parse('network A {\n  relu\n').diagnostics;
    expect(d.map(x => x.message)).toEqual(['expected `}`, found the end of the file']);
    expect(d[0].help).toMatch(/never closed/);
  });
  test.each([
    [
      'network A {\n relu\nnetwork B {\n tanh\n}\ntrain B on mnist { }',
      ['expected `}`, found `network`'],
      ['A', 'B', 'B'],
    ],
    [
      'network A {\n repeat 2 {\n conv (3\n}\ntrain B on mnist { }',
      ['expected `,` or `)`, found `}`', 'expected `}`, found `train`'],
      ['A', 'B'],
    ],
    [
      'network A foo = 3 {\n relu\n}\ntrain A on mnist x {}',
      ['expected a clause or `{`, found `foo`', 'expected a clause or `{`, found `x`'],
      ['A', 'A'],
    ],
    ['certify A on mnist at 3 4\ntrain A on mnist {}', ['expected a clause or `{`, found `4`'], ['A', 'A']],
  ])('an item is not lost with the one before it: %s', (source, expected, names) => {
    const { file, diagnostics } = parse(source);
    expect(diagnostics.map(d => d.message)).toEqual(expected);
    expect(file.items.map(i => i.name.text)).toEqual(names);
  });
  test('characters of other languages, each run once, with what to write instead', () => {
    const { diagnostics } = body('dense 4;\n# hm\nrelu @@@@\ntanh');
    expect(diagnostics.map(d => [d.code, d.message, d.help])).toEqual([
      ['L0002', '`;` is not part of the language', 'statements end with their line: leave it out'],
      ['L0002', '`#` is not part of the language', 'comments begin with `//` and end with their line'],
      ['L0002', '`@` is not part of the language', undefined],
    ]);
  });
  test('options after a clause', () => {
    expect(body('dense 4 by sll, bias = false').diagnostics.map(d => d.help)).toEqual([
      'options come before clauses: `dense 64, bias = false by sll`',
    ]);
  });
  test('expressions of the command line', () => {
    expect(parseExpression('3/2 * aol').diagnostics).toEqual([]);
    expect(parseExpression('aol sll').diagnostics.length).toBe(1);
    expect(parseExpression('').diagnostics.length).toBe(1);
    expect(parseExpression('$').diagnostics.length).toBeGreaterThan(0);
  });
});

describe('limits', () => {
  test('a file of ten million characters is refused at once', () => {
    const { diagnostics } = parse('relu\n'.repeat(2_000_000));
    expect(diagnostics.map(d => d.code)).toEqual(['L0001']);
  });
  test.each(['(', '[', '{', 'repeat 2 {', 'f(', '-('])('100,000 nested %s', open => {
    const { diagnostics } = body(`dense ${open.repeat(100_000)}`.slice(0, MAX_SOURCE - 100));
    expect(diagnostics.map(d => d.code)).toContain('L0004');
  });
  test('a chain of 100,000 operators', () => {
    for (const op of ['+ 1', '* 1', '-'])
      expect(body(`dense 1 ${` ${op}`.repeat(100_000)} 1`).diagnostics.map(d => d.code)).toContain('L0004');
  });
  test('long chains hidden in brackets', () => {
    const sources = [
      `1 ${'+ (1) '.repeat(100_000)}`,
      `${'('.repeat(150)}1${' + 1'.repeat(900)}${')'.repeat(150)}${' + 1'.repeat(900)}`,
      `${'('.repeat(150)}${'1 + 1)'.repeat(150)}${' * 2'.repeat(990)}`,
    ];
    for (const e of sources) {
      const { file, diagnostics } = body(`input x[2]\n dense ${e}`);
      expect(diagnostics.map(d => d.code)).toEqual(['L0004']);
      expect(resolve(file, { by: 'aol' }).diagnostics).toEqual([]);
    }
  });
  test('many short expressions are no long one', () => {
    expect(body(`center [${'36/255 + 1, '.repeat(2000)}0]\nrelu`).diagnostics).toEqual([]);
    expect(body('dense 1 + 2 - (3 + 4)\n'.repeat(2000)).diagnostics).toEqual([]);
    expect(body(`${'repeat 1 + 1 { dense 1 + 1 }\n'.repeat(2000)}`).diagnostics).toEqual([]);
  });
  test('numbers that take long to read', () => {
    const start = cpuTime();
    for (const n of ['9'.repeat(900_000), `0.${'3'.repeat(900_000)}`, '1e99999', '1e-99999999'])
      expect(body(`dense ${n}`).diagnostics.map(d => d.code)).toEqual(['L0116']);
    expect(cpuTime() - start).toBeLessThan(5_000);
  });
  test('nesting within the limit is followed to the end', () => {
    const source = `network N { input x[4]\n dense ${'('.repeat(150)}${'-(-'.repeat(20)}4${')'.repeat(170)}\n }`;
    const { file, diagnostics } = parse(source);
    expect(diagnostics).toEqual([]);
    expect(resolve(file, { by: 'aol' }).diagnostics).toEqual([]);
  });
  test('a file of errors only gives a bounded list, soon', () => {
    const start = cpuTime();
    expect(parse('dense 3 3 }\n'.repeat(20_000)).diagnostics.length).toBeLessThanOrEqual(50);
    expect(parse(`network N {\n${'dense 3 3 (\n'.repeat(20_000)}`).diagnostics.length).toBeLessThanOrEqual(50);
    expect(cpuTime() - start).toBeLessThan(20_000);
  });
});

test('never throws, whatever is changed in a source', () => {
  const source = `// c
network A(w = 3) by own(max(aol, 3/2 * sll)) budget 1 {
  input image[1, 8, 8] in [0, 1]
  center [0.5], scale 2
  pad channels to w * 2
  repeat 2 { residual conv hidden = 5, kernel = [3, 5], act = leaky_relu(1/10) }
  avgpool 4
  flatten
  dense 4, bias = false by spectral(steps = 4)
  groupsort 2
  head 10
}
train A on idx("d") {
  loss cross_entropy(offset = 3/2 * sqrt(2)) + multi_margin(1)
  augment crop(4, reflect), flip
  epochs 1, batch 2
}
certify A on mnist at [36/255, 1]
`;
  expect(parse(source).diagnostics).toEqual([]);
  let state = 12345;
  const random = (n: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  const pieces = [
    '{',
    '}',
    '(',
    ')',
    '[',
    ']',
    ',',
    '=',
    '\n',
    ' ',
    '-',
    '/0',
    '"',
    '1e9',
    '|>',
    'let ',
    'layer ',
    'by ',
    'in ',
    '\0',
    '\u{1F600}',
    'residual ',
    'budget ',
    '//',
    'repeat ',
  ];
  for (let i = 0; i < 400; i++) {
    let text = source;
    for (let k = 0; k <= random(4); k++) {
      const at = random(text.length);
      const cut = random(3) === 0 ? 0 : random(12);
      text = text.slice(0, at) + (random(4) === 0 ? '' : pieces[random(pieces.length)]) + text.slice(at + cut);
    }
    const { file, diagnostics } = parse(text);
    const program = resolve(file);
    for (const d of [...diagnostics, ...program.diagnostics]) {
      expect(d.span.start).toBeGreaterThanOrEqual(0);
      expect(d.span.end).toBeLessThanOrEqual(text.length + 1);
      expect(d.span.start).toBeLessThanOrEqual(d.span.end);
      expect(d.message).not.toMatch(/undefined|NaN/);
    }
  }
});
