import { decodeFrom } from '../protocol/codec.ts';
import type { ErrorCode } from '../protocol/errors.ts';
import { encodeResponseFrame, encodeResponseHeader, type RequestHeader } from '../protocol/headers.ts';
import type { Reader } from '../protocol/reader.ts';
import type { MessageSchema } from '../protocol/schema.ts';
import type { Writer } from '../protocol/writer.ts';
import type { Call, ListenerKind } from './call.ts';

/** A request, its response, and what the response looks like when the request as a whole fails. */
export interface ApiShape<Request, Response> {
  readonly request: MessageSchema<Request>;
  readonly response: MessageSchema<Response>;
  /** Undefined where no answer can carry the error: the connection is closed. */
  failure(request: Request, code: ErrorCode, message: string | null, version: number): Response | undefined;
}

/** A response whose bytes somebody else encoded, in the version that was asked for, without its header. */
export class EncodedResponse {
  readonly body: Uint8Array;

  constructor(body: Uint8Array) {
    this.body = body;
  }
}

interface RowBase<Request, Response> extends ApiShape<Request, Response> {
  /** On which listeners the API is served; `broker` only unless said otherwise. */
  readonly listeners?: readonly ListenerKind[];
  /** At most so many of it at once per connection; the next one holds the connection until one was answered. */
  readonly concurrency?: number;
  /**
   * It appends: it may start while earlier appends of its connection are not written yet. All others wait for them, so
   * that what they answer includes what was appended before them.
   */
  readonly appends?: boolean;
  /** Its answers leave before those to other requests of the same tick. */
  readonly isUrgent?: boolean;
}

/** Answered before the next request of its connection starts, as Apache Kafka does with all. */
export interface SerialRow<Request, Response> extends RowBase<Request, Response> {
  handle(
    call: Call<Response>,
    request: Request,
  ): Response | EncodedResponse | Promise<Response | EncodedResponse>;
}

/** The next request starts when the handler said so by `call.ordered()`; it answers through `call`. */
export interface StagedRow<Request, Response> extends RowBase<Request, Response> {
  handle(call: Call<Response>, request: Request): void;
}

/** One API as the dispatcher sees it. */
export interface ApiRow {
  readonly apiKey: number;
  /** Without "Request": `Produce`. */
  readonly name: string;
  readonly order: 'serial' | 'staged';
  readonly listeners: readonly ListenerKind[];
  readonly concurrency: number | undefined;
  readonly appends: boolean;
  readonly isUrgent: boolean;
  readonly versionMin: number;
  /** The newest released version. */
  readonly versionMax: number;
  /** A version above that, which Kafka has not released yet: served where `unstable.api.versions.enable` is set. */
  readonly versionUnstable: number | undefined;
  /** The request at which the reader stands. */
  decodeRequest(version: number, reader: Reader): unknown;
  handle(call: Call, request: unknown): unknown;
  failure(request: unknown, code: ErrorCode, message: string | null, version: number): unknown;
  /** Writes the whole frame of an answer, its length field included; record batches ride along as views. */
  writeAnswer(writer: Writer, header: RequestHeader, response: unknown): void;
}

export function serial<Request, Response>(row: SerialRow<Request, Response>): ApiRow {
  return apiRow(row, 'serial', (call, request) => row.handle(call, request));
}

export function staged<Request, Response>(row: StagedRow<Request, Response>): ApiRow {
  return apiRow(row, 'staged', (call, request) => row.handle(call, request));
}

function apiRow<Request, Response>(
  row: RowBase<Request, Response>,
  order: 'serial' | 'staged',
  handle: (call: Call<Response>, request: Request) => unknown,
): ApiRow {
  const { request, response } = row;
  return {
    apiKey: request.apiKey,
    name: request.name.replace(/Request$/, ''),
    order,
    listeners: row.listeners ?? ['broker'],
    concurrency: row.concurrency,
    appends: row.appends ?? false,
    isUrgent: row.isUrgent ?? false,
    versionMin: request.firstVersion,
    versionMax: request.latestVersionUnstable ? request.lastVersion - 1 : request.lastVersion,
    versionUnstable: request.latestVersionUnstable ? request.lastVersion : undefined,
    // Bytes behind a request are not looked at: librdkafka 2.16 sends some when it asks for the metadata of all topics.
    decodeRequest: (version, reader) => decodeFrom(request, version, reader),
    handle: (call, decoded) => handle(call as Call<Response>, decoded as Request),
    failure: (decoded, code, message, version) => row.failure(decoded as Request, code, message, version),
    writeAnswer: (writer, { apiVersion, correlationId }, answer) => {
      if (answer instanceof EncodedResponse) {
        writer.beginFrame();
        encodeResponseHeader(writer, response.apiKey, apiVersion, correlationId);
        writer.raw(answer.body);
        writer.endFrame();
        return;
      }
      // The answer to an ApiVersions request of an unknown version is one of version 0 (KIP-511).
      const version = apiVersion > response.lastVersion ? 0 : apiVersion;
      encodeResponseFrame(writer, response, version, correlationId, answer as Response);
    },
  };
}
