import { TRANSACTION_VERSION } from '../../src/metadata/features.ts';
import { defaults } from '../../src/protocol/codec.ts';
import { Errors, errorName } from '../../src/protocol/errors.ts';
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
import { OffsetFetchRequest, OffsetFetchResponse } from '../../src/protocol/messages/offset-fetch.ts';
import { ProduceRequest, ProduceResponse } from '../../src/protocol/messages/produce.ts';
import {
  TxnOffsetCommitRequest,
  TxnOffsetCommitResponse,
} from '../../src/protocol/messages/txn-offset-commit.ts';
import { BatchBuilder } from '../../src/protocol/record-batch/builder.ts';
import { EPOCH_MS } from './event-loop.ts';
import { type Api, type KafkaClient, OutcomeUnknown } from './kafka-client.ts';
import { promised } from './model.ts';
import type { SeededRandom } from './random.ts';
import { type Attempt, type TxnModel, valueFor } from './txn-model.ts';
import { CommittedReader } from './txn-reader.ts';
import type { World } from './world.ts';

export const IN_TOPIC = 'in';
export const OUT_TOPIC = 'out';
export const OUT_PARTITIONS = 3;
/** What transactions write here goes soon: its retention is short. */
export const BRIEF_TOPIC = 'brief';
export const TRANSACTION_TIMEOUT_MS = 2500;
const TRIES_MAX = 400;
const GROUP = 0;
const TRANSACTION = 1;

const RETRIABLE: ReadonlySet<number> = new Set([
  Errors.COORDINATOR_LOAD_IN_PROGRESS,
  Errors.COORDINATOR_NOT_AVAILABLE,
  Errors.NOT_COORDINATOR,
  Errors.CONCURRENT_TRANSACTIONS,
  Errors.NOT_ENOUGH_REPLICAS,
  Errors.NOT_LEADER_OR_FOLLOWER,
  Errors.UNKNOWN_TOPIC_OR_PARTITION,
  Errors.LEADER_NOT_AVAILABLE,
  Errors.REQUEST_TIMED_OUT,
  Errors.UNSTABLE_OFFSET_COMMIT,
]);

/** What ends a transaction, but not its producer. */
const ABORTABLE: ReadonlySet<number> = new Set([Errors.TRANSACTION_ABORTABLE]);
/** The partition has forgotten a producer that was silent for long. */
const FORGOTTEN: ReadonlySet<number> = new Set([
  Errors.OUT_OF_ORDER_SEQUENCE_NUMBER,
  Errors.UNKNOWN_PRODUCER_ID,
]);

/** Somebody else has the transactional id, or the coordinator has ended the transaction. */
const FENCED: ReadonlySet<number> = new Set([
  Errors.INVALID_PRODUCER_EPOCH,
  Errors.PRODUCER_FENCED,
  Errors.INVALID_TXN_STATE,
  Errors.INVALID_PRODUCER_ID_MAPPING,
]);

class Fenced extends Error {}
class MustAbort extends Error {}
/** The faults took too long, or are over: this producer does not go on. */
class GaveUp extends Error {}

/**
 * Which versions a producer speaks: `v1` adds partitions by itself, `v2` has an epoch for each transaction (KIP-890) as long
 * as the cluster's transaction.version offers it, and else does as `v1`.
 */
export type Protocol = 'v1' | 'v2';
/** What a group has committed: how many inputs are taken, and the positions in the outputs, by partition. */
interface Committed {
  readonly inputs: number;
  readonly positions: readonly number[];
}

export interface TxnClientOptions {
  readonly world: World;
  readonly random: SeededRandom;
  readonly model: TxnModel;
  /** Also the transactional id, and the group. */
  readonly app: string;
  readonly protocol: Protocol;
  /** Sends what it is told. */
  readonly client: KafkaClient;
  /** Brings late copies of requests. */
  readonly copies: KafkaClient;
  readonly isOver: () => boolean;
  /** Producers that are silent for long are forgotten. */
  readonly expires: boolean;
}

