import { assert } from '../base/assert.ts';
import { keepShape } from '../base/shape.ts';
import { type ErrorCode, Errors } from '../protocol/errors.ts';
import type { DecodedRequestHeader } from '../protocol/headers.ts';
import type { Reader } from '../protocol/reader.ts';
import type { EncodedAnswer } from './answer-encoder.ts';
import type { ApiRow } from './api-row.ts';
import type { Frame } from './frame-splitter.ts';

/** What a handler may know of the connection that a request came through. */
export interface Peer {
  /** Names the connection in logs: local address, remote address, number. */
  readonly id: string;
  /** Name of the listener, as in `listeners`. */
  readonly listenerName: string;
  /** Which API set is served here. */
  readonly listenerKind: ListenerKind;
  readonly remoteHost: string;
  /** KIP-511, from ApiVersions v3 and up. */
  clientSoftwareName: string;
  clientSoftwareVersion: string;
  /** Calls back once when the connection has ended, at once where it has already. */
  whenClosed(run: () => void): void;
}

export type ListenerKind = 'broker' | 'controller';

/** The part of the connection that a call reports to. */
export interface CallOwner extends Peer {
  callOrdered(call: Call): void;
  callSettled(call: Call): void;
}

/** What a call needs of the dispatcher. */
export interface CallDesk {
  /** The frame of an answer. Throws where the handler gave something that the version can't carry. */
  encode(call: Call, response: unknown): EncodedAnswer;
  /** Logs and counts an error that is our own fault. */
  report(call: Call, error: unknown): void;
  /** Answers with the error's code, or reports it as a bug. */
  failed(call: Call, error: unknown): void;
}

const NO_CHUNKS: readonly Uint8Array[] = [];

/** What becomes of a call once all before it were sent. */
type Outcome = 'pending' | 'answer' | 'nothing' | 'close';

/**
 * One request from its first byte to its answer: the slot that keeps answers in arrival order. A handler of a staged
 * row calls {@link ordered} when the next request may start, and exactly one of `answer`, `fail`, `answerNothing` and
 * `closeConnection`. After the connection went away all of these are harmless.
 */
export class Call<Response = unknown> {
  static {
    keepShape(
      () => new Call({} as CallOwner, {} as DecodedRequestHeader, {} as ApiRow, {} as Frame, {} as CallDesk),
    );
  }

  readonly peer: CallOwner;
  readonly header: DecodedRequestHeader;
  readonly row: ApiRow;
  readonly #frame: Frame;
  /** The decoded request, for the error answer. */
  request: unknown = undefined;
  /** Called when the connection is lost before the answer: a parked request can be dropped. */
  onGone: (() => void) | undefined = undefined;

  /** Bytes of the answer; owned by the connection from here on. */
  chunks: readonly Uint8Array[] = NO_CHUNKS;
  answerBytes = 0;
  sent: (() => void) | undefined = undefined;
  closeReason = '';
  next: Call | undefined = undefined;
  #outcome: Outcome = 'pending';
  #ordered = false;
  #gone = false;
  #unwritten = false;

  readonly #desk: CallDesk;

  constructor(peer: CallOwner, header: DecodedRequestHeader, row: ApiRow, frame: Frame, desk: CallDesk) {
    this.#desk = desk;
    this.peer = peer;
    this.header = header;
    this.row = row;
    this.#frame = frame;
  }

  get version(): number {
    return this.header.apiVersion;
  }

  get outcome(): Outcome {
    return this.#outcome;
  }

  get frameBytes(): Buffer {
    return this.#frame.bytes;
  }

  /** The reader, at the request behind its header. */
  bodyReader(reader: Reader): Reader {
    this.#frame.readFrom(this.header.bodyAt, reader);
    return reader;
  }

  /** Lets the next request of the connection start. Idempotent; answering implies it. */
  ordered(): void {
    if (this.#ordered) return;
    this.#ordered = true;
    if (!this.#gone) this.peer.callOrdered(this as Call);
  }

  /** The request's bytes are no longer needed. Idempotent; settling implies it. */
  releaseFrame(): void {
    this.#frame.release();
  }

  /** Answers; `sent` runs when the bytes that ride along may change: after the send, or at once when nobody waits. */
  answer(response: Response, sent?: () => void): void {
    assert(this.#outcome === 'pending', 'a call is settled once');
    if (this.#gone) {
      this.#outcome = 'nothing';
      this.releaseFrame();
      sent?.();
      return;
    }
    let encoded: EncodedAnswer;
    try {
      encoded = this.#desk.encode(this as Call, response);
    } catch (error) {
      sent?.();
      this.#unwritable(error);
      return;
    }
    this.chunks = encoded.chunks;
    this.answerBytes = encoded.sizeInBytes;
    this.sent = bothOf(encoded.release, sent);
    this.#settle('answer');
  }

  /** The handler gave what its version can't carry: a bug, answered as one. */
  #unwritable(error: unknown): void {
    this.#desk.report(this as Call, error);
    if (this.#unwritten) {
      this.closeConnection('the answer could not be written');
      return;
    }
    this.#unwritten = true;
    this.fail(Errors.UNKNOWN_SERVER_ERROR);
  }

  /** Answers in the response's own shape with this error. */
  fail(code: ErrorCode, message: string | null = null): void {
    const response = this.row.failure(this.request, code, message, this.version);
    if (response === undefined) this.closeConnection(`error ${code} can't be answered`);
    else this.answer(response as Response);
  }

  /** The handler threw where the dispatcher could not see it. */
  broken(error: unknown): void {
    this.#desk.failed(this as Call, error);
  }

  /** Produce with acks=0. */
  answerNothing(): void {
    assert(this.#outcome === 'pending', 'a call is settled once');
    this.#settle('nothing');
  }

  /** Closes the connection after what came before was sent. */
  closeConnection(reason: string): void {
    assert(this.#outcome === 'pending', 'a call is settled once');
    this.closeReason = reason;
    this.#settle('close');
  }

  /** The connection is lost. */
  lost(): void {
    if (this.#gone) return;
    this.#gone = true;
    if (this.#outcome === 'pending') {
      const onGone = this.onGone;
      this.onGone = undefined;
      onGone?.();
    } else {
      this.sent?.();
      this.sent = undefined;
    }
  }

  #settle(outcome: Outcome): void {
    this.#outcome = outcome;
    this.onGone = undefined;
    this.releaseFrame();
    this.#ordered = true;
    if (!this.#gone) this.peer.callSettled(this as Call);
  }
}

function bothOf(one: (() => void) | undefined, other: (() => void) | undefined): (() => void) | undefined {
  if (one === undefined) return other;
  if (other === undefined) return one;
  return () => {
    one();
    other();
  };
}
