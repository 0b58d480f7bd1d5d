import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/interop/**'],
    pool: 'threads',
    // By itself it leaves one core idle, which is half of two.
    maxWorkers: availableParallelism(),
    // Some seconds at most for any test; what is more is for machines that are slow, or busy with other things.
    testTimeout: 180_000,
    hookTimeout: 180_000,
  },
});
