import { expect } from 'vitest';
import { partitionForGroup } from '../../src/coordinator/index.ts';
import { defaults, type Sparse } from '../../src/protocol/codec.ts';
import * as deleteGroups from '../../src/protocol/messages/delete-groups.ts';
import * as describeProducers from '../../src/protocol/messages/describe-producers.ts';
import * as fetch from '../../src/protocol/messages/fetch.ts';
import * as findCoordinator from '../../src/protocol/messages/find-coordinator.ts';
import * as listOffsets from '../../src/protocol/messages/list-offsets.ts';
import * as offsetDelete from '../../src/protocol/messages/offset-delete.ts';
import * as offsetFetch from '../../src/protocol/messages/offset-fetch.ts';
import * as produce from '../../src/protocol/messages/produce.ts';
import * as txnOffsetCommit from '../../src/protocol/messages/txn-offset-commit.ts';
import * as writeTxnMarkers from '../../src/protocol/messages/write-txn-markers.ts';
import { BatchBuilder } from '../../src/protocol/record-batch/builder.ts';
import * as header from '../../src/protocol/record-batch/header.ts';
import { batchPositions, records } from '../../src/protocol/record-batch/records.ts';
import type { MessageSchema } from '../../src/protocol/schema.ts';
import { WireClient } from '../integration/wire-client.ts';
import { compareBrokers, type Observations } from './support/compare.ts';
import { until } from './support/run.ts';
import type { Target } from './support/target.ts';
import { makeTopics } from './support/wire.ts';

/**
 * What partitions make of transactions, without a transaction coordinator: verification is off, so that any producer may
 * begin one, and the test ends them as a coordinator would.
 */

const TOPIC = 'transactional';
const PARTITIONS = 8;
const GROUPS_TOPIC = '__consumer_offsets';
const READ_COMMITTED = 1;
const LATEST = -1n;
const TIME = 1_700_000_000_000;

interface Data {
  readonly epoch?: number;
  readonly sequence: number;
  readonly count?: number;
  readonly isTransactional?: boolean;
}

interface End {
  readonly epoch?: number;
  readonly coordinatorEpoch?: number;
  readonly committed?: boolean;
  /** Above 0 only version 2 of the request can say it. */
  readonly transactionVersion?: number;
}

/** Speaks with one broker and keeps what it answers. */
class Talk {
  readonly seen: Observations = {};
  readonly #client: WireClient;

  constructor(client: WireClient) {
    this.#client = client;
  }

  async ask<Request, Response>(
    request: MessageSchema<Request>,
    response: MessageSchema<Response>,
    version: number,
    given: Sparse<Request>,
  ): Promise<Response> {
    return this.#client.request(request, response, version, defaults(request, given));
  }

  keep(step: string, value: unknown): void {
    if (step in this.seen) throw new Error(`two steps are called ${step}`);
    const plain = JSON.stringify(value, (_, one) => (typeof one === 'bigint' ? Number(one) : one));
    this.seen[step] = JSON.parse(plain);
  }

  async send(
    partition: number,
    producerId: number,
    { epoch = 0, sequence, count = 1, isTransactional = true }: Data,
  ): Promise<readonly unknown[]> {
    const builder = new BatchBuilder({
      producerId: BigInt(producerId),
      producerEpoch: epoch,
      baseSequence: sequence,
      isTransactional,
    });
    for (let i = 0; i < count; i++) {
      const key = Buffer.from(`${producerId}/${epoch}/${sequence + i}`);
      builder.append({ timestamp: TIME, key, value: Buffer.from('v') });
    }
    const { responses } = await this.ask(produce.ProduceRequest, produce.ProduceResponse, 9, {
      transactionalId: `x${producerId}`,
      acks: -1,
      timeoutMs: 10_000,
      topicData: [{ name: TOPIC, partitionData: [{ index: partition, records: builder.build() }] }],
    });
    const { errorCode, baseOffset } = responses[0]!.partitionResponses[0]!;
    return [errorCode, baseOffset];
  }

  async end(
    partition: number,
    producerId: number,
    { epoch = 0, coordinatorEpoch = 0, committed = true, transactionVersion }: End = {},
    topic = TOPIC,
  ): Promise<number> {
    const version = transactionVersion === undefined ? 1 : 2;
    const { markers } = await this.ask(
      writeTxnMarkers.WriteTxnMarkersRequest,
      writeTxnMarkers.WriteTxnMarkersResponse,
      version,
      {
        markers: [
          {
            producerId: BigInt(producerId),
            producerEpoch: epoch,
            transactionResult: committed,
            coordinatorEpoch,
            transactionVersion: transactionVersion ?? 0,
            topics: [{ name: topic, partitionIndexes: [partition] }],
          },
        ],
      },
    );
    return markers[0]!.topics[0]!.partitions[0]!.errorCode;
  }

