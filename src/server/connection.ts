import { assert } from '../base/assert.ts';
import type { FramePool, Link, Logger, Turn } from '../base/ports.ts';
import { keepShape } from '../base/shape.ts';
import type { ApiRow } from './api-row.ts';
import type { Call, CallOwner, ListenerKind } from './call.ts';
import { type Frame, FrameError, type FrameOwner, type FrameSlabs, FrameSplitter } from './frame-splitter.ts';
import {
  ANSWER_PACE_BYTES_MIN,
  JOINED_ANSWER_BYTES_MAX,
  QUEUED_ANSWER_BYTES_MAX,
  REQUESTS_IN_FLIGHT_MAX,
  UNQUEUED_FRAME_BYTES_MAX,
} from './limits.ts';
import { RequestMemoryError } from './request-memory.ts';

const NO_CHUNKS: readonly Uint8Array[] = [];

/** What a connection needs of the dispatcher. */
export interface CallDispatcher {
  /** Undefined where the API is not served. */
  rowOf(kind: ListenerKind, apiKey: number): ApiRow | undefined;
  /** Reads the header and finds the row; throws when the connection has to be closed, with the reason as message. */
  accept(peer: CallOwner, frame: Frame): Call;
  /** Decodes and handles. Never throws. */
  run(call: Call): void;
}

/** What the connections of a server have in common. */
export interface ConnectionHost {
  /** `socket.request.max.bytes`. */
  readonly frameBytesMax: number;
  readonly pool: FramePool;
  readonly slabs: FrameSlabs;
  readonly turn: Turn;
  readonly dispatcher: CallDispatcher;
  readonly logger: Logger;
  onClosed(connection: Connection): void;
}

/**
 * One client connection: starts requests in the order of arrival and sends answers in that order, all of a tick as one
 * write. It starts nothing new while a request holds the order, too many are under way, or answers pile up; then the
 * link is paused, so that a peer can make us hold one chunk of frames and {@link QUEUED_ANSWER_BYTES_MAX} of answers.
 * It is paused too while the node has no memory for the frame that comes.
 */
export class Connection implements CallOwner, FrameOwner {
  static {
    keepShape(() => new Connection({} as ConnectionHost, {} as Link, '', 'broker', 0));
  }

  readonly listenerName: string;
  readonly listenerKind: ListenerKind;
  clientSoftwareName = '';
  clientSoftwareVersion = '';
  /** When something moved last, as far as its owner has looked. */
  lastActiveMs = 0;

  readonly #number: number;
  readonly #host: ConnectionHost;
  readonly #link: Link;
  readonly #splitter: FrameSplitter;
  /** Requests that are started and not handed to the link, oldest first. */
  #head: Call | undefined;
  #tail: Call | undefined;
  #inFlight = 0;
  /** Of the APIs whose concurrency is bounded; most connections never call one. */
  #perApi: Map<number, number> | undefined;
  /** Appends that are not as durable yet as was asked for. */
  #appending = 0;
  /** The request that must be ordered before another starts. */
  #blocking: Call | undefined;
  /** Frames of the last chunk that could not start yet. */
  #waiting: Frame[] = [];
  #waitingAt = 0;
  /** The large one of them when {@link keepsLargeFrame} was asked last. */
  #keptBefore: Frame | undefined;
  /** Answers that wait for an earlier one. */
  #heldBytes = 0;
  /** Answers handed to the link and not yet taken. */
  #unsentBytes = 0;
  #outbox: Uint8Array[] = [];
  #outboxBytes = 0;
  #outboxSent: (() => void)[] = [];
  #flushPlanned = false;
  readonly #flushTurn = () => this.#flush();
  /** Of answers that lie in memory of nobody: bytes of those that were given to the link, the oldest first. */
  readonly #plainBytes: number[] = [];
  readonly #plainSent = () =>
    this.#taken(this.#plainBytes.length === 1 ? this.#plainBytes.pop()! : this.#plainBytes.shift()!);
  #congested = false;
  #paused = false;
  #starting = false;
  /** No further request is started: the connection ends when what is under way was sent. */
  #ending = false;
  #closed = false;
  /** Who wants to know that it ended; most connections have nobody. */
  #closeListeners: (() => void)[] | undefined;
  #active = true;
  /** Bytes of answers that were given to the link. */
  #givenBytes = 0;
  /** Bytes of them that the peer had taken when its activity was last asked for. */
  #takenBefore = 0;
  /** The same of its pace; -1 where nothing waited then. */
  #paceMark = -1;

