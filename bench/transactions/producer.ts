import { decode } from '../../src/protocol/codec.ts';
import { decodeResponseHeader } from '../../src/protocol/headers.ts';
import {
  AddPartitionsToTxnRequest,
  AddPartitionsToTxnResponse,
} from '../../src/protocol/messages/add-partitions-to-txn.ts';
import { EndTxnRequest, EndTxnResponse } from '../../src/protocol/messages/end-txn.ts';
import {
  FindCoordinatorRequest,
  FindCoordinatorResponse,
} from '../../src/protocol/messages/find-coordinator.ts';
import {
  InitProducerIdRequest,
  InitProducerIdResponse,
} from '../../src/protocol/messages/init-producer-id.ts';
import { ProduceRequest } from '../../src/protocol/messages/produce.ts';
import { BatchBuilder } from '../../src/protocol/record-batch/builder.ts';
import { BASE_SEQUENCE_AT, writeCrc } from '../../src/protocol/record-batch/header.ts';
import { sleep } from '../../test/interop/support/run.ts';
import { frameOf, Peer } from '../groups/peer.ts';

/** Those of clients before KIP-890's second part, which both brokers serve. */
const FIND_VERSION = 3;
const INIT_VERSION = 3;
const ADD_VERSION = 3;
const PRODUCE_VERSION = 7;
const END_VERSION = 3;
/** The coordinator is loading, not there yet, or another node. */
const COMES_SOON = new Set([14, 15, 16]);
const TRANSACTION_KEY = 1;
const CONCURRENT_TRANSACTIONS = 51;
/** Before a producer asks again whose last transaction is still being ended. */
const BACKOFF_MS = 2;
const VALUE_BYTES = 900;
/** Before the error code, besides the name: correlation id, topics, length of the name, partitions, partition. */
const PRODUCE_ANSWER_BYTES = 4 + 4 + 2 + 4 + 4;
/** One transaction in so many is aborted: its record must never be read. */
const ABORTED_ONE_IN = 50;

export interface ProducerIdentity {
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

/** A producer id and epoch; without a transactional id for an idempotent producer. */
export async function initProducer(peer: Peer, transactionalId: string | null): Promise<ProducerIdentity> {
  for (;;) {
    // The first who looks for a coordinator has the topic of transactions made.
    const wanted = { key: transactionalId ?? 'none', keyType: TRANSACTION_KEY };
    await peer.ask(FindCoordinatorRequest, FindCoordinatorResponse, FIND_VERSION, wanted);
    const request = { transactionalId, transactionTimeoutMs: 60_000 };
    const answer = await peer.ask(InitProducerIdRequest, InitProducerIdResponse, INIT_VERSION, request);
    if (answer.errorCode === 0) return answer;
    if (!COMES_SOON.has(answer.errorCode)) throw new Error(`InitProducerId: ${answer.errorCode}`);
    await sleep(20);
  }
}

/** What happened between two moments. */
export interface Window {
  readonly beginMs: number;
  readonly endMs: number;
}

/** One transactional id at work: one transaction of one record after the other, each begun, written and ended. */
export class TransactionalProducer {
  readonly partition: number;
  readonly index: number;
  /** Numbers of the transactions that were committed, ascending. */
  readonly committed: number[] = [];
  /** From EndTxn to its answer, within the window. */
  readonly commitMs: number[] = [];
  ended = 0;
  retries = 0;
  readonly #peer: Peer;
  readonly #identity: ProducerIdentity & { readonly transactionalId: string };
  // Made once: a generator that makes its requests anew is slower than what it measures.
  readonly #add: Buffer;
  readonly #produce: Buffer;
  readonly #commit: Buffer;
  readonly #abort: Buffer;
  readonly #batchAt: number;
  readonly #valueAt: number;
  /** Where the answer to a produce says how its only partition fared. */
  readonly #produceErrorAt: number;
  /** How the partition was added before: the same answer again needs no look. */
  #added: Buffer | undefined;
  #number = 0;

