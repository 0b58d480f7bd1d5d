import type { Uuid } from '../../src/base/uuid.ts';
import type { KafkaClient } from './kafka-client.ts';
import type { SeededRandom } from './random.ts';
import type { TxnModel } from './txn-model.ts';
import type { Committer } from './txn-producer.ts';
import type { World } from './world.ts';

export const SESSION_TIMEOUT_MS = 1200;
export const REBALANCE_TIMEOUT_MS = 1500;
export const HEARTBEAT_MS = 200;
export const RETRY_MS = 100;

export interface MembershipOptions {
  readonly world: World;
  readonly random: SeededRandom;
  readonly model: TxnModel;
  /** What tells it from all other members in messages. */
  readonly name: string;
  readonly groupId: string;
  readonly groupInstanceId: string | null;
  readonly topic: { readonly name: string; readonly topicId: Uuid; readonly partitionCount: number };
  /** Two connections: joins wait, and heartbeats must not wait for them. */
  readonly client: KafkaClient;
  readonly heartbeats: KafkaClient;
}

/** What a member has, from one change of it to the next. */
export interface Place {
  readonly partitions: readonly number[];
  /** How it said who it was then. */
  readonly committer: Committer;
}

/** A member of a group, whichever protocol it speaks: what a consumer is to a loop that polls and processes. */
export interface Membership {
  /** Whether offsets are asked for as a member. */
  readonly asksAsMember: boolean;
  /** How it says who it is now. */
  readonly committer: Committer;
  /**
   * Joins where it must, gives back and takes what it is told to, and says what it has: the same object as before where
   * nothing has changed; undefined for nothing. Rejects with Fenced where another one has its instance id.
   */
  poll(): Promise<Place | undefined>;
  /** Says nothing for a while, as a process that is stopped. */
  freeze(ms: number): void;
  /** Is a member no more; without a word unless it leaves. */
  stop(leaves: boolean): Promise<void>;
}

/** What both kinds do alike: heartbeats beside everything else, and silence. */
export class Heartbeats {
  readonly #world: World;
  readonly #random: SeededRandom;
  readonly #beat: () => Promise<void>;
  #frozenUntilMs = 0;
  #isStopped = false;
  #underWay: Promise<void> = Promise.resolve();

  constructor({ world, random }: MembershipOptions, beat: () => Promise<void>) {
    this.#world = world;
    this.#random = random;
    this.#beat = beat;
    this.#next();
  }

  freeze(ms: number): void {
    this.#frozenUntilMs = this.#world.nowMs + ms;
  }

  /** One beside those that come by themselves. */
  now(): Promise<void> {
    this.#underWay = this.#underWay.then(() => this.#beat());
    return this.#underWay;
  }

  /** Waits until none is under way. Rejects with what one failed with. */
  async rest(): Promise<void> {
    let last: Promise<void>;
    do {
      last = this.#underWay;
      await last;
    } while (last !== this.#underWay);
  }

  stop(): void {
    this.#isStopped = true;
  }

  #next(): void {
    this.#world.after(this.#random.between(HEARTBEAT_MS / 2, HEARTBEAT_MS), () => {
      if (this.#isStopped) return;
      const isFrozen = this.#world.nowMs < this.#frozenUntilMs;
      const beaten = isFrozen ? Promise.resolve() : this.now();
      // The next poll is told of a failure.
      beaten.then(
        () => this.#next(),
        () => undefined,
      );
    });
  }
}
