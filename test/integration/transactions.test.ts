import { Kafka, logLevel } from 'kafkajs';
import { afterEach, expect, it } from 'vitest';
import { type Broker, startBroker } from '../../src/index.ts';
import { defaults, type Sparse } from '../../src/protocol/codec.ts';
import { Errors } from '../../src/protocol/errors.ts';
import {
  DescribeProducersRequest,
  DescribeProducersResponse,
} from '../../src/protocol/messages/describe-producers.ts';
import { EndTxnRequest, EndTxnResponse } from '../../src/protocol/messages/end-txn.ts';
import { FetchRequest, FetchResponse } from '../../src/protocol/messages/fetch.ts';
import {
  FindCoordinatorRequest,
  FindCoordinatorResponse,
} from '../../src/protocol/messages/find-coordinator.ts';
import {
  InitProducerIdRequest,
  InitProducerIdResponse,
} from '../../src/protocol/messages/init-producer-id.ts';
import { ProduceRequest, ProduceResponse } from '../../src/protocol/messages/produce.ts';
import {
  WriteTxnMarkersRequest,
  WriteTxnMarkersResponse,
} from '../../src/protocol/messages/write-txn-markers.ts';
import { BatchBuilder } from '../../src/protocol/record-batch/builder.ts';
import type { MessageSchema } from '../../src/protocol/schema.ts';
import { WireClient } from './wire-client.ts';

const TOPIC = 't';
const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function start(): Promise<{ broker: Broker; kafka: Kafka; wire: WireClient }> {
  const broker = await startBroker({ memory: true });
  closers.push(() => broker.stop());
  const kafka = new Kafka({ brokers: [broker.bootstrapServers], logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: 1 }], waitForLeaders: true });
  await admin.disconnect();
  const wire = await WireClient.open(broker.bootstrapServers);
  closers.push(() => wire.close());
  return { broker, kafka, wire };
}

/** A producer of the second protocol: partitions become part of the transaction with the first batch (KIP-890). */
class WireProducer {
  readonly #wire: WireClient;
  producerId = -1n;
  epoch = -1;

  constructor(wire: WireClient) {
    this.#wire = wire;
  }

  ask<Request, Response>(
    request: MessageSchema<Request>,
    response: MessageSchema<Response>,
    version: number,
    given: Sparse<Request>,
  ): Promise<Response> {
    return this.#wire.request(request, response, version, defaults(request, given));
  }

  async init(): Promise<number> {
    const given = { transactionalId: 'x', transactionTimeoutMs: 60_000 };
    const { errorCode, producerId, producerEpoch } = await this.ask(
      InitProducerIdRequest,
      InitProducerIdResponse,
      5,
      given,
    );
    Object.assign(this, { producerId, epoch: producerEpoch });
    return errorCode;
  }

  /** Undisturbed by the coordinator, whose topic may have to be made. */
  async initialized(): Promise<void> {
    const given = { keyType: 1, coordinatorKeys: ['x'] };
    await this.ask(FindCoordinatorRequest, FindCoordinatorResponse, 4, given);
    const waits: readonly number[] = [
      Errors.COORDINATOR_NOT_AVAILABLE,
      Errors.COORDINATOR_LOAD_IN_PROGRESS,
      Errors.NOT_COORDINATOR,
      Errors.CONCURRENT_TRANSACTIONS,
    ];
    let code = await this.init();
    while (waits.includes(code)) code = await this.init();
    expect(code).toBe(Errors.NONE);
  }

  async send(sequence: number, value: string, version = 12, epoch = this.epoch): Promise<number> {
    const { producerId } = this;
    const builder = new BatchBuilder({
      producerId,
      producerEpoch: epoch,
      baseSequence: sequence,
      isTransactional: true,
    });
    builder.append({ timestamp: 1n, key: null, value: Buffer.from(value) });
    const { responses } = await this.ask(ProduceRequest, ProduceResponse, version, {
      transactionalId: 'x',
      acks: -1,
      timeoutMs: 5000,
      topicData: [{ name: TOPIC, partitionData: [{ index: 0, records: builder.build() }] }],
    });
    return responses[0]!.partitionResponses[0]!.errorCode;
  }

  async end(committed: boolean): Promise<number> {
    const { producerId, epoch } = this;
    const given = { transactionalId: 'x', producerId, producerEpoch: epoch, committed };
    const response = await this.ask(EndTxnRequest, EndTxnResponse, 5, given);
    if (response.errorCode === Errors.NONE) {
      Object.assign(this, { producerId: response.producerId, epoch: response.producerEpoch });
    }
    return response.errorCode;
  }

