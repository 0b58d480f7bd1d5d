import type { Endpoint, Network } from '../../src/base/ports.ts';
import { decode, encode } from '../../src/protocol/codec.ts';
import { decodeResponseHeader, encodeRequestHeader } from '../../src/protocol/headers.ts';
import type { MessageSchema } from '../../src/protocol/schema.ts';
import { Writer } from '../../src/protocol/writer.ts';
import { FrameClient } from './client.ts';

export interface Api<Request, Response> {
  readonly request: MessageSchema<Request>;
  readonly response: MessageSchema<Response>;
}

/** The connection ended before the answer came: nobody knows whether the request was carried out. */
export class OutcomeUnknown extends Error {}

/** A client that connects when it has something to ask. */
export class KafkaClient {
  readonly #network: Network;
  readonly #to: Endpoint;
  readonly #clientId: string;
  #connection: FrameClient | undefined;
  #correlationId = 0;

  constructor(network: Network, to: Endpoint, clientId: string) {
    this.#network = network;
    this.#to = to;
    this.#clientId = clientId;
  }

  /** Rejects with {@link OutcomeUnknown} only after the request may have left; false where there is no connection. */
  async connect(): Promise<boolean> {
    if (this.#connection?.closed === false) return true;
    try {
      this.#connection = await FrameClient.connect(this.#network, this.#to);
      return true;
    } catch {
      return false;
    }
  }

  /** Needs a connection that {@link connect} made. */
  async ask<Request, Response>(
    api: Api<Request, Response>,
    version: number,
    request: Request,
  ): Promise<Response> {
    const bytes = this.#encode(api, version, request);
    let answer: Buffer;
    try {
      answer = await (this.#connection as FrameClient).request(bytes);
    } catch (error) {
      throw new OutcomeUnknown('the connection ended', { cause: error });
    }
    const { bodyAt } = decodeResponseHeader(answer, api.request.apiKey, version);
    return decode(api.response, version, answer, bodyAt);
  }

  /** A request without an answer. */
  tell<Request>(api: Api<Request, unknown>, version: number, request: Request): void {
    this.#connection?.notify(this.#encode(api, version, request));
  }

  close(): void {
    this.#connection?.close();
  }

  #encode<Request>(api: Api<Request, unknown>, version: number, request: Request): Buffer {
    const writer = new Writer();
    const header = { apiKey: api.request.apiKey, apiVersion: version, clientId: this.#clientId };
    encodeRequestHeader(writer, { ...header, correlationId: ++this.#correlationId });
    encode(api.request, version, request, writer);
    return writer.bytes();
  }
}
