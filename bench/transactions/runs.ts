import { decode } from '../../src/protocol/codec.ts';
import { decodeResponseHeader } from '../../src/protocol/headers.ts';
import { FetchRequest, FetchResponse } from '../../src/protocol/messages/fetch.ts';
import { ProduceRequest, ProduceResponse } from '../../src/protocol/messages/produce.ts';
import { BatchBuilder } from '../../src/protocol/record-batch/builder.ts';
import {
  BASE_SEQUENCE_AT,
  baseOffset,
  isControl,
  lastOffset,
  producerId,
  recordCount,
  sizeInBytes,
  writeCrc,
} from '../../src/protocol/record-batch/header.ts';
import { records } from '../../src/protocol/record-batch/records.ts';
import type { Target } from '../../test/interop/support/target.ts';
import {
  listOffsets,
  listOffsetsAnswer,
  makeTopics,
  RawConnection,
} from '../../test/interop/support/wire.ts';
import { hotLoop, type Repeated } from '../groups/hot-loop.ts';
import { frameOf, Peer } from '../groups/peer.ts';
import type { Figures } from '../logs/report.ts';
import { withNodeServer } from '../node-server.ts';
import { cpuMsOf } from '../process-cost.ts';
import { initProducer, TransactionalProducer } from './producer.ts';

const PARTITIONS = 4;
const PRODUCE_VERSION = 7;
const FETCH_VERSION = 11;
const READ_COMMITTED = 1;
const FETCH_BYTES = 1024 * 1024;
const IDEMPOTENT_CONNECTIONS = 3;
const IN_FLIGHT = 5;
const RECORDS_PER_BATCH = 16;

export interface Length {
  readonly warmupMs: number;
  readonly measureMs: number;
}

const nameOf = (kind: string): string => `${kind}-${process.hrtime.bigint()}`;
const cpuOf = (target: Target): number => cpuMsOf(target.process.pid ?? 0);

/** Transactional ids that commit in a closed loop; then every committed record must be read once, in order, and no other. */
export async function transactions(target: Target, ids: number, length: Length): Promise<Figures> {
  const topic = nameOf('transactions');
  await makeTopics(target.port, [{ name: topic, partitions: PARTITIONS }]);
  const producers = await openProducers(target.port, topic, ids);
  const figures = await measured(producers, () => cpuOf(target), length);
  for (let partition = 0; partition < Math.min(ids, PARTITIONS); partition += 1) {
    const inside = producers.filter((one) => one.partition === partition);
    await checkCommitted(target.port, topic, partition, inside);
  }
  for (const one of producers) one.close();
  return figures;
}

/**
 * What a Node process reaches that reads the same requests, writes to files as often as our broker does for so many ids
 * and sends answers, all else left out: the floor under `transactions`, and where the rate of these producers ends.
 */
export function bare(target: Target, ids: number, length: Length): Promise<Figures> {
  const args = [target.port, fileWritesPerTransaction(ids)];
  return withNodeServer('transactions/bare-server.mjs', args, async (port, cpuMs) => {
    const topic = nameOf('bare');
    await makeTopics(target.port, [{ name: topic, partitions: PARTITIONS }]);
    const producers = await openProducers(port, topic, ids);
    const figures = await measured(producers, cpuMs, length);
    for (const one of producers) one.close();
    return figures;
  });
}

/** As counted under odradek at 16 and 64 ids, where records of several go with one write. */
function fileWritesPerTransaction(ids: number): number {
  if (ids >= 64) return 2;
  return ids >= 16 ? 3 : 4;
}

function openProducers(port: number, topic: string, ids: number): Promise<TransactionalProducer[]> {
  return Promise.all(
    Array.from({ length: ids }, (_, index) =>
      TransactionalProducer.open(port, topic, index % PARTITIONS, index),
    ),
  );
}

