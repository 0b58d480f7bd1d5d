import type { Random } from '../base/ports.ts';
import { type Uuid, ZERO_UUID } from '../base/uuid.ts';
import { type ErrorCode, Errors } from '../protocol/errors.ts';

/**
 * Incremental fetch sessions (KIP-227). A session remembers the partitions that a client reads and what it was last
 * told of each, so that request and response carry only what changed. The cache has a fixed number of slots; who gets
 * one when all are taken follows the KIP: stale sessions go first, then smaller ones make room for larger ones, and
 * followers (privileged) are never evicted by consumers.
 */

const NO_SESSION = 0;
/** Asks for a full fetch and a new session. */
const INITIAL_EPOCH = 0;
/** Asks for a full fetch without a session, and closes the one named. */
const FINAL_EPOCH = -1;
const EPOCH_MAX = 0x7fff_ffff;
/** Fetch names topics by id from this version on (KIP-516). */
const TOPIC_ID_VERSION_MIN = 13;

const nextEpoch = (epoch: number) => (epoch === EPOCH_MAX ? 1 : epoch + 1);

/** What a client asks of one partition. `topic` is empty where only the id was given and nobody knows it. */
export interface FetchPartition {
  topic: string;
  readonly topicId: Uuid;
  readonly partition: number;
  readonly fetchOffset: number;
  readonly maxBytes: number;
  readonly currentLeaderEpoch: number;
  readonly lastFetchedEpoch: number;
  readonly logStartOffset: number;
}

/** The part of an answer that decides whether an incremental response carries the partition. */
export interface FetchAnswer {
  readonly partition: FetchPartition;
  readonly errorCode: ErrorCode;
  readonly highWatermark: number;
  readonly logStartOffset: number;
  readonly recordBytes: number;
  /** True where the answer names a preferred replica or a diverging epoch, which must always arrive. */
  readonly mustRespond: boolean;
}

export interface FetchRequestSession {
  readonly version: number;
  readonly sessionId: number;
  readonly sessionEpoch: number;
  readonly isFollower: boolean;
  readonly partitions: readonly FetchPartition[];
  readonly forgotten: readonly Pick<FetchPartition, 'topic' | 'topicId' | 'partition'>[];
}

export interface FetchSessionResult<Answer> {
  readonly errorCode: ErrorCode;
  readonly sessionId: number;
  readonly answers: readonly Answer[];
}

/** One request's view of its session: which partitions to read, and which answers to send. */
export interface FetchContext {
  /** Not NONE where the session itself is wrong; then there is nothing to read. */
  readonly errorCode: ErrorCode;
  /** In the order in which they are to be read. */
  partitions(): Iterable<FetchPartition>;
  /** Takes all answers in the order of {@link partitions}; returns those that the response carries. */
  finish<Answer extends FetchAnswer>(answers: readonly Answer[], nowMs: number): FetchSessionResult<Answer>;
}

interface CachedPartition {
  request: FetchPartition;
  /** What the client was last told; -1 makes the next answer differ. */
  highWatermark: number;
  logStartOffset: number;
}

interface FetchSession {
  readonly id: number;
  readonly privileged: boolean;
  readonly usesTopicIds: boolean;
  readonly createdMs: number;
  lastUsedMs: number;
  epoch: number;
  readonly partitions: Map<string, CachedPartition>;
}

const keyOf = (at: Pick<FetchPartition, 'topic' | 'topicId' | 'partition'>) =>
  at.topicId === ZERO_UUID ? `${at.topic} ${at.partition}` : `${at.topicId} ${at.partition}`;

export interface FetchSessionCacheOptions {
  /** `max.incremental.fetch.session.cache.slots`. */
  readonly slotsMax: number;
  /** How long a session is safe from eviction after its last use. */
  readonly evictionMs: number;
  readonly random: Random;
}

export class FetchSessionCache {
  readonly #slotsMax: number;
  readonly #evictionMs: number;
  readonly #random: Random;
  /** In order of last use, the oldest first. */
  readonly #sessions = new Map<number, FetchSession>();

  constructor(options: FetchSessionCacheOptions) {
    this.#slotsMax = options.slotsMax;
    this.#evictionMs = options.evictionMs;
    this.#random = options.random;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** Changes the session as the request says and returns what to read for it. */
  resolve(request: FetchRequestSession, nowMs: number): FetchContext {
    const { sessionEpoch, sessionId } = request;
    if (sessionEpoch === INITIAL_EPOCH || sessionEpoch === FINAL_EPOCH) {
      this.#sessions.delete(sessionId);
      if (sessionEpoch === FINAL_EPOCH) return sessionless(request.partitions);
      return this.#fullContext(request);
    }
    const session = this.#sessions.get(sessionId);
    if (session === undefined) return failed(Errors.FETCH_SESSION_ID_NOT_FOUND);
    if (session.epoch !== sessionEpoch) return failed(Errors.INVALID_FETCH_SESSION_EPOCH);
    if (session.usesTopicIds !== request.version >= TOPIC_ID_VERSION_MIN) {
      return failed(Errors.FETCH_SESSION_TOPIC_ID_ERROR);
    }
    updateSession(session, request);
    if (session.partitions.size === 0) {
      this.#sessions.delete(sessionId);
      return sessionless(request.partitions);
    }
    this.#touch(session, nowMs);
    session.epoch = nextEpoch(session.epoch);
    return incremental(session, session.epoch);
  }

  #fullContext(request: FetchRequestSession): FetchContext {
    return {
      errorCode: Errors.NONE,
      partitions: () => request.partitions,
      finish: (answers, nowMs) => ({
        errorCode: Errors.NONE,
        sessionId: this.#create(request, answers, nowMs),
        answers,
      }),
    };
  }

