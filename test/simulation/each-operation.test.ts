import { expect, test } from 'vitest';
import { simulateFailure } from './each-operation.ts';

/** Lives that `npm test` simulates; EACH_OPERATION=all runs one for each operation. */
const RUNS = process.env['EACH_OPERATION'] === 'all' ? Number.POSITIVE_INFINITY : 60;

test('each operation of the disk fails once in the life of a node, and no promise is broken', async () => {
  const { operations, failed } = await simulateFailure(undefined);
  expect(failed).toBeUndefined();
  const step = Math.max(1, Math.ceil(operations / RUNS));
  const broken: string[] = [];
  for (let failing = 0; failing < operations; failing += step) {
    await simulateFailure(failing).catch((error: Error) => broken.push(error.message));
  }
  expect(broken).toEqual([]);
}, 600_000);

test('a life in which syncs do nothing is noticed', async () => {
  await expect(simulateFailure(undefined, { ignoresSync: true })).rejects.toThrow();
});
