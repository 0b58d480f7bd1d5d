import type { Ports } from '../../src/base/ports.ts';
import { BrokerConfig } from '../../src/config/broker-config.ts';
import { defaults } from '../../src/protocol/codec.ts';
import { prepareCodec } from '../../src/protocol/compression/index.ts';
import { type ErrorCode, Errors, errorName } from '../../src/protocol/errors.ts';
import {
  AddPartitionsToTxnRequest,
  AddPartitionsToTxnResponse,
} from '../../src/protocol/messages/add-partitions-to-txn.ts';
import { CreateTopicsRequest } from '../../src/protocol/messages/create-topics.ts';
import { DeleteTopicsRequest } from '../../src/protocol/messages/delete-topics.ts';
import { EndTxnRequest, EndTxnResponse } from '../../src/protocol/messages/end-txn.ts';
import { FetchRequest } from '../../src/protocol/messages/fetch.ts';
import {
  FindCoordinatorRequest,
  FindCoordinatorResponse,
} from '../../src/protocol/messages/find-coordinator.ts';
import { InitProducerIdRequest } from '../../src/protocol/messages/init-producer-id.ts';
import { OffsetCommitRequest, OffsetCommitResponse } from '../../src/protocol/messages/offset-commit.ts';
import { OffsetFetchRequest, OffsetFetchResponse } from '../../src/protocol/messages/offset-fetch.ts';
import { ProduceRequest } from '../../src/protocol/messages/produce.ts';
import {
  BatchBuilder,
  batchPositions,
  crcIsValid,
  isControl,
  records,
} from '../../src/protocol/record-batch/index.ts';
import { BrokerNode } from '../../src/server/node.ts';
import type { DiskOperation } from './disk.ts';
import { KafkaClient, OutcomeUnknown } from './kafka-client.ts';
import { idOf, PartitionModel, promised, selfCheckingValue, Violation } from './model.ts';
import { SimNode } from './sim-node.ts';
import { apis } from './workload.ts';
import { World } from './world.ts';

/** What may fail: all that changes the disk, or makes a change durable. */
export const CHANGES: ReadonlySet<DiskOperation> = new Set([
  'write',
  'sync',
  'truncate',
  'rename',
  'remove',
  'makeDir',
  'syncDir',
]);

const HOST = 'n1';
const PORT = 9092;
const VALUE_BYTES = 300;
const TRIES_MAX = 40;
const PAUSE_MS = 250;
/** The one that fails may end a process, in a start too; another end would be the start of a loop. */
const UNPLANNED_ENDS_MAX = 1;

const SETTINGS: Readonly<Record<string, string>> = {
  listeners: `PLAINTEXT://${HOST}:${PORT}`,
  'log.dirs': '/data',
  'auto.create.topics.enable': 'false',
  'log.initial.task.delay.ms': '300',
  'log.retention.check.interval.ms': '400',
  'log.segment.delete.delay.ms': '100',
  'log.flush.offset.checkpoint.interval.ms': '500',
  'log.flush.start.offset.checkpoint.interval.ms': '500',
  'replica.high.watermark.checkpoint.interval.ms': '500',
  'metadata.log.max.record.bytes.between.snapshots': '600',
  'log.cleaner.backoff.ms': '200',
  'offsets.topic.num.partitions': '1',
  'transaction.state.log.num.partitions': '1',
  // So that the coordinators' topics are rolled and compacted in so short a life.
  'offsets.topic.segment.bytes': '600',
};

const GROUP = 'group';
const TRANSACTIONAL_ID = 'transactional';
/** Of FindCoordinator. */
const KEY_TYPES = { [GROUP]: 0, [TRANSACTIONAL_ID]: 1 } as const;
const READ_COMMITTED = 1;

const coordinators = {
  find: { request: FindCoordinatorRequest, response: FindCoordinatorResponse },
  commit: { request: OffsetCommitRequest, response: OffsetCommitResponse },
  fetch: { request: OffsetFetchRequest, response: OffsetFetchResponse },
  addPartitions: { request: AddPartitionsToTxnRequest, response: AddPartitionsToTxnResponse },
  endTxn: { request: EndTxnRequest, response: EndTxnResponse },
} as const;

