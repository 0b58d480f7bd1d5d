import { expect, test } from 'vitest';
import { RecoveryThreads } from '../../../src/log/recovery-threads.ts';

const MEBI = 1024 * 1024;

interface Job {
  readonly sizes: readonly number[];
  end(): void;
  fail(error: Error): void;
}

/** Threads whose jobs end when told to. */
function threadsOf(count: number) {
  const jobs: Job[] = [];
  const threads = new RecoveryThreads<{ bytes: number }>(
    count,
    (folders) =>
      new Promise((resolve, reject) => {
        jobs.push({ sizes: folders.map(({ bytes }) => bytes / MEBI), end: resolve, fail: reject });
      }),
  );
  const add = (...sizes: number[]) => {
    for (const size of sizes) threads.add({ bytes: size * MEBI });
  };
  return { threads, jobs, add, sizes: () => jobs.map((job) => job.sizes) };
}

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

test('a job begins as soon as there is enough for it, and several run at a time', async () => {
  const { threads, jobs, add, sizes } = threadsOf(2);
  add(20, 10);
  expect(sizes()).toEqual([]);
  add(5);
  expect(sizes()).toEqual([[20, 10]]);
  add(40, 1, 40);
  expect(sizes()).toEqual([[20, 10], [5]]);
  const over = threads.over();
  jobs[0]!.end();
  await settled();
  expect(sizes().slice(2)).toEqual([[40]]);
  for (let at = 1; at < 5; at += 1) {
    jobs[at]!.end();
    await settled();
  }
  await over;
  expect(sizes().slice(3)).toEqual([[1], [40]]);
});

test('many small folders share a job, and the last job is not kept waiting', async () => {
  const { threads, jobs, add, sizes } = threadsOf(2);
  add(...Array<number>(65).fill(0.01));
  expect(sizes().map(({ length }) => length)).toEqual([64]);
  const over = threads.over();
  expect(sizes().map(({ length }) => length)).toEqual([64, 1]);
  for (const job of jobs) job.end();
  await over;
});

test('after a failure no job begins, and what runs is waited for', async () => {
  const { threads, jobs, add } = threadsOf(2);
  add(40, 40, 40, 40);
  jobs[0]!.fail(new Error('the disk'));
  let isOver = false;
  const over = threads.over().finally(() => {
    isOver = true;
  });
  over.catch(() => {});
  await settled();
  expect([jobs.length, isOver]).toEqual([2, false]);
  jobs[1]!.end();
  await expect(over).rejects.toThrow('the disk');
  expect(jobs).toHaveLength(2);
});

test('where nothing came nothing is waited for', async () => {
  await threadsOf(1).threads.over();
});
