/**
 * The metadata log as raft needs it; `server` puts the partition log behind it. Offsets and epochs already stand in
 * the batches that are appended.
 */
export interface ReplicatedLog {
  /** First offset that is there. */
  readonly startOffset: number;
  /** The offset after the last one that was written. */
  readonly endOffset: number;
  /** Epoch of the last batch; 0 for an empty log. */
  readonly lastEpoch: number;
  /** Bytes on disk. */
  readonly sizeInBytes: number;
  /** `done` runs when the bytes are in the file (not yet synced), maybe before this returns; with an error the log is as before. */
  append(batch: Buffer, epoch: number, done: (error?: Error) => void): void;
  /** fdatasync of all that is in the file. */
  flush(): Promise<void>;
  /** Whole batches from the one that holds `from`, at least one; empty at the end. Views are valid until the next turn. */
  read(from: number, maxBytes: number): Uint8Array | Promise<Uint8Array>;
  truncateTo(endOffset: number): void;
  /** Empties the log; the next batch has this offset. */
  resetTo(offset: number): void;
  /** The log begins there, or at the begin of the segment that holds it; segments below go. */
  deleteBefore(offset: number): void;
}

/** How entries become bytes. `decode` keeps nothing of what it is given. */
export interface EntrySerde<T> {
  encode(entry: T): Uint8Array;
  decode(bytes: Uint8Array): T;
}

export interface CommittedBatch<T> {
  /** Offset of the first entry; the others follow without gaps. */
  readonly baseOffset: number;
  readonly epoch: number;
  /** When it was appended, ms. */
  readonly timestampMs: number;
  readonly sizeInBytes: number;
  readonly entries: readonly T[];
}

/** Whoever keeps a state from the log. Calls are synchronous and in log order; a throw is a bug and ends the node. */
export interface RaftListener<T> {
  /** Forget everything; this is the state up to and including `lastOffset`. */
  onSnapshot(entries: Iterable<T>, lastOffset: number, epoch: number): void;
  /** `more`: another batch follows within this call stack, or while the log is being loaded. */
  onCommit(batch: CommittedBatch<T>, more: boolean): void;
  /** What a new cluster starts with; only of use while the log holds no entry. Before `onLeader`. */
  onBootstrap?(entries: readonly T[]): void;
  /** All of the log has been given; entries can be appended now. */
  onLeader?(epoch: number): void;
  /** What was appended and not committed is gone. `onLeader` follows when it could be elected again. */
  onLeadershipLost?(reason: Error): void;
}

/** Reaches one voter of the quorum. */
export interface VoterEndpoint {
  readonly name: string;
  readonly host: string;
  readonly port: number;
}