/** What is seen by its answers: a disk that failed once may be named, nothing else. */
const PASSING: ReadonlySet<ErrorCode> = new Set([
  Errors.KAFKA_STORAGE_ERROR,
  Errors.NOT_CONTROLLER,
  Errors.NOT_LEADER_OR_FOLLOWER,
  Errors.LEADER_NOT_AVAILABLE,
  Errors.REQUEST_TIMED_OUT,
  Errors.UNKNOWN_TOPIC_OR_PARTITION,
  Errors.NOT_COORDINATOR,
  Errors.COORDINATOR_NOT_AVAILABLE,
  Errors.COORDINATOR_LOAD_IN_PROGRESS,
  Errors.CONCURRENT_TRANSACTIONS,
]);

export interface EachOperationResult {
  /** Operations of the kinds that may fail. */
  readonly operations: number;
  readonly failed: string | undefined;
  readonly unplannedEnds: number;
}

/**
 * A node that lives a short life: topics made, written, read, rolled, trimmed, compacted and deleted, offsets and
 * transactions committed; stopped in order once and
 * losing its power once. Operation `failing` on its disk fails. Rejects with a {@link Violation} where an answer is wrong,
 * an acknowledged record of a flushed topic is lost, or the node ends more than once without being told to. `canary`: the
 * disk breaks its promise, which must be noticed.
 */
export async function simulateFailure(
  failing: number | undefined,
  canary: { readonly ignoresSync?: boolean } = {},
): Promise<EachOperationResult> {
  // The cleaner loads it, and nothing that is not of the simulated world may be waited for in there.
  await prepareCodec('zstd');
  const world = new World({ seed: 1 });
  world.machine(HOST).disk.ignoresSync = canary.ignoresSync ?? false;
  const life = new Life(world, failing);
  try {
    return await life.run();
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    const { disk, logLines } = world.machine(HOST);
    const last = logLines.slice(-6).join('\n  ');
    throw new Violation(`operation ${failing} (${disk.failedAt}): ${text}\n  ${last}`, { cause: error });
  }
}

interface Producer {
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

class Life {
  readonly #world: World;
  readonly #node: SimNode<BrokerNode>;
  readonly #client: KafkaClient;
  readonly #models = new Map<string, PartitionModel>();
  #unplannedEnds = 0;
  #powerLosses = 0;
  #nextId = 0;
  /** Offsets that the group was to have, and has at least. */
  #commits = 0;
  #committed = -1;
  /** What is known to be committed in transactions. */
  #transacted: { readonly id: string; readonly baseOffset: number }[] = [];
  #failure: Error | undefined;

  constructor(world: World, failing: number | undefined) {
    this.#world = world;
    const machine = world.machine(HOST);
    if (failing !== undefined) machine.disk.failAt(failing, CHANGES, failing % 2 === 0 ? 'EIO' : 'ENOSPC');
    this.#node = new SimNode(world, machine, (ports) => this.#boot(ports));
    const { network } = world.machine('client').boot().ports;
    this.#client = new KafkaClient(network, { host: HOST, port: PORT }, 'client');
  }

  async run(): Promise<EachOperationResult> {
    await this.#start();
    await this.#on(this.#script());
    await this.#stop();
    await this.#start();
    await this.#on(this.#secondScript());
    this.#losePower();
    await this.#start();
    await this.#on(this.#verify());
    const { counts, failedAt } = this.#node.machine.disk;
    const operations = [...CHANGES].reduce((sum, kind) => sum + counts[kind], 0);
    return { operations, failed: failedAt, unplannedEnds: this.#unplannedEnds };
  }

  async #script(): Promise<void> {
    await this.#create('flushed', { 'flush.messages': '1', 'segment.bytes': '1500' });
    await this.#create('kept', { 'segment.bytes': '1500' });
    await this.#create('trimmed', { 'segment.bytes': '1000', 'retention.bytes': '2000' });
    await this.#create('dropped', {});
    await this.#create('transacted', { 'segment.bytes': '1500' });
    for (let round = 0; round < 6; round += 1) {
      for (const topic of ['flushed', 'kept', 'trimmed']) await this.#produce(topic);
      await this.#commit();
    }
    await this.#transact();
    await this.#transact();
    await this.#produce('dropped');
    await this.#world.sleep(700);
    await this.#read('flushed');
    await this.#read('kept');
    await this.#delete('dropped');
    await this.#world.sleep(700);
  }

  async #secondScript(): Promise<void> {
    await this.#read('flushed');
    await this.#readCommitted();
    await this.#readTransacted();
    for (let round = 0; round < 3; round += 1) {
      for (const topic of ['flushed', 'kept', 'trimmed']) await this.#produce(topic);
      await this.#commit();
    }
    await this.#transact();
    await this.#read('kept');
    await this.#readCommitted();
    await this.#world.sleep(700);
  }

