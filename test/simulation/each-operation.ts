import type { Ports } from '../../src/base/ports.ts';
import { BrokerConfig } from '../../src/config/broker-config.ts';
import { defaults } from '../../src/protocol/codec.ts';
import { type ErrorCode, Errors, errorName } from '../../src/protocol/errors.ts';
import { CreateTopicsRequest } from '../../src/protocol/messages/create-topics.ts';
import { DeleteTopicsRequest } from '../../src/protocol/messages/delete-topics.ts';
import { FetchRequest } from '../../src/protocol/messages/fetch.ts';
import { ProduceRequest } from '../../src/protocol/messages/produce.ts';
import { BatchBuilder, batchPositions, crcIsValid, records } from '../../src/protocol/record-batch/index.ts';
import { BrokerNode, StartInterruptedError } from '../../src/server/node.ts';
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
};

/** What is seen by its answers: a disk that failed once may be named, nothing else. */
const PASSING: ReadonlySet<ErrorCode> = new Set([
  Errors.KAFKA_STORAGE_ERROR,
  Errors.NOT_CONTROLLER,
  Errors.NOT_LEADER_OR_FOLLOWER,
  Errors.LEADER_NOT_AVAILABLE,
  Errors.REQUEST_TIMED_OUT,
  Errors.UNKNOWN_TOPIC_OR_PARTITION,
]);

export interface EachOperationResult {
  /** Operations of the kinds that may fail. */
  readonly operations: number;
  readonly failed: string | undefined;
  readonly unplannedEnds: number;
}

/**
 * A node that lives a short life: topics made, written, read, rolled, trimmed and deleted; stopped in order once and
 * losing its power once. Operation `failing` on its disk fails. Rejects with a {@link Violation} where an answer is wrong,
 * an acknowledged record of a flushed topic is lost, or the node ends more than once without being told to. `canary`: the
 * disk breaks its promise, which must be noticed.
 */
export async function simulateFailure(
  failing: number | undefined,
  canary: { readonly ignoresSync?: boolean } = {},
): Promise<EachOperationResult> {
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

class Life {
  readonly #world: World;
  readonly #node: SimNode<BrokerNode>;
  readonly #client: KafkaClient;
  readonly #models = new Map<string, PartitionModel>();
  #unplannedEnds = 0;
  #powerLosses = 0;
  #nextId = 0;
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
    for (let round = 0; round < 6; round += 1) {
      for (const topic of ['flushed', 'kept', 'trimmed']) await this.#produce(topic);
    }
    await this.#produce('dropped');
    await this.#world.sleep(700);
    await this.#read('flushed');
    await this.#read('kept');
    await this.#delete('dropped');
    await this.#world.sleep(700);
  }

  async #secondScript(): Promise<void> {
    await this.#read('flushed');
    for (let round = 0; round < 3; round += 1) {
      for (const topic of ['flushed', 'kept', 'trimmed']) await this.#produce(topic);
    }
    await this.#read('kept');
    await this.#world.sleep(700);
  }

  async #verify(): Promise<void> {
    await this.#read('flushed');
    await this.#read('kept');
    for (const topic of ['flushed', 'kept', 'trimmed']) await this.#produce(topic);
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
        // It may have been told to end already, by its own disk.
        if (!(error instanceof StartInterruptedError)) this.#countEnd(error);
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
        promised(PASSING.has(code), () => `${what}: ${last}`);
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

  async #produce(name: string): Promise<void> {
    const model = this.#models.get(name)!;
    const ask = async (): Promise<ErrorCode> => {
      // One that failed may be there all the same, so each try is another record.
      const id = `${name}/${this.#nextId++}`;
      model.sent.add(id);
      const builder = new BatchBuilder({});
      builder.append({ timestamp: 1_767_225_600_000, value: selfCheckingValue(id, VALUE_BYTES) });
      const partitionData = [{ index: 0, records: Buffer.from(builder.build()) }];
      const request = defaults(ProduceRequest, {
        acks: -1,
        timeoutMs: 5000,
        topicData: [{ name, partitionData }],
      });
      const powerLosses = this.#powerLosses;
      const { responses } = await this.#client.ask(apis.produce, 9, request);
      const { errorCode, baseOffset } = responses[0]!.partitionResponses[0]!;
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
      for (const { offset, value } of records(bytes, { at })) {
        found.push({ offset, id: idOf(value ?? new Uint8Array(0)) });
      }
    }
    return found;
  }
}
