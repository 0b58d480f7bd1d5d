import { beforeEach, describe, expect, it } from 'vitest';
import { CoordinatorRuntime } from '../../../src/coordinator/runtime/coordinator-runtime.ts';
import type { RecordSerde } from '../../../src/coordinator/runtime/ports.ts';
import {
  type CoordinatorResult,
  type Outcome,
  UNHURRIED_MS,
} from '../../../src/coordinator/runtime/result.ts';
import type {
  CoordinatorShard,
  ShardContext,
  TransactionResult,
} from '../../../src/coordinator/runtime/shard.ts';
import type { CoordinatorTimer } from '../../../src/coordinator/runtime/timer.ts';
import { Errors } from '../../../src/protocol/errors.ts';
import { BatchBuilder } from '../../../src/protocol/record-batch/builder.ts';
import { endTxnMarkerBatch } from '../../../src/protocol/record-batch/control.ts';
import { recordCount, setBaseOffset } from '../../../src/protocol/record-batch/header.ts';
import { records } from '../../../src/protocol/record-batch/records.ts';
import { MemoryLog, silent, turnOver, VirtualTime } from './support.ts';

const POISON = 'poison';
let encoded = 0;
const serde: RecordSerde<string> = {
  encode: (record) => {
    encoded += 1;
    return { key: Buffer.from('k'), value: Buffer.from(record) };
  },
  decode: (_key, value) => (value === null ? undefined : Buffer.from(value).toString()),
};

/** A list of words. */
class Words implements CoordinatorShard<string> {
  readonly words: string[] = [];
  readonly offsets: number[] = [];
  readonly timer: CoordinatorTimer;
  readonly ends: string[] = [];
  unloaded = false;

  constructor(context: ShardContext<string>) {
    this.timer = context.timer('later', () => ({ records: ['timer'], response: undefined }));
  }

  replay(word: string, { offset, producerId }: { offset: number; producerId: bigint }): void {
    if (word === POISON) throw new Error('this word is not replayed');
    this.words.push(producerId === -1n ? word : `${word} of ${producerId}`);
    this.offsets.push(offset);
  }

  replayEndTransactionMarker(producerId: bigint, result: TransactionResult): void {
    this.ends.push(`${result} ${producerId}`);
  }

  onLoaded(): void {}

  onUnloaded(): void {
    this.unloaded = true;
  }
}

let time: VirtualTime;
let log: MemoryLog;
let shards: Words[];
let runtime: CoordinatorRuntime<Words, string>;
let outcomes: Outcome<unknown>[];

const codes = () => outcomes.map((outcome) => (outcome.ok ? outcome.response : outcome.error.code));
const add =
  (...records: string[]) =>
  (shard: Words): CoordinatorResult<number, string> => ({ records, response: shard.words.length });

function write(handler: (shard: Words) => CoordinatorResult<unknown, string>): void {
  runtime.write('test', 0, handler, (outcome) => outcomes.push(outcome));
}

beforeEach(() => {
  time = new VirtualTime();
  log = new MemoryLog();
  shards = [];
  outcomes = [];
  runtime = new CoordinatorRuntime<Words, string>({
    topic: 'words',
    clock: time,
    timers: time,
    turn: time,
    logger: silent,
    serde,
    makeShard: (context) => {
      const shard = new Words(context);
      shards.push(shard);
      return shard;
    },
    compression: 'none',
    commitTimeoutMs: 5000,
    loadBufferBytes: 1000,
  });
});

