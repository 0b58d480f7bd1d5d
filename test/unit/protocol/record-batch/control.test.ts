import { describe, expect, it } from 'vitest';
import * as batch from '../../../../src/protocol/record-batch/index.ts';

describe('control records', () => {
  it.each([true, false])('ends a transaction (committed: %s)', (committed) => {
    const bytes = batch.endTxnMarkerBatch({
      committed,
      producerId: 4000n,
      producerEpoch: 7,
      coordinatorEpoch: 12,
      timestamp: 1_700_000_000_000n,
      baseOffset: 55,
      leaderEpoch: 2,
    });
    expect(batch.isControl(bytes, 0)).toBe(true);
    expect(batch.isTransactional(bytes, 0)).toBe(true);
    expect(batch.baseSequence(bytes, 0)).toBe(-1);
    expect(batch.producerId(bytes, 0)).toBe(4000n);
    expect(batch.producerEpoch(bytes, 0)).toBe(7);
    expect(batch.partitionLeaderEpoch(bytes, 0)).toBe(2);
    const [marker] = [...batch.records(bytes)];
    expect(marker?.offset).toBe(55);
    expect(batch.controlTypeOf(marker!.key)).toBe(
      committed ? batch.ControlType.COMMIT : batch.ControlType.ABORT,
    );
    expect(batch.coordinatorEpochOf(marker!.value)).toBe(12);
  });

  it('reads a marker that it wrote, and leaves all others to the reader of records', () => {
    const given = { committed: false, coordinatorEpoch: -70_000, timestamp: 1_700_000_000_001n };
    const marker = { ...given, producerId: 1n, producerEpoch: 2 };
    const bytes = batch.endTxnMarkerBatch(marker);
    expect(batch.readEndTxnMarker(bytes, 0)).toEqual(given);
    const behind = Buffer.concat([bytes, batch.endTxnMarkerBatch({ ...marker, committed: true })]);
    expect(batch.readEndTxnMarker(behind, bytes.length)?.committed).toBe(true);
    const built = (value: Buffer, type: batch.ControlType = batch.ControlType.ABORT) =>
      new batch.BatchBuilder({ producerId: 1n, producerEpoch: 2, isTransactional: true, isControl: true })
        .append({ timestamp: given.timestamp, key: batch.controlKey(type), value })
        .build();
    const value = batch.endTxnMarkerValue(given.coordinatorEpoch);
    expect(Buffer.compare(built(value), bytes)).toBe(0);
    const longer = Buffer.concat([value, Buffer.alloc(2)]);
    const others = [built(longer), built(value, batch.ControlType.LEADER_CHANGE)];
    const ofLaterVersion = Buffer.from(bytes);
    ofLaterVersion[batch.RECORDS_AT + 11] = 1;
    for (const other of [...others, ofLaterVersion]) {
      expect(batch.readEndTxnMarker(other, 0)).toBeUndefined();
    }
  });

  it('carries the messages of the metadata quorum', () => {
    const bytes = batch.controlBatch({ baseOffset: 0, leaderEpoch: 1, timestamp: 9n }, [
      { type: batch.ControlType.LEADER_CHANGE, value: Buffer.from('leader') },
      { type: batch.ControlType.KRAFT_VERSION, value: Buffer.from('version') },
    ]);
    expect(batch.isControl(bytes, 0)).toBe(true);
    expect(batch.isTransactional(bytes, 0)).toBe(false);
    const read = [...batch.records(bytes)].map((one) => [
      batch.controlTypeOf(one.key),
      Buffer.from(one.value!).toString(),
    ]);
    expect(read).toEqual([
      [2, 'leader'],
      [5, 'version'],
    ]);
  });

  it('skips types of a later Kafka and reads longer keys', () => {
    expect(batch.controlTypeOf(Buffer.from([0, 0, 0, 99]))).toBeUndefined();
    expect(batch.controlTypeOf(Buffer.from([0, 1, 0, 1, 7, 7]))).toBe(batch.ControlType.COMMIT);
  });

  it('refuses malformed keys and markers', () => {
    for (const key of [null, Buffer.alloc(3), Buffer.from([0xff, 0xff, 0, 1])]) {
      expect(() => batch.controlTypeOf(key)).toThrow(batch.InvalidControlRecordError);
    }
    for (const value of [null, Buffer.alloc(5), Buffer.from([0xff, 0xff, 0, 0, 0, 1])]) {
      expect(() => batch.coordinatorEpochOf(value)).toThrow(batch.InvalidControlRecordError);
    }
  });
});
