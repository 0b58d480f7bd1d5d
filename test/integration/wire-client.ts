import { connect, type Socket } from 'node:net';
import { decode } from '../../src/protocol/codec.ts';
import { decodeResponseHeader, encodeRequestFrame } from '../../src/protocol/headers.ts';
import type { MessageSchema } from '../../src/protocol/schema.ts';
import { Writer } from '../../src/protocol/writer.ts';

/** One request as it goes on the wire. */
export function frameOf<T>(
  schema: MessageSchema<T>,
  version: number,
  correlationId: number,
  request: T,
): Buffer {
  const writer = new Writer();
  encodeRequestFrame(
    writer,
    schema,
    { apiVersion: version, correlationId, clientId: 'wire-client' },
    request,
  );
  return Buffer.from(writer.bytes());
}

/** A client that knows nothing but frames. */
export class WireClient {
  readonly #socket: Socket;
  #received = Buffer.alloc(0);
  #waiting: (() => void)[] = [];
  #correlationId = 0;
  isClosed = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake();
    });
    socket.on('close', () => {
      this.isClosed = true;
      this.#wake();
    });
    socket.on('error', () => {});
  }

  static open(bootstrapServers: string): Promise<WireClient> {
    const port = Number(bootstrapServers.slice(bootstrapServers.lastIndexOf(':') + 1));
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => resolve(new WireClient(socket)));
      socket.once('error', reject);
    });
  }

  write(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  /** The next frame without its length; undefined when the connection was closed instead. */
  async receive(): Promise<Buffer | undefined> {
    for (;;) {
      if (this.#received.length >= 4) {
        const size = this.#received.readInt32BE(0);
        if (this.#received.length >= 4 + size) {
          const frame = this.#received.subarray(4, 4 + size);
          this.#received = this.#received.subarray(4 + size);
          return frame;
        }
      }
      if (this.isClosed) return undefined;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  async request<Request, Response>(
    request: MessageSchema<Request>,
    response: MessageSchema<Response>,
    version: number,
    body: Request,
  ): Promise<Response> {
    this.#correlationId += 1;
    this.write(frameOf(request, version, this.#correlationId, body));
    return this.answer(response, version, this.#correlationId);
  }

  async answer<Response>(
    schema: MessageSchema<Response>,
    version: number,
    correlationId: number,
  ): Promise<Response> {
    const frame = await this.receive();
    if (frame === undefined)
      throw new Error(`the broker closed the connection instead of answering ${schema.name} v${version}`);
    const header = decodeResponseHeader(frame, schema.apiKey, version);
    if (header.correlationId !== correlationId) {
      throw new Error(`expected the answer to ${correlationId}, got ${header.correlationId}`);
    }
    return decode(schema, version, frame, header.bodyAt);
  }

  close(): void {
    this.#socket.destroy();
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
