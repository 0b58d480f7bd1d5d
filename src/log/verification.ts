import type { ProducerKey } from './batch-bytes.ts';

/** Of one partition. Whoever waits the longest is forgotten then, and has to ask again. */
const STATES_MAX = 10_000;

/**
 * Stands for one verification of a producer's transaction in one partition (KIP-890): compared by identity, so that the
 * answer to an earlier question opens nothing after a marker came in between.
 */
export class VerificationGuard {
  readonly startedMs: number;

  constructor(startedMs: number) {
    this.startedMs = startedMs;
  }
}

/** What a transactional batch comes with. */
export interface TransactionalAppend {
  /** Undefined where the transaction was already open in the partition when the batch came. */
  readonly guard: VerificationGuard | undefined;
}

/** Whose transaction is to be verified. */
export interface ProducerToVerify {
  readonly producerId: bigint;
  readonly epoch: number;
  /** Of the first record to come; -1 where there are no sequences. */
  readonly sequence: number;
  /** Its transactions have an epoch each (transaction version 2). */
  readonly supportsEpochBump: boolean;
}

/** A producer whose transaction is being verified, or was, and which has not appended in it yet. */
export interface VerificationState {
  readonly guard: VerificationGuard;
  readonly supportsEpochBump: boolean;
  epoch: number;
  /** No later batch may come in before this one: it may have been refused only for now. */
  lowestSequence: number;
}

/** Verifications of one partition. A producer has one at a time; it ends with its first append, or with a marker. */
export class Verifications {
  /** Made with the first one: most partitions never see a transaction. */
  #states: Map<ProducerKey, VerificationState> | undefined;

  get(key: ProducerKey): VerificationState | undefined {
    return this.#states?.get(key);
  }

  /** Begins a verification, or goes on with the one that there is. */
  start(
    key: ProducerKey,
    { epoch, sequence, supportsEpochBump }: Omit<ProducerToVerify, 'producerId'>,
    nowMs: number,
  ): VerificationGuard {
    this.#states ??= new Map();
    const state = this.#states.get(key);
    if (state === undefined) {
      if (this.#states.size >= STATES_MAX) this.#states.delete(this.#states.keys().next().value!);
      const guard = new VerificationGuard(nowMs);
      this.#states.set(key, { guard, supportsEpochBump, epoch, lowestSequence: sequence });
      return guard;
    }
    if (epoch > state.epoch || (epoch === state.epoch && sequence < state.lowestSequence)) {
      state.epoch = epoch;
      state.lowestSequence = sequence;
    }
    return state.guard;
  }

  /** The producer has appended. */
  end(key: ProducerKey): void {
    this.#states?.delete(key);
  }

  /**
   * A marker came: what was verified for the transaction that it ends is void. One of version 2 that carries the epoch
   * of the verification ends the transaction before that one.
   */
  endByMarker(key: ProducerKey, epoch: number): void {
    const state = this.#states?.get(key);
    if (state?.supportsEpochBump === true && state.epoch === epoch) return;
    this.#states?.delete(key);
  }

  /** Forgets what was asked so long ago. */
  expire(nowMs: number, expirationMs: number): void {
    for (const [key, { guard }] of this.#states ?? []) {
      if (nowMs - guard.startedMs >= expirationMs) this.#states?.delete(key);
    }
  }

  clear(): void {
    this.#states = undefined;
  }
}
