import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Logger } from '../../src/base/ports.ts';
import { BrokerConfig } from '../../src/config/broker-config.ts';
import { realPorts } from '../../src/io/index.ts';
import { decode, defaults } from '../../src/protocol/codec.ts';
import { Errors } from '../../src/protocol/errors.ts';
import { decodeResponseHeader } from '../../src/protocol/headers.ts';
import { CreateTopicsRequest, CreateTopicsResponse } from '../../src/protocol/messages/create-topics.ts';
import { DeleteTopicsRequest, DeleteTopicsResponse } from '../../src/protocol/messages/delete-topics.ts';
import { FetchRequest, FetchResponse } from '../../src/protocol/messages/fetch.ts';
import { ProduceRequest, ProduceResponse } from '../../src/protocol/messages/produce.ts';
import { BatchBuilder } from '../../src/protocol/record-batch/index.ts';
import type { MessageSchema } from '../../src/protocol/schema.ts';
import { BrokerNode } from '../../src/server/node.ts';
import { silentLogger } from '../unit/server/fakes.ts';
import { frameOf, WireClient } from './wire-client.ts';

/** A real file system of a few megabytes that is filled up: a tmpfs, where this user may mount one. */

const DISK_BYTES = 64 * 1024 * 1024;
const LEAST_BYTES = 20 * 1024 * 1024;
const VALUE_BYTES = 900_000;

const dir = mkdtempSync(join(tmpdir(), 'odradek-full-'));

function mounted(): string | undefined {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'tmpfs', dir], { stdio: 'pipe' });
    return undefined;
  } catch (error) {
    return `tmpfs can't be mounted here: ${error instanceof Error ? error.message.split('\n')[0] : error}`;
  }
}

const missing = mounted();
const skipped = missing === undefined ? '' : ` (SKIPPED: ${missing})`;
const freeBytes = () => {
  const { bavail, bsize } = statfsSync(dir);
  return bavail * bsize;
};

const pause = () => new Promise((resolve) => setTimeout(resolve, 50));

/** Takes all that is free but `leave` bytes. */
function fillUp(leave: number): void {
  const file = openSync(join(dir, 'others'), 'a');
  try {
    while (freeBytes() > leave) writeSync(file, Buffer.alloc(Math.min(65_536, freeBytes() - leave)));
  } catch (error) {
    if ((error as { code?: string }).code !== 'ENOSPC') throw error;
  } finally {
    closeSync(file);
  }
}