async function measured(
  producers: readonly TransactionalProducer[],
  cpuMs: () => number,
  length: Length,
): Promise<Figures> {
  const beginMs = performance.now() + length.warmupMs;
  const window = { beginMs, endMs: beginMs + length.measureMs };
  let cpuBefore = Number.NaN;
  let retriesBefore = 0;
  const retries = (): number => producers.reduce((sum, one) => sum + one.retries, 0);
  setTimeout(() => {
    cpuBefore = cpuMs();
    retriesBefore = retries();
  }, length.warmupMs);
  await Promise.all(producers.map((one) => one.run(window)));
  const cpuSpentMs = cpuMs() - cpuBefore;
  const count = producers.reduce((sum, one) => sum + one.ended, 0);
  const commitMs = producers.flatMap((one) => one.commitMs).sort((a, b) => a - b);
  const at = (share: number) => commitMs[Math.floor(commitMs.length * share)] ?? Number.NaN;
  return {
    'transactions/s': (count * 1000) / length.measureMs,
    'commit p50, ms': at(0.5),
    'commit p99, ms': at(0.99),
    'CPU µs per transaction': (cpuSpentMs * 1000) / count,
    'retries per transaction': (retries() - retriesBefore) / count,
  };
}

async function checkCommitted(
  port: number,
  topic: string,
  partition: number,
  producers: readonly TransactionalProducer[],
): Promise<void> {
  const read = new Map<number, number[]>(producers.map(({ index }) => [index, []]));
  const end = await endOf(port, topic, partition);
  await readAll(port, topic, partition, end, READ_COMMITTED, (bytes, at, isAborted) => {
    if (isControl(bytes, at) || isAborted) return;
    const batch = bytes.subarray(at, at + sizeInBytes(bytes, at));
    for (const { value } of records(batch)) {
      const content = Buffer.from(value ?? []);
      read.get(content.readInt32BE(0))?.push(content.readInt32BE(4));
    }
  });
  for (const { index, committed } of producers) {
    const found = read.get(index) ?? [];
    const isSame = found.length === committed.length && found.every((number, at) => number === committed[at]);
    if (!isSame) {
      throw new Error(
        `${topic}-${partition}: of ${committed.length} committed records of producer ${index} ${found.length} were read`,
      );
    }
  }
}

/** Produces from three connections, as Kafka's Java producer does or without a producer id; returns the topic too. */
export async function produced(
  target: Target,
  isIdempotent: boolean,
  valueBytes: number,
  length: Length,
): Promise<{ readonly topic: string; readonly figures: Figures }> {
  const topic = nameOf('produced');
  await makeTopics(target.port, [{ name: topic, partitions: IDEMPOTENT_CONNECTIONS }]);
  const peers: Peer[] = [];
  const requests: Repeated[] = [];
  const acknowledged: number[] = [];
  let batchBytes = 0;
  for (let partition = 0; partition < IDEMPOTENT_CONNECTIONS; partition += 1) {
    const peer = await Peer.open(target.port);
    peers.push(peer);
    acknowledged.push(0);
    const identity = isIdempotent ? await initProducer(peer, null) : undefined;
    const builder = new BatchBuilder(identity === undefined ? {} : { ...identity, baseSequence: 0 });
    const value = Buffer.alloc(valueBytes, 'idempotence ');
    for (let n = 0; n < RECORDS_PER_BATCH; n += 1) builder.append({ timestamp: Date.now(), value });
    const batch = builder.build();
    batchBytes = batch.length;
    let sequence = 0;
    for (let n = 0; n < IN_FLIGHT; n += 1) {
      const frame = frameOf(ProduceRequest, PRODUCE_VERSION, {
        acks: -1,
        timeoutMs: 30_000,
        topicData: [{ name: topic, partitionData: [{ index: partition, records: batch }] }],
      });
      const batchAt = frame.indexOf(batch);
      const next = (): void => {
        if (!isIdempotent) return;
        frame.writeInt32BE(sequence, batchAt + BASE_SEQUENCE_AT);
        writeCrc(frame, batchAt);
        sequence += RECORDS_PER_BATCH;
      };
      const check = (answer: Buffer): void => {
        const { bodyAt } = decodeResponseHeader(answer, ProduceResponse.apiKey, PRODUCE_VERSION);
        const { responses } = decode(ProduceResponse, PRODUCE_VERSION, answer, bodyAt);
        const code = responses[0]?.partitionResponses[0]?.errorCode;
        if (code !== 0) throw new Error(`Produce to ${topic}-${partition}: ${code}`);
        acknowledged[partition] = acknowledged[partition]! + RECORDS_PER_BATCH;
      };
      requests.push({ peer, frame, next, check });
    }
  }
  const rate = await hotLoop(requests, () => cpuOf(target), length.warmupMs, length.measureMs);
  for (const [partition, count] of acknowledged.entries()) {
    const end = await endOf(target.port, topic, partition);
    if (end !== count)
      throw new Error(`${topic}-${partition} ends at ${end}, but ${count} records were acknowledged`);
  }
  for (const peer of peers) peer.close();
  const figures = {
    'MB/s': (rate.perSecond * batchBytes) / 1e6,
    'p99, ms': rate.p99Ms,
    'CPU s per GB': (rate.cpuUs * 1000) / batchBytes,
  };
  return { topic, figures };
}

