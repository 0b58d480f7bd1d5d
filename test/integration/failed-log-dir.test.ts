import { expect, test } from 'vitest';
import { type Ports, type Storage, StorageError } from '../../src/base/ports.ts';
import { BrokerConfig } from '../../src/config/broker-config.ts';
import { realPorts } from '../../src/io/index.ts';
import { defaults } from '../../src/protocol/codec.ts';
import { type ErrorCode, Errors } from '../../src/protocol/errors.ts';
import { CreateTopicsRequest, CreateTopicsResponse } from '../../src/protocol/messages/create-topics.ts';
import { DeleteTopicsRequest, DeleteTopicsResponse } from '../../src/protocol/messages/delete-topics.ts';
import {
  DescribeLogDirsRequest,
  DescribeLogDirsResponse,
} from '../../src/protocol/messages/describe-log-dirs.ts';
import { FetchRequest, FetchResponse } from '../../src/protocol/messages/fetch.ts';
import { ProduceRequest, ProduceResponse } from '../../src/protocol/messages/produce.ts';
import { BatchBuilder, batchPositions, records } from '../../src/protocol/record-batch/index.ts';
import { BrokerNode } from '../../src/server/node.ts';
import { silentLogger } from '../unit/server/fakes.ts';
import { WireClient } from './wire-client.ts';

/** Operations that fail where the disk below a dir does. */
const FAILING: ReadonlySet<string | symbol> = new Set([
  'open',
  'lock',
  'makeDir',
  'rename',
  'remove',
  'removeNow',
]);

/** A machine with the dirs /a and /b, of which /b fails at will, and one node at a time. */
class TwoDisks {
  isFailing = false;
  readonly #ports: Ports;
  #node: BrokerNode | undefined;
  #client: WireClient | undefined;

  constructor() {
    const ports = realPorts({ logger: silentLogger, memory: true });
    this.#ports = { ...ports, storage: this.#around(ports.storage) };
  }

  async start(): Promise<void> {
    const overrides = { 'log.dirs': '/a,/b' };
    const config = BrokerConfig.parse({ profile: 'dev', port: 0, overrides });
    this.#node = new BrokerNode({ ports: this.#ports, config });
    await this.#node.start();
    const listener = this.#node.listeners.find(({ advertised }) => advertised !== undefined);
    this.#client = await WireClient.open(`localhost:${listener!.bound.port}`);
  }

  async stop(): Promise<void> {
    this.#client?.close();
    await this.#node?.stop();
  }

  async create(name: string): Promise<ErrorCode> {
    const topics = [{ name, numPartitions: 2, replicationFactor: 1 }];
    const request = defaults(CreateTopicsRequest, { topics, timeoutMs: 60_000 });
    const { topics: told } = await this.#client!.request(
      CreateTopicsRequest,
      CreateTopicsResponse,
      5,
      request,
    );
    return told[0]!.errorCode as ErrorCode;
  }

  async delete(name: string): Promise<ErrorCode> {
    const request = defaults(DeleteTopicsRequest, { topicNames: [name], timeoutMs: 60_000 });
    const { responses } = await this.#client!.request(DeleteTopicsRequest, DeleteTopicsResponse, 4, request);
    return responses[0]!.errorCode as ErrorCode;
  }

  async produce(name: string, index: number, value: string): Promise<ErrorCode> {
    const batch = new BatchBuilder().append({ timestamp: 1, value: Buffer.from(value) }).build();
    const topicData = [{ name, partitionData: [{ index, records: batch }] }];
    const request = defaults(ProduceRequest, { acks: -1, timeoutMs: 60_000, topicData });
    const { responses } = await this.#client!.request(ProduceRequest, ProduceResponse, 9, request);
    return responses[0]!.partitionResponses[0]!.errorCode as ErrorCode;
  }

  async values(topic: string, partition: number): Promise<string[]> {
    const partitions = [{ partition, fetchOffset: 0, partitionMaxBytes: 10_000 }];
    const request = defaults(FetchRequest, { maxBytes: 10_000, topics: [{ topic, partitions }] });
    const { responses } = await this.#client!.request(FetchRequest, FetchResponse, 11, request);
    const answer = responses[0]!.partitions[0]!;
    expect(answer.errorCode).toBe(Errors.NONE);
    const bytes = (answer.records ?? Buffer.alloc(0)) as Buffer;
    return [...batchPositions(bytes)].flatMap((at) =>
      Array.from(records(bytes, { at }), ({ value }) => Buffer.from(value ?? []).toString()),
    );
  }

  /** By dir its error, and the partitions in it. */
  async dirs(): Promise<Readonly<Record<string, readonly [ErrorCode, readonly string[]]>>> {
    const request = defaults(DescribeLogDirsRequest, { topics: null });
    const { results } = await this.#client!.request(
      DescribeLogDirsRequest,
      DescribeLogDirsResponse,
      4,
      request,
    );
    return Object.fromEntries(
      results.map(({ logDir, errorCode, topics }) => {
        const names = topics.flatMap(({ name, partitions }) =>
          partitions.map(({ partitionIndex }) => `${name}-${partitionIndex}`),
        );
        return [logDir, [errorCode as ErrorCode, names.sort()]];
      }),
    );
  }

  folders(dir: string): string[] {
    return this.#ports.storage.list(dir).flatMap(({ name, isDirectory }) => (isDirectory ? [name] : []));
  }

  #around(storage: Storage): Storage {
    return new Proxy(storage, {
      get: (target, name) => {
        const method: unknown = Reflect.get(target, name);
        if (typeof method !== 'function') return method;
        return (...args: unknown[]) => {
          const [path] = args;
          if (this.isFailing && FAILING.has(name) && typeof path === 'string' && /^\/b(\/|$)/.test(path))
            throw new StorageError('EIO', path, `the disk below ${path} failed`);
          return Reflect.apply(method, target, args);
        };
      },
    });
  }
}

