import { writeSync } from 'node:fs';
import type { Socket } from 'node:net';
import type { Endpoint, Link } from '../base/ports.ts';
import { keepShape } from '../base/shape.ts';
import { networkError } from './network-error.ts';

/** Larger reads are slower: sender and receiver stop overlapping. */
const READ_MAX_BYTES = 64 * 1024;
/**
 * Reads of a new connection: what a peer sends before anybody could look at it takes no more memory. From the first one
 * that is filled on they are larger.
 */
export const READ_FIRST_BYTES = 16 * 1024;
/** What is queued beyond it leaves at once, while it is in the caches of the processor. */
const FLUSH_AT_BYTES = 64 * 1024;
const HIGH_WATER_BYTES = 1024 * 1024;
const LOW_WATER_BYTES = HIGH_WATER_BYTES / 4;
const POISON = 0xdb;

/** What the links of one network share. */
export interface LinkShare {
  /** Where reads land: they are synchronous, so that one buffer serves every connection. */
  readonly scratch: Buffer;
  /** The start of it. */
  readonly shortScratch: Buffer;
  /** Overwrites the scratch after each `onBytes`. */
  readonly poison: boolean;
  /** Calls `flushNow` of the link at the end of this tick. */
  flushLater(link: TcpLink): void;
  /** Calls it before all else that this tick brought is done. */
  flushFirst(link: TcpLink): void;
  later(run: () => void): void;
}

interface Batch {
  readonly bytes: number;
  readonly sent: readonly (() => void)[];
}

const nothing: readonly (() => void)[] = [];

export class TcpLink implements Link {
  static {
    keepShape(() => new TcpLink({} as LinkShare));
  }

  local: Endpoint = { host: '', port: 0 };
  remote: Endpoint = { host: '', port: 0 };
  onBytes: (chunk: Uint8Array) => void = () => {};
  onDrain: () => void = () => {};
  onClosed: (reason?: Error) => void = () => {};
  target: (() => Uint8Array | undefined) | undefined;
  readonly #share: LinkShare;
  #socket: Socket | undefined;
  /** Of the socket, until it is destroyed, where it is one of plain TCP. */
  #descriptor: number | undefined;
  /** Queued in this tick. */
  #chunks: Uint8Array[] = [];
  #chunkBytes = 0;
  #sent: (() => void)[] = [];
  /** Given to the socket, the oldest first. */
  readonly #batches: Batch[] = [];
  #queuedBytes = 0;
  /** All that was ever queued for the socket to write. */
  #givenBytes = 0;
  #wantsDrain = false;
  #paused = false;
  /** A read has filled {@link READ_FIRST_BYTES}. */
  #readsLong = false;
  #state: 'open' | 'closing' | 'closed' = 'open';
  #reason: Error | undefined;
  /** Of what was sent after the end. */
  readonly #droppedSent: (() => void)[] = [];
  #told = false;

  constructor(share: LinkShare) {
    this.#share = share;
  }

  /** For the `onread` option of a socket: the buffer of the next read. Called from inside its constructor too. */
  readonly nextBuffer = (): Uint8Array => {
    const wanted = this.#state === 'closed' ? undefined : this.target?.();
    if (wanted === undefined || wanted.length === 0) {
      return this.#readsLong ? this.#share.scratch : this.#share.shortScratch;
    }
    return wanted.length > READ_MAX_BYTES ? wanted.subarray(0, READ_MAX_BYTES) : wanted;
  };

