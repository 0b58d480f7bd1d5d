import { expect, test } from 'vitest';
import { ColdReads } from '../../../src/log/cold-reads.ts';
import { ProducerActivity } from '../../../src/log/producer-activity.ts';
import { FakeTime, settle } from './fakes.ts';

const SECOND = 1000;

/** One reader that reads again and again, each time for as long as `readMs` says; counts the reads. */
class Reader {
  readonly time = new FakeTime();
  readonly activity = new ProducerActivity();
  readonly reads = new ColdReads({ ...this.time, activity: this.activity });
  readonly readMs: number;
  count = 0;

  constructor(readMs: number) {
    this.readMs = readMs;
    void this.#go();
  }

  async #go(): Promise<void> {
    for (;;) {
      await this.reads.run(async () => {
        this.count += 1;
        await new Promise<void>((resolve) => {
          this.time.timers.after(this.readMs, resolve);
        });
      });
    }
  }

  /** Lets a second pass with so many appends; returns the reads in it. */
  async second(appends: number): Promise<number> {
    const before = this.count;
    for (let ms = 0; ms < SECOND; ms += 1) {
      if (appends > 0 && ms % Math.round(SECOND / appends) === 0) this.activity.appends += 1;
      await this.time.pass(1);
      await settle();
    }
    return this.count - before;
  }
}

test('cold reads get a fifth of the time while producers are active, and all of it when they are not', async () => {
  const reader = new Reader(2);
  expect(await reader.second(0)).toBeGreaterThan(480);
  await reader.second(200);
  expect(await reader.second(200)).toBeLessThanOrEqual(101);
  expect(await reader.second(200)).toBeGreaterThan(80);
  expect(reader.reads.bytesMax).toBe(128 * 1024);
  await reader.second(0);
  await reader.second(0);
  expect(await reader.second(0)).toBeGreaterThan(480);
  expect(reader.reads.bytesMax).toBe(4 * 1024 * 1024);
});

test('a few appends, as a consumer commits, hold nothing back', async () => {
  const reader = new Reader(2);
  await reader.second(5);
  expect(await reader.second(5)).toBeGreaterThan(480);
});

test('after a read that waited for its disk the rest is short', async () => {
  const reader = new Reader(50);
  await reader.second(200);
  expect(await reader.second(200)).toBeGreaterThanOrEqual(15);
});
