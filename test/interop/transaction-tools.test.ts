import { expect } from 'vitest';
import { defaults } from '../../src/protocol/codec.ts';
import { Errors } from '../../src/protocol/errors.ts';
import * as addPartitions from '../../src/protocol/messages/add-partitions-to-txn.ts';
import * as findCoordinator from '../../src/protocol/messages/find-coordinator.ts';
import * as initProducerId from '../../src/protocol/messages/init-producer-id.ts';
import { WireClient } from '../integration/wire-client.ts';
import { apacheMissing } from './support/apache.ts';
import { BASE_TIMESTAMP, batch } from './support/batch.ts';
import { caughtUp } from './support/caught-up.ts';
import { compareBrokers, type Observations } from './support/compare.ts';
import { until } from './support/run.ts';
import type { Target } from './support/target.ts';
import { JavaTools, type ToolName } from './support/tools.ts';
import { makeTopics, produce, produceAnswer, RawConnection } from './support/wire.ts';

/** kafka-transactions and kafka-features, on open transactions and on one that its coordinator does not know of. */

const TRANSACTIONAL = 0x10;
const PRODUCE_VERSION = 11;

interface Producer {
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

async function observe(target: Target): Promise<Observations> {
  const tools = await JavaTools.start();
  const client = await WireClient.open(target.bootstrap);
  const connection = await RawConnection.open(target.port);
  try {
    await makeTopics(target.port, [{ name: 'open', partitions: 2 }, { name: 'hanging' }]);
    await openTransactions(client, connection);
    return await runTools(target, tools, client);
  } finally {
    client.close();
    connection.close();
    await tools.stop();
  }
}

async function openTransactions(client: WireClient, connection: RawConnection): Promise<void> {
  const write = async (topic: string, transactionalId: string, { producerId, producerEpoch }: Producer) => {
    const records = batch({ attributes: TRANSACTIONAL, producerId, producerEpoch, baseSequence: 0 });
    const asked = produce(PRODUCE_VERSION, [{ topic, records }], { transactionalId });
    const [answer] = produceAnswer(PRODUCE_VERSION, await connection.ask(asked));
    if (answer?.errorCode !== Errors.NONE) throw new Error(`not written: ${answer?.errorCode}`);
  };
  const { AddPartitionsToTxnRequest, AddPartitionsToTxnResponse } = addPartitions;
  const owner = await begin(client, 'opened');
  await client.request(
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse,
    3,
    defaults<addPartitions.AddPartitionsToTxnRequest>(AddPartitionsToTxnRequest, {
      v3AndBelowTransactionalId: 'opened',
      v3AndBelowProducerId: owner.producerId,
      v3AndBelowProducerEpoch: owner.producerEpoch,
      v3AndBelowTopics: [{ name: 'open', partitions: [0, 1] }],
    }),
  );
  await write('open', 'opened', owner);
  await begin(client, 'idle');
  // Nobody checks that the coordinator knows of this one: it stays open for ever.
  await write('hanging', 'lost', await begin(client, 'lost'));
}

async function begin(client: WireClient, transactionalId: string): Promise<Producer> {
  const { InitProducerIdRequest, InitProducerIdResponse } = initProducerId;
  const { FindCoordinatorRequest, FindCoordinatorResponse } = findCoordinator;
  return until(`a producer id for ${transactionalId}`, async () => {
    await client.request(
      FindCoordinatorRequest,
      FindCoordinatorResponse,
      3,
      defaults<findCoordinator.FindCoordinatorRequest>(FindCoordinatorRequest, {
        key: transactionalId,
        keyType: 1,
      }),
    );
    const { errorCode, producerId, producerEpoch } = await client.request(
      InitProducerIdRequest,
      InitProducerIdResponse,
      4,
      defaults<initProducerId.InitProducerIdRequest>(InitProducerIdRequest, {
        transactionalId,
        transactionTimeoutMs: 600_000,
      }),
    );
    return errorCode === Errors.NONE ? { producerId, producerEpoch } : undefined;
  });
}

async function runTools(target: Target, tools: JavaTools, client: WireClient): Promise<Observations> {
  const seen: Observations = {};
  const server = ['--bootstrap-server', target.bootstrap];
  const tool = async (name: ToolName, ...args: readonly string[]): Promise<void> => {
    const { code, stdout, stderr } = await tools.run(name, [...server, ...args]);
    const step = `${name} ${args.join(' ')}`;
    const nth = Object.keys(seen).filter((other) => other.startsWith(step)).length;
    // What went wrong is said in other words here.
    const said =
      code === 0 ? { stdout: rows(stdout), stderr: calm(stderr) } : { hasText: stdout + stderr !== '' };
    seen[nth === 0 ? step : `${step} (${nth + 1})`] = { code, ...said };
  };
  const transactions = (...args: readonly string[]) => tool('kafka-transactions', ...args);
  await transactions('list');
  await transactions('list', '--transactional-id-pattern', 'op.*|idle');
  await transactions('list', '--transactional-id-pattern', '(');
  await transactions('list', '--duration-filter', '1');
  await transactions('list', '--duration-filter', '3600000');
  for (const id of ['opened', 'idle', 'nobody']) await transactions('describe', '--transactional-id', id);
  for (const topic of ['open', 'hanging']) {
    await transactions('describe-producers', '--topic', topic, '--partition', '0');
  }
  await transactions('find-hanging', '--broker-id', '1', '--max-transaction-timeout', '15');
  await transactions('find-hanging', '--topic', 'hanging');
  await transactions('abort', '--topic', 'hanging', '--partition', '0', '--start-offset', '0');
  await transactions('describe-producers', '--topic', 'hanging', '--partition', '0');
  await transactions('find-hanging', '--broker-id', '1');
  await transactions('abort', '--topic', 'hanging', '--partition', '0', '--start-offset', '0');
  await transactions('forceTerminateTransaction', '--transactionalId', 'opened');
  await until('the end of the transaction', async () => {
    const { stdout } = await tools.run('kafka-transactions', [
      ...server,
      'describe',
      '--transactional-id',
      'opened',
    ]);
    return stdout.includes('Prepare') ? undefined : true;
  });
  await transactions('describe', '--transactional-id', 'opened');
  await transactions('describe-producers', '--topic', 'open', '--partition', '0');
  await features(tool, client, target.port);
  return seen;
}

/** Up and down, and what a transactional id is given meanwhile. */
async function features(
  tool: (name: ToolName, ...args: readonly string[]) => Promise<void>,
  client: WireClient,
  port: number,
): Promise<void> {
  for (const level of [1, 0, 2, 3]) {
    const direction = level < 2 ? 'downgrade' : 'upgrade';
    await tool('kafka-features', direction, '--feature', `transaction.version=${level}`);
    await caughtUp(port);
    await begin(client, `level-${level}`);
  }
  await tool('kafka-transactions', 'list', '--transactional-id-pattern', 'level-.*');
}

/** A table without what differs from run to run, its rows in order; or what was said. */
function rows(stdout: string): readonly string[] {
  const [head = '', ...rest] = stdout
    .split('\n')
    .map((line) => calm(line.trim().replaceAll(/\s+/g, ' ')))
    .filter((line) => line !== '');
  return [head, ...rest.sort()];
}

function calm(text: string): string {
  return text
    .replace(/ \d+ open-[01],open-[01]$/, ' <ms> open-0,open-1')
    .replace(/^(hanging .* )\d+$/, '$1<minutes>')
    .replaceAll(String(BASE_TIMESTAMP), '<base time>')
    .replaceAll(/\b1[6-9]\d{11}\b/g, '<time>')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>')
    .replaceAll(/\[\d{4}-\d\d-\d\d [\d:,]+\]/g, '<time>');
}

await compareBrokers({
  title: 'kafka-transactions',
  missing: await apacheMissing(),
  properties: {
    'transaction.state.log.num.partitions': '4',
    'transaction.partition.verification.enable': 'false',
  },
  observe,
  expectations(seen) {
    expect(Object.keys(seen).length).toBeGreaterThan(20);
  },
});
