import type { Uuid } from '../base/uuid.ts';
import type {
  AppendInfo,
  AppendOptions,
  AppendOrigin,
  EpochEndOffset,
  PartitionLog,
  ProducerToVerify,
  TransactionalAppend,
  VerificationGuard,
} from '../log/index.ts';
import { type ErrorCode, Errors, ProtocolError } from '../protocol/errors.ts';
import { WaitingFetches } from './delayed-fetch.ts';

/** What the metadata log says of one partition. */
export interface PartitionState {
  readonly leader: number;
  readonly leaderEpoch: number;
  readonly partitionEpoch: number;
  readonly replicas: readonly number[];
  readonly isr: readonly number[];
}

export interface PartitionOptions {
  readonly localId: number;
  readonly topic: string;
  readonly partition: number;
  readonly topicId: Uuid;
  readonly log: PartitionLog;
  /** The high watermark or the log end moved: waiting fetches may have something to read. */
  readonly onProgress: (partition: Partition) => void;
}

/** What is special about an append. */
export interface SpecialAppend {
  /** See `AppendOptions` of the log. */
  readonly atOnce?: boolean | undefined;
  /** Of data: see `AppendOptions` of the log. */
  readonly transaction?: TransactionalAppend | undefined;
  /** Of a marker. */
  readonly transactionVersion?: number | undefined;
}

/** Appends with acks=all that are written here and wait for the other replicas. */
interface ReplicationWait {
  readonly requiredOffset: number;
  readonly finished: (error: Error | undefined) => void;
}

function optionsOf(
  origin: AppendOrigin,
  done: (error: Error | undefined) => void,
  given: SpecialAppend | undefined,
): AppendOptions {
  return {
    origin,
    done,
    atOnce: given?.atOnce,
    transaction: given?.transaction,
    transactionVersion: given?.transactionVersion,
  };
}

/** Why a leader epoch in a request is refused: -1 asks for no check. */
function checkLeaderEpoch(current: number, asked: number): ErrorCode {
  if (asked === -1 || asked === current) return Errors.NONE;
  return asked < current ? Errors.FENCED_LEADER_EPOCH : Errors.UNKNOWN_LEADER_EPOCH;
}

/**
 * One partition that this node holds: its log, its role and its high watermark. While this node is the only in-sync
 * replica the high watermark follows the log end.
 */
export class Partition {
  readonly topic: string;
  readonly partition: number;
  readonly topicId: Uuid;
  #log: PartitionLog;
  readonly #localId: number;
  readonly #onProgress: (partition: Partition) => void;
  #state: PartitionState;
  #leaderEpochStartOffset = -1;
  /** In the order of their offsets. */
  #replicationWaits: ReplicationWait[] = [];

  /** Fetches that wait for more of this partition. */
  readonly waitingFetches = new WaitingFetches();
  /** Whether it is already noted that waiting fetches are to be looked at. */
  progressNoted = false;

  constructor(options: PartitionOptions) {
    this.topic = options.topic;
    this.partition = options.partition;
    this.topicId = options.topicId;
    this.#log = options.log;
    this.#localId = options.localId;
    this.#onProgress = options.onProgress;
    this.#state = { leader: -1, leaderEpoch: -1, partitionEpoch: -1, replicas: [], isr: [] };
    this.log.onAppended = () => this.#appended();
  }

  get log(): PartitionLog {
    return this.#log;
  }

  get state(): PartitionState {
    return this.#state;
  }

  get isLeader(): boolean {
    return this.#state.leader === this.#localId;
  }

  get leaderEpoch(): number {
    return this.#state.leaderEpoch;
  }

  /** Takes what the metadata says now; a new leader epoch starts at the log end. */
  update(state: PartitionState): void {
    const newEpoch = state.leaderEpoch > this.#state.leaderEpoch;
    this.#state = state;
    if (!this.isLeader) {
      this.#failWaits(Errors.NOT_LEADER_OR_FOLLOWER);
      return;
    }
    if (newEpoch) {
      this.#leaderEpochStartOffset = this.log.logEndOffset;
      this.log.announceEpoch(state.leaderEpoch);
    }
    this.#advance();
  }