describe('a shard of a coordinator', () => {
  it('replays records before the next handler, and writes those of a tick as one batch', () => {
    log.commitsAtOnce = false;
    runtime.load(0, log);
    write(add('a', 'b'));
    write(add('c'));
    expect(shards[0]!.words).toEqual(['a', 'b', 'c']);
    expect(shards[0]!.offsets).toEqual([0, 1, 2]);
    expect(log.batches).toHaveLength(0);
    time.settle();
    expect(log.batches.map((batch) => recordCount(batch, 0))).toEqual([3]);
    expect(codes()).toEqual([]);
    log.commit();
    expect(codes()).toEqual([0, 2]);
  });

  it('writes what goes first before the rest of the tick, with the records before it', () => {
    runtime.load(0, log);
    const seen: unknown[] = [];
    time.later(() => seen.push(codes()));
    write(add('a'));
    write((shard) => ({ ...add('b')(shard), pace: 'first' }));
    time.first(() => write(add('c')));
    expect(log.batches).toHaveLength(0);
    time.settle();
    expect(seen).toEqual([[0, 1]]);
    expect(codes()).toEqual([0, 1, 2]);
    expect(log.batches.map((batch) => recordCount(batch, 0))).toEqual([2, 1]);
    expect(shards[0]!.offsets).toEqual([0, 1, 2]);
  });

  it('lets unhurried records wait for the next ones, and answers nobody later for them', () => {
    log.commitsAtOnce = false;
    runtime.load(0, log);
    const unhurried = (word: string) => (shard: Words) => ({
      ...add(word)(shard),
      pace: 'unhurried' as const,
    });
    write(unhurried('a'));
    write(add());
    time.settle();
    expect(codes()).toEqual([0, 1]);
    expect(log.batches).toHaveLength(0);
    write(add('b'));
    write(unhurried('c'));
    time.settle();
    expect(log.batches.map((batch) => recordCount(batch, 0))).toEqual([3]);
    expect(codes()).toEqual([0, 1]);
    log.commit();
    expect(codes()).toEqual([0, 1, 1, 2]);
    expect(shards[0]!.offsets).toEqual([0, 1, 2]);
  });

  it('writes unhurried records after a while, and before the shard goes', () => {
    runtime.load(0, log);
    const unhurried = (word: string) => (shard: Words) => ({
      ...add(word)(shard),
      pace: 'unhurried' as const,
    });
    write(unhurried('a'));
    time.advance(UNHURRIED_MS - 1);
    expect(log.batches).toHaveLength(0);
    time.advance(1);
    expect(log.batches).toHaveLength(1);
    write(unhurried('b'));
    runtime.unload(0);
    expect(log.batches).toHaveLength(2);
    expect(time.timersWaiting).toBe(0);
  });

  it('encodes a record once, also where its batch begins anew for it', () => {
    log.batchBytesMax = 250;
    runtime.load(0, log);
    encoded = 0;
    const words = Array.from({ length: 10 }, (_, at) => String(at).repeat(30));
    for (const word of words) write(add(word));
    time.settle();
    expect(log.batches.length).toBeGreaterThan(2);
    const values = log.batches.flatMap((batch) =>
      Array.from(records(batch), ({ value }) => Buffer.from(value!).toString()),
    );
    expect(values).toEqual(words);
    // Once more for each batch that was appended in between.
    expect(encoded).toBe(words.length + log.batches.length - 1);
  });

  it('answers a read when what it saw is committed', () => {
    log.commitsAtOnce = false;
    runtime.load(0, log);
    const read = () =>
      runtime.read(
        'read',
        0,
        (shard) => shard.words.join(),
        (one) => outcomes.push(one),
      );
    read();
    expect(codes()).toEqual(['']);
    write(add('a'));
    read();
    time.settle();
    expect(codes()).toEqual(['']);
    log.commit();
    expect(codes()).toEqual(['', 0, 'a']);
  });

  it('fails an answer whose records are not committed in time, and keeps the records', () => {
    log.commitsAtOnce = false;
    runtime.load(0, log);
    write(add('a'));
    time.advance(4999);
    expect(codes()).toEqual([]);
    time.advance(1);
    expect(codes()).toEqual([Errors.REQUEST_TIMED_OUT]);
    log.commit();
    expect(shards[0]!.words).toEqual(['a']);
    expect(codes()).toHaveLength(1);
  });

  it('refuses requests that are not for here, and those that come while it loads', async () => {
    write(add('a'));
    log.append(batchOf('x'), () => undefined);
    runtime.load(0, log);
    write(add('b'));
    await turnOver(time);
    write(add('c'));
    time.settle();
    runtime.unload(0);
    write(add('d'));
    expect(codes()).toEqual([
      Errors.NOT_COORDINATOR,
      Errors.COORDINATOR_LOAD_IN_PROGRESS,
      1,
      Errors.NOT_COORDINATOR,
    ]);
    expect(shards[0]!.unloaded).toBe(true);
  });

  it('answers whoever waits when it is unloaded', () => {
    log.commitsAtOnce = false;
    runtime.load(0, log);
    write(add('a'));
    time.settle();
    runtime.unload(0);
    expect(codes()).toEqual([Errors.NOT_COORDINATOR]);
    log.commit();
    expect(codes()).toHaveLength(1);
    expect(time.timersWaiting).toBe(0);
  });

  it('is loaded again when an append fails, with what the log has', async () => {
    runtime.load(0, log);
    write(add('a'));
    time.settle();
    log.commitsAtOnce = false;
    write(add('b'));
    time.settle();
    write(add('c'));
    log.fail(new Error('the disk is full'));
    expect(codes()).toEqual([0, Errors.NOT_COORDINATOR, Errors.NOT_COORDINATOR]);
    await turnOver(time);
    log.commitsAtOnce = true;
    write(add('d'));
    time.settle();
    expect(shards).toHaveLength(2);
    expect(shards[1]!.words).toEqual(['a', 'd']);
    expect(codes().at(-1)).toBe(1);
  });

  it('is loaded again when an append is refused at once', async () => {
    runtime.load(0, log);
    log.refusal = Errors.NOT_ENOUGH_REPLICAS;
    write(add('a'));
    time.settle();
    expect(codes()).toEqual([Errors.NOT_COORDINATOR]);
    await turnOver(time);
    expect(shards[1]!.words).toEqual([]);
  });

  it('is loaded again when a replay throws: nothing of that handler is written', async () => {
    runtime.load(0, log);
    write(add('a'));
    time.settle();
    write(add('b', POISON));
    expect(codes()).toEqual([0, Errors.NOT_COORDINATOR]);
    await turnOver(time);
    expect(shards[1]!.words).toEqual(['a']);
    expect(log.batches).toHaveLength(1);
  });

  it('begins its next life only when no append is on its way any more', async () => {
    log.commitsAtOnce = false;
    runtime.load(0, log);
    write(add('a'));
    time.settle();
    write(add(POISON));
    await turnOver(time);
    write(add('b'));
    expect(codes().at(-1)).toBe(Errors.COORDINATOR_LOAD_IN_PROGRESS);
    log.commit();
    await turnOver(time);
    expect(shards[1]!.words).toEqual(['a']);
  });

  it('is loaded again when somebody else wrote into its partition', async () => {
    runtime.load(0, log);
    log.append(batchOf('x'), () => undefined);
    write(add('a'));
    time.settle();
    await turnOver(time);
    expect(shards.at(-1)!.words).toEqual(['x', 'a']);
  });

  it('refuses records that fit into no batch, and goes on', () => {
    log.batchBytesMax = 200;
    runtime.load(0, log);
    const settled: unknown[] = [];
    write(() => ({ records: ['y'.repeat(300)], response: 1, settled: (error) => settled.push(error?.code) }));
    write(add('a'));
    time.settle();
    expect(codes()).toEqual([Errors.RECORD_LIST_TOO_LARGE, 0]);
    expect(settled).toEqual([Errors.RECORD_LIST_TOO_LARGE]);
    expect(shards).toHaveLength(1);
  });

  it('begins another batch where the next records do not fit, and spreads those that may be spread', () => {
    log.batchBytesMax = 300;
    runtime.load(0, log);
    write(add('y'.repeat(80)));
    write(add('z'.repeat(80), 'z'.repeat(20)));
    write(() => ({ records: Array.from({ length: 9 }, () => 'w'.repeat(50)), response: 1, atomic: false }));
    time.settle();
    const counts = log.batches.map((batch) => recordCount(batch, 0));
    expect(counts.reduce((sum, count) => sum + count)).toBe(12);
    expect(Math.max(...log.batches.map((batch) => batch.length))).toBeLessThanOrEqual(300);
    expect(shards[0]!.offsets).toEqual(Array.from({ length: 12 }, (_, i) => i));
  });

  it('keeps what a handler changed itself out of replay until it is loaded', () => {
    runtime.load(0, log);
    write(() => ({ records: ['a'], response: 1, replay: false }));
    time.settle();
    expect(shards[0]!.words).toEqual([]);
    expect(log.batches).toHaveLength(1);
  });

  it('writes what its timers decide', () => {
    runtime.load(0, log);
    shards[0]!.timer.arm(100);
    time.advance(60);
    shards[0]!.timer.arm(100);
    time.advance(60);
    expect(shards[0]!.words).toEqual([]);
    time.advance(40);
    expect(shards[0]!.words).toEqual(['timer']);
    expect(log.batches).toHaveLength(1);
    shards[0]!.timer.arm(100);
    runtime.unload(0);
    expect(time.timersWaiting).toBe(0);
  });

  it('moves a timer forward too', () => {
    runtime.load(0, log);
    shards[0]!.timer.arm(1000);
    shards[0]!.timer.arm(10);
    time.advance(10);
    expect(shards[0]!.words).toEqual(['timer']);
  });

  it('runs no answer inside a handler', () => {
    runtime.load(0, log);
    const order: string[] = [];
    const nested = () =>
      runtime.read(
        'inner',
        0,
        () => order.push('inner handler'),
        () => order.push('inner answer'),
      );
    runtime.write(
      'outer',
      0,
      () => {
        runtime.read('first', 0, () => 0, nested);
        order.push('outer handler');
        return { records: [], response: 0 };
      },
      () => order.push('outer answer'),
    );
    expect(order).toEqual(['outer handler', 'inner handler', 'outer answer', 'inner answer']);
  });

  it('knows records of transactions and their ends', async () => {
    const transactional = new BatchBuilder({
      producerId: 7n,
      producerEpoch: 0,
      baseSequence: 0,
      isTransactional: true,
    });
    log.append(
      transactional.append({ key: Buffer.from('k'), value: Buffer.from('t') }).build(),
      () => undefined,
    );
    const marker = { producerId: 7n, producerEpoch: 0, coordinatorEpoch: 0, timestamp: 0n };
    log.append(endTxnMarkerBatch({ ...marker, committed: true }), () => undefined);
    log.append(endTxnMarkerBatch({ ...marker, committed: false }), () => undefined);
    runtime.load(0, log);
    await turnOver(time);
    expect(shards[0]!.words).toEqual(['t of 7']);
    expect(shards[0]!.ends).toEqual(['commit 7', 'abort 7']);
    write(add('a'));
    expect(shards[0]!.offsets).toEqual([0, 3]);
  });

  it('has no coordinator where its log can not be read', async () => {
    log.append(batchOf(POISON), () => undefined);
    runtime.load(0, log);
    await turnOver(time);
    write(add('a'));
    expect(codes()).toEqual([Errors.NOT_COORDINATOR]);
  });

  it('is loaded once its log can be read again, asked for less and less often', async () => {
    log.append(batchOf('kept'), () => undefined);
    const read = log.read.bind(log);
    let reads = 0;
    log.read = (from, maxBytes) => {
      reads += 1;
      if (reads <= 9) throw new Error('the disk does not answer');
      return read(from, maxBytes);
    };
    runtime.load(0, log);
    await turnOver(time);
    for (const delayMs of [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]) {
      const before = reads;
      time.advance(delayMs - 1);
      await turnOver(time);
      expect(reads).toBe(before);
      time.advance(1);
      await turnOver(time);
      expect(reads).toBe(before + 1);
    }
    expect(runtime.errorOf(0)).toBe(Errors.NOT_COORDINATOR);
    time.advance(60_000);
    expect(runtime.errorOf(0)).toBe(Errors.COORDINATOR_LOAD_IN_PROGRESS);
    await turnOver(time);
    write(add('a'));
    time.settle();
    expect(codes()).toEqual([1]);
    expect(shards.at(-1)!.words).toEqual(['kept', 'a']);
  });

  it('is not loaded again where somebody else leads it meanwhile', async () => {
    log.append(batchOf(POISON), () => undefined);
    runtime.load(0, log);
    await turnOver(time);
    runtime.unload(0);
    expect(time.timersWaiting).toBe(0);
    expect(runtime.errorOf(0)).toBe(Errors.NOT_COORDINATOR);
  });

  it('answers an unexpected throw as a server error and goes on', () => {
    runtime.load(0, log);
    write(() => {
      throw new Error('a bug');
    });
    write(add('a'));
    time.settle();
    expect(codes()).toEqual([Errors.UNKNOWN_SERVER_ERROR, 0]);
  });
});

function batchOf(word: string): Buffer {
  const batch = new BatchBuilder().append({ key: Buffer.from('k'), value: Buffer.from(word) }).build();
  setBaseOffset(batch, 0, 0);
  return batch;
}
