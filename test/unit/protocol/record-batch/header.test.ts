import { describe, expect, it } from 'vitest';
import * as batch from '../../../../src/protocol/record-batch/index.ts';

function sample(options: batch.BatchOptions = {}): Buffer {
  return new batch.BatchBuilder({ baseOffset: 7, leaderEpoch: 3, ...options })
    .append({ timestamp: 1_700_000_000_000, key: Buffer.from('k'), value: Buffer.from('one') })
    .append({ timestamp: 1_700_000_000_500, value: Buffer.from('two') })
    .append({ timestamp: 1_699_999_999_000, key: null, value: null })
    .build();
}

describe('the header', () => {
  it('reads what the builder wrote, at any position', () => {
    const bytes = Buffer.concat([
      Buffer.alloc(11, 0xaa),
      sample({ producerId: 77n, producerEpoch: 2, baseSequence: 10 }),
    ]);
    const at = 11;
    expect(batch.batchSizeAt(bytes, at)).toBe(bytes.length - at);
    expect(batch.sizeInBytes(bytes, at)).toBe(bytes.length - at);
    expect(batch.batchLength(bytes, at)).toBe(bytes.length - at - batch.LOG_OVERHEAD);
    expect(batch.baseOffset(bytes, at)).toBe(7);
    expect(batch.lastOffset(bytes, at)).toBe(9);
    expect(batch.lastOffsetDelta(bytes, at)).toBe(2);
    expect(batch.partitionLeaderEpoch(bytes, at)).toBe(3);
    expect(batch.magic(bytes, at)).toBe(2);
    expect(batch.baseTimestamp(bytes, at)).toBe(1_700_000_000_000n);
    expect(batch.maxTimestamp(bytes, at)).toBe(1_700_000_000_500n);
    expect(batch.roundedMaxTimestamp(bytes, at)).toBe(1_700_000_000_500);
    expect(batch.producerId(bytes, at)).toBe(77n);
    expect(batch.hasProducerId(bytes, at)).toBe(true);
    expect(batch.producerEpoch(bytes, at)).toBe(2);
    expect(batch.baseSequence(bytes, at)).toBe(10);
    expect(batch.lastSequence(bytes, at)).toBe(12);
    expect(batch.recordCount(bytes, at)).toBe(3);
    expect(batch.compressionOf(bytes, at)).toBe('none');
    expect(batch.timestampType(bytes, at)).toBe('CreateTime');
    expect(batch.crcIsValid(bytes, at)).toBe(true);
  });

  it('says that a plain producer has neither id nor sequence', () => {
    const bytes = sample();
    expect(batch.hasProducerId(bytes, 0)).toBe(false);
    expect(batch.producerId(bytes, 0)).toBe(-1n);
    expect(batch.producerEpoch(bytes, 0)).toBe(-1);
    expect(batch.baseSequence(bytes, 0)).toBe(-1);
    expect(batch.lastSequence(bytes, 0)).toBe(-1);
  });

  it('tells the flags apart', () => {
    const bytes = sample({ isTransactional: true, timestampType: 'LogAppendTime', logAppendTime: 5n });
    expect(batch.isTransactional(bytes, 0)).toBe(true);
    expect(batch.isControl(bytes, 0)).toBe(false);
    expect(batch.hasDeleteHorizon(bytes, 0)).toBe(false);
    expect(batch.timestampType(bytes, 0)).toBe('LogAppendTime');
    expect(batch.maxTimestamp(bytes, 0)).toBe(5n);
    bytes[batch.ATTRIBUTES_AT + 1]! |= batch.DELETE_HORIZON_FLAG;
    expect(batch.hasDeleteHorizon(bytes, 0)).toBe(true);
  });

  it.each(['gzip', 'snappy', 'lz4'] as const)('names the codec %s', (codec) => {
    expect(batch.compressionOf(sample({ compression: codec }), 0)).toBe(codec);
  });

  it('has no name for codecs that nobody defined', () => {
    const bytes = sample();
    bytes[batch.ATTRIBUTES_AT + 1]! |= 6;
    expect(batch.compressionOf(bytes, 0)).toBeUndefined();
    expect(batch.compressionId(bytes, 0)).toBe(6);
  });

  it.each([0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 5, 2 ** 53 - 1])(
    'carries the offset %d',
    (offset) => {
      const bytes = sample();
      batch.setBaseOffset(bytes, 0, offset);
      expect(batch.baseOffset(bytes, 0)).toBe(offset);
      expect(bytes.readBigInt64BE(0)).toBe(BigInt(offset));
      expect(batch.hasSafeBaseOffset(bytes, 0)).toBe(true);
      expect(batch.crcIsValid(bytes, 0)).toBe(true);
    },
  );

  it('tells offsets that are too large for this broker', () => {
    const bytes = sample();
    for (const offset of [2n ** 53n, 2n ** 62n, -1n]) {
      bytes.writeBigInt64BE(offset, 0);
      expect(batch.hasSafeBaseOffset(bytes, 0)).toBe(false);
    }
    expect(() => batch.setBaseOffset(bytes, 0, 2 ** 53)).toThrow('2^53');
  });

  it('keeps all 64 bits of timestamps and producer ids', () => {
    const bytes = sample();
    for (const value of [
      0n,
      -1n,
      1n,
      2n ** 53n + 1n,
      2n ** 63n - 1n,
      -(2n ** 63n),
      1_700_000_000_123_456_789n,
    ]) {
      bytes.writeBigInt64BE(value, batch.PRODUCER_ID_AT);
      batch.setMaxTimestampAndType(bytes, 0, value, 'CreateTime');
      expect(batch.producerId(bytes, 0)).toBe(value);
      expect(batch.maxTimestamp(bytes, 0)).toBe(value);
      expect(bytes.readBigInt64BE(batch.MAX_TIMESTAMP_AT)).toBe(value);
      expect(batch.hasProducerId(bytes, 0)).toBe(value >= 0n);
    }
  });

  it('keeps the CRC valid when the max timestamp or its type changes, and touches nothing when not', () => {
    const bytes = sample();
    const before = Buffer.from(bytes);
    expect(batch.setMaxTimestampAndType(bytes, 0, 1_700_000_000_500n, 'CreateTime')).toBe(false);
    expect(bytes.equals(before)).toBe(true);
    expect(batch.setMaxTimestampAndType(bytes, 0, 1_800_000_000_000n, 'LogAppendTime')).toBe(true);
    expect(batch.timestampType(bytes, 0)).toBe('LogAppendTime');
    expect(batch.crcIsValid(bytes, 0)).toBe(true);
    expect([...batch.records(bytes)].map((record) => record.timestamp)).toEqual(
      Array(3).fill(1_800_000_000_000n),
    );
  });

  it('lets offset and leader epoch change without a new CRC', () => {
    const bytes = sample();
    batch.setBaseOffset(bytes, 0, 1234);
    batch.setPartitionLeaderEpoch(bytes, 0, 99);
    expect(batch.partitionLeaderEpoch(bytes, 0)).toBe(99);
    expect(batch.crcIsValid(bytes, 0)).toBe(true);
    expect([...batch.records(bytes)].map((record) => record.offset)).toEqual([1234, 1235, 1236]);
  });

  it('notices every changed byte that the CRC covers', () => {
    const bytes = sample();
    for (let at = batch.CRC_AT; at < bytes.length; at++) {
      bytes[at]! ^= 0x10;
      expect(batch.crcIsValid(bytes, 0)).toBe(false);
      bytes[at]! ^= 0x10;
    }
  });

  it('finds no batch where one is cut short or its length makes no sense', () => {
    const bytes = sample();
    expect(batch.batchSizeAt(bytes.subarray(0, bytes.length - 1), 0)).toBe(-1);
    expect(batch.batchSizeAt(bytes.subarray(0, 20), 0)).toBe(-1);
    expect(batch.batchSizeAt(bytes, 0, bytes.length - 1)).toBe(-1);
    for (const length of [-1, 0, 48, -0x80000000, 0x7fffffff]) {
      bytes.writeInt32BE(length, batch.BATCH_LENGTH_AT);
      expect(batch.batchSizeAt(bytes, 0)).toBe(-1);
      expect(batch.crcIsValid(bytes, 0)).toBe(false);
    }
  });

  it('goes on with sequence 0 after the largest', () => {
    expect(batch.addToSequence(0x7fffffff, 0)).toBe(0x7fffffff);
    expect(batch.addToSequence(0x7fffffff, 1)).toBe(0);
    expect(batch.addToSequence(0x7ffffffe, 5)).toBe(3);
    expect(
      batch.lastSequence(sample({ producerId: 1n, producerEpoch: 0, baseSequence: 0x7ffffffe }), 0),
    ).toBe(0);
  });

  it('walks from batch to batch and stops before a cut one', () => {
    const one = sample();
    const two = sample({ baseOffset: 10 });
    const bytes = Buffer.concat([one, two, one.subarray(0, 70)]);
    expect([...batch.batchPositions(bytes)]).toEqual([0, one.length]);
    expect([...batch.batchPositions(bytes, one.length, one.length + two.length)]).toEqual([one.length]);
  });
});
