import { BufferPool } from '../../../src/base/buffer-pool.ts';
import { InlineBackground } from '../../../src/base/inline-background.ts';
import type {
  DirEntry,
  Logger,
  OpenMode,
  Random,
  Storage,
  StoredFile,
  Timer,
} from '../../../src/base/ports.ts';
import { StorageError, type StorageErrorCode } from '../../../src/base/ports.ts';
import type { Uuid } from '../../../src/base/uuid.ts';
import type { LogConfig } from '../../../src/config/log-config.ts';
import { type OpenLogInput, openLog } from '../../../src/log/loader.ts';
import type { PartitionLog } from '../../../src/log/log.ts';
import { type LogOptions, type SharedLogState, sharedLogState } from '../../../src/log/log-options.ts';
import type { LogRead, PendingRead } from '../../../src/log/types.ts';
import { BatchBuilder, type BatchOptions } from '../../../src/protocol/record-batch/builder.ts';
import { records } from '../../../src/protocol/record-batch/records.ts';

interface FakeFile {
  bytes: Buffer;
  synced: Buffer;
  modifiedMs: number;
}

/** Files in memory that forget what was not synced, write short and fail on demand. */
export class FakeStorage implements Storage {
  files = new Map<string, FakeFile>();
  dirs = new Set<string>(['/']);
  writes: { path: string; bytes: number; chunks: number }[] = [];
  syncs: string[] = [];
  /** What was synced on the loop. */
  syncedNow: string[] = [];
  freeBytes = 1e12;
  openCount = 0;
  /** Stamps the files that are written. */
  nowMs = () => 0;
  openMost = 0;
  /** Bytes that writes to paths with this text may still take before they come back short; then they fail. */
  room: { match: string; bytes: number } | undefined;
  failing:
    | {
        operation: 'read' | 'write' | 'sync' | 'truncate' | 'open' | 'rename' | 'makeDir';
        match: string | RegExp;
        /** Default: EIO. */
        code?: StorageErrorCode;
      }
    | undefined;
  /** Reads off the loop wait until `releaseRead`. */
  holdReads = false;
  readsLater: string[] = [];
  #heldReads: (() => void)[] = [];
  /** Syncs wait until `releaseSyncs`. */
  holdSyncs = false;
  #held: (() => void)[] = [];

  fail(operation: string, path: string): void {
    if (this.failing?.operation !== operation) return;
    const { match, code } = this.failing;
    if (typeof match === 'string' ? path.includes(match) : match.test(path)) {
      throw new StorageError(code ?? 'EIO', path, `${operation} of ${path} failed`);
    }
  }

  get waitingReads(): number {
    return this.#heldReads.length;
  }

  /** Lets the oldest read that waits go. */
  releaseRead(): void {
    this.#heldReads.shift()?.();
  }

