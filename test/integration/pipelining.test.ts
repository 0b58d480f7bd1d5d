import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Broker, startBroker } from '../../src/index.ts';
import { defaults } from '../../src/protocol/codec.ts';
import { CreateTopicsRequest, CreateTopicsResponse } from '../../src/protocol/messages/create-topics.ts';
import { FetchRequest, FetchResponse } from '../../src/protocol/messages/fetch.ts';
import { ListOffsetsRequest, ListOffsetsResponse } from '../../src/protocol/messages/list-offsets.ts';
import { MetadataRequest, MetadataResponse } from '../../src/protocol/messages/metadata.ts';
import { ProduceRequest, ProduceResponse } from '../../src/protocol/messages/produce.ts';
import { BatchBuilder, records } from '../../src/protocol/record-batch/index.ts';
import { frameOf, WireClient } from './wire-client.ts';

function batchOf(...values: readonly string[]): Buffer {
  const builder = new BatchBuilder({ baseOffset: 0 });
  for (const value of values) {
    builder.append({ timestamp: 1_700_000_000_000n, key: null, value: Buffer.from(value), headers: [] });
  }
  return builder.build();
}

const createTopic = (name: string) =>
  defaults(CreateTopicsRequest, {
    topics: [{ name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }],
    timeoutMs: 5000,
  });
const produceTo = (name: string, value: string, acks = -1) =>
  defaults(ProduceRequest, {
    acks,
    timeoutMs: 5000,
    topicData: [{ name, partitionData: [{ index: 0, records: batchOf(value) }] }],
  });
const fetchFrom = (topic: string, fetchOffset: number, maxWaitMs: number) =>
  defaults(FetchRequest, {
    maxWaitMs,
    minBytes: 1,
    topics: [{ topic, partitions: [{ partition: 0, fetchOffset, partitionMaxBytes: 1_000_000 }] }],
  });

