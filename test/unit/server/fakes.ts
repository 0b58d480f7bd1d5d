import { BufferPool } from '../../../src/base/buffer-pool.ts';
import type { Clock, Link, Logger, Timer, Timers, Turn } from '../../../src/base/ports.ts';
import { encode } from '../../../src/protocol/codec.ts';
import { encodeRequestFrame } from '../../../src/protocol/headers.ts';
import type { MessageSchema } from '../../../src/protocol/schema.ts';
import { Writer } from '../../../src/protocol/writer.ts';

/** Ends of ticks come when the test says so. */
export class ManualTurn implements Turn {
  #later: (() => void)[] = [];
  #first: (() => void)[] = [];
  #atEnd: (() => void)[] = [];

  later(run: () => void): void {
    this.#later.push(run);
  }

  first(run: () => void): void {
    this.#first.push(run);
  }

  atEnd(run: () => void): void {
    this.#atEnd.push(run);
  }

  get isIdle(): boolean {
    return this.#first.length + this.#later.length + this.#atEnd.length === 0;
  }

  /** Ends one tick. */
  end(): void {
    while (this.#first.length > 0) this.#first.shift()!();
    const later = this.#later;
    this.#later = [];
    for (const run of later) run();
    while (this.#atEnd.length > 0) {
      const atEnd = this.#atEnd;
      this.#atEnd = [];
      for (const run of atEnd) run();
    }
  }

  /** Ends ticks until nothing is left to do. */
  drain(): void {
    for (let tick = 0; !this.isIdle; tick++) {
      if (tick > 1000) throw new Error('the turn never becomes idle');
      this.end();
    }
  }
}

/** Time stands until the test moves it. */
export class ManualTime implements Clock, Timers {
  #nowMs = 0;
  #timers: { atMs: number; run: () => void }[] = [];

  wallMs(): number {
    return 1_700_000_000_000 + this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  get pending(): number {
    return this.#timers.length;
  }

  after(delayMs: number, run: () => void): Timer {
    const timer = { atMs: this.#nowMs + Math.max(0, delayMs), run };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((one) => one !== timer);
      },
    };
  }

  advance(ms: number): void {
    const end = this.#nowMs + ms;
    for (;;) {
      const due = this.#timers.filter(({ atMs }) => atMs <= end).sort((a, b) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((one) => one !== due);
      this.#nowMs = due.atMs;
      due.run();
    }
    this.#nowMs = end;
  }
}

/** A link whose other side is the test. What is sent stays unacknowledged until the test takes it. */
export class FakeLink implements Link {
  readonly remote = { host: '10.0.0.1', port: 40_000 };
  readonly local = { host: '10.0.0.2', port: 9092 };
  onBytes: (chunk: Uint8Array) => void = () => {};
  onDrain: () => void = () => {};
  onClosed: (reason?: Error) => void = () => {};
  target: (() => Uint8Array | undefined) | undefined = undefined;
  isPaused = false;
  closed: 'no' | 'closed' | 'destroyed' = 'no';
  /** How many times `send` was called. */
  sends = 0;
  urgentSends = 0;
  readonly #queue: { readonly chunks: readonly Uint8Array[]; readonly sent: (() => void) | undefined }[] = [];
  /** What `send` answers. */
  roomy = true;

  send(chunks: readonly Uint8Array[], sent?: () => void, isUrgent = false): boolean {
    this.sends += 1;
    if (isUrgent) this.urgentSends += 1;
    this.#queue.push({ chunks, sent });
    return this.roomy;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  queuedBytes(): number {
    let bytes = 0;
    for (const { chunks } of this.#queue) for (const chunk of chunks) bytes += chunk.length;
    return bytes;
  }

  close(): void {
    this.closed = 'closed';
  }

  destroy(): void {
    this.closed = 'destroyed';
  }

  /** The other side reads all that was sent. */
  take(): Buffer {
    const taken = this.#queue.splice(0);
    const bytes = Buffer.concat(taken.flatMap(({ chunks }) => chunks));
    for (const { sent } of taken) sent?.();
    return bytes;
  }

  /** The bytes arrive, through memory that is overwritten afterwards; only while the link reads. */
  receive(bytes: Uint8Array): void {
    const scratch = Uint8Array.from(bytes);
    this.onBytes(scratch);
    scratch.fill(0xdb);
  }

  /** The connection is lost. */
  lose(reason?: Error): void {
    for (const { sent } of this.#queue.splice(0)) sent?.();
    this.onClosed(reason);
  }
}

export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLogger,
};

export class RecordingLogger implements Logger {
  readonly lines: string[] = [];
  debug(message: string): void {
    this.lines.push(`debug ${message}`);
  }
  info(message: string): void {
    this.lines.push(`info ${message}`);
  }
  warn(message: string): void {
    this.lines.push(`warn ${message}`);
  }
  error(message: string): void {
    this.lines.push(`error ${message}`);
  }
  child(): Logger {
    return this;
  }
}

export const poisonedPool = () => new BufferPool({ poison: true });

/** A request as it goes on the wire. */
export function frameOf<T>(
  schema: MessageSchema<T>,
  version: number,
  correlationId: number,
  request: T,
  clientId: string | null = 'test',
): Buffer {
  const writer = new Writer();
  encodeRequestFrame(writer, schema, { apiVersion: version, correlationId, clientId }, request);
  return Buffer.from(writer.bytes());
}

export function bodyOf<T>(schema: MessageSchema<T>, version: number, value: T): Buffer {
  const writer = new Writer();
  encode(schema, version, value, writer);
  return Buffer.from(writer.bytes());
}

/** The frames in a run of answers, without their length fields. */
export function framesIn(bytes: Buffer): Buffer[] {
  const frames: Buffer[] = [];
  let at = 0;
  while (at < bytes.length) {
    const size = bytes.readInt32BE(at);
    frames.push(bytes.subarray(at + 4, at + 4 + size));
    at += 4 + size;
  }
  return frames;
}

/** The correlation ids of a run of answers. */
export function correlationIdsIn(bytes: Buffer): number[] {
  return framesIn(bytes).map((frame) => frame.readInt32BE(0));
}