  async waitForRead(path: string, at: number, bytes: number): Promise<void> {
    this.readsLater.push(`${path}@${at}+${bytes}`);
    if (this.holdReads) await new Promise<void>((resolve) => this.#heldReads.push(resolve));
  }

  releaseSyncs(): void {
    const held = this.#held;
    this.#held = [];
    for (const go of held) go();
  }

  async waitForSync(path: string): Promise<void> {
    this.syncs.push(path);
    if (this.holdSyncs) await new Promise<void>((resolve) => this.#held.push(resolve));
    this.fail('sync', path);
  }

  /** What a power loss leaves: synced bytes, plus a torn part of the rest where asked for. */
  crash(torn = 0): void {
    for (const file of this.files.values()) {
      const kept = Math.min(file.bytes.length, file.synced.length + torn);
      file.bytes = Buffer.concat([file.synced, file.bytes.subarray(file.synced.length, kept)]);
    }
  }

  open(path: string, mode: OpenMode): StoredFile {
    this.fail('open', path);
    let file = this.files.get(path);
    if (file === undefined) {
      if (mode === 'read' || mode === 'write')
        throw new StorageError('ENOENT', path, `${path} does not exist`);
      if (!this.dirs.has(path.slice(0, path.lastIndexOf('/'))))
        throw new StorageError('ENOENT', path, `no folder for ${path}`);
      file = { bytes: Buffer.alloc(0), synced: Buffer.alloc(0), modifiedMs: this.nowMs() };
      this.files.set(path, file);
    }
    if (mode === 'truncate') file.bytes = Buffer.alloc(0);
    this.openCount += 1;
    this.openMost = Math.max(this.openMost, this.openCount);
    return new FakeStoredFile(this, path, file);
  }

  sizeOf(path: string): number | undefined {
    return this.files.get(path)?.bytes.length;
  }

  modifiedMs(path: string): number | undefined {
    return this.files.get(path)?.modifiedMs;
  }

  isDirectory(path: string): boolean {
    return this.dirs.has(path);
  }

  list(dir: string): readonly DirEntry[] {
    if (!this.dirs.has(dir)) throw new StorageError('ENOENT', dir, `${dir} does not exist`);
    const entries = new Map<string, boolean>();
    const prefix = `${dir}/`;
    for (const path of this.files.keys()) {
      const rest = path.startsWith(prefix) ? path.slice(prefix.length) : '';
      if (rest !== '' && !rest.includes('/')) entries.set(rest, false);
    }
    for (const path of this.dirs) {
      const rest = path.startsWith(prefix) ? path.slice(prefix.length) : '';
      if (rest !== '' && !rest.includes('/')) entries.set(rest, true);
    }
    return [...entries]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, isDirectory]) => ({ name, isDirectory }));
  }

  makeDir(dir: string): void {
    this.fail('makeDir', dir);
    for (let at = dir.indexOf('/', 1); ; at = dir.indexOf('/', at + 1)) {
      this.dirs.add(at < 0 ? dir : dir.slice(0, at));
      if (at < 0) return;
    }
  }

  rename(from: string, to: string): void {
    this.fail('rename', from);
    if (this.dirs.delete(from)) {
      this.dirs.add(to);
      for (const path of [...this.files.keys()]) {
        if (path.startsWith(`${from}/`)) this.rename(path, to + path.slice(from.length));
      }
      return;
    }
    const file = this.files.get(from);
    if (file === undefined) throw new StorageError('ENOENT', from, `${from} does not exist`);
    this.files.delete(from);
    this.files.set(to, file);
  }

  removeNow(path: string): void {
    this.files.delete(path);
  }

  async remove(path: string): Promise<void> {
    this.files.delete(path);
    this.dirs.delete(path);
    for (const name of [...this.files.keys()]) if (name.startsWith(`${path}/`)) this.files.delete(name);
  }

  async syncDir(): Promise<void> {}

  syncNow(path: string): void {
    this.syncedNow.push(path);
  }

  volume() {
    return { totalBytes: 1e12, usableBytes: this.freeBytes };
  }

  lock() {
    return { release: () => {} };
  }
}

class FakeStoredFile implements StoredFile {
  readonly path: string;
  readonly #storage: FakeStorage;
  readonly #file: FakeFile;
  #open = true;

  constructor(storage: FakeStorage, path: string, file: FakeFile) {
    this.#storage = storage;
    this.path = path;
    this.#file = file;
  }

  size(): number {
    return this.#file.bytes.length;
  }

