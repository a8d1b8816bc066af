import { describe } from 'vitest';
import { oracleEngine } from '../src/fixtures/engine.ts';
import { testReferenceCases } from './fixture-groups.ts';

describe("the authors' reference cases in the float64 oracle", () => {
  testReferenceCases(() => oracleEngine);
});
