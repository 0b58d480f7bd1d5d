import { beforeEach, expect, test } from 'vitest';
import { Schedule } from '../../../src/log/schedule.ts';
import { FakeTime } from './fakes.ts';

let time: FakeTime;
let schedule: Schedule;
let runs: number[];
const run = () => runs.push(time.nowMs);

beforeEach(() => {
  time = new FakeTime();
  schedule = new Schedule(time.timers);
  runs = [];
});

test('runs again and again, the first time when told', async () => {
  const startMs = time.nowMs;
  schedule.every(100, run, 30);
  for (let step = 0; step < 25; step += 1) await time.pass(10);
  expect(runs.map((ms) => ms - startMs)).toEqual([30, 130, 230]);
});

test('runs nothing once it is stopped, also what is asked for afterwards', async () => {
  schedule.every(100, run);
  schedule.after(50, run);
  schedule.stop();
  schedule.after(10, run);
  schedule.every(10, run);
  await time.pass(1000);
  expect(runs).toEqual([]);
});

test('ends where a run stops it', async () => {
  schedule.every(10, () => {
    run();
    schedule.stop();
  });
  for (let step = 0; step < 10; step += 1) await time.pass(10);
  expect(runs).toHaveLength(1);
});
