import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { partitionForGroup } from '../../src/coordinator/index.ts';
import { TransactionRecordSerde, transactionRecord } from '../../src/coordinator/transaction/records.ts';
import { prepared } from '../../src/coordinator/transaction/transaction-metadata.ts';
import { defaults, type Sparse } from '../../src/protocol/codec.ts';
import { Errors } from '../../src/protocol/errors.ts';
import {
  DescribeTransactionsRequest,
  DescribeTransactionsResponse,
} from '../../src/protocol/messages/describe-transactions.ts';
import { EndTxnRequest, EndTxnResponse } from '../../src/protocol/messages/end-txn.ts';
import { FetchRequest, FetchResponse } from '../../src/protocol/messages/fetch.ts';
import {
  FindCoordinatorRequest,
  FindCoordinatorResponse,
} from '../../src/protocol/messages/find-coordinator.ts';
import {
  InitProducerIdRequest,
  InitProducerIdResponse,
} from '../../src/protocol/messages/init-producer-id.ts';
import { ProduceRequest, ProduceResponse } from '../../src/protocol/messages/produce.ts';
import {
  BatchBuilder,
  batchPositions,
  isControl,
  lastOffset,
  partitionLeaderEpoch,
  records,
} from '../../src/protocol/record-batch/index.ts';
import type { MessageSchema } from '../../src/protocol/schema.ts';
import { WireClient } from '../integration/wire-client.ts';
import { apacheMissing } from './support/apache.ts';
import { freePort } from './support/ports.ts';
import { until } from './support/run.ts';
import { startTarget, type TargetName } from './support/target.ts';
import { makeTopics } from './support/wire.ts';

const PORT = await freePort();
const PARTITIONS = 3;
const properties = { 'transaction.state.log.num.partitions': String(PARTITIONS) };
/** Each writes to the topic of its name. */
const IDS = ['open', 'prepared', 'done'] as const;
/** What brokers answer while leaders, coordinators and markers are under way. */
const RETRIED: readonly number[] = [3, 6, 13, 14, 15, 16, 19, 51];

interface Producer {
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

type Producers = Readonly<Record<(typeof IDS)[number], Producer>>;

async function ask<Request, Response>(
  client: WireClient,
  request: MessageSchema<Request>,
  response: MessageSchema<Response>,
  version: number,
  given: Sparse<Request>,
  codeOf: (answer: Response) => number,
): Promise<Response> {
  return until(request.name, async () => {
    const answer = await client.request(request, response, version, defaults(request, given));
    return RETRIED.includes(codeOf(answer)) ? undefined : answer;
  });
}

async function init(client: WireClient, transactionalId: string): Promise<Producer> {
  await ask(
    client,
    FindCoordinatorRequest,
    FindCoordinatorResponse,
    3,
    { key: transactionalId, keyType: 1 },
    ({ errorCode }) => errorCode,
  );
  const { errorCode, producerId, producerEpoch } = await ask(
    client,
    InitProducerIdRequest,
    InitProducerIdResponse,
    4,
    { transactionalId, transactionTimeoutMs: 600_000 },
    (answer) => answer.errorCode,
  );
  expect(errorCode).toBe(Errors.NONE);
  return { producerId, producerEpoch };
}

/** The partition becomes a part of the transaction with it. */
async function write(
  client: WireClient,
  transactionalId: string,
  { producerId, producerEpoch }: Producer,
  sequence: number,
): Promise<void> {
  const batch = new BatchBuilder({
    producerId,
    producerEpoch,
    baseSequence: sequence,
    isTransactional: true,
  });
  batch.append({ timestamp: 1_700_000_000_000, value: Buffer.from(`${transactionalId} ${sequence}`) });
  const partitionData = [{ index: 0, records: batch.build() }];
  const answer = await ask(
    client,
    ProduceRequest,
    ProduceResponse,
    12,
    { transactionalId, acks: -1, timeoutMs: 5000, topicData: [{ name: transactionalId, partitionData }] },
    ({ responses }) => responses[0]!.partitionResponses[0]!.errorCode,
  );
  expect(answer.responses[0]!.partitionResponses[0]!.errorCode).toBe(Errors.NONE);
}

async function commit(client: WireClient, transactionalId: string, producer: Producer): Promise<Producer> {
  const { producerId, producerEpoch } = producer;
  const answer = await ask(
    client,
    EndTxnRequest,
    EndTxnResponse,
    5,
    { transactionalId, producerId, producerEpoch, committed: true },
    ({ errorCode }) => errorCode,
  );
  expect(answer.errorCode).toBe(Errors.NONE);
  return answer;
}

/** What a reader of committed records gets from the beginning of a topic; undefined while something is open. */
async function committed(client: WireClient, topic: string): Promise<string[] | undefined> {
  const answer = await ask(
    client,
    FetchRequest,
    FetchResponse,
    11,
    {
      isolationLevel: 1,
      maxWaitMs: 0,
      topics: [{ topic, partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 100_000 }] }],
    },
    ({ responses }) => responses[0]!.partitions[0]!.errorCode,
  );
  const partition = answer.responses[0]!.partitions[0]!;
  if (partition.lastStableOffset !== partition.highWatermark) return undefined;
  const bytes = (partition.records ?? new Uint8Array(0)) as Uint8Array;
  const seen: string[] = [];
  for (const at of batchPositions(bytes)) {
    if (isControl(bytes, at)) continue;
    for (const { value } of records(bytes, { at })) seen.push(Buffer.from(value!).toString());
  }
  return seen;
}

