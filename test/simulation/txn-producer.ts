import type { Uuid } from '../../src/base/uuid.ts';
import { TRANSACTION_VERSION } from '../../src/metadata/features.ts';
import { defaults } from '../../src/protocol/codec.ts';
import { Errors } from '../../src/protocol/errors.ts';
import {
  AddOffsetsToTxnRequest,
  AddOffsetsToTxnResponse,
} from '../../src/protocol/messages/add-offsets-to-txn.ts';
import {
  AddPartitionsToTxnRequest,
  AddPartitionsToTxnResponse,
} from '../../src/protocol/messages/add-partitions-to-txn.ts';
import { ApiVersionsRequest, ApiVersionsResponse } from '../../src/protocol/messages/api-versions.ts';
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
import {
  TxnOffsetCommitRequest,
  TxnOffsetCommitResponse,
} from '../../src/protocol/messages/txn-offset-commit.ts';
import { BatchBuilder } from '../../src/protocol/record-batch/builder.ts';
import { EPOCH_MS } from './event-loop.ts';
import { TxnRequests, type TxnRequestsOptions } from './txn-requests.ts';

export const TRANSACTION_TIMEOUT_MS = 2500;
const GROUP = 0;
const TRANSACTION = 1;
const TOPIC_ID_VERSION_MIN = 6;

/**
 * Which versions a producer speaks: `v1` adds partitions by itself, `v2` has an epoch for each transaction (KIP-890) as long
 * as the cluster's transaction.version offers it, and else does as `v1`.
 */
export type Protocol = 'v1' | 'v2';

export interface TxnProducerOptions extends TxnRequestsOptions {
  readonly transactionalId: string;
  readonly groupId: string;
  readonly protocol: Protocol;
}

/** What a group shall have of a topic, by partition. */
export interface TopicOffsets {
  readonly name: string;
  readonly topicId: Uuid;
  readonly offsets: ReadonlyMap<number, number>;
}

/** Who commits offsets: a member of the group, where it has any. */
export interface Committer {
  readonly memberId: string;
  readonly generationIdOrMemberEpoch: number;
  readonly groupInstanceId: string | null;
}

/** A transactional producer, one request after the other. */
export class TxnProducer {
  readonly requests: TxnRequests;
  readonly #options: TxnProducerOptions;
  #producerId = -1n;
  #epoch = -1;
  /** The next ones, by topic and partition. */
  readonly #sequences = new Map<string, number>();
  readonly #added = new Set<string>();
  #hasEpochs = false;

  constructor(options: TxnProducerOptions) {
    this.#options = options;
    this.requests = new TxnRequests(options);
  }

  async start(): Promise<void> {
    await this.#findCoordinators();
    this.#hasEpochs = await this.#offersEpochs();
    await this.#init();
  }

