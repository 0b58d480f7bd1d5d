import { assert } from '../base/assert.ts';
import type { Ports, Timer } from '../base/ports.ts';
import { type Uuid, ZERO_UUID } from '../base/uuid.ts';
import { Errors, ProtocolError } from '../protocol/errors.ts';
import type { DescribeQuorumRequest, DescribeQuorumResponse } from '../protocol/messages/describe-quorum.ts';
import { BatchBuilder, controlBatch } from '../protocol/record-batch/index.ts';
import {
  BOOTSTRAP_CHECKPOINT,
  type Checkpoint,
  checkpointName,
  listCheckpoints,
  readCheckpoint,
  type SnapshotId,
} from './checkpoint.ts';
import { kraftVersion, kraftVoters, leaderChange, type Voter } from './control-records.ts';
import { describeQuorum } from './describe-quorum.ts';
import { type LogBatch, readLogBatches } from './log-reader.ts';
import type { CommittedBatch, EntrySerde, RaftListener, ReplicatedLog, VoterEndpoint } from './ports.ts';
import { NO_QUORUM_STATE, readQuorumState, writeQuorumState } from './quorum-state.ts';
import { type MetadataRetention, Snapshots } from './snapshots.ts';

export interface RaftNodeOptions<T> {
  readonly nodeId: number;
  readonly directoryId: Uuid;
  /** The metadata log dir; the log itself lies in its `__cluster_metadata-0`. */
  readonly logDir: string;
  /** `<logDir>/__cluster_metadata-0`, where checkpoints and `quorum-state` lie. */
  readonly dir: string;
  readonly log: ReplicatedLog;
  readonly serde: EntrySerde<T>;
  /** Where this controller can be reached; stands in the voters record. */
  readonly endpoints: readonly VoterEndpoint[];
  /** The ids of `controller.quorum.voters`, for folders with kraft.version 0. */
  readonly staticVoters?: readonly number[];
  /** Default: nothing goes. */
  readonly retention?: MetadataRetention;
  readonly ports: Pick<Ports, 'storage' | 'clock' | 'timers' | 'turn' | 'logger'>;
  /** A disk that can't be trusted any more, or a bug: the node should stop. */
  readonly onFatal: (error: Error) => void;
}

/** This node cannot form the quorum that its settings or its data name. */
export class QuorumConfigError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'QuorumConfigError';
  }
}

type State = 'new' | 'loading' | 'leader' | 'leaderless' | 'stopped';

/** Entries that have their offsets and wait for the end of the tick, or for the disk. */
interface OpenBatch<T> {
  readonly baseOffset: number;
  readonly entries: T[];
  readonly values: Uint8Array[];
  sizeInBytes: number;
  timestampMs: number;
}

const BATCH_BYTES = 8 * 1024 * 1024;
const ELECTION_RETRY_MS = 1000;
const KEEP_ALL: MetadataRetention = { maxBytes: -1, maxMs: -1 };

/**
 * KRaft for a quorum of one (KIP-595): the node elects itself whenever it starts, appends entries in batches of one
 * per tick, and calls them committed once they are synced, one fdatasync for all that came meanwhile. The files are
 * those of any KRaft node, so that Apache Kafka can take the folder over.
 */
export class RaftNode<T> {
  readonly #options: RaftNodeOptions<T>;
  readonly #listeners: RaftListener<T>[] = [];
  readonly #snapshots: Snapshots<T>;
  #state: State = 'new';
  #epoch = 0;
  #highWatermark = 0;
  #nextOffset = 0;
  #kraftVersion = 0;
  #voters: readonly Voter[] = [];
  #votersInLog = false;
  #snapshot: SnapshotId | undefined;
  #open: OpenBatch<T> | undefined;
  #drainPlanned = false;
  /** In the file, not yet synced; undefined entries stand for control batches. */
  #written: (CommittedBatch<T> & { readonly endOffset: number })[] = [];
  #flushing = false;
  /** Counts elections: what comes back from the disk for an earlier one is ignored. */
  #term = 0;
  #retry: Timer | undefined;
  #lastTimestampMs = 0;
  #idle: (() => void)[] = [];

  constructor(options: RaftNodeOptions<T>) {
    this.#options = options;
    const { dir, log, serde, ports, retention = KEEP_ALL } = options;
    this.#snapshots = new Snapshots({ dir, log, serde, ports, retention });
  }

