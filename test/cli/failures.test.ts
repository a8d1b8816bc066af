import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { CliError, EXIT } from '../../src/cli/errors.ts';
import { asCliError } from '../../src/cli/failures.ts';
import { NotFoldable } from '../../src/passes/tensors/fold.ts';

test('weights that cannot be folded are wrong input, not a bug, on this thread and on others', async () => {
  const wrongInput = expect.objectContaining({ exitCode: EXIT.usage, message: 'dense[0] has entries' });
  expect(asCliError(new NotFoldable('dense[0] has entries'))).toEqual(wrongInput);
  const source = `class E extends Error { name = '${new NotFoldable('').name}' }; throw new E('dense[0] has entries')`;
  const thrown = await new Promise(resolve => new Worker(source, { eval: true }).on('error', resolve));
  expect(thrown).not.toBeInstanceOf(CliError);
  expect(asCliError(thrown)).toEqual(wrongInput);
  const bug = new Error('something else');
  expect(asCliError(bug)).toBe(bug);
});
