import { assert } from '../../src/base/assert.ts';
import type { Endpoint, Link, Network } from '../../src/base/ports.ts';

/** Size, API key, version, then the correlation id. */
const CORRELATION_AT = 4;

interface Waiting {
  readonly correlationId: number;
  readonly resolve: (response: Buffer) => void;
  readonly reject: (error: Error) => void;
}

/**
 * A client that thinks in frames: whole requests out, whole responses in, each checked to be the answer to the oldest
 * request that waits.
 */
export class FrameClient {
  readonly link: Link;
  closed = false;
  readonly #waiting: Waiting[] = [];
  #received = Buffer.alloc(0);
  #reason: Error | undefined;

  constructor(link: Link) {
    this.link = link;
    link.onBytes = (chunk) => this.#bytes(chunk);
    link.onClosed = (reason) => this.#closed(reason);
  }

  static async connect(network: Network, to: Endpoint): Promise<FrameClient> {
    return new FrameClient(await network.dial(to));
  }

  /** Requests sent and not yet answered. */
  get pending(): number {
    return this.#waiting.length;
  }

  /**
   * Sends a request, header included and size not; the response without its size. Rejects when the connection ends
   * first.
   */
  request(request: Uint8Array): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const header = Buffer.from(request.buffer, request.byteOffset, request.byteLength);
      const correlationId = header.readInt32BE(CORRELATION_AT);
      if (this.closed) {
        reject(this.#error());
        return;
      }
      this.#waiting.push({ correlationId, resolve, reject });
      this.#send(request);
    });
  }

  /** Sends a request that gets no response (acks=0). */
  notify(request: Uint8Array): void {
    if (!this.closed) this.#send(request);
  }

  close(): void {
    this.link.close();
  }

  #send(request: Uint8Array): void {
    const size = Buffer.alloc(4);
    size.writeInt32BE(request.length, 0);
    this.link.send([size, Buffer.from(request)]);
  }

  #bytes(chunk: Uint8Array): void {
    this.#received = Buffer.concat([this.#received, chunk]);
    let at = 0;
    while (this.#received.length - at >= 4) {
      const end = at + 4 + this.#received.readInt32BE(at);
      if (this.#received.length < end) break;
      this.#response(Buffer.from(this.#received.subarray(at + 4, end)));
      at = end;
    }
    this.#received = this.#received.subarray(at);
  }

  #response(response: Buffer): void {
    const oldest = this.#waiting.shift();
    assert(oldest !== undefined, 'a response came that nobody waits for');
    const id = response.readInt32BE(0);
    assert(id === oldest.correlationId, `response ${id} came instead of ${oldest.correlationId}`);
    oldest.resolve(response);
  }

  #closed(reason: Error | undefined): void {
    this.closed = true;
    this.#reason = reason;
    for (const { reject } of this.#waiting.splice(0)) reject(this.#error());
  }

  #error(): Error {
    return new Error('the connection has ended', { cause: this.#reason });
  }
}
