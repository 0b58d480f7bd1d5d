import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { defaults } from '../../src/protocol/codec.ts';
import { ApiVersionsRequest, ApiVersionsResponse } from '../../src/protocol/messages/api-versions.ts';
import { CreateTopicsRequest, CreateTopicsResponse } from '../../src/protocol/messages/create-topics.ts';
import {
  DescribeQuorumRequest,
  DescribeQuorumResponse,
} from '../../src/protocol/messages/describe-quorum.ts';
import { FetchRequest, FetchResponse } from '../../src/protocol/messages/fetch.ts';
import { MetadataRequest } from '../../src/protocol/messages/metadata.ts';
import { ProduceRequest, ProduceResponse } from '../../src/protocol/messages/produce.ts';
import { BatchBuilder } from '../../src/protocol/record-batch/index.ts';
import type { AnyMessage, MessageSchema } from '../../src/protocol/schema.ts';
import { allMessages } from '../unit/protocol/all-messages.ts';
import { randomMessage, SeededRandom } from '../unit/protocol/random-values.ts';
import { Target } from './hostile-target.ts';
import { frameOf, WireClient } from './wire-client.ts';

const MIB = 1024 * 1024;
const RESIDENT_BYTES_MAX = 300_000_000;
const SEED = Number(process.env['HOSTILE_SEED'] ?? 4);

/** A connection that only sends; what comes back is dropped unless it is told not to read. */
class Attacker {
  readonly socket: Socket;
  readonly closed: Promise<void>;
  isClosed = false;
  receivedBytes = 0;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      this.receivedBytes += bytes.length;
    });
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.isClosed = true;
        resolve();
      });
    });
  }

  static open(port: number): Promise<Attacker> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.off('error', reject);
        resolve(new Attacker(socket));
      });
      socket.once('error', reject);
    });
  }

  /** So many of them, or as many as the system lets one process have. */
  static async openMany(port: number, count: number): Promise<Attacker[]> {
    const opened: Attacker[] = [];
    while (opened.length < count) {
      const some = await Promise.allSettled(
        Array.from({ length: Math.min(200, count - opened.length) }, () => Attacker.open(port)),
      );
      for (const one of some) if (one.status === 'fulfilled') opened.push(one.value);
      const refused = some.find((one) => one.status === 'rejected');
      if (refused === undefined) continue;
      console.warn(
        `The system lets this test have ${opened.length} of ${count} connections: ${refused.reason}`,
      );
      break;
    }
    return opened;
  }

  /** Resolves when the system has taken the bytes, or the connection ended. */
  send(bytes: Buffer): Promise<void> {
    if (this.isClosed) return Promise.resolve();
    const sent = new Promise<void>((resolve) => this.socket.write(bytes, () => resolve()));
    return Promise.race([sent, this.closed]);
  }

  /** Resolves when the first bytes have come; no others are read. */
  readOnce(): Promise<void> {
    return new Promise((resolve) => {
      this.socket.once('data', () => {
        this.socket.pause();
        resolve();
      });
    });
  }

  /** Sends these last bytes; resolves when the broker has read all and closed too. */
  finish(bytes: Buffer): Promise<void> {
    this.socket.end(bytes);
    return this.closed;
  }

  close(): void {
    this.socket.destroy();
  }
}

const TOPIC = 'goes-on';

const batchOf = (value: Buffer) =>
  new BatchBuilder({ baseOffset: 0 })
    .append({ timestamp: 1_700_000_000_000n, key: null, value, headers: [] })
    .build();
const produceTo = (name: string, value: Buffer) =>
  defaults(ProduceRequest, {
    acks: -1,
    timeoutMs: 10_000,
    topicData: [{ name, partitionData: [{ index: 0, records: batchOf(value) }] }],
  });