  async stable(fetchOffset = 0): Promise<{ lastStableOffset: number; aborted: number[] }> {
    const partitions = [{ partition: 0, fetchOffset, partitionMaxBytes: 100_000 }];
    const { responses } = await this.ask(FetchRequest, FetchResponse, 12, {
      maxBytes: 100_000,
      isolationLevel: 1,
      sessionEpoch: -1,
      topics: [{ topic: TOPIC, partitions }],
    });
    const { lastStableOffset, abortedTransactions } = responses[0]!.partitions[0]!;
    return { lastStableOffset, aborted: (abortedTransactions ?? []).map((one) => one.firstOffset) };
  }

  /** Aborted transactions that a reader at `from` is told of. Markers are written after the answer. */
  async stableAt(offset: number, from = 0): Promise<number[]> {
    for (;;) {
      const { lastStableOffset, aborted } = await this.stable(from);
      if (lastStableOffset >= offset) return aborted;
    }
  }
}

it('producers of the second protocol have an epoch for each transaction, and partitions with the first batch', async () => {
  const { wire } = await start();
  const producer = new WireProducer(wire);
  await producer.initialized();
  const first = producer.epoch;
  expect([await producer.send(0, 'a'), await producer.send(1, 'b')]).toEqual([0, 0]);
  expect(await producer.stable()).toEqual({ lastStableOffset: 0, aborted: [] });
  expect(await producer.end(true)).toBe(0);
  expect(producer.epoch).toBe(first + 1);
  expect(await producer.stableAt(3)).toEqual([]);
  // A batch of the transaction before that comes late, and one that was sent again.
  expect(await producer.send(2, 'late', 12, first)).toBe(Errors.INVALID_PRODUCER_EPOCH);
  expect(await producer.send(0, 'a', 12, first)).toBe(Errors.INVALID_PRODUCER_EPOCH);
  expect([await producer.send(0, 'c'), await producer.end(false)]).toEqual([0, 0]);
  expect(await producer.stableAt(5, 3)).toEqual([3]);
});

it('nothing comes into a partition that its transaction does not include', async () => {
  const { wire } = await start();
  const producer = new WireProducer(wire);
  await producer.initialized();
  // Clients of the first protocol name the partition before.
  expect(await producer.send(0, 'a', 9)).toBe(Errors.INVALID_TXN_STATE);
  expect(await producer.stable()).toEqual({ lastStableOffset: 0, aborted: [] });
});

it('a transaction that hangs is found and ended by hand', async () => {
  const { wire } = await start();
  const producer = new WireProducer(wire);
  await producer.initialized();
  await producer.send(0, 'a');
  const { topics } = await producer.ask(DescribeProducersRequest, DescribeProducersResponse, 0, {
    topics: [{ name: TOPIC, partitionIndexes: [0] }],
  });
  const [hanging] = topics[0]!.partitions[0]!.activeProducers;
  expect(hanging).toMatchObject({ producerId: producer.producerId, currentTxnStartOffset: 0 });
  const { markers } = await producer.ask(WriteTxnMarkersRequest, WriteTxnMarkersResponse, 1, {
    markers: [
      {
        producerId: hanging!.producerId,
        producerEpoch: hanging!.producerEpoch,
        transactionResult: false,
        coordinatorEpoch: Math.max(0, hanging!.coordinatorEpoch),
        topics: [{ name: TOPIC, partitionIndexes: [0] }],
      },
    ],
  });
  expect(markers[0]!.topics[0]!.partitions[0]!.errorCode).toBe(0);
  expect(await producer.stableAt(2)).toEqual([0]);
});

it('kafkajs commits and aborts, and its consumers see what was committed', async () => {
  const { kafka } = await start();
  const producer = kafka.producer({ transactionalId: 'k', idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  closers.push(() => producer.disconnect());
  for (const value of ['kept', 'dropped', 'kept too']) {
    const transaction = await producer.transaction();
    await transaction.send({ topic: TOPIC, messages: [{ value }] });
    if (value === 'dropped') await transaction.abort();
    else await transaction.commit();
  }
  const consumer = kafka.consumer({ groupId: 'g', maxWaitTimeInMs: 50 });
  await consumer.connect();
  closers.push(() => consumer.disconnect());
  await consumer.subscribe({ topics: [TOPIC], fromBeginning: true });
  const got: string[] = [];
  await new Promise<void>((resolve, reject) => {
    const eachMessage = async ({ message }: { message: { value: Buffer | null } }) => {
      got.push(String(message.value));
      if (got.length === 2) resolve();
    };
    consumer.run({ eachMessage }).catch(reject);
  });
  expect(got).toEqual(['kept', 'kept too']);
});
