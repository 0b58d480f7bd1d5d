import { mkdtempSync, rmSync } from 'node:fs';
import { getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { InlineBackground } from '../../../src/base/inline-background.ts';
import { canRunAsWorker, WorkerBackground } from '../../../src/io/background.ts';
import { SystemClock } from '../../../src/io/clock.ts';
import { DiskStorage } from '../../../src/io/files.ts';
import { MemoryStorage } from '../../../src/io/memory-storage.ts';
import { SystemRandom } from '../../../src/io/random.ts';
import { SystemTimers } from '../../../src/io/timers.ts';
import { LoopTurn } from '../../../src/io/turn.ts';
import { silent } from '../log/fakes.ts';
import { backgroundContract } from './background-contract.ts';
import { dying, patient, summing } from './background-jobs.ts';

/** What comes by itself is waited for until it is there; by default that would be a second. */
const PATIENCE = { timeout: 120_000 };

const root = mkdtempSync(join(tmpdir(), 'odradek-background-'));
// Node 20 runs no TypeScript in a thread.
const entry = pathToFileURL(join(root, 'entry.mjs'));
let dirs = 0;
const settle = <T>(promise: Promise<T>) => promise;
const clock = new SystemClock();
const inline = (storage: DiskStorage | MemoryStorage, sliceMs: number) =>
  new InlineBackground({ storage, clock, turn: new LoopTurn(), timers: new SystemTimers(clock), sliceMs });

beforeAll(async () => {
  const bundle = await rolldown({
    input: join(import.meta.dirname, 'background-worker-entry.ts'),
    platform: 'node',
    external: [/^node:/],
  });
  await bundle.write({ file: join(root, 'entry.mjs'), format: 'esm' });
  await bundle.close();
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

function workers(options: { workersMax?: number; idleMs?: number; entry?: URL } = {}) {
  const storage = new DiskStorage(new SystemRandom());
  const background = new WorkerBackground({
    entry,
    fallback: inline(storage, 2),
    logger: silent,
    ...options,
  });
  return { background, storage, dir: mkdtempSync(join(root, `${++dirs}-`)), settle };
}

describe('on the loop', () => {
  describe.each([0, 2])('in slices of %d ms', (sliceMs) => {
    backgroundContract(() => {
      const storage = new MemoryStorage();
      storage.makeDir('/dir');
      return { background: inline(storage, sliceMs), storage, dir: '/dir', settle };
    });
  });
});

describe('in worker threads', () => {
  backgroundContract(() => workers({ workersMax: 2 }));

  test('there are no more than allowed, started when needed and ended when idle', async () => {
    const { background } = workers({ workersMax: 2, idleMs: 0 });
    expect(background.workerCount).toBe(0);
    const runs = [1, 2, 3, 4].map((number) => background.run(summing, [number]).done);
    expect(background.workerCount).toBe(2);
    await Promise.all(runs);
    await vi.waitUntil(() => background.workerCount === 0, PATIENCE);
    expect(await background.run(summing, [7]).done).toEqual({ sum: 7 });
  });

  test('one that has run a patient job stays for the next, until the end', async () => {
    const { background } = workers({ workersMax: 2, idleMs: 0 });
    await background.run(patient, null).done;
    const runs = [1, 2].map((number) => background.run(summing, [number]).done);
    expect(background.workerCount).toBe(2);
    await Promise.all(runs);
    await vi.waitUntil(() => background.workerCount < 2, PATIENCE);
    expect(background.workerCount).toBe(1);
    background.close();
    expect(background.workerCount).toBe(0);
  });

  test.runIf(process.platform === 'linux')(
    'a job that nobody waits for lets the others go first',
    async () => {
      const { background } = workers({ workersMax: 1 });
      const before = getPriority(0);
      expect(await background.run(patient, null).done).toBe(Math.max(before, 10));
      expect(getPriority(0)).toBe(before);
    },
  );

  test('one that dies fails its job and nothing else', async () => {
    const { background } = workers({ workersMax: 1 });
    const dead = background.run(dying, null).done;
    const next = background.run(summing, [5]).done;
    await expect(dead).rejects.toThrow(/code 3/);
    expect(await next).toEqual({ sum: 5 });
  });

  test('input that is no plain data is refused', async () => {
    const { background } = workers({ workersMax: 1 });
    const strange = background.run({ ...summing }, [() => 1] as unknown[] as number[]).done;
    await expect(strange).rejects.toThrow();
    expect(await background.run(summing, [5]).done).toEqual({ sum: 5 });
  });

  test('where none can be started the jobs run on the loop', async () => {
    const missing = new URL('missing.mjs', entry);
    expect(canRunAsWorker(missing)).toBe(false);
    expect(canRunAsWorker(entry)).toBe(true);
    const { background } = workers({ entry: missing });
    const runs = [1, 2, 3].map((number) => background.run(summing, [number]).done);
    expect(await Promise.all(runs)).toEqual([{ sum: 1 }, { sum: 2 }, { sum: 3 }]);
    expect(await background.run(summing, [4]).done).toEqual({ sum: 4 });
    expect(background.workerCount).toBe(0);
  });
});
