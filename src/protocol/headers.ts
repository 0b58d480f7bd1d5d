import { requestHeaderVersion, responseHeaderVersion } from './api-keys.ts';
import { encode } from './codec.ts';
import { Reader } from './reader.ts';
import type { MessageSchema } from './schema.ts';
import type { Writer } from './writer.ts';

/**
 * What stands before a message on the wire. A request header has versions 1 and 2, of which 2 adds tagged fields but
 * keeps the old encoding of the client id, so that a broker can read it whatever the version of the request; a
 * response header has versions 0 and 1. Which one goes with a message follows from its API key and version.
 */

export interface RequestHeader {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly correlationId: number;
  readonly clientId: string | null;
}

export interface DecodedRequestHeader extends RequestHeader {
  /** Where the request itself begins. */
  readonly bodyAt: number;
}

export interface DecodedResponseHeader {
  readonly correlationId: number;
  readonly bodyAt: number;
}

/** The header at the front of a request frame; throws ProtocolDecodeError. Unknown API keys are taken as not flexible. */
export function decodeRequestHeader(frame: Uint8Array, at = 0): DecodedRequestHeader {
  return readRequestHeader(new Reader(frame, at), 0);
}

/** The same where a reader stands at it; the frame begins at `frameAt` of the reader's bytes. */
export function readRequestHeader(reader: Reader, frameAt: number): DecodedRequestHeader {
  const apiKey = reader.int16();
  const apiVersion = reader.int16();
  const correlationId = reader.int32();
  const clientId = reader.nullableString();
  if (requestHeaderVersion(apiKey, apiVersion) >= 2) skipTaggedFields(reader);
  return { apiKey, apiVersion, correlationId, clientId, bodyAt: reader.at - frameAt };
}

export function encodeRequestHeader(writer: Writer, header: RequestHeader): void {
  writer.int16(header.apiKey);
  writer.int16(header.apiVersion);
  writer.int32(header.correlationId);
  writer.nullableString(header.clientId);
  if (requestHeaderVersion(header.apiKey, header.apiVersion) >= 2) writer.uvarint(0);
}

/** The header at the front of a response frame, for whoever knows what was asked. */
export function decodeResponseHeader(
  frame: Uint8Array,
  apiKey: number,
  apiVersion: number,
  at = 0,
): DecodedResponseHeader {
  const reader = new Reader(frame, at);
  const correlationId = reader.int32();
  if (responseHeaderVersion(apiKey, apiVersion) >= 1) skipTaggedFields(reader);
  return { correlationId, bodyAt: reader.at };
}

export function encodeResponseHeader(
  writer: Writer,
  apiKey: number,
  apiVersion: number,
  correlationId: number,
): void {
  writer.int32(correlationId);
  if (responseHeaderVersion(apiKey, apiVersion) >= 1) writer.uvarint(0);
}

/** A whole request as it goes on the wire, size first; the writer must be empty. */
export function encodeRequestFrame<T>(
  writer: Writer,
  schema: MessageSchema<T>,
  header: Omit<RequestHeader, 'apiKey'>,
  request: T,
): void {
  writer.beginFrame();
  encodeRequestHeader(writer, { ...header, apiKey: schema.apiKey });
  encode(schema, header.apiVersion, request, writer);
  writer.endFrame();
}

/** A whole response as it goes on the wire, size first; the writer must be empty. */
export function encodeResponseFrame<T>(
  writer: Writer,
  schema: MessageSchema<T>,
  apiVersion: number,
  correlationId: number,
  response: T,
): void {
  writer.beginFrame();
  encodeResponseHeader(writer, schema.apiKey, apiVersion, correlationId);
  encode(schema, apiVersion, response, writer);
  writer.endFrame();
}

/** No header has tagged fields of its own yet. */
function skipTaggedFields(reader: Reader): void {
  for (let left = reader.taggedFieldCount(); left > 0; left--) {
    reader.uvarint();
    reader.skip(reader.taggedFieldSize());
  }
}