const fetchFrom = (topic: string, fetchOffset: number, maxBytes: number, maxWaitMs = 10_000) =>
  defaults(FetchRequest, {
    maxWaitMs,
    minBytes: 1,
    maxBytes,
    topics: [{ topic, partitions: [{ partition: 0, fetchOffset, partitionMaxBytes: maxBytes }] }],
  });

/** The client that must not notice. */
class Client {
  readonly #wire: WireClient;
  #produced = 0;

  constructor(wire: WireClient) {
    this.#wire = wire;
  }

  static async open(port: number): Promise<Client> {
    return new Client(await WireClient.open(`127.0.0.1:${port}`));
  }

  async createTopic(name: string): Promise<void> {
    const topics = [{ name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }];
    const answer = await this.#wire.request(
      CreateTopicsRequest,
      CreateTopicsResponse,
      5,
      defaults(CreateTopicsRequest, { topics, timeoutMs: 10_000 }),
    );
    expect(answer.topics[0]!.errorCode).toBe(0);
  }

  async produce(topic: string, value: Buffer): Promise<number> {
    const answer = await this.#wire.request(ProduceRequest, ProduceResponse, 7, produceTo(topic, value));
    const [partition] = answer.responses[0]!.partitionResponses;
    expect(partition!.errorCode).toBe(0);
    return Number(partition!.baseOffset);
  }

  /** Writes a record and reads it again; on a connection of its own as well. */
  async goesOn(port: number, bytes = 1000): Promise<void> {
    const value = Buffer.alloc(bytes, ++this.#produced & 0xff);
    const offset = await this.produce(TOPIC, value);
    const fresh = await WireClient.open(`127.0.0.1:${port}`);
    for (const wire of [this.#wire, fresh]) {
      const answer = await wire.request(FetchRequest, FetchResponse, 4, fetchFrom(TOPIC, offset, MIB));
      const [partition] = answer.responses[0]!.partitions;
      expect(partition!.errorCode).toBe(0);
      expect(Buffer.concat([partition!.records as Uint8Array]).includes(value)).toBe(true);
    }
    fresh.close();
  }

  apiVersions(): Promise<ApiVersionsResponse> {
    return this.#wire.request(ApiVersionsRequest, ApiVersionsResponse, 0, defaults(ApiVersionsRequest, {}));
  }

  close(): void {
    this.#wire.close();
  }
}

function announced(size: number, body = Buffer.alloc(0)): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(size);
  return Buffer.concat([length, body]);
}

