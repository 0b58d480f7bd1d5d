import { connect, type Socket } from 'node:net';
import { decode, defaults, type Sparse } from '../../src/protocol/codec.ts';
import { decodeResponseHeader, encodeRequestFrame } from '../../src/protocol/headers.ts';
import { ApiVersionsRequest, ApiVersionsResponse } from '../../src/protocol/messages/api-versions.ts';
import type { MessageSchema } from '../../src/protocol/schema.ts';
import { Writer } from '../../src/protocol/writer.ts';
import { CLIENT_ID } from './frames.ts';

const writer = new Writer();

/** One request as it goes on the wire, with the correlation id 0. */
export function frameOf<T>(schema: MessageSchema<T>, version: number, given: Sparse<T>): Buffer {
  writer.release();
  const header = { apiVersion: version, correlationId: 0, clientId: CLIENT_ID };
  encodeRequestFrame(writer, schema, header, defaults(schema, given));
  return Buffer.from(writer.bytes());
}

/** A connection to a broker, whose answers come in the order of the requests. */
export class Peer {
  readonly #socket: Socket;
  #rest: Buffer = Buffer.alloc(0);
  readonly #waiting: ((answer: Buffer) => void)[] = [];

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#take(chunk));
    socket.on('error', () => {});
  }

  static open(port: number): Promise<Peer> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1' });
      socket.once('error', reject);
      socket.once('connect', () => resolve(new Peer(socket)));
    });
  }

  /** A connection that the broker has taken and answered on. */
  static async served(port: number): Promise<Peer> {
    const peer = await Peer.open(port);
    await peer.ask(ApiVersionsRequest, ApiVersionsResponse, 0, {});
    return peer;
  }

  close(): void {
    this.#socket.destroy();
  }

  /** Sends a frame as it is; `answered` gets what follows the length. */
  send(frame: Buffer, answered: (answer: Buffer) => void): void {
    this.#waiting.push(answered);
    this.#socket.write(frame);
  }

  ask<Request, Response>(
    request: MessageSchema<Request>,
    response: MessageSchema<Response>,
    version: number,
    given: Sparse<Request>,
  ): Promise<Response> {
    return this.askWith(frameOf(request, version, given), response, version);
  }

  /** Asks with a frame that may change once this was answered. */
  askWith<Response>(frame: Buffer, response: MessageSchema<Response>, version: number): Promise<Response> {
    return this.sent(frame, (answer) => {
      const { bodyAt } = decodeResponseHeader(answer, response.apiKey, version);
      return decode(response, version, answer, bodyAt);
    });
  }

  /** Sends a frame that may change once this was answered, and gives what `read` finds in the answer. */
  sent<T>(frame: Buffer, read: (answer: Buffer) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.send(frame, (answer) => {
        try {
          resolve(read(answer));
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  #take(chunk: Buffer): void {
    const all = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (all.length - at >= 4) {
      const end = at + 4 + all.readInt32BE(at);
      if (end > all.length) break;
      this.#waiting.shift()?.(all.subarray(at + 4, end));
      at = end;
    }
    this.#rest = at === all.length ? Buffer.alloc(0) : all.subarray(at);
  }
}