  /** The id of a new session, or 0 where no slot is free and none may be taken. */
  #create(request: FetchRequestSession, answers: readonly FetchAnswer[], nowMs: number): number {
    if (this.#sessions.size >= this.#slotsMax && !this.#evictFor(request.isFollower, answers.length, nowMs)) {
      return NO_SESSION;
    }
    const partitions = new Map<string, CachedPartition>();
    for (const { partition, highWatermark, logStartOffset } of answers) {
      partitions.set(keyOf(partition), { request: partition, highWatermark, logStartOffset });
    }
    const session: FetchSession = {
      id: this.#newId(),
      privileged: request.isFollower,
      usesTopicIds: request.version >= TOPIC_ID_VERSION_MIN,
      createdMs: nowMs,
      lastUsedMs: nowMs,
      epoch: nextEpoch(INITIAL_EPOCH),
      partitions,
    };
    this.#sessions.set(session.id, session);
    return session.id;
  }

  #newId(): number {
    for (;;) {
      const id = 1 + this.#random.below(EPOCH_MAX);
      if (!this.#sessions.has(id)) return id;
    }
  }

  #touch(session: FetchSession, nowMs: number): void {
    this.#sessions.delete(session.id);
    session.lastUsedMs = nowMs;
    this.#sessions.set(session.id, session);
  }

  #evictFor(privileged: boolean, size: number, nowMs: number): boolean {
    const [oldest] = this.#sessions.values();
    if (oldest === undefined) return false;
    if (nowMs - oldest.lastUsedMs > this.#evictionMs) return this.#sessions.delete(oldest.id);
    let victim: FetchSession | undefined;
    for (const session of this.#sessions.values()) {
      if (!this.#mayEvict(session, privileged, nowMs)) continue;
      if (victim === undefined || isLessThan(session, victim.privileged, victim.partitions.size))
        victim = session;
    }
    if (victim === undefined || !isLessThan(victim, privileged, size)) return false;
    return this.#sessions.delete(victim.id);
  }

  /** A session has its slot for `evictionMs`; within that only a follower may take one, and only a consumer's. */
  #mayEvict(session: FetchSession, byPrivileged: boolean, nowMs: number): boolean {
    if (nowMs - session.createdMs > this.#evictionMs) return true;
    return byPrivileged && !session.privileged;
  }
}

/** Consumers before followers, then fewer partitions before more. */
function isLessThan(session: FetchSession, privileged: boolean, size: number): boolean {
  if (session.privileged !== privileged) return !session.privileged;
  return session.partitions.size < size;
}

function updateSession(session: FetchSession, request: FetchRequestSession): void {
  for (const partition of request.partitions) {
    const key = keyOf(partition);
    const cached = session.partitions.get(key);
    if (cached === undefined) {
      session.partitions.set(key, { request: partition, highWatermark: -1, logStartOffset: -1 });
    } else {
      cached.request = partition;
    }
  }
  for (const partition of request.forgotten) session.partitions.delete(keyOf(partition));
}

function failed(errorCode: ErrorCode): FetchContext {
  return {
    errorCode,
    partitions: () => [],
    finish: () => ({ errorCode, sessionId: NO_SESSION, answers: [] }),
  };
}

function sessionless(partitions: readonly FetchPartition[]): FetchContext {
  return {
    errorCode: Errors.NONE,
    partitions: () => partitions,
    finish: (answers) => ({ errorCode: Errors.NONE, sessionId: NO_SESSION, answers }),
  };
}

function incremental(session: FetchSession, epoch: number): FetchContext {
  return {
    errorCode: Errors.NONE,
    *partitions() {
      for (const cached of session.partitions.values()) yield cached.request;
    },
    finish: (answers) => {
      // Another request took the session further while this one waited: its client sent two at once.
      if (session.epoch !== epoch) {
        return { errorCode: Errors.INVALID_FETCH_SESSION_EPOCH, sessionId: session.id, answers: [] };
      }
      const changed = answers.filter((answer) => tellsSomethingNew(session, answer));
      return { errorCode: Errors.NONE, sessionId: session.id, answers: changed };
    },
  };
}

/** Notes what the client is told; partitions that had records go last, so that the others get their turn first. */
function tellsSomethingNew(session: FetchSession, answer: FetchAnswer): boolean {
  const key = keyOf(answer.partition);
  const cached = session.partitions.get(key);
  if (cached === undefined) return false;
  const hasError = answer.errorCode !== Errors.NONE;
  const isNew =
    hasError ||
    answer.recordBytes > 0 ||
    answer.mustRespond ||
    cached.highWatermark !== answer.highWatermark ||
    cached.logStartOffset !== answer.logStartOffset;
  // After an error the next answer is news, whatever it says.
  cached.highWatermark = hasError ? -1 : answer.highWatermark;
  cached.logStartOffset = answer.logStartOffset;
  if (answer.recordBytes > 0) {
    session.partitions.delete(key);
    session.partitions.set(key, cached);
  }
  return isNew;
}