describe('hostile input', () => {
  const dir = mkdtempSync(join(tmpdir(), 'odradek-hostile-'));
  let file: string;
  let target: Target;
  let client: Client;

  beforeAll(async () => {
    console.log(`hostile input: seed ${SEED} (HOSTILE_SEED)`);
    file = await Target.bundle();
  });
  beforeEach(async ({ task }) => {
    target = await Target.start(file, join(dir, task.id));
    client = await Client.open(target.port);
    await client.createTopic(TOPIC);
  });
  afterEach(async () => {
    client.close();
    await target.stop();
  });
  afterAll(() => {
    rmSync(dir, { recursive: true, force: true });
    rmSync(file, { force: true });
  });

  const open = (port = target.port) => Attacker.open(port);
  const openMany = (count: number, port = target.port) => Attacker.openMany(port, count);
  /** What must hold whatever was sent. */
  async function stands(bytes?: number): Promise<void> {
    await client.goesOn(target.port, bytes);
    expect(target.errors).toEqual([]);
    expect(target.exited).toBe(false);
    const residentBytes = await target.residentBytes();
    expect(residentBytes).toBeLessThan(RESIDENT_BYTES_MAX);
  }
  const end = (attackers: readonly Attacker[]) => {
    for (const one of attackers) one.close();
    return Promise.all(attackers.map(({ closed }) => closed));
  };

  const withRandomBytes = async (port: number, rounds: number) => {
    const random = new SeededRandom(SEED);
    for (let round = 0; round < rounds; round++) {
      const attackers = await openMany(10, port);
      await Promise.all(attackers.map((one) => one.finish(random.bytes(1 + random.below(20_000)))));
    }
  };
  const withImpossibleSizes = async (port: number, check: () => Promise<void>) => {
    for (const size of [0, -1, 7, -0x8000_0000, 0x7fff_ffff, 104_857_601, 0x1603_0100]) {
      const attacker = await open(port);
      await attacker.send(announced(size, Buffer.alloc(100)));
      await attacker.closed;
      await check();
    }
  };
  const withHostileBodies = async (
    port: number,
    apis: readonly { apiKey: number; minVersion: number; maxVersion: number }[],
  ) => {
    const messages = await allMessages();
    const random = new SeededRandom(SEED);
    for (const { apiKey, minVersion, maxVersion } of apis) {
      const schema = messages.find((one) => one.apiKey === apiKey && one.name.endsWith('Request'));
      expect(schema, `API ${apiKey}`).toBeDefined();
      const frames: Buffer[] = [];
      for (let version = minVersion; version <= maxVersion; version++) {
        frames.push(...hostileFrames(schema!, version, random));
      }
      // Each on a connection of its own: most end it.
      for (let at = 0; at < frames.length; at += 100) {
        const some = frames.slice(at, at + 100);
        const attackers = await openMany(some.length, port);
        await Promise.all(attackers.map((one, i) => one.finish(some[i]!)));
      }
      expect(target.errors, schema!.name).toEqual([]);
    }
  };
  const withHalfOpen = async (port: number, count: number) => {
    const attackers = await openMany(count, port);
    expect(attackers.length).toBeGreaterThan(0);
    await Promise.all(
      attackers.map((one, i) => one.send(announced(1000, Buffer.alloc(i % 100)).subarray(0, 1 + (i % 90)))),
    );
    return attackers;
  };

  it('random bytes', async () => {
    await withRandomBytes(target.port, 100);
    await stands();
  });

  it('requests of impossible sizes are refused at once', async () => {
    await withImpossibleSizes(target.port, stands);
  });

  it('every API in every version with random, cut, bent and oversized bodies', async () => {
    const { apiKeys } = await client.apiVersions();
    await withHostileBodies(target.port, apiKeys);
    await stands();
  });

  it('truncated requests whose peer leaves', async () => {
    const frame = frameOf(ProduceRequest, 7, 1, produceTo(TOPIC, Buffer.alloc(500)));
    const attackers = await openMany(frame.length);
    await Promise.all(attackers.map((one, i) => one.finish(frame.subarray(0, i))));
    await stands();
  });

  it('10,000 half-open connections', async () => {
    const attackers = await withHalfOpen(target.port, 10_000);
    await stands();
    await end(attackers);
  });

  it('1,000 connections that announce 90 MB and send nothing', async () => {
    const attackers = await openMany(1000);
    await Promise.all(attackers.map((one) => one.send(announced(90_000_000))));
    await stands();
    await stands(900_000);
    await end(attackers);
  });

  it('1,000 connections that send 1 MB of 90 MB and stop', async () => {
    const attackers = await openMany(1000);
    const part = Buffer.alloc(1_000_000);
    part.writeInt32BE(90_000_000);
    const sent = attackers.map((one) => one.send(part));
    for (let i = 0; i < 20; i++) await stands();
    // Large requests wait until those that stall are closed.
    await stands(900_000);
    await end(attackers);
    await Promise.all(sent);
    await stands();
  });

  it('one byte at a time', async () => {
    const attackers = await openMany(100);
    const frame = frameOf(MetadataRequest, 5, 1, defaults(MetadataRequest, { topics: [{ name: TOPIC }] }));
    for (const byte of frame) {
      await Promise.all(attackers.map((one) => one.send(Buffer.of(byte))));
    }
    await stands();
    while (attackers.some(({ receivedBytes }) => receivedBytes === 0)) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(attackers.every(({ isClosed }) => !isClosed)).toBe(true);
    await end(attackers);
  });

  it('readers that never read large fetches', async () => {
    await client.createTopic('large');
    const value = Buffer.alloc(900_000, 7);
    for (let i = 0; i < 70; i++) await client.produce('large', value);
    const attackers = await openMany(100);
    const answered = attackers.map((one) => one.readOnce());
    const frames = [1, 2, 3].map((id) => frameOf(FetchRequest, 4, id, fetchFrom('large', 0, 50 * MIB, 500)));
    await Promise.all(attackers.map((one) => one.send(Buffer.concat(frames))));
    // Those for whom there is no memory get an empty answer when their time to wait is over.
    await Promise.all(answered);
    for (let i = 0; i < 20; i++) await stands();
    await end(attackers);
    await stands();
  });

  describe('at the listener of the controller', () => {
    /** The quorum goes on for those that ask it, and the broker's clients notice nothing. */
    async function quorumStands(): Promise<void> {
      const wire = await WireClient.open(`127.0.0.1:${target.controllerPort}`);
      const topics = [{ topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] }];
      const answer = await wire.request(
        DescribeQuorumRequest,
        DescribeQuorumResponse,
        1,
        defaults(DescribeQuorumRequest, { topics }),
      );
      wire.close();
      expect(answer.topics[0]!.partitions[0]).toMatchObject({ errorCode: 0, leaderId: 1 });
      await client.createTopic(`made-${++created}`);
      await stands();
    }
    let created = 0;

    it('random bytes and impossible sizes', async () => {
      await withRandomBytes(target.controllerPort, 30);
      await withImpossibleSizes(target.controllerPort, quorumStands);
    });

    it('every API in every version with random, cut, bent and oversized bodies', async () => {
      const asking = await Client.open(target.controllerPort);
      const { apiKeys } = await asking.apiVersions();
      asking.close();
      expect(apiKeys.length).toBeGreaterThan(10);
      await withHostileBodies(target.controllerPort, apiKeys);
      await quorumStands();
    });

    it('2,000 half-open connections, and 500 that announce 90 MB', async () => {
      const halfOpen = await withHalfOpen(target.controllerPort, 2000);
      await quorumStands();
      await end(halfOpen);
      const announcing = await openMany(500, target.controllerPort);
      await Promise.all(announcing.map((one) => one.send(announced(90_000_000))));
      await quorumStands();
      await end(announcing);
    });
  });
});

