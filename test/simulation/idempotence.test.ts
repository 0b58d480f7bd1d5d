import { expect, test } from 'vitest';
import { Errors } from '../../src/protocol/errors.ts';
import { ProduceRequest, ProduceResponse } from '../../src/protocol/messages/produce.ts';
import { BatchBuilder } from '../../src/protocol/record-batch/builder.ts';
import { EPOCH_MS } from './event-loop.ts';
import { Scene, TOPIC } from './scene.ts';

/** What an idempotent producer is answered, whatever became of its earlier batches on the broker's side. */

const PRODUCER = 7n;
const SEQUENCE_MAX = 2 ** 31 - 1;
const { NONE, OUT_OF_ORDER_SEQUENCE_NUMBER, INVALID_PRODUCER_EPOCH } = Errors;

interface Sent {
  readonly epoch?: number;
  readonly count?: number;
  readonly key?: string;
}

/** The answer to a batch: its error and its first offset. */
async function send(scene: Scene, sequence: number, { epoch = 0, count = 1, key = 'k' }: Sent = {}) {
  const producer = { producerId: PRODUCER, producerEpoch: epoch, baseSequence: sequence };
  const batch = new BatchBuilder(producer);
  const timestamp = BigInt(EPOCH_MS + Math.floor(scene.world.nowMs));
  for (let at = 0; at < count; at++) {
    batch.append({ timestamp, key: Buffer.from(key), value: Buffer.alloc(200) });
  }
  const { responses } = await scene.ask(ProduceRequest, ProduceResponse, 9, {
    acks: -1,
    timeoutMs: 5000,
    topicData: [{ name: TOPIC, partitionData: [{ index: 0, records: batch.build() }] }],
  });
  const { errorCode, baseOffset } = responses[0]!.partitionResponses[0]!;
  return [errorCode, baseOffset];
}

/** Batches of one record, from a sequence on; the first offset is the same as the sequence. */
async function sendMany(scene: Scene, from: number, to: number): Promise<void> {
  for (let sequence = from; sequence < to; sequence++) {
    expect(await send(scene, sequence)).toEqual([NONE, sequence]);
  }
}

/** The last batch once more, a gap, and the next one. */
async function expectKnown(scene: Scene, next: number, repeats = 1): Promise<void> {
  for (let back = repeats; back > 0; back--) {
    expect(await send(scene, next - back)).toEqual([NONE, next - back]);
  }
  expect((await send(scene, next + 1))[0]).toBe(OUT_OF_ORDER_SEQUENCE_NUMBER);
  expect(await send(scene, next)).toEqual([NONE, next]);
}

test('batches that retention has deleted are known still', async () => {
  const scene = new Scene(1, {
    'log.retention.check.interval.ms': '500',
    'log.initial.task.delay.ms': '500',
  });
  await scene.begin({ 'retention.ms': '2000', 'segment.bytes': '1000', 'segment.ms': '1000' });
  await sendMany(scene, 0, 20);
  await scene.world.run(10_000);
  expect((await scene.read()).values).toEqual([]);
  await expectKnown(scene, 20, 5);
});

test('batches that compaction has emptied are known still, also after a crash', async () => {
  const scene = new Scene(1, { 'log.cleaner.backoff.ms': '200' });
  await scene.begin({
    'cleanup.policy': 'compact',
    'min.cleanable.dirty.ratio': '0',
    'segment.bytes': '1000',
    'segment.ms': '1000',
    'delete.retention.ms': '100',
  });
  await sendMany(scene, 0, 20);
  await scene.world.run(20_000);
  expect((await scene.read()).values).toHaveLength(1);
  await expectKnown(scene, 20, 5);
  scene.node.crash('kill');
  await scene.node.start();
  await expectKnown(scene, 21);
});

test('after a clean stop the last batch is known, after a crash the last five', async () => {
  const scene = new Scene(1);
  await scene.begin({ 'segment.bytes': '1500' });
  await sendMany(scene, 0, 12);
  await scene.node.stop();
  await scene.node.start();
  await expectKnown(scene, 12);
  await sendMany(scene, 13, 20);
  scene.node.crash('kill');
  await scene.node.start();
  await expectKnown(scene, 20, 5);
});

test('producers are forgotten after producer.id.expiration.ms, and not before', async () => {
  const scene = new Scene(1, {
    'producer.id.expiration.ms': '5000',
    'producer.id.expiration.check.interval.ms': '500',
    'log.initial.task.delay.ms': '500',
  });
  await scene.begin();
  await sendMany(scene, 0, 3);
  await scene.world.run(4000);
  await expectKnown(scene, 3);
  await scene.world.run(6000);
  // Whoever is unknown may begin anywhere, and what it sent before is new.
  expect(await send(scene, 3)).toEqual([NONE, 4]);
  expect(await send(scene, 90)).toEqual([OUT_OF_ORDER_SEQUENCE_NUMBER, -1]);
});

test('a higher epoch begins anew and shuts the one before out, also after a restart', async () => {
  const scene = new Scene(1);
  await scene.begin();
  await sendMany(scene, 0, 3);
  expect((await send(scene, 3, { epoch: 1 }))[0]).toBe(OUT_OF_ORDER_SEQUENCE_NUMBER);
  expect(await send(scene, 0, { epoch: 1 })).toEqual([NONE, 3]);
  expect((await send(scene, 3))[0]).toBe(INVALID_PRODUCER_EPOCH);
  await scene.node.stop();
  await scene.node.start();
  expect((await send(scene, 3))[0]).toBe(INVALID_PRODUCER_EPOCH);
  expect(await send(scene, 0, { epoch: 1 })).toEqual([NONE, 3]);
  expect(await send(scene, 1, { epoch: 1 })).toEqual([NONE, 4]);
});

test('sequences go on with 0 after 2^31 - 1, also where the node starts anew in between', async () => {
  for (const how of ['stop', 'crash'] as const) {
    const scene = new Scene(1);
    await scene.begin();
    expect(await send(scene, SEQUENCE_MAX - 1, { count: 2 })).toEqual([NONE, 0]);
    if (how === 'stop') await scene.node.stop();
    else scene.node.crash('kill');
    await scene.node.start();
    expect(await send(scene, SEQUENCE_MAX - 1, { count: 2 })).toEqual([NONE, 0]);
    expect((await send(scene, 1))[0]).toBe(OUT_OF_ORDER_SEQUENCE_NUMBER);
    expect(await send(scene, 0)).toEqual([NONE, 2]);
    expect(await send(scene, SEQUENCE_MAX - 1, { count: 2 })).toEqual([NONE, 0]);
    expect(await send(scene, 1)).toEqual([NONE, 3]);
  }
});