/** One life of a producer that reads inputs, writes outputs and commits both in transactions. */
export class TxnClient {
  readonly #options: TxnClientOptions;
  #producerId = -1n;
  #epoch = -1;
  /** The next ones, by topic and partition. */
  readonly #sequences = new Map<string, number>();
  #hasEpochs = false;

  constructor(options: TxnClientOptions) {
    this.#options = options;
  }

  /** Ends when the faults are over, or when another one has taken its place. */
  async run(): Promise<void> {
    const { isOver, model } = this.#options;
    try {
      await this.#findCoordinators();
      this.#hasEpochs = await this.#offersEpochs();
      await this.#init();
      while (!isOver()) await this.#transaction();
    } catch (error) {
      if (!(error instanceof Fenced || error instanceof GaveUp)) throw error;
      model.count(error instanceof Fenced ? 'fenced' : 'gave up');
    } finally {
      this.#options.client.close();
    }
  }

  async #transaction(): Promise<void> {
    const { model, app, random } = this.#options;
    const { inputs, positions } = await this.#committed();
    const attempt = model.begin(app, inputs, random.between(1, 8), positions);
    let commits = random.chance(0.8);
    let failed = false;
    try {
      await this.#read(attempt);
      await this.#write(attempt);
      await this.#commitOffsets(attempt);
      await this.#stall();
    } catch (error) {
      if (!(error instanceof MustAbort)) throw error;
      commits = false;
      failed = true;
    }
    const hadEpochs = this.#hasEpochs;
    await this.#end(commits);
    model.end(attempt, commits ? 'committed' : 'aborted');
    this.#hasEpochs = await this.#offersEpochs();
    if (hadEpochs !== this.#hasEpochs) model.count(hadEpochs ? 'downgrades' : 'upgrades');
    // What failed may come still: with this epoch it would be taken for a part of the next transaction.
    const needsEpoch = !hadEpochs && (failed || this.#hasEpochs);
    if (needsEpoch) await this.#init(this.#producer);
  }

  /** Some of what is committed in the outputs, from where the group has left it. */
  async #read({ polls, positions }: Attempt): Promise<void> {
    const { client, random, model } = this.#options;
    for (const [partition, position] of positions.entries()) {
      if (random.chance(0.4)) continue;
      const reader = new CommittedReader(OUT_TOPIC, partition, position);
      for (let poll = random.between(1, 2); poll > 0; poll--) {
        if (!(await client.connect())) break;
        const from = reader.position;
        try {
          const records = await reader.read(client);
          polls.push({ partition, from, to: reader.position, records });
        } catch (error) {
          if (!(error instanceof OutcomeUnknown)) throw error;
        }
      }
      model.count('polls');
    }
  }

  async #write(attempt: Attempt): Promise<void> {
    const { random } = this.#options;
    const added = new Set<number>();
    if (random.chance(0.4)) {
      if (!this.#hasEpochs) await this.#addPartition(BRIEF_TOPIC, 0);
      await this.#produce(BRIEF_TOPIC, 0, [valueFor(attempt, attempt.from)]);
    }
    let partition = random.below(OUT_PARTITIONS);
    for (let input = attempt.from; input < attempt.from + attempt.count; ) {
      const count = Math.min(random.between(1, 3), attempt.from + attempt.count - input);
      if (!this.#hasEpochs && !added.has(partition)) await this.#addPartition(OUT_TOPIC, partition);
      added.add(partition);
      const values = Array.from({ length: count }, (_, at) => valueFor(attempt, input + at));
      const sent = attempt.sends.push({ partition, offset: -1, values }) - 1;
      const offset = await this.#produce(OUT_TOPIC, partition, values);
      attempt.sends[sent] = { partition, offset, values };
      input += count;
      partition = random.below(OUT_PARTITIONS);
      await this.#stall();
    }
  }

  /** Once in a while for longer than a transaction may last. */
  async #stall(): Promise<void> {
    const { world, random } = this.#options;
    if (random.chance(0.02)) await world.sleep(random.between(0, 3 * TRANSACTION_TIMEOUT_MS));
    else await world.sleep(random.below(30));
  }

