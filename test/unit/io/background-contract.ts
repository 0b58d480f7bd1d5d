import { expect, test } from 'vitest';
import { type Background, CancelledError, type Storage, StorageError } from '../../../src/base/ports.ts';
import { copying, failing, prepared, summing } from './background-jobs.ts';

export interface BackgroundWorld {
  readonly background: Background;
  /** Sees the files that jobs see. */
  readonly storage: Storage;
  readonly dir: string;
  /** Waits for a promise, in whatever time the world has. */
  settle<T>(promise: Promise<T>): Promise<T>;
}

/** What all implementations of the port have to do. */
export function backgroundContract(make: () => BackgroundWorld | Promise<BackgroundWorld>): void {
  test('gives the result, and progress in order before it', async () => {
    const { background, settle } = await make();
    const seen: number[] = [];
    const run = background.run(summing, [1, 2, 3], (sum) => seen.push(sum));
    expect(await settle(run.done)).toEqual({ sum: 6 });
    expect(seen).toEqual([1, 3, 6]);
    run.cancel();
  });

  test('more jobs than threads all end', async () => {
    const { background, settle } = await make();
    const runs = Array.from({ length: 40 }, (_, at) => background.run(summing, [at, 1]).done);
    const sums = await settle(Promise.all(runs));
    expect(sums.map(({ sum }) => sum)).toEqual(runs.map((_, at) => at + 1));
  });

  test('works on files that the caller sees', async () => {
    const { background, storage, dir, settle } = await make();
    writeFile(storage, `${dir}/from`, 35);
    const run = background.run(copying, { from: `${dir}/from`, to: `${dir}/to`, waitMs: 1 });
    expect(await settle(run.done)).toBe(35);
    expect(storage.sizeOf(`${dir}/to`)).toBe(35);
  });

  test('a cancelled job has cleaned up when it is over', async () => {
    const { background, storage, dir, settle } = await make();
    writeFile(storage, `${dir}/from`, 5_000);
    const run = background.run(copying, { from: `${dir}/from`, to: `${dir}/to`, waitMs: 60_000 }, () =>
      run.cancel(),
    );
    await expect(settle(run.done)).rejects.toThrow(CancelledError);
    expect(storage.sizeOf(`${dir}/to`)).toBeUndefined();
  });

  test('a job cancelled before its first step touches nothing', async () => {
    const { background, storage, dir, settle } = await make();
    const run = background.run(copying, { from: `${dir}/none`, to: `${dir}/to`, waitMs: 0 });
    run.cancel();
    await expect(settle(run.done)).rejects.toThrow(CancelledError);
    expect(storage.sizeOf(`${dir}/to`)).toBeUndefined();
  });

  test('errors of the storage arrive as such, bugs with their message', async () => {
    const { background, settle } = await make();
    const storage = background.run(failing, 'storage').done;
    await expect(settle(storage)).rejects.toThrow(StorageError);
    await expect(settle(storage)).rejects.toMatchObject({
      code: 'ENOSPC',
      path: '/there',
      message: 'nothing fits',
    });
    await expect(settle(background.run(failing, 'bug').done)).rejects.toThrow('a bug');
    expect(await settle(background.run(summing, [4]).done)).toEqual({ sum: 4 });
  });

  test('what a job prepares is there in its first step', async () => {
    const { background, settle } = await make();
    expect(await settle(background.run(prepared, null).done)).toBe(true);
  });
}

function writeFile(storage: Storage, path: string, size: number): void {
  const file = storage.open(path, 'create');
  file.write([Buffer.alloc(size, 'x')], 0);
  file.close();
}
