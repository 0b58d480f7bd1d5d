/**
 * The ports through which the deciding code meets the world. The real ones live in `src/io`, the simulated ones in
 * `test/simulation`; both arrive through constructors. Nothing here knows of Kafka.
 */

export interface Clock {
  /** Milliseconds since 1970, an integer; may jump. */
  wallMs(): number;
  /** Milliseconds since some moment of this process; never goes back, may have fractions. */
  monotonicMs(): number;
}

export interface Timer {
  /** Idempotent; after it the callback never runs. */
  cancel(): void;
}

export interface Timers {
  /** Runs `run` once, not before `delayMs` have passed. Negative delays count as 0. */
  after(delayMs: number, run: () => void): Timer;
}

export interface Turn {
  /**
   * Runs `run` at the end of this tick of the loop, after input that is already there has been handled. What is asked
   * for while such functions run comes one tick later, so that input is seen in between: work cut in slices may ask
   * again and again.
   */
  later(run: () => void): void;
  /**
   * Runs `run` before all that {@link later} brings at the end of a tick, and so what is asked for here from in there: for
   * answers that are not to wait for the rest of what the tick brought.
   */
  first(run: () => void): void;
  /**
   * Runs `run` after all that {@link later} brings in this tick, and whatever is asked for here from in there too: for
   * what collects (the answers of a connection, the writes of a link) what those functions produce.
   */
  atEnd(run: () => void): void;
}

export interface Random {
  /** An integer in [0, bound). */
  below(bound: number): number;
  fill(into: Uint8Array): void;
}

export type StorageErrorCode = 'ENOENT' | 'EEXIST' | 'ENOSPC' | 'EIO' | 'EACCES' | 'EMFILE' | 'EOTHER';

/** What every failing storage operation throws or rejects with. */
export class StorageError extends Error {
  readonly code: StorageErrorCode;
  readonly path: string;
  constructor(code: StorageErrorCode, path: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StorageError';
    this.code = code;
    this.path = path;
  }
}

/** `read`: must exist. `write`: must exist, reads and writes. `create`: as write, made when absent. `truncate`: as create, emptied. */
export type OpenMode = 'read' | 'write' | 'create' | 'truncate';

export interface DirEntry {
  readonly name: string;
  readonly isDirectory: boolean;
}

/**
 * Files. Appends, small reads and directory changes are synchronous (a 4 KiB append costs 4 µs so and 33 µs through
 * the thread pool); what may wait for the disk is asynchronous. What `write` returned for is visible to readers at
 * once, but only `sync` makes it survive a power loss; a created, renamed or removed name survives after `syncDir`.
 */
export interface Storage {
  open(path: string, mode: OpenMode): StoredFile;
  /** Bytes of a file, or undefined where there is none. */
  sizeOf(path: string): number | undefined;
  /** When a file was last written, in milliseconds since 1970, whole ones; undefined where there is none. */
  modifiedMs(path: string): number | undefined;
  isDirectory(path: string): boolean;
  /** Names in a directory, sorted. ENOENT where it does not exist. */
  list(dir: string): readonly DirEntry[];
  /** Makes the directory and its parents. */
  makeDir(dir: string): void;
  /** Replaces `to` if it is a file. */
  rename(from: string, to: string): void;
  /** Removes a file now. For small files; ENOENT is not an error. */
  removeNow(path: string): void;
  /** Removes a file or a whole tree off the loop. ENOENT is not an error. */
  remove(path: string): Promise<void>;
  /** Makes creations, renames and removals in a directory survive a power loss. */
  syncDir(dir: string): Promise<void>;
  /** Makes the bytes of a file or the names in a directory survive a power loss, and returns then: for what is rare. */
  syncNow(path: string): void;
  /** Bytes in all and bytes free of the volume that holds `path`. */
  volume(path: string): { readonly totalBytes: number; readonly usableBytes: number };
  /** Takes an exclusive lock on `path` until released; undefined when another process holds it. */
  lock(path: string): { release(): void } | undefined;
}

export interface StoredFile {
  readonly path: string;
  /** Bytes in the file now. */
  size(): number;
  /** Reads at a position, synchronously; returns the count, short only at the end of the file. */
  read(into: Uint8Array, at: number): number;
  /** The same off the loop, for bytes that are probably not in memory. */
  readLater(into: Uint8Array, at: number): Promise<number>;
  /** Writes the chunks one after the other from a position; returns the count written, which may be short. */
  write(chunks: readonly Uint8Array[], at: number): number;
  /** fdatasync: all that `write` returned for before this call survives a power loss once it resolves. */
  sync(): Promise<void>;
  truncate(size: number): void;
  /** Idempotent. */
  close(): void;
}

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

export type NetworkErrorCode =
  | 'EADDRINUSE'
  | 'EADDRNOTAVAIL'
  | 'EACCES'
  | 'ENOTFOUND'
  | 'ECONNREFUSED'
  | 'ECONNRESET'
  | 'ETIMEDOUT'
  | 'EUNREACHABLE'
  | 'EMFILE'
  | 'EOTHER';

/** What `listen` and `dial` reject with, and the reason that `onClosed` gets when a connection broke. */
export class NetworkError extends Error {
  readonly code: NetworkErrorCode;
  constructor(code: NetworkErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'NetworkError';
    this.code = code;
  }
}

/**
 * One connection. The owner sets the handlers right after it got the link (before it gives the loop back); all of them
 * run synchronously, and never from inside a call that the owner makes on the link.
 */