  async #findCoordinators(): Promise<void> {
    for (const keyType of [GROUP, TRANSACTION]) {
      const api = { request: FindCoordinatorRequest, response: FindCoordinatorResponse };
      const request = defaults<FindCoordinatorRequest>(FindCoordinatorRequest, {
        keyType,
        coordinatorKeys: [this.#options.app],
      });
      await this.#persist(api, 4, request, ({ coordinators }) => coordinators[0]!.errorCode);
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
    const { finalizedFeatures } = await this.#persist(api, 3, request, ({ errorCode }) => errorCode);
    const level = finalizedFeatures.find(({ name }) => name === TRANSACTION_VERSION)?.maxVersionLevel ?? 0;
    return level >= 2;
  }

  /** A new epoch; of the producer that this one was, where it has to go on. */
  async #init(given?: { readonly producerId: bigint; readonly producerEpoch: number }): Promise<void> {
    const api = { request: InitProducerIdRequest, response: InitProducerIdResponse };
    const request = defaults<InitProducerIdRequest>(InitProducerIdRequest, {
      transactionalId: this.#options.app,
      transactionTimeoutMs: TRANSACTION_TIMEOUT_MS,
      ...(given === undefined ? {} : { producerId: given.producerId, producerEpoch: given.producerEpoch }),
    });
    const version = this.#options.protocol === 'v2' ? 5 : 4;
    const response = await this.#persist(api, version, request, ({ errorCode }) => errorCode);
    this.#begin(response.producerId, response.producerEpoch);
  }

