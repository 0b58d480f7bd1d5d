import { describe, expect, test } from 'vitest';
import { type Uuid, ZERO_UUID } from '../../../src/base/uuid.ts';
import { type ErrorCode, Errors } from '../../../src/protocol/errors.ts';
import {
  type FetchAnswer,
  type FetchContext,
  type FetchPartition,
  FetchSessionCache,
} from '../../../src/replication/fetch-session.ts';

const EVICTION_MS = 120_000;
const ID = 'bbbbbbbbbbbbbbbbbbbbbA' as Uuid;

function cacheOf(slotsMax: number) {
  let next = 100;
  const random = { below: () => next++, fill: () => {} };
  return new FetchSessionCache({ slotsMax, evictionMs: EVICTION_MS, random });
}

const at = (partition: number, fetchOffset = 0, topicId: Uuid = ZERO_UUID): FetchPartition => ({
  topic: 't',
  topicId,
  partition,
  fetchOffset,
  maxBytes: 1000,
  currentLeaderEpoch: -1,
  lastFetchedEpoch: -1,
  logStartOffset: -1,
});

interface Ask {
  version?: number;
  id?: number;
  epoch: number;
  isFollower?: boolean;
  partitions?: FetchPartition[];
  forgotten?: FetchPartition[];
}

function resolve(cache: FetchSessionCache, ask: Ask, nowMs = 0): FetchContext {
  return cache.resolve(
    {
      version: ask.version ?? 12,
      sessionId: ask.id ?? 0,
      sessionEpoch: ask.epoch,
      isFollower: ask.isFollower ?? false,
      partitions: ask.partitions ?? [],
      forgotten: ask.forgotten ?? [],
    },
    nowMs,
  );
}

const answerOf = (partition: FetchPartition, fields: Partial<FetchAnswer> = {}): FetchAnswer => ({
  partition,
  errorCode: Errors.NONE,
  highWatermark: 10,
  logStartOffset: 0,
  recordBytes: 0,
  mustRespond: false,
  ...fields,
});

function finish(
  context: FetchContext,
  fields: (p: FetchPartition) => Partial<FetchAnswer> = () => ({}),
  nowMs = 0,
) {
  const answers = [...context.partitions()].map((p) => answerOf(p, fields(p)));
  const result = context.finish(answers, nowMs);
  return { ...result, partitions: result.answers.map((a) => a.partition.partition) };
}

const open = (cache: FetchSessionCache, count: number, nowMs = 0, isFollower = false) =>
  finish(
    resolve(
      cache,
      { epoch: 0, isFollower, partitions: Array.from({ length: count }, (_, i) => at(i)) },
      nowMs,
    ),
    undefined,
    nowMs,
  );

