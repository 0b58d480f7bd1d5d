import type { Uuid } from '../../src/base/uuid.ts';
import { defaults, encodeToBytes } from '../../src/protocol/codec.ts';
import { ConsumerProtocolSubscription } from '../../src/protocol/messages/consumer-protocol.ts';
import { FetchRequest } from '../../src/protocol/messages/fetch.ts';
import { MetadataRequest, MetadataResponse } from '../../src/protocol/messages/metadata.ts';
import { ProduceRequest, ProduceResponse } from '../../src/protocol/messages/produce.ts';
import { Reader } from '../../src/protocol/reader.ts';
import { BatchBuilder } from '../../src/protocol/record-batch/builder.ts';
import { makeTopics } from '../../test/interop/support/wire.ts';
import { PARTITION_MARK, PartitionsFrame } from './frames.ts';
import { frameOf, Peer } from './peer.ts';

const FETCH_VERSION = 11;
/** Of a partition in its request: numbers of 4, 4, 8, 8 and 4 bytes. */
const FETCHED_ENTRY_BYTES = 28;
const CORRELATION_BYTES = 4;
/** The high watermark, the last stable offset and the start of the log. */
const OFFSETS_BYTES = 24;
const ABORTED_BYTES = 16;
/** A broker writes the base offset, here 0 as it was, and the leader epoch behind the length. */
const LEADER_EPOCH_AT = 12;
const LEADER_EPOCH_END = 16;

/** A topic of which every partition has one record: its own number. */
export interface FilledTopic {
  readonly name: string;
  readonly id: Uuid;
  /** What each partition was given. */
  readonly batches: readonly Buffer[];
  /** Asks for partitions from their start on. */
  readonly fetch: PartitionsFrame;
}

export async function filledTopic(port: number, name: string, partitions: number): Promise<FilledTopic> {
  await makeTopics(port, [{ name, partitions }]);
  const batches = Array.from({ length: partitions }, (_, index) =>
    new BatchBuilder().append({ value: Buffer.from(`${index}`) }).build(),
  );
  const peer = await Peer.open(port);
  const partitionData = batches.map((records, index) => ({ index, records }));
  const topicData = [{ name, partitionData }];
  const { responses } = await peer.ask(ProduceRequest, ProduceResponse, 7, {
    acks: -1,
    timeoutMs: 30_000,
    topicData,
  });
  const failed = responses.flatMap((topic) =>
    topic.partitionResponses.filter(({ errorCode }) => errorCode !== 0),
  );
  if (failed.length > 0) throw new Error(`${name} could not be filled: ${JSON.stringify(failed[0])}`);
  const { topics } = await peer.ask(MetadataRequest, MetadataResponse, 10, { topics: [{ name }] });
  const id = topics[0]?.topicId;
  if (id === undefined) throw new Error(`${name} has no id`);
  peer.close();
  return { name, id, batches, fetch: fetchFrom(name) };
}

function fetchFrom(topic: string): PartitionsFrame {
  const partitions = [{ partition: PARTITION_MARK, fetchOffset: 0, partitionMaxBytes: 65_536 }];
  const request = { maxWaitMs: 500, minBytes: 1, topics: [{ topic, partitions }] };
  return new PartitionsFrame(frameOf(FetchRequest, FETCH_VERSION, request), {
    entryBytes: FETCHED_ENTRY_BYTES,
  });
}

/** Reads these partitions until each has given its record. Throws where a record is another one's. */
export async function consume(peer: Peer, topic: FilledTopic, partitions: readonly number[]): Promise<void> {
  const left = new Set(partitions);
  while (left.size > 0) {
    await peer.sent(topic.fetch.of([...left]), (answer) => {
      for (const partition of readIn(answer, topic)) left.delete(partition);
    });
  }
}

/** The partitions whose record is in the answer to a fetch. */
function readIn(answer: Buffer, { name, batches }: FilledTopic): number[] {
  const read: number[] = [];
  const reader = new Reader(answer, CORRELATION_BYTES);
  reader.int32(); // throttle time
  const failed = reader.int16();
  if (failed !== 0) throw new Error(`fetch of ${name} answered ${failed}`);
  reader.int32(); // session
  for (let topics = reader.int32(); topics > 0; topics--) {
    reader.string();
    for (let partitions = reader.int32(); partitions > 0; partitions--) {
      const partition = reader.int32();
      const errorCode = reader.int16();
      if (errorCode !== 0) throw new Error(`fetch of ${name}-${partition} answered ${errorCode}`);
      reader.skip(OFFSETS_BYTES);
      reader.skip(Math.max(0, reader.int32()) * ABORTED_BYTES);
      reader.int32(); // preferred replica
      const records = reader.nullableBytes();
      if (records === null || records.length === 0) continue;
      if (!isSameBatch(records, batches[partition]))
        throw new Error(`${name}-${partition} holds another record`);
      read.push(partition);
    }
  }
  return read;
}

function isSameBatch(given: Uint8Array, sent: Buffer | undefined): boolean {
  if (sent?.length !== given.length) return false;
  return (
    sent.compare(given, 0, LEADER_EPOCH_AT, 0, LEADER_EPOCH_AT) === 0 &&
    sent.compare(given, LEADER_EPOCH_END, given.length, LEADER_EPOCH_END) === 0
  );
}

/** What a consumer of the topic tells its group. Apache Kafka never answers a join whose bytes it can't read as this. */
export function subscriptionTo(topic: string): Buffer {
  const wanted = defaults<ConsumerProtocolSubscription>(ConsumerProtocolSubscription, { topics: [topic] });
  return Buffer.concat([Buffer.from([0, 0]), encodeToBytes(ConsumerProtocolSubscription, 0, wanted)]);
}