  #begin(producerId: bigint, epoch: number): void {
    this.#producerId = producerId;
    this.#epoch = epoch;
    this.#sequences.clear();
  }

  get #producer() {
    const { app } = this.#options;
    return { transactionalId: app, producerId: this.#producerId, producerEpoch: this.#epoch };
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
    await this.#persist(
      api,
      3,
      request,
      (response) => response.resultsByTopicV3AndBelow[0]!.resultsByPartition[0]!.partitionErrorCode,
    );
  }

  /** The offset of the first one. */
  async #produce(topic: string, partition: number, values: readonly string[]): Promise<number> {
    const { random, world } = this.#options;
    const place = `${topic}-${partition}`;
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
    this.#copyLater(api, version, request);
    const { responses } = await this.#persist(
      api,
      version,
      request,
      (response) => response.responses[0]!.partitionResponses[0]!.errorCode,
    );
    this.#sequences.set(place, baseSequence + values.length);
    return responses[0]!.partitionResponses[0]!.baseOffset;
  }

  async #commitOffsets({ from, count, polls }: Attempt): Promise<void> {
    const { app: groupId } = this.#options;
    if (!this.#hasEpochs) {
      const adding = { request: AddOffsetsToTxnRequest, response: AddOffsetsToTxnResponse };
      const asked = { ...this.#producer, groupId };
      await this.#persist(adding, 3, asked, ({ errorCode }) => errorCode);
    }
    const read = new Map(polls.map(({ partition, to }) => [partition, to]));
    const request = defaults<TxnOffsetCommitRequest>(TxnOffsetCommitRequest, {
      ...this.#producer,
      groupId,
      topics: [
        { name: IN_TOPIC, partitions: [offsetOf(0, from + count)] },
        {
          name: OUT_TOPIC,
          partitions: Array.from(read, ([partition, position]) => offsetOf(partition, position)),
        },
      ],
    });
    const api = { request: TxnOffsetCommitRequest, response: TxnOffsetCommitResponse };
    const version = this.#hasEpochs ? 5 : 3;
    if (this.#hasEpochs) this.#copyLater(api, version, request);
    await this.#persist(
      api,
      version,
      request,
      ({ topics }) =>
        topics
          .flatMap(({ partitions }) => partitions)
          .map(({ errorCode }) => errorCode)
          .find((code) => code !== Errors.NONE) ?? Errors.NONE,
    );
  }

  async #end(committed: boolean): Promise<void> {
    const api = { request: EndTxnRequest, response: EndTxnResponse };
    const request = { ...this.#producer, committed };
    const version = this.#hasEpochs ? 5 : 3;
    // In version 1 a copy may end the next transaction: nothing tells them apart.
    if (this.#hasEpochs) this.#copyLater(api, version, request);
    const response = await this.#persist(api, version, request, ({ errorCode }) => errorCode);
    if (this.#hasEpochs) this.#begin(response.producerId, response.producerEpoch);
  }

  async #committed(): Promise<Committed> {
    const { app: groupId } = this.#options;
    const api = { request: OffsetFetchRequest, response: OffsetFetchResponse };
    const partitionIndexes = Array.from({ length: OUT_PARTITIONS }, (_, index) => index);
    const request = defaults<OffsetFetchRequest>(OffsetFetchRequest, {
      groups: [
        {
          groupId,
          topics: [
            { name: IN_TOPIC, partitionIndexes: [0] },
            { name: OUT_TOPIC, partitionIndexes },
          ],
        },
      ],
      requireStable: true,
    });
    const response = await this.#persist(api, 8, request, ({ groups }) => {
      const { errorCode, topics } = groups[0]!;
      const refused = topics.flatMap(({ partitions }) => partitions).find((one) => one.errorCode !== 0);
      return errorCode === Errors.NONE ? (refused?.errorCode ?? Errors.NONE) : errorCode;
    });
    const [inputs, outputs] = response.groups[0]!.topics;
    const positions = new Array<number>(OUT_PARTITIONS).fill(0);
    for (const { partitionIndex, committedOffset } of outputs!.partitions) {
      positions[partitionIndex] = Math.max(0, committedOffset);
    }
    return { inputs: Math.max(0, inputs!.partitions[0]!.committedOffset), positions };
  }

  /** Asks until there is an answer that stays. */
  async #persist<Request, Response>(
    api: Api<Request, Response>,
    version: number,
    request: Request,
    codeOf: (response: Response) => number,
  ): Promise<Response> {
    const { client, world, random, model } = this.#options;
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      if (tries > 0) await world.sleep(random.between(1, 120));
      if (!(await client.connect())) continue;
      let response: Response;
      try {
        response = await client.ask(api, version, request);
      } catch (error) {
        if (!(error instanceof OutcomeUnknown)) throw error;
        model.count('asked again');
        continue;
      }
      const code = codeOf(response);
      if (code === Errors.NONE) return response;
      if (RETRIABLE.has(code)) continue;
      if (ABORTABLE.has(code) || (this.#options.expires && FORGOTTEN.has(code)))
        throw new MustAbort(errorName(code));
      promised(FENCED.has(code), () => `${api.request.name} v${version} was answered ${errorName(code)}`);
      throw new Fenced(errorName(code));
    }
    throw new GaveUp(api.request.name);
  }

  /** The network brings some requests twice, the second time late and on another way. */
  #copyLater<Request, Response>(api: Api<Request, Response>, version: number, request: Request): void {
    const { world, random, copies, model } = this.#options;
    if (!random.chance(0.1)) return;
    world.after(random.below(random.pick([20, 3000])), () => {
      copies
        .connect()
        .then((connected) => {
          if (!connected) return undefined;
          model.count('copies');
          return copies.ask(api, version, request);
        })
        .catch((error: unknown) => {
          if (!(error instanceof OutcomeUnknown)) throw error;
        });
    });
  }
}

const offsetOf = (partitionIndex: number, committedOffset: number) => ({
  partitionIndex,
  committedOffset,
  committedMetadata: '',
});
