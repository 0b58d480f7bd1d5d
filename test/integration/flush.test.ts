import { setImmediate as nextTick } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type Link,
  type Network,
  type Storage,
  StorageError,
  type StoredFile,
} from '../../src/base/ports.ts';
import { BrokerConfig } from '../../src/config/broker-config.ts';
import { realPorts } from '../../src/io/index.ts';
import { decode, defaults } from '../../src/protocol/codec.ts';
import { Errors } from '../../src/protocol/errors.ts';
import { decodeResponseHeader } from '../../src/protocol/headers.ts';
import { CreateTopicsRequest, CreateTopicsResponse } from '../../src/protocol/messages/create-topics.ts';
import { ProduceRequest, ProduceResponse } from '../../src/protocol/messages/produce.ts';
import { BatchBuilder, batchPositions, lastOffset } from '../../src/protocol/record-batch/index.ts';
import { BrokerNode } from '../../src/server/node.ts';
import { silentLogger } from '../unit/server/fakes.ts';
import { overlaid } from './overlaid.ts';
import { frameOf, WireClient } from './wire-client.ts';

const PRODUCE_VERSION = 7;
const RECORDS_PER_BATCH = 3;
const PARTITIONS = 4;
const LOG_FILE = /\/(t-\d+)\/\d{20}\.log$/;

/** What the log of one partition has done at the storage port. */
interface Flushes {
  /** By last offset of a batch: the file that holds it. */
  readonly files: Map<number, string>;
  /** By file: the last offset that was written, and that a resolved sync covers. */
  readonly written: Map<string, number>;
  readonly synced: Map<string, number>;
  syncsStarted: number;
  syncsFailed: number;
}

interface Ack {
  readonly partition: string;
  readonly code: number;
  readonly baseOffset: number;
  /** At the moment at which the answer was given to the link. */
  readonly isCovered: boolean;
}

/**
 * Ports in memory that watch: a batch of a log is covered once a sync of its file has resolved that was started after
 * its bytes were written; each Produce answer is compared with that in the moment in which it is given to the link.
 */
class Watch {
  readonly acks: Ack[] = [];
  readonly partitions = new Map<string, Flushes>();
  /** Turns of the loop that each sync takes. */
  syncTurns = 3;
  /** Partitions whose syncs fail from now on. */
  readonly broken = new Set<string>();

  of(partition: string): Flushes {
    let flushes = this.partitions.get(partition);
    if (flushes === undefined) {
      flushes = {
        files: new Map(),
        written: new Map(),
        synced: new Map(),
        syncsStarted: 0,
        syncsFailed: 0,
      };
      this.partitions.set(partition, flushes);
    }
    return flushes;
  }

  storage(inner: Storage): Storage {
    const open: Storage['open'] = (path, mode) => {
      const file = inner.open(path, mode);
      const partition = LOG_FILE.exec(path)?.[1];
      return partition === undefined ? file : this.#file(file, path, this.of(partition), partition);
    };
    return overlaid(inner, { open });
  }

  #file(file: StoredFile, path: string, flushes: Flushes, partition: string): StoredFile {
    const write: StoredFile['write'] = (chunks, at) => {
      const count = file.write(chunks, at);
      const bytes = Buffer.concat(chunks).subarray(0, count);
      for (const batchAt of batchPositions(bytes)) {
        const last = lastOffset(bytes, batchAt);
        flushes.files.set(last, path);
        flushes.written.set(path, last);
      }
      return count;
    };
    const sync = async () => {
      const covers = flushes.written.get(path) ?? -1;
      flushes.syncsStarted += 1;
      for (let i = 0; i < this.syncTurns; i++) await nextTick();
      if (this.broken.has(partition)) {
        flushes.syncsFailed += 1;
        throw new StorageError('EIO', path, 'the disk is broken');
      }
      await file.sync();
      flushes.synced.set(path, Math.max(flushes.synced.get(path) ?? -1, covers));
    };
    return overlaid(file, { write, sync });
  }

  network(inner: Network): Network {
    return {
      dial: (to) => inner.dial(to),
      listen: (at, accept) =>
        inner.listen(at, (link) => {
          this.#watchAnswers(link);
          accept(link);
        }),
    };
  }

  #watchAnswers(link: Link): void {
    const send = link.send.bind(link);
    let sent = Buffer.alloc(0);
    link.send = (chunks, done) => {
      sent = Buffer.concat([sent, ...chunks]);
      while (sent.length >= 4 && sent.length >= 4 + sent.readInt32BE(0)) {
        const end = 4 + sent.readInt32BE(0);
        this.#answer(sent.subarray(4, end));
        sent = sent.subarray(end);
      }
      return send(chunks, done);
    };
  }

  /** Topics are created with odd correlation ids, produces with even ones. */
  #answer(frame: Buffer): void {
    const { correlationId, bodyAt } = decodeResponseHeader(frame, ProduceResponse.apiKey, PRODUCE_VERSION);
    if (correlationId % 2 === 1) return;
    const response = decode(ProduceResponse, PRODUCE_VERSION, frame, bodyAt);
    for (const { name, partitionResponses } of response.responses) {
      for (const { index, errorCode, baseOffset: first } of partitionResponses) {
        const partition = `${name}-${index}`;
        const { files, synced } = this.of(partition);
        const last = first + RECORDS_PER_BATCH - 1;
        const file = files.get(last);
        const isCovered = file !== undefined && (synced.get(file) ?? -1) >= last;
        this.acks.push({ partition, code: errorCode, baseOffset: first, isCovered });
      }
    }
  }
}

