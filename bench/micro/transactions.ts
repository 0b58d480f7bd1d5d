/**
 * What a transaction costs in a node's own code: 48 transactional ids at work at the same time, each with one batch to one
 * of 4 partitions, without sockets and with its files in memory. Beside it what the producer does, which is nothing.
 */
import { decode } from '../../src/protocol/codec.ts';
import { decodeResponseHeader } from '../../src/protocol/headers.ts';
import { AddPartitionsToTxnRequest } from '../../src/protocol/messages/add-partitions-to-txn.ts';
import { CreateTopicsRequest, CreateTopicsResponse } from '../../src/protocol/messages/create-topics.ts';
import { EndTxnRequest, EndTxnResponse } from '../../src/protocol/messages/end-txn.ts';
import {
  FindCoordinatorRequest,
  FindCoordinatorResponse,
} from '../../src/protocol/messages/find-coordinator.ts';
import {
  InitProducerIdRequest,
  InitProducerIdResponse,
} from '../../src/protocol/messages/init-producer-id.ts';
import { ProduceRequest, ProduceResponse } from '../../src/protocol/messages/produce.ts';
import { BatchBuilder } from '../../src/protocol/record-batch/builder.ts';
import { BASE_SEQUENCE_AT, writeCrc } from '../../src/protocol/record-batch/header.ts';
import { ask, type DirectLink, directNode, frameOf } from './direct-node.ts';
import { check, column } from './measure.ts';

const IDS = 48;
const PARTITIONS = 4;
const RECORDS = 8;
const RECORD_BYTES = 100;
const ROUNDS = 9;
const TRANSACTIONS_PER_ROUND = 24_000;
const ADD_VERSION = 3;
const PRODUCE_VERSION = 9;
const END_VERSION = 3;
const TOPIC = 'a-topic-with-a-name';
const LENGTH_BYTES = 4;
const CORRELATION_AT = 8;

/** One transactional id, which takes the three steps of a transaction by turns. */
class Producer {
  readonly link: DirectLink;
  readonly #steps: readonly Buffer[];
  readonly #batchAt: number;
  #step = 0;
  #asked = 0;
  #sequence = 0;
  #answer: Uint8Array = Buffer.alloc(0);

  constructor(link: DirectLink, steps: readonly Buffer[], batch: Buffer) {
    this.link = link;
    this.#steps = steps;
    this.#batchAt = steps[1]!.indexOf(batch);
    check(this.#batchAt > 0, 'the batch lies in its request as it is');
  }

  next(): void {
    const frame = this.#steps[this.#step]!;
    this.#asked += 1;
    frame.writeInt32BE(this.#asked & 0x7fff_ffff, CORRELATION_AT);
    if (this.#step === 1) {
      frame.writeInt32BE(this.#sequence, this.#batchAt + BASE_SEQUENCE_AT);
      writeCrc(frame, this.#batchAt);
      this.#sequence += RECORDS;
    }
    this.link.give(frame);
  }

  /** Answers are looked at where the last round ends: each ends with its error code or with what follows it. */
  answered(answer: Uint8Array): void {
    this.#answer = answer;
    this.#step = (this.#step + 1) % this.#steps.length;
  }

  /** After a last step. */
  check(): void {
    const { bodyAt } = decodeResponseHeader(this.#answer, EndTxnResponse.apiKey, END_VERSION, LENGTH_BYTES);
    const { errorCode } = decode(EndTxnResponse, END_VERSION, this.#answer, bodyAt);
    check(errorCode === 0, `EndTxn answered ${errorCode}`);
  }
}

const { links, stop } = await directNode(IDS);
const [first] = links as [DirectLink];
await ask(first, CreateTopicsRequest, CreateTopicsResponse, 7, {
  topics: [{ name: TOPIC, numPartitions: PARTITIONS, replicationFactor: 1 }],
  timeoutMs: 30_000,
});

async function producerOf(link: DirectLink, at: number): Promise<Producer> {
  const transactionalId = `a-transactional-id-${at}`;
  for (;;) {
    const found = await ask(link, FindCoordinatorRequest, FindCoordinatorResponse, 3, {
      key: transactionalId,
      keyType: 1,
    });
    if (found.errorCode === 0) break;
  }
  let given = await ask(link, InitProducerIdRequest, InitProducerIdResponse, 4, {
    transactionalId,
    transactionTimeoutMs: 60_000,
  });
  while (given.errorCode !== 0) {
    given = await ask(link, InitProducerIdRequest, InitProducerIdResponse, 4, {
      transactionalId,
      transactionTimeoutMs: 60_000,
    });
  }
  const { producerId, producerEpoch } = given;
  const partition = at % PARTITIONS;
  const builder = new BatchBuilder({ producerId, producerEpoch, baseSequence: 0, isTransactional: true });
  for (let n = 0; n < RECORDS; n++)
    builder.append({ timestamp: Date.now(), value: Buffer.alloc(RECORD_BYTES, n) });
  const batch = builder.build();
  const add = frameOf(AddPartitionsToTxnRequest, ADD_VERSION, {
    v3AndBelowTransactionalId: transactionalId,
    v3AndBelowProducerId: producerId,
    v3AndBelowProducerEpoch: producerEpoch,
    v3AndBelowTopics: [{ name: TOPIC, partitions: [partition] }],
  });
  const produce = frameOf(ProduceRequest, PRODUCE_VERSION, {
    transactionalId,
    acks: -1,
    timeoutMs: 30_000,
    topicData: [{ name: TOPIC, partitionData: [{ index: partition, records: batch }] }],
  });
  const end = frameOf(EndTxnRequest, END_VERSION, {
    transactionalId,
    producerId,
    producerEpoch,
    committed: true,
  });
  return new Producer(link, [add, produce, end], batch);
}

const producers: Producer[] = [];
for (const [at, link] of links.entries()) producers.push(await producerOf(link, at));
let left = 0;
let wake = (): void => {};
for (const producer of producers) {
  producer.link.answered = (answer) => {
    producer.answered(answer);
    left -= 1;
    if (left === 0) wake();
  };
}
async function stepOf(some: readonly Producer[]): Promise<void> {
  const answered = new Promise<void>((resolve) => {
    wake = resolve;
  });
  left = some.length;
  for (const producer of some) producer.next();
  await answered;
}
async function round(transactions: number): Promise<number> {
  const before = process.cpuUsage();
  for (let steps = (transactions / IDS) * 3; steps > 0; steps--) await stepOf(producers);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / transactions;
}

// From here on a third of them takes each of the steps.
for (let third = 1; third < 3; third++)
  for (let n = 0; n < third; n++) await stepOf(producers.filter((_, at) => at % 3 === third));
await round(TRANSACTIONS_PER_ROUND);
await round(TRANSACTIONS_PER_ROUND);
const costs: number[] = [];
for (let i = 0; i < ROUNDS; i++) costs.push(await round(TRANSACTIONS_PER_ROUND));
for (const [at, producer] of producers.entries()) if (at % 3 === 0) producer.check();
costs.sort((a, b) => a - b);
console.log(`CPU µs a transaction: median ${column(costs[ROUNDS >> 1]!)}, least ${column(costs[0]!)}`);
const offsets = await ask(first, ProduceRequest, ProduceResponse, PRODUCE_VERSION, { acks: 1, timeoutMs: 1 });
check(offsets.responses.length === 0, 'the node still answers');
await stop();