  /** Before `start`. Listeners are called in this order. */
  register(listener: RaftListener<T>): void {
    assert(this.#state === 'new', 'listeners are registered before the start');
    this.#listeners.push(listener);
  }

  get nodeId(): number {
    return this.#options.nodeId;
  }
  get isLeader(): boolean {
    return this.#state === 'leader';
  }
  get leaderEpoch(): number {
    return this.#epoch;
  }
  /** The offset after the last committed one. */
  get highWatermark(): number {
    return this.#highWatermark;
  }
  /** The offset that the next entry gets. */
  get nextOffset(): number {
    return this.#nextOffset;
  }
  get kraftVersion(): number {
    return this.#kraftVersion;
  }
  get voters(): readonly Voter[] {
    return this.#voters;
  }
  get latestSnapshot(): SnapshotId | undefined {
    return this.#snapshot;
  }
  /** Append time of the newest committed batch, ms. */
  get lastCommittedTimestampMs(): number {
    return this.#lastTimestampMs;
  }

  /** Loads what is there, elects this node, and resolves once the new epoch is on disk and the listeners know. */
  async start(): Promise<void> {
    assert(this.#state === 'new', 'a raft node starts once');
    this.#state = 'loading';
    const { storage, logger } = this.#options.ports;
    storage.makeDir(this.#options.dir);
    await this.#options.log.flush();
    this.#snapshots.removeLeftovers();
    await this.#load(this.#listeners);
    this.#checkVoters();
    await this.#elect();
    this.#snapshots.startCleaning();
    logger.info('this node leads the metadata quorum', {
      epoch: this.#epoch,
      highWatermark: this.#highWatermark,
    });
  }

  /**
   * Takes entries, all into one batch, and returns the offset of the last. They are committed when `onCommit` names
   * them. Throws NOT_CONTROLLER where this node does not lead.
   */
  append(entries: readonly T[]): number {
    if (this.#state !== 'leader') throw new ProtocolError(Errors.NOT_CONTROLLER);
    assert(entries.length > 0, 'an append has entries');
    const values = entries.map((entry) => this.#options.serde.encode(entry));
    let size = 0;
    for (const value of values) size += value.length + 16;
    if (this.#open !== undefined && this.#open.sizeInBytes + size > BATCH_BYTES) this.#writeOpen();
    this.#open ??= {
      baseOffset: this.#nextOffset,
      entries: [],
      values: [],
      sizeInBytes: 0,
      timestampMs: this.#options.ports.clock.wallMs(),
    };
    for (const entry of entries) this.#open.entries.push(entry);
    for (const value of values) this.#open.values.push(value);
    this.#open.sizeInBytes += size;
    this.#nextOffset += entries.length;
    if (!this.#drainPlanned) {
      this.#drainPlanned = true;
      this.#options.ports.turn.atEnd(() => {
        this.#drainPlanned = false;
        this.#writeOpen();
      });
    }
    return this.#nextOffset - 1;
  }

  /** Feeds one listener all that is committed, from the snapshot on: for a state that was dropped. */
  async replay(listener: RaftListener<T>): Promise<void> {
    await this.#load([listener]);
  }

  /** Writes a snapshot of the state before `id.endOffset` in slices; nothing to do where there is a newer one. */
  async writeSnapshot(id: SnapshotId, lastTimestampMs: number, entries: Iterable<T>): Promise<void> {
    if (id.endOffset <= (this.#snapshot?.endOffset ?? 0)) return;
    const head = {
      epoch: id.epoch,
      lastContainedLogTimestampMs: lastTimestampMs,
      quorum: { kraftVersion: this.#kraftVersion, voters: this.#voters },
    };
    if (await this.#snapshots.write(id, head, entries)) this.#snapshot = id;
  }

  describeQuorum(request: DescribeQuorumRequest, nowMs: number): DescribeQuorumResponse {
    return describeQuorum(this, request, nowMs);
  }

  /** Waits for what was appended, then takes nothing more. */
  async stop(): Promise<void> {
    if (this.#state === 'stopped') return;
    this.#writeOpen();
    if (this.#state === 'leader' && (this.#written.length > 0 || this.#flushing)) {
      await new Promise<void>((resolve) => this.#idle.push(resolve));
    }
    this.#state = 'stopped';
    this.#term++;
    this.#retry?.cancel();
    this.#snapshots.stop();
  }

  async #load(listeners: readonly RaftListener<T>[]): Promise<void> {
    const { storage } = this.#options.ports;
    const { log, dir, logDir, serde } = this.#options;
    const snapshots = listCheckpoints(storage, dir);
    const latest = snapshots.at(-1);
    let from = log.startOffset;
    let bootstrap: readonly T[] | undefined;
    if (latest !== undefined) {
      const path = `${dir}/${checkpointName(latest)}`;
      const checkpoint = readCheckpoint(storage, path, serde);
      assert(checkpoint !== undefined, `${path} was listed and is gone`);
      this.#takeQuorum(checkpoint);
      if (latest.endOffset === 0) {
        if (checkpoint.entries.length > 0) bootstrap = checkpoint.entries;
      } else {
        this.#snapshot = latest;
        this.#lastTimestampMs = checkpoint.lastContainedLogTimestampMs;
        for (const listener of listeners) {
          listener.onSnapshot(checkpoint.entries, latest.endOffset - 1, latest.epoch);
        }
        from = latest.endOffset;
        if (log.endOffset < from) log.resetTo(from);
      }
    }
    if (from < log.startOffset) {
      throw new QuorumConfigError(
        `${dir}: the log begins at ${log.startOffset}, and no snapshot covers what is before`,
      );
    }
    bootstrap ??= readCheckpoint(storage, `${logDir}/${BOOTSTRAP_CHECKPOINT}`, serde)?.entries;
    if (bootstrap !== undefined) for (const listener of listeners) listener.onBootstrap?.(bootstrap);
    const end = this.#state === 'loading' ? log.endOffset : this.#highWatermark;
    for await (const batches of readLogBatches(log, from, end, serde)) {
      for (const batch of batches) this.#loaded(batch, listeners);
    }
    if (this.#state === 'loading') {
      this.#highWatermark = end;
      this.#nextOffset = end;
    }
  }

  #loaded(batch: LogBatch<T>, listeners: readonly RaftListener<T>[]): void {
    if (batch.control !== undefined) {
      this.#takeQuorum(batch.control);
      this.#votersInLog ||= batch.control.voters !== undefined;
      return;
    }
    for (const listener of listeners) listener.onCommit(batch.committed, true);
  }

  #takeQuorum(
    said:
      | Pick<Checkpoint<T>, 'kraftVersion' | 'voters'>
      | { kraftVersion?: number; voters?: readonly Voter[] },
  ): void {
    this.#kraftVersion = said.kraftVersion ?? this.#kraftVersion;
    this.#voters = said.voters ?? this.#voters;
  }

  #checkVoters(): void {
    const { nodeId, directoryId, endpoints, staticVoters } = this.#options;
    if (this.#kraftVersion === 0) {
      const ids = staticVoters !== undefined && staticVoters.length > 0 ? staticVoters : [nodeId];
      this.#voters = ids.map((id) => ({
        id,
        directoryId: ZERO_UUID,
        endpoints: id === nodeId ? endpoints : [],
      }));
    }
    const ids = this.#voters.map((voter) => voter.id);
    if (ids.length !== 1 || ids[0] !== nodeId) {
      throw new QuorumConfigError(
        `the metadata quorum has the voters ${ids.join(', ') || 'none'}, this node is ${nodeId}: ` +
          'quorums of more than one voter are not supported yet',
      );
    }
    const known = this.#voters[0]?.directoryId;
    if (this.#kraftVersion > 0 && known !== directoryId) {
      throw new QuorumConfigError(
        `the voter ${nodeId} of the metadata quorum has the directory id ${known}, but meta.properties says ${directoryId}`,
      );
    }
  }

  async #elect(): Promise<void> {
    const { nodeId, directoryId, dir, log, ports } = this.#options;
    const term = ++this.#term;
    const stored = readQuorumState(ports.storage, dir) ?? NO_QUORUM_STATE;
    const epoch = Math.max(stored.leaderEpoch, log.lastEpoch, this.#snapshot?.epoch ?? 0, this.#epoch) + 1;
    const ids = this.#voters.map((voter) => voter.id);
    const votedDirectoryId = this.#kraftVersion > 0 ? directoryId : ZERO_UUID;
    const vote = { leaderId: -1, leaderEpoch: epoch, votedId: nodeId, votedDirectoryId };
    await writeQuorumState(ports.storage, dir, vote, this.#kraftVersion, ids);
    const won = { leaderId: nodeId, leaderEpoch: epoch, votedId: -1, votedDirectoryId: ZERO_UUID };
    await writeQuorumState(ports.storage, dir, won, this.#kraftVersion, ids);
    if (term !== this.#term) return;
    this.#epoch = epoch;
    this.#nextOffset = log.endOffset;
    await this.#appendEpochStart(epoch);
    if (term !== this.#term) return;
    this.#highWatermark = log.endOffset;
    this.#nextOffset = log.endOffset;
    this.#state = 'leader';
    for (const listener of this.#listeners) listener.onLeader?.(epoch);
  }

  async #appendEpochStart(epoch: number): Promise<void> {
    const { log, ports, endpoints, nodeId } = this.#options;
    const opening = [leaderChange(nodeId, this.#voters)];
    const moved = JSON.stringify(this.#voters[0]?.endpoints) !== JSON.stringify(endpoints);
    if (this.#kraftVersion > 0 && (!this.#votersInLog || moved)) {
      this.#voters = this.#voters.map((voter) => ({ ...voter, endpoints }));
      opening.push(kraftVersion(this.#kraftVersion), kraftVoters(this.#voters));
      this.#votersInLog = true;
    }
    const timestamp = BigInt(ports.clock.wallMs());
    const batch = controlBatch({ baseOffset: log.endOffset, leaderEpoch: epoch, timestamp }, opening);
    await new Promise<void>((resolve, reject) => {
      log.append(batch, epoch, (error) => (error === undefined ? resolve() : reject(error)));
    });
    await log.flush();
  }

  #writeOpen(): void {
    const open = this.#open;
    if (open === undefined) return;
    this.#open = undefined;
    const builder = new BatchBuilder({ baseOffset: open.baseOffset, leaderEpoch: this.#epoch });
    for (const value of open.values) builder.append({ timestamp: open.timestampMs, value });
    const batch = builder.build();
    const term = this.#term;
    const committed = {
      baseOffset: open.baseOffset,
      endOffset: open.baseOffset + open.entries.length,
      epoch: this.#epoch,
      timestampMs: open.timestampMs,
      sizeInBytes: batch.length,
      entries: open.entries,
    };
    const done = (error?: Error) => {
      if (term !== this.#term) return;
      if (error !== undefined) return this.#lost(error);
      this.#written.push(committed);
      this.#flush();
    };
    try {
      this.#options.log.append(batch, this.#epoch, done);
    } catch (error) {
      if (term === this.#term) this.#lost(error as Error);
    }
  }

  #flush(): void {
    if (this.#flushing || this.#written.length === 0) return;
    this.#flushing = true;
    const term = this.#term;
    const batches = this.#written;
    this.#written = [];
    this.#options.log.flush().then(
      () => {
        this.#flushing = false;
        if (term !== this.#term) return;
        this.#commit(batches);
        this.#flush();
        if (!this.#flushing) for (const resume of this.#idle.splice(0)) resume();
      },
      (error: Error) => {
        // What a failed fdatasync left on the disk is not known; asking again may lie.
        this.#fatal(error);
      },
    );
  }

  #commit(batches: readonly (CommittedBatch<T> & { readonly endOffset: number })[]): void {
    const last = batches.at(-1);
    assert(last !== undefined, 'a commit has batches');
    this.#highWatermark = last.endOffset;
    this.#lastTimestampMs = last.timestampMs;
    try {
      for (const listener of this.#listeners) {
        for (const batch of batches) listener.onCommit(batch, batch !== last);
      }
    } catch (error) {
      this.#fatal(error as Error);
    }
  }

  /** An append failed: nothing after the high watermark counts, and a new epoch begins when the disk lets it. */
  #lost(error: Error): void {
    const { log, ports } = this.#options;
    if (this.#state !== 'leader') return;
    ports.logger.error('the metadata log could not be written; this node resigns and tries again', {
      error: error.message,
    });
    this.#state = 'leaderless';
    this.#term++;
    this.#open = undefined;
    this.#written = [];
    this.#flushing = false;
    for (const resume of this.#idle.splice(0)) resume();
    try {
      if (log.endOffset > this.#highWatermark) log.truncateTo(this.#highWatermark);
    } catch (truncation) {
      this.#fatal(truncation as Error);
      return;
    }
    for (const listener of this.#listeners) listener.onLeadershipLost?.(error);
    this.#retryLater();
  }

  #retryLater(): void {
    this.#retry = this.#options.ports.timers.after(ELECTION_RETRY_MS, () => {
      this.#elect().catch((error: Error) => {
        if (this.#state !== 'leaderless') return;
        this.#options.ports.logger.warn('no metadata leader yet', { error: error.message });
        this.#retryLater();
      });
    });
  }

  #fatal(error: Error): void {
    if (this.#state === 'stopped') return;
    this.#state = 'stopped';
    this.#term++;
    this.#snapshots.stop();
    for (const resume of this.#idle.splice(0)) resume();
    for (const listener of this.#listeners) listener.onLeadershipLost?.(error);
    this.#options.onFatal(error);
  }
}