/** By this thread: others run tests too. */
function bytesHeld(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

describe('many requests in one write', () => {
  let broker: Broker;
  let client: WireClient;

  beforeEach(async () => {
    broker = await startBroker();
    client = await WireClient.open(broker.bootstrapServers);
  });
  afterEach(async () => {
    client.close();
    await broker.stop();
  });

  it('creates, describes, writes, lists and reads as if each had waited for the one before', async () => {
    client.write(
      Buffer.concat([
        frameOf(CreateTopicsRequest, 5, 1, createTopic('t')),
        frameOf(MetadataRequest, 5, 2, defaults(MetadataRequest, { topics: [{ name: 't' }] })),
        frameOf(ProduceRequest, 7, 3, produceTo('t', 'first')),
        frameOf(ProduceRequest, 7, 4, produceTo('t', 'second', 1)),
        frameOf(
          ListOffsetsRequest,
          1,
          5,
          defaults(ListOffsetsRequest, {
            replicaId: -1,
            topics: [{ name: 't', partitions: [{ partitionIndex: 0, timestamp: -1n }] }],
          }),
        ),
        frameOf(FetchRequest, 4, 6, fetchFrom('t', 0, 5000)),
      ]),
    );
    expect((await client.answer(CreateTopicsResponse, 5, 1)).topics[0]).toMatchObject({
      name: 't',
      errorCode: 0,
    });
    const [described] = (await client.answer(MetadataResponse, 5, 2)).topics;
    expect(described).toMatchObject({ errorCode: 0, partitions: [{ errorCode: 0, leaderId: 1 }] });
    for (const [id, baseOffset] of [
      [3, 0],
      [4, 1],
    ] as const) {
      const [answer] = (await client.answer(ProduceResponse, 7, id)).responses;
      expect(answer!.partitionResponses[0]).toMatchObject({ errorCode: 0, baseOffset });
    }
    expect((await client.answer(ListOffsetsResponse, 1, 5)).topics[0]!.partitions[0]).toMatchObject({
      offset: 2,
    });
    const fetched = (await client.answer(FetchResponse, 4, 6)).responses[0]!.partitions[0]!;
    expect(fetched).toMatchObject({ errorCode: 0, highWatermark: 2 });
    const bytes = Buffer.concat([fetched.records as Uint8Array]);
    const first = [...records(bytes)].map(({ value }) => Buffer.from(value!).toString());
    expect(first).toEqual(['first']);
  });

  it('lets exactly one of fifty CreateTopics of one name succeed', async () => {
    client.write(
      Buffer.concat(
        Array.from({ length: 50 }, (_, id) => frameOf(CreateTopicsRequest, 4, id, createTopic('once'))),
      ),
    );
    const codes: number[] = [];
    for (let id = 0; id < 50; id++)
      codes.push((await client.answer(CreateTopicsResponse, 4, id)).topics[0]!.errorCode);
    expect(codes.filter((code) => code === 0)).toHaveLength(1);
    expect(codes.filter((code) => code === 36)).toHaveLength(49);
  });

  it('lets exactly one of fifty clients create a topic', async () => {
    const clients = await Promise.all(
      Array.from({ length: 50 }, () => WireClient.open(broker.bootstrapServers)),
    );
    const answers = await Promise.all(
      clients.map((one) => one.request(CreateTopicsRequest, CreateTopicsResponse, 4, createTopic('once'))),
    );
    for (const one of clients) one.close();
    expect(answers.filter(({ topics }) => topics[0]!.errorCode === 0)).toHaveLength(1);
  });

  it('wakes a parked fetch by a produce behind it on the same connection', async () => {
    await client.request(CreateTopicsRequest, CreateTopicsResponse, 5, createTopic('t'));
    client.write(frameOf(FetchRequest, 4, 100, fetchFrom('t', 0, 20_000)));
    client.write(frameOf(ProduceRequest, 7, 101, produceTo('t', 'wake up')));
    const fetched = (await client.answer(FetchResponse, 4, 100)).responses[0]!.partitions[0]!;
    expect((fetched.records as Uint8Array).length).toBeGreaterThan(0);
    expect(
      (await client.answer(ProduceResponse, 7, 101)).responses[0]!.partitionResponses[0]!.errorCode,
    ).toBe(0);
  });

  it('answers two hundred requests behind a parked fetch in order, once it is answered', async () => {
    await client.request(CreateTopicsRequest, CreateTopicsResponse, 5, createTopic('t'));
    await client.request(CreateTopicsRequest, CreateTopicsResponse, 5, createTopic('empty'));
    for (let i = 0; i < 20; i++) {
      await client.request(ProduceRequest, ProduceResponse, 7, produceTo('t', 'x'.repeat(50_000)));
    }
    // Each of the reads behind the parked one would bring a megabyte.
    const parked = frameOf(FetchRequest, 4, 1000, fetchFrom('empty', 0, 300_000));
    const behind = Array.from({ length: 200 }, (_, i) =>
      frameOf(FetchRequest, 4, 1001 + i, fetchFrom('t', 0, 0)),
    );
    const before = bytesHeld();
    client.write(Buffer.concat([parked, ...behind]));
    const other = await WireClient.open(broker.bootstrapServers);
    // Long enough for the broker to have gone through all of them, if it did not wait.
    const wanted = defaults(MetadataRequest, { topics: [] });
    for (let i = 0; i < 500; i++) await other.request(MetadataRequest, MetadataResponse, 5, wanted);
    expect(bytesHeld() - before).toBeLessThan(60 * 1024 * 1024);
    await other.request(ProduceRequest, ProduceResponse, 7, produceTo('empty', 'wake up'));
    other.close();
    expect((await client.answer(FetchResponse, 4, 1000)).responses[0]!.partitions[0]!.errorCode).toBe(0);
    for (let i = 0; i < 200; i++) {
      const answer = await client.answer(FetchResponse, 4, 1001 + i);
      expect((answer.responses[0]!.partitions[0]!.records as Uint8Array).length).toBeGreaterThan(900_000);
    }
  });

  it('never answers acks=0, and closes the connection where it failed', async () => {
    await client.request(CreateTopicsRequest, CreateTopicsResponse, 5, createTopic('t'));
    client.write(frameOf(ProduceRequest, 7, 1, produceTo('t', 'quiet', 0)));
    const latest = await client.request(
      ListOffsetsRequest,
      ListOffsetsResponse,
      1,
      defaults(ListOffsetsRequest, {
        replicaId: -1,
        topics: [{ name: 't', partitions: [{ partitionIndex: 0, timestamp: -1n }] }],
      }),
    );
    expect(latest.topics[0]!.partitions[0]!.offset).toBe(1);
    client.write(frameOf(ProduceRequest, 7, 2, produceTo('nowhere', 'lost', 0)));
    expect(await client.receive()).toBeUndefined();
  });
});
