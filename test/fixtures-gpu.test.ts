import { describe } from 'vitest';
import { gpuEngine } from '../src/fixtures/gpu-engine.ts';
import { useDevice } from './device.ts';
import { testReferenceCases } from './fixture-groups.ts';

const gpu = useDevice();

describe("the authors' reference cases in compiled kernels", () => {
  testReferenceCases(() => gpuEngine(gpu()));
});
