import { expect, test } from 'vitest';
import { printPlan, printWgsl } from '../../src/codegen/print-plan.ts';
import { scalePlan } from '../runtime/plans.ts';

test('a plan prints its tensors, buffers and steps', () => {
  expect(printPlan(scalePlan(100))).toMatchInlineSnapshot(`
    "input "x" [100] in buffer 0
    param "w" [100] in buffer 1
    output "y" [100] in buffer 3
    buffer 0: input 400 B
    buffer 1: param 400 B
    buffer 2: literal 4 B
    buffer 3: output 400 B
    step 0: kernel 0 × 2·1·1 on (0 1 2 3*)   # scale
    step 1: kernel 1 × 2·1·1 on (1*)   # increment
    2 steps, 2 kernels, 4 buffers of 1.176 KiB
    "
  `);
});

test('WGSL prints with the steps that run it', () => {
  expect(printWgsl(scalePlan(100))).toMatch(
    /^\/\/ kernel 0: steps 0 \(scale\)\n@group[\s\S]*\n\n\/\/ kernel 1: steps 1 \(increment\)\n/,
  );
});