  /** What a reader sees from an offset on: LSO, aborted transactions, and each batch with its records. */
  async read(partition: number, isolationLevel: number, fetchOffset = 0, partitionMaxBytes = 1_000_000) {
    const { responses } = await this.ask(fetch.FetchRequest, fetch.FetchResponse, 12, {
      maxWaitMs: 0,
      minBytes: 0,
      maxBytes: 1_000_000,
      isolationLevel,
      sessionEpoch: -1,
      topics: [{ topic: TOPIC, partitions: [{ partition, fetchOffset, partitionMaxBytes }] }],
    });
    const one = responses[0]!.partitions[0]!;
    const batches = [one.records ?? []].flat().flatMap(batchesOf);
    const last = batches.at(-1)?.baseOffset ?? -1;
    return {
      errorCode: one.errorCode,
      highWatermark: one.highWatermark,
      lastStableOffset: one.lastStableOffset,
      // Apache Kafka has them in the order of their ends, and those too that begin a little behind the last batch.
      aborted: one.abortedTransactions
        ?.filter(({ firstOffset }) => firstOffset <= last)
        .sort((a, b) => a.firstOffset - b.firstOffset),
      batches,
    };
  }

  async lastOffset(partition: number, isolationLevel: number): Promise<number> {
    const { topics } = await this.ask(listOffsets.ListOffsetsRequest, listOffsets.ListOffsetsResponse, 7, {
      replicaId: -1,
      isolationLevel,
      topics: [{ name: TOPIC, partitions: [{ partitionIndex: partition, timestamp: LATEST }] }],
    });
    return topics[0]!.partitions[0]!.offset;
  }

  async producers(partition: number) {
    const { topics } = await this.ask(
      describeProducers.DescribeProducersRequest,
      describeProducers.DescribeProducersResponse,
      0,
      { topics: [{ name: TOPIC, partitionIndexes: [partition] }] },
    );
    const { activeProducers } = topics[0]!.partitions[0]!;
    return [...activeProducers]
      .sort((a, b) => Number(a.producerId - b.producerId))
      .map(({ lastTimestamp, ...one }) => ({ ...one, isMarkersTime: lastTimestamp !== BigInt(TIME) }));
  }

  async everything(step: string, partition: number): Promise<void> {
    this.keep(`${step}: read uncommitted`, await this.read(partition, 0));
    this.keep(`${step}: read committed`, await this.read(partition, READ_COMMITTED));
    this.keep(`${step}: last offsets`, [
      await this.lastOffset(partition, 0),
      await this.lastOffset(partition, READ_COMMITTED),
    ]);
    this.keep(`${step}: producers`, await this.producers(partition));
  }
}

function batchesOf(bytes: Uint8Array) {
  return [...batchPositions(bytes)].map((at) => ({
    baseOffset: header.baseOffset(bytes, at),
    sizeInBytes: header.sizeInBytes(bytes, at),
    attributes: header.attributes(bytes, at),
    producerId: header.producerId(bytes, at),
    producerEpoch: header.producerEpoch(bytes, at),
    baseSequence: header.baseSequence(bytes, at),
    crcIsValid: header.crcIsValid(bytes, at),
    records: [...records(bytes, { at })].map(({ offset, key, value }) => [
      offset,
      hex(key, header.isControl(bytes, at)),
      hex(value, header.isControl(bytes, at)),
    ]),
  }));
}

function hex(bytes: Uint8Array | null, isControl: boolean): string | null {
  return bytes === null ? null : Buffer.from(bytes).toString(isControl ? 'hex' : 'utf8');
}

async function observe(target: Target): Promise<Observations> {
  await makeTopics(target.port, [{ name: TOPIC, partitions: PARTITIONS }]);
  const client = await WireClient.open(target.bootstrap);
  const talk = new Talk(client);
  try {
    await oneTransaction(talk);
    await interleaved(talk);
    await epochs(talk);
    await secondVersion(talk);
    await refused(talk);
    await offsetsOfGroups(talk);
  } finally {
    client.close();
  }
  return talk.seen;
}