  /** Goes on with another log that has all batches of the one before: the replica has moved to another dir. */
  replaceLog(log: PartitionLog): void {
    this.#log.onAppended = () => {};
    this.#log = log;
    log.onAppended = () => this.#appended();
    if (!this.isLeader) return;
    log.announceEpoch(this.#state.leaderEpoch);
    this.#advance();
  }

  /** The partition is going away here: whoever waits for it is told so. */
  retire(code: ErrorCode): void {
    this.#state = { ...this.#state, leader: -1 };
    this.#failWaits(code);
  }

  /** The log, if the request's view of the leader epoch is current and this node may answer. */
  readableLog(currentLeaderEpoch: number, leaderOnly: boolean): PartitionLog {
    const code = this.readError(currentLeaderEpoch, leaderOnly);
    if (code !== Errors.NONE) throw new ProtocolError(code);
    return this.log;
  }

  readError(currentLeaderEpoch: number, leaderOnly: boolean): ErrorCode {
    const code = checkLeaderEpoch(this.#state.leaderEpoch, currentLeaderEpoch);
    if (code !== Errors.NONE) return code;
    if (leaderOnly && !this.isLeader) return Errors.NOT_LEADER_OR_FOLLOWER;
    return this.log.isOffline ? Errors.KAFKA_STORAGE_ERROR : Errors.NONE;
  }

  /**
   * Appends; `finished` runs once, when as many replicas have it as `requiredAcks` asks for, or with the error. It may
   * run before this returns, and does with `atOnce` where nobody else has to have it. Throws `ProtocolError` when nothing
   * was appended.
   */
  appendAsLeader(
    records: Buffer,
    requiredAcks: number,
    origin: AppendOrigin,
    finished: (error: Error | undefined) => void,
    special?: SpecialAppend,
  ): AppendInfo {
    if (!this.isLeader) throw new ProtocolError(Errors.NOT_LEADER_OR_FOLLOWER);
    if (requiredAcks !== -1) {
      return this.log.appendAsLeader(records, this.#state.leaderEpoch, optionsOf(origin, finished, special));
    }
    const minIsr = Math.min(this.log.config.minInsyncReplicas, Math.max(1, this.#state.replicas.length));
    if (this.#state.isr.length < minIsr) {
      throw new ProtocolError(
        Errors.NOT_ENOUGH_REPLICAS,
        `The current ISR [${this.#state.isr.join(', ')}] of partition ${this.topic}-${this.partition} is smaller than the ${minIsr} replicas that min.insync.replicas asks for`,
      );
    }
    let info: AppendInfo | undefined;
    let written = false;
    let failure: Error | undefined;
    const done = (error: Error | undefined): void => {
      written = true;
      failure = error;
      if (info !== undefined) this.#awaitReplicas(info.lastOffset + 1, error, finished);
    };
    info = this.log.appendAsLeader(records, this.#state.leaderEpoch, optionsOf(origin, done, special));
    if (written) this.#awaitReplicas(info.lastOffset + 1, failure, finished);
    return info;
  }

  /**
   * Begins to verify that a producer's transaction includes this partition; undefined where it is open here. Throws
   * NOT_LEADER_OR_FOLLOWER, KAFKA_STORAGE_ERROR or INVALID_PRODUCER_EPOCH.
   */
  startVerification(producer: ProducerToVerify, nowMs: number): VerificationGuard | undefined {
    return this.readableLog(-1, true).producers.startVerification(producer, nowMs);
  }

  /**
   * Moves the log start to `offset`, or to the high watermark for -1, and returns where the log starts now. Throws
   * POLICY_VIOLATION for a topic that is only compacted, OFFSET_OUT_OF_RANGE, NOT_LEADER_OR_FOLLOWER.
   */
  deleteRecordsBefore(offset: number): number {
    const log = this.readableLog(-1, true);
    const policy = log.config.cleanupPolicy;
    if (policy.includes('compact') && !policy.includes('delete')) {
      throw new ProtocolError(
        Errors.POLICY_VIOLATION,
        `cleanup.policy of ${this.topic} does not allow to delete records`,
      );
    }
    return log.deleteRecordsBefore(offset);
  }

  /** KIP-101, KIP-320: where the last epoch that is not after `epoch` ends; undefined where that is not known. */
  endOffsetForEpoch(epoch: number): EpochEndOffset | undefined {
    if (epoch === this.#state.leaderEpoch && this.isLeader) {
      return { leaderEpoch: epoch, endOffset: this.log.logEndOffset };
    }
    return this.log.endOffsetForEpoch(epoch);
  }

  /** KIP-207: a leader that is behind the start of its own epoch can't name the latest offset yet. */
  get offsetsAreKnown(): boolean {
    return this.#leaderEpochStartOffset <= this.log.highWatermark;
  }

  #appended(): void {
    if (this.isLeader) this.#advance();
  }

  #advance(): void {
    const isr = this.#state.isr;
    const alone = isr.length === 0 || (isr.length === 1 && isr[0] === this.#localId);
    if (!alone) return;
    const moved = this.log.updateHighWatermark(this.log.logEndOffset);
    if (!moved) return;
    if (this.#replicationWaits.length > 0) this.#settleWaits();
    if (!this.waitingFetches.isEmpty) this.#onProgress(this);
  }

  #awaitReplicas(
    requiredOffset: number,
    error: Error | undefined,
    finished: (error: Error | undefined) => void,
  ): void {
    if (error !== undefined || this.log.highWatermark >= requiredOffset) finished(error);
    else this.#replicationWaits.push({ requiredOffset, finished });
  }

  #settleWaits(): void {
    const reached = this.log.highWatermark;
    const waits = this.#replicationWaits;
    let count = 0;
    while (count < waits.length && waits[count]!.requiredOffset <= reached) count += 1;
    if (count === 0) return;
    this.#replicationWaits = waits.slice(count);
    for (let i = 0; i < count; i++) waits[i]!.finished(undefined);
  }

  #failWaits(code: ErrorCode): void {
    const waits = this.#replicationWaits;
    this.#replicationWaits = [];
    for (const wait of waits) wait.finished(new ProtocolError(code));
    if (!this.waitingFetches.isEmpty) this.#onProgress(this);
  }
}
