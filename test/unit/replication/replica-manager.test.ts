import { describe, expect, it } from 'vitest';
import { InlineBackground } from '../../../src/base/inline-background.ts';
import { randomUuid, type Uuid, ZERO_UUID } from '../../../src/base/uuid.ts';
import { BrokerConfig } from '../../../src/config/broker-config.ts';
import { logConfigOf } from '../../../src/config/log-config.ts';
import { MemoryStorage } from '../../../src/io/memory-storage.ts';
import { LogManager } from '../../../src/log/index.ts';
import { Errors } from '../../../src/protocol/errors.ts';
import { BatchBuilder, endTxnMarkerBatch } from '../../../src/protocol/record-batch/index.ts';
import type { ProduceResult } from '../../../src/replication/delayed-produce.ts';
import type { FetchedPartition, FetchParams, FetchTarget } from '../../../src/replication/fetch-types.ts';
import { ReplicaManager } from '../../../src/replication/replica-manager.ts';
import { ManualTime, ManualTurn, silentLogger } from '../server/fakes.ts';

const NODE = 1;
const LED = { leader: NODE, leaderEpoch: 0, partitionEpoch: 0, replicas: [NODE], isr: [NODE] };

let seed = 7;
const random = {
  below: (bound: number) => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return seed % bound;
  },
  fill: (into: Uint8Array) => {
    for (let i = 0; i < into.length; i++) into[i] = random.below(256);
  },
};

function world(fetchRoom?: () => number) {
  const turn = new ManualTurn();
  const time = new ManualTime();
  const config = BrokerConfig.parse({ profile: 'dev' });
  const configFor = (overrides = new Map<string, string>()) => logConfigOf(config, overrides);
  const storage = new MemoryStorage();
  const clocks = { storage, clock: time, timers: time, turn };
  const logs = LogManager.create({
    dirs: ['/data'],
    configFor: () => configFor(),
    ports: { ...clocks, background: new InlineBackground(clocks), logger: silentLogger, random },
  });
  const known = new Set<string>();
  const replicas = new ReplicaManager({
    localId: NODE,
    logs,
    directory: { contains: (topic, partition) => known.has(`${topic}-${partition}`) },
    timers: time,
    turn,
    logger: silentLogger,
    ...(fetchRoom === undefined ? {} : { fetchRoom }),
  });
  const lead = (topic: string, partition = 0, state = LED, overrides = new Map<string, string>()): Uuid => {
    const id = randomUuid(random);
    known.add(`${topic}-${partition}`);
    replicas.become(topic, partition, id, state, configFor(overrides), true);
    return id;
  };
  return { turn, time, logs, replicas, lead, known };
}

function batch(count: number, valueBytes = 10): Buffer {
  const builder = new BatchBuilder({ baseOffset: 0 });
  for (let i = 0; i < count; i++) {
    builder.append({
      timestamp: 1_700_000_000_000n,
      key: null,
      value: Buffer.alloc(valueBytes, i),
      headers: [],
    });
  }
  return builder.build();
}

function produce(
  { replicas }: ReturnType<typeof world>,
  acks: number,
  topic = 't',
  records = batch(1),
  timeoutMs = 1000,
) {
  const outcome: { results?: readonly ProduceResult[]; calls: number } = { calls: 0 };
  replicas.append(
    [{ topic, topicId: ZERO_UUID, partition: 0, records, transaction: undefined }],
    acks,
    timeoutMs,
    'client',
    false,
    (results) => {
      outcome.results = results;
      outcome.calls += 1;
    },
  );
  return outcome;
}

const target = (topic = 't', fetchOffset = 0, maxBytes = 1_000_000, topicId = ZERO_UUID): FetchTarget => ({
  topic,
  topicId,
  partition: 0,
  fetchOffset,
  maxBytes,
  currentLeaderEpoch: -1,
  lastFetchedEpoch: -1,
});

function fetch(
  { replicas }: ReturnType<typeof world>,
  targets: readonly FetchTarget[],
  params: Partial<FetchParams> = {},
) {
  const outcome: { fetched?: readonly FetchedPartition[]; handle?: { cancel(): void } | undefined } = {};
  outcome.handle = replicas.fetch(
    {
      replicaId: -1,
      maxWaitMs: 500,
      minBytes: 1,
      maxBytes: 10_000_000,
      isolation: 'high_watermark',
      minOneMessage: true,
      leaderOnly: true,
      ...params,
    },
    targets,
    (fetched, release) => {
      outcome.fetched = fetched;
      release();
    },
  );
  return outcome;
}

