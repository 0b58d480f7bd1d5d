import { expect, test } from 'vitest';
import type { BackgroundJob, StepEnd } from '../../../../src/base/ports.ts';
import { type CleanInput, cleanLog } from '../../../../src/log/cleaner/clean-log.ts';
import { LogManager } from '../../../../src/log/log-manager.ts';
import { append, batch, config, settle, topicId, World } from '../fakes.ts';

/** A world whose background keeps what it was asked for and never begins it. */
async function withRun(): Promise<{ world: World; manager: LogManager; input: CleanInput }> {
  const world = new World();
  const asked: CleanInput[] = [];
  const background = {
    run<In, Out, Progress>(_job: BackgroundJob<In, Out, Progress>, input: In) {
      asked.push(input as CleanInput);
      return { done: new Promise<Out>(() => {}), cancel() {} };
    },
  };
  const changes = {
    cleanupPolicy: ['compact'],
    segmentBytes: 100_000,
    minCleanableDirtyRatio: 0.01,
  } as const;
  const manager = await LogManager.open({
    dirs: ['/data'],
    configFor: () => config(changes),
    ports: { ...world.ports, background },
  });
  const log = manager.getOrCreate('t', 0, topicId);
  log.onAppended = () => log.updateHighWatermark(log.logEndOffset);
  for (let n = 0; n < 200; n += 1) append(log, batch([`${n}`.padEnd(1000, '.')]));
  world.time.tick();
  log.roll();
  manager.startBackground();
  world.time.tick();
  for (let turn = 0; turn < 5; turn += 1) await settle();
  expect(asked).toHaveLength(1);
  return { world, manager, input: asked[0]! };
}

/** Runs the job on a clock by which each look at it takes 0.1 ms; returns how long it worked, and how long it waited. */
function timesOf(world: World, input: CleanInput): { workedMs: number; restedMs: number } {
  let [nowMs, restedMs] = [0, 0];
  const clock = { wallMs: () => world.time.nowMs, monotonicMs: () => (nowMs += 0.1) };
  const steps = cleanLog.run(input, { storage: world.storage, clock });
  let step: IteratorResult<StepEnd<unknown> | undefined, unknown>;
  do {
    step = steps.next();
    const waitMs = step.done === true ? 0 : (step.value?.waitMs ?? 0);
    nowMs += waitMs;
    restedMs += waitMs;
  } while (step.done !== true);
  return { workedMs: nowMs - restedMs, restedMs };
}

test('a run rests between short steps while it is told to, and not otherwise', async () => {
  const { world, input } = await withRun();
  expect(timesOf(world, input).restedMs).toBe(0);
  input.restFactor[0] = 4;
  const { workedMs, restedMs } = timesOf(world, input);
  expect(restedMs).toBeGreaterThan(0.9 * workedMs);
});

test('runs are told within moments that producers are at work, and that they are not any more', async () => {
  const { world, manager, input } = await withRun();
  const second = async (appends: number): Promise<number> => {
    for (let part = 0; part < 10; part += 1) {
      manager.shared.activity.appends += appends / 10;
      await world.time.pass(100);
    }
    return input.restFactor[0]!;
  };
  expect(await second(0)).toBe(0);
  expect(await second(100)).toBeGreaterThan(0);
  await second(0);
  expect(await second(0)).toBe(0);
});