  private constructor(
    peer: Peer,
    topic: string,
    partition: number,
    index: number,
    identity: ProducerIdentity & { readonly transactionalId: string },
  ) {
    this.#peer = peer;
    this.partition = partition;
    this.index = index;
    this.#identity = identity;
    const value = Buffer.alloc(VALUE_BYTES, 'transactions ');
    value.writeInt32BE(index, 0);
    const { producerId, producerEpoch, transactionalId } = identity;
    const batch = new BatchBuilder({ producerId, producerEpoch, baseSequence: 0, isTransactional: true })
      .append({ timestamp: Date.now(), value })
      .build();
    this.#produce = frameOf(ProduceRequest, PRODUCE_VERSION, {
      transactionalId,
      acks: -1,
      timeoutMs: 30_000,
      topicData: [{ name: topic, partitionData: [{ index: partition, records: batch }] }],
    });
    this.#batchAt = this.#produce.indexOf(batch);
    this.#valueAt = this.#produce.indexOf(value) + 4;
    this.#produceErrorAt = PRODUCE_ANSWER_BYTES + Buffer.byteLength(topic);
    this.#add = frameOf(AddPartitionsToTxnRequest, ADD_VERSION, {
      v3AndBelowTransactionalId: transactionalId,
      v3AndBelowProducerId: producerId,
      v3AndBelowProducerEpoch: producerEpoch,
      v3AndBelowTopics: [{ name: topic, partitions: [partition] }],
    });
    this.#commit = frameOf(EndTxnRequest, END_VERSION, { ...identity, committed: true });
    this.#abort = frameOf(EndTxnRequest, END_VERSION, { ...identity, committed: false });
  }

  static async open(
    port: number,
    topic: string,
    partition: number,
    index: number,
  ): Promise<TransactionalProducer> {
    const peer = await Peer.open(port);
    const transactionalId = `${topic}-${index}`;
    const identity = await initProducer(peer, transactionalId);
    return new TransactionalProducer(peer, topic, partition, index, { ...identity, transactionalId });
  }

  close(): void {
    this.#peer.close();
  }

  /** Ends the transaction that is under way when the window is over. */
  async run({ beginMs, endMs }: Window): Promise<void> {
    for (let nowMs = performance.now(); nowMs < endMs; nowMs = performance.now()) {
      await this.#begin();
      await this.#write();
      const committed = (this.#number + 1) % ABORTED_ONE_IN !== 0;
      const endedMs = performance.now();
      const frame = committed ? this.#commit : this.#abort;
      const { errorCode } = await this.#peer.askWith(frame, EndTxnResponse, END_VERSION);
      if (errorCode !== 0) throw new Error(`EndTxn of ${this.#identity.transactionalId}: ${errorCode}`);
      const answeredMs = performance.now();
      if (answeredMs >= beginMs && answeredMs < endMs) {
        this.ended += 1;
        this.commitMs.push(answeredMs - endedMs);
      }
      if (committed) this.committed.push(this.#number);
      this.#number += 1;
    }
  }

  async #begin(): Promise<void> {
    for (;;) {
      const code = await this.#peer.sent(this.#add, (answer) => this.#codeOfAdded(answer));
      if (code === 0) return;
      if (code !== CONCURRENT_TRANSACTIONS) {
        throw new Error(`AddPartitionsToTxn of ${this.#identity.transactionalId}: ${code}`);
      }
      this.retries += 1;
      await sleep(BACKOFF_MS);
    }
  }

  #codeOfAdded(answer: Buffer): number | undefined {
    if (this.#added?.equals(answer) === true) return 0;
    const { bodyAt } = decodeResponseHeader(answer, AddPartitionsToTxnResponse.apiKey, ADD_VERSION);
    const { resultsByTopicV3AndBelow } = decode(AddPartitionsToTxnResponse, ADD_VERSION, answer, bodyAt);
    const [result] = resultsByTopicV3AndBelow.flatMap((one) => one.resultsByPartition);
    if (result?.partitionErrorCode === 0) this.#added = Buffer.from(answer);
    return result?.partitionErrorCode;
  }

  async #write(): Promise<void> {
    this.#produce.writeInt32BE(this.#number, this.#batchAt + BASE_SEQUENCE_AT);
    this.#produce.writeInt32BE(this.#number, this.#valueAt);
    writeCrc(this.#produce, this.#batchAt);
    const code = await this.#peer.sent(this.#produce, (answer) => answer.readInt16BE(this.#produceErrorAt));
    if (code !== 0) throw new Error(`Produce of ${this.#identity.transactionalId}: ${code}`);
  }
}