describe('append', () => {
  it.each([1, -1])('answers acks=%i once the bytes are in the log, with the offset', (acks) => {
    const w = world();
    w.lead('t');
    const first = produce(w, acks);
    const second = produce(w, acks, 't', batch(3));
    expect(first.calls).toBe(0);
    w.turn.drain();
    expect(first.results![0]).toMatchObject({ errorCode: Errors.NONE, baseOffset: 0, logStartOffset: 0 });
    expect(second.results![0]).toMatchObject({ errorCode: Errors.NONE, baseOffset: 1 });
    expect(w.replicas.partition('t', 0)!.log.highWatermark).toBe(4);
    expect(w.time.pending).toBe(0);
  });

  it('reports once for many partitions, each with its own result', () => {
    const w = world();
    w.lead('t');
    w.lead('u');
    let calls = 0;
    let codes: readonly number[] = [];
    const entry = (topic: string, records = batch(1)) => ({
      topic,
      topicId: ZERO_UUID,
      partition: 0,
      records,
      transaction: undefined,
    });
    const broken = batch(1);
    broken[30] = broken[30]! ^ 0xff;
    w.replicas.append(
      [entry('t'), entry('nowhere'), entry('u', broken), entry('__consumer_offsets')],
      1,
      1000,
      'client',
      false,
      (results) => {
        calls += 1;
        codes = results.map(({ errorCode }) => errorCode);
      },
    );
    w.turn.drain();
    expect(calls).toBe(1);
    expect(codes).toEqual([
      Errors.NONE,
      Errors.UNKNOWN_TOPIC_OR_PARTITION,
      Errors.CORRUPT_MESSAGE,
      Errors.INVALID_TOPIC_EXCEPTION,
    ]);
  });

  it('tells a partition that is elsewhere from one that is nowhere, and another topic id', () => {
    const w = world();
    w.known.add('elsewhere-0');
    expect(() => w.replicas.find('elsewhere', 0)).toThrow(
      expect.objectContaining({ code: Errors.NOT_LEADER_OR_FOLLOWER }),
    );
    w.lead('t');
    expect(() => w.replicas.find('t', 0, randomUuid(random))).toThrow(
      expect.objectContaining({ code: Errors.UNKNOWN_TOPIC_ID }),
    );
  });

  it('refuses acks=all below min.insync.replicas, and takes acks=1', () => {
    const w = world();
    w.lead('t', 0, { ...LED, replicas: [1, 2], isr: [1] }, new Map([['min.insync.replicas', '2']]));
    expect(produce(w, -1).results![0]!.errorCode).toBe(Errors.NOT_ENOUGH_REPLICAS);
    const one = produce(w, 1);
    w.turn.drain();
    expect(one.results![0]!.errorCode).toBe(Errors.NONE);
  });

  it('lets acks=all wait for the other replicas, and gives up at the timeout', () => {
    const w = world();
    w.lead('t', 0, { ...LED, replicas: [1, 2], isr: [1, 2] });
    const waiting = produce(w, -1, 't', batch(1), 300);
    w.turn.drain();
    expect(waiting.calls).toBe(0);
    expect(w.replicas.partition('t', 0)!.log.highWatermark).toBe(0);
    w.time.advance(300);
    expect(waiting.results![0]!.errorCode).toBe(Errors.REQUEST_TIMED_OUT);
    const released = produce(w, -1);
    w.turn.drain();
    const { topicId } = w.replicas.partition('t', 0)!;
    w.replicas.become(
      't',
      0,
      topicId,
      { ...LED, replicas: [1, 2], partitionEpoch: 1 },
      w.replicas.partition('t', 0)!.log.config,
      false,
    );
    expect(released.results![0]).toMatchObject({ errorCode: Errors.NONE, baseOffset: 1 });
    expect(waiting.calls).toBe(1);
  });

  it('arms a timer only for what is not done with its tick', () => {
    const w = world();
    w.lead('t');
    const before = w.time.pending;
    const armed: number[] = [];
    const after = w.time.after.bind(w.time);
    w.time.after = (delayMs, run) => {
      armed.push(delayMs);
      return after(delayMs, run);
    };
    const done = produce(w, -1, 't', batch(1), 300);
    w.turn.drain();
    expect(done.results![0]!.errorCode).toBe(Errors.NONE);
    w.lead('u', 0, { ...LED, replicas: [1, 2], isr: [1, 2] });
    produce(w, -1, 'u', batch(1), 400);
    w.turn.drain();
    expect([armed, w.time.pending - before]).toEqual([[400], 1]);
  });

  it('fails what waits for replicas when the leadership moves', () => {
    const w = world();
    w.lead('t', 0, { ...LED, replicas: [1, 2], isr: [1, 2] });
    const waiting = produce(w, -1);
    w.turn.drain();
    const { topicId, log } = w.replicas.partition('t', 0)!;
    w.replicas.become(
      't',
      0,
      topicId,
      { ...LED, leader: 2, leaderEpoch: 1, replicas: [1, 2], isr: [1, 2] },
      log.config,
      false,
    );
    expect(waiting.results![0]!.errorCode).toBe(Errors.NOT_LEADER_OR_FOLLOWER);
    expect(produce(w, 1).results![0]!.errorCode).toBe(Errors.NOT_LEADER_OR_FOLLOWER);
  });
});

