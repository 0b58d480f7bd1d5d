import { expect, test } from 'vitest';
import type { LogConfig } from '../../../src/config/log-config.ts';
import { Errors, ProtocolError } from '../../../src/protocol/errors.ts';
import { compressionOf } from '../../../src/protocol/record-batch/index.ts';
import { append, batch, fetch, World } from './fakes.ts';

/** A log that holds three batches, and its settings changed: what the next append or cleaning does. */
function changed(changes: Partial<LogConfig>, before: Partial<LogConfig> = {}) {
  const world = new World();
  const log = world.open(before);
  const write = (value: string) => {
    const outcome = append(log, batch([value], { timestamp: world.time.nowMs }));
    world.time.tick();
    return outcome;
  };
  for (const value of ['a', 'b', 'c']) write(value);
  log.updateHighWatermark(log.logEndOffset);
  log.updateConfig({ ...log.config, ...changes });
  return { world, log, write };
}

const codeOf = (run: () => unknown) => {
  try {
    run();
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
  return Errors.NONE;
};

test('segment.bytes, segment.ms and segment.index.bytes begin the next segment', async () => {
  const bySize = changed({ segmentBytes: 100 });
  bySize.write('d');
  expect(bySize.log.segmentCount).toBe(2);
  const byTime = changed({ segmentMs: 1000 });
  await byTime.world.time.pass(2000);
  byTime.write('d');
  expect(byTime.log.segmentCount).toBe(2);
  const byIndex = changed({ segmentIndexBytes: 8, indexIntervalBytes: 0 });
  for (const value of ['d', 'e', 'f']) byIndex.write(value);
  expect(byIndex.log.segmentCount).toBeGreaterThan(1);
});

test('index.interval.bytes holds for the next entries', async () => {
  const entries = async (interval: number) => {
    const { world, log, write } = changed({ indexIntervalBytes: interval });
    for (const value of ['d', 'e', 'f']) write(value);
    await log.close();
    return world.file('00000000000000000000.index').filter((byte) => byte !== 0).length;
  };
  expect(await entries(0)).toBeGreaterThan(await entries(4096));
});

test('retention.bytes, retention.ms and cleanup.policy hold for the next cleaning', async () => {
  const small = { segmentBytes: 100 };
  expect(changed({ retentionBytes: 100 }, small).log.deleteOldSegments()).toBeGreaterThan(0);
  expect(changed({ retentionBytes: -1 }, { ...small, retentionBytes: 100 }).log.deleteOldSegments()).toBe(0);
  const byTime = changed({ retentionMs: 1000 }, small);
  await byTime.world.time.pass(2000);
  expect(byTime.log.deleteOldSegments()).toBeGreaterThan(0);
  const kept = changed({ retentionMs: 1000, cleanupPolicy: [] }, small);
  await kept.world.time.pass(2000);
  expect(kept.log.deleteOldSegments()).toBe(0);
});

test('file.delete.delay.ms holds for the next files that go', async () => {
  const { world, log } = changed({ fileDeleteDelayMs: 5, retentionBytes: 100 }, { segmentBytes: 100 });
  log.deleteOldSegments();
  expect(world.names().some((name) => name.endsWith('.deleted'))).toBe(true);
  await world.time.pass(5);
  expect(world.names().some((name) => name.endsWith('.deleted'))).toBe(false);
});

test('max.message.bytes, timestamps and compression hold for the next batch', async () => {
  const { log } = changed({ maxMessageBytes: 70 });
  expect(codeOf(() => append(log, batch(['too much'])))).toBe(Errors.MESSAGE_TOO_LARGE);
  const strict = changed({ messageTimestampBeforeMaxMs: 1000, messageTimestampAfterMaxMs: 1000 });
  const at = (ms: number) => batch(['x'], { timestamp: strict.world.time.nowMs + ms });
  expect(codeOf(() => append(strict.log, at(-2000)))).toBe(Errors.INVALID_TIMESTAMP);
  expect(codeOf(() => append(strict.log, at(2000)))).toBe(Errors.INVALID_TIMESTAMP);
  expect(codeOf(() => append(strict.log, at(0)))).toBe(Errors.NONE);
  const stamped = changed({ messageTimestampType: 'LogAppendTime' });
  expect(stamped.write('d').logAppendTimeMs).toBe(BigInt(stamped.world.time.nowMs));
  const packed = changed({ compressionType: 'gzip' });
  packed.write('d');
  expect(compressionOf(await fetch(packed.log, 3), 0)).toBe('gzip');
});
