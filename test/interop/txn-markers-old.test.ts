import { expect } from 'vitest';
import { defaults } from '../../src/protocol/codec.ts';
import * as listOffsets from '../../src/protocol/messages/list-offsets.ts';
import * as produce from '../../src/protocol/messages/produce.ts';
import * as writeTxnMarkers from '../../src/protocol/messages/write-txn-markers.ts';
import { BatchBuilder } from '../../src/protocol/record-batch/builder.ts';
import { WireClient } from '../integration/wire-client.ts';
import { OLD_KAFKA_VERSION } from './support/apache.ts';
import { compareBrokers, type Observations } from './support/compare.ts';
import { makeTopics } from './support/wire.ts';

/** WriteTxnMarkers v0 and v1, which brokers before 4.0 sent to each other. Nobody newer serves version 0. */

const TOPIC = 'ended';
const READ_COMMITTED = 1;
const LATEST = -1n;

async function send(client: WireClient, index: number, producerId: bigint): Promise<number> {
  const { ProduceRequest, ProduceResponse } = produce;
  const batch = new BatchBuilder({ producerId, producerEpoch: 0, baseSequence: 0, isTransactional: true });
  batch.append({ timestamp: 1n, key: null, value: Buffer.from('v') });
  const request = defaults<produce.ProduceRequest>(ProduceRequest, {
    transactionalId: `x${producerId}`,
    acks: -1,
    timeoutMs: 10_000,
    topicData: [{ name: TOPIC, partitionData: [{ index, records: batch.build() }] }],
  });
  const { responses } = await client.request(ProduceRequest, ProduceResponse, 9, request);
  return responses[0]!.partitionResponses[0]!.errorCode;
}

/** The error of each partition; Apache Kafka names them in any order. */
async function end(client: WireClient, version: number, producerId: bigint, transactionResult: boolean) {
  const { WriteTxnMarkersRequest, WriteTxnMarkersResponse } = writeTxnMarkers;
  const topics = [
    { name: TOPIC, partitionIndexes: [version, 7] },
    { name: 'never-was', partitionIndexes: [0] },
  ];
  const marker = { producerId, producerEpoch: 0, transactionResult, coordinatorEpoch: 1, topics };
  const request = defaults<writeTxnMarkers.WriteTxnMarkersRequest>(WriteTxnMarkersRequest, {
    markers: [marker],
  });
  const { markers } = await client.request(WriteTxnMarkersRequest, WriteTxnMarkersResponse, version, request);
  return markers.flatMap((one) =>
    one.topics
      .flatMap(({ name, partitions }) =>
        partitions.map((told) => `${one.producerId}: ${name}-${told.partitionIndex} ${told.errorCode}`),
      )
      .sort(),
  );
}

async function stableEnd(client: WireClient, partitionIndex: number): Promise<number> {
  const { ListOffsetsRequest, ListOffsetsResponse } = listOffsets;
  const request = defaults<listOffsets.ListOffsetsRequest>(ListOffsetsRequest, {
    replicaId: -1,
    isolationLevel: READ_COMMITTED,
    topics: [{ name: TOPIC, partitions: [{ partitionIndex, timestamp: LATEST }] }],
  });
  const { topics } = await client.request(ListOffsetsRequest, ListOffsetsResponse, 5, request);
  return topics[0]!.partitions[0]!.offset;
}

await compareBrokers({
  title: 'markers of brokers before 4.0',
  missing: undefined,
  apacheVersion: OLD_KAFKA_VERSION,
  properties: { 'transaction.partition.verification.enable': 'false' },
  async observe(target) {
    await makeTopics(target.port, [{ name: TOPIC, partitions: 2 }]);
    const client = await WireClient.open(target.bootstrap);
    const seen: Observations = {};
    try {
      for (const version of [0, 1]) {
        for (const [turn, isCommit] of [true, false].entries()) {
          const producerId = BigInt(10 * version + turn + 100);
          const step = `v${version} ${isCommit ? 'commit' : 'abort'}`;
          seen[`${step}: produce`] = await send(client, version, producerId);
          seen[`${step}: stable while it is open`] = await stableEnd(client, version);
          seen[`${step}: answer`] = await end(client, version, producerId, isCommit);
          seen[`${step}: stable then`] = await stableEnd(client, version);
        }
      }
    } finally {
      client.close();
    }
    return seen;
  },
  expectations(seen) {
    expect(seen['v0 commit: stable while it is open']).toBe(0);
    expect(seen['v0 commit: stable then']).toBe(2);
    expect(seen['v0 abort: stable then']).toBe(4);
  },
});