describe('fetch', () => {
  it('answers at once what is there', () => {
    const w = world();
    w.lead('t');
    produce(w, 1, 't', batch(5));
    w.turn.drain();
    const { fetched, handle } = fetch(w, [target()]);
    expect(handle).toBeUndefined();
    expect(fetched![0]).toMatchObject({
      errorCode: 0,
      highWatermark: 5,
      lastStableOffset: 5,
      logStartOffset: 0,
    });
    expect(fetched![0]!.abortedTransactions).toBeNull();
    expect(fetched![0]!.sizeInBytes).toBeGreaterThan(0);
  });

  it('names no aborted transactions, as an empty list, to read_committed', () => {
    const w = world();
    w.lead('t');
    produce(w, 1);
    w.turn.drain();
    expect(fetch(w, [target()], { isolation: 'last_stable' }).fetched![0]!.abortedTransactions).toEqual([]);
  });

  it('waits for the first byte and wakes in the tick in which it is written', () => {
    const w = world();
    w.lead('t');
    const waiting = fetch(w, [target()]);
    expect(waiting.fetched).toBeUndefined();
    expect(w.replicas.parkedFetches).toBe(1);
    produce(w, 1);
    w.turn.drain();
    expect(waiting.fetched![0]!.sizeInBytes).toBeGreaterThan(0);
    expect(w.replicas.parkedFetches).toBe(0);
    expect(w.time.pending).toBe(0);
  });

  it('answers empty when the time is over', () => {
    const w = world();
    w.lead('t');
    const waiting = fetch(w, [target()], { maxWaitMs: 500 });
    w.time.advance(499);
    expect(waiting.fetched).toBeUndefined();
    w.time.advance(1);
    expect(waiting.fetched![0]).toMatchObject({ errorCode: 0, sizeInBytes: 0, highWatermark: 0 });
  });

  it('does not wait when the client does not want to', () => {
    const w = world();
    w.lead('t');
    expect(fetch(w, [target()], { maxWaitMs: 0 }).fetched).toHaveLength(1);
    expect(fetch(w, [target()], { minBytes: 0 }).fetched).toHaveLength(1);
  });

  it('waits for the end of a transaction where only committed records are read', () => {
    const w = world();
    w.lead('t');
    const transactional = (baseSequence: number) => {
      const producer = { producerId: 5n, producerEpoch: 0, baseSequence, isTransactional: true };
      const records = new BatchBuilder(producer).append({
        timestamp: 1n,
        key: null,
        value: Buffer.from('v'),
      });
      return records.build();
    };
    produce(w, 1, 't', transactional(0));
    w.turn.drain();
    const committed = fetch(w, [target()], { isolation: 'last_stable', maxWaitMs: 10_000 });
    produce(w, 1, 't', transactional(1));
    produce(w, 1);
    w.turn.drain();
    expect(committed.fetched).toBeUndefined();
    const marker = { committed: true, producerId: 5n, producerEpoch: 0, coordinatorEpoch: 0, timestamp: 1n };
    w.replicas
      .partition('t', 0)!
      .appendAsLeader(endTxnMarkerBatch(marker), 1, 'coordinator', () => undefined);
    w.turn.drain();
    expect(committed.fetched![0]).toMatchObject({ lastStableOffset: 4, abortedTransactions: [] });
  });

  it('waits until the minimum is there, over all partitions, counting no more than a partition may give', () => {
    const w = world();
    w.lead('t');
    w.lead('u');
    const size = batch(1, 1000).length;
    const waiting = fetch(w, [target('t'), target('u')], { minBytes: size * 3, maxWaitMs: 10_000 });
    const capped = fetch(w, [target('t', 0, 10)], { minBytes: 50, maxWaitMs: 10_000 });
    produce(w, 1, 't', batch(1, 1000));
    produce(w, 1, 'u', batch(1, 1000));
    w.turn.drain();
    expect(waiting.fetched).toBeUndefined();
    produce(w, 1, 't', batch(1, 1000));
    w.turn.drain();
    expect(waiting.fetched!.map(({ sizeInBytes }) => sizeInBytes)).toEqual([size * 2, size]);
    expect(capped.fetched).toBeUndefined();
  });

  it('reads no more than there is memory for, and what is in memory anyway where there is none', () => {
    const state = { room: 0 };
    const w = world(() => state.room);
    w.lead('t');
    // Large batches go to the file at once, the last one stays cached.
    for (const valueBytes of [100_000, 100_000, 10]) {
      produce(w, 1, 't', batch(1, valueBytes));
      w.turn.drain();
    }
    const sizeAt = (fetchOffset: number) =>
      fetch(w, [{ ...target(), fetchOffset }], { maxWaitMs: 0, maxBytes: 1_000_000 }).fetched![0]!
        .sizeInBytes;
    expect(sizeAt(0)).toBe(0);
    expect(sizeAt(2)).toBe(batch(1, 10).length);
    state.room = 64 * 1024;
    expect(sizeAt(0)).toBe(batch(1, 100_000).length);
    state.room = 1_000_000;
    expect(sizeAt(0)).toBeGreaterThan(200_000);
  });

  it('returns the first batch even above every limit, and only that one (KIP-74)', () => {
    const w = world();
    w.lead('t');
    w.lead('u');
    produce(w, 1, 't', batch(1, 5000));
    produce(w, 1, 'u', batch(1, 5000));
    w.turn.drain();
    const { fetched } = fetch(w, [target('t', 0, 100), target('u', 0, 100)], { maxBytes: 50 });
    expect(fetched!.map(({ sizeInBytes }) => sizeInBytes > 0)).toEqual([true, false]);
    const total = fetch(w, [target('t'), target('u')], { maxBytes: 6_000 }).fetched!;
    expect(total.map(({ sizeInBytes }) => sizeInBytes > 0)).toEqual([true, false]);
  });

  it('answers at once for an offset out of range, an unknown partition, a wrong epoch and a wrong topic id', () => {
    const w = world();
    w.lead('t');
    for (const [one, code] of [
      [target('t', 99), Errors.OFFSET_OUT_OF_RANGE],
      [target('nowhere'), Errors.UNKNOWN_TOPIC_OR_PARTITION],
      [{ ...target(), currentLeaderEpoch: 5 }, Errors.UNKNOWN_LEADER_EPOCH],
      [{ ...target(), topicId: randomUuid(random) }, Errors.INCONSISTENT_TOPIC_ID],
    ] as const) {
      expect(fetch(w, [one]).fetched![0]).toMatchObject({ errorCode: code, highWatermark: -1 });
    }
  });

  it('is answered when its partition is deleted while it waits', () => {
    const w = world();
    w.lead('t');
    const waiting = fetch(w, [target()]);
    w.replicas.remove('t', 0);
    w.turn.drain();
    expect(waiting.fetched![0]!.errorCode).not.toBe(Errors.NONE);
    expect(w.replicas.parkedFetches).toBe(0);
  });

  it('is forgotten when it is cancelled', () => {
    const w = world();
    w.lead('t');
    const waiting = fetch(w, [target()]);
    waiting.handle!.cancel();
    produce(w, 1);
    w.turn.drain();
    w.time.advance(1000);
    expect(waiting.fetched).toBeUndefined();
    expect(w.replicas.parkedFetches).toBe(0);
    expect(w.time.pending).toBe(0);
  });

  it('tells a fetcher with another history where its epoch ends here', () => {
    const w = world();
    const id = w.lead('t');
    produce(w, 1, 't', batch(2));
    w.turn.drain();
    const { log } = w.replicas.partition('t', 0)!;
    w.replicas.become('t', 0, id, { ...LED, leaderEpoch: 3 }, log.config, true);
    produce(w, 1, 't', batch(2));
    w.turn.drain();
    const { fetched } = fetch(w, [{ ...target('t', 4), lastFetchedEpoch: 1 }], { maxWaitMs: 1000 });
    expect(fetched![0]).toMatchObject({ errorCode: 0, divergingEpoch: { leaderEpoch: 0, endOffset: 2 } });
  });
});