  /** `number` tells connections between the same addresses apart. */
  constructor(
    host: ConnectionHost,
    link: Link,
    listenerName: string,
    listenerKind: ListenerKind,
    number: number,
  ) {
    this.#host = host;
    this.#number = number;
    this.listenerName = listenerName;
    this.listenerKind = listenerKind;
    this.#link = link;
    this.#splitter = new FrameSplitter(host.frameBytesMax, host.slabs, this);
    link.onBytes = (chunk) => this.#onBytes(chunk);
    link.onDrain = () => this.#onDrain();
    link.onClosed = (reason) => this.#onClosed(reason);
    link.target = () => this.#splitter.target();
  }

  get id(): string {
    const { local, remote } = this.#link;
    return `${local.host}:${local.port}-${remote.host}:${remote.port}-${this.#number}`;
  }

  get remoteHost(): string {
    return this.#link.remote.host;
  }

  /** Requests that are started and not yet sent. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Bytes of answers that this connection holds. */
  get queuedAnswerBytes(): number {
    return this.#heldBytes + this.#outboxBytes + this.#unsentBytes;
  }

  get isPaused(): boolean {
    return this.#paused;
  }

  get isReading(): boolean {
    return !this.#paused;
  }

  /** Whether anything moved since the last time this was asked. */
  takeActivity(): boolean {
    const taken = this.#takenBytes();
    const active = this.#active || taken !== this.#takenBefore;
    this.#takenBefore = taken;
    this.#active = false;
    return active;
  }

  /** Whether answers wait for the peer, and it took too few of them since this was last asked. */
  takesTooLittle(): boolean {
    const taken = this.#takenBytes();
    const least = Math.max(ANSWER_PACE_BYTES_MIN, this.#unsentBytes / 64);
    const tooLittle = this.#paceMark >= 0 && taken - this.#paceMark < least;
    this.#paceMark = this.#unsentBytes === 0 ? -1 : taken;
    return tooLittle && this.#unsentBytes > 0;
  }

  /** Whether a large request waits here for others of this connection, and did when this was asked last. */
  keepsLargeFrame(): boolean {
    const kept = this.#waiting.find(
      ({ sizeInBytes }, at) => at >= this.#waitingAt && sizeInBytes > UNQUEUED_FRAME_BYTES_MAX,
    );
    const isSame = kept !== undefined && kept === this.#keptBefore;
    this.#keptBefore = kept;
    return isSame;
  }

