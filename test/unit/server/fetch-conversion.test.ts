import { expect, test } from 'vitest';
import { ZERO_UUID } from '../../../src/base/uuid.ts';
import { prepareCodec } from '../../../src/protocol/compression/index.ts';
import { Errors } from '../../../src/protocol/errors.ts';
import { BatchBuilder, type BatchOptions } from '../../../src/protocol/record-batch/builder.ts';
import { endTxnMarkerBatch } from '../../../src/protocol/record-batch/control.ts';
import { messageBytes, messageOffset } from '../../../src/protocol/record-batch/message-set.ts';
import type { FetchedPartition } from '../../../src/replication/fetch-types.ts';
import { convertFetched, oldFormatOf } from '../../../src/server/handlers/fetch-conversion.ts';
import { ManualTurn } from './fakes.ts';

function batch(baseOffset: number, count = 1, valueBytes = 10, options: BatchOptions = {}): Buffer {
  const builder = new BatchBuilder({ baseOffset, ...options });
  for (let i = 0; i < count; i++) builder.append({ timestamp: 1, value: Buffer.alloc(valueBytes, i) });
  return builder.build();
}

const marker = (baseOffset: number) =>
  endTxnMarkerBatch({
    committed: true,
    producerId: 1n,
    producerEpoch: 0,
    coordinatorEpoch: 0,
    timestamp: 1n,
    baseOffset,
  });

function fetched(records: readonly Buffer[], fetchOffset = 0): FetchedPartition {
  return {
    target: {
      topic: 't',
      topicId: ZERO_UUID,
      partition: 0,
      fetchOffset,
      maxBytes: 1000,
      currentLeaderEpoch: -1,
      lastFetchedEpoch: -1,
    },
    errorCode: Errors.NONE,
    highWatermark: 99,
    lastStableOffset: 99,
    logStartOffset: 0,
    divergingEpoch: undefined,
    abortedTransactions: null,
    records,
    sizeInBytes: records.reduce((sum, one) => sum + one.length, 0),
  };
}

/** Converts and runs ticks until it is done. */
function convert(parts: readonly FetchedPartition[]): { result: readonly FetchedPartition[]; ticks: number } {
  const turn = new ManualTurn();
  let result: readonly FetchedPartition[] | undefined;
  convertFetched(
    parts,
    1,
    turn,
    (converted) => {
      result = converted;
    },
    (error) => {
      throw error;
    },
  );
  let ticks = 0;
  for (; result === undefined; ticks++) turn.end();
  return { result, ticks };
}

function offsetsIn(one: FetchedPartition | undefined): number[] {
  const bytes = Buffer.concat(one?.records ?? []);
  expect(one?.sizeInBytes).toBe(bytes.length);
  const offsets: number[] = [];
  for (let at = 0; at < bytes.length; at += messageBytes(bytes, at)) offsets.push(messageOffset(bytes, at));
  return offsets;
}

test('consumers are given what they know', () => {
  expect([0, 1, 2, 3, 4, 18].map(oldFormatOf)).toEqual([0, 0, 1, 1, undefined, undefined]);
});

test('all batches of all chunks, without control batches', () => {
  const { result } = convert([
    fetched([Buffer.concat([batch(0, 2), marker(2)]), batch(3, 2), Buffer.concat([batch(5), batch(6)])]),
    fetched([batch(40)]),
    fetched([]),
  ]);
  expect(result.map(offsetsIn)).toEqual([[0, 1, 3, 4, 5, 6], [40], []]);
});

test('no more bytes than the batches had, but the first batch whole', () => {
  const small = Array.from({ length: 60 }, (_, i) => batch(i * 100, 100, 0));
  const one = fetched(small);
  const converted = convert([one]).result[0]!;
  expect(converted.sizeInBytes).toBeLessThanOrEqual(one.sizeInBytes);
  expect(offsetsIn(converted)).toEqual(Array.from(offsetsIn(converted), (_, i) => i));
  expect(offsetsIn(converted).length).toBeGreaterThan(1000);
  const first = convert([fetched([marker(0), batch(1, 100, 0), batch(101)])]).result[0]!;
  expect(first.sizeInBytes).toBe(100 * 34);
  expect(offsetsIn(first)).toHaveLength(100);
});

test('control batches alone are answered as a message that does not fit', () => {
  const [one] = convert([fetched([marker(0)])]).result;
  expect(one).toMatchObject({ errorCode: Errors.NONE, sizeInBytes: 12 });
  expect(Buffer.concat(one!.records).readBigInt64BE(0)).toBe(-1n);
});

test('zstd is refused where it comes first, and ends the answer where it comes later', async () => {
  await prepareCodec('zstd');
  const zstd = batch(2, 1, 10, { compression: 'zstd' });
  const [refused, ended] = convert([
    fetched([marker(1), zstd, batch(3)]),
    fetched([batch(1), zstd, batch(3)]),
  ]).result;
  expect(refused).toMatchObject({ errorCode: Errors.UNSUPPORTED_COMPRESSION_TYPE, records: [] });
  expect(offsetsIn(ended)).toEqual([1]);
});

test('a batch that can not be read is an error of its partition', () => {
  const broken = batch(0);
  broken.writeInt32BE(9, 57);
  expect(convert([fetched([broken]), fetched([batch(5)])]).result).toMatchObject([
    { errorCode: Errors.CORRUPT_MESSAGE, records: [] },
    { errorCode: Errors.NONE },
  ]);
});

test('much is converted in slices', () => {
  const parts = Array.from({ length: 4 }, (_, i) => fetched([batch(i, 3, 200_000)]));
  const { result, ticks } = convert(parts);
  expect(result.map((one) => offsetsIn(one).length)).toEqual([3, 3, 3, 3]);
  expect(ticks).toBeGreaterThanOrEqual(4);
  expect(convert([fetched([batch(0)])]).ticks).toBe(0);
});
