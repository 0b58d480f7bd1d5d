import { expect, test } from 'vitest';
import { Errors } from '../../src/protocol/errors.ts';
import * as addPartitions from '../../src/protocol/messages/add-partitions-to-txn.ts';
import * as endTxn from '../../src/protocol/messages/end-txn.ts';
import * as initProducerId from '../../src/protocol/messages/init-producer-id.ts';
import * as offsetCommit from '../../src/protocol/messages/offset-commit.ts';
import * as produce from '../../src/protocol/messages/produce.ts';
import { BatchBuilder } from '../../src/protocol/record-batch/builder.ts';
import { Scene, TOPIC } from './scene.ts';

/** Failures of other brokers with transactions, as a client of a whole node would see them. */

const ID = 'x';
const GROUP = 0;
type Protocol = 'v1' | 'v2';
const PROTOCOLS: readonly Protocol[] = ['v1', 'v2'];

class Producer {
  readonly #scene: Scene;
  readonly #protocol: Protocol;
  #id = -1n;
  epoch = -1;

  constructor(scene: Scene, protocol: Protocol) {
    this.#scene = scene;
    this.#protocol = protocol;
  }

  async init(): Promise<void> {
    const { InitProducerIdRequest, InitProducerIdResponse } = initProducerId;
    await this.#scene.until(async () => {
      const asked = { transactionalId: ID, transactionTimeoutMs: 60_000 };
      const answer = await this.#scene.ask(InitProducerIdRequest, InitProducerIdResponse, 4, asked);
      this.#id = answer.producerId;
      this.epoch = answer.producerEpoch;
      return answer.errorCode;
    });
  }

  async add(): Promise<void> {
    if (this.#protocol === 'v2') return;
    const { AddPartitionsToTxnRequest, AddPartitionsToTxnResponse } = addPartitions;
    await this.#scene.until(async () => {
      const { resultsByTopicV3AndBelow } = await this.#scene.ask(
        AddPartitionsToTxnRequest,
        AddPartitionsToTxnResponse,
        3,
        {
          v3AndBelowTransactionalId: ID,
          v3AndBelowProducerId: this.#id,
          v3AndBelowProducerEpoch: this.epoch,
          v3AndBelowTopics: [{ name: TOPIC, partitions: [0] }],
        },
      );
      return resultsByTopicV3AndBelow[0]!.resultsByPartition[0]!.partitionErrorCode;
    });
  }

  async send(value: string, baseSequence: number, producerEpoch = this.epoch): Promise<number> {
    const { ProduceRequest, ProduceResponse } = produce;
    const batch = new BatchBuilder({
      producerId: this.#id,
      producerEpoch,
      baseSequence,
      isTransactional: true,
    });
    batch.append({ timestamp: 1n, key: null, value: Buffer.from(value) });
    const version = this.#protocol === 'v2' ? 12 : 11;
    const { responses } = await this.#scene.ask(ProduceRequest, ProduceResponse, version, {
      transactionalId: ID,
      acks: -1,
      timeoutMs: 5000,
      topicData: [{ name: TOPIC, partitionData: [{ index: 0, records: batch.build() }] }],
    });
    return responses[0]!.partitionResponses[0]!.errorCode;
  }

  /** The answer says that it is decided, not that the markers are written. */
  async end(committed: boolean): Promise<void> {
    const { EndTxnRequest, EndTxnResponse } = endTxn;
    const asked = { transactionalId: ID, producerId: this.#id, producerEpoch: this.epoch, committed };
    const version = this.#protocol === 'v2' ? 5 : 4;
    const answer = await this.#scene.ask(EndTxnRequest, EndTxnResponse, version, asked);
    expect(answer.errorCode).toBe(Errors.NONE);
    if (this.#protocol === 'v2') this.epoch = answer.producerEpoch;
  }
}

test.each(PROTOCOLS)(
  'an acknowledged commit whose markers are never written because the node got SIGTERM in between, %s',
  async (protocol) => {
    for (const how of ['stop', 'crash'] as const) {
      const scene = new Scene(1);
      await scene.begin();
      await scene.findCoordinator(ID);
      const producer = new Producer(scene, protocol);
      await producer.init();
      await producer.add();
      expect(await producer.send('kept', 0)).toBe(Errors.NONE);
      // Its marker can't be written, whatever the node tries until it goes down.
      await scene.loseLeader();
      await producer.end(true);
      if (how === 'stop') await scene.node.stop();
      else scene.node.crash('kill');
      await scene.node.start();
      await scene.electLeader();
      await scene.world.run(1000);
      expect(await scene.read(), how).toEqual({ values: ['kept'], isStable: true });
    }
  },
);

/** For a group that has no members. */
async function commitOffset(scene: Scene, groupId: string): Promise<void> {
  const { OffsetCommitRequest, OffsetCommitResponse } = offsetCommit;
  await scene.until(async () => {
    const partitions = [{ partitionIndex: 0, committedOffset: 3, committedMetadata: '' }];
    const answer = await scene.ask(OffsetCommitRequest, OffsetCommitResponse, 8, {
      groupId,
      topics: [{ name: TOPIC, partitions }],
    });
    return answer.topics[0]!.partitions[0]!.errorCode;
  });
}

test('the transactions and groups of a node are loaded once after each start', async () => {
  for (const how of ['stop', 'crash'] as const) {
    const scene = new Scene(1, { 'offsets.topic.num.partitions': '1' });
    await scene.begin();
    await scene.findCoordinator(ID);
    await scene.findCoordinator('g', GROUP);
    const producer = new Producer(scene, 'v1');
    await producer.init();
    await commitOffset(scene, 'g');
    if (how === 'stop') await scene.node.stop();
    else scene.node.crash('kill');
    const { logLines } = scene.world.machine('n1');
    logLines.length = 0;
    await scene.node.start();
    await scene.world.run(1000);
    const loaded = logLines.flatMap((line) => /Loaded (\S+)/.exec(line)?.[1] ?? []);
    expect(loaded.sort(), how).toEqual(['__consumer_offsets-0', '__transaction_state-0']);
  }
});

test('torn transaction from a delayed produce of the transaction before: impossible in v2', async () => {
  const scene = new Scene(1);
  await scene.begin();
  await scene.findCoordinator(ID);
  const producer = new Producer(scene, 'v2');
  await producer.init();
  const { epoch } = producer;
  expect(await producer.send('first', 0)).toBe(Errors.NONE);
  await producer.end(false);
  // On its way since then: its transaction was aborted before it came.
  expect(await producer.send('delayed', 1, epoch)).toBe(Errors.INVALID_PRODUCER_EPOCH);
  await scene.world.run(1000);
  expect(await producer.send('second', 0)).toBe(Errors.NONE);
  expect(await producer.send('delayed', 1, epoch)).toBe(Errors.INVALID_PRODUCER_EPOCH);
  await producer.end(true);
  await scene.world.run(1000);
  expect(await scene.read()).toEqual({ values: ['second'], isStable: true });
});

test('torn transaction from a delayed produce of the transaction before: what v1 can tell, and its known hole', async () => {
  const scene = new Scene(1);
  await scene.begin();
  await scene.findCoordinator(ID);
  const producer = new Producer(scene, 'v1');
  await producer.init();
  await producer.add();
  expect(await producer.send('first', 0)).toBe(Errors.NONE);
  await producer.end(false);
  await scene.world.run(1000);
  // While no transaction is open the partition is not a part of one, and nothing comes in.
  expect(await producer.send('delayed', 1)).not.toBe(Errors.NONE);
  await producer.add();
  // The next transaction has the same epoch: nothing tells what is delayed from what belongs to it.
  expect(await producer.send('delayed', 1)).toBe(Errors.NONE);
  await producer.end(true);
  await scene.world.run(1000);
  expect(await scene.read()).toEqual({ values: ['delayed'], isStable: true });
});
