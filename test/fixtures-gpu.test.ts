import { describe } from 'vitest';
import { gpuEngine } from '../src/fixtures/gpu-engine.ts';
import { useDevice } from './device.ts';
import { testReferenceCases } from './fixture-groups.ts';

const gpu = useDevice();

describe("the authors' reference cases in compiled kernels", () => {
  testReferenceCases(() => gpuEngine(gpu()));
});

// What hardware adapters get runs on the software adapter as well: correct, though slow.
describe('the templates for hardware', () => {
  testReferenceCases(() => gpuEngine(gpu(), 'gpu'), ['sll', 'aol', 'optim']);
});