export interface Link {
  readonly remote: Endpoint;
  readonly local: Endpoint;
  /** The bytes are valid only during the call: the buffer behind them is used again. */
  onBytes: (chunk: Uint8Array) => void;
  /**
   * Where the next bytes shall land, for a large frame that is read straight into its own buffer: a link asks before
   * each read, fills the view from its beginning with at most 64 KiB, and calls `onBytes` with the filled part, a view
   * of that same memory. Undefined (the answer, or the property) asks for the link's own scratch. A link that can't
   * read straight copies, so that the owner sees the same calls.
   *
   * A link may ask as early as right after the `onBytes` before, so another answer can take effect one call later:
   * after the answer turned from undefined to a view one more chunk may come through the scratch, and a view that was
   * given belongs to the link until `onBytes` has been called with it, `destroy` was called, or `onClosed` has run.
   */
  target?: (() => Uint8Array | undefined) | undefined;
  /** `send` may be called freely again after it returned false. */
  onDrain: () => void;
  /** Called once, whoever closed, and after every `sent`; nothing follows it. No reason: closed in order. */
  onClosed: (reason?: Error) => void;
  /**
   * Queues the chunks as one write, never joined and not copied: the owner may change or give back the buffers only
   * once `sent` has run (also when the link closes first; not during `send`). What is sent in one tick leaves
   * together at its end; what is urgent (and what was sent before it) as soon as the input of the tick was handled. False
   * asks to wait for `onDrain`.
   */
  send(chunks: readonly Uint8Array[], sent?: () => void, isUrgent?: boolean): boolean;
  pause(): void;
  resume(): void;
  /** Bytes queued and not yet taken by the other side. */
  queuedBytes(): number;
  /** Sends what is queued, then ends the connection. Later sends are dropped (their `sent` runs); no more `onBytes`. */
  close(): void;
  /** Drops the connection and what is queued. */
  destroy(reason?: Error): void;
}

export interface Listener {
  /** The address that was bound, the port filled in where 0 was asked for. */
  readonly endpoint: Endpoint;
  /** Accepts no more; links that are there stay. */
  close(): Promise<void>;
}

export interface Network {
  listen(at: Endpoint, accept: (link: Link) => void): Promise<Listener>;
  dial(to: Endpoint): Promise<Link>;
}

/**
 * Buffers of 1 KiB and more that are used again: a fresh one of 1 MiB costs several times what is done with it. What
 * comes in `take` holds the bytes of whoever had it before.
 */
export interface FramePool {
  /** A buffer of at least `size` bytes, by size classes at most a quarter larger. */
  take(size: number): Buffer;
  /** Takes back a buffer that `take` gave (the whole buffer, not a view of it), once. Its bytes are void from here on. */
  give(buffer: Buffer): void;
  /** Bytes taken and not yet given back. */
  takenBytes(): number;
}

/** What a job works with, wherever it runs: files of its own, by path, and the time. */
export interface BackgroundContext {
  readonly storage: Storage;
  readonly clock: Clock;
}

/** What the end of a step may say. */
export interface StepEnd<Progress> {
  /** Plain data for whoever runs the job. */
  readonly progress?: Progress;
  /** The next step begins so much later. */
  readonly waitMs?: number;
}

/**
 * Work that may leave the loop: a synchronous step function over files. `run` opens its own files and closes them in
 * `finally`; it holds nothing of the broker's state. Input, progress and result are plain data (what a structured clone
 * keeps), the input unchanged by the job. Each `yield` ends a step; a step should take a millisecond or few, since the
 * same code may run in slices on the loop. Files written by a job are synced by whoever runs it. Errors that matter to
 * the caller belong into the result: only `StorageError` and messages cross over.
 */
export interface BackgroundJob<In, Out, Progress = undefined> {
  /** Unique; a job is found by it in another thread (`server/worker.ts` has the list). */
  readonly name: string;
  /** Nobody waits for it: where processors are short, the loop and other jobs go first. */
  readonly isPatient?: boolean;
  /** Runs before the first step where the steps run: loads what can't be loaded synchronously. */
  prepare?(): Promise<void> | undefined;
  run(input: In, context: BackgroundContext): Generator<StepEnd<Progress> | undefined, Out, void>;
}

export interface BackgroundRun<Out> {
  /**
   * Settles once the job touches no file any more. Rejects with the StorageError of a step, with `CancelledError`, or
   * with an Error for what is a bug.
   */
  readonly done: Promise<Out>;
  /** Ends the job after the step that runs; its `finally` blocks run. Nothing happens once it is over. */
  cancel(): void;
}

/** A background job was cancelled. */
export class CancelledError extends Error {
  constructor(job: string) {
    super(`${job} was cancelled`);
    this.name = 'CancelledError';
  }
}

/** Runs jobs beside the loop where it can, else in slices on it. Jobs wait in order when all threads are taken. */
export interface Background {
  run<In, Out, Progress>(
    job: BackgroundJob<In, Out, Progress>,
    input: In,
    onProgress?: (progress: Progress) => void,
  ): BackgroundRun<Out>;
  /** No more jobs come: threads that wait for them end, those that work when they are done. */
  close?(): void;
}

export interface LogFields {
  readonly [name: string]: unknown;
}

export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that puts `name` (a class or a room) on each line. */
  child(name: string): Logger;
}

/** All ports of one node. */
export interface Ports {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly turn: Turn;
  readonly random: Random;
  readonly storage: Storage;
  readonly network: Network;
  readonly background: Background;
  readonly logger: Logger;
  /** There in the real and the simulated world; `new BufferPool()` (base/buffer-pool.ts) where it is not. */
  readonly framePool?: FramePool;
  /** Files and sockets that the process may have open; not there where the system does not tell. */
  readonly openFilesMax?: number;
}
