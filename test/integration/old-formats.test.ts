import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../../src/index.ts';
import { unexplainedOld } from '../interop/old-differences.ts';
import { readGolden } from '../interop/support/golden.ts';
import {
  type OldFetchOutcome,
  type OldGoldenCase,
  runOldCases,
  runOldFetches,
} from '../interop/support/old-formats-golden.ts';
import { runLookups } from '../interop/support/time-lookups.ts';

/** What Apache Kafka 3.9 answered (see test/interop/old-formats.test.ts), compared with what this broker answers. */

interface Golden {
  readonly cases: readonly OldGoldenCase[];
  readonly fetches: readonly OldFetchOutcome[];
  readonly lookups: Readonly<Record<string, readonly string[]>>;
}

describe('clients before 0.11', () => {
  const golden = readGolden<Golden>('old-formats.json');
  let broker: Awaited<ReturnType<typeof startBroker>>;
  let port: number;
  beforeAll(async () => {
    broker = await startBroker({
      memory: true,
      profile: 'kafka',
      properties: {
        'auto.create.topics.enable': 'false',
        'log.message.timestamp.after.max.ms': '9223372036854775807',
      },
    });
    port = Number(/:(\d+)/.exec(broker.bootstrapServers)?.[1]);
  });
  afterAll(() => broker?.stop());

  test('their message sets are stored and refused as Apache Kafka 3.9 did', async () => {
    const cases = golden.cases.map((one) => ({ ...one, records: Buffer.from(one.records, 'hex') }));
    const ours = await runOldCases(port, cases);
    expect(golden.cases.flatMap((one, i) => unexplainedOld(one, ours[i]!))).toEqual([]);
  });

  test('they are given the messages that Apache Kafka 3.9 gave them', async () => {
    expect(await runOldFetches(port, golden.fetches)).toEqual(golden.fetches);
  });

  test('times lead to the offsets that Apache Kafka 3.9 gave', async () => {
    expect(await runLookups(port)).toEqual(golden.lookups);
  });
});
