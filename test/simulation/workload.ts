import { defaults } from '../../src/protocol/codec.ts';
import type { CompressionCodec } from '../../src/protocol/compression/index.ts';
import { Errors, errorName } from '../../src/protocol/errors.ts';
import { CreateTopicsRequest, CreateTopicsResponse } from '../../src/protocol/messages/create-topics.ts';
import { DeleteTopicsRequest, DeleteTopicsResponse } from '../../src/protocol/messages/delete-topics.ts';
import { FetchRequest, FetchResponse } from '../../src/protocol/messages/fetch.ts';
import {
  InitProducerIdRequest,
  InitProducerIdResponse,
} from '../../src/protocol/messages/init-producer-id.ts';
import { ListOffsetsRequest, ListOffsetsResponse } from '../../src/protocol/messages/list-offsets.ts';
import { MetadataRequest, MetadataResponse } from '../../src/protocol/messages/metadata.ts';
import { ProduceRequest, ProduceResponse } from '../../src/protocol/messages/produce.ts';
import {
  BatchBuilder,
  type BatchOptions,
  batchPositions,
  crcIsValid,
  records,
} from '../../src/protocol/record-batch/index.ts';
import { type KafkaClient, OutcomeUnknown } from './kafka-client.ts';
import { idOf, type PartitionModel, promised, selfCheckingValue, TopicModel, Violation } from './model.ts';
import type { SeededRandom } from './random.ts';
import type { SeveralDirs } from './several-dirs.ts';
import type { Action } from './sim-node.ts';
import type { World } from './world.ts';

export const apis = {
  produce: { request: ProduceRequest, response: ProduceResponse },
  fetch: { request: FetchRequest, response: FetchResponse },
  createTopics: { request: CreateTopicsRequest, response: CreateTopicsResponse },
  deleteTopics: { request: DeleteTopicsRequest, response: DeleteTopicsResponse },
  listOffsets: { request: ListOffsetsRequest, response: ListOffsetsResponse },
  metadata: { request: MetadataRequest, response: MetadataResponse },
  initProducerId: { request: InitProducerIdRequest, response: InitProducerIdResponse },
} as const;

/** What all clients of one world share: the topics, and how often the node lost its power. */
export interface Shared {
  readonly topics: readonly TopicModel[];
  powerLosses: number;
  /** Requests that were answered, by kind. */
  readonly counts: Record<string, number>;
  /** What the disk does wrong: a request may fail for it, and nothing more. */
  diskFaults: 'none' | 'slow' | 'write' | 'sync';
  /** The node gives up because of its disk. */
  dying: boolean;
  /** Undefined where it has one. */
  dirs: SeveralDirs | undefined;
  nextId: number;
}

/**
 * Whether a failing disk may be why a request was refused; without the metadata log there is no controller, and of a node
 * that stops because of its disk no broker is left to hold replicas.
 */
export function diskMayRefuse({ diskFaults, dying }: Shared, code: number | undefined): boolean {
  if (diskFaults !== 'write' && diskFaults !== 'sync') return false;
  const isWithoutBroker = dying && code === Errors.INVALID_REPLICATION_FACTOR;
  return code === Errors.KAFKA_STORAGE_ERROR || code === Errors.NOT_CONTROLLER || isWithoutBroker;
}

export function newShared(topics: number): Shared {
  return {
    topics: Array.from({ length: topics }, (_, i) => new TopicModel(`topic-${i}`)),
    powerLosses: 0,
    counts: {},
    diskFaults: 'none',
    dying: false,
    dirs: undefined,
    nextId: 0,
  };
}

/** Without zstd, which old versions of produce and fetch refuse. */
const codecs: readonly (readonly [number, CompressionCodec])[] = [
  [6, 'none'],
  [1, 'gzip'],
  [1, 'lz4'],
  [1, 'snappy'],
];

/** A topic at the moment at which a request about it leaves. */
class Aim {
  readonly topic: TopicModel;
  readonly generation: number;
  readonly powerLosses: number;
  readonly #shared: Shared;
  readonly #partition: number | undefined;
  /** A log dir had failed then. */
  readonly #hadFailed: boolean;

  constructor(shared: Shared, topic: TopicModel, partition?: number) {
    this.#partition = partition;
    this.#hadFailed = shared.dirs?.failed !== undefined;
    this.#shared = shared;
    this.topic = topic;
    this.generation = topic.generation;
    this.powerLosses = shared.powerLosses;
  }

