import { describe, expect, test } from 'vitest';
import { apiKeyOf, apiName, isKnownApiKey } from '../../../src/protocol/api-keys.ts';
import { decode, defaults, ProtocolDecodeError } from '../../../src/protocol/codec.ts';
import {
  decodeRequestHeader,
  decodeResponseHeader,
  encodeRequestFrame,
  encodeRequestHeader,
  encodeResponseFrame,
} from '../../../src/protocol/headers.ts';
import { ApiVersionsRequest, ApiVersionsResponse } from '../../../src/protocol/messages/api-versions.ts';
import { FetchResponse } from '../../../src/protocol/messages/fetch.ts';
import { MetadataRequest, MetadataResponse } from '../../../src/protocol/messages/metadata.ts';
import { Writer } from '../../../src/protocol/writer.ts';
import { allMessages, versionsOf } from './all-messages.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

describe('request headers', () => {
  test('version 1 ends behind the client id, which may be null', () => {
    expect(decodeRequestHeader(hex('0003 0008 00000005 0003 6b6372 ff'))).toEqual({
      apiKey: 3,
      apiVersion: 8,
      correlationId: 5,
      clientId: 'kcr',
      bodyAt: 13,
    });
    expect(decodeRequestHeader(hex('0003 0008 00000005 ffff'))).toMatchObject({ clientId: null, bodyAt: 10 });
  });

  test('version 2 has tagged fields behind a client id in the old encoding', () => {
    const frame = hex('0003 0009 7fffffff 0001 61 02 0001ff 0500 01 00 00 00');
    expect(decodeRequestHeader(frame)).toMatchObject({ clientId: 'a', bodyAt: 17 });
  });

  test('an ApiVersions request of a version that nobody knows yet can be read', () => {
    expect(decodeRequestHeader(hex('0012 007f 00000001 0001 61 00'))).toMatchObject({
      apiVersion: 127,
      bodyAt: 12,
    });
  });

  test('a header that is cut is refused', () => {
    const frame = hex('0003 0009 00000001 0004 61626364 00');
    for (let length = 0; length < frame.length; length++) {
      expect(() => decodeRequestHeader(frame.subarray(0, length))).toThrow(ProtocolDecodeError);
    }
  });

  test('what was encoded is decoded again, for every message and version', async () => {
    for (const schema of await allMessages()) {
      if (!schema.name.endsWith('Request')) continue;
      for (const apiVersion of versionsOf(schema)) {
        const header = { apiKey: schema.apiKey, apiVersion, correlationId: -7, clientId: 'größe' };
        const writer = new Writer();
        encodeRequestHeader(writer, header);
        expect(decodeRequestHeader(writer.bytes())).toEqual({ ...header, bodyAt: writer.length });
      }
    }
  });
});

describe('response headers', () => {
  test('get tagged fields with the first flexible version of their API', () => {
    expect(decodeResponseHeader(hex('00000005 00'), MetadataResponse.apiKey, 8).bodyAt).toBe(4);
    expect(decodeResponseHeader(hex('00000005 00'), MetadataResponse.apiKey, 9).bodyAt).toBe(5);
  });

  test('never have any for ApiVersions, so that every client can read the answer', () => {
    const writer = new Writer();
    const response = defaults(ApiVersionsResponse, { errorCode: 35 });
    encodeResponseFrame(writer, ApiVersionsResponse, 3, 9, response);
    expect(writer.bytes().toString('hex')).toBe('0000000c' + '00000009' + '0023' + '01' + '00000000' + '00');
  });
});

describe('frames', () => {
  test('begin with their size, records and all', () => {
    const records = Buffer.alloc(3000, 1);
    const response = defaults(FetchResponse, {
      responses: [{ topic: 't', partitions: [{ records: [records, records] }, { records }] }],
    });
    const writer = new Writer();
    encodeResponseFrame(writer, FetchResponse, 11, 77, response);
    const frame = writer.bytes();
    expect(frame.readInt32BE(0)).toBe(frame.length - 4);
    const { correlationId, bodyAt } = decodeResponseHeader(frame, FetchResponse.apiKey, 11, 4);
    expect(correlationId).toBe(77);
    const back = decode(FetchResponse, 11, frame, bodyAt);
    expect(back.responses[0]?.partitions.map((one) => one.records?.length)).toEqual([6000, 3000]);
  });

  test('a request frame is read by its own header', () => {
    const writer = new Writer(undefined, 16);
    const request = defaults(MetadataRequest, { topics: [{ name: 'a-topic-with-a-long-name' }] });
    encodeRequestFrame(
      writer,
      MetadataRequest,
      { apiVersion: 12, correlationId: 3, clientId: null },
      request,
    );
    const frame = writer.bytes();
    expect(frame.readInt32BE(0)).toBe(frame.length - 4);
    const header = decodeRequestHeader(frame, 4);
    expect(header).toMatchObject({ apiKey: 3, apiVersion: 12, correlationId: 3, clientId: null });
    expect(decode(MetadataRequest, 12, frame, header.bodyAt)).toEqual(request);
  });
});

describe('API keys', () => {
  test('have the names of the documentation', () => {
    expect(apiName(ApiVersionsRequest.apiKey)).toBe('ApiVersions');
    expect(apiKeyOf('Produce')).toBe(0);
    expect(apiName(1234)).toBe('api key 1234');
    expect([isKnownApiKey(94), isKnownApiKey(95), isKnownApiKey(-1)]).toEqual([true, false, false]);
  });

  test('and flexible versions agree with the schemas', async () => {
    for (const schema of await allMessages()) {
      if (!/(Request|Response)$/.test(schema.name)) continue;
      expect(schema.name.replace(/(Request|Response)$/, '')).toBe(apiName(schema.apiKey));
    }
  });
});
