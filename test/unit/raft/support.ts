import type { Clock, Logger, Timers, Turn } from '../../../src/base/ports.ts';
import type { Uuid } from '../../../src/base/uuid.ts';
import { MemoryStorage } from '../../../src/io/memory-storage.ts';
import {
  baseOffset,
  batchPositions,
  lastOffset,
  partitionLeaderEpoch,
} from '../../../src/protocol/record-batch/index.ts';
import type { EntrySerde, ReplicatedLog } from '../../../src/raft/ports.ts';
import { RaftNode, type RaftNodeOptions } from '../../../src/raft/raft-node.ts';

export const DIR = '/data/__cluster_metadata-0';
export const DIRECTORY_ID = '_zabEJP4Rny-F7aSO-8j8g' as Uuid;

/** A log in memory whose syncs wait until they are let through. */
export class MemoryLog implements ReplicatedLog {
  batches: Buffer[] = [];
  /** Also what was removed below a snapshot. */
  everything: Buffer[] = [];
  startOffset = 0;
  failNextAppend: Error | undefined;
  failNextFlush: Error | undefined;
  /** Syncs wait until `release`. */
  held = false;
  flushes = 0;
  #resetOffset = 0;
  #waiting: (() => void)[] = [];

  get endOffset(): number {
    const last = this.batches.at(-1);
    return last === undefined ? this.#resetOffset : lastOffset(last, 0) + 1;
  }
  get lastEpoch(): number {
    const last = this.batches.at(-1);
    return last === undefined ? 0 : partitionLeaderEpoch(last, 0);
  }
  get sizeInBytes(): number {
    return this.batches.reduce((sum, batch) => sum + batch.length, 0);
  }
  append(batch: Buffer, epoch: number, done: (error?: Error) => void): void {
    const failure = this.failNextAppend;
    this.failNextAppend = undefined;
    if (failure !== undefined) {
      done(failure);
      return;
    }
    if (baseOffset(batch, 0) !== this.endOffset || partitionLeaderEpoch(batch, 0) !== epoch)
      throw new Error('misfit');
    this.batches.push(Buffer.from(batch));
    this.everything.push(Buffer.from(batch));
    done();
  }
  async flush(): Promise<void> {
    this.flushes++;
    const failure = this.failNextFlush;
    this.failNextFlush = undefined;
    if (failure !== undefined) throw failure;
    if (this.held) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
  release(): void {
    this.held = false;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
  read(from: number): Uint8Array {
    const at = this.batches.findIndex((batch) => lastOffset(batch, 0) >= from);
    return at < 0 ? new Uint8Array() : Buffer.concat(this.batches.slice(at, at + 40));
  }
  truncateTo(endOffset: number): void {
    this.batches = this.batches.filter((batch) => lastOffset(batch, 0) < endOffset);
    this.everything = this.everything.filter((batch) => lastOffset(batch, 0) < endOffset);
  }
  resetTo(offset: number): void {
    this.batches = [];
    this.startOffset = offset;
    this.#resetOffset = offset;
  }
  deleteBefore(offset: number): void {
    const kept = this.batches.filter((batch) => lastOffset(batch, 0) >= offset);
    if (kept.length === 0) this.#resetOffset = this.endOffset;
    this.batches = kept;
    this.startOffset = kept[0] === undefined ? this.endOffset : baseOffset(kept[0], 0);
  }
  static of(bytes: Buffer): MemoryLog {
    const log = new MemoryLog();
    const positions = [...batchPositions(bytes), bytes.length];
    log.batches = positions.slice(1).map((end, i) => bytes.subarray(positions[i], end));
    return log;
  }
}

export const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };

/** Time and the loop in the test's hands. */
export class World {
  nowMs = 1_700_000_000_000;
  readonly storage = new MemoryStorage();
  readonly clock: Clock = { wallMs: () => this.nowMs, monotonicMs: () => this.nowMs };
  #later: (() => void)[] = [];
  #atEnd: (() => void)[] = [];
  #timers: { at: number; run: () => void; cancelled: boolean }[] = [];
  readonly turn: Turn = {
    later: (run) => void this.#later.push(run),
    first: (run) => void this.#later.unshift(run),
    atEnd: (run) => void this.#atEnd.push(run),
  };
  readonly timers: Timers = {
    after: (delayMs, run) => {
      const timer = { at: this.nowMs + delayMs, run, cancelled: false };
      this.#timers.push(timer);
      return {
        cancel: () => {
          timer.cancelled = true;
        },
      };
    },
  };
  get ports() {
    return { storage: this.storage, clock: this.clock, turn: this.turn, timers: this.timers, logger: quiet };
  }
  /** Runs the ends of ticks and what promises bring, until nothing is left to do. */
  async settle(): Promise<void> {
    for (let idle = 0; idle < 80; idle++) {
      const now = this.#later.splice(0);
      for (const run of now) run();
      const last = this.#atEnd.splice(0);
      for (const run of last) run();
      if (now.length + last.length > 0) idle = 0;
      await Promise.resolve();
    }
  }
  /** One end of a tick, and what promises bring. */
  async tick(): Promise<void> {
    for (const run of this.#later.splice(0)) run();
    for (const run of this.#atEnd.splice(0)) run();
    for (let n = 0; n < 20; n++) await Promise.resolve();
  }
  /** The process is gone: nothing that it asked for happens any more. */
  kill(): void {
    this.#later = [];
    this.#atEnd = [];
    this.#timers = [];
  }
  async advance(ms: number): Promise<void> {
    this.nowMs += ms;
    const due = this.#timers.filter((one) => one.at <= this.nowMs && !one.cancelled);
    this.#timers = this.#timers.filter((one) => one.at > this.nowMs);
    for (const one of due) one.run();
    await this.settle();
  }
  /** Settles while `promise` is on its way. */
  async until<T>(promise: Promise<T>): Promise<T> {
    let done = false;
    promise.then(
      () => (done = true),
      () => (done = true),
    );
    for (let n = 0; n < 500 && !done; n++) await this.settle();
    return promise;
  }
}

export const textSerde: EntrySerde<string> = {
  encode: (entry) => Buffer.from(entry),
  decode: (bytes) => Buffer.from(bytes).toString(),
};

export function raftOptions<T>(world: World, log: ReplicatedLog, serde: EntrySerde<T>): RaftNodeOptions<T> {
  return {
    nodeId: 1,
    directoryId: DIRECTORY_ID,
    logDir: '/data',
    dir: DIR,
    log,
    serde,
    endpoints: [{ name: 'CONTROLLER', host: '127.0.0.1', port: 19693 }],
    ports: world.ports,
    onFatal: (error) => {
      throw error;
    },
  };
}

export function textNode(
  world: World,
  log: ReplicatedLog,
  more: Partial<RaftNodeOptions<string>> = {},
): RaftNode<string> {
  return new RaftNode({ ...raftOptions(world, log, textSerde), ...more });
}

/** Notes what a listener is told. */
export class Recorder<T> {
  readonly events: string[] = [];
  onSnapshot(entries: Iterable<T>, lastOffset: number, epoch: number): void {
    this.events.push(`snapshot ${[...entries].join()} to ${lastOffset} epoch ${epoch}`);
  }
  onCommit(batch: { baseOffset: number; entries: readonly T[] }, more: boolean): void {
    this.events.push(`${batch.baseOffset}:${batch.entries.join()}${more ? '+' : ''}`);
  }
  onBootstrap(entries: readonly T[]): void {
    this.events.push(`bootstrap ${entries.join()}`);
  }
  onLeader(epoch: number): void {
    this.events.push(`leader ${epoch}`);
  }
  onLeadershipLost(error: Error): void {
    this.events.push(`lost: ${error.message}`);
  }
}

export function readText(storage: MemoryStorage, path: string): string {
  const size = storage.sizeOf(path) ?? 0;
  const bytes = Buffer.alloc(size);
  const file = storage.open(path, 'read');
  file.read(bytes, 0);
  file.close();
  return bytes.toString('latin1');
}

export function put(storage: MemoryStorage, path: string, bytes: Uint8Array): void {
  storage.makeDir(path.slice(0, path.lastIndexOf('/')));
  const file = storage.open(path, 'truncate');
  file.write([bytes], 0);
  file.close();
}