async function oneTransaction(talk: Talk): Promise<void> {
  const sent = [
    await talk.send(0, 1, { sequence: 0, count: 2 }),
    await talk.send(0, 1, { sequence: 2 }),
    await talk.send(0, 1, { sequence: 2 }),
  ];
  talk.keep('open: sent', sent);
  await talk.everything('open', 0);
  talk.keep(
    'open: a plain batch of its producer',
    await talk.send(0, 1, { sequence: 3, isTransactional: false }),
  );
  talk.keep('committed', await talk.end(0, 1));
  await talk.everything('committed', 0);
  talk.keep('the next one', await talk.send(0, 1, { sequence: 3 }));
  talk.keep('aborted', await talk.end(0, 1, { committed: false, coordinatorEpoch: 3 }));
  await talk.everything('aborted', 0);
  talk.keep('ended again', await talk.end(0, 1, { committed: true, coordinatorEpoch: 3 }));
  talk.keep('a repeat of a batch in front of the marker', await talk.send(0, 1, { sequence: 3 }));
  await talk.everything('ended again', 0);
}

async function interleaved(talk: Talk): Promise<void> {
  for (const id of [1, 2, 3, 4]) await talk.send(1, id, { sequence: 0 });
  await talk.send(1, 1, { sequence: 1 });
  await talk.end(1, 3, { committed: false });
  await talk.everything('interleaved, one is over', 1);
  await talk.end(1, 1, { committed: false });
  await talk.end(1, 4);
  await talk.everything('interleaved, one is left', 1);
  await talk.end(1, 2, { committed: false });
  await talk.everything('interleaved', 1);
  for (const offset of [0, 1, 3, 5, 6, 8, 9]) {
    talk.keep(`interleaved from ${offset}`, await talk.read(1, READ_COMMITTED, offset));
    talk.keep(`interleaved from ${offset}, one batch`, await talk.read(1, READ_COMMITTED, offset, 1));
  }
}

async function epochs(talk: Talk): Promise<void> {
  const seen = [
    await talk.send(2, 1, { epoch: 3, sequence: 0 }),
    await talk.end(2, 1, { epoch: 2 }),
    await talk.end(2, 1, { epoch: 3, coordinatorEpoch: 5 }),
    await talk.end(2, 1, { epoch: 3, coordinatorEpoch: 4 }),
    await talk.end(2, 1, { epoch: 4, coordinatorEpoch: 6 }),
    await talk.send(2, 1, { epoch: 3, sequence: 1 }),
    await talk.send(2, 1, { epoch: 4, sequence: 1 }),
    await talk.send(2, 1, { epoch: 4, sequence: 0 }),
    await talk.send(2, 1, { epoch: 5, sequence: 0 }),
    await talk.end(2, 1, { epoch: 6, coordinatorEpoch: 6, committed: false }),
    await talk.end(2, 99, { epoch: 0 }),
    await talk.end(2, 1, { epoch: 32_767, coordinatorEpoch: 6 }),
  ];
  talk.keep('epochs', seen);
  await talk.everything('epochs', 2);
}

async function secondVersion(talk: Talk): Promise<void> {
  const v2 = { transactionVersion: 2 };
  const seen = [
    await talk.send(3, 1, { epoch: 0, sequence: 0 }),
    await talk.end(3, 1, { ...v2, epoch: 0 }),
    await talk.end(3, 1, { ...v2, epoch: 1 }),
    await talk.end(3, 1, { ...v2, epoch: 1 }),
    await talk.send(3, 1, { epoch: 1, sequence: 0 }),
    await talk.end(3, 1, { ...v2, epoch: 1 }),
    await talk.end(3, 1, { ...v2, epoch: 0 }),
    await talk.end(3, 1, { ...v2, epoch: 2, coordinatorEpoch: 1 }),
    await talk.end(3, 1, { ...v2, epoch: 3, coordinatorEpoch: 0 }),
    await talk.end(3, 7, { ...v2, epoch: 0 }),
    await talk.end(3, 1, { transactionVersion: 1, epoch: 2, coordinatorEpoch: 1 }),
  ];
  talk.keep('second version', seen);
  await talk.everything('second version', 3);
}

async function refused(talk: Talk): Promise<void> {
  talk.keep('a partition that is not there', await talk.end(PARTITIONS, 1));
  talk.keep('a topic that is not there', await talk.end(0, 1, {}, 'nowhere'));
  talk.keep('sequences', [
    await talk.send(4, 1, { sequence: 5 }),
    await talk.send(4, 1, { sequence: 7 }),
    await talk.end(4, 1),
    await talk.send(4, 1, { sequence: 7 }),
    await talk.send(4, 1, { sequence: 6 }),
    await talk.send(4, 2, { sequence: 0, isTransactional: false }),
    await talk.send(4, 2, { sequence: 1 }),
    await talk.end(4, 2, { committed: false }),
  ]);
  await talk.everything('sequences', 4);
}