  /** Starts no more requests, sends what is under way, then closes. Idempotent. */
  close(): void {
    if (this.#closed || this.#ending) return;
    this.#end();
    if (this.#head === undefined && !this.#flushPlanned) this.#link.close();
  }

  /** Drops the connection now. Idempotent. */
  destroy(reason: string): void {
    if (!this.#closed) this.#link.destroy(new Error(reason));
  }

  whenClosed(run: () => void): void {
    if (this.#closed) run();
    else if (this.#closeListeners === undefined) this.#closeListeners = [run];
    else this.#closeListeners.push(run);
  }

  callOrdered(call: Call): void {
    if (this.#blocking !== call) return;
    this.#blocking = undefined;
    this.#startWaiting();
  }

  callSettled(call: Call): void {
    if (this.#blocking === call) this.#blocking = undefined;
    this.#count(call.row, -1);
    if (call.outcome === 'answer') this.#heldBytes += call.answerBytes;
    if (call === this.#head) this.#collect();
    this.#startWaiting();
  }

  #onBytes(chunk: Uint8Array): void {
    this.#active = true;
    if (this.#ending) return;
    try {
      this.#splitter.push(chunk);
    } catch (error) {
      if (!(error instanceof FrameError || error instanceof RequestMemoryError)) throw error;
      this.#refuse(error.message);
    }
    this.#steer();
  }

  onFrame(frame: Frame): void {
    if (this.#ending) frame.release();
    else if (this.#waitingAt === this.#waiting.length && this.#mayStart(frame)) this.#start(frame);
    else if (this.#host.slabs.memory.isExhausted) {
      frame.release();
      this.#refuse('the memory for requests that wait is used up');
    } else this.#waiting.push(frame);
  }

  onFrameGranted(): void {
    this.#steer();
  }

  onFrameExpired(reason: string): void {
    if (!this.#closed) this.#host.logger.info(`Closing connection ${this.id}: ${reason}`);
    this.destroy(reason);
  }

  #mayStart(frame: Frame): boolean {
    if (this.#blocking !== undefined || this.#congested || this.#starting) return false;
    if (this.#inFlight >= REQUESTS_IN_FLIGHT_MAX) return false;
    if (this.queuedAnswerBytes >= QUEUED_ANSWER_BYTES_MAX) return false;
    const apiKey = frame.int16(0);
    const row = this.#host.dispatcher.rowOf(this.listenerKind, apiKey);
    if (row === undefined) return true;
    if (this.#appending > 0 && !row.appends) return false;
    return row.concurrency === undefined || (this.#perApi?.get(apiKey) ?? 0) < row.concurrency;
  }

  #start(frame: Frame): void {
    let call: Call;
    try {
      call = this.#host.dispatcher.accept(this, frame);
    } catch (error) {
      frame.release();
      this.#refuse(error instanceof Error ? error.message : String(error));
      return;
    }
    if (this.#tail === undefined) this.#head = call;
    else this.#tail.next = call;
    this.#tail = call;
    this.#inFlight += 1;
    this.#blocking = call;
    this.#count(call.row, 1);
    this.#starting = true;
    this.#host.dispatcher.run(call);
    this.#starting = false;
  }

  #count(row: ApiRow, change: 1 | -1): void {
    if (row.appends) this.#appending += change;
    if (row.concurrency === undefined) return;
    this.#perApi ??= new Map();
    this.#perApi.set(row.apiKey, (this.#perApi.get(row.apiKey) ?? 0) + change);
  }

  #startWaiting(): void {
    if (this.#starting || this.#closed) return;
    while (this.#waitingAt < this.#waiting.length && !this.#ending) {
      const frame = this.#waiting[this.#waitingAt]!;
      if (!this.#mayStart(frame)) break;
      this.#waitingAt += 1;
      this.#start(frame);
    }
    if (this.#waitingAt === this.#waiting.length && this.#waitingAt > 0) {
      this.#waiting = [];
      this.#waitingAt = 0;
    }
    this.#steer();
  }

  /** Pauses the link while frames wait or answers pile up, resumes it otherwise. */
  #steer(): void {
    if (this.#closed) return;
    // A connection that ends reads on and drops what it reads: only so is the peer's own end seen.
    const pause =
      !this.#ending &&
      (this.#waitingAt < this.#waiting.length ||
        this.#congested ||
        this.#inFlight >= REQUESTS_IN_FLIGHT_MAX ||
        this.queuedAnswerBytes >= QUEUED_ANSWER_BYTES_MAX ||
        this.#splitter.isWaiting ||
        (this.#inFlight > 0 && this.#host.slabs.memory.isSmallFull));
    if (pause === this.#paused) return;
    this.#paused = pause;
    if (pause) this.#link.pause();
    else this.#link.resume();
  }

  /** Moves settled calls from the head of the line to the outbox. */
  #collect(): void {
    let call = this.#head;
    let isUrgent = false;
    while (call !== undefined && call.outcome !== 'pending') {
      this.#head = call.next;
      // A settled call that the collector has called old would keep each later one of the connection alive with it.
      call.next = undefined;
      if (this.#head === undefined) this.#tail = undefined;
      this.#inFlight -= 1;
      if (call.outcome === 'close') {
        this.#abandon();
        this.#refuse(call.closeReason);
        return;
      }
      if (call.outcome === 'answer') {
        this.#post(call);
        isUrgent ||= call.row.isUrgent;
      }
      call = this.#head;
    }
    if (isUrgent && !this.#closed) this.#send(true);
    if (this.#ending && this.#head === undefined) this.#planFlush();
  }

  #post(call: Call): void {
    this.#heldBytes -= call.answerBytes;
    for (const chunk of call.chunks) this.#outbox.push(chunk);
    this.#outboxBytes += call.answerBytes;
    if (call.sent !== undefined) this.#outboxSent.push(call.sent);
    call.chunks = NO_CHUNKS;
    call.sent = undefined;
    this.#planFlush();
  }

  #planFlush(): void {
    if (this.#flushPlanned || this.#closed) return;
    this.#flushPlanned = true;
    this.#host.turn.atEnd(this.#flushTurn);
  }

  #flush(): void {
    this.#flushPlanned = false;
    if (this.#closed) return;
    if (this.#outbox.length > 0) this.#send();
    if (this.#ending && this.#head === undefined) this.#link.close();
    else this.#startWaiting();
  }

  #send(isUrgent = false): void {
    const bytes = this.#outboxBytes;
    if (this.#outbox.length === 1 && this.#outboxSent.length === 0) {
      // Popped, it leaves the outbox its memory.
      const chunk = this.#outbox.pop()!;
      this.#plainBytes.push(bytes);
      this.#give([chunk], bytes, this.#plainSent, isUrgent);
      return;
    }
    const released = this.#outboxSent;
    let chunks: readonly Uint8Array[] = this.#outbox;
    let joined: Buffer | undefined;
    if (chunks.length > 1 && bytes <= JOINED_ANSWER_BYTES_MAX) {
      joined = this.#host.pool.take(bytes);
      let at = 0;
      for (const chunk of chunks) {
        joined.set(chunk, at);
        at += chunk.length;
      }
      for (const release of released) release();
      chunks = [joined.length === bytes ? joined : joined.subarray(0, bytes)];
    }
    this.#outbox = [];
    this.#outboxSent = [];
    const sent = () => {
      if (joined !== undefined) this.#host.pool.give(joined);
      else for (const release of released) release();
      this.#taken(bytes);
    };
    this.#give(chunks, bytes, sent, isUrgent);
  }

  /** Gives what was in the outbox to the link. */
  #give(chunks: readonly Uint8Array[], bytes: number, sent: () => void, isUrgent: boolean): void {
    this.#outboxBytes = 0;
    this.#unsentBytes += bytes;
    this.#givenBytes += bytes;
    if (!this.#link.send(chunks, sent, isUrgent)) this.#congested = true;
  }

  /** The link has let go of so many bytes. */
  #taken(bytes: number): void {
    this.#active = true;
    this.#unsentBytes -= bytes;
    if (!this.#closed && this.#paused) this.#startWaiting();
  }

  #onDrain(): void {
    this.#congested = false;
    this.#startWaiting();
  }

  #takenBytes(): number {
    return this.#unsentBytes === 0 ? this.#givenBytes : this.#givenBytes - this.#link.queuedBytes();
  }

  /** The peer broke the protocol, or asked for something that ends the connection. */
  #refuse(reason: string): void {
    if (this.#closed) return;
    this.#host.logger.info(`Closing connection ${this.id}: ${reason}`);
    if (!this.#ending) this.#end();
    if (this.#head === undefined) this.#planFlush();
  }

  /** Whatever is under way will not be answered. */
  #abandon(): void {
    let call = this.#head;
    this.#head = undefined;
    this.#tail = undefined;
    this.#inFlight = 0;
    while (call !== undefined) {
      call.lost();
      call = call.next;
    }
  }

  #end(): void {
    this.#ending = true;
    for (let i = this.#waitingAt; i < this.#waiting.length; i++) this.#waiting[i]!.release();
    this.#waiting = [];
    this.#waitingAt = 0;
    this.#steer();
  }

  #onClosed(reason: Error | undefined): void {
    assert(!this.#closed, 'a link closes once');
    if (!this.#ending) this.#end();
    this.#closed = true;
    this.#splitter.close();
    for (const release of this.#outboxSent) release();
    this.#outboxSent = [];
    this.#outbox = [];
    this.#abandon();
    if (reason !== undefined)
      this.#host.logger.debug(`Connection ${this.id} was lost`, { reason: reason.message });
    const listeners = this.#closeListeners ?? [];
    this.#closeListeners = undefined;
    for (const told of listeners) told();
    this.#host.onClosed(this);
  }
}