describe.skipIf(missing !== undefined)(`a full disk${skipped}`, () => {
  const lines: string[] = [];
  const logger: Logger = {
    ...silentLogger,
    warn: (line) => void lines.push(line),
    error: (line) => void lines.push(line),
    child: () => logger,
  };
  /** Offsets whose append was acknowledged, with what is there. */
  const acknowledged = new Map<string, Map<number, number>>();
  let node: BrokerNode;
  let client: WireClient;
  let count = 0;

  async function start(): Promise<void> {
    const overrides = { 'storage.min.free.bytes': String(LEAST_BYTES), 'log.segment.delete.delay.ms': '0' };
    const config = BrokerConfig.parse({
      profile: 'dev',
      port: 0,
      dataDir: join(dir, 'data'),
      overrides,
    });
    node = new BrokerNode({ ports: realPorts({ logger }), config });
    await node.start();
    client = await WireClient.open(`localhost:${node.listeners[0]!.bound.port}`);
  }

  async function ask<Request, Response>(
    request: MessageSchema<Request>,
    response: MessageSchema<Response>,
    version: number,
    body: Request,
  ): Promise<Response> {
    count += 1;
    client.write(frameOf(request, version, count, body));
    const frame = await client.receive();
    if (frame === undefined) throw new Error('the connection was closed');
    const { bodyAt } = decodeResponseHeader(frame, response.apiKey, version);
    return decode(response, version, frame, bodyAt);
  }

  async function produce(topic: string, fill = count % 251): Promise<number> {
    const builder = new BatchBuilder({});
    builder.append({ value: Buffer.alloc(VALUE_BYTES, fill) });
    const partitionData = [{ index: 0, records: Buffer.from(builder.build()) }];
    const { responses } = await ask(
      ProduceRequest,
      ProduceResponse,
      7,
      defaults(ProduceRequest, { acks: -1, timeoutMs: 1000, topicData: [{ name: topic, partitionData }] }),
    );
    const { errorCode, baseOffset } = responses[0]!.partitionResponses[0]!;
    const known = acknowledged.get(topic) ?? new Map<number, number>();
    acknowledged.set(topic, known);
    if (errorCode === Errors.NONE) known.set(baseOffset, fill);
    return errorCode;
  }

  async function expectAll(topic: string): Promise<void> {
    for (const [fetchOffset, fill] of acknowledged.get(topic)!) {
      const partitions = [{ partition: 0, fetchOffset, partitionMaxBytes: 1 }];
      const answer = await ask(
        FetchRequest,
        FetchResponse,
        11,
        defaults(FetchRequest, { maxBytes: 1 << 20, topics: [{ topic, partitions }] }),
      );
      const { errorCode, records } = answer.responses[0]!.partitions[0]!;
      expect(errorCode).toBe(Errors.NONE);
      const bytes = Buffer.concat(Array.isArray(records) ? records : [records as Uint8Array]);
      expect(bytes.readBigInt64BE(0)).toBe(BigInt(fetchOffset));
      expect(bytes.subarray(-1000, -10).every((byte) => byte === fill)).toBe(true);
    }
  }

  async function produceUntil(topic: string, code: number): Promise<void> {
    for (let tries = 0; tries < 200; tries += 1) {
      if ((await produce(topic)) === code) return;
      if (code === Errors.NONE) await pause();
    }
    throw new Error(`produce never answered ${code}`);
  }

  beforeAll(async () => {
    await start();
    const topics = ['kept', 'dropped'].map((name) => ({ name, numPartitions: 1, replicationFactor: 1 }));
    await ask(CreateTopicsRequest, CreateTopicsResponse, 5, defaults(CreateTopicsRequest, { topics }));
    for (let n = 0; n < 5; n += 1) expect(await produce('kept')).toBe(Errors.NONE);
  });

  afterAll(async () => {
    await node.stop();
    execFileSync('umount', [dir]);
    rmSync(dir, { recursive: true, force: true });
  });

  test('producers are stopped before it is full, and one line says so', async () => {
    await produceUntil('dropped', Errors.KAFKA_STORAGE_ERROR);
    expect(freeBytes()).toBeGreaterThan(LEAST_BYTES / 2);
    for (let n = 0; n < 20; n += 1) expect(await produce('kept')).toBe(Errors.KAFKA_STORAGE_ERROR);
    expect(lines.filter((line) => line.includes('are refused until there is space'))).toHaveLength(1);
    await expectAll('kept');
    await expectAll('dropped');
  });

  test('a start where others took every byte serves reads and deletes; then producers come back', async () => {
    while (!existsSync(join(dir, 'data', 'space-reserve'))) await pause();
    fillUp(0);
    expect(freeBytes()).toBe(0);
    await node.stop();
    await start();
    await expectAll('kept');
    await expectAll('dropped');
    expect(await produce('kept')).toBe(Errors.KAFKA_STORAGE_ERROR);
    const { responses } = await ask(
      DeleteTopicsRequest,
      DeleteTopicsResponse,
      5,
      defaults(DeleteTopicsRequest, { topicNames: ['dropped'], timeoutMs: 5000 }),
    );
    expect(responses[0]!.errorCode).toBe(Errors.NONE);
    await produceUntil('kept', Errors.NONE);
    await expectAll('kept');
  });
});