/** Bodies behind a header that is right. */
function hostileFrames(schema: AnyMessage, version: number, random: SeededRandom): Buffer[] {
  const message = schema as MessageSchema<unknown>;
  const whole = frameOf(message, version, 1, randomMessage(schema, version, random));
  const empty = Buffer.from(frameOf(message, version, 1, defaults(message, {})));
  const headerBytes = 4 + 8 + 2 + 'wire-client'.length;
  const withBody = (body: Buffer) => {
    const frame = Buffer.concat([empty.subarray(0, headerBytes), body]);
    frame.writeInt32BE(frame.length - 4);
    return frame;
  };
  const cut = Buffer.from(whole.subarray(0, headerBytes + random.below(whole.length - headerBytes + 1)));
  cut.writeInt32BE(cut.length - 4);
  const bent = Buffer.from(whole);
  for (let i = 0; i < 5; i++) {
    const at = headerBytes + random.below(Math.max(1, bent.length - headerBytes));
    if (at < bent.length) bent[at] = random.below(256);
  }
  return [
    withBody(random.bytes(random.below(300))),
    withBody(random.bytes(random.below(30_000))),
    // Counts and lengths as large and as negative as they get, in both of their forms.
    withBody(Buffer.alloc(200, 0xff)),
    withBody(Buffer.concat([Buffer.alloc(1), Buffer.alloc(100, 0x7f)])),
    withBody(Buffer.concat([Buffer.from('ffffffff07', 'hex'), Buffer.alloc(100, 0x80)])),
    whole,
    cut,
    bent,
  ];
}