  /** For the `onread` option of a socket: `count` bytes have landed in the buffer. */
  readonly bytesRead = (count: number, buffer: Uint8Array): boolean => {
    if (this.#state !== 'open') return true;
    if (count >= READ_FIRST_BYTES) this.#readsLong = true;
    this.onBytes(count === buffer.length ? buffer : buffer.subarray(0, count));
    if (this.#share.poison && buffer.buffer === this.#share.scratch.buffer) {
      this.#share.scratch.fill(POISON, 0, count);
    }
    return true;
  };

  /**
   * Takes the socket over. The 'data' event is listened to in any case: with `onread` in effect it never comes, and
   * where a runtime does not know that option the bytes come so.
   */
  attach(socket: Socket): void {
    this.#socket = socket;
    this.remote = endpoint(socket.remoteAddress, socket.remotePort);
    this.local = endpoint(socket.localAddress, socket.localPort);
    socket.on('error', this.#failed);
    socket.on('end', this.#ended);
    socket.on('close', this.#closed);
    socket.on('data', this.#data);
    this.#descriptor = descriptorOf(handleOf(socket));
  }

  send(chunks: readonly Uint8Array[], sent?: () => void, isUrgent = false): boolean {
    if (this.#state !== 'open') {
      if (sent === undefined) return true;
      if (this.#told) this.#share.later(sent);
      else this.#droppedSent.push(sent);
      return true;
    }
    if (this.#chunks.length === 0 && this.#sent.length === 0) this.#share.flushLater(this);
    if (isUrgent) this.#share.flushFirst(this);
    let bytes = 0;
    for (const chunk of chunks) {
      if (chunk.length === 0) continue;
      bytes += chunk.length;
      this.#chunks.push(chunk);
    }
    if (sent !== undefined) this.#sent.push(sent);
    this.#chunkBytes += bytes;
    this.#queuedBytes += bytes;
    this.#givenBytes += bytes;
    if (this.#chunkBytes >= FLUSH_AT_BYTES) this.flush();
    if (this.#queuedBytes > HIGH_WATER_BYTES) this.#wantsDrain = true;
    return !this.#wantsDrain;
  }

  pause(): void {
    this.#paused = true;
    this.#socket?.pause();
  }

  resume(): void {
    this.#paused = false;
    if (this.#state !== 'closed') this.#socket?.resume();
  }

  queuedBytes(): number {
    if (this.#queuedBytes === 0) return 0;
    // A write is done when its last byte is: what has left of the one under way, only the handle knows.
    const handle = handleOf(this.#socket);
    if (typeof handle !== 'object' || handle === null) return this.#queuedBytes;
    const begun: unknown = Reflect.get(handle, 'bytesWritten');
    const left: unknown = Reflect.get(handle, 'writeQueueSize');
    if (typeof begun !== 'number' || typeof left !== 'number') return this.#queuedBytes;
    // Not 0 before `sent` has run.
    return Math.max(1, Math.min(this.#queuedBytes, this.#givenBytes - begun + left));
  }

  close(): void {
    if (this.#state !== 'open') return;
    this.flush();
    this.#state = 'closing';
    this.#socket?.destroySoon();
  }

  destroy(reason?: Error): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#reason = reason;
    this.#socket?.destroy();
  }

  /**
   * At the end of a tick: a single small chunk, as most answers are, goes to the kernel without the stream around the
   * socket, which costs as much as the system call itself. What the kernel does not take goes the long way.
   */
  flushNow(): void {
    const chunk = this.#chunks[0];
    const isPlain = this.#chunks.length === 1 && this.#batches.length === 0 && this.#state === 'open';
    const written = isPlain && chunk !== undefined ? this.#writeNow(chunk) : 0;
    if (chunk === undefined || written === 0) {
      this.flush();
      return;
    }
    this.#chunkBytes -= written;
    this.#queuedBytes -= written;
    this.#givenBytes -= written;
    if (this.#chunkBytes > 0) {
      this.#chunks[0] = chunk.subarray(written);
      this.flush();
      return;
    }
    this.#chunks.pop();
    // Mostly there is one: popped, it leaves the array its memory.
    if (this.#sent.length === 1) {
      this.#sent.pop()!();
      this.#drained();
      return;
    }
    const sent = this.#sent;
    this.#sent = [];
    this.#taken(sent);
  }

  /** The bytes that the kernel took, none where the socket is to be asked. */
  #writeNow(chunk: Uint8Array): number {
    const descriptor = this.#descriptor;
    // A destroyed socket has let go of its handle, and the descriptor may be another one's by now.
    if (descriptor === undefined || this.#socket?.destroyed !== false) return 0;
    try {
      return writeSync(descriptor, chunk);
    } catch {
      // Full, or broken: then the socket finds out too, and tells.
      return 0;
    }
  }

  /** Gives what is queued to the socket as one write. */
  flush(): void {
    const chunks = this.#chunks;
    if ((chunks.length === 0 && this.#sent.length === 0) || this.#state === 'closed') return;
    const socket = this.#socket as Socket;
    this.#batches.push({ bytes: this.#chunkBytes, sent: this.#sent.length > 0 ? this.#sent : nothing });
    this.#chunks = [];
    this.#sent = [];
    this.#chunkBytes = 0;
    const last = chunks.length - 1;
    if (last < 0) {
      this.#share.later(this.#written);
    } else if (last === 0) {
      socket.write(chunks[0] as Uint8Array, this.#written);
    } else {
      socket.cork();
      for (let i = 0; i < last; i++) socket.write(chunks[i] as Uint8Array);
      socket.write(chunks[last] as Uint8Array, this.#written);
      socket.uncork();
    }
  }

  /** The oldest batch is with the kernel, or will never be. */
  readonly #written = (): void => {
    const batch = this.#batches.shift();
    if (batch === undefined) return;
    this.#queuedBytes -= batch.bytes;
    this.#taken(batch.sent);
  };

  #taken(sent: readonly (() => void)[]): void {
    for (const told of sent) told();
    this.#drained();
  }

  #drained(): void {
    if (this.#wantsDrain && this.#queuedBytes <= LOW_WATER_BYTES && this.#state === 'open') {
      this.#wantsDrain = false;
      this.onDrain();
    }
  }

  readonly #data = (chunk: Buffer): void => {
    for (let at = 0; at < chunk.length && this.#state === 'open'; ) {
      if (this.#paused && at > 0) {
        this.#socket?.unshift(chunk.subarray(at));
        return;
      }
      const wanted = this.target?.();
      const target = wanted !== undefined && wanted.length > 0 ? wanted : undefined;
      const count = Math.min(chunk.length - at, READ_MAX_BYTES, target?.length ?? READ_MAX_BYTES);
      const part = chunk.subarray(at, at + count);
      at += count;
      if (target !== undefined) target.set(part, 0);
      this.onBytes(target?.subarray(0, count) ?? part);
      if (this.#share.poison) part.fill(POISON);
    }
  };

  readonly #failed = (error: Error): void => {
    this.#reason ??= networkError(error, `connection with ${this.remote.host}:${this.remote.port}`);
  };

  /** The other side sends no more. Kafka takes that for the end of the connection, and so does this. */
  readonly #ended = (): void => {
    this.close();
  };

  readonly #closed = (): void => {
    this.#state = 'closed';
    const queued = this.#sent;
    this.#chunks = [];
    this.#sent = [];
    this.#wantsDrain = false;
    while (this.#batches.length > 0) this.#written();
    this.#queuedBytes = 0;
    for (const sent of queued) sent();
    for (const sent of this.#droppedSent.splice(0)) sent();
    this.#told = true;
    this.onClosed(this.#reason);
  };
}

function handleOf(socket: Socket | undefined): unknown {
  return socket === undefined ? undefined : Reflect.get(socket, '_handle');
}

/** Undefined where there is none (Windows), and where what is written is not what leaves, as with TLS. */
function descriptorOf(handle: unknown): number | undefined {
  if (typeof handle !== 'object' || handle === null || handle.constructor.name !== 'TCP') return undefined;
  const descriptor: unknown = Reflect.get(handle, 'fd');
  return typeof descriptor === 'number' && descriptor >= 0 ? descriptor : undefined;
}

/** IPv4 in its own form also where a socket for both families accepted it. */
function endpoint(host: string | undefined, port: number | undefined): Endpoint {
  const plain = host?.startsWith('::ffff:') === true ? host.slice(7) : (host ?? '');
  return { host: plain, port: port ?? 0 };
}