  async #findCoordinators(): Promise<void> {
    const { groupId, transactionalId } = this.#options;
    for (const [keyType, key] of [
      [GROUP, groupId],
      [TRANSACTION, transactionalId],
    ] as const) {
      const api = { request: FindCoordinatorRequest, response: FindCoordinatorResponse };
      const request = defaults<FindCoordinatorRequest>(FindCoordinatorRequest, {
        keyType,
        coordinatorKeys: [key],
      });
      await this.requests.persist(api, 4, request, ({ coordinators }) => coordinators[0]!.errorCode);
    }
  }

  /** Whether this producer may have an epoch for each transaction: its own version, and the cluster's. */
  async #offersEpochs(): Promise<boolean> {
    if (this.#options.protocol === 'v1') return false;
    const api = { request: ApiVersionsRequest, response: ApiVersionsResponse };
    const request = defaults<ApiVersionsRequest>(ApiVersionsRequest, {
      clientSoftwareName: 'simulation',
      clientSoftwareVersion: '1',
    });
    const { finalizedFeatures } = await this.requests.persist(api, 3, request, ({ errorCode }) => errorCode);
    const level = finalizedFeatures.find(({ name }) => name === TRANSACTION_VERSION)?.maxVersionLevel ?? 0;
    return level >= 2;
  }

  /** A new epoch; of the producer that this one was, where it has to go on. */
  async #init(given?: { readonly producerId: bigint; readonly producerEpoch: number }): Promise<void> {
    const api = { request: InitProducerIdRequest, response: InitProducerIdResponse };
    const request = defaults<InitProducerIdRequest>(InitProducerIdRequest, {
      transactionalId: this.#options.transactionalId,
      transactionTimeoutMs: TRANSACTION_TIMEOUT_MS,
      ...(given === undefined ? {} : { producerId: given.producerId, producerEpoch: given.producerEpoch }),
    });
    const version = this.#options.protocol === 'v2' ? 5 : 4;
    const response = await this.requests.persist(api, version, request, ({ errorCode }) => errorCode);
    this.#begin(response.producerId, response.producerEpoch);
  }

  #begin(producerId: bigint, epoch: number): void {
    this.#producerId = producerId;
    this.#epoch = epoch;
    this.#sequences.clear();
  }

  get #producer() {
    const { transactionalId } = this.#options;
    return { transactionalId, producerId: this.#producerId, producerEpoch: this.#epoch };
  }

  async #addPartition(topic: string, partition: number): Promise<void> {
    const api = { request: AddPartitionsToTxnRequest, response: AddPartitionsToTxnResponse };
    const { transactionalId, producerId, producerEpoch } = this.#producer;
    const request = defaults<AddPartitionsToTxnRequest>(AddPartitionsToTxnRequest, {
      v3AndBelowTransactionalId: transactionalId,
      v3AndBelowProducerId: producerId,
      v3AndBelowProducerEpoch: producerEpoch,
      v3AndBelowTopics: [{ name: topic, partitions: [partition] }],
    });
    await this.requests.persist(
      api,
      3,
      request,
      (response) => response.resultsByTopicV3AndBelow[0]!.resultsByPartition[0]!.partitionErrorCode,
    );
  }

  /** The offset of the first one. */
  async produce(topic: string, partition: number, values: readonly string[]): Promise<number> {
    const { random, world } = this.#options;
    const place = `${topic}-${partition}`;
    if (!this.#hasEpochs && !this.#added.has(place)) await this.#addPartition(topic, partition);
    this.#added.add(place);
    const baseSequence = this.#sequences.get(place) ?? 0;
    const { transactionalId, producerId, producerEpoch } = this.#producer;
    const batch = new BatchBuilder({ producerId, producerEpoch, baseSequence, isTransactional: true });
    const timestamp = BigInt(EPOCH_MS + Math.floor(world.nowMs));
    // As keys they are all kept where topics are compacted.
    for (const value of values)
      batch.append({ timestamp, key: Buffer.from(value), value: Buffer.from(value) });
    const request = defaults<ProduceRequest>(ProduceRequest, {
      transactionalId,
      acks: -1,
      timeoutMs: 5000,
      topicData: [{ name: topic, partitionData: [{ index: partition, records: batch.build() }] }],
    });
    const api = { request: ProduceRequest, response: ProduceResponse };
    const version = this.#hasEpochs ? 12 : random.pick([9, 11]);
    this.requests.copyLater(api, version, request);
    const { responses } = await this.requests.persist(
      api,
      version,
      request,
      (response) => response.responses[0]!.partitionResponses[0]!.errorCode,
    );
    this.#sequences.set(place, baseSequence + values.length);
    return responses[0]!.partitionResponses[0]!.baseOffset;
  }

  /** Throws what `refusalOf` makes of an answer of the group. */
  async commitOffsets(
    topics: readonly TopicOffsets[],
    committer?: Committer,
    refusalOf?: (code: number) => Error | undefined,
  ): Promise<void> {
    const { groupId, random } = this.#options;
    if (!this.#hasEpochs) {
      const adding = { request: AddOffsetsToTxnRequest, response: AddOffsetsToTxnResponse };
      const asked = { ...this.#producer, groupId };
      await this.requests.persist(adding, 3, asked, ({ errorCode }) => errorCode);
    }
    const request = defaults<TxnOffsetCommitRequest>(TxnOffsetCommitRequest, {
      ...this.#producer,
      ...committer,
      groupId,
      topics: topics.map(({ name, topicId, offsets }) => ({
        name,
        topicId,
        partitions: Array.from(offsets, ([partitionIndex, committedOffset]) => ({
          partitionIndex,
          committedOffset,
          committedMetadata: '',
        })),
      })),
    });
    const api = { request: TxnOffsetCommitRequest, response: TxnOffsetCommitResponse };
    const version = this.#hasEpochs ? random.pick([5, TOPIC_ID_VERSION_MIN]) : 3;
    if (this.#hasEpochs) this.requests.copyLater(api, version, request);
    await this.requests.persist(
      api,
      version,
      request,
      (response) =>
        response.topics
          .flatMap(({ partitions }) => partitions)
          .map(({ errorCode }) => errorCode)
          .find((code) => code !== Errors.NONE) ?? Errors.NONE,
      refusalOf,
    );
  }

  async end(committed: boolean): Promise<void> {
    const api = { request: EndTxnRequest, response: EndTxnResponse };
    const request = { ...this.#producer, committed };
    const version = this.#hasEpochs ? 5 : 3;
    // In version 1 a copy may end the next transaction: nothing tells them apart.
    if (this.#hasEpochs) this.requests.copyLater(api, version, request);
    const response = await this.requests.persist(api, version, request, ({ errorCode }) => errorCode);
    if (this.#hasEpochs) this.#begin(response.producerId, response.producerEpoch);
    this.#added.clear();
  }

  /** Comes between two transactions; `isBroken` where requests of the one before may come still. */
  async prepareNext(isBroken: boolean): Promise<void> {
    const hadEpochs = this.#hasEpochs;
    this.#hasEpochs = await this.#offersEpochs();
    if (hadEpochs !== this.#hasEpochs) this.#options.model.count(hadEpochs ? 'downgrades' : 'upgrades');
    // What failed may come still: with this epoch it would be taken for a part of the next transaction.
    const needsEpoch = !hadEpochs && (isBroken || this.#hasEpochs);
    if (needsEpoch) await this.#init(this.#producer);
  }
}