/** Reads a topic from its beginning again and again for so long; every reading must give all of its records. */
export async function reading(
  target: Target,
  topic: string,
  isolationLevel: number,
  length: Length,
): Promise<Figures> {
  const end = await endOf(target.port, topic, 0);
  const pass = async (): Promise<number> => {
    let bytes = 0;
    let count = 0;
    await readAll(target.port, topic, 0, end, isolationLevel, (batch, at) => {
      bytes += sizeInBytes(batch, at);
      count += recordCount(batch, at);
    });
    if (count !== end) throw new Error(`${count} of ${end} records of ${topic}-0 were read`);
    return bytes;
  };
  const warmMs = performance.now() + length.warmupMs;
  while (performance.now() < warmMs) await pass();
  const cpuBefore = cpuOf(target);
  const beginMs = performance.now();
  let bytes = 0;
  while (performance.now() < beginMs + length.measureMs) bytes += await pass();
  const seconds = (performance.now() - beginMs) / 1000;
  return { 'MB/s': bytes / 1e6 / seconds, 'CPU s per GB': (cpuOf(target) - cpuBefore) / (bytes / 1e6) };
}

/**
 * Reads up to `end`; `take` gets each batch once, and whether it is part of an aborted transaction that a reader of
 * committed records leaves out.
 */
async function readAll(
  port: number,
  topic: string,
  partition: number,
  end: number,
  isolationLevel: number,
  take: (bytes: Uint8Array, at: number, isAborted: boolean) => void,
): Promise<void> {
  const peer = await Peer.open(port);
  const open = new Set<bigint>();
  let offset = 0;
  while (offset < end) {
    const partitions = [{ partition, fetchOffset: offset, partitionMaxBytes: FETCH_BYTES }];
    const request = { maxWaitMs: 500, minBytes: 1, isolationLevel, topics: [{ topic, partitions }] };
    const { responses } = await peer.ask(FetchRequest, FetchResponse, FETCH_VERSION, {
      ...request,
      maxBytes: FETCH_BYTES,
    });
    const [answer] = responses.flatMap((one) => one.partitions);
    if (answer?.errorCode !== 0) throw new Error(`Fetch of ${topic}-${partition}: ${answer?.errorCode}`);
    const chunks = answer.records ?? [];
    const bytes = chunks instanceof Uint8Array ? chunks : Buffer.concat([...chunks]);
    const aborted = [...(answer.abortedTransactions ?? [])].sort((a, b) => a.firstOffset - b.firstOffset);
    for (let at = 0; at + 12 <= bytes.length && at + sizeInBytes(bytes, at) <= bytes.length; ) {
      while (aborted.length > 0 && aborted[0]!.firstOffset <= lastOffset(bytes, at)) {
        open.add(aborted.shift()!.producerId);
      }
      const producer = producerId(bytes, at);
      if (baseOffset(bytes, at) >= offset) take(bytes, at, open.has(producer));
      if (isControl(bytes, at)) open.delete(producer);
      offset = lastOffset(bytes, at) + 1;
      at += sizeInBytes(bytes, at);
    }
  }
  peer.close();
}

async function endOf(port: number, topic: string, partition: number): Promise<number> {
  const connection = await RawConnection.open(port);
  const answer = listOffsetsAnswer(await connection.ask(listOffsets(topic, -1, partition)));
  connection.close();
  return Number(answer[0]?.partitions[0]?.offset);
}