async function offsetsOfGroups(talk: Talk): Promise<void> {
  const group = 'g';
  const partition = partitionForGroup(group, 50);
  const { FindCoordinatorRequest, FindCoordinatorResponse } = findCoordinator;
  const { TxnOffsetCommitRequest, TxnOffsetCommitResponse } = txnOffsetCommit;
  const { OffsetFetchRequest, OffsetFetchResponse } = offsetFetch;
  const { OffsetDeleteRequest, OffsetDeleteResponse } = offsetDelete;
  const pend = async (producerId: number, offset: number, given: object = {}, version = 4) => {
    const partitions = [{ partitionIndex: 0, committedOffset: offset, committedMetadata: 'm' }];
    const { topics } = await talk.ask(TxnOffsetCommitRequest, TxnOffsetCommitResponse, version, {
      transactionalId: `x${producerId}`,
      groupId: group,
      producerId: BigInt(producerId),
      producerEpoch: 0,
      topics: [{ name: TOPIC, partitions }],
      ...given,
    });
    return topics[0]!.partitions[0]!.errorCode;
  };
  const offsets = async (requireStable: boolean) => {
    const topics = [{ name: TOPIC, partitionIndexes: [0, 1] }];
    const { groups } = await talk.ask(OffsetFetchRequest, OffsetFetchResponse, 8, {
      groups: [{ groupId: group, topics }],
      requireStable,
    });
    return groups;
  };
  await until('the groups', async () => {
    const { coordinators } = await talk.ask(FindCoordinatorRequest, FindCoordinatorResponse, 4, {
      coordinatorKeys: [group],
    });
    if (coordinators[0]?.errorCode !== 0) return undefined;
    return (await offsets(false))[0]?.errorCode === 0 ? true : undefined;
  });
  const end = (producerId: number, given: End = {}) => talk.end(partition, producerId, given, GROUPS_TOPIC);
  const both = async (step: string) => {
    talk.keep(`offsets, ${step}`, [await offsets(false), await offsets(true)]);
  };
  talk.keep('offsets: pended', [await pend(1, 5), await pend(1, 6), await pend(2, 9)]);
  await both('pending');
  talk.keep('offsets: ended', [await end(1), await end(1)]);
  await both('one is over');
  talk.keep('offsets: ended too', [await end(2, { committed: false, coordinatorEpoch: 2 })]);
  await both('both are over');
  talk.keep('offsets: refused', [
    await end(2, { coordinatorEpoch: 1 }),
    await pend(3, 1, { groupId: '' }),
    await pend(3, 1, { memberId: 'm', generationIdOrMemberEpoch: 3 }),
    await pend(3, 1, {
      topics: [{ name: 'nowhere', partitions: [{ partitionIndex: 0, committedOffset: 1 }] }],
    }),
    await pend(3, 1, { topics: [{ name: TOPIC, partitions: [{ partitionIndex: 99, committedOffset: 1 }] }] }),
    await pend(3, 1, { producerEpoch: -2 }),
    await talk.end(50, 3, {}, GROUPS_TOPIC),
  ]);
  await both('after refusals');
  talk.keep('offsets: pended again', [await pend(4, 20)]);
  const deletion = await talk.ask(OffsetDeleteRequest, OffsetDeleteResponse, 0, {
    groupId: group,
    topics: [{ name: TOPIC, partitions: [{ partitionIndex: 0 }] }],
  });
  talk.keep('offsets: deleted', deletion);
  await both('deleted');
  talk.keep('offsets: ended behind the deletion', [await end(4)]);
  await both('ended behind the deletion');
  talk.keep('offsets: pended for a group that goes', [await pend(5, 30)]);
  const gone = await talk.ask(deleteGroups.DeleteGroupsRequest, deleteGroups.DeleteGroupsResponse, 2, {
    groupsNames: [group],
  });
  talk.keep('offsets: group deleted', gone);
  await both('group deleted');
  talk.keep('offsets: ended behind the group', [await end(5)]);
  await both('ended behind the group');
}

await compareBrokers({
  title: 'transactions in partitions',
  missing: undefined,
  properties: {
    'transaction.partition.verification.enable': 'false',
    'offsets.topic.num.partitions': '50',
    'group.initial.rebalance.delay.ms': '0',
  },
  observe,
  expectations(seen) {
    expect(seen['open: last offsets']).toEqual([3, 0]);
    expect(seen['committed: last offsets']).toEqual([4, 4]);
  },
});
