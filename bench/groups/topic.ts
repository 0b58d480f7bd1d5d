import { defaults, encodeToBytes } from '../../src/protocol/codec.ts';
import { ConsumerProtocolSubscription } from '../../src/protocol/messages/consumer-protocol.ts';
import { FetchRequest, FetchResponse } from '../../src/protocol/messages/fetch.ts';
import { ProduceRequest, ProduceResponse } from '../../src/protocol/messages/produce.ts';
import { BatchBuilder } from '../../src/protocol/record-batch/builder.ts';
import { records } from '../../src/protocol/record-batch/records.ts';
import { makeTopics } from '../../test/interop/support/wire.ts';
import { Peer } from './peer.ts';

/** A topic of which every partition has one record: its own number. */
export async function filledTopic(port: number, name: string, partitions: number): Promise<void> {
  await makeTopics(port, [{ name, partitions }]);
  const peer = await Peer.open(port);
  const partitionData = Array.from({ length: partitions }, (_, index) => ({
    index,
    records: new BatchBuilder().append({ value: Buffer.from(`${index}`) }).build(),
  }));
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
  peer.close();
}

/** Reads these partitions until each has given its record. Throws where a record is another one's. */
export async function consume(peer: Peer, topic: string, partitions: readonly number[]): Promise<void> {
  const left = new Set(partitions);
  while (left.size > 0) {
    const asked = Array.from(left, (partition) => ({ partition, fetchOffset: 0, partitionMaxBytes: 65_536 }));
    const request = { maxWaitMs: 500, minBytes: 1, topics: [{ topic, partitions: asked }] };
    const { responses } = await peer.ask(FetchRequest, FetchResponse, 11, request);
    for (const { partitionIndex, errorCode, records: chunks } of responses.flatMap((one) => one.partitions)) {
      if (errorCode !== 0) throw new Error(`fetch of ${topic}-${partitionIndex} answered ${errorCode}`);
      const bytes = chunks instanceof Uint8Array ? chunks : Buffer.concat([...(chunks ?? [])]);
      if (bytes.length === 0) continue;
      const values = Array.from(records(bytes), ({ value }) => Buffer.from(value ?? []).toString());
      if (values.join() !== `${partitionIndex}`)
        throw new Error(`${topic}-${partitionIndex} holds ${values.join()}`);
      left.delete(partitionIndex);
    }
  }
}

/** What a consumer of the topic tells its group. Apache Kafka never answers a join whose bytes it can't read as this. */
export function subscriptionTo(topic: string): Buffer {
  const wanted = defaults<ConsumerProtocolSubscription>(ConsumerProtocolSubscription, { topics: [topic] });
  return Buffer.concat([Buffer.from([0, 0]), encodeToBytes(ConsumerProtocolSubscription, 0, wanted)]);
}