describe('a session', () => {
  test('answers only what changed, and partitions with records go last', () => {
    const cache = cacheOf(10);
    const first = open(cache, 3);
    expect(first).toMatchObject({ errorCode: 0, partitions: [0, 1, 2] });
    const id = first.sessionId;
    expect(id).toBeGreaterThan(0);

    expect(finish(resolve(cache, { id, epoch: 1 })).partitions).toEqual([]);
    const third = finish(resolve(cache, { id, epoch: 2 }), (p) =>
      p.partition === 0 ? { recordBytes: 5 } : {},
    );
    expect(third.partitions).toEqual([0]);
    const fourth = resolve(cache, { id, epoch: 3 });
    expect([...fourth.partitions()].map((p) => p.partition)).toEqual([1, 2, 0]);
    expect(finish(fourth, (p) => (p.partition === 1 ? { highWatermark: 11 } : {})).partitions).toEqual([1]);
    expect(finish(resolve(cache, { id, epoch: 4 }), () => ({ logStartOffset: 3 })).partitions).toEqual([
      1, 2, 0,
    ]);
  });

  test('tells the next good answer after an error', () => {
    const cache = cacheOf(10);
    const id = open(cache, 1).sessionId;
    const bad = () => ({ errorCode: Errors.NOT_LEADER_OR_FOLLOWER as ErrorCode });
    expect(finish(resolve(cache, { id, epoch: 1 }), bad).partitions).toEqual([0]);
    expect(finish(resolve(cache, { id, epoch: 2 })).partitions).toEqual([0]);
    expect(finish(resolve(cache, { id, epoch: 3 })).partitions).toEqual([]);
  });

  test('takes new partitions, changes known ones, drops forgotten ones', () => {
    const cache = cacheOf(10);
    const id = open(cache, 2).sessionId;
    const next = resolve(cache, { id, epoch: 1, partitions: [at(1, 7), at(5)], forgotten: [at(0)] });
    expect([...next.partitions()].map((p) => [p.partition, p.fetchOffset])).toEqual([
      [1, 7],
      [5, 0],
    ]);
    expect(finish(next).partitions).toEqual([5]);
  });

  test('ends when its last partition is forgotten', () => {
    const cache = cacheOf(10);
    const id = open(cache, 1).sessionId;
    expect(finish(resolve(cache, { id, epoch: 1, forgotten: [at(0)] })).sessionId).toBe(0);
    expect(cache.size).toBe(0);
  });

  test('refuses unknown ids, wrong epochs and a change between names and ids', () => {
    const cache = cacheOf(10);
    const id = open(cache, 1).sessionId;
    expect(resolve(cache, { id: 999, epoch: 1 }).errorCode).toBe(Errors.FETCH_SESSION_ID_NOT_FOUND);
    expect(resolve(cache, { id, epoch: 2 }).errorCode).toBe(Errors.INVALID_FETCH_SESSION_EPOCH);
    expect(resolve(cache, { id, epoch: 1, version: 13 }).errorCode).toBe(Errors.FETCH_SESSION_TOPIC_ID_ERROR);
    expect(resolve(cache, { id, epoch: 1 }).errorCode).toBe(Errors.NONE);
  });

  test('fails the earlier of two requests that were sent at once', () => {
    const cache = cacheOf(10);
    const id = open(cache, 1).sessionId;
    const early = resolve(cache, { id, epoch: 1 });
    const late = resolve(cache, { id, epoch: 2 });
    expect(finish(early).errorCode).toBe(Errors.INVALID_FETCH_SESSION_EPOCH);
    expect(finish(late).errorCode).toBe(Errors.NONE);
  });

  test('tells topics apart by id from version 13 on', () => {
    const cache = cacheOf(10);
    const first = finish(resolve(cache, { version: 13, epoch: 0, partitions: [at(0, 0, ID)] }));
    const next = resolve(cache, { version: 13, id: first.sessionId, epoch: 1, partitions: [at(0, 4, ID)] });
    expect([...next.partitions()].map((p) => p.fetchOffset)).toEqual([4]);
  });

  test('is closed by a full fetch that names it, and not made for the final epoch', () => {
    const cache = cacheOf(10);
    const id = open(cache, 1).sessionId;
    expect(finish(resolve(cache, { id, epoch: -1, partitions: [at(0)] }))).toMatchObject({
      sessionId: 0,
      partitions: [0],
    });
    expect(cache.size).toBe(0);
  });
});

describe('a full cache', () => {
  test('gives no session while all are in use', () => {
    const cache = cacheOf(2);
    open(cache, 1);
    open(cache, 1);
    expect(open(cache, 5).sessionId).toBe(0);
    expect(cache.size).toBe(2);
  });

  test('evicts the session that was not used for longest, once it is stale', () => {
    const cache = cacheOf(2);
    const stale = open(cache, 9).sessionId;
    const used = open(cache, 9).sessionId;
    finish(resolve(cache, { id: used, epoch: 1 }, EVICTION_MS));
    expect(open(cache, 1, EVICTION_MS + 1).sessionId).toBeGreaterThan(0);
    expect(resolve(cache, { id: stale, epoch: 1 }).errorCode).toBe(Errors.FETCH_SESSION_ID_NOT_FOUND);
    expect(resolve(cache, { id: used, epoch: 2 }).errorCode).toBe(Errors.NONE);
  });

  test('makes room for a larger session once the smaller one had its time', () => {
    const cache = cacheOf(1);
    const id = open(cache, 2).sessionId;
    resolve(cache, { id, epoch: 1 }, EVICTION_MS);
    resolve(cache, { id, epoch: 2 }, EVICTION_MS + 1);
    expect(open(cache, 1, EVICTION_MS + 2).sessionId).toBe(0);
    expect(open(cache, 3, EVICTION_MS + 2).sessionId).toBeGreaterThan(0);
    expect(cache.size).toBe(1);
  });

  test('gives a follower the slot of a consumer, never the other way', () => {
    const cache = cacheOf(1);
    open(cache, 9);
    expect(open(cache, 1, 1, true).sessionId).toBeGreaterThan(0);
    expect(open(cache, 99, 2).sessionId).toBe(0);
  });
});
