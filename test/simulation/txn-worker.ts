import { defaults } from '../../src/protocol/codec.ts';
import { Errors, errorName } from '../../src/protocol/errors.ts';
import { OffsetFetchRequest, OffsetFetchResponse } from '../../src/protocol/messages/offset-fetch.ts';
import { type Membership, type Place, SESSION_TIMEOUT_MS } from './txn-membership.ts';
import type { Take } from './txn-model.ts';
import { stall, type TopicIds, WORK_TOPIC, writeOutputs } from './txn-outputs.ts';
import { type Committer, TxnProducer, type TxnProducerOptions } from './txn-producer.ts';
import { Fenced, GaveUp, MustAbort } from './txn-requests.ts';

const OFFSET_FETCH = { request: OffsetFetchRequest, response: OffsetFetchResponse };
const OFFSET_FETCH_VERSION = 9;
/** The group says that this is no member now, or that it is behind. */
const DISPLACED: ReadonlySet<number> = new Set([
  Errors.ILLEGAL_GENERATION,
  Errors.UNKNOWN_MEMBER_ID,
  Errors.STALE_MEMBER_EPOCH,
  Errors.GROUP_ID_NOT_FOUND,
]);

class Displaced extends MustAbort {}

export interface TxnWorkerOptions extends TxnProducerOptions {
  readonly membership: Membership;
  readonly topicIds: TopicIds;
  readonly isOver: () => boolean;
}

/**
 * One life of a member of a group that shares inputs with others: it takes inputs of the partitions that it was given,
 * writes outputs, and commits both in transactions, as a consumer between two polls.
 */
export class TxnWorker {
  readonly #options: TxnWorkerOptions;
  readonly #producer: TxnProducer;
  #place: Place | undefined;
  /** The next inputs, by partition; what is not known is asked for. */
  readonly #positions = new Map<number, number>();

  constructor(options: TxnWorkerOptions) {
    this.#options = options;
    this.#producer = new TxnProducer(options);
  }

  /** Ends when the faults are over, or when another one has taken its place. */
  async run(): Promise<void> {
    const { isOver, model, membership, random, client } = this.#options;
    try {
      await this.#producer.start();
      while (!isOver()) await this.#poll();
    } catch (error) {
      if (!(error instanceof Fenced || error instanceof GaveUp)) throw error;
      model.count(error instanceof Fenced ? `fenced: ${error.message}` : 'gave up');
    } finally {
      await membership.stop(random.chance(0.5));
      client.close();
    }
  }

  async #poll(): Promise<void> {
    const { membership, world, random } = this.#options;
    const place = await membership.poll();
    if (place !== this.#place) this.#positions.clear();
    this.#place = place;
    if (place === undefined || place.partitions.length === 0) await world.sleep(random.below(100));
    else await this.#process(place);
  }

  async #process(place: Place): Promise<void> {
    const { random, model } = this.#options;
    try {
      await this.#fetchPositions(place.partitions);
    } catch (error) {
      if (!(error instanceof Displaced)) throw error;
      await stall(this.#options);
      return;
    }
    const some = place.partitions.filter(() => random.chance(0.7));
    if (some.length === 0) some.push(random.pick(place.partitions));
    const takes = some.map((partition) => ({
      source: sourceOf(partition),
      from: this.#positions.get(partition)!,
      count: random.between(1, 3),
    }));
    const commits = await this.#transaction(place, takes);
    for (const [at, { from, count }] of takes.entries()) {
      if (commits) this.#positions.set(some[at]!, from + count);
    }
    if (commits) model.count('shares');
    // What an aborted transaction has read is to be read again.
    else this.#positions.clear();
  }

  /** Whether it is committed. */
  async #transaction(place: Place, takes: readonly Take[]): Promise<boolean> {
    const { model, random, transactionalId } = this.#options;
    const attempt = model.begin(transactionalId, takes);
    let commits = random.chance(0.85);
    let isBroken = false;
    try {
      await writeOutputs({ ...this.#options, producer: this.#producer }, attempt);
      await this.#freeze();
      const committer = await this.#committer(place);
      await this.#commitOffsets(committer, takes);
      await stall(this.#options);
    } catch (error) {
      if (!(error instanceof MustAbort)) throw error;
      commits = false;
      isBroken = true;
    }
    await this.#producer.end(commits);
    model.end(attempt, commits ? 'committed' : 'aborted');
    await this.#producer.prepareNext(isBroken);
    return commits;
  }

  /** Long enough for the group to give away what it has, and not so long that the transaction is aborted. */
  async #freeze(): Promise<void> {
    const { world, random, membership } = this.#options;
    if (!random.chance(0.1)) return;
    const ms = random.between(SESSION_TIMEOUT_MS / 2, 2 * SESSION_TIMEOUT_MS);
    // A process that is stopped, or one that only does not poll.
    if (random.chance(0.7)) membership.freeze(ms);
    await world.sleep(ms);
  }

  /** Who it was when it polled, or who it is now. */
  async #committer({ committer }: Place): Promise<Committer> {
    const { world, random, membership } = this.#options;
    if (random.chance(0.3)) return membership.committer;
    // One that gives its partitions back in the middle of a transaction must not say that it is whom it is then.
    for (let polls = random.chance(0.2) ? random.between(1, 8) : 0; polls > 0; polls--) {
      await membership.poll();
      await world.sleep(random.below(200));
    }
    return committer;
  }

  async #commitOffsets(who: Committer, takes: readonly Take[]): Promise<void> {
    const { topicIds } = this.#options;
    const offsets = new Map(takes.map(({ source, from, count }) => [partitionOf(source), from + count]));
    const topic = { name: WORK_TOPIC, topicId: topicIds.get(WORK_TOPIC)!, offsets };
    await this.#producer.commitOffsets([topic], who, (code) => this.#refusal(code, 'commit'));
  }

  async #fetchPositions(partitions: readonly number[]): Promise<void> {
    const { groupId, membership } = this.#options;
    const partitionIndexes = partitions.filter((partition) => !this.#positions.has(partition));
    if (partitionIndexes.length === 0) return;
    const { memberId, generationIdOrMemberEpoch: memberEpoch } = membership.committer;
    const request = defaults<OffsetFetchRequest>(OffsetFetchRequest, {
      groups: [
        {
          groupId,
          ...(membership.asksAsMember ? { memberId, memberEpoch } : {}),
          topics: [{ name: WORK_TOPIC, partitionIndexes }],
        },
      ],
      requireStable: true,
    });
    const { groups } = await this.#producer.requests.persist(
      OFFSET_FETCH,
      OFFSET_FETCH_VERSION,
      request,
      (response) => {
        const { errorCode, topics } = response.groups[0]!;
        const refused = topics.flatMap((topic) => topic.partitions).find((one) => one.errorCode !== 0);
        return errorCode === Errors.NONE ? (refused?.errorCode ?? Errors.NONE) : errorCode;
      },
      (code) => this.#refusal(code, 'fetch'),
    );
    for (const { partitionIndex, committedOffset } of groups[0]!.topics[0]!.partitions) {
      this.#positions.set(partitionIndex, Math.max(0, committedOffset));
    }
  }

  #refusal(code: number, what: string): Error | undefined {
    if (code === Errors.FENCED_INSTANCE_ID) return new Fenced(errorName(code));
    if (!DISPLACED.has(code)) return undefined;
    this.#options.model.count(`${what}: ${errorName(code)}`);
    return new Displaced(errorName(code));
  }
}

export const sourceOf = (partition: number): string => `${WORK_TOPIC}-${partition}`;

const partitionOf = (source: string): number => Number(source.slice(WORK_TOPIC.length + 1));
