import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/interop/**'],
    pool: 'threads',
    // By itself it leaves one core idle, which is half of two.
    maxWorkers: availableParallelism(),
    testTimeout: 30_000,
  },
});
