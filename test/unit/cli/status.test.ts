import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { ask, question } from '../../../src/cli/ask.ts';
import { statusOf, statusText } from '../../../src/cli/status.ts';
import { defaults, encodeToBytes } from '../../../src/protocol/codec.ts';
import { ApiVersionsRequest, ApiVersionsResponse } from '../../../src/protocol/messages/api-versions.ts';
import { MetadataRequest, MetadataResponse } from '../../../src/protocol/messages/metadata.ts';

const servers: Server[] = [];
const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

/** A server on a free port that does with each connection what the test says. */
function serve(each: (socket: Socket) => void): Promise<{ host: string; port: number }> {
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    each(socket);
  });
  servers.push(server);
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve({
        host: '127.0.0.1',
        port: typeof address === 'object' && address !== null ? address.port : 0,
      });
    });
  });
}

function frame(correlationId: number, body: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeInt32BE(4 + body.length, 0);
  head.writeInt32BE(correlationId, 4);
  return Buffer.concat([head, body]);
}

const metadata = defaults(MetadataResponse, {
  clusterId: 'abc',
  controllerId: 1,
  brokers: [{ nodeId: 1, host: 'localhost', port: 9092, rack: null }],
  topics: [
    {
      errorCode: 0,
      name: 't',
      partitions: [
        {
          errorCode: 0,
          partitionIndex: 0,
          leaderId: 1,
          replicaNodes: [1],
          isrNodes: [1],
          offlineReplicas: [],
        },
        {
          errorCode: 5,
          partitionIndex: 1,
          leaderId: -1,
          replicaNodes: [1],
          isrNodes: [],
          offlineReplicas: [1],
        },
      ],
    },
  ],
});

const questions = [
  question(
    { apiKey: 18, request: ApiVersionsRequest, response: ApiVersionsResponse },
    0,
    defaults(ApiVersionsRequest, {}),
  ),
  question(
    { apiKey: 3, request: MetadataRequest, response: MetadataResponse },
    5,
    defaults(MetadataRequest, {}),
  ),
] as const;

describe('asking a broker', () => {
  test('sends all questions at once and reads the answers, however they are cut', async () => {
    const apiVersions = defaults(ApiVersionsResponse, {
      apiKeys: [{ apiKey: 3, minVersion: 0, maxVersion: 13 }],
    });
    const answers = Buffer.concat([
      frame(0, encodeToBytes(ApiVersionsResponse, 0, apiVersions)),
      frame(1, encodeToBytes(MetadataResponse, 5, metadata)),
    ]);
    const at = await serve((socket) => {
      socket.setNoDelay(true);
      socket.once('data', () => {
        for (let byte = 0; byte < answers.length; byte += 7) socket.write(answers.subarray(byte, byte + 7));
      });
    });
    const [first, second] = await ask(at, 5000, questions);
    expect(first.apiKeys).toHaveLength(1);
    expect(second).toMatchObject({ clusterId: 'abc', controllerId: 1 });
  });

  test('fails where the connection closes, nonsense comes back or nobody listens', async () => {
    await expect(ask(await serve((socket) => socket.end()), 5000, questions)).rejects.toThrow(
      /closed without an answer/,
    );
    const http = await serve((socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'));
    await expect(ask(http, 5000, questions)).rejects.toThrow(/none of Kafka's protocol/);
    const at = await serve(() => {});
    await new Promise((resolve) => servers[servers.length - 1]?.close(resolve));
    await expect(ask(at, 5000, questions)).rejects.toThrow(/ECONNREFUSED/);
  });

  test('fails where no answer comes in time', async () => {
    await expect(ask(await serve(() => {}), 20, questions)).rejects.toThrow(/no answer within 20 ms/);
  });
});

test('a status counts topics, partitions and those without a leader', () => {
  const status = statusOf('localhost:9092', metadata, 30);
  expect(status).toEqual({
    bootstrapServer: 'localhost:9092',
    clusterId: 'abc',
    controllerId: 1,
    brokers: [{ nodeId: 1, host: 'localhost', port: 9092 }],
    topics: 1,
    partitions: 2,
    offlinePartitions: 1,
    apis: 30,
  });
  expect(statusText(status, 42)).toMatch(/^localhost:9092 serves, process 42\ncluster {5}abc\n/);
  expect(statusText(status, 42)).toMatch(/1 with 2 partitions, 1 of them offline$/);
});