test('a node whose second disk fails at the start serves what lies on the first, and all of it later', async () => {
  const machine = new TwoDisks();
  await machine.start();
  expect(await machine.create('t')).toBe(Errors.NONE);
  for (const index of [0, 1]) expect(await machine.produce('t', index, `old ${index}`)).toBe(Errors.NONE);
  const before = await machine.dirs();
  const [kept, lost] = before['/a']![1].includes('t-0') ? [0, 1] : [1, 0];
  expect(before['/b']![1]).toEqual([`t-${lost}`]);
  await machine.stop();

  machine.isFailing = true;
  await machine.start();
  expect(await machine.dirs()).toMatchObject({
    '/a': [Errors.NONE, [`t-${kept}`]],
    '/b': [Errors.KAFKA_STORAGE_ERROR, []],
  });
  expect(await machine.values('t', kept)).toEqual([`old ${kept}`]);
  expect(await machine.produce('t', kept, 'new')).toBe(Errors.NONE);
  expect([Errors.KAFKA_STORAGE_ERROR, Errors.NOT_LEADER_OR_FOLLOWER]).toContain(
    await machine.produce('t', lost, 'new'),
  );
  await machine.stop();

  machine.isFailing = false;
  await machine.start();
  expect(await machine.dirs()).toEqual(before);
  expect(await machine.values('t', kept)).toEqual([`old ${kept}`, 'new']);
  expect(await machine.values('t', lost)).toEqual([`old ${lost}`]);
  await machine.stop();
});

test('a disk that comes back with a topic that was deleted and made anew meanwhile is taken, its folder put aside', async () => {
  const machine = new TwoDisks();
  await machine.start();
  expect(await machine.create('t')).toBe(Errors.NONE);
  for (const index of [0, 1]) expect(await machine.produce('t', index, 'old')).toBe(Errors.NONE);
  await machine.stop();

  machine.isFailing = true;
  await machine.start();
  expect(await machine.delete('t')).toBe(Errors.NONE);
  expect(await machine.create('t')).toBe(Errors.NONE);
  for (const index of [0, 1]) expect(await machine.produce('t', index, 'new')).toBe(Errors.NONE);
  await machine.stop();

  machine.isFailing = false;
  await machine.start();
  expect(await machine.dirs()).toEqual({ '/a': [Errors.NONE, ['t-0', 't-1']], '/b': [Errors.NONE, []] });
  for (const index of [0, 1]) expect(await machine.values('t', index)).toEqual(['new']);
  expect(machine.folders('/b')).toEqual([expect.stringMatching(/^t-[01]\.[0-9a-f]+-stray$/)]);
  await machine.stop();
});

test('a disk that fails a write while the node runs takes its partitions with it, and the rest serves on', async () => {
  const machine = new TwoDisks();
  await machine.start();
  expect(await machine.create('t')).toBe(Errors.NONE);
  const [kept, lost] = (await machine.dirs())['/a']![1].includes('t-0') ? [0, 1] : [1, 0];
  expect(await machine.produce('t', kept, 'before')).toBe(Errors.NONE);

  machine.isFailing = true;
  expect(await machine.produce('t', lost, 'lost')).toBe(Errors.KAFKA_STORAGE_ERROR);
  expect(await machine.dirs()).toMatchObject({
    '/a': [Errors.NONE, [`t-${kept}`]],
    '/b': [Errors.KAFKA_STORAGE_ERROR, []],
  });
  expect(await machine.produce('t', kept, 'after')).toBe(Errors.NONE);
  expect(await machine.values('t', kept)).toEqual(['before', 'after']);
  await machine.stop();
});
