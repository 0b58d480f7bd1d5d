import type { FramePool, Link } from '../base/ports.ts';
import { decode, encode } from '../protocol/codec.ts';
import { Errors, ProtocolError } from '../protocol/errors.ts';
import { decodeResponseHeader, encodeRequestHeader } from '../protocol/headers.ts';
import type { MessageSchema } from '../protocol/schema.ts';
import { Writer } from '../protocol/writer.ts';
import { type Frame, FrameSlabs, FrameSplitter } from './frame-splitter.ts';
import { RequestMemory } from './request-memory.ts';

const ANSWER_BYTES_MAX = 0x7fff_ffff;

/** What the controller is told of who asks. */
const CLIENT_ID = 'broker';

interface Waiting {
  readonly correlationId: number;
  readonly apiKey: number;
  readonly version: number;
  take(bytes: Buffer, bodyAt: number): void;
  fail(error: Error): void;
}

/** A request and the response that belongs to it. */
export interface Exchange<Request, Response> {
  readonly request: MessageSchema<Request>;
  readonly response: MessageSchema<Response>;
}

/**
 * The broker's connection to the controller: encoded requests over a link, answered in their order. The link of a node
 * to its own controller is an in-memory one that carries the same bytes as a socket.
 */
export class ControllerChannel {
  readonly #link: Link;
  readonly #splitter: FrameSplitter;
  readonly #slabs: FrameSlabs;
  readonly #waiting: Waiting[] = [];
  #correlationId = 0;
  #closed = false;

  constructor(link: Link, pool: FramePool) {
    this.#link = link;
    this.#slabs = new FrameSlabs(new RequestMemory(pool));
    this.#splitter = new FrameSplitter(ANSWER_BYTES_MAX, this.#slabs, {
      isReading: true,
      onFrame: (frame: Frame) => {
        this.#take(frame.bytes);
        frame.release();
      },
      onFrameGranted: () => {},
      onFrameExpired: () => {},
    });
    link.onBytes = (chunk) => this.#splitter.push(chunk);
    link.onClosed = (reason) => this.#fail(reason);
  }

  /** Rejects with NOT_CONTROLLER when the link is lost before the answer. */
  send<Request, Response>(
    exchange: Exchange<Request, Response>,
    version: number,
    request: Request,
  ): Promise<Response> {
    const { apiKey } = exchange.request;
    return new Promise((resolve, reject) => {
      this.#ask(apiKey, version, (writer) => encode(exchange.request, version, request, writer), {
        take: (bytes, bodyAt) => resolve(decode(exchange.response, version, bytes, bodyAt)),
        fail: reject,
      });
    });
  }

  /** Passes an encoded request on and gives the answer's own bytes, neither with its header. Rejects as `send`. */
  forward(apiKey: number, version: number, body: Uint8Array): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      this.#ask(apiKey, version, (writer) => writer.raw(body), {
        take: (bytes, bodyAt) => resolve(bytes.subarray(bodyAt)),
        fail: reject,
      });
    });
  }

  #ask(
    apiKey: number,
    version: number,
    writeBody: (writer: Writer) => void,
    waiting: Pick<Waiting, 'take' | 'fail'>,
  ): void {
    if (this.#closed) {
      waiting.fail(new ProtocolError(Errors.NOT_CONTROLLER, 'the link to the controller is closed'));
      return;
    }
    this.#correlationId = (this.#correlationId + 1) & 0x7fff_ffff;
    const correlationId = this.#correlationId;
    const writer = new Writer();
    writer.beginFrame();
    encodeRequestHeader(writer, { apiKey, apiVersion: version, correlationId, clientId: CLIENT_ID });
    writeBody(writer);
    writer.endFrame();
    this.#waiting.push({ ...waiting, correlationId, apiKey, version });
    this.#link.send([writer.bytes()]);
  }

  close(): void {
    if (!this.#closed) this.#link.close();
  }

  #take(bytes: Buffer): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) throw new Error('the controller answered without a request');
    try {
      const header = decodeResponseHeader(bytes, waiting.apiKey, waiting.version);
      if (header.correlationId !== waiting.correlationId) {
        throw new Error(
          `the controller answered ${header.correlationId} instead of ${waiting.correlationId}`,
        );
      }
      waiting.take(Buffer.from(bytes), header.bodyAt);
    } catch (error) {
      waiting.fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #fail(reason: Error | undefined): void {
    this.#closed = true;
    this.#splitter.close();
    this.#slabs.close();
    const text = reason?.message ?? 'the link to the controller was closed';
    for (const waiting of this.#waiting.splice(0)) {
      waiting.fail(new ProtocolError(Errors.NOT_CONTROLLER, text));
    }
  }
}
