import { defineConfig } from 'vitest/config';

export default defineConfig({
  plugins: [
    {
      name: 'library files as text',
      transform: (text, id) => (id.endsWith('.lip') ? `export default ${JSON.stringify(text)};` : undefined),
    },
  ],
  test: {
    include: process.env.LIP_TEST_FULL ? ['test/**/*.test.ts', 'test/**/*.full.ts'] : ['test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
