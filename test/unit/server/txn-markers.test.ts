import { describe, expect, test } from 'vitest';
import type { TransactionCompletion } from '../../../src/coordinator/runtime/transactions.ts';

import { type ErrorCode, Errors } from '../../../src/protocol/errors.ts';
import type { WriteTxnMarkersRequest } from '../../../src/protocol/messages/write-txn-markers.ts';
import { controlTypeOf, coordinatorEpochOf } from '../../../src/protocol/record-batch/control.ts';
import * as header from '../../../src/protocol/record-batch/header.ts';
import { records } from '../../../src/protocol/record-batch/records.ts';
import { failedProduce, type ProduceEntry } from '../../../src/replication/delayed-produce.ts';
import { type TxnMarkerResult, TxnMarkerWriter } from '../../../src/server/txn-markers.ts';
import { ManualTime, ManualTurn } from './fakes.ts';

/** Partitions 0 to 8 of all topics are here; what is appended waits for `finish`, or is done at once. */
function world(waits = false) {
  const time = new ManualTime();
  const turn = new ManualTurn();
  const appends: (readonly ProduceEntry[])[] = [];
  const completions: { partition: number; completion: TransactionCompletion }[] = [];
  const waiting: (() => void)[] = [];
  const codes: ErrorCode[] = [];
  let groupCode: ErrorCode = Errors.NONE;
  const run = (finish: () => void) => (waits ? waiting.push(finish) : finish());
  const writer = new TxnMarkerWriter({
    clock: time,
    turn,
    replicas: {
      holds: (_topic, partition) => partition < 9,
      append: (entries, _acks, _timeoutMs, _origin, _internal, done) => {
        appends.push(entries);
        run(() => done(entries.map(() => failedProduce(codes.shift() ?? Errors.NONE))));
      },
    },
    groups: {
      completeTransaction: (partition, completion, answer) => {
        completions.push({ partition, completion });
        run(() => answer(groupCode));
      },
    },
    timeoutMs: () => 1000,
  });
  const seen: { results?: TxnMarkerResult[]; calls: number } = { calls: 0 };
  const write = (markers: WriteTxnMarkersRequest['markers']) => {
    writer.write(markers, (results) => {
      seen.results = results;
      seen.calls += 1;
    });
    return seen;
  };
  const refuseGroups = (code: ErrorCode) => {
    groupCode = code;
  };
  return { turn, appends, completions, waiting, codes, write, refuseGroups };
}

const marker = (topics: Readonly<Record<string, readonly number[]>>) => ({
  producerId: 7n,
  producerEpoch: 2,
  transactionResult: true,
  coordinatorEpoch: 5,
  transactionVersion: 2,
  topics: Object.entries(topics).map(([name, partitionIndexes]) => ({ name, partitionIndexes })),
});

describe('markers', () => {
  test('are control batches of the producer with the epoch of the coordinator', () => {
    const w = world();
    w.write([marker({ t: [0, 1] })]);
    w.turn.end();
    expect(w.appends.flat().map(({ topic, partition }) => [topic, partition])).toEqual([
      ['t', 0],
      ['t', 1],
    ]);
    const { records: bytes, transaction } = w.appends[0]![0]!;
    expect(transaction).toEqual({ transactionVersion: 2, atOnce: true });
    expect([header.producerId(bytes, 0), header.producerEpoch(bytes, 0)]).toEqual([7n, 2]);
    const [record] = [...records(bytes)];
    expect([controlTypeOf(record!.key), coordinatorEpochOf(record!.value)]).toEqual([1, 5]);
  });

  test('go to partitions of groups through their coordinator', () => {
    const w = world();
    w.write([marker({ __consumer_offsets: [3], t: [0] })]);
    w.turn.end();
    expect(w.completions.map((one) => [one.partition, one.completion.result])).toEqual([[3, 'commit']]);
    expect(w.appends.flat().map((one) => one.topic)).toEqual(['t']);
  });

  test('of one tick and partition are written together, at its end and in the order of the calls', () => {
    const w = world();
    const order: string[] = [];
    w.turn.atEnd(() => w.turn.atEnd(() => order.push(`answers left, ${w.appends.length} appends`)));
    w.write([marker({ t: [0, 1] }), { ...marker({ t: [0] }), producerId: 8n }]);
    w.write([{ ...marker({ t: [1, 0] }), producerId: 9n }]);
    w.turn.end();
    expect(order).toEqual(['answers left, 0 appends']);
    const written = w.appends.map((entries) =>
      entries.map(({ partition, records: bytes, transaction }) => [
        partition,
        header.producerId(bytes, 0),
        transaction?.atOnce,
      ]),
    );
    expect(written).toEqual([
      [
        [0, 7n, false],
        [0, 8n, false],
        [0, 9n, true],
      ],
      [
        [1, 7n, false],
        [1, 9n, true],
      ],
    ]);
  });

  test('are answered together, after the call, each partition for itself', () => {
    const w = world();
    w.codes.push(Errors.NONE, Errors.INVALID_PRODUCER_EPOCH);
    w.refuseGroups(Errors.COORDINATOR_LOAD_IN_PROGRESS);
    const seen = w.write([marker({ t: [0, 9, 1] }), marker({ __consumer_offsets: [1] }), marker({})]);
    expect(seen.calls).toBe(0);
    w.turn.end();
    const found = seen.results!.map(({ topics }) =>
      topics.map((one) => one.partitions.map(({ partitionIndex, errorCode }) => [partitionIndex, errorCode])),
    );
    expect(found).toEqual([
      [
        [
          [0, Errors.NONE],
          [9, Errors.UNKNOWN_TOPIC_OR_PARTITION],
          [1, Errors.INVALID_PRODUCER_EPOCH],
        ],
      ],
      [[[1, Errors.NOT_LEADER_OR_FOLLOWER]]],
      [],
    ]);
  });

  test('that take their time are waited for', () => {
    const w = world(true);
    const seen = w.write([marker({ t: [0], __consumer_offsets: [0] }), marker({ u: [0] })]);
    w.turn.end();
    for (const finish of w.waiting) {
      expect(seen.calls).toBe(0);
      finish();
    }
    expect(seen.calls).toBe(1);
  });
});