  read(into: Uint8Array, at: number): number {
    if (!this.#open) throw new StorageError('EOTHER', this.path, 'closed');
    this.#storage.fail('read', this.path);
    return this.#file.bytes.copy(into, 0, at, Math.min(this.#file.bytes.length, at + into.length));
  }

  async readLater(into: Uint8Array, at: number): Promise<number> {
    await this.#storage.waitForRead(this.path, at, into.length);
    return this.read(into, at);
  }

  write(chunks: readonly Uint8Array[], at: number): number {
    if (!this.#open) throw new StorageError('EOTHER', this.path, 'closed');
    this.#storage.fail('write', this.path);
    let bytes = Buffer.concat(chunks);
    const { room } = this.#storage;
    if (room !== undefined && this.path.includes(room.match)) {
      if (room.bytes === 0) throw new StorageError('ENOSPC', this.path, 'no space left');
      bytes = bytes.subarray(0, room.bytes);
      room.bytes -= bytes.length;
    }
    this.#storage.writes.push({ path: this.path, bytes: bytes.length, chunks: chunks.length });
    const old = this.#file.bytes;
    const size = Math.max(old.length, at + bytes.length);
    const next = Buffer.alloc(size);
    old.copy(next);
    bytes.copy(next, at);
    this.#file.bytes = next;
    this.#file.modifiedMs = this.#storage.nowMs();
    return bytes.length;
  }

  async sync(): Promise<void> {
    const covered = this.#file.bytes;
    await this.#storage.waitForSync(this.path);
    this.#file.synced = Buffer.from(covered);
  }

  truncate(size: number): void {
    this.#storage.fail('truncate', this.path);
    this.#file.bytes = Buffer.from(this.#file.bytes.subarray(0, size));
    this.#file.synced = Buffer.from(this.#file.synced.subarray(0, size));
  }

  close(): void {
    this.#open = false;
    this.#storage.openCount -= 1;
  }
}

/** Time that moves when told, and the end of ticks. */
export class FakeTime {
  nowMs = 1_700_000_000_000;
  #later: (() => void)[] = [];
  #timers: { atMs: number; run: () => void }[] = [];
  readonly clock = { wallMs: () => this.nowMs, monotonicMs: () => this.nowMs };
  readonly turn = {
    later: (run: () => void) => this.#push(run),
    first: (run: () => void) => this.#push(run),
    atEnd: (run: () => void) => this.#push(run),
  };
  readonly timers = {
    after: (delayMs: number, run: () => void): Timer => {
      const timer = { atMs: this.nowMs + delayMs, run };
      this.#timers.push(timer);
      return { cancel: () => this.#cancel(timer) };
    },
  };

  #push(run: () => void): void {
    this.#later.push(run);
  }

  #cancel(timer: { atMs: number; run: () => void }): void {
    this.#timers = this.#timers.filter((one) => one !== timer);
  }

  /** Ends the tick. */
  tick(): void {
    const later = this.#later;
    this.#later = [];
    for (const run of later) run();
  }

  async pass(ms: number): Promise<void> {
    this.nowMs += ms;
    const due = this.#timers.filter((timer) => timer.atMs <= this.nowMs);
    this.#timers = this.#timers.filter((timer) => timer.atMs > this.nowMs);
    for (const timer of due) timer.run();
    this.tick();
    await settle();
  }
}

/** Lets promises that depend on nothing outside run to their end. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
}

export const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };

export function config(changes: Partial<LogConfig> = {}): LogConfig {
  const never = Number.MAX_SAFE_INTEGER;
  return {
    segmentBytes: 1 << 30,
    segmentMs: 7 * 24 * 3600_000,
    segmentJitterMs: 0,
    segmentIndexBytes: 10 << 20,
    indexIntervalBytes: 4096,
    flushMessages: never,
    flushMs: never,
    maxMessageBytes: 1048588,
    retentionMs: 7 * 24 * 3600_000,
    retentionBytes: -1,
    cleanupPolicy: ['delete'],
    compressionType: 'producer',
    compressionGzipLevel: -1,
    compressionLz4Level: 9,
    compressionZstdLevel: 3,
    messageTimestampType: 'CreateTime',
    messageTimestampBeforeMaxMs: never,
    messageTimestampAfterMaxMs: 3600_000,
    minInsyncReplicas: 1,
    fileDeleteDelayMs: 60_000,
    preallocate: false,
    deleteRetentionMs: 86400_000,
    minCompactionLagMs: 0,
    maxCompactionLagMs: never,
    minCleanableDirtyRatio: 0.5,
    uncleanLeaderElectionEnable: false,
    leaderReplicationThrottledReplicas: [],
    followerReplicationThrottledReplicas: [],
    remoteStorageEnable: false,
    remoteLogCopyDisable: false,
    remoteLogDeleteOnDisable: false,
    localRetentionMs: -2,
    localRetentionBytes: -2,
    ...changes,
  };
}

export const topicId = 'TopicIdTopicIdTopicIdA' as Uuid;
export const random: Random = { below: () => 0, fill: (into: Uint8Array) => void into.fill(7) };

/** A disk, a clock and logs on them. */
export class World {
  readonly storage = new FakeStorage();
  readonly time = new FakeTime();
  options: Partial<LogOptions> = {};
  random: Random = random;
  shared: SharedLogState = this.freshShared();

  constructor() {
    this.storage.makeDir('/data');
    this.storage.nowMs = () => this.time.nowMs;
  }

