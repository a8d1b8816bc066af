import { describe, expect, it } from 'vitest';
import { parse } from '../../../src/parser/parse.ts';
import { resolve } from '../../../src/passes/resolve/resolve.ts';

describe('names from other tools', () => {
  it.each([
    ['gelu', 'L0101', 'slopes leave [0, 1]'],
    ['batch_norm', 'L0101', '`batchcenter`'],
    ['maxpool 2, ceil_mode = true', 'L0102', 'border cuts off'],
    ['conv 4, act = relu', 'L0102', 'statement of its own'],
    ['conv 4 by cayley', 'L0104', 'orthogonal(cayley)'],
    ['rellu', 'L0101', 'did you mean `relu`?'],
  ])('%s', (statement, code, help) => {
    const { file } = parse(`network N by sll {\n  input image[3, 8, 8]\n  ${statement}\n}\n`);
    const [first] = resolve(file, {}).diagnostics;
    expect(first).toMatchObject({ code, help: expect.stringContaining(help) });
  });
});