function batchOf(value: string): Buffer {
  const builder = new BatchBuilder({ baseOffset: 0 });
  for (let i = 0; i < RECORDS_PER_BATCH; i++) {
    builder.append({ timestamp: 1_700_000_000_000n, key: null, value: Buffer.from(`${value}-${i}`) });
  }
  return builder.build();
}

const produce = (correlationId: number, partitions: readonly number[], value = `v${correlationId}`) =>
  frameOf(
    ProduceRequest,
    PRODUCE_VERSION,
    correlationId,
    defaults(ProduceRequest, {
      acks: -1,
      timeoutMs: 30_000,
      topicData: [
        { name: 't', partitionData: partitions.map((index) => ({ index, records: batchOf(value) })) },
      ],
    }),
  );

describe('flush.messages=1', () => {
  let watch: Watch;
  let node: BrokerNode;
  let clients: WireClient[];

  beforeEach(async () => {
    watch = new Watch();
    const ports = realPorts({ logger: silentLogger, memory: true });
    node = new BrokerNode({
      ports: {
        ...ports,
        storage: watch.storage(ports.storage),
        network: watch.network(ports.network),
      },
      config: BrokerConfig.parse({
        profile: 'dev',
        port: 0,
        overrides: { 'log.dirs': '/a,/b', 'metadata.log.dir': '/meta' },
      }),
    });
    await node.start();
    const { port } = node.listeners[0]!.advertised!;
    clients = await Promise.all([1, 2, 3].map(() => WireClient.open(`localhost:${port}`)));
    const created = await clients[0]!.request(
      CreateTopicsRequest,
      CreateTopicsResponse,
      5,
      defaults(CreateTopicsRequest, {
        topics: [
          {
            name: 't',
            numPartitions: PARTITIONS,
            replicationFactor: 1,
            assignments: [],
            configs: [
              { name: 'flush.messages', value: '1' },
              { name: 'segment.bytes', value: '200000' },
            ],
          },
        ],
        timeoutMs: 5000,
      }),
    );
    expect(created.topics[0]?.errorCode).toBe(Errors.NONE);
  });
  afterEach(async () => {
    for (const client of clients) client.close();
    await node.stop();
  });

  it('lets no acknowledgement leave before an fdatasync that began after its bytes were written', async () => {
    const rounds = 150;
    await Promise.all(
      clients.map(async (client, c) => {
        for (let round = 0; round < rounds; round++) {
          // Some with several partitions, some with large batches that are written at once.
          const partitions = round % 3 === 0 ? [0, 1, 2, 3] : [(round + c) % PARTITIONS];
          const value = round % 25 === 0 ? 'x'.repeat(30_000) : undefined;
          client.write(produce(2 * (round + 1), partitions, value));
          if (round % 10 === 9) {
            for (let done = round - 9; done <= round; done++) {
              await client.answer(ProduceResponse, PRODUCE_VERSION, 2 * (done + 1));
            }
          }
        }
      }),
    );
    expect(watch.acks.length).toBe(clients.length * ((rounds / 3) * PARTITIONS + (rounds / 3) * 2));
    expect(watch.acks.filter(({ code }) => code !== Errors.NONE)).toEqual([]);
    expect(watch.acks.filter(({ isCovered }) => !isCovered)).toEqual([]);
    for (let index = 0; index < PARTITIONS; index++) {
      const { files, syncsStarted } = watch.of(`t-${index}`);
      // Over several segments, with some batches sharing a sync.
      expect(new Set(files.values()).size).toBeGreaterThan(1);
      expect(syncsStarted).toBeGreaterThan(10);
      expect(syncsStarted).toBeLessThan(files.size);
    }
  });

  it('answers KAFKA_STORAGE_ERROR when the fdatasync fails, which is never tried again, and goes on elsewhere', async () => {
    const client = clients[0]!;
    const answer = async (id: number, partitions: readonly number[]) => {
      client.write(produce(id, partitions));
      const { responses } = await client.answer(ProduceResponse, PRODUCE_VERSION, id);
      return new Map(responses[0]!.partitionResponses.map(({ index, errorCode }) => [index, errorCode]));
    };
    expect([...(await answer(2, [0, 1, 2, 3])).values()]).toEqual([0, 0, 0, 0]);
    watch.broken.add('t-0');
    const before = watch.of('t-0').syncsStarted;
    // Two behind each other: the second must not be acknowledged by anything either.
    client.write(produce(4, [0]));
    client.write(produce(6, [0]));
    for (const id of [4, 6]) {
      const { responses } = await client.answer(ProduceResponse, PRODUCE_VERSION, id);
      expect(responses[0]!.partitionResponses[0]!.errorCode).toBe(Errors.KAFKA_STORAGE_ERROR);
    }
    // A disk that works again changes nothing: what the kernel has dropped is gone.
    watch.broken.clear();
    expect((await answer(8, [0])).get(0)).toBe(Errors.KAFKA_STORAGE_ERROR);
    expect(watch.of('t-0')).toMatchObject({ syncsStarted: before + 1, syncsFailed: 1 });
    // Its dir took one more partition along; the two of the other dir serve on.
    const codes = [...(await answer(10, [0, 1, 2, 3])).values()].sort((a, b) => a - b);
    expect(codes).toEqual([0, 0, Errors.KAFKA_STORAGE_ERROR, Errors.KAFKA_STORAGE_ERROR]);
    const acknowledged = watch.acks.filter(({ partition, code }) => partition === 't-0' && code === 0);
    expect(acknowledged.map(({ baseOffset: first }) => first)).toEqual([0]);
    expect(watch.acks.every(({ code, isCovered }) => code !== 0 || isCovered)).toBe(true);
  });
});
