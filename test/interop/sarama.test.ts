import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { cacheDir } from './support/apache.ts';
import { compareBrokers, type Observations } from './support/compare.ts';
import { isInstalled, run, runOk } from './support/run.ts';

const folder = join(import.meta.dirname, 'go');

/** Builds the program in go/ into the cache; a reason where that can't be done. */
async function build(): Promise<{ program: string } | { missing: string }> {
  const hash = createHash('sha256');
  for (const file of ['main.go', 'go.mod', 'go.sum']) hash.update(readFileSync(join(folder, file)));
  const program = join(cacheDir(), `sarama-${hash.digest('hex').slice(0, 12)}`);
  if (existsSync(program)) return { program };
  if (!(await isInstalled('go'))) return { missing: 'go is not installed' };
  mkdirSync(cacheDir(), { recursive: true });
  await runOk('go', ['build', '-o', program, '.'], { cwd: folder, timeoutMs: 280_000 });
  return { program };
}

const built = await build();

await compareBrokers({
  title: 'sarama',
  port: 19692,
  missing: 'missing' in built ? built.missing : undefined,
  async observe(target) {
    if ('missing' in built) throw new Error(built.missing);
    const result = await run(built.program, [target.bootstrap], { timeoutMs: 120_000 });
    const seen: Observations = {};
    for (const line of result.stdout.trim().split('\n')) {
      const { step, value } = JSON.parse(line) as { step: string; value: unknown };
      seen[step] = value;
    }
    if (result.code !== 0) throw new Error(`it failed after ${Object.keys(seen).at(-1)}: ${result.stderr}`);
    return seen;
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