async function stateOf(client: WireClient, transactionalId: string): Promise<string> {
  const answer = await ask(
    client,
    DescribeTransactionsRequest,
    DescribeTransactionsResponse,
    0,
    { transactionalIds: [transactionalId] },
    ({ transactionStates }) => transactionStates[0]!.errorCode,
  );
  return answer.transactionStates[0]!.transactionState;
}

async function on<T>(
  name: TargetName,
  dataDir: string,
  run: (client: WireClient) => Promise<T>,
  topics: readonly string[] = [],
): Promise<T> {
  const target = await startTarget(name, { port: PORT, dataDir, properties });
  const client = await WireClient.open(target.bootstrap);
  try {
    if (topics.length > 0)
      await makeTopics(
        target.port,
        topics.map((topic) => ({ name: topic })),
      );
    return await run(client);
  } finally {
    client.close();
    await target.stop();
  }
}

async function begin(client: WireClient): Promise<Producers> {
  const producers = { open: await init(client, 'open'), prepared: await init(client, 'prepared') };
  let done = await init(client, 'done');
  for (const id of ['open', 'prepared'] as const) await write(client, id, producers[id], 0);
  await write(client, 'done', done, 0);
  done = await commit(client, 'done', done);
  await until('the marker', async () => ((await committed(client, 'done')) === undefined ? undefined : true));
  return { ...producers, done };
}

/** As if the broker had gone between the decision to commit and the first marker. */
function decideToCommit(dataDir: string, transactionalId: string): void {
  const folder = join(dataDir, `__transaction_state-${partitionForGroup(transactionalId, PARTITIONS)}`);
  const file = join(folder, '00000000000000000000.log');
  const bytes = readFileSync(file);
  const serde = new TransactionRecordSerde();
  let end = 0;
  let epoch = 0;
  let last: ReturnType<TransactionRecordSerde['decode']>;
  for (const at of batchPositions(bytes)) {
    end = lastOffset(bytes, at) + 1;
    epoch = partitionLeaderEpoch(bytes, at);
    for (const { key, value } of records(bytes, { at })) {
      const record = serde.decode(key!, value);
      if (record?.transactionalId === transactionalId) last = record;
    }
  }
  const before = last!.metadata!;
  expect(before.state).toBe('Ongoing');
  const preparation = {
    state: 'PrepareCommit' as const,
    clientTransactionVersion: 2,
    nextProducerId: -1n,
  };
  const after = prepared(before, preparation, before.lastUpdateMs);
  const { key, value } = serde.encode(transactionRecord(transactionalId, after, 2));
  const batch = new BatchBuilder({ baseOffset: end, leaderEpoch: epoch });
  batch.append({ timestamp: before.lastUpdateMs, key, value });
  appendFileSync(file, batch.build());
  // What it says of the folder is no longer true: the other broker has to look.
  rmSync(join(dataDir, '.kafka_cleanshutdown'), { force: true });
}

async function goOn(client: WireClient, producers: Producers): Promise<void> {
  await until('the markers of what was decided', async () => {
    const isOver = (await stateOf(client, 'prepared')) === 'CompleteCommit';
    return isOver && (await committed(client, 'prepared')) !== undefined ? true : undefined;
  });
  expect(await committed(client, 'prepared')).toEqual(['prepared 0']);
  expect(await committed(client, 'done')).toEqual(['done 0']);
  expect(await stateOf(client, 'open')).toBe('Ongoing');
  expect(await committed(client, 'open')).toBeUndefined();
  await write(client, 'open', producers.open, 1);
  const open = await commit(client, 'open', producers.open);
  await until('its marker', async () => ((await committed(client, 'open')) === undefined ? undefined : true));
  expect(await committed(client, 'open')).toEqual(['open 0', 'open 1']);
  // Each goes on from the epoch that it was given by the other broker.
  const { producerId, producerEpoch } = producers.prepared;
  const next = { open, prepared: { producerId, producerEpoch: producerEpoch + 1 }, done: producers.done };
  for (const id of IDS) {
    await write(client, id, next[id], 0);
    await commit(client, id, next[id]);
    expect((await init(client, id)).producerEpoch).toBe(next[id].producerEpoch + 2);
  }
}

const missing = await apacheMissing();
const skipped = missing === undefined ? '' : ` (SKIPPED: ${missing})`;

describe('transactions that are open, decided and done', () => {
  const ways = [
    ['apache', 'odradek'],
    ['odradek', 'apache'],
    ['odradek', 'odradek'],
  ] as const;
  test.skipIf(missing !== undefined).each(ways)(
    `go from %s to %s with the folder${skipped}`,
    async (from, to) => {
      const dataDir = mkdtempSync(join(tmpdir(), 'odradek-transaction-folder-'));
      try {
        const producers = await on(from, dataDir, begin, IDS);
        decideToCommit(dataDir, 'prepared');
        await on(to, dataDir, (client) => goOn(client, producers));
      } finally {
        rmSync(dataDir, { recursive: true, force: true });
      }
    },
  );
});