  /** Whether it is the same topic still, and was all the time. */
  get holds(): boolean {
    return this.topic.state === 'there' && this.topic.generation === this.generation;
  }

  /** Whether a failed log dir may be why the partition, or one of the topic, is not served. */
  isOffline(partition = this.#partition): boolean {
    const { dirs } = this.#shared;
    if (dirs === undefined || !(this.#hadFailed || dirs.failed !== undefined)) return false;
    return partition === undefined || dirs.concerns(this.topic, partition);
  }

  /** Whether what an answer says has to last. */
  get lasts(): boolean {
    return this.holds && (this.topic.flushed || this.powerLosses === this.#shared.powerLosses);
  }
}

/** A producer id with the next sequence number of each partition that it wrote to. */
interface Producer {
  readonly id: bigint;
  readonly epoch: number;
  readonly sequences: Map<string, number>;
  /** When it began. */
  readonly powerLosses: number;
}

const TRIES_MAX = 8;
/** Fetch requests of one session. */
const SESSION_REQUESTS_MAX = 6;

/** One client with what it may do. */
export class Workload {
  readonly #world: World;
  readonly #client: KafkaClient;
  readonly #random: SeededRandom;
  readonly #shared: Shared;
  readonly #name: string;
  #producer: Producer | undefined;

  constructor(world: World, client: KafkaClient, random: SeededRandom, shared: Shared, name: string) {
    this.#world = world;
    this.#client = client;
    this.#random = random;
    this.#shared = shared;
    this.#name = name;
  }

  actions(): readonly Action[] {
    return [
      { weight: 50, run: () => this.#guarded(() => this.#produce()) },
      { weight: 15, run: () => this.#guarded(() => this.#producePipelined()) },
      { weight: 15, run: () => this.#guarded(() => this.#produceOnce()) },
      { weight: 30, run: () => this.#guarded(() => this.#fetch()) },
      { weight: 6, run: () => this.#guarded(() => this.#fetchSession()) },
      { weight: 4, run: () => this.#guarded(() => this.#produceCorrupt()) },
      { weight: 6, run: () => this.#guarded(() => this.#create()) },
      { weight: 2, run: () => this.#guarded(() => this.#delete()) },
      { weight: 3, run: () => this.#guarded(async () => this.#client.close()) },
      ...(this.#shared.dirs === undefined
        ? []
        : [{ weight: 8, run: () => this.#guarded(() => this.#move()) }]),
    ];
  }

  /** An answer that never came is part of life. */
  async #guarded(run: () => Promise<void>): Promise<void> {
    if (!(await this.#client.connect())) {
      await this.#world.sleep(this.#random.below(300));
      return;
    }
    try {
      await run();
    } catch (error) {
      if (!(error instanceof OutcomeUnknown)) throw error;
    }
  }

  #count(what: string): void {
    this.#shared.counts[what] = (this.#shared.counts[what] ?? 0) + 1;
  }

  #topic(state: 'there' | 'absent'): TopicModel | undefined {
    const fitting = this.#shared.topics.filter((topic) => topic.state === state);
    return fitting.length === 0 ? undefined : this.#random.pick(fitting);
  }

  async #produce(): Promise<void> {
    const topic = this.#topic('there');
    if (topic === undefined) return;
    const partition = this.#random.below(topic.partitions.length);
    const ids = Array.from({ length: this.#random.between(1, 12) }, () => this.#newId(topic, partition));
    const acks = this.#random.weighted([
      [6, -1],
      [3, 1],
      [1, 0],
    ]);
    const version = this.#random.between(3, 12);
    const batch = this.#batch(ids);
    const tooLarge = batch.length > Number(topic.configs.get('segment.bytes'));
    const request = this.#produceRequest(topic.name, partition, batch, acks);
    if (acks === 0) {
      this.#client.tell(apis.produce, version, request);
      return;
    }
    const aim = new Aim(this.#shared, topic, partition);
    const response = await this.#client.ask(apis.produce, version, request);
    const answer = response.responses[0]?.partitionResponses[0];
    promised(answer !== undefined, () => 'a produce answer without its partition');
    if (tooLarge && answer.errorCode === Errors.RECORD_LIST_TOO_LARGE) return;
    if (answer.errorCode !== Errors.NONE) {
      this.#mayFail('produce', aim, answer.errorCode);
      const { diskFaults, powerLosses } = this.#shared;
      if (diskFaults === 'write' && aim.holds && aim.powerLosses === powerLosses) {
        for (const id of ids) topic.partitions[partition]?.refused.add(id);
      }
      return;
    }
    promised(!(tooLarge && aim.holds), () => `${topic.name} took a batch larger than a segment`);
    this.#count('produce');
    const model = topic.partitions[partition];
    if (!aim.lasts || model === undefined) return;
    for (const [i, id] of ids.entries()) model.acknowledge(answer.baseOffset + i, id);
  }

  /** Several at once; the first failure is told. */
  async #producePipelined(): Promise<void> {
    const all = Array.from({ length: this.#random.between(2, 6) }, () => this.#produce());
    for (const outcome of await Promise.allSettled(all)) {
      if (outcome.status === 'rejected') throw outcome.reason;
    }
  }

  /** An idempotent producer sends a batch again until it has an answer: the batch is there once. */
  async #produceOnce(): Promise<void> {
    const topic = this.#topic('there');
    if (topic === undefined) return;
    const producer = await this.#producerNow();
    if (producer === undefined || topic.state !== 'there') return;
    const partition = this.#random.below(topic.partitions.length);
    const aim = new Aim(this.#shared, topic, partition);
    const key = `${topic.name}/${topic.generation}/${partition}`;
    const baseSequence = producer.sequences.get(key) ?? 0;
    const ids = Array.from({ length: this.#random.between(1, 5) }, () => this.#newId(topic, partition));
    const { id: producerId, epoch: producerEpoch } = producer;
    const batch = this.#batch(ids, { producerId, producerEpoch, baseSequence });
    const request = this.#produceRequest(topic.name, partition, batch, -1);
    // Until the answer is known nobody knows the next sequence number.
    this.#producer = undefined;
    for (let tries = 0; tries < TRIES_MAX && aim.holds; tries++) {
      if (tries > 0) await this.#world.sleep(this.#random.below(500));
      if (!(await this.#client.connect()) || !aim.holds) continue;
      const answers = await this.#askTwice(request);
      const [answer, twin] = answers;
      if (answer === undefined) {
        this.#count('idempotent retry');
        continue;
      }
      const { errorCode, baseOffset } = answer;
      promised(
        twin === undefined || errorCode !== Errors.NONE || twin.baseOffset === baseOffset || !aim.lasts,
        () => `${topic.name}-${partition}: a batch sent twice is at ${baseOffset} and at ${twin?.baseOffset}`,
      );
      if (errorCode !== Errors.NONE) {
        // A power loss may take batches of this producer that were answered, where nothing was flushed for them.
        const forgotten = !topic.flushed && producer.powerLosses !== this.#shared.powerLosses;
        if (errorCode === Errors.OUT_OF_ORDER_SEQUENCE_NUMBER && forgotten) return;
        if (errorCode !== Errors.RECORD_LIST_TOO_LARGE) this.#mayFail('idempotent produce', aim, errorCode);
        return;
      }
      this.#count('idempotent produce');
      producer.sequences.set(key, baseSequence + ids.length);
      this.#producer = producer;
      const model = topic.partitions[partition];
      if (!aim.lasts || model === undefined) return;
      for (const [i, id] of ids.entries()) model.acknowledge(baseOffset + i, id);
      return;
    }
  }

  /** Now and then at once, the second before the first has its answer; what was answered of it. */
  async #askTwice(request: ProduceRequest): Promise<{ errorCode: number; baseOffset: number }[]> {
    const twice = this.#random.chance(0.2);
    const asked = [request, ...(twice ? [request] : [])].map((one) => this.#client.ask(apis.produce, 9, one));
    const answers: { errorCode: number; baseOffset: number }[] = [];
    for (const settled of await Promise.allSettled(asked)) {
      if (settled.status === 'rejected') {
        if (!(settled.reason instanceof OutcomeUnknown)) throw settled.reason;
        continue;
      }
      const answer = settled.value.responses[0]?.partitionResponses[0];
      promised(answer !== undefined, () => 'a produce answer without its partition');
      answers.push(answer);
    }
    return answers;
  }

  /** A producer id, the one of before where all its batches were answered. */
  async #producerNow(): Promise<Producer | undefined> {
    if (this.#producer !== undefined) return this.#producer;
    const request = defaults(InitProducerIdRequest, { transactionalId: null, transactionTimeoutMs: 60_000 });
    const { errorCode, producerId, producerEpoch } = await this.#client.ask(apis.initProducerId, 4, request);
    if (errorCode !== Errors.NONE) return undefined;
    this.#producer = {
      id: producerId,
      epoch: producerEpoch,
      sequences: new Map(),
      powerLosses: this.#shared.powerLosses,
    };
    return this.#producer;
  }

  /** An incremental fetch session by topic id (KIP-227, KIP-516) over all partitions of a topic. */
  async #fetchSession(): Promise<void> {
    const topic = this.#topic('there');
    if (topic === undefined) return;
    const aim = new Aim(this.#shared, topic);
    const { topicId } = topic;
    const next = topic.partitions.map(() => 0);
    let told = topic.partitions.map((_, index) => index);
    let sessionId = 0;
    for (let sessionEpoch = 0; sessionEpoch < SESSION_REQUESTS_MAX; sessionEpoch++) {
      const request = defaults(FetchRequest, {
        maxWaitMs: this.#random.below(200),
        minBytes: 1,
        maxBytes: 20_000,
        sessionId,
        sessionEpoch,
        topics: [
          {
            topicId,
            partitions: told.map((partition) => ({
              partition,
              fetchOffset: next[partition]!,
              partitionMaxBytes: 10_000,
            })),
          },
        ],
      });
      const response = await this.#client.ask(apis.fetch, 13, request);
      // A session may be gone with its slot, or its node.
      if (response.errorCode !== Errors.NONE || !aim.holds) return;
      told = [];
      for (const answer of response.responses[0]?.partitions ?? []) {
        const { partitionIndex, errorCode } = answer;
        if (errorCode === Errors.OFFSET_OUT_OF_RANGE) {
          // Only a power loss takes what was read.
          promised(
            !aim.lasts,
            () => `${topic.name}-${partitionIndex}: ${next[partitionIndex]} is out of range`,
          );
          return;
        }
        if (errorCode !== Errors.NONE) {
          this.#mayFail('fetch in a session', aim, errorCode, partitionIndex);
          return;
        }
        const found = this.#recordsIn(topic.name, partitionIndex, answer.records);
        const from = next[partitionIndex]!;
        topic.partitions[partitionIndex]?.read(found, from, aim.lasts);
        const last = found.at(-1);
        if (last === undefined) continue;
        next[partitionIndex] = last.offset + 1;
        told.push(partitionIndex);
      }
      this.#count('session fetch');
      if (response.sessionId === 0) return;
      sessionId = response.sessionId;
    }
  }

  async #produceCorrupt(): Promise<void> {
    const topic = this.#topic('there');
    if (topic === undefined) return;
    const partition = this.#random.below(topic.partitions.length);
    const batch = this.#batch([`corrupt/${this.#shared.nextId++}`]);
    // What the CRC covers, without the attributes: those are looked at before it.
    const at = this.#random.between(23, batch.length - 1);
    batch[at] = (batch[at] as number) ^ (1 << this.#random.below(8));
    const aim = new Aim(this.#shared, topic, partition);
    const request = this.#produceRequest(topic.name, partition, batch, -1);
    const response = await this.#client.ask(apis.produce, this.#random.between(3, 12), request);
    const code = response.responses[0]?.partitionResponses[0]?.errorCode ?? -1;
    promised(
      code === Errors.CORRUPT_MESSAGE || code !== Errors.NONE,
      () => `a batch with a wrong CRC was taken by ${topic.name}-${partition}`,
    );
    if (code !== Errors.CORRUPT_MESSAGE) this.#mayFail('produce of a corrupt batch', aim, code);
    this.#count('corrupt');
  }

  async #fetch(): Promise<void> {
    const topic = this.#topic('there');
    if (topic === undefined) return;
    const partition = this.#random.below(topic.partitions.length);
    const model = topic.partitions[partition] as PartitionModel;
    const known = [...model.known.keys()];
    const from =
      known.length > 0 && this.#random.chance(0.8) ? this.#random.pick(known) : this.#random.below(20);
    const wasKnown = model.known.has(from);
    const aim = new Aim(this.#shared, topic, partition);
    const answer = await this.fetchAt(topic.name, partition, from, this.#random.between(1, 20_000));
    if (!aim.holds) return;
    if (answer.errorCode === Errors.OFFSET_OUT_OF_RANGE) {
      promised(
        !(wasKnown && aim.lasts),
        () => `${model.name}: offset ${from} is out of range though ${model.known.get(from)} was there`,
      );
      return;
    }
    if (answer.errorCode !== Errors.NONE) {
      this.#mayFail('fetch', aim, answer.errorCode);
      return;
    }
    this.#count('fetch');
    model.read(answer.records, from, aim.lasts);
    promised(
      answer.records.length > 0 || !(wasKnown && aim.lasts),
      () => `${model.name}: nothing was read from ${from} though ${model.known.get(from)} was there`,
    );
  }

  /** Reads once from an offset; the records of all batches that came whole. */
  async fetchAt(topic: string, partition: number, fetchOffset: number, maxBytes: number) {
    const request = defaults(FetchRequest, {
      maxWaitMs: this.#random.below(400),
      minBytes: 1,
      maxBytes,
      isolationLevel: this.#random.below(2),
      topics: [{ topic, partitions: [{ partition, fetchOffset, partitionMaxBytes: maxBytes }] }],
    });
    const response = await this.#client.ask(apis.fetch, this.#random.between(4, 12), request);
    const answer = response.responses[0]?.partitions[0];
    promised(answer !== undefined, () => 'a fetch answer without its partition');
    const found = this.#recordsIn(topic, partition, answer.records);
    return { errorCode: answer.errorCode, highWatermark: answer.highWatermark, records: found };
  }

  #recordsIn(topic: string, partition: number, given: unknown): { offset: number; id: string }[] {
    const bytes = (given ?? new Uint8Array(0)) as Uint8Array;
    const found: { offset: number; id: string }[] = [];
    for (const at of batchPositions(bytes)) {
      promised(crcIsValid(bytes, at), () => `${topic}-${partition}: a batch with a wrong CRC was read`);
      for (const { offset, value } of records(bytes, { at })) {
        found.push({ offset, id: idOf(value ?? new Uint8Array(0)) });
      }
    }
    return found;
  }

  async #create(): Promise<void> {
    const topic = this.#topic('absent');
    if (topic === undefined) return;
    const configs = new Map<string, string>();
    if (this.#random.chance(0.8)) configs.set('flush.messages', '1');
    configs.set('segment.bytes', String(this.#random.between(2_000, 40_000)));
    if (this.#random.chance(0.2)) configs.set('message.timestamp.type', 'LogAppendTime');
    const numPartitions = this.#random.between(1, 3);
    topic.begin(numPartitions, configs);
    const request = defaults(CreateTopicsRequest, {
      topics: [
        {
          name: topic.name,
          numPartitions,
          replicationFactor: 1,
          configs: [...configs].map(([name, value]) => ({ name, value })),
        },
      ],
      timeoutMs: 30_000,
    });
    try {
      const response = await this.#client.ask(apis.createTopics, 7, request);
      const answer = response.topics[0];
      if (diskMayRefuse(this.#shared, answer?.errorCode)) throw new OutcomeUnknown('the disk failed');
      if (answer?.errorCode !== Errors.NONE) {
        throw new Violation(`creating ${topic.name} failed: ${describe(answer?.errorCode)}`);
      }
      topic.topicId = answer.topicId;
      topic.state = 'there';
      this.#count('create');
    } catch (error) {
      topic.state = 'unknown';
      throw error;
    }
  }

  async #delete(): Promise<void> {
    const topic = this.#topic('there');
    if (topic === undefined) return;
    topic.state = 'deleting';
    const request = defaults(DeleteTopicsRequest, { topics: [{ name: topic.name }], timeoutMs: 30_000 });
    try {
      const response = await this.#client.ask(apis.deleteTopics, 6, request);
      const code = response.responses[0]?.errorCode;
      if (diskMayRefuse(this.#shared, code)) throw new OutcomeUnknown('the disk failed');
      if (code !== Errors.NONE) throw new Violation(`deleting ${topic.name} failed: ${describe(code)}`);
      topic.state = 'absent';
      this.#count('delete');
    } catch (error) {
      topic.state = 'unknown';
      throw error;
    }
  }

  /** To another log dir, or back, or nowhere where a dir may have another copy of it. */
  async #move(): Promise<void> {
    const topic = this.#topic('there');
    if (topic === undefined) return;
    const partition = this.#random.below(topic.partitions.length);
    const aim = new Aim(this.#shared, topic);
    const code = await this.#shared.dirs!.move(this.#client, topic.name, partition);
    const may = code === Errors.NONE || (code === Errors.KAFKA_STORAGE_ERROR && aim.isOffline());
    promised(may || !aim.holds, () => `moving ${topic.name}-${partition}: ${describe(code)}`);
    this.#count(code === Errors.NONE ? 'move' : 'move refused');
  }

  /** Reads a whole partition after all has calmed down, and holds it against what is known. */
  async verify(topic: TopicModel, partition: number): Promise<number> {
    const model = topic.partitions[partition] as PartitionModel;
    const [first, end] = [
      await this.#offsetAt(topic, partition, -2n),
      await this.#offsetAt(topic, partition, -1n),
    ];
    promised(first === 0, () => `${model.name}: the log starts at ${first}`);
    const all: { offset: number; id: string }[] = [];
    for (let at = first; at < end; ) {
      const { errorCode, records: some } = await this.fetchAt(topic.name, partition, at, 100_000);
      promised(errorCode === Errors.NONE, () => `${model.name}: fetch at ${at}: ${describe(errorCode)}`);
      promised(some.length > 0, () => `${model.name}: nothing at ${at} though the log ends at ${end}`);
      model.read(some, at, false);
      all.push(...some.filter(({ offset }) => offset >= at));
      at = (some.at(-1)?.offset ?? at) + 1;
    }
    model.readWhole(all);
    return all.length;
  }

  /** What the node says of all topics, against what is known. */
  async verifyTopics(): Promise<void> {
    const { topics } = await this.#client.ask(apis.metadata, 12, defaults(MetadataRequest, { topics: null }));
    const told = new Map(topics.map((topic) => [topic.name, topic]));
    for (const { name, state, topicId, partitions } of this.#shared.topics) {
      const now = told.get(name);
      if (state === 'absent') promised(now === undefined, () => `${name} was deleted, and is there`);
      if (state !== 'there') continue;
      promised(now?.errorCode === Errors.NONE, () => `${name} was created, and is not there`);
      promised(now.topicId === topicId, () => `${name} has the id ${now.topicId}, it was ${topicId}`);
      promised(now.partitions.length === partitions.length, () => `${name} has other partitions`);
    }
  }

  connect(): Promise<boolean> {
    return this.#client.connect();
  }

  async #offsetAt({ name }: TopicModel, partitionIndex: number, timestamp: bigint): Promise<number> {
    const request = defaults(ListOffsetsRequest, {
      replicaId: -1,
      topics: [{ name, partitions: [{ partitionIndex, timestamp }] }],
    });
    const response = await this.#client.ask(apis.listOffsets, 7, request);
    const answer = response.topics[0]?.partitions[0];
    promised(answer?.errorCode === Errors.NONE, () => `ListOffsets: ${describe(answer?.errorCode)}`);
    return answer.offset;
  }

  #mayFail(what: string, aim: Aim, code: number, partition?: number): void {
    if (!aim.holds) return;
    const isOffline = code === Errors.KAFKA_STORAGE_ERROR || code === Errors.NOT_LEADER_OR_FOLLOWER;
    if (isOffline && aim.isOffline(partition)) {
      this.#count('offline');
      return;
    }
    // A write that failed fails its request, and nothing more.
    // So does a node that stops because of it, which hands its leaderships over first.
    const ofFailure =
      code === Errors.KAFKA_STORAGE_ERROR || (code === Errors.NOT_LEADER_OR_FOLLOWER && this.#shared.dying);
    if (ofFailure && this.#shared.diskFaults !== 'none') return;
    throw new Violation(`${what} on ${aim.topic.name} failed: ${describe(code)}`);
  }

  #newId(topic: TopicModel, partition: number): string {
    const id = `${topic.name}-${partition}/${this.#name}/${this.#shared.nextId++}`;
    topic.send(partition, id);
    return id;
  }

  #batch(ids: readonly string[], options: BatchOptions = {}): Buffer {
    const builder = new BatchBuilder({ ...options, compression: this.#random.weighted(codecs) });
    const large = this.#random.chance(0.02) ? 40_000 : this.#random.chance(0.1) ? 3000 : 100;
    for (const id of ids) {
      builder.append({
        timestamp: 1_767_225_600_000 + Math.floor(this.#world.nowMs),
        key: this.#random.chance(0.5) ? Buffer.from(id) : null,
        value: selfCheckingValue(id, this.#random.below(large)),
        headers: this.#random.chance(0.1) ? [{ key: 'h', value: Buffer.from(id) }] : [],
      });
    }
    return Buffer.from(builder.build());
  }

  #produceRequest(name: string, index: number, batch: Uint8Array, acks: number) {
    return defaults(ProduceRequest, {
      acks,
      timeoutMs: 30_000,
      topicData: [{ name, partitionData: [{ index, records: batch }] }],
    });
  }
}

function describe(code: number | undefined): string {
  return code === undefined ? 'no answer for it' : errorName(code);
}
