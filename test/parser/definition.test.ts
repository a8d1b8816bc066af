import { describe, expect, it } from 'vitest';
import { format } from '../../src/parser/format.ts';
import { parse } from '../../src/parser/parse.ts';
import { printExpr } from '../../src/parser/print.ts';
import { resolve } from '../../src/passes/resolve/resolve.ts';

const layout = (source: string): string => {
  const result = format(source);
  if ('diagnostics' in result) throw new Error(result.diagnostics.map(d => d.message).join('\n'));
  return result.text;
};

/** Codes and places of all findings, of the syntax and of the names. */
const findings = (source: string): readonly string[] => {
  const { file, diagnostics } = parse(source);
  return [...diagnostics, ...resolve(file).diagnostics].map(
    d => `${d.code} "${source.slice(d.span.start, d.span.end)}" ${d.message}`,
  );
};

const NETWORK = 'network N {\n  input x[4]\n  own\n  head 3\n}\n';
const definition = (line: string): string => `layer own(x: vec[n]) {\n  ${line}\n  return x\n}\n\n${NETWORK}`;

describe('layer definitions as text', () => {
  const messy = `// above
layer   f( hidden,act:slope[0,1]=relu )(x : vec[n]){ // behind the head
param W:mat[n,hidden]=xavier// behind W
   // above q
 param q : vec[ hidden ] = zeros


 let T=gershgorin( W^T*W,exp(q) )
 return x−2*W*inv(T)*act(Wᵀ*x) // last
 // below
}
layer g(x: image[c, h, w]) { return -(x + x)ᵀᵀᵀ }
`;
  const neat = `// above
layer f(hidden, act: slope[0, 1] = relu) (x: vec[n]) {  // behind the head
  param W: mat[n, hidden] = xavier                      // behind W
  // above q
  param q: vec[hidden] = zeros

  let T = gershgorin(Wᵀ * W, exp(q))
  return x - 2 * W * inv(T) * act(Wᵀ * x)  // last
  // below
}

layer g(x: image[c, h, w]) {
  return -(x + x)ᵀ
}
`;
  it('keep their comments and one statement a line', () => {
    const text = layout(messy);
    expect(text.replaceAll(/ +\/\//g, ' //')).toBe(neat.replaceAll(/ +\/\//g, ' //'));
    expect(layout(text)).toBe(text);
  });
  it('stand where they stood among networks', () => {
    const source = `${NETWORK}\n${definition('let y = x')}`.replace('network N', 'network M');
    expect(layout(source)).toBe(source);
  });
  it('use words that are names elsewhere', () => {
    expect(findings('network N(param = 4, return = 2) {\n  input x[param]\n  relu\n  head return\n}\n')).toEqual([]);
  });
  it('have the transpose bind tighter than a sign or a product', () => {
    const { file } = parse(definition('let y = -Aᵀ * (B * C)^T'));
    const [let_] = file.definitions[0].body;
    expect(let_.kind === 'let' && printExpr(let_.value)).toBe('-Aᵀ * (B * C)ᵀ');
    expect(let_.kind === 'let' && let_.value.kind === 'binary' && let_.value.left.kind).toBe('negate');
  });
});

describe('a mistake in a definition is reported once, and what uses it is not', () => {
  it.each([
    ['let T = gershgorin(WᵀW)', 'L0003 "W" expected `,` or `)`, found `W`'],
    ['let y = Wᵀ W', 'L0003 "W" expected the end of the line, found `W`'],
    ['let = 3', 'L0003 "=" expected a name, found `=`'],
    ['param W mat[n, 4]', 'L0003 "mat" expected the end of the line, found `mat`'],
    ['W * x', 'L0003 "W" expected `param`, `let`, `return` or `}`, found `W`'],
    ['param K: mat[n 4] = xavier', 'L0003 "4" expected `,` or `]`, found `4`'],
  ])('%s', (line, finding) => {
    expect(findings(definition(line))).toEqual([finding]);
  });
  it('in its head', () => {
    expect(findings(definition('let y = x').replace('x: vec', 'x vec'))).toEqual([
      'L0003 "vec" expected `,` or `)`, found `vec`',
    ]);
    expect(findings(definition('let y = x').replace('(x: vec[n])', ''))).toEqual(['L0003 "{" expected `(`, found `{`']);
  });
  it('says how to write a product', () => {
    const helps = ['let T = gershgorin(WᵀW)', 'let y = W^T W'].map(l => parse(definition(l)).diagnostics[0].help);
    expect(helps).toEqual(Array(2).fill('products are written with `*`: `Wᵀ * W`'));
  });
});