  async #verify(): Promise<void> {
    await this.#read('flushed');
    await this.#read('kept');
    for (const topic of ['flushed', 'kept', 'trimmed']) await this.#produce(topic);
    await this.#commit();
    await this.#readCommitted();
    await this.#transact();
    await this.#read('flushed');
  }

  async #boot(ports: Ports): Promise<BrokerNode> {
    const config = BrokerConfig.parse({ profile: 'dev', hostName: HOST, overrides: SETTINGS });
    const node = new BrokerNode({
      ports,
      config,
      onFatal: () => {
        if (this.#node.machine.process?.ports.clock === ports.clock) this.#ended();
      },
    });
    await node.start();
    return node;
  }

  /** Starts it, once more where the start fails. */
  async #start(): Promise<void> {
    for (;;) {
      try {
        if ((await this.#node.start()) !== undefined) return;
      } catch (error) {
        this.#countEnd(error);
        this.#losePower();
        continue;
      }
      await this.#world.until(() => this.#node.running !== undefined, 60_000);
      return;
    }
  }

  /** Its disk failed while it ran: it is booted anew, with what the failed sync left of the page cache gone. */
  #ended(): void {
    const { process } = this.#node.machine;
    this.#countEnd('its disk failed');
    this.#world.after(100, () => {
      if (this.#node.machine.process !== process) return;
      this.#losePower();
      this.#node.startLater(50, (error) => this.#fail(error));
    });
  }

  #fail(error: unknown): void {
    this.#failure ??= error instanceof Error ? error : new Error(String(error));
  }

  #countEnd(why: unknown): void {
    this.#unplannedEnds += 1;
    if (this.#unplannedEnds > UNPLANNED_ENDS_MAX) this.#fail(new Violation(`it ended again: ${why}`));
    if (this.#failure !== undefined) throw this.#failure;
  }

  #losePower(): void {
    this.#powerLosses += 1;
    this.#committed = -1;
    this.#transacted = [];
    for (const [topic, model] of this.#models) if (topic !== 'flushed') model.forget();
    this.#node.crash('power', 'forget');
  }

  /** A stop may be cut short by the node's own end. */
  async #stop(): Promise<void> {
    if (this.#node.running === undefined) await this.#world.until(() => this.#node.running !== undefined);
    await this.#node.stop();
  }

  /** Runs a script of the client on the world. */
  async #on(script: Promise<void>): Promise<void> {
    let isDone = false;
    script.then(
      () => {
        isDone = true;
      },
      (error: unknown) => this.#fail(error),
    );
    await this.#world.until(() => isDone || this.#failure !== undefined, 200_000);
    if (this.#failure !== undefined) throw this.#failure;
  }

  /**
   * Nothing is synced for a transactional id before its partitions have more of it: a power loss can leave these with an
   * epoch that was not given yet. Each try brings it nearer.
   */
  #isPassing(code: ErrorCode): boolean {
    return PASSING.has(code) || (code === Errors.INVALID_PRODUCER_EPOCH && this.#powerLosses > 0);
  }

  /** Asks until the answer is no error, or one that `settles` it. */
  async #until(what: string, ask: () => Promise<ErrorCode>, settles?: ErrorCode): Promise<void> {
    let last = 'no connection';
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      if (tries > 0) await this.#world.sleep(PAUSE_MS);
      if (!(await this.#client.connect())) continue;
      try {
        const code = await ask();
        if (code === Errors.NONE || (code === settles && tries > 0)) return;
        last = errorName(code);
        promised(this.#isPassing(code), () => `${what}: ${last}`);
      } catch (error) {
        if (!(error instanceof OutcomeUnknown)) throw error;
        last = 'no answer';
      }
    }
    throw new Violation(`${what} still fails after ${TRIES_MAX} tries: ${last}`);
  }

  async #create(name: string, settings: Readonly<Record<string, string>>): Promise<void> {
    this.#models.set(name, new PartitionModel(name));
    const configs = Object.entries(settings).map(([key, value]) => ({ name: key, value }));
    const topics = [{ name, numPartitions: 1, replicationFactor: 1, configs }];
    const request = defaults(CreateTopicsRequest, { topics, timeoutMs: 5000 });
    const ask = async () =>
      (await this.#client.ask(apis.createTopics, 7, request)).topics[0]!.errorCode as ErrorCode;
    await this.#until(`create ${name}`, ask, Errors.TOPIC_ALREADY_EXISTS);
  }

  async #delete(name: string): Promise<void> {
    const request = defaults(DeleteTopicsRequest, { topics: [{ name }], timeoutMs: 5000 });
    const ask = async () =>
      (await this.#client.ask(apis.deleteTopics, 6, request)).responses[0]!.errorCode as ErrorCode;
    await this.#until(`delete ${name}`, ask, Errors.UNKNOWN_TOPIC_OR_PARTITION);
  }

  /** One batch with one record, which has another id each time: one that failed may be there all the same. */
  async #send(name: string, transaction?: Producer) {
    const id = `${name}/${this.#nextId++}`;
    this.#models.get(name)!.sent.add(id);
    const producer = transaction && { ...transaction, baseSequence: 0, isTransactional: true };
    const builder = new BatchBuilder(producer);
    builder.append({ timestamp: 1_767_225_600_000, value: selfCheckingValue(id, VALUE_BYTES) });
    const partitionData = [{ index: 0, records: Buffer.from(builder.build()) }];
    const request = defaults(ProduceRequest, {
      transactionalId: transaction === undefined ? null : TRANSACTIONAL_ID,
      acks: -1,
      timeoutMs: 5000,
      topicData: [{ name, partitionData }],
    });
    const { responses } = await this.#client.ask(apis.produce, 9, request);
    const { errorCode, baseOffset } = responses[0]!.partitionResponses[0]!;
    return { id, errorCode: errorCode as ErrorCode, baseOffset };
  }

  async #findCoordinator(key: keyof typeof KEY_TYPES): Promise<ErrorCode> {
    const request = defaults(FindCoordinatorRequest, { key, keyType: KEY_TYPES[key] });
    return (await this.#client.ask(coordinators.find, 3, request)).errorCode as ErrorCode;
  }

  async #commit(): Promise<void> {
    const committedOffset = ++this.#commits;
    const partitions = [{ partitionIndex: 0, committedOffset, committedMetadata: '' }];
    const request = defaults(OffsetCommitRequest, { groupId: GROUP, topics: [{ name: 'kept', partitions }] });
    await this.#until('commit', async () => {
      const found = await this.#findCoordinator(GROUP);
      if (found !== Errors.NONE) return found;
      const powerLosses = this.#powerLosses;
      const { topics } = await this.#client.ask(coordinators.commit, 8, request);
      const errorCode = topics[0]!.partitions[0]!.errorCode as ErrorCode;
      if (errorCode === Errors.NONE && powerLosses === this.#powerLosses) this.#committed = committedOffset;
      return errorCode;
    });
  }

  async #readCommitted(): Promise<void> {
    const topics = [{ name: 'kept', partitionIndexes: [0] }];
    const request = defaults(OffsetFetchRequest, { groups: [{ groupId: GROUP, topics }] });
    await this.#until('committed offset', async () => {
      const found = await this.#findCoordinator(GROUP);
      if (found !== Errors.NONE) return found;
      const [group] = (await this.#client.ask(coordinators.fetch, 8, request)).groups;
      if (group!.errorCode !== Errors.NONE) return group!.errorCode as ErrorCode;
      const { committedOffset } = group!.topics[0]!.partitions[0]!;
      promised(
        committedOffset >= this.#committed && committedOffset <= this.#commits,
        () => `the group is at ${committedOffset}, and was to be at ${this.#committed} or behind it`,
      );
      return Errors.NONE;
    });
  }

  /** One record in a transaction that is committed: then it is there for readers of committed records. */
  async #transact(): Promise<void> {
    const name = 'transacted';
    let done: { readonly id: string; readonly baseOffset: number } | undefined;
    let powerLosses = this.#powerLosses;
    await this.#until('transaction', async () => {
      powerLosses = this.#powerLosses;
      const found = await this.#findCoordinator(TRANSACTIONAL_ID);
      if (found !== Errors.NONE) return found;
      const init = defaults(InitProducerIdRequest, {
        transactionalId: TRANSACTIONAL_ID,
        transactionTimeoutMs: 10_000,
      });
      const begun = await this.#client.ask(apis.initProducerId, 4, init);
      if (begun.errorCode !== Errors.NONE) return begun.errorCode as ErrorCode;
      const { producerId, producerEpoch } = begun;
      const v3AndBelowTransactionalId = TRANSACTIONAL_ID;
      const add = defaults(AddPartitionsToTxnRequest, {
        v3AndBelowTransactionalId,
        v3AndBelowProducerId: producerId,
        v3AndBelowProducerEpoch: producerEpoch,
        v3AndBelowTopics: [{ name, partitions: [0] }],
      });
      const added = await this.#client.ask(coordinators.addPartitions, 3, add);
      const code = added.resultsByTopicV3AndBelow[0]!.resultsByPartition[0]!.partitionErrorCode;
      if (code !== Errors.NONE) return code as ErrorCode;
      const sent = await this.#send(name, { producerId, producerEpoch });
      if (sent.errorCode !== Errors.NONE) return sent.errorCode;
      const ids = { transactionalId: TRANSACTIONAL_ID, producerId, producerEpoch };
      const end = defaults(EndTxnRequest, { ...ids, committed: true });
      const ended = await this.#client.ask(coordinators.endTxn, 3, end);
      if (ended.errorCode === Errors.NONE) done = sent;
      return ended.errorCode as ErrorCode;
    });
    if (powerLosses === this.#powerLosses) this.#transacted.push(done!);
    await this.#readTransacted();
  }

  /** Every record of a transaction that was committed is there for readers of committed records. */
  async #readTransacted(): Promise<void> {
    for (const transacted of [...this.#transacted]) {
      const { id, baseOffset } = transacted;
      const partitions = [{ partition: 0, fetchOffset: baseOffset, partitionMaxBytes: 5000 }];
      const topics = [{ topic: 'transacted', partitions }];
      const request = defaults(FetchRequest, { maxBytes: 5000, isolationLevel: READ_COMMITTED, topics });
      await this.#until('committed record', async () => {
        // A power loss may have taken it meanwhile.
        if (!this.#transacted.includes(transacted)) return Errors.NONE;
        const answer = (await this.#client.ask(apis.fetch, 11, request)).responses[0]!.partitions[0]!;
        if (answer.errorCode !== Errors.NONE) return answer.errorCode as ErrorCode;
        // Its marker is on its way.
        const isThere = this.#recordsIn(answer.records).some((record) => record.id === id);
        return isThere ? Errors.NONE : Errors.REQUEST_TIMED_OUT;
      });
    }
  }

  async #produce(name: string): Promise<void> {
    const model = this.#models.get(name)!;
    const ask = async (): Promise<ErrorCode> => {
      const powerLosses = this.#powerLosses;
      const { id, errorCode, baseOffset } = await this.#send(name);
      const lasts = name === 'flushed' || powerLosses === this.#powerLosses;
      if (errorCode === Errors.NONE && lasts) model.acknowledge(baseOffset, id);
      return errorCode as ErrorCode;
    };
    await this.#until(`produce to ${name}`, ask);
  }

  /** All of it, which must have what is known. */
  async #read(name: string): Promise<void> {
    const model = this.#models.get(name)!;
    let all: { offset: number; id: string }[] = [];
    let at = 0;
    let powerLosses = this.#powerLosses;
    const ask = async (): Promise<ErrorCode> => {
      if (powerLosses !== this.#powerLosses) {
        // What was read may be gone, and other records be in its place.
        all = [];
        at = 0;
        powerLosses = this.#powerLosses;
      }
      for (;;) {
        const partitions = [{ partition: 0, fetchOffset: at, partitionMaxBytes: 5000 }];
        const request = defaults(FetchRequest, { maxBytes: 5000, topics: [{ topic: name, partitions }] });
        const answer = (await this.#client.ask(apis.fetch, 11, request)).responses[0]!.partitions[0]!;
        if (powerLosses !== this.#powerLosses) throw new OutcomeUnknown('the machine lost its power');
        if (answer.errorCode !== Errors.NONE) return answer.errorCode as ErrorCode;
        const found = this.#recordsIn(answer.records);
        if (found.length === 0) return Errors.NONE;
        model.read(found, at, false);
        all.push(...found.filter(({ offset }) => offset >= at));
        at = found.at(-1)!.offset + 1;
      }
    };
    await this.#until(`read ${name}`, ask);
    model.readWhole(all);
  }

  #recordsIn(given: unknown): { offset: number; id: string }[] {
    const bytes = (given ?? new Uint8Array(0)) as Uint8Array;
    const found: { offset: number; id: string }[] = [];
    for (const at of batchPositions(bytes)) {
      promised(crcIsValid(bytes, at), () => 'a batch with a wrong CRC was read');
      if (isControl(bytes, at)) continue;
      for (const { offset, value } of records(bytes, { at })) {
        found.push({ offset, id: idOf(value ?? new Uint8Array(0)) });
      }
    }
    return found;
  }
}
