import { expect, test } from 'vitest';
import { prepareCodec } from '../../../../src/protocol/compression/index.ts';
import { BatchBuilder, type BatchOptions } from '../../../../src/protocol/record-batch/builder.ts';
import { ControlType, controlBatch } from '../../../../src/protocol/record-batch/control.ts';
import {
  NoDownConversionError,
  toMessageSet,
} from '../../../../src/protocol/record-batch/down-conversion.ts';
import {
  innerMessages,
  messageBytes,
  messageCodec,
  messageCrcIsValid,
  messageMagic,
  messageOffset,
  messageTimestampType,
  readMessage,
} from '../../../../src/protocol/record-batch/message-set.ts';

const START = 5_000_000_000;

function batch(options: BatchOptions = {}): Buffer {
  const builder = new BatchBuilder({ baseOffset: START, ...options });
  builder.append({ timestamp: 1000, key: Buffer.from('k'), value: null });
  builder.append({ timestamp: 3000, value: Buffer.from('v'), headers: [{ key: 'h', value: null }] });
  builder.append({ offset: START + 7, timestamp: -2000, value: Buffer.alloc(100) });
  return builder.build();
}

/** Offset, timestamp, key and value of all messages; checks what every message must have. */
function read(set: Buffer, magic: 0 | 1, compression = 'none'): unknown[] {
  const found: unknown[] = [];
  for (let at = 0; at < set.length; at += messageBytes(set, at)) {
    const slot = { bytes: set, at, offset: messageOffset(set, at) };
    expect([messageMagic(set, at), messageCodec(set, at)]).toEqual([magic, compression]);
    for (const one of compression === 'none' ? [slot] : innerMessages(slot, 1 << 20)) {
      expect([messageCrcIsValid(one.bytes, one.at), messageMagic(one.bytes, one.at)]).toEqual([true, magic]);
      const { offset, timestamp, key, value } = readMessage(one);
      found.push([offset - START, Number(timestamp), key?.toString() ?? null, value?.length ?? null]);
    }
  }
  return found;
}

for (const magic of [0, 1] as const) {
  for (const compression of ['none', 'gzip', 'snappy', 'lz4'] as const) {
    test(`format ${magic}, ${compression}: keeps offsets, times, keys and values`, () => {
      const set = toMessageSet(batch({ compression }), 0, magic, START);
      expect(read(set, magic, compression)).toEqual([
        [0, magic === 0 ? -1 : 1000, 'k', null],
        [1, magic === 0 ? -1 : 3000, null, 1],
        [7, -1, null, 100],
      ]);
    });
  }
}

test('what lies before the offset asked for is left out where every message stands alone', () => {
  expect(read(toMessageSet(batch(), 0, 1, START + 2), 1)).toEqual([[7, -1, null, 100]]);
  expect(toMessageSet(batch(), 0, 1, START + 8)).toHaveLength(0);
  expect(read(toMessageSet(batch({ compression: 'gzip' }), 0, 1, START + 2), 1, 'gzip')).toHaveLength(3);
});

test('LogAppendTime is the time of all messages', () => {
  const set = toMessageSet(batch({ timestampType: 'LogAppendTime', logAppendTime: 9n }), 0, 1, START);
  expect(messageTimestampType(set, 0)).toBe('LogAppendTime');
  expect(read(set, 1).map((one) => (one as unknown[])[1])).toEqual([9, 9, 9]);
});

test('control batches come out empty, zstd not at all', async () => {
  const marker = { type: ControlType.COMMIT, value: Buffer.alloc(6) };
  expect(
    toMessageSet(controlBatch({ baseOffset: 0, leaderEpoch: 0, timestamp: 0n }, [marker]), 0, 1, 0),
  ).toHaveLength(0);
  await prepareCodec('zstd');
  expect(() => toMessageSet(batch({ compression: 'zstd' }), 0, 1, START)).toThrow(NoDownConversionError);
});
