import { expect } from 'vitest';
import { compareBrokers } from './support/compare.ts';
import { buildGo } from './support/go.ts';
import { runSteps } from './support/steps.ts';

const built = await buildGo();

await compareBrokers({
  title: 'sarama',
  missing: 'missing' in built ? built.missing : undefined,
  async observe(target) {
    if ('missing' in built) throw new Error(built.missing);
    return runSteps(built.program, [target.bootstrap]);
  },
  expectations(seen) {
    for (const version of ['2.7.0', 'newest']) {
      expect(seen[`${version} async producer`]).toEqual({ acknowledged: 1000, dense: true, failures: [] });
      expect((seen[`${version} sync producer`] as unknown[]).slice(0, 3)).toEqual([
        [0, 0, null],
        [1, 0, null],
        [0, 1, null],
      ]);
      expect(seen[`${version} zstd`]).toEqual([13, null]);
      expect(seen[`${version} offsets`]).toEqual([0, 5, 1, -1].map((offset) => [offset, null]));
    }
  },
});
