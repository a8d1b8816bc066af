import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: process.env.LIP_TEST_FULL ? ['test/**/*.test.ts', 'test/**/*.full.ts'] : ['test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