  get ports() {
    return {
      storage: this.storage,
      logger: silent,
      clock: this.time.clock,
      timers: this.time.timers,
      turn: this.time.turn,
      background: new InlineBackground({
        storage: this.storage,
        clock: this.time.clock,
        timers: this.time.timers,
        turn: this.time.turn,
        sliceMs: 0,
      }),
      random: this.random,
    };
  }

  freshShared(): SharedLogState {
    return sharedLogState({
      storage: this.storage,
      options: this.options,
      pool: new BufferPool({ poison: true }),
    });
  }

  /** Opens /data/t-0 as a process that just started does. */
  open(changes: Partial<LogConfig> = {}, input: Partial<OpenLogInput> = {}): PartitionLog {
    this.shared = this.freshShared();
    const { ports, shared } = this;
    return openLog({
      dir: '/data/t-0',
      topic: 't',
      partition: 0,
      topicId,
      config: config(changes),
      ports,
      shared,
      cleanShutdown: false,
      recoveryPoint: 0,
      ...input,
    });
  }

  /** Makes the log's folder, which otherwise comes with the first write. */
  make(log: PartitionLog): PartitionLog {
    log.leaderEpochCache.folder.make();
    return log;
  }

  /** The bytes of a file of /data/t-0. */
  file(name: string): Buffer {
    const bytes = this.storage.files.get(`/data/t-0/${name}`)?.bytes;
    if (bytes === undefined)
      throw new Error(`no file ${name} among ${[...this.storage.files.keys()].join(' ')}`);
    return bytes;
  }

  names(): string[] {
    return this.storage.list('/data/t-0').map((entry) => entry.name);
  }
}

export function batch(
  values: readonly string[],
  options: BatchOptions & { timestamp?: number; keys?: boolean } = {},
): Buffer {
  const { timestamp = 1_700_000_000_000, keys = true, ...rest } = options;
  const builder = new BatchBuilder(rest);
  for (const value of values) {
    builder.append({ timestamp, key: keys ? Buffer.from(`k-${value}`) : null, value: Buffer.from(value) });
  }
  return builder.build();
}

export interface Outcome {
  firstOffset: number;
  lastOffset: number;
  duplicate: boolean;
  logAppendTimeMs: bigint;
  /** 'waits', 'done', or what `done` got. */
  state: string;
  error: Error | undefined;
}

/** Appends and keeps track of the callback. */
export function append(log: PartitionLog, bytes: Buffer, leaderEpoch = 0): Outcome {
  const outcome: Outcome = {
    firstOffset: -1,
    lastOffset: -1,
    duplicate: false,
    logAppendTimeMs: -1n,
    state: 'waits',
    error: undefined,
  };
  const done = (error: Error | undefined) => {
    if (outcome.state !== 'waits') throw new Error('done ran twice');
    outcome.state = error === undefined ? 'done' : 'failed';
    outcome.error = error;
  };
  return Object.assign(outcome, { ...log.appendAsLeader(bytes, leaderEpoch, { origin: 'client', done }) });
}

/** Whole batches from `offset`, warm or cold, as copies; the buffers are given back. */
export async function fetch(
  log: PartitionLog,
  offset: number,
  maxBytes = 1 << 20,
  upTo = log.logEndOffset,
): Promise<Buffer> {
  const read = await resolved(log.read(offset, maxBytes, { minOneMessage: true, upTo }));
  const bytes = Buffer.concat(read.bytes);
  read.release();
  return bytes;
}

export async function resolved(read: LogRead | PendingRead): Promise<LogRead> {
  return 'pending' in read ? await read.pending : read;
}

export function valuesIn(bytes: Buffer): { offset: number; value: string }[] {
  const values: { offset: number; value: string }[] = [];
  for (let at = 0; at < bytes.length; at += bytes.readInt32BE(at + 8) + 12) {
    for (const record of records(bytes, { at })) {
      values.push({ offset: record.offset, value: Buffer.from(record.value ?? []).toString() });
    }
  }
  return values;
}

/** All values from `offset` to the log end. */
export async function valuesFrom(log: PartitionLog, offset: number): Promise<string[]> {
  const values: string[] = [];
  for (let next = offset; next < log.logEndOffset; ) {
    const found = valuesIn(await fetch(log, next));
    const last = found.at(-1);
    if (last === undefined) break;
    values.push(...found.filter((one) => one.offset >= offset).map((one) => one.value));
    next = last.offset + 1;
  }
  return values;
}
