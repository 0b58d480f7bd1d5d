import { partitionFolder } from './file-names.ts';
import type { PartitionLog } from './log.ts';
import type { MoveThrottle } from './move-throttle.ts';
import { appendAll, copyLog, cutDivergence } from './replica-copy.ts';
import { guarded, rethrow } from './storage-errors.ts';
import type { LogPorts, LogState } from './types.ts';

export interface ReplicaMoveInput {
  readonly ports: LogPorts;
  readonly throttle: MoveThrottle;
  readonly source: PartitionLog;
  /** What there is of it in the other dir. */
  readonly copy: PartitionLog;
  /** Opens the copy's folder anew; `cleanEnd`: all below is in it, and synced. Throws ProtocolError. */
  readonly open: (dir: string, cleanEnd: number | undefined) => PartitionLog;
  /** `next` lies under the partition's name and takes the place of the source now. */
  readonly replace: (next: PartitionLog) => void;
}

/** The move is over before its end: it was cancelled, or the node stops. */
export class MoveEndedError extends Error {
  constructor() {
    super('the move was ended');
    this.name = 'MoveEndedError';
  }
}

/**
 * One replica on its way to another log dir (KIP-113): its copy there follows the log while that one serves. When it has
 * caught up, appends are held for a few syncs, the copy is closed in order and gets the partition's name, and within one
 * turn of the loop it takes over what was held and everything else. Until then the old folder has all that was ever
 * answered, from then on the new one: whichever a start finds after a crash, or both, nothing is lost.
 */
export class ReplicaMove {
  readonly source: PartitionLog;
  readonly #input: ReplicaMoveInput;
  readonly #futureDir: string;
  #copy: PartitionLog;
  #isEnded = false;
  #isCancelled = false;
  #hasName = false;

  constructor(input: ReplicaMoveInput) {
    this.#input = input;
    this.source = input.source;
    this.#copy = input.copy;
    this.#futureDir = input.copy.dir;
  }

  /** What there is of the replica in the other dir. */
  get copy(): PartitionLog {
    return this.#copy;
  }

  /** Where it lies now. */
  get folder(): string {
    return this.#hasName ? this.#target : this.#futureDir;
  }

  /**
   * Resolves when the replica has moved. Rejects with MoveEndedError, or with ProtocolError: then it may be tried again,
   * as long as neither log is offline.
   */
  async run(): Promise<void> {
    const { source } = this;
    const { ports, throttle, open } = this.#input;
    if (this.#copy.isClosed) this.#copy = open(this.#futureDir, undefined);
    const check = () => this.#check();
    check();
    cutDivergence(source, this.#copy);
    await copyLog(source, this.#copy, ports, check, throttle);
    // So that little is left to do while appends are held.
    await Promise.all([source.flush(), this.#copy.flush()]);
    await copyLog(source, this.#copy, ports, check, throttle);
    const end = source.replacement.hold();
    try {
      const state = source.replacement.state();
      if (source.logEndOffset < end) await source.flush();
      await copyLog(source, this.#copy, ports, check);
      await this.#closeCopy(end, state);
      check();
      await this.#takeName();
      if (this.#isCancelled) throw new MoveEndedError();
      this.#replace(end, state);
    } catch (error) {
      this.#giveNameBack();
      throw error;
    } finally {
      source.replacement.release();
    }
  }

  /** `run` is over soon: it rejects, or is done where the copy has its name already. What was copied stays. */
  end(): void {
    this.#isEnded = true;
  }

  /** `run` rejects soon, and appends are not held any more. The copy is abandoned. */
  cancel(): void {
    this.#isEnded = true;
    this.#isCancelled = true;
    this.source.replacement.release();
    this.#copy.abandon(new MoveEndedError());
  }

  /** The batches were cut: the copy follows at once. */
  sourceWasCut(): void {
    if (!this.#copy.isClosed && !this.#copy.isOffline) cutDivergence(this.source, this.#copy);
  }

  get #target(): string {
    const { topic, partition, parentDir } = this.#copy;
    return `${parentDir}/${partitionFolder(topic, partition)}`;
  }

  async #closeCopy(end: number, state: LogState): Promise<void> {
    const copy = this.#copy;
    copy.replacement.followLogStart(this.source.logStartOffset);
    // An empty log has no folder; where one begins must be kept.
    if (end > 0 && !copy.leaderEpochCache.folder.isMade) copy.truncateFully(end);
    copy.replacement.takeState(state);
    await copy.close();
  }

  async #takeName(): Promise<void> {
    if (!this.#copy.leaderEpochCache.folder.isMade) return;
    const { storage } = this.#input.ports;
    guarded(() => storage.rename(this.#futureDir, this.#target));
    this.#hasName = true;
    await storage.syncDir(this.#copy.parentDir).catch(rethrow);
  }

  /** From here on nobody else has a turn until the copy serves. */
  #replace(end: number, state: LogState): void {
    const { source } = this;
    const next = this.#input.open(this.#target, end);
    try {
      next.replacement.takeState(state);
      next.updateHighWatermark(source.highWatermark);
      next.cleanedEnd = source.cleanedEnd;
      for (const batches of source.replacement.heldBatches()) appendAll(next, batches);
    } catch (error) {
      next.abandon(new MoveEndedError());
      throw error;
    }
    this.#hasName = false;
    this.#copy = next;
    this.#input.replace(next);
  }

  #giveNameBack(): void {
    if (!this.#hasName || this.#isCancelled) return;
    guarded(() => this.#input.ports.storage.rename(this.#target, this.#futureDir));
    this.#hasName = false;
  }

  #check(): void {
    if (this.#isEnded || this.source.isClosed) throw new MoveEndedError();
  }
}
