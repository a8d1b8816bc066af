/** Statements without their arguments say how they are written, and that can be written. */
import { describe, expect, it } from 'vitest';
import { libraryDefinitions } from '../../../src/library.ts';
import { parse } from '../../../src/parser/parse.ts';
import { resolve } from '../../../src/passes/resolve/resolve.ts';
import { LAYER_STATEMENTS } from '../../../src/passes/resolve/resolve-statements.ts';
import { exampleOf } from '../../../src/passes/resolve/usage.ts';

const diagnose = (lines: string) => resolve(parse(`network N by aol {\n${lines}\n}\n`).file).diagnostics;

const statements = [
  ...Object.keys(LAYER_STATEMENTS),
  ...libraryDefinitions()
    .map(({ definition: d }) => d)
    .filter(d => d.form === 'layer')
    .map(d => `${d.residual ? 'residual ' : ''}${d.name.text}`),
  'repeat',
  'budget',
];

describe('statements that need an argument', () => {
  it.each(statements)('%s', words => {
    const [missing] = diagnose(`  input image[8, 8, 8]\n  ${words}`).filter(d => / needs (a value|`)/.test(d.message));
    const example = exampleOf(words);
    // What needs no argument has no example, and the other way round.
    expect(missing?.help).toBe(example && `write \`${example}\``);
    expect(missing === undefined, missing?.message).toBe(example === undefined);
    if (example === undefined) return;
    const shapes = ['image[8, 8, 8]', 'image[32, 8, 8]', 'x[8]'].filter(
      s => diagnose(`  input ${s}\n  relu\n  ${example}`).length === 0,
    );
    expect(shapes.length, example).toBeGreaterThan(0);
  });
});
